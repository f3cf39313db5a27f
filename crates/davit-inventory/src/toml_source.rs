//! TOML inventories: a table a group, with `hosts`, `vars` and `children`.

use std::sync::Arc;

use davit_value::{Key, Map, Str, Value};

use crate::address::expand_pattern;
use crate::error::{Error, Place, Warning};
use crate::model::{Inventory, line_origin};
use crate::reserved::is_reserved;

/// Reads `text` of `file` into `inventory`.
///
/// # Errors
/// For what is no TOML, or no inventory.
pub(crate) fn read(
    inventory: &mut Inventory,
    text: &str,
    file: &Arc<str>,
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let (line, column) = place_of(text, error.span().map_or(0, |span| span.start));
        Error::refused(format!(
            "TOML file '{file}' is invalid: {} (at line {line}, column {column})",
            error.message()
        ))
    })?;
    if table.is_empty() {
        return Err(Error::refused("Parsed empty TOML file"));
    }
    if table.contains_key("plugin") {
        return Err(Error::refused("Plugin configuration TOML file, not TOML inventory"));
    }
    let mut reader = Reader { inventory, file, warnings };
    for (name, group) in &table {
        reader.group(name, group)?;
    }
    Ok(())
}

/// Line and column, from 1, of a byte.
fn place_of(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    (line, column)
}

struct Reader<'i> {
    inventory: &'i mut Inventory,
    file: &'i Arc<str>,
    warnings: &'i mut Vec<Warning>,
}

impl Reader<'_> {
    fn group(&mut self, name: &str, data: &toml::Value) -> Result<(), Error> {
        let toml::Value::Table(data) = data else {
            self.warnings.push(Warning::new(format!(
                "Skipping '{name}' as this is not a valid group definition"
            )));
            return Ok(());
        };
        let group = self.inventory.ensure_group(name, self.warnings)?;
        let refuse = |section: &str, value: &toml::Value, wanted: &str| {
            Error::refused(format!(
                "Invalid \"{section}\" entry for \"{name}\" group, requires a {wanted}, found \"<class '{}'>\" instead.",
                class_of(value)
            ))
        };
        for (section, value) in data {
            match (section.as_str(), value) {
                ("vars", toml::Value::Table(vars)) => {
                    for (name, value) in vars {
                        let place = self.check(name);
                        self.inventory.set_group_var(group, Key::from(name.as_str()), self.value(value))?;
                        if let (Some(place), Some(group)) = (place, self.inventory.groups.get_mut(group)) {
                            group.vars.note(name, Some(place));
                        }
                    }
                }
                ("vars", other) => return Err(refuse("vars", other, "dict")),
                ("children", toml::Value::Array(children)) => {
                    for child in children {
                        let child = child.as_str().map_or_else(|| self.value(child).to_str(), str::to_owned);
                        let child = self.inventory.ensure_group(&child, self.warnings)?;
                        self.inventory.add_child(group, child)?;
                    }
                }
                ("children", other) => return Err(refuse("children", other, "list")),
                ("hosts", toml::Value::Table(hosts)) => self.hosts(group, hosts)?,
                ("hosts", other) => return Err(refuse("hosts", other, "dict")),
                _ => self.warnings.push(Warning::new(format!(
                    "Skipping unexpected key \"{section}\" in group \"{name}\", only \"vars\", \"children\" and \"hosts\" are valid"
                ))),
            }
        }
        Ok(())
    }

    fn hosts(&mut self, group: usize, hosts: &toml::Table) -> Result<(), Error> {
        for (pattern, vars) in hosts {
            let (names, port) = expand_pattern(pattern)?;
            let toml::Value::Table(vars) = vars else {
                return Err(Error::refused(format!(
                    "Invalid data from file, expected dictionary and got:\n\n{}",
                    self.value(vars).to_str()
                )));
            };
            let places: Vec<_> =
                vars.keys().filter_map(|name| Some((name, self.check(name)?))).collect();
            let vars: Map =
                vars.iter().map(|(name, value)| (name.as_str(), self.value(value))).collect();
            let vars = Arc::new(vars);
            for name in names {
                let id = self.inventory.ensure_host(&name, port)?;
                self.inventory.join(group, id);
                self.inventory.set_host_vars(id, &vars)?;
                for (name, place) in &places {
                    self.inventory.host_mut(id)?.vars.note(name, Some(place.clone()));
                }
            }
        }
        Ok(())
    }

    fn check(&mut self, name: &str) -> Option<Place> {
        let unknown = || Place::Named("<unknown>".into());
        Inventory::check_name(&Key::from(name), Some(unknown()), self.warnings);
        is_reserved(name).then(unknown)
    }

    fn value(&self, value: &toml::Value) -> Value {
        match value {
            toml::Value::String(text) => {
                Value::Str(Str::trusted(text.as_str(), Some(line_origin(self.file, 0))))
            }
            toml::Value::Integer(int) => Value::from(*int),
            toml::Value::Float(float) => Value::Float(*float),
            toml::Value::Boolean(bool) => Value::Bool(*bool),
            toml::Value::Datetime(at) => date(at),
            toml::Value::Array(items) => {
                Value::list(items.iter().map(|item| self.value(item)).collect())
            }
            toml::Value::Table(table) => table
                .iter()
                .map(|(name, value)| (name.as_str(), self.value(value)))
                .collect::<Map>()
                .into(),
        }
    }
}

/// Python's name for the type of a value.
fn class_of(value: &toml::Value) -> &'static str {
    match value {
        toml::Value::String(_) => "str",
        toml::Value::Integer(_) => "int",
        toml::Value::Float(_) => "float",
        toml::Value::Boolean(_) => "bool",
        toml::Value::Datetime(_) => "datetime.datetime",
        toml::Value::Array(_) => "list",
        toml::Value::Table(_) => "dict",
    }
}

/// A date, a date with a time, or, for a time alone, its text.
fn date(at: &toml::value::Datetime) -> Value {
    let small = |number: u8| i8::try_from(number).unwrap_or(0);
    let Some(day) = at.date else { return Value::from(at.to_string()) };
    let Ok(date) = jiff::civil::Date::new(
        i16::try_from(day.year).unwrap_or(0),
        small(day.month),
        small(day.day),
    ) else {
        return Value::from(at.to_string());
    };
    let Some(time) = at.time else { return Value::Date(date) };
    let (second, nanos) = (time.second.unwrap_or(0), time.nanosecond.unwrap_or(0));
    let nanos = i32::try_from(nanos).unwrap_or(0);
    let Ok(time) =
        jiff::civil::Time::new(small(time.hour), small(time.minute), small(second), nanos)
    else {
        return Value::from(at.to_string());
    };
    let offset = at.offset.map(|offset| match offset {
        toml::value::Offset::Z => 0,
        toml::value::Offset::Custom { minutes } => i32::from(minutes) * 60,
    });
    Value::DateTime(date.to_datetime(time), offset)
}
