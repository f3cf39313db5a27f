//! `davit resume`: takes up a run that failed or was cut off.

use std::ffi::OsString;

use crate::cli::{Caller, Command, Parsed, parse, run, runs};
use crate::report::{Report, say};

/// Go on with a run from where it failed or was stopped.
///
/// The same command line runs again in the same folder. What the run has done is not done again:
/// its results, variables, facts and notified handlers are taken from the record.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  davit resume last
  davit resume 01jd")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`.
    #[arg(value_name = "RUN")]
    run: String,
}

/// Resumes it.
pub(crate) fn run(args: &Args) -> Result<u8, Report> {
    let store = runs::open()?;
    let run = store.run(&args.run)?;
    if !run.status.can_resume() {
        return Err(Report::new(format!(
            "run {} is {}: there is nothing to go on with",
            run.id,
            run.status.word()
        )));
    }
    let events = store.events(&run.id)?;
    std::env::set_current_dir(&run.folder).map_err(|error| {
        Report::new(format!("cannot go back to the folder {}: {error}", run.folder))
    })?;
    let typed: Vec<OsString> = run.command.iter().map(OsString::from).collect();
    let caller = Caller::of(&typed);
    match parse(&typed) {
        Ok(Parsed { command: Command::Run(args) }) => {
            say(&format!("going on with run {}: {}", run.id, run.command.join(" ")));
            run::run_again(&args, &caller, events)
        }
        Ok(_) => Err(Report::new(format!(
            "run {} is no run of playbooks: start it again instead",
            run.id
        ))
        .hint(run.command.join(" "))),
        Err(_) => Err(Report::new(format!(
            "the command line of run {} is not understood: {}",
            run.id,
            run.command.join(" ")
        ))),
    }
}
