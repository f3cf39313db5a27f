//! One call of a module: what the controller sends to a host.
//!
//! It does not know how it travels: on one machine it is handed over, between machines a wire
//! carries it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use davit_event::Reply;

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
}

/// A file that the controller sends along with a call.
#[derive(Clone, Debug)]
pub enum Attachment {
    /// A file on the same machine.
    Path(PathBuf),
    /// The content itself.
    Bytes(Arc<[u8]>),
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
        }
    }
}

/// A flag that both sides of a call share: set, and the call stops as soon as it can.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the call to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether anybody else still holds it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Whether the call is to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
