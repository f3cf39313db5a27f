//! Strings and what is known about where they came from.

use std::fmt;
use std::sync::Arc;

/// A place in a file that the user wrote.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Path as it is to be shown.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What is known about a string besides its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Where it was written.
    pub origin: Option<Origin>,
    /// It may be rendered as a template.
    pub trusted: bool,
    /// The text is a vault ciphertext (`$ANSIBLE_VAULT;...`) to be decrypted on use.
    pub vault: bool,
}

/// An immutable string, with an optional [`Mark`].
#[derive(Clone)]
pub struct Str {
    text: Arc<str>,
    mark: Option<Arc<Mark>>,
}

impl Str {
    /// A string without a mark.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), mark: None }
    }

    /// A string with a mark.
    #[must_use]
    pub fn marked(text: impl Into<Arc<str>>, mark: Mark) -> Self {
        Self { text: text.into(), mark: Some(Arc::new(mark)) }
    }

    /// A trusted string: text that the user wrote at `origin`.
    #[must_use]
    pub fn trusted(text: impl Into<Arc<str>>, origin: Option<Origin>) -> Self {
        Self::marked(text, Mark { origin, trusted: true, vault: false })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text, shared.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// The mark.
    #[must_use]
    pub fn mark(&self) -> Option<&Mark> {
        self.mark.as_deref()
    }

    /// Where it was written.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.mark.as_ref()?.origin.as_ref()
    }

    /// It may be rendered as a template.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.mark.as_ref().is_some_and(|mark| mark.trusted)
    }

    /// It is a vault ciphertext.
    #[must_use]
    pub fn is_vault(&self) -> bool {
        self.mark.as_ref().is_some_and(|mark| mark.vault)
    }

    /// Using it means rendering or decrypting it first.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.mark
            .as_ref()
            .is_some_and(|mark| mark.vault || (mark.trusted && could_be_template(&self.text)))
    }

    /// The same text without a mark.
    #[must_use]
    pub fn unmarked(&self) -> Self {
        Self { text: Arc::clone(&self.text), mark: None }
    }
}

/// True where `text` holds a Jinja2 delimiter that opens something.
fn could_be_template(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| matches!(pair, b"{{" | b"{%" | b"{#"))
}

impl std::ops::Deref for Str {
    type Target = str;
    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Str {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Str {}
