//! Why a run cannot go on at all: what is wrong with files, not with hosts.

use std::path::PathBuf;

use davit_value::Origin;

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the playbook is wrong.
    #[error(transparent)]
    Written(#[from] davit_playbook::Error),
    /// The inventory, or a pattern against it, is wrong.
    #[error(transparent)]
    Inventory(#[from] davit_inventory::Error),
    /// Something that is written does not work out.
    #[error("{message}")]
    At {
        /// What.
        message: String,
        /// Where.
        origin: Option<Origin>,
        /// What to do about it.
        help: Option<String>,
    },
    /// A keyword of a play does not work out, so that there is no play.
    #[error("Error processing keyword '{keyword}': {message}")]
    Keyword {
        /// Which.
        keyword: String,
        /// Why.
        message: String,
        /// Where.
        origin: Option<Origin>,
        /// What to do about it.
        help: Option<String>,
    },
    /// A file is not there or cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Error {
    pub(crate) fn at(message: impl Into<String>, origin: &Origin) -> Self {
        Self::At { message: message.into(), origin: Some(origin.clone()), help: None }
    }

    pub(crate) fn plain(message: impl Into<String>) -> Self {
        Self::At { message: message.into(), origin: None, help: None }
    }

    /// The same, of what a keyword of a play says.
    pub(crate) fn of_keyword(self, keyword: &str) -> Self {
        match self {
            Self::At { message, origin, help } => {
                Self::Keyword { keyword: keyword.to_owned(), message, origin, help }
            }
            other => other,
        }
    }

    pub(crate) fn template(error: &davit_template::Error, near: Option<&Origin>) -> Self {
        let help = match (error.name(), error.nearest()) {
            (Some(name), Some(nearest)) => {
                Some(format!("Did you mean '{nearest}' instead of '{name}'?"))
            }
            _ => None,
        };
        Self::At { message: error.to_string(), origin: near.cloned(), help }
    }
}
