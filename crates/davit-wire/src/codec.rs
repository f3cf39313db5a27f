//! Frames: messages in pieces, compressed where that helps, and put together again.
//!
//! A frame is a head of 12 bytes (length of what follows, kind, flags, two zero bytes, number; all
//! little-endian) and at most [`CHUNK`] bytes. A message is one frame or several of the same kind
//! and number, of which all but the last say that more comes; frames of other messages may come
//! between. It does not know what messages mean.

use std::collections::HashMap;
use std::io;

use crate::CHUNK;

/// Bytes of a frame's head.
const HEAD: usize = 12;
/// More frames of this message follow.
const MORE: u8 = 1;
/// The bytes are an LZ4 block, after their length.
const PACKED: u8 = 2;
/// Below this, packing costs more than it saves.
const WORTH_PACKING: usize = 256;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The controller's first message: [`crate::Start`].
    Start = 1,
    /// The agent's first message: [`crate::Greeting`].
    Greeting = 2,
    /// Run a module: [`crate::Call`]. The number is the call's.
    Call = 3,
    /// What came of a call: [`crate::Reply`].
    Reply = 4,
    /// Stop a call.
    Cancel = 5,
    /// What a program of a call, or of a stream on its second output, has written.
    Output = 6,
    /// The agent wants the content of an attachment: [`crate::Want`]. The number is the stream's.
    Want = 7,
    /// Open a stream on the host: [`crate::Open`]. The number is the stream's.
    Open = 8,
    /// The stream is open.
    Opened = 9,
    /// Bytes of a stream.
    Data = 10,
    /// No more bytes come on this stream from this side.
    End = 11,
    /// There is room for more bytes: four bytes, little-endian.
    Credit = 12,
    /// A stream's program ended, or its file is written: [`crate::Exit`].
    Exit = 13,
    /// The stream is given up: [`crate::Refusal`].
    Reset = 14,
    /// Are you there?
    Ping = 15,
    /// Yes.
    Pong = 16,
    /// The run is over.
    Bye = 17,
    /// The controller is about to be stopped for a while and will not ping.
    Hold = 18,
}

impl Kind {
    /// The kind of that number.
    #[must_use]
    pub fn of(number: u8) -> Option<Self> {
        const ALL: [Kind; 18] = [
            Kind::Start,
            Kind::Greeting,
            Kind::Call,
            Kind::Reply,
            Kind::Cancel,
            Kind::Output,
            Kind::Want,
            Kind::Open,
            Kind::Opened,
            Kind::Data,
            Kind::End,
            Kind::Credit,
            Kind::Exit,
            Kind::Reset,
            Kind::Ping,
            Kind::Pong,
            Kind::Bye,
            Kind::Hold,
        ];
        ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// Its bytes are worth packing, and it may be longer than a frame.
    fn is_long(self) -> bool {
        matches!(self, Self::Start | Self::Greeting | Self::Call | Self::Reply | Self::Open)
    }
}

/// A message, put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is about.
    pub kind: Kind,
    /// Of which call or stream.
    pub number: u32,
    /// What it says.
    pub body: Vec<u8>,
}

/// How much a [`Decoder`] takes from the other side.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one message.
    pub message: usize,
    /// Bytes of all messages that are not complete.
    pub partial: usize,
    /// Messages that are not complete.
    pub messages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message: 256 << 20, partial: 512 << 20, messages: 256 }
    }
}

/// Why what came is not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The head says more than a frame may carry.
    #[error("a frame of {length} bytes, where {CHUNK} is the most")]
    Long {
        /// What it says.
        length: usize,
    },
    /// The kind is not known.
    #[error("a frame of the unknown kind {kind}")]
    Kind {
        /// Its number.
        kind: u8,
    },
    /// Flags or the zero bytes are not as they must be.
    #[error("a frame whose head is damaged")]
    Head,
    /// The bytes cannot be unpacked.
    #[error("a frame whose content is damaged")]
    Packed,
    /// A message is larger than is taken.
    #[error("a message of more than {limit} bytes")]
    Large {
        /// What is taken.
        limit: usize,
    },
    /// Too many messages were begun and not ended.
    #[error("too many messages at once")]
    Many,
    /// The message does not say what its kind promises.
    #[error("a message that says something else than its kind: {what}")]
    Body {
        /// What is wrong.
        what: String,
    },
}

/// Adds a message to `out`, in as many frames as it needs.
pub fn encode(kind: Kind, number: u32, body: &[u8], out: &mut Vec<u8>) {
    // Nothing here fails.
    let _ = encode_each(kind, number, body, |frame| {
        out.extend_from_slice(frame);
        Ok(())
    });
}

/// Hands a message on frame by frame, so that others can come between those of a long one.
///
/// # Errors
/// The first that `each` returns.
pub fn encode_each(
    kind: Kind,
    number: u32,
    body: &[u8],
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = Vec::with_capacity(HEAD + body.len().min(CHUNK));
    let mut rest = body;
    loop {
        let (part, after) = rest.split_at(rest.len().min(CHUNK));
        rest = after;
        let more = if rest.is_empty() { 0 } else { MORE };
        let worth = part.len() >= WORTH_PACKING && (kind.is_long() || kind == Kind::Data);
        let packed = if worth { Some(lz4_flex::compress_prepend_size(part)) } else { None };
        out.clear();
        match packed.filter(|it| it.len() + 16 < part.len()) {
            Some(packed) => frame(kind, more | PACKED, number, &packed, &mut out),
            None => frame(kind, more, number, part, &mut out),
        }
        each(&out)?;
        if rest.is_empty() {
            return Ok(());
        }
    }
}

/// Kind, flags, number and bytes of a frame.
type Frame = (Kind, u8, u32, Vec<u8>);

fn frame(kind: Kind, flags: u8, number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[kind as u8, flags, 0, 0]);
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Puts messages together from what was read.
#[derive(Debug, Default)]
pub struct Decoder {
    limits: Limits,
    buffer: Vec<u8>,
    /// How much of the buffer is done with.
    done: usize,
    partial: HashMap<(Kind, u32), Vec<u8>>,
    partial_bytes: usize,
}

impl Decoder {
    /// With other limits than the usual ones.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes what was read.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.done > 0 {
            self.buffer.drain(..self.done);
            self.done = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message, where there is a complete one.
    ///
    /// # Errors
    /// Where what came is no message: nothing after it can be understood.
    pub fn next_message(&mut self) -> Result<Option<Message>, Error> {
        while let Some((kind, flags, number, body)) = self.next_frame()? {
            if flags & MORE == 0 {
                let body = match self.partial.remove(&(kind, number)) {
                    None => body,
                    Some(mut start) => {
                        self.partial_bytes -= start.len();
                        self.check(start.len() + body.len())?;
                        start.extend_from_slice(&body);
                        start
                    }
                };
                return Ok(Some(Message { kind, number, body }));
            }
            if !kind.is_long() {
                return Err(Error::Head);
            }
            if !self.partial.contains_key(&(kind, number))
                && self.partial.len() >= self.limits.messages
            {
                return Err(Error::Many);
            }
            self.partial_bytes += body.len();
            if self.partial_bytes > self.limits.partial {
                return Err(Error::Large { limit: self.limits.partial });
            }
            let limit = self.limits.message;
            let whole = self.partial.entry((kind, number)).or_default();
            whole.extend_from_slice(&body);
            if whole.len() > limit {
                return Err(Error::Large { limit });
            }
        }
        Ok(None)
    }

    fn check(&self, length: usize) -> Result<(), Error> {
        let limit = self.limits.message;
        if length > limit { Err(Error::Large { limit }) } else { Ok(()) }
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, Error> {
        let left = self.buffer.get(self.done..).unwrap_or_default();
        let Some((head, rest)) = left.split_first_chunk::<HEAD>() else { return Ok(None) };
        let [a, b, c, d, kind, flags, zero, nil, e, f, g, h] = *head;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let number = u32::from_le_bytes([e, f, g, h]);
        if length > CHUNK {
            return Err(Error::Long { length });
        }
        let kind = Kind::of(kind).ok_or(Error::Kind { kind })?;
        if flags & !(MORE | PACKED) != 0 || zero != 0 || nil != 0 {
            return Err(Error::Head);
        }
        let Some(bytes) = rest.get(..length) else { return Ok(None) };
        let body = if flags & PACKED == 0 { bytes.to_vec() } else { unpack(bytes)? };
        self.done += HEAD + length;
        Ok(Some((kind, flags, number, body)))
    }
}

/// The bytes of a packed frame: never more than a frame may carry.
fn unpack(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let (length, packed) = bytes.split_first_chunk::<4>().ok_or(Error::Packed)?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > CHUNK {
        return Err(Error::Long { length });
    }
    lz4_flex::decompress(packed, length).map_err(|_| Error::Packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(decoder: &mut Decoder) -> Result<Vec<Message>, Error> {
        let mut all = Vec::new();
        while let Some(message) = decoder.next_message()? {
            all.push(message);
        }
        Ok(all)
    }

    #[test]
    fn messages_survive_any_cut() {
        let long: Vec<u8> = (0..300_000_u32).map(|it| ((it * 7919) >> 3) as u8).collect();
        let mut bytes = Vec::new();
        encode(Kind::Call, 1, b"{}", &mut bytes);
        encode(Kind::Reply, 7, &long, &mut bytes);
        encode(Kind::Data, 9, &[0; 60_000], &mut bytes);
        encode(Kind::Ping, 0, b"", &mut bytes);
        for size in [1, 11, 12, 13, 4096, bytes.len()] {
            let mut decoder = Decoder::default();
            let mut seen = Vec::new();
            for part in bytes.chunks(size) {
                decoder.feed(part);
                seen.extend(all(&mut decoder).unwrap());
            }
            let kinds: Vec<_> = seen.iter().map(|it| (it.kind, it.number, it.body.len())).collect();
            let expected = [
                (Kind::Call, 1, 2),
                (Kind::Reply, 7, 300_000),
                (Kind::Data, 9, 60_000),
                (Kind::Ping, 0, 0),
            ];
            assert_eq!(kinds, expected);
            assert_eq!(seen[1].body, long);
        }
    }

    #[test]
    fn zeros_are_packed() {
        let mut bytes = Vec::new();
        encode(Kind::Data, 1, &[0; 60_000], &mut bytes);
        assert!(bytes.len() < 1000);
    }

    #[test]
    fn frames_of_several_messages_may_mix() {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        let noise: Vec<u8> =
            (0..CHUNK * 2).map(|it| (it.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
        encode(Kind::Reply, 1, &noise, &mut one);
        encode(Kind::Reply, 2, b"short", &mut two);
        let mut decoder = Decoder::default();
        decoder.feed(&one[..one.len() / 2]);
        assert_eq!(all(&mut decoder).unwrap(), []);
        // Only whole frames may be followed by others.
        let at = HEAD + u32::from_le_bytes([one[0], one[1], one[2], one[3]]) as usize;
        let mut decoder = Decoder::default();
        decoder.feed(&one[..at]);
        decoder.feed(&two);
        decoder.feed(&one[at..]);
        let seen: Vec<_> =
            all(&mut decoder).unwrap().into_iter().map(|it| (it.number, it.body.len())).collect();
        assert_eq!(seen, [(2, 5), (1, CHUNK * 2)]);
    }

    #[test]
    fn a_hostile_peer_is_told_apart() {
        let long = |kind: u8, flags: u8, length: u32, body: &[u8]| {
            let mut bytes = length.to_le_bytes().to_vec();
            bytes.extend_from_slice(&[kind, flags, 0, 0, 1, 0, 0, 0]);
            bytes.extend_from_slice(body);
            let mut decoder = Decoder::default();
            decoder.feed(&bytes);
            all(&mut decoder)
        };
        assert_eq!(long(3, 0, u32::MAX, b""), Err(Error::Long { length: u32::MAX as usize }));
        assert_eq!(long(99, 0, 0, b""), Err(Error::Kind { kind: 99 }));
        assert_eq!(long(0, 0, 0, b""), Err(Error::Kind { kind: 0 }));
        assert_eq!(long(3, 128, 0, b""), Err(Error::Head));
        assert_eq!(long(10, MORE, 0, b""), Err(Error::Head));
        assert_eq!(long(3, PACKED, 2, b"ab"), Err(Error::Packed));
        assert!(long(3, PACKED, 8, &[0xff; 8]).is_err());
        assert!(long(3, PACKED, 8, &[10, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).is_err());
    }

    #[test]
    fn messages_that_never_end_are_cut_off() {
        let limits = Limits { message: 100_000, partial: 150_000, messages: 2 };
        let part = |number: u32| {
            let mut bytes = Vec::new();
            frame(Kind::Reply, MORE, number, &[1; 40_000], &mut bytes);
            bytes
        };
        let mut decoder = Decoder::new(limits);
        for _ in 0..3 {
            decoder.feed(&part(1));
        }
        assert_eq!(all(&mut decoder), Err(Error::Large { limit: 100_000 }));
        let mut decoder = Decoder::new(limits);
        for number in 0..3 {
            decoder.feed(&part(number));
        }
        assert_eq!(all(&mut decoder), Err(Error::Many));
    }
}
