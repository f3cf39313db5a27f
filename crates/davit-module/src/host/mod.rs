//! The gate: the only way in which a module changes a host.
//!
//! ```text
//! mod.rs         what a call knows, and reading   change.rs   files, folders, links
//! attributes.rs  mode, owner, group, flags        program.rs  programs
//! overlay.rs     what a dry run predicts          keys.rs     the keys of a path in a result
//! journal.rs     what is written down of changes  keep.rs     the copies that are kept
//! restore.rs     putting back                 dress.rs    all attributes in one step
//! ```
//!
//! **Invariant:** check mode, the journal and the predicted state are decided here. In check mode
//! every change goes to the overlay, and every reading operation sees it.

mod attributes;
mod change;
mod difference;
mod dress;
mod journal;
mod keep;
mod keys;
mod meta;
mod mode;
mod overlay;
mod program;
mod read;
mod restore;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use davit_event::Reply;
use serde_json::Value;

pub use self::attributes::{FileArgs, FileDiff};
pub use self::change::{Content, Installed, WriteOptions};
pub use self::dress::Dress;
pub use self::keep::keep_folder;
pub(crate) use self::keep::{open_kept, read_list};
pub use self::keys::mode_text;
pub(crate) use self::keys::{group_name, user_name};
pub use self::meta::{FileKind, Meta, Stamp};
pub use self::mode::{Mode, ModeError};
pub use self::overlay::Body;
pub(crate) use self::overlay::Overlay;
pub use self::program::{Program, Ran, split_words};
pub use self::read::{Access, errno_text, open_source};
pub(crate) use self::restore::Twins;

use crate::{Attachment, Call, Cancel, Session};

/// A host as a module sees it: free to read, changed only through the methods that say so.
#[derive(Debug)]
pub struct Host<'a> {
    session: &'a Session,
    call: &'a Call,
    /// What is predicted; `None` = this call is for real.
    predicted: Option<Arc<Mutex<Overlay>>>,
    changed: bool,
    warnings: Vec<String>,
    deprecations: Vec<Value>,
}

impl<'a> Host<'a> {
    /// The host of `session` for one call.
    #[must_use]
    pub fn new(session: &'a Session, call: &'a Call) -> Self {
        let predicted = call
            .check
            .then(|| if session.options().dry_run { session.overlay() } else { Arc::default() });
        Self {
            session,
            call,
            predicted,
            changed: false,
            warnings: Vec::new(),
            deprecations: Vec::new(),
        }
    }

    /// Nothing is really changed. Modules need this only for what cannot go through the gate,
    /// such as a program that they do not run.
    #[must_use]
    pub fn is_check(&self) -> bool {
        self.call.check
    }

    /// The user wants to see what changes in files.
    #[must_use]
    pub fn wants_diff(&self) -> bool {
        self.call.diff
    }

    /// The task hides its arguments and result.
    #[must_use]
    pub fn is_no_log(&self) -> bool {
        self.call.no_log
    }

    /// How many `-v` the user gave.
    #[must_use]
    pub fn verbosity(&self) -> u8 {
        self.call.verbosity
    }

    /// The flag that asks this call to stop.
    #[must_use]
    pub fn cancel(&self) -> &Cancel {
        &self.call.cancel
    }

    /// Hears what the call's programs write.
    pub(crate) fn listener(&self) -> &'a crate::Listener {
        &self.call.listener
    }

    /// A file that the controller sent along.
    #[must_use]
    pub fn attachment(&self, name: &str) -> Option<&'a Attachment> {
        self.call.attachments.get(name)
    }

    /// The arguments as the user wrote them, before the check.
    #[must_use]
    pub fn written_args(&self) -> &'a Reply {
        &self.call.args
    }

    /// The task's `environment:`.
    #[must_use]
    pub fn task_environment(&self) -> &'a [(String, String)] {
        &self.call.environment
    }

    /// All variables as the task's programs see them.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut all = self.session.options().environment.clone();
        for (name, value) in &self.call.environment {
            all.retain(|(it, _)| it != name);
            all.push((name.clone(), value.clone()));
        }
        all
    }

    /// A variable as the task's programs see it.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        let own = self.call.environment.iter().rev().find(|(key, _)| key == name);
        own.map(|(_, value)| value.as_str())
            .or_else(|| self.session.variable(name))
            .map(str::to_owned)
    }

    /// The folder for files that this call needs for its own duration.
    #[must_use]
    pub fn tmp(&self) -> PathBuf {
        if self.call.tmp.as_os_str().is_empty() {
            self.variable("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from)
        } else {
            self.call.tmp.clone()
        }
    }

    /// The folder against which relative paths count; empty = the process's own.
    #[must_use]
    pub fn folder(&self) -> &'a Path {
        &self.call.folder
    }

    /// The absolute form of a path that the user gave.
    #[must_use]
    pub fn at(&self, path: &Path) -> PathBuf {
        if path.is_absolute() {
            return path.to_path_buf();
        }
        let joined = self.call.folder.join(path);
        std::path::absolute(&joined).unwrap_or(joined)
    }

    /// Permission bits that new files do not get.
    #[must_use]
    pub fn umask(&self) -> u32 {
        self.call.umask.or_else(process_umask).unwrap_or(0o022)
    }

    /// Adds a warning to the result.
    pub fn warn(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    /// Adds a deprecation to the result: a map with `msg` and what else is known.
    pub fn deprecate(&mut self, entry: Value) {
        self.deprecations.push(entry);
    }

    /// Says that this call changes the host in a way that the gate does not see.
    pub fn mark_changed(&mut self) {
        self.changed = true;
    }

    /// Whether a change went through the gate, or was predicted.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// Puts warnings and deprecations in a result.
    pub(crate) fn finish(&mut self, reply: &mut Reply) {
        append(reply, "warnings", self.warnings.drain(..).map(Value::String));
        append(reply, "deprecations", self.deprecations.drain(..));
    }

    /// The session's records, for the gate's own parts.
    pub(crate) fn session(&self) -> &'a Session {
        self.session
    }

    /// What is predicted, where this call predicts.
    pub(crate) fn overlay(&self) -> Option<MutexGuard<'_, Overlay>> {
        self.predicted.as_ref().map(|it| it.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Adds to a list in a result.
pub(crate) fn append(reply: &mut Reply, key: &str, items: impl Iterator<Item = Value>) {
    let items: Vec<Value> = items.collect();
    if items.is_empty() {
        return;
    }
    match reply.get_mut(key) {
        Some(Value::Array(there)) => there.extend(items),
        _ => {
            reply.insert(key.to_owned(), Value::Array(items));
        }
    }
}

/// The process's own umask, read without setting it.
fn process_umask() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("Umask:"))?;
    u32::from_str_radix(line.trim(), 8).ok()
}
