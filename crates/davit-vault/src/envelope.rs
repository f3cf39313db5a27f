//! The text form of a vault: header line, and a body of three parts in hex, in hex again.
//!
//! Knows no keys.

use crate::{DEFAULT_ID, Error};

const WIDTH: usize = 80;
/// By how much `encrypt_string` indents the lines under `!vault |`.
const STRING_INDENT: usize = 10;

/// The first line of a vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `1.1` or `1.2`.
    pub version: String,
    /// `AES256`.
    pub cipher: String,
    /// The vault id, which only version 1.2 has.
    pub id: Option<String>,
}

impl Header {
    /// Reads the first line of `text`.
    ///
    /// # Errors
    /// Where it does not start as a vault does, or has too few fields.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if !crate::is_vault(text) {
            return Err(Error::NotVault);
        }
        let mut fields = text.lines().next().unwrap_or_default().trim().split(';').map(str::trim);
        let mut field = || fields.next().map(ToOwned::to_owned);
        field();
        let missing = || Error::Envelope("list index out of range".to_owned());
        let version = field().ok_or_else(missing)?;
        let cipher = field().ok_or_else(missing)?;
        let id = if version == "1.2" { field().filter(|id| !id.is_empty()) } else { None };
        Ok(Self { version, cipher, id })
    }
}

/// The three parts of a body, as bytes.
pub(crate) struct Body {
    pub(crate) salt: Vec<u8>,
    pub(crate) mac: Vec<u8>,
    pub(crate) ciphertext: Vec<u8>,
}

pub(crate) fn read(text: &str) -> Result<Body, Error> {
    let hex: String = text.lines().skip(1).map(str::trim).collect();
    let inner = unhex(hex.as_bytes())?;
    let mut parts = inner.splitn(3, |byte| *byte == b'\n');
    let (Some(salt), Some(mac), Some(ciphertext)) = (parts.next(), parts.next(), parts.next())
    else {
        let got = 1 + inner.iter().filter(|byte| **byte == b'\n').count();
        return Err(Error::Body(format!("not enough values to unpack (expected 3, got {got})")));
    };
    Ok(Body { salt: unhex(salt)?, mac: unhex(mac)?, ciphertext: unhex(ciphertext)? })
}

pub(crate) fn write(id: Option<&str>, body: &Body) -> String {
    let mut text = match id {
        Some(id) if id != DEFAULT_ID && !id.is_empty() => {
            format!("$ANSIBLE_VAULT;1.2;AES256;{id}\n")
        }
        _ => "$ANSIBLE_VAULT;1.1;AES256\n".to_owned(),
    };
    let inner = format!("{}\n{}\n{}", hex(&body.salt), hex(&body.mac), hex(&body.ciphertext));
    let outer = hex(inner.as_bytes());
    let mut rest = outer.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at(rest.len().min(WIDTH));
        text.push_str(line);
        text.push('\n');
        rest = next;
    }
    text
}

/// The YAML lines that `encrypt-string` prints: `name: !vault |` and the text, indented.
///
/// ```
/// let block = davit_vault::encrypt_string_block("$ANSIBLE_VAULT;1.1;AES256\n6162\n", Some("pw"));
/// assert_eq!(block, "pw: !vault |\n          $ANSIBLE_VAULT;1.1;AES256\n          6162\n");
/// ```
#[must_use]
pub fn encrypt_string_block(text: &str, name: Option<&str>) -> String {
    let mut block = name.map(|name| format!("{name}: ")).unwrap_or_default();
    block.push_str("!vault |\n");
    for line in text.lines() {
        block.push_str(&" ".repeat(STRING_INDENT));
        block.push_str(line);
        block.push('\n');
    }
    block
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

fn unhex(text: &[u8]) -> Result<Vec<u8>, Error> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
            .ok_or(Error::Hex("Non-hexadecimal digit found"))
    };
    if !text.len().is_multiple_of(2) {
        return Err(Error::Hex("Odd-length string"));
    }
    text.chunks_exact(2).map(|pair| Ok(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_in_version_1_2_only() {
        let id = |text| Header::parse(text).unwrap().id;
        assert_eq!(id("$ANSIBLE_VAULT;1.2;AES256;prod\n").as_deref(), Some("prod"));
        assert_eq!(id("$ANSIBLE_VAULT;1.2;AES256\n"), None);
        assert_eq!(id("$ANSIBLE_VAULT;1.1;AES256;prod\n"), None);
    }
}
