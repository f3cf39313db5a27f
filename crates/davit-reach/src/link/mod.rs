//! The controller's end of the wire: calls and streams over one pair of pipes.
//!
//! ```text
//! call / open ─▶ queue ─▶ writer task ─▶ pipe ─▶ agent
//! caller ◀── slot by number ◀── reader task ◀── pipe
//! ```
//!
//! It does not know what is at the other end of the pipes, nor how they were made. What comes is
//! not trusted: anything that makes no sense ends the link, and with it every call on it.

mod content;
mod stream;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use davit_event::Stream;
use davit_module::{Attachment, Cancel, Listener};
use davit_run::Called;
use davit_wire::{
    Decoder, Exit, Greeting, Json, Kind, Limits, Message, Open, Refusal, Reply, Start, Target,
    VERSION, Want, encode, of_credit,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

pub(crate) use self::stream::LinkStream;
use self::stream::Slot as StreamSlot;

/// How often something is said to the agent at least.
pub(crate) const BEAT: Duration = Duration::from_secs(5);
/// How long either side may say nothing before it counts as gone.
pub(crate) const SILENCE: Duration = Duration::from_secs(20);
/// Bytes that are read at a time.
const READ: usize = 16 * 1024;
/// Streams that the agent opens have numbers from here on.
const THEIRS: u32 = 1 << 31;
/// The most bytes that are written at a time.
const WRITE: usize = 256 * 1024;

/// What is told of content that is sent along with a call: how much of it is on its way.
pub(crate) type Watcher = Arc<dyn Fn(&str, u64, u64) + Send + Sync>;

/// A connection to an agent. Dropped, it is closed.
pub(crate) struct Link {
    shared: Arc<Shared>,
    /// What the agent said of itself.
    pub(crate) greeting: Greeting,
    tasks: Vec<tokio::task::AbortHandle>,
    /// Ends with the writer.
    written: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::AbortHandle::abort);
        self.shared.fail("the connection is closed");
    }
}

pub(crate) struct Shared {
    /// Messages to be written. What is in it is bounded by streams' windows and by the number of
    /// tasks that run at a time.
    out: mpsc::UnboundedSender<Vec<u8>>,
    next: AtomicU32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: HashMap<u32, CallSlot>,
    streams: HashMap<u32, StreamSlot>,
    /// Contents that are being sent, by the agent's number.
    contents: HashMap<u32, Arc<content::Sending>>,
    /// Why it is closed.
    closed: Option<String>,
}

struct CallSlot {
    reply: oneshot::Sender<Reply>,
    attachments: Arc<BTreeMap<String, Attachment>>,
    listener: Listener,
    watcher: Option<Watcher>,
}

/// What goes with a call besides its message.
#[derive(Default)]
pub(crate) struct Along {
    /// The contents that the agent may ask for.
    pub(crate) attachments: BTreeMap<String, Attachment>,
    /// Stops the call.
    pub(crate) cancel: Cancel,
    /// Hears what its programs write.
    pub(crate) listener: Listener,
    /// Is told of contents on their way.
    pub(crate) watcher: Option<Watcher>,
}

impl Link {
    /// Says hello over a pair of pipes at whose other end an agent has been started.
    ///
    /// # Errors
    /// A sentence, where no agent of the same version answers in time.
    pub(crate) async fn start(
        mut reader: impl AsyncRead + Send + Unpin + 'static,
        mut writer: impl AsyncWrite + Send + Unpin + 'static,
        start: &Start,
        patience: Duration,
    ) -> Result<Self, String> {
        let mut hello = Vec::new();
        start.encode(0, &mut hello);
        let lost = |error: std::io::Error| format!("the agent's pipe broke: {error}");
        writer.write_all(&hello).await.map_err(lost)?;
        writer.flush().await.map_err(lost)?;
        let mut decoder = Decoder::new(Limits::default());
        let greeting = timeout(patience, greet(&mut reader, &mut decoder))
            .await
            .map_err(|_| format!("the agent said nothing for {} s", patience.as_secs()))??;
        if greeting.wire != VERSION {
            return Err(format!(
                "the agent is davit {} and speaks version {} of the wire; this is davit {}, which speaks version {VERSION}",
                greeting.version,
                greeting.wire,
                env!("CARGO_PKG_VERSION"),
            ));
        }
        let (out, queue) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { out, next: AtomicU32::new(1), state: Mutex::default() });
        let write = tokio::spawn(write_all(queue, writer, Arc::downgrade(&shared)));
        let read = tokio::spawn(read_all(reader, decoder, Arc::clone(&shared)));
        let tasks = vec![write.abort_handle(), read.abort_handle()];
        Ok(Self { shared, greeting, tasks, written: Mutex::new(Some(write)) })
    }

    /// Why it is closed, where it is.
    pub(crate) fn closed(&self) -> Option<String> {
        self.shared.lock().closed.clone()
    }

    /// Runs a module.
    ///
    /// # Errors
    /// Why the connection was lost.
    pub(crate) async fn call(
        &self,
        call: davit_wire::Call,
        along: Along,
    ) -> Result<Called, String> {
        let Along { attachments, cancel, listener, watcher } = along;
        let number = self.shared.number();
        let (reply, answer) = oneshot::channel();
        let slot = CallSlot { reply, attachments: Arc::new(attachments), listener, watcher };
        self.shared.insert_call(number, slot)?;
        let asked = Asked { shared: &self.shared, number };
        let mut bytes = Vec::new();
        call.encode(number, &mut bytes);
        self.shared.send(bytes);
        let shared = Arc::downgrade(&self.shared);
        cancel.on_cancel(move || {
            if let Some(shared) = shared.upgrade() {
                shared.say(Kind::Cancel, number, b"");
            }
        });
        let answer = answer.await;
        std::mem::forget(asked);
        match answer {
            Ok(Reply { reply, changes }) => Ok(Called { reply, changes }),
            Err(_) => Err(self.closed().unwrap_or_else(|| "the connection is closed".into())),
        }
    }

    /// Opens a stream; the inner error is the host's.
    ///
    /// # Errors
    /// Why the connection was lost.
    pub(crate) async fn open(&self, target: Target) -> Result<std::io::Result<LinkStream>, String> {
        stream::open(&self.shared, Open { target }).await
    }

    /// Says that silence is to be expected for a while.
    pub(crate) fn hold(&self) {
        self.shared.say(Kind::Hold, 0, b"");
    }

    /// Says goodbye, and waits until that is written.
    pub(crate) async fn close(&self) {
        self.shared.say(Kind::Bye, 0, b"");
        // An empty message ends the writer.
        self.shared.send(Vec::new());
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(written) = written {
            // One that cannot be told is told by the end of the pipe.
            let _ = timeout(Duration::from_secs(2), written).await;
        }
    }
}

/// A call that is not answered. Dropped before it is, it is stopped.
struct Asked<'a> {
    shared: &'a Arc<Shared>,
    number: u32,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.shared.lock().calls.remove(&self.number);
        self.shared.say(Kind::Cancel, self.number, b"");
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed) & !THEIRS
    }

    /// Queues what is to be written; lost where the link is closed.
    fn send(&self, bytes: Vec<u8>) {
        let _ = self.out.send(bytes);
    }

    fn say(&self, kind: Kind, number: u32, body: &[u8]) {
        let mut bytes = Vec::new();
        encode(kind, number, body, &mut bytes);
        self.send(bytes);
    }

    fn insert_call(&self, number: u32, slot: CallSlot) -> Result<(), String> {
        let mut state = self.lock();
        if let Some(why) = &state.closed {
            return Err(why.clone());
        }
        state.calls.insert(number, slot);
        Ok(())
    }

    /// Closes the link: all that waits is told.
    fn fail(&self, why: &str) {
        let (calls, streams, contents) = {
            let mut state = self.lock();
            state.closed.get_or_insert_with(|| why.to_owned());
            (
                std::mem::take(&mut state.calls),
                std::mem::take(&mut state.streams),
                std::mem::take(&mut state.contents),
            )
        };
        drop(calls);
        for stream in streams.into_values() {
            stream.lose(why);
        }
        for content in contents.into_values() {
            content.stop();
        }
    }

    /// Takes a message in; an error ends the link.
    fn take(self: &Arc<Self>, message: Message) -> Result<(), String> {
        let Message { kind, number, body } = message;
        let wrong = |error: davit_wire::Error| error.to_string();
        match kind {
            Kind::Reply => {
                let reply = Reply::decode(&body).map_err(wrong)?;
                let slot = self.lock().calls.remove(&number);
                // A call that was given up may still be answered.
                if let Some(slot) = slot {
                    let _ = slot.reply.send(reply);
                }
            }
            Kind::Want => self.want(number, Want::decode(&body).map_err(wrong)?)?,
            Kind::Credit => {
                let bytes = of_credit(&body).map_err(wrong)?;
                let state = self.lock();
                if let Some(sending) = state.contents.get(&number) {
                    sending.add(bytes);
                } else if let Some(slot) = state.streams.get(&number) {
                    slot.add(bytes);
                }
            }
            Kind::Data | Kind::Output | Kind::Opened | Kind::End | Kind::Exit => {
                self.take_of_stream(kind, number, body)?;
            }
            Kind::Reset => {
                let Refusal { why } = Refusal::decode(&body).map_err(wrong)?;
                if number == 0 {
                    return Err(why);
                }
                let (slot, content) = {
                    let mut state = self.lock();
                    (state.streams.remove(&number), state.contents.remove(&number))
                };
                if let Some(slot) = slot {
                    slot.lose(&why);
                }
                if let Some(content) = content {
                    content.stop();
                }
            }
            Kind::Ping => self.say(Kind::Pong, 0, b""),
            Kind::Pong => {}
            Kind::Start
            | Kind::Greeting
            | Kind::Call
            | Kind::Cancel
            | Kind::Open
            | Kind::Bye
            | Kind::Hold => return Err("the agent says what only a controller says".into()),
        }
        Ok(())
    }

    /// Takes in what is about a stream, or about what a call's programs write.
    fn take_of_stream(&self, kind: Kind, number: u32, body: Vec<u8>) -> Result<(), String> {
        let mut state = self.lock();
        if let Some(slot) = state.streams.get_mut(&number) {
            match kind {
                Kind::Data => slot.data(body)?,
                Kind::Output => slot.said(body),
                Kind::Opened => slot.opened(),
                Kind::End => slot.end(),
                _ => slot.exit(Exit::decode(&body).map_err(|error| error.to_string())?.code),
            }
        } else if let (Kind::Output, Some(slot)) = (kind, state.calls.get(&number)) {
            let listener = slot.listener.clone();
            drop(state);
            if let Some((side, lines)) = body.split_first() {
                let stream = if *side == 0 { Stream::Stdout } else { Stream::Stderr };
                listener.hear(stream, lines);
            }
        }
        // A stream that has been given up may still say something.
        Ok(())
    }

    /// The agent asks for the content of an attachment.
    fn want(self: &Arc<Self>, number: u32, want: Want) -> Result<(), String> {
        let mut state = self.lock();
        let found = state.calls.get(&want.call).and_then(|slot| {
            let attachment = slot.attachments.get(&want.name)?;
            Some((attachment.clone(), slot.watcher.clone()))
        });
        let Some((attachment, watcher)) = found else {
            drop(state);
            // The call may just have been given up.
            let refusal = Refusal { why: format!("there is no {} to send", want.name) };
            let mut bytes = Vec::new();
            refusal.encode(number, &mut bytes);
            self.send(bytes);
            return Ok(());
        };
        if number & THEIRS == 0 || state.contents.len() > 256 {
            return Err("the agent asks for more than is reasonable".into());
        }
        let sending = Arc::new(content::Sending::default());
        if state.contents.insert(number, Arc::clone(&sending)).is_some() {
            return Err("the agent uses a number twice".into());
        }
        drop(state);
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            content::send(&shared, number, attachment, &sending, watcher).await;
            shared.lock().contents.remove(&number);
        });
        Ok(())
    }
}

async fn greet(
    reader: &mut (impl AsyncRead + Unpin),
    decoder: &mut Decoder,
) -> Result<Greeting, String> {
    let mut buffer = vec![0; READ];
    loop {
        if let Some(message) = decoder.next_message().map_err(|error| error.to_string())? {
            return match message.kind {
                Kind::Greeting => {
                    Greeting::decode(&message.body).map_err(|error| error.to_string())
                }
                Kind::Reset => Err(Refusal::decode(&message.body)
                    .map_or_else(|error| error.to_string(), |it| it.why)),
                _ => Err("what answers is no agent of davit".into()),
            };
        }
        match reader.read(&mut buffer).await {
            Ok(0) => return Err("the agent ended before it said hello".into()),
            Ok(count) => decoder.feed(&buffer[..count]),
            Err(error) => return Err(format!("the agent's pipe broke: {error}")),
        }
    }
}

/// Writes what is queued until the link is dropped, or an empty message comes.
async fn write_all(
    mut queue: mpsc::UnboundedReceiver<Vec<u8>>,
    mut writer: impl AsyncWrite + Unpin,
    shared: std::sync::Weak<Shared>,
) {
    while let Some(mut bytes) = queue.recv().await {
        let mut last = bytes.is_empty();
        while bytes.len() < WRITE && !last {
            let Ok(more) = queue.try_recv() else { break };
            last = more.is_empty();
            bytes.extend_from_slice(&more);
        }
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        if let Err(error) = written.await {
            if let Some(shared) = shared.upgrade() {
                shared.fail(&format!("the connection was lost: {error}"));
            }
            return;
        }
        if last {
            break;
        }
    }
    // The agent ends with its input.
    let _ = writer.shutdown().await;
}

/// Reads until the connection ends, and looks after it.
async fn read_all(mut reader: impl AsyncRead + Unpin, mut decoder: Decoder, shared: Arc<Shared>) {
    let why = read_until(&mut reader, &mut decoder, &shared).await;
    shared.fail(&why);
}

async fn read_until(
    reader: &mut (impl AsyncRead + Unpin),
    decoder: &mut Decoder,
    shared: &Arc<Shared>,
) -> String {
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    let mut asked = heard;
    let mut buffer = vec![0; READ];
    loop {
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => {
                    if let Err(why) = shared.take(message) {
                        return format!("the agent makes no sense: {why}");
                    }
                }
                Ok(None) => break,
                Err(error) => return format!("the agent makes no sense: {error}"),
            }
        }
        tokio::select! {
            biased;
            read = reader.read(&mut buffer) => match read {
                Ok(0) => return "the connection was lost: the agent has ended".into(),
                Ok(count) => {
                    heard = Instant::now();
                    decoder.feed(&buffer[..count]);
                }
                Err(error) => return format!("the connection was lost: {error}"),
            },
            _ = beat.tick() => {
                if asked.elapsed() > BEAT * 2 {
                    // This process was stopped for a while, and has asked nothing meanwhile.
                    heard = Instant::now();
                }
                asked = Instant::now();
                if heard.elapsed() >= SILENCE {
                    return format!(
                        "the connection was lost: nothing was heard for {} s",
                        SILENCE.as_secs()
                    );
                }
                shared.say(Kind::Ping, 0, b"");
            }
        }
    }
}

#[cfg(test)]
mod tests;
