//! `ansible.builtin.ping`: says that modules run on the host.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/ping_module.html>

use davit_module::{Host, Module, ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;

/// Says that the host was reached and that modules run there. No packet of ICMP is sent.
///
/// ```yaml
/// - name: See whether the host answers
///   ansible.builtin.ping:
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// What to answer; `crash` makes the module fail.
    #[serde(default = "pong")]
    data: String,
}

fn pong() -> String {
    "pong".to_owned()
}

/// `ansible.builtin.ping`.
pub(crate) struct Ping;

impl Module for Ping {
    const NAME: &'static str = "ansible.builtin.ping";
    type Args = Args;

    fn run(_: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        if args.data == "crash" {
            return Err(ModuleError::failed("Task failed: Module failed: boom"));
        }
        Ok(Outcome::new().changed(false).with("ping", args.data))
    }
}
