//! Lookups that read files: `file`, `fileglob`, `template`, `unvault`.
//!
//! Where files are searched is handed in: see [`Outside`](crate::Outside).

use std::path::{Path, PathBuf};

use davit_value::{Map, Value, ValueError};

use super::parameters::{bool_option, option, terms, text_option};
use crate::filters::paths::{expand_user, glob};
use crate::{Call, Env, FileOptions, Overlay};

type Answer = Result<Value, ValueError>;

/// The folders of the search path, each with `folder` below it first.
fn places(call: &Call<'_>, folder: &str) -> Vec<PathBuf> {
    let outside = call.env.outside;
    let mut out = Vec::new();
    for base in &outside.search_path {
        if !folder.is_empty() {
            out.push(base.join(folder));
        }
        out.push(base.clone());
    }
    out.push(outside.folder.clone());
    out
}

/// `~` at the start of a path, opened.
pub(super) fn opened(call: &Call<'_>, name: &str) -> String {
    expand_user(name, call.env.outside.environment.get("HOME").map(String::as_str))
}

/// The first file or folder of that name on the search path.
pub(super) fn find(call: &Call<'_>, folder: &str, name: &str) -> Option<PathBuf> {
    let name = opened(call, name);
    if name.starts_with('/') {
        return Some(PathBuf::from(name)).filter(|path| path.exists());
    }
    places(call, folder).into_iter().map(|place| place.join(&name)).find(|path| path.exists())
}

/// Says that a file could not be found.
pub(super) fn warn_missing(call: &Call<'_>, name: &str) {
    call.env
        .outside
        .warn(&format!("Unable to find '{name}' in expected paths (use -vvvvv to see paths)"));
}

/// The bytes of a file, decrypted where it is a vault.
pub(super) fn content(call: &Call<'_>, path: &Path) -> Result<Vec<u8>, ValueError> {
    let bytes = std::fs::read(path).map_err(|error| {
        ValueError::Value(format!(
            "an error occurred while trying to read the file '{}': {error}",
            path.display()
        ))
    })?;
    if !davit_vault::is_vault_bytes(&bytes) {
        return Ok(bytes);
    }
    let Some(vault) = &call.env.outside.vault else {
        return Err(ValueError::Value("Attempting to decrypt but no vault secrets found.".into()));
    };
    let plain = vault.decrypt(&String::from_utf8_lossy(&bytes)).map_err(ValueError::Value)?;
    call.env.outside.secret(&plain);
    Ok(plain.into_bytes())
}

/// The text of a file, decrypted where it is a vault.
pub(super) fn text(call: &Call<'_>, path: &Path) -> Result<String, ValueError> {
    Ok(String::from_utf8_lossy(&content(call, path)?).into_owned())
}

pub(super) fn file(call: &Call<'_>) -> Answer {
    let left = bool_option(call, "file", "lstrip", false)?;
    let right = bool_option(call, "file", "rstrip", true)?;
    let mut out = Vec::new();
    for term in terms(call)? {
        let name = term.to_str();
        let Some(path) = find(call, "files", &name).filter(|path| path.is_file()) else {
            return Err(ValueError::Value(format!(
                "Unable to access the file '{name}': File not found. Use -vvvvv to see paths searched."
            )));
        };
        let text = text(call, &path)?;
        let text = if left { text.trim_start() } else { &text };
        out.push(Value::from(if right { text.trim_end() } else { text }));
    }
    Ok(Value::list(out))
}

pub(super) fn unvault(call: &Call<'_>) -> Answer {
    let mut out = Vec::new();
    for term in terms(call)? {
        let name = term.to_str();
        let Some(path) = find(call, "files", &name) else {
            warn_missing(call, &name);
            return Err(ValueError::Value(format!("Unable to find file matching \"{name}\"")));
        };
        out.push(text(call, &path)?.into());
    }
    Ok(Value::list(out))
}

pub(super) fn fileglob(call: &Call<'_>) -> Answer {
    let mut out = Vec::new();
    for term in terms(call)? {
        let pattern = opened(call, &term.to_str());
        let (folder, name) = match pattern.rsplit_once('/') {
            Some((folder, name)) => (if folder.is_empty() { "/" } else { folder }, name),
            None => ("", pattern.as_str()),
        };
        let folders = if folder.is_empty() {
            places(call, "files")
        } else {
            match find(call, "files", folder) {
                Some(found) => vec![found],
                None => {
                    warn_missing(call, folder);
                    Vec::new()
                }
            }
        };
        for place in folders {
            let found: Vec<Value> = glob(name, &place)
                .into_iter()
                .filter(|path| path.is_file())
                .map(|path| path.to_string_lossy().into_owned().into())
                .collect();
            if !found.is_empty() {
                out.extend(found);
                break;
            }
        }
    }
    Ok(Value::list(out))
}

/// What a template may say about itself.
fn about(path: &Path, name: &str) -> Map {
    let mut vars = Map::new();
    let full = path.to_string_lossy().into_owned();
    vars.insert("ansible_managed", "Ansible managed".into());
    vars.insert("template_path", name.into());
    vars.insert("template_fullpath", full.into());
    vars.insert("template_relpath", name.into());
    vars.insert("template_destpath", Value::Null);
    let now = jiff::Zoned::now();
    vars.insert("template_run_date", Value::DateTime(now.datetime(), None));
    if let Ok(found) = path.metadata() {
        use std::os::unix::fs::MetadataExt;
        vars.insert("template_uid", i128::from(found.uid()).into());
        if let Some(at) = found.modified().ok().and_then(|at| jiff::Timestamp::try_from(at).ok()) {
            vars.insert(
                "template_mtime",
                Value::DateTime(at.to_zoned(now.time_zone().clone()).datetime(), None),
            );
        }
    }
    vars
}

pub(super) fn template(call: &Call<'_>) -> Answer {
    let defaults = FileOptions::default();
    let options = FileOptions {
        trim_blocks: bool_option(call, "template", "trim_blocks", true)?,
        lstrip_blocks: bool_option(call, "template", "lstrip_blocks", false)?,
        variable_start_string: text_option(call, "variable_start_string", "{{")?,
        variable_end_string: text_option(call, "variable_end_string", "}}")?,
        comment_start_string: text_option(call, "comment_start_string", "{#")?,
        comment_end_string: text_option(call, "comment_end_string", "#}")?,
        ..defaults
    };
    let extra = option(call, "template_vars")?;
    let mut out = Vec::new();
    for term in terms(call)? {
        let name = term.to_str();
        let Some(path) = find(call, "templates", &name) else {
            warn_missing(call, &name);
            return Err(ValueError::Value(format!(
                "the template file {name} could not be found for the lookup"
            )));
        };
        let text = text(call, &path)?;
        let mut vars = about(&path, &name);
        // Absent variables of the managed text are the caller's to define.
        if call.env.scope.get("ansible_managed").is_some() {
            vars.remove("ansible_managed");
        }
        if let Some(map) = extra.as_ref().and_then(Value::as_map) {
            vars.extend(map);
        }
        let scope = Overlay { top: &vars, below: call.env.scope };
        let env = Env::new(call.env.engine, &scope, call.env.outside);
        out.push(env.render_file_value(&text, &path, &options)?);
    }
    Ok(Value::list(out))
}
