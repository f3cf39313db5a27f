//! Inventories from dictionaries, and inventories as INI, YAML and TOML files.
//!
//! What is written reads back as the same inventory: hosts, groups and their own variables. Files beside the inventory are not looked at.

use std::fmt::Write as _;
use std::sync::Arc;

use davit_value::{Map, Origin, Value};
use davit_yaml::{DumpOptions, FlowStyle};

use crate::error::{Error, Warning};
use crate::literal::parse_value;
use crate::model::{ALL, Inventory, UNGROUPED};
use crate::options::LoadOptions;
use crate::{toml_text, words};

impl Inventory {
    /// An inventory from a dictionary of groups. A group is a list of hosts, or a dictionary with `hosts` (a list, or a dictionary of
    /// variables), `vars` and `children` (a list, or a dictionary of groups).
    ///
    /// # Errors
    /// For what is no such dictionary.
    pub fn generate(
        groups: &Value,
        options: Arc<LoadOptions>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, Error> {
        let Some(groups) = groups.as_map() else {
            return Err(Error::refused(format!(
                "groups are to be a dictionary, not {}",
                groups.type_name()
            )));
        };
        let normal: Map = groups
            .iter()
            .map(|(name, group)| {
                normal_group(&name.to_text(), group).map(|group| (name.to_text(), group))
            })
            .collect::<Result<_, _>>()?;
        let mut inventory = Self::new(options);
        crate::yaml::read(
            &mut inventory,
            &normal.into(),
            None,
            &Arc::from("<generated>"),
            warnings,
        )?;
        inventory.reconcile(warnings);
        Ok(inventory)
    }
}

/// A group with dictionaries of hosts and children, whatever way it was written.
fn normal_group(name: &str, group: &Value) -> Result<Value, Error> {
    let named = |value: &Value| match value {
        Value::Map(_) | Value::Null => Ok(value.clone()),
        Value::Str(text) => Ok([(&**text, Value::Null)].into_iter().collect::<Map>().into()),
        other => match other.as_list() {
            Some(list) => {
                Ok(list.iter().map(|it| (it.to_str(), Value::Null)).collect::<Map>().into())
            }
            None => Err(Error::refused(format!(
                "group '{name}' is to have lists or dictionaries, not {}",
                other.type_name()
            ))),
        },
    };
    let Value::Map(map) = group else {
        let hosts = named(group)?;
        return Ok([("hosts", hosts)].into_iter().collect::<Map>().into());
    };
    let mut out = Map::new();
    for (key, value) in &**map {
        let value = match key.as_str() {
            Some("hosts") => named(value)?,
            Some("children") => match named(value)? {
                Value::Map(children) => children
                    .iter()
                    .map(|(name, child)| {
                        let child = if child.is_null() {
                            Ok(Value::Null)
                        } else {
                            normal_group(&name.to_text(), child)
                        };
                        child.map(|child| (name.to_text(), child))
                    })
                    .collect::<Result<Map, _>>()?
                    .into(),
                other => other,
            },
            Some("vars") => value.clone(),
            _ => {
                return Err(Error::refused(format!(
                    "unexpected key '{}' in group '{name}', only 'vars', 'children' and 'hosts' are valid",
                    key.to_text()
                )));
            }
        };
        out.insert(key.clone(), value);
    }
    Ok(out.into())
}

/// A group's variables, with its priority.
fn group_vars(inventory: &Inventory, id: usize) -> Map {
    let Some(group) = inventory.groups.get(id) else { return Map::new() };
    let mut vars = (*group.vars.map).clone();
    if group.priority != 1 {
        vars.insert("ansible_group_priority", Value::from(group.priority));
    }
    vars
}

/// Every group as a dictionary; `nested` puts children below their first parent.
struct Tables<'i> {
    inventory: &'i Inventory,
    hosts: Vec<bool>,
    groups: Vec<bool>,
}

impl<'i> Tables<'i> {
    fn new(inventory: &'i Inventory) -> Self {
        Self {
            inventory,
            hosts: vec![false; inventory.hosts.len()],
            groups: vec![false; inventory.groups.len()],
        }
    }

    fn hosts(&mut self, id: usize) -> Map {
        let mut out = Map::new();
        let Some(group) = self.inventory.groups.get(id) else { return out };
        for host in &group.hosts {
            let Some(it) = self.inventory.hosts.get(*host) else { continue };
            let first =
                self.hosts.get_mut(*host).is_some_and(|seen| !std::mem::replace(seen, true));
            let vars = if first { Arc::clone(&it.vars.map) } else { Arc::default() };
            out.insert(Arc::clone(&it.name), Value::Map(vars));
        }
        out
    }

    fn nested(&mut self, id: usize) -> Map {
        let mut out = Map::new();
        if self.groups.get_mut(id).is_none_or(|seen| std::mem::replace(seen, true)) {
            return out;
        }
        let vars = group_vars(self.inventory, id);
        if !vars.is_empty() {
            out.insert("vars", vars.into());
        }
        if id != ALL {
            let hosts = self.hosts(id);
            if !hosts.is_empty() {
                out.insert("hosts", hosts.into());
            }
        }
        let children: Vec<usize> = self
            .inventory
            .groups
            .get(id)
            .map(|group| group.children.iter().copied().collect())
            .unwrap_or_default();
        let mut inner = Map::new();
        for child in children {
            let below = self.nested(child);
            let Some(group) = self.inventory.groups.get(child) else { continue };
            if child != UNGROUPED || !below.is_empty() {
                inner.insert(Arc::clone(&group.name), below.into());
            }
        }
        if !inner.is_empty() {
            out.insert("children", inner.into());
        }
        out
    }
}

/// The inventory as a YAML file.
///
/// # Errors
/// For values that YAML does not have.
pub fn to_yaml(inventory: &Inventory) -> Result<String, Error> {
    let all = Tables::new(inventory).nested(ALL);
    let top: Map = [("all", Value::from(all))].into_iter().collect();
    let options = DumpOptions {
        default_flow_style: FlowStyle::Never,
        sort_keys: false,
        ..DumpOptions::default()
    };
    davit_yaml::dump(&top.into(), &options).map_err(|error| Error::Unwritable(error.to_string()))
}

/// The inventory as a TOML file.
///
/// # Errors
/// For null, which TOML does not have.
pub fn to_toml(inventory: &Inventory) -> Result<String, Error> {
    let mut tables = Tables::new(inventory);
    let mut top = Map::new();
    for (id, group) in inventory.groups.iter().enumerate() {
        let mut table = Map::new();
        let vars = group_vars(inventory, id);
        if !vars.is_empty() {
            table.insert("vars", vars.into());
        }
        if id != ALL {
            let names = group.children.iter().filter_map(|child| inventory.groups.get(*child));
            let names: Vec<Value> = names.map(|child| Value::from(&*child.name)).collect();
            if !names.is_empty() {
                table.insert("children", Value::list(names));
            }
            let hosts = tables.hosts(id);
            if !hosts.is_empty() {
                table.insert("hosts", hosts.into());
            }
        }
        if !table.is_empty() || (id != ALL && id != UNGROUPED) {
            top.insert(Arc::clone(&group.name), table.into());
        }
    }
    toml_text::dump(&top)
}

/// The inventory as an INI file.
///
/// # Errors
/// For names and values that INI cannot hold.
pub fn to_ini(inventory: &Inventory) -> Result<String, Error> {
    let mut out = String::new();
    let mut told = vec![false; inventory.hosts.len()];
    if let Some(group) = inventory.groups.get(UNGROUPED) {
        for host in &group.hosts {
            ini_host(&mut out, inventory, *host, &mut told)?;
        }
    }
    for (id, group) in inventory.groups.iter().enumerate() {
        if id != ALL && id != UNGROUPED {
            let name = ini_name(&group.name)?;
            if !group.hosts.is_empty() || group.children.is_empty() {
                let _ = writeln!(out, "\n[{name}]");
                for host in &group.hosts {
                    ini_host(&mut out, inventory, *host, &mut told)?;
                }
            }
            if !group.children.is_empty() {
                let _ = writeln!(out, "\n[{name}:children]");
                for child in group.children.iter().filter_map(|child| inventory.groups.get(*child))
                {
                    let _ = writeln!(out, "{}", ini_name(&child.name)?);
                }
            }
        }
        let vars = group_vars(inventory, id);
        if !vars.is_empty() {
            let _ = writeln!(out, "\n[{}:vars]", group.name);
            for (name, value) in &vars {
                let text = ini_literal(value)?;
                let _ = writeln!(out, "{}={text}", ini_variable(&name.to_text())?);
            }
        }
    }
    Ok(out.trim_start_matches('\n').to_owned())
}

fn ini_name(name: &str) -> Result<&str, Error> {
    let odd = |char: char| char.is_whitespace() || matches!(char, ':' | ']' | '[' | '#');
    if name.is_empty() || name.contains(odd) {
        return Err(Error::Unwritable(format!("the group name '{name}' cannot be written as INI")));
    }
    Ok(name)
}

fn ini_variable(name: &str) -> Result<&str, Error> {
    let odd =
        |char: char| char.is_whitespace() || matches!(char, '=' | '\'' | '"' | '\\' | '#' | '[');
    if name.is_empty() || name.starts_with(';') || name.contains(odd) {
        return Err(Error::Unwritable(format!(
            "the variable name '{name}' cannot be written as INI"
        )));
    }
    Ok(name)
}

fn ini_host(
    out: &mut String,
    inventory: &Inventory,
    id: usize,
    told: &mut [bool],
) -> Result<(), Error> {
    let Some(host) = inventory.hosts.get(id) else { return Ok(()) };
    let name = &*host.name;
    let line_starts_odd = name.starts_with(['[', '#', ';']) || name.ends_with(':') || name == "---";
    let plain = crate::address::expand_pattern(name)
        .is_ok_and(|(hosts, port)| hosts == [name] && port.is_none());
    let split = words::split(name).is_ok_and(|words| words == [name]);
    if line_starts_odd || !plain || !split {
        return Err(Error::Unwritable(format!("the host name '{name}' cannot be written as INI")));
    }
    out.push_str(name);
    if told.get_mut(id).is_some_and(|told| !std::mem::replace(told, true)) {
        for (name, value) in &*host.vars.map {
            let text = ini_literal(value)?;
            let _ = write!(out, " {}={}", ini_variable(&name.to_text())?, shell_quoted(&text));
        }
    }
    out.push('\n');
    Ok(())
}

/// The text that an INI file needs for `value`: the value itself where that reads back, else Python's literal.
fn ini_literal(value: &Value) -> Result<String, Error> {
    let origin = Origin { file: Arc::from("<generated>"), line: 0, column: 0 };
    let reads_back = |text: &str| {
        let back = parse_value(text, &origin);
        back == *value && back.type_name() == value.type_name()
    };
    if let Value::Str(text) = value {
        if text.is_vault() {
            return Err(Error::Unwritable("a vault text cannot be written as INI".into()));
        }
        if text.trim() == text.as_str() && !text.contains(['\n', '\r']) && reads_back(text) {
            return Ok(text.to_string());
        }
    }
    let text = match value {
        Value::Float(float) if float.is_infinite() => {
            if *float > 0.0 { "1e999" } else { "-1e999" }.to_owned()
        }
        other => other.repr(),
    };
    if reads_back(&text) && !text.contains(['\n', '\r']) {
        return Ok(text);
    }
    Err(Error::Unwritable(format!("the value {} cannot be written as INI", value.repr())))
}

/// `text` as one word of a host line.
fn shell_quoted(text: &str) -> String {
    if words::split(&format!("x{text}")).is_ok_and(|words| words == [format!("x{text}")]) {
        return text.to_owned();
    }
    if !text.contains('\'') {
        return format!("'{text}'");
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ListOptions;

    fn generated(json: &str) -> Inventory {
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        Inventory::generate(&Value::from_json(&json), Arc::default(), &mut Vec::new()).unwrap()
    }

    #[test]
    fn every_format_reads_back() {
        let inventory = generated(
            r#"{"web": {"hosts": {"w1": {"a": 1, "b": "x y", "c": "1", "d": [1, {"e": "it's"}], "f": "q\"'\\ #", "g": true, "h": "a\nb"}, "w2": null},
                        "vars": {"p": " x", "q": "[1", "r": {"s": 1.5}, "ansible_group_priority": 5}},
                "db": ["d1", "w1"], "dc": {"children": ["web", "db"]}, "ungrouped": {"hosts": {"u": {"z": "007"}}}, "all": {"vars": {"v": 3}}, "empty": []}"#,
        );
        let options = ListOptions { export: true, ..ListOptions::default() };
        let expect =
            inventory.list(&options, &mut Vec::new()).unwrap().replace("__ansible_unsafe", "");
        for (name, text) in [
            ("hosts", to_ini(&inventory).unwrap()),
            ("hosts.yml", to_yaml(&inventory).unwrap()),
            ("hosts.toml", to_toml(&inventory).unwrap()),
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(name), &text).unwrap();
            let load =
                LoadOptions { folder: folder.path().to_path_buf(), ..LoadOptions::default() };
            let mut warnings = Vec::new();
            let back = Inventory::load(&[name.into()], &load, &mut warnings).unwrap();
            assert_eq!(warnings, [], "{text}");
            let got = back.list(&options, &mut Vec::new()).unwrap();
            assert_eq!(json(&got), json(&expect), "{text}");
        }
    }

    /// Without marks and without the order of children, which files cannot always keep.
    fn json(text: &str) -> serde_json::Value {
        fn strip(value: serde_json::Value) -> serde_json::Value {
            match value {
                serde_json::Value::Object(map) if map.len() == 1 && map.contains_key("") => {
                    map.into_iter().next().unwrap().1
                }
                serde_json::Value::Object(map) => {
                    map.into_iter().map(|(key, value)| (key, strip(value))).collect()
                }
                serde_json::Value::Array(items) => {
                    let mut items: Vec<_> = items.into_iter().map(strip).collect();
                    items.sort_by_key(ToString::to_string);
                    items.into()
                }
                other => other,
            }
        }
        strip(serde_json::from_str(text).unwrap())
    }
}
