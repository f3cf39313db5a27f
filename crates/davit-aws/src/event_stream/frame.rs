//! Frames of event streams. Knows no service.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use flate2::Crc;
use jiff::Timestamp;
use uuid::Uuid;

/// The most bytes that the headers of a frame may have.
pub const LONGEST_HEADERS: usize = 128 * 1024;

/// The most bytes that the payload of a frame may have.
pub const LONGEST_PAYLOAD: usize = 24 * 1024 * 1024;

/// What stands before the headers: two sizes and a checksum.
const PRELUDE: usize = 12;

/// The size of a checksum.
const CRC: usize = 4;

/// A message of an event stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Message {
    /// The headers in their order. Names count with their case.
    pub headers: Vec<(String, HeaderValue)>,
    /// The body.
    pub payload: Bytes,
}

/// The value of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderValue {
    /// Yes or no.
    Bool(bool),
    /// 8 bits.
    Byte(i8),
    /// 16 bits.
    Short(i16),
    /// 32 bits.
    Int(i32),
    /// 64 bits.
    Long(i64),
    /// Bytes, at most 65,535.
    Bytes(Bytes),
    /// Text, at most 65,535 bytes.
    String(String),
    /// A point in time, to the millisecond.
    Timestamp(Timestamp),
    /// A UUID.
    Uuid(Uuid),
}

/// A frame that is none, or that cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A checksum is not that of the bytes.
    #[error("the checksum of a frame is {found:#010x} and should be {expected:#010x}")]
    Checksum {
        /// What the frame says.
        expected: u32,
        /// What its bytes have.
        found: u32,
    },
    /// The headers are too long.
    #[error("{0} bytes of headers in a frame, more than the {LONGEST_HEADERS} that are allowed")]
    Headers(usize),
    /// The payload is too long.
    #[error("{0} bytes of payload in a frame, more than the {LONGEST_PAYLOAD} that are allowed")]
    Payload(usize),
    /// The sizes do not fit each other.
    #[error("a frame of {total} bytes with {headers} bytes of headers")]
    Sizes {
        /// Of the whole frame.
        total: usize,
        /// Of its headers.
        headers: usize,
    },
    /// A header cannot be read or written.
    #[error("{0} in the headers of a frame")]
    Header(&'static str),
    /// The stream ended in the middle of a frame.
    #[error("the stream ends in the middle of a frame")]
    Truncated,
}

impl Message {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&HeaderValue> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The text of a header, if it is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.header(name) {
            Some(HeaderValue::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The message as a frame.
    ///
    /// # Errors
    ///
    /// When headers or payload are longer than frames allow.
    pub fn encode(&self) -> Result<Bytes, FrameError> {
        let mut headers = BytesMut::new();
        for (name, value) in &self.headers {
            let size = u8::try_from(name.len()).map_err(|_| FrameError::Header("a long name"))?;
            headers.put_u8(size);
            headers.put_slice(name.as_bytes());
            value.encode(&mut headers)?;
        }
        if headers.len() > LONGEST_HEADERS {
            return Err(FrameError::Headers(headers.len()));
        }
        if self.payload.len() > LONGEST_PAYLOAD {
            return Err(FrameError::Payload(self.payload.len()));
        }
        let total = PRELUDE + headers.len() + self.payload.len() + CRC;
        let sized = |size: usize| u32::try_from(size).map_err(|_| FrameError::Payload(size));
        let mut frame = BytesMut::with_capacity(total);
        frame.put_u32(sized(total)?);
        frame.put_u32(sized(headers.len())?);
        frame.put_u32(crc(&frame));
        frame.put_slice(&headers);
        frame.put_slice(&self.payload);
        frame.put_u32(crc(&frame));
        Ok(frame.freeze())
    }
}

impl HeaderValue {
    fn encode(&self, into: &mut BytesMut) -> Result<(), FrameError> {
        match self {
            Self::Bool(it) => into.put_u8(u8::from(!it)),
            Self::Byte(it) => {
                into.put_u8(2);
                into.put_i8(*it);
            }
            Self::Short(it) => {
                into.put_u8(3);
                into.put_i16(*it);
            }
            Self::Int(it) => {
                into.put_u8(4);
                into.put_i32(*it);
            }
            Self::Long(it) => {
                into.put_u8(5);
                into.put_i64(*it);
            }
            Self::Bytes(it) => sized(into, 6, it)?,
            Self::String(it) => sized(into, 7, it.as_bytes())?,
            Self::Timestamp(it) => {
                into.put_u8(8);
                into.put_i64(it.as_millisecond());
            }
            Self::Uuid(it) => {
                into.put_u8(9);
                into.put_slice(it.as_bytes());
            }
        }
        Ok(())
    }

    /// Takes a value off the front of headers.
    fn decode(from: &mut Bytes) -> Result<Self, FrameError> {
        let cut = |_| FrameError::Header("a value that is cut off");
        Ok(match from.try_get_u8().map_err(cut)? {
            0 => Self::Bool(true),
            1 => Self::Bool(false),
            2 => Self::Byte(from.try_get_i8().map_err(cut)?),
            3 => Self::Short(from.try_get_i16().map_err(cut)?),
            4 => Self::Int(from.try_get_i32().map_err(cut)?),
            5 => Self::Long(from.try_get_i64().map_err(cut)?),
            6 => {
                let size = from.try_get_u16().map_err(cut)?;
                Self::Bytes(take(from, usize::from(size))?)
            }
            7 => {
                let size = from.try_get_u16().map_err(cut)?;
                Self::String(text(&take(from, usize::from(size))?)?)
            }
            8 => {
                let millis = from.try_get_i64().map_err(cut)?;
                let time = Timestamp::from_millisecond(millis);
                Self::Timestamp(time.map_err(|_| FrameError::Header("a time that is none"))?)
            }
            9 => Self::Uuid(Uuid::from_u128(from.try_get_u128().map_err(cut)?)),
            _ => return Err(FrameError::Header("a type that is not known")),
        })
    }
}

fn sized(into: &mut BytesMut, kind: u8, bytes: &[u8]) -> Result<(), FrameError> {
    let size = u16::try_from(bytes.len()).map_err(|_| FrameError::Header("a long value"))?;
    into.put_u8(kind);
    into.put_u16(size);
    into.put_slice(bytes);
    Ok(())
}

fn take(from: &mut Bytes, size: usize) -> Result<Bytes, FrameError> {
    if from.len() < size {
        return Err(FrameError::Header("a value that is cut off"));
    }
    Ok(from.split_to(size))
}

fn text(bytes: &[u8]) -> Result<String, FrameError> {
    let text = std::str::from_utf8(bytes).map_err(|_| FrameError::Header("no UTF-8"))?;
    Ok(text.to_owned())
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Makes messages out of bytes as they come.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    /// The sizes of the frame that the buffer begins with, once they are known and right.
    sizes: Option<(usize, usize)>,
    /// Nothing behind a frame that is none can be read.
    broken: Option<FrameError>,
}

impl Decoder {
    /// Adds the bytes that came.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.broken.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next message, if all of it has come.
    ///
    /// # Errors
    ///
    /// When the bytes are no frame; from then on always.
    pub fn next_message(&mut self) -> Result<Option<Message>, FrameError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        self.read().inspect_err(|error| {
            self.broken = Some(*error);
            self.buffer = BytesMut::new();
        })
    }

    /// To be called where the stream ends.
    ///
    /// # Errors
    ///
    /// When it ends in the middle of a frame.
    pub fn finish(&self) -> Result<(), FrameError> {
        match self.broken {
            Some(error) => Err(error),
            None if !self.buffer.is_empty() => Err(FrameError::Truncated),
            None => Ok(()),
        }
    }

    fn read(&mut self) -> Result<Option<Message>, FrameError> {
        let (total, headers) = match self.sizes {
            Some(sizes) => sizes,
            None if self.buffer.len() < PRELUDE => return Ok(None),
            None => *self.sizes.insert(prelude(&self.buffer[..PRELUDE])?),
        };
        if self.buffer.len() < total {
            return Ok(None);
        }
        self.sizes = None;
        let mut frame = self.buffer.split_to(total).freeze();
        check(&frame, total - CRC)?;
        frame.truncate(total - CRC);
        frame.advance(PRELUDE);
        let headers = read_headers(frame.split_to(headers))?;
        Ok(Some(Message { headers, payload: frame }))
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|mut it| it.try_get_u32().ok()).unwrap_or_default()
}

/// Whether the bytes up to a place have the checksum that stands there.
fn check(bytes: &[u8], at: usize) -> Result<(), FrameError> {
    let (expected, found) = (number(bytes, at), crc(&bytes[..at]));
    if expected == found { Ok(()) } else { Err(FrameError::Checksum { expected, found }) }
}

/// The sizes of a frame and of its headers.
fn prelude(bytes: &[u8]) -> Result<(usize, usize), FrameError> {
    check(bytes, PRELUDE - CRC)?;
    let size = |at| usize::try_from(number(bytes, at)).unwrap_or(usize::MAX);
    let (total, headers) = (size(0), size(4));
    if headers > LONGEST_HEADERS {
        return Err(FrameError::Headers(headers));
    }
    match total.checked_sub(headers + PRELUDE + CRC) {
        None => Err(FrameError::Sizes { total, headers }),
        Some(payload) if payload > LONGEST_PAYLOAD => Err(FrameError::Payload(payload)),
        Some(_) => Ok((total, headers)),
    }
}

fn read_headers(mut bytes: Bytes) -> Result<Vec<(String, HeaderValue)>, FrameError> {
    let mut headers: Vec<(String, HeaderValue)> = Vec::new();
    while let Ok(size) = bytes.try_get_u8() {
        let name = text(&take(&mut bytes, usize::from(size))?)?;
        if headers.iter().any(|(known, _)| *known == name) {
            return Err(FrameError::Header("a name that is there twice"));
        }
        headers.push((name, HeaderValue::decode(&mut bytes)?));
    }
    Ok(headers)
}
