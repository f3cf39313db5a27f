//! An answer as far as it was read: whole, or a head with a body that is still to come.

use bytes::Bytes;

use super::Output;
use crate::{
    checksum::Verifier,
    connection::Answer,
    error::Error,
    event_stream::{self, Decoder},
    model::{Operation, Service},
    parse,
    value::{Map, Value},
};

/// Whose answer it is.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    pub(super) service: &'static Service,
    pub(super) operation: &'static Operation,
    pub(super) attempt: u32,
}

/// An answer whose head was read.
pub struct Opened {
    parts: Parts,
    output: Output,
    body: Option<Streamed>,
}

struct Streamed {
    answer: Answer,
    verifier: Option<Verifier>,
    decoder: Decoder,
    kind: parse::Body,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Opened")
            .field("operation", &self.parts.operation.name)
            .finish_non_exhaustive()
    }
}

impl Opened {
    pub(super) fn whole(parts: Parts, output: parse::Output) -> Self {
        let parse::Output { values, mut metadata } = output;
        metadata.retry_attempts = parts.attempt.saturating_sub(1);
        let output = Output { values, metadata, attempts: parts.attempt };
        Self { parts, output, body: None }
    }

    pub(super) fn stream(
        parts: Parts,
        answer: Answer,
        verifier: Option<Verifier>,
    ) -> Result<Self, Error> {
        let head = parse::head(parts.service, parts.operation, answer.status, &answer.headers)?;
        let parse::Head { values, mut metadata, body: kind } = head;
        metadata.retry_attempts = parts.attempt.saturating_sub(1);
        let output = Output { values, metadata, attempts: parts.attempt };
        let body = Streamed { answer, verifier, decoder: Decoder::default(), kind };
        Ok(Self { parts, output, body: Some(body) })
    }

    /// What was read: everything but a body that is streamed.
    #[must_use]
    pub const fn output(&self) -> &Output {
        &self.output
    }

    /// The name of the member that is streamed, if there is one.
    #[must_use]
    pub fn streams(&self) -> Option<&'static str> {
        match self.body.as_ref()?.kind {
            parse::Body::Whole => None,
            parse::Body::Stream(member) | parse::Body::Events(member) => Some(member),
        }
    }

    /// How long a streamed body is, where that is said.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.body.as_ref().and_then(|it| it.answer.length())
    }

    /// The next piece of a streamed body; nothing at its end, or where nothing is streamed.
    ///
    /// # Errors
    ///
    /// When the connection breaks off, or the body is not what its checksum says: that is known when the last
    /// piece was read.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(body) = &mut self.body else { return Ok(None) };
        let chunk = body.answer.chunk().await?;
        match (&chunk, &mut body.verifier) {
            (Some(bytes), Some(verifier)) => verifier.update(bytes),
            (None, verifier) => {
                if let Some(verifier) = verifier.take() {
                    verifier.finish()?;
                }
            }
            _ => {}
        }
        Ok(chunk)
    }

    /// The next event of a stream of events: a map of one member, the event's name; nothing at its end.
    ///
    /// # Errors
    ///
    /// When the stream breaks off, cannot be read, or carries an error of the service.
    pub async fn event(&mut self) -> Result<Option<Map>, Error> {
        let Parts { service, operation, .. } = self.parts;
        let Some(body) = &mut self.body else { return Ok(None) };
        loop {
            while let Some(message) = body.decoder.next_message()? {
                match event_stream::event(service, operation, &message)? {
                    event_stream::Event::Member { name, value } => {
                        return Ok(Some(Map::from_iter([(name.to_owned(), Value::Map(value))])));
                    }
                    event_stream::Event::Initial(values) => self.output.values.extend(values),
                    event_stream::Event::Error(error) => return Err((*error).into()),
                    event_stream::Event::Unknown(_) => {}
                }
            }
            match body.answer.chunk().await? {
                Some(bytes) => body.decoder.push(&bytes),
                None => {
                    body.decoder.finish()?;
                    return Ok(None);
                }
            }
        }
    }

    /// Everything, with a streamed body of at most `most` bytes in its place; events as a list.
    ///
    /// # Errors
    ///
    /// As for `chunk`, and when the body is larger.
    pub async fn read(mut self, most: usize) -> Result<Output, Error> {
        let Some(member) = self.streams() else { return Ok(self.output) };
        let kind = self.body.as_ref().map(|it| it.kind);
        let value = if matches!(kind, Some(parse::Body::Events(_))) {
            let mut events = Vec::new();
            while let Some(event) = self.event().await? {
                events.push(Value::Map(event));
            }
            Value::List(events)
        } else {
            let mut whole = bytes::BytesMut::new();
            while let Some(chunk) = self.chunk().await? {
                if whole.len() + chunk.len() > most {
                    let reason = "gives more than is kept in memory: read it piece by piece";
                    return Err(Error::Unfit { operation: self.parts.operation.name, reason });
                }
                whole.extend_from_slice(&chunk);
            }
            Value::Blob(whole.freeze())
        };
        self.output.values.insert(member.to_owned(), value);
        Ok(self.output)
    }
}
