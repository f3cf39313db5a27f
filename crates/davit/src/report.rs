//! Turns errors into what a person reads, as the original prints them: message, place with the
//! lines around it, causes, advice.

use std::io::Write;

use davit_event::Cause;
use davit_value::Origin;

use crate::view;

/// What the program says by its exit code; the numbers are the original's.
pub(crate) mod exit {
    pub(crate) const OK: u8 = 0;
    pub(crate) const ERROR: u8 = 1;
    pub(crate) const FAILED_HOSTS: u8 = 2;
    /// Hosts that were not reached; also a file that is no playbook.
    pub(crate) const UNREACHABLE: u8 = 4;
    pub(crate) const PARSER: u8 = 4;
    /// Options that do not go together.
    pub(crate) const OPTIONS: u8 = 5;
    pub(crate) const INTERRUPTED: u8 = 99;
    /// A mistake of this program.
    pub(crate) const UNEXPECTED: u8 = 250;
}

/// An error to be shown, with the exit code that it means.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    causes: Vec<Cause>,
    hint: Option<String>,
    pub(crate) code: u8,
}

impl Report {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        let cause = Cause { message: message.into(), origin: None, help: None };
        Self { causes: vec![cause], hint: None, code: exit::ERROR }
    }

    /// Options that do not go together, as the original counts them.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(message).code(exit::OPTIONS)
    }

    /// An error with everything beneath it.
    pub(crate) fn of(error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        Self::new(message)
    }

    pub(crate) fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    pub(crate) fn at(mut self, origin: Option<&Origin>) -> Self {
        if let Some(cause) = self.causes.first_mut() {
            cause.origin = origin.map(place);
        }
        self
    }

    /// What the original says below the place.
    pub(crate) fn help(mut self, help: Option<String>) -> Self {
        if let Some(cause) = self.causes.first_mut() {
            cause.help = help;
        }
        self
    }

    /// What to do about it, in a line of its own.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The whole text, the lines around the place included.
    pub(crate) fn text(&self, colour: bool) -> String {
        let text = view::problem_text(&self.causes, crate::screen::source);
        let mut out = paint(&format!("[ERROR]: {text}"), "0;31", colour);
        if let Some(hint) = &self.hint {
            out.push_str(&format!("hint: {hint}\n"));
        }
        out
    }
}

/// `file:line:column`, without numbers that are not known.
fn place(origin: &Origin) -> String {
    match (origin.line, origin.column) {
        (0, _) => origin.file.to_string(),
        (line, 0) => format!("{}:{line}", origin.file),
        _ => origin.to_string(),
    }
}

fn paint(text: &str, code: &str, colour: bool) -> String {
    let text = text.strip_suffix('\n').unwrap_or(text);
    if !colour {
        return format!("{text}\n");
    }
    let lines: Vec<String> =
        text.split('\n').map(|line| format!("\u{1b}[{code}m{line}\u{1b}[0m")).collect();
    format!("{}\n", lines.join("\n"))
}

/// Says something on the side that is no error; what cannot be written there is lost.
pub(crate) fn say(text: &str) {
    let _ = crate::screen::aside(|| writeln!(std::io::stderr(), "{text}"));
}

/// Warns before there is a run to do so.
pub(crate) fn warn(text: &str) {
    let colour = crate::screen::colour_now();
    let text = paint(&format!("[WARNING]: {text}"), "1;35", colour);
    let _ = crate::screen::aside(|| std::io::stderr().write_all(text.as_bytes()));
}

/// Tells what is odd in an inventory before there is a run to do so, as a view would.
pub(crate) fn warn_of(warning: &davit_inventory::Warning, deprecations: bool) {
    /// That deprecations can be turned off is said once.
    static HINT: std::sync::Once = std::sync::Once::new();
    let (head, code) = match warning.severity {
        davit_inventory::Severity::Warning => ("[WARNING]", "1;35"),
        davit_inventory::Severity::Deprecation if !deprecations => return,
        davit_inventory::Severity::Deprecation => {
            HINT.call_once(|| {
                warn(view::DEPRECATIONS_CAN_BE_DISABLED);
            });
            ("[DEPRECATION WARNING]", "0;35")
        }
        davit_inventory::Severity::Error => ("[ERROR]", "0;31"),
    };
    let text = if warning.causes.is_empty() {
        let origin = warning.place.as_ref().map(ToString::to_string);
        let cause = Cause { message: warning.message.clone(), origin, help: warning.help.clone() };
        view::problem_text(&[cause], crate::screen::source)
    } else {
        format!("{}\n\n", warning.text())
    };
    let text = paint(&format!("{head}: {text}"), code, crate::screen::colour_now());
    let _ = crate::screen::aside(|| std::io::stderr().write_all(text.as_bytes()));
}

/// Writes a command's result; a reader that has gone away is no error.
pub(crate) fn print(text: &str) -> Result<(), Report> {
    let mut out = std::io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Report::new(format!("cannot write the result: {error}")))
        }
        _ => Ok(()),
    }
}

impl From<davit_run::Error> for Report {
    fn from(error: davit_run::Error) -> Self {
        match error {
            davit_run::Error::Written(error) => error.into(),
            davit_run::Error::Inventory(error) => error.into(),
            davit_run::Error::At { message, origin, help } => {
                Self::new(message).at(origin.as_ref()).help(help)
            }
            davit_run::Error::Keyword { ref origin, ref help, .. } => {
                let report = Self::new(error.to_string()).at(origin.as_ref());
                report.help(help.clone()).code(exit::PARSER)
            }
            other => Self::of(&other),
        }
    }
}

impl From<davit_playbook::Error> for Report {
    fn from(error: davit_playbook::Error) -> Self {
        let code = if error.is_parser_error() { exit::PARSER } else { exit::ERROR };
        let help = error.help().map(str::to_owned);
        let origin = match &error {
            // The whole file is meant, which has no line of its own.
            davit_playbook::Error::Vault { path, .. } => {
                Some(Origin { file: path.to_string_lossy().as_ref().into(), line: 0, column: 0 })
            }
            _ => error.origin(),
        };
        Self::new(error.to_string()).at(origin.as_ref()).help(help).code(code)
    }
}

impl From<davit_inventory::Error> for Report {
    fn from(error: davit_inventory::Error) -> Self {
        let code = u8::try_from(error.exit_code()).unwrap_or(exit::ERROR);
        let mut report = Self::new(error.to_string()).code(code);
        if let (Some(place), Some(cause)) = (error.place(), report.causes.first_mut()) {
            cause.origin = Some(place.to_string());
        }
        report
    }
}

impl From<davit_store::Error> for Report {
    fn from(error: davit_store::Error) -> Self {
        let hint = match &error {
            davit_store::Error::NoRun(_) => Some("`davit runs` lists what there is"),
            _ => None,
        };
        let report = Self::of(&error);
        match hint {
            Some(hint) => report.hint(hint),
            None => report,
        }
    }
}

impl From<davit_vault::Error> for Report {
    fn from(error: davit_vault::Error) -> Self {
        let code = match error {
            davit_vault::Error::AmbiguousEncryptId(_) => exit::OPTIONS,
            _ => exit::ERROR,
        };
        Self::new(error.to_string()).code(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_the_place_and_the_hint() {
        let origin = Origin { file: "nofile.yml".into(), line: 3, column: 5 };
        let report = Report::new("it is wrong").at(Some(&origin)).hint("mend it");
        let text = report.text(false);
        assert!(text.starts_with("[ERROR]: it is wrong\nOrigin: nofile.yml:3:5\n"), "{text}");
        assert!(text.ends_with("hint: mend it\n"), "{text}");
    }
}
