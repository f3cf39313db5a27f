//! Reads files: playbooks, lists of tasks, variables, roles.

use std::cell::RefCell;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use davit_value::{Map, Origin, Value};
use davit_yaml::{Convert, Duplicates, Kind, Node, Place, Style};

use crate::block::{self, Item};
use crate::context::Context;
use crate::play;
use crate::role::start_of;
use crate::{ActionGroups, Error, Playbook};

/// Something odd in a file that does not stop the loading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What is odd.
    pub message: String,
    /// Where.
    pub origin: Option<Origin>,
    /// What follows from it, or what to do.
    pub help: Option<String>,
    /// It will stop working one day.
    pub deprecated: bool,
}

/// Asks whether there is an action of a name, given the collections for names without one.
pub type IsAction = dyn Fn(&str, &[String]) -> bool + Send + Sync;
/// Asks whether there is a lookup of a name.
pub type IsLookup = dyn Fn(&str) -> bool + Send + Sync;
/// Asks whether a name of a variable is worth a warning.
pub type IsReserved = dyn Fn(&str) -> bool + Send + Sync;
/// Decrypts a whole file.
pub type Decrypt = dyn Fn(&[u8]) -> Result<String, String> + Send + Sync;

/// Reads files, and knows what it may find in them.
#[derive(Clone)]
pub struct Loader {
    /// True for every action that there is, language actions such as `debug` included.
    pub is_action: Arc<IsAction>,
    /// True for every lookup that there is.
    pub is_lookup: Arc<IsLookup>,
    /// True for a name that a variable may have, but that is better left to something else.
    pub is_reserved: Arc<IsReserved>,
    /// Decrypts files that are encrypted as a whole.
    pub vault: Option<Arc<Decrypt>>,
    /// What to do with a mapping that has a key twice.
    pub duplicates: Duplicates,
    /// Groups that `module_defaults` may name.
    pub groups: Arc<ActionGroups>,
    /// Where warnings go.
    pub warn: Arc<dyn Fn(Warning) + Send + Sync>,
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader").finish_non_exhaustive()
    }
}

impl Default for Loader {
    /// Takes every name for an action and a lookup, decrypts nothing, keeps warnings to itself.
    fn default() -> Self {
        Self {
            is_action: Arc::new(|_, _| true),
            is_lookup: Arc::new(|_| true),
            is_reserved: Arc::new(|_| false),
            vault: None,
            duplicates: Duplicates::default(),
            groups: Arc::default(),
            warn: Arc::new(|_| {}),
        }
    }
}

/// A file that was read.
pub(crate) struct Document {
    file: Arc<str>,
    text: String,
    pub(crate) node: Option<Node>,
}

impl Document {
    pub(crate) fn context<'f>(&'f self, loader: &'f Loader) -> Context<'f> {
        Context {
            loader,
            file: &self.file,
            text: &self.text,
            collections: Vec::new(),
            mistakes: None,
        }
    }

    /// The same, with a place for mistakes that leave the rest readable.
    pub(crate) fn forgiving<'f>(
        &'f self,
        loader: &'f Loader,
        mistakes: Option<&'f RefCell<Vec<Error>>>,
    ) -> Context<'f> {
        Context { mistakes, ..self.context(loader) }
    }
}

impl Loader {
    /// Reads the playbook `path`.
    ///
    /// # Errors
    /// Where it cannot be read or is no playbook.
    pub fn playbook(&self, path: &Path) -> Result<Playbook, Error> {
        self.playbook_with(path, None)
    }

    /// Reads the playbook `path` as far as it can be read: a wrong task, play or keyword is left out and its
    /// error put into `mistakes`.
    ///
    /// # Errors
    /// Where nothing of it can be read.
    pub fn playbook_forgiving(
        &self,
        path: &Path,
        mistakes: &RefCell<Vec<Error>>,
    ) -> Result<Playbook, Error> {
        self.playbook_with(path, Some(mistakes))
    }

    fn playbook_with(
        &self,
        path: &Path,
        mistakes: Option<&RefCell<Vec<Error>>>,
    ) -> Result<Playbook, Error> {
        let document = self.document(path)?;
        let at = document.forgiving(self, mistakes);
        let entries = match &document.node {
            Some(node) if !at.value(node)?.is_null() => play::entries(&at, node)?,
            _ => {
                let message = format!("Empty playbook, nothing to do: {}", path.display());
                return Err(Error::invalid(message, None));
            }
        };
        Ok(Playbook { path: path.to_owned(), entries })
    }

    /// Reads a file of tasks, or of handlers.
    ///
    /// # Errors
    /// Where it cannot be read or is no list of tasks.
    pub fn tasks(&self, path: &Path, handlers: bool) -> Result<Vec<Item>, Error> {
        self.tasks_with(path, handlers, None)
    }

    /// Reads a file of tasks as far as it can be read, as [`playbook_forgiving`](Self::playbook_forgiving).
    ///
    /// # Errors
    /// Where nothing of it can be read.
    pub fn tasks_forgiving(
        &self,
        path: &Path,
        handlers: bool,
        mistakes: &RefCell<Vec<Error>>,
    ) -> Result<Vec<Item>, Error> {
        self.tasks_with(path, handlers, Some(mistakes))
    }

    fn tasks_with(
        &self,
        path: &Path,
        handlers: bool,
        mistakes: Option<&RefCell<Vec<Error>>>,
    ) -> Result<Vec<Item>, Error> {
        let document = self.document(path)?;
        let at = document.forgiving(self, mistakes);
        match &document.node {
            Some(node) if !at.value(node)?.is_null() => match &node.kind {
                Kind::Sequence(nodes) => block::entries(&at, nodes, handlers),
                _ => Err(at.invalid(node, "included task files must contain a list of tasks")),
            },
            _ => {
                (self.warn)(Warning {
                    message: format!(
                        "file {} is empty and had no tasks to include",
                        path.display()
                    ),
                    origin: None,
                    help: None,
                    deprecated: false,
                });
                Ok(Vec::new())
            }
        }
    }

    /// Reads a file of variables: a dictionary, or a list of dictionaries that are put together.
    ///
    /// # Errors
    /// Where it cannot be read or holds something else.
    pub fn vars_file(&self, path: &Path) -> Result<Map, Error> {
        let document = self.document(path)?;
        let Some(node) = &document.node else { return Ok(Map::new()) };
        let at = document.context(self);
        let refuse = |node: &Node| {
            Err(at.invalid(node, "Invalid variable file contents.").with_help(
                "Variable files must contain either a dictionary of variables, or a list of dictionaries.",
            ))
        };
        let mut out = Map::new();
        match at.value(node)? {
            Value::Null => {}
            Value::Str(text) if text.is_empty() => {}
            Value::Map(map) => {
                at.warn_of_names(node);
                out.extend(&map);
            }
            Value::List(items) => {
                for (item, node) in items.iter().zip(node.as_sequence().unwrap_or_default()) {
                    match item {
                        Value::Map(map) => {
                            at.warn_of_names(node);
                            out.extend(map);
                        }
                        _ => return refuse(node),
                    }
                }
            }
            _ => return refuse(node),
        }
        Ok(out)
    }

    /// Reads any YAML or JSON file as a value, its text trusted.
    ///
    /// # Errors
    /// Where it cannot be read or is not YAML.
    pub fn value(&self, path: &Path) -> Result<Value, Error> {
        let document = self.document(path)?;
        match &document.node {
            Some(node) => document.context(self).value(node),
            None => Ok(Value::Null),
        }
    }

    /// The text of `path`, decrypted.
    ///
    /// # Errors
    /// Where it cannot be read or decrypted.
    pub fn text(&self, path: &Path) -> Result<String, Error> {
        let bytes = std::fs::read(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            origin: None,
            source: Arc::new(source),
        })?;
        if bytes.starts_with(b"$ANSIBLE_VAULT;") {
            let refuse = |message: String| Error::Vault { path: path.to_owned(), message };
            let Some(decrypt) = &self.vault else {
                return Err(refuse("Attempting to decrypt but no vault secrets found.".into()));
            };
            return decrypt(&bytes).map_err(refuse);
        }
        String::from_utf8(bytes).map_err(|error| {
            let origin = start_of(&Arc::from(path.to_string_lossy()));
            Error::invalid(format!("the file is not UTF-8: {error}"), Some(origin))
        })
    }

    /// Reads `path` as YAML, or as JSON where it is that; reports what is odd in it.
    pub(crate) fn document(&self, path: &Path) -> Result<Document, Error> {
        let text = self.text(path)?;
        let file: Arc<str> = Arc::from(path.to_string_lossy());
        let node = read(&text, &file)?;
        if let Some(node) = &node {
            let warn = |warning: davit_yaml::Warning| {
                (self.warn)(Warning {
                    deprecated: warning.kind == davit_yaml::Warned::Deprecated,
                    message: warning.message,
                    origin: Some(warning.origin),
                    help: Some(warning.help),
                });
            };
            // Everything in the file has to be a value, whatever is made of it later.
            let convert = Convert { duplicates: self.duplicates, ..Convert::default() };
            convert.warning(&warn).value(node, &file, &text)?;
        }
        Ok(Document { file, text, node })
    }
}

/// The node of a text in YAML, or in JSON where it means something else as that.
fn read(text: &str, file: &Arc<str>) -> Result<Option<Node>, Error> {
    let node = davit_yaml::parse(text, file);
    // `1e3` is a number in JSON only, and a tab may stand anywhere; but only YAML knows places.
    if text.trim_start().starts_with(['{', '['])
        && let Ok(json) = serde_json::from_str::<serde_json::Value>(text)
    {
        let value = node.as_ref().ok().and_then(Option::as_ref);
        let value = value.and_then(|node| Convert::default().value(node, file, text).ok());
        if value.is_none_or(|value| value != Value::from_json(&json)) {
            return Ok(Some(json_node(&json)));
        }
    }
    Ok(node?)
}

/// JSON as nodes, without places.
fn json_node(json: &serde_json::Value) -> Node {
    let place = Place { line: 1, column: 1 };
    let scalar = |text: String, style| Kind::Scalar { text, style };
    let mut tag = None;
    let kind = match json {
        serde_json::Value::String(text) => scalar(text.clone(), Style::DoubleQuoted),
        serde_json::Value::Number(number) => {
            if number.is_f64() {
                tag = Some("tag:yaml.org,2002:float".to_owned());
            }
            scalar(number.to_string(), Style::Plain)
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) => {
            scalar(json.to_string(), Style::Plain)
        }
        serde_json::Value::Array(items) => Kind::Sequence(items.iter().map(json_node).collect()),
        serde_json::Value::Object(entries) => Kind::Mapping(
            entries
                .iter()
                .map(|(key, value)| {
                    (json_node(&serde_json::Value::String(key.clone())), json_node(value))
                })
                .collect(),
        ),
    };
    Node { place, end: place, tag, kind }
}
