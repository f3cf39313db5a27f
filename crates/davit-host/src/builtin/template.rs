//! `ansible.builtin.template`: puts a rendered file on the host.
//!
//! Rendering is the controller's: the text arrives as the attachment `src`. Source:
//! <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/template_module.html>

use std::path::Path;

use davit_module::{Content, FileArgs, Host, Module, ModuleError, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::place::{self, Placing};

/// Renders a Jinja2 file on the controller and puts the result on the host.
///
/// A relative `src` is looked for in the `templates` folder of the role, then beside the play.
/// Beside all variables, a template sees `ansible_managed`, `template_host`, `template_uid`,
/// `template_path`, `template_fullpath`, `template_destpath`, `template_mtime` and
/// `template_run_date`.
///
/// ```yaml
/// - ansible.builtin.template:
///     src: app.conf.j2
///     dest: /etc/app.conf
///     mode: '0644'
///     validate: app --check %s
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The template, on the controller.
    #[schemars(extend("x-type" = "path"))]
    src: String,
    /// Where the rendered file goes on the host. A path that ends in `/` is a folder.
    #[schemars(extend("x-type" = "path"))]
    dest: String,
    /// Keep a copy of the file as it was, with the time in its name.
    #[serde(default)]
    backup: bool,
    /// How lines end in the rendered file.
    #[serde(default, rename = "newline_sequence")]
    #[schemars(extend("x-choices" = ["\\n", "\\r", "\\r\\n", "\n", "\r", "\r\n"]))]
    _newline_sequence: Newline,
    /// What opens a block.
    #[serde(default = "block_start", rename = "block_start_string")]
    _block_start_string: String,
    /// What closes a block.
    #[serde(default = "block_end", rename = "block_end_string")]
    _block_end_string: String,
    /// What opens an expression.
    #[serde(default = "variable_start", rename = "variable_start_string")]
    _variable_start_string: String,
    /// What closes an expression.
    #[serde(default = "variable_end", rename = "variable_end_string")]
    _variable_end_string: String,
    /// What opens a comment.
    #[serde(default, rename = "comment_start_string")]
    _comment_start_string: Option<String>,
    /// What closes a comment.
    #[serde(default, rename = "comment_end_string")]
    _comment_end_string: Option<String>,
    /// Take away the first line end after a block.
    #[serde(default = "yes", rename = "trim_blocks")]
    _trim_blocks: bool,
    /// Take away the blanks before a block, from the start of its line.
    #[serde(default, rename = "lstrip_blocks")]
    _lstrip_blocks: bool,
    /// Replace a file that differs. Without it, only what is not there is written.
    #[serde(default = "yes")]
    force: bool,
    /// Write to what a link at `dest` points to, instead of replacing the link.
    #[serde(default)]
    follow: bool,
    /// The encoding of the rendered file.
    #[serde(default = "utf8", rename = "output_encoding")]
    _output_encoding: String,
    /// A program that must agree with the file before it is put in place; `%s` is its path.
    #[serde(default)]
    validate: Option<String>,
    /// The name that the file has in a folder.
    #[serde(default, rename = "_original_basename")]
    #[schemars(extend("x-hidden" = true))]
    original_basename: Option<String>,
    #[serde(flatten)]
    file: FileArgs,
}

/// How lines end: written out, or as the characters themselves.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
struct Newline(String);

impl Default for Newline {
    fn default() -> Self {
        Self("\\n".to_owned())
    }
}

fn yes() -> bool {
    true
}

fn block_start() -> String {
    "{%".to_owned()
}

fn block_end() -> String {
    "%}".to_owned()
}

fn variable_start() -> String {
    "{{".to_owned()
}

fn variable_end() -> String {
    "}}".to_owned()
}

fn utf8() -> String {
    "utf-8".to_owned()
}

/// `ansible.builtin.template`.
pub(crate) struct Template;

impl Module for Template {
    const NAME: &'static str = "ansible.builtin.template";
    type Args = Args;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        let Some(attachment) = host.attachment("src") else {
            return Err(ModuleError::failed("the rendered text did not come along"));
        };
        let own = Path::new(&args.src).file_name().map(|it| it.to_string_lossy().into_owned());
        let placing = Placing {
            dest: &args.dest,
            name: args.original_basename.clone().or(own),
            src: Some(&args.src),
            force: args.force,
            backup: args.backup,
            follow: args.follow,
            checksum: None,
            validate: args.validate.as_deref(),
            directory_mode: &Value::Null,
            file: &args.file,
        };
        place::put(host, &placing, Content::from(attachment))
    }
}
