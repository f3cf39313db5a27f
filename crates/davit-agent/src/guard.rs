//! The worker's parent: when the worker is killed, what it has left running is ended.
//!
//! A worker that ends by itself has ended its tasks' programs before. One that is killed cannot:
//! its children become the guard's, which ends all of them that are still in its session. What
//! has left the session, such as a service that a task has started, stays.

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid, getsid};

/// How often it is looked for programs that are left.
const ROUNDS: usize = 50;

/// Runs a worker and waits for it; its exit status.
#[must_use]
pub fn guard() -> i32 {
    // Whoever ends programs by the agent's name shall not end this one with it.
    let _ = nix::sys::prctl::set_name(c"davit-guard");
    let adopts = nix::sys::prctl::set_child_subreaper(true).is_ok();
    let Ok(mut child) = Command::new(own_program()).arg("--worker").spawn() else { return 126 };
    let status = child.wait();
    match status {
        Ok(status) if status.signal().is_none() => status.code().unwrap_or(1),
        Ok(_) | Err(_) => {
            if adopts {
                clear();
            }
            137
        }
    }
}

/// The program that this is. Another controller may have put the same one in its place meanwhile,
/// so that its path leads to no file that this process has.
pub(crate) fn own_program() -> PathBuf {
    std::env::current_exe()
        .ok()
        .filter(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}

/// Ends all descendants in this session.
fn clear() {
    let Ok(session) = getsid(None) else { return };
    for _ in 0..ROUNDS {
        let left = descendants(session);
        if left.is_empty() {
            return;
        }
        for pid in left {
            // It may have ended in between.
            let _ = kill(pid, Signal::SIGKILL);
        }
        while let Ok(status) =
            nix::sys::wait::waitpid(None, Some(nix::sys::wait::WaitPidFlag::WNOHANG))
        {
            if status == nix::sys::wait::WaitStatus::StillAlive {
                break;
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The processes of a session that descend from this one.
fn descendants(session: Pid) -> Vec<Pid> {
    let mut parents: HashMap<i32, (i32, i32)> = HashMap::new();
    let Ok(folder) = std::fs::read_dir("/proc") else { return Vec::new() };
    for entry in folder.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|it| it.parse::<i32>().ok()) else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some(seen) = parse(&stat) {
            parents.insert(pid, seen);
        }
    }
    let own = getpid().as_raw();
    let below = |pid: i32| {
        let mut at = pid;
        // A chain of parents is no longer than there are processes.
        for _ in 0..parents.len() {
            match parents.get(&at) {
                Some((parent, _)) if *parent == own => return true,
                Some((parent, _)) if *parent > 1 => at = *parent,
                _ => return false,
            }
        }
        false
    };
    parents
        .iter()
        .filter(|(pid, (_, of))| *of == session.as_raw() && **pid != own && below(**pid))
        .map(|(pid, _)| Pid::from_raw(*pid))
        .collect()
}

/// Parent and session of a line of `/proc/PID/stat`; `None` for what has ended already.
fn parse(stat: &str) -> Option<(i32, i32)> {
    // The name may hold blanks and brackets; what follows its last bracket does not.
    let mut words = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    let state = words.next()?;
    let parent = words.next()?.parse().ok()?;
    let session = words.nth(1)?.parse().ok()?;
    (state != "Z").then_some((parent, session))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_process_may_have_any_name() {
        assert_eq!(parse("42 (a) b) S 7 42 40 0 -1"), Some((7, 40)));
        assert_eq!(parse("42 (a) Z 7 42 40 0 -1"), None);
        assert_eq!(parse("42"), None);
    }
}
