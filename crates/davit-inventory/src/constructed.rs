//! The plugin `constructed`: variables and groups from expressions over what earlier sources gave.

use std::sync::Arc;

use davit_template::Env;
use davit_value::{Map, Str, Value};

use crate::error::Error;
use crate::files::class_name;
use crate::model::{Inventory, identifier, short_name};

/// One entry of `keyed_groups`.
struct Keyed {
    key: Value,
    prefix: String,
    separator: String,
    parent: Option<Value>,
    default: Option<Value>,
    trailing: Option<bool>,
}

pub(crate) struct Settings {
    strict: bool,
    leading_separator: bool,
    use_vars_plugins: bool,
    use_extra_vars: bool,
    compose: Arc<Map>,
    groups: Arc<Map>,
    keyed: Vec<Value>,
    /// Dashes stay in names of groups.
    pub(crate) keeps_dashes: bool,
}

/// Evaluates the configuration in `config`, which stands in `file`, for every host.
///
/// # Errors
/// For options that are none; with `strict` for expressions that fail.
pub(crate) fn read(inventory: &mut Inventory, config: &Map, file: &Arc<str>) -> Result<(), Error> {
    let settings = Settings::new(config, inventory.options().use_extra_vars)?;
    let hosts: Vec<usize> = inventory.host_ids.values().copied().collect();
    for host in hosts {
        construct(inventory, &settings, host)
            .map_err(|error| error.below(&format!("Failed to parse '{file}'"), None))?;
    }
    Ok(())
}

impl Settings {
    /// A name as groups may have it.
    fn group_name(&self, name: &str) -> String {
        if !self.keeps_dashes {
            return identifier(name);
        }
        let kept = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
        name.chars().map(|it| if kept(it) { it } else { '_' }).collect()
    }

    pub(crate) fn new(config: &Map, use_extra_vars: bool) -> Result<Self, Error> {
        let dict = |name: &str| match config.get(name) {
            None | Some(Value::Null) => Ok(Arc::default()),
            Some(Value::Map(map)) => Ok(Arc::clone(map)),
            Some(other) => Err(Error::refused(format!(
                "Config '{name}' for 'constructed' inventory plugin from 'Direct' has an invalid value: Invalid value provided for 'dict': {}",
                other.repr()
            ))),
        };
        let flag = |name: &str, default: bool| {
            config.get(name).map_or(default, |value| is_true(value).unwrap_or(false))
        };
        let keyed = match config.get("keyed_groups") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Str(text)) => {
                text.split(',').map(|part| Value::from(part.trim())).collect()
            }
            Some(other) => match other.as_list() {
                Some(list) => list.to_vec(),
                None => {
                    return Err(Error::refused(format!(
                        "Config 'keyed_groups' for 'constructed' inventory plugin from 'Direct' has an invalid value: Invalid value provided for 'list': {}",
                        other.repr()
                    )));
                }
            },
        };
        Ok(Self {
            strict: flag("strict", false),
            leading_separator: flag("leading_separator", true),
            use_vars_plugins: flag("use_vars_plugins", false),
            use_extra_vars: flag("use_extra_vars", use_extra_vars),
            compose: dict("compose")?,
            groups: dict("groups")?,
            keyed,
            keeps_dashes: false,
        })
    }
}

/// Python's reading of an option that is to be a boolean.
pub(crate) fn is_true(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(bool) => Some(*bool),
        Value::Int(int) => Some(*int != 0),
        Value::Str(text) => match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "t" | "yes" | "y" | "on" => Some(true),
            "0" | "false" | "f" | "no" | "n" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Gives a host the variables and groups that the options say.
///
/// # Errors
/// For options that are none; with `strict` for expressions that fail.
pub(crate) fn construct(
    inventory: &mut Inventory,
    settings: &Settings,
    host: usize,
) -> Result<(), Error> {
    let options = Arc::clone(inventory.options());
    let name = inventory.hosts.get(host).map(|host| Arc::clone(&host.name)).unwrap_or_default();
    let scope = variables(inventory, settings, host)?;
    let env = Env::new(&options.engine, &scope, &options.outside);
    for (variable, expression) in &*settings.compose {
        match evaluate(&env, expression) {
            Ok(value) => inventory.set_host_var(host, variable.clone(), value)?,
            Err(error) if settings.strict => {
                return Err(Error::deep(format!(
                    "Could not set {} for host {name}: {error}",
                    variable.to_text()
                )));
            }
            Err(_) => {}
        }
    }
    let scope = variables(inventory, settings, host)?;
    let env = Env::new(&options.engine, &scope, &options.outside);
    for (group, condition) in &*settings.groups {
        let group = settings.group_name(&group.to_text());
        match env.condition(&as_expression(condition)) {
            Ok(true) => put(inventory, &group, host)?,
            Ok(false) => {}
            Err(error) if settings.strict => {
                let text = error.to_string();
                let lead_in = if text.starts_with("Error while evaluating") {
                    ""
                } else {
                    "Error while evaluating conditional: "
                };
                return Err(Error::deep(format!(
                    "Could not add host {name} to group {group}: {lead_in}{text}"
                )));
            }
            Err(_) => {}
        }
    }
    for keyed in &settings.keyed {
        keyed_group(inventory, settings, &env, keyed, (host, &name))?;
    }
    Ok(())
}

/// What expressions see: variables of the host and of the groups that earlier sources put it in, and its magic names.
fn variables(inventory: &Inventory, settings: &Settings, host: usize) -> Result<Map, Error> {
    let mut scope = inventory.vars_so_far(host, settings.use_vars_plugins)?;
    let Some(it) = inventory.hosts.get(host) else { return Ok(scope) };
    scope.insert("inventory_hostname", Value::from(&*it.name));
    scope.insert("inventory_hostname_short", Value::from(short_name(&it.name)));
    let groups = inventory.groups_of(&it.name).iter().map(|group| Value::from(&**group)).collect();
    scope.insert("group_names", Value::list(groups));
    if settings.use_extra_vars {
        scope.extend(&inventory.options().extra_vars);
    }
    Ok(scope)
}

/// Text from the configuration is an expression whatever its marks say.
fn as_expression(value: &Value) -> Value {
    match value {
        Value::Str(text) => Value::Str(Str::trusted(text.shared(), text.origin().cloned())),
        other => other.clone(),
    }
}

/// The value of an expression; only text can be one.
fn evaluate(env: &Env<'_>, value: &Value) -> Result<Value, davit_template::Error> {
    let Value::Str(text) = value else {
        let message =
            format!("expected an expression, found a value of type '{}'", value.type_name());
        return Err(davit_template::Error::new(davit_template::ErrorKind::Runtime, message));
    };
    match env.expression(text, text.origin())? {
        Value::Undefined(what) => Err(davit_template::Error::undefined(&what)),
        value => Ok(value),
    }
}

fn put(inventory: &mut Inventory, group: &str, host: usize) -> Result<(), Error> {
    let group = inventory.ensure_group(group, &mut Vec::new())?;
    inventory.join(group, host);
    Ok(())
}

fn keyed_group(
    inventory: &mut Inventory,
    settings: &Settings,
    env: &Env<'_>,
    entry: &Value,
    (host, name): (usize, &str),
) -> Result<(), Error> {
    let Some(map) = entry.as_map() else {
        return Err(Error::refused(format!(
            "Invalid keyed group entry, it must be a dictionary: {}",
            entry.to_str()
        )));
    };
    if map.is_empty() {
        return Ok(());
    }
    let keyed = Keyed::new(map)?;
    let shown = keyed.key.to_str();
    let key = match evaluate(env, &keyed.key) {
        Ok(key) => key,
        Err(error) if settings.strict => {
            return Err(Error::deep(format!(
                "Could not generate group for host {name} from {shown} entry: {error}"
            )));
        }
        Err(_) => return Ok(()),
    };
    let names = if key.truthy().unwrap_or(false) {
        keyed.names(&key)?
    } else if let Some(default) = &keyed.default {
        vec![default.to_str()]
    } else if settings.strict {
        return Err(Error::refused(format!(
            "No key or key resulted empty for {shown} in host {name}, invalid entry"
        )));
    } else {
        return Ok(());
    };
    for bare in names {
        let full = if keyed.prefix.is_empty() && !settings.leading_separator {
            bare
        } else {
            format!("{}{}{bare}", keyed.prefix, keyed.separator)
        };
        let group = settings.group_name(&full);
        put(inventory, &group, host)?;
        let Some(parent) = &keyed.parent else { continue };
        let parent = match parent {
            Value::Str(text) => env.render(text).map(|value| value.to_str()),
            other => Ok(other.to_str()),
        };
        match parent {
            Ok(parent) => {
                let parent =
                    inventory.ensure_group(&settings.group_name(&parent), &mut Vec::new())?;
                let child = inventory.ensure_group(&group, &mut Vec::new())?;
                inventory.add_child(parent, child)?;
            }
            Err(error) if settings.strict => {
                return Err(Error::deep(format!(
                    "Could not generate parent group for group {group}: {error}"
                )));
            }
            Err(_) => {}
        }
    }
    Ok(())
}

impl Keyed {
    fn new(map: &Map) -> Result<Self, Error> {
        let present = |name: &str| map.get(name).filter(|value| !value.is_null()).cloned();
        let default = present("default_value");
        let trailing = present("trailing_separator");
        if default.is_some() && trailing.is_some() {
            return Err(Error::refused(
                "parameters are mutually exclusive for keyed groups: default_value|trailing_separator",
            ));
        }
        Ok(Self {
            key: present("key").unwrap_or_default(),
            prefix: present("prefix").map(|value| value.to_str()).unwrap_or_default(),
            separator: map.get("separator").map_or_else(
                || "_".to_owned(),
                |value| if value.is_null() { "_".into() } else { value.to_str() },
            ),
            parent: present("parent_group"),
            default,
            trailing: trailing.as_ref().and_then(is_true),
        })
    }

    /// Names of groups, without prefix, that a value stands for.
    fn names(&self, key: &Value) -> Result<Vec<String>, Error> {
        let or_default = |value: &Value| match &self.default {
            Some(default) if value.is_null() || value.as_str().is_some_and(str::is_empty) => {
                default.to_str()
            }
            _ => value.to_str(),
        };
        Ok(match key {
            Value::Str(text) => vec![text.to_string()],
            Value::List(list) => list.iter().map(or_default).collect(),
            Value::Map(map) => {
                map.iter().map(|(name, value)| self.pair(&name.to_text(), value)).collect()
            }
            other => {
                return Err(Error::refused(format!(
                    "Invalid group name format, expected a string or a list of them or dictionary, got: {}",
                    class_name(other)
                )));
            }
        })
    }

    /// `name_value`; what stands for a missing value is for the options to say.
    fn pair(&self, name: &str, value: &Value) -> String {
        let missing = value.is_null() || value.as_str().is_some_and(str::is_empty);
        match &self.default {
            Some(default) if missing => format!("{name}{}{}", self.separator, default.to_str()),
            _ if missing && self.trailing == Some(false) => name.to_owned(),
            _ => format!("{name}{}{}", self.separator, value.to_str()),
        }
    }
}
