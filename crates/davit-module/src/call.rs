//! One call of a module: what the controller sends to a host.
//!
//! It does not know how it travels: on one machine it is handed over, between machines a wire
//! carries it.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use davit_event::{Reply, Stream};
use serde::{Deserialize, Serialize};

/// One call of a module on one host.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// The name by which the user called the module, for messages; empty = its short name.
    pub name: String,
    /// The arguments, rendered, as the user named them.
    pub args: Reply,
    /// Predict, and change nothing.
    pub check: bool,
    /// Say what changed in the text of files: `diff` in the result.
    pub diff: bool,
    /// The task's `environment:`, on top of the host's own.
    pub environment: Vec<(String, String)>,
    /// Files that the controller sends along, by a name that the module and the controller agree
    /// on, such as `src`.
    pub attachments: BTreeMap<String, Attachment>,
    /// The task hides its arguments and result.
    pub no_log: bool,
    /// How many `-v` the user gave.
    pub verbosity: u8,
    /// Set to stop the call: programs that it runs are killed.
    pub cancel: Cancel,
    /// The folder for files that the call needs for its own duration; empty = the system's.
    pub tmp: PathBuf,
    /// The folder against which relative paths count and in which programs start; empty = the
    /// process's own.
    pub folder: PathBuf,
    /// Permission bits that new files do not get; `None` = the process's own.
    pub umask: Option<u32>,
    /// The call is to go on by itself, also when nobody is connected any more: `async:`.
    pub job: Option<Job>,
    /// Names the call in any attempt of the same run: a host that has already carried it out
    /// answers with what came of it. Empty = no name.
    pub key: String,
    /// Hears what the call's programs write, while they run.
    pub listener: Listener,
}

/// Hears what programs write, while they run.
///
/// It is also called now and then with nothing, so that it can pass on what it has kept.
#[derive(Clone, Default)]
pub struct Listener(Option<Arc<Hears>>);

/// What a [`Listener`] does with what it hears.
type Hears = dyn Fn(Stream, &[u8]) + Send + Sync;

impl Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.0.is_some()).finish()
    }
}

impl Listener {
    /// One that does this.
    pub fn new(hears: impl Fn(Stream, &[u8]) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hears)))
    }

    /// Whether anybody hears.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Something was written.
    pub fn hear(&self, stream: Stream, bytes: &[u8]) {
        if let Some(hears) = &self.0 {
            hears(stream, bytes);
        }
    }
}

/// A call that goes on by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its name: `j` and digits, a dot, digits.
    pub id: String,
    /// When it is stopped, in seconds.
    pub limit: u64,
    /// Where its result is kept on the host; `~` is the user's home.
    pub folder: String,
}

/// A file that the controller sends along with a call.
#[derive(Clone, Debug)]
pub enum Attachment {
    /// A file on the same machine.
    Path(PathBuf),
    /// The content itself.
    Bytes(Arc<[u8]>),
    /// A file elsewhere, whose content comes when it is asked for.
    Sent(Arc<dyn Sent>),
}

/// Content that comes over a wire once somebody opens it.
pub trait Sent: Send + Sync + Debug {
    /// How many bytes it has.
    fn size(&self) -> u64;

    /// SHA-1 of the content, in lower-case hexadecimal.
    fn sha1(&self) -> &str;

    /// MD5 of the content, where it has been fetched whole and was worked out on the way.
    fn md5(&self) -> Option<String> {
        None
    }

    /// Fetches it, from its start.
    ///
    /// # Errors
    /// Where the other side cannot be asked.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;
}

impl Attachment {
    /// Opens it for reading from its start.
    ///
    /// # Errors
    /// Where the file cannot be opened.
    pub fn open(&self) -> io::Result<Box<dyn Read>> {
        match self {
            Self::Path(path) => Ok(Box::new(File::open(path)?)),
            Self::Bytes(bytes) => Ok(Box::new(Cursor::new(Arc::clone(bytes)))),
            Self::Sent(sent) => Ok(sent.open()?),
        }
    }

    /// All of it.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::Path(path) => std::fs::read(path),
            Self::Bytes(bytes) => Ok(bytes.to_vec()),
            Self::Sent(sent) => {
                let mut bytes = Vec::new();
                sent.open()?.read_to_end(&mut bytes)?;
                Ok(bytes)
            }
        }
    }

    /// SHA-1 of the content in lower-case hexadecimal, where it is known without reading it.
    #[must_use]
    pub fn sha1(&self) -> Option<&str> {
        match self {
            Self::Path(_) | Self::Bytes(_) => None,
            Self::Sent(sent) => Some(sent.sha1()),
        }
    }
}

/// A flag that both sides of a call share: set, and the call stops as soon as it can.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Default)]
struct Inner {
    flag: AtomicBool,
    hooks: Mutex<Vec<Hook>>,
}

/// What is done when a call is to stop.
type Hook = Box<dyn FnOnce() + Send>;

impl Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.is_cancelled()).finish()
    }
}

impl Cancel {
    /// Asks the call to stop.
    pub fn cancel(&self) {
        self.0.flag.store(true, Ordering::SeqCst);
        let hooks = std::mem::take(&mut *self.hooks());
        hooks.into_iter().for_each(|hook| hook());
    }

    /// Does something once the call is to stop; at once, where it already is.
    pub fn on_cancel(&self, hook: impl FnOnce() + Send + 'static) {
        let mut hooks = self.hooks();
        if self.is_cancelled() {
            drop(hooks);
            hook();
        } else {
            hooks.push(Box::new(hook));
        }
    }

    /// Whether anybody else still holds it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Whether the call is to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.flag.load(Ordering::SeqCst)
    }

    fn hooks(&self) -> std::sync::MutexGuard<'_, Vec<Hook>> {
        // A hook that panicked has left the list behind as it was.
        self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
