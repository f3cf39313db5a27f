//! A line for each of a few hosts, and in words what a host is at.

use super::super::fleet::{Doing, Host};
use super::super::marks::Mood;
use super::super::words::{count, duration, progress, seconds};
use super::region::Line;
use super::{Picture, SAY_TIME_MS};
use crate::view::paint::columns;

/// Columns of a host's name at most; narrow terminals have a third of their width for it.
const NAME: usize = 30;

/// The lines of all hosts.
pub(super) fn lines(picture: &Picture<'_>) -> Vec<Line> {
    let hosts = picture.fleet.hosts();
    let widest = hosts.iter().map(|host| columns(&host.name)).max().unwrap_or(0);
    let room = widest.min(NAME).min(picture.width / 3);
    hosts.iter().map(|host| line(picture, host, room)).collect()
}

fn line(picture: &Picture<'_>, host: &Host, room: usize) -> Line {
    let mood = host.mood();
    let code = mood.colour(picture.palette);
    let mut writer = picture.writer();
    writer.put("  ", None);
    writer.put(&picture.signs.mark(mood).to_string(), Some(code));
    writer.put(" ", None);
    let name = super::super::words::cut(&host.name, room, picture.signs.cut);
    let fill = room.saturating_sub(columns(&name)) + 2;
    writer.put(&name, host.is_busy().then_some(code));
    let text = match mood {
        Mood::Running | Mood::Connecting => doing(picture, host, true),
        Mood::Waiting => String::new(),
        _ => ended(picture, host, mood),
    };
    if !text.is_empty() {
        writer.put(&" ".repeat(fill), None);
        writer.put(&text, (!host.is_busy()).then_some(code));
    }
    writer.done()
}

fn ended(picture: &Picture<'_>, host: &Host, mood: Mood) -> String {
    let mut parts = vec![mood.word().to_owned()];
    let task = host
        .task
        .filter(|task| host.is_out || picture.fleet.is_apart() && Some(*task) != picture.current);
    if let Some(name) = task.and_then(|task| picture.name(task)) {
        parts = vec![format!("{} at {name}", mood.word())];
    }
    if host.took_ms >= SAY_TIME_MS && !host.is_out {
        parts.push(duration(host.took_ms));
    }
    if mood == Mood::Unreachable {
        parts.extend(host.lost.clone());
    }
    parts.join(picture.signs.between)
}

/// What a host is doing: its task where that is another than most hosts', the round of its loop, the
/// attempt, the time, and what was last heard.
pub(super) fn doing(picture: &Picture<'_>, host: &Host, with_time: bool) -> String {
    let mut parts = Vec::new();
    let other = host.task.filter(|_| picture.fleet.is_apart());
    parts.extend(other.and_then(|task| picture.name(task)).map(ToOwned::to_owned));
    if let Some(address) = &host.address {
        parts.push(format!("connecting to {address}"));
    }
    match &host.round {
        Some(round) => parts.push(match &round.item {
            Some(item) => format!("item {} of {}: {item}", round.number, round.of),
            None => format!("item {} of {}", round.number, round.of),
        }),
        None if host.rounds > 0 => parts.push(format!("{} done", count(host.rounds, "item"))),
        None => {}
    }
    if let Some((attempt, of)) = host.attempt {
        parts.push(format!("attempt {attempt} of {of}"));
    }
    if let Some(Doing::Moves { what, done, total }) = &host.doing {
        parts.push(format!("{what} {}", progress(*done, *total)));
    }
    let elapsed = host.elapsed(picture.now_ms);
    if with_time && elapsed >= SAY_TIME_MS {
        parts.push(seconds(elapsed));
    }
    if let Some(Doing::Says(line)) = &host.doing {
        parts.push(line.clone());
    }
    parts.join(picture.signs.between)
}
