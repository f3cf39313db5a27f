//! Editing a text file in place: what `lineinfile`, `blockinfile` and `replace` share.
//!
//! It does not know what is edited: it reads, shows the difference, and writes back.

use std::path::{Path, PathBuf};

use davit_module::{FileArgs, FileDiff, Host, ModuleError, WriteOptions};
use serde_json::{Value, json};

use crate::encoding::Encoding;

/// How an edited file is written.
pub(crate) struct Saving<'a> {
    pub(crate) path: &'a Path,
    pub(crate) validate: Option<&'a str>,
    pub(crate) backup: bool,
    pub(crate) file: &'a FileArgs,
}

/// The text of a file as lines that keep their ends.
pub(crate) fn lines_of(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// A line without its end.
pub(crate) fn bare(line: &str) -> &str {
    line.trim_end_matches(['\r', '\n'])
}

/// The file's text; `None` where nothing is there.
///
/// # Errors
/// Where it cannot be read.
pub(crate) fn read(host: &Host<'_>, path: &Path) -> Result<Option<String>, ModuleError> {
    if !host.exists(path) {
        return Ok(None);
    }
    Ok(Some(Encoding::Utf8.decode(&host.read(path)?)))
}

/// The failure of a path that is a folder.
pub(crate) fn refuse_folder(host: &Host<'_>, path: &Path) -> Result<(), ModuleError> {
    if host.is_dir(path) {
        let msg = format!("Path {} is a directory !", path.display());
        return Err(ModuleError::failed(msg).with("rc", 256));
    }
    Ok(())
}

/// Makes the folders above `path`.
///
/// # Errors
/// Where one cannot be made.
pub(crate) fn make_parents(host: &mut Host<'_>, path: &Path) -> Result<(), ModuleError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    let missing: Vec<PathBuf> = parent
        .ancestors()
        .take_while(|it| !it.as_os_str().is_empty() && !host.exists(it))
        .map(Path::to_path_buf)
        .collect();
    for folder in missing.into_iter().rev() {
        host.make_dir(&folder).map_err(|err| {
            ModuleError::failed(format!("Error creating {} ({})", folder.display(), err.message()))
        })?;
    }
    Ok(())
}

/// Writes the text to the file, or to what a link points to; says where the backup is.
///
/// # Errors
/// Where it is refused, or cannot be written.
pub(crate) fn save(
    host: &mut Host<'_>,
    saving: &Saving<'_>,
    bytes: Vec<u8>,
) -> Result<Option<String>, ModuleError> {
    let options = WriteOptions {
        validate: saving.validate,
        refuse: None,
        backup: false,
        unsafe_writes: saving.file.unsafe_writes,
    };
    let backup = saving.backup && host.exists(saving.path) && !host.is_check();
    // The backup is named after the path that the user wrote, not after what a link points to.
    let backup = if backup { Some(host.backup(saving.path)?) } else { None };
    let target = host.real_path(saving.path);
    host.write(&target, bytes.into(), &options)?;
    Ok(backup)
}

/// The two parts of a diff: of the content, and of the attributes.
pub(crate) fn diff(path: &Path, before: &str, after: &str, attributes: &FileDiff) -> Value {
    let content = format!("{} (content)", path.display());
    let file = format!("{} (file attributes)", path.display());
    let mut second = json!({"before_header": file, "after_header": file});
    if !attributes.before.is_empty() {
        second["before"] = attributes.before.clone().into();
        second["after"] = attributes.after.clone().into();
    }
    json!([
        {"before": before, "after": after, "before_header": content, "after_header": content},
        second,
    ])
}

/// The message with what else changed.
pub(crate) fn message(text: &str, attributes: bool) -> String {
    let more = "ownership, perms or SE linux context changed";
    match (text.is_empty(), attributes) {
        (_, false) => text.to_owned(),
        (true, true) => more.to_owned(),
        (false, true) => format!("{text} and {more}"),
    }
}
