//! The history of runs, in SQLite: what `davit runs`, `show` and `resume` read.
//!
//! ```text
//! Bus ──▶ RunSink ──queue──▶ writer thread ──▶ runs.db (WAL) ◀── Store: list, read, prune
//! ```
//!
//! - Several davit processes write to one file at the same time; readers never wait for writers.
//! - What was accepted before a task starts is committed before it starts: a process that is
//!   killed at any moment leaves a store that opens and a run whose events are a gapless prefix.
//!   (A power cut may lose the last moments, never the file.)
//! - A store that cannot be used stops no run: opening it or a sink's `accept` fails, the run goes
//!   on without, and the caller says so.
//!
//! ```
//! use davit_store::Store;
//!
//! let folder = tempfile::tempdir()?;
//! let store = Store::open(&folder.path().join("runs.db"))?;
//! let run = store.begin()?;
//! let sink = store.sink(&run)?; // hand it to the event bus
//! # drop(sink);
//! assert_eq!(store.runs(10)?[0].id, run);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Invariant:** sees events, never a play; and events reach it with their secrets masked.

mod id;
mod process;
mod run;
mod schema;
mod sink;
mod store;

pub use crate::id::run_id;
pub use crate::run::{Run, RunStatus};
pub use crate::sink::RunSink;
pub use crate::store::{Keep, Store};

use std::path::{Path, PathBuf};

/// Why the history cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file or its folder cannot be made, or not be written.
    #[error("cannot write the run history {}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is something else, or damaged.
    #[error("the run history {} is damaged or no history; move it away to start a new one", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the database says.
        source: rusqlite::Error,
    },
    /// A newer davit wrote it.
    #[error("the run history {} is of version {found}, and this davit knows {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The file's version.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// Another process holds it for too long.
    #[error("the run history {} is in use by another process", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// Nothing is called so.
    #[error("there is no run '{0}'")]
    NoRun(String),
    /// More than one run starts so.
    #[error("several runs start with '{text}': {}", found.join(", "))]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// The first few that fit.
        found: Vec<String>,
    },
    /// It is still going on.
    #[error("run {0} is still running")]
    StillRunning(String),
    /// An event that this program cannot read.
    #[error("event {seq} of run {run} cannot be read")]
    Event {
        /// The run.
        run: String,
        /// Which event.
        seq: u64,
        /// Why.
        source: serde_json::Error,
    },
    /// Anything else the database says.
    #[error("the run history {} failed", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: rusqlite::Error,
    },
    /// The writer has given up: an earlier write failed.
    #[error("the run history is no longer written: {0}")]
    Stopped(String),
}

impl Error {
    /// The variant that a database's error calls for.
    pub(crate) fn of(path: &Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Corrupt { path, source }
            }
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure,
            ) => Self::Unwritable { path, source: Box::new(source) },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            _ => Self::Database { path, source },
        }
    }
}
