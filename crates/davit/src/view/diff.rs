//! `--diff`: the unified diffs of the original, whose matching is that of Python's `difflib`, so
//! that the same lines are paired.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::view::dump;
use crate::view::paint::{Palette, paint};

/// From this many lines on, lines that make up more than one in a hundred are not matched by:
/// `difflib` calls them popular.
const POPULAR_FROM: usize = 200;
/// What `result.diff` of any task may hold at most; the rest is not shown.
const MOST_DIFFS: usize = 1000;

/// The text of `result.diff`: one difference, or a list of them. Ends in an empty line where there
/// is one.
pub(crate) fn text(diff: &Value, context: usize, palette: Option<&Palette>) -> String {
    let list = match diff {
        Value::Array(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    let mut out = String::new();
    for entry in list.iter().take(MOST_DIFFS) {
        if let Value::Object(entry) = entry {
            one(entry, context, palette, &mut out);
        }
    }
    out
}

/// True where there is something to show.
pub(crate) fn is_some(diff: Option<&Value>) -> bool {
    match diff {
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
        _ => false,
    }
}

fn one(entry: &Map<String, Value>, context: usize, palette: Option<&Palette>, out: &mut String) {
    let skipped = [
        ("dst_binary", "destination file appears to be binary"),
        ("src_binary", "source file appears to be binary"),
    ];
    for (key, why) in skipped {
        if entry.contains_key(key) {
            out.push_str(&format!("diff skipped: {why}\n"));
        }
    }
    for (key, which) in [("dst_larger", "destination"), ("src_larger", "source")] {
        if let Some(limit) = entry.get(key) {
            let limit = dump::json(limit, None);
            out.push_str(&format!("diff skipped: {which} file size is greater than {limit}\n"));
        }
    }
    if let (Some(before), Some(after)) = (entry.get("before"), entry.get("after")) {
        let header = |name: &str| match entry.get(&format!("{name}_header")).and_then(Value::as_str)
        {
            Some(header) if !header.is_empty() => format!("{name}: {header}"),
            _ => name.to_owned(),
        };
        let (before, after) = (content(before), content(after));
        let lines = unified(&lines(&before), &lines(&after), context);
        if !lines.is_empty() {
            let heads =
                [format!("--- {}\n", header("before")), format!("+++ {}\n", header("after"))];
            for line in heads.into_iter().chain(lines) {
                out.push_str(&coloured(&line, palette));
            }
            out.push('\n');
        }
    }
    if let Some(prepared) = entry.get("prepared").and_then(Value::as_str) {
        out.push_str(prepared);
    }
}

fn coloured(line: &str, palette: Option<&Palette>) -> String {
    let Some(palette) = palette else { return line.to_owned() };
    match line.as_bytes().first() {
        Some(b'+') => paint(line, &palette.diff_add),
        Some(b'-') => paint(line, &palette.diff_remove),
        Some(b'@') => paint(line, &palette.diff_lines),
        _ => line.to_owned(),
    }
}

/// One side as text: a dictionary, as of a file's attributes, as JSON.
fn content(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => format!("{}\n", dump::json(other, Some(4))),
    }
}

/// Lines with their ends; the last one says where it has none.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(ToOwned::to_owned).collect();
    if let Some(last) = lines.last_mut()
        && !last.ends_with('\n')
    {
        last.push_str("\n\\ No newline at end of file\n");
    }
    lines
}

/// A run of equal lines: where in one, where in the other, how many.
type Match = (usize, usize, usize);

/// The hunks, without the two lines of header.
fn unified(before: &[String], after: &[String], context: usize) -> Vec<String> {
    let mut out = Vec::new();
    for group in groups(&steps(before, after), context) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        out.push(format!(
            "@@ -{} +{} @@\n",
            range(first.before.0, last.before.1),
            range(first.after.0, last.after.1)
        ));
        for step in &group {
            let mut add = |sign: char, lines: &[String]| {
                out.extend(lines.iter().map(|line| format!("{sign}{line}")));
            };
            let old = &before[step.before.0..step.before.1];
            if step.equal {
                add(' ', old);
            } else {
                add('-', old);
                add('+', &after[step.after.0..step.after.1]);
            }
        }
    }
    out
}

fn range(start: usize, stop: usize) -> String {
    match stop - start {
        1 => format!("{}", start + 1),
        0 => format!("{start},0"),
        length => format!("{},{length}", start + 1),
    }
}

/// A stretch that is equal or differs, as ranges of both sides.
#[derive(Clone, Copy)]
struct Step {
    equal: bool,
    before: (usize, usize),
    after: (usize, usize),
}

fn steps(before: &[String], after: &[String]) -> Vec<Step> {
    let mut steps = Vec::new();
    let (mut i, mut j) = (0, 0);
    for (at, other, size) in matches(before, after) {
        if i < at || j < other {
            steps.push(Step { equal: false, before: (i, at), after: (j, other) });
        }
        (i, j) = (at + size, other + size);
        if size > 0 {
            steps.push(Step { equal: true, before: (at, i), after: (other, j) });
        }
    }
    steps
}

/// Steps in groups with `context` equal lines around each.
fn groups(steps: &[Step], context: usize) -> Vec<Vec<Step>> {
    let mut steps = steps.to_vec();
    if let Some(first) = steps.first_mut().filter(|step| step.equal) {
        first.before.0 = first.before.0.max(first.before.1.saturating_sub(context));
        first.after.0 = first.after.0.max(first.after.1.saturating_sub(context));
    }
    if let Some(last) = steps.last_mut().filter(|step| step.equal) {
        last.before.1 = last.before.1.min(last.before.0 + context);
        last.after.1 = last.after.1.min(last.after.0 + context);
    }
    let mut groups = Vec::new();
    let mut group: Vec<Step> = Vec::new();
    for step in steps {
        if step.equal && step.before.1 - step.before.0 > 2 * context {
            let mut end = step;
            end.before.1 = end.before.0 + context;
            end.after.1 = end.after.0 + context;
            group.push(end);
            groups.push(std::mem::take(&mut group));
            let mut start = step;
            start.before.0 = step.before.1.saturating_sub(context);
            start.after.0 = step.after.1.saturating_sub(context);
            group.push(start);
        } else {
            group.push(step);
        }
    }
    groups.push(group);
    groups.retain(|group| group.iter().any(|step| !step.equal));
    groups
}

/// All runs of equal lines, in order, with an empty one at the end.
fn matches(before: &[String], after: &[String]) -> Vec<Match> {
    let places = places(after);
    let mut open = vec![(0, before.len(), 0, after.len())];
    let mut found = Vec::new();
    while let Some((alo, ahi, blo, bhi)) = open.pop() {
        let (i, j, size) = longest(before, after, &places, (alo, ahi, blo, bhi));
        if size == 0 {
            continue;
        }
        found.push((i, j, size));
        if alo < i && blo < j {
            open.push((alo, i, blo, j));
        }
        if i + size < ahi && j + size < bhi {
            open.push((i + size, ahi, j + size, bhi));
        }
    }
    found.sort_unstable();
    let mut joined: Vec<Match> = Vec::new();
    for (i, j, size) in found {
        match joined.last_mut() {
            Some(last) if last.0 + last.2 == i && last.1 + last.2 == j => last.2 += size,
            _ => joined.push((i, j, size)),
        }
    }
    joined.push((before.len(), after.len(), 0));
    joined
}

fn places(after: &[String]) -> HashMap<&str, Vec<usize>> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, line) in after.iter().enumerate() {
        places.entry(line).or_default().push(place);
    }
    if after.len() >= POPULAR_FROM {
        places.retain(|_, at| at.len() <= after.len() / 100 + 1);
    }
    places
}

/// The longest run within the ranges; of equally long ones the first in both.
fn longest(
    before: &[String],
    after: &[String],
    places: &HashMap<&str, Vec<usize>>,
    (alo, ahi, blo, bhi): (usize, usize, usize, usize),
) -> Match {
    let (mut i, mut j, mut size) = (alo, blo, 0);
    let mut lengths: HashMap<usize, usize> = HashMap::new();
    for (at, line) in before.iter().enumerate().take(ahi).skip(alo) {
        let mut next = HashMap::new();
        for &place in places.get(line.as_str()).map_or(&[][..], Vec::as_slice) {
            if place < blo {
                continue;
            }
            if place >= bhi {
                break;
            }
            let before_it = place.checked_sub(1).and_then(|place| lengths.get(&place));
            let length = before_it.copied().unwrap_or(0) + 1;
            next.insert(place, length);
            if length > size {
                (i, j, size) = (at + 1 - length, place + 1 - length, length);
            }
        }
        lengths = next;
    }
    while i > alo && j > blo && before[i - 1] == after[j - 1] {
        (i, j, size) = (i - 1, j - 1, size + 1);
    }
    while i + size < ahi && j + size < bhi && before[i + size] == after[j + size] {
        size += 1;
    }
    (i, j, size)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(diff: Value, expect: &str) {
        assert_eq!(text(&diff, 3, None), expect);
    }

    #[test]
    fn contents_are_compared_line_by_line() {
        check(
            json!({"before": "a\nb\nc2\nd\n", "after": "a\nb\nc\nd", "before_header": "/f", "after_header": "/f"}),
            "--- before: /f\n+++ after: /f\n@@ -1,4 +1,4 @@\n a\n b\n-c2\n-d\n+c\n+d\n\\ No newline at end of file\n\n",
        );
        check(
            json!([{"before": "", "after": "a\n", "after_header": "/f"}]),
            "--- before\n+++ after: /f\n@@ -0,0 +1 @@\n+a\n\n",
        );
        check(json!([{"before": "a\n", "after": "a\n"}]), "");
    }

    #[test]
    fn attributes_are_compared_as_json() {
        check(
            json!({"before": {"path": "/f", "mode": "0644"}, "after": {"path": "/f", "mode": "0600"}}),
            "--- before\n+++ after\n@@ -1,4 +1,4 @@\n {\n-    \"mode\": \"0644\",\n+    \"mode\": \"0600\",\n     \"path\": \"/f\"\n }\n\n",
        );
    }

    #[test]
    fn what_cannot_be_compared_says_why() {
        check(
            json!([{"dst_binary": 1}, {"src_larger": 104448}, {"prepared": "as is\n"}]),
            "diff skipped: destination file appears to be binary\ndiff skipped: source file size is greater than 104448\nas is\n",
        );
    }

    #[test]
    fn far_apart_changes_are_hunks_of_their_own() {
        let numbered = |skip: &[usize]| -> String {
            (0..30).filter(|n| !skip.contains(n)).map(|n| format!("{n}\n")).collect()
        };
        let text = text(&json!({"before": numbered(&[]), "after": numbered(&[5, 25])}), 3, None);
        let hunks: Vec<&str> = text.lines().filter(|line| line.starts_with("@@")).collect();
        assert_eq!(hunks, ["@@ -3,7 +3,6 @@", "@@ -23,7 +22,6 @@"]);
    }

    #[test]
    fn lines_are_painted_with_their_ends() {
        let painted = text(&json!({"before": "", "after": "a\n"}), 3, Some(&Palette::default()));
        assert!(painted.contains("\u{1b}[0;32m+a\u{1b}[0m\n\u{1b}[0;32m\u{1b}[0m"), "{painted:?}");
    }
}
