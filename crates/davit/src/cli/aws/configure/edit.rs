//! Changes of the text of `~/.aws/config` and `~/.aws/credentials`: everything that is not meant stays as it is, comments
//! and spaces included. Does no IO.

/// A setting with its new value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    pub(super) name: &'a str,
    /// The setting in the block of that name: `s3.addressing_style`.
    pub(super) inner: Option<&'a str>,
    pub(super) value: &'a str,
}

/// Why a setting cannot be written. The value may be secret, and is not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EditError {
    /// It would become several lines.
    #[error("the value of {name} has more than one line")]
    Lines {
        /// The setting.
        name: String,
    },
    /// It would be read as something else.
    #[error("{name:?} is no name for a setting or a profile")]
    Name {
        /// The name.
        name: String,
    },
}

/// The text with settings written into a section, which is made where it is missing.
///
/// # Errors
/// A name or a value would not be read back as what it is.
pub(super) fn edited(
    text: &str,
    section: &str,
    changes: &[Change<'_>],
) -> Result<String, EditError> {
    check(section, changes)?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let start = match lines.iter().position(|it| is_head(it, section)) {
        Some(start) => start,
        None => {
            lines.push(format!("[{section}]"));
            lines.len() - 1
        }
    };
    for change in changes {
        put(&mut lines, start, change);
    }
    let mut text = lines.join("\n");
    text.push('\n');
    Ok(text)
}

fn check(section: &str, changes: &[Change<'_>]) -> Result<(), EditError> {
    let no_name = |name: &str| Err(EditError::Name { name: name.to_owned() });
    if section.is_empty() || section.contains(['\n', '\r', ']', '[']) {
        return no_name(section);
    }
    for change in changes {
        for name in std::iter::once(change.name).chain(change.inner) {
            let starts = name.starts_with(['#', ';', '[']);
            if name.is_empty() || starts || name.contains(['=', ':', '\n', '\r', ' ', '\t']) {
                return no_name(name);
            }
        }
        if change.value.contains(['\n', '\r']) {
            return Err(EditError::Lines { name: change.name.to_owned() });
        }
    }
    Ok(())
}

/// Whether a line begins a section: `[dev]`, `[profile "two words"]`.
fn is_head(line: &str, section: &str) -> bool {
    let Some((name, _)) = line.trim().strip_prefix('[').and_then(|it| it.split_once(']')) else {
        return false;
    };
    plain(name) == plain(section)
}

/// A name of a section without quotes, and with single spaces.
fn plain(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    words.join(" ").replace(['"', '\''], "")
}

fn is_any_head(line: &str) -> bool {
    line.trim_start().starts_with('[')
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with(['#', ';'])
}

fn is_inner(line: &str) -> bool {
    line.starts_with([' ', '\t']) && !line.trim().is_empty()
}

/// The name of the setting in a line.
fn name_of(line: &str) -> Option<&str> {
    if is_comment(line) || is_any_head(line) {
        return None;
    }
    line.split_once(['=', ':']).map(|(name, _)| name.trim())
}

/// Writes a setting into the section that begins at `start`.
fn put(lines: &mut Vec<String>, start: usize, change: &Change<'_>) {
    let end = lines[start + 1..].iter().position(|it| is_any_head(it));
    let end = end.map_or(lines.len(), |it| it + start + 1);
    let own = (start + 1..end)
        .rev()
        .find(|at| !is_inner(&lines[*at]) && name_of(&lines[*at]) == Some(change.name));
    match (own, change.inner) {
        (Some(at), None) => {
            // What belonged to the old value goes with it.
            let inner = lines[at + 1..end].iter().take_while(|it| is_inner(it)).count();
            lines.drain(at + 1..=at + inner);
            lines[at] = format!("{} = {}", change.name, change.value);
        }
        (Some(at), Some(inner)) => {
            let below = lines[at + 1..end].iter().take_while(|it| is_inner(it)).count();
            let known = (at + 1..=at + below).rev().find(|it| name_of(&lines[*it]) == Some(inner));
            let indent = |line: &String| line.chars().take_while(|it| it.is_whitespace()).collect();
            match known {
                Some(known) => {
                    let indent: String = indent(&lines[known]);
                    lines[known] = format!("{indent}{inner} = {}", change.value);
                }
                None => {
                    let indent: String =
                        if below > 0 { indent(&lines[at + 1]) } else { "    ".to_owned() };
                    lines[at] = format!("{} =", change.name);
                    lines.insert(at + below + 1, format!("{indent}{inner} = {}", change.value));
                }
            }
        }
        (None, inner) => {
            // Behind the last setting, in front of what is said of the next section.
            let last = (start..end)
                .rev()
                .find(|at| *at == start || is_inner(&lines[*at]) || name_of(&lines[*at]).is_some());
            let at = last.unwrap_or(start) + 1;
            match inner {
                None => lines.insert(at, format!("{} = {}", change.name, change.value)),
                Some(inner) => {
                    lines.insert(at, format!("    {inner} = {}", change.value));
                    lines.insert(at, format!("{} =", change.name));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, section: &str, change: (&str, &str), expect: &str) {
        let (name, inner) = match change.0.split_once('.') {
            Some((name, inner)) => (name, Some(inner)),
            None => (change.0, None),
        };
        let change = Change { name, inner, value: change.1 };
        assert_eq!(edited(text, section, &[change]).as_deref(), Ok(expect), "{text:?} {change:?}");
    }

    #[test]
    fn settings_are_put_where_they_belong() {
        check("", "default", ("region", "a"), "[default]\nregion = a\n");
        check("[x]\na = 1", "default", ("region", "a"), "[x]\na = 1\n[default]\nregion = a\n");
        check("[default]\nregion=a\n", "default", ("region", "b"), "[default]\nregion = b\n");
        check(
            "# mine\n[default]\n# region = x\nregion = a\n; end\n\n[profile dev]\nregion = c\n",
            "default",
            ("output", "json"),
            "# mine\n[default]\n# region = x\nregion = a\noutput = json\n; end\n\n[profile dev]\nregion = c\n",
        );
        check(
            "[profile \"two words\"]\na = 1\n",
            "profile 'two words'",
            ("a", "2"),
            "[profile \"two words\"]\na = 2\n",
        );
        check("[profile  dev] # c\n", "profile dev", ("a", "2"), "[profile  dev] # c\na = 2\n");
    }

    #[test]
    fn blocks_are_kept_together() {
        let text = "[default]\ns3 =\n  use = x\n  region = inner\nregion = a\n";
        check(text, "default", ("region", "b"), &text.replace("region = a", "region = b"));
        check(text, "default", ("s3.use", "y"), &text.replace("use = x", "use = y"));
        check(
            text,
            "default",
            ("s3.new", "1"),
            "[default]\ns3 =\n  use = x\n  region = inner\n  new = 1\nregion = a\n",
        );
        check("[default]\n", "default", ("s3.new", "1"), "[default]\ns3 =\n    new = 1\n");
        check(text, "default", ("s3", "off"), "[default]\ns3 = off\nregion = a\n");
    }

    #[test]
    fn what_would_be_read_otherwise_is_refused() {
        for (section, name, value) in [
            ("default", "a", "1\n[other]"),
            ("default", "a=b", "1"),
            ("default", "#a", "1"),
            ("default", "", "1"),
            ("de]fault", "a", "1"),
            ("", "a", "1"),
        ] {
            let change = Change { name, inner: None, value };
            assert!(edited("", section, &[change]).is_err(), "{section:?} {name:?} {value:?}");
        }
    }
}
