//! Files that vault commands read, replace, show, and hand to the editor.

use std::fs::{self, Permissions};
use std::io::{IsTerminal, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use crate::config::Config;
use crate::report::{Report, print, say};

pub(super) fn read(file: &str, what: &str) -> Result<Vec<u8>, Report> {
    let mut bytes = Vec::new();
    if file == "-" {
        if std::io::stdin().is_terminal() {
            say(&format!("Reading {what} input from stdin"));
        }
        std::io::stdin()
            .read_to_end(&mut bytes)
            .map_err(|error| Report::new(format!("Unable to read standard input: {error}")))?;
        return Ok(bytes);
    }
    let path = absolute(file);
    let shown = path.display();
    fs::read(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Report::new(format!(
            "Unable to read source file ({shown}): [Errno 2] No such file or directory: '{shown}'"
        )),
        std::io::ErrorKind::IsADirectory => Report::new(format!(
            "Unable to read source file ({shown}): [Errno 21] Is a directory: '{shown}'"
        )),
        std::io::ErrorKind::PermissionDenied => Report::new(format!(
            "Unable to read source file ({shown}): [Errno 13] Permission denied: '{shown}'"
        )),
        _ => Report::new(format!("Unable to read source file ({shown}): {error}")),
    })
}

pub(super) fn absolute(file: &str) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| PathBuf::from(file))
}

/// Puts `content` in the place of a file at once, readable by its owner only.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), Report> {
    // What a link points to is replaced, and not the link.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let wrong =
        |error: std::io::Error| Report::new(format!("cannot write {}: {error}", path.display()));
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let owner = path.metadata().ok();
    let mut new = tempfile::NamedTempFile::new_in(folder).map_err(wrong)?;
    new.write_all(content).and_then(|()| new.as_file().sync_all()).map_err(wrong)?;
    new.as_file().set_permissions(Permissions::from_mode(0o600)).map_err(wrong)?;
    if let Some(owner) = owner {
        use std::os::unix::fs::MetadataExt as _;
        // Only root can give files away; the others keep what they may.
        let _ = std::os::unix::fs::chown(new.path(), Some(owner.uid()), Some(owner.gid()));
    }
    new.persist(&path).map_err(|error| wrong(error.error))?;
    Ok(())
}

/// Shows a text: in the pager on a terminal, else plainly.
pub(super) fn page(config: &Config, text: &[u8]) -> Result<(), Report> {
    if std::io::stdout().is_terminal() {
        let pager = config.text("PAGER");
        let started = Process::new("sh").args(["-c", &pager]).stdin(Stdio::piped()).spawn();
        if let Ok(mut process) = started {
            if let Some(mut stdin) = process.stdin.take() {
                // A pager that is left early has read enough.
                let _ = stdin.write_all(text);
            }
            if process.wait().is_ok_and(|status| status.success()) {
                return Ok(());
            }
        }
    }
    print(&String::from_utf8_lossy(text))
}

/// What the user makes of `plain` in the editor.
pub(super) fn edited(config: &Config, plain: &[u8], path: &Path) -> Result<Vec<u8>, Report> {
    let wrong =
        |error: std::io::Error| Report::new(format!("cannot use a temporary file: {error}"));
    let ending =
        path.extension().map(|it| format!(".{}", it.to_string_lossy())).unwrap_or_default();
    let mut file = tempfile::Builder::new().suffix(&ending).tempfile().map_err(wrong)?;
    file.write_all(plain).and_then(|()| file.flush()).map_err(wrong)?;
    let editor = config.text("EDITOR");
    let status = Process::new("sh")
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg("sh")
        .arg(file.path())
        .status();
    // An editor may put another file in the place of this one.
    let result = fs::read(file.path());
    shred(file.path(), file.as_file());
    match status {
        Ok(status) if status.success() => result.map_err(wrong),
        Ok(status) => Err(Report::new(format!("Unable to execute editor '{editor}': {status}"))),
        Err(error) => Err(Report::new(format!("Unable to execute editor '{editor}': {error}"))),
    }
}

/// Overwrites what was plain before it is deleted.
fn shred(path: &Path, own: &fs::File) {
    let zeros = |file: &mut fs::File| {
        let length = file.metadata().map_or(0, |it| it.len());
        // The file goes away in any case; overwriting is all that can be tried.
        let _ = std::io::copy(&mut std::io::repeat(0).take(length), file);
        let _ = file.sync_all();
    };
    if let Ok(mut file) = fs::OpenOptions::new().write(true).open(path) {
        zeros(&mut file);
    }
    if let Ok(mut own) = own.try_clone() {
        use std::io::Seek as _;
        let _ = own.rewind();
        zeros(&mut own);
    }
}
