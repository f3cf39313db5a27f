//! Putting back what stood at a path: for real, or in the prediction.
//!
//! It does not know whether it should: that nothing else has changed the path since is for the
//! caller to see to.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, DirBuilder, File, FileTimes, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};

use super::change::{system_time, time_spec};
use super::keep::{Entry, open_kept, read_list};
use super::meta::{FileKind, Meta};
use super::overlay::{Body, Node};
use super::program::Program;
use super::{Host, attributes};
use crate::ModuleError;
use crate::session::{Change, ChangeKind, FileState};

/// In how many folders another name of a file is looked for.
const FOLDERS: usize = 64;

/// Which file has the content that an inode once had: hard links are made links again by it.
#[derive(Debug, Default)]
pub(crate) struct Twins {
    /// By the inode's number before the change.
    restored: HashMap<u64, Vec<PathBuf>>,
    /// Paths that may still be the inode itself.
    pub(crate) candidates: Vec<PathBuf>,
}

impl Host<'_> {
    /// What stands at `path`, as the journal says it.
    pub(crate) fn state(&self, path: &Path) -> Result<Option<FileState>, ModuleError> {
        let Some(meta) = self.lstat(path)? else { return Ok(None) };
        let mut state = FileState::from(&meta);
        if meta.is_link() {
            state.target = Some(self.read_link(path)?);
        }
        Ok(Some(state))
    }

    /// Takes away what was made at `path`; a folder only where nothing is in it.
    pub(crate) fn take_away(&mut self, path: &Path) -> Result<(), ModuleError> {
        let fail = |err| ModuleError::io("remove", path, err);
        if !self.must_lstat(path)?.is_dir() {
            return self.remove(path).map_err(fail);
        }
        if !self.read_dir(path)?.is_empty() {
            return Err(ModuleError::failed("it is not empty"));
        }
        if self.overlay().is_some() {
            return self.remove(path).map_err(fail);
        }
        let place = self.at(path);
        self.journalled(ChangeKind::Remove, path, |_| fs::remove_dir(place)).map_err(fail)?;
        self.mark_changed();
        Ok(())
    }

    /// Puts back what stood at `path`, content and all.
    pub(crate) fn put_back(
        &mut self,
        path: &Path,
        want: &FileState,
        twins: &mut Twins,
    ) -> Result<(), ModuleError> {
        match want.kind {
            FileKind::File => self.put_back_file(path, want, twins),
            FileKind::Directory => self.put_back_tree(path, want, twins),
            FileKind::Link => {
                let target = want.target.clone().unwrap_or_default();
                self.symlink(&target, path).map_err(|err| ModuleError::io("write", path, err))?;
                self.put_back_attributes(path, want)
            }
            FileKind::Fifo | FileKind::Socket | FileKind::Block | FileKind::Char => {
                Err(ModuleError::failed("it was no file, folder or link"))
            }
        }
    }

    fn put_back_file(
        &mut self,
        path: &Path,
        want: &FileState,
        twins: &mut Twins,
    ) -> Result<(), ModuleError> {
        if let Some(twin) = self.twin(path, want, twins)
            && self.hard_link(&twin, path).is_ok()
        {
            twins.restored.entry(want.ino).or_default().push(path.to_path_buf());
            return Ok(());
        }
        let kept = want.kept.as_deref().ok_or_else(|| {
            let why = want.not_kept.as_deref().unwrap_or("the run kept no copies");
            ModuleError::failed(format!("no copy was kept: {why}"))
        })?;
        let mut from = open_kept(kept).map_err(|err| no_copy(&err))?;
        let size = from.metadata().map_or(0, |it| it.len());
        if size != want.size {
            return Err(ModuleError::failed("the copy that was kept is damaged"));
        }
        if self.overlay().is_some() {
            self.predict_state(path, want, Body::File(kept.to_path_buf()))?;
        } else {
            let place = self.at(path);
            self.journalled(ChangeKind::Write, path, |_| install(&place, &mut from, want))
                .map_err(|err| ModuleError::io("write", path, err))?;
        }
        self.mark_changed();
        twins.restored.entry(want.ino).or_default().push(path.to_path_buf());
        Ok(())
    }

    /// Another name of the file that stood at `path`, as it was: one that was changed too, one
    /// beside any of these, or one that was put back.
    fn twin(&self, path: &Path, want: &FileState, twins: &Twins) -> Option<PathBuf> {
        if want.nlink < 2 {
            return None;
        }
        let is_it = |it: &&PathBuf, same: bool| {
            let state = self.state(it).ok().flatten();
            it.as_path() != path
                && state
                    .is_some_and(|it| it.differs(want).is_none() && (!same || it.ino == want.ino))
        };
        // The file itself, under another name, before one that was put back in its place.
        if let Some(known) = twins.candidates.iter().find(|it| is_it(it, true)) {
            return Some(known.clone());
        }
        let around = twins.candidates.iter().filter_map(|it| it.parent());
        let folders: BTreeSet<&Path> = path.parent().into_iter().chain(around).collect();
        let beside = folders.into_iter().take(FOLDERS).find_map(|folder| {
            let names = self.read_dir(folder).ok()?;
            names.into_iter().map(|it| folder.join(it)).find(|it| is_it(&it, true))
        });
        let restored = twins.restored.get(&want.ino).into_iter().flatten();
        beside.or_else(|| restored.rev().find(|it| is_it(it, false)).cloned())
    }

    fn put_back_tree(
        &mut self,
        path: &Path,
        want: &FileState,
        twins: &mut Twins,
    ) -> Result<(), ModuleError> {
        let kept = want.kept.as_deref().ok_or_else(|| {
            let why = want.not_kept.as_deref().unwrap_or("the run kept no copies");
            ModuleError::failed(format!("no copy was kept: {why}"))
        })?;
        let entries = read_list(kept).map_err(|err| no_copy(&err))?;
        if self.lstat(path)?.is_some() {
            return Err(ModuleError::failed("something else stands there"));
        }
        for entry in entries.iter().filter_map(|it| it.state.kept.as_ref()) {
            open_kept(entry).map_err(|err| no_copy(&err))?;
        }
        let place = self.at(path);
        if self.overlay().is_some() {
            for Entry { path, state } in &entries {
                let body = match state.kind {
                    FileKind::Directory => Body::Folder { fresh: true },
                    FileKind::Link => Body::Target(state.target.clone().unwrap_or_default()),
                    _ => state.kept.clone().map_or(Body::Unknown, Body::File),
                };
                self.predict_state(&join(&place, path), state, body)?;
            }
        } else {
            let fail = |err| ModuleError::io("write", path, err);
            let linked = entries.iter().filter(|it| it.state.is_file());
            let outside: HashMap<u64, PathBuf> = linked
                .filter_map(|it| {
                    let twin = self.twin(&join(&place, &it.path), &it.state, twins)?;
                    Some((it.state.ino, twin))
                })
                .collect();
            build(&place, &entries, outside).map_err(fail)?;
            let after = self.state(path)?.map(|it| FileState { kept: want.kept.clone(), ..it });
            let kind = ChangeKind::Tree;
            self.session().record(Change { kind, path: place.clone(), before: None, after });
            self.forget_prediction(path);
        }
        for entry in entries.iter().filter(|it| it.state.is_file()) {
            twins.restored.entry(entry.state.ino).or_default().push(join(&place, &entry.path));
        }
        self.mark_changed();
        Ok(())
    }

    /// Takes away a folder that was put back, unless anything in it was changed since.
    pub(crate) fn take_tree(&mut self, path: &Path, after: &FileState) -> Result<(), ModuleError> {
        let since = |what: &Path| ModuleError::failed(format!("changed since: {}", what.display()));
        let kept = after.kept.as_deref().ok_or_else(|| ModuleError::failed("it is not empty"))?;
        let entries = read_list(kept).map_err(|err| no_copy(&err))?;
        let known: HashMap<&Path, &FileState> =
            entries.iter().map(|it| (it.path.as_path(), &it.state)).collect();
        let mut left = vec![PathBuf::new()];
        while let Some(inner) = left.pop() {
            let at = join(path, &inner);
            let state = self.state(&at)?.ok_or_else(|| since(&at))?;
            if known.get(inner.as_path()).is_none_or(|it| it.differs(&state).is_some()) {
                return Err(since(&at));
            }
            if state.is_dir() {
                left.extend(self.read_dir(&at)?.into_iter().map(|name| inner.join(name)));
            }
        }
        self.remove(path).map_err(|err| ModuleError::io("remove", path, err))
    }

    /// Whether all that a folder held is in it, as it was.
    pub(crate) fn has_tree(&self, path: &Path, want: &FileState) -> bool {
        let entries = want.kept.as_deref().and_then(|it| read_list(it).ok());
        entries.is_some_and(|it| {
            it.iter().all(|entry| {
                let now = self.state(&join(path, &entry.path)).ok().flatten();
                now.is_some_and(|it| it.differs(&entry.state).is_none())
            })
        })
    }

    /// Gives what stands at `path` the mode, owner, times and flags it had.
    pub(crate) fn put_back_attributes(
        &mut self,
        path: &Path,
        want: &FileState,
    ) -> Result<(), ModuleError> {
        let fail = |err| ModuleError::io("change", path, err);
        let now = self.must_lstat(path)?;
        let owner = (now.uid, now.gid) != (want.uid, want.gid);
        let mode = now.mode != want.mode && !now.is_link();
        if owner || mode || want.atime.is_some() {
            if self.overlay().is_some() {
                self.predicted_change(path, |node| {
                    (node.meta.uid, node.meta.gid) = (want.uid, want.gid);
                    node.meta.mode = want.mode;
                    if let Some(atime) = want.atime {
                        (node.meta.atime, node.meta.mtime) = (atime, want.mtime);
                    }
                })?;
            } else {
                let place = self.at(path);
                self.journalled_with(
                    ChangeKind::Attributes,
                    path,
                    |before| before.atime = want.atime.map(|_| now.atime),
                    |_| set_attributes(&place, want, (owner, mode)),
                )
                .map_err(fail)?;
            }
            self.mark_changed();
        }
        if let Some(flags) = &want.flags {
            let before = self.flags(path).map(|(_, flags)| flags).unwrap_or_default();
            let program = Program::new("chattr").arg(format!("={flags}")).arg(self.at(path));
            self.set_by(path, &program, |state| state.flags = Some(before))?;
        }
        if let Some(context) = &want.context {
            let before = self.context(path)?;
            let program = Program::new("chcon").arg("-h").arg(context).arg(self.at(path));
            self.set_by(path, &program, |state| state.context = Some(before))?;
        }
        Ok(())
    }

    /// Has a program set an attribute.
    fn set_by(
        &mut self,
        path: &Path,
        program: &Program,
        know: impl FnOnce(&mut FileState),
    ) -> Result<(), ModuleError> {
        self.mark_changed();
        if self.overlay().is_some() {
            return Ok(());
        }
        let ran =
            self.journalled_with(ChangeKind::Attributes, path, know, |host| host.query(program))?;
        if ran.rc == 0 {
            return Ok(());
        }
        Err(ModuleError::failed(String::from_utf8_lossy(&ran.stderr).trim().to_owned()))
    }

    fn predict_state(
        &mut self,
        path: &Path,
        want: &FileState,
        body: Body,
    ) -> Result<(), ModuleError> {
        let mut meta = Meta::predicted(want.kind, want.mode, want.size);
        (meta.uid, meta.gid, meta.mtime) = (want.uid, want.gid, want.mtime);
        self.put(path, Node { meta, body })
    }
}

fn no_copy(err: &ModuleError) -> ModuleError {
    ModuleError::failed(format!("the copy that was kept is not there any more: {}", err.message()))
}

/// `inner` in the folder at `place`, which it may be itself.
fn join(place: &Path, inner: &Path) -> PathBuf {
    if inner.as_os_str().is_empty() { place.to_path_buf() } else { place.join(inner) }
}

/// Puts a file with its content and attributes at `place`, in one step.
fn install(place: &Path, from: &mut File, want: &FileState) -> io::Result<()> {
    let folder = place.parent().unwrap_or(Path::new("/"));
    let mut staged = tempfile::Builder::new().prefix(".davit_tmp").tempfile_in(folder)?;
    io::copy(from, staged.as_file_mut())?;
    dress(staged.path(), staged.as_file(), want)?;
    if attributes::has_contexts() && place.exists() {
        let mut same = std::process::Command::new("chcon");
        same.arg("--reference").arg(place).arg(staged.path());
        // A file system without contexts refuses, and has none to keep.
        let _ = same.output();
    }
    staged.as_file().sync_all()?;
    staged.persist(place).map_err(|err| err.error)?;
    Ok(())
}

/// Gives a new file owner, mode and times; the mode last, as a new owner takes bits away.
fn dress(path: &Path, file: &File, want: &FileState) -> io::Result<()> {
    if (want.uid, want.gid) != attributes::effective_ids() {
        chown(path, Some(want.uid), Some(want.gid))?;
    }
    file.set_permissions(Permissions::from_mode(want.mode))?;
    let times = FileTimes::new().set_modified(system_time(want.mtime));
    file.set_times(match want.atime {
        Some(atime) => times.set_accessed(system_time(atime)),
        None => times,
    })
}

/// Builds a folder beside `place`, then moves it there in one step.
///
/// `inodes` are files that are there by the numbers that they have in `entries`.
fn build(place: &Path, entries: &[Entry], mut inodes: HashMap<u64, PathBuf>) -> io::Result<()> {
    let above = place.parent().unwrap_or(Path::new("/"));
    let staged = tempfile::Builder::new().prefix(".davit_tmp").tempdir_in(above)?;
    let root = staged.path().join("new");
    for Entry { path, state } in entries {
        let at = join(&root, path);
        match (state.kind, &state.kept) {
            (FileKind::Directory, _) => DirBuilder::new().mode(0o700).create(&at)?,
            (FileKind::Link, _) => {
                symlink(state.target.as_deref().unwrap_or(Path::new("")), &at)?;
                if (state.uid, state.gid) != attributes::effective_ids() {
                    lchown(&at, Some(state.uid), Some(state.gid))?;
                }
            }
            (FileKind::File, Some(kept)) => {
                let twin = inodes.get(&state.ino).filter(|_| state.nlink > 1);
                if twin.is_some_and(|twin| fs::hard_link(twin, &at).is_ok()) {
                    continue;
                }
                let mut from = open_kept(kept).map_err(|err| io::Error::other(err.message()))?;
                let mut file = File::create_new(&at)?;
                io::copy(&mut from, &mut file)?;
                dress(&at, &file, state)?;
                inodes.insert(state.ino, at);
            }
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
    // Children first: what is in a folder changes its times, and its mode may forbid to go in.
    let folders =
        || entries.iter().rev().filter(|it| it.state.is_dir() && !it.path.as_os_str().is_empty());
    for Entry { path, state } in folders() {
        dress(&join(&root, path), &File::open(join(&root, path))?, state)?;
    }
    let top = entries.iter().find(|it| it.path.as_os_str().is_empty() && it.state.is_dir());
    let Some(top) = top else { return Err(io::ErrorKind::InvalidData.into()) };
    let opened = File::open(&root)?;
    fs::rename(&root, place)?;
    dress(place, &opened, &top.state)
}

fn set_attributes(place: &Path, want: &FileState, (owner, mode): (bool, bool)) -> io::Result<()> {
    if owner {
        lchown(place, Some(want.uid), Some(want.gid))?;
    }
    if mode || (owner && !want.is_link() && want.mode & 0o7000 != 0) {
        fs::set_permissions(place, Permissions::from_mode(want.mode))?;
    }
    if let Some(atime) = want.atime {
        let flag = UtimensatFlags::NoFollowSymlink;
        utimensat(AT_FDCWD, place, &time_spec(atime), &time_spec(want.mtime), flag)?;
    }
    Ok(())
}
