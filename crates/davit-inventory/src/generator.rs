//! The plugin `generator`: a host for every combination of layers.

use std::sync::Arc;

use davit_template::Env;
use davit_value::{Map, Str, Value};
use davit_yaml::Node;

use crate::error::{Error, Warning};
use crate::files::place_of;
use crate::model::Inventory;
use crate::options::LoadOptions;

/// More hosts than this are a mistake.
const MAX_HOSTS: usize = 1_000_000;

/// How deep parents may nest.
const MAX_DEPTH: usize = 100;

/// What is to be put below a parent.
#[derive(Clone, Copy)]
enum Member {
    Host(usize),
    Group(usize),
}

/// Generates hosts and groups as `config` says; the node of the file knows where names of variables stand.
///
/// # Errors
/// For options that are missing, and for templates that fail.
pub(crate) fn read(
    inventory: &mut Inventory,
    config: &Map,
    (node, file): (Option<&Node>, &Arc<str>),
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    let node = node.and_then(|node| node.get("hosts")?.get("parents"));
    let missing = |name: &str| Error::refused(format!("'{name}'"));
    let layers = config.get("layers").and_then(Value::as_map).ok_or_else(|| missing("layers"))?;
    let hosts = config.get("hosts").ok_or_else(|| missing("hosts"))?;
    let name = hosts.get("name").ok_or_else(|| missing("name"))?;
    let options = Arc::clone(inventory.options());
    let mut values: Vec<Vec<Value>> = Vec::new();
    let mut count = 1_usize;
    for layer in layers.values() {
        let items = match layer {
            Value::Str(text) => text.chars().map(|char| Value::from(char.to_string())).collect(),
            Value::Map(map) => map.keys().map(davit_value::Key::to_value).collect(),
            other => other.as_list().map(<[Value]>::to_vec).ok_or_else(|| {
                Error::refused(format!("'{}' object is not iterable", other.type_name()))
            })?,
        };
        count = count.saturating_mul(items.len());
        values.push(items);
    }
    if count > MAX_HOSTS {
        return Err(Error::refused("the layers stand for too many hosts"));
    }
    for number in 0..count {
        let mut scope = Map::new();
        // The last layer changes fastest.
        let mut left = number;
        let mut picked = Vec::with_capacity(values.len());
        for items in values.iter().rev() {
            picked.push(items.get(left % items.len().max(1)).cloned().unwrap_or_default());
            left /= items.len().max(1);
        }
        for (layer, value) in layers.keys().zip(picked.into_iter().rev()) {
            scope.insert(layer.clone(), value);
        }
        let host = template(&options, &scope, name)?.to_str();
        let id = inventory.ensure_host(&host, None)?;
        let mut work = Work { inventory, options: &options, scope: &scope, file, warnings };
        work.parents((&host, Member::Host(id)), (hosts.get("parents"), node), 0)?;
    }
    Ok(())
}

fn template(options: &LoadOptions, scope: &Map, value: &Value) -> Result<Value, Error> {
    let Value::Str(text) = value else { return Ok(value.clone()) };
    let text = Str::trusted(text.shared(), text.origin().cloned());
    Env::new(&options.engine, scope, &options.outside).render(&text).map_err(|error| {
        Error::Refused {
            message: error.to_string(),
            beneath: None,
            place: text.origin().cloned().map(crate::Place::File),
        }
    })
}

struct Work<'i> {
    inventory: &'i mut Inventory,
    options: &'i LoadOptions,
    scope: &'i Map,
    file: &'i Arc<str>,
    warnings: &'i mut Vec<Warning>,
}

impl Work<'_> {
    fn parents(
        &mut self,
        child: (&str, Member),
        (parents, node): (Option<&Value>, Option<&Node>),
        depth: usize,
    ) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(Error::refused("parents nest too deeply"));
        }
        for (at, parent) in parents.and_then(Value::as_list).unwrap_or_default().iter().enumerate()
        {
            let node = node.and_then(|node| node.as_sequence()?.get(at));
            let Some(name) = parent.get("name") else {
                return Err(Error::refused(format!(
                    "Element {} has a parent with no name.",
                    child.0
                )));
            };
            let name = template(self.options, self.scope, name)?.to_str();
            let group = self.inventory.ensure_group(&name, self.warnings)?;
            if let Some(vars) = parent.get("vars").and_then(Value::as_map) {
                for (key, value) in vars {
                    let value = template(self.options, self.scope, value)?;
                    self.inventory.set_group_var(group, key.clone(), value)?;
                    let name = key.to_text();
                    let entry = node.and_then(|node| node.get("vars")?.entry(&name));
                    let place = entry.map(|(key, _)| place_of(key, self.file));
                    if let Some(group) = self.inventory.groups.get_mut(group) {
                        group.vars.note(&name, place);
                    }
                }
            }
            match child.1 {
                Member::Host(host) => {
                    self.inventory.join(group, host);
                }
                Member::Group(it) => {
                    self.inventory.add_child(group, it)?;
                }
            }
            let above = (parent.get("parents"), node.and_then(|node| node.get("parents")));
            self.parents((&name, Member::Group(group)), above, depth + 1)?;
        }
        Ok(())
    }
}
