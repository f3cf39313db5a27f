//! The modules that run on the managed host, inside the agent.
//!
//! One folder per Ansible collection, one file per module, one line per module in its table. Work
//! that several modules share goes down into `sys` (programs, archives, checksums) and `facts`.
//!
//! **Invariant:** nothing here opens a connection to a controller or knows of inventories, plays
//! or templates: a module sees its arguments and its host, and changes it only through the gate.

pub mod builtin;
mod checksum;
mod edit;
mod encoding;
pub mod facts;
pub mod job;
mod moment;
pub mod own;
mod place;
mod sys;
