//! davit: one program for the whole of a DevOps engineer's automation.
//!
//! **Invariant:** only this crate prints, reads the environment, or picks exit codes.

mod cli;
mod config;
mod prompt;
mod report;
mod setup;
mod tables;
mod view;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    cli::main(&args)
}
