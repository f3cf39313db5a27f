//! `ansible.builtin.fetch`: brings a file of the host to the controller.
//!
//! This is the host's side, which reads the file; storing it is the controller's. Source:
//! <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/fetch_module.html>

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use davit_module::{Body, Host, Module, ModuleError, Outcome, open_source};
use schemars::JsonSchema;
use serde::Deserialize;

/// Brings a file of the host to the controller.
///
/// It is stored under `dest`, in a folder named like the host, with its whole path, so that files
/// of many hosts do not overwrite each other.
///
/// ```yaml
/// - ansible.builtin.fetch:
///     src: /var/log/app.log
///     dest: logs
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The file on the host.
    src: PathBuf,
    /// The folder on the controller; with `flat` the file itself, or a folder where it ends in `/`.
    #[serde(rename = "dest")]
    _dest: String,
    /// Fail where the file is not there.
    #[serde(default = "yes")]
    fail_on_missing: bool,
    /// Compare the checksums of both files afterwards.
    #[serde(default = "yes", rename = "validate_checksum")]
    _validate_checksum: bool,
    /// Store it under `dest` as it is, without folders for the host and the path.
    #[serde(default, rename = "flat")]
    _flat: bool,
    /// Where in the file to begin, for a piece of it.
    #[serde(default, rename = "_offset")]
    #[schemars(extend("x-hidden" = true))]
    offset: Option<u64>,
    /// How long a piece is, at most.
    #[serde(default, rename = "_length")]
    #[schemars(extend("x-hidden" = true))]
    length: Option<u64>,
}

fn yes() -> bool {
    true
}

/// `ansible.builtin.fetch`.
pub(crate) struct Fetch;

impl Module for Fetch {
    const NAME: &'static str = "ansible.builtin.fetch";
    type Args = Args;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        let missing = "the remote file does not exist, not transferring, ignored";
        let unreadable =
            || ModuleError::failed(format!("File is not readable: {}", args.src.display()));
        let denied = |err: &io::Error| err.kind() == io::ErrorKind::PermissionDenied;
        if host.meta(&args.src, true).is_err_and(|err| denied(&err)) {
            return Err(unreadable());
        }
        match host.stat(&args.src)? {
            None if args.fail_on_missing => return Err(ModuleError::failed(missing)),
            None => {
                let outcome = Outcome::new().changed(false).msg(missing);
                return Ok(outcome.with("file", &args.src));
            }
            Some(meta) if meta.is_dir() => {
                return Err(ModuleError::failed(
                    "remote file is a directory, fetch cannot work on directories",
                ));
            }
            Some(_) => {}
        }
        if let Some(offset) = args.offset {
            let piece = piece(host, &args.src, offset, args.length.unwrap_or(u64::MAX));
            let bytes = piece.map_err(|err| match err {
                ModuleError::Io { source, .. } if denied(&source) => unreadable(),
                other => other,
            })?;
            return Ok(Outcome::new()
                .changed(false)
                .with("content", STANDARD.encode(bytes))
                .with("encoding", "base64"));
        }
        let bytes = host.read(&args.src)?;
        Ok(Outcome::new()
            .changed(false)
            .with("checksum", host.sha1(&args.src)?)
            .with("content", STANDARD.encode(bytes))
            .with("source", &args.src)
            .with("encoding", "base64"))
    }
}

/// A piece of a file: large ones travel bit by bit.
fn piece(host: &Host<'_>, path: &Path, offset: u64, length: u64) -> Result<Vec<u8>, ModuleError> {
    let Body::File(real) = host.body(path)? else {
        let bytes = host.read(path)?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        return Ok(bytes[offset..].iter().take(length).copied().collect());
    };
    let read = || -> io::Result<Vec<u8>> {
        let mut file = open_source(&real)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|err| ModuleError::io("read", path, err))
}
