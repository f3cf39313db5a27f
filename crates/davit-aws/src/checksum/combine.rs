//! Checksums of wholes that are made of those of their parts.

use ring::digest;

use super::{Algorithm, ChecksumError};

/// The checksum of an object that was uploaded in parts, from the checksums and lengths of the parts
/// in their order: S3's `FULL_OBJECT`, for CRCs.
///
/// # Errors
///
/// When the algorithm is no CRC, or a part's value is none.
pub fn combine<'a>(
    algorithm: Algorithm,
    parts: impl IntoIterator<Item = (&'a str, u64)>,
) -> Result<String, ChecksumError> {
    let (Algorithm::Crc32 | Algorithm::Crc32c | Algorithm::Crc64Nvme) = algorithm else {
        return Err(ChecksumError::NotCombinable { algorithm: algorithm.name() });
    };
    let mut whole = None;
    for (value, length) in parts {
        let bytes = algorithm.decode(value)?;
        let part = bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        whole = Some(match whole {
            None => part,
            Some(whole) => crc_fast::checksum_combine(algorithm.crc(), whole, part, length),
        });
    }
    let bytes = whole.unwrap_or(0_u64).to_be_bytes();
    Ok(crate::base64(&bytes[bytes.len() - algorithm.length()..]))
}

/// The checksum of the checksums of an object's parts, and how many these are: S3's `COMPOSITE`.
///
/// # Errors
///
/// When a part's value is none of the algorithm.
pub fn composite<'a>(
    algorithm: Algorithm,
    parts: impl IntoIterator<Item = &'a str>,
) -> Result<String, ChecksumError> {
    let mut hasher = algorithm.hasher();
    let mut count = 0_usize;
    for part in parts {
        hasher.update(&algorithm.decode(part)?);
        count += 1;
    }
    Ok(format!("{}-{count}", hasher.finish()))
}

/// The tree hash of an archive of Glacier, in hexadecimal: of each MiB the SHA-256, of each two of
/// them, and so on.
#[must_use]
pub fn tree_hash(bytes: &[u8]) -> String {
    let sha256 = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes).as_ref().to_vec();
    let mut level: Vec<Vec<u8>> = bytes.chunks(1 << 20).map(sha256).collect();
    while level.len() > 1 {
        let pairs = level.chunks(2);
        level = pairs
            .map(|pair| {
                if let [left, right] = pair {
                    sha256(&[&**left, right].concat())
                } else {
                    pair.concat()
                }
            })
            .collect();
    }
    crate::sign::hex(&level.pop().unwrap_or_else(|| sha256(b"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_of_the_whole_follows() {
        let text: Vec<u8> = (0..100_000_u32).map(|it| (it * 7 % 251) as u8).collect();
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let parts: Vec<(String, u64)> = text
                .chunks(33_333)
                .map(|part| (algorithm.of_bytes(part), part.len() as u64))
                .collect();
            let parts = parts.iter().map(|(value, length)| (value.as_str(), *length));
            assert_eq!(combine(algorithm, parts).expect("a value"), algorithm.of_bytes(&text));
            assert_eq!(combine(algorithm, []).expect("a value"), algorithm.of_bytes(b""));
        }
        assert!(combine(Algorithm::Sha256, []).is_err());
        assert!(combine(Algorithm::Crc32, [("AAAAAAAAAAA=", 1)]).is_err());
    }

    #[test]
    fn composites_say_how_many_parts_there_are() {
        let parts = [Algorithm::Sha1.of_bytes(b"a"), Algorithm::Sha1.of_bytes(b"b")];
        let value = composite(Algorithm::Sha1, parts.iter().map(String::as_str)).expect("a value");
        assert!(value.ends_with("=-2"), "{value}");
        assert!(composite(Algorithm::Sha1, ["nonsense"]).is_err());
    }
}
