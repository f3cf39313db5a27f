//! `ansible.builtin.async_status`: how a job is getting on, or the removal of its result.
//!
//! What a job is and where its result is kept: see [`crate::job`]. Source:
//! <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/async_status_module.html>

use std::path::{Path, PathBuf};

use davit_module::{Host, Module, ModuleError, Outcome, Reply};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::job::{self, Record, folder_of};
use crate::sys::text;

/// Says how a job that was started with `async` is getting on, or removes its result.
///
/// `finished` is true once the job is done; the result then has all that its module said. The job
/// failed: this fails too.
///
/// ```yaml
/// - name: Wait for the upgrade that was started above
///   ansible.builtin.async_status:
///     jid: "{{ upgrade.ansible_job_id }}"
///   register: job
///   until: job is finished
///   retries: 100
///   delay: 10
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The job: `ansible_job_id` of the task that started it.
    jid: String,
    /// What to do.
    #[serde(default)]
    mode: Mode,
    /// The folder of results.
    #[serde(default, rename = "_async_dir")]
    #[schemars(extend("x-hidden" = true, "x-type" = "path"))]
    folder: Option<String>,
}

/// What to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// Say how it is getting on.
    #[default]
    Status,
    /// Remove what is kept of the job, whether it is done or not.
    Cleanup,
}

/// `ansible.builtin.async_status`.
pub(crate) struct AsyncStatus;

impl Module for AsyncStatus {
    const NAME: &'static str = "ansible.builtin.async_status";
    type Args = Args;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        let written = args.folder.or_else(|| host.variable("ANSIBLE_ASYNC_DIR"));
        let folder = folder_of(&written.unwrap_or_default(), &|name| host.variable(name));
        let record = Record::of(&folder, &args.jid);
        let start = json!({
            "ansible_job_id": args.jid,
            "started": true,
            "finished": false,
            "stdout": "",
            "stderr": "",
            "stdout_lines": [],
            "stderr_lines": [],
        });
        let mut keys = start.as_object().cloned().unwrap_or_default();
        let name = if args.mode == Mode::Cleanup { "erased" } else { "results_file" };
        keys.insert(name.to_owned(), json!(record.result()));
        let is_name = !args.jid.is_empty() && !args.jid.contains('/');
        if !is_name || !host.is_file(record.result()) {
            keys.insert("finished".to_owned(), true.into());
            let error = ModuleError::failed("could not find job");
            return Err(keys
                .into_iter()
                .fold(error, |error, (key, value)| error.with(&key, value)));
        }
        if args.mode == Mode::Cleanup {
            erase(host, &record)?;
            keys.insert("started".to_owned(), false.into());
            return Ok(outcome(keys, false));
        }
        let mut found = look(host, &record)?;
        if let Some(changes) = found.remove(job::CHANGES) {
            // What cannot be read was written by another version, and can only be left out.
            host.adopt_changes(serde_json::from_value(changes).unwrap_or_default());
        }
        let changed = found.get("changed").and_then(Value::as_bool).unwrap_or(false);
        for (key, value) in found {
            if let ("stdout" | "stderr", Some(text)) = (key.as_str(), value.as_str()) {
                keys.insert(format!("{key}_lines"), text::lines(text).into());
            }
            keys.insert(key, value);
        }
        Ok(outcome(keys, changed))
    }
}

fn outcome(keys: Reply, changed: bool) -> Outcome {
    let outcome = Outcome::new().changed(changed).without_path_keys();
    keys.into_iter().fold(outcome, |outcome, (key, value)| outcome.with(&key, value))
}

/// What the job has said by now; nothing where it is at work.
fn look(host: &Host<'_>, record: &Record) -> Result<Reply, ModuleError> {
    let result = read(host, record.result())?;
    if is_done(&result) {
        return Ok(finished(result));
    }
    if !record.is_dead() {
        return Ok(Reply::new());
    }
    // It may have ended well between the two looks.
    let result = read(host, record.result())?;
    if is_done(&result) {
        return Ok(finished(result));
    }
    let mut dead = Reply::new();
    dead.insert("failed".to_owned(), true.into());
    dead.insert("msg".to_owned(), "the job was killed before it was done".into());
    Ok(finished(dead))
}

/// The record of a job; empty where it is not whole.
fn read(host: &Host<'_>, path: &Path) -> Result<Reply, ModuleError> {
    let bytes = host.read(path)?;
    Ok(match serde_json::from_slice(&bytes) {
        Ok(Value::Object(map)) => map,
        _ => Reply::new(),
    })
}

/// Only the record of a job that is at work says that it was started.
fn is_done(result: &Reply) -> bool {
    !result.is_empty() && (!result.contains_key("started") || result["finished"] == true)
}

fn finished(mut result: Reply) -> Reply {
    result.insert("started".to_owned(), true.into());
    result.insert("finished".to_owned(), true.into());
    result.remove("invocation");
    result
}

fn erase(host: &mut Host<'_>, record: &Record) -> Result<(), ModuleError> {
    let mut paths: Vec<PathBuf> = vec![record.result().to_path_buf()];
    if record.is_dead() {
        // A job that is at work still needs it, and removes it itself.
        paths.push(record.spool().to_path_buf());
    }
    for path in paths {
        host.discard(&path).map_err(|err| ModuleError::io("remove", path, err))?;
    }
    Ok(())
}
