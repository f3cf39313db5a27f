//! Blobs from files of the controller and to them: what is large goes in pieces side by side, and is
//! held against its MD5.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use davit_aws::connection::Body;
use davit_module::ModuleError;
use futures_util::{StreamExt, TryStreamExt, stream};
use md5::{Digest, Md5};

use super::{Ask, Blobs, xml_body};
use crate::azure::error::{Error, failure};

/// How many blocks a blob may have.
const BLOCKS: u64 = 50_000;

/// What is fetched at a time is kept in memory, and is no larger.
const LARGEST: u64 = 64 << 20;

/// How something is sent and fetched.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What is larger goes in pieces of this size.
    pub piece: u64,
    /// How many of them at a time.
    pub parallel: usize,
}

impl Settings {
    /// The size of the pieces that are fetched.
    const fn fetched(&self) -> u64 {
        if self.piece > LARGEST {
            LARGEST
        } else if self.piece == 0 {
            1
        } else {
            self.piece
        }
    }
}

/// What is put into a blob.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file, as it was when it was looked at.
    File(PathBuf, Looks),
    /// Bytes.
    Bytes(Bytes),
}

/// A file as it was at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looks {
    /// How long it was.
    pub size: u64,
    /// When it was written.
    pub changed: Option<SystemTime>,
    /// Its MD5 in base64.
    pub md5: String,
}

/// A blob by its name.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    /// The container.
    pub container: &'a str,
    /// The blob.
    pub blob: &'a str,
}

/// The MD5 of bytes, as headers have it.
#[must_use]
pub fn md5(bytes: &[u8]) -> String {
    STANDARD.encode(Md5::digest(bytes))
}

/// Reads a file and tells what it is.
///
/// # Errors
/// When it cannot be read.
pub async fn look(path: &Path) -> Result<Looks, ModuleError> {
    let path = path.to_owned();
    blocking(move || looks(&path).map_err(|it| ModuleError::io("read", &path, it))).await
}

fn looks(path: &Path) -> io::Result<Looks> {
    let mut file = File::open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    let mut hash = Md5::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let size = file.read(&mut buffer)?;
        if size == 0 {
            break;
        }
        hash.update(&buffer[..size]);
    }
    let md5 = STANDARD.encode(hash.finalize());
    Ok(Looks { size: about.len(), changed: about.modified().ok(), md5 })
}

/// Runs what would block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ModuleError> + Send + 'static,
) -> Result<T, ModuleError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ModuleError::failed(format!("a file could not be worked on: {error}")))?
}

impl Source {
    /// Its MD5.
    #[must_use]
    pub fn md5(&self) -> String {
        match self {
            Self::File(_, looks) => looks.md5.clone(),
            Self::Bytes(bytes) => md5(bytes),
        }
    }

    /// How long it is.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::File(_, looks) => looks.size,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }

    async fn piece(&self, from: u64, size: u64) -> Result<Bytes, ModuleError> {
        match self {
            Self::Bytes(bytes) => {
                let at = |it: u64| usize::try_from(it).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes.slice(at(from)..at(from + size)))
            }
            Self::File(path, _) => {
                let path = path.clone();
                blocking(move || {
                    let read = || -> io::Result<Vec<u8>> {
                        let mut piece = vec![0; usize::try_from(size).map_err(io::Error::other)?];
                        File::open(&path)?.read_exact_at(&mut piece, from)?;
                        Ok(piece)
                    };
                    read().map(Bytes::from).map_err(|it| ModuleError::io("read", &path, it))
                })
                .await
            }
        }
    }
}

impl Blobs {
    /// Puts a blob. `headers` say what it is besides: its properties, metadata and tier.
    ///
    /// # Errors
    /// When the file cannot be read, changes meanwhile, or the service says no.
    pub async fn put(
        &self,
        name: Name<'_>,
        source: &Source,
        mut headers: Vec<(String, String)>,
        settings: Settings,
    ) -> Result<(), ModuleError> {
        let failed =
            |it| failure(&format!("cannot put {}", self.url(name.container, name.blob)), &it);
        let digest = source.md5();
        headers.push(("x-ms-blob-content-md5".to_owned(), digest.clone()));
        let Name { container, blob } = name;
        let (method, mut query) = ("PUT", &[][..]);
        let body = if source.size() <= settings.piece {
            headers.push(("x-ms-blob-type".to_owned(), "BlockBlob".to_owned()));
            headers.push(("content-md5".to_owned(), digest));
            let bytes = source.piece(0, source.size()).await?;
            if md5(&bytes) != source.md5() {
                return Err(changed(source));
            }
            Body::Bytes(bytes)
        } else {
            query = &[("comp", "blocklist")];
            let ids = self.blocks(name, source, settings).await?;
            let listed: String = ids.iter().map(|it| format!("<Latest>{it}</Latest>")).collect();
            xml_body(format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{listed}</BlockList>"
            ))
        };
        if let Source::File(path, before) = source {
            let about = fs::metadata(path).map_err(|it| ModuleError::io("read", path, it))?;
            if about.len() != before.size || about.modified().ok() != before.changed {
                return Err(changed(source));
            }
        }
        let ask = Ask { method, container, blob, query, headers, body };
        self.ask(ask).await.map(drop).map_err(failed)
    }

    /// Sends the blocks; their names in their order. Until they are listed they are no blob.
    async fn blocks(
        &self,
        name: Name<'_>,
        source: &Source,
        settings: Settings,
    ) -> Result<Vec<String>, ModuleError> {
        let size = source.size();
        let piece = settings.piece.max(size.div_ceil(BLOCKS)).max(1);
        // Others that write the same blob use other names.
        let run = uuid::Uuid::new_v4().simple().to_string();
        let sent = stream::iter((0..size.div_ceil(piece)).map(|number| {
            let id = STANDARD.encode(format!("{run}{number:06}"));
            async move {
                let from = number * piece;
                let bytes = source.piece(from, piece.min(size - from)).await?;
                let ask = Ask {
                    method: "PUT",
                    container: name.container,
                    blob: name.blob,
                    query: &[("comp", "block"), ("blockid", &id)],
                    headers: vec![("content-md5".to_owned(), md5(&bytes))],
                    body: Body::Bytes(bytes),
                };
                let what = format!("cannot put a block of {}", self.url(name.container, name.blob));
                self.ask(ask).await.map_err(|error| failure(&what, &error))?;
                Ok::<_, ModuleError>(id)
            }
        }));
        sent.buffered(settings.parallel.max(1)).try_collect().await
    }

    /// Fetches a blob into a file, which is there as a whole or not at all. `etag`, `size` and `digest`
    /// are those that it had when it was asked for.
    ///
    /// # Errors
    /// When the file cannot be written, the blob changes meanwhile, or the service says no.
    pub async fn fetch(
        &self,
        name: Name<'_>,
        there: &There,
        dest: &Path,
        settings: Settings,
    ) -> Result<(), ModuleError> {
        let unwritable = |it| ModuleError::io("write", dest, it);
        let temporary = Temporary::new(dest).map_err(unwritable)?;
        let piece = settings.fetched();
        let file = &temporary.file;
        let fetched = stream::iter((0..there.size.div_ceil(piece)).map(|number| async move {
            let from = number * piece;
            let bytes = self.range(name, there, from, piece.min(there.size - from)).await;
            let what = format!("cannot get {}", self.url(name.container, name.blob));
            let bytes = bytes.map_err(|error| failure(&what, &error))?;
            let file = file.try_clone().map_err(unwritable)?;
            let (path, write) = (dest.to_owned(), move || file.write_all_at(&bytes, from));
            blocking(move || write().map_err(|it| ModuleError::io("write", &path, it))).await
        }));
        fetched.buffer_unordered(settings.parallel.max(1)).try_collect::<()>().await?;
        let looks = look(&temporary.path).await?;
        if there.md5.as_ref().is_some_and(|it| *it != looks.md5) {
            let text = format!(
                "what came of {} has not the MD5 that the service tells",
                self.url(name.container, name.blob)
            );
            return Err(ModuleError::failed(text));
        }
        temporary.replace(dest).map_err(unwritable)
    }

    /// A part of a blob.
    async fn range(
        &self,
        name: Name<'_>,
        there: &There,
        from: u64,
        size: u64,
    ) -> Result<Bytes, Error> {
        let headers = vec![
            ("x-ms-range".to_owned(), format!("bytes={from}-{}", from + size - 1)),
            ("if-match".to_owned(), there.etag.clone()),
        ];
        let Name { container, blob } = name;
        let ask = Ask { method: "GET", container, blob, headers, ..Ask::default() };
        let answer = self.ask(ask).await?;
        if answer.body.len() as u64 != size {
            return Err(Error::NotJson {
                url: self.url(container, blob),
                what: format!("{} bytes, not {size},", answer.body.len()),
            });
        }
        Ok(answer.body)
    }

    /// The MD5 of what a blob holds, read piece by piece: for one of which the service knows none.
    ///
    /// # Errors
    /// When the service says no.
    pub async fn digest(
        &self,
        name: Name<'_>,
        there: &There,
        settings: Settings,
    ) -> Result<String, ModuleError> {
        let piece = settings.fetched();
        let mut hash = Md5::new();
        for number in 0..there.size.div_ceil(piece) {
            let from = number * piece;
            let bytes = self.range(name, there, from, piece.min(there.size - from)).await;
            let what = format!("cannot get {}", self.url(name.container, name.blob));
            hash.update(&bytes.map_err(|error| failure(&what, &error))?);
        }
        Ok(STANDARD.encode(hash.finalize()))
    }
}

/// A blob as it was when it was asked for.
#[derive(Clone, Debug, Default)]
pub struct There {
    /// How long it is.
    pub size: u64,
    /// Its tag.
    pub etag: String,
    /// Its MD5 in base64, if the service knows it.
    pub md5: Option<String>,
}

impl There {
    /// What headers tell of it.
    #[must_use]
    pub fn of(headers: &davit_aws::http::Headers) -> Self {
        let get = |name: &str| headers.get(name).map(str::to_owned);
        Self {
            size: get("content-length").and_then(|it| it.parse().ok()).unwrap_or(0),
            etag: get("etag").unwrap_or_default(),
            md5: get("content-md5").filter(|it| !it.is_empty()),
        }
    }
}

fn changed(source: &Source) -> ModuleError {
    let path = match source {
        Source::File(path, _) => path.display().to_string(),
        Source::Bytes(_) => "the content".to_owned(),
    };
    ModuleError::failed(format!("{path} changed while it was read"))
}

/// A file beside the one that it will replace.
struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    fn new(dest: &Path) -> io::Result<Self> {
        let name = format!(".davit-{}", uuid::Uuid::new_v4().simple());
        let folder = dest.parent().filter(|it| !it.as_os_str().is_empty());
        let path = folder.unwrap_or(Path::new(".")).join(name);
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        Ok(Self { path, file })
    }

    fn replace(self, dest: &Path) -> io::Result<()> {
        if let Ok(about) = fs::metadata(dest) {
            fs::set_permissions(&self.path, about.permissions())?;
        }
        fs::rename(&self.path, dest)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone already where it took the other's place.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fetched_at_a_time_fits_into_memory() {
        for (piece, expected) in [(0, 1), (8 << 20, 8 << 20), (4000 << 20, LARGEST)] {
            assert_eq!(Settings { piece, parallel: 1 }.fetched(), expected);
        }
    }
}
