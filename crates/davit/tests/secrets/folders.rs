//! Somebody else on the host prepares the folders that the agent is kept in.

use davit_ground::Rights;

use super::Scene;

/// An agent of the other user's: it tells that it was run.
const TRAP: &str = "lay() { mkdir -p $1; for n in agent agent-0 davit-agent; do \
                    printf '#!/bin/sh\\ntouch /var/tmp/trapped\\n' > $1/$n; chmod 755 $1/$n; done; }\n";

/// Runs on a host that is prepared so; davit either works or says that it cannot, and runs nothing of the other's.
fn prepared(before: &str) {
    let scene = Scene::new(Rights::Free, &format!("{TRAP}{before}")).with_key();
    scene.place.write(
        "site.yml",
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - command: id -un\n",
    );
    for _ in 0..2 {
        let ran = scene.place.run("davit run -i hosts site.yml --output default");
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    }
    let trapped = scene.machine.run(&["ls", "/var/tmp/trapped"]);
    assert!(trapped.is_err(), "the other user's program was run");
    // Where somebody else may rename and replace, the agent is not put either.
    let found =
        scene.machine.run(&["sh", "-c", "find /var/tmp/victim -type f -size +100k 2>/dev/null"]);
    assert_eq!(found.unwrap_or_default(), "", "the agent lies with somebody else");
}

#[test]
fn folders_that_belong_to_somebody_else() {
    prepared(
        "chmod 500 $home\nfor d in /var/tmp/davit-$id /dev/shm/davit-$id; do lay $d; chown -R davit-t2 $d; chmod 777 $d; done\n\
         mkdir -p /run/davit-none\n",
    );
}

#[test]
fn a_cache_that_is_a_link_to_somebody_elses_folder() {
    prepared(
        "lay /var/tmp/victim/davit\nchown -R davit-t2 /var/tmp/victim\nchmod -R 777 /var/tmp/victim\n\
         ln -s /var/tmp/victim $home/.cache\nchown -h davit-t3 $home/.cache\n",
    );
}

#[test]
fn a_cache_that_is_a_link_into_somebody_elses_folder() {
    prepared(
        "mkdir /var/tmp/victim\nchown davit-t2 /var/tmp/victim\nchmod 777 /var/tmp/victim\n\
         ln -s /var/tmp/victim $home/.cache\nchown -h davit-t3 $home/.cache\n",
    );
}

#[test]
fn an_own_folder_that_is_a_link() {
    prepared(
        "lay /var/tmp/victim\nchown -R davit-t2 /var/tmp/victim\nchmod 777 /var/tmp/victim\n\
         mkdir $home/.cache\nln -s /var/tmp/victim $home/.cache/davit\nchown -R -h davit-t3 $home/.cache\n\
         ln -s /var/tmp/victim /var/tmp/davit-$id\nchown -h davit-t2 /var/tmp/davit-$id\n",
    );
}

#[test]
fn an_agent_that_somebody_has_changed() {
    let scene = Scene::new(Rights::Free, "").with_key();
    scene.place.write(
        "site.yml",
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - command: id -un\n",
    );
    let run = || scene.place.run("davit run -i hosts site.yml --output default");
    assert_eq!(run().code, 0);
    // It may be running still, so it is replaced rather than written to.
    let change = "f=$(find /home/davit-t3 /var/tmp /dev/shm -name 'agent-*' -type f -size +100k); test -n \"$f\"; \
                  printf '#!/bin/sh\\ntouch /var/tmp/trapped\\n' > $f.new; chmod 755 $f.new; \
                  chown davit-t3 $f.new; mv $f.new $f; echo $f";
    let changed = scene.machine.run(&["sh", "-ec", change]).expect("there is an agent");
    let ran = run();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(
        scene.machine.run(&["ls", "/var/tmp/trapped"]).is_err(),
        "the changed agent was run: {changed}"
    );
}
