//! What the sections of both configuration files mean together. Knows no variables and no settings.
//!
//! The rules are those of the AWS SDKs. botocore's are others in four cases: names with letters that
//! are not usual are ignored here unless they stand in quotes, `[profile default]` makes `[default]`
//! mean nothing, sections of the same name are one, and `[profile NAME]` of the credentials file means
//! nothing (there it is a profile called `profile NAME`).

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use indexmap::IndexMap;

use super::{
    lookup::SettingsError,
    parse::{ParseError, ParseProblem, RawSection, SPACE, parse, property},
};

/// The profiles of `~/.aws/config` and `~/.aws/credentials`, with the sections that they refer to.
#[derive(Debug, Clone, Default)]
pub struct Profiles {
    config: File,
    credentials: File,
    profiles: IndexMap<String, Profile>,
    sso_sessions: IndexMap<String, Section>,
    services: IndexMap<String, Section>,
    others: IndexMap<String, Section>,
    ignored: Vec<Ignored>,
}

#[derive(Debug, Clone)]
struct File {
    path: Arc<Path>,
    found: bool,
}

impl Default for File {
    fn default() -> Self {
        Self { path: Arc::from(Path::new("")), found: false }
    }
}

/// Which of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// `~/.aws/config`.
    Config,
    /// `~/.aws/credentials`.
    Credentials,
}

/// Something that stands in a file and means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from one.
    pub line: usize,
    /// Why it means nothing.
    pub reason: String,
}

/// The settings of one name from both files. Those of the credentials file win.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    name: String,
    config: Section,
    credentials: Section,
}

/// A section of one file.
#[derive(Debug, Clone)]
pub struct Section {
    path: Arc<Path>,
    properties: IndexMap<String, Property>,
}

impl Default for Section {
    fn default() -> Self {
        Self { path: Arc::from(Path::new("")), properties: IndexMap::new() }
    }
}

/// A value and where it stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Property {
    /// The text. Continuation lines follow line feeds; sub-properties follow the first one.
    pub value: String,
    /// The line, counted from one.
    pub line: usize,
}

/// The line only: the value may be secret.
impl std::fmt::Debug for Property {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Property").field("line", &self.line).finish_non_exhaustive()
    }
}

impl Profiles {
    /// Reads both files. One that is not there is like an empty one.
    ///
    /// # Errors
    ///
    /// When a file is there and cannot be read, or a line of it does not fit.
    pub fn load(config: &Path, credentials: &Path) -> Result<Self, SettingsError> {
        let mut profiles = Self::default();
        for (kind, path) in [(FileKind::Config, config), (FileKind::Credentials, credentials)] {
            let bytes = match fs::read(path) {
                Ok(bytes) => Some(bytes),
                Err(error) if missing(&error) => None,
                Err(error) => {
                    return Err(SettingsError::Read {
                        path: path.to_owned(),
                        reason: error.to_string(),
                    });
                }
            };
            let path: Arc<Path> = Arc::from(path);
            *profiles.file_mut(kind) = File { path: path.clone(), found: bytes.is_some() };
            profiles.add(kind, &path, &bytes.unwrap_or_default())?;
        }
        Ok(profiles)
    }

    /// The profiles of texts that were read elsewhere.
    ///
    /// # Errors
    ///
    /// When a line does not fit.
    pub fn from_text(config: &str, credentials: &str) -> Result<Self, ParseError> {
        let mut profiles = Self::default();
        for (kind, path, text) in [
            (FileKind::Config, "~/.aws/config", config),
            (FileKind::Credentials, "~/.aws/credentials", credentials),
        ] {
            let path: Arc<Path> = Arc::from(Path::new(path));
            *profiles.file_mut(kind) = File { path: path.clone(), found: true };
            profiles.add(kind, &path, text.as_bytes())?;
        }
        Ok(profiles)
    }

    /// A profile by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }

    /// The names of all profiles, those of the configuration file first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// `[sso-session NAME]`.
    #[must_use]
    pub fn sso_session(&self, name: &str) -> Option<&Section> {
        self.sso_sessions.get(name)
    }

    /// The names of all `[sso-session ...]`.
    pub fn sso_sessions(&self) -> impl Iterator<Item = &str> {
        self.sso_sessions.keys().map(String::as_str)
    }

    /// `[services NAME]`.
    #[must_use]
    pub fn services(&self, name: &str) -> Option<&Section> {
        self.services.get(name)
    }

    /// The names of all `[services ...]`.
    pub fn service_names(&self) -> impl Iterator<Item = &str> {
        self.services.keys().map(String::as_str)
    }

    /// Any other section of the configuration file, by what stands between its brackets: `plugins`.
    #[must_use]
    pub fn other(&self, name: &str) -> Option<&Section> {
        self.others.get(name)
    }

    /// What stands in the files and means nothing, for a linter to show.
    #[must_use]
    pub fn ignored(&self) -> &[Ignored] {
        &self.ignored
    }

    /// Where a file is, or would be.
    #[must_use]
    pub fn path(&self, kind: FileKind) -> &Path {
        &self.file(kind).path
    }

    /// Whether a file is there.
    #[must_use]
    pub fn found(&self, kind: FileKind) -> bool {
        self.file(kind).found
    }

    /// All of it: `profiles` and `sso_sessions`, by name, with the texts of their properties.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        fn texts<'a>(properties: impl Iterator<Item = (&'a str, &'a str)>) -> serde_json::Value {
            let texts = properties.map(|(name, value)| (name.to_owned(), value.into()));
            serde_json::Value::Object(texts.collect())
        }
        let profiles: serde_json::Map<_, _> =
            self.profiles.iter().map(|(name, it)| (name.clone(), texts(it.iter()))).collect();
        let sessions: serde_json::Map<_, _> =
            self.sso_sessions.iter().map(|(name, it)| (name.clone(), texts(it.iter()))).collect();
        serde_json::json!({ "profiles": profiles, "sso_sessions": sessions })
    }

    fn file(&self, kind: FileKind) -> &File {
        match kind {
            FileKind::Config => &self.config,
            FileKind::Credentials => &self.credentials,
        }
    }

    fn file_mut(&mut self, kind: FileKind) -> &mut File {
        match kind {
            FileKind::Config => &mut self.config,
            FileKind::Credentials => &mut self.credentials,
        }
    }

    fn add(&mut self, kind: FileKind, path: &Arc<Path>, bytes: &[u8]) -> Result<(), ParseError> {
        let error = |(line, problem)| ParseError { path: path.to_path_buf(), line, problem };
        let text = std::str::from_utf8(bytes).map_err(|wrong| {
            let before = &bytes[..wrong.valid_up_to()];
            let line = before.iter().filter(|it| **it == b'\n').count() + 1;
            error((line, ParseProblem::NotText))
        })?;
        let sections = parse(text).map_err(error)?;
        let mut named: Vec<(Name, RawSection)> = Vec::new();
        for section in sections {
            match Name::of(&section.name, kind) {
                Ok(name) => named.push((name, section)),
                Err(reason) => self.ignore(path, section.line, reason),
            }
        }
        let prefixed = named.iter().any(|(name, _)| *name == Name::Profile("default".to_owned()));
        for (name, section) in named {
            if prefixed && name == Name::Default {
                let reason = "[default] gives way to [profile default]".to_owned();
                self.ignore(path, section.line, reason);
                continue;
            }
            self.put(kind, path, name, section);
        }
        Ok(())
    }

    fn put(&mut self, kind: FileKind, path: &Arc<Path>, name: Name, raw: RawSection) {
        let mut ignored = Vec::new();
        let section = match name {
            Name::Default => self.profile(kind, "default".to_owned()),
            Name::Profile(name) => self.profile(kind, name),
            Name::SsoSession(name) => self.sso_sessions.entry(name).or_default(),
            Name::Services(name) => self.services.entry(name).or_default(),
            Name::Other(name) => self.others.entry(name).or_default(),
        };
        section.path = path.clone();
        for (name, property) in raw.properties {
            if is_identifier(&name) {
                section.properties.insert(name, property);
            } else {
                ignored.push((property.line, format!("`{name}` is not a name of a property")));
            }
        }
        for (line, reason) in ignored {
            self.ignore(path, line, reason);
        }
    }

    fn profile(&mut self, kind: FileKind, name: String) -> &mut Section {
        let profile = self
            .profiles
            .entry(name)
            .or_insert_with_key(|name| Profile { name: name.clone(), ..Profile::default() });
        match kind {
            FileKind::Config => &mut profile.config,
            FileKind::Credentials => &mut profile.credentials,
        }
    }

    fn ignore(&mut self, path: &Path, line: usize, reason: String) {
        self.ignored.push(Ignored { path: path.to_owned(), line, reason });
    }
}

/// A file that is not there, or is none.
fn missing(error: &io::Error) -> bool {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory)
}

/// What a section is.
#[derive(Debug, PartialEq, Eq)]
enum Name {
    /// `[default]` of the configuration file.
    Default,
    Profile(String),
    SsoSession(String),
    Services(String),
    Other(String),
}

impl Name {
    fn of(text: &str, kind: FileKind) -> Result<Self, String> {
        let split = text.split_once(SPACE);
        if kind == FileKind::Credentials {
            return match split {
                None if is_identifier(text) => Ok(Self::Profile(text.to_owned())),
                Some(("profile", name)) => Err(format!(
                    "profiles stand without `profile` in this file: [{}]",
                    name.trim_matches(SPACE)
                )),
                _ => unquoted(text)
                    .map(Self::Profile)
                    .ok_or_else(|| format!("[{text}] is not a name of a profile")),
            };
        }
        let Some((prefix, name)) = split else {
            return match text {
                "default" => Ok(Self::Default),
                "" => Err("a section needs a name".to_owned()),
                _ => Ok(Self::Other(text.to_owned())),
            };
        };
        let name = name.trim_matches(SPACE);
        let known = matches!(prefix, "profile" | "sso-session" | "services");
        let name = match unquoted(name) {
            Some(name) => name,
            None if is_identifier(name) || !known => name.to_owned(),
            None => return Err(format!("[{text}]: a name with such letters stands in quotes")),
        };
        Ok(match prefix {
            "profile" => Self::Profile(name),
            "sso-session" => Self::SsoSession(name),
            "services" => Self::Services(name),
            _ => Self::Other(text.to_owned()),
        })
    }
}

/// `"a name"` or `'a name'`.
fn unquoted(text: &str) -> Option<String> {
    let inner = ['"', '\''].iter().find_map(|quote| {
        text.strip_prefix(*quote)?.strip_suffix(*quote).filter(|it| !it.contains(*quote))
    });
    inner.filter(|it| !it.is_empty()).map(str::to_owned)
}

fn is_identifier(text: &str) -> bool {
    let fits = |it: u8| it.is_ascii_alphanumeric() || b"_-/.%@:+".contains(&it);
    !text.is_empty() && text.bytes().all(fits)
}

impl Profile {
    /// `default`, `dev` ...
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of a setting, by its name in lower case.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.credentials.get(key).or_else(|| self.config.get(key))
    }

    /// The value of a setting inside an indented block: `nested("s3", "addressing_style")`. Blocks of
    /// both files are not merged, that of the credentials file wins.
    #[must_use]
    pub fn nested(&self, key: &str, name: &str) -> Option<&str> {
        self.winner(key).nested(key, name)
    }

    /// The part of one file.
    #[must_use]
    pub const fn section(&self, kind: FileKind) -> &Section {
        match kind {
            FileKind::Config => &self.config,
            FileKind::Credentials => &self.credentials,
        }
    }

    /// All settings with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let config = self.config.iter().filter(|(key, _)| self.credentials.get(key).is_none());
        config.chain(self.credentials.iter())
    }

    /// The section that a setting is taken from.
    pub(super) fn winner(&self, key: &str) -> &Section {
        if self.credentials.get(key).is_some() { &self.credentials } else { &self.config }
    }
}

impl Section {
    /// The value of a setting, by its name in lower case.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.properties.get(key).map(|it| it.value.as_str())
    }

    /// The value of a setting inside an indented block.
    #[must_use]
    pub fn nested(&self, key: &str, name: &str) -> Option<&str> {
        let block = self.get(key)?.strip_prefix('\n')?;
        // The last of several wins, as it does one level above.
        let lines = block.split('\n').filter_map(|line| property(line).ok());
        lines.filter(|(known, _)| *known == name).map(|(_, value)| value).next_back()
    }

    /// All settings with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties.iter().map(|(key, it)| (key.as_str(), it.value.as_str()))
    }

    /// The file that the section stands in.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The line of a setting, counted from one.
    #[must_use]
    pub fn line(&self, key: &str) -> Option<usize> {
        self.properties.get(key).map(|it| it.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_settings_are_found() {
        let text =
            "[default]\ns3 =\n  addressing_style = path\n\n  # why\n  max = 1 # one\n  max = 2";
        let profiles = Profiles::from_text(text, "").unwrap();
        let profile = profiles.get("default").unwrap();
        assert_eq!(profile.nested("s3", "addressing_style"), Some("path"));
        assert_eq!(profile.nested("s3", "max"), Some("2"));
        assert_eq!(profile.nested("s3", "none"), None);
        assert_eq!(profile.nested("region", "none"), None);
        assert_eq!(profile.get("s3"), Some("\naddressing_style = path\nmax = 1 # one\nmax = 2"));
    }

    #[test]
    fn what_means_nothing_is_told() {
        let profiles = Profiles::from_text(
            "[profile in valid]\n[default]\nx y = 1\n[profile default]\n[plugins]\na = b",
            "[profile dev]",
        )
        .unwrap();
        let told: Vec<_> = profiles.ignored().iter().map(|it| (it.line, &*it.reason)).collect();
        assert_eq!(
            told,
            [
                (1, "[profile in valid]: a name with such letters stands in quotes"),
                (2, "[default] gives way to [profile default]"),
                (1, "profiles stand without `profile` in this file: [dev]"),
            ]
        );
        assert_eq!(profiles.other("plugins").and_then(|it| it.get("a")), Some("b"));
    }

    #[test]
    fn nothing_secret_is_shown() {
        let text = "[default]\naws_secret_access_key = hidden";
        let profiles = Profiles::from_text(text, text).unwrap();
        assert!(!format!("{profiles:?}").contains("hidden"));
    }
}
