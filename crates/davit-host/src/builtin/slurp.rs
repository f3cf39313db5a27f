//! `ansible.builtin.slurp`: brings a file of the host back as text.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/slurp_module.html>

use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use davit_module::{Host, Module, ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;

/// Brings a file of the host back, encoded in Base64.
///
/// The result's `content` is what `b64decode` reads. The whole file travels and is held in
/// memory: files of more than 100 MiB are refused, for these use `fetch`.
///
/// ```yaml
/// - name: Read the host's key
///   ansible.builtin.slurp:
///     src: /etc/ssh/ssh_host_ed25519_key.pub
///   register: key
/// - ansible.builtin.debug:
///     msg: "{{ key.content | b64decode }}"
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The file on the host.
    #[schemars(extend("x-type" = "path", "x-aliases" = ["path"]))]
    src: PathBuf,
}

/// The most that a result can hold without being a burden to both sides.
const LARGEST: u64 = 100 << 20;

/// `ansible.builtin.slurp`.
pub(crate) struct Slurp;

impl Module for Slurp {
    const NAME: &'static str = "ansible.builtin.slurp";
    type Args = Args;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        let src = args.src.display();
        let meta = host.meta(&args.src, true);
        match &meta {
            Ok(Some(meta)) if meta.is_dir() => {
                return Err(ModuleError::failed(format!(
                    "Source is a directory and must be a file: {src}"
                )));
            }
            Ok(None) => return Err(ModuleError::failed(format!("File not found: {src}"))),
            _ => {}
        }
        let too_large = || {
            ModuleError::failed(format!(
                "Source is too large for a result: {src} has more than {} MiB; use \
                 ansible.builtin.fetch to bring it to the controller",
                LARGEST >> 20
            ))
        };
        if matches!(&meta, Ok(Some(meta)) if meta.size > LARGEST) {
            return Err(too_large());
        }
        let bytes = read(host, &args.src).map_err(|err| match err {
            ModuleError::Io { source, .. }
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                ModuleError::failed(format!("File is not readable: {src}"))
            }
            ModuleError::Io { source, .. } => {
                ModuleError::failed(format!("unable to slurp file: {source}"))
            }
            other => other,
        })?;
        if bytes.len() as u64 > LARGEST {
            return Err(too_large());
        }
        Ok(Outcome::new()
            .changed(false)
            .with("content", STANDARD.encode(bytes))
            .with("source", &args.src)
            .with("encoding", "base64"))
    }
}

/// What a file holds, but no more than one byte too many: a device may have no end.
fn read(host: &Host<'_>, path: &Path) -> Result<Vec<u8>, ModuleError> {
    let mut bytes = Vec::new();
    let copied = host.open(path)?.take(LARGEST + 1).read_to_end(&mut bytes);
    copied.map_err(|err| ModuleError::io("read", path, err))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use davit_module::{Call, Entry, Session};

    #[test]
    fn what_is_too_large_is_refused_and_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        std::fs::File::create(&path).unwrap().set_len(super::LARGEST + 1).unwrap();
        let module = super::super::MODULES.iter().find(|it| it.short_name() == "slurp");
        let entry: &Entry = module.unwrap();
        for src in [path.to_str().unwrap(), "/dev/zero"] {
            let mut call = Call::default();
            call.args.insert("src".to_owned(), src.into());
            let reply = entry.call(&Session::default(), &call);
            assert_eq!(reply["failed"], true);
            assert!(reply["msg"].as_str().unwrap().contains("ansible.builtin.fetch"), "{reply:?}");
        }
    }
}
