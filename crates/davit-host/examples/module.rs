//! Runs one module on this machine: `module NAME ARGUMENTS-AS-JSON [check] [attachment=path]`.
#![expect(clippy::print_stdout, reason = "an example")]

use std::collections::BTreeMap;

use davit_host::builtin::MODULES;
use davit_module::{Attachment, Call, Options, Session};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let name = words.next().ok_or("which module?")?;
    let args = serde_json::from_str(&words.next().unwrap_or_else(|| "{}".to_owned()))?;
    let entry = MODULES.iter().find(|it| it.short_name() == name || it.name == name);
    let entry = entry.ok_or("there is no such module")?;
    let mut call = Call { args, attachments: BTreeMap::new(), ..Call::default() };
    for word in words {
        match word.split_once('=') {
            Some((name, path)) => {
                call.attachments.insert(name.to_owned(), Attachment::Path(path.into()));
            }
            None => call.check = word == "check",
        }
    }
    let options = Options { environment: std::env::vars().collect(), ..Options::default() };
    let reply = entry.call(&Session::new(options), &call);
    println!("{}", serde_json::to_string_pretty(&reply)?);
    Ok(())
}
