//! Objects to objects, without their coming by here.

use super::{Known, Object, Sent, Transfer, known, parts, side_by_side};
use crate::{
    client::Output,
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
        let head = self.client.call("s3", "HeadObject", of_source(from, extra)).await?;
        let size = Known::of(&head).size;
        if size <= AT_ONCE {
            return self.copy_at_once(from, to, extra, size).await;
        }
        self.copy_parts(from, to, extra, &head).await
    }

    /// Copies an object of a size that is known.
    ///
    /// # Errors
    ///
    /// When the service says no.
    pub async fn copy_known(
        &self,
        from: &Object,
        to: &Object,
        extra: &Map,
        size: u64,
    ) -> Result<(), Error> {
        if size <= AT_ONCE {
            return self.copy_at_once(from, to, extra, size).await;
        }
        self.copy(from, to, extra).await
    }

    async fn copy_at_once(
        &self,
        from: &Object,
        to: &Object,
        extra: &Map,
        size: u64,
    ) -> Result<(), Error> {
        let mut params = known(&self.client, "CopyObject", extra)?;
        params.extend(to.place());
        params.insert("CopySource".to_owned(), Value::Map(from.params()));
        self.client.call("s3", "CopyObject", params).await?;
        (self.settings.progress)(size);
        Ok(())
    }

    async fn copy_parts(
        &self,
        from: &Object,
        to: &Object,
        extra: &Map,
        head: &Output,
    ) -> Result<(), Error> {
        let Known { size, etag } = Known::of(head);
        let source = Value::Map(from.params());
        let mut params = known(&self.client, "CreateMultipartUpload", extra)?;
        if extra.get("MetadataDirective").and_then(Value::as_str) != Some("REPLACE") {
            for name in DESCRIBING {
                if let Some(value) = head.get(name) {
                    params.entry((*name).to_owned()).or_insert_with(|| value.clone());
                }
            }
        }
        params.extend(to.place());
        let upload = self.open(to, params, extra).await?;
        let (source, upload_id, etag) = (&source, upload.as_str(), etag.unwrap_or_default());
        let etag = etag.as_str();
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
            let output =
                self.patiently(|| self.client.call("s3", "UploadPartCopy", params.clone())).await?;
            (self.settings.progress)(part.length);
            let copied = output.get("CopyPartResult").and_then(Value::as_map).cloned();
            let mut named = copied.unwrap_or_default();
            named.shift_remove("LastModified");
            Ok((part.number, named))
        })
        .await;
        let outcome = outcome.map(|parts| Sent { size, parts });
        self.end(to, upload_id, outcome, extra).await
    }
}

/// The parameters of `HeadObject` for the source of a copy. Its key is another than that of what it becomes.
fn of_source(from: &Object, extra: &Map) -> Map {
    let mut params = from.params();
    for (name, value) in extra {
        match name.strip_prefix("CopySource") {
            Some(name) if name.starts_with("SSECustomer") => {
                params.insert(name.to_owned(), value.clone());
            }
            None if name == "RequestPayer" => {
                params.insert(name.clone(), value.clone());
            }
            _ => {}
        }
    }
    params
}
