//! `PLAY RECAP`, and what `set_stats` collected.

use std::collections::BTreeMap;

use davit_event::Counts;
use serde_json::Value;

use crate::view::dump;
use crate::view::paint::{Palette, paint};

/// The width of the host's column; colours count as letters in the original.
const HOST: usize = 26;

/// A host's line.
pub(crate) fn line(host: &str, counts: &Counts, palette: Option<&Palette>) -> String {
    let host_code = palette.map(|palette| {
        if counts.failed > 0 || counts.unreachable > 0 {
            &palette.error
        } else if counts.changed > 0 {
            &palette.changed
        } else {
            &palette.ok
        }
    });
    let pad = " ".repeat(HOST.saturating_sub(host.chars().count()));
    let host = host_code.map_or_else(|| host.to_owned(), |code| paint(host, code));
    let field = |name: &str, number: u32, code: fn(&Palette) -> &String| {
        let text = format!("{name}={number:<4}");
        match palette {
            Some(palette) if number > 0 => paint(&text, code(palette)),
            _ => text,
        }
    };
    [
        format!("{host}{pad} :"),
        field("ok", counts.ok, |palette| &palette.ok),
        field("changed", counts.changed, |palette| &palette.changed),
        field("unreachable", counts.unreachable, |palette| &palette.unreachable),
        field("failed", counts.failed, |palette| &palette.error),
        field("skipped", counts.skipped, |palette| &palette.skip),
        field("rescued", counts.rescued, |palette| &palette.ok),
        field("ignored", counts.ignored, |palette| &palette.warn),
    ]
    .join(" ")
}

/// The lines under `CUSTOM STATS:`.
pub(crate) fn custom(stats: &BTreeMap<String, Value>) -> Vec<String> {
    let flat = |value: &Value| dump::json(value, Some(1)).replace('\n', "");
    let mut lines: Vec<String> = stats
        .iter()
        .filter(|(host, _)| *host != "_run")
        .map(|(host, value)| format!("\t{host}: {}", flat(value)))
        .collect();
    if let Some(run) = stats.get("_run") {
        lines.push(String::new());
        lines.push(format!("\tRUN: {}", flat(run)));
    }
    lines.push(String::new());
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_stand_under_one_another() {
        let counts = Counts { ok: 12, changed: 8, failed: 1, ..Counts::default() };
        assert_eq!(
            line("h1", &counts, None),
            "h1                         : ok=12   changed=8    unreachable=0    failed=1    skipped=0    rescued=0    ignored=0   "
        );
        assert_eq!(
            line("h1", &counts, Some(&Palette::default())).replace('\u{1b}', "^"),
            "^[0;31mh1^[0m                         : ^[0;32mok=12  ^[0m ^[0;33mchanged=8   ^[0m unreachable=0    ^[0;31mfailed=1   ^[0m skipped=0    rescued=0    ignored=0   "
        );
    }

    #[test]
    fn collected_values_are_one_line_each() {
        let stats = BTreeMap::from([
            ("_run".to_owned(), json!({"b": {"c": 2}, "a": 2})),
            ("h2".to_owned(), json!({"q": 1})),
        ]);
        assert_eq!(
            custom(&stats),
            ["\th2: { \"q\": 1}", "", "\tRUN: { \"a\": 2, \"b\": {  \"c\": 2 }}", ""]
        );
    }
}
