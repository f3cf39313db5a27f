//! Streams: programs, TCP connections, Unix sockets and files of the host, relayed.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use davit_wire::{CHUNK, Exit, Kind, Open, Refusal, Target};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::inbox::{Inbox, Reading, Room};
use crate::out::Out;

/// The most streams at the same time.
const MOST: usize = 1024;
/// How long a program's error output may stay open after its end: a daemon may hold it for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long a connection may take to be made.
const PATIENCE: Duration = Duration::from_secs(10);

/// One stream.
#[derive(Clone)]
struct Stream {
    inbox: Arc<Inbox>,
    room: Arc<Room>,
    /// Ends what is behind it.
    stop: Arc<dyn Fn() + Send + Sync>,
    /// What is typed at its terminal.
    typed: Option<Arc<Inbox>>,
}

/// The streams of a connection.
#[derive(Default)]
pub(crate) struct Streams(Mutex<HashMap<u32, Stream>>);

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").finish_non_exhaustive()
    }
}

impl Streams {
    /// A stream on which something only comes.
    pub(crate) fn receive(&self, number: u32, inbox: &Arc<Inbox>) {
        let stream = Stream {
            inbox: Arc::clone(inbox),
            room: Arc::default(),
            stop: Arc::new(|| {}),
            typed: None,
        };
        self.lock().insert(number, stream);
    }

    /// The stream is done with.
    pub(crate) fn forget(&self, number: u32) {
        self.lock().remove(&number);
    }

    fn get(&self, number: u32) -> Option<Stream> {
        self.lock().get(&number).cloned()
    }

    /// Bytes came. False where there are more than there is room for. What comes for a stream that
    /// is no more is dropped: it was under way when it ended.
    pub(crate) fn data(&self, number: u32, bytes: Vec<u8>) -> bool {
        self.get(number).is_none_or(|it| it.inbox.put(bytes))
    }

    /// Something was typed.
    pub(crate) fn typed(&self, number: u32, bytes: Vec<u8>) -> bool {
        self.get(number).and_then(|it| it.typed).is_none_or(|it| it.put(bytes))
    }

    /// No more bytes come.
    pub(crate) fn end(&self, number: u32) {
        if let Some(stream) = self.get(number) {
            stream.inbox.end(Ok(()));
        }
    }

    /// There is room.
    pub(crate) fn credit(&self, number: u32, bytes: usize) {
        if let Some(stream) = self.get(number) {
            stream.room.add(bytes);
        }
    }

    /// The other side gives the stream up.
    pub(crate) fn reset(&self, number: u32, why: &str) {
        let stream = self.lock().remove(&number);
        if let Some(stream) = stream {
            give_up(&stream, why);
        }
    }

    /// Gives all streams up.
    pub(crate) fn stop(&self) {
        let all: Vec<Stream> = self.lock().drain().map(|(_, stream)| stream).collect();
        for stream in &all {
            give_up(stream, "the connection is closed");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Stream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a stream; false where the other side asks for more than is reasonable.
    pub(crate) fn open(self: &Arc<Self>, out: &Arc<Out>, number: u32, open: Open) -> bool {
        {
            let all = self.lock();
            if all.len() >= MOST || all.contains_key(&number) {
                return false;
            }
        }
        let relay = Relay { streams: Arc::clone(self), out: Arc::clone(out), number };
        let started = thread::Builder::new().name("stream".into()).spawn(move || {
            let refused = relay.run(open.target);
            relay.streams.forget(number);
            if let Err(error) = refused {
                // Nobody is there any more to be told.
                let _ = relay.out.send_json(number, &Refusal { why: error.to_string() });
            }
        });
        if let Err(error) = started {
            return out.send_json(number, &Refusal { why: error.to_string() }).is_ok();
        }
        true
    }
}

fn give_up(stream: &Stream, why: &str) {
    stream.inbox.end(Err(why.to_owned()));
    if let Some(typed) = &stream.typed {
        typed.end(Ok(()));
    }
    stream.room.close();
    (stream.stop)();
}

/// One stream and its ends.
#[derive(Clone)]
struct Relay {
    streams: Arc<Streams>,
    out: Arc<Out>,
    number: u32,
}

impl Relay {
    fn run(&self, target: Target) -> io::Result<()> {
        match target {
            Target::Program { argv, environment, terminal } => {
                self.program(&argv, environment, terminal)
            }
            Target::Tcp { host, port } => {
                let socket = connect(&host, port)?;
                let (reader, writer, stop) =
                    (socket.try_clone()?, socket.try_clone()?, socket.try_clone()?);
                self.socket(reader, writer, socket, move || {
                    // It may be closed already.
                    let _ = stop.shutdown(std::net::Shutdown::Both);
                })
            }
            Target::Unix { path } => {
                let socket = UnixStream::connect(path)?;
                let (reader, writer, stop) =
                    (socket.try_clone()?, socket.try_clone()?, socket.try_clone()?);
                self.socket(reader, writer, socket, move || {
                    let _ = stop.shutdown(std::net::Shutdown::Both);
                })
            }
            Target::File { path } => self.file(&path),
        }
    }

    /// Makes the stream known, and says so.
    fn opened(&self, stream: Stream) -> io::Result<()> {
        self.streams.lock().insert(self.number, stream);
        self.out.send(Kind::Opened, self.number, b"")
    }

    fn file(&self, path: &Path) -> io::Result<()> {
        let mut file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let room = Arc::new(Room::default());
        let stop: Arc<dyn Fn() + Send + Sync> = Arc::new(|| {});
        let stream = Stream { inbox: Arc::default(), room: Arc::clone(&room), stop, typed: None };
        self.opened(stream)?;
        self.pump(&mut file, &room)?;
        self.out.send(Kind::End, self.number, b"")
    }

    fn socket<R, W>(
        &self,
        mut reader: R,
        mut writer: W,
        half: impl Halves,
        stop: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<()>
    where
        R: Read,
        W: Write + Send + 'static,
    {
        let (inbox, room) = (Arc::new(Inbox::default()), Arc::new(Room::default()));
        let stop: Arc<dyn Fn() + Send + Sync> = Arc::new(stop);
        let stream =
            Stream { inbox: Arc::clone(&inbox), room: Arc::clone(&room), stop, typed: None };
        self.opened(stream)?;
        let mut reading = Reading::new(Arc::clone(&self.out), self.number, inbox);
        let feeder = thread::Builder::new().name("feed".into()).spawn(move || {
            // A peer that closes early ends the other direction as well.
            let _ = io::copy(&mut reading, &mut writer);
            half.end_writing();
        })?;
        let pumped = self.pump(&mut reader, &room);
        self.out.send(Kind::End, self.number, b"")?;
        // The other direction may go on: a peer may close its half first.
        let _ = feeder.join();
        pumped
    }

    fn program(
        &self,
        argv: &[String],
        environment: Vec<(String, String)>,
        terminal: bool,
    ) -> io::Result<()> {
        let (program, args) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let (mut command, pty) = if terminal {
            let pty = crate::terminal::open()?;
            (crate::terminal::command(argv, &pty.path), Some(pty))
        } else {
            let mut command = Command::new(program);
            // The helper of a terminal becomes the leader of a session, which a leader of a group
            // cannot.
            command.args(args).process_group(0);
            (command, None)
        };
        command.envs(environment).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let (Some(mut stdin), Some(mut stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let (inbox, room) = (Arc::new(Inbox::default()), Arc::new(Room::default()));
        let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
        // A program of another user cannot be killed: it ends with its input.
        let stop: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
            let _ = killpg(group, Signal::SIGKILL);
        });
        let typed = pty.as_ref().map(|_| Arc::new(Inbox::default()));
        self.opened(Stream {
            inbox: Arc::clone(&inbox),
            room: Arc::clone(&room),
            stop,
            typed: typed.clone(),
        })?;
        let mut reading = Reading::new(Arc::clone(&self.out), self.number, inbox);
        thread::Builder::new().name("feed".into()).spawn(move || {
            while let Ok(Some(chunk)) = reading.next_chunk() {
                if stdin.write_all(&chunk).is_err() {
                    break;
                }
            }
        })?;
        let errors = self.clone();
        let listener =
            thread::Builder::new().name("listen".into()).spawn(move || errors.listen(stderr))?;
        let mut held = None;
        if let (Some(pty), Some(typed)) = (pty, typed) {
            self.attend(pty.master, &typed)?;
            held = Some(pty.held);
        }
        let pumped = self.pump(&mut stdout, &room);
        let code = wait(&mut child);
        // What it has written last is told before its end.
        let limit = Instant::now() + LAST_WORDS;
        while !listener.is_finished() && Instant::now() < limit {
            thread::sleep(Duration::from_millis(1));
        }
        // What a daemon holds open is not waited for.
        drop((listener, held));
        self.out.send(Kind::End, self.number, b"")?;
        self.out.send_json(self.number, &Exit { code })?;
        pumped
    }

    /// Relays what is written to a terminal, and what is typed.
    fn attend(&self, master: File, typed: &Arc<Inbox>) -> io::Result<()> {
        let (screen, mut keys) = (master.try_clone()?, master);
        let relay = self.clone();
        thread::Builder::new().name("screen".into()).spawn(move || relay.listen(screen))?;
        let typed = Arc::clone(typed);
        thread::Builder::new().name("keys".into()).spawn(move || {
            while let Ok(Some(text)) = typed.take() {
                if keys.write_all(&text).is_err() {
                    break;
                }
            }
        })?;
        Ok(())
    }

    /// Sends what is read as output.
    fn listen(&self, mut from: impl Read) {
        let mut buffer = [0; 4096];
        while let Ok(count) = from.read(&mut buffer) {
            if count == 0 || self.out.send(Kind::Output, self.number, &buffer[..count]).is_err() {
                return;
            }
        }
    }

    /// Sends what is read as bytes of the stream, as fast as the other side takes it.
    fn pump(&self, from: &mut impl Read, room: &Room) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let mut rest = &buffer[..count];
            while !rest.is_empty() {
                let Some(taken) = room.take(rest.len()) else { return Ok(()) };
                let (now, after) = rest.split_at(taken);
                self.out.send(Kind::Data, self.number, now)?;
                rest = after;
            }
        }
    }
}

/// Something of which one direction can be closed.
trait Halves: Send + 'static {
    fn end_writing(&self);
}

impl Halves for TcpStream {
    fn end_writing(&self) {
        let _ = self.shutdown(std::net::Shutdown::Write);
    }
}

impl Halves for UnixStream {
    fn end_writing(&self) {
        let _ = self.shutdown(std::net::Shutdown::Write);
    }
}

fn wait(child: &mut Child) -> i32 {
    child
        .wait()
        .map_or(-1, |status| status.code().unwrap_or_else(|| -status.signal().unwrap_or_default()))
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::other(format!("the name {host} has no address"));
    for address in davit_module::names::addresses(host, port) {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(socket) => {
                // Small answers must not wait for more to send.
                let _ = socket.set_nodelay(true);
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
