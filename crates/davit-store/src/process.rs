//! Which process writes a run, so that one that is gone is told from one that is at work.
//!
//! Linux only; elsewhere every process counts as alive.

use std::fs;

/// A name for the process `pid` that a later process with the same number does not have:
/// number, time of start, and boot.
pub(crate) fn mark(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    let started = fields.nth(18)?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(format!("{pid}:{started}:{}", boot.trim()))
}

/// The mark of this process.
pub(crate) fn own_mark() -> String {
    let pid = std::process::id();
    mark(pid).unwrap_or_else(|| format!("{pid}::"))
}

/// True where the process of that mark still runs.
pub(crate) fn is_alive(own: &str) -> bool {
    let Some(pid) = own.split(':').next().and_then(|pid| pid.parse().ok()) else { return false };
    if !fs::exists("/proc/self/stat").unwrap_or(false) {
        return true;
    }
    mark(pid).is_some_and(|mark| mark == own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_an_earlier_one_of_its_number_is_not() {
        let own = own_mark();
        assert!(is_alive(&own));
        let pid = std::process::id();
        assert!(!is_alive(&format!("{pid}:1:x")));
        assert!(!is_alive("4294967295:1:x"));
        assert!(!is_alive(""));
    }
}
