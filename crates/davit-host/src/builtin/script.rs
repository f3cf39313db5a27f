//! `ansible.builtin.script`: runs a script of the controller's on the host.
//!
//! The controller sends the script along as the attachment `script`; the text of the task still
//! names it, with its arguments behind it.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/script_module.html>

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use davit_module::{Attachment, Host, Module, ModuleError, Outcome, Rules, Support};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::sys::command::plain_shell;
use crate::sys::text::{first_word, shell_quote};

/// The name of the attachment that holds the script.
const ATTACHMENT: &str = "script";

/// Runs a script that is on the controller on the host.
///
/// The script is sent over, run through the host's shell with the arguments behind its name, and
/// removed again. Arguments are shell text: quotes and variables mean what they mean there.
///
/// ```yaml
/// - name: Prepare the database once
///   ansible.builtin.script: prepare.sh --name "my db"
///   args:
///     creates: /var/lib/db/ready
///
/// - name: Run a script in a language of its own
///   ansible.builtin.script:
///     cmd: report.py --all
///     executable: python3
///     chdir: /srv/report
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The script and its arguments, where they are the task's whole text.
    #[schemars(extend("x-hidden" = true))]
    _raw_params: Option<String>,
    /// The path of the script on the controller, with its arguments behind it. A path with spaces
    /// needs quotes.
    cmd: Option<String>,
    /// Start in this folder of the host, an absolute path.
    chdir: Option<String>,
    /// A path on the host: where something is there, the script is not run.
    creates: Option<String>,
    /// A path on the host: where nothing is there, the script is not run.
    removes: Option<String>,
    /// The program that is to run the script; without it the script says so itself.
    executable: Option<String>,
    /// Decrypt a script that is kept in a vault.
    #[serde(default = "yes", rename = "decrypt")]
    _decrypt: bool,
}

fn yes() -> bool {
    true
}

/// `ansible.builtin.script`.
pub(crate) struct Script;

impl Module for Script {
    const NAME: &'static str = "ansible.builtin.script";
    type Args = Args;
    const RULES: Rules = Rules {
        mutually_exclusive: &[&["_raw_params", "cmd"]],
        required_one_of: &[&["_raw_params", "cmd"]],
        ..Rules::NONE
    };
    const FREE_FORM: Option<&'static str> = Some("_raw_params");
    const CHECK_MODE: Support = Support::Partial;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        let given = |it: &Option<String>| it.clone().filter(|it| !it.is_empty());
        let (creates, removes) = (given(&args.creates), given(&args.removes));
        let skipped =
            |msg: String| Ok(Outcome::new().changed(false).with("skipped", true).msg(msg));
        if let Some(path) = creates.as_ref().filter(|it| host.exists(Path::new(it))) {
            return skipped(format!("{path} exists, matching creates option"));
        }
        if let Some(path) = removes.as_ref().filter(|it| !host.exists(Path::new(it))) {
            return skipped(format!("{path} does not exist, matching removes option"));
        }
        let chdir = given(&args.chdir);
        if let Some(folder) = chdir.as_ref().filter(|it| !it.starts_with(['/', '~'])) {
            return Err(ModuleError::failed(format!(
                "chdir {folder} must be an absolute path for a Unix-aware remote node"
            )));
        }
        if host.is_check() {
            if creates.is_some() || removes.is_some() {
                return Ok(Outcome::new().changed(true));
            }
            return skipped("Check mode is not supported for this task.".to_owned());
        }
        let text = args._raw_params.or(args.cmd).unwrap_or_default();
        let (name, rest) = first_word(text.trim());
        let Some(script) = host.attachment(ATTACHMENT) else {
            return Err(ModuleError::failed(format!("the script {name} was not sent along")));
        };
        let folder = tempfile::Builder::new()
            .prefix("davit-script-")
            .tempdir_in(host.tmp())
            .map_err(|err| ModuleError::io("make a folder in", host.tmp(), err))?;
        let path = place(script, folder.path(), &name)
            .map_err(|err| ModuleError::io("write", folder.path(), err))?;
        let mut line = format!("{} {rest}", shell_quote(&path.to_string_lossy()));
        if let Some(executable) = given(&args.executable) {
            line = format!("{executable} {line}");
        }
        if let Some(folder) = chdir {
            let folder = if folder.starts_with('~') { folder } else { shell_quote(&folder) };
            line = format!("cd {folder} && {line}");
        }
        plain_shell(host, None, line.trim_end())
    }
}

/// Puts the script into `folder`, under its own name, so that it can say how it was called.
fn place(script: &Attachment, folder: &Path, name: &str) -> io::Result<PathBuf> {
    let name = Path::new(name).file_name().unwrap_or("script".as_ref());
    let path = folder.join(name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o700).open(&path)?;
    io::copy(&mut script.open()?, &mut file)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use davit_module::{Call, Entry, Session};
    use serde_json::{Value, json};

    use super::*;

    fn check(args: Value, check: bool, expect: Value) {
        let script = b"#!/bin/sh\necho \"$0: $*\" | sed 's:.*/::'; exit ${RC:-0}\n";
        let attachment = Attachment::Bytes(script.to_vec().into());
        let call = Call {
            args: args.as_object().unwrap().clone(),
            check,
            attachments: BTreeMap::from([(ATTACHMENT.to_owned(), attachment)]),
            ..Call::default()
        };
        let reply = Entry::of::<Script>().call(&Session::default(), &call);
        for (key, value) in expect.as_object().unwrap() {
            assert_eq!(reply.get(key).unwrap_or(&Value::Null), value, "{key} of {args}: {reply:?}");
        }
    }

    #[test]
    fn scripts_run_with_their_arguments() {
        check(
            json!({"_raw_params": "dir/s.sh a \"b c\" $((1+1))"}),
            false,
            json!({"stdout": "s.sh: a b c 2\n", "rc": 0, "changed": true}),
        );
        check(
            json!({"cmd": "'s s.sh' a", "executable": "sh"}),
            false,
            json!({"stdout": "s s.sh: a\n"}),
        );
        check(json!({"cmd": "s.sh", "chdir": "/nosuch"}), false, json!({"failed": true}));
        check(
            json!({"cmd": "s.sh", "chdir": "tmp"}),
            false,
            json!({"failed": true, "changed": false}),
        );
    }

    #[test]
    fn guards_and_check_mode_skip() {
        let guarded = json!({"cmd": "s.sh", "creates": "/etc/passwd"});
        check(
            guarded,
            false,
            json!({"skipped": true, "msg": "/etc/passwd exists, matching creates option"}),
        );
        check(
            json!({"cmd": "s.sh", "removes": "/nosuch"}),
            true,
            json!({"skipped": true, "msg": "/nosuch does not exist, matching removes option"}),
        );
        check(json!({"cmd": "s.sh"}), true, json!({"skipped": true, "changed": false}));
        check(json!({"cmd": "s.sh", "creates": "/nosuch"}), true, json!({"changed": true}));
    }
}
