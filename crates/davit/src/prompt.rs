//! Questions to the person at the terminal.

use std::io::{IsTerminal, Write};

use davit_run::Prompt;

/// Asks on the terminal; without one, nobody answers.
#[derive(Debug, Default)]
pub(crate) struct Terminal;

impl Prompt for Terminal {
    fn ask(&self, text: &str, secret: bool) -> Option<String> {
        if !std::io::stdin().is_terminal() {
            return None;
        }
        crate::screen::aside(|| {
            show(text);
            if secret { rpassword::read_password().ok() } else { line() }
        })
    }

    fn ask_anyone(&self, text: &str) -> Option<String> {
        crate::screen::aside(|| {
            show(text);
            line()
        })
    }
}

/// Asks for a password: on the terminal, else the next line of standard input.
pub(crate) fn password(text: &str) -> Option<String> {
    if std::io::stdin().is_terminal() {
        show(text);
        return rpassword::read_password().ok();
    }
    match rpassword::prompt_password(text) {
        Ok(typed) => Some(typed),
        Err(_) => line(),
    }
}

fn show(text: &str) {
    let mut err = std::io::stderr();
    // A question that cannot be shown is still answered.
    let _ = write!(err, "{text}");
    let _ = err.flush();
}

fn line() -> Option<String> {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim_end_matches(['\n', '\r']).to_owned())
}
