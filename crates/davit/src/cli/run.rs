//! `davit run`: runs playbooks, or says what they would do.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use davit_event::{Bus, Event};
use davit_run::PlayOutline;

use crate::cli::options::{
    BecomeOptions, ConnectionOptions, InventoryOptions, TaskOptions, VariableOptions, VaultOptions,
    Verbosity,
};
use crate::cli::{Caller, lint, undo};
use crate::launch::{Launch, Work, notes};
use crate::report::{Report, exit, print, say};
use crate::screen::{Screen, Wanted};
use crate::setup::{Ground, Request};

/// Run playbooks.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  davit run site.yml
  davit run -i hosts.ini site.yml --limit web --check --diff
  davit run site.yml -e version=1.2 --tags deploy
  davit run site.yml --list-tasks

Exit codes: 0 ok, 1 error, 2 hosts failed, 4 hosts not reached or a file that is no playbook,
99 interrupted, 250 a mistake of this program.")]
pub(crate) struct Args {
    /// Playbook files.
    #[arg(required = true, value_name = "PLAYBOOK")]
    playbooks: Vec<String>,
    #[command(flatten)]
    inventory: InventoryOptions,
    #[command(flatten)]
    variables: VariableOptions,
    /// Only tasks with these tags. May be given several times.
    #[arg(short, long, value_name = "TAGS")]
    tags: Vec<String>,
    /// No tasks with these tags. May be given several times.
    #[arg(long, value_name = "TAGS")]
    skip_tags: Vec<String>,
    /// Begin at the task of this name.
    #[arg(long, value_name = "NAME")]
    start_at_task: Option<String>,
    /// Ask before each task.
    #[arg(long)]
    step: bool,
    #[command(flatten)]
    tasks: TaskOptions,
    /// Run handlers even where a task failed.
    #[arg(long)]
    force_handlers: bool,
    /// Where a host fails, undo what the run has changed on it; the exit code stays that of the
    /// failure.
    #[arg(long, value_name = "WHAT")]
    on_failure: Option<OnFailure>,
    /// Only say which hosts it would run on.
    #[arg(long)]
    list_hosts: bool,
    /// Only say which tasks it would run.
    #[arg(long)]
    list_tasks: bool,
    /// Only say which tags there are.
    #[arg(long)]
    list_tags: bool,
    /// Only read the files.
    #[arg(long)]
    syntax_check: bool,
    /// How to show the run: `terminal`, `default`, `json`, `jsonl`, `events`, `minimal`, `oneline`, `yaml`, `null`.
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// Write what is shown to this file too.
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
    /// Conditionals that are not boolean are errors, whatever the configuration says.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    verbosity: Verbosity,
    #[command(flatten)]
    vault: VaultOptions,
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    privileges: BecomeOptions,
}

/// What is done on hosts that have failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum OnFailure {
    /// Put back what the run has changed, as `davit undo` does.
    Undo,
}

impl Args {
    /// What it means.
    pub(crate) fn request(&self) -> Request {
        let mut request = Request {
            tags: split(&self.tags),
            skip_tags: split(&self.skip_tags),
            start_at_task: self.start_at_task.clone(),
            step: self.step,
            force_handlers: self.force_handlers,
            strict: self.strict,
            all_tags: self.list_tags,
            only_lists: self.is_listing(),
            ..Request::default()
        };
        self.inventory.apply(&mut request);
        self.variables.apply(&mut request);
        self.tasks.apply(&mut request);
        self.verbosity.apply(&mut request);
        self.vault.apply(&mut request);
        self.connection.apply(&mut request);
        self.privileges.apply(&mut request);
        request
    }

    fn is_listing(&self) -> bool {
        self.list_hosts || self.list_tasks || self.list_tags || self.syntax_check
    }
}

fn split(list: &[String]) -> Vec<String> {
    let words = list.iter().flat_map(|it| it.split(','));
    words.map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect()
}

/// Runs them; the exit code.
pub(crate) fn run(args: &Args, caller: &Caller) -> Result<u8, Report> {
    run_again(args, caller, Vec::new())
}

/// Runs them, what the events of an earlier run say was done left out.
pub(crate) fn run_again(args: &Args, caller: &Caller, resume: Vec<Event>) -> Result<u8, Report> {
    let request = args.request();
    for path in &args.playbooks {
        check_path(Path::new(path))?;
    }
    let mut ground = Ground::new(&request)?;
    if let Some(path) = &args.log_file {
        let config = std::sync::Arc::make_mut(&mut ground.config);
        config.environment.insert("ANSIBLE_LOG_PATH".into(), path.to_string_lossy().into_owned());
    }
    let wanted =
        Wanted { output: args.output.clone(), is_link: caller.is_link, ..Wanted::default() };
    if args.is_listing() {
        notes(&ground, &request, caller)?;
        return list(args, &ground, &request, &wanted);
    }
    // The original comes upon some mistakes only where their task runs: called by its name, this does, too.
    if !caller.is_link
        && let Some(code) = lint::before_run(&ground, &request, &args.playbooks)?
    {
        return Ok(code);
    }
    let launch = Launch {
        ground: &ground,
        request: &request,
        wanted,
        work: Work::Files(args.playbooks.clone()),
        command: caller.command.clone(),
        resume,
        extra: Vec::new(),
    };
    let ended = launch.go()?;
    let failed = &ended.summary.failed;
    if args.on_failure == Some(OnFailure::Undo)
        && !(failed.is_empty() || request.check || ended.summary.interrupted)
        && let Err(report) = undo::after_failure(&ended.run, failed, &ground, &request)
    {
        // The failure is what counts.
        say(report.text(crate::screen::colour_now()).trim_end());
    }
    let saves = ground.config.is("RETRY_FILES_ENABLED")?;
    if saves && (!ended.summary.failed.is_empty() || !ended.summary.unreachable.is_empty()) {
        save_retry(args, caller, &ground, &ended.summary);
    }
    Ok(ended.code)
}

fn check_path(path: &Path) -> Result<(), Report> {
    use std::os::unix::fs::FileTypeExt;
    let shown = path.display();
    let Ok(about) = path.metadata() else {
        return Err(Report::new(format!("the playbook: {shown} could not be found")));
    };
    if about.is_file() || about.file_type().is_fifo() {
        return Ok(());
    }
    Err(Report::new(format!("the playbook: {shown} does not appear to be a file")))
}

/// The hosts that are left to do, where `retry_files_enabled` asks for a file of them.
fn save_retry(args: &Args, caller: &Caller, ground: &Ground, summary: &davit_run::Summary) {
    let Some(playbook) = args.playbooks.first().map(Path::new) else { return };
    let stem = playbook.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let beside = playbook.parent().unwrap_or(Path::new("")).to_owned();
    let folder = ground.config.path_of("RETRY_FILES_SAVE_PATH").unwrap_or(beside);
    let path = folder.join(format!("{stem}.retry"));
    let hosts: BTreeSet<&String> = summary.failed.iter().chain(&summary.unreachable).collect();
    let text: String = hosts.iter().map(|it| format!("{it}\n")).collect();
    match std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, text)) {
        Ok(()) if caller.is_link => {
            let path = std::path::absolute(&path).unwrap_or(path);
            // The file is there, whether it can be said or not.
            let _ = print(&format!("\tto retry, use: --limit @{}\n", path.display()));
        }
        Ok(()) => {
            say(&format!("hint: to retry on the hosts that are left: --limit @{}", path.display()));
        }
        Err(error) => crate::report::warn(&format!(
            "Could not create retry file '{}': {error}",
            path.display()
        )),
    }
}

/// `--list-hosts` and the like, as the original prints them.
fn list(args: &Args, ground: &Ground, request: &Request, wanted: &Wanted) -> Result<u8, Report> {
    let wanted = Wanted { output: Some("default".into()), ..wanted.clone() };
    let screen = Screen::new(&ground.config, &wanted)?;
    let world = ground.world(request, Bus::new(screen.sinks(&ground.config)?), Vec::new())?;
    let mut out = String::new();
    for path in &args.playbooks {
        let plays = davit_run::outline(&world, Path::new(path))?;
        let _ = write!(out, "\nplaybook: {path}\n");
        if args.syntax_check {
            continue;
        }
        for (at, play) in plays.iter().enumerate() {
            play_text(args, at + 1, play, &mut out);
        }
    }
    print(&out)?;
    Ok(exit::OK)
}

fn play_text(args: &Args, number: usize, play: &PlayOutline, out: &mut String) {
    let pattern = play.pattern.join(",");
    let _ = write!(
        out,
        "\n  play #{number} ({pattern}): {}\tTAGS: [{}]\n",
        play.name,
        play.tags.join(", ")
    );
    if args.list_hosts {
        let quoted: Vec<String> =
            play.pattern.iter().map(|it| davit_value::Value::from(it.as_str()).repr()).collect();
        let _ = write!(
            out,
            "    pattern: [{}]\n    hosts ({}):\n",
            quoted.join(", "),
            play.hosts.len()
        );
        for host in &play.hosts {
            let _ = writeln!(out, "      {host}");
        }
    }
    if args.list_tasks {
        out.push_str("    tasks:\n");
        for task in &play.tasks {
            let _ = writeln!(out, "      {}\tTAGS: [{}]", task.name, task.tags.join(", "));
        }
    }
    if args.list_tags {
        // Those of the play count even where none of its tasks is chosen.
        let of_tasks = play.tasks.iter().flat_map(|it| &it.tags);
        let all: BTreeSet<&String> = play.tags.iter().chain(of_tasks).collect();
        let all: Vec<&str> = all.into_iter().map(String::as_str).collect();
        let _ = writeln!(out, "      TASK TAGS: [{}]", all.join(", "));
    }
}
