//! Which checksum a request is given, and which of an answer is looked at: as botocore does since
//! 2025. Knows no configuration file and no wire.

use super::{Algorithm, ChecksumError, Chunked, Hasher};
use crate::{
    http::{Headers, Request},
    model::{Kind, Operation, Service, Structure},
    value::{Map, Value},
};

/// When there is a checksum, where an operation may have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// Always: `when_supported`.
    #[default]
    Supported,
    /// Where the operation cannot do without, or it is asked for: `when_required`.
    Required,
}

/// What decides about the checksum of a request besides its operation.
#[derive(Debug, Clone, Copy)]
pub struct RequestSettings {
    /// `request_checksum_calculation`.
    pub calculation: When,
    /// A checksum may come behind a body. It goes over TLS only, since such bodies are not signed.
    pub trailers: bool,
}

impl Default for RequestSettings {
    fn default() -> Self {
        Self { calculation: When::Supported, trailers: true }
    }
}

/// The checksum that a request is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Which.
    pub algorithm: Algorithm,
    /// Where it stands.
    pub place: Place,
    /// The header that names the algorithm, where the input does not.
    pub named_in: Option<&'static str>,
}

/// Where the checksum of a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a header.
    Header,
    /// Behind the body, which is sent in the encoding `aws-chunked`.
    Trailer,
}

/// What checksum a request is given, which is complete but for that. None if it has one already. An
/// address that is presigned has none, so nobody has to ask.
///
/// # Errors
///
/// When the input asks for an algorithm that is not known.
pub fn resolve_request(
    service: &Service,
    operation: &Operation,
    input: &Value,
    request: &Request,
    settings: &RequestSettings,
) -> Result<Option<Plan>, ChecksumError> {
    if request.headers.iter().any(|(name, _)| is_checksum(name)) {
        return Ok(None);
    }
    let traits = operation.http_checksum.as_ref();
    let member = traits.and_then(|it| it.algorithm_member);
    let required = operation.checksum_required || traits.is_some_and(|it| it.required);
    let asked = member.and_then(|member| input.get(member)).and_then(Value::as_str);
    let (algorithm, named_in) = if let Some(name) = asked {
        let unknown = || ChecksumError::Unknown { name: name.to_owned() };
        (Algorithm::of(name).ok_or_else(unknown)?, None)
    } else if required || (member.is_some() && settings.calculation == When::Supported) {
        let member = member.and_then(|name| input_of(service, operation)?.member(name));
        (Algorithm::Crc32, member.and_then(|it| it.traits.location_name))
    } else {
        return Ok(None);
    };
    let trailer =
        settings.trailers && request.scheme == "https" && takes_stream(service, operation);
    let place = if trailer { Place::Trailer } else { Place::Header };
    Ok(Some(Plan { algorithm, place, named_in }))
}

/// Whether the body of an operation is bytes that the caller gives, and may so be a stream.
#[must_use]
pub fn takes_stream(service: &Service, operation: &Operation) -> bool {
    input_of(service, operation)
        .and_then(|input| input.member(input.payload?))
        .is_some_and(|payload| matches!(service.shape(payload.shape).kind, Kind::Blob { .. }))
}

fn input_of<'a>(service: &'a Service, operation: &Operation) -> Option<&'a Structure> {
    service.structure(operation.input?)
}

/// Whether a header holds a checksum, or says something of one.
fn is_checksum(header: &str) -> bool {
    const PREFIX: &str = "x-amz-checksum-";
    let (Some(head), Some(tail)) = (header.get(..PREFIX.len()), header.get(PREFIX.len()..)) else {
        return false;
    };
    head.eq_ignore_ascii_case(PREFIX) && tail.bytes().all(|it| it.is_ascii_alphanumeric())
}

impl Plan {
    /// Makes the checksum of the request's body and puts it into its header.
    pub fn put_header(&self, request: &mut Request) {
        let value = self.algorithm.of_bytes(&request.body);
        self.put_value(request, value);
    }

    /// Puts a checksum into its header that was made of a body which is streamed.
    pub fn put_value(&self, request: &mut Request, value: String) {
        request.headers.set(self.algorithm.header(), value);
        self.put_name(request);
    }

    /// Makes the headers of a request ready for a checksum behind its body, and gives what the body
    /// has to go through. `length` is the body's, if that is known; then the length of what is sent
    /// is known too, and it need not be sent in chunks of HTTP besides.
    pub fn put_trailer(&self, request: &mut Request, length: Option<u64>) -> Chunked {
        let headers = &mut request.headers;
        let encoding = match headers.get("Content-Encoding") {
            Some(known) => format!("{known},aws-chunked"),
            None => "aws-chunked".to_owned(),
        };
        headers.set("Content-Encoding", encoding);
        headers.set("X-Amz-Trailer", self.algorithm.header());
        if let Some(length) = length {
            headers.set("X-Amz-Decoded-Content-Length", length.to_string());
            let encoded = Chunked::encoded_length(self.algorithm, length);
            headers.set("Content-Length", encoded.to_string());
        } else {
            headers.remove("Content-Length");
            headers.set("Transfer-Encoding", "chunked");
        }
        self.put_name(request);
        Chunked::new(self.algorithm, length)
    }

    fn put_name(&self, request: &mut Request) {
        if let Some(name) = self.named_in {
            request.headers.set(name, self.algorithm.name());
        }
    }
}

/// Asks for the checksum of the answer, where the operation has a member for that and the input says
/// nothing of it.
pub fn ask_for_checksum(operation: &Operation, input: &mut Map, validation: When) {
    let member = operation.http_checksum.as_ref().and_then(|it| it.validation_member);
    if let Some(member) = member
        && validation == When::Supported
        && input.get(member).is_none_or(|it| *it == Value::Null)
    {
        input.insert(member.to_owned(), "ENABLED".into());
    }
}

/// What an answer's body is held against, if the input asked for that and the answer has something.
/// A checksum of the parts' checksums (`...-3`) says nothing of the body and is passed over.
#[must_use]
pub fn resolve_response(
    operation: &Operation,
    input: &Value,
    answer: &Headers,
) -> Option<Verifier> {
    let traits = operation.http_checksum.as_ref().filter(|it| it.of_response)?;
    input.get(traits.validation_member?)?;
    Algorithm::ALL.into_iter().find_map(|algorithm| {
        let expected = answer.get(algorithm.header()).filter(|it| !it.contains('-'))?.to_owned();
        Some(Verifier { hasher: algorithm.hasher(), expected })
    })
}

/// Holds a body against the checksum that came along with it.
#[derive(Debug)]
pub struct Verifier {
    hasher: Hasher,
    expected: String,
}

impl Verifier {
    /// Which checksum it is.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.hasher.algorithm
    }

    /// Takes the next bytes of the body.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// Whether the body was the right one.
    ///
    /// # Errors
    ///
    /// When it was not.
    pub fn finish(self) -> Result<(), ChecksumError> {
        let algorithm = self.algorithm().name();
        let found = self.hasher.finish();
        if found == self.expected.trim() {
            return Ok(());
        }
        Err(ChecksumError::Mismatch { algorithm, expected: self.expected, found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_hold_checksums_are_known() {
        for (header, expected) in [
            ("x-amz-checksum-crc32", true),
            ("X-Amz-Checksum-SHA256", true),
            ("x-amz-checksum-", true),
            ("x-amz-checksum-type", true),
            ("x-amz-sdk-checksum-algorithm", false),
            ("x-amz-checksum-crc-32", false),
            ("x-amz-checksum\u{e9}-", false),
        ] {
            assert_eq!(is_checksum(header), expected, "{header}");
        }
    }

    #[test]
    fn bodies_are_held_against_their_checksum() {
        let verifier =
            || Verifier { hasher: Algorithm::Crc32.hasher(), expected: "NhCmhg==".to_owned() };
        let mut right = verifier();
        right.update(b"hel");
        right.update(b"lo");
        right.finish().expect("the same");
        let mut wrong = verifier();
        wrong.update(b"hell");
        let error = wrong.finish().expect_err("something is missing").to_string();
        assert!(error.contains("CRC32 is") && error.contains("not NhCmhg=="), "{error}");
    }
}
