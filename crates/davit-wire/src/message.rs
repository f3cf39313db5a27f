//! What messages say, where they say more than bytes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use davit_module::{Change, Job};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec::{Error, Kind, encode};

/// The controller's first message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// [`crate::VERSION`] of the controller.
    pub wire: u32,
    /// The controller's own version, for messages.
    pub version: String,
    /// The run, for what is remembered between connections; empty = nothing is.
    pub run: String,
    /// What the run calls the host.
    pub host: String,
    /// The whole run is a dry run.
    pub dry_run: bool,
    /// Keep what is replaced or removed, so that it can be put back.
    pub keep: bool,
    /// The controller says something at least this often, in milliseconds.
    pub beat_ms: u64,
    /// The agent ends when it has heard nothing for this long, in milliseconds.
    pub silence_ms: u64,
}

/// The agent's first message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Greeting {
    /// [`crate::VERSION`] of the agent.
    pub wire: u32,
    /// The agent's own version, for messages.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// The user that it runs as.
    pub user: String,
    /// That user's number.
    pub uid: u32,
}

/// Run a module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Call {
    /// Full name of the module.
    pub module: String,
    /// [`davit_module::Call::name`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// [`davit_module::Call::args`].
    pub args: davit_module::Reply,
    /// [`davit_module::Call::check`].
    #[serde(skip_serializing_if = "is_false")]
    pub check: bool,
    /// [`davit_module::Call::diff`].
    #[serde(skip_serializing_if = "is_false")]
    pub diff: bool,
    /// [`davit_module::Call::environment`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<(String, String)>,
    /// [`davit_module::Call::attachments`].
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attachments: BTreeMap<String, Attached>,
    /// [`davit_module::Call::no_log`].
    #[serde(skip_serializing_if = "is_false")]
    pub no_log: bool,
    /// [`davit_module::Call::verbosity`].
    pub verbosity: u8,
    /// [`davit_module::Call::tmp`].
    #[serde(skip_serializing_if = "is_empty")]
    pub tmp: PathBuf,
    /// [`davit_module::Call::folder`].
    #[serde(skip_serializing_if = "is_empty")]
    pub folder: PathBuf,
    /// [`davit_module::Call::umask`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub umask: Option<u32>,
    /// [`davit_module::Call::job`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<Job>,
    /// [`davit_module::Call::key`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_empty(path: &std::path::Path) -> bool {
    path.as_os_str().is_empty()
}

/// A file that goes with a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attached {
    /// A small text, here and now.
    Text(String),
    /// A content that the agent may [`Want`].
    Later {
        /// How many bytes.
        size: u64,
        /// SHA-1 of them.
        sha1: String,
    },
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The module's result.
    pub reply: davit_module::Reply,
    /// What it changed, where that is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// The agent wants the content of an attachment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// The call that has it.
    pub call: u32,
    /// Its name there.
    pub name: String,
}

/// Open a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// To what.
    pub target: Target,
}

/// What a stream leads to, as seen from the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A program's input and output; what it writes to its error output comes as output.
    Program {
        /// Program and arguments.
        argv: Vec<String>,
        /// Variables on top of the agent's own.
        environment: Vec<(String, String)>,
        /// It gets a terminal of its own to ask for passwords at: what is written there comes as
        /// output, what is typed goes as [`Kind::Output`]. Input and output stay pipes.
        terminal: bool,
    },
    /// A TCP connection.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A connection to a Unix socket.
    Unix {
        /// Its path.
        path: PathBuf,
    },
    /// The content of a file.
    File {
        /// Its path.
        path: PathBuf,
    },
}

/// How a stream's program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Exit status, or the negated number of the signal that ended it.
    pub code: i32,
}

/// Why a stream is not opened, or given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// In words.
    pub why: String,
}

/// Messages that are JSON.
pub trait Json: Serialize + DeserializeOwned {
    /// The kind that they have.
    const KIND: Kind;

    /// Adds the message to `out`.
    fn encode(&self, number: u32, out: &mut Vec<u8>) {
        // Maps with text keys, texts, numbers: nothing of it cannot be JSON.
        let body = serde_json::to_vec(self).unwrap_or_default();
        encode(Self::KIND, number, &body, out);
    }

    /// What a body of this kind says.
    ///
    /// # Errors
    /// Where it says something else.
    fn decode(body: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(body).map_err(|error| Error::Body { what: error.to_string() })
    }
}

macro_rules! json {
    ($($name:ident),*) => { $(impl Json for $name { const KIND: Kind = Kind::$name; })* };
}
json!(Start, Greeting, Call, Reply, Want, Open, Exit);

impl Json for Refusal {
    const KIND: Kind = Kind::Reset;
}

/// The body of a credit.
#[must_use]
pub fn credit(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

/// What a credit's body says.
///
/// # Errors
/// Where it is not four bytes.
pub fn of_credit(body: &[u8]) -> Result<usize, Error> {
    let bytes: [u8; 4] = body
        .try_into()
        .map_err(|_| Error::Body { what: "a credit of other than 4 bytes".into() })?;
    Ok(u32::from_le_bytes(bytes) as usize)
}
