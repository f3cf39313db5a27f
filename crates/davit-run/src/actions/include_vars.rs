//! `ansible.builtin.include_vars`: reads variables from files of the controller.

use std::path::{Path, PathBuf};

use davit_module::Rules;
use davit_value::{Map, Value};
use schemars::JsonSchema;

use super::{flag, text};
use crate::action::{Action, Outcome, Running};
use crate::context::TaskContext;

/// Reads variables from a file, or from the files of a folder, while the play runs.
///
/// ```yaml
/// - ansible.builtin.include_vars:
///     file: "{{ ansible_facts.os_family | lower }}.yml"
///     name: packages
/// ```
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the arguments are described here and read by name")]
struct Args {
    /// The file: beside the task's file or in a `vars` folder there, in the role, beside the playbook.
    file: Option<String>,
    /// A folder, of which all files are read in the order of their names.
    dir: Option<String>,
    /// Put the variables into a dictionary of this name.
    name: Option<String>,
    /// How many levels of folders to go down; 0 for all.
    #[schemars(default)]
    depth: i64,
    /// Read only files whose names match this regular expression.
    files_matching: Option<String>,
    /// Leave these files out.
    ignore_files: Option<Vec<String>>,
    /// Endings of files to read.
    extensions: Option<Vec<String>>,
    /// Pass over files with other endings instead of failing.
    #[schemars(default)]
    ignore_unknown_extensions: bool,
    /// `replace` or `merge`: what to do with dictionaries that are there already.
    hash_behaviour: Option<String>,
    /// The file, without a key.
    #[schemars(rename = "free-form")]
    free_form: Option<String>,
}

pub(super) const ACTION: Action = Action {
    name: "ansible.builtin.include_vars",
    schema: || schemars::schema_for!(Args),
    rules: Rules::NONE,
    free_form: Some("_raw_params"),
    open: true,
    raw: false,
    inline: true,
    run: |context, args| {
        let outcome = run(context, &args).unwrap_or_else(refused);
        Box::pin(async move { outcome }) as Running<'_>
    },
};

const EXTENSIONS: &[&str] = &["yaml", "yml", "json"];
const KNOWN: &[&str] = &[
    "_raw_params",
    "file",
    "dir",
    "name",
    "depth",
    "files_matching",
    "ignore_files",
    "extensions",
    "ignore_unknown_extensions",
    "hash_behaviour",
];

fn run(context: &TaskContext, args: &Map) -> Result<Outcome, Outcome> {
    for key in args.keys().filter_map(davit_value::Key::as_str) {
        if !KNOWN.contains(&key) {
            return Err(Outcome::failed(format!("{key} is not a valid option in include_vars")));
        }
    }
    let extensions = list(args, "extensions")
        .unwrap_or_else(|| EXTENSIONS.iter().map(ToString::to_string).collect());
    let mut found = Map::new();
    let mut read = Vec::new();
    match text(args, "dir") {
        Some(dir) => {
            for path in folder_files(context, args, &dir, &extensions)? {
                let path = path.map_err(|failure| after(failure, &read))?;
                found.extend(&load(context, &path).map_err(|failure| after(failure, &read))?);
                read.push(path);
            }
        }
        None => {
            let name = text(args, "file").or_else(|| text(args, "_raw_params"));
            let Some(name) = name else {
                return Err(Outcome::failed("No file or dir was given to include_vars"));
            };
            let path = find(context, &name)?;
            let ending = path.extension().map(|it| it.to_string_lossy().into_owned());
            if ending.as_ref().is_some_and(|it| !extensions.contains(it)) {
                return Err(Outcome::failed(format!(
                    "{} does not have a valid extension: {}",
                    path.display(),
                    extensions.join(", ")
                )));
            }
            found = load(context, &path)?;
            read.push(path);
        }
    }
    if let Some(name) = text(args, "name") {
        let mut outer = Map::new();
        outer.insert(name, found.into());
        found = outer;
    }
    if text(args, "hash_behaviour").as_deref() == Some("merge") {
        found = merged(context, found)?;
    }
    let hidden = read.iter().any(|it| is_encrypted(it));
    Ok(Outcome::changed(false)
        .with("ansible_facts", found)
        .with(FILES, paths(&read))
        .with("_ansible_no_log", hidden))
}

/// The key of a result that tells which files were read.
const FILES: &str = "ansible_included_var_files";

fn paths(read: &[PathBuf]) -> Value {
    Value::list(read.iter().map(|it| it.to_string_lossy().as_ref().into()).collect())
}

/// A failure that tells which files had been read before.
fn after(failure: Outcome, read: &[PathBuf]) -> Outcome {
    failure.with(FILES, paths(read))
}

/// What was encrypted as a whole is not to be shown.
fn is_encrypted(path: &Path) -> bool {
    use std::io::Read as _;
    let mut start = [0; 14];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && start == *b"$ANSIBLE_VAULT"
}

/// A failure as the original has it: the reason is `message`, and `msg` says nothing.
fn refused(mut failure: Outcome) -> Outcome {
    if let Some(reason) = failure.result.remove("msg") {
        failure.result.insert("message", reason);
    }
    if !failure.result.contains(FILES) {
        failure.result.insert(FILES, Value::list(Vec::new()));
    }
    failure
        .with("msg", "Task failed: Action failed: Unknown error.")
        .with("ansible_facts", Map::new())
}

fn list(args: &Map, name: &str) -> Option<Vec<String>> {
    match args.get(name)? {
        Value::Null => None,
        Value::List(list) => Some(list.iter().map(Value::to_str).collect()),
        other => Some(other.to_str().split(',').map(|it| it.trim().to_owned()).collect()),
    }
}

fn find(context: &TaskContext, name: &str) -> Result<PathBuf, Outcome> {
    let mut tried = Vec::new();
    let folder = context.task.folder();
    if !Path::new(name).is_absolute() {
        tried.extend([folder.join("vars").join(name), folder.join(name)]);
    }
    tried.extend(context.candidates("vars", name));
    tried.iter().find(|it| it.is_file()).cloned().ok_or_else(|| {
        let seen: Vec<String> = tried.iter().map(|it| format!("\n\t{}", it.display())).collect();
        Outcome::failed(format!(
            "Could not find or access '{name}'\nSearched in:{} on the Ansible Controller.\nIf you are using a module and expect the file to exist on the remote, see the remote_src option",
            seen.concat()
        ))
    })
}

fn load(context: &TaskContext, path: &Path) -> Result<Map, Outcome> {
    match context.world.loader.value(path) {
        Ok(Value::Map(map)) => Ok((*map).clone()),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => {
            Err(Outcome::failed(format!("{} must be stored as a dictionary/hash", path.display())))
        }
        Err(error) => Err(Outcome::failed(error.to_string())),
    }
}

fn folder_files(
    context: &TaskContext,
    args: &Map,
    dir: &str,
    extensions: &[String],
) -> Result<Vec<Result<PathBuf, Outcome>>, Outcome> {
    let root = if Path::new(dir).is_absolute() {
        PathBuf::from(dir)
    } else {
        let folder = context.task.folder();
        let mut tried = vec![folder.join(dir)];
        if let Some(role) = context.role_folder() {
            tried.insert(0, role.join("vars").join(dir));
            tried.push(role.join(dir));
        }
        tried.extend(context.candidates("vars", dir));
        tried.iter().find(|it| it.is_dir()).cloned().unwrap_or_else(|| tried[0].clone())
    };
    if !root.is_dir() {
        let what = if root.exists() { "is not a directory" } else { "directory does not exist" };
        return Err(Outcome::failed(format!("{} {what}", root.display())));
    }
    let rest = Choice {
        depth: args.get("depth").and_then(Value::as_number).unwrap_or(0.0),
        matching: text(args, "files_matching"),
        ignored: list(args, "ignore_files").unwrap_or_default(),
        unknown_pass: flag(args, "ignore_unknown_extensions", false),
        extensions,
        context,
    };
    let mut files = Vec::new();
    rest.walk(&root, 1, &mut files)?;
    Ok(files)
}

struct Choice<'a> {
    depth: f64,
    matching: Option<String>,
    ignored: Vec<String>,
    unknown_pass: bool,
    extensions: &'a [String],
    context: &'a TaskContext,
}

impl Choice<'_> {
    /// The files in order; one that is refused is the last, since those before it are read first.
    fn walk(
        &self,
        folder: &Path,
        level: u32,
        files: &mut Vec<Result<PathBuf, Outcome>>,
    ) -> Result<(), Outcome> {
        if self.depth > 0.0 && f64::from(level) > self.depth {
            return Ok(());
        }
        let entries = std::fs::read_dir(folder).map_err(|error| {
            Outcome::failed(format!("cannot read {}: {error}", folder.display()))
        })?;
        let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|it| it.path()).collect();
        paths.sort();
        for path in paths.iter().filter(|it| it.is_file()) {
            match self.takes(path) {
                Ok(true) => files.push(Ok(path.clone())),
                Ok(false) => {}
                Err(refused) => {
                    files.push(Err(refused));
                    return Ok(());
                }
            }
        }
        for path in paths.iter().filter(|it| it.is_dir()) {
            if files.last().is_some_and(Result::is_err) {
                break;
            }
            self.walk(path, level + 1, files)?;
        }
        Ok(())
    }

    fn takes(&self, path: &Path) -> Result<bool, Outcome> {
        let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        // A role's own variables have been read already.
        if self.context.role_folder().is_some_and(|role| {
            path.parent() == Some(&role.join("vars"))
                && matches!(name.as_str(), "main.yml" | "main.yaml" | "main.json")
        }) {
            return Ok(false);
        }
        for pattern in &self.ignored {
            if self.matches(&format!("{pattern}$"), &name)? {
                return Ok(false);
            }
        }
        if let Some(pattern) = &self.matching
            && !self.matches(pattern, &name)?
        {
            return Ok(false);
        }
        let ending =
            path.extension().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        if self.extensions.contains(&ending) {
            return Ok(true);
        }
        if self.unknown_pass {
            return Ok(false);
        }
        Err(Outcome::failed(format!(
            "{} does not have a valid extension: {}",
            path.display(),
            self.extensions.join(", ")
        )))
    }

    /// Searches with the dialect of the `search` test.
    fn matches(&self, pattern: &str, name: &str) -> Result<bool, Outcome> {
        let args = davit_value::Args {
            positional: vec![name.into(), pattern.into()],
            ..davit_value::Args::default()
        };
        self.context.env().call_test("search", args).map_err(|error| {
            Outcome::failed(format!("Invalid regular expression: {pattern}: {error}"))
        })
    }
}

/// The variables merged into those of the same names.
fn merged(context: &TaskContext, found: Map) -> Result<Map, Outcome> {
    let mut result = Map::new();
    for (key, value) in &found {
        let old = match key.as_str() {
            Some(name) => context.variable(name)?,
            None => None,
        };
        let value = match (old, value) {
            (Some(Value::Map(old)), Value::Map(_)) => {
                let rendered = context
                    .env()
                    .resolve(value)
                    .map_err(|error| Outcome::failed(error.to_string()))?;
                let mut args = davit_value::Args {
                    positional: vec![Value::Map(old), rendered],
                    ..davit_value::Args::default()
                };
                args.named.insert("recursive", true.into());
                context
                    .env()
                    .call_filter("combine", args)
                    .map_err(|error| Outcome::failed(error.to_string()))?
            }
            _ => value.clone(),
        };
        result.insert(key.clone(), value);
    }
    Ok(result)
}
