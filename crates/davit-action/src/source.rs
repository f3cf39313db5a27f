//! Files of the controller: finding them, reading them, decrypting those that are vaults.
//!
//! It does not know what they are for, nor hosts.

use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use davit_module::Attachment;
use davit_run::{Outcome, TaskContext};
use md5::{Digest, Md5};
use sha1::Sha1;

use crate::failure::{Attempt, broken, message};

/// The file that `name` means; `None` where there is none.
pub(crate) fn find(context: &TaskContext, folder: &str, name: &str) -> Option<PathBuf> {
    let found = context.candidates(folder, name).into_iter().find(|path| path.exists())?;
    Some(clean(&found))
}

/// What is said of a file that [`find`] does not find.
pub(crate) fn not_found(context: &TaskContext, folder: &str, name: &str) -> String {
    context.not_found(folder, name)
}

/// What is said of something that is there and is no file.
pub(crate) fn no_file(path: &Path) -> String {
    format!(
        "Could not find or access '{}' on the Ansible Controller.\nIf you are using a module and \
         expect the file to exist on the remote, see the remote_src option",
        path.display()
    )
}

/// A path without `.` and `..`, links left alone. A `/` at its end stays.
pub(crate) fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    if path.to_string_lossy().ends_with('/') && !out.as_os_str().is_empty() {
        out.push("");
    }
    out
}

/// A file as a module gets it: as it is, or what is in it where it is a vault.
pub(crate) fn attachment(context: &TaskContext, path: &Path, decrypt: bool) -> Attempt<Attachment> {
    if decrypt && is_vault(path).map_err(|error| unreadable(context, path, &error))? {
        let plain = read(context, path, true).map_err(|failure| locked(context, path, failure))?;
        return Ok(Attachment::Bytes(plain.into()));
    }
    Ok(Attachment::Path(path.to_path_buf()))
}

/// What is in a file.
pub(crate) fn read(context: &TaskContext, path: &Path, decrypt: bool) -> Attempt<Vec<u8>> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(context, path, &error))?;
    if !decrypt || !davit_vault::is_vault_bytes(&bytes) {
        return Ok(bytes);
    }
    let Some(vault) = &context.world().outside.vault else {
        return Err(broken(context, NO_SECRETS));
    };
    vault.decrypt_bytes(&String::from_utf8_lossy(&bytes)).map_err(|why| broken(context, why))
}

/// What is said of a vault that nobody has a password for.
const NO_SECRETS: &str = "Attempting to decrypt but no vault secrets found.";

/// The failure of a file that is to be sent: it names the file where there is no password at all.
pub(crate) fn locked(context: &TaskContext, path: &Path, failure: Outcome) -> Outcome {
    if !message(&failure).ends_with(NO_SECRETS) {
        return failure;
    }
    broken(
        context,
        format!("A vault password or secret must be specified to decrypt {}", path.display()),
    )
}

fn is_vault(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    davit_module::open_source(path)?.take(64).read_to_end(&mut head)?;
    Ok(davit_vault::is_vault_bytes(&head))
}

fn unreadable(context: &TaskContext, path: &Path, error: &io::Error) -> Outcome {
    let path = path.display();
    let why = system_error(error);
    broken(
        context,
        format!("An error occurred while trying to read the file '{path}': {why}: '{path}'"),
    )
}

/// What the system said, with its number, as users of the format know it.
pub(crate) fn system_error(error: &io::Error) -> String {
    let text = error.to_string();
    let Some(code) = error.raw_os_error() else { return text };
    let text = text.strip_suffix(&format!(" (os error {code})")).unwrap_or(&text);
    format!("[Errno {code}] {text}")
}

/// The mode of a file, as `mode` takes it.
pub(crate) fn mode(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = path.metadata().ok()?.permissions().mode() & 0o7777;
    Some(format!("0{mode:03o}"))
}

/// The SHA-1 and the MD5 of what comes piece by piece.
#[derive(Default)]
pub(crate) struct Sums {
    sha1: Sha1,
    md5: Md5,
}

impl Sums {
    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.sha1.update(piece);
        self.md5.update(piece);
    }

    /// Both, in hex.
    pub(crate) fn finish(self) -> (String, String) {
        (hex(&self.sha1.finalize()), hex(&self.md5.finalize()))
    }
}

/// The SHA-1 and the MD5 of what a reader gives, in hex.
pub(crate) fn sums(reader: &mut dyn Read) -> io::Result<(String, String)> {
    let mut sums = Sums::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        sums.add(buffer.get(..count).unwrap_or_default());
    }
    Ok(sums.finish())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned() {
        for (path, expect) in [
            ("/a/./b/../c", "/a/c"),
            ("/a/b/", "/a/b/"),
            ("/../a", "/a"),
            ("a/../../b", "b"),
            ("/", "/"),
        ] {
            assert_eq!(clean(Path::new(path)).to_string_lossy(), expect, "{path}");
        }
    }

    #[test]
    fn checksums_are_those_that_everybody_knows() {
        let (sha1, md5) = sums(&mut &b"hello\n"[..]).unwrap();
        assert_eq!(sha1, "f572d396fae9206628714fb2ce00f72e94f2258f");
        assert_eq!(md5, "b1946ac92492d2347c6235b4d2611184");
    }

    #[test]
    fn system_errors_have_their_numbers() {
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(system_error(&error), "[Errno 2] No such file or directory");
    }

    #[test]
    fn modes_are_octal() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(mode(file.path()).as_deref(), Some("0600"));
        assert_eq!(mode(Path::new("/nosuch")), None);
    }
}
