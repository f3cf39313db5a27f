//! Checksums of what a reader gives.
//!
//! It does not know files: see the gate for those.

use std::io::{self, Read};

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

/// A checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// The checksum of all that `reader` gives, in hex.
pub(crate) fn of(reader: &mut dyn Read, algorithm: Algorithm) -> io::Result<String> {
    match algorithm {
        Algorithm::Md5 => digest::<Md5>(reader),
        Algorithm::Sha1 => digest::<Sha1>(reader),
        Algorithm::Sha224 => digest::<Sha224>(reader),
        Algorithm::Sha256 => digest::<Sha256>(reader),
        Algorithm::Sha384 => digest::<Sha384>(reader),
        Algorithm::Sha512 => digest::<Sha512>(reader),
    }
}

fn digest<D: Digest>(reader: &mut dyn Read) -> io::Result<String> {
    let mut hash = D::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hash.update(&buffer[..count]),
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    Ok(hash.finalize().iter().map(|it| format!("{it:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_programs() {
        let check = |algorithm, expect: &str| {
            assert_eq!(of(&mut &b"abc"[..], algorithm).unwrap(), expect);
        };
        check(Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72");
        check(Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
        check(
            Algorithm::Sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        );
    }
}
