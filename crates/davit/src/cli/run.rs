//! `davit run`: runs playbooks.

use std::io;

use davit_event::Bus;

use crate::report::Report;
use crate::setup::{Ground, Request};
use crate::view;

/// Run playbooks.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Playbook files.
    #[arg(required = true)]
    playbooks: Vec<String>,
    /// Inventory: a file, a folder, a script, or hosts with a comma: `a,b,`.
    #[arg(short, long = "inventory", visible_alias = "inventory-file")]
    inventory: Vec<String>,
    /// Only these hosts: a pattern, or `@file`.
    #[arg(short, long = "limit")]
    limit: Option<String>,
    /// Variables above all others: `k=v`, JSON, YAML, or `@file`.
    #[arg(short, long = "extra-vars")]
    extra_vars: Vec<String>,
    /// Only tasks with these tags.
    #[arg(short, long)]
    tags: Vec<String>,
    /// No tasks with these tags.
    #[arg(long)]
    skip_tags: Vec<String>,
    /// Begin at the task of this name.
    #[arg(long)]
    start_at_task: Option<String>,
    /// Change nothing; say what would change.
    #[arg(short = 'C', long)]
    check: bool,
    /// Show what changes in files.
    #[arg(short = 'D', long)]
    diff: bool,
    /// How many hosts at the same time.
    #[arg(short, long)]
    forks: Option<usize>,
    /// Say more; up to four times.
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Run handlers even where a task failed.
    #[arg(long)]
    force_handlers: bool,
    /// A vault password: `label@file` or `label@prompt`.
    #[arg(long)]
    vault_id: Vec<String>,
    /// A file with a vault password, or a program that prints one.
    #[arg(long, visible_alias = "vault-pass-file")]
    vault_password_file: Vec<String>,
    /// Ask for the vault password.
    #[arg(short = 'J', long, visible_alias = "ask-vault-pass")]
    ask_vault_password: bool,
    /// How hosts are reached where nothing else says.
    #[arg(short, long)]
    connection: Option<String>,
    /// How to show the run.
    #[arg(long)]
    output: Option<String>,
}

impl Args {
    fn request(&self) -> Request {
        let split = |list: &[String]| {
            list.iter()
                .flat_map(|it| it.split(','))
                .map(|it| it.trim().to_owned())
                .filter(|it| !it.is_empty())
                .collect()
        };
        Request {
            inventory: self.inventory.clone(),
            limit: self.limit.clone(),
            extra_vars: self.extra_vars.clone(),
            tags: split(&self.tags),
            skip_tags: split(&self.skip_tags),
            start_at_task: self.start_at_task.clone(),
            check: self.check,
            diff: self.diff,
            forks: self.forks,
            verbosity: self.verbose,
            force_handlers: self.force_handlers,
            vault_ids: self.vault_id.clone(),
            vault_password_files: self.vault_password_file.clone(),
            ask_vault_password: self.ask_vault_password,
            connection: self.connection.clone(),
            strict: false,
        }
    }
}

/// Runs them; the exit code.
pub(crate) fn run(args: &Args) -> Result<u8, Report> {
    let request = args.request();
    let ground = Ground::new(&request)?;
    let settings = view::Settings {
        verbosity: args.verbose,
        source: |path| std::fs::read_to_string(path).ok(),
        ..view::Settings::default()
    };
    let outputs = view::Outputs { out: Box::new(io::stdout()), err: Box::new(io::stderr()) };
    let name = args.output.as_deref().unwrap_or("default");
    let view = view::create(name, &settings, outputs)
        .ok_or_else(|| Report::new(format!("there is no output format '{name}'")))?;
    let bus = Bus::new(vec![view]);
    let world = ground.world(&request, bus, Vec::new())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Report::new(format!("cannot start: {error}")))?;
    let start = davit_run::Start {
        run: String::new(),
        playbooks: args.playbooks.clone(),
        command: std::env::args().collect(),
    };
    let summary = runtime.block_on(davit_run::run(&world, start))?;
    Ok(if summary.interrupted {
        99
    } else if !summary.unreachable.is_empty() {
        4
    } else if !summary.failed.is_empty() {
        2
    } else {
        0
    })
}
