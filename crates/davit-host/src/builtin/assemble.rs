//! `ansible.builtin.assemble`: one file out of the pieces in a folder.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/assemble_module.html>

use std::path::{Path, PathBuf};

use davit_module::{Content, FileArgs, Host, Module, ModuleError, Outcome, WriteOptions};
use davit_pattern::{Flags, Pattern};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::place::{self, Placing, Sums};

/// Makes one file out of the pieces in a folder, in the order of their names.
///
/// ```yaml
/// - ansible.builtin.assemble:
///     src: /etc/app/conf.d
///     dest: /etc/app/app.conf
///     validate: app --check %s
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The folder with the pieces: on the host, or without `remote_src` on the controller.
    #[schemars(extend("x-type" = "path"))]
    src: String,
    /// The file to make.
    #[schemars(extend("x-type" = "path"))]
    dest: String,
    /// Keep a copy of the file as it was, with the time in its name.
    #[serde(default)]
    backup: bool,
    /// What stands between two pieces; `\n` and the like are put in.
    #[serde(default)]
    delimiter: Option<String>,
    /// `src` is on the host.
    #[serde(default = "yes", rename = "remote_src")]
    _remote_src: bool,
    /// Take only the pieces whose names match this pattern.
    #[serde(default)]
    regexp: Option<String>,
    /// Leave out pieces whose names begin with a dot.
    #[serde(default)]
    ignore_hidden: bool,
    /// A program that must agree with the file before it is put in place; `%s` is its path.
    #[serde(default)]
    validate: Option<String>,
    /// Decrypt pieces that are vault files. This is done on the controller.
    #[serde(default = "yes", rename = "decrypt")]
    _decrypt: bool,
    #[serde(flatten)]
    file: FileArgs,
}

fn yes() -> bool {
    true
}

/// `ansible.builtin.assemble`.
pub(crate) struct Assemble;

impl Module for Assemble {
    const NAME: &'static str = "ansible.builtin.assemble";
    type Args = Args;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        if let Some(attachment) = host.attachment("src") {
            return sent(host, &args, Content::from(attachment));
        }
        let src = Path::new(&args.src);
        if !host.exists(src) {
            let msg = format!("Source ({}) does not exist", args.src);
            return Err(ModuleError::failed(msg));
        }
        if !host.is_dir(src) {
            let msg = format!("Source ({}) is not a directory", args.src);
            return Err(ModuleError::failed(msg));
        }
        let bytes = pieces(host, &args)?;
        let dest = PathBuf::from(&args.dest);
        if host.is_dir(&dest) {
            let msg = format!("attempted to take checksum of directory: {}", args.dest);
            return Err(ModuleError::failed(msg));
        }
        let content = Content::from(bytes);
        let sums = Sums::of(&content)?;
        let mut outcome = Outcome::new()
            .with("src", &args.src)
            .with("dest", &args.dest)
            .with("checksum", &sums.sha1)
            .with("md5sum", &sums.md5)
            .msg("OK");
        let mut changed = !host.exists(&dest) || host.sha1(&dest)? != sums.sha1;
        if changed {
            let parent = dest.parent().unwrap_or(Path::new(""));
            if !parent.as_os_str().is_empty() && !host.exists(parent) {
                return Err(place::no_folder(parent));
            }
            let options = WriteOptions {
                validate: args.validate.as_deref(),
                refuse: None,
                backup: args.backup,
                unsafe_writes: args.file.unsafe_writes,
            };
            if let Some(backup) = host.write(&dest, content, &options)?.backup_file {
                outcome.set("backup_file", backup);
            }
        }
        changed |= host.set_attributes(&dest, &args.file, None)?;
        Ok(outcome.changed(changed))
    }
}

/// The file that the controller made out of its own pieces.
fn sent(host: &mut Host<'_>, args: &Args, content: Content) -> Result<Outcome, ModuleError> {
    let name = Path::new(&args.src).file_name().map(|it| it.to_string_lossy().into_owned());
    let placing = Placing {
        dest: &args.dest,
        name,
        src: Some(&args.src),
        force: true,
        backup: args.backup,
        follow: false,
        checksum: None,
        validate: args.validate.as_deref(),
        directory_mode: &serde_json::Value::Null,
        file: &args.file,
    };
    place::put(host, &placing, content)
}

/// All pieces in one.
fn pieces(host: &Host<'_>, args: &Args) -> Result<Vec<u8>, ModuleError> {
    let pattern =
        match &args.regexp {
            Some(text) => Some(Pattern::new(text, Flags::default()).map_err(|why| {
                ModuleError::failed(format!("Invalid Regexp ({why}) in \"{text}\""))
            })?),
            None => None,
        };
    let delimiter = args.delimiter.as_deref().map(unescape);
    let mut out: Vec<u8> = Vec::new();
    let mut first = true;
    let mut open = false;
    for name in host.read_dir(Path::new(&args.src))? {
        let text = name.to_string_lossy();
        if pattern.as_ref().is_some_and(|it| !it.search(&text).unwrap_or(false)) {
            continue;
        }
        let path = Path::new(&args.src).join(&name);
        if !host.is_file(&path) || (args.ignore_hidden && text.starts_with('.')) {
            continue;
        }
        let piece = host.read(&path)?;
        if open {
            out.push(b'\n');
        }
        if let Some(delimiter) = delimiter.as_deref().filter(|it| !first && !it.is_empty()) {
            out.extend_from_slice(delimiter.as_bytes());
            if !delimiter.ends_with('\n') {
                out.push(b'\n');
            }
        }
        open = !piece.ends_with(b"\n");
        out.extend_from_slice(&piece);
        first = false;
    }
    Ok(out)
}

/// A text in which `\n`, `\t` and the like stand for what they mean.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some(other @ ('\\' | '\'' | '"')) => out.push(other),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
    out
}
