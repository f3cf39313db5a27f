//! The engine: plays, blocks, loops, handlers, strategies. It emits events and prints nothing.
//!
//! ```text
//! run ─▶ play ─▶ Compiler ─▶ Block ─▶ Batch (one mind) ─▶ Job (one host) ─▶ Connection ─▶ module
//!                                        ▲                    │
//!                                        └─────── Done ◀──────┘
//! ```
//!
//! **Invariant:** the engine knows no concrete module; [`Tables`] are handed in.
//!
//! **Invariant:** jobs change nothing but their host. What they return is taken in by the batch,
//! one host after another, so variables, handlers and counts need no order among hosts.

mod action;
mod actions;
mod args;
mod aside;
mod attempts;
mod background;
mod compile;
mod connection;
mod context;
mod control;
mod cursor;
mod error;
mod execute;
mod facts;
mod failed_task;
mod failure;
mod files;
mod handlers;
mod hostvars;
mod include;
mod keyword;
mod loops;
mod meta;
mod prompts;
mod resume;
mod roles;
mod route;
mod run;
mod scope;
mod settings;
mod settle;
mod shown;
mod start;
mod state;
mod strategy;
mod tags;
mod tree;
mod underway;
mod world;

pub use crate::action::{Action, Line, MOVED, Outcome, Running, Tables, full_name};
pub use crate::connection::{
    Become, Called, Connection, Connections, Dial, Doing, RawCommand, RawResult, StartJob, Stream,
    Target, Unreachable, Wanted,
};
pub use crate::context::TaskContext;
pub use crate::error::Error;
pub use crate::facts::FactCache;
pub use crate::keyword::to_flag;
pub use crate::resume::run_name;
pub use crate::run::{PlayOutline, Start, Summary, TaskOutline, outline, run, run_loaded};
pub use crate::settings::{Gathering, Hidden, Settings};
pub use crate::strategy::STRATEGIES;
pub use crate::world::{Parts, Prompt, World};
