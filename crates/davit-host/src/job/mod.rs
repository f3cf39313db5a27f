//! Jobs: calls that go on by themselves, also when nobody is connected any more.
//!
//! ```text
//! start ──spool──▶ a process of its own: run ──▶ FOLDER/ID ◀── async_status
//! ```
//!
//! [`start`] writes the call to a spool and starts a program with its path; that program hands it to
//! [`run`]. The result is a file named like the job. While the job lives it holds a lock on a file in
//! its spool, so that one that was killed is told from one that is at work.
//!
//! It does not know which program that is, nor how anybody waits for a job.

mod record;
mod run;
mod spool;

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use davit_module::{Call, ModuleError, Reply, Session, expand_path};
use serde_json::json;

pub use davit_module::Job;

pub(crate) use self::record::Record;
pub use self::run::{Other, run};
use self::spool::Spool;

/// Where results are kept, where nothing else is said.
pub const FOLDER: &str = "~/.ansible_async";

/// The key of a result under which it has what the job has changed, for the journal.
pub(crate) const CHANGES: &str = "davit_changes";

/// How long a started program may take until its job is on its own.
const START: Duration = Duration::from_secs(60);

/// A name for a job that no other job has: `j`, digits, a dot, digits.
#[must_use]
pub fn new_id() -> String {
    use std::hash::{BuildHasher, Hasher};
    // Each `RandomState` has keys of its own, from the system's source of random numbers.
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("j{}.{}", random % 1_000_000_000_000, std::process::id())
}

/// Starts `module` as a job of its own: `program`, with the path of the job's spool as last argument,
/// which hands it to [`run`]. Comes back once the job no longer depends on this process.
///
/// The reply has the keys that playbooks know: `ansible_job_id`, `results_file`, `started`, `finished`.
///
/// # Errors
/// Where the job's folder cannot be used or the program cannot be started.
pub fn start(
    program: &[OsString],
    module: &str,
    call: &Call,
    job: &Job,
    session: &Session,
) -> Result<Reply, ModuleError> {
    if job.id.is_empty() || job.id.starts_with('.') || job.id.contains(['/', '\0']) {
        return Err(ModuleError::failed(format!("'{}' is no name of a job", job.id)));
    }
    let folder = folder_of(&job.folder, &|name| variable(call, session, name));
    make_folder(&folder).map_err(|err| {
        ModuleError::failed(format!("could not create directory: {}", folder.display()))
            .with("exception", err.to_string())
    })?;
    let record = Record::of(&folder, &job.id);
    // A folder that is there already is another job's, and is left alone.
    DirBuilder::new()
        .mode(0o700)
        .create(record.spool())
        .map_err(|err| ModuleError::io("create", record.spool(), err))?;
    let spool = Spool::new(module, call, job, session);
    let path = spool.write(record.spool()).map_err(|err| {
        // What was written may hold secrets, and nobody will read it.
        let _ = fs::remove_dir_all(record.spool());
        ModuleError::io("write", record.spool(), err)
    })?;
    let begun = spawn(program, &path).and_then(|child| wait_for_start(child, &record));
    if let Err(err) = begun {
        let _ = fs::remove_dir_all(record.spool());
        let name = program.first().map(|it| it.to_string_lossy().into_owned());
        return Err(ModuleError::Program { program: name.unwrap_or_default(), source: err });
    }
    let reply = json!({
        "changed": true,
        "started": true,
        "finished": false,
        "ansible_job_id": job.id,
        "results_file": record.result(),
    });
    Ok(reply.as_object().cloned().unwrap_or_default())
}

/// The folder of results: absolute, with `~` and variables put in.
pub(crate) fn folder_of(written: &str, env: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    let written = if written.is_empty() { FOLDER } else { written };
    let path = PathBuf::from(expand_path(written, env));
    std::path::absolute(&path).unwrap_or(path)
}

fn variable(call: &Call, session: &Session, name: &str) -> Option<String> {
    let own = call.environment.iter().rev().find(|(key, _)| key == name);
    own.map(|(_, value)| value.as_str()).or_else(|| session.variable(name)).map(str::to_owned)
}

/// Makes the folder, for its owner alone. One that is there already stays as it is.
fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn spawn(program: &[OsString], spool: &Path) -> io::Result<Child> {
    let (name, args) = program.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    Command::new(name)
        .args(args)
        .arg(spool)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// Waits until the job is in a session of its own, which is when its record is there.
fn wait_for_start(mut child: Child, record: &Record) -> io::Result<()> {
    let end = Instant::now() + START;
    let mut pause = Duration::from_micros(500);
    loop {
        if record.result().exists() {
            break;
        }
        if let Some(status) = child.try_wait()? {
            if record.result().exists() {
                return Ok(());
            }
            return Err(io::Error::other(format!("it ended before the job began: {status}")));
        }
        if Instant::now() > end {
            // It may be half-way: a job that nobody knows of must not run.
            child.kill()?;
            child.wait()?;
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    // Taken off the list of processes when it is done, for as long as this process lives.
    thread::spawn(move || drop(child.wait()));
    Ok(())
}
