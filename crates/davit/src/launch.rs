//! Starts a run and sees it through: journal, interruption, exit code.

use std::panic;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use davit_event::{Bus, Event, Sink};
use davit_run::{Start, Summary, World};
use davit_store::Store;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::Caller;
use crate::config::Config;
use crate::report::{Report, exit, say, warn};
use crate::screen::{Loud, Screen, Wanted};
use crate::setup::{Ground, Request};

/// What is to be run.
pub(crate) enum Work {
    /// Playbook files, as typed.
    Files(Vec<String>),
    /// A playbook that no file holds.
    Made(Box<davit_playbook::Playbook>),
}

/// A run that is about to start.
pub(crate) struct Launch<'a> {
    pub(crate) ground: &'a Ground,
    pub(crate) request: &'a Request,
    pub(crate) wanted: Wanted,
    pub(crate) work: Work,
    /// The command line, to be able to start it again.
    pub(crate) command: Vec<String>,
    /// The events of the run that is taken up again.
    pub(crate) resume: Vec<Event>,
    /// Who else listens.
    pub(crate) extra: Vec<Box<dyn Sink>>,
}

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) code: u8,
    pub(crate) summary: Summary,
    /// Its id in the history; empty where it is not in it.
    pub(crate) run: String,
}

/// How long tasks may take to end that are not waited for when the run is to stop.
const DROPPED: Duration = Duration::from_millis(50);

/// How long running tasks may take to end after the second Ctrl-C.
const GRACE: Duration = Duration::from_secs(2);

impl Launch<'_> {
    /// Runs it.
    pub(crate) fn go(self) -> Result<Ended, Report> {
        let config = &self.ground.config;
        let wanted = Wanted { verbosity: self.ground.verbosity(self.request)?, ..self.wanted };
        let screen = Screen::new(config, &wanted)?;
        let is_text = ["default", "minimal", "oneline", "yaml"].contains(&screen.view.as_str());
        if is_text && (wanted.is_link || screen.view == "default") {
            config_note(config, wanted.verbosity, wanted.is_link);
        }
        let mut sinks = screen.sinks(config)?;
        sinks.extend(self.extra);
        let mut bus = Bus::new(sinks);
        let journal = journal(config, &mut bus);
        let run = journal.unwrap_or_default();
        let request = Request { keep: kept(config, &run), ..self.request.clone() };
        let world = match self.ground.world(&request, bus, self.resume) {
            Ok(world) => world,
            Err(report) => {
                discard(config, &run);
                return Err(report);
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Report::new(format!("cannot start: {error}")))?;
        let command = self.command;
        let work = self.work;
        let id = run.clone();
        let outcome = runtime.block_on(async {
            // Before anything runs: from here on Ctrl-C must not just kill.
            let signals = Signals::new();
            let interrupted = watch(Arc::clone(&world), signals);
            // A task of its own: what it starts runs on the same thread, and this one is free to
            // hear of Ctrl-C.
            let run = tokio::spawn(perform(Arc::clone(&world), work, run, command));
            tokio::spawn(crate::screen::notice_resumption());
            tokio::spawn(notice_stop(Arc::clone(&world)));
            tokio::select! {
                summary = run => summary.unwrap_or_else(|error| panic::resume_unwind(error.into_panic())),
                () = interrupted => Ok(Summary { interrupted: true, ..Summary::default() }),
            }
        });
        // A program that does not end is not waited for.
        runtime.shutdown_background();
        crate::screen::leave();
        let summary = match outcome {
            Ok(summary) => summary,
            Err(error) => {
                // Whoever still writes the run down is done before it is forgotten.
                drop(world);
                discard(config, &id);
                return Err(error.into());
            }
        };
        if let (Some(name), true) =
            (&self.request.start_at_task, world.is_before_start() && !summary.interrupted)
        {
            say(&format!(
                "[ERROR]: No matching task \"{name}\" found. Note: --start-at-task can only follow static includes."
            ));
        }
        Ok(Ended { code: code(&summary), summary, run: id })
    }
}

/// Ctrl-Z: hosts are told that they will hear nothing for a while, so that they wait.
async fn notice_stop(world: Arc<World>) {
    let Ok(mut stops) = signal(SignalKind::from_raw(nix::sys::signal::Signal::SIGTSTP as i32))
    else {
        return;
    };
    while stops.recv().await.is_some() {
        world.connections.hold();
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Where it cannot be stopped it goes on, which hosts notice as well.
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP);
    }
}

/// Runs the plays.
async fn perform(
    world: Arc<World>,
    work: Work,
    run: String,
    command: Vec<String>,
) -> Result<Summary, davit_run::Error> {
    match work {
        Work::Files(playbooks) => davit_run::run(&world, Start { run, playbooks, command }).await,
        Work::Made(playbook) => {
            let start = Start { run, playbooks: Vec::new(), command };
            davit_run::run_loaded(&world, start, vec![(String::new(), *playbook)]).await
        }
    }
}

/// The exit code of a run.
fn code(summary: &Summary) -> u8 {
    if summary.interrupted {
        exit::INTERRUPTED
    } else if !summary.unreachable.is_empty() {
        exit::UNREACHABLE
    } else if !summary.failed.is_empty() {
        exit::FAILED_HOSTS
    } else {
        exit::OK
    }
}

/// What `-v` says before anything else, in commands that have no run.
pub(crate) fn notes(ground: &Ground, request: &Request, caller: &Caller) -> Result<(), Report> {
    if caller.is_link {
        config_note(&ground.config, ground.verbosity(request)?, true);
    }
    Ok(())
}

/// From this many `-v` on, the program says what it is.
const SHOW_VERSION: u8 = 2;

fn config_note(config: &Config, verbosity: u8, is_link: bool) {
    if verbosity == 0 {
        return;
    }
    let mut text = String::new();
    if is_link && verbosity >= SHOW_VERSION {
        text = format!("{}\n", crate::cli::version_of_link(config));
    }
    text += &match &config.file {
        Some(file) => format!("Using {} as config file\n", file.display()),
        None => "No config file found; using defaults\n".to_owned(),
    };
    // A note that cannot be shown is not worth failing for.
    if config.is("VERBOSE_TO_STDERR").unwrap_or(false) {
        say(text.trim_end());
    } else {
        let _ = crate::report::print(&text);
    }
}

/// Where copies of what the run replaces or removes are kept; what is not in the history cannot be
/// undone.
fn kept(config: &Config, run: &str) -> Option<PathBuf> {
    let wanted = config.plugin(&["DAVIT_UNDO_KEEP"], &[("davit", "undo_keep")]);
    let is_off = |it: &str| matches!(it.to_lowercase().as_str(), "false" | "no" | "off" | "0");
    if wanted.is_some_and(is_off) { None } else { davit_module::keep_folder(&config.state(), run) }
}

/// Opens the history and puts it on the bus; a run goes on without one.
fn journal(config: &Config, bus: &mut Bus) -> Option<String> {
    let opened = || -> Result<(String, davit_store::RunSink), davit_store::Error> {
        let store = Store::open(&config.state().join("runs.db"))?;
        let run = store.begin()?;
        let sink = store.into_sink(&run)?;
        Ok((run, sink))
    };
    match opened() {
        Ok((run, sink)) => {
            let what = "the run can no longer be recorded, and not be resumed from here on";
            bus.attach(Box::new(Loud { inner: Box::new(sink), what }));
            Some(run)
        }
        Err(error) => {
            let report = Report::of(&error).text(false);
            let text = report.trim_start_matches("[ERROR]: ").trim_end();
            warn(&format!("{text}; the run is not recorded and cannot be resumed"));
            None
        }
    }
}

/// Forgets a run that did not even start.
fn discard(config: &Config, run: &str) {
    if let Ok(store) = Store::open(&config.state().join("runs.db")) {
        // What cannot be forgotten shows as cut off.
        let _ = store.discard(run);
    }
}

/// Ctrl-C, and what service managers send.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Nothing where the system does not let them be caught.
    fn new() -> Option<Self> {
        let interrupt = signal(SignalKind::interrupt()).ok()?;
        Some(Self { interrupt, terminate: signal(SignalKind::terminate()).ok()? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Names the tasks that are waited for, and their hosts.
fn waited_for(running: &[(String, Vec<String>)]) -> String {
    /// So many are named.
    const NAMED: usize = 3;
    let few = |all: Vec<&str>, between: &str| {
        let more = all.len().saturating_sub(NAMED);
        let mut text = all.into_iter().take(NAMED).collect::<Vec<_>>().join(between);
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
        text
    };
    let tasks: Vec<String> = running
        .iter()
        .map(|(name, hosts)| {
            let hosts = hosts.iter().map(String::as_str).collect();
            format!("'{name}' on {}", few(hosts, ", "))
        })
        .collect();
    let tasks = few(tasks.iter().map(String::as_str).collect(), "; ");
    if tasks.is_empty() { tasks } else { format!(": {tasks}") }
}

/// Ends when the user no longer wants to wait: some time after the second Ctrl-C, or at the third.
async fn watch(world: Arc<World>, signals: Option<Signals>) {
    let Some(mut signals) = signals else { return std::future::pending().await };
    signals.next().await;
    world.stop();
    // What need not be waited for is gone by then.
    tokio::time::sleep(DROPPED).await;
    let running = waited_for(&world.running());
    say(&format!("stopping once the running task is done{running}; Ctrl-C again to stop it too"));
    signals.next().await;
    world.stop();
    tokio::select! {
        () = tokio::time::sleep(GRACE) => {}
        () = signals.next() => {}
    }
}
