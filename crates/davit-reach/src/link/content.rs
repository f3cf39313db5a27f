//! Contents on their way to an agent: read as they are sent, and no faster than they are taken.

use std::io::Read;
use std::sync::Arc;

use davit_module::Attachment;
use davit_wire::{CHUNK, Json, Kind, Refusal, WINDOW};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Shared, Watcher};

/// Bytes that are read at a time where there is room for them: going to another thread for each frame would cost more
/// than reading it.
const AT_ONCE: usize = 4 * CHUNK;

/// The room that the agent has for a content.
pub(super) struct Sending {
    room: Semaphore,
}

impl Default for Sending {
    fn default() -> Self {
        Self { room: Semaphore::new(WINDOW) }
    }
}

impl Sending {
    /// The agent has taken some.
    pub(super) fn add(&self, bytes: usize) {
        // An agent that claims to have taken more than it was sent gains nothing.
        let most = WINDOW.saturating_sub(self.room.available_permits());
        self.room.add_permits(bytes.min(most));
    }

    /// Nobody wants the rest.
    pub(super) fn stop(&self) {
        self.room.close();
    }
}

/// Sends a content whole, or says why not.
pub(super) async fn send(
    shared: &Arc<Shared>,
    number: u32,
    attachment: Attachment,
    sending: &Arc<Sending>,
    watcher: Option<Watcher>,
) {
    if let Err(error) = pieces(shared, number, attachment, sending, watcher).await {
        let mut bytes = Vec::new();
        Refusal { why: error.to_string() }.encode(number, &mut bytes);
        shared.send(bytes);
    }
}

async fn pieces(
    shared: &Arc<Shared>,
    number: u32,
    attachment: Attachment,
    sending: &Arc<Sending>,
    watcher: Option<Watcher>,
) -> std::io::Result<()> {
    let (name, total) = match &attachment {
        Attachment::Path(path) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (name, tokio::fs::metadata(path).await?.len())
        }
        Attachment::Bytes(bytes) => (String::new(), bytes.len() as u64),
        Attachment::Sent(sent) => (String::new(), sent.size()),
    };
    let mut reader =
        tokio::task::spawn_blocking(move || -> std::io::Result<Box<dyn Read + Send>> {
            Ok(match attachment {
                Attachment::Path(path) => Box::new(std::fs::File::open(path)?),
                Attachment::Bytes(bytes) => Box::new(std::io::Cursor::new(bytes)),
                Attachment::Sent(sent) => sent.open()?,
            })
        })
        .await
        .map_err(std::io::Error::other)??;
    let mut done = 0_u64;
    let mut buffer = Vec::new();
    loop {
        let Ok(permit) = sending.room.acquire_many(CHUNK as u32).await else { return Ok(()) };
        permit.forget();
        let mut room = CHUNK;
        let most = usize::try_from(total.saturating_sub(done)).unwrap_or(AT_ONCE).min(AT_ONCE);
        while room < most && sending.room.try_acquire_many(CHUNK as u32).is_ok_and(forget) {
            room += CHUNK;
        }
        let (again, emptied, piece) = tokio::task::spawn_blocking(move || {
            buffer.resize(room, 0);
            let piece = fill(&mut reader, &mut buffer).map(|count| {
                // Packing takes its time: it belongs on this thread.
                let mut bytes = Vec::with_capacity(count + 64);
                for frame in buffer[..count].chunks(CHUNK) {
                    davit_wire::encode(Kind::Data, number, frame, &mut bytes);
                }
                (bytes, count)
            });
            (reader, buffer, piece)
        })
        .await
        .map_err(std::io::Error::other)?;
        (reader, buffer) = (again, emptied);
        let (bytes, count) = piece?;
        sending.room.add_permits(room - count);
        if count == 0 {
            shared.say(Kind::End, number, b"");
            return Ok(());
        }
        shared.send(bytes);
        done += count as u64;
        if let Some(watcher) = &watcher {
            watcher(&name, done, total);
        }
    }
}

/// Keeps the room: only the agent gives it back.
fn forget(permit: SemaphorePermit<'_>) -> bool {
    permit.forget();
    true
}

/// Reads until the buffer is full or nothing is left.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut at = 0;
    while at < buffer.len() {
        match reader.read(&mut buffer[at..]) {
            Ok(0) => break,
            Ok(count) => at += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(at)
}
