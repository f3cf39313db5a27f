//! The history of runs: `runs`, `show`, `resume`, and what happens without it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::{HOSTS, Place};

const PLAYBOOK: &str = "\
- hosts: a
  gather_facts: false
  tasks:
    - shell: echo x >> log; echo seen
      register: first
    - command: test -e ready
    - debug: msg={{ first.stdout }}
";

#[test]
fn a_failed_run_goes_on_where_it_failed() {
    let place = Place::new(&[HOSTS, ("site.yml", PLAYBOOK)]);
    let failed = place.run("davit run -i hosts site.yml");
    assert_eq!(failed.code, 2, "{}", failed.err);
    place.write("ready", "");
    let resumed = place.run("davit resume last");
    assert_eq!(resumed.code, 0, "{}", resumed.err);
    assert!(resumed.out.contains("\"msg\": \"seen\""), "{}", resumed.out);
    assert_eq!(place.read("log"), "x\n", "the first task ran once");
    let again = place.run("davit resume last");
    assert_eq!(again.code, 1);
    assert!(again.err.contains("there is nothing to go on with"), "{}", again.err);
}

#[test]
fn a_run_of_the_past_shows_as_it_was() {
    let place = Place::new(&[HOSTS, ("site.yml", PLAYBOOK), ("ready", "")]);
    let live = place.run("davit run -i hosts site.yml --output default");
    let shown = place.run("davit show last --output default");
    assert_eq!((shown.code, shown.out), (0, live.out));
    let runs = place.run("davit runs --json");
    assert_eq!(runs.out.lines().count(), 1);
    assert!(runs.out.contains("\"status\":\"ok\""), "{}", runs.out);
    let none = place.run("davit show zzz");
    assert_eq!(none.code, 1);
    assert!(none.err.contains("there is no run 'zzz'"), "{}", none.err);
}

#[test]
fn what_never_started_is_not_in_the_history() {
    let place = Place::new(&[HOSTS, ("site.yml", "- hosts: a\n  taskz: []\n")]);
    assert_eq!(place.run("ansible-playbook -i hosts site.yml").code, 4);
    assert_eq!(place.run("ansible-playbook -i hosts site.yml -l nobody").code, 1);
    assert_eq!(place.run("davit runs --json").out, "");
}

#[test]
fn a_run_goes_on_without_a_history() {
    let place = Place::new(&[HOSTS, ("site.yml", PLAYBOOK), ("ready", ""), ("state", "no folder")]);
    let ran = place.run_with("davit run -i hosts site.yml", &[("DAVIT_STATE", "state")], "");
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("the run is not recorded"), "{}", ran.err);
}

#[test]
fn an_interrupted_run_finishes_its_task_and_can_be_resumed() {
    let playbook = "\
- hosts: a
  gather_facts: false
  tasks:
    - debug: msg=begun
    - shell: echo > begun; sleep 1; echo done > done
    - debug: msg=later
";
    let place = Place::new(&[HOSTS, ("site.yml", playbook)]);
    let mut child = place
        .command("davit run -i hosts site.yml --output default")
        .stdout(Stdio::piped())
        .spawn()
        .expect("davit starts");
    let lines = BufReader::new(child.stdout.take().expect("it has one")).lines();
    // A task that has only been announced is not begun any more.
    while !place.path().join("begun").exists() {
        assert!(child.try_wait().expect("it can be asked").is_none(), "it ended before");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = i32::try_from(child.id()).expect("a process id");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT)
        .expect("it runs");
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().expect("it ends").code(), Some(99));
    assert!(!rest.iter().any(|line| line.contains("later")), "{rest:?}");
    assert_eq!(place.read("done"), "done\n");
    let resumed = place.run("davit resume last");
    assert_eq!(resumed.code, 0);
    assert!(resumed.out.contains("later"), "{}", resumed.out);
}

#[test]
fn a_reader_that_goes_away_does_not_stop_the_run() {
    let place = Place::new(&[HOSTS, ("site.yml", PLAYBOOK), ("ready", "")]);
    let mut child = place
        .command("davit run -i hosts site.yml")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("davit starts");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(place.read("log"), "x\n");
}

#[test]
fn a_full_disk_is_told_and_does_not_stop_the_run() {
    let place = Place::new(&[HOSTS, ("site.yml", PLAYBOOK), ("ready", "")]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let ended =
        place.command("davit run -i hosts site.yml").stdout(full).output().expect("it ends");
    assert_eq!(ended.status.code(), Some(0));
    let err = String::from_utf8_lossy(&ended.stderr);
    assert!(err.contains("the output is no longer written: No space left on device"), "{err}");
    assert_eq!(place.read("log"), "x\n");
}
