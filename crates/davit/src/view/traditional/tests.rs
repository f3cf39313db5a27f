//! The whole of a recorded run, as the original prints it.

use crate::view::fixture;
use crate::view::{Format, Settings};

#[test]
fn a_run_looks_as_the_original_prints_it() {
    let (out, err) = fixture::show("default", &Settings::default());
    insta::assert_snapshot!(out, @r#"

    PLAY [nobody] ******************************************************************
    skipping: no hosts matched

    PLAY [web] *********************************************************************

    TASK [say] *********************************************************************
    ok: [web1] => {
        "msg": "hello web1"
    }
    ok: [web2] => {
        "msg": "hello web2"
    }

    TASK [write config] ************************************************************
    --- before
    +++ after: /etc/c
    @@ -1 +1 @@
    -a
    +b

    changed: [web1]
    ok: [web2]

    TASK [loop] ********************************************************************
    changed: [web1] => (item=a)
    skipping: [web1] => (item=b) 
    skipping: [web2]

    TASK [more] ********************************************************************
    included: /srv/more.yml for web1 => (item=1)

    TASK [restart] *****************************************************************
    FAILED - RETRYING: [web1]: restart (2 retries left).
    [ERROR]: Task failed: Module failed: non-zero return code
    Origin: /srv/site.yml:12:7

    10 line 10 of /srv/site.yml
    11 line 11 of /srv/site.yml
    12 line 12 of /srv/site.yml
             ^ column 7

    fatal: [web1]: FAILED! => {"changed": true, "cmd": ["systemctl", "restart", "web"], "msg": "non-zero return code", "rc": 1, "stderr": "first\nJob for web.service failed.", "stderr_lines": ["first", "Job for web.service failed."], "stdout": "", "stdout_lines": []}
    ...ignoring
    ok: [web2]

    TASK [role : open port] ********************************************************
    [ERROR]: Task failed: 'port' is undefined

    Task failed.
    Origin: /srv/site.yml:14:7

    12 line 12 of /srv/site.yml
    13 line 13 of /srv/site.yml
    14 line 14 of /srv/site.yml
             ^ column 7

    <<< caused by >>>

    'port' is undefined
    Origin: /srv/site.yml:15:12

    13 line 13 of /srv/site.yml
    14 line 14 of /srv/site.yml
    15 line 15 of /srv/site.yml
                  ^ column 12

    fatal: [web2]: FAILED! => {"msg": "Task failed: 'port' is undefined"}
    [ERROR]: Task failed: no route to host
    Origin: /srv/site.yml:14:7

    12 line 12 of /srv/site.yml
    13 line 13 of /srv/site.yml
    14 line 14 of /srv/site.yml
             ^ column 7

    fatal: [web1 -> db1]: UNREACHABLE! => {"changed": false, "msg": "Task failed: no route to host", "unreachable": true}

    NO MORE HOSTS LEFT *************************************************************

    PLAY RECAP *********************************************************************
    web1                       : ok=4    changed=2    unreachable=1    failed=0    skipped=0    rescued=0    ignored=1   
    web2                       : ok=3    changed=0    unreachable=0    failed=1    skipped=1    rescued=0    ignored=0
    "#);
    insta::assert_snapshot!(err, @r#"
    [WARNING]: Could not match supplied host pattern, ignoring: nobody
    [WARNING]: mode is unset
    "#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "the snapshot is long")]
fn colours_and_markers() {
    let settings = Settings {
        colour: true,
        colour_err: true,
        check_mode_markers: true,
        show_custom_stats: true,
        ..Settings::default()
    };
    let (out, err) = fixture::show("default", &settings);
    insta::assert_snapshot!(out.replace('\u{1b}', "^"), @r#"

    DRY RUN ************************************************************************

    PLAY [nobody] [CHECK MODE] *****************************************************
    ^[0;36mskipping: no hosts matched^[0m

    PLAY [web] [CHECK MODE] ********************************************************

    TASK [say] [CHECK MODE] ********************************************************
    ^[0;32mok: [web1] => {^[0m
    ^[0;32m    "msg": "hello web1"^[0m
    ^[0;32m}^[0m
    ^[0;32mok: [web2] => {^[0m
    ^[0;32m    "msg": "hello web2"^[0m
    ^[0;32m}^[0m

    TASK [write config] [CHECK MODE] ***********************************************
    ^[0;31m--- before^[0m
    ^[0;31m^[0m^[0;32m+++ after: /etc/c^[0m
    ^[0;32m^[0m^[0;36m@@ -1 +1 @@^[0m
    ^[0;36m^[0m^[0;31m-a^[0m
    ^[0;31m^[0m^[0;32m+b^[0m
    ^[0;32m^[0m
    ^[0;33mchanged: [web1]^[0m
    ^[0;32mok: [web2]^[0m

    TASK [loop] [CHECK MODE] *******************************************************
    ^[0;33mchanged: [web1] => (item=a)^[0m
    ^[0;36mskipping: [web1] => (item=b) ^[0m
    ^[0;36mskipping: [web2]^[0m

    TASK [more] [CHECK MODE] *******************************************************
    ^[0;36mincluded: /srv/more.yml for web1 => (item=1)^[0m

    TASK [restart] [CHECK MODE] ****************************************************
    ^[1;30mFAILED - RETRYING: [web1]: restart (2 retries left).^[0m
    ^[0;31m[ERROR]: Task failed: Module failed: non-zero return code^[0m
    ^[0;31mOrigin: /srv/site.yml:12:7^[0m
    ^[0;31m^[0m
    ^[0;31m10 line 10 of /srv/site.yml^[0m
    ^[0;31m11 line 11 of /srv/site.yml^[0m
    ^[0;31m12 line 12 of /srv/site.yml^[0m
    ^[0;31m         ^ column 7^[0m
    ^[0;31m^[0m
    ^[0;31mfatal: [web1]: FAILED! => {"changed": true, "cmd": ["systemctl", "restart", "web"], "msg": "non-zero return code", "rc": 1, "stderr": "first\nJob for web.service failed.", "stderr_lines": ["first", "Job for web.service failed."], "stdout": "", "stdout_lines": []}^[0m
    ^[0;36m...ignoring^[0m
    ^[0;32mok: [web2]^[0m

    TASK [role : open port] [CHECK MODE] *******************************************
    ^[0;31m[ERROR]: Task failed: 'port' is undefined^[0m
    ^[0;31m^[0m
    ^[0;31mTask failed.^[0m
    ^[0;31mOrigin: /srv/site.yml:14:7^[0m
    ^[0;31m^[0m
    ^[0;31m12 line 12 of /srv/site.yml^[0m
    ^[0;31m13 line 13 of /srv/site.yml^[0m
    ^[0;31m14 line 14 of /srv/site.yml^[0m
    ^[0;31m         ^ column 7^[0m
    ^[0;31m^[0m
    ^[0;31m<<< caused by >>>^[0m
    ^[0;31m^[0m
    ^[0;31m'port' is undefined^[0m
    ^[0;31mOrigin: /srv/site.yml:15:12^[0m
    ^[0;31m^[0m
    ^[0;31m13 line 13 of /srv/site.yml^[0m
    ^[0;31m14 line 14 of /srv/site.yml^[0m
    ^[0;31m15 line 15 of /srv/site.yml^[0m
    ^[0;31m              ^ column 12^[0m
    ^[0;31m^[0m
    ^[0;31mfatal: [web2]: FAILED! => {"msg": "Task failed: 'port' is undefined"}^[0m
    ^[0;31m[ERROR]: Task failed: no route to host^[0m
    ^[0;31mOrigin: /srv/site.yml:14:7^[0m
    ^[0;31m^[0m
    ^[0;31m12 line 12 of /srv/site.yml^[0m
    ^[0;31m13 line 13 of /srv/site.yml^[0m
    ^[0;31m14 line 14 of /srv/site.yml^[0m
    ^[0;31m         ^ column 7^[0m
    ^[0;31m^[0m
    ^[1;31mfatal: [web1 -> db1]: UNREACHABLE! => {"changed": false, "msg": "Task failed: no route to host", "unreachable": true}^[0m

    NO MORE HOSTS LEFT *************************************************************

    PLAY RECAP *********************************************************************
    ^[0;31mweb1^[0m                       : ^[0;32mok=4   ^[0m ^[0;33mchanged=2   ^[0m ^[1;31munreachable=1   ^[0m failed=0    skipped=0    rescued=0    ^[1;35mignored=1   ^[0m
    ^[0;31mweb2^[0m                       : ^[0;32mok=3   ^[0m changed=0    unreachable=0    ^[0;31mfailed=1   ^[0m ^[0;36mskipped=1   ^[0m rescued=0    ignored=0   


    CUSTOM STATS: ******************************************************************

    	RUN: { "a": 1}


    DRY RUN ************************************************************************
    "#);
    insta::assert_snapshot!(err.replace('\u{1b}', "^"), @r#"
    ^[1;35m[WARNING]: Could not match supplied host pattern, ignoring: nobody^[0m
    ^[1;35m[WARNING]: mode is unset^[0m
    "#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "the snapshot is long")]
fn results_with_v_and_in_yaml() {
    let settings = Settings { verbosity: 2, result_format: Format::Yaml, ..Settings::default() };
    let (out, _) = fixture::show("default", &settings);
    insta::assert_snapshot!(out, @r#"

    PLAYBOOK: site.yml *************************************************************
    2 plays in site.yml

    PLAY [nobody] ******************************************************************
    skipping: no hosts matched

    PLAY [web] *********************************************************************

    TASK [say] *********************************************************************
    task path: /srv/site.yml:4
    ok: [web1] => 
        msg: hello web1
    ok: [web2] => 
        msg: hello web2

    TASK [write config] ************************************************************
    task path: /srv/site.yml:6
    --- before
    +++ after: /etc/c
    @@ -1 +1 @@
    -a
    +b

    changed: [web1] => 
        changed: true
        dest: /etc/c
    ok: [web2] => 
        changed: false
        dest: /etc/c

    TASK [loop] ********************************************************************
    task path: /srv/site.yml:8
    changed: [web1] => (item=a) => 
        changed: true
        item: a
        rc: 0
    skipping: [web1] => (item=b)  => 
        changed: false
        item: b
        skip_reason: Conditional result was False
    skipping: [web2] => 
        changed: false
        skip_reason: Conditional result was False

    TASK [more] ********************************************************************
    task path: /srv/site.yml:10
    included: /srv/more.yml for web1 => (item=1)

    TASK [restart] *****************************************************************
    task path: /srv/site.yml:12
    FAILED - RETRYING: [web1]: restart (2 retries left).
    [ERROR]: Task failed: Module failed: non-zero return code
    Origin: /srv/site.yml:12:7

    10 line 10 of /srv/site.yml
    11 line 11 of /srv/site.yml
    12 line 12 of /srv/site.yml
             ^ column 7

    fatal: [web1]: FAILED! => 
        changed: true
        cmd:
        - systemctl
        - restart
        - web
        msg: non-zero return code
        rc: 1
        stderr: |-
            first
            Job for web.service failed.
        stderr_lines: <omitted>
        stdout: ''
        stdout_lines: <omitted>
    ...ignoring
    ok: [web2] => 
        changed: false
        rc: 0
        stdout: up

    TASK [role : open port] ********************************************************
    task path: /srv/site.yml:14
    [ERROR]: Task failed: 'port' is undefined

    Task failed.
    Origin: /srv/site.yml:14:7

    12 line 12 of /srv/site.yml
    13 line 13 of /srv/site.yml
    14 line 14 of /srv/site.yml
             ^ column 7

    <<< caused by >>>

    'port' is undefined
    Origin: /srv/site.yml:15:12

    13 line 13 of /srv/site.yml
    14 line 14 of /srv/site.yml
    15 line 15 of /srv/site.yml
                  ^ column 12

    fatal: [web2]: FAILED! => 
        msg: 'Task failed: ''port'' is undefined'
    [ERROR]: Task failed: no route to host
    Origin: /srv/site.yml:14:7

    12 line 12 of /srv/site.yml
    13 line 13 of /srv/site.yml
    14 line 14 of /srv/site.yml
             ^ column 7

    fatal: [web1 -> db1]: UNREACHABLE! => 
        changed: false
        msg: 'Task failed: no route to host'
        unreachable: true

    NO MORE HOSTS LEFT *************************************************************

    PLAY RECAP *********************************************************************
    web1                       : ok=4    changed=2    unreachable=1    failed=0    skipped=0    rescued=0    ignored=1   
    web2                       : ok=3    changed=0    unreachable=0    failed=1    skipped=1    rescued=0    ignored=0
    "#);
}

#[test]
fn only_what_changed_or_failed() {
    let settings = Settings {
        display_ok_hosts: false,
        display_skipped_hosts: false,
        display_failed_stderr: true,
        show_task_path_on_failure: true,
        show_per_host_start: true,
        display_args_to_stdout: true,
        ..Settings::default()
    };
    let (out, err) = fixture::show("default", &settings);
    insta::assert_snapshot!(out, @r#"

    PLAY [nobody] ******************************************************************
    skipping: no hosts matched

    PLAY [web] *********************************************************************
     [started TASK: say on web1]
     [started TASK: say on web2]
     [started TASK: write config on web1]

    TASK [write config _raw_params=x] **********************************************
    --- before
    +++ after: /etc/c
    @@ -1 +1 @@
    -a
    +b

    changed: [web1]
     [started TASK: write config on web2]
     [started TASK: loop on web1]

    TASK [loop _raw_params=x] ******************************************************
    changed: [web1] => (item=a)
     [started TASK: loop on web2]

    TASK [more _raw_params=x] ******************************************************
    included: /srv/more.yml for web1 => (item=1)
     [started TASK: more on web1]
     [started TASK: restart on web1]
    FAILED - RETRYING: [web1]: restart (2 retries left).

    TASK [restart _raw_params=x] ***************************************************
    task path: /srv/site.yml:12
    ...ignoring
     [started TASK: restart on web2]
     [started TASK: role : open port on web2]

    TASK [role : open port _raw_params=x] ******************************************
    task path: /srv/site.yml:14
     [started TASK: role : open port on web1]

    NO MORE HOSTS LEFT *************************************************************

    PLAY RECAP *********************************************************************
    web1                       : ok=4    changed=2    unreachable=1    failed=0    skipped=0    rescued=0    ignored=1   
    web2                       : ok=3    changed=0    unreachable=0    failed=1    skipped=1    rescued=0    ignored=0
    "#);
    insta::assert_snapshot!(err, @r#"
    [WARNING]: Could not match supplied host pattern, ignoring: nobody
    [WARNING]: mode is unset
    [ERROR]: Task failed: Module failed: non-zero return code
    Origin: /srv/site.yml:12:7

    10 line 10 of /srv/site.yml
    11 line 11 of /srv/site.yml
    12 line 12 of /srv/site.yml
             ^ column 7

    fatal: [web1]: FAILED! => {"changed": true, "cmd": ["systemctl", "restart", "web"], "msg": "non-zero return code", "rc": 1, "stderr": "first\nJob for web.service failed.", "stderr_lines": ["first", "Job for web.service failed."], "stdout": "", "stdout_lines": []}
    [ERROR]: Task failed: 'port' is undefined

    Task failed.
    Origin: /srv/site.yml:14:7

    12 line 12 of /srv/site.yml
    13 line 13 of /srv/site.yml
    14 line 14 of /srv/site.yml
             ^ column 7

    <<< caused by >>>

    'port' is undefined
    Origin: /srv/site.yml:15:12

    13 line 13 of /srv/site.yml
    14 line 14 of /srv/site.yml
    15 line 15 of /srv/site.yml
                  ^ column 12

    fatal: [web2]: FAILED! => {"msg": "Task failed: 'port' is undefined"}
    [ERROR]: Task failed: no route to host
    Origin: /srv/site.yml:14:7

    12 line 12 of /srv/site.yml
    13 line 13 of /srv/site.yml
    14 line 14 of /srv/site.yml
             ^ column 7

    fatal: [web1 -> db1]: UNREACHABLE! => {"changed": false, "msg": "Task failed: no route to host", "unreachable": true}
    "#);
}
