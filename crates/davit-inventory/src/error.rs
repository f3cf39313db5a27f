//! What goes wrong with inventories, and what is only odd, in the words of the original.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use davit_value::Origin;

/// Where something stands: a place in a file, or a thing that has no lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file. Line and column are 0 where they are not known.
    File(Origin),
    /// What a person calls it: `<inventory plugin 'yaml' with source '/etc/hosts'>`.
    Named(String),
}

impl Place {
    /// A whole file.
    #[must_use]
    pub fn file(path: &Arc<str>) -> Self {
        Self::File(Origin { file: Arc::clone(path), line: 0, column: 0 })
    }

    /// A line of a file.
    #[must_use]
    pub fn line(path: &Arc<str>, line: u32) -> Self {
        Self::File(Origin { file: Arc::clone(path), line, column: 0 })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::File(origin) => {
                f.write_str(&origin.file)?;
                for number in [origin.line, origin.column] {
                    if number == 0 {
                        break;
                    }
                    write!(f, ":{number}")?;
                }
                Ok(())
            }
        }
    }
}

/// One message of a chain, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The message.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
    /// More text below the place: what usually helps, or what a script said.
    pub help: Option<String>,
}

/// How serious a [`Warning`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// `[WARNING]`
    Warning,
    /// `[DEPRECATION WARNING]`
    Deprecation,
    /// `[ERROR]`, though reading went on: what a script said on stderr.
    Error,
}

/// Something odd that did not stop the reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// How serious.
    pub severity: Severity,
    /// The message, on one line where it was written on one.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
    /// What usually helps.
    pub help: Option<String>,
    /// The chain of what happened, outermost first, where there is one.
    pub causes: Vec<Cause>,
}

impl Warning {
    /// A plain warning.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            message: message.into(),
            place: None,
            help: None,
            causes: Vec::new(),
        }
    }

    /// The same, at a place.
    #[must_use]
    pub fn at(self, place: Place) -> Self {
        Self { place: Some(place), ..self }
    }

    /// The same, as a deprecation.
    #[must_use]
    pub fn deprecation(self) -> Self {
        Self { severity: Severity::Deprecation, ..self }
    }

    /// The same, with help.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The whole text: message, places, causes, help, but without lines of source.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = self.message.clone();
        if let Some(place) = &self.place {
            out.push_str(&format!("\nOrigin: {place}"));
        }
        for (at, cause) in self.causes.iter().enumerate() {
            out.push_str(if at == 0 { "\n\n" } else { "\n\n<<< caused by >>>\n\n" });
            out.push_str(&cause.message);
            if let Some(place) = &cause.place {
                out.push_str(&format!("\nOrigin: {place}"));
            }
            if let Some(help) = &cause.help {
                out.push_str(&format!("\n\n{help}"));
            }
        }
        if let Some(help) = &self.help {
            out.push_str(&format!("\n\n{help}"));
        }
        out
    }
}

/// What stops the reading of an inventory, or of its variables.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A request that makes no sense, such as the graph of a group that is not there.
    #[error("{0}")]
    Usage(String),
    /// A source that could not be parsed, where that is an error.
    #[error("Completely failed to parse inventory source {0}")]
    Source(String),
    /// No source could be parsed, where that is an error.
    #[error("No inventory was parsed, please check your configuration and options.")]
    Nothing,
    /// A source, a plugin or an operation refused something.
    #[error("{message}{}", beneath.as_ref().map(|it| format!(": {it}")).unwrap_or_default())]
    Refused {
        /// What, in the original's words.
        message: String,
        /// What lies beneath, where the original shows that apart.
        beneath: Option<String>,
        /// Where.
        place: Option<Place>,
    },
    /// An inventory script that failed.
    #[error("{message}")]
    Script {
        /// What, in the original's words.
        message: String,
        /// What it wrote on stderr.
        stderr: String,
    },
    /// A pattern that is no pattern.
    #[error("{0}")]
    Pattern(String),
    /// A file that could not be read.
    #[error("an error occurred while trying to read the file '{}'", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is not YAML.
    #[error(transparent)]
    Yaml(#[from] davit_yaml::Error),
    /// A file of variables that holds no dictionary, or that could not be decrypted.
    #[error("{message}")]
    Vars {
        /// The file.
        path: PathBuf,
        /// What, in the original's words.
        message: String,
    },
    /// A host or group that is not there.
    #[error("{0}")]
    Unknown(String),
    /// A value that a format cannot hold.
    #[error("{0}")]
    Unwritable(String),
}

impl Error {
    /// A refusal without a place.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), beneath: None, place: None }
    }

    /// A refusal that the original reports as the cause of another one.
    pub(crate) fn deep(message: impl Into<String>) -> Self {
        Self::Refused { message: String::new(), beneath: Some(message.into()), place: None }
    }

    /// The same below `message`, in one text or, for what the original shows apart, as a cause.
    pub(crate) fn below(self, message: &str, place: Option<Place>) -> Self {
        match self {
            Self::Refused { message: inner, beneath: Some(beneath), .. } if inner.is_empty() => {
                Self::Refused { message: message.to_owned(), beneath: Some(beneath), place }
            }
            other => Self::Refused { message: format!("{message}: {other}"), beneath: None, place },
        }
    }

    /// The exit code of `ansible-inventory` for it.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Usage(_) => 5,
            Self::Yaml(_) | Self::Vars { .. } => 4,
            Self::Unwritable(_) => 250,
            _ => 1,
        }
    }

    /// Where it went wrong, where that is known.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Refused { place, .. } => place.clone(),
            Self::Yaml(error) => error.origin().map(Place::File),
            Self::Vars { path, .. } | Self::Read { path, .. } => {
                Some(Place::file(&Arc::from(path.to_string_lossy().as_ref())))
            }
            _ => None,
        }
    }
}
