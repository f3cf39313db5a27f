//! Answers to what ssh asks: passwords, passphrases, whether a host's key is the right one.
//!
//! ```text
//! ssh ─▶ helper (davit, started by ssh as SSH_ASKPASS) ─▶ socket ─▶ Askpass ─▶ person
//! ```
//!
//! Nothing secret is on a command line, in an environment or in a file. The helper is told the
//! path of a socket in a folder that nobody else may enter, and which session asks; who is not
//! the same user is not answered. A password is given once a session, and only to the ssh that
//! was started for its host: the ssh of a jump host is another one, and so is what it asks.
//!
//! It knows no transport: sessions are made known by whoever starts ssh.

use std::collections::HashMap;
use std::fs::Permissions;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// The variable in which the helper finds the path of the socket.
pub const SOCKET: &str = "DAVIT_ASKPASS";
/// The variable in which the helper finds its session.
pub const SESSION: &str = "DAVIT_ASKPASS_SESSION";

/// The longest question or answer.
const LONGEST: u64 = 64 * 1024;
/// How long the helper may take to ask.
const PATIENCE: Duration = Duration::from_secs(5);

/// A question for the person at the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The host that is about to be reached, as the inventory names it.
    pub host: Arc<str>,
    /// What kind of answer is wanted.
    pub kind: Asked,
    /// The question, as ssh puts it.
    pub text: String,
}

/// What ssh asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Whether the host's key is the right one: `yes`, `no`, or its fingerprint.
    HostKey,
    /// The passphrase of a key.
    Passphrase,
    /// The password of a user.
    Password,
    /// The PIN of a token.
    Pin,
    /// Something else that is not shown while it is typed, such as a one-time code.
    Secret,
    /// Yes or no: any answer is a yes.
    Confirm,
    /// Nothing: a token waits to be touched.
    Notice,
}

/// Asks the person at the terminal; `None` where nobody answers. It may block.
pub type Ask = Arc<dyn Fn(&Question) -> Option<String> + Send + Sync>;

/// What the helper says.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    session: u64,
    /// The process that asks.
    parent: i32,
    /// What ssh says of the kind of question; empty = nothing.
    #[serde(default)]
    hint: String,
    prompt: String,
}

/// The helper's side: puts the question of the ssh that started it. `None` = it is not answered.
///
/// `hint` is what ssh says of the kind of question in `SSH_ASKPASS_PROMPT`.
#[must_use]
pub fn relay(socket: &Path, session: &str, hint: &str, prompt: &str) -> Option<String> {
    let request = Request {
        session: session.parse().ok()?,
        parent: nix::unistd::getppid().as_raw(),
        hint: hint.to_owned(),
        prompt: prompt.to_owned(),
    };
    let mut stream = std::os::unix::net::UnixStream::connect(socket).ok()?;
    stream.write_all(&serde_json::to_vec(&request).ok()?).ok()?;
    stream.shutdown(std::net::Shutdown::Write).ok()?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer).ok()?;
    answer.strip_prefix('+').map(str::to_owned)
}

/// What is known beforehand of the answers.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    /// The password of the user who logs in, or the PIN of the token.
    pub(crate) password: Option<String>,
    /// The passphrase of the key.
    pub(crate) passphrase: Option<String>,
    /// What the question for the password contains, where not `assword`.
    pub(crate) prompt: Option<String>,
    /// The password is the PIN of a token.
    pub(crate) is_pin: bool,
}

/// What is kept of the questions of all sessions to a host.
#[derive(Default)]
pub(crate) struct Memory {
    /// The password was given to the host in this or an earlier session.
    pub(crate) gave_password: AtomicBool,
    /// What ssh said when the password was refused: it is not tried again, as accounts get locked.
    refusal: Mutex<Option<String>>,
    /// The person has said that the host's key is not the right one.
    pub(crate) declined: AtomicBool,
    /// How many questions are before the person.
    waiting: AtomicUsize,
    /// What was asked and not answered.
    unanswered: Mutex<Vec<(Asked, String)>>,
}

impl Memory {
    /// True while the person is asked.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// The last question of that kind that nobody has answered.
    pub(crate) fn unanswered(&self, kind: Asked) -> Option<String> {
        let all = lock(&self.unanswered);
        all.iter().rev().find(|(it, _)| *it == kind).map(|(_, text)| text.clone())
    }

    /// Keeps what ssh said when the password was refused.
    pub(crate) fn refuse(&self, said: &str) {
        *lock(&self.refusal) = Some(said.to_owned());
    }

    /// What ssh said when the password was refused.
    pub(crate) fn refusal(&self) -> Option<String> {
        lock(&self.refusal).clone()
    }

    fn note(&self, kind: Asked, text: &str) {
        let mut all = lock(&self.unanswered);
        if all.len() < 16 && !all.iter().any(|(_, known)| known == text) {
            all.push((kind, text.to_owned()));
        }
    }

    fn was_refused(&self, text: &str) -> bool {
        lock(&self.unanswered).iter().any(|(_, known)| known == text)
    }
}

/// One ssh that may ask.
pub(crate) struct Session {
    /// The host, as the inventory names it.
    pub(crate) host: Arc<str>,
    pub(crate) secrets: Secrets,
    pub(crate) ask: Option<Ask>,
    pub(crate) memory: Arc<Memory>,
    /// What it is to run on the host: its last argument.
    line: String,
    /// Its process, once it has been started.
    pub(crate) process: OnceLock<u32>,
    /// The questions that were answered from what is known: none is answered twice.
    answered: Mutex<Vec<String>>,
}

impl Session {
    pub(crate) fn new(
        host: Arc<str>,
        secrets: Secrets,
        ask: Option<Ask>,
        memory: Arc<Memory>,
        line: &str,
    ) -> Arc<Self> {
        let (process, answered, line) = (OnceLock::new(), Mutex::default(), line.to_owned());
        Arc::new(Self { host, secrets, ask, memory, line, process, answered })
    }

    /// The kind of a question.
    fn kind(&self, hint: &str, prompt: &str) -> Asked {
        let low = prompt.to_lowercase();
        let expected = self.secrets.prompt.as_deref();
        match hint {
            "none" => Asked::Notice,
            "confirm" => Asked::Confirm,
            _ if low.contains("(yes/no") || low.starts_with("please type 'yes'") => Asked::HostKey,
            _ if low.contains("passphrase for") => Asked::Passphrase,
            _ if prompt.contains("PIN for ") => Asked::Pin,
            _ if expected.map_or(low.contains("assword"), |it| prompt.contains(it)) => {
                Asked::Password
            }
            _ => Asked::Secret,
        }
    }

    /// The answer that is known, if it may be given.
    fn known(&self, kind: Asked, prompt: &str, is_direct: bool) -> Option<String> {
        let (secret, mark) = match kind {
            Asked::Passphrase => (self.secrets.passphrase.as_ref()?, prompt),
            Asked::Password if is_direct && !is_for_new(prompt) => {
                (self.secrets.password.as_ref()?, "password")
            }
            Asked::Pin if is_direct && self.secrets.is_pin => {
                (self.secrets.password.as_ref()?, "password")
            }
            _ => return None,
        };
        let mut answered = lock(&self.answered);
        if answered.iter().any(|it| it == mark) {
            return None;
        }
        answered.push(mark.to_owned());
        if mark == "password" {
            self.memory.gave_password.store(true, Ordering::Relaxed);
        }
        Some(secret.clone())
    }

    /// The answer to a question.
    async fn answer(&self, asking: &Mutexed, request: Request) -> Option<String> {
        let kind = self.kind(&request.hint, &request.prompt);
        let is_direct = self.is_direct(request.parent).await;
        if let Some(answer) = self.known(kind, &request.prompt, is_direct) {
            return Some(answer);
        }
        // The password was refused: whoever is at the terminal has given it already.
        let spent = kind == Asked::Password && is_direct && self.secrets.password.is_some();
        let answer = match &self.ask {
            Some(ask) if !spent && !self.memory.was_refused(&request.prompt) => {
                let text = request.prompt.clone();
                let question = Question { host: Arc::clone(&self.host), kind, text };
                let _waiting = Waiting::new(&self.memory);
                asking.put(Arc::clone(ask), question).await
            }
            _ => None,
        };
        let is_no = kind == Asked::HostKey && answer.as_deref() == Some("no");
        self.memory.declined.fetch_or(is_no, Ordering::Relaxed);
        if answer.is_none() || is_no {
            self.memory.note(kind, &request.prompt);
        }
        answer
    }

    /// True where the process that asks is the ssh that was started for the host, or one that a
    /// script in its place has started with the same arguments. The ssh of a jump host is neither.
    async fn is_direct(&self, asker: i32) -> bool {
        let Ok(asker) = u32::try_from(asker) else { return false };
        for _ in 0..100 {
            // The number is known a moment after the start.
            let Some(process) = self.process.get() else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            if *process == asker {
                return true;
            }
            break;
        }
        let line = std::fs::read(format!("/proc/{asker}/cmdline")).unwrap_or_default();
        let mut args = line.strip_suffix(b"\0").unwrap_or(&line).rsplit(|byte| *byte == 0);
        args.next() == Some(self.line.as_bytes())
    }
}

/// True where a password is to be chosen, not shown.
fn is_for_new(prompt: &str) -> bool {
    let low = prompt.to_lowercase();
    low.contains("new password") || low.contains("new unix password")
}

/// Counts a question as long as it lives.
struct Waiting<'a>(&'a Memory);

impl<'a> Waiting<'a> {
    fn new(memory: &'a Memory) -> Self {
        memory.waiting.fetch_add(1, Ordering::Relaxed);
        Self(memory)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Puts one question after the other.
#[derive(Clone, Default)]
struct Mutexed(Arc<Mutex<()>>);

impl Mutexed {
    async fn put(&self, ask: Ask, question: Question) -> Option<String> {
        let (say, said) = oneshot::channel();
        let turn = Arc::clone(&self.0);
        // A thread of its own, not one of the runtime's: the runtime would wait for the person
        // before it ends.
        let asking = std::thread::Builder::new().name("ask".into()).spawn(move || {
            let _turn = lock(&turn);
            // Whoever has asked may have gone while others were asked.
            if !say.is_closed() {
                let _ = say.send(ask(&question));
            }
        });
        asking.ok()?;
        said.await.ok().flatten()
    }
}

type Sessions = Arc<Mutex<HashMap<u64, Arc<Session>>>>;

/// The socket at which the helpers ask.
pub(crate) struct Askpass {
    sessions: Sessions,
    next: AtomicU64,
    accepting: AbortHandle,
    socket: PathBuf,
    /// Removed with all that is in it.
    _folder: tempfile::TempDir,
}

impl Askpass {
    /// Listens in a new folder below `folder`.
    pub(crate) fn listen(folder: &Path) -> io::Result<Self> {
        let only_own = Permissions::from_mode(0o700);
        let folder =
            tempfile::Builder::new().prefix("davit-").permissions(only_own).tempdir_in(folder)?;
        let socket = folder.path().join("ask");
        let listener = UnixListener::bind(&socket)?;
        let sessions = Sessions::default();
        let accepting = tokio::spawn(accept(listener, Arc::clone(&sessions))).abort_handle();
        Ok(Self { sessions, next: AtomicU64::new(1), accepting, socket, _folder: folder })
    }

    /// Where the helpers ask.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Makes a session known until what is returned is dropped.
    pub(crate) fn register(&self, session: Arc<Session>) -> Registered {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.sessions).insert(number, session);
        Registered { sessions: Arc::clone(&self.sessions), number }
    }
}

impl Drop for Askpass {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A session that may ask.
pub(crate) struct Registered {
    sessions: Sessions,
    /// Its number.
    pub(crate) number: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        lock(&self.sessions).remove(&self.number);
    }
}

async fn accept(listener: UnixListener, sessions: Sessions) {
    let own = nix::unistd::geteuid().as_raw();
    let asking = Mutexed::default();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, perhaps: it passes.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if stream.peer_cred().is_ok_and(|peer| peer.uid() == own) {
            let (sessions, asking) = (Arc::clone(&sessions), asking.clone());
            tokio::spawn(async move { serve(stream, &sessions, &asking).await });
        }
    }
}

async fn serve(mut stream: UnixStream, sessions: &Sessions, asking: &Mutexed) -> Option<()> {
    let mut text = Vec::new();
    let reading = async { (&mut stream).take(LONGEST).read_to_end(&mut text).await };
    timeout(PATIENCE, reading).await.ok()?.ok()?;
    let request: Request = serde_json::from_slice(&text).ok()?;
    let session = lock(sessions).get(&request.session).cloned()?;
    let answer = session.answer(asking, request).await;
    let reply = answer.map_or_else(|| "-".to_owned(), |answer| format!("+{answer}"));
    stream.write_all(reply.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
