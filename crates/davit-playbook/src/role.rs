//! Roles: where they are, and what is in their folder.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use davit_value::{Map, Origin, Value};
use davit_yaml::{Kind, Node};

use crate::block::{Item, entries};
use crate::context::Context;
use crate::keyword::{Owner, keyword};
use crate::play::{RoleUse, role_use};
use crate::task::list_texts;
use crate::{Error, Loader};

/// Which files of a role to use instead of `main`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RoleFrom {
    /// Of `tasks`.
    pub tasks: Option<String>,
    /// Of `vars`.
    pub vars: Option<String>,
    /// Of `defaults`.
    pub defaults: Option<String>,
    /// Of `handlers`.
    pub handlers: Option<String>,
}

/// A role as it lies in its folder.
#[derive(Clone, Debug)]
pub struct Role {
    /// Name of the folder, or with its collection.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// `defaults`.
    pub defaults: Map,
    /// `vars`.
    pub vars: Map,
    /// `tasks`.
    pub tasks: Vec<Item>,
    /// `handlers`.
    pub handlers: Vec<Item>,
    /// `meta`.
    pub meta: Meta,
}

/// `meta/main.yml` and `meta/argument_specs.yml`.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// Roles to run before.
    pub dependencies: Vec<RoleUse>,
    /// It may run more than once in a play.
    pub allow_duplicates: Value,
    /// What the role tells about itself.
    pub galaxy_info: Value,
    /// The arguments of each entry point: `main` and others.
    pub argument_specs: Option<Value>,
    /// Collections for names without one.
    pub collections: Vec<String>,
}

const EXTENSIONS: [&str; 3] = [".yml", ".yaml", ".json"];

/// Looks for the role `name`: a path, a name in one of `folders`, or `namespace.collection.role` in
/// one of `collections` (folders that hold `ansible_collections`).
///
/// # Errors
/// Where there is none.
pub fn find_role(
    name: &str,
    folders: &[PathBuf],
    collections: &[PathBuf],
) -> Result<PathBuf, Error> {
    let mut parts = name.split('.');
    if let (Some(namespace), Some(collection), Some(role), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    {
        let inner = Path::new("ansible_collections")
            .join(namespace)
            .join(collection)
            .join("roles")
            .join(role);
        if let Some(path) =
            collections.iter().map(|folder| folder.join(&inner)).find(|path| path.is_dir())
        {
            return Ok(path);
        }
    }
    if !name.is_empty() {
        let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_dir());
        if let Some(path) = found {
            return Ok(path);
        }
        if name.contains('/') && Path::new(name).is_dir() {
            return Ok(PathBuf::from(name));
        }
    }
    Err(Error::NoRole { name: name.to_owned(), folders: folders.to_vec(), origin: None })
}

/// Files for `from` (or `main`) in `folder`: one, or those of a folder of that name.
fn files(folder: &Path, from: Option<&str>, folders_too: bool) -> Vec<PathBuf> {
    let name = from.unwrap_or("main");
    let with = EXTENSIONS.iter().map(|extension| format!("{name}{extension}"));
    // A name that was asked for may have its extension already; `main` has it first.
    let candidates: Vec<String> = match from {
        Some(_) => std::iter::once(name.to_owned()).chain(with).collect(),
        None => with.chain(std::iter::once(name.to_owned())).collect(),
    };
    for candidate in candidates {
        let path = folder.join(candidate);
        if path.is_file() {
            return vec![path];
        }
        if folders_too && path.is_dir() {
            let mut out = Vec::new();
            collect(&path, &mut out, 0);
            return out;
        }
    }
    Vec::new()
}

/// Files below `folder` that are YAML or have no extension, in order of their names.
fn collect(folder: &Path, out: &mut Vec<PathBuf>, depth: usize) {
    let Ok(read) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = read.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        if path.is_dir() {
            if depth < 20 {
                collect(&path, out, depth + 1);
            }
        } else if !name.contains('.')
            || EXTENSIONS.iter().any(|extension| name.ends_with(extension))
        {
            out.push(path);
        }
    }
}

/// A role whose files are being read.
struct Folder<'r> {
    path: &'r Path,
    name: &'r str,
    collections: &'r [String],
    mistakes: Option<&'r RefCell<Vec<Error>>>,
}

impl Loader {
    /// Loads the role in the folder `path`.
    ///
    /// # Errors
    /// Where a file in it is wrong, or one that `from` names is not there.
    pub fn role(&self, path: &Path, name: &str, from: &RoleFrom) -> Result<Role, Error> {
        self.role_with(path, name, from, None)
    }

    /// Loads a role as far as its tasks can be read, as [`playbook_forgiving`](Self::playbook_forgiving).
    ///
    /// # Errors
    /// Where nothing of a file in it can be read, or one that `from` names is not there.
    pub fn role_forgiving(
        &self,
        path: &Path,
        name: &str,
        from: &RoleFrom,
        mistakes: &RefCell<Vec<Error>>,
    ) -> Result<Role, Error> {
        self.role_with(path, name, from, Some(mistakes))
    }

    fn role_with(
        &self,
        path: &Path,
        name: &str,
        from: &RoleFrom,
        mistakes: Option<&RefCell<Vec<Error>>>,
    ) -> Result<Role, Error> {
        let meta = self.role_meta(path, name)?;
        let folder = Folder { path, name, collections: &meta.collections, mistakes };
        Ok(Role {
            name: name.to_owned(),
            path: path.to_owned(),
            defaults: self.role_vars(&folder, "defaults", from.defaults.as_deref())?,
            vars: self.role_vars(&folder, "vars", from.vars.as_deref())?,
            tasks: self.role_tasks(&folder, "tasks", from.tasks.as_deref())?,
            handlers: self.role_tasks(&folder, "handlers", from.handlers.as_deref())?,
            meta,
        })
    }

    fn role_vars(&self, role: &Folder<'_>, what: &str, from: Option<&str>) -> Result<Map, Error> {
        let name = role.name;
        let files = files(&role.path.join(what), from, true);
        if let (Some(from), true) = (from, files.is_empty()) {
            return Err(missing(what, from));
        }
        let mut out = Map::new();
        for path in files {
            let document = self.document(&path)?;
            let Some(node) = &document.node else { continue };
            let at = document.context(self);
            match at.value(node)? {
                Value::Null => {}
                Value::Map(map) => {
                    at.warn_of_names(node);
                    out.extend(&map);
                }
                _ => {
                    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    let message = format!(
                        "The {what}/{file} file for role '{name}' must contain a dictionary of variables"
                    );
                    return Err(at.invalid(node, message));
                }
            }
        }
        Ok(out)
    }

    fn role_tasks(
        &self,
        role: &Folder<'_>,
        what: &str,
        from: Option<&str>,
    ) -> Result<Vec<Item>, Error> {
        let name = role.name;
        let Some(path) = files(&role.path.join(what), from, false).pop() else {
            return from.map_or_else(|| Ok(Vec::new()), |from| Err(missing(what, from)));
        };
        let document = self.document(&path)?;
        let Some(node) = &document.node else { return Ok(Vec::new()) };
        let mut at = document.forgiving(self, role.mistakes);
        at.collections = role.collections.to_vec();
        match &node.kind {
            Kind::Sequence(nodes) => entries(&at, nodes, what == "handlers"),
            _ => {
                let value = at.value(node)?;
                if value.is_null() {
                    return Ok(Vec::new());
                }
                let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                Err(at.invalid(
                    node,
                    format!(
                        "The {what}/{file} file for role '{name}' must contain a list of tasks: {} should be a list or None but is <class '{}'>",
                        value.to_str(),
                        value.type_name()
                    ),
                ))
            }
        }
    }

    /// Reads `meta` of the role in the folder `path`.
    ///
    /// # Errors
    /// Where a file is wrong.
    pub fn role_meta(&self, path: &Path, name: &str) -> Result<Meta, Error> {
        let folder = path.join("meta");
        let mut meta = Meta::default();
        if let Some(path) = files(&folder, None, false).pop() {
            let document = self.document(&path)?;
            if let Some(node) = &document.node {
                read_meta(&document.context(self), node, name, &mut meta)?;
            }
        }
        for extension in EXTENSIONS {
            let path = folder.join(format!("argument_specs{extension}"));
            if !path.is_file() {
                continue;
            }
            let document = self.document(&path)?;
            if let Some(node) = &document.node {
                let value = document.context(self).value(node)?;
                meta.argument_specs = value.get("argument_specs").cloned().or(Some(Value::map()));
            }
            break;
        }
        Ok(meta)
    }
}

fn missing(what: &str, from: &str) -> Error {
    Error::invalid(format!("Could not find specified file in role: {what}/{from}"), None)
}

fn read_meta(at: &Context<'_>, node: &Node, name: &str, meta: &mut Meta) -> Result<(), Error> {
    let value = at.value(node)?;
    if value.is_null() {
        return Ok(());
    }
    if value.as_map().is_none() {
        return Err(
            at.invalid(node, format!("the 'meta/main.yml' for role {name} is not a dictionary"))
        );
    }
    let known =
        ["allow_duplicates", "argument_specs", "collections", "dependencies", "galaxy_info"];
    for entry in at.entries(node, "RoleMetadata")? {
        let value = at.value(entry.value)?;
        match entry.key {
            "allow_duplicates" => meta.allow_duplicates = value,
            "galaxy_info" => meta.galaxy_info = value,
            "argument_specs" => meta.argument_specs = Some(value),
            "collections" => {
                at.texts(&entry, &value)?;
                meta.collections = list_texts(&value);
            }
            "dependencies" => meta.dependencies = dependencies(at, entry.value, node)?,
            other if keyword(other).is_some_and(|info| info.applies_to(Owner::PlaybookInclude)) => {
            }
            other => return Err(at.unknown_keyword(entry.key_node, other, "RoleMetadata", &known)),
        }
    }
    Ok(())
}

fn dependencies(at: &Context<'_>, node: &Node, owner: &Node) -> Result<Vec<RoleUse>, Error> {
    let Kind::Sequence(nodes) = &node.kind else {
        return if at.value(node)?.is_null() {
            Ok(Vec::new())
        } else {
            Err(at.invalid(owner, "Expected role dependencies to be a list."))
        };
    };
    nodes.iter().map(|node| dependency(at, node)).collect()
}

/// A dependency: as in `roles`, or as in a requirements file (`src`, `version`, `scm`).
fn dependency(at: &Context<'_>, node: &Node) -> Result<RoleUse, Error> {
    let has = |name: &str| node.get(name).is_some();
    if !has("src") || has("role") {
        return role_use(at, node);
    }
    let mut without = node.clone();
    let name = node.get("name").and_then(Node::as_text).map(str::to_owned);
    let name = match (name, node.get("src").and_then(Node::as_text)) {
        (Some(name), _) => name,
        (None, Some(src)) => repository_name(src),
        (None, None) => return Err(at.refused(node, "role definitions must contain a role name")),
    };
    if let Kind::Mapping(entries) = &mut without.kind {
        entries
            .retain(|(key, _)| !matches!(key.as_text(), Some("src" | "version" | "scm" | "name")));
        let Some(src) = node.entry("src") else { return role_use(at, node) };
        let mut key = src.0.clone();
        let mut value = src.1.clone();
        key.kind = Kind::Scalar { text: "role".into(), style: davit_yaml::Style::Plain };
        value.kind = Kind::Scalar { text: name, style: davit_yaml::Style::SingleQuoted };
        entries.push((key, value));
    }
    role_use(at, &without)
}

/// The role's name in `https://host/path/name.git`.
fn repository_name(src: &str) -> String {
    let last = src.rsplit('/').next().unwrap_or(src);
    let last = last.split(',').next().unwrap_or(last);
    let last = last.strip_suffix(".tar.gz").unwrap_or(last);
    last.strip_suffix(".git").unwrap_or(last).to_owned()
}

/// Where a file begins, for mistakes about the whole of it.
pub(crate) fn start_of(file: &Arc<str>) -> Origin {
    Origin { file: Arc::clone(file), line: 1, column: 1 }
}
