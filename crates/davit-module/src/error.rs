//! Why a module failed, in few enough ways that every caller can handle each.

use std::io;
use std::path::PathBuf;

use davit_event::Reply;
use serde::Serialize;

use crate::host::errno_text;
use crate::spec::ArgError;

/// Why a module failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// The arguments do not fit the module.
    #[error("{}", first(errors))]
    Args {
        /// What does not fit, most telling first.
        errors: Vec<ArgError>,
    },
    /// The module says no, in the words that users of the format know.
    #[error("{msg}")]
    Failed {
        /// The result's `msg`.
        msg: String,
        /// The result's other keys, such as `rc` or `path`.
        keys: Box<Reply>,
    },
    /// The host's files could not be read or changed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// A verb: `read`, `write`, `remove`.
        action: &'static str,
        /// The path as the user gave it.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot run {program}")]
    Program {
        /// Its name or path.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// What a dry run predicts for a file does not say what it holds.
    #[error("what {} will hold cannot be predicted", path.display())]
    Unpredicted {
        /// The file.
        path: PathBuf,
    },
    /// The user stopped the call.
    #[error("stopped before it was done")]
    Cancelled,
}

impl ModuleError {
    /// A failure in the module's own words.
    pub fn failed(msg: impl Into<String>) -> Self {
        Self::Failed { msg: msg.into(), keys: Box::default() }
    }

    /// Adds a key to the result of the failure. Other failures become [`Self::Failed`] by it.
    #[must_use]
    pub fn with(self, key: &str, value: impl Serialize) -> Self {
        let (msg, mut keys) = match self {
            Self::Failed { msg, keys } => (msg, keys),
            // What a dry run cannot know stays that.
            unknown @ (Self::Unpredicted { .. } | Self::Cancelled) => return unknown,
            other => {
                let mut keys = other.into_reply();
                keys.remove("failed");
                let msg = keys.remove("msg").and_then(|it| it.as_str().map(str::to_owned));
                (msg.unwrap_or_default(), Box::new(keys))
            }
        };
        if let Ok(value) = serde_json::to_value(value) {
            keys.insert(key.to_owned(), value);
        }
        Self::Failed { msg, keys }
    }

    /// A failure to read or change a file.
    pub fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }

    /// The result's `msg`: the text with that of its causes.
    #[must_use]
    pub fn message(&self) -> String {
        if let Self::Io { action: "read", path, source } = self
            && source.raw_os_error().is_some()
        {
            // Users of the format know it so, as what the original does not foresee.
            let why = errno_text(source);
            return format!("Task failed: Module failed: {why}: '{}'", path.display());
        }
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    }

    /// The failed result, without `invocation`.
    #[must_use]
    pub fn into_reply(self) -> Reply {
        let mut msg = self.message();
        let mut reply = match self {
            Self::Failed { keys, .. } => *keys,
            Self::Program { program, source } => {
                "Error executing command.".clone_into(&mut msg);
                let mut keys = Reply::new();
                keys.insert("rc".to_owned(), source.raw_os_error().into());
                keys.insert("cmd".to_owned(), program.into());
                keys.insert("stdout".to_owned(), "".into());
                keys.insert("stderr".to_owned(), "".into());
                keys
            }
            _ => Reply::new(),
        };
        reply.insert("failed".to_owned(), true.into());
        reply.entry("changed").or_insert(false.into());
        reply.insert("msg".to_owned(), msg.into());
        reply
    }
}

fn first(errors: &[ArgError]) -> String {
    errors.first().map_or_else(String::new, ToString::to_string)
}
