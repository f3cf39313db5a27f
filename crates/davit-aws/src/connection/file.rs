//! Reads a part of a file ahead of what is sent of it. Knows nothing of connections.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::task::{JoinHandle, spawn_blocking};

use super::FilePart;

/// How much is read at once, off the threads that send. Two of these are held for each body.
const BLOCK: u64 = 256 << 10;

/// A part of a file, read block by block; while one is sent the next is read.
pub(super) struct Reader {
    /// What is not handed on yet.
    held: Bytes,
    next: Option<JoinHandle<(File, io::Result<Bytes>)>>,
    /// What is behind `next`.
    left: u64,
}

impl Reader {
    /// Opens it.
    pub(super) async fn open(part: FilePart) -> io::Result<Self> {
        let opened = spawn_blocking(move || {
            let mut file = File::open(&part.path)?;
            file.seek(SeekFrom::Start(part.from))?;
            let block = read(&mut file, part.length.min(BLOCK))?;
            io::Result::Ok((file, block, part.length))
        });
        let (file, held, length) = opened.await.map_err(io::Error::other)??;
        let mut reader = Self { held, next: None, left: length };
        reader.left -= reader.held.len() as u64;
        reader.ahead(file);
        Ok(reader)
    }

    /// Begins to read the next block.
    fn ahead(&mut self, mut file: File) {
        if self.left == 0 {
            return;
        }
        let size = self.left.min(BLOCK);
        self.next = Some(spawn_blocking(move || {
            let block = read(&mut file, size);
            (file, block)
        }));
    }

    /// The next piece, of so many bytes at most; nothing at the end of the part.
    pub(super) fn poll_piece(
        &mut self,
        most: usize,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        if self.held.is_empty() {
            let Some(next) = &mut self.next else {
                let end = (self.left > 0).then(|| Err(short()));
                self.left = 0;
                return Poll::Ready(end);
            };
            let read = ready!(next.poll_unpin(context));
            self.next = None;
            let (file, block) = read.map_err(io::Error::other)?;
            self.held = block?;
            self.left = self.left.saturating_sub(self.held.len() as u64);
            if self.held.is_empty() {
                return Poll::Ready(Some(Err(short())));
            }
            self.ahead(file);
        }
        Poll::Ready(Some(Ok(self.held.split_to(self.held.len().min(most)))))
    }
}

/// The next bytes of a file; fewer only at its end.
fn read(file: &mut File, size: u64) -> io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
    let mut there = 0;
    while there < bytes.len() {
        match file.read(&mut bytes[there..]) {
            Ok(0) => break,
            Ok(size) => there += size,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(there);
    Ok(bytes.into())
}

fn short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than it was")
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// What comes of a part, and how it ends.
    fn all(path: &std::path::Path, from: u64, length: u64) -> (Vec<u8>, Option<io::ErrorKind>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let part = FilePart { path: path.to_owned(), from, length };
            let mut reader = Reader::open(part).await.expect("it is there");
            let mut got = Vec::new();
            loop {
                match poll_fn(|context| reader.poll_piece(1000, context)).await {
                    Some(Ok(piece)) => {
                        assert!(!piece.is_empty() && piece.len() <= 1000);
                        got.extend_from_slice(&piece);
                    }
                    Some(Err(error)) => return (got, Some(error.kind())),
                    None => return (got, None),
                }
            }
        })
    }

    #[test]
    fn parts_come_whole_and_what_is_missing_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f");
        let size = usize::try_from(BLOCK * 2 + 5).expect("small");
        let content: Vec<u8> = (0..size).map(|it| u8::try_from(it % 251).expect("small")).collect();
        std::fs::write(&path, &content).expect("written");
        let block = usize::try_from(BLOCK).expect("small");
        for (from, length) in
            [(0, 0), (0, 1), (0, block), (1, block), (3, block + 1), (0, size), (size, 0)]
        {
            let (got, error) = all(&path, from as u64, length as u64);
            assert!(error.is_none() && got == content[from..from + length], "{from} {length}");
        }
        for (from, length) in [(0, size + 1), (0, block * 3), (size, 1), (size + 9, block)] {
            let (got, error) = all(&path, from as u64, length as u64);
            assert_eq!(error, Some(io::ErrorKind::UnexpectedEof), "{from} {length}");
            assert!(got == content[from.min(size)..], "{from} {length}");
        }
    }
}
