//! What a module is: its arguments, its run, its errors, and the table it is found in.
//!
//! ```text
//! controller ──Call──▶ Entry ──Spec──▶ Module::run ──▶ Host (the gate) ──▶ the machine
//!            ◀─Reply──                ◀─Outcome───
//! ```
//!
//! To add a module, read `davit-host/src/builtin/slurp.rs`, write a file beside it, and add its
//! line to the table in `builtin/mod.rs`. The documentation, the argument check, the JSON schema
//! and the check-mode and idempotence tests come from the file itself.
//!
//! **Invariant:** a module changes its host only through [`Host`], which knows check mode.
//!
//! **Invariant:** nothing here prints, reads the process's environment or links an async runtime.

mod call;
pub mod control;
mod entry;
mod error;
mod hearing;
mod host;
pub mod names;
mod outcome;
mod session;
mod spec;
#[cfg(feature = "testing")]
pub mod testing;
mod undo;

pub use schemars;

pub use crate::call::{Attachment, Call, Cancel, Job, Listener, Sent};
pub use crate::entry::{Entry, Module, Support};
pub use crate::error::ModuleError;
pub use crate::host::{
    Access, Body, Content, Dress, FileArgs, FileDiff, FileKind, Host, Installed, Meta, Mode,
    ModeError, Program, Ran, Stamp, WriteOptions, errno_text, keep_folder, mode_text, open_source,
    split_words,
};
pub use crate::outcome::Outcome;
pub use crate::session::{Change, ChangeKind, FileState, Options, Session};
pub use crate::spec::{
    ArgError, ArgType, Checked, Deprecation, Environment, Opt, OwnedRequirement, OwnedRules,
    Requirement, Rules, Spec, expand_path,
};
pub use crate::undo::{Did, Undone, undo};

/// The result of a module: see [`davit_event::Reply`].
pub use davit_event::Reply;
