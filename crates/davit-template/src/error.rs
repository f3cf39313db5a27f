//! What goes wrong with a template, and where.

use std::fmt;
use std::sync::Arc;

use davit_value::{Origin, Undefined, ValueError};

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The template cannot be read.
    Syntax,
    /// An undefined value was used.
    Undefined,
    /// A variable needs itself, or nesting is too deep.
    Recursion,
    /// A filter, a test or a lookup failed.
    Plugin,
    /// A conditional is not boolean.
    Conditional,
    /// A vault text could not be decrypted.
    Vault,
    /// Anything else that evaluation runs into: Python's `TypeError`, `ZeroDivisionError` ...
    Runtime,
}

/// A template error. Its text is the message as ansible-core 2.19 words it, with that program's lead-in for the kind
/// ("Syntax error in template: ...", "Error rendering template: ..."); the place is apart.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    file: Option<Arc<str>>,
    line: Option<u32>,
    column: Option<u32>,
    expression: Option<String>,
    name: Option<String>,
    nearest: Option<String>,
    undefined: Option<Arc<Undefined>>,
    value: Option<ValueError>,
    lead_in: Option<&'static str>,
    not_found: bool,
}

impl Error {
    /// An error without a place.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            file: None,
            line: None,
            column: None,
            expression: None,
            name: None,
            nearest: None,
            undefined: None,
            value: None,
            lead_in: None,
            not_found: false,
        }))
    }

    /// The use of an undefined value.
    #[must_use]
    pub fn undefined(what: &Arc<Undefined>) -> Self {
        let mut error = Self::new(ErrorKind::Undefined, what.message.clone());
        error.0.name.clone_from(&what.name);
        error.0.undefined = Some(Arc::clone(what));
        error
    }

    /// What kind of thing went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message without the lead-in of its kind: `division by zero`.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The file the template was written in, where known.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// The line in that file, or in the template where the file is not known; from 1.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        self.0.line
    }

    /// The column in characters, from 1, where it can be known.
    #[must_use]
    pub fn column(&self) -> Option<u32> {
        self.0.column
    }

    /// The text of the expression or tag that failed.
    #[must_use]
    pub fn expression(&self) -> Option<&str> {
        self.0.expression.as_deref()
    }

    /// The undefined name, or the filter, test or lookup that does not exist.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// The defined name nearest to [`name`](Self::name).
    #[must_use]
    pub fn nearest(&self) -> Option<&str> {
        self.0.nearest.as_deref()
    }

    /// What was undefined, where that is the error.
    #[must_use]
    pub fn what_is_undefined(&self) -> Option<&Arc<Undefined>> {
        self.0.undefined.as_ref()
    }

    /// A template file that is not there.
    #[must_use]
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Runtime, message);
        error.0.not_found = true;
        error
    }

    /// True for [`not_found`](Self::not_found).
    pub(crate) fn is_not_found(&self) -> bool {
        self.0.not_found
    }

    /// The same error with the lead-in that errors of expressions have.
    #[must_use]
    pub(crate) fn in_expression(mut self, has_delimiters: bool) -> Self {
        if self.0.lead_in.is_none() {
            self.0.lead_in = match self.0.kind {
                ErrorKind::Syntax if has_delimiters => Some(
                    "Syntax error in expression. Template delimiters are not supported in expressions: ",
                ),
                ErrorKind::Syntax => Some("Syntax error in expression: "),
                ErrorKind::Runtime => Some("Error rendering expression: "),
                _ => None,
            };
        }
        self
    }

    /// The same error with the lead-in that undefined values in conditionals have.
    #[must_use]
    pub(crate) fn in_conditional(mut self) -> Self {
        if self.0.kind == ErrorKind::Undefined {
            self.0.lead_in = Some("Error while evaluating conditional: ");
        }
        self
    }

    /// True where a place is known already.
    pub(crate) fn is_placed(&self) -> bool {
        self.0.line.is_some()
    }

    /// The same error at a place.
    #[must_use]
    pub(crate) fn at(
        mut self,
        file: Option<&Arc<str>>,
        line: u32,
        column: Option<u32>,
        expression: &str,
    ) -> Self {
        self.0.file = file.cloned();
        self.0.line = Some(line);
        self.0.column = column;
        self.0.expression = Some(expression.to_owned());
        self
    }

    /// The same error, placed in its template's text so far, placed where that text was written. `block` says that the text is a
    /// block scalar, whose lines follow the one it is announced on.
    #[must_use]
    pub(crate) fn written_at(mut self, origin: Option<&Origin>, block: bool) -> Self {
        if let (Some(origin), None) = (origin, &self.0.file) {
            self.0.file = Some(Arc::clone(&origin.file));
            let line = self.0.line.unwrap_or(1);
            self.0.line = Some(origin.line.saturating_add(line) - u32::from(!block));
            self.0.column = if block {
                None
            } else {
                Some(origin.column.saturating_add(self.0.column.unwrap_or(1)) - 1)
            };
        }
        self
    }

    /// The same error, placed in the text of a file below `skipped` lines, placed in the file.
    #[must_use]
    pub(crate) fn in_file(mut self, file: &Arc<str>, skipped: u32) -> Self {
        self.0.file = Some(Arc::clone(file));
        self.further_down(skipped)
    }

    /// The same error some lines further down.
    #[must_use]
    pub(crate) fn further_down(mut self, lines: u32) -> Self {
        self.0.line = self.0.line.map(|line| line.saturating_add(lines));
        self
    }

    /// The same error about a name.
    #[must_use]
    pub(crate) fn about(mut self, name: &str, nearest: Option<String>) -> Self {
        self.0.name = Some(name.to_owned());
        self.0.nearest = nearest;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lead_in = match self.0.kind {
            ErrorKind::Syntax => "Syntax error in template: ",
            ErrorKind::Recursion => "Recursive loop detected in template: ",
            ErrorKind::Runtime => "Error rendering template: ",
            ErrorKind::Undefined
            | ErrorKind::Plugin
            | ErrorKind::Conditional
            | ErrorKind::Vault => "",
        };
        write!(f, "{}{}", self.0.lead_in.unwrap_or(lead_in), self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for Error {}

impl From<ValueError> for Error {
    fn from(error: ValueError) -> Self {
        match &error {
            ValueError::Undefined(what) => Self::undefined(what),
            ValueError::Nested(message) => Self::new(ErrorKind::Plugin, message.clone()),
            other => {
                let mut made = Self::new(ErrorKind::Runtime, other.to_string());
                made.0.value = Some(error);
                made
            }
        }
    }
}

impl From<Error> for ValueError {
    fn from(error: Error) -> Self {
        match (&error.0.undefined, &error.0.value) {
            (Some(what), _) => Self::Undefined(Arc::clone(what)),
            (None, Some(value)) => value.clone(),
            (None, None) => Self::Nested(error.to_string()),
        }
    }
}
