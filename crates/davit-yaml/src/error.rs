//! Why a text is not YAML, or not a value: what, where, and the line itself.

use std::fmt;
use std::sync::Arc;

use davit_value::Origin;

use crate::Place;

/// What is wrong with a file, and where: see the fields of [`Details`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Details>);

/// What is known about an [`Error`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// Path as it is to be shown.
    pub file: Arc<str>,
    /// Where the reader stood when it gave up.
    pub place: Option<Place>,
    /// What is wrong, as a sentence: `Did not find expected key.`
    pub problem: String,
    /// What the reader was doing, and where that began: `while parsing a block mapping`.
    pub context: Option<(String, Place)>,
    /// The text of the line at `place`, without its line break.
    pub line_text: Option<String>,
    /// What usually helps, as a paragraph of its own; may have several lines.
    pub help: Option<String>,
}

impl Error {
    /// An error at `place` of `file`; `text` is the whole text, for the offending line.
    pub(crate) fn new(
        file: &Arc<str>,
        text: Option<&str>,
        place: Option<Place>,
        problem: impl Into<String>,
    ) -> Self {
        let line_text = text.zip(place).and_then(|(text, place)| line_of(text, place.line));
        let file = Arc::clone(file);
        Self(Box::new(Details {
            file,
            place,
            problem: problem.into(),
            context: None,
            line_text,
            help: None,
        }))
    }

    /// The place with its file.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        let place = self.place?;
        Some(Origin { file: Arc::clone(&self.file), line: place.line, column: place.column })
    }

    /// The message as `ansible-playbook` words it: `YAML parsing failed: Did not find ...`.
    #[must_use]
    pub fn message(&self) -> String {
        format!("YAML parsing failed: {}", self.problem)
    }
}

impl std::ops::Deref for Error {
    type Target = Details;
    fn deref(&self) -> &Details {
        &self.0
    }
}

impl std::ops::DerefMut for Error {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for Error {}

/// Line `number` (from 1) of `text`.
pub(crate) fn line_of(text: &str, number: u32) -> Option<String> {
    let at = usize::try_from(number.checked_sub(1)?).ok()?;
    text.split('\n').nth(at).map(|line| line.trim_end_matches('\r').to_owned())
}
