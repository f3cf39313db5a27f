//! The line of what runs now.

use super::state::State;
use super::words::{count, cut, duration};

const FRAMES: &[char] = &['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/// A task is given a time only when it has taken one.
const SAY_TIME_MS: u64 = 1000;

/// `⠹ restart web · 2/3 hosts · 4s`, without a line end; nothing between tasks.
pub(super) fn line(state: &State) -> Option<String> {
    let number = state.current?;
    let task = state.tasks.get(&number)?;
    let frame = FRAMES[state.spin % FRAMES.len()];
    let mut parts = vec![format!("{frame} {}", task.name)];
    let done = task.done();
    let all = state.hosts.max(done);
    if all > 1 {
        parts.push(format!("{done}/{all} hosts"));
    }
    if task.items > 0 {
        parts.push(count(task.items, "item"));
    }
    let ms = u64::try_from(task.began.elapsed().as_millis()).unwrap_or(u64::MAX);
    if ms >= SAY_TIME_MS {
        parts.push(duration(ms));
    }
    if let Some(note) = &task.note {
        parts.push(note.replace(['\n', '\r', '\u{1b}'], " "));
    }
    // One column is left free: a full line would wrap, and could not be taken away.
    Some(cut(&parts.join(" · "), state.width.saturating_sub(1)))
}
