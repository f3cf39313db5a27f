//! Objects to objects, without their coming by here.

use super::{Object, Transfer, known, number, parts, side_by_side, upload::text};
use crate::{
    error::Error,
    value::{Map, Value},
};

/// What is larger is copied in parts: S3 takes 5 GiB at once.
const AT_ONCE: u64 = 5 << 30;
/// The parts of a copy, which need not come by here.
const PART: u64 = 512 << 20;

/// What describes an object, which a copy in parts does not take along on its own.
const DESCRIBING: &[&str] = &[
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Metadata",
];

impl Transfer {
    /// Copies an object. `extra` are further parameters of `CopyObject`.
    ///
    /// # Errors
    ///
    /// When the service says no.
    pub async fn copy(&self, from: &Object, to: &Object, extra: &Map) -> Result<(), Error> {
        let head = self.client.call("s3", "HeadObject", from.params()).await?;
        let size = number(head.get("ContentLength"));
        let source = Value::Map(from.params());
        if size <= AT_ONCE {
            let mut params = known(&self.client, "CopyObject", extra)?;
            params.extend(to.place());
            params.insert("CopySource".to_owned(), source);
            self.client.call("s3", "CopyObject", params).await?;
            (self.settings.progress)(size);
            return Ok(());
        }
        let mut params = known(&self.client, "CreateMultipartUpload", extra)?;
        if extra.get("MetadataDirective").and_then(Value::as_str) != Some("REPLACE") {
            for name in DESCRIBING {
                if let Some(value) = head.get(name) {
                    params.entry((*name).to_owned()).or_insert_with(|| value.clone());
                }
            }
        }
        params.extend(to.place());
        let begun = self.client.call("s3", "CreateMultipartUpload", params).await?;
        let upload = text(&begun, "UploadId");
        let etag = text(&head, "ETag");
        let (source, upload_id, etag) = (&source, upload.as_str(), etag.as_str());
        let all = parts(size, self.settings.part_for(size).max(PART));
        let outcome = side_by_side(all, self.settings.parallel, |part| async move {
            let mut params = known(&self.client, "UploadPartCopy", extra)?;
            params.extend(to.place());
            let last = part.from + part.length - 1;
            params.insert("UploadId".to_owned(), upload_id.into());
            params.insert("PartNumber".to_owned(), i64::try_from(part.number).unwrap_or(0).into());
            params.insert("CopySource".to_owned(), source.clone());
            params.insert("CopySourceIfMatch".to_owned(), etag.into());
            params
                .insert("CopySourceRange".to_owned(), format!("bytes={}-{last}", part.from).into());
            let output = self.client.call("s3", "UploadPartCopy", params).await?;
            (self.settings.progress)(part.length);
            let copied = output.get("CopyPartResult").and_then(Value::as_map).cloned();
            let mut named = copied.unwrap_or_default();
            named.shift_remove("LastModified");
            Ok((part.number, named))
        })
        .await;
        self.end(to, upload_id, outcome, extra).await
    }
}
