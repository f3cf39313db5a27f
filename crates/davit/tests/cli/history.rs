//! The history of runs: `runs`, `show`, `resume`, and what happens without it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

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
        std::thread::sleep(Duration::from_millis(5));
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

/// A run whose second task waits for a server that never answers, once it does.
fn waiting(place: &Place, silent: &TcpListener) -> Child {
    let child = place
        .command("davit run -i hosts site.yml --output default")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("davit starts");
    silent.accept().map(std::mem::forget).expect("it is called");
    child
}

fn interrupt(child: &Child) {
    let pid = i32::try_from(child.id()).expect("a process id");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT)
        .expect("it runs");
}

fn ended(child: Child) -> (Option<i32>, String, String) {
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn calling(operation: &str, parameters: &str, port: u16) -> String {
    format!(
        "\
- hosts: a
  gather_facts: false
  tasks:
    - shell: echo x >> once
    - name: talk to it
      davit.aws.call:
        service: ec2
        operation: {operation}
        parameters: {parameters}
        endpoint_url: http://127.0.0.1:{port}
        region: eu-west-1
        access_key: AKIAIOSFODNN7EXAMPLE
        secret_key: wJalrXUtnFEMI
      ignore_errors: true
    - debug: msg=later
"
    )
}

#[test]
fn a_task_that_only_reads_ends_at_once_and_has_no_result() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("it has one").port();
    let place = Place::new(&[HOSTS, ("site.yml", &calling("describe_vpcs", "{}", port))]);
    let child = waiting(&place, &silent);
    let began = Instant::now();
    interrupt(&child);
    let (code, out, err) = ended(child);
    assert_eq!(code, Some(99), "{out}{err}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let told = "'talk to it' on a was stopped before it changed anything";
    assert!(err.contains(told) || out.contains(told), "{out}{err}");
    assert!(!out.contains("later") && !out.contains("...ignoring"), "{out}");
    // That its failure is let pass does not make it one that is done.
    drop(silent);
    let resumed = place.run("davit resume last");
    assert_eq!(place.read("once"), "x\n");
    assert!(resumed.out.contains("talk to it"), "{}", resumed.out);
    assert!(resumed.out.contains("later"), "{}", resumed.out);
}

#[test]
fn a_change_is_waited_for_until_the_second_ctrl_c() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("it has one").port();
    let place = Place::new(&[
        HOSTS,
        ("site.yml", &calling("create_vpc", "{CidrBlock: 10.0.0.0/16}", port)),
    ]);
    let mut child = waiting(&place, &silent);
    interrupt(&child);
    let mut err = BufReader::new(child.stderr.take().expect("it has one"));
    let mut line = String::new();
    err.read_line(&mut line).expect("it says something");
    assert_eq!(
        line,
        "stopping once the running task is done: 'talk to it' on a; Ctrl-C again to stop it too\n"
    );
    assert!(child.try_wait().expect("it can be asked").is_none(), "it waits");
    interrupt(&child);
    let (code, out, _) = ended(child);
    assert_eq!(code, Some(99), "{out}");
    let told = "whether it was made is not known";
    assert!(out.contains(told) && out.contains("call CreateVpc"), "{out}");
    assert!(!out.contains("later"), "{out}");
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
