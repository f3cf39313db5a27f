//! The program on the managed host: runs modules, relays streams, and ends with its connection.
//!
//! ```text
//! ssh ─▶ sh ─▶ guard ─▶ worker ─▶ a thread for each call, three for each stream
//!                │         └─ stdin/stdout: frames of davit-wire
//!                └─ waits; when the worker is killed, ends what it has left running
//! ```
//!
//! It is pushed by the controller and listens on nothing. It knows no inventory, no play and no
//! template: calls come with all that they need.
//!
//! **Invariant:** no async runtime and no YAML reader is linked; a test pins its dependencies.
//!
//! **Invariant:** memory is bounded whatever the other side sends or a program prints: frames,
//! messages, streams' windows and calls in flight all have limits.

mod calls;
mod guard;
mod inbox;
mod memory;
mod out;
mod serve;
mod stream;
mod terminal;

pub use crate::guard::guard;
pub use crate::serve::serve;
pub use crate::terminal::helper as terminal;
