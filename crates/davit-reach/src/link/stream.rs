//! Streams to programs, sockets and files of the host.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use davit_wire::{CHUNK, Json, Kind, Open, Refusal, WINDOW, credit};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::Shared;
use crate::transport::Pipes;

/// Pieces of error output that nobody has taken yet; what comes after them is dropped.
const SAID: usize = 64;

/// What the link knows of a stream.
pub(super) struct Slot {
    opened: Option<oneshot::Sender<Result<(), String>>>,
    data: Option<mpsc::UnboundedSender<Vec<u8>>>,
    /// Bytes in `data`.
    waiting: Arc<AtomicUsize>,
    room: Arc<Semaphore>,
    /// Gone once the program has ended.
    said: Option<mpsc::Sender<Vec<u8>>>,
    exit: Option<oneshot::Sender<i32>>,
    lost: Arc<Mutex<Option<String>>>,
}

impl Slot {
    pub(super) fn opened(&mut self) {
        if let Some(opened) = self.opened.take() {
            let _ = opened.send(Ok(()));
        }
    }

    /// Bytes came; an error where there are more than there is room for.
    pub(super) fn data(&self, bytes: Vec<u8>) -> Result<(), String> {
        if self.waiting.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len() > WINDOW {
            return Err("the agent sends more than there is room for".into());
        }
        if let Some(data) = &self.data {
            let _ = data.send(bytes);
        }
        Ok(())
    }

    pub(super) fn said(&self, bytes: Vec<u8>) {
        if let Some(said) = &self.said {
            let _ = said.try_send(bytes);
        }
    }

    pub(super) fn add(&self, bytes: usize) {
        let most = WINDOW.saturating_sub(self.room.available_permits());
        self.room.add_permits(bytes.min(most));
    }

    pub(super) fn end(&mut self) {
        self.data = None;
    }

    pub(super) fn exit(&mut self, code: i32) {
        self.said = None;
        if let Some(exit) = self.exit.take() {
            let _ = exit.send(code);
        }
    }

    /// The stream is no more.
    pub(super) fn lose(mut self, why: &str) {
        // One that has ended has lost nothing.
        if self.data.is_some() {
            *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
        }
        if let Some(opened) = self.opened.take() {
            let _ = opened.send(Err(why.to_owned()));
        }
        self.room.close();
    }
}

/// Bytes to and from something on the host. Dropped, what is behind it is ended.
pub(crate) struct LinkStream {
    pipe: DuplexStream,
    lost: Arc<Mutex<Option<String>>>,
    /// What a program writes to its error output.
    said: Option<mpsc::Receiver<Vec<u8>>>,
    /// How a program ended.
    exit: Option<oneshot::Receiver<i32>>,
    /// Types at a program's terminal.
    typing: Option<mpsc::Sender<Vec<u8>>>,
    open: Option<Opened>,
}

impl LinkStream {
    /// The pipes of the program behind it.
    pub(crate) fn into_pipes(mut self) -> Pipes {
        let exit = self.exit.take();
        let stderr = self.said.take().unwrap_or_else(|| mpsc::channel(1).1);
        let (typing, open) = (self.typing.take(), self.open.take());
        let (stdout, stdin) = tokio::io::split(self);
        Pipes {
            stdin: Box::new(stdin),
            stdout: Box::new(stdout),
            stderr,
            terminal: typing,
            ended: Box::pin(async move {
                match exit {
                    Some(exit) => exit.await.ok(),
                    None => None,
                }
            }),
            guard: Box::new(open),
        }
    }
}

/// The stream is there. Dropped, it is given up.
struct Opened {
    shared: Arc<Shared>,
    number: u32,
}

impl Drop for Opened {
    fn drop(&mut self) {
        let slot = self.shared.lock().streams.remove(&self.number);
        if let Some(slot) = slot {
            slot.room.close();
            let mut bytes = Vec::new();
            Refusal { why: String::new() }.encode(self.number, &mut bytes);
            self.shared.send(bytes);
        }
    }
}

/// Opens a stream.
pub(super) async fn open(
    shared: &Arc<Shared>,
    open: Open,
) -> Result<std::io::Result<LinkStream>, String> {
    let number = shared.number();
    let (opened, answer) = oneshot::channel();
    let (data, inbox) = mpsc::unbounded_channel();
    let (said, hears) = mpsc::channel(SAID);
    let (exit, exits) = oneshot::channel();
    let (lost, room) = (Arc::new(Mutex::new(None)), Arc::new(Semaphore::new(WINDOW)));
    let waiting = Arc::new(AtomicUsize::new(0));
    let slot = Slot {
        opened: Some(opened),
        data: Some(data),
        waiting: Arc::clone(&waiting),
        room: Arc::clone(&room),
        said: Some(said),
        exit: Some(exit),
        lost: Arc::clone(&lost),
    };
    {
        let mut state = shared.lock();
        if let Some(why) = &state.closed {
            return Err(why.clone());
        }
        state.streams.insert(number, slot);
    }
    let guard = Opened { shared: Arc::clone(shared), number };
    let mut bytes = Vec::new();
    open.encode(number, &mut bytes);
    shared.send(bytes);
    match answer.await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => {
            return match &shared.lock().closed {
                Some(why) => Err(why.clone()),
                None => Ok(Err(std::io::Error::other(why))),
            };
        }
        Err(_) => return Err("the connection is closed".into()),
    }
    let (pipe, inner) = tokio::io::duplex(CHUNK);
    let (reader, writer) = tokio::io::split(inner);
    tokio::spawn(deliver(Arc::clone(shared), number, inbox, waiting, writer));
    tokio::spawn(collect(Arc::clone(shared), number, reader, room));
    let (typing, mut typed) = mpsc::channel::<Vec<u8>>(4);
    let keys = Arc::clone(shared);
    tokio::spawn(async move {
        while let Some(text) = typed.recv().await {
            keys.say(Kind::Output, number, &text);
        }
    });
    Ok(Ok(LinkStream {
        pipe,
        lost,
        said: Some(hears),
        exit: Some(exits),
        typing: Some(typing),
        open: Some(guard),
    }))
}

/// Hands on what came, and tells the agent of the room that this makes.
async fn deliver(
    shared: Arc<Shared>,
    number: u32,
    mut inbox: mpsc::UnboundedReceiver<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    mut writer: tokio::io::WriteHalf<DuplexStream>,
) {
    let mut owed = 0;
    while let Some(bytes) = inbox.recv().await {
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
        waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
        owed += bytes.len();
        if owed >= WINDOW / 4 {
            shared.say(Kind::Credit, number, &credit(owed));
            owed = 0;
        }
    }
    let _ = writer.shutdown().await;
}

/// Sends what is written, no faster than it is taken.
async fn collect(
    shared: Arc<Shared>,
    number: u32,
    mut reader: tokio::io::ReadHalf<DuplexStream>,
    room: Arc<Semaphore>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count) = reader.read(&mut buffer).await {
        if count == 0 {
            shared.say(Kind::End, number, b"");
            return;
        }
        let Ok(permit) = room.acquire_many(count as u32).await else { return };
        permit.forget();
        shared.say(Kind::Data, number, &buffer[..count]);
    }
}

impl AsyncRead for LinkStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.pipe).poll_read(cx, buffer);
        if let Poll::Ready(Ok(())) = &polled
            && buffer.filled().len() == before
            && buffer.remaining() > 0
        {
            // The end of the pipe is the end of the stream only where nothing was lost.
            let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(why) = lost {
                return Poll::Ready(Err(std::io::Error::other(why)));
            }
        }
        polled
    }
}

impl AsyncWrite for LinkStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}
