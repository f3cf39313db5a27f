//! `ansible.builtin.shell`: runs a text in a shell.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/shell_module.html>

use std::path::PathBuf;

use davit_module::{Host, Module, ModuleError, Outcome, Rules, Support};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::sys::command::{Command, Line};

/// Runs a text in a shell, `/bin/sh` unless told otherwise.
///
/// Put variables through the `quote` filter, so that what they hold cannot become part of the
/// script. Where nothing of the shell is needed, `command` is the safer module.
///
/// The task counts as changed whenever the shell ran. With `creates` or `removes` it runs only
/// where there is something to do, and check mode can say whether it would.
///
/// ```yaml
/// - name: Count the users
///   ansible.builtin.shell: getent passwd | wc -l
///   register: users
///   changed_when: false
///
/// - name: Use what only bash has
///   ansible.builtin.shell:
///     cmd: set -o pipefail; make 2>&1 | tee build.log
///     chdir: /srv/app
///     executable: /bin/bash
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The script, where it is the task's whole text.
    #[schemars(extend("x-hidden" = true))]
    _raw_params: Option<String>,
    /// Always true here.
    #[serde(default, rename = "_uses_shell")]
    #[schemars(extend("x-hidden" = true))]
    _uses_shell: Option<bool>,
    /// The script.
    cmd: Option<String>,
    /// The script as words, joined with spaces.
    #[schemars(extend("x-hidden" = true))]
    argv: Option<Vec<String>>,
    /// Start in this folder. Relative paths in `creates` and `removes` count from it.
    #[schemars(extend("x-type" = "path"))]
    chdir: Option<PathBuf>,
    /// A path or a shell pattern: where something is there, the script is not run. Looked at
    /// before `removes`.
    #[schemars(extend("x-type" = "path"))]
    creates: Option<String>,
    /// A path or a shell pattern: where nothing is there, the script is not run.
    #[schemars(extend("x-type" = "path"))]
    removes: Option<String>,
    /// The absolute path of the shell that is to run it.
    #[schemars(extend("x-type" = "path"))]
    executable: Option<String>,
    /// What the script reads from its standard input.
    stdin: Option<String>,
    /// End the input with a line end.
    #[serde(default = "yes")]
    stdin_add_newline: bool,
    /// Take line ends away from the end of what the script said.
    #[serde(default = "yes")]
    #[schemars(extend("x-hidden" = true))]
    strip_empty_ends: bool,
    /// Has no effect: the shell puts variables in by itself.
    #[serde(default = "yes", rename = "expand_argument_vars")]
    #[schemars(extend("x-hidden" = true))]
    _expand_argument_vars: bool,
}

fn yes() -> bool {
    true
}

/// `ansible.builtin.shell`.
pub(crate) struct Shell;

impl Module for Shell {
    const NAME: &'static str = "ansible.builtin.shell";
    type Args = Args;
    const RULES: Rules = Rules {
        mutually_exclusive: &[&["_raw_params", "cmd", "argv"]],
        required_one_of: &[&["_raw_params", "cmd", "argv"]],
        ..Rules::NONE
    };
    const FREE_FORM: Option<&'static str> = Some("_raw_params");
    const CHECK_MODE: Support = Support::Partial;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        // A task without a text has an empty one.
        let raw = args._raw_params.filter(|it| !it.is_empty());
        if raw.is_none() && args.cmd.is_none() && args.argv.is_none() {
            let why = "one of the following is required: _raw_params, cmd, argv";
            return Err(ModuleError::failed(why));
        }
        let text = raw.or(args.cmd);
        let text = text.or_else(|| args.argv.map(|it| it.join(" "))).unwrap_or_default();
        Command {
            line: Line::Shell { text, executable: args.executable },
            chdir: args.chdir,
            creates: args.creates,
            removes: args.removes,
            stdin: args.stdin,
            stdin_add_newline: args.stdin_add_newline,
            strip_empty_ends: args.strip_empty_ends,
            expand: false,
        }
        .run(host)
    }
}
