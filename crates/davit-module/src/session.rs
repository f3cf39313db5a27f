//! What one host keeps between calls: the state that a dry run predicts, and the journal.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::host::Overlay;

/// How a session behaves, for all its calls.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The whole run is a dry run: what one call in check mode predicts, the next one sees.
    ///
    /// In a real run a task with `check_mode: true` predicts only for itself.
    pub dry_run: bool,
    /// Where the content of files that are replaced or removed is kept, so that it can be put
    /// back; `None` keeps none.
    pub keep: Option<PathBuf>,
    /// The host's environment variables: `$NAME` and `~` in paths are read from them.
    pub environment: Vec<(String, String)>,
}

/// One host between calls. Cheap to clone: clones are the same session, so that calls may run
/// side by side.
#[derive(Clone, Debug, Default)]
pub struct Session {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    options: Options,
    environment: BTreeMap<String, String>,
    state: Mutex<State>,
}

/// What changes while calls run.
#[derive(Debug, Default)]
struct State {
    overlay: Arc<Mutex<Overlay>>,
    changes: Vec<Change>,
}

impl Session {
    /// A session in which nothing has happened yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let environment = options.environment.iter().cloned().collect();
        Self { inner: Arc::new(Inner { options, environment, state: Mutex::default() }) }
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
        std::mem::take(&mut self.state().changes)
    }

    /// Records a change that was made.
    pub(crate) fn record(&self, change: Change) {
        self.state().changes.push(change);
    }

    /// What a dry run predicts by now.
    pub(crate) fn overlay(&self) -> Arc<Mutex<Overlay>> {
        Arc::clone(&self.state().overlay)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A call that panicked leaves a journal that is still true.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One change that was made to a host, with what is needed to put it back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What was done.
    pub kind: ChangeKind,
    /// Where; for a program, what was run.
    pub path: PathBuf,
    /// What was there before; `None` = nothing.
    pub before: Option<Before>,
}

impl Change {
    /// A change at `path`.
    #[must_use]
    pub fn new(kind: ChangeKind, path: &Path, before: Option<Before>) -> Self {
        Self { kind, path: path.to_path_buf(), before }
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

/// What stood at a path before a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// `file`, `directory`, `link` or `other`.
    pub kind: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Where a link pointed.
    pub target: Option<PathBuf>,
    /// Where the content is kept.
    pub kept: Option<PathBuf>,
}
