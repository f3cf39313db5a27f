//! YAML inventories: groups with `hosts`, `vars` and `children`. Knows no plugin configuration.

use std::collections::HashMap;
use std::sync::Arc;

use davit_value::{Key, Map, Value};
use davit_yaml::Node;

use crate::address::expand_pattern;
use crate::error::{Error, Place, Warning};
use crate::files::{class_name, place_of};
use crate::model::Inventory;
use crate::reserved::is_reserved;

/// How deep groups may nest in a file.
const MAX_DEPTH: usize = 150;

struct Reader<'i> {
    inventory: &'i mut Inventory,
    file: &'i Arc<str>,
    warnings: &'i mut Vec<Warning>,
}

/// Reads the groups in `value` into `inventory`; `node` says where things stand.
///
/// # Errors
/// For what is no inventory, in the words of the original.
pub(crate) fn read(
    inventory: &mut Inventory,
    value: &Value,
    node: Option<&Node>,
    file: &Arc<str>,
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    let groups = match value {
        Value::Null => return Err(Error::refused("Parsed empty YAML file")),
        Value::Map(map) if map.is_empty() => return Err(Error::refused("Parsed empty YAML file")),
        Value::Map(map) => map,
        other => {
            return Err(Error::refused(format!(
                "YAML inventory has invalid structure, it should be a dictionary, got: {}",
                class_name(other)
            )));
        }
    };
    if groups.get("plugin").is_some_and(|plugin| !plugin.is_null()) {
        return Err(Error::refused("Plugin configuration YAML file, not YAML inventory"));
    }
    let mut reader = Reader { inventory, file, warnings };
    for (name, group) in &**groups {
        reader.group(name, group, below(node, name), 0)?;
    }
    Ok(())
}

fn below<'n>(node: Option<&'n Node>, key: &Key) -> Option<&'n Node> {
    node?.get(key.as_str()?)
}

impl Reader<'_> {
    fn group(
        &mut self,
        name: &Key,
        data: &Value,
        node: Option<&Node>,
        depth: usize,
    ) -> Result<Option<usize>, Error> {
        if depth > MAX_DEPTH {
            return Err(Error::refused("groups nest too deeply"));
        }
        let empty = Map::new();
        let data = match data {
            Value::Map(map) => map,
            Value::Null => &empty,
            _ => {
                self.warnings.push(Warning::new(format!(
                    "Skipping '{}' as this is not a valid group definition",
                    name.to_value().to_str()
                )));
                return Ok(None);
            }
        };
        let Some(text) = name.as_str() else {
            let value = name.to_value();
            return Err(Error::refused(format!(
                "Unable to add group {0}: Invalid group name supplied, expected a string but got {1} for {0}",
                value.to_str(),
                class_name(&value)
            )));
        };
        let group = self
            .inventory
            .ensure_group(text, self.warnings)
            .map_err(|error| Error::refused(format!("Unable to add group {text}: {error}")))?;
        for section in ["vars", "children", "hosts"] {
            if let Some(value) = data.get(section)
                && !matches!(value, Value::Map(_) | Value::Null | Value::Str(_))
            {
                return Err(Error::refused(format!(
                    "Invalid \"{section}\" entry for \"{text}\" group, requires a dictionary, found \"{}\" instead.",
                    class_name(value)
                )));
            }
        }
        for (key, value) in data {
            self.section((text, group), (key, value), below(node, key), depth)?;
        }
        Ok(Some(group))
    }

    fn section(
        &mut self,
        (name, group): (&str, usize),
        (key, value): (&Key, &Value),
        node: Option<&Node>,
        depth: usize,
    ) -> Result<(), Error> {
        let section = key.as_str().filter(|key| matches!(*key, "vars" | "children" | "hosts"));
        let single;
        let entries = match value {
            Value::Map(map) => &**map,
            Value::Null => return Ok(()),
            // One name stands for a dictionary of one.
            Value::Str(text) if section.is_some() => {
                single = [(&**text, Value::Null)].into_iter().collect::<Map>();
                &single
            }
            other => {
                self.warnings.push(Warning::new(format!(
                    "Skipping key ({}) in group ({name}) as it is not a mapping, it is a {}",
                    key.to_value().to_str(),
                    class_name(other)
                )));
                return Ok(());
            }
        };
        match section {
            Some("vars") => self.group_vars(group, entries, node),
            Some("children") => {
                for (child, data) in entries {
                    if let Some(child) = self.group(child, data, below(node, child), depth + 1)? {
                        self.inventory.add_child(group, child)?;
                    }
                }
                Ok(())
            }
            Some(_) => self.hosts(group, entries, node),
            None => {
                self.warnings.push(Warning::new(format!(
                    "Skipping unexpected key ({}) in group ({name}), only \"vars\", \"children\" and \"hosts\" are valid",
                    key.to_value().to_str()
                )));
                Ok(())
            }
        }
    }

    fn group_vars(&mut self, group: usize, vars: &Map, node: Option<&Node>) -> Result<(), Error> {
        for (name, value) in vars {
            let place = self.check(name, node);
            self.inventory.set_group_var(group, name.clone(), value.clone())?;
            if let (Some(place), Some(name), Some(group)) =
                (place, name.as_str(), self.inventory.groups.get_mut(group))
            {
                group.vars.note(name, Some(place));
            }
        }
        Ok(())
    }

    fn hosts(&mut self, group: usize, hosts: &Map, node: Option<&Node>) -> Result<(), Error> {
        // Looked up only where a name is odd, but then perhaps for every host.
        let mut index: Option<HashMap<&str, &Node>> = None;
        for (pattern, vars) in hosts {
            let Some(text) = pattern.as_str() else {
                return Err(Error::refused(format!(
                    "Host pattern {} must be a string. Enclose integers/floats in quotation marks.",
                    pattern.to_value().to_str()
                )));
            };
            let (names, port) = expand_pattern(text).map_err(unnested)?;
            let vars = match vars {
                Value::Map(map) => Some(map),
                Value::Null => None,
                other if other.truthy().is_ok_and(|truthy| !truthy) => None,
                other => {
                    for name in &names {
                        let id = self.inventory.ensure_host(name, port)?;
                        self.inventory.join(group, id);
                    }
                    return Err(Error::refused(format!(
                        "Invalid data from file, expected dictionary and got:\n\n{}",
                        other.to_str()
                    )));
                }
            };
            let mut reserved = Vec::new();
            for name in vars.iter().flat_map(|vars| vars.keys()) {
                if name.as_str().is_some_and(plain_name) {
                    continue;
                }
                let index = index.get_or_insert_with(|| {
                    let entries = node.and_then(Node::as_mapping).unwrap_or_default();
                    entries
                        .iter()
                        .filter_map(|(key, value)| Some((key.as_text()?, value)))
                        .collect()
                });
                if let (Some(place), Some(name)) =
                    (self.check(name, index.get(text).copied()), name.as_str())
                {
                    reserved.push((name.to_owned(), place));
                }
            }
            for name in names {
                let id = self.inventory.ensure_host(&name, port)?;
                self.inventory.join(group, id);
                let Some(vars) = vars else { continue };
                self.inventory.set_host_vars(id, vars)?;
                for (name, place) in &reserved {
                    self.inventory.host_mut(id)?.vars.note(name, Some(place.clone()));
                }
            }
        }
        Ok(())
    }

    /// Warns of names that can be none; gives the place of reserved ones.
    fn check(&mut self, name: &Key, node: Option<&Node>) -> Option<Place> {
        if name.as_str().is_some_and(plain_name) {
            return None;
        }
        let text = name.to_value().to_str();
        let place =
            node.and_then(|node| node.entry(&text)).map(|(key, _)| place_of(key, self.file));
        Inventory::check_name(name, place.clone(), self.warnings);
        name.as_str()
            .is_some_and(is_reserved)
            .then(|| place.unwrap_or_else(|| Place::Named("<unknown>".into())))
    }
}

/// True for names that there is nothing to say about: by far most.
fn plain_name(name: &str) -> bool {
    name.starts_with(|char: char| char == '_' || char.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
        && !is_reserved(name)
}

/// Ranges are refused here without the lead-in that INI files give them.
fn unnested(error: Error) -> Error {
    match error {
        Error::Refused { message, beneath: Some(beneath), .. } if message.is_empty() => {
            Error::refused(beneath)
        }
        other => other,
    }
}
