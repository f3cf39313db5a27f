//! Reading a host's files, as they are or as a dry run predicts them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Cursor, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use nix::unistd::AccessFlags;
use sha1::{Digest, Sha1};

use super::Host;
use super::meta::{FileKind, Meta};
use super::overlay::{Body, Found, Node};
use crate::ModuleError;

/// How many links are followed before a path counts as a loop, as the kernel does.
const LINKS: u32 = 40;

/// What one wants to do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read it.
    Read,
    /// Write it.
    Write,
    /// Run it, or go into it.
    Execute,
}

impl Host<'_> {
    /// What stands at `path`, links not followed; `None` = nothing.
    ///
    /// # Errors
    /// Where the system does not say, such as for want of a right.
    pub fn lstat(&self, path: &Path) -> Result<Option<Meta>, ModuleError> {
        lenient(self.meta(path, false)).map_err(|err| ModuleError::io("read", path, err))
    }

    /// What stands at the end of the links at `path`; `None` = nothing, or a broken link.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn stat(&self, path: &Path) -> Result<Option<Meta>, ModuleError> {
        lenient(self.meta(path, true)).map_err(|err| ModuleError::io("read", path, err))
    }

    /// [`Self::lstat`] or [`Self::stat`], with the system's own error.
    ///
    /// # Errors
    /// Where the system does not say, and where a part of the way is not a folder.
    pub fn meta(&self, path: &Path, follow: bool) -> io::Result<Option<Meta>> {
        let path = self.at(path);
        if self.predicts() {
            return Ok(match self.predicted(&path, follow)? {
                Seen::Node(node) => Some(node.meta),
                Seen::Disk(_, meta) => Some(meta),
                Seen::Nothing(_) => None,
            });
        }
        absent_is_none(if follow { fs::metadata(path) } else { fs::symlink_metadata(path) })
    }

    /// What the disk holds at `path`, whatever is predicted; `None` for a broken link too.
    pub(crate) fn on_disk(&self, path: &Path) -> Option<Meta> {
        let path = self.at(path);
        fs::metadata(&path).ok()?;
        absent_is_none(fs::symlink_metadata(path)).ok()?
    }

    /// Whether something stands at the end of the links at `path`.
    #[must_use]
    pub fn exists(&self, path: &Path) -> bool {
        self.meta(path, true).is_ok_and(|it| it.is_some())
    }

    /// Whether a folder stands at the end of the links at `path`.
    #[must_use]
    pub fn is_dir(&self, path: &Path) -> bool {
        self.meta(path, true).is_ok_and(|it| it.is_some_and(|it| it.is_dir()))
    }

    /// Whether a regular file stands at the end of the links at `path`.
    #[must_use]
    pub fn is_file(&self, path: &Path) -> bool {
        self.meta(path, true).is_ok_and(|it| it.is_some_and(|it| it.is_file()))
    }

    /// Whether `path` itself is a symbolic link.
    #[must_use]
    pub fn is_link(&self, path: &Path) -> bool {
        self.meta(path, false).is_ok_and(|it| it.is_some_and(|it| it.is_link()))
    }

    /// Whether this process may use `path` so.
    #[must_use]
    pub fn may(&self, path: &Path, access: Access) -> bool {
        let path = self.at(path);
        if self.predicts() {
            match self.predicted(&path, true) {
                Ok(Seen::Node(node)) => return may_by_mode(&node.meta, access),
                Ok(Seen::Nothing(_)) | Err(_) => return false,
                Ok(Seen::Disk(..)) => {}
            }
        }
        let flag = match access {
            Access::Read => AccessFlags::R_OK,
            Access::Write => AccessFlags::W_OK,
            Access::Execute => AccessFlags::X_OK,
        };
        nix::unistd::access(&path, flag).is_ok()
    }

    /// Opens the file at `path` for reading.
    ///
    /// # Errors
    /// Where it cannot be opened, or its predicted content is not known.
    pub fn open(&self, path: &Path) -> Result<Box<dyn Read>, ModuleError> {
        let fail = |err| ModuleError::io("read", path, err);
        match self.body(path)? {
            Body::Bytes(bytes) => Ok(Box::new(Cursor::new(bytes))),
            Body::File(real) => Ok(Box::new(open_source(&real).map_err(fail)?)),
            Body::Folder { .. } => Err(fail(io::ErrorKind::IsADirectory.into())),
            Body::Target(_) | Body::Unknown => {
                Err(ModuleError::Unpredicted { path: path.to_path_buf() })
            }
        }
    }

    /// All that the file at `path` holds.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn read(&self, path: &Path) -> Result<Vec<u8>, ModuleError> {
        let mut bytes = Vec::new();
        self.open(path)?
            .read_to_end(&mut bytes)
            .map_err(|err| ModuleError::io("read", path, err))?;
        Ok(bytes)
    }

    /// Where the content of `path` is to be had, links followed.
    ///
    /// # Errors
    /// Where there is nothing at `path`.
    pub fn body(&self, path: &Path) -> Result<Body, ModuleError> {
        let real = self.at(path);
        if !self.predicts() {
            return Ok(Body::File(real));
        }
        match self.predicted(&real, true) {
            Ok(Seen::Node(node)) => Ok(node.body),
            Ok(Seen::Disk(place, _)) => Ok(Body::File(place)),
            Ok(Seen::Nothing(_)) => Err(io::Error::from_raw_os_error(nix::libc::ENOENT)),
            Err(err) => Err(err),
        }
        .map_err(|err| ModuleError::io("read", path, err))
    }

    /// The SHA-1 of the file at `path`, in hex.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn sha1(&self, path: &Path) -> Result<String, ModuleError> {
        let mut reader = self.open(path)?;
        sha1_of(&mut reader).map_err(|err| ModuleError::io("read", path, err))
    }

    /// The names in the folder at `path`, sorted.
    ///
    /// # Errors
    /// Where it is not a folder that can be read.
    pub fn read_dir(&self, path: &Path) -> Result<Vec<OsString>, ModuleError> {
        self.names(&self.at(path)).map_err(|err| ModuleError::io("read", path, err))
    }

    fn names(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let mut names = BTreeSet::new();
        let place = if self.predicts() {
            match self.predicted(path, true)? {
                Seen::Node(Node { body: Body::Folder { fresh: true }, .. }) => {
                    self.resolve(path, true)?
                }
                Seen::Node(Node { body: Body::Folder { fresh: false }, .. }) => {
                    let place = self.resolve(path, true)?;
                    disk_names(&place, &mut names)?;
                    place
                }
                Seen::Disk(place, _) => {
                    disk_names(&place, &mut names)?;
                    place
                }
                Seen::Node(_) => return Err(io::ErrorKind::NotADirectory.into()),
                Seen::Nothing(_) => return Err(io::ErrorKind::NotFound.into()),
            }
        } else {
            disk_names(path, &mut names)?;
            path.to_path_buf()
        };
        if let Some(overlay) = self.overlay() {
            for (name, there) in overlay.names(&place) {
                if there {
                    names.insert(name);
                } else {
                    names.remove(&name);
                }
            }
        }
        Ok(names.into_iter().collect())
    }

    /// Where the link at `path` points.
    ///
    /// # Errors
    /// Where it is not a link.
    pub fn read_link(&self, path: &Path) -> Result<PathBuf, ModuleError> {
        self.target(&self.at(path)).map_err(|err| ModuleError::io("read", path, err))
    }

    fn target(&self, path: &Path) -> io::Result<PathBuf> {
        if self.predicts() {
            return match self.predicted(path, false)? {
                Seen::Node(Node { body: Body::Target(target), .. }) => Ok(target),
                Seen::Disk(place, _) => fs::read_link(place),
                Seen::Node(_) => Err(io::ErrorKind::InvalidInput.into()),
                Seen::Nothing(_) => Err(io::ErrorKind::NotFound.into()),
            };
        }
        fs::read_link(path)
    }

    /// `path` with all links followed, as far as there is something; the rest stays as written.
    #[must_use]
    pub fn real_path(&self, path: &Path) -> PathBuf {
        let path = self.at(path);
        self.resolve(&path, true).unwrap_or(path)
    }

    /// Whether this call reads from a prediction that holds something.
    pub(crate) fn predicts(&self) -> bool {
        self.overlay().is_some_and(|it| !it.is_empty())
    }

    /// The place of `path` with links followed: in its parents, and with `last` at its end too.
    pub(crate) fn resolve(&self, path: &Path, last: bool) -> io::Result<PathBuf> {
        let mut left: Vec<OsString> =
            path.components().rev().map(|it| it.as_os_str().to_os_string()).collect();
        let mut place = PathBuf::from("/");
        let mut links = 0;
        while let Some(part) = left.pop() {
            match Path::new(&part).components().next() {
                Some(Component::RootDir) => {
                    place = PathBuf::from("/");
                    continue;
                }
                Some(Component::CurDir) | None => continue,
                Some(Component::ParentDir) => {
                    place.pop();
                    continue;
                }
                Some(Component::Prefix(_) | Component::Normal(_)) => {}
            }
            let next = place.join(&part);
            let target = if left.is_empty() && !last { None } else { self.link_at(&next)? };
            match target {
                Some(target) => {
                    links += 1;
                    if links > LINKS {
                        return Err(io::Error::from_raw_os_error(nix::libc::ELOOP));
                    }
                    left.extend(target.components().rev().map(|it| it.as_os_str().to_os_string()));
                }
                None => place = next,
            }
        }
        Ok(place)
    }

    /// Where a resolved place points, where it is a link.
    fn link_at(&self, place: &Path) -> io::Result<Option<PathBuf>> {
        if let Some(overlay) = self.overlay() {
            match overlay.find(place) {
                Found::Disk => {}
                Found::Node(Node { body: Body::Target(target), .. }) => {
                    return Ok(Some(target.clone()));
                }
                Found::Node(_) | Found::Absent => return Ok(None),
            }
        }
        match fs::symlink_metadata(place) {
            Ok(meta) if meta.is_symlink() => fs::read_link(place).map(Some),
            Ok(_) => Ok(None),
            Err(err) if is_absent(&err) => Ok(None),
            Err(err) => Err(err),
        }
    }

    /// What is predicted at `path`, which is absolute.
    fn predicted(&self, path: &Path, follow: bool) -> io::Result<Seen> {
        let place = self.resolve(path, follow)?;
        let found = self.overlay().map(|overlay| match overlay.find(&place) {
            Found::Disk => None,
            Found::Absent => Some(Seen::Nothing(place.clone())),
            Found::Node(node) => Some(Seen::Node(node.clone())),
        });
        if let Some(Some(seen)) = found {
            return Ok(seen);
        }
        Ok(match absent_is_none(fs::symlink_metadata(&place))? {
            Some(meta) => Seen::Disk(place, meta),
            None => Seen::Nothing(place),
        })
    }

    /// Changes what is predicted at `path`, which must be there. Links are not followed.
    pub(crate) fn predict(&self, path: &Path, edit: impl FnOnce(&mut Node)) -> io::Result<()> {
        let place = self.resolve(&self.at(path), false)?;
        let mut node = match self.predicted(&place, false)? {
            Seen::Node(node) => node,
            Seen::Disk(place, meta) => {
                let body = match meta.kind {
                    FileKind::Directory => Body::Folder { fresh: false },
                    FileKind::Link => Body::Target(fs::read_link(&place)?),
                    _ => Body::File(place.clone()),
                };
                Node { meta, body }
            }
            Seen::Nothing(_) => return Err(io::ErrorKind::NotFound.into()),
        };
        edit(&mut node);
        if let Some(mut overlay) = self.overlay() {
            overlay.put(&place, node);
        }
        Ok(())
    }
}

/// What a look through the prediction finds.
enum Seen {
    Node(Node),
    Disk(PathBuf, Meta),
    Nothing(#[expect(dead_code, reason = "shown when debugging")] PathBuf),
}

fn disk_names(path: &Path, names: &mut BTreeSet<OsString>) -> io::Result<()> {
    for item in fs::read_dir(path)? {
        names.insert(item?.file_name());
    }
    Ok(())
}

fn is_absent(err: &io::Error) -> bool {
    matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn absent_is_none(found: io::Result<fs::Metadata>) -> io::Result<Option<Meta>> {
    match found {
        Ok(meta) => Ok(Some(meta.into())),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(err) => Err(err),
    }
}

/// What stands beneath something that is no folder is not there.
fn lenient(found: io::Result<Option<Meta>>) -> io::Result<Option<Meta>> {
    found.or_else(|err| if is_absent(&err) { Ok(None) } else { Err(err) })
}

/// Rights by permission bits alone: what is predicted has nothing else.
fn may_by_mode(meta: &Meta, access: Access) -> bool {
    let uid = nix::unistd::geteuid().as_raw();
    let bit = match access {
        Access::Read => 4,
        Access::Write => 2,
        Access::Execute => 1,
    };
    if uid == 0 {
        return access != Access::Execute || meta.is_dir() || meta.mode & 0o111 != 0;
    }
    let shift = if uid == meta.uid {
        6
    } else if nix::unistd::getegid().as_raw() == meta.gid {
        3
    } else {
        0
    };
    meta.mode >> shift & bit != 0
}

/// The SHA-1 of what a reader gives, in hex.
/// Opens a file for reading, and never waits for whoever might write to a named pipe.
///
/// # Errors
/// Where it cannot be opened, or is a named pipe.
pub fn open_source(path: &Path) -> io::Result<File> {
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.file_type().is_fifo() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "is a named pipe"));
    }
    Ok(file)
}

pub(crate) fn sha1_of(reader: &mut dyn Read) -> io::Result<String> {
    let mut hash = Sha1::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
    }
    Ok(hash.finalize().iter().map(|it| format!("{it:02x}")).collect())
}

/// The system's error as results of the format tell it: `[Errno 2] No such file or directory`.
#[must_use]
pub fn errno_text(err: &io::Error) -> String {
    let Some(code) = err.raw_os_error() else { return err.to_string() };
    let errno = nix::errno::Errno::from_raw(code);
    // Where glibc, whose words users know, says it in other ones.
    let words = match errno {
        nix::errno::Errno::EIO => "Input/output error",
        nix::errno::Errno::EXDEV => "Invalid cross-device link",
        nix::errno::Errno::ELOOP => "Too many levels of symbolic links",
        nix::errno::Errno::EBADF => "Bad file descriptor",
        nix::errno::Errno::EAGAIN => "Resource temporarily unavailable",
        nix::errno::Errno::ENOMEM => "Cannot allocate memory",
        nix::errno::Errno::EDQUOT => "Disk quota exceeded",
        nix::errno::Errno::EOPNOTSUPP => "Operation not supported",
        nix::errno::Errno::ENOTTY => "Inappropriate ioctl for device",
        other => other.desc(),
    };
    format!("[Errno {code}] {words}")
}

/// Bytes that are shared.
pub(crate) fn shared(bytes: Vec<u8>) -> Arc<[u8]> {
    bytes.into()
}
