//! Numbers, times, paths and texts in few columns.

use unicode_width::UnicodeWidthChar;

use crate::view::paint::columns;

/// `1 host`, `2 hosts`.
pub(super) fn count(number: u32, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// `340ms`, `8.1s`, `2m 05s`.
pub(super) fn duration(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms}ms"),
        1000..60_000 => format!("{}.{}s", ms / 1000, ms % 1000 / 100),
        _ => format!("{}m {:02}s", ms / 60_000, ms / 1000 % 60),
    }
}

/// `8s`, `2m 05s`, `1h 02m`: a time that runs on, which tenths would only make restless.
pub(super) fn seconds(ms: u64) -> String {
    match ms / 1000 {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        seconds => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// `43%`, or `3.2 MB` where it is not known how much there is.
pub(super) fn progress(done: u64, total: Option<u64>) -> String {
    match total {
        Some(total) if total > 0 => {
            let part = u128::from(done.min(total)) * 100 / u128::from(total);
            format!("{part}%")
        }
        _ => bytes(done),
    }
}

fn bytes(number: u64) -> String {
    let (mut whole, mut tenth, mut unit) = (number, 0, "B");
    for next in ["kB", "MB", "GB", "TB"] {
        if whole < 1000 {
            break;
        }
        (tenth, whole, unit) = (whole % 1000 / 100, whole / 1000, next);
    }
    if unit == "B" { format!("{whole} B") } else { format!("{whole}.{tenth} {unit}") }
}

/// The last two parts of a path.
pub(super) fn short(path: &str) -> &str {
    path.rmatch_indices('/').nth(1).map_or(path, |(at, _)| &path[at + 1..])
}

/// `text` without what would move the cursor or change colours.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(
            |char| {
                if char.is_control() && !matches!(char, '\n' | '\t') { '\u{fffd}' } else { char }
            },
        )
        .collect()
}

/// `text` as a part of one line, without what programs send to colour it.
pub(super) fn flat(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => {
                // `ESC [ ... letter`; of other sequences only the first character is known to belong.
                if chars.next() == Some('[') {
                    chars.find(|it| matches!(it, '@'..='~'));
                }
            }
            char if char.is_control() => kept.push(' '),
            char => kept.push(char),
        }
    }
    kept.trim().to_owned()
}

/// `text` cut to so many columns, with `mark` where something is missing.
pub(super) fn cut(text: &str, width: usize, mark: char) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut taken = 0;
    for char in text.chars() {
        taken += char.width().unwrap_or(0);
        if taken >= width {
            break;
        }
        kept.push(char);
    }
    if width > 0 {
        kept.push(mark);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_paths_are_short() {
        assert_eq!(duration(340), "340ms");
        assert_eq!(duration(8_190), "8.1s");
        assert_eq!(duration(125_000), "2m 05s");
        assert_eq!(seconds(8_190), "8s");
        assert_eq!(seconds(125_000), "2m 05s");
        assert_eq!(seconds(3_720_000), "1h 02m");
        assert_eq!(short("/srv/roles/web/tasks/main.yml:3"), "tasks/main.yml:3");
        assert_eq!(short("site.yml:3"), "site.yml:3");
    }

    #[test]
    fn a_share_is_told_where_the_whole_is_known() {
        assert_eq!(progress(43, Some(100)), "43%");
        assert_eq!(progress(u64::MAX, Some(u64::MAX)), "100%");
        assert_eq!(progress(7, Some(0)), "7 B");
        assert_eq!(progress(3_250_000, None), "3.2 MB");
    }

    #[test]
    fn a_part_of_a_line_moves_no_cursor() {
        assert_eq!(flat("\u{1b}[1;31mred\u{1b}[0m\r\nnext\t\u{7}"), "red  next");
        assert_eq!(flat("open \u{1b}[12"), "open");
        assert_eq!(flat("\u{1b}"), "");
    }

    #[test]
    fn a_cut_text_fits() {
        assert_eq!(cut("日本語の名前", 7, '…'), "日本語…");
        assert_eq!(cut("abc", 3, '…'), "abc");
        assert_eq!(cut("abcd", 3, '>'), "ab>");
        assert_eq!(cut("abcd", 0, '>'), "");
    }
}
