//! `ansible.builtin.lineinfile`: a line that is in a file, or is not.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/lineinfile_module.html>

use std::path::PathBuf;

use davit_module::{FileArgs, FileDiff, Host, Module, ModuleError, Outcome, Rules};
use davit_pattern::{Flags, Pattern, PatternError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::edit::{self, Saving, bare};

/// Sees to it that a line is in a file, replaces one by it, or removes lines.
///
/// For several lines together see `blockinfile`, for changes within lines `replace`; for a whole
/// file `copy` and `template` are plainer.
///
/// ```yaml
/// - ansible.builtin.lineinfile:
///     path: /etc/ssh/sshd_config
///     regexp: '^#?PermitRootLogin'
///     line: PermitRootLogin no
///     validate: sshd -t -f %s
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The file.
    #[schemars(extend("x-type" = "path", "x-aliases" = ["dest", "destfile", "name"]))]
    path: PathBuf,
    /// What the line to replace or remove looks like; of several, the last one is replaced.
    ///
    /// Where none matches, the line is added: so the pattern should match the line itself too.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["regex"]))]
    regexp: Option<String>,
    /// A text that the line to replace or remove holds, taken literally.
    #[serde(default)]
    search_string: Option<String>,
    /// Whether the line shall be there.
    #[serde(default)]
    state: State,
    /// The line. With `backrefs` it may name the groups of `regexp`: `\1`, `\g<name>`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["value"]))]
    line: Option<String>,
    /// Fill in the groups of `regexp`; where that does not match, leave the file as it is.
    #[serde(default)]
    backrefs: bool,
    /// Add the line after the last one that matches this, or at the end: `EOF`.
    #[serde(default)]
    insertafter: Option<String>,
    /// Add the line before the last one that matches this, or at the start: `BOF`.
    #[serde(default)]
    insertbefore: Option<String>,
    /// Make the file, and the folders above it, where it is not there.
    #[serde(default)]
    create: bool,
    /// Keep a copy of the file as it was, with the time in its name.
    #[serde(default)]
    backup: bool,
    /// Take the first line that matches instead of the last.
    #[serde(default)]
    firstmatch: bool,
    /// A program that must agree with the file before it is put in place; `%s` is its path.
    #[serde(default)]
    validate: Option<String>,
    #[serde(flatten)]
    file: FileArgs,
}

/// Whether the line shall be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// All lines that match are removed.
    Absent,
    /// It is there.
    #[default]
    Present,
}

/// `ansible.builtin.lineinfile`.
pub(crate) struct LineInFile;

impl Module for LineInFile {
    const NAME: &'static str = "ansible.builtin.lineinfile";
    type Args = Args;
    const RULES: Rules = Rules {
        mutually_exclusive: &[
            &["insertbefore", "insertafter"],
            &["regexp", "search_string"],
            &["backrefs", "search_string"],
        ],
        ..Rules::NONE
    };

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        for (name, text) in
            [("regular expression", &args.regexp), ("search string", &args.search_string)]
        {
            if text.as_deref() == Some("") {
                host.warn(format!(
                    "The {name} is an empty string, which will match every line in the file. This \
                     may have unintended consequences, such as replacing the last line in the file \
                     rather than appending.{}",
                    if name == "regular expression" {
                        " If this is desired, use '^' to match every line in the file and avoid \
                         this warning."
                    } else {
                        ""
                    }
                ));
            }
        }
        edit::refuse_folder(host, &args.path)?;
        match args.state {
            State::Present => present(host, &args),
            State::Absent => absent(host, &args),
        }
    }
}

fn compile(text: &str) -> Result<Pattern, ModuleError> {
    Pattern::new(text, Flags::default()).map_err(|why| broken(&why))
}

fn broken(why: &PatternError) -> ModuleError {
    ModuleError::failed(format!("Task failed: Module failed: {why}"))
}

/// Whether a line matches. One that takes too long does not.
fn fits(pattern: &Pattern, line: &str) -> bool {
    pattern.search(line).unwrap_or(false)
}

/// What a present line does to the lines; the message, empty where nothing changes.
fn present(host: &mut Host<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    if args.backrefs && args.regexp.is_none() {
        return Err(ModuleError::failed("regexp is required with backrefs=true"));
    }
    let Some(line) = &args.line else {
        return Err(ModuleError::failed("line is required with state=present"));
    };
    let before = edit::read(host, &args.path)?;
    if before.is_none() {
        if !args.create {
            let msg = format!("Destination {} does not exist !", args.path.display());
            return Err(ModuleError::failed(msg).with("rc", 257));
        }
        edit::make_parents(host, &args.path)?;
    }
    let before = before.unwrap_or_default();
    let mut lines = edit::lines_of(&before);
    let msg = put_line(args, line, &mut lines)?;
    finish(host, args, (&before, &lines.concat()), msg, None)
}

/// Where a line goes that is not there yet.
enum Place {
    Start,
    End,
    After(Pattern),
    Before(Pattern),
}

fn place_of(args: &Args) -> Result<Place, ModuleError> {
    Ok(match (args.insertbefore.as_deref(), args.insertafter.as_deref()) {
        (Some("BOF"), _) | (None, Some("BOF")) => Place::Start,
        (Some("EOF"), _) | (None, Some("EOF") | None) => Place::End,
        (Some(text), _) => Place::Before(compile(text)?),
        (None, Some(text)) => Place::After(compile(text)?),
    })
}

/// Puts the line among the others; the message, empty where nothing changes.
fn put_line(args: &Args, line: &str, lines: &mut Vec<String>) -> Result<&'static str, ModuleError> {
    let regexp = args.regexp.as_deref().map(compile).transpose()?;
    let place = place_of(args)?;
    let found = match (&regexp, &args.search_string) {
        (Some(regexp), _) => pick(lines, args.firstmatch, |it| fits(regexp, it)),
        (None, Some(text)) => pick(lines, args.firstmatch, |it| it.contains(text.as_str())),
        (None, None) => None,
    };
    if let Some(at) = found {
        let mut wanted = line.to_owned();
        if let (true, Some(regexp)) = (args.backrefs, &regexp)
            && let Some(groups) = regexp.find_from(&lines[at], 0).map_err(|why| broken(&why))?
        {
            wanted = regexp.expand(&groups, line).map_err(|why| broken(&why))?;
        }
        return Ok(replace_line(lines, at, wanted));
    }
    let (exact, anchor) = scan(args, line, &place, lines);
    if let Some(at) = exact {
        return Ok(replace_line(lines, at, line.to_owned()));
    }
    if args.backrefs {
        return Ok("");
    }
    let at = match (&place, anchor) {
        (Place::Start, _) => 0,
        (Place::After(_), Some(at)) => at + 1,
        (Place::Before(_), Some(at)) => at,
        _ => lines.len(),
    };
    if anchor.is_some() && lines.get(at).is_some_and(|it| bare(it) == line) {
        return Ok("");
    }
    if at > 0
        && let Some(above) = lines.get_mut(at - 1).filter(|it| !it.ends_with('\n'))
    {
        above.push('\n');
    }
    lines.insert(at, format!("{line}\n"));
    Ok("line added")
}

/// The very line, and the line that the place speaks of. With `firstmatch` the search ends at
/// the latter, so that the line may then stand twice.
fn scan(
    args: &Args,
    line: &str,
    place: &Place,
    lines: &[String],
) -> (Option<usize>, Option<usize>) {
    let (mut exact, mut anchor) = (None, None);
    for (at, text) in lines.iter().enumerate() {
        if bare(text) == line {
            exact = Some(at);
        } else if let Place::After(pattern) | Place::Before(pattern) = place
            && fits(pattern, text)
        {
            anchor = Some(at);
            if args.firstmatch {
                break;
            }
        }
    }
    (exact, anchor)
}

fn replace_line(lines: &mut [String], at: usize, mut wanted: String) -> &'static str {
    if !wanted.ends_with('\n') {
        wanted.push('\n');
    }
    if lines[at] == wanted {
        return "";
    }
    lines[at] = wanted;
    "line replaced"
}

/// The last line that fits, or the first.
fn pick(lines: &[String], first: bool, fits: impl Fn(&str) -> bool) -> Option<usize> {
    if first { lines.iter().position(|it| fits(it)) } else { lines.iter().rposition(|it| fits(it)) }
}

fn absent(host: &mut Host<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    if args.regexp.is_none() && args.search_string.is_none() && args.line.is_none() {
        return Err(ModuleError::failed(
            "one of line, search_string, or regexp is required with state=absent",
        ));
    }
    let Some(before) = edit::read(host, &args.path)? else {
        return Ok(Outcome::new().changed(false).msg("file not present"));
    };
    let regexp = args.regexp.as_deref().map(compile).transpose()?;
    let goes = |it: &str| match (&regexp, &args.search_string, &args.line) {
        (Some(regexp), _, _) => fits(regexp, it),
        (None, Some(text), _) => it.contains(text.as_str()),
        (None, None, Some(line)) => bare(it) == line,
        (None, None, None) => false,
    };
    let lines = edit::lines_of(&before);
    let kept: Vec<&str> = lines.iter().map(String::as_str).filter(|it| !goes(it)).collect();
    let found = lines.len() - kept.len();
    let msg = if found > 0 { format!("{found} line(s) removed") } else { String::new() };
    finish(host, args, (&before, &kept.concat()), &msg, Some(found))
}

fn finish(
    host: &mut Host<'_>,
    args: &Args,
    (before, after): (&str, &str),
    msg: &str,
    found: Option<usize>,
) -> Result<Outcome, ModuleError> {
    let saving = Saving {
        path: &args.path,
        validate: args.validate.as_deref(),
        backup: args.backup,
        file: &args.file,
    };
    let mut backup = None;
    if !msg.is_empty() {
        let bytes = crate::encoding::Encoding::Utf8.encode(after);
        backup = edit::save(host, &saving, bytes)?;
    }
    let mut attributes = FileDiff::default();
    let touched = host.exists(&args.path)
        && host.set_attributes(&host.real_path(&args.path), &args.file, Some(&mut attributes))?;
    let mut outcome = Outcome::new()
        .changed(touched || !msg.is_empty())
        .msg(edit::message(msg, touched))
        .with("backup", backup.unwrap_or_default())
        .with("diff", edit::diff(&args.path, before, after, &attributes));
    if let Some(found) = found {
        outcome.set("found", found);
    }
    Ok(outcome)
}
