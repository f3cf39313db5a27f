//! `ansible.builtin.slurp`: brings a file of the host back as text.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/slurp_module.html>

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use davit_module::{Host, Module, ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;

/// Brings a file of the host back, encoded in Base64.
///
/// The result's `content` is what `b64decode` reads. The whole file travels and is held in
/// memory: for large files use `fetch`.
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
        let bytes = host.read(&args.src).map_err(|err| match err {
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
        Ok(Outcome::new()
            .changed(false)
            .with("content", STANDARD.encode(bytes))
            .with("source", &args.src)
            .with("encoding", "base64"))
    }
}
