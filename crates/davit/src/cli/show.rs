//! `davit show`: a run of the past, as it looked.

use crate::cli::options::Verbosity;
use crate::cli::runs;
use crate::config::Config;
use crate::report::{Report, exit};
use crate::screen::{Screen, Wanted};
use crate::setup::{Request, working_folder};

/// Show a run of the past again, in any of the output formats.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  davit show last
  davit show last -vvv
  davit show 01jd --output json")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`.
    #[arg(value_name = "RUN")]
    run: String,
    /// How to show it; as `davit run --output`.
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    #[command(flatten)]
    verbosity: Verbosity,
}

/// Shows it.
pub(crate) fn run(args: &Args) -> Result<u8, Report> {
    let store = runs::open()?;
    let run = store.run(&args.run)?;
    let events = store.events(&run.id)?;
    let config = Config::load(&working_folder()?)?;
    let mut request = Request::default();
    args.verbosity.apply(&mut request);
    let wanted =
        Wanted { output: args.output.clone(), verbosity: request.verbosity, ..Wanted::default() };
    let mut screen = Screen::new(&config, &wanted)?;
    // Nothing is under way: lines are drawn once.
    screen.settings.live = false;
    let mut sinks = screen.sinks(&config)?;
    for event in &events {
        for sink in &mut sinks {
            match sink.accept(event) {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                    return Ok(exit::OK);
                }
                Err(error) => return Err(Report::new(format!("cannot show the run: {error}"))),
                Ok(()) => {}
            }
        }
    }
    Ok(exit::OK)
}
