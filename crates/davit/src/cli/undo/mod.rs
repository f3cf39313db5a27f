//! `davit undo`: puts back what a run has changed.
//!
//! ```text
//! plan.rs    the events of the run: what was changed where, newest first
//! play.rs    a play that has each host undo its changes
//! report.rs  what became of them
//! ```
//!
//! What a change is and how it is put back is the hosts' affair.

mod plan;
mod play;
mod report;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::Arc;

use davit_playbook::{Entry, Playbook};
use davit_store::{Run, RunStatus, Store};

use self::plan::Plan;
use self::report::{Answers, Undoing};
use crate::cli::options::Verbosity;
use crate::cli::{Command, Parsed, parse, runs};
use crate::launch::{Launch, Work};
use crate::report::{Report, exit, print, say, warn};
use crate::screen::Wanted;
use crate::setup::{Ground, Request};

/// Put back what a run has changed.
///
/// Files, folders, links, modes and owners go back to what they were before the run, newest change
/// first. What something else has changed since is left alone and named, and so is what cannot be
/// undone, such as what a program did. Undoing is a run itself: it is in the history, and can be
/// undone.
///
/// Copies of what is replaced or removed are kept on the hosts, for their user alone: those of the
/// last ten runs, for two weeks, 512 MiB for each run at most. `undo_keep = false` in the section
/// `[davit]` of the configuration keeps none.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  davit undo last --check --diff     say what it would put back
  davit undo last
  davit undo 01jd --limit web

Exit codes: 0 all is as before, 1 error, 2 something was left as it is, 4 hosts not reached,
99 interrupted.")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`, the newest that is no undoing itself.
    #[arg(value_name = "RUN")]
    run: String,
    /// Only say what would be put back.
    #[arg(short = 'C', long)]
    check: bool,
    /// Show what changes in files.
    #[arg(short = 'D', long)]
    diff: bool,
    /// Only on these hosts: a pattern.
    #[arg(short, long, value_name = "HOSTS")]
    limit: Option<String>,
    /// The report as one JSON document.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    verbosity: Verbosity,
}

/// Undoes it.
pub(crate) fn run(args: &Args) -> Result<u8, Report> {
    let store = runs::open()?;
    let run = find(&store, &args.run)?;
    if run.status == RunStatus::Running {
        return Err(Report::new(format!("run {} is still going on", run.id)));
    }
    if run.check {
        return Err(Report::new(format!("run {} was a dry run: it changed nothing", run.id)));
    }
    let mut plan = Plan::of(&store.events(&run.id)?);
    if plan.is_empty() {
        say(&format!("run {} changed nothing that is known of: nothing is to be undone", run.id));
        return Ok(exit::OK);
    }
    let mut request = request_of(&store, &run)?;
    std::env::set_current_dir(&run.folder).map_err(|error| {
        Report::new(format!("cannot go back to the folder {}: {error}", run.folder))
    })?;
    args.verbosity.apply(&mut request);
    request.check = args.check;
    request.diff = args.diff;
    let ground = Ground::new(&request)?;
    if let Some(limit) = &args.limit {
        let mut warnings = Vec::new();
        let hosts =
            ground.inventory(&request, &mut warnings)?.list_hosts(limit, None, &mut warnings)?;
        plan.only(&hosts.iter().map(ToString::to_string).collect());
        if plan.is_empty() {
            return Err(Report::new(format!("run {} changed nothing on '{limit}'", run.id)));
        }
    }
    say(&format!("undoing run {}: {}", run.id, run.command.join(" ")));
    let undoing = perform(&run.id, plan, &ground, &request)?;
    if args.json {
        print(&undoing.json())?;
    } else {
        print(&undoing.text())?;
    }
    Ok(undoing.code())
}

/// Undoes what a run that has just ended has changed on the hosts where it failed.
pub(crate) fn after_failure(
    run: &str,
    failed: &[String],
    ground: &Ground,
    request: &Request,
) -> Result<(), Report> {
    if run.is_empty() {
        warn("the run was not recorded: nothing can be undone");
        return Ok(());
    }
    let store = runs::open()?;
    let mut plan = Plan::of(&store.events(run)?);
    let failed: BTreeSet<String> = failed.iter().cloned().collect();
    let elsewhere = plan.elsewhere(&failed);
    plan.only(&failed);
    let names: Vec<&str> = failed.iter().map(String::as_str).collect();
    if plan.is_empty() {
        say(&format!("nothing is to be undone on {}", names.join(", ")));
    } else {
        say(&format!("undoing what the run has changed on {}", names.join(", ")));
        let undoing = perform(run, plan, ground, request)?;
        say(undoing.text().trim_end());
    }
    if !elsewhere.is_empty() {
        say(&format!(
            "what was done for them on {} stays: `davit undo {run}` undoes the whole run",
            elsewhere.join(", ")
        ));
    }
    Ok(())
}

/// The run that is meant.
fn find(store: &Store, text: &str) -> Result<Run, Report> {
    if text != "last" {
        return Ok(store.run(text)?);
    }
    let newest = store.runs(usize::MAX)?.into_iter().find(|it| !it.check && !is_undoing(it));
    newest.ok_or_else(|| Report::new("no run that could be undone has been recorded"))
}

fn is_undoing(run: &Run) -> bool {
    run.playbooks.is_empty() && run.command.get(1).is_some_and(|it| it == "undo")
}

/// What the run's command line said of inventory, connections and users.
fn request_of(store: &Store, run: &Run) -> Result<Request, Report> {
    /// Undoings of undoings of undoings: each names the run before it.
    const DEEPEST: usize = 100;
    let mut run = run.clone();
    for _ in 0..DEEPEST {
        let typed: Vec<OsString> = run.command.iter().map(OsString::from).collect();
        let request = match parse(&typed).map(|Parsed { command }| command) {
            Ok(Command::Run(args)) => args.request(),
            Ok(Command::Exec(args)) => args.request(),
            Ok(Command::Undo(args)) => {
                run = store.run(&args.run)?;
                continue;
            }
            _ => break,
        };
        return Ok(Request {
            tags: Vec::new(),
            skip_tags: Vec::new(),
            start_at_task: None,
            step: false,
            limit: None,
            verbosity: 0,
            ..request
        });
    }
    Err(Report::new(format!(
        "the command line of run {} is not understood: {}",
        run.id,
        run.command.join(" ")
    )))
}

/// Has the hosts undo it.
fn perform(
    id: &str,
    mut plan: Plan,
    ground: &Ground,
    request: &Request,
) -> Result<Undoing, Report> {
    let inventory = ground.inventory(request, &mut Vec::new())?;
    let strangers = plan.strangers(|host| inventory.host(host).is_some());
    let answers = Answers::default();
    let request = Request {
        tags: Vec::new(),
        skip_tags: Vec::new(),
        start_at_task: None,
        step: false,
        limit: None,
        ..request.clone()
    };
    let mut ended = None;
    if !plan.is_empty() {
        let folder = &ground.folder;
        let entries = vec![Entry::Play(Arc::new(play::of(&plan, id)))];
        let launch = Launch {
            ground,
            request: &request,
            wanted: Wanted { output: Some("null".into()), ..Wanted::default() },
            work: Work::Made(Box::new(Playbook { path: folder.join("undo"), entries })),
            command: vec!["davit".into(), "undo".into(), id.to_owned()],
            resume: Vec::new(),
            extra: vec![answers.listener()],
        };
        ended = Some(launch.go()?);
    }
    Ok(Undoing::new(id, (&plan, &strangers), &answers, ended.as_ref(), request.check))
}
