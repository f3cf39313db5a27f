//! Objects to files. A file is there when it is whole, and not before.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use serde_json::json;
use tokio::task::{JoinHandle, spawn_blocking};
use uuid::Uuid;

use super::{Known, Object, Part, Transfer, beside, known, parts, side_by_side, write_error};
use crate::{
    client::{Call, Opened, Output},
    error::Error,
    value::{Map, Value},
};

/// How often a body is asked for at most that breaks off or is not what its checksum says.
const TRIES: u32 = 5;

/// A file that is not there yet: taken away again when nobody goes on with it.
struct Unfinished {
    file: Arc<File>,
    path: PathBuf,
    /// Which parts of it are there, for whoever goes on with it.
    state: Option<PathBuf>,
    done: Vec<u64>,
    keep: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.keep {
            drop(fs::remove_file(&self.path));
            self.state.iter().for_each(|it| drop(fs::remove_file(it)));
        }
    }
}

impl Unfinished {
    /// A new file beside the one that is to be.
    fn new(path: &Path) -> Result<Self, Error> {
        let path = beside(path, &format!(".{}.davit-part", Uuid::new_v4().simple()));
        let file = File::create_new(&path).map_err(|source| write_error(&path, source))?;
        Ok(Self { file: Arc::new(file), path, state: None, done: Vec::new(), keep: false })
    }

    /// The file that a download of the same was cut off in, or a new one that can be gone on with.
    fn begun(path: &Path, of: &str, size: u64) -> Result<Self, Error> {
        let state = beside(path, ".davit-state");
        let path = beside(path, ".davit-part");
        let known = fs::read_to_string(&state).unwrap_or_default();
        let mut lines = known.lines();
        let (file, done) = if lines.next() == Some(of)
            && let Ok(file) = File::options().read(true).write(true).open(&path)
            && file.metadata().is_ok_and(|it| it.len() == size)
        {
            (file, lines.filter_map(|it| it.parse().ok()).collect())
        } else {
            let file = File::create(&path).map_err(|source| write_error(&path, source))?;
            fs::write(&state, format!("{of}\n")).map_err(|source| write_error(&state, source))?;
            (file, Vec::new())
        };
        Ok(Self { file: Arc::new(file), path, state: Some(state), done, keep: true })
    }

    /// Makes it the file that it is to be.
    fn finish(mut self, path: &Path) -> Result<(), Error> {
        self.file.sync_all().map_err(|source| write_error(&self.path, source))?;
        fs::rename(&self.path, path).map_err(|source| write_error(path, source))?;
        self.keep = true;
        self.state.iter().for_each(|it| drop(fs::remove_file(it)));
        Ok(())
    }
}

impl Transfer {
    /// Puts an object into a file. `extra` are further parameters of `GetObject` and `HeadObject`.
    ///
    /// # Errors
    ///
    /// When the file cannot be written, the object changes meanwhile, or the service says no. Then the
    /// file is what it was before.
    pub async fn download(&self, from: &Object, path: &Path, extra: &Map) -> Result<Output, Error> {
        let mut params = known(&self.client, "HeadObject", extra)?;
        params.extend(from.params());
        let head = self.client.call("s3", "HeadObject", params).await?;
        self.download_known(from, path, extra, &Known::of(&head)).await?;
        Ok(head)
    }

    /// Puts an object of which something is known into a file.
    ///
    /// # Errors
    ///
    /// As for `download`; also when the object is another than the one that is known.
    pub async fn download_known(
        &self,
        from: &Object,
        path: &Path,
        extra: &Map,
        about: &Known,
    ) -> Result<(), Error> {
        let size = about.size;
        // It is known from an answer.
        self.answered();
        if size >= self.settings.threshold.max(1) {
            return self.in_parts(from, path, extra, about).await;
        }
        let params = self.get(from, extra, about.etag.as_deref())?;
        let file = Unfinished::new(path)?;
        self.fetch(from, params, &file, Part { number: 1, from: 0, length: size }).await?;
        file.finish(path)
    }

    /// The whole of an object, piece by piece. Where it breaks off it is gone on with.
    ///
    /// # Errors
    ///
    /// When the service says no, or `write` does.
    pub async fn stream(
        &self,
        from: &Object,
        extra: &Map,
        mut write: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<Output, Error> {
        let mut params = known(&self.client, "GetObject", extra)?;
        params.extend(from.params());
        let mut opened = self.client.open(Call::new("s3", "GetObject", params.clone())).await?;
        self.answered();
        let head = opened.output().clone();
        let etag = head.get("ETag").and_then(Value::as_str);
        let size = opened.length();
        let (mut at, mut tries, mut patience) = (0, 1, self.patience());
        loop {
            let chunk = match opened.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(head),
                Err(error @ Error::Transport(_)) => {
                    // A part of an object that was asked for as such is not gone on with.
                    let Some(size) = size.filter(|_| !params.contains_key("Range")) else {
                        return Err(error);
                    };
                    if at >= size {
                        return Err(error);
                    }
                    if tries >= TRIES {
                        patience.wait(error).await?;
                    }
                    tries += 1;
                    let mut rest = self.get(from, extra, etag)?;
                    rest.insert("Range".to_owned(), format!("bytes={at}-{}", size - 1).into());
                    opened = loop {
                        match self.open_same(from, rest.clone()).await {
                            Ok(opened) => break opened,
                            Err(error) => patience.wait(error).await?,
                        }
                    };
                    continue;
                }
                Err(error) => return Err(error),
            };
            at += chunk.len() as u64;
            write(&chunk).map_err(|source| write_error(Path::new("the output"), source))?;
            (self.settings.progress)(chunk.len() as u64);
        }
    }

    async fn in_parts(
        &self,
        from: &Object,
        path: &Path,
        extra: &Map,
        about: &Known,
    ) -> Result<(), Error> {
        let Known { size, etag } = about;
        let size = *size;
        let length = self.settings.part_for(size);
        let unfinished = if self.settings.resume {
            // Parts of one object are not put into the file of another.
            let of = json!({"etag": etag, "size": size, "part": length}).to_string();
            Unfinished::begun(path, &of, size)?
        } else {
            Unfinished::new(path)?
        };
        let file = &unfinished;
        file.file.set_len(size).map_err(|source| write_error(&file.path, source))?;
        let (there, missing): (Vec<Part>, Vec<Part>) =
            parts(size, length).into_iter().partition(|it| file.done.contains(&it.number));
        there.iter().for_each(|it| (self.settings.progress)(it.length));
        let noted = file.state.as_ref().and_then(|it| File::options().append(true).open(it).ok());
        let noted = &Mutex::new(noted);
        side_by_side(missing, self.settings.parallel, |part| async move {
            let mut params = self.get(from, extra, etag.as_deref())?;
            let last = part.from + part.length - 1;
            params.insert("Range".to_owned(), format!("bytes={}-{last}", part.from).into());
            self.fetch(from, params, file, part).await?;
            if let Ok(mut noted) = noted.lock()
                && let Some(noted) = noted.as_mut()
            {
                drop(writeln!(noted, "{}", part.number));
            }
            Ok(())
        })
        .await?;
        unfinished.finish(path)
    }

    /// The parameters that fetch the object of a tag, and no later one in its place.
    fn get(&self, from: &Object, extra: &Map, etag: Option<&str>) -> Result<Map, Error> {
        let mut params = known(&self.client, "GetObject", extra)?;
        params.extend(from.params());
        if let Some(etag) = etag {
            params.insert("IfMatch".to_owned(), etag.into());
        }
        Ok(params)
    }

    /// Asks for an object of a certain tag.
    async fn open_same(&self, from: &Object, params: Map) -> Result<Opened, Error> {
        let etag = params.get("IfMatch").cloned();
        let opened = self.client.open(Call::new("s3", "GetObject", params)).await;
        let opened = opened.map_err(|error| changed(from, error))?;
        // There are servers that do not look at the condition.
        match (etag, opened.output().get("ETag")) {
            (Some(wanted), Some(got)) if wanted != *got => {
                Err(Error::Changed { what: from.to_string(), doing: "fetched" })
            }
            _ => Ok(opened),
        }
    }

    /// Fetches a part, once more from its beginning where it breaks off.
    async fn fetch(
        &self,
        from: &Object,
        params: Map,
        to: &Unfinished,
        part: Part,
    ) -> Result<(), Error> {
        let (mut tries, mut patience) = (1, self.patience());
        loop {
            let outcome = match self.open_same(from, params.clone()).await {
                Ok(opened) => fill(opened, to, part).await,
                Err(error) => Err(error),
            };
            match outcome {
                Err(Error::Transport(_) | Error::Checksum(_)) if tries < TRIES => tries += 1,
                Ok(()) => {
                    self.answered();
                    (self.settings.progress)(part.length);
                    return Ok(());
                }
                Err(error) => patience.wait(error).await?,
            }
        }
    }
}

/// How much of an answer is gathered before it is written. Two of these are held for each part.
const BLOCK: u64 = 256 << 10;

/// Writes the body of an answer to its place.
async fn fill(opened: Opened, to: &Unfinished, part: Part) -> Result<(), Error> {
    let mut writing = None;
    let outcome = fill_ahead(opened, to, part, &mut writing).await;
    // Nothing of this answer is to be written over what the next one brings.
    let written = written_or(writing, to).await;
    outcome.and(written)
}

/// While one block is written the next comes.
async fn fill_ahead(
    mut opened: Opened,
    to: &Unfinished,
    part: Part,
    writing: &mut Option<Writing>,
) -> Result<(), Error> {
    let (mut at, mut written) = (part.from, part.from);
    let mut held: Vec<Bytes> = Vec::new();
    loop {
        let chunk = opened.chunk().await?;
        let ends = chunk.is_none();
        if let Some(chunk) = chunk {
            at += chunk.len() as u64;
            if at > part.from + part.length {
                let reason = "gave more than was asked for";
                return Err(Error::Unfit { operation: "GetObject", reason });
            }
            held.push(chunk);
        }
        if ends || at - written >= BLOCK {
            written_or(writing.take(), to).await?;
            let (file, offset) = (Arc::clone(&to.file), written);
            let block = std::mem::take(&mut held);
            written = at;
            *writing = Some(spawn_blocking(move || write(&file, &block, offset)));
        }
        if ends {
            break;
        }
    }
    if at < part.from + part.length {
        let reason = "gave less than was asked for";
        return Err(Error::Unfit { operation: "GetObject", reason });
    }
    Ok(())
}

/// A block on its way to the file.
type Writing = JoinHandle<io::Result<()>>;

fn write(file: &File, block: &[Bytes], mut at: u64) -> io::Result<()> {
    for chunk in block {
        file.write_all_at(chunk, at)?;
        at += chunk.len() as u64;
    }
    Ok(())
}

async fn written_or(writing: Option<Writing>, to: &Unfinished) -> Result<(), Error> {
    let Some(writing) = writing else { return Ok(()) };
    let outcome = writing.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    outcome.map_err(|source| write_error(&to.path, source))
}

/// What it means that there is no such object any more.
fn changed(from: &Object, error: Error) -> Error {
    match error.code() {
        Some("PreconditionFailed" | "412") => {
            Error::Changed { what: from.to_string(), doing: "fetched" }
        }
        _ => error,
    }
}
