//! One file being read: nodes to values, with what every object needs on the way.

use std::cell::RefCell;
use std::sync::Arc;

use davit_value::{Key, Map, Origin, Value};
use davit_yaml::{Convert, Node, Place};

use crate::keyword::{Field, Keyword, Keywords, Owner, keyword, keywords, not_text};
use crate::{Error, Loader, Warning};

/// A file, its text and who reads it.
pub(crate) struct Context<'f> {
    pub(crate) loader: &'f Loader,
    pub(crate) file: &'f Arc<str>,
    pub(crate) text: &'f str,
    /// The play's or role's `collections`, for names without one.
    pub(crate) collections: Vec<String>,
    /// Where mistakes go that leave the rest of the file readable; none where the first one ends the reading.
    pub(crate) mistakes: Option<&'f RefCell<Vec<Error>>>,
}

/// An entry of a mapping whose key is text.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'n> {
    pub(crate) key: &'n str,
    pub(crate) key_node: &'n Node,
    pub(crate) value: &'n Node,
}

impl<'f> Context<'f> {
    pub(crate) fn origin(&self, place: Place) -> Origin {
        Origin { file: Arc::clone(self.file), line: place.line, column: place.column }
    }

    pub(crate) fn at(&self, node: &Node) -> Option<Origin> {
        Some(self.origin(node.place))
    }

    pub(crate) fn invalid(&self, node: &Node, message: impl Into<String>) -> Error {
        Error::invalid(message, self.at(node))
    }

    pub(crate) fn refused(&self, node: &Node, message: impl Into<String>) -> Error {
        Error::refused(message, self.at(node))
    }

    /// Notes `error` and goes on, where mistakes are collected.
    pub(crate) fn forgive(&self, error: Error) -> Result<(), Error> {
        match self.mistakes {
            Some(mistakes) => {
                mistakes.borrow_mut().push(error);
                Ok(())
            }
            None => Err(error),
        }
    }

    pub(crate) fn warn(
        &self,
        node: &Node,
        message: impl Into<String>,
        help: Option<&str>,
        deprecated: bool,
    ) {
        (self.loader.warn)(Warning {
            message: message.into(),
            origin: self.at(node),
            help: help.map(str::to_owned),
            deprecated,
        });
    }

    /// The value of `node`. Odd things in it were reported when the file was read.
    pub(crate) fn value(&self, node: &Node) -> Result<Value, Error> {
        let quiet = Convert { duplicates: davit_yaml::Duplicates::Ignore, ..Convert::trusted() };
        Ok(quiet.value(node, self.file, self.text)?)
    }

    /// The entries of a mapping, `<<` applied, of doubles the last.
    pub(crate) fn entries<'n>(&self, node: &'n Node, owner: &str) -> Result<Vec<Entry<'n>>, Error> {
        let pairs = Convert::trusted().entries(node, self.file, self.text)?;
        pairs
            .into_iter()
            .map(|(key_node, value)| match key_node.as_text() {
                Some(key) => Ok(Entry { key, key_node, value }),
                None => {
                    let key = self.value(key_node).map(|key| key.repr()).unwrap_or_default();
                    Err(self
                        .invalid(key_node, format!("{key} is not a valid attribute for a {owner}")))
                }
            })
            .collect()
    }

    /// The keyword `entry` of `owner`, which begins at `object`, checked as far as no rendering is needed.
    pub(crate) fn keyword(
        &self,
        entry: &Entry<'_>,
        owner: Owner,
        object: &Node,
    ) -> Result<Keyword, Error> {
        let value = self.value(entry.value)?;
        let is_collection = matches!(value, Value::List(_) | Value::Map(_));
        match entry.key {
            "tags" if !matches!(value, Value::List(_) | Value::Str(_) | Value::Null) => {
                return Err(self.refused(entry.value, "tags must be specified as a list"));
            }
            "collections" => self.texts(entry, &value)?,
            "module_defaults" => self.module_defaults(entry, &value)?,
            name if is_collection && keyword(name).is_some_and(|info| info.field == Field::Str) => {
                let place = if matches!(owner, Owner::Role) { entry.value } else { object };
                return Err(self.invalid(place, not_text(name, &value)));
            }
            _ => {}
        }
        Ok(Keyword {
            value,
            key_origin: self.origin(entry.key_node.place),
            origin: self.origin(entry.value.place),
        })
    }

    /// Refuses anything but text, or a list of texts.
    pub(crate) fn texts(&self, entry: &Entry<'_>, value: &Value) -> Result<(), Error> {
        let refuse = |node: &Node, value: &Value| {
            let (name, found) = (entry.key, value.type_name());
            Err(self.invalid(
                node,
                format!("Keyword '{name}' items must be of type 'str', not '{found}'."),
            ))
        };
        match value {
            Value::Null | Value::Str(_) => Ok(()),
            Value::List(items) => {
                let nodes = entry.value.as_sequence().unwrap_or_default();
                for (item, node) in items.iter().zip(nodes) {
                    if !matches!(item, Value::Str(_)) {
                        return refuse(node, item);
                    }
                }
                Ok(())
            }
            other => refuse(entry.value, other),
        }
    }

    fn module_defaults(&self, entry: &Entry<'_>, value: &Value) -> Result<(), Error> {
        let good = match value {
            Value::Null | Value::Map(_) => true,
            Value::List(items) => items.iter().all(|item| matches!(item, Value::Map(_))),
            _ => false,
        };
        if good {
            return self.default_groups(entry, value);
        }
        let message = "The field 'module_defaults' is supposed to be a dictionary or list of dictionaries, \
                       the keys of which must be static action, module, or group names. \
                       Only the values may contain templates. For example: {'ping': \"{{ ping_defaults }}\"}";
        Err(self.invalid(entry.value, message))
    }

    /// Refuses groups of actions that there are not.
    fn default_groups(&self, entry: &Entry<'_>, value: &Value) -> Result<(), Error> {
        let maps = match value {
            Value::List(items) => items.as_slice(),
            other => std::slice::from_ref(other),
        };
        let keys = maps.iter().filter_map(Value::as_map).flat_map(Map::keys);
        for group in keys.filter_map(|key| key.as_str()?.strip_prefix("group/")) {
            if let Err(name) = self.loader.groups.find(group) {
                let message = format!(
                    "Error loading module_defaults: could not resolve the module_defaults group {name}"
                );
                return Err(self.invalid(entry.value, message));
            }
        }
        Ok(())
    }

    /// The dictionary of `vars` of a play, block or task.
    pub(crate) fn vars(&self, node: &Node, owner: Owner) -> Result<Map, Error> {
        match self.value(node)? {
            Value::Null => Ok(Map::new()),
            Value::Map(map) => {
                self.check_names(node, &map)?;
                self.warn_of_names(node);
                Ok(Map::clone(&map))
            }
            _ => {
                let owner = owner.name();
                Err(self
                    .invalid(node, format!("Vars in a {owner} must be specified as a dictionary.")))
            }
        }
    }

    /// Says which variables of the mapping `node` have names that mean something else.
    pub(crate) fn warn_of_names(&self, node: &Node) {
        for (key, _) in node.as_mapping().unwrap_or_default() {
            self.warn_of_name(key);
        }
    }

    /// Says it where the variable's name `key` means something else.
    pub(crate) fn warn_of_name(&self, key: &Node) {
        if let Some(name) = key.as_text().filter(|name| (self.loader.is_reserved)(name)) {
            self.warn(key, format!("Found variable using reserved name '{name}'."), None, false);
        }
    }

    /// Refuses names that no variable can have.
    pub(crate) fn check_names(&self, node: &Node, map: &Map) -> Result<(), Error> {
        let Some(key) = map.keys().find(|key| !key.as_str().is_some_and(is_variable_name)) else {
            return Ok(());
        };
        let pairs = Convert::trusted().entries(node, self.file, self.text)?;
        let written = |it: &Node| {
            self.value(it).ok().and_then(|it| Key::from_value(&it)).as_ref() == Some(key)
        };
        let place = pairs.iter().find(|(it, _)| written(it)).map_or(node, |(it, _)| *it);
        Err(self.bad_name(place, &key.to_value()))
    }

    /// The error for a name that no variable can have.
    pub(crate) fn bad_name(&self, node: &Node, name: &Value) -> Error {
        self.refused(node, bad_name_message(name)).with_help(NAME_HELP)
    }

    /// The error for a key that is no keyword of `owner`, with the nearest one that is.
    pub(crate) fn unknown_keyword(
        &self,
        key: &Node,
        name: &str,
        owner: &str,
        known: &[&str],
    ) -> Error {
        let error = self.invalid(key, format!("'{name}' is not a valid attribute for a {owner}"));
        match nearest(name, known.iter().copied()) {
            Some(near) => error.with_help(format!("Did you mean '{near}'?")),
            None => error,
        }
    }

    /// The keywords that an `owner` may have.
    pub(crate) fn known(owner: Owner) -> Vec<&'static str> {
        keywords().iter().filter(|info| info.applies_to(owner)).map(|info| info.name).collect()
    }

    /// Puts `entry` into `keywords`, or refuses it.
    pub(crate) fn take(
        &self,
        keywords: &mut Keywords,
        entry: &Entry<'_>,
        owner: Owner,
        object: &Node,
    ) -> Result<(), Error> {
        if !keyword(entry.key).is_some_and(|info| info.applies_to(owner)) {
            let known = Self::known(owner);
            return self.forgive(self.unknown_keyword(
                entry.key_node,
                entry.key,
                owner.name(),
                &known,
            ));
        }
        keywords.set(entry.key, self.keyword(entry, owner, object)?);
        Ok(())
    }
}

/// What is allowed, for a name that is not.
pub(crate) const NAME_HELP: &str = "Variable names must be strings starting with a letter or underscore character, \
                                    and contain only letters, numbers and underscores.";

pub(crate) fn bad_name_message(name: &Value) -> String {
    match name {
        Value::Str(text) => format!("Invalid variable name {}.", Value::from(text.as_str()).repr()),
        Value::List(_) | Value::Map(_) => {
            format!("Invalid variable name of type '{}'.", name.type_name())
        }
        other => {
            format!("Invalid variable name '{}' of type '{}'.", other.to_str(), other.type_name())
        }
    }
}

/// True for letters, digits and `_` that do not begin with a digit.
pub(crate) fn is_variable_name(name: &str) -> bool {
    !name.starts_with(|char: char| char.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
        && !matches!(name, "True" | "False" | "None")
}

/// The one of `known` that `name` most likely was to be.
pub(crate) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    known
        .map(|it| (strsim::jaro_winkler(name, it), it))
        .filter(|(score, _)| *score > 0.84)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, it)| it)
}
