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
        let mut err = std::io::stderr();
        let _ = write!(err, "{text}");
        let _ = err.flush();
        if secret {
            return rpassword::read_password().ok();
        }
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).ok()?;
        Some(line.trim_end_matches(['\n', '\r']).to_owned())
    }
}
