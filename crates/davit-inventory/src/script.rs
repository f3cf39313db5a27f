//! Executable inventories: programs that print JSON for `--list` and `--host NAME`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use davit_value::{Key, Map, Mark, Str, Value};
use indexmap::IndexSet;

use crate::error::{Error, Place, Severity, Warning};
use crate::files::class_name;
use crate::model::Inventory;
use crate::python_json;
use crate::reserved::is_reserved;

const PROMISE: &str =
    "This feature will be removed from inventory plugin 'script' in ansible-core version 2.23.";

/// True for a file that somebody may execute.
pub(crate) fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Runs the script at `path` and reads what it prints into `inventory`.
///
/// # Errors
/// Where it fails, or does not print an inventory.
pub(crate) fn read(
    inventory: &mut Inventory,
    path: &Path,
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    let mut reader = Reader { inventory, path, warnings, hosts: IndexSet::new() };
    let data = reader.run(&["--list"])?;
    let Some(data) = data.as_map() else {
        return Err(Error::refused(format!(
            "Unable to get JSON decoder for inventory script result: Value is '{}' instead of 'dict'.",
            data.type_name()
        )));
    };
    let mut known = None;
    if let Some(meta) = data.get("_meta") {
        let hostvars = meta.get("hostvars").cloned().unwrap_or_default();
        match hostvars {
            Value::Map(map) => known = Some(map),
            other => return Err(mismatch("_meta.hostvars", &other, "dict")),
        }
    }
    for (name, group) in data {
        if name.as_str() != Some("_meta") {
            reader.group(name, group)?;
        }
    }
    let mut told = false;
    for host in std::mem::take(&mut reader.hosts) {
        let vars = match &known {
            Some(known) => known.get(&host).cloned().unwrap_or_else(Value::map),
            None => {
                if !told {
                    told = true;
                    reader.deprecate("Inventory scripts should always provide 'meta.hostvars'. Host variables will be collected by running the inventory script with the '--host' option for each host.");
                }
                reader.run(&["--host", &host])?
            }
        };
        reader.host_vars(&host, &vars)?;
    }
    Ok(())
}

fn mismatch(what: &str, value: &Value, wanted: &str) -> Error {
    Error::refused(format!(
        "Value contains '{what}' which is '{}' instead of '{wanted}'.",
        value.type_name()
    ))
}

struct Reader<'i> {
    inventory: &'i mut Inventory,
    path: &'i Path,
    warnings: &'i mut Vec<Warning>,
    /// In the order in which they were first named.
    hosts: IndexSet<String>,
}

impl Reader<'_> {
    fn deprecate(&mut self, message: &str) {
        let place =
            Place::Named(format!("<inventory script output from '{}'>", self.path.display()));
        self.warnings.push(Warning::new(format!("{message} {PROMISE}")).deprecation().at(place));
    }

    fn run(&mut self, arguments: &[&str]) -> Result<Value, Error> {
        let options = &self.inventory.options;
        let output = Command::new(self.path)
            .args(arguments)
            .current_dir(&options.folder)
            .env_clear()
            .envs(options.environment.iter())
            .stdin(Stdio::null())
            .output();
        let shown = self.path.display();
        let output = output.map_err(|error| {
            let text = error.to_string();
            let reason = text.split(" (os error").next().unwrap_or(&text);
            let number = error.raw_os_error().unwrap_or(0);
            Error::refused(format!(
                "Failed to execute inventory script command '{shown} {}': [Errno {number}] {reason}: '{shown}'",
                arguments.join(" ")
            ))
        })?;
        let stderr = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        if !output.status.success() {
            use std::os::unix::process::ExitStatusExt;
            let code = output.status.code().unwrap_or_else(|| -output.status.signal().unwrap_or(1));
            let message = format!("Inventory script returned non-zero exit code {code}.");
            return Err(Error::Script { message, stderr });
        }
        if options.script_stderr && !stderr.is_empty() {
            self.warnings.push(Warning { severity: Severity::Error, ..Warning::new(stderr) });
        }
        let text = String::from_utf8_lossy(&output.stdout);
        if arguments.first() == Some(&"--host") && text.trim().is_empty() {
            return Ok(Value::map());
        }
        let value = python_json::parse(&text).map_err(|error| {
            Error::refused(format!(
                "Unable to get JSON decoder for inventory script result: Value could not be parsed as JSON: {error}"
            ))
        })?;
        Ok(trusted(&value))
    }

    fn group(&mut self, name: &Key, data: &Value) -> Result<(), Error> {
        let name = name.to_text();
        let group = self.inventory.ensure_group(&name, self.warnings)?;
        let made: Map;
        let mut plain = false;
        let data = match data.as_map() {
            Some(map) if ["hosts", "vars", "children"].iter().any(|key| map.contains(key)) => map,
            Some(map) => {
                self.deprecate(&format!(
                    "Treating malformed group '{name}' as the sole host of that group. Variables provided in this manner cannot be templated."
                ));
                plain = true;
                let hosts = Value::list(vec![Value::from(name.as_str())]);
                made = [("hosts", hosts), ("vars", map.clone().into())].into_iter().collect();
                &made
            }
            None => {
                self.deprecate(&format!(
                    "Group '{name}' was converted to 'dict' from '{}'.",
                    data.type_name()
                ));
                made = [("hosts", data.clone())].into_iter().collect();
                &made
            }
        };
        if let Some(hosts) = data.get("hosts") {
            let Some(list) = hosts.as_list() else {
                return Err(mismatch(&format!("{name}.hosts"), hosts, "list"));
            };
            for host in list {
                let Some(host) = host.as_str() else {
                    return Err(Error::refused(format!(
                        "Invalid host name supplied, expected a string but got {} for {}",
                        class_name(host),
                        host.to_str()
                    )));
                };
                let id = self.inventory.ensure_host(host, None)?;
                self.hosts.insert(host.to_owned());
                self.inventory.join(group, id);
            }
        }
        if let Some(vars) = data.get("vars") {
            let Some(map) = vars.as_map() else {
                return Err(mismatch(&format!("{name}.vars"), vars, "dict"));
            };
            for (key, value) in map {
                self.check(key);
                let value = if plain { unmarked(value) } else { value.clone() };
                self.inventory.set_group_var(group, key.clone(), value)?;
                if let (Some(key), Some(group)) =
                    (key.as_str(), self.inventory.groups.get_mut(group))
                {
                    group.vars.note(key, None);
                }
            }
        }
        self.children(&name, group, data.get("children"))
    }

    fn children(
        &mut self,
        name: &str,
        group: usize,
        children: Option<&Value>,
    ) -> Result<(), Error> {
        let names: Vec<Value> = match children {
            None => return Ok(()),
            // The original iterates whatever it is.
            Some(Value::Str(text)) => {
                text.chars().map(|char| Value::from(char.to_string())).collect()
            }
            Some(Value::Map(map)) => map.keys().map(Key::to_value).collect(),
            Some(value) => match value.as_list() {
                Some(list) => list.to_vec(),
                None => return Err(mismatch(&format!("{name}.children"), value, "list")),
            },
        };
        for child in names {
            let child = self.inventory.ensure_group(&child.to_str(), self.warnings)?;
            self.inventory.add_child(group, child)?;
        }
        Ok(())
    }

    fn host_vars(&mut self, host: &str, vars: &Value) -> Result<(), Error> {
        let map = match vars {
            Value::Map(map) => map,
            other => {
                return Err(Error::refused(format!(
                    "Invalid data from file, expected dictionary and got:\n\n{}",
                    other.to_str()
                )));
            }
        };
        let id = self.inventory.ensure_host(host, None)?;
        self.inventory.set_host_vars(id, map)?;
        for key in map.keys() {
            self.check(key);
            if let Some(name) = key.as_str().filter(|name| is_reserved(name)) {
                self.inventory.host_mut(id)?.vars.note(name, None);
            }
        }
        Ok(())
    }

    fn check(&mut self, key: &Key) {
        Inventory::check_name(key, Some(Place::Named("<unknown>".into())), self.warnings);
    }
}

/// What a script prints counts as written by the user: its strings are templates, but for those marked as unsafe or as vault texts.
fn trusted(value: &Value) -> Value {
    match value {
        Value::Str(text) => Value::Str(Str::trusted(text.shared(), None)),
        Value::List(list) => Value::list(list.iter().map(trusted).collect()),
        Value::Map(map) => {
            if map.len() == 1 {
                if let Some(text) = map.get("__ansible_unsafe").and_then(Value::as_str) {
                    return Value::from(text);
                }
                if let Some(text) = map.get("__ansible_vault").and_then(Value::as_str) {
                    return Value::Str(Str::marked(
                        text,
                        Mark { origin: None, trusted: true, vault: true },
                    ));
                }
            }
            map.iter().map(|(key, value)| (key.clone(), trusted(value))).collect::<Map>().into()
        }
        other => other.clone(),
    }
}

fn unmarked(value: &Value) -> Value {
    match value {
        Value::Str(text) => Value::Str(text.unmarked()),
        Value::List(list) => Value::list(list.iter().map(unmarked).collect()),
        Value::Map(map) => {
            map.iter().map(|(key, value)| (key.clone(), unmarked(value))).collect::<Map>().into()
        }
        other => other.clone(),
    }
}
