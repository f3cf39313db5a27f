//! Many hosts as marks in inventory order: one for each host, or for several where there are more
//! hosts than room; then the state that matters most is shown.

use super::super::fleet::Host;
use super::super::marks::Mood;
use super::super::words::{cut, seconds};
use super::region::{Line, Writer};
use super::{Picture, SAY_TIME_MS, rows};
use crate::view::paint::columns;

/// Marks that stand together.
const TENS: usize = 10;
/// Lines of marks.
const ROWS: usize = 4;
/// Columns of the name in front of a line of marks.
const LABEL: usize = 16;
/// Terminals narrower than this have no names there.
const NARROW: usize = 60;
/// How many hosts a mark may stand for.
const SHARES: &[usize] = &[1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000];
/// Columns of what a host that is waited for is doing.
const DETAIL: usize = 40;

/// The lines: how many hosts are in which state, the marks, and who is waited for.
pub(super) fn lines(picture: &Picture<'_>, most: usize) -> Vec<Line> {
    let rows = most.saturating_sub(2).min(ROWS);
    let grid = Grid::new(picture, rows.max(1));
    let mut lines = vec![counts(picture, grid.share)];
    if rows > 0 {
        lines.extend(grid.lines(picture));
        lines.push(waiting_for(picture));
    }
    lines
}

/// How marks are set out.
struct Grid {
    /// Hosts that a mark stands for.
    share: usize,
    /// Marks in a line.
    marks: usize,
    label: usize,
}

impl Grid {
    fn new(picture: &Picture<'_>, rows: usize) -> Self {
        let hosts = picture.fleet.hosts();
        let widest = hosts.iter().map(|host| columns(&host.name)).max().unwrap_or(0);
        let label = if picture.width < NARROW { 0 } else { widest.min(LABEL) };
        let gap = if label > 0 { label + 1 } else { 0 };
        let room = picture.width.saturating_sub(3 + gap).max(1);
        // A space after each ten; less than ten stand together in any case.
        let marks = if room < TENS { room } else { (room + 1) / (TENS + 1) * TENS };
        let needed = hosts.len().div_ceil(marks * rows).max(1);
        let share = SHARES.iter().copied().find(|share| *share >= needed).unwrap_or(needed);
        Self { share, marks, label }
    }

    fn lines(&self, picture: &Picture<'_>) -> Vec<Line> {
        let in_line = self.share.saturating_mul(self.marks);
        picture.fleet.hosts().chunks(in_line).map(|hosts| self.line(picture, hosts)).collect()
    }

    fn line(&self, picture: &Picture<'_>, hosts: &[Host]) -> Line {
        let mut writer = picture.writer();
        writer.put("  ", None);
        if self.label > 0 {
            let name = hosts.first().map_or("", |host| host.name.as_str());
            let name = cut(name, self.label, picture.signs.cut);
            writer.put(&name, None);
            writer.put(&" ".repeat(self.label.saturating_sub(columns(&name)) + 1), None);
        }
        let moods: Vec<Mood> = hosts.chunks(self.share).map(first_to_see).collect();
        for (place, tens) in moods.chunks(TENS).enumerate() {
            if place > 0 {
                writer.put(" ", None);
            }
            for same in tens.chunk_by(|one, other| one == other) {
                let Some(mood) = same.first() else { continue };
                let marks = picture.signs.mark(*mood).to_string().repeat(same.len());
                writer.put(&marks, Some(mood.colour(picture.palette)));
            }
        }
        writer.done()
    }
}

fn first_to_see(hosts: &[Host]) -> Mood {
    hosts.iter().map(Host::mood).min().unwrap_or(Mood::Waiting)
}

/// `  ✓ 57 ok  ~ 3 changed  ✗ 1 failed  ▸ 30 running  . 9 waiting`: it says what the marks mean, too.
fn counts(picture: &Picture<'_>, share: usize) -> Line {
    let mut writer = picture.writer();
    writer.put(" ", None);
    for mood in Mood::ALL {
        let hosts = picture.fleet.hosts().iter().filter(|host| host.mood() == mood).count();
        if hosts > 0 {
            writer.put(" ", None);
            let mark = picture.signs.mark(mood);
            writer.put(
                &format!("{mark} {hosts} {} ", mood.word()),
                Some(mood.colour(picture.palette)),
            );
        }
    }
    let scale = format!(" 1 mark = {share} hosts");
    if share > 1 && columns(&scale) <= writer.room() {
        writer.put(&scale, None);
    }
    writer.done()
}

/// `  waiting for: web17 12s, web3 9s, and 5 more`, the slowest first.
fn waiting_for(picture: &Picture<'_>) -> Line {
    let mut writer = picture.writer();
    let mut busy: Vec<(u64, &Host)> = picture
        .fleet
        .hosts()
        .iter()
        .filter(|host| host.is_busy())
        .map(|host| (host.elapsed(picture.now_ms), host))
        .collect();
    busy.sort_by_key(|(elapsed, _)| std::cmp::Reverse(*elapsed));
    let slow = busy.iter().filter(|(elapsed, _)| *elapsed >= SAY_TIME_MS).count();
    if slow == 0 {
        return writer.done();
    }
    writer.put("  waiting for: ", None);
    let mut told = 0;
    for (elapsed, host) in busy.iter().take(slow) {
        let left = busy.len() - told - 1;
        let more = if left > 0 { columns(&format!(", and {left} more")) } else { 0 };
        if !one(picture, &mut writer, (*elapsed, host), told, more) {
            break;
        }
        told += 1;
    }
    match busy.len() - told {
        0 => {}
        left => writer.put(&format!("{} {left} more", if told > 0 { ", and" } else { "" }), None),
    }
    writer.done()
}

/// Adds a host where it fits; what it is doing where that fits as well and it comes first.
fn one(
    picture: &Picture<'_>,
    writer: &mut Writer,
    (elapsed, host): (u64, &Host),
    told: usize,
    more: usize,
) -> bool {
    let comma = if told > 0 { ", " } else { "" };
    let short = format!("{comma}{} {}", host.name, seconds(elapsed));
    let doing = cut(&rows::doing(picture, host, false), DETAIL, picture.signs.cut);
    let long = format!("{short} ({doing})");
    let room = writer.room().saturating_sub(more);
    if told == 0 && !doing.is_empty() && columns(&long) <= room {
        writer.put(&long, None);
    } else if columns(&short) <= room {
        writer.put(&short, None);
    } else {
        return false;
    }
    true
}
