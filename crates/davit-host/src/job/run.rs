//! The process of a job: it carries out one call, within its time, and writes down what came of it.
//!
//! It does not know who started it, nor who will ask for the result.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use davit_event::Reply;
use davit_module::{Call, Cancel, Entry, ModuleError, Session};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid, getsid, setsid};
use serde_json::{Value, json};

use super::Record;
use super::spool::Spool;

/// How long a call that is asked to stop may take before it is left alone.
const STOP: Duration = Duration::from_secs(5);

/// The longest time that a job may be given: a year, in seconds.
const LONGEST: u64 = 366 * 24 * 3600;

/// How much memory a module's deepest recursion may need.
const STACK: usize = 8 * 1024 * 1024;

/// Runs a module that is in no table of modules for hosts; nothing, where it is not known either.
pub type Other = fn(&str, &Session, Call) -> Option<Reply>;

/// Carries out the job of a spool that [`super::start`] wrote; `tables` say which modules there are.
///
/// To be called once in a process, whose last act it is: the module may still be at work in a thread
/// where it did not stop in time. Whatever it started is ended with it.
///
/// # Errors
/// Where the spool cannot be read or the result cannot be written: nobody will hear of the job.
pub fn run(
    spool: &Path,
    tables: &[&'static [Entry]],
    other: Option<Other>,
) -> Result<(), ModuleError> {
    // Not to die with whoever started this. Where it is leader already, nothing is left to do.
    let _ = setsid();
    let work = Spool::read(spool).map_err(|err| ModuleError::io("read", spool, err))?;
    let record = Record::of(&work.results, &work.job.id);
    // Arguments may hold secrets: they are not left lying about.
    fs::remove_file(spool).map_err(|err| ModuleError::io("remove", spool, err))?;
    let lock = record.lock().map_err(|err| ModuleError::io("lock", record.spool(), err))?;
    let written = |result: &Value| {
        record.write(result).map_err(|err| ModuleError::io("write", record.result(), err))
    };
    let id = work.job.id.clone();
    written(&json!({ "started": true, "finished": false, "ansible_job_id": id }))?;
    let result = carry_out(work, tables, other);
    end_programs();
    let told = written(&result);
    record.clear();
    drop(lock);
    told
}

fn carry_out(work: Spool, tables: &[&'static [Entry]], other: Option<Other>) -> Value {
    let module = work.module.clone();
    let entry = find(tables, &module);
    let limit = Duration::from_secs(work.job.limit.min(LONGEST));
    let (session, mut call) = work.into_call();
    let cancel = Cancel::default();
    call.cancel = cancel.clone();
    let (sender, receiver) = channel();
    let journal = session.clone();
    let worker = thread::Builder::new().stack_size(STACK).spawn(move || {
        let reply = match entry {
            Some(entry) => Some(entry.call(&session, &call)),
            None => other.and_then(|it| it(&module, &session, call)),
        };
        let unknown = || {
            let text = format!("there is no module {module}");
            ModuleError::failed(text).into_reply()
        };
        // Nobody listens any more once the time is up.
        let _ = sender.send(reply.unwrap_or_else(unknown));
    });
    if let Err(err) = worker {
        return json!({ "failed": true, "msg": format!("cannot start a thread: {err}") });
    }
    let mut result = match receiver.recv_timeout(limit) {
        Ok(reply) => Value::Object(reply),
        Err(RecvTimeoutError::Disconnected) => {
            json!({ "failed": true, "msg": "the module ended without a result" })
        }
        Err(RecvTimeoutError::Timeout) => {
            cancel.cancel();
            // What it says now does not count: it was stopped half-way.
            let _ = receiver.recv_timeout(STOP);
            json!({ "failed": true, "msg": "Timeout exceeded", "child_pid": getpid().as_raw() })
        }
    };
    let changes = journal.take_changes();
    if !changes.is_empty() {
        result[super::CHANGES] = json!(changes);
    }
    result
}

/// The module of that name, with or without its collection.
fn find(tables: &[&'static [Entry]], name: &str) -> Option<&'static Entry> {
    let plain = name.strip_prefix("ansible.legacy.").unwrap_or(name);
    let builtin = format!("ansible.builtin.{plain}");
    tables.iter().flat_map(|it| it.iter()).find(|it| it.name == name || it.name == builtin)
}

/// Ends every program that is left in this process's own session.
fn end_programs() {
    let own = getpid();
    if getsid(None) != Ok(own) {
        // The session is somebody else's, who may have other programs in it.
        return;
    }
    // What a program starts while the others are ended is found the next time.
    for _ in 0..3 {
        let left = members(own);
        if left.is_empty() {
            return;
        }
        for pid in left {
            // It may have ended by itself, which is as good.
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

/// The other processes of a session.
fn members(session: Pid) -> Vec<Pid> {
    let Ok(items) = fs::read_dir("/proc") else { return Vec::new() };
    items
        .filter_map(Result::ok)
        .filter_map(|item| item.file_name().to_str()?.parse().ok().map(Pid::from_raw))
        .filter(|pid| *pid != session && session_of(*pid) == Some(session.as_raw()))
        .collect()
}

/// The session of a process that is alive.
fn session_of(pid: Pid) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, which is in brackets, may hold anything.
    let mut words = text.rsplit_once(')')?.1.split_whitespace();
    let state = words.next()?;
    let session = words.nth(2)?.parse().ok()?;
    (state != "Z").then_some(session)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_by_each_of_their_names() {
        let tables = [crate::builtin::MODULES];
        for name in ["ansible.builtin.ping", "ansible.legacy.ping", "ping"] {
            assert_eq!(find(&tables, name).unwrap().name, "ansible.builtin.ping");
        }
        assert!(find(&tables, "nosuch").is_none());
        assert!(find(&tables, "other.collection.ping").is_none());
    }

    #[test]
    fn sessions_are_read_from_the_table_of_processes() {
        assert_eq!(session_of(getpid()), getsid(None).ok().map(Pid::as_raw));
        assert_eq!(session_of(Pid::from_raw(i32::MAX)), None);
    }
}
