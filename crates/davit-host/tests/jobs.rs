//! Jobs in processes of their own.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use davit_host::{builtin, job};
use davit_module::{Attachment, Call, Job, Reply, Session};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// More than any job here takes, on however busy a machine.
const LONG: Duration = Duration::from_secs(60);

#[test]
#[ignore = "it is what the other tests start"]
fn process() {
    let spool = std::env::args().next_back().unwrap();
    job::run(Path::new(&spool), &[builtin::MODULES], None).unwrap();
}

fn start(folder: &Path, module: &str, call: &Call, limit: u64) -> (Job, Reply) {
    let exe = std::env::current_exe().unwrap();
    let words = ["--ignored", "--exact", "jobs::process"].map(OsString::from);
    let program: Vec<OsString> = std::iter::once(exe.into()).chain(words).collect();
    let folder = folder.to_str().unwrap().to_owned();
    let job = Job { id: job::new_id(), limit, folder };
    let reply = job::start(&program, module, call, &job, &Session::default()).unwrap();
    (job, reply)
}

fn command(line: &str) -> Call {
    Call { args: map(json!({ "_raw_params": line, "_uses_shell": true })), ..Call::default() }
}

fn map(value: Value) -> Reply {
    value.as_object().unwrap().clone()
}

fn ask(job: &Job, mode: &str) -> Reply {
    let entry = builtin::MODULES.iter().find(|it| it.short_name() == "async_status").unwrap();
    let args = json!({ "jid": job.id, "mode": mode, "_async_dir": job.folder });
    entry.call(&Session::default(), &Call { args: map(args), ..Call::default() })
}

fn wait(job: &Job) -> Reply {
    let end = Instant::now() + LONG;
    loop {
        let reply = ask(job, "status");
        if reply["finished"] == true {
            return reply;
        }
        assert!(Instant::now() < end, "{reply:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !is() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn is_alive(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

#[test]
fn a_job_goes_on_and_its_result_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    let line = format!("while [ ! -e {} ]; do sleep 0.05; done; echo a; echo b", gate.display());
    let (job, reply) = start(folder.path(), "ansible.builtin.command", &command(&line), 600);
    assert_eq!(reply["ansible_job_id"], job.id);
    assert_eq!((&reply["started"], &reply["finished"]), (&json!(true), &json!(false)));
    assert_eq!(reply["results_file"], folder.path().join(&job.id).to_str().unwrap());
    let status = ask(&job, "status");
    assert_eq!((&status["started"], &status["finished"]), (&json!(true), &json!(false)));
    assert_eq!(status.get("failed"), None);
    let spool = folder.path().join(format!(".davit-{}", job.id));
    assert!(spool.join("lock").exists() && !spool.join("call").exists(), "arguments stay nowhere");
    let again = job::start(&[], "ping", &Call::default(), &job, &Session::default());
    assert!(again.is_err() && spool.join("lock").exists(), "one that is at work is left alone");
    fs::write(gate, "").unwrap();
    let done = wait(&job);
    assert_eq!((&done["rc"], &done["stdout_lines"]), (&json!(0), &json!(["a", "b"])));
    assert_eq!(done["changed"], true);
    wait_until("the spool is removed", || !spool.exists());
    assert_eq!(ask(&job, "cleanup")["changed"], false);
    assert_eq!(ask(&job, "status")["msg"], "could not find job");
}

#[test]
fn a_job_that_fails_says_how() {
    let folder = tempfile::tempdir().unwrap();
    let (job, _) = start(folder.path(), "command", &command("exit 3"), 600);
    let done = wait(&job);
    assert_eq!((&done["failed"], &done["rc"]), (&json!(true), &json!(3)));
    let (job, _) = start(folder.path(), "no.such.module", &Call::default(), 600);
    assert_eq!(wait(&job)["msg"], "there is no module no.such.module");
}

#[test]
fn a_job_is_stopped_with_all_its_programs_when_its_time_is_up() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let line = format!("echo $$ > {0}; (sleep 600 & echo $! >> {0}; wait)", pids.display());
    let (job, _) = start(folder.path(), "ansible.builtin.command", &command(&line), 2);
    let done = wait(&job);
    assert_eq!((&done["failed"], &done["msg"]), (&json!(true), &json!("Timeout exceeded")));
    let pids = fs::read_to_string(pids).unwrap();
    assert_eq!(pids.lines().count(), 2);
    for pid in pids.lines() {
        wait_until("each program is ended", || !is_alive(pid));
    }
}

#[test]
fn a_job_that_was_killed_is_told_from_one_that_is_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let line = format!("echo $PPID > {}; sleep 600", pid.display());
    let (job, _) = start(folder.path(), "ansible.builtin.command", &command(&line), 600);
    let parent = || fs::read_to_string(&pid).unwrap_or_default().trim().parse::<i32>().ok();
    wait_until("the program runs", || parent().is_some());
    assert_eq!(ask(&job, "status")["finished"], false);
    kill(Pid::from_raw(parent().unwrap()), Signal::SIGKILL).unwrap();
    let done = wait(&job);
    assert_eq!(done["msg"], "the job was killed before it was done");
    assert_eq!(ask(&job, "cleanup").get("failed"), None);
    assert_eq!(ask(&job, "status")["msg"], "could not find job");
    assert!(!folder.path().join(format!(".davit-{}", job.id)).exists());
}

#[test]
fn files_that_were_sent_along_are_kept_for_the_job() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    let dest = folder.path().join("dest");
    fs::write(&source, "text\n").unwrap();
    let mut call = Call { args: map(json!({ "src": "source", "dest": dest })), ..Call::default() };
    call.attachments.insert("src".to_owned(), Attachment::Path(source.clone()));
    let (job, _) = start(folder.path(), "ansible.builtin.copy", &call, 600);
    fs::remove_file(source).unwrap();
    assert_eq!(wait(&job).get("failed"), None);
    assert_eq!(fs::read_to_string(dest).unwrap(), "text\n");
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for id in ["", "../x", ".hidden", "a/b"] {
        let job = Job { id: id.into(), limit: 1, folder: folder.path().to_str().unwrap().into() };
        let started = job::start(&[], "ping", &Call::default(), &job, &Session::default());
        assert!(started.is_err(), "{id}");
    }
    let job = Job {
        id: "j1.1".into(),
        ..Job { id: String::new(), limit: 1, folder: folder.path().to_str().unwrap().into() }
    };
    let program = [OsString::from("/no/such/program")];
    assert!(job::start(&program, "ping", &Call::default(), &job, &Session::default()).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
}
