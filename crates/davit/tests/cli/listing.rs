//! `--list-hosts` and the like, and what is wrong before anything runs.

use super::{HOSTS, Place};

const PLAYBOOK: &str = "\
- name: First
  hosts: all
  tags: [p]
  roles:
    - {role: r, tags: rr}
  tasks:
    - name: one {{ x }}
      debug: msg=1
      tags: [b, a]
    - block:
        - command: echo
          tags: never
        - include_tasks: more.yml
      rescue:
        - debug:
    - import_tasks: more.yml
      tags: imp
    - meta: flush_handlers
  handlers:
    - name: h
      debug:
- hosts: [web, '!b']
  tasks: []
";

fn place() -> Place {
    Place::new(&[
        HOSTS,
        ("site.yml", PLAYBOOK),
        ("more.yml", "- shell: echo\n"),
        ("roles/r/tasks/main.yml", "- debug:\n- name: named\n  command: echo\n"),
    ])
}

#[test]
fn hosts_tasks_and_tags_are_listed_as_the_original_lists_them() {
    place().run("davit run -i hosts site.yml --list-hosts --list-tasks --list-tags").check(
        0,
        "
playbook: site.yml

  play #1 (all): First\tTAGS: [p]
    pattern: ['all']
    hosts (2):
      a
      b
    tasks:
      debug\tTAGS: [p, rr]
      r : named\tTAGS: [p, rr]
      one {{ x }}\tTAGS: [a, b, p]
      command\tTAGS: [never, p]
      include_tasks\tTAGS: [p]
      shell\tTAGS: [imp, p]
      meta\tTAGS: [p]
      TASK TAGS: [a, b, imp, never, p, rr]

  play #2 (web,!b): web,!b\tTAGS: []
    pattern: ['web', '!b']
    hosts (1):
      a
    tasks:
      TASK TAGS: []
",
        "",
    );
}

#[test]
fn tags_and_limits_choose_what_is_listed() {
    let ran = place().run("davit run -i hosts site.yml --list-tasks -t a");
    let tasks: Vec<&str> = ran.out.lines().filter(|it| it.starts_with("      ")).collect();
    assert_eq!(tasks, ["      one {{ x }}\tTAGS: [a, b, p]"]);
    let ran = place().run("davit run -i hosts site.yml --list-hosts --limit b");
    assert!(ran.out.contains("hosts (1):\n      b\n"), "{}", ran.out);
    assert!(ran.out.contains("hosts (0):\n"), "{}", ran.out);
}

#[test]
fn a_syntax_check_reads_and_does_not_run() {
    place().run("davit run -i hosts site.yml --syntax-check").check(
        0,
        "\nplaybook: site.yml\n",
        "",
    );
}

#[test]
fn mistakes_of_the_command_line_have_the_original_codes() {
    let place = place();
    place.run("davit run nothere.yml").check(
        1,
        "",
        "[ERROR]: the playbook: nothere.yml could not be found\n",
    );
    place.run("davit run roles").check(
        1,
        "",
        "[ERROR]: the playbook: roles does not appear to be a file\n",
    );
    place.run("davit run -i hosts site.yml -l nobody").check(
        1,
        "",
        "[WARNING]: Could not match supplied host pattern, ignoring: nobody\n\
         [ERROR]: Specified inventory, host pattern and/or --limit leaves us with no hosts to target.\n",
    );
    let ran = place.run("davit run site.yml --chekc");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("'--check'"), "{}", ran.err);
    let ran = place.run("davit rnu");
    assert!(ran.err.contains("'run'") || ran.err.contains("'runs'"), "{}", ran.err);
}

#[test]
fn options_without_effect_are_named() {
    let ran = place().run("davit run -i hosts site.yml --syntax-check --sftp-extra-args k -M lib");
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("--sftp-extra-args has no effect"), "{}", ran.err);
    assert!(ran.err.contains("--module-path has no effect"), "{}", ran.err);
}

#[test]
fn an_unknown_view_is_named_with_the_nearest() {
    place().run("davit run -i hosts site.yml --output defualt").check(
        1,
        "",
        "[ERROR]: there is no output format 'defualt'\nhint: did you mean 'default'?\n",
    );
}
