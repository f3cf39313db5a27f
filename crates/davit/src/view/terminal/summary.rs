//! The end of a run: how the hosts fared, what took long, how to go on.

use std::collections::BTreeMap;

use davit_event::Counts;
use serde_json::Value;

use crate::view::paint::To;
use crate::view::recap;

use super::names;
use super::state::State;
use super::words::{count, duration, short};

/// Up to so many hosts are listed one by one; of more, those that failed.
const LISTED: usize = 20;
/// Lines of names of hosts that failed.
const NAME_LINES: usize = 4;
/// So many of the slowest tasks are named.
const SLOWEST: usize = 3;
/// Tasks that took less are not slow.
const SLOW_MS: u64 = 1000;

/// Writes the summary.
pub(super) fn write(
    state: &mut State,
    at_ms: u64,
    stats: &BTreeMap<String, Counts>,
    order: &[String],
    interrupted: bool,
) {
    let broken = |counts: &Counts| counts.failed > 0 || counts.unreachable > 0;
    let failed = stats.values().filter(|counts| broken(counts)).count();
    state.screen.line(To::Out, "", None);
    let known = order.iter().filter_map(|host| stats.get_key_value(host));
    if stats.len() <= LISTED {
        for (host, counts) in known {
            one(state, host, counts, broken(counts));
        }
    } else {
        let (mut failed, mut lost) = (Vec::new(), Vec::new());
        for (host, counts) in known.filter(|(_, counts)| broken(counts)) {
            if counts.unreachable > 0 { &mut lost } else { &mut failed }.push(host.as_str());
        }
        names(state, "failed", &failed);
        names(state, "unreachable", &lost);
    }
    if !stats.is_empty() {
        state.screen.line(To::Out, "", None);
    }
    slowest(state);
    let took = duration(at_ms.saturating_sub(state.began_ms));
    let hosts = u32::try_from(stats.len()).unwrap_or(u32::MAX);
    let changes: u32 = stats.values().map(|counts| counts.changed).fold(0, u32::saturating_add);
    let word = if interrupted {
        "interrupted"
    } else if failed > 0 {
        "failed"
    } else {
        "ok"
    };
    let of = if failed > 0 {
        format!("{failed} of {}", count(hosts, "host"))
    } else {
        count(hosts, "host")
    };
    let parts = [of, count(state.ran, "task"), count(changes, "change"), took];
    let text = format!("{word}: {}", parts.join(state.signs.between));
    let palette = &state.settings.palette;
    let code = match word {
        "ok" if changes > 0 => &palette.changed,
        "ok" => &palette.ok,
        _ => &palette.error,
    }
    .clone();
    state.line(&text, Some(&code));
    if word != "ok" && !state.run.is_empty() {
        let text = format!("to go on from there: davit resume {}", state.run);
        state.line(&text, None);
    }
}

/// A host's line: what has happened on it, and nothing that has not.
fn one(state: &mut State, host: &str, counts: &Counts, broken: bool) {
    let parts: Vec<String> = [
        (counts.ok, "ok"),
        (counts.changed, "changed"),
        (counts.failed, "failed"),
        (counts.unreachable, "unreachable"),
        (counts.skipped, "skipped"),
        (counts.rescued, "rescued"),
        (counts.ignored, "ignored"),
    ]
    .iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, word)| format!("{number} {word}"))
    .collect();
    let text =
        if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(state.signs.between) };
    let palette = &state.settings.palette;
    let code = if broken {
        Some(palette.error.clone())
    } else if counts.changed > 0 {
        Some(palette.changed.clone())
    } else {
        None
    };
    state.line(&format!("  {host:<16}  {text}"), code.as_deref());
}

/// The names of the hosts that did not get through, a few lines of them.
fn names(state: &mut State, word: &str, hosts: &[&str]) {
    if hosts.is_empty() {
        return;
    }
    let head = format!("  {word}: ");
    let room = state.width.saturating_sub(head.len()).max(1);
    let text = names::list(hosts, room.saturating_mul(NAME_LINES));
    for (at, line) in names::wrap(&text, room).iter().enumerate() {
        let head = if at == 0 { head.clone() } else { " ".repeat(head.len()) };
        state.line(&format!("{head}{line}"), None);
    }
}

fn slowest(state: &mut State) {
    let slow: Vec<String> = state
        .durations
        .slowest(SLOWEST)
        .into_iter()
        .filter(|task| task.ms >= SLOW_MS)
        .map(|task| format!("  {:>8}  {}  {}", duration(task.ms), task.name, short(&task.path)))
        .collect();
    // A run that was quick as a whole has no slow tasks.
    if slow.len() < 2 {
        return;
    }
    state.line("slowest:", None);
    for line in slow {
        state.line(&line, None);
    }
    state.screen.line(To::Out, "", None);
}

/// What `set_stats` collected.
pub(super) fn custom(state: &mut State, custom: &BTreeMap<String, Value>) {
    if custom.is_empty() {
        return;
    }
    state.line("stats:", None);
    for line in recap::custom(custom) {
        state.line(&format!("  {}", line.trim_start()), None);
    }
}
