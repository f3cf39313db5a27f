//! The end of an upload in parts: they are put together, or taken back.

use std::time::Duration;

use md5::Digest as _;

use super::{Known, Object, Sent, Transfer, known, upload::whole_checksum};
use crate::{
    client::Output,
    error::Error,
    time,
    value::{Map, Value},
};

impl Transfer {
    /// Puts the parts together, or takes them back.
    pub(super) async fn end(
        &self,
        to: &Object,
        upload: &str,
        outcome: Result<Sent, Error>,
        extra: &Map,
    ) -> Result<(), Error> {
        let outcome = match outcome {
            Ok(sent) => self.put_together(to, upload, sent, extra).await,
            Err(error) => Err(error),
        };
        let undo = self.close(upload).filter(|_| outcome.is_err() && !self.settings.resume);
        if let Some(undo) = undo {
            // The error that counts is the first one.
            drop(self.client.call("s3", "AbortMultipartUpload", undo).await);
        }
        outcome
    }

    async fn put_together(
        &self,
        to: &Object,
        upload: &str,
        sent: Sent,
        extra: &Map,
    ) -> Result<(), Error> {
        let Sent { size, mut parts } = sent;
        let mut params = known(&self.client, "CompleteMultipartUpload", extra)?;
        params.extend(to.place());
        params.insert("UploadId".to_owned(), upload.into());
        if whole_checksum(extra).is_some() {
            params.insert("ChecksumType".to_owned(), "FULL_OBJECT".into());
        }
        parts.sort_by_key(|(number, _)| *number);
        let tag = tag(&parts);
        let parts = parts.into_iter().map(|(number, mut part)| {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            part.insert("PartNumber".to_owned(), number.into());
            Value::Map(part)
        });
        let parts = Map::from_iter([("Parts".to_owned(), Value::List(parts.collect()))]);
        params.insert("MultipartUpload".to_owned(), Value::Map(parts));
        let (mut patience, mut repeated) = (self.patience(), false);
        loop {
            let outcome = self.client.call("s3", "CompleteMultipartUpload", params.clone()).await;
            let Err(error) = outcome else { return Ok(()) };
            let said = error.service();
            repeated = repeated || said.is_some_and(|it| it.metadata.retry_attempts > 0);
            // The answer to an earlier attempt may have been lost.
            if repeated
                && error.code() == Some("NoSuchUpload")
                && let Some(head) = self.head(to, extra).await?
                && (is_tagged(&head, tag.as_deref()) || is_new(&head, size, self.age(upload)))
            {
                return Ok(());
            }
            patience.wait(error).await?;
            repeated = true;
        }
    }

    /// What is where the object is to be; nothing where that cannot be told.
    async fn head(&self, to: &Object, extra: &Map) -> Result<Option<Output>, Error> {
        let mut params = known(&self.client, "HeadObject", extra)?;
        // Conditions are about what was there before.
        params.retain(|name, _| !name.starts_with("If"));
        params.extend(to.place());
        Ok(self.client.call("s3", "HeadObject", params).await.ok())
    }
}

/// The tag of an object that is put together of parts whose tags are MD5 sums.
fn tag(parts: &[(u64, Map)]) -> Option<String> {
    let mut hasher = md5::Md5::new();
    for (_, part) in parts {
        let text = part.get("ETag").and_then(Value::as_str)?.trim_matches('"');
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        for at in (0..text.len()).step_by(2) {
            hasher.update([u8::from_str_radix(&text[at..at + 2], 16).ok()?]);
        }
    }
    Some(format!("{}-{}", crate::sign::hex(&hasher.finalize()), parts.len()))
}

fn is_tagged(head: &Output, tag: Option<&str>) -> bool {
    let found = head.get("ETag").and_then(Value::as_str).map(|it| it.trim_matches('"'));
    found.is_some() && found == tag
}

/// Whether an object is of this size and no older than the upload, by the clock of the server. Where parts are
/// encrypted their tags do not tell that of the whole.
fn is_new(head: &Output, size: u64, age: Option<Duration>) -> bool {
    let (Some(age), Some(Value::Timestamp(modified))) = (age, head.get("LastModified")) else {
        return false;
    };
    let Some(now) = head.metadata.headers.get("date").and_then(time::parse) else { return false };
    let age = jiff::SignedDuration::try_from(age).unwrap_or(jiff::SignedDuration::MAX);
    // Both times are told in whole seconds.
    let most = age.saturating_add(jiff::SignedDuration::from_secs(1));
    Known::of(head).size == size && now.duration_since(*modified) <= most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_made_of_those_of_the_parts() {
        let part = |tag: &str| (1, Map::from_iter([("ETag".to_owned(), Value::from(tag))]));
        // What S3 gives two parts of nothing.
        let empty = "\"d41d8cd98f00b204e9800998ecf8427e\"";
        let made = tag(&[part(empty)]);
        assert_eq!(made.as_deref(), Some("59adb24ef3cdbe0297f05b395827453f-1"));
        for odd in ["", "short", "\"d41d8cd98f00b204e9800998ecf8427\u{e9}\"", &"z".repeat(32)] {
            assert_eq!(tag(&[part(empty), part(odd)]), None, "{odd}");
        }
    }
}
