//! Changing a host's files: for real, or in the prediction.

use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Zoned;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;

use super::meta::{FileKind, Meta, Stamp};
use super::overlay::{Body, Node};
use super::program::{Program, Ran, split_words};
use super::read::{errno_text, open_source, shared};
use super::{Host, attributes};
use crate::session::ChangeKind;
use crate::{ModuleError, Sent};

/// What a file is to hold.
pub enum Content {
    /// These bytes.
    Bytes(Arc<[u8]>),
    /// What this file of the disk holds, copied without reading it whole.
    File(PathBuf),
    /// What a reader gives; in check mode it is not read, and the content counts as unknown.
    Reader(Box<dyn Read>),
    /// A file elsewhere; in check mode it is not fetched, and the content counts as unknown.
    Sent(Arc<dyn Sent>),
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(shared(bytes))
    }
}

impl From<&crate::Attachment> for Content {
    fn from(attachment: &crate::Attachment) -> Self {
        match attachment {
            crate::Attachment::Path(path) => Self::File(path.clone()),
            crate::Attachment::Bytes(bytes) => Self::Bytes(Arc::clone(bytes)),
            crate::Attachment::Sent(sent) => Self::Sent(Arc::clone(sent)),
        }
    }
}

/// How a file is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteOptions<'a> {
    /// A program that must agree with the content: `%s` stands for a file that holds it.
    pub validate: Option<&'a str>,
    /// What to say where it does not agree; a plain sentence where `None`.
    pub refuse: Option<fn(&Ran) -> ModuleError>,
    /// Keep a copy of the file as it was, beside it.
    pub backup: bool,
    /// Write in place where the file cannot be replaced in one step.
    pub unsafe_writes: bool,
}

/// What writing a file did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// It was not there before.
    pub created: bool,
    /// Where the copy of the file as it was is.
    pub backup_file: Option<String>,
}

impl Host<'_> {
    /// Makes the file at `path` hold `content`, in one step: readers see the old or the new.
    ///
    /// An existing file keeps its mode, owner, group and security context. A link at `path` is
    /// replaced, not followed.
    ///
    /// # Errors
    /// Where the content is refused, or the file cannot be written.
    pub fn write(
        &mut self,
        path: &Path,
        content: Content,
        options: &WriteOptions<'_>,
    ) -> Result<Installed, ModuleError> {
        let place = self.at(path);
        let before = self.stat(path)?.filter(|_| !self.is_link(path));
        let created = self.lstat(path)?.is_none();
        if let Some(command) = options.validate.filter(|it| !it.contains("%s")) {
            return Err(ModuleError::failed(format!("validate must contain %s: {command}")));
        }
        if self.overlay().is_some() {
            self.predict_write(&place, content, before.as_ref())?;
            return Ok(Installed { created, backup_file: None });
        }
        let content = self.validated(content, options)?;
        let backup_file =
            if options.backup && before.is_some() { Some(self.backup(path)?) } else { None };
        self.journalled(ChangeKind::Write, path, |host| {
            host.replace(&place, content, before.as_ref(), options.unsafe_writes)
        })
        .map_err(|err| ModuleError::io("write", path, err))?;
        self.changed = true;
        Ok(Installed { created, backup_file })
    }

    fn predict_write(
        &mut self,
        place: &Path,
        content: Content,
        before: Option<&Meta>,
    ) -> Result<(), ModuleError> {
        let (body, size) = match content {
            Content::Bytes(bytes) => {
                let size = bytes.len() as u64;
                (Body::Bytes(bytes), size)
            }
            Content::File(from) => {
                let size = fs::metadata(&from).map_or(0, |it| it.len());
                (Body::File(from), size)
            }
            Content::Reader(_) => (Body::Unknown, 0),
            Content::Sent(sent) => (Body::Unknown, sent.size()),
        };
        let mut meta = Meta::predicted(FileKind::File, 0o666 & !self.umask(), size);
        if let Some(before) = before {
            (meta.mode, meta.uid, meta.gid) = (before.mode, before.uid, before.gid);
        }
        self.put(place, Node { meta, body })
    }

    /// Asks the validating program; gives the content back, read once at most.
    fn validated(
        &self,
        content: Content,
        options: &WriteOptions<'_>,
    ) -> Result<Content, ModuleError> {
        let Some(command) = options.validate else { return Ok(content) };
        let tmp = self.tmp();
        let fail = |err| ModuleError::io("write", &tmp, err);
        let mut file = tempfile::Builder::new().prefix("davit-").tempfile_in(&tmp).map_err(fail)?;
        let content = match content {
            Content::Reader(mut reader) => {
                let mut bytes = Vec::new();
                reader.read_to_end(&mut bytes).map_err(fail)?;
                Content::from(bytes)
            }
            other => other,
        };
        match &content {
            Content::Bytes(bytes) => file.write_all(bytes).map_err(fail)?,
            Content::File(from) => {
                let mut from = open_source(from).map_err(fail)?;
                io::copy(&mut from, &mut file).map_err(fail)?;
            }
            Content::Sent(sent) => {
                let mut from = sent.open().map_err(fail)?;
                io::copy(&mut from, &mut file).map_err(fail)?;
            }
            Content::Reader(_) => {}
        }
        file.flush().map_err(fail)?;
        let text = command.replace("%s", &file.path().to_string_lossy());
        let words = split_words(&text)
            .filter(|it| !it.is_empty())
            .ok_or_else(|| ModuleError::failed(format!("cannot split into words: {command}")))?;
        let program =
            Program { argv: words.into_iter().map(Into::into).collect(), ..Program::default() };
        let ran = self.query(&program)?;
        if ran.rc == 0 {
            return Ok(content);
        }
        Err(options.refuse.map_or_else(
            || {
                let said = String::from_utf8_lossy(&ran.stderr);
                ModuleError::failed(format!("failed to validate: rc:{} error:{said}", ran.rc))
            },
            |refuse| refuse(&ran),
        ))
    }

    /// Puts `content` at `place` by way of a file beside it.
    fn replace(
        &self,
        place: &Path,
        content: Content,
        before: Option<&Meta>,
        in_place: bool,
    ) -> io::Result<()> {
        let folder = place.parent().unwrap_or(Path::new("/"));
        let staged = tempfile::Builder::new().prefix(".davit_tmp").tempfile_in(folder);
        let mut staged = match staged {
            Ok(staged) => staged,
            Err(_) if in_place => return write_in_place(place, content),
            Err(err) => return Err(err),
        };
        fill(staged.as_file_mut(), content)?;
        let (uid, gid) = attributes::effective_ids();
        let file = staged.as_file();
        if let Some(before) = before {
            let same = (before.uid, before.gid) == (uid, gid);
            // Who may not give the file away keeps it, for nobody else to read.
            if same || may_fail(chown(staged.path(), Some(before.uid), Some(before.gid)))? {
                file.set_permissions(Permissions::from_mode(before.mode))?;
            }
            if attributes::has_contexts() {
                let same = Program::new("chcon").arg("--reference").arg(place).arg(staged.path());
                // A file system without contexts refuses, and has none to keep.
                let _ = self.query(&same);
            }
        } else {
            file.set_permissions(Permissions::from_mode(0o666 & !self.umask()))?;
        }
        file.sync_all()?;
        match staged.persist(place) {
            Ok(_) => Ok(()),
            Err(err) if in_place => {
                write_in_place(place, Content::File(err.file.path().to_path_buf()))
            }
            Err(err) => Err(err.error),
        }
    }

    /// Copies the file at `path` beside itself, and says where.
    ///
    /// # Errors
    /// Where it cannot be copied.
    pub fn backup(&mut self, path: &Path) -> Result<String, ModuleError> {
        let now = Zoned::now().strftime("%Y-%m-%d@%H:%M:%S");
        let name = format!("{}.{}.{now}~", path.display(), std::process::id());
        if self.overlay().is_none() {
            let (from, to) = (self.real_path(path), self.at(Path::new(&name)));
            copy_whole(&from, &to).map_err(|err| {
                ModuleError::failed(format!(
                    "Could not make backup of {} to {name}: {}",
                    path.display(),
                    errno_text(&err)
                ))
            })?;
        }
        Ok(name)
    }

    /// Makes a folder, whose parent must be there.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn make_dir(&mut self, path: &Path) -> Result<(), ModuleError> {
        self.make_dir_raw(path).map_err(|err| ModuleError::io("create", path, err))
    }

    /// [`Self::make_dir`], with the system's own error.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn make_dir_raw(&mut self, path: &Path) -> io::Result<()> {
        let place = self.at(path);
        let mode = 0o777 & !self.umask();
        if self.overlay().is_some() {
            self.may_make(&place)?;
            let node = Node {
                meta: Meta::predicted(FileKind::Directory, mode, 4096),
                body: Body::Folder { fresh: true },
            };
            self.put_raw(&place, node)?;
        } else {
            DirBuilder::new().mode(mode).create(&place)?;
            self.made(ChangeKind::Folder, path);
        }
        self.changed = true;
        Ok(())
    }

    /// Makes an empty file where nothing stands.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn make_file(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        let place = self.at(path);
        if self.overlay().is_some() {
            self.may_make(&place)?;
            let meta = Meta::predicted(FileKind::File, mode, 0);
            self.put_raw(&place, Node { meta, body: Body::Bytes(shared(Vec::new())) })?;
        } else {
            OpenOptions::new().write(true).create_new(true).mode(mode).open(&place)?;
            fs::set_permissions(&place, Permissions::from_mode(mode))?;
            self.made(ChangeKind::Write, path);
        }
        self.changed = true;
        Ok(())
    }

    /// Removes the file, link or folder with all that is in it.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn remove(&mut self, path: &Path) -> io::Result<()> {
        let place = self.at(path);
        let Some(meta) = self.meta(path, false)? else { return Ok(()) };
        if self.overlay().is_some() {
            let place = self.resolve(&place, false)?;
            if let Some(mut overlay) = self.overlay() {
                overlay.remove(&place);
            }
        } else {
            self.journalled(ChangeKind::Remove, path, |_| {
                if meta.is_dir() { fs::remove_dir_all(&place) } else { fs::remove_file(&place) }
            })?;
        }
        self.changed = true;
        Ok(())
    }

    /// Removes a file of davit's own, which nobody wants back.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn discard(&mut self, path: &Path) -> io::Result<()> {
        if self.overlay().is_some() {
            return self.remove(path);
        }
        let place = self.at(path);
        match fs::symlink_metadata(&place) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(err) => return Err(err),
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(&place)?,
            Ok(_) => fs::remove_file(&place)?,
        }
        self.changed = true;
        Ok(())
    }

    /// Makes `path` a symbolic link to `target`; a file or link that is there is replaced.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn symlink(&mut self, target: &Path, path: &Path) -> io::Result<()> {
        let place = self.at(path);
        if self.overlay().is_some() {
            let meta = Meta::predicted(FileKind::Link, 0o777, target.as_os_str().len() as u64);
            self.may_be_parent(&place)?;
            self.put_raw(&place, Node { meta, body: Body::Target(target.to_path_buf()) })?;
        } else if self.meta(path, false)?.is_some() {
            self.journalled(ChangeKind::Link, path, |_| {
                swap_in(&place, |beside| symlink(target, beside))
            })?;
        } else {
            symlink(target, &place)?;
            self.made(ChangeKind::Link, path);
        }
        self.changed = true;
        Ok(())
    }

    /// Makes `path` another name of the file at `from`; a file or link that is there is replaced.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn hard_link(&mut self, from: &Path, path: &Path) -> io::Result<()> {
        let (from, place) = (self.at(from), self.at(path));
        if self.overlay().is_some() {
            let body = self.body(&from).map_err(|_| io::Error::from(io::ErrorKind::NotFound))?;
            self.may_be_parent(&place)?;
            let Some(mut meta) = self.meta(&from, true)? else {
                return Err(io::ErrorKind::NotFound.into());
            };
            meta.nlink += 1;
            self.put_raw(&place, Node { meta, body })?;
        } else if self.meta(path, false)?.is_some() {
            self.journalled(ChangeKind::HardLink, path, |_| {
                swap_in(&place, |beside| fs::hard_link(&from, beside))
            })?;
            self.session().linked_from(&super::journal::plain_place(&from));
        } else {
            fs::hard_link(&from, &place)?;
            self.made_link(&from, path);
        }
        self.changed = true;
        Ok(())
    }

    /// Gives what stands at `from` the name `path`, in place of what is there.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn rename(&mut self, from: &Path, path: &Path) -> io::Result<()> {
        let (from, place) = (self.at(from), self.at(path));
        if self.overlay().is_none() {
            let target = place.clone();
            self.journalled(ChangeKind::Remove, &from.clone(), |host| {
                host.journalled(ChangeKind::Write, path, |_| fs::rename(&from, &target))
            })?;
        }
        self.changed = true;
        Ok(())
    }

    /// Sets the times of last read and last change of what stands at `path`, links followed.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn set_times(&mut self, path: &Path, atime: Stamp, mtime: Stamp) -> io::Result<()> {
        let place = self.at(path);
        if self.overlay().is_some() {
            let place = self.resolve(&place, true)?;
            self.predict(&place, |node| (node.meta.atime, node.meta.mtime) = (atime, mtime))?;
        } else {
            let real = fs::canonicalize(&place)?;
            let was = fs::metadata(&real).map(Meta::from)?.atime;
            self.journalled_with(
                ChangeKind::Attributes,
                &real,
                |before| before.atime = Some(was),
                |_| {
                    let flag = UtimensatFlags::FollowSymlink;
                    let set = |atime: &TimeSpec, mtime: &TimeSpec| {
                        utimensat(AT_FDCWD, &real, atime, mtime, flag)
                    };
                    let done = set(&time_spec(atime), &time_spec(mtime));
                    // Who may only write to a file may still say that it was changed just now.
                    let now = Stamp::now().secs;
                    let just_now = now - atime.secs < 5 && now - mtime.secs < 5;
                    match done {
                        Err(nix::errno::Errno::EPERM) if just_now => {
                            set(&TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW)
                        }
                        other => other,
                    }
                },
            )?;
            self.forget_prediction(path);
        }
        self.changed = true;
        Ok(())
    }

    /// Says that what a dry run predicted for `path` and beneath no longer counts.
    pub fn forget_prediction(&mut self, path: &Path) {
        if self.session().options().dry_run && self.overlay().is_none() {
            let place = self.at(path);
            let overlay = self.session().overlay();
            overlay.lock().unwrap_or_else(std::sync::PoisonError::into_inner).forget(&place);
        }
    }

    /// Predicts that a file stands at `path` whose content cannot be said.
    ///
    /// # Errors
    /// Where the way to it is a loop of links.
    pub fn predict_unknown(&mut self, path: &Path) -> Result<(), ModuleError> {
        let meta = Meta::predicted(FileKind::File, 0o666 & !self.umask(), 0);
        let place = self.at(path);
        self.put(&place, Node { meta, body: Body::Unknown })
    }

    pub(crate) fn put(&mut self, place: &Path, node: Node) -> Result<(), ModuleError> {
        self.put_raw(place, node).map_err(|err| ModuleError::io("write", place, err))
    }

    fn put_raw(&mut self, place: &Path, node: Node) -> io::Result<()> {
        let place = self.resolve(place, false)?;
        if let Some(mut overlay) = self.overlay() {
            overlay.put(&place, node);
        }
        self.changed = true;
        Ok(())
    }

    /// Whether something may be made at `place`: nothing there, and a folder above.
    fn may_make(&self, place: &Path) -> io::Result<()> {
        if self.meta(place, false)?.is_some() {
            return Err(io::Error::from_raw_os_error(nix::libc::EEXIST));
        }
        self.may_be_parent(place)
    }

    fn may_be_parent(&self, place: &Path) -> io::Result<()> {
        let parent = place.parent().unwrap_or(Path::new("/"));
        match self.meta(parent, true)? {
            Some(meta) if meta.is_dir() => Ok(()),
            Some(_) => Err(io::Error::from_raw_os_error(nix::libc::ENOTDIR)),
            None => Err(io::Error::from_raw_os_error(nix::libc::ENOENT)),
        }
    }
}

/// What is written at a time.
const PIECE: usize = 64 * 1024;

pub(super) fn fill(file: &mut File, content: Content) -> io::Result<()> {
    // Pieces of the usual 8 KiB make a large file cost more calls than work.
    let pieces = |reader: &mut dyn Read, file: &mut File| {
        let mut writer = io::BufWriter::with_capacity(PIECE, file);
        io::copy(reader, &mut writer)?;
        writer.flush()
    };
    match content {
        Content::Bytes(bytes) => file.write_all(&bytes),
        Content::File(from) => io::copy(&mut open_source(&from)?, file).map(|_| ()),
        Content::Reader(mut reader) => pieces(&mut reader, file),
        Content::Sent(sent) => pieces(&mut sent.open()?, file),
    }
}

fn write_in_place(place: &Path, content: Content) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(place)?;
    fill(&mut file, content)?;
    file.sync_all()
}

/// Makes something under a name beside `place`, then moves it there in one step.
fn swap_in(place: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let folder = place.parent().unwrap_or(Path::new("/"));
    let beside = tempfile::Builder::new().prefix(".davit_tmp").tempdir_in(folder)?;
    let made = beside.path().join("new");
    make(&made)?;
    fs::rename(&made, place)
}

/// Copies a file with its mode, owner and times.
fn copy_whole(from: &Path, to: &Path) -> io::Result<()> {
    let meta = fs::symlink_metadata(from)?;
    if meta.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    fs::copy(from, to)?;
    let seen = Meta::from(fs::metadata(from)?);
    if (seen.uid, seen.gid) != attributes::effective_ids()
        && may_fail(lchown(to, Some(seen.uid), Some(seen.gid)))?
    {
        fs::set_permissions(to, Permissions::from_mode(seen.mode))?;
    }
    let times = FileTimes::new().set_accessed(system_time(seen.atime));
    // Times are a courtesy: some file systems do not take them.
    if let Ok(file) = OpenOptions::new().append(true).open(to) {
        let _ = file.set_times(times.set_modified(system_time(seen.mtime)));
    }
    Ok(())
}

/// False where it fails for want of a right.
fn may_fail(done: io::Result<()>) -> io::Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(err) if err.kind() == io::ErrorKind::PermissionDenied => Ok(false),
        Err(err) => Err(err),
    }
}

/// The moment as the standard library has it.
pub(crate) fn system_time(stamp: Stamp) -> SystemTime {
    let nanos = Duration::from_nanos(u64::try_from(stamp.nanos).unwrap_or(0));
    let secs = Duration::from_secs(stamp.secs.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let moment = if stamp.secs < 0 { epoch.checked_sub(secs) } else { epoch.checked_add(secs) };
    moment.and_then(|it| it.checked_add(nanos)).unwrap_or(epoch)
}

/// The moment as the system's calls take it.
pub(crate) fn time_spec(stamp: Stamp) -> TimeSpec {
    TimeSpec::new(stamp.secs, stamp.nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Call, FileArgs, Options, Session};

    /// A session and a call in a fresh folder.
    fn start(dry_run: bool) -> (tempfile::TempDir, Session, Call) {
        let folder = tempfile::tempdir().unwrap();
        let keep = Some(folder.path().join("keep"));
        let session = Session::new(Options { dry_run, keep, ..Options::default() });
        let root = folder.path().canonicalize().unwrap();
        let call = Call { check: dry_run, folder: root, umask: Some(0o022), ..Call::default() };
        (folder, session, call)
    }

    fn write(host: &mut Host<'_>, path: &str, text: &str) {
        let content = Content::from(text.as_bytes().to_vec());
        host.write(Path::new(path), content, &WriteOptions::default()).unwrap();
    }

    #[test]
    fn a_dry_run_sees_what_it_would_have_done() {
        let (folder, session, call) = start(true);
        fs::create_dir(folder.path().join("old")).unwrap();
        fs::write(folder.path().join("old/file"), "disk").unwrap();
        let mut host = Host::new(&session, &call);
        host.make_dir(Path::new("new")).unwrap();
        write(&mut host, "new/a", "text");
        host.symlink(Path::new("new"), Path::new("link")).unwrap();
        host.set_attributes(Path::new("new/a"), &FileArgs::of_mode("0600".into()), None).unwrap();
        host.remove(Path::new("old")).unwrap();
        host.make_dir(Path::new("old")).unwrap();

        // Another call of the same run sees it, and the disk is as it was.
        let host = Host::new(&session, &call);
        assert_eq!(host.read(Path::new("link/a")).unwrap(), b"text");
        assert_eq!(host.lstat(Path::new("link/a")).unwrap().unwrap().mode, 0o600);
        assert_eq!(host.read_dir(Path::new("new")).unwrap(), ["a"]);
        assert!(host.read_dir(Path::new("old")).unwrap().is_empty());
        assert!(!host.exists(Path::new("old/file")));
        assert_eq!(host.real_path(Path::new("link/a")), call.folder.join("new/a"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(folder.path().join("old/file").exists());
        assert!(session.take_changes().is_empty());
    }

    #[test]
    fn in_a_real_run_a_prediction_ends_with_its_call() {
        let (_folder, session, mut call) = start(false);
        call.check = true;
        write(&mut Host::new(&session, &call), "a", "text");
        assert!(!Host::new(&session, &call).exists(Path::new("a")));
    }

    #[test]
    fn what_was_done_for_real_replaces_what_was_predicted() {
        let (_folder, session, mut call) = start(true);
        write(&mut Host::new(&session, &call), "a", "predicted");
        call.check = false;
        write(&mut Host::new(&session, &call), "a", "real");
        call.check = true;
        assert_eq!(Host::new(&session, &call).read(Path::new("a")).unwrap(), b"real");
    }

    #[test]
    fn the_journal_keeps_what_was_there() {
        let (folder, session, call) = start(false);
        fs::write(folder.path().join("a"), "old").unwrap();
        fs::set_permissions(folder.path().join("a"), Permissions::from_mode(0o640)).unwrap();
        let mut host = Host::new(&session, &call);
        write(&mut host, "a", "new");
        write(&mut host, "b", "new");
        let changes = session.take_changes();
        let before = changes[0].before.as_ref().unwrap();
        assert_eq!((before.kind, before.mode), (FileKind::File, 0o640));
        assert_eq!(fs::read(before.kept.as_ref().unwrap()).unwrap(), b"old");
        assert_eq!(changes[1].before, None);
        let mode = host.lstat(Path::new("a")).unwrap().unwrap().mode;
        assert_eq!(mode, 0o640, "a file keeps its mode");
    }

    #[test]
    fn links_that_turn_in_circles_are_an_error_and_no_hang() {
        let (_folder, session, call) = start(true);
        let mut host = Host::new(&session, &call);
        host.symlink(Path::new("b"), Path::new("a")).unwrap();
        host.symlink(Path::new("a"), Path::new("b")).unwrap();
        assert!(host.read(Path::new("a")).is_err());
        assert!(!host.exists(Path::new("a")));
        assert!(host.is_link(Path::new("a")));
    }
}
