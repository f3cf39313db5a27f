//! Bodies with a checksum behind them: the encoding `aws-chunked`, without signatures.

use bytes::Bytes;

use super::{Algorithm, ChecksumError, Hasher};

/// Puts a body into chunks as it comes along, and its checksum behind it. The bytes themselves are
/// passed on and not copied.
#[derive(Debug)]
pub struct Chunked {
    algorithm: Algorithm,
    hasher: Hasher,
    promised: Option<u64>,
    seen: u64,
    /// What is missing of the chunk that is open.
    open: u64,
}

/// What botocore reads at once.
const CHUNK: u64 = 1 << 20;

const LINE_END: Bytes = Bytes::from_static(b"\r\n");

impl Chunked {
    /// For a body of so many bytes, if that is known.
    ///
    /// If it is not, each piece becomes a chunk. S3 wants them (but for the last) to be of 8 KiB and
    /// more.
    #[must_use]
    pub fn new(algorithm: Algorithm, promised: Option<u64>) -> Self {
        Self { algorithm, hasher: algorithm.hasher(), promised, seen: 0, open: 0 }
    }

    /// How many bytes a body of so many becomes.
    #[must_use]
    pub fn encoded_length(algorithm: Algorithm, length: u64) -> u64 {
        let around = |chunk: u64| digits(chunk).saturating_add(4);
        let whole = length / CHUNK;
        let rest = length % CHUNK;
        let rest = if rest == 0 { 0 } else { around(rest) };
        let base64 = algorithm.length().div_ceil(3) * 4;
        let trailer = "0\r\n:\r\n\r\n".len() + algorithm.header().len() + base64;
        whole
            .saturating_mul(around(CHUNK))
            .saturating_add(rest)
            .saturating_add(length)
            .saturating_add(trailer as u64)
    }

    /// Takes the next piece of the body, of any length, and puts what is to be sent behind what is
    /// in `out`.
    ///
    /// # Errors
    ///
    /// When there is more than was announced.
    pub fn push(&mut self, mut piece: Bytes, out: &mut Vec<Bytes>) -> Result<(), ChecksumError> {
        let length = piece.len() as u64;
        if let Some(promised) = self.promised
            && length > promised.saturating_sub(self.seen)
        {
            return Err(ChecksumError::Length {
                promised,
                found: self.seen.saturating_add(length),
            });
        }
        self.hasher.update(&piece);
        while !piece.is_empty() {
            if self.open == 0 {
                self.open = match self.promised {
                    Some(promised) => CHUNK.min(promised.saturating_sub(self.seen)),
                    None => piece.len() as u64,
                };
                out.push(Bytes::from(format!("{:x}\r\n", self.open)));
            }
            let length = usize::try_from(self.open).unwrap_or(usize::MAX).min(piece.len());
            out.push(piece.split_to(length));
            self.seen = self.seen.saturating_add(length as u64);
            self.open = self.open.saturating_sub(length as u64);
            if self.open == 0 {
                out.push(LINE_END);
            }
        }
        Ok(())
    }

    /// What comes behind the body.
    ///
    /// # Errors
    ///
    /// When there was less than was announced.
    pub fn finish(self) -> Result<Bytes, ChecksumError> {
        match self.promised {
            Some(promised) if promised != self.seen => {
                Err(ChecksumError::Length { promised, found: self.seen })
            }
            _ => {
                let (name, value) = (self.algorithm.header(), self.hasher.finish());
                Ok(Bytes::from(format!("0\r\n{name}:{value}\r\n\r\n")))
            }
        }
    }

    /// A whole body, in the pieces to be sent.
    #[must_use]
    pub fn whole(algorithm: Algorithm, body: Bytes) -> Vec<Bytes> {
        let mut chunked = Self::new(algorithm, Some(body.len() as u64));
        let mut out = Vec::with_capacity(4 + body.len() / (1 << 20) * 3);
        chunked.push(body, &mut out).expect("the length is its own");
        out.push(chunked.finish().expect("the length is its own"));
        out
    }
}

/// How many hexadecimal digits a number has.
fn digits(number: u64) -> u64 {
    u64::from(number.max(1).ilog2() / 4 + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_body_gets_its_checksum_behind_it() {
        let body = Chunked::whole(Algorithm::Crc32, Bytes::from_static(b"hello")).concat();
        assert_eq!(body, b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n");
        let body = Chunked::whole(Algorithm::Crc32, Bytes::new()).concat();
        assert_eq!(body, b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n");
    }

    #[test]
    fn bodies_keep_their_word() {
        let mut out = Vec::new();
        let mut chunked = Chunked::new(Algorithm::Crc32, Some(4));
        assert!(chunked.push(Bytes::from_static(b"hello"), &mut out).is_err());
        chunked.push(Bytes::from_static(b"hel"), &mut out).expect("short enough");
        assert!(chunked.finish().is_err());
    }

    #[test]
    fn a_body_of_unknown_length_is_passed_on_as_it_comes() {
        let mut out = Vec::new();
        let mut chunked = Chunked::new(Algorithm::Crc32, None);
        for piece in ["he", "", "llo"] {
            chunked.push(Bytes::from_static(piece.as_bytes()), &mut out).expect("any length");
        }
        out.push(chunked.finish().expect("any length"));
        assert_eq!(
            out.concat(),
            b"2\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn pieces_make_no_difference(cuts in prop::collection::vec(0..2_500_000_usize, 0..6)) {
            let body = Bytes::from(vec![7; 2_500_000]);
            let whole = Chunked::whole(Algorithm::Crc32c, body.clone()).concat();
            let mut chunked = Chunked::new(Algorithm::Crc32c, Some(body.len() as u64));
            let mut cuts = cuts;
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            let mut out = Vec::new();
            for pair in cuts.windows(2) {
                chunked.push(body.slice(pair[0]..pair[1]), &mut out).expect("as announced");
            }
            out.push(chunked.finish().expect("as announced"));
            prop_assert!(out.concat() == whole);
        }

        #[test]
        fn the_length_is_known_before(length in 0..3_000_000_usize, which in 0..9_usize) {
            let algorithm = Algorithm::ALL[which];
            let body: usize =
                Chunked::whole(algorithm, vec![0; length].into()).iter().map(Bytes::len).sum();
            prop_assert_eq!(Chunked::encoded_length(algorithm, length as u64), body as u64);
        }
    }
}
