//! Files, links and folders with all their attributes in one step: one line of the journal for
//! what would else be four.
//!
//! It does not know which attributes are wanted, nor where a content comes from.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::Path;

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{Mode, SFlag, UtimensatFlags, mknod, utimensat};
use nix::sys::time::TimeSpec;

use super::change::{fill, time_spec};
use super::meta::{FileKind, Meta, Stamp};
use super::overlay::{Body, Node};
use super::{Content, Host};
use crate::ModuleError;
use crate::session::ChangeKind;

/// The attributes that something is to have; what is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dress {
    /// Permission bits; links have none.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Last change of the content.
    pub mtime: Option<Stamp>,
}

impl Dress {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn predict(&self, meta: &mut Meta) {
        if let Some(mode) = self.mode.filter(|_| !meta.is_link()) {
            meta.mode = mode;
        }
        meta.uid = self.uid.unwrap_or(meta.uid);
        meta.gid = self.gid.unwrap_or(meta.gid);
        meta.mtime = self.mtime.unwrap_or(meta.mtime);
    }

    /// Gives them to what stands at `place`, links not followed; the mode after the owner, as a
    /// new owner takes bits away.
    fn put_on(&self, place: &Path) -> io::Result<()> {
        let is_link = fs::symlink_metadata(place)?.is_symlink();
        if self.uid.is_some() || self.gid.is_some() {
            lchown(place, self.uid, self.gid)?;
        }
        if let Some(mode) = self.mode.filter(|_| !is_link) {
            fs::set_permissions(place, Permissions::from_mode(mode))?;
        }
        if let Some(mtime) = self.mtime {
            let flag = UtimensatFlags::NoFollowSymlink;
            utimensat(AT_FDCWD, place, &TimeSpec::UTIME_OMIT, &time_spec(mtime), flag)?;
        }
        Ok(())
    }
}

impl Host<'_> {
    /// Puts a file with these attributes at `path`, in one step: readers see the old or the new.
    /// A link that is there is replaced; a folder is in the way.
    ///
    /// Unlike [`write`](Self::write) it does not wait until the disk has it.
    ///
    /// # Errors
    /// Where the system refuses, or the content does not come.
    pub fn install(
        &mut self,
        path: &Path,
        content: Content,
        size: u64,
        dress: &Dress,
    ) -> Result<(), ModuleError> {
        let place = self.at(path);
        let new_mode = 0o666 & !self.umask();
        if self.overlay().is_some() {
            let body = match content {
                Content::Bytes(bytes) => Body::Bytes(bytes),
                Content::File(from) => Body::File(from),
                Content::Reader(_) | Content::Sent(_) => Body::Unknown,
            };
            let mut meta = Meta::predicted(FileKind::File, new_mode, size);
            dress.predict(&mut meta);
            return self.put(&place, Node { meta, body });
        }
        self.journalled(ChangeKind::Write, path, |_| {
            let folder = place.parent().unwrap_or(Path::new("/"));
            let mut staged = tempfile::Builder::new().prefix(".davit_tmp").tempfile_in(folder)?;
            fill(staged.as_file_mut(), content)?;
            let mode = Some(dress.mode.unwrap_or(new_mode));
            Dress { mode, ..*dress }.put_on(staged.path())?;
            staged.persist(&place).map_err(|err| err.error)?;
            Ok(())
        })
        .map_err(|err: io::Error| ModuleError::io("write", path, err))?;
        self.mark_changed();
        Ok(())
    }

    /// Gives what stands at `path` these attributes; a link is not followed.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn dress(&mut self, path: &Path, dress: &Dress) -> Result<(), ModuleError> {
        if dress.is_empty() {
            return Ok(());
        }
        if self.overlay().is_some() {
            self.predicted_change(path, |node| dress.predict(&mut node.meta))?;
        } else {
            let place = self.at(path);
            let was = dress.mtime.and_then(|_| self.lstat(path).ok().flatten()).map(|it| it.atime);
            self.journalled_with(
                ChangeKind::Attributes,
                path,
                // What is put back are both times or none.
                |before| before.atime = was,
                |_| dress.put_on(&place),
            )
            .map_err(|err| ModuleError::io("change", path, err))?;
        }
        self.mark_changed();
        Ok(())
    }

    /// Makes a named pipe, a socket's name or a device where nothing stands.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn make_special(
        &mut self,
        path: &Path,
        kind: FileKind,
        mode: u32,
        rdev: u64,
    ) -> Result<(), ModuleError> {
        let place = self.at(path);
        if self.overlay().is_some() {
            let meta = Meta { rdev, ..Meta::predicted(kind, mode, 0) };
            return self.put(&place, Node { meta, body: Body::Unknown });
        }
        let flag = match kind {
            FileKind::Fifo => SFlag::S_IFIFO,
            FileKind::Socket => SFlag::S_IFSOCK,
            FileKind::Block => SFlag::S_IFBLK,
            FileKind::Char => SFlag::S_IFCHR,
            FileKind::File | FileKind::Directory | FileKind::Link => {
                let why = io::Error::from(io::ErrorKind::InvalidInput);
                return Err(ModuleError::io("create", path, why));
            }
        };
        mknod(&place, flag, Mode::from_bits_truncate(mode), rdev)
            .map_err(|err| ModuleError::io("create", path, err.into()))?;
        self.made(ChangeKind::Write, path);
        self.mark_changed();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};

    use super::*;
    use crate::{Call, Options, Session};

    #[test]
    fn a_file_gets_all_its_attributes_in_one_change() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Some(folder.path().join("keep"));
        let session = Session::new(Options { keep, ..Options::default() });
        let call = Call::default();
        let mut host = Host::new(&session, &call);
        let path = folder.path().join("f");
        let mtime = Stamp { secs: 1_000_000_000, nanos: 5 };
        let dress = Dress { mode: Some(0o640), mtime: Some(mtime), ..Dress::default() };
        host.install(&path, Content::from(b"new".to_vec()), 3, &dress).unwrap();
        let meta = fs::metadata(&path).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.mtime(), meta.mtime_nsec()), (0o640, 1e9 as i64, 5));
        let later = Dress { mtime: Some(Stamp { secs: 7, nanos: 0 }), ..Dress::default() };
        symlink("f", folder.path().join("l")).unwrap();
        host.dress(&folder.path().join("l"), &later).unwrap();
        assert_eq!(fs::symlink_metadata(folder.path().join("l")).unwrap().mtime(), 7);
        assert_eq!(fs::metadata(&path).unwrap().mtime(), 1_000_000_000, "not what it points to");
        host.make_special(&folder.path().join("p"), FileKind::Fifo, 0o600, 0).unwrap();
        assert!(fs::metadata(folder.path().join("p")).unwrap().file_type().is_fifo());
        assert_eq!(session.take_changes().len(), 3);
    }

    #[test]
    fn a_dry_run_predicts_it() {
        let folder = tempfile::tempdir().unwrap();
        let session = Session::new(Options { dry_run: true, ..Options::default() });
        let call = Call { check: true, ..Call::default() };
        let mut host = Host::new(&session, &call);
        let path = folder.path().join("f");
        let dress = Dress { mode: Some(0o600), ..Dress::default() };
        host.install(&path, Content::from(b"new".to_vec()), 3, &dress).unwrap();
        host.dress(&path, &Dress { mode: Some(0o644), ..Dress::default() }).unwrap();
        host.make_special(&folder.path().join("p"), FileKind::Fifo, 0o600, 0).unwrap();
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
        let meta = host.lstat(&path).unwrap().unwrap();
        assert_eq!((meta.mode, meta.size), (0o644, 3));
    }
}
