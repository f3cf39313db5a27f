//! `ansible.builtin.blockinfile`: a block of lines between two marker lines.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/blockinfile_module.html>

use std::path::PathBuf;

use davit_module::{FileArgs, FileDiff, Host, Module, ModuleError, Outcome, Rules};
use davit_pattern::{Flags, Pattern, PatternError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::edit::{self, Saving};
use crate::encoding::Encoding;

/// Keeps a block of lines in a file, between two marker lines, or removes it.
///
/// Two blocks in one file need markers that differ.
///
/// ```yaml
/// - ansible.builtin.blockinfile:
///     path: /etc/hosts
///     marker: "# {mark} cluster"
///     block: |
///       10.0.0.1 one
///       10.0.0.2 two
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The file.
    #[schemars(extend("x-type" = "path", "x-aliases" = ["dest", "destfile", "name"]))]
    path: PathBuf,
    /// Whether the block shall be there.
    #[serde(default)]
    state: State,
    /// The marker lines: `{mark}` stands for `marker_begin` and `marker_end`.
    #[serde(default = "marker")]
    marker: String,
    /// The lines. Without any, the block is removed.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["content"]))]
    block: String,
    /// Where there is no block yet, add it after the last line that matches this, or at the end:
    /// `EOF`.
    #[serde(default)]
    insertafter: Option<String>,
    /// Where there is no block yet, add it before the last line that matches this, or at the
    /// start: `BOF`.
    #[serde(default)]
    insertbefore: Option<String>,
    /// Make the file, and the folders above it, where it is not there.
    #[serde(default)]
    create: bool,
    /// Keep a copy of the file as it was, with the time in its name.
    #[serde(default)]
    backup: bool,
    /// What `{mark}` becomes in the line above the block.
    #[serde(default = "marker_begin")]
    marker_begin: String,
    /// What `{mark}` becomes in the line below the block.
    #[serde(default = "marker_end")]
    marker_end: String,
    /// Leave an empty line below the block.
    #[serde(default)]
    append_newline: bool,
    /// Leave an empty line above the block.
    #[serde(default)]
    prepend_newline: bool,
    /// A program that must agree with the file before it is put in place; `%s` is its path.
    #[serde(default)]
    validate: Option<String>,
    #[serde(flatten)]
    file: FileArgs,
}

fn marker() -> String {
    "# {mark} ANSIBLE MANAGED BLOCK".to_owned()
}

fn marker_begin() -> String {
    "BEGIN".to_owned()
}

fn marker_end() -> String {
    "END".to_owned()
}

/// Whether the block shall be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It is removed, with its markers.
    Absent,
    /// It is there.
    #[default]
    Present,
}

/// `ansible.builtin.blockinfile`.
pub(crate) struct BlockInFile;

impl Module for BlockInFile {
    const NAME: &'static str = "ansible.builtin.blockinfile";
    type Args = Args;
    const RULES: Rules =
        Rules { mutually_exclusive: &[&["insertbefore", "insertafter"]], ..Rules::NONE };

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        edit::refuse_folder(host, &args.path)?;
        let before = edit::read(host, &args.path)?;
        if before.is_none() {
            if !args.create {
                let msg = format!("Path {} does not exist !", args.path.display());
                return Err(ModuleError::failed(msg).with("rc", 257));
            }
            if args.state == State::Absent {
                let msg = format!("File {} not present", args.path.display());
                return Ok(Outcome::new().changed(false).msg(msg));
            }
            edit::make_parents(host, &args.path)?;
        }
        let block = block_lines(&args);
        let text = before.clone().unwrap_or_default();
        let mut lines = edit::lines_of(&text);
        let place = place_of(&args, &text, &mut lines)?;
        put_block(&args, &block, place, &mut lines);
        let after = lines.concat();
        let msg = match &before {
            Some(before) if *before == after => "",
            None => "File created",
            _ if block.is_empty() => "Block removed",
            Some(_) => "Block inserted",
        };
        let saving = Saving {
            path: &args.path,
            validate: args.validate.as_deref(),
            backup: args.backup,
            file: &args.file,
        };
        let mut backup = None;
        if !msg.is_empty() {
            backup = edit::save(host, &saving, Encoding::Utf8.encode(&after))?;
        }
        let mut attributes = FileDiff::default();
        let touched = host.exists(&args.path)
            && host.set_attributes(
                &host.real_path(&args.path),
                &args.file,
                Some(&mut attributes),
            )?;
        let mut outcome = Outcome::new()
            .changed(touched || !msg.is_empty())
            .msg(edit::message(msg, touched))
            .with("diff", edit::diff(&args.path, &text, &after, &attributes));
        if let Some(backup) = backup {
            outcome.set("backup_file", backup);
        }
        Ok(outcome)
    }
}

/// The marker lines, without their ends.
fn markers(args: &Args) -> (String, String) {
    (
        args.marker.replace("{mark}", &args.marker_begin),
        args.marker.replace("{mark}", &args.marker_end),
    )
}

/// The block with its markers; nothing where it shall not be there.
fn block_lines(args: &Args) -> Vec<String> {
    if args.state == State::Absent || args.block.is_empty() {
        return Vec::new();
    }
    let (begin, end) = markers(args);
    let mut lines = vec![format!("{begin}\n")];
    lines.extend(edit::lines_of(&args.block));
    if let Some(last) = lines.last_mut().filter(|it| !it.ends_with('\n')) {
        last.push('\n');
    }
    lines.push(format!("{end}\n"));
    lines
}

/// Takes out the block that is there; where the new one goes.
fn place_of(args: &Args, text: &str, lines: &mut Vec<String>) -> Result<usize, ModuleError> {
    let (begin, end) = markers(args);
    let (wanted, after) = match (&args.insertbefore, &args.insertafter) {
        (Some(wanted), _) => (wanted.as_str(), false),
        (None, wanted) => (wanted.as_deref().unwrap_or("EOF"), true),
    };
    let broken =
        |why: PatternError| ModuleError::failed(format!("Task failed: Module failed: {why}"));
    let pattern = match (wanted, after) {
        ("BOF", false) | ("EOF", true) => None,
        _ => Some(Pattern::new(wanted, Flags::default()).map_err(broken)?),
    };
    let at = |marker: &str| lines.iter().rposition(|it| it.trim_end_matches('\n') == marker);
    if let (Some(begin), Some(end)) = (at(&begin), at(&end)) {
        let (first, last) = (begin.min(end), begin.max(end));
        lines.drain(first..=last);
        return Ok(first);
    }
    let Some(pattern) = pattern else { return Ok(if after { lines.len() } else { 0 }) };
    if has_flag(wanted, 'm') {
        // A pattern over several lines is looked for in the whole text.
        let found = pattern.find_from(text, 0).map_err(broken)?;
        let found = found.as_ref().and_then(|it| it.get(0));
        return Ok(found.map_or(lines.len(), |found| {
            if after {
                text[..found.end()].lines().count()
            } else {
                text[..found.start()].matches('\n').count()
            }
        }));
    }
    let found = lines.iter().rposition(|it| pattern.search(it).unwrap_or(false));
    Ok(found.map_or(lines.len(), |at| if after { at + 1 } else { at }))
}

/// Whether a pattern begins with inline flags that hold `flag`: `(?im)`.
fn has_flag(text: &str, flag: char) -> bool {
    let inner = text.strip_prefix("(?").and_then(|it| it.split_once(')'));
    inner.is_some_and(|(flags, _)| {
        flags.chars().all(|it| it.is_ascii_alphabetic()) && flags.contains(flag)
    })
}

fn put_block(args: &Args, block: &[String], place: usize, lines: &mut Vec<String>) {
    if block.is_empty() {
        return;
    }
    if place > 0
        && let Some(above) = lines.get_mut(place - 1).filter(|it| !it.ends_with('\n'))
    {
        above.push('\n');
    }
    let mut block = block.to_vec();
    if args.append_newline && lines.get(place).is_some_and(|it| it != "\n") {
        block.push("\n".to_owned());
    }
    if args.prepend_newline && place > 0 && lines.get(place - 1).is_some_and(|it| it != "\n") {
        block.insert(0, "\n".to_owned());
    }
    lines.splice(place..place, block);
}
