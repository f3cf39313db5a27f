//! Errors and warnings with the chain of their causes, each with its place and the lines around it.
//!
//! ```text
//! [ERROR]: Task failed: Module failed: non-zero return code
//! Origin: /srv/site.yml:4:7
//!
//! 2   gather_facts: no
//! 3   tasks:
//! 4     - command: /bin/false
//!         ^ column 7
//! ```

use davit_event::Cause;

use crate::view::ReadSource;

/// Lines before the one that is meant.
const BEFORE: usize = 2;
/// A line of source is cut to this many characters, its number included.
const LONGEST: usize = 120;

/// What stands between a message and what caused it.
pub(crate) const CAUSED_BY: &str = "\n\n<<< caused by >>>\n\n";

/// The text of a problem, without `[ERROR]: ` before it; with an empty line after it where it has
/// several.
pub(crate) fn text(causes: &[Cause], source: ReadSource) -> String {
    let links = merged(causes);
    if links.is_empty() {
        return String::new();
    }
    let headline = joined(links.iter().map(|link| link.message.as_str()));
    let [only] = links.as_slice() else {
        let blocks: Vec<String> = links
            .iter()
            .enumerate()
            .map(|(place, link)| block(link, place + 1 == links.len(), source))
            .collect();
        let blocks = blocks.join(CAUSED_BY);
        return format!("{headline}\n\n{blocks}\n\n");
    };
    let text = block(only, true, source);
    if only.origin.is_some() { format!("{text}\n\n") } else { text }
}

/// The whole chain in one line.
pub(crate) fn headline(causes: &[Cause]) -> String {
    joined(causes.iter().map(|cause| cause.message.as_str()))
}

/// Causes of one place and without advice of their own are told in one.
fn merged(causes: &[Cause]) -> Vec<Cause> {
    let mut links: Vec<Cause> = Vec::new();
    for cause in causes {
        match links.last_mut() {
            Some(last)
                if last.help.is_none()
                    && (cause.origin == last.origin
                        || (cause.origin.is_none() && cause.help.is_none())) =>
            {
                last.message = joined([last.message.as_str(), cause.message.as_str()].into_iter());
                last.help.clone_from(&cause.help);
            }
            _ => links.push(cause.clone()),
        }
    }
    links
}

fn joined<'a>(messages: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for message in messages {
        if !text.is_empty() {
            let end = text.trim_end_matches('.').len();
            text.truncate(end);
            text.push_str(": ");
        }
        text.push_str(message);
    }
    text
}

fn block(link: &Cause, last: bool, source: ReadSource) -> String {
    let mut text = link.message.clone();
    if !last && !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    if let Some(origin) = &link.origin {
        text.push_str("\nOrigin: ");
        // What no file holds has neither line nor column.
        text.push_str(origin.strip_suffix(":0:0").unwrap_or(origin));
        if let Some(lines) = lines_around(origin, source) {
            text.push_str("\n\n");
            text.push_str(&lines);
        }
    }
    if let Some(help) = &link.help {
        text.push_str(if link.origin.is_some() { "\n\n" } else { " " });
        text.push_str(help);
    }
    text
}

/// `file:line:column`, taken apart; line and column may be missing.
pub(crate) fn place(origin: &str) -> (&str, Option<usize>, Option<usize>) {
    let number = |text: &str| text.parse::<usize>().ok().filter(|number| *number > 0);
    let Some((rest, last)) = origin.rsplit_once(':') else { return (origin, None, None) };
    let Some(last) = number(last) else { return (origin, None, None) };
    match rest.rsplit_once(':').map(|(file, line)| (file, number(line))) {
        Some((file, Some(line))) => (file, Some(line), Some(last)),
        _ => (rest, Some(last), None),
    }
}

/// The line that is meant and those before it, numbered, and a mark under the column.
fn lines_around(origin: &str, source: ReadSource) -> Option<String> {
    let (file, line, column) = place(origin);
    let Some(line) = line else {
        // What has no lines of its own, such as a task from the command line, is shown whole.
        return file.starts_with('<').then(|| source(file)).flatten();
    };
    let content = source(file)?;
    let first = line.saturating_sub(BEFORE).max(1);
    let lines: Vec<&str> = content.split('\n').skip(first - 1).take(line - first + 1).collect();
    if content.lines().count() < line {
        // Such as the end of a file in which something is still open.
        return Some("(source not shown: file truncated)".to_owned());
    }
    let width = line.to_string().len();
    let mut shown: Vec<String> = (first..)
        .zip(lines)
        .map(|(number, text)| cut(format!("{number:>width$} {}", text.trim_end_matches('\r'))))
        .collect();
    if let Some(column) = column {
        let mark = format!("{}^ column {column}", " ".repeat(width + column));
        shown.push(mark);
    }
    Some(shown.join("\n"))
}

fn cut(line: String) -> String {
    let line = line.trim_end();
    if line.chars().count() <= LONGEST {
        return line.to_owned();
    }
    let kept: String = line.chars().take(LONGEST - 3).collect();
    format!("{kept}...")
}

/// `file:line` of a task, where the event has a column too.
pub(crate) fn path_of(path: &str) -> String {
    match place(path) {
        (file, Some(line), _) => format!("{file}:{line}"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(message: &str, origin: Option<&str>, help: Option<&str>) -> Cause {
        let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
        Cause { message: message.to_owned(), origin: owned(origin), help: owned(help) }
    }

    fn source(_: &str) -> Option<String> {
        Some((1..20).map(|number| format!("line {number}\n")).collect())
    }

    #[test]
    fn causes_of_one_place_are_one_block() {
        let causes = [cause("Task failed.", Some("a.yml:10:3"), None), cause("no", None, None)];
        assert_eq!(
            text(&causes, source),
            "Task failed: no\nOrigin: a.yml:10:3\n\n 8 line 8\n 9 line 9\n10 line 10\n     ^ column 3\n\n"
        );
    }

    #[test]
    fn causes_of_several_places_are_told_one_after_another() {
        let causes = [
            cause("Task failed", Some("a.yml:2:3"), None),
            cause("'x' is undefined", Some("b.j2"), Some("Define it.")),
        ];
        assert_eq!(
            text(&causes, source),
            "Task failed: 'x' is undefined\n\nTask failed.\nOrigin: a.yml:2:3\n\n1 line 1\n2 line 2\n    \
             ^ column 3\n\n<<< caused by >>>\n\n'x' is undefined\nOrigin: b.j2\n\nDefine it.\n\n"
        );
    }

    #[test]
    fn a_problem_without_a_place_is_a_line() {
        assert_eq!(text(&[cause("no", None, Some("Try again."))], source), "no Try again.");
        assert_eq!(text(&[], source), "");
    }

    #[test]
    fn a_place_outside_its_file_says_so() {
        let causes = [cause("no", Some("a.yml:99:1"), None)];
        assert_eq!(
            text(&causes, source),
            "no\nOrigin: a.yml:99:1\n\n(source not shown: file truncated)\n\n"
        );
        assert_eq!(place("C:a.yml"), ("C:a.yml", None, None));
        assert_eq!(place("a:b.yml:3"), ("a:b.yml", Some(3), None));
    }
}
