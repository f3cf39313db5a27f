//! Files of variables in `group_vars/` and `host_vars/`: which there are, and what is in them. Knows no order of levels.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use davit_value::Value;
use davit_yaml::Duplicates;

use crate::error::{Error, Place, Warning};
use crate::model::Vars;
use crate::options::LoadOptions;
use crate::reserved::is_reserved;

/// How deep folders of variables may nest.
const MAX_DEPTH: usize = 40;

/// Whose variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// `group_vars/`
    Group,
    /// `host_vars/`
    Host,
}

/// The variables below one folder. Both listings are read once, so that ten thousand hosts cost no look at the disk each.
#[derive(Debug)]
pub(crate) struct VarsFolder {
    folder: PathBuf,
    groups: Listing,
    hosts: Listing,
}

#[derive(Debug, Default)]
struct Listing {
    names: HashSet<String>,
    read: Mutex<HashMap<String, Vars>>,
}

impl VarsFolder {
    pub(crate) fn new(folder: &Path, options: &LoadOptions, warnings: &mut Vec<Warning>) -> Self {
        let folder = options.folder.join(folder);
        let groups = Listing::new(&folder, "group_vars", warnings);
        let hosts = Listing::new(&folder, "host_vars", warnings);
        Self { folder, groups, hosts }
    }

    /// The variables that files named `name` hold.
    pub(crate) fn vars(
        &self,
        kind: Kind,
        name: &str,
        options: &LoadOptions,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vars, Error> {
        let (listing, below) = match kind {
            Kind::Group => (&self.groups, "group_vars"),
            Kind::Host => (&self.hosts, "host_vars"),
        };
        if listing.names.is_empty() || name.starts_with('/') {
            return Ok(Vars::default());
        }
        let first = name.split('/').next().unwrap_or(name);
        let candidates =
            std::iter::once("").chain(options.yaml_extensions.iter().map(String::as_str));
        let nested = first.len() < name.len();
        let Some(found) = candidates.map(|extension| format!("{name}{extension}")).find(|file| {
            if nested {
                self.folder.join(below).join(file).exists()
            } else {
                listing.names.contains(file)
            }
        }) else {
            return Ok(Vars::default());
        };
        if let Ok(read) = listing.read.lock()
            && let Some(vars) = read.get(name)
        {
            return Ok(vars.clone());
        }
        let path = self.folder.join(below).join(found);
        let mut paths = Vec::new();
        if path.is_dir() {
            collect(&path, options, 0, &mut paths);
        } else {
            paths.push(path);
        }
        let mut vars = Vars::default();
        for path in paths {
            add_file(&mut vars, &path, options, warnings)?;
        }
        if let Ok(mut read) = listing.read.lock() {
            read.insert(name.to_owned(), vars.clone());
        }
        Ok(vars)
    }
}

impl Listing {
    fn new(folder: &Path, name: &str, warnings: &mut Vec<Warning>) -> Self {
        let path = folder.join(name);
        let Ok(data) = fs::metadata(&path) else { return Self::default() };
        if !data.is_dir() {
            warnings.push(Warning::new(format!(
                "Found {name} that is not a directory, skipping: {}",
                path.display()
            )));
            return Self::default();
        }
        let names = fs::read_dir(&path)
            .map(|entries| {
                entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
            })
            .unwrap_or_default();
        Self { names, read: Mutex::default() }
    }
}

/// The files of variables in a folder and those below it, in order of their names.
fn collect(folder: &Path, options: &LoadOptions, depth: usize, out: &mut Vec<PathBuf>) {
    if depth > MAX_DEPTH {
        return;
    }
    let mut names: Vec<String> = fs::read_dir(folder)
        .map(|entries| {
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
        })
        .unwrap_or_default();
    names.sort_unstable();
    for name in names {
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let path = folder.join(&name);
        if path.is_dir() {
            collect(&path, options, depth + 1, out);
        } else if extension(&name).is_empty()
            || options.yaml_extensions.iter().any(|it| it == extension(&name))
        {
            out.push(path);
        }
    }
}

/// From the last dot on, as Python's `splitext` has it.
pub(crate) fn extension(name: &str) -> &str {
    let stem = name.trim_start_matches('.');
    match stem.rfind('.') {
        Some(at) => stem.get(at..).unwrap_or(""),
        None => "",
    }
}

fn add_file(
    vars: &mut Vars,
    path: &Path,
    options: &LoadOptions,
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    let file: Arc<str> = path.to_string_lossy().into();
    let text = read_text(path, options)?;
    let (value, places) = load_vars(&text, &file, options, warnings)?;
    let map = match value {
        Value::Null => return Ok(()),
        Value::Map(map) => map,
        other => {
            return Err(Error::Vars {
                path: path.to_path_buf(),
                message: format!(
                    "Could not process '{file}': failed to combine variables, expected dicts but got a 'dict' and a '{}'.",
                    tagged_name(&other)
                ),
            });
        }
    };
    if vars.map.is_empty() {
        vars.map = map;
    } else {
        vars.map = Arc::new(crate::vars::combine(&vars.map, &map, options.hash_behaviour));
    }
    for (name, place) in places {
        vars.note(&name, Some(place));
    }
    Ok(())
}

/// The value of a file of variables, and where the names stand that are reserved.
fn load_vars(
    text: &str,
    file: &Arc<str>,
    options: &LoadOptions,
    warnings: &mut Vec<Warning>,
) -> Result<(Value, Vec<(String, Place)>), Error> {
    let Some(node) = parse_yaml_or_json(text, file)? else { return Ok((Value::Null, Vec::new())) };
    let value = convert(&node, file, text, options.duplicates, warnings)?;
    let mut places = Vec::new();
    for (key, _) in node.as_mapping().unwrap_or_default() {
        if let Some(name) = key.as_text().filter(|name| is_reserved(name)) {
            places.push((name.to_owned(), place_of(key, file)));
        }
    }
    Ok((value, places))
}

/// Where a node begins.
pub(crate) fn place_of(node: &davit_yaml::Node, file: &Arc<str>) -> Place {
    Place::File(davit_value::Origin {
        file: Arc::clone(file),
        line: node.place.line,
        column: node.place.column,
    })
}

/// The document of `text`. JSON with tabs between its tokens, which YAML refuses, is read too.
pub(crate) fn parse_yaml_or_json(
    text: &str,
    file: &Arc<str>,
) -> Result<Option<davit_yaml::Node>, Error> {
    match davit_yaml::parse(text, file) {
        Ok(node) => Ok(node),
        Err(error) => {
            let spaced: Option<String> = (text.trim_start().starts_with(['{', '['])
                && text.contains('\t'))
            .then(|| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
            .and_then(|json| json.then(|| text.replace('\t', " ")));
            match spaced {
                Some(text) => Ok(davit_yaml::parse(&text, file)?),
                None => Err(error.into()),
            }
        }
    }
}

/// The value of `node` as the user wrote it: its strings are templates.
pub(crate) fn convert(
    node: &davit_yaml::Node,
    file: &Arc<str>,
    text: &str,
    duplicates: Duplicates,
    warnings: &mut Vec<Warning>,
) -> Result<Value, Error> {
    let told = std::cell::RefCell::new(Vec::new());
    let warn = |warning: davit_yaml::Warning| {
        told.borrow_mut()
            .push(Warning::new(warning.message).at(Place::File(warning.origin)).help(warning.help));
    };
    let convert = davit_yaml::Convert { duplicates, ..davit_yaml::Convert::trusted() };
    let value = convert.warning(&warn).value(node, file, text);
    warnings.extend(told.into_inner());
    Ok(value?)
}

/// The text of a file, decrypted where it is a vault.
pub(crate) fn read_text(path: &Path, options: &LoadOptions) -> Result<String, Error> {
    let bytes =
        fs::read(path).map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
    let text = String::from_utf8_lossy(&bytes);
    if !davit_vault::is_vault_bytes(&bytes) {
        return Ok(text.into_owned());
    }
    let refuse = |message: String| Error::Vars { path: path.to_path_buf(), message };
    match &options.decrypt {
        Some(decrypt) => decrypt(&text, &path.to_string_lossy()).map_err(refuse),
        None => Err(refuse("Attempting to decrypt but no vault secrets found.".into())),
    }
}

/// What the original calls the type of a value that came from a file.
pub(crate) fn tagged_name(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) | Value::Undefined(_) | Value::Object(_) => {
            value.type_name().to_owned()
        }
        Value::DateTime(..) => "_AnsibleTaggedDateTime".to_owned(),
        other => {
            let name = other.type_name();
            let mut chars = name.chars();
            let first = chars.next().map(|char| char.to_ascii_uppercase()).unwrap_or_default();
            format!("_AnsibleTagged{first}{}", chars.as_str())
        }
    }
}

/// The same as Python shows the class.
pub(crate) fn class_name(value: &Value) -> String {
    let name = tagged_name(value);
    if name.starts_with('_') {
        format!("<class 'ansible.module_utils._internal._datatag.{name}'>")
    } else {
        format!("<class '{name}'>")
    }
}
