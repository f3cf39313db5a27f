//! What one host keeps between calls: the state that a dry run predicts, and the journal.
//!
//! It does not know how what is journalled is put back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::host::{FileKind, Meta, Overlay, Stamp};

/// How a session behaves, for all its calls.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The whole run is a dry run: what one call in check mode predicts, the next one sees.
    ///
    /// In a real run a task with `check_mode: true` predicts only for itself.
    pub dry_run: bool,
    /// Where the content of files that are replaced or removed is kept, so that it can be put
    /// back; `None` keeps none. See [`keep_folder`](crate::keep_folder).
    pub keep: Option<PathBuf>,
    /// The host's environment variables: `$NAME` and `~` in paths are read from them.
    pub environment: Vec<(String, String)>,
}

/// One host between calls. Cheap to clone: clones are the same session, so that calls may run
/// side by side.
#[derive(Clone, Debug, Default)]
pub struct Session {
    inner: Arc<Inner>,
    changes: Arc<Mutex<Vec<Change>>>,
}

#[derive(Debug, Default)]
struct Inner {
    options: Options,
    environment: BTreeMap<String, String>,
    overlay: Arc<Mutex<Overlay>>,
    kept: AtomicU64,
}

impl Session {
    /// A session in which nothing has happened yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let environment = options.environment.iter().cloned().collect();
        let inner = Inner { options, environment, ..Inner::default() };
        Self { inner: Arc::new(inner), changes: Arc::default() }
    }

    /// The same session with a journal of its own: what calls that run side by side change is
    /// told apart by it.
    #[must_use]
    pub fn for_call(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), changes: Arc::default() }
    }

    /// What it was made with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// A variable of the host's environment.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.inner.environment.get(name).map(String::as_str)
    }

    /// The changes that were made since this was last asked, oldest first.
    #[must_use]
    pub fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut self.changes())
    }

    /// Records a change that was made.
    pub(crate) fn record(&self, change: Change) {
        self.changes().push(change);
    }

    /// Notes whose other name the last change has made.
    pub(crate) fn linked_from(&self, from: &Path) {
        let mut changes = self.changes();
        let after = changes.last_mut().and_then(|it| it.after.as_mut());
        if let Some(after) = after.filter(|it| it.is_file()) {
            after.target = Some(from.to_path_buf());
        }
    }

    /// What a dry run predicts by now.
    pub(crate) fn overlay(&self) -> Arc<Mutex<Overlay>> {
        Arc::clone(&self.inner.overlay)
    }

    /// How many bytes have been kept so far.
    pub(crate) fn kept(&self) -> u64 {
        self.inner.kept.load(Ordering::Relaxed)
    }

    /// Counts bytes that were kept.
    pub(crate) fn add_kept(&self, bytes: u64) {
        self.inner.kept.fetch_add(bytes, Ordering::Relaxed);
    }

    fn changes(&self) -> MutexGuard<'_, Vec<Change>> {
        // A call that panicked leaves a journal that is still true.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One change that was made to a host, with what is needed to put it back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What was done.
    pub kind: ChangeKind,
    /// Where, the links of its parents followed; for a program, what was run.
    #[serde(with = "any_path")]
    pub path: PathBuf,
    /// What was there before; `None` = nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<FileState>,
    /// What was there afterwards; `None` = nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<FileState>,
}

impl Change {
    /// A program that was run.
    #[must_use]
    pub fn program(name: &Path) -> Self {
        let path = name.to_path_buf();
        Self { kind: ChangeKind::Program, path, before: None, after: None }
    }
}

/// What kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeKind {
    /// A file's content was written.
    Write,
    /// A folder was made.
    Folder,
    /// A folder was put back with all that was in it.
    Tree,
    /// A symbolic link was made.
    Link,
    /// A hard link was made.
    HardLink,
    /// A file, folder or link was removed.
    Remove,
    /// Mode, owner, group, times or flags were set.
    Attributes,
    /// A program was run: what it did is not known.
    Program,
}

/// What stands at a path, as far as the journal needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Number of the inode.
    pub ino: u64,
    /// Hard links.
    pub nlink: u64,
    /// Last change of the content.
    pub mtime: Stamp,
    /// Last read, where it was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atime: Option<Stamp>,
    /// Where a link points; of a hard link, what it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "any_path::option")]
    pub target: Option<PathBuf>,
    /// Flags of the file system, where they were set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<String>,
    /// Security context, where it was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Where the host keeps the content: of a file a copy, of a folder a list of what was in it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "any_path::option")]
    pub kept: Option<PathBuf>,
    /// Why no content is kept, where one would be needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_kept: Option<String>,
}

impl From<&Meta> for FileState {
    fn from(meta: &Meta) -> Self {
        Self {
            kind: meta.kind,
            mode: meta.mode,
            uid: meta.uid,
            gid: meta.gid,
            size: meta.size,
            ino: meta.ino,
            nlink: meta.nlink,
            mtime: meta.mtime,
            atime: None,
            target: None,
            flags: None,
            context: None,
            kept: None,
            not_kept: None,
        }
    }
}

/// Paths as text, or as their bytes where they are none.
pub(crate) mod any_path {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Bytes(Vec<u8>),
    }

    impl From<Written> for PathBuf {
        fn from(written: Written) -> Self {
            match written {
                Written::Text(text) => Self::from(text),
                Written::Bytes(bytes) => Self::from(OsString::from_vec(bytes)),
            }
        }
    }

    pub(crate) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        match path.to_str() {
            Some(text) => to.serialize_str(text),
            None => path.as_os_str().as_bytes().serialize(to),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        Written::deserialize(from).map(PathBuf::from)
    }

    pub(crate) mod option {
        use std::path::PathBuf;

        use serde::{Deserialize, Deserializer, Serializer};

        use super::Written;

        #[expect(clippy::ref_option, reason = "what serde asks for")]
        pub(crate) fn serialize<S: Serializer>(
            path: &Option<PathBuf>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            match path {
                Some(path) => super::serialize(path, to),
                None => to.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<PathBuf>, D::Error> {
            Ok(Option::<Written>::deserialize(from)?.map(PathBuf::from))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_change_reads_back_whatever_its_path_is_called() {
        for name in [&b"/etc/motd"[..], b"/srv/caf\xe9"] {
            let mut change = Change::program(Path::new(OsStr::from_bytes(name)));
            change.kind = ChangeKind::Link;
            let meta = Meta::predicted(FileKind::Link, 0o777, 3);
            let target = Some(change.path.clone());
            change.before = Some(FileState { target, ..FileState::from(&meta) });
            let text = serde_json::to_string(&change).unwrap();
            assert_eq!(serde_json::from_str::<Change>(&text).unwrap(), change, "{text}");
        }
    }

    #[test]
    fn calls_side_by_side_have_journals_of_their_own() {
        let session = Session::default();
        let (one, two) = (session.for_call(), session.for_call());
        one.record(Change::program(Path::new("one")));
        two.record(Change::program(Path::new("two")));
        assert_eq!(one.take_changes()[0].path, Path::new("one"));
        assert_eq!(two.take_changes().len(), 1);
        assert!(session.take_changes().is_empty());
    }
}
