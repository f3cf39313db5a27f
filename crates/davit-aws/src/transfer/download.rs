//! Objects to files. A file is there when it is whole, and not before.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, Mutex},
};

use serde_json::json;

use super::{Object, Part, Transfer, beside, file_error, known, number, parts, side_by_side};
use crate::{
    client::{Call, Output},
    error::Error,
    value::{Map, Value},
};

/// What is known of a download that was cut off.
struct Begun {
    file: File,
    done: Vec<u64>,
}

impl Transfer {
    /// Puts an object into a file. `extra` are further parameters of `GetObject` and `HeadObject`.
    ///
    /// # Errors
    ///
    /// When the file cannot be written, the object changes meanwhile, or the service says no.
    pub async fn download(&self, from: &Object, path: &Path, extra: &Map) -> Result<Output, Error> {
        let mut params = known(&self.client, "HeadObject", extra)?;
        params.extend(from.params());
        let head = self.client.call("s3", "HeadObject", params).await?;
        let size = number(head.get("ContentLength"));
        if size < self.settings.threshold.max(1) {
            self.in_one(from, path, extra).await?;
        } else {
            self.in_parts(from, path, extra, &head).await?;
        }
        Ok(head)
    }

    /// The whole of an object, piece by piece.
    ///
    /// # Errors
    ///
    /// When the service says no, or `write` does.
    pub async fn stream(
        &self,
        from: &Object,
        extra: &Map,
        mut write: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<Output, Error> {
        let mut params = known(&self.client, "GetObject", extra)?;
        params.extend(from.params());
        let mut opened = self.client.open(Call::new("s3", "GetObject", params)).await?;
        while let Some(chunk) = opened.chunk().await? {
            let key = Path::new(&from.key);
            write(&chunk).map_err(|source| file_error(key, source))?;
            (self.settings.progress)(chunk.len() as u64);
        }
        Ok(opened.output().clone())
    }

    async fn in_one(&self, from: &Object, path: &Path, extra: &Map) -> Result<(), Error> {
        let part = beside(path, ".davit-part");
        let wrong = |source| file_error(&part, source);
        let mut file = File::create(&part).map_err(wrong)?;
        let outcome = self.stream(from, extra, |bytes| file.write_all(bytes)).await;
        let outcome = outcome.and_then(|_| {
            file.sync_all().map_err(wrong)?;
            fs::rename(&part, path).map_err(|source| file_error(path, source))
        });
        if outcome.is_err() {
            drop(fs::remove_file(&part));
        }
        outcome
    }

    async fn in_parts(
        &self,
        from: &Object,
        path: &Path,
        extra: &Map,
        head: &Output,
    ) -> Result<(), Error> {
        let size = number(head.get("ContentLength"));
        let etag = head.get("ETag").and_then(Value::as_str).unwrap_or_default();
        let length = self.settings.part_for(size);
        let part = beside(path, ".davit-part");
        let state = beside(path, ".davit-state");
        // Parts of one object are not put into the file of another.
        let of = json!({"etag": etag, "size": size, "part": length}).to_string();
        let Begun { file, done } = self.begun_file(&part, &state, &of, size)?;
        let file = Arc::new(file);
        let (there, missing): (Vec<Part>, Vec<Part>) =
            parts(size, length).into_iter().partition(|it| done.contains(&it.number));
        there.iter().for_each(|it| (self.settings.progress)(it.length));
        let noted = Mutex::new(File::options().append(true).create(true).open(&state).ok());
        let (file, noted, part_path) = (&file, &noted, part.as_path());
        let outcome = side_by_side(missing, self.settings.parallel, |part| async move {
            let mut params = known(&self.client, "GetObject", extra)?;
            params.extend(from.params());
            let last = part.from + part.length - 1;
            params.insert("Range".to_owned(), format!("bytes={}-{last}", part.from).into());
            params.insert("IfMatch".to_owned(), etag.into());
            self.fetch(params, file, part, part_path).await?;
            if let Ok(mut noted) = noted.lock()
                && let Some(noted) = noted.as_mut()
            {
                drop(writeln!(noted, "{}", part.number));
            }
            Ok(())
        })
        .await;
        let outcome = outcome.and_then(|_| {
            file.sync_all().map_err(|source| file_error(&part, source))?;
            fs::rename(&part, path).map_err(|source| file_error(path, source))
        });
        if outcome.is_ok() || !self.settings.resume {
            drop(fs::remove_file(&state));
        }
        if outcome.is_err() && !self.settings.resume {
            drop(fs::remove_file(&part));
        }
        outcome
    }

    /// Fetches one part, once more from where it broke off.
    async fn fetch(
        &self,
        params: Map,
        file: &Arc<File>,
        part: Part,
        path: &Path,
    ) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            let call = Call::new("s3", "GetObject", params.clone());
            let mut opened = self.client.open(call).await?;
            let mut at = part.from;
            let broken = loop {
                let chunk = match opened.chunk().await {
                    Ok(Some(chunk)) => chunk,
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                };
                if at + chunk.len() as u64 > part.from + part.length {
                    let reason = "gave another part than was asked for";
                    return Err(Error::Unfit { operation: "GetObject", reason });
                }
                let (file, offset) = (Arc::clone(file), at);
                at += chunk.len() as u64;
                let wrote = tokio::task::spawn_blocking(move || file.write_all_at(&chunk, offset));
                wrote
                    .await
                    .unwrap_or_else(|error| Err(std::io::Error::other(error)))
                    .map_err(|source| file_error(path, source))?;
            };
            match broken {
                None if at == part.from + part.length => {
                    (self.settings.progress)(part.length);
                    return Ok(());
                }
                Some(error @ (Error::Transport(_) | Error::Checksum(_))) if tries >= 4 => {
                    return Err(error);
                }
                None if tries >= 4 => {
                    let reason = "gave less than was asked for";
                    return Err(Error::Unfit { operation: "GetObject", reason });
                }
                Some(Error::Transport(_) | Error::Checksum(_)) | None => tries += 1,
                Some(error) => return Err(error),
            }
        }
    }

    /// The file that parts go into, and which of them are there.
    fn begun_file(&self, part: &Path, state: &Path, of: &str, size: u64) -> Result<Begun, Error> {
        let known = fs::read_to_string(state).unwrap_or_default();
        let mut lines = known.lines();
        if self.settings.resume
            && lines.next() == Some(of)
            && let Ok(file) = File::options().read(true).write(true).open(part)
            && file.metadata().is_ok_and(|it| it.len() == size)
        {
            let done = lines.filter_map(|it| it.parse().ok()).collect();
            return Ok(Begun { file, done });
        }
        let wrong = |source| file_error(part, source);
        let file = File::create(part).map_err(wrong)?;
        file.set_len(size).map_err(wrong)?;
        fs::write(state, format!("{of}\n")).map_err(|source| file_error(state, source))?;
        Ok(Begun { file, done: Vec::new() })
    }
}
