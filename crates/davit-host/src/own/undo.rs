//! `davit.host.undo`: puts back what the journal of a run says that it changed here.
//!
//! What the changes are, and what is put back when, is `davit_module::undo`'s affair.

use davit_module::{Change, Did, Host, Module, ModuleError, Outcome, undo};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Undoes changes of an earlier run, unless something else has changed the same since.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The changes as their events have them, newest first; with `no_log: true` in those whose
    /// content is not to be shown.
    changes: Vec<Map<String, Value>>,
}

/// `davit.host.undo`.
pub(crate) struct Undo;

impl Module for Undo {
    const NAME: &'static str = "davit.host.undo";
    type Args = Args;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        let hidden: Vec<bool> =
            args.changes.iter().map(|it| it.get("no_log") == Some(&true.into())).collect();
        let changes: Vec<Change> = args
            .changes
            .into_iter()
            .map(|it| serde_json::from_value(Value::Object(it)))
            .collect::<Result<_, _>>()
            .map_err(|err| ModuleError::failed(format!("a change cannot be read: {err}")))?;
        let report = undo(host, &changes, &|it| hidden.get(it).copied().unwrap_or(true));
        if host.cancel().is_cancelled() {
            return Err(ModuleError::Cancelled);
        }
        let changed = report.iter().any(|it| it.did == Did::Undone);
        Ok(Outcome::new().changed(changed).with("undone", report))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use davit_module::{Call, Content, Entry, Host, Options, Session, WriteOptions};
    use serde_json::json;

    #[test]
    fn a_change_goes_out_and_comes_back_through_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Some(folder.path().join("keep"));
        let session = Session::new(Options { keep, ..Options::default() });
        let path = folder.path().join("motd");
        fs::write(&path, "old").unwrap();
        let mut call = Call::default();
        let content = Content::from(b"new".to_vec());
        Host::new(&session, &call).write(&path, content, &WriteOptions::default()).unwrap();

        let changes = json!(session.take_changes());
        call.args.insert("changes".to_owned(), changes);
        let entry: &Entry = super::super::MODULES.last().unwrap();
        let reply = entry.call(&session, &call);
        assert_eq!(reply["changed"], true, "{reply:?}");
        assert_eq!(reply["undone"][0]["did"], "undone");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(entry.call(&session, &call)["undone"][0]["did"], "already");
        call.args.insert("changes".to_owned(), json!([{"kind": "write"}]));
        assert_eq!(entry.call(&session, &call)["failed"], true);
    }
}
