//! What a controller and an agent say to each other: frames, messages, and their limits.
//!
//! ```text
//! message ─▶ frames of at most 64 KiB ─▶ any pipe ─▶ Decoder ─▶ message
//! ```
//!
//! Both sides send messages of a [`Kind`] about a number: that of a call, or of a stream. Small
//! ones ([`Call`], [`Reply`] ...) are JSON; the content of files and pipes is bytes. Each stream has
//! a window: a side sends no more than the other has said it has room for, so neither keeps more
//! than [`WINDOW`] bytes for a stream, whatever a program prints.
//!
//! It does no input or output and knows no runtime: [`encode`] fills a buffer, a [`Decoder`] is fed
//! with what was read. What comes from the other side is not trusted: every length is checked.
//!
//! **Invariant:** a change of what is said raises [`VERSION`]; two versions refuse each other.

mod codec;
mod message;

pub use crate::codec::{Decoder, Error, Kind, Limits, Message, encode, encode_each};
pub use crate::message::{
    Attached, Call, Exit, Greeting, Json, Open, Refusal, Reply, Start, Target, Want, credit,
    of_credit,
};

/// The version of what is said; in the hello of both sides.
pub const VERSION: u32 = 1;

/// The most bytes that a frame carries.
pub const CHUNK: usize = 64 * 1024;

/// The most bytes of a stream that are under way and not yet taken.
pub const WINDOW: usize = 1024 * 1024;

/// Attachments up to this size travel inside the call.
pub const INLINE: usize = 1024;
