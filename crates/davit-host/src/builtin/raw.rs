//! `ansible.builtin.raw`: hands a text to the host's shell as it is.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/raw_module.html>

use davit_module::{Host, Module, ModuleError, Outcome, Rules, Support};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::sys::command::plain_shell;

/// Hands a text to the host's shell as it is. `shell` does more and is nearly always the better
/// module: it can be guarded, and it tells when it ran.
///
/// Skipped in check mode.
///
/// ```yaml
/// - name: Say which system this is
///   ansible.builtin.raw: cat /etc/os-release
///   changed_when: false
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The text.
    #[schemars(extend("x-hidden" = true))]
    _raw_params: Option<String>,
    /// The absolute path of the shell that is to run it; `/bin/sh` where it is not given.
    executable: Option<String>,
}

/// `ansible.builtin.raw`.
pub(crate) struct Raw;

impl Module for Raw {
    const NAME: &'static str = "ansible.builtin.raw";
    type Args = Args;
    const RULES: Rules = Rules { required_one_of: &[&["_raw_params"]], ..Rules::NONE };
    const FREE_FORM: Option<&'static str> = Some("_raw_params");
    const CHECK_MODE: Support = Support::None;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        if host.is_check() {
            return Ok(Outcome::new().changed(false).with("skipped", true));
        }
        let text = args._raw_params.unwrap_or_default();
        if text.is_empty() {
            return Err(ModuleError::failed("there is no command to run"));
        }
        plain_shell(host, args.executable.as_deref(), &text)
    }
}

#[cfg(test)]
mod tests {
    use davit_module::{Call, Entry, Session};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn output_is_told_as_it_came() {
        let check = |text: &str, key: &str, expect: Value| {
            let args = json!({ "_raw_params": text }).as_object().unwrap().clone();
            let call = Call { args, ..Call::default() };
            let reply = Entry::of::<Raw>().call(&Session::default(), &call);
            assert_eq!(reply[key], expect, "{key} of {text}");
        };
        check("echo hi; echo err >&2", "stdout", json!("hi\n"));
        check("echo hi; echo err >&2", "stderr_lines", json!(["err"]));
        check("exit 2", "msg", json!("non-zero return code"));
        check("exit 2", "rc", json!(2));
        check("exit 2", "changed", json!(true));
    }
}
