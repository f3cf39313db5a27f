//! Sizes and checksums of what is sent: worked out once for all hosts that get it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use davit_module::Attachment;
use sha1::{Digest, Sha1};

/// What a file was when it was read.
#[derive(PartialEq, Eq, Hash)]
struct Seen {
    path: PathBuf,
    size: u64,
    modified: (i64, i64),
    inode: u64,
}

/// Sizes and checksums that are known.
#[derive(Default)]
pub(crate) struct Sums(Arc<Mutex<HashMap<Seen, String>>>);

impl Sums {
    /// Size and SHA-1 of a content.
    pub(crate) async fn of(&self, attachment: &Attachment) -> std::io::Result<(u64, String)> {
        let (known, attachment) = (Arc::clone(&self.0), attachment.clone());
        tokio::task::spawn_blocking(move || match &attachment {
            Attachment::Bytes(bytes) => Ok((bytes.len() as u64, sum(&mut &bytes[..])?)),
            Attachment::Sent(sent) => Ok((sent.size(), sent.sha1().to_owned())),
            Attachment::Path(path) => {
                let mut file = std::fs::File::open(path)?;
                let meta = file.metadata()?;
                let seen = Seen {
                    path: path.clone(),
                    size: meta.len(),
                    modified: (meta.mtime(), meta.mtime_nsec()),
                    inode: meta.ino(),
                };
                let lock = || known.lock().unwrap_or_else(PoisonError::into_inner);
                let there = lock().get(&seen).cloned();
                let sha1 = match there {
                    Some(sha1) => sha1,
                    None => sum(&mut file)?,
                };
                lock().insert(seen, sha1.clone());
                Ok((meta.len(), sha1))
            }
        })
        .await
        .map_err(std::io::Error::other)?
    }
}

fn sum(reader: &mut impl Read) -> std::io::Result<String> {
    let mut hasher = Sha1::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hasher.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
