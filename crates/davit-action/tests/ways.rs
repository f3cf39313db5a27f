//! What the engine asks of connections: a dial that writes down what is wanted, and hosts that
//! answer from this process, refuse, or are not there.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use davit_event::{End, Kind, Status};
use davit_module::{Call, Entry, Options, Session, Spec};
use davit_run::{
    Called, Connection, Dial, Doing, RawCommand, RawResult, Stream, Target, Unreachable, Wanted,
};
use serde_json::json;

use crate::play::run_on;

/// What was wanted, and what was called.
#[derive(Default)]
struct Seen {
    wanted: Vec<String>,
    calls: Vec<Call>,
    resets: usize,
    /// How often a host is lost before it answers again.
    outages: usize,
    closed: bool,
    /// By inventory name: equal wishes get the same connection.
    hosts: HashMap<String, Arc<dyn Connection>>,
}

#[derive(Clone, Default)]
struct Book(Arc<Mutex<Seen>>);

impl Dial for Book {
    fn dial(&self, wanted: &Wanted<'_>) -> Result<Arc<dyn Connection>, String> {
        if wanted.connection == "nonsense" {
            return Err("there is no such connection".into());
        }
        let host = (wanted.variable)("ansible_host")?.map(|it| it.to_str()).unwrap_or_default();
        let become_ = wanted.privileges.as_ref().map_or_else(
            || "-".to_owned(),
            |it| {
                let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
                let (flags, password) = (word(&it.flags), word(&it.password));
                format!("{}:{}:{flags}:{password}", it.method, it.user)
            },
        );
        let keywords: Vec<String> =
            wanted.keywords.iter().map(|(name, text)| format!("{name}={text}")).collect();
        self.0.lock().unwrap().wanted.push(format!(
            "{} {} {host} {become_} {}",
            wanted.host,
            wanted.connection,
            keywords.join(",")
        ));
        let name = wanted.host.to_string();
        let fake =
            || -> Arc<dyn Connection> { Arc::new(Fake { name: name.clone(), book: self.clone() }) };
        let mut seen = self.0.lock().unwrap();
        Ok(Arc::clone(seen.hosts.entry(name.clone()).or_insert_with(fake)))
    }

    fn on_event(&self, _emit: Arc<dyn Fn(Kind) + Send + Sync>) {}

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.lock().unwrap().closed = true;
        Box::pin(std::future::ready(()))
    }
}

/// A host in this process.
struct Fake {
    name: String,
    book: Book,
}

impl Fake {
    fn answer(
        &self,
        entry: &'static Entry,
        spec: &Spec,
        call: &Call,
    ) -> Result<Called, Unreachable> {
        let mut seen = self.book.0.lock().unwrap();
        seen.calls.push(call.clone());
        match self.name.as_str() {
            "dead" => {
                let help = Some("switch it on".into());
                return Err(Unreachable { help, ..Unreachable::new("it is off") });
            }
            "strict" => return Err(Unreachable::refused("Incorrect sudo password")),
            _ => {}
        }
        let reply = if let Some(job) = &call.job {
            seen.outages = 2;
            json!({"ansible_job_id": job.id, "started": true, "finished": false, "changed": true})
        } else if entry.short_name() == "async_status" {
            if seen.outages > 0 {
                seen.outages -= 1;
                return Err(Unreachable::new("the cable is out"));
            }
            json!({"ansible_job_id": call.args["jid"], "started": true, "finished": true, "rc": 0, "changed": true})
        } else {
            let reply = entry.call_with(spec, &Session::new(Options::default()), call);
            return Ok(Called { reply, changes: Vec::new() });
        };
        let reply = reply.as_object().unwrap().clone();
        Ok(Called { reply, changes: Vec::new() })
    }
}

impl Connection for Fake {
    fn call(&self, entry: &'static Entry, spec: Arc<Spec>, call: Call) -> Doing<'_, Called> {
        let answer = self.answer(entry, &spec, &call);
        Box::pin(std::future::ready(answer))
    }

    fn raw(&self, command: RawCommand) -> Doing<'_, RawResult> {
        let stdout = command.line.into_bytes();
        let answer = match self.name.as_str() {
            "dead" => Err(Unreachable::new("it is off")),
            _ => Ok(RawResult { code: 0, stdout, stderr: Vec::new() }),
        };
        Box::pin(std::future::ready(answer))
    }

    fn open(&self, _target: Target) -> Doing<'_, std::io::Result<Box<dyn Stream>>> {
        Box::pin(std::future::ready(Err(Unreachable::new("no streams here"))))
    }

    fn reset(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.book.0.lock().unwrap().resets += 1;
        Box::pin(std::future::ready(()))
    }

    fn is_local(&self) -> bool {
        false
    }
}

fn play(folder: &Path, hosts: &str, text: &str) -> (Book, Vec<(String, End)>) {
    let book = Book::default();
    let path = folder.join("site.yml");
    fs::write(&path, text).unwrap();
    let ends = run_on(folder, &path, hosts, "ssh", Some(Arc::new(book.clone())));
    (book, ends)
}

#[test]
fn variables_stand_above_keywords_and_the_special_above_the_general() {
    let folder = tempfile::tempdir().unwrap();
    let check = |task: &str, expect: &str| {
        let text = format!(
            "- hosts: a\n  gather_facts: false\n  remote_user: deploy\n  tasks:\n    - {{ping: {{}}, {task}}}\n"
        );
        let (book, ends) = play(folder.path(), "a,b,", &text);
        assert_eq!(ends.last().map(|it| it.1.status), Some(Status::Ok), "{task}: {ends:?}");
        assert_eq!(book.0.lock().unwrap().wanted, [expect], "{task}");
    };
    check("name: x", "a ssh a - remote_user=deploy");
    check("port: 2222", "a ssh a - port=2222,remote_user=deploy");
    check("become: true", "a ssh a sudo:root:-:- remote_user=deploy");
    check(
        "become: true, become_user: www, become_flags: -n",
        "a ssh a sudo:www:-n:- remote_user=deploy",
    );
    check(
        "become: false, vars: {ansible_become: true, ansible_become_user: b, ansible_sudo_user: c}",
        "a ssh a sudo:c:-:- remote_user=deploy",
    );
    check(
        "become: true, become_method: ansible.builtin.su, vars: {ansible_su_pass: secret1, ansible_become_pass: secret2, ansible_sudo_user: c}",
        "a ssh a su:root:-:secret1 remote_user=deploy",
    );
    check("become: true, become_user: ''", "a ssh a sudo:root:-:- remote_user=deploy");
    check("delegate_to: b, vars: {ansible_host: there}", "b ssh there - remote_user=deploy");
    check("delegate_to: b", "b ssh b - remote_user=deploy");
    check("connection: smart", "a ssh a - remote_user=deploy");
    check("connection: community.docker.docker", "a docker a - remote_user=deploy");
    check(
        "delegate_to: localhost, become: true, become_user: nobody9",
        "localhost local 127.0.0.1 sudo:nobody9:-:- remote_user=deploy",
    );
}

#[test]
fn what_makes_no_sense_fails_the_task_and_keeps_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let check = |task: &str, expect: &str| {
        let text = format!(
            "- hosts: a\n  gather_facts: false\n  ignore_errors: true\n  tasks:\n    - {{ping: {{}}, {task}}}\n    - ping:\n"
        );
        let (_, ends) = play(folder.path(), "a,", &text);
        assert_eq!(ends.len(), 2, "{task}");
        assert_eq!(ends[0].1.status, Status::Failed, "{task}");
        assert_eq!(ends[0].1.reply["msg"], json!(expect), "{task}");
    };
    check("connection: nonsense", "Task failed: there is no such connection");
    check(
        "vars: {ansible_host: '{{ nowhere }}'}",
        "Task failed: Error processing keyword 'remote_addr': 'nowhere' is undefined",
    );
    check(
        "vars: {ansible_become: maybe}",
        "Task failed: Error processing keyword 'become': The value 'maybe' could not be converted to 'bool'.",
    );
    check(
        "become: true, vars: {ansible_become_user: '{{ nowhere }}'}",
        "Task failed: Error processing keyword 'become_user': 'nowhere' is undefined",
    );
}

#[test]
fn hosts_that_are_lost_are_out_and_hosts_that_refuse_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let text = "\
- hosts: all
  gather_facts: false
  tasks:
    - {ping: {}, ignore_unreachable: true, ignore_errors: true}
    - {ping: {}, ignore_errors: true}
    - ping:
- hosts: all
  gather_facts: false
  tasks:
    - meta: clear_host_errors
    - {raw: echo, ignore_unreachable: true}
";
    let (book, ends) = play(folder.path(), "a,dead,strict,", text);
    let of = |host: &str| -> Vec<(Status, bool)> {
        let own = ends.iter().filter(|it| it.0 == host);
        own.map(|it| (it.1.status, it.1.ignored)).collect()
    };
    use Status::{Changed, Failed, Ok, Unreachable};
    assert_eq!(of("a"), [(Ok, false), (Ok, false), (Ok, false), (Changed, false)]);
    assert_eq!(of("dead"), [(Unreachable, true), (Unreachable, false)]);
    assert_eq!(of("strict"), [(Failed, true), (Failed, true), (Failed, false)]);
    let lost = &ends.iter().find(|it| it.0 == "dead").unwrap().1;
    assert_eq!(lost.reply["msg"], json!("Task failed: it is off"));
    assert_eq!(lost.causes[0].help.as_deref(), Some("switch it on"));
    assert!(book.0.lock().unwrap().closed);
}

#[test]
fn paths_of_the_controller_stay_here_and_calls_have_names_that_are_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let text = "\
- hosts: a
  gather_facts: false
  tasks:
    - {command: 'echo {{ item }}', loop: [1, 1, 2]}
    - {command: echo 1, vars: {ansible_remote_tmp: /var/tmp/x}}
    - {ping: {}, register: r, until: r.ping == 'x', retries: 1, delay: 0, ignore_errors: true}
    - meta: reset_connection
";
    let keys = || -> Vec<String> {
        let (book, _) = play(folder.path(), "a,", text);
        let seen = book.0.lock().unwrap();
        assert_eq!(seen.resets, 1);
        let folders: Vec<_> = seen.calls.iter().map(|it| it.folder.as_os_str().len()).collect();
        assert_eq!(folders, [0; 6]);
        assert_eq!(seen.calls[0].tmp, Path::new(""));
        assert_eq!(seen.calls[3].tmp, Path::new("/var/tmp/x"));
        seen.calls.iter().map(|it| it.key.clone()).collect()
    };
    let first = keys();
    assert_eq!(first, keys());
    let mut apart = first.clone();
    apart.sort();
    apart.dedup();
    assert_eq!(apart.len(), first.len(), "{first:?}");
}

#[test]
fn a_job_is_looked_after_though_the_connection_breaks() {
    let folder = tempfile::tempdir().unwrap();
    let text = "\
- hosts: a
  gather_facts: false
  tasks:
    - {command: sleep 1, async: 30, poll: 0.05}
    - {command: sleep 1, async: 30, poll: 0}
    - {copy: {content: x, dest: /nowhere/x}, async: 30, poll: 0}
";
    let (book, ends) = play(folder.path(), "a,", text);
    assert_eq!(ends[0].1.status, Status::Changed, "{ends:?}");
    assert_eq!(ends[0].1.reply["finished"], json!(true));
    assert_eq!(ends[1].1.reply["finished"], json!(false));
    assert_eq!(ends[2].1.reply["msg"], json!("This action (copy) does not support async."));
    let seen = book.0.lock().unwrap();
    // Begun, lost twice, seen, tidied up; begun.
    assert_eq!(seen.calls.len(), 6);
    assert!(seen.calls[0].job.is_some() && seen.calls[1].job.is_none());
}
