//! `ansible.builtin.command`: runs a program, without a shell.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/command_module.html>

use std::path::PathBuf;

use davit_module::{Host, Module, ModuleError, Outcome, Rules, Support};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::sys::command::{Command as Task, Line};

/// Runs a program, without a shell.
///
/// The command is split into words as a shell would split it, but nothing else that a shell does
/// happens: `<`, `>`, `|`, `&`, `;` and `*` are plain text. For those use `shell`.
///
/// The task counts as changed whenever the program ran. With `creates` or `removes` it runs only
/// where there is something to do, and check mode can say whether it would.
///
/// ```yaml
/// - name: Read the kernel's release
///   ansible.builtin.command: uname -r
///   register: kernel
///   changed_when: false
///
/// - name: Make the database once
///   ansible.builtin.command:
///     argv: [/usr/bin/make_database.sh, "user name", db]
///     creates: /var/lib/database
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The command, where it is the task's whole text.
    #[schemars(extend("x-hidden" = true))]
    _raw_params: Option<String>,
    /// Run it through a shell.
    #[serde(default)]
    #[schemars(extend("x-hidden" = true))]
    _uses_shell: bool,
    /// The program and its arguments as a list: no word needs quotes.
    argv: Option<Vec<String>>,
    /// The command as text.
    cmd: Option<String>,
    /// Start in this folder. Relative paths in `creates` and `removes` count from it.
    #[schemars(extend("x-type" = "path"))]
    chdir: Option<PathBuf>,
    /// A path or a shell pattern: where something is there, the command is not run. Looked at
    /// before `removes`.
    #[schemars(extend("x-type" = "path"))]
    creates: Option<String>,
    /// A path or a shell pattern: where nothing is there, the command is not run.
    #[schemars(extend("x-type" = "path"))]
    removes: Option<String>,
    /// The shell to use. Without a shell it has no effect.
    #[schemars(extend("x-hidden" = true, "x-type" = "path"))]
    executable: Option<String>,
    /// What the program reads from its standard input.
    stdin: Option<String>,
    /// End the input with a line end.
    #[serde(default = "yes")]
    stdin_add_newline: bool,
    /// Take line ends away from the end of what the program said.
    #[serde(default = "yes")]
    strip_empty_ends: bool,
    /// Put in the values of `$NAME` and `~` in words. A variable that is not there stays as it is
    /// written.
    #[serde(default = "yes")]
    expand_argument_vars: bool,
}

fn yes() -> bool {
    true
}

/// `ansible.builtin.command`.
pub(crate) struct Command;

impl Module for Command {
    const NAME: &'static str = "ansible.builtin.command";
    type Args = Args;
    const RULES: Rules = Rules {
        mutually_exclusive: &[&["_raw_params", "cmd", "argv"]],
        required_one_of: &[&["_raw_params", "cmd", "argv"]],
        ..Rules::NONE
    };
    const FREE_FORM: Option<&'static str> = Some("_raw_params");
    const CHECK_MODE: Support = Support::Partial;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        let text = args._raw_params.or(args.cmd);
        let line = match (text, args.argv) {
            (Some(text), _) if args._uses_shell => {
                Line::Shell { text, executable: args.executable }
            }
            (text, argv) => {
                if let Some(shell) = args.executable.filter(|it| !it.is_empty()) {
                    host.warn(format!(
                        "As of Ansible 2.4, the parameter 'executable' is no longer supported with \
                         the 'command' module. Not using '{shell}'."
                    ));
                }
                match text {
                    Some(text) if text.is_empty() => {
                        let why = "Argument 'args' to run_command must be list or string";
                        let cmd = serde_json::Value::Null;
                        return Err(ModuleError::failed(why).with("rc", 257).with("cmd", cmd));
                    }
                    Some(text) => Line::of_text(&text)?,
                    None => Line::Words(argv.unwrap_or_default()),
                }
            }
        };
        Task {
            line,
            chdir: args.chdir,
            creates: args.creates,
            removes: args.removes,
            stdin: args.stdin,
            stdin_add_newline: args.stdin_add_newline,
            strip_empty_ends: args.strip_empty_ends,
            expand: args.expand_argument_vars,
        }
        .run(host)
    }
}

#[cfg(test)]
mod tests {
    use davit_module::{Call, Entry, Session};
    use serde_json::{Value, json};

    use super::*;

    /// The result's keys that `expect` names.
    fn check(args: Value, check: bool, expect: Value) {
        let call = Call { args: args.as_object().unwrap().clone(), check, ..Call::default() };
        let reply = Entry::of::<Command>().call(&Session::default(), &call);
        for (key, value) in expect.as_object().unwrap() {
            assert_eq!(reply.get(key).unwrap_or(&Value::Null), value, "{key} of {args}: {reply:?}");
        }
    }

    #[test]
    fn results_tell_what_happened() {
        check(
            json!({"_raw_params": "echo 'a b'  c"}),
            false,
            json!({"changed": true, "rc": 0, "cmd": ["echo", "a b", "c"], "stdout": "a b c", "msg": ""}),
        );
        check(
            json!({"argv": ["sh", "-c", "echo x >&2; exit 3"]}),
            false,
            json!({"failed": true, "changed": true, "rc": 3, "stderr_lines": ["x"], "msg": "non-zero return code"}),
        );
        check(
            json!({"cmd": "cat", "stdin": "in", "strip_empty_ends": false}),
            false,
            json!({"stdout": "in\n"}),
        );
        check(
            json!({"cmd": "nosuchcmd 'a b'"}),
            false,
            json!({"failed": true, "changed": false, "rc": 2, "cmd": "nosuchcmd 'a b'", "msg": "Error executing command."}),
        );
        check(
            json!({"cmd": "echo 'a"}),
            false,
            json!({"msg": "Task failed: Module failed: No closing quotation"}),
        );
        check(
            json!({"cmd": "pwd", "chdir": "/nosuch"}),
            false,
            json!({"failed": true, "rc": null, "msg": "Unable to change directory before execution."}),
        );
        check(json!({"cmd": "pwd", "chdir": "/"}), false, json!({"stdout": "/"}));
    }

    #[test]
    fn guards_decide_whether_it_runs() {
        check(
            json!({"cmd": "false", "creates": "/etc/pass*"}),
            false,
            json!({"changed": false, "rc": 0, "msg": "Did not run command since '/etc/pass*' exists", "stdout": "skipped, since /etc/pass* exists"}),
        );
        check(
            json!({"cmd": "false", "chdir": "/etc", "creates": "passwd"}),
            false,
            json!({"changed": false, "msg": "Did not run command since 'passwd' exists"}),
        );
        check(
            json!({"cmd": "false", "removes": "/nosuch"}),
            true,
            json!({"changed": false, "msg": "Would not run command since '/nosuch' does not exist"}),
        );
        check(json!({"cmd": "false"}), true, json!({"changed": false, "skipped": true, "rc": 0}));
        check(
            json!({"cmd": "false", "creates": "/nosuch"}),
            true,
            json!({"changed": true, "skipped": null, "start": null}),
        );
    }

    #[test]
    fn words_may_hold_variables() {
        let call = Call {
            args: json!({"argv": ["echo", "$WHO", "${WHO}x", "$NOSUCH"]})
                .as_object()
                .unwrap()
                .clone(),
            environment: vec![("WHO".into(), "me".into())],
            ..Call::default()
        };
        let reply = Entry::of::<Command>().call(&Session::default(), &call);
        assert_eq!(reply["stdout"], "me mex $NOSUCH");
        assert_eq!(reply["cmd"], json!(["echo", "$WHO", "${WHO}x", "$NOSUCH"]));
    }
}
