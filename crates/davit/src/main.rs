//! davit: one program for the whole of a DevOps engineer's automation.
//!
//! **Invariant:** only this crate prints, reads the environment, or picks exit codes.

mod ask;
mod bridge;
mod cli;
mod config;
mod connections;
mod facts;
mod fetch;
mod helper;
mod inventories;
mod launch;
mod prompt;
mod report;
mod screen;
mod secrets;
mod setup;
mod tables;
mod variables;
mod view;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    if let Some(code) = helper::called(&args) {
        return code;
    }
    if let Some(code) = cli::lambda::called(&args) {
        return code;
    }
    // The panic itself has told what and where; only the exit code is left to say.
    std::panic::catch_unwind(|| cli::main(&args))
        .unwrap_or(ExitCode::from(report::exit::UNEXPECTED))
}
