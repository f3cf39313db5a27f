//! Calls modules on this machine: a call a line on the input, its reply a line on the output.
//!
//! ```text
//! echo '{"module": "ping", "args": {"data": "hi"}}' | cargo run -p davit-host --example call
//! ```
//!
//! A call may have `check`, `diff` and `environment` too. It knows no connection and no playbook.

#![expect(clippy::print_stdout, reason = "it is what this program is for")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::BufRead;
use std::path::PathBuf;

use davit_host::builtin::MODULES;
use davit_module::{Attachment, Call, Options, Reply, Session};
use serde::Deserialize;

#[derive(Deserialize)]
struct Line {
    module: String,
    args: Reply,
    #[serde(default)]
    check: bool,
    #[serde(default)]
    diff: bool,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// Files that go along, by name.
    #[serde(default)]
    attachments: BTreeMap<String, PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let environment = std::env::vars().collect();
    let session = Session::new(Options { environment, ..Options::default() });
    for line in std::io::stdin().lock().lines() {
        let line: Line = serde_json::from_str(&line?)?;
        let entry = MODULES
            .iter()
            .find(|it| it.short_name() == line.module || it.name == line.module)
            .ok_or_else(|| format!("there is no module {}", line.module))?;
        let attachments = line.attachments.into_iter();
        let call = Call {
            args: line.args,
            check: line.check,
            diff: line.diff,
            environment: line.environment.into_iter().collect(),
            attachments: attachments.map(|(name, path)| (name, Attachment::Path(path))).collect(),
            ..Call::default()
        };
        println!("{}", serde_json::to_string(&entry.call(&session, &call))?);
    }
    Ok(())
}
