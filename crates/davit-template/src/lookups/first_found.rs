//! `first_found`: the first of several files that is there.
//!
//! Knows nothing of what the file is for.

use davit_value::{Value, ValueError};

use super::files::find;
use super::parameters::{as_bool, bool_option, option, terms, text_option};
use crate::Call;
use crate::call::items_of;

/// The option that says in which folder (`files`, `templates`, `vars`) the task searches what it
/// is given: handed over for loops, whose items are the task's own.
pub const TASK_FOLDER: &str = "_task_folder";

/// Names in a list or a text with separators.
fn names(call: &Call<'_>, value: Option<&Value>, option: &str) -> Result<Vec<String>, ValueError> {
    let separators: &[char] = if option == "files" { &[',', ';'] } else { &[',', ':', ';'] };
    let Some(value) = value else { return Ok(Vec::new()) };
    let given = match value {
        Value::List(_) | Value::Tuple(_) => items_of(value)?,
        other => vec![other.clone()],
    };
    let mut out = Vec::new();
    for item in given {
        let text = item.to_str();
        if text.contains(separators) {
            call.env.outside.warn(&format!(
                "Automatic splitting of the \"{option}\" option on '{}' is deprecated.",
                if option == "files" { ",;" } else { ",:;" }
            ));
        }
        out.extend(text.split(separators).map(str::to_owned));
    }
    Ok(out)
}

/// Every name in every folder.
fn joined(files: &[String], paths: &[String]) -> Vec<String> {
    if paths.is_empty() {
        return files.to_vec();
    }
    let inside = |path: &String, file: &String| {
        if file.starts_with('/') || path.is_empty() {
            file.clone()
        } else {
            format!("{}/{file}", path.trim_end_matches('/'))
        }
    };
    if files.is_empty() {
        return paths.to_vec();
    }
    paths.iter().flat_map(|path| files.iter().map(move |file| inside(path, file))).collect()
}

fn candidates(
    call: &Call<'_>,
    term: &Value,
    skip: &mut bool,
    out: &mut Vec<String>,
) -> Result<(), ValueError> {
    match term {
        Value::Map(map) => {
            let files = names(call, map.get("files"), "files")?;
            let paths = names(call, map.get("paths"), "paths")?;
            if let Some(value) = map.get("skip") {
                *skip = as_bool("first_found", "skip", value)?;
            }
            out.extend(joined(&files, &paths));
        }
        Value::Str(text) => {
            let paths = names(call, option(call, "paths")?.as_ref(), "paths")?;
            out.extend(joined(&[text.to_string()], &paths));
        }
        Value::List(list) | Value::Tuple(list) => {
            for item in list.iter() {
                candidates(call, item, skip, out)?;
            }
        }
        other => {
            return Err(ValueError::Type(format!(
                "Invalid term supplied. A string, dict or list is required, not '{}').",
                other.type_name()
            )));
        }
    }
    Ok(())
}

pub(super) fn first_found(call: &Call<'_>) -> Result<Value, ValueError> {
    let mut skip = bool_option(call, "first_found", "skip", false)?;
    let mut wanted = Vec::new();
    let files = names(call, option(call, "files")?.as_ref(), "files")?;
    let terms = terms(call)?;
    if terms.is_empty() || !files.is_empty() {
        let paths = names(call, option(call, "paths")?.as_ref(), "paths")?;
        wanted.extend(joined(&files, &paths));
    }
    for term in &terms {
        candidates(call, term, &mut skip, &mut wanted)?;
    }
    let folder = text_option(call, TASK_FOLDER, "")?;
    for name in &wanted {
        if let Some(path) = find(call, &folder, name) {
            let text = path.to_string_lossy().into_owned();
            return Ok(Value::list(vec![crate::filters::paths::normalize(&text).into()]));
        }
    }
    if skip {
        return Ok(Value::list(Vec::new()));
    }
    Err(ValueError::Value("No file was found when using first_found.".into()))
}
