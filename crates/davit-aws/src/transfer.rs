//! Objects of S3 to files and back: in parts side by side where they are large, so that a part that
//! fails is sent again alone and what was cut off is gone on with. Prints nothing.

mod complete;
mod copy;
mod download;
mod patience;
mod upload;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt, stream};

pub use self::patience::Notice;

use crate::{
    client::{Client, Output},
    error::Error,
    value::{Map, Value},
};

/// An object of S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The bucket, or the ARN of an access point.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The version; the newest without it.
    pub version: Option<String>,
}

impl Object {
    /// The newest version of an object.
    #[must_use]
    pub fn new(bucket: &str, key: &str) -> Self {
        Self { bucket: bucket.to_owned(), key: key.to_owned(), version: None }
    }

    /// The parameters that name the place where it is, or is to be.
    fn place(&self) -> Map {
        let mut params = Map::new();
        params.insert("Bucket".to_owned(), self.bucket.as_str().into());
        params.insert("Key".to_owned(), self.key.as_str().into());
        params
    }

    /// The parameters that name it.
    fn params(&self) -> Map {
        let mut params = self.place();
        if let Some(version) = &self.version {
            params.insert("VersionId".to_owned(), version.as_str().into());
        }
        params
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "s3://{}/{}", self.bucket, self.key)
    }
}

/// What is known of an object before it is asked for: from a list, or from its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// How long it is.
    pub size: u64,
    /// Its `ETag`; another object in its place is not taken for it then.
    pub etag: Option<String>,
}

impl Known {
    fn of(head: &Output) -> Self {
        let etag = head.get("ETag").and_then(Value::as_str).map(str::to_owned);
        Self { size: number(head.get("ContentLength")), etag }
    }
}

/// What is told while bytes go over: how many more did.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// How objects go over.
#[derive(Clone)]
pub struct Settings {
    /// What is as large or larger goes in parts: 8 MiB.
    pub threshold: u64,
    /// How large a part is: 8 MiB, and more where there would be over 10,000.
    pub part: u64,
    /// How many parts go side by side: 10.
    pub parallel: usize,
    /// What was begun before and cut off is gone on with, and what is cut off is left to be gone on with.
    pub resume: bool,
    /// What is told of the progress.
    pub progress: Progress,
    /// How long is waited before something is tried again that failed in a way that passes, after all
    /// attempts of the client: 1 s, then twice and four times as long.
    pub patience: Duration,
    /// What is told when that happens for the first time.
    pub notice: Notice,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Settings")
            .field("threshold", &self.threshold)
            .field("part", &self.part)
            .field("parallel", &self.parallel)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threshold: 8 << 20,
            part: 8 << 20,
            parallel: 10,
            resume: false,
            progress: Arc::new(|_| {}),
            patience: Duration::from_secs(1),
            notice: Arc::new(|_| {}),
        }
    }
}

/// S3 takes no more parts.
const MOST_PARTS: u64 = 10_000;
/// S3 takes no smaller ones, but for the last.
const SMALLEST_PART: u64 = 5 << 20;

impl Settings {
    /// The size of the parts of something so large.
    fn part_for(&self, size: u64) -> u64 {
        self.part.max(SMALLEST_PART).max(size.div_ceil(MOST_PARTS))
    }

    /// The same, with parts that are large enough for a stream of this size.
    #[must_use]
    pub fn for_size(self, size: u64) -> Self {
        Self { part: self.part_for(size), ..self }
    }
}

/// An upload in parts.
#[derive(Debug)]
struct Begun {
    id: String,
    /// The parameters that take it back.
    undo: Map,
    since: Instant,
}

/// What an upload in parts is put together of.
struct Sent {
    size: u64,
    parts: Vec<(u64, Map)>,
}

/// Moves objects.
#[derive(Debug, Clone)]
pub struct Transfer {
    client: Client,
    settings: Settings,
    /// The uploads in parts that have no end yet.
    begun: Arc<Mutex<Vec<Begun>>>,
    line: Arc<patience::Line>,
}

impl Transfer {
    /// Moves objects with a client.
    #[must_use]
    pub fn new(client: Client, settings: Settings) -> Self {
        Self { client, settings, begun: Arc::default(), line: Arc::default() }
    }

    /// The client.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Takes back the uploads in parts that nobody goes on with, because nobody waited for their end.
    /// What is left to be gone on with (`Settings::resume`) stays. What cannot be taken back is left.
    pub async fn take_back(&self) {
        let begun = std::mem::take(&mut *self.open_uploads());
        if self.settings.resume {
            return;
        }
        let undone =
            begun.into_iter().map(|it| self.client.call("s3", "AbortMultipartUpload", it.undo));
        let undone = stream::iter(undone).buffer_unordered(self.settings.parallel.max(1));
        undone.for_each(|_| std::future::ready(())).await;
    }

    /// Begins an upload in parts; gives its id.
    async fn open(&self, to: &Object, params: Map, extra: &Map) -> Result<String, Error> {
        let mut undo = known(&self.client, "AbortMultipartUpload", extra)?;
        let since = Instant::now();
        let output = self.client.call("s3", "CreateMultipartUpload", params).await?;
        self.answered();
        let upload = output.get("UploadId").and_then(Value::as_str).unwrap_or_default().to_owned();
        undo.extend(to.place());
        undo.insert("UploadId".to_owned(), upload.as_str().into());
        self.open_uploads().push(Begun { id: upload.clone(), undo, since });
        Ok(upload)
    }

    /// Notes that an upload has an end; gives what takes it back, if it is to be.
    fn close(&self, upload: &str) -> Option<Map> {
        let mut begun = self.open_uploads();
        let at = begun.iter().position(|it| it.id == upload)?;
        Some(begun.swap_remove(at).undo)
    }

    /// How long ago an upload was begun here; nothing for one that is gone on with.
    fn age(&self, upload: &str) -> Option<Duration> {
        self.open_uploads().iter().find(|it| it.id == upload).map(|it| it.since.elapsed())
    }

    fn open_uploads(&self) -> MutexGuard<'_, Vec<Begun>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of something large: its number from 1, where it begins and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    number: u64,
    from: u64,
    length: u64,
}

/// The parts of something so large.
fn parts(size: u64, part: u64) -> Vec<Part> {
    let count = size.div_ceil(part).max(1);
    (0..count)
        .map(|it| {
            let from = it * part;
            Part { number: it + 1, from, length: part.min(size - from) }
        })
        .collect()
}

/// Works on parts side by side; the first that fails ends it.
async fn side_by_side<T, F>(
    parts: Vec<Part>,
    parallel: usize,
    work: impl Fn(Part) -> F,
) -> Result<Vec<T>, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    stream::iter(parts).map(work).buffer_unordered(parallel.max(1)).try_collect().await
}

fn file_error(path: &Path, source: std::io::Error) -> Error {
    Error::File { path: path.display().to_string(), source }
}

fn write_error(path: &Path, source: std::io::Error) -> Error {
    Error::Write { path: path.display().to_string(), source }
}

fn number(value: Option<&Value>) -> u64 {
    value.and_then(Value::as_int).and_then(|it| u64::try_from(it).ok()).unwrap_or(0)
}

/// Takes what an operation knows out of further parameters.
fn known(client: &Client, operation: &str, extra: &Map) -> Result<Map, Error> {
    let service = client.service("s3")?;
    let operation = Client::operation(service, operation)?;
    let input = operation.input.and_then(|it| service.structure(it));
    let known = extra.iter().filter(|(name, _)| input.is_some_and(|it| it.member(name).is_some()));
    Ok(known.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// File systems take no longer names.
const LONGEST_NAME: usize = 255;

/// Where a file is written until it is whole.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    let mut name = std::ffi::OsString::from(".");
    let whole = path.file_name().unwrap_or_default();
    if whole.len() + suffix.len() < LONGEST_NAME {
        name.push(whole);
    } else {
        name.push(crate::sign::sha256(whole.as_bytes()));
    }
    name.push(suffix);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beside_long_ones_are_not_too_long() {
        for length in [1, 200, 250, 255] {
            let path = Path::new("/f").join("n".repeat(length));
            let found = beside(&path, ".davit-part");
            let name = found.file_name().expect("a name");
            assert!(name.len() <= LONGEST_NAME && found.parent() == path.parent(), "{found:?}");
            assert_ne!(found, beside(&path.with_file_name("m".repeat(length)), ".davit-part"));
        }
    }

    #[test]
    fn parts_cover_everything_once() {
        for (size, part) in [(0, 5), (5, 5), (6, 5), (11, 5), (1 << 40, 200 << 20)] {
            let all = parts(size, part);
            assert_eq!(all.iter().map(|it| it.length).sum::<u64>(), size);
            let mut at = 0;
            for (place, it) in all.iter().enumerate() {
                assert_eq!((it.number, it.from), (place as u64 + 1, at));
                at += it.length;
            }
        }
        let settings = Settings::default();
        assert_eq!(settings.part_for(1 << 30), 8 << 20);
        let object = Object { version: Some("v".into()), ..Object::new("b", "k") };
        assert!(object.params().contains_key("VersionId") && object.place().len() == 2);
        assert_eq!(object.to_string(), "s3://b/k");
        assert!(parts(5 << 40, settings.part_for(5 << 40)).len() <= 10_000);
    }
}
