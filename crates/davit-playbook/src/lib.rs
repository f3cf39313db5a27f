//! Playbooks: plays, blocks, tasks, roles as written in files.
//!
//! A [`Loader`] reads files and gives what is in them, with the place of everything. Nothing is
//! rendered: a value that is a template stays one, `import_tasks` stays a task, a role's name may
//! be a template. What is wrong without rendering anything is an [`Error`] with its place.
//!
//! **Invariant:** what is loaded does not change: it is shared between hosts and threads.

mod action_groups;
mod args;
mod block;
mod context;
mod error;
mod keyword;
mod loader;
mod play;
mod role;
mod task;

pub use crate::action_groups::{ActionGroup, ActionGroups};
pub use crate::args::{FreeForm, free_form, split_args, takes_raw_params};
pub use crate::block::{Block, Item};
pub use crate::error::Error;
pub use crate::keyword::{Field, Info, Keyword, Keywords, Owner, coerce, keyword, keywords};
pub use crate::loader::{Decrypt, IsAction, IsLookup, IsReserved, Loader, Warning};
pub use crate::play::{Entry, Import, Play, Playbook, RoleUse, VarsPrompt};
pub use crate::role::{Meta, Role, RoleFrom, find_role};
pub use crate::task::{Loop, LoopControl, Task, TaskKind, short_name};
