//! Texts in the encodings that Python knows by name.

use encoding_rs::{EncoderResult, Encoding};

/// The bytes of a text. The error says what Python would.
pub(crate) fn encode(text: &str, name: &str) -> Result<Vec<u8>, String> {
    let plain: String = name.to_ascii_lowercase().replace(['_', ' '], "-");
    let plain = plain.as_str();
    match plain {
        "utf-8" | "utf8" | "u8" | "utf" | "cp65001" => Ok(utf8(text)),
        "utf-8-sig" => Ok([&b"\xef\xbb\xbf"[..], text.as_bytes()].concat()),
        "ascii" | "us-ascii" | "646" => narrow(text, "ascii", 128),
        "latin-1" | "latin1" | "latin" | "l1" | "iso-8859-1" | "iso8859-1" | "8859" | "cp819" => {
            narrow(text, "latin-1", 256)
        }
        "utf-16" | "utf16" | "u16" => {
            Ok([&b"\xff\xfe"[..], &utf16(text, u16::to_le_bytes)].concat())
        }
        "utf-16-le" | "utf-16le" => Ok(utf16(text, u16::to_le_bytes)),
        "utf-16-be" | "utf-16be" => Ok(utf16(text, u16::to_be_bytes)),
        "utf-32" | "utf32" | "u32" => {
            Ok([&b"\xff\xfe\0\0"[..], &utf32(text, u32::to_le_bytes)].concat())
        }
        "utf-32-le" | "utf-32le" => Ok(utf32(text, u32::to_le_bytes)),
        "utf-32-be" | "utf-32be" => Ok(utf32(text, u32::to_be_bytes)),
        _ => other(text, name, plain),
    }
}

/// Where the bytes of a file stand that are no text: characters that nobody uses.
const STRAY: u32 = 0x10_ff00;

/// The text of a file. Bytes that are no UTF-8 come out again as they are.
pub(crate) fn decode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().filter_map(|it| char::from_u32(STRAY + u32::from(*it))));
    }
    out
}

fn utf8(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for char in text.chars() {
        match u32::from(char).checked_sub(STRAY).map(u8::try_from) {
            Some(Ok(byte)) if byte >= 0x80 => out.push(byte),
            _ => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

fn utf32(text: &str, bytes: fn(u32) -> [u8; 4]) -> Vec<u8> {
    text.chars().map(u32::from).flat_map(bytes).collect()
}

/// Encodings of one byte a character, in the order of Unicode.
fn narrow(text: &str, name: &str, limit: u32) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    for (at, char) in text.chars().enumerate() {
        match u8::try_from(u32::from(char)) {
            Ok(byte) if u32::from(byte) < limit => out.push(byte),
            _ => {
                let shown = escaped(char);
                return Err(format!(
                    "'{name}' codec can't encode character '{shown}' in position {at}: ordinal not in range({limit})"
                ));
            }
        }
    }
    Ok(out)
}

/// Everything that has a table.
fn other(text: &str, name: &str, plain: &str) -> Result<Vec<u8>, String> {
    // Python's code pages have shorter names than those of the web.
    let label = match plain.strip_prefix("cp") {
        Some(page) if page.starts_with("125") => format!("windows-{page}"),
        Some("866") => "ibm866".to_owned(),
        Some("932") => "shift_jis".to_owned(),
        Some("936") => "gbk".to_owned(),
        Some("949") => "euc-kr".to_owned(),
        Some("950") => "big5".to_owned(),
        _ => plain.to_owned(),
    };
    let known = Encoding::for_label(label.as_bytes())
        .or_else(|| Encoding::for_label(label.replace('-', "_").as_bytes()))
        .filter(|it| it.output_encoding() == *it);
    let Some(encoding) = known else { return Err(format!("unknown encoding: {name}")) };
    let mut encoder = encoding.new_encoder();
    let most = encoder.max_buffer_length_from_utf8_without_replacement(text.len());
    let mut out = Vec::with_capacity(most.unwrap_or_else(|| text.len().saturating_mul(4)));
    let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(text, &mut out, true);
    if let EncoderResult::Unmappable(char) = result {
        let before = text.get(..read).unwrap_or_default().chars().count();
        return Err(format!(
            "'{name}' codec can't encode character '{}' in position {}: character maps to <undefined>",
            escaped(char),
            before.saturating_sub(1)
        ));
    }
    Ok(out)
}

/// A character as Python shows one that it cannot write.
fn escaped(char: char) -> String {
    match u32::from(char) {
        code @ 0..=0xff => format!("\\x{code:02x}"),
        code @ 0x100..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_bytes() {
        let check = |name: &str, expect: &[u8]| {
            assert_eq!(encode("aé", name).as_deref(), Ok(expect), "{name}");
        };
        check("utf-8", b"a\xc3\xa9");
        check("UTF8", b"a\xc3\xa9");
        check("latin-1", b"a\xe9");
        check("iso-8859-1", b"a\xe9");
        check("iso8859_15", b"a\xe9");
        check("cp1252", b"a\xe9");
        check("utf-16", b"\xff\xfea\0\xe9\0");
        check("utf_16_be", b"\0a\0\xe9");
        check("utf-32-le", b"a\0\0\0\xe9\0\0\0");
        check("utf-8-sig", b"\xef\xbb\xbfa\xc3\xa9");
    }

    #[test]
    fn bytes_that_are_no_text_stay() {
        let bytes = b"a\xff\xfe\xc3\xa9\xe9";
        assert_eq!(encode(&decode(bytes), "utf-8").as_deref(), Ok(&bytes[..]));
        assert_eq!(decode("aé".as_bytes()), "aé");
    }

    #[test]
    fn what_cannot_be_written_is_said() {
        for (name, expect) in [
            ("nosuch", "unknown encoding: nosuch"),
            (
                "ascii",
                "'ascii' codec can't encode character '\\xe9' in position 1: ordinal not in range(128)",
            ),
            (
                "cp1251",
                "'cp1251' codec can't encode character '\\xe9' in position 1: character maps to <undefined>",
            ),
        ] {
            assert_eq!(encode("hé", name), Err(expect.to_owned()), "{name}");
        }
    }
}
