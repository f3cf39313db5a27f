//! Numbers, times, paths and texts in few columns.

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

/// `text` cut to so many columns, with a mark where something is missing.
pub(super) fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for char in text.chars() {
        if columns(&kept) + columns(char.encode_utf8(&mut [0; 4])) >= width {
            break;
        }
        kept.push(char);
    }
    kept.push('…');
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
        assert_eq!(short("/srv/roles/web/tasks/main.yml:3"), "tasks/main.yml:3");
        assert_eq!(short("site.yml:3"), "site.yml:3");
    }

    #[test]
    fn a_cut_text_fits() {
        assert_eq!(cut("日本語の名前", 7), "日本語…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
    }
}
