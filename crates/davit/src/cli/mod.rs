//! The command line: one file a command.

mod run;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::report::Report;

/// One program for a DevOps engineer's automation.
#[derive(Debug, Parser)]
#[command(name = "davit", version, about, arg_required_else_help = true)]
struct Davit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run playbooks.
    Run(run::Args),
}

/// Runs the command that `args` name; the first is the program itself.
pub(crate) fn main(args: &[OsString]) -> ExitCode {
    let davit = match Davit::try_parse_from(args) {
        Ok(davit) => davit,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let result = match davit.command {
        Command::Run(args) => run::run(&args),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(report) => fail(&report),
    }
}

/// Shows an error and gives its exit code.
fn fail(report: &Report) -> ExitCode {
    let _ = std::io::stderr().write_all(report.text().as_bytes());
    ExitCode::from(report.code)
}
