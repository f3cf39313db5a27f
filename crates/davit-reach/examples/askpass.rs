//! The program that ssh starts to ask, with as little around it as can be.
//!
//! [`davit_reach::Settings::executable`] names such a program: ssh gives it the question as its
//! argument, and takes what it prints for the answer.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let socket = variable(davit_reach::ASKPASS_SOCKET);
    let session = variable(davit_reach::ASKPASS_SESSION);
    let hint = variable("SSH_ASKPASS_PROMPT");
    let prompt = std::env::args().nth(1).unwrap_or_default();
    let answer = davit_reach::askpass(Path::new(&socket), &session, &hint, &prompt);
    match answer.map(|answer| writeln!(std::io::stdout(), "{answer}")) {
        Some(Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
