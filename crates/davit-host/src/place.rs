//! Putting a content where a user wants it: the rules that `copy`, `template` and `assemble` share.
//!
//! It does not know where the content comes from, nor folders: see `copy` for those.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use davit_module::{
    Access, Content, FileArgs, FileDiff, Host, ModuleError, Outcome, Ran, Sent, WriteOptions,
    open_source,
};
use serde_json::Value;

use crate::checksum::{self, Algorithm};

/// A content, and where it shall be.
pub(crate) struct Placing<'a> {
    /// Where, as the user wrote it.
    pub(crate) dest: &'a str,
    /// The name that it gets in a folder; `None` = it may not be put in a folder.
    pub(crate) name: Option<String>,
    /// What the user calls the source: for the result and the diff's header.
    pub(crate) src: Option<&'a str>,
    /// Replace a file that differs.
    pub(crate) force: bool,
    /// Keep a copy of the file as it was.
    pub(crate) backup: bool,
    /// Write to what a link points to.
    pub(crate) follow: bool,
    /// The checksum that the content must have.
    pub(crate) checksum: Option<&'a str>,
    /// A program that must agree.
    pub(crate) validate: Option<&'a str>,
    /// The mode of folders that are made for it.
    pub(crate) directory_mode: &'a Value,
    /// What is set on the file.
    pub(crate) file: &'a FileArgs,
}

/// The checksums of a content.
pub(crate) struct Sums {
    pub(crate) sha1: String,
    pub(crate) md5: String,
}

impl Sums {
    /// Of a content that can be read twice.
    pub(crate) fn of(content: &Content) -> Result<Self, ModuleError> {
        let sum = |algorithm| -> std::io::Result<String> {
            match content {
                Content::Bytes(bytes) => checksum::of(&mut &bytes[..], algorithm),
                Content::File(path) => checksum::of(&mut open_source(path)?, algorithm),
                // What is not here is known by the sum that came with it.
                Content::Sent(sent) if matches!(algorithm, Algorithm::Sha1) => {
                    Ok(sent.sha1().to_owned())
                }
                Content::Reader(_) | Content::Sent(_) => Ok(String::new()),
            }
        };
        let fail = |err| ModuleError::io("read", "the source", err);
        Ok(Self {
            sha1: sum(Algorithm::Sha1).map_err(fail)?,
            md5: sum(Algorithm::Md5).map_err(fail)?,
        })
    }

    /// The sum that only the file itself can tell, where the content came from elsewhere.
    fn complete(
        &mut self,
        host: &Host<'_>,
        dest: &Path,
        sent: Option<&dyn Sent>,
    ) -> Result<(), ModuleError> {
        if let Some(md5) = sent.and_then(Sent::md5) {
            self.md5 = md5;
        }
        if self.md5.is_empty() && !host.is_check() {
            let sum = open_source(&host.at(dest))
                .and_then(|mut file| checksum::of(&mut file, Algorithm::Md5));
            self.md5 = sum.map_err(|err| ModuleError::io("read", dest, err))?;
        }
        Ok(())
    }
}

/// The start of a content, as much as a diff shows.
fn head(content: &Content) -> Vec<u8> {
    use std::io::Read;
    let mut bytes = Vec::new();
    match content {
        Content::Bytes(all) => bytes.extend_from_slice(&all[..all.len().min(SHOWN)]),
        Content::File(path) => {
            if let Ok(file) = open_source(path) {
                // A diff of a file that cannot be read is empty; writing it will fail by itself.
                let _ = file.take(SHOWN as u64).read_to_end(&mut bytes);
            }
        }
        Content::Sent(sent) => {
            if let Ok(reader) = sent.open() {
                let _ = reader.take(SHOWN as u64).read_to_end(&mut bytes);
            }
        }
        Content::Reader(_) => {}
    }
    bytes
}

/// One more than the gate shows in a diff, so that it sees that there is more.
const SHOWN: usize = 104_449;

/// Puts `content` in its place.
pub(crate) fn put(
    host: &mut Host<'_>,
    placing: &Placing<'_>,
    content: Content,
) -> Result<Outcome, ModuleError> {
    let dest = destination(host, placing)?;
    if let Err(err) = host.meta(&dest, false)
        && err.kind() == std::io::ErrorKind::PermissionDenied
    {
        let dest = dest.display();
        let why = "Permission denied";
        return Err(ModuleError::failed(format!(
            "Task failed: Failed to get information on remote file ({dest}): {why}"
        )));
    }
    let there = host.lstat(&dest)?;
    // What cannot be read may still be replaced.
    let legible = host.may(&dest, Access::Read);
    let mut sums = Sums::of(&content)?;
    if there.is_some() && !placing.force {
        let src = placing.src.unwrap_or_default();
        let outcome = Outcome::new().changed(false).without_path_keys();
        return Ok(outcome.with("dest", &dest).with("src", src));
    }
    let same =
        legible && there.as_ref().is_some_and(|it| it.is_file()) && host.sha1(&dest)? == sums.sha1;
    if same {
        return keep(host, placing, &dest, &sums);
    }
    let shown = dest.to_string_lossy();
    let source = placing.src.unwrap_or(placing.dest);
    let diff = if host.wants_diff() {
        let before = (legible && host.is_file(&dest)).then(|| host.read(&dest)).transpose()?;
        vec![host.text_diff(before.as_deref(), &head(&content), (&shown, source))]
    } else {
        Vec::new()
    };
    let noted = |err: ModuleError| err.with("checksum", &sums.sha1).with("diff", &diff);
    if let Some(wanted) = placing.checksum.filter(|it| *it != sums.sha1) {
        return Err(noted(mismatch(wanted)));
    }
    make_parents(host, placing, &dest).map_err(noted)?;
    if let Some(folder) = dest
        .parent()
        .filter(|it| there.is_none() && !it.as_os_str().is_empty() && !host.may(it, Access::Write))
    {
        let msg = format!("Destination {} not writable", folder.display());
        return Err(noted(ModuleError::failed(msg)));
    }
    let options = WriteOptions {
        validate: placing.validate,
        refuse: Some(refused),
        backup: placing.backup,
        unsafe_writes: placing.file.unsafe_writes,
    };
    let sent = match &content {
        Content::Sent(sent) => Some(Arc::clone(sent)),
        _ => None,
    };
    let installed = host.write(&dest, content, &options).map_err(noted)?;
    host.set_attributes(&dest, placing.file, None).map_err(noted)?;
    sums.complete(host, &dest, sent.as_deref())?;
    // A file that was written beside the play is told so.
    let told = if dest.components().count() == 1 { Path::new(".").join(&dest) } else { dest };
    let mut outcome = Outcome::new()
        .changed(true)
        .with("dest", told)
        .with("src", source)
        .with("checksum", &sums.sha1)
        .with("md5sum", &sums.md5)
        .with("diff", &diff);
    if let Some(backup) = installed.backup_file {
        outcome.set("backup_file", backup);
    }
    Ok(outcome)
}

/// The file that the content goes to.
fn destination(host: &Host<'_>, placing: &Placing<'_>) -> Result<PathBuf, ModuleError> {
    let plain = Path::new(placing.dest);
    let as_folder = placing.dest.ends_with('/') || host.is_dir(plain);
    let mut dest = match &placing.name {
        Some(name) if as_folder => plain.join(name),
        None if as_folder => {
            let refused = ModuleError::failed("can not use content with a dir as dest");
            return Err(if placing.dest.ends_with('/') {
                refused
            } else {
                refused.with("diff", Vec::<Value>::new())
            });
        }
        _ => plain.to_path_buf(),
    };
    if let Err(err) = host.meta(&dest, true)
        && err.kind() == std::io::ErrorKind::NotADirectory
    {
        return Err(ModuleError::failed(format!(
            "Task failed: Failed to get information on remote file ({}): Not a directory",
            dest.display()
        )));
    }
    if placing.follow && host.is_link(&dest) && host.exists(&dest) {
        dest = host.real_path(&dest);
    }
    Ok(dest)
}

/// Makes the folders above `dest` where the user named a folder that is not there.
fn make_parents(
    host: &mut Host<'_>,
    placing: &Placing<'_>,
    dest: &Path,
) -> Result<(), ModuleError> {
    let parent = dest.parent().unwrap_or(Path::new(""));
    if parent.as_os_str().is_empty() || host.exists(parent) {
        return Ok(());
    }
    if !placing.dest.ends_with('/') {
        return Err(no_folder(parent));
    }
    make_folders(host, parent, placing.directory_mode, placing.file)
}

/// The failure of a destination whose folder is not there.
pub(crate) fn no_folder(parent: &Path) -> ModuleError {
    ModuleError::failed(format!("Destination directory {} does not exist", parent.display()))
}

/// Makes a folder and those above it, with the mode, owner and group asked for.
pub(crate) fn make_folders(
    host: &mut Host<'_>,
    path: &Path,
    mode: &Value,
    file: &FileArgs,
) -> Result<(), ModuleError> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|it| !it.as_os_str().is_empty() && !host.exists(it)).collect();
    let attributes = FileArgs { mode: mode.clone(), attributes: None, ..file.clone() };
    for folder in missing.into_iter().rev() {
        if let Err(err) = host.make_dir(folder) {
            // Another call of the same task may have made it by now.
            if !host.is_dir(folder) {
                return Err(err);
            }
        }
        host.set_attributes(folder, &attributes, None)?;
    }
    Ok(())
}

/// The failure of a content that is not what the user expects.
pub(crate) fn mismatch(wanted: &str) -> ModuleError {
    ModuleError::failed("Copied file does not match the expected checksum. Transfer failed.")
        .with("expected_checksum", wanted)
}

/// The failure of a content that the validating program does not like.
pub(crate) fn refused(ran: &Ran) -> ModuleError {
    ModuleError::failed("failed to validate")
        .with("exit_status", ran.rc)
        .with("stdout", String::from_utf8_lossy(&ran.stdout))
        .with("stderr", String::from_utf8_lossy(&ran.stderr))
}

/// A file that holds the content already: only its attributes may change.
fn keep(
    host: &mut Host<'_>,
    placing: &Placing<'_>,
    dest: &Path,
    sums: &Sums,
) -> Result<Outcome, ModuleError> {
    let mut diff = FileDiff::of(&dest.to_string_lossy());
    let changed = host
        .set_attributes(dest, placing.file, Some(&mut diff))
        .map_err(|err| err.with("checksum", &sums.sha1))?;
    Ok(Outcome::new()
        .changed(changed)
        .with("dest", dest)
        .with("path", dest)
        .with("checksum", &sums.sha1)
        .with("diff", diff))
}
