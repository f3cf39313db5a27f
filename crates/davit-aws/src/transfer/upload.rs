//! Files and streams to objects.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    Object, Part, Sent, Settings, Transfer, file_error, known, number, parts, side_by_side,
};
use crate::{
    checksum::When,
    client::{Call, Output},
    connection::{Body, FilePart, Pieces},
    error::Error,
    value::{Map, Value},
};

/// What of a file must not change while it goes over.
type Stamp = (u64, Option<SystemTime>);

fn stamp(path: &Path) -> Result<Stamp, Error> {
    let found = fs::metadata(path).map_err(|source| file_error(path, source))?;
    Ok((found.len(), found.modified().ok()))
}

fn unchanged(path: &Path, before: Stamp) -> Result<(), Error> {
    if stamp(path)? == before {
        return Ok(());
    }
    Err(Error::Changed { what: path.display().to_string(), doing: "sent" })
}

/// Checksums of a part, which its answer has and the end of the upload wants.
const CHECKSUMS: &[&str] =
    &["ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256"];

impl Transfer {
    /// Puts a file where an object is to be. `extra` are further parameters, of `PutObject` and of what
    /// goes in parts: `ContentType`, `Metadata` ...
    ///
    /// # Errors
    ///
    /// When the file cannot be read or changes meanwhile, or the service says no. What was begun in
    /// parts is taken back, but for `Settings::resume`. When nobody waits for the end, `take_back` does it.
    pub async fn upload(&self, path: &Path, to: &Object, extra: &Map) -> Result<(), Error> {
        let before = stamp(path)?;
        let (size, _) = before;
        if size < self.settings.threshold.max(1) {
            let mut params = known(&self.client, "PutObject", extra)?;
            params.extend(to.place());
            let body = Body::File(FilePart { path: path.to_owned(), from: 0, length: size });
            self.send("PutObject", &params, &body).await?;
            unchanged(path, before)?;
            (self.settings.progress)(size);
            return Ok(());
        }
        let part = self.settings.part_for(size);
        let all = parts(size, part);
        let (upload, done) = match self.begun(to, path, &all).await? {
            Some(begun) => begun,
            None => (self.begin(to, extra).await?, HashMap::new()),
        };
        let outcome = self.send_parts(path, to, &upload, all, done, extra, before).await;
        let outcome = outcome.map(|parts| Sent { size, parts });
        self.end(to, &upload, outcome, extra).await
    }

    #[expect(clippy::too_many_arguments, reason = "all of it belongs to one upload")]
    async fn send_parts(
        &self,
        path: &Path,
        to: &Object,
        upload: &str,
        all: Vec<Part>,
        done: HashMap<u64, Map>,
        extra: &Map,
        before: Stamp,
    ) -> Result<Vec<(u64, Map)>, Error> {
        let (there, missing): (Vec<Part>, Vec<Part>) =
            all.into_iter().partition(|it| done.contains_key(&it.number));
        there.iter().for_each(|it| (self.settings.progress)(it.length));
        let mut sent = side_by_side(missing, self.settings.parallel, |part| async move {
            let file = FilePart { path: path.to_owned(), from: part.from, length: part.length };
            let output = self.part(to, upload, part.number, Body::File(file), extra).await?;
            (self.settings.progress)(part.length);
            Ok((part.number, output))
        })
        .await?;
        unchanged(path, before)?;
        sent.extend(done);
        Ok(sent)
    }

    /// Puts what comes piece by piece where an object is to be.
    ///
    /// # Errors
    ///
    /// When the pieces cannot be read, or the service says no.
    pub async fn upload_stream(
        &self,
        pieces: Pieces,
        to: &Object,
        extra: &Map,
    ) -> Result<(), Error> {
        let size = usize::try_from(self.settings.part_for(0)).unwrap_or(usize::MAX);
        let mut chunks = pin!(in_parts(pieces, size));
        let first = chunks.next().await.transpose()?.unwrap_or_default();
        if first.len() < size {
            let mut params = known(&self.client, "PutObject", extra)?;
            params.extend(to.place());
            let length = first.len() as u64;
            self.send("PutObject", &params, &Body::Bytes(first)).await?;
            (self.settings.progress)(length);
            return Ok(());
        }
        let upload = self.begin(to, extra).await?;
        let whole = AtomicU64::new(0);
        let numbered = stream::once(async { Ok(first) }).chain(chunks).zip(stream::iter(1..));
        let sending = numbered
            .map(|(chunk, number)| {
                let (upload, whole) = (upload.as_str(), &whole);
                async move {
                    let chunk: Bytes = chunk?;
                    let length = chunk.len() as u64;
                    let output = self.part(to, upload, number, Body::Bytes(chunk), extra).await?;
                    whole.fetch_add(length, Ordering::Relaxed);
                    (self.settings.progress)(length);
                    Ok::<_, Error>((number, output))
                }
            })
            .buffer_unordered(self.settings.parallel.max(1));
        let outcome: Result<_, Error> = sending.try_collect().await;
        let outcome = outcome.map(|parts| Sent { size: whole.load(Ordering::Relaxed), parts });
        self.end(to, &upload, outcome, extra).await
    }

    async fn begin(&self, to: &Object, extra: &Map) -> Result<String, Error> {
        let mut params = known(&self.client, "CreateMultipartUpload", extra)?;
        if let Some(name) = whole_checksum(extra) {
            let algorithm = name.trim_start_matches("Checksum");
            params.insert("ChecksumAlgorithm".to_owned(), algorithm.into());
            params.insert("ChecksumType".to_owned(), "FULL_OBJECT".into());
        } else if self.client.request_checksums(self.client.service("s3")?)? == When::Supported {
            // S3 wants to know beforehand which checksum the parts will have.
            params.entry("ChecksumAlgorithm".to_owned()).or_insert_with(|| "CRC32".into());
        }
        params.extend(to.place());
        self.open(to, params, extra).await
    }

    #[expect(clippy::too_many_arguments, reason = "all of it names one part")]
    async fn part(
        &self,
        to: &Object,
        upload: &str,
        number: u64,
        body: Body,
        extra: &Map,
    ) -> Result<Map, Error> {
        let mut params = known(&self.client, "UploadPart", extra)?;
        // These are of the whole.
        params.retain(|name, _| {
            !CHECKSUMS.contains(&name.as_str()) && name != "ContentMD5" && name != "ContentLength"
        });
        if let Some(name) = whole_checksum(extra) {
            let algorithm = name.trim_start_matches("Checksum");
            params.insert("ChecksumAlgorithm".to_owned(), algorithm.into());
        }
        params.extend(to.place());
        params.insert("UploadId".to_owned(), upload.into());
        params.insert("PartNumber".to_owned(), i64::try_from(number).unwrap_or(i64::MAX).into());
        Ok(named(&self.send("UploadPart", &params, &body).await?.values))
    }

    /// Sends what can be sent again.
    async fn send(&self, operation: &str, params: &Map, body: &Body) -> Result<Output, Error> {
        self.patiently(|| {
            let call = Call::new("s3", operation, params.clone());
            self.client.run(call.body(body.again().unwrap_or_default()))
        })
        .await
    }

    /// An upload of the same object that was cut off, and those of its parts that are what the file
    /// has there.
    async fn begun(
        &self,
        to: &Object,
        path: &Path,
        all: &[Part],
    ) -> Result<Option<(String, HashMap<u64, Map>)>, Error> {
        if !self.settings.resume {
            return Ok(None);
        }
        let mut params = Map::new();
        params.insert("Bucket".to_owned(), to.bucket.as_str().into());
        params.insert("Prefix".to_owned(), to.key.as_str().into());
        let uploads = match self.client.all("s3", "ListMultipartUploads", params).await {
            Ok(uploads) => uploads,
            // There are servers that cannot tell: then all of it goes.
            Err(error) if error.code() == Some("NotImplemented") => return Ok(None),
            Err(error) => return Err(error),
        };
        let of_key = |it: &&Value| it.get("Key").and_then(Value::as_str) == Some(&to.key);
        let uploads = uploads.get("Uploads").map(Value::items).unwrap_or_default();
        let Some(found) = uploads.iter().rfind(of_key) else { return Ok(None) };
        let upload = found.get("UploadId").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut params = to.place();
        params.insert("UploadId".to_owned(), upload.as_str().into());
        let listed = self.client.all("s3", "ListParts", params).await?;
        let mut done = HashMap::new();
        for part in listed.get("Parts").map(Value::items).unwrap_or_default() {
            let place = number(part.get("PartNumber"));
            let Some(wanted) = all.iter().find(|it| it.number == place) else { continue };
            let etag = part.get("ETag").and_then(Value::as_str).unwrap_or_default();
            if number(part.get("Size")) == wanted.length
                && let Some(map) = part.as_map()
                && etag.trim_matches('"') == digest(path, *wanted).await?
            {
                done.insert(place, named(map));
            }
        }
        Ok(Some((upload, done)))
    }
}

/// The checksum of the whole object that was given, by its name.
pub(super) fn whole_checksum(extra: &Map) -> Option<&'static str> {
    CHECKSUMS.iter().copied().find(|it| extra.contains_key(*it))
}

/// What of a part's answer names it.
fn named(values: &Map) -> Map {
    let wanted = values.iter().filter(|(name, value)| {
        (name.as_str() == "ETag" || CHECKSUMS.contains(&name.as_str())) && **value != Value::Null
    });
    wanted.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The MD5 of a part of a file, in hexadecimal: what the tag of a part is, unless it is encrypted with a key of the
/// customer's or of KMS. A part whose tag is something else is sent again.
async fn digest(path: &Path, part: Part) -> Result<String, Error> {
    use std::io::{Read, Seek, SeekFrom};

    use md5::Digest;
    let path = Arc::<Path>::from(path);
    let read = {
        let path = Arc::clone(&path);
        move || -> std::io::Result<String> {
            let mut file = fs::File::open(&path)?;
            file.seek(SeekFrom::Start(part.from))?;
            let mut rest = file.take(part.length);
            let mut hasher = md5::Md5::new();
            let mut buffer = vec![0; 256 << 10];
            loop {
                match rest.read(&mut buffer)? {
                    0 => return Ok(crate::sign::hex(&hasher.finalize())),
                    size => hasher.update(&buffer[..size]),
                }
            }
        }
    };
    let outcome = tokio::task::spawn_blocking(read).await;
    outcome
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(|source| file_error(&path, source))
}

/// Pieces of any length as parts of one length, but for the last. After a thousand parts they double.
fn in_parts(pieces: Pieces, size: usize) -> impl futures_util::Stream<Item = Result<Bytes, Error>> {
    let state = (pieces, BytesMut::new(), 0, false);
    stream::unfold(state, move |(mut pieces, mut held, count, ended)| async move {
        if ended {
            return None;
        }
        // Nobody knows how much will come, and there may be 10,000 parts at most.
        let size = size << (count / 1_000).min(9);
        loop {
            if held.len() >= size {
                let part = held.split_to(size).freeze();
                return Some((Ok(part), (pieces, held, count + 1, false)));
            }
            match pieces.next().await {
                Some(Ok(piece)) => held.extend_from_slice(&piece),
                Some(Err(source)) => {
                    let error = crate::connection::TransportError::Body { source };
                    return Some((Err(error.into()), (pieces, held, count, true)));
                }
                None if held.is_empty() => return None,
                None => {
                    let part = held.split().freeze();
                    return Some((Ok(part), (pieces, held, count, true)));
                }
            }
        }
    })
}

impl Settings {
    /// The same, telling a progress.
    #[must_use]
    pub fn telling(self, progress: super::Progress) -> Self {
        Self { progress, ..self }
    }
}
