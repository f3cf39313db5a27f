//! Event streams: reading and writing frames, and what the events in them say. Does no IO and signs
//! nothing.
//!
//! A frame, all numbers big-endian: its size and that of its headers, four bytes each; the CRC-32 of
//! these eight; the headers; the payload; the CRC-32 of all before it. A header: the size of its name,
//! one byte; the name; one byte for its type; the value, with two bytes for its size in front where
//! its type has none.

mod event;
mod frame;

pub use self::{
    event::{Event, encode_event, event},
    frame::{Decoder, FrameError, HeaderValue, LONGEST_HEADERS, LONGEST_PAYLOAD, Message},
};

#[cfg(test)]
mod tests;
