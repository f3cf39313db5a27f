//! Turns errors into what a person reads: `error:`, the place with the line, `caused by:`, `hint:`.

use std::error::Error as _;
use std::fmt::Write as _;

use davit_value::Origin;

/// An error to be shown, with the exit code that it means.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) message: String,
    pub(crate) origin: Option<Origin>,
    pub(crate) hint: Option<String>,
    pub(crate) causes: Vec<String>,
    pub(crate) code: u8,
}

impl Report {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), origin: None, hint: None, causes: Vec::new(), code: 1 }
    }

    pub(crate) fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The whole text, the lines around the place included.
    pub(crate) fn text(&self) -> String {
        let mut out = format!("[ERROR]: {}\n", self.message);
        if let Some(origin) = &self.origin {
            let _ = writeln!(out, "Origin: {origin}\n");
            if let Some(lines) = excerpt(origin) {
                out.push_str(&lines);
                out.push('\n');
            }
        }
        for cause in &self.causes {
            let _ = writeln!(out, "caused by: {cause}");
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(out, "{hint}\n");
        }
        out
    }
}

/// The lines before the place and a mark below its column.
fn excerpt(origin: &Origin) -> Option<String> {
    let text = std::fs::read_to_string(&*origin.file).ok()?;
    let lines: Vec<&str> = text.lines().collect();
    let line = usize::try_from(origin.line).ok()?;
    let first = line.saturating_sub(3);
    let width = line.to_string().len();
    let mut out = String::new();
    for (at, content) in lines.iter().enumerate().take(line).skip(first) {
        let _ = writeln!(out, "{:>width$} {content}", at + 1);
    }
    let column = usize::try_from(origin.column).unwrap_or(1).max(1);
    let _ = writeln!(out, "{}^ column {column}", " ".repeat(width + column));
    Some(out)
}

impl From<davit_run::Error> for Report {
    fn from(error: davit_run::Error) -> Self {
        match error {
            davit_run::Error::Written(error) => error.into(),
            davit_run::Error::Inventory(error) => Self::new(error.to_string()),
            davit_run::Error::At { message, origin, help } => {
                Self { message, origin, hint: help, causes: Vec::new(), code: 1 }
            }
            other => {
                let mut causes = Vec::new();
                let mut source = other.source();
                while let Some(cause) = source {
                    causes.push(cause.to_string());
                    source = cause.source();
                }
                Self { message: other.to_string(), origin: None, hint: None, causes, code: 1 }
            }
        }
    }
}

impl From<davit_playbook::Error> for Report {
    fn from(error: davit_playbook::Error) -> Self {
        let code = if error.is_parser_error() { 4 } else { 1 };
        Self {
            origin: error.origin(),
            hint: error.help().map(str::to_owned),
            causes: Vec::new(),
            message: error.to_string(),
            code,
        }
    }
}
