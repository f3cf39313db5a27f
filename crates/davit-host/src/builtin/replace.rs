//! `ansible.builtin.replace`: replaces all that matches a pattern in a file.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/replace_module.html>

use std::path::PathBuf;

use davit_module::{FileArgs, Host, Module, ModuleError, Outcome};
use davit_pattern::{Flags, Pattern, PatternError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::edit::{self, Saving};
use crate::encoding::Encoding;

/// Replaces all that matches a pattern in a file.
///
/// The pattern sees the whole text: `^` and `$` match at each line, `\n` matches line ends. A
/// pattern that also matches what it is replaced by changes the file on each run.
///
/// ```yaml
/// - ansible.builtin.replace:
///     path: /etc/app.conf
///     after: '\[server\]'
///     before: '\[client\]'
///     regexp: '^host = .*$'
///     replace: 'host = {{ server }}'
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The file.
    #[schemars(extend("x-type" = "path", "x-aliases" = ["dest", "destfile", "name"]))]
    path: PathBuf,
    /// The pattern.
    regexp: String,
    /// What takes the place of a match; it may name groups: `\1`, `\g<name>`. Empty removes.
    #[serde(default)]
    replace: String,
    /// Look only behind what matches this pattern.
    #[serde(default)]
    after: Option<String>,
    /// Look only before what matches this pattern.
    #[serde(default)]
    before: Option<String>,
    /// Keep a copy of the file as it was, with the time in its name.
    #[serde(default)]
    backup: bool,
    /// A program that must agree with the file before it is put in place; `%s` is its path.
    #[serde(default)]
    validate: Option<String>,
    /// The file's encoding: `utf-8`, `latin-1`, `utf-16-le` or `utf-16-be`.
    #[serde(default = "utf8")]
    encoding: String,
    #[serde(flatten)]
    file: FileArgs,
}

fn utf8() -> String {
    "utf-8".to_owned()
}

/// `ansible.builtin.replace`.
pub(crate) struct Replace;

impl Module for Replace {
    const NAME: &'static str = "ansible.builtin.replace";
    type Args = Args;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        edit::refuse_folder(host, &args.path)?;
        if !host.exists(&args.path) {
            let msg = format!("Path {} does not exist !", args.path.display());
            return Err(ModuleError::failed(msg).with("rc", 257));
        }
        let Some(encoding) = Encoding::named(&args.encoding) else {
            let msg = format!("Task failed: Module failed: unknown encoding: {}", args.encoding);
            return Err(ModuleError::failed(msg));
        };
        let before = encoding.decode(&host.read(&args.path)?);
        let (start, end) = match section(&args, &before)? {
            Ok(section) => section,
            Err(pattern) => {
                return Ok(Outcome::new().changed(false).with("rc", 0).msg(format!(
                    "Pattern for before/after params did not match the given file: {pattern}"
                )));
            }
        };
        let flags = Flags { multi_line: true, ..Flags::default() };
        let pattern = Pattern::new(&args.regexp, flags).map_err(broken)?;
        let (middle, count) =
            pattern.replace(&before[start..end], &args.replace, None).map_err(|why| {
                ModuleError::failed(format!("Unable to process replace due to error: {why}"))
            })?;
        let after = format!("{}{middle}{}", &before[..start], &before[end..]);
        let changed = count > 0 && after != before;
        let mut outcome = Outcome::new().with("rc", 0);
        let mut msg = String::new();
        if changed {
            msg = format!("{count} replacements made");
            outcome.set(
                "diff",
                json!({
                    "before": before, "before_header": args.path,
                    "after": after, "after_header": args.path,
                }),
            );
            let saving = Saving {
                path: &args.path,
                validate: args.validate.as_deref(),
                backup: args.backup,
                file: &args.file,
            };
            if let Some(backup) = edit::save(host, &saving, encoding.encode(&after))? {
                outcome.set("backup_file", backup);
            }
        }
        let target = host.real_path(&args.path);
        let touched = host.set_attributes(&target, &args.file, None)?;
        Ok(outcome.changed(changed || touched).msg(edit::message(&msg, touched)))
    }
}

/// The part of the text to look in; the pattern of it where that is not found.
fn section(args: &Args, text: &str) -> Result<Result<(usize, usize), String>, ModuleError> {
    let pattern = match (&args.after, &args.before) {
        (None, None) => return Ok(Ok((0, text.len()))),
        (Some(after), Some(before)) => format!("{after}(?P<subsection>.*?){before}"),
        (Some(after), None) => format!("{after}(?P<subsection>.*)"),
        (None, Some(before)) => format!("(?P<subsection>.*){before}"),
    };
    // In a section `.` matches line ends too. Flags may stand only at the start of a pattern.
    let dot_all = match pattern.strip_prefix("(?") {
        Some(rest) if rest.starts_with(|it: char| "aimsux".contains(it)) => format!("(?s{rest}"),
        _ => format!("(?s){pattern}"),
    };
    // What is wrong with a pattern is told by its places as users count them.
    Pattern::new(&pattern, Flags::default()).map_err(broken)?;
    let compiled = Pattern::new(&dot_all, Flags::default()).map_err(broken)?;
    let found = compiled.find_from(text, 0).map_err(broken)?;
    let place = found.and_then(|it| it.name("subsection").map(|it| (it.start(), it.end())));
    Ok(place.ok_or(pattern))
}

fn broken(why: PatternError) -> ModuleError {
    ModuleError::failed(format!("Task failed: Module failed: {why}"))
}
