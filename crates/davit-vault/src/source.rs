//! Where vault passwords come from: `--vault-id label@source`, password files and scripts.
//!
//! Prompts are for the caller: this file only says that one is wanted.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{DEFAULT_ID, Secret};

/// What `--vault-id` says: `label@source`, or just the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdSpec {
    /// The vault id; `default` where none is written.
    pub label: String,
    /// Where the password is.
    pub source: Source,
}

/// Where a password is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Ask, naming the label: `prompt`.
    Prompt,
    /// Ask without naming it: `prompt_ask_vault_pass`, which is what `--ask-vault-pass` is short for.
    AskPass,
    /// In a file, or what a program there prints.
    File(PathBuf),
}

impl IdSpec {
    /// Reads `label@source`.
    ///
    /// ```
    /// use davit_vault::{IdSpec, Source};
    /// assert_eq!(IdSpec::parse("dev@prompt").source, Source::Prompt);
    /// assert_eq!(IdSpec::parse("pw.txt").label, "default");
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (label, source) = text.split_once('@').unwrap_or((DEFAULT_ID, text));
        let source = match source {
            "prompt" => Source::Prompt,
            "prompt_ask_vault_pass" => Source::AskPass,
            path => Source::File(PathBuf::from(path)),
        };
        let label = if label.is_empty() { DEFAULT_ID } else { label };
        Self { label: label.to_owned(), source }
    }

    /// What to ask with, where the password is asked for.
    #[must_use]
    pub fn prompt(&self) -> Option<String> {
        match self.source {
            Source::Prompt => Some(format!("Vault password ({}): ", self.label)),
            Source::AskPass => Some("Vault password: ".to_owned()),
            Source::File(_) => None,
        }
    }
}

/// Why a password file gives no password; worded as the original words it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// There is no such file.
    #[error("The vault password file {} was not found", .0.display())]
    NotFound(PathBuf),
    /// It is a folder.
    #[error("The vault password file provided '{}' can not be a directory", .0.display())]
    Folder(PathBuf),
    /// It cannot be read.
    #[error("Could not read vault password file {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program cannot be started.
    #[error(
        "Problem running vault password script {} ({source}). If this is not a script, remove the executable bit from the file.",
        path.display()
    )]
    NotRun {
        /// The program.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program failed.
    #[error("Vault password script {} returned non-zero ({code}): None", path.display())]
    Failed {
        /// The program.
        path: PathBuf,
        /// Its exit code.
        code: i32,
    },
    /// A `-client` program knows no such vault id.
    #[error("Vault password client script {} did not find a secret for vault-id={label}: b''", path.display())]
    Unknown {
        /// The program.
        path: PathBuf,
        /// The vault id.
        label: String,
    },
    /// Nothing in it.
    #[error("Invalid vault password was provided from file ({})", .0.display())]
    Empty(PathBuf),
}

/// Reads a password file, or runs it where it is a program.
///
/// A program whose name ends in `-client` is told the vault id: `--vault-id LABEL`.
///
/// # Errors
/// Where the file is not there or empty, or the program fails.
pub fn load_password(path: &Path, label: &str) -> Result<Secret, SourceError> {
    let missing = |_| SourceError::NotFound(path.to_owned());
    let about = path.metadata().map_err(missing)?;
    if about.is_dir() {
        return Err(SourceError::Folder(path.to_owned()));
    }
    let content = if about.is_file() && about.permissions().mode() & 0o111 != 0 {
        run(path, label)?
    } else {
        std::fs::read(path)
            .map_err(|source| SourceError::Unreadable { path: path.to_owned(), source })?
    };
    let password = content.trim_ascii();
    if password.is_empty() {
        return Err(SourceError::Empty(path.to_owned()));
    }
    Ok(Secret::new(password))
}

/// The exit code by which a client program says that it has no secret for the id.
const UNKNOWN_ID: i32 = 2;

fn run(path: &Path, label: &str) -> Result<Vec<u8>, SourceError> {
    // A bare name must not be looked up in PATH.
    let program = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut command = Command::new(program);
    let is_client =
        path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("-client"));
    if is_client {
        command.args(["--vault-id", label]);
    }
    let output = command
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| SourceError::NotRun { path: path.to_owned(), source })?;
    match output.status.code() {
        Some(0) => Ok(output.stdout),
        Some(UNKNOWN_ID) if is_client => {
            Err(SourceError::Unknown { path: path.to_owned(), label: label.to_owned() })
        }
        code => Err(SourceError::Failed { path: path.to_owned(), code: code.unwrap_or(-1) }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_label_ends_at_the_first_at_sign() {
        let spec = IdSpec::parse("a@b@file");
        assert_eq!((spec.label.as_str(), spec.source), ("a", Source::File("b@file".into())));
        assert_eq!(IdSpec::parse("@file").label, "default");
    }

    #[test]
    fn a_password_is_read_from_a_file_or_a_program() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pw");
        fs::write(&file, "  open sesame \n").unwrap();
        assert_eq!(load_password(&file, "x").unwrap(), Secret::new("open sesame"));

        let program = folder.path().join("pw-client.sh");
        fs::write(&program, "#!/bin/sh\n[ \"$2\" = dev ] || exit 2\necho \"$1 $2\"\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(load_password(&program, "dev").unwrap(), Secret::new("--vault-id dev"));
        let unknown = load_password(&program, "prod").unwrap_err().to_string();
        assert!(unknown.ends_with("did not find a secret for vault-id=prod: b''"), "{unknown}");
        assert!(matches!(load_password(folder.path(), "x"), Err(SourceError::Folder(_))));
        assert!(matches!(load_password(&file.join("no"), "x"), Err(SourceError::NotFound(_))));
    }
}
