//! How an event of CloudWatch Logs looks. Asks and writes nothing.

use davit_aws::time;
use davit_aws::value::Value;
use jiff::Timestamp;
use serde::de::IgnoredAny;

/// How events look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Time, stream and message.
    Detailed,
    /// Time to the second, and message.
    Short,
    /// Time, stream, and messages of JSON over lines.
    Json,
}

/// How events look on this screen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) format: Format,
    pub(super) colour: bool,
}

/// An event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event<'a> {
    pub(super) id: &'a str,
    /// In milliseconds since 1970.
    pub(super) time: i64,
    pub(super) stream: &'a str,
    pub(super) message: &'a str,
}

impl<'a> Event<'a> {
    /// One of `FilterLogEvents`.
    pub(super) fn of(value: &'a Value) -> Self {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        Self {
            id: text("eventId"),
            time: value.get("timestamp").and_then(Value::as_int).unwrap_or_default(),
            stream: text("logStreamName"),
            message: text("message"),
        }
    }
}

const GREEN: &str = "32";
const CYAN: &str = "36";

impl Look {
    /// An event with the end of its line.
    pub(super) fn line(self, event: &Event<'_>) -> String {
        let time = Timestamp::from_millisecond(event.time).unwrap_or_default();
        let time = match self.format {
            Format::Detailed => time.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string(),
            Format::Short => time.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            Format::Json => time::iso8601_offset(time),
        };
        let time = self.painted(&time, GREEN);
        let spread = if self.format == Format::Json { spread(event.message) } else { None };
        let message = spread.as_deref().unwrap_or(event.message).trim_end();
        match self.format {
            Format::Short => format!("{time} {message}\n"),
            _ => format!("{time} {} {message}\n", self.painted(event.stream, CYAN)),
        }
    }

    fn painted(self, text: &str, code: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// JSON over lines, which begin below; nothing for what is none. Names, numbers and texts stay as they are
/// written: what is logged may have more digits than a number here, or a name twice.
fn spread(text: &str) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut out = String::from("\n");
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    // Texts have none of these in them: there they are written as escapes.
    let mut chars = text.chars().filter(|it| !matches!(it, '\t' | '\n' | '\r')).peekable();
    while let Some(it) = chars.next() {
        if in_text {
            out.push(it);
            in_text = escaped || it != '"';
            escaped = !escaped && it == '\\';
            continue;
        }
        match it {
            ' ' => {}
            '{' | '[' => {
                out.push(it);
                while chars.next_if_eq(&' ').is_some() {}
                if let Some(end) = chars.next_if(|it| matches!(it, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    indent(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                indent(&mut out, depth);
                out.push(it);
            }
            ',' => {
                out.push(it);
                indent(&mut out, depth);
            }
            ':' => out.push_str(": "),
            other => {
                in_text = other == '"';
                out.push(other);
            }
        }
    }
    Some(out)
}

fn indent(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("    ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_three_looks() {
        let event = |message| Event { id: "1", time: 1_767_323_045_678, stream: "web", message };
        let whole = Event { time: 1_767_323_045_000, ..event("up \n\n") };
        let line = |format, event: &Event<'_>| Look { format, colour: false }.line(event);
        let detailed = "2026-01-02T03:04:05.678000+00:00 web a\tb\n";
        assert_eq!(line(Format::Detailed, &event("a\tb")), detailed);
        assert_eq!(line(Format::Detailed, &whole), "2026-01-02T03:04:05.000000+00:00 web up\n");
        assert_eq!(line(Format::Short, &whole), "2026-01-02T03:04:05 up\n");
        assert_eq!(line(Format::Json, &whole), "2026-01-02T03:04:05+00:00 web up\n");
        assert_eq!(
            line(Format::Json, &event("{\"a\":1}\n")),
            "2026-01-02T03:04:05.678000+00:00 web \n{\n    \"a\": 1\n}\n"
        );
        let coloured = Look { format: Format::Short, colour: true }.line(&whole);
        assert_eq!(coloured, "\u{1b}[32m2026-01-02T03:04:05\u{1b}[0m up\n");
    }

    #[test]
    fn json_is_spread_as_it_is_written() {
        for (text, expect) in [
            (
                r#"{"a": [], "b" : { } , "c": [1, {"d":null}]}"#,
                Some(
                    "\n{\n    \"a\": [],\n    \"b\": {},\n    \"c\": [\n        1,\n        {\n            \"d\": null\n        }\n    ]\n}",
                ),
            ),
            (
                "[123456789012345678901234567890, 1.10]\n",
                Some("\n[\n    123456789012345678901234567890,\n    1.10\n]"),
            ),
            (
                r#"["a, \"b\": [c]\\", "ü{"]"#,
                Some("\n[\n    \"a, \\\"b\\\": [c]\\\\\",\n    \"ü{\"\n]"),
            ),
            ("[\n\t1\r\n]", Some("\n[\n    1\n]")),
            ("7", Some("\n7")),
            ("{'a': 1}", None),
            ("START RequestId: 1", None),
            ("", None),
        ] {
            assert_eq!(spread(text).as_deref(), expect, "{text}");
        }
    }
}
