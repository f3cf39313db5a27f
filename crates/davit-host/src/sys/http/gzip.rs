//! Answers that are packed with gzip, unpacked as they are read.
//!
//! It does not know whether anybody wants that.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

/// A body that a server says it packed with gzip.
pub(super) enum Unpacked {
    /// Nobody has looked yet.
    Unknown(Option<Box<dyn Read>>),
    Known(Box<dyn Read>),
}

impl Unpacked {
    pub(super) fn of(body: Box<dyn Read>) -> Self {
        Self::Unknown(Some(body))
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Self::Unknown(body) = self {
            let Some(mut body) = body.take() else { return Ok(0) };
            let mut start = Vec::new();
            (&mut body).take(2).read_to_end(&mut start)?;
            if !start.is_empty() && start != [0x1f, 0x8b] {
                let shown = String::from_utf8_lossy(&start).escape_debug().to_string();
                let why = format!("Not a gzipped file (b'{shown}')");
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            *self = Self::Known(if start.is_empty() {
                Box::new(io::empty())
            } else {
                Box::new(MultiGzDecoder::new(io::Cursor::new(start).chain(body)))
            });
        }
        match self {
            Self::Known(body) => body.read(buffer),
            Self::Unknown(_) => Ok(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_and_what_is_not_is_refused() {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(b"text").unwrap();
        let packed = writer.finish().unwrap();
        let read = |bytes: Vec<u8>| {
            let mut out = String::new();
            Unpacked::of(Box::new(io::Cursor::new(bytes))).read_to_string(&mut out).map(|_| out)
        };
        assert_eq!(read(packed).unwrap(), "text");
        assert_eq!(read(Vec::new()).unwrap(), "");
        let why = read(b"no gzip".to_vec()).unwrap_err().to_string();
        assert_eq!(why, "Not a gzipped file (b'no')");
    }
}
