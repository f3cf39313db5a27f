//! Files that tasks name: are they there?

use std::path::{Path, PathBuf};

use davit_playbook::Task;
use davit_value::{Origin, Value};

use crate::walk::{Place, Seen, constant};
use crate::{Finding, Lint, Severity};

/// The file of the controller that `name` means, searched as `folder/name` and as `name` beside the tasks, in
/// the role and beside the playbook.
pub(crate) fn find(place: &Place, playbook: &Path, folder: &str, name: &str) -> Option<PathBuf> {
    let bases = place.role.iter().chain([&place.folder]).map(PathBuf::as_path).chain([playbook]);
    let above = place.folder.parent();
    bases
        .chain(above)
        .flat_map(|base| [base.join(folder).join(name), base.join(name)])
        .find(|it| it.exists())
}

/// Says that the file `name` is not there.
pub(crate) fn missing(lint: &Lint<'_>, at: &Origin, name: &str, tolerated: bool) {
    let severity = if tolerated { Severity::Warning } else { Severity::Error };
    lint.add(Finding::new("file-not-found", severity, at, format!("file '{name}' was not found")));
}

/// The file that `task` reads on the controller, and the folder that it is searched in.
fn source(task: &Task) -> Option<(&'static str, Value)> {
    let off = |value: Option<&Value>| {
        value.is_none_or(|it| {
            it.as_bool() == Some(false) || matches!(it.as_str(), Some("no" | "false" | "no "))
        })
    };
    let arg = |name: &str| task.args.get(name).cloned();
    match task.short_action() {
        "copy" | "unarchive" | "assemble" => {
            // What `assemble` reads is on the host unless it is said that it is not.
            let away = if task.short_action() == "assemble" {
                !matches!(task.args.get("remote_src"), Some(Value::Bool(false)))
            } else {
                !off(task.args.get("remote_src")) || task.args.contains("copy")
            };
            if away { None } else { Some(("files", arg("src")?)) }
        }
        "template" => Some(("templates", arg("src")?)),
        "script" => {
            let line = arg("cmd").or_else(|| task.raw_params.clone().map(Value::Str))?;
            let first = constant(&line)?.split_whitespace().next()?.to_owned();
            if first.contains(['"', '\'', '\\']) {
                return None;
            }
            let mut mark = line.as_text()?.mark().cloned().unwrap_or_default();
            mark.trusted = true;
            Some(("files", Value::Str(davit_value::Str::marked(first, mark))))
        }
        "include_vars" => {
            let file = arg("file").or_else(|| task.raw_params.clone().map(Value::Str))?;
            Some(("vars", file))
        }
        _ => None,
    }
}

/// Looks whether the file of a task is there; gives a template's path where it is.
pub(crate) fn check(
    lint: &Lint<'_>,
    seen: &Seen,
    playbook: &Path,
    made: &[String],
) -> Option<PathBuf> {
    let task = &*seen.task;
    let (folder, value) = source(task)?;
    let name = constant(&value)?;
    // An absolute path, or one that an earlier task names, may come into being while it runs.
    let base = name.trim_end_matches('/').rsplit('/').next().unwrap_or(name);
    if name.is_empty() || name.starts_with(['/', '~']) || name.contains("://") || name == "omit" {
        return None;
    }
    if let Some(path) = find(&seen.place, playbook, folder, name) {
        return (task.short_action() == "template" && path.is_file()).then_some(path);
    }
    if made.iter().any(|text| text.contains(base)) {
        return None;
    }
    let at = value.origin().map_or_else(|| task.origin.clone(), |at| lint.sources.word(at, name));
    missing(lint, &at, name, seen.place.tolerated || seen.place.conditional || seen.place.remote);
    None
}
