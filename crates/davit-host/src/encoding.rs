//! Bytes as text and back, without losing what is not text.
//!
//! Bytes that mean nothing in the encoding become characters of a private plane, and come back as
//! they were: a file that is edited keeps all that the edit does not touch.

/// The first of the 256 characters that stand for bytes.
const FIRST: u32 = 0x10_FE00;

/// How a file's bytes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Latin1,
    Utf16 { big: bool },
}

impl Encoding {
    /// The encoding of that name, as Python spells them.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let plain: String = name
            .to_lowercase()
            .chars()
            .map(|it| if it == '_' || it == ' ' { '-' } else { it })
            .collect();
        Some(match plain.as_str() {
            "utf-8" | "utf8" | "u8" | "utf" | "cp65001" | "ascii" | "us-ascii" | "646" => {
                Self::Utf8
            }
            "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "8859" | "cp819" | "l1"
            | "latin" => Self::Latin1,
            "utf-16-le" | "utf-16le" => Self::Utf16 { big: false },
            "utf-16-be" | "utf-16be" => Self::Utf16 { big: true },
            _ => return None,
        })
    }

    /// Bytes as text.
    pub(crate) fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Utf8 => decode_utf8(bytes),
            Self::Latin1 => bytes.iter().map(|it| char::from(*it)).collect(),
            Self::Utf16 { big } => {
                let units = bytes.chunks(2).map(|pair| match pair {
                    [a, b] if big => u16::from_be_bytes([*a, *b]),
                    [a, b] => u16::from_le_bytes([*a, *b]),
                    other => other.iter().fold(0, |_, it| u16::from(*it)),
                });
                char::decode_utf16(units).map(|it| it.unwrap_or('\u{fffd}')).collect()
            }
        }
    }

    /// Text as bytes.
    pub(crate) fn encode(self, text: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut buffer = [0; 4];
        for char in text.chars() {
            match self {
                Self::Latin1 => out.push(u8::try_from(u32::from(char)).unwrap_or(b'?')),
                Self::Utf16 { big } => {
                    for unit in char.encode_utf16(&mut [0; 2]) {
                        let bytes = if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
                        out.extend(bytes);
                    }
                }
                Self::Utf8 => match u32::from(char).checked_sub(FIRST).map(u8::try_from) {
                    Some(Ok(byte)) => out.push(byte),
                    _ => out.extend(char.encode_utf8(&mut buffer).as_bytes()),
                },
            }
        }
        out
    }
}

fn decode_utf8(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().filter_map(|it| char::from_u32(FIRST + u32::from(*it))));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were() {
        for bytes in [&b"a\xe9b\n"[..], b"\xff\xfe\x00", "é".as_bytes(), b""] {
            assert_eq!(Encoding::Utf8.encode(&Encoding::Utf8.decode(bytes)), bytes);
            assert_eq!(Encoding::Latin1.encode(&Encoding::Latin1.decode(bytes)), bytes);
        }
        assert_eq!(Encoding::named("LATIN_1"), Some(Encoding::Latin1));
        assert_eq!(Encoding::named("nosuch"), None);
    }
}
