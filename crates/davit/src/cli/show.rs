//! `davit show`: a run of the past, as it looked.

use std::collections::HashMap;

use davit_event::{Event, Kind};
use serde_json::Value;

use crate::cli::options::Verbosity;
use crate::cli::runs;
use crate::config::Config;
use crate::report::{Report, exit, print};
use crate::screen::{Screen, Wanted};
use crate::setup::{Request, working_folder};

/// Show a run of the past again, in any of the output formats.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  davit show last
  davit show last -vvv
  davit show 01jd --output json
  davit show last --changes          what it changed, in order")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`.
    #[arg(value_name = "RUN")]
    run: String,
    /// How to show it; as `davit run --output`.
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// Only list what was changed: files, programs that ran, and what was done through APIs.
    #[arg(long, conflicts_with = "output")]
    changes: bool,
    #[command(flatten)]
    verbosity: Verbosity,
}

/// Shows it.
pub(crate) fn run(args: &Args) -> Result<u8, Report> {
    let store = runs::open()?;
    let run = store.run(&args.run)?;
    let events = store.events(&run.id)?;
    if args.changes {
        print(&changes(&events))?;
        return Ok(exit::OK);
    }
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

/// A line for each change, oldest first.
fn changes(events: &[Event]) -> String {
    let mut tasks: HashMap<u32, &str> = HashMap::new();
    let mut rows = Vec::new();
    for event in events {
        match &event.kind {
            Kind::TaskStarted { task, name, .. } => {
                tasks.insert(*task, name);
            }
            Kind::Changes { task, host, delegated_to, changes, .. } => {
                let host = delegated_to.as_ref().unwrap_or(host);
                let task = tasks.get(task).copied().unwrap_or_default();
                rows.extend(changes.iter().map(|it| row(host, task, it)));
            }
            _ => {}
        }
    }
    if rows.is_empty() {
        return "nothing was changed that is known of\n".to_owned();
    }
    runs::table(["HOST", "KIND", "PATH", "TASK", "WHAT"], &rows)
}

fn row(host: &str, task: &str, change: &Value) -> [String; 5] {
    let text = |key: &str| change.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let path = match change.get("path") {
        // A path that is no text.
        Some(bytes @ Value::Array(_)) => bytes.to_string(),
        _ => text("path"),
    };
    let mut what = text("what");
    if change.get("cut_off") == Some(&Value::Bool(true)) {
        what.push_str(" (stopped in the middle)");
    }
    [host.to_owned(), text("kind"), path, task.to_owned(), what]
}

#[cfg(test)]
mod tests {
    use davit_event::Way;
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_of_every_kind_are_listed() {
        let event = |kind| Event { seq: 0, at_ms: 0, kind };
        let change = |host: &str, delegated_to: Option<&str>, change| {
            event(Kind::Changes {
                task: 0,
                host: host.to_owned(),
                delegated_to: delegated_to.map(str::to_owned),
                way: Way::default(),
                changes: vec![change],
            })
        };
        assert_eq!(changes(&[]), "nothing was changed that is known of\n");
        let api = json!({"kind": "api", "path": "arn:b", "what": "make it", "cut_off": true});
        let text = changes(&[
            change("web", Some("lb"), json!({"kind": "write", "path": "/etc/motd"})),
            change("web", None, api),
        ]);
        assert_eq!(
            text,
            "HOST  KIND   PATH       TASK  WHAT\n\
             lb    write  /etc/motd\n\
             web   api    arn:b            make it (stopped in the middle)\n"
        );
    }
}
