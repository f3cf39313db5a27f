//! What comes from a server, in a file beside the place where it is to be.
//!
//! It is never in memory as a whole. It does not know what the user asked for.

use std::fs::{self, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use davit_module::{Content, Host, ModuleError, Reply, WriteOptions, errno_text};
use tempfile::NamedTempFile;

use super::{Client, Failure, Follow, Headers, Own, Request, Url, UrlArgs};
use crate::checksum::{self, Algorithm};

/// How long a server may be silent, in seconds, where nobody can say.
const TIMEOUT: i64 = 10;

/// A file that was fetched and is not in its place yet. It goes away unless it is installed.
pub(crate) struct Download {
    file: NamedTempFile,
    pub(crate) size: u64,
}

impl Download {
    /// Stores all that `body` gives: in `folder` where it can be, in the call's own otherwise.
    ///
    /// # Errors
    /// Where it cannot be read or stored.
    pub(crate) fn of(host: &Host<'_>, body: &mut dyn Read, folder: &Path) -> io::Result<Self> {
        let make =
            |folder: &Path| tempfile::Builder::new().prefix(".davit_tmp").tempfile_in(folder);
        let mut file = make(&host.at(folder)).or_else(|_| make(&host.tmp()))?;
        let size = io::copy(body, &mut file)?;
        file.flush()?;
        file.rewind()?;
        Ok(Self { file, size })
    }

    /// Fetches what is at `address` into the call's own folder.
    ///
    /// # Errors
    /// `Failure downloading ADDRESS, ...`, and where it cannot be stored.
    pub(crate) fn fetch(
        host: &Host<'_>,
        address: &str,
        validate_certs: bool,
    ) -> Result<Self, ModuleError> {
        let own = Own {
            username: None,
            timeout: TIMEOUT,
            follow: Follow::Usual,
            authorities: None,
            unix_socket: None,
        };
        let args = UrlArgs::usual(validate_certs);
        let variables = host.environment();
        let env = |name: &str| {
            let found = variables.iter().rev().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone())
        };
        let client = Client::new(args.options(host, own)?, &env, host.cancel());
        let fail =
            |why: String| ModuleError::failed(format!("Failure downloading {address}, {why}"));
        let request = Request {
            method: "GET".to_owned(),
            url: address.to_owned(),
            headers: args.headers(&Reply::new()).map_err(|why| fail(why.to_string()))?,
            payload: None,
        };
        let mut answer = client.fetch(&request).map_err(|failure| match failure {
            Failure::Stopped => ModuleError::Cancelled,
            other => fail(other.to_string()),
        })?;
        if answer.status.is_some_and(|status| status != 200) {
            return Err(fail(answer.message().to_string()));
        }
        Self::of(host, &mut answer.body, &host.tmp()).map_err(|err| match reason(&err) {
            Ok(why) => fail(why),
            Err(stopped) => stopped,
        })
    }

    /// Where it is for now.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// A checksum of it.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(crate) fn sum(&self, algorithm: Algorithm) -> Result<String, ModuleError> {
        fs::File::open(self.path())
            .and_then(|mut file| checksum::of(&mut file, algorithm))
            .map_err(|err| ModuleError::io("read", self.path(), err))
    }

    /// Puts it at `dest` in one step. A file that is there passes on its owner and mode.
    ///
    /// # Errors
    /// Where it cannot be put there.
    pub(crate) fn install(
        self,
        host: &mut Host<'_>,
        dest: &Path,
        unsafe_writes: bool,
    ) -> Result<(), ModuleError> {
        let beside = self.path().parent() == host.at(dest).parent();
        let labelled = Path::new("/sys/fs/selinux/enforce").exists();
        if !beside || labelled || unsafe_writes {
            let options = WriteOptions { unsafe_writes, ..WriteOptions::default() };
            let content = Content::File(self.path().to_path_buf());
            host.write(dest, content, &options)?;
            return Ok(());
        }
        let before = host.stat(dest)?.filter(|_| !host.is_link(dest));
        let prepare = || -> io::Result<()> {
            let mode = match &before {
                Some(before) => {
                    chown(self.path(), Some(before.uid), Some(before.gid))?;
                    before.mode
                }
                None => 0o666 & !host.umask(),
            };
            fs::set_permissions(self.path(), Permissions::from_mode(mode))?;
            self.file.as_file().sync_all()
        };
        let fail = |err| ModuleError::io("write", dest, err);
        prepare().map_err(fail)?;
        let (_, path) = self.file.keep().map_err(|err| fail(err.error))?;
        host.rename(&path, dest).map_err(|err| {
            // Nobody else knows of it.
            let _ = fs::remove_file(&path);
            fail(err)
        })
    }
}

/// The name that a file gets in a folder: as the server says, or the last part of its address.
pub(crate) fn name_of(headers: &Headers, url: &Url) -> String {
    let said = headers.get("Content-Disposition").and_then(said_name);
    let name = said.unwrap_or_else(|| url.file_name().to_owned());
    let last = name.rsplit('/').next().unwrap_or_default();
    match last {
        "" | "." | ".." => "index.html".to_owned(),
        other => other.replace('\0', ""),
    }
}

/// The name in `attachment; filename="x"`.
fn said_name(text: &str) -> Option<String> {
    let mut parts = text.split(';');
    if !parts.next()?.trim().eq_ignore_ascii_case("attachment") {
        return None;
    }
    parts.find_map(|part| {
        let (key, value) = part.split_once('=')?;
        let is_name = key.trim().eq_ignore_ascii_case("filename");
        is_name.then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    })
}

/// What is said of a file that could not be put in its place.
pub(crate) fn not_placed(src: &Path, dest: &Path, err: ModuleError) -> String {
    let (src, dest) = (src.display(), dest.display());
    let why = match err {
        ModuleError::Io { .. } => format!("Could not replace '{dest}' with '{src}'."),
        other => other.message(),
    };
    format!("failed to copy {src} to {dest}: {why}")
}

/// Why a body could not be read, in a few words.
pub(crate) fn reason(err: &io::Error) -> Result<String, ModuleError> {
    Ok(match super::message::broken(err) {
        Failure::Stopped => return Err(ModuleError::Cancelled),
        _ if err.kind() == io::ErrorKind::TimedOut => "timed out".to_owned(),
        _ if err.raw_os_error().is_some() => errno_text(err),
        _ => err.to_string(),
    })
}

/// The folder that a path is in.
pub(crate) fn folder_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_server_or_the_address_and_stay_in_the_folder() {
        let check = |said: Option<&str>, url: &str, expect: &str| {
            let mut headers = Headers::default();
            if let Some(said) = said {
                headers.set("Content-Disposition", said);
            }
            assert_eq!(name_of(&headers, &Url::parse(url).unwrap()), expect, "{said:?} {url}");
        };
        check(None, "http://h/a/b.txt?c=/d", "b.txt");
        check(None, "http://h/a/", "index.html");
        check(None, "http://h/a/..", "index.html");
        check(Some("attachment; filename=\"given.txt\""), "http://h/a", "given.txt");
        check(Some("attachment; filename=../../evil"), "http://h/a", "evil");
        check(Some("attachment; filename=.."), "http://h/a", "index.html");
        check(Some("inline; filename=x"), "http://h/a", "a");
    }
}
