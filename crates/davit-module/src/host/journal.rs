//! What the gate writes down of each change: what stood there before, and what stands there now.
//!
//! It does not know how anything is put back.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::meta::Meta;
use super::{Host, keep};
use crate::session::{Change, ChangeKind, FileState};

impl Host<'_> {
    /// Does something to what stands at `path`, and journals it. What failed is journalled too
    /// where it left something changed.
    pub(crate) fn journalled<T, E>(
        &mut self,
        kind: ChangeKind,
        path: &Path,
        act: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.journalled_with(kind, path, |_| {}, act)
    }

    /// [`Self::journalled`], where more is known of what stands there than the system tells.
    pub(crate) fn journalled_with<T, E>(
        &mut self,
        kind: ChangeKind,
        path: &Path,
        know: impl FnOnce(&mut FileState),
        act: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let place = plain_place(&self.at(path));
        let mut before = state_of(&place);
        if let Some(state) = &mut before {
            know(state);
            if loses_content(kind, state) {
                match keep::keep(self.session(), &place, state) {
                    Ok(kept) => state.kept = Some(kept),
                    Err(why) => state.not_kept = Some(why),
                }
            }
        }
        let done = act(self);
        let after = state_of(&place);
        // A folder whose removal is broken off looks the same from outside.
        let in_part = kind == ChangeKind::Remove && before.as_ref().is_some_and(FileState::is_dir);
        if done.is_ok() || in_part || !is_same(before.as_ref(), after.as_ref()) {
            self.session().record(Change { kind, path: place, before, after });
        }
        self.forget_prediction(path);
        done
    }

    /// Journals what something else has changed for this call, such as a job that went on by
    /// itself.
    pub fn adopt_changes(&mut self, changes: Vec<Change>) {
        changes.into_iter().for_each(|it| self.session().record(it));
    }

    /// Journals something that was made where nothing stood.
    pub(crate) fn made(&mut self, kind: ChangeKind, path: &Path) {
        let place = plain_place(&self.at(path));
        let after = state_of(&place);
        self.session().record(Change { kind, path: place, before: None, after });
        self.forget_prediction(path);
    }

    /// Journals a hard link to `from` that was made where nothing stood.
    pub(crate) fn made_link(&mut self, from: &Path, path: &Path) {
        let place = plain_place(&self.at(path));
        let mut after = state_of(&place);
        if let Some(after) = after.as_mut().filter(|it| it.is_file()) {
            after.target = Some(plain_place(from));
        }
        self.session().record(Change {
            kind: ChangeKind::HardLink,
            path: place,
            before: None,
            after,
        });
        self.forget_prediction(path);
    }
}

/// Whether a change of that kind takes away the content of what stood there.
fn loses_content(kind: ChangeKind, before: &FileState) -> bool {
    use ChangeKind::{HardLink, Link, Remove, Write};
    match kind {
        Write | Link | HardLink => before.is_file(),
        Remove => before.is_file() || before.is_dir(),
        _ => false,
    }
}

/// The path with the links of its parents followed: one name for each place.
pub(super) fn plain_place(path: &Path) -> PathBuf {
    let name = path.file_name().filter(|it| *it != OsStr::new(".."));
    match (path.parent().map(fs::canonicalize), name) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => path.to_path_buf(),
    }
}

/// What the disk holds at `place`.
fn state_of(place: &Path) -> Option<FileState> {
    let meta = Meta::from(fs::symlink_metadata(place).ok()?);
    let mut state = FileState::from(&meta);
    if meta.is_link() {
        state.target = fs::read_link(place).ok();
    }
    Some(state)
}

fn is_same(before: Option<&FileState>, after: Option<&FileState>) -> bool {
    match (before, after) {
        (None, None) => true,
        (Some(before), Some(after)) => before.ino == after.ino && before.differs(after).is_none(),
        _ => false,
    }
}

impl FileState {
    /// It is a regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.kind == super::FileKind::File
    }

    /// It is a folder.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.kind == super::FileKind::Directory
    }

    /// It is a symbolic link.
    #[must_use]
    pub fn is_link(&self) -> bool {
        self.kind == super::FileKind::Link
    }

    /// In what the two differ, in a word; whether they are the same inode does not count.
    #[must_use]
    pub fn differs(&self, other: &Self) -> Option<&'static str> {
        if self.kind != other.kind {
            return Some("it is something else now");
        }
        if self.is_file() && (self.size, self.mtime) != (other.size, other.mtime) {
            return Some("its content is another one");
        }
        if self.is_link() && self.target != other.target {
            return Some("it points elsewhere");
        }
        if !self.is_link() && self.mode != other.mode {
            return Some("its mode is another one");
        }
        if (self.uid, self.gid) != (other.uid, other.gid) {
            return Some("its owner or group is another one");
        }
        None
    }
}
