//! Running programs and looking at those that run.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::Outcome;

/// Runs a program to its end and gives what it printed.
///
/// # Errors
/// It cannot be started, or fails: with what it said.
pub fn run(program: &str, args: &[&str]) -> Outcome<String> {
    let mut command = Command::new(program);
    command.args(args);
    finish(&mut command)
}

/// As [`run`], for a command that is more than words.
pub(crate) fn finish(command: &mut Command) -> Outcome<String> {
    let line = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().map_err(|error| {
        format!("{line}: {error}; `cargo xtask setup` installs what tests need")
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{line}: {}: {}", output.status, said.trim()))
}

/// Whether a program of this name is there.
#[must_use]
pub fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .any(|folder| folder.join(program).exists())
}

/// Whether this process may make users and namespaces.
#[must_use]
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Asks again and again until it is so, or the time is over: then it is not.
pub fn wait_until(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if is_so() {
            return true;
        }
        if started.elapsed() > limit {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// A process as `/proc` shows it.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// The id of its parent.
    pub parent: i32,
    /// The user that it runs as.
    pub user: u32,
    /// What it was started with, with spaces between.
    pub line: String,
    /// The namespace of processes that it is in.
    pub(crate) space: PathBuf,
    /// Resident memory in KiB.
    pub resident_kib: u64,
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        let at = |name: &str| PathBuf::from(format!("/proc/{pid}/{name}"));
        let status = fs::read_to_string(at("status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next().map(str::to_owned)
        };
        // One that has ended and only waits to be asked for its status runs no more.
        if field("State:")? == "Z" {
            return None;
        }
        let line = fs::read(at("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ").trim_end().to_owned();
        Some(Self {
            pid,
            parent: field("PPid:")?.parse().ok()?,
            user: field("Uid:")?.parse().ok()?,
            line: if line.is_empty() { format!("[{}]", field("Name:")?) } else { line },
            space: fs::read_link(at("ns/pid")).unwrap_or_default(),
            resident_kib: field("VmRSS:").and_then(|it| it.parse().ok()).unwrap_or(0),
        })
    }

    /// Sends it a signal; one that is gone gets none.
    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.pid), signal);
    }

    /// Ends it at once.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }
}

/// All that run now.
#[must_use]
pub fn every_process() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|it| Process::read(it.file_name().to_str()?.parse().ok()?)).collect()
}

/// The process and all that it started.
pub(crate) fn family(pid: i32) -> Vec<Process> {
    let all = every_process();
    let mut known = vec![pid];
    let mut at = 0;
    while let Some(&parent) = known.get(at) {
        known.extend(all.iter().filter(|it| it.parent == parent).map(|it| it.pid));
        at += 1;
    }
    all.into_iter().filter(|it| known.contains(&it.pid)).collect()
}

/// Ends a process and all that it started.
pub(crate) fn end_family(pid: i32) {
    family(pid).iter().for_each(Process::kill);
}
