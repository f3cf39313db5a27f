//! Checksums of bodies: made, put together and looked at. Does no IO.

mod chunked;
mod combine;
mod resolve;

use std::{fmt, hash::Hasher as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crc_fast::CrcAlgorithm;
use md5::Digest as _;
use ring::digest;
use sha1::Sha1;
use twox_hash::{XxHash3_64, XxHash3_128, XxHash64};

pub use self::{
    chunked::Chunked,
    combine::{combine, composite, tree_hash},
    resolve::{
        Place, Plan, RequestSettings, Verifier, When, ask_for_checksum, resolve_request,
        resolve_response, takes_stream,
    },
};

/// A way to make a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// CRC-32, as in zip files.
    Crc32,
    /// CRC-32C, as in iSCSI.
    Crc32c,
    /// CRC-64, as in NVMe.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// XXH64.
    XxHash64,
    /// XXH3 with 64 bits.
    XxHash3,
    /// XXH3 with 128 bits.
    XxHash128,
}

impl Algorithm {
    /// All of them. Where an answer has several, the first is looked at.
    pub const ALL: [Self; 9] = [
        Self::XxHash128,
        Self::XxHash3,
        Self::Crc64Nvme,
        Self::XxHash64,
        Self::Crc32c,
        Self::Crc32,
        Self::Sha1,
        Self::Sha256,
        Self::Sha512,
    ];

    /// The one of a name, in letters of any size.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(name))
    }

    /// `CRC32`: what members are set to.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
            Self::XxHash64 => "XXHASH64",
            Self::XxHash3 => "XXHASH3",
            Self::XxHash128 => "XXHASH128",
        }
    }

    /// The header or trailer it goes into.
    #[must_use]
    pub const fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
            Self::Sha512 => "x-amz-checksum-sha512",
            Self::XxHash64 => "x-amz-checksum-xxhash64",
            Self::XxHash3 => "x-amz-checksum-xxhash3",
            Self::XxHash128 => "x-amz-checksum-xxhash128",
        }
    }

    /// How many bytes it has.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme | Self::XxHash64 | Self::XxHash3 => 8,
            Self::XxHash128 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Begins one.
    #[must_use]
    pub fn hasher(self) -> Hasher {
        let sha = |algorithm| State::Sha(digest::Context::new(algorithm));
        let state = match self {
            // ring's does not use what processors have for it.
            Self::Sha1 => State::Sha1(Sha1::new()),
            Self::Sha256 => sha(&digest::SHA256),
            Self::Sha512 => sha(&digest::SHA512),
            Self::XxHash64 => State::XxHash64(XxHash64::with_seed(0)),
            Self::XxHash3 => State::XxHash3(Box::new(XxHash3_64::new())),
            Self::XxHash128 => State::XxHash128(Box::new(XxHash3_128::new())),
            Self::Crc32 | Self::Crc32c => State::Crc32(crc_fast::Digest::new(self.crc())),
            Self::Crc64Nvme => State::Crc64(crc_fast::Digest::new(self.crc())),
        };
        Hasher { algorithm: self, state }
    }

    /// The checksum of bytes, in base64.
    #[must_use]
    pub fn of_bytes(self, bytes: &[u8]) -> String {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish()
    }

    /// For those that are CRCs.
    const fn crc(self) -> CrcAlgorithm {
        match self {
            Self::Crc32c => CrcAlgorithm::Crc32Iscsi,
            Self::Crc64Nvme => CrcAlgorithm::Crc64Nvme,
            _ => CrcAlgorithm::Crc32IsoHdlc,
        }
    }

    /// What a value in base64 says, if it is one of these.
    fn decode(self, value: &str) -> Result<Vec<u8>, ChecksumError> {
        let bytes = STANDARD.decode(value).ok().filter(|it| it.len() == self.length());
        bytes.ok_or_else(|| ChecksumError::Malformed {
            algorithm: self.name(),
            value: value.to_owned(),
        })
    }
}

/// A checksum in the making.
pub struct Hasher {
    algorithm: Algorithm,
    state: State,
}

enum State {
    Crc32(crc_fast::Digest),
    Crc64(crc_fast::Digest),
    Sha1(Sha1),
    Sha(digest::Context),
    XxHash64(XxHash64),
    XxHash3(Box<XxHash3_64>),
    XxHash128(Box<XxHash3_128>),
}

impl fmt::Debug for Hasher {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Hasher").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl Hasher {
    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc32(it) | State::Crc64(it) => it.update(bytes),
            State::Sha1(it) => it.update(bytes),
            State::Sha(it) => it.update(bytes),
            State::XxHash64(it) => it.write(bytes),
            State::XxHash3(it) => it.write(bytes),
            State::XxHash128(it) => it.write(bytes),
        }
    }

    /// The checksum, in base64.
    #[must_use]
    pub fn finish(self) -> String {
        crate::base64(&self.bytes())
    }

    fn bytes(self) -> Vec<u8> {
        match self.state {
            State::Crc32(it) => it.finalize().to_be_bytes()[4..].to_vec(),
            State::Crc64(it) => it.finalize().to_be_bytes().to_vec(),
            State::Sha1(it) => it.finalize().to_vec(),
            State::Sha(it) => it.finish().as_ref().to_vec(),
            State::XxHash64(it) => it.finish().to_be_bytes().to_vec(),
            State::XxHash3(it) => it.finish().to_be_bytes().to_vec(),
            State::XxHash128(it) => it.finish_128().to_be_bytes().to_vec(),
        }
    }
}

/// The MD5 of bytes in base64: for `Content-MD5`, and for the keys that S3 encrypts with.
#[must_use]
pub fn md5(bytes: &[u8]) -> String {
    crate::base64(&md5::Md5::digest(bytes))
}

/// Why a checksum is not made, or not right.
#[derive(Debug, thiserror::Error)]
pub enum ChecksumError {
    /// An algorithm that nothing is known of.
    #[error("{name} is no checksum that is known: {}", known())]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The bytes are not those that were sent.
    #[error("the body's {algorithm} is {found}, not {expected}: it was changed on the way")]
    Mismatch {
        /// The algorithm's name.
        algorithm: &'static str,
        /// What came along, in base64.
        expected: String,
        /// What the bytes have, in base64.
        found: String,
    },
    /// Something else than the checksum that it should be.
    #[error("{value:?} is no {algorithm} in base64")]
    Malformed {
        /// The algorithm's name.
        algorithm: &'static str,
        /// What stands in its place.
        value: String,
    },
    /// Only a CRC of the whole follows from those of the parts.
    #[error("the {algorithm} of the whole does not follow from those of its parts")]
    NotCombinable {
        /// The algorithm's name.
        algorithm: &'static str,
    },
    /// A stream that is longer or shorter than was said.
    #[error("the body has {found} bytes where {promised} were announced")]
    Length {
        /// How many were announced.
        promised: u64,
        /// How many there were, or were before one too many came.
        found: u64,
    },
}

fn known() -> String {
    Algorithm::ALL.map(Algorithm::name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the algorithms' catalogues.
    #[test]
    fn check_values() {
        let text = b"123456789";
        let hex = |algorithm: Algorithm| {
            let mut hasher = algorithm.hasher();
            let (head, tail) = text.split_at(4);
            hasher.update(head);
            hasher.update(tail);
            let bytes = hasher.bytes();
            assert_eq!(bytes.len(), algorithm.length());
            crate::sign::hex(&bytes)
        };
        assert_eq!(hex(Algorithm::Crc32), "cbf43926");
        assert_eq!(hex(Algorithm::Crc32c), "e3069283");
        assert_eq!(hex(Algorithm::Crc64Nvme), "ae8b14860a799888");
        assert_eq!(hex(Algorithm::Sha1), "f7c3bc1d808e04732adf679965ccc34ca7ae3441");
        assert_eq!(md5(b""), "1B2M2Y8AsgTpgAmY7PhCfg==");
    }

    #[test]
    fn algorithms_are_found_by_name() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::of(&algorithm.name().to_lowercase()), Some(algorithm));
            let header = format!("x-amz-checksum-{}", algorithm.name().to_lowercase());
            assert_eq!(algorithm.header(), header);
        }
        assert_eq!(Algorithm::of("md5"), None);
    }
}
