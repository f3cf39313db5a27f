//! What can be wrong with a playbook before it runs, and where.

use std::path::PathBuf;
use std::sync::Arc;

use davit_value::Origin;

/// Why a file could not be loaded.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not YAML, or has something that is no value.
    #[error(transparent)]
    Yaml(#[from] davit_yaml::Error),
    /// It is not a playbook, a task file, a role.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// Where.
        origin: Option<Origin>,
        /// What to do about it.
        help: Option<String>,
        /// The original counts it as a mistake of the parser (exit code 4), not as any other (1).
        parser: bool,
    },
    /// It could not be read.
    #[error("Unable to retrieve file contents.\nCould not find or access '{}' on the Ansible Controller.", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Where it is asked for.
        origin: Option<Origin>,
        /// Why not.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// It is encrypted and could not be decrypted.
    #[error("{message}")]
    Vault {
        /// The file.
        path: PathBuf,
        /// Why not.
        message: String,
    },
    /// There is no such role.
    #[error("the role '{name}' was not found in {}", searched(folders))]
    NoRole {
        /// The name as asked for.
        name: String,
        /// Where it was looked for.
        folders: Vec<PathBuf>,
        /// Where it is asked for.
        origin: Option<Origin>,
    },
}

fn searched(folders: &[PathBuf]) -> String {
    folders.iter().map(|it| it.display().to_string()).collect::<Vec<_>>().join(":")
}

impl Error {
    /// A mistake of the parser at `origin`.
    #[must_use]
    pub fn invalid(message: impl Into<String>, origin: Option<Origin>) -> Self {
        Self::Invalid { message: message.into(), origin, help: None, parser: true }
    }

    /// Any other mistake at `origin`.
    #[must_use]
    pub fn refused(message: impl Into<String>, origin: Option<Origin>) -> Self {
        Self::Invalid { message: message.into(), origin, help: None, parser: false }
    }

    /// The same with a word of help.
    #[must_use]
    pub fn with_help(mut self, text: impl Into<String>) -> Self {
        if let Self::Invalid { help, .. } = &mut self {
            *help = Some(text.into());
        }
        self
    }

    /// The same at `place`, where it has no place yet.
    #[must_use]
    pub fn or_at(mut self, place: Option<&Origin>) -> Self {
        if let Self::Invalid { origin, .. }
        | Self::Read { origin, .. }
        | Self::NoRole { origin, .. } = &mut self
            && origin.is_none()
        {
            *origin = place.cloned();
        }
        self
    }

    /// Where it is.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        match self {
            Self::Yaml(error) => error.origin(),
            Self::Invalid { origin, .. }
            | Self::Read { origin, .. }
            | Self::NoRole { origin, .. } => origin.clone(),
            Self::Vault { .. } => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Yaml(error) => error.help.as_deref(),
            Self::Invalid { help, .. } => help.as_deref(),
            _ => None,
        }
    }

    /// True where `ansible-playbook` ends with 4 for it, false where with 1.
    #[must_use]
    pub fn is_parser_error(&self) -> bool {
        match self {
            Self::Yaml(_) => true,
            Self::Invalid { parser, .. } => *parser,
            _ => false,
        }
    }
}
