//! One setting: where its text comes from and what the text says. Knows no setting by name.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use indexmap::IndexMap;

use super::{Environment, parse::ParseError, profiles::Profile};

/// What the program asks for itself; it goes before variables and files.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The profile.
    pub profile: Option<String>,
    /// How long connecting may take.
    pub connect_timeout: Option<Duration>,
    /// How long an answer may be silent.
    pub read_timeout: Option<Duration>,
    /// What a profile could set, by its key there: `region`, `endpoint_url`, `retry_mode`; for nested
    /// ones with a point: `s3.addressing_style`.
    pub settings: IndexMap<String, String>,
}

impl Options {
    /// Adds to `settings`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.settings.insert(key.to_owned(), value.into());
        self
    }

    /// What was set for a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(String::as_str)
    }
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The program asked for it, by this key.
    Option(String),
    /// The variable of this name.
    Variable(String),
    /// A line of a file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from one. For a nested setting that of its block.
        line: usize,
        /// The key, `s3.addressing_style` for a nested one.
        key: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(key) => write!(to, "option `{key}`"),
            Self::Variable(name) => write!(to, "variable {name}"),
            Self::File { path, line, key } => write!(to, "{}:{line}: `{key}`", path.display()),
        }
    }
}

/// Configuration that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SettingsError {
    /// A file has a line that does not fit.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A file is there and cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// A value that its setting cannot have.
    #[error("{origin} is `{value}`: it must be {allowed}")]
    Value {
        /// Where it stands.
        origin: Origin,
        /// The value.
        value: String,
        /// What it could be, in words.
        allowed: String,
    },
    /// A profile was asked for by name and neither file has it.
    #[error("there is no profile `{name}` ({origin}) in {files}{}", near(nearest.as_deref()))]
    NoProfile {
        /// The profile.
        name: String,
        /// Who asked for it.
        origin: Box<Origin>,
        /// Both files.
        files: String,
        /// A name that is there and looks like it.
        nearest: Option<String>,
    },
    /// `services = NAME` refers to a section that is not there.
    #[error(
        "{origin} is `{name}` and there is no section [services {name}]: write one or take the line away"
    )]
    NoServices {
        /// Where it is referred to.
        origin: Origin,
        /// The section.
        name: String,
    },
}

fn near(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || ": see `davit aws configure list-profiles`".to_owned(),
        |name| format!(": did you mean `{name}`?"),
    )
}

/// The places where values may stand, the first of which wins.
pub(super) struct Lookup<'a> {
    pub(super) options: &'a Options,
    pub(super) environment: &'a Environment,
    pub(super) profile: Option<&'a Profile>,
}

/// A text and where it stands.
pub(super) struct Found<'a> {
    pub(super) text: &'a str,
    pub(super) origin: Origin,
}

impl<'a> Lookup<'a> {
    /// Looks at the options and the profile by a key, and at a variable between them. A point in the
    /// key stands for a nested setting. A name that is empty is not looked at.
    pub(super) fn find(&self, variable: &str, key: &str) -> Option<Found<'a>> {
        self.option(key).or_else(|| self.variable(variable)).or_else(|| self.file(key))
    }

    pub(super) fn option(&self, key: &str) -> Option<Found<'a>> {
        let text = self.options.get(key)?;
        Some(Found { text, origin: Origin::Option(key.to_owned()) })
    }

    pub(super) fn variable(&self, name: &str) -> Option<Found<'a>> {
        let text = self.environment.get(name)?;
        Some(Found { text, origin: Origin::Variable(name.to_owned()) })
    }

    pub(super) fn file(&self, key: &str) -> Option<Found<'a>> {
        let profile = self.profile?;
        let (outer, text) = match key.split_once('.') {
            Some((outer, name)) => (outer, profile.nested(outer, name)),
            None => (key, profile.get(key)),
        };
        let text = text.filter(|it| !it.is_empty())?;
        let section = profile.winner(outer);
        let line = section.line(outer).unwrap_or_default();
        let path = section.path().to_owned();
        Some(Found { text, origin: Origin::File { path, line, key: key.to_owned() } })
    }

    /// `true` or `false`, in any case.
    pub(super) fn boolean(&self, variable: &str, key: &str) -> Result<Option<bool>, SettingsError> {
        self.find(variable, key).map(|it| it.boolean()).transpose()
    }

    /// One of some names, in any case.
    pub(super) fn choice<T: Copy>(
        &self,
        variable: &str,
        key: &str,
        names: &[(&str, T)],
    ) -> Result<Option<T>, SettingsError> {
        self.find(variable, key).map(|it| it.choice(names)).transpose()
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &self,
        variable: &str,
        key: &str,
        (least, most): (u64, u64),
    ) -> Result<Option<u64>, SettingsError> {
        let found = self.find(variable, key);
        found.map(|it| it.number(least, most)).transpose()
    }

    pub(super) fn text(&self, variable: &str, key: &str) -> Option<String> {
        self.find(variable, key).map(|it| it.text.to_owned())
    }

    pub(super) fn path(&self, variable: &str, key: &str, home: Option<&Path>) -> Option<PathBuf> {
        self.find(variable, key).map(|it| self.environment.path(it.text, home))
    }

    /// The pager: the one setting for which an empty text says something.
    pub(super) fn pager(&self) -> Option<String> {
        let variable = self.environment.iter().find(|(name, _)| *name == "AWS_PAGER");
        let file = || self.profile.and_then(|it| it.get("cli_pager"));
        let found = self.options.get("cli_pager").or(variable.map(|(_, it)| it)).or_else(file);
        found.map(str::to_owned)
    }

    /// Texts with commas between them.
    pub(super) fn list(&self, variable: &str, key: &str) -> Option<Vec<String>> {
        let found = self.find(variable, key)?;
        let items = found.text.split(',').map(str::trim).filter(|it| !it.is_empty());
        Some(items.map(str::to_owned).collect())
    }
}

impl Found<'_> {
    pub(super) fn wrong(self, allowed: impl Into<String>) -> SettingsError {
        let (origin, value) = (self.origin, self.text.to_owned());
        SettingsError::Value { origin, value, allowed: allowed.into() }
    }

    pub(super) fn boolean(self) -> Result<bool, SettingsError> {
        self.choice(&[("true", true), ("false", false)])
    }

    pub(super) fn choice<T: Copy>(self, names: &[(&str, T)]) -> Result<T, SettingsError> {
        let fits = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(self.text));
        match fits {
            Some((_, it)) => Ok(*it),
            None => {
                let names: Vec<String> =
                    names.iter().map(|(name, _)| format!("`{name}`")).collect();
                let (last, others) = names.split_last().expect("there are names to choose from");
                Err(self.wrong(format!("{} or {last}", others.join(", "))))
            }
        }
    }

    pub(super) fn number(self, least: u64, most: u64) -> Result<u64, SettingsError> {
        match self.text.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ if most == u64::MAX => Err(self.wrong(format!("a whole number from {least}"))),
            _ => Err(self.wrong(format!("a whole number from {least} to {most}"))),
        }
    }
}
