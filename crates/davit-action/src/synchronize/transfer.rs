//! What differs goes over: small files packed together, large ones one by one as streams, several
//! batches on their way at a time. No file is held in memory whole.
//!
//! It does not know why anything differs, nor what is told of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use davit_host::own::synchronize::{self as host, AnyPath, Applied, Entry, Packed, Source, Step};
use davit_module::{Attachment, Sent};
use davit_run::{Connection, Stream, Target};
use futures_util::{StreamExt, stream};
use tokio::io::AsyncReadExt;
use tokio::runtime::Handle;

use super::ends::Ends;
use crate::failure::{Attempt, broken};
use crate::source::system_error;

/// Files up to this size are packed together.
const SMALL: u64 = 256 * 1024;
/// What a pack holds at most, but for what a file has grown since.
const PACK: u64 = 4 << 20;
/// How many entries go in a batch.
const BATCH: usize = 500;
/// How many batches are on their way at a time.
const SIDE_BY_SIDE: usize = 4;

/// A transfer from one end to the other.
pub(super) struct Transfer<'a> {
    pub(super) ends: &'a Ends,
    /// The folder of the sender that names begin in.
    pub(super) root: &'a AnyPath,
    pub(super) end: &'a host::End,
    /// Nothing is really changed: contents stay where they are.
    pub(super) check: bool,
}

/// An entry to be made, and whether its content is needed.
pub(super) type Wanted<'a> = (&'a Entry, bool);

/// What could not be done: sentences, and the names of files that were not sent.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) errors: Vec<String>,
    pub(super) unsent: Vec<host::Name>,
}

impl Done {
    fn add(&mut self, other: Self) {
        self.errors.extend(other.errors);
        self.unsent.extend(other.unsent);
    }
}

impl Transfer<'_> {
    /// Makes entries at the other end: folders first, in their order.
    pub(super) async fn make(&self, wanted: &[Wanted<'_>]) -> Attempt<Done> {
        let (folders, others): (Vec<Wanted<'_>>, Vec<Wanted<'_>>) =
            wanted.iter().copied().partition(|(entry, _)| entry.is_dir());
        let mut done = Done::default();
        // Even where there is no folder: the destination itself may be missing.
        let first: Vec<&[Wanted<'_>]> =
            if folders.is_empty() { vec![&[]] } else { folders.chunks(BATCH * 4).collect() };
        for batch in first {
            done.add(self.batch(batch).await?);
        }
        let batches = batches(&others);
        let mut waiting = Vec::with_capacity(batches.len());
        for batch in batches {
            waiting.push(self.batch(batch));
        }
        let mut running = stream::iter(waiting).buffer_unordered(SIDE_BY_SIDE);
        while let Some(batch) = running.next().await {
            done.add(batch?);
        }
        Ok(done)
    }

    async fn batch(&self, batch: &[Wanted<'_>]) -> Attempt<Done> {
        let mut done = Done::default();
        let mut load = Load::default();
        let small = |entry: &Entry| entry.size <= SMALL;
        let sent = |entry: &Entry| !self.check || self.has_rules(entry);
        let packed: Vec<&Entry> = batch
            .iter()
            .filter(|(entry, content)| *content && small(entry) && sent(entry))
            .map(|(entry, _)| *entry)
            .collect();
        let mut sizes = Vec::new().into_iter();
        if !self.ends.same && !packed.is_empty() {
            let (bytes, read, errors) = self.pack(&packed).await?;
            load.attachments.insert("pack".to_owned(), Attachment::Bytes(bytes.into()));
            done.errors.extend(errors);
            sizes = read.into_iter();
        }
        for (entry, content) in batch {
            let source = if !content {
                Source::None
            } else if self.ends.same {
                Source::Here(AnyPath(entry.name.at(&self.root.0)))
            } else if !sent(entry) || (self.check && !small(entry)) {
                Source::None
            } else if small(entry) {
                match sizes.next().flatten() {
                    Some(size) => Source::Pack(size),
                    None => {
                        done.unsent.push(entry.name.clone());
                        continue;
                    }
                }
            } else {
                match self.large(entry).await? {
                    Ok(attachment) => {
                        let name = format!("file{}", load.attachments.len());
                        load.attachments.insert(name.clone(), attachment);
                        Source::File(name)
                    }
                    Err(why) => {
                        done.errors.push(why);
                        done.unsent.push(entry.name.clone());
                        continue;
                    }
                }
            };
            load.work.push(((*entry).clone(), source));
        }
        let step = Step::Apply { end: self.end.clone(), work: load.work };
        let applied: Applied = self.ends.receiver.ask(&step, load.attachments).await?;
        done.errors.extend(applied.errors);
        Ok(done)
    }

    /// Whether it is a file with rules of what is left out: a dry run needs to know them.
    fn has_rules(&self, entry: &Entry) -> bool {
        let rules = self.end.options.rules.iter();
        rules.filter(|it| it.starts_with([':', 'd'])).any(|rule| {
            let file = rule.rsplit(['/', ' ', '_']).next().unwrap_or_default();
            entry.name.last() == file
        })
    }

    /// The contents of small files, one after another.
    async fn pack(&self, entries: &[&Entry]) -> Attempt<(Vec<u8>, Vec<Option<u64>>, Vec<String>)> {
        let sender = &self.ends.sender;
        if sender.is_here {
            let root = &self.root.0;
            let paths: Vec<PathBuf> = entries.iter().map(|it| it.name.at(root)).collect();
            let packed = tokio::task::spawn_blocking(move || pack_here(&paths)).await;
            return packed.map_err(|error| broken(&sender.context, error.to_string()));
        }
        let names = entries.iter().map(|it| it.name.clone()).collect();
        let step = Step::Read { root: self.root.clone(), names };
        let packed: Packed = sender.ask(&step, BTreeMap::new()).await?;
        let bytes = STANDARD
            .decode(packed.content)
            .map_err(|error| broken(&sender.context, error.to_string()))?;
        Ok((bytes, packed.sizes, packed.errors))
    }

    /// The content of a large file; the inner error is that it cannot be read.
    async fn large(&self, entry: &Entry) -> Attempt<Result<Attachment, String>> {
        let path = entry.name.at(&self.root.0);
        let sender = &self.ends.sender;
        if sender.is_here {
            return Ok(match File::open(&path) {
                Ok(_) => Ok(Attachment::Path(path)),
                Err(error) => Err(unopened(&path, &error)),
            });
        }
        let mut sha1 = String::new();
        if !self.ends.receiver.is_here {
            // The receiving agent checks what it gets by its sum.
            let step = Step::Sums { root: self.root.clone(), names: vec![entry.name.clone()] };
            let sums: Vec<String> = sender.ask(&step, BTreeMap::new()).await?;
            sha1 = sums.into_iter().next().unwrap_or_default();
        }
        let connection = Arc::clone(&sender.connection);
        let handle = Handle::current();
        let size = entry.size;
        Ok(Ok(Attachment::Sent(Arc::new(Elsewhere { connection, handle, path, size, sha1 }))))
    }
}

/// A batch as it is sent.
#[derive(Default)]
struct Load {
    work: Vec<(Entry, Source)>,
    attachments: BTreeMap<String, Attachment>,
}

/// Cuts what is to be sent into batches: large files alone.
fn batches<'a, 'b>(wanted: &'a [Wanted<'b>]) -> Vec<&'a [Wanted<'b>]> {
    let mut batches = Vec::new();
    let (mut begin, mut size) = (0, 0_u64);
    for (at, (entry, content)) in wanted.iter().enumerate() {
        let weight = if *content { entry.size } else { 0 };
        let full = at > begin && (at - begin >= BATCH || size.saturating_add(weight) > PACK);
        if full {
            batches.push(&wanted[begin..at]);
            (begin, size) = (at, 0);
        }
        size = size.saturating_add(weight);
    }
    if begin < wanted.len() {
        batches.push(&wanted[begin..]);
    }
    batches
}

fn unopened(path: &std::path::Path, error: &io::Error) -> String {
    let path = path.display();
    format!("rsync: [sender] send_files failed to open \"{path}\": {}", system_error(error))
}

/// Contents one after another, how long each is, and what could not be read.
fn pack_here(paths: &[PathBuf]) -> (Vec<u8>, Vec<Option<u64>>, Vec<String>) {
    let (mut all, mut sizes, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for path in paths {
        let before = all.len();
        // One that has grown a lot since is cut; the next run sees that it differs.
        let read = File::open(path).and_then(|it| it.take(SMALL * 2).read_to_end(&mut all));
        match read {
            Ok(size) => sizes.push(Some(size as u64)),
            Err(error) => {
                all.truncate(before);
                errors.push(unopened(path, &error));
                sizes.push(None);
            }
        }
    }
    (all, sizes, errors)
}

/// A large file of a host, read as it is needed.
struct Elsewhere {
    connection: Arc<dyn Connection>,
    handle: Handle,
    path: PathBuf,
    size: u64,
    sha1: String,
}

impl std::fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Elsewhere").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Sent for Elsewhere {
    fn size(&self) -> u64 {
        self.size
    }

    fn sha1(&self) -> &str {
        &self.sha1
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let target = Target::File { path: self.path.clone() };
        let opened = self.handle.block_on(self.connection.open(target));
        let stream = opened.map_err(|lost| io::Error::other(lost.why))??;
        Ok(Box::new(Reader { stream, handle: self.handle.clone() }))
    }
}

/// A stream as a reader, for a thread that may wait.
struct Reader {
    stream: Box<dyn Stream>,
    handle: Handle,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.handle.block_on(self.stream.read(buffer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_neither_too_long_nor_too_heavy() {
        let entry = |size: u64| {
            let text =
                format!(r#"{{"n":"f","k":"file","m":420,"u":0,"g":0,"s":{size},"t":[0,0]}}"#);
            serde_json::from_str::<Entry>(&text).unwrap()
        };
        let check = |sizes: &[u64], expect: &[usize]| {
            let entries: Vec<Entry> = sizes.iter().map(|it| entry(*it)).collect();
            let wanted: Vec<Wanted<'_>> = entries.iter().map(|it| (it, true)).collect();
            let lengths: Vec<usize> = batches(&wanted).iter().map(|it| it.len()).collect();
            assert_eq!(lengths, expect, "{} entries", sizes.len());
        };
        check(&[], &[]);
        check(&[1; 1200], &[500, 500, 200]);
        check(&[1, PACK, 1, u64::MAX, 2], &[1, 1, 1, 1, 1]);
    }
}
