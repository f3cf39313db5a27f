//! `davit exec`: one module or command on hosts, without a playbook.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use davit_event::{Bus, Cause, End, Event, Kind, Reply, Sink, Status};
use davit_inventory::{Inventory, Warning};
use davit_playbook::{Entry, Item, Keyword, Keywords, Play, Playbook, Task, TaskKind};
use davit_value::{Map, Origin, Str, Value};

use crate::cli::Caller;
use crate::cli::options::{
    BecomeOptions, ConnectionOptions, InventoryOptions, TaskOptions, VariableOptions, VaultOptions,
    Verbosity,
};
use crate::launch::{Launch, Work, notes};
use crate::report::{Report, exit, print, say, warn, warn_of};
use crate::screen::{Screen, Wanted, made, nearest};
use crate::setup::{Ground, Request};
use crate::view;

/// Run one module, or one command, on hosts.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  davit exec all -m ping
  davit exec web -- uptime
  davit exec deploy@web1.example.com --ask-pass -- uptime
  davit exec web -m copy -a 'src=motd dest=/etc/motd' --check --diff
  davit exec db -m shell -a 'df -h | tail -1' --output oneline")]
pub(crate) struct Args {
    /// The hosts: a pattern; without an inventory a host itself, such as `deploy@web1`.
    pattern: String,
    /// The module.
    #[arg(short, long, value_name = "NAME")]
    module_name: Option<String>,
    /// Its arguments: `k=v`, JSON, or the command line of a command.
    #[arg(short, long, value_name = "ARGS", allow_hyphen_values = true)]
    args: Option<String>,
    /// A program and its arguments, to be run by the module `command`.
    #[arg(last = true, value_name = "COMMAND", conflicts_with_all = ["args", "module_name"])]
    command: Vec<String>,
    #[command(flatten)]
    inventory: InventoryOptions,
    #[command(flatten)]
    variables: VariableOptions,
    #[command(flatten)]
    tasks: TaskOptions,
    /// Only say which hosts it would run on.
    #[arg(long)]
    list_hosts: bool,
    /// Run in the background, for so many seconds at most.
    #[arg(short = 'B', long, value_name = "SECONDS")]
    background: Option<u64>,
    /// With `--background`: look after it so often, in seconds; 0 does not wait.
    #[arg(short = 'P', long, value_name = "SECONDS")]
    poll: Option<u64>,
    /// The module may take so many seconds.
    #[arg(long, value_name = "SECONDS")]
    task_timeout: Option<u64>,
    /// Also look for `group_vars` and `host_vars` in this folder.
    #[arg(long, value_name = "FOLDER")]
    playbook_dir: Option<PathBuf>,
    /// One line for each host.
    #[arg(short, long)]
    one_line: bool,
    /// Write each host's result to a file of its name in this folder.
    #[arg(short, long, value_name = "FOLDER")]
    tree: Option<PathBuf>,
    /// How to show the results; as `davit run --output`.
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    #[command(flatten)]
    verbosity: Verbosity,
    #[command(flatten)]
    vault: VaultOptions,
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    privileges: BecomeOptions,
}

impl Args {
    /// What it means.
    pub(crate) fn request(&self) -> Request {
        let mut request = Request {
            task_timeout: self.task_timeout,
            playbook_dir: self.playbook_dir.clone(),
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
}

/// A module and its arguments, as they are meant.
struct Call {
    module: String,
    args: Map,
    raw: Option<Str>,
}

/// Runs it.
pub(crate) fn run(args: &Args, caller: &Caller) -> Result<u8, Report> {
    let mut request = args.request();
    let ground = Ground::new(&request)?;
    let mut warnings = Vec::new();
    let mut inventory = ground.inventory(&request, &mut warnings)?;
    let mut args = args.clone();
    if inventory.hosts().next().is_none()
        && !caller.is_link
        && let Some((user, host)) = lone_host(&args.pattern)
    {
        request.inventory = vec![format!("{host},")];
        request.user = user.map(str::to_owned).or(request.user);
        args.pattern = host.to_owned();
        inventory = ground.inventory(&request, &mut warnings)?;
    }
    let args = &args;
    request.pattern = Some(args.pattern.clone());
    ground.check_hosts(&request, &inventory, &mut warnings)?;
    let (hosts, refused) = chosen(&ground, &request, &inventory, &mut warnings)?;
    let deprecations = ground.config.is("DEPRECATION_WARNINGS")?;
    let mut say_warnings = || warnings.drain(..).for_each(|it| warn_of(&it, deprecations));
    if args.list_hosts || hosts.is_empty() {
        notes(&ground, &request, caller)?;
        say_warnings();
    }
    if hosts.is_empty() && inventory.hosts().next().is_some() {
        nobody(&request)?;
    }
    if args.list_hosts {
        return list(&hosts);
    }
    let call = call(args, &ground).inspect_err(|_| say_warnings())?;
    if let Some(error) = refused {
        return Err(error.into());
    }
    if hosts.is_empty() {
        return Ok(exit::OK);
    }
    made(vec![
        (name_of(&call.module), written(args, &call, &ground)),
        (OPTION_M.to_owned(), call.module.clone()),
    ]);
    if ground.tables.find(&call.module).is_none() {
        return missing(args, &call.module, &ground, &hosts);
    }
    let folder = request
        .playbook_dir
        .as_ref()
        .map_or_else(|| ground.folder.clone(), |it| ground.folder.join(it));
    let playbook = Playbook {
        path: folder.join("exec"),
        entries: vec![Entry::Play(Arc::new(play(args, call, &ground)))],
    };
    let default = view_name(args);
    let configured = ground.config.is("DEFAULT_LOAD_CALLBACK_PLUGINS")? && !args.one_line;
    let status = Arc::new(AtomicI64::new(0));
    let mut extra: Vec<Box<dyn Sink>> = vec![Box::new(ExitStatus(Arc::clone(&status)))];
    if let Some(folder) = &args.tree {
        extra.push(view::create_tree(ground.folder.join(folder)));
    }
    let launch = Launch {
        ground: &ground,
        request: &request,
        wanted: Wanted {
            output: args.output.clone(),
            is_link: caller.is_link,
            default: Some(default),
            configurable: configured,
            verbosity: 0,
        },
        work: Work::Made(Box::new(playbook)),
        command: caller.command.clone(),
        resume: Vec::new(),
        extra,
    };
    let code = launch.go()?.code;
    // One command on one host: its exit status is what whoever calls wants to know.
    let status = u8::try_from(status.load(Ordering::Relaxed)).ok().filter(|it| *it > 0);
    let is_one = hosts.len() == 1 && !args.command.is_empty() && !caller.is_link;
    Ok(status.filter(|_| is_one && code == exit::FAILED_HOSTS).unwrap_or(code))
}

/// The hosts that are meant, and why there are none where that is an error of what runs on them.
fn chosen(
    ground: &Ground,
    request: &Request,
    inventory: &Inventory,
    warnings: &mut Vec<Warning>,
) -> Result<(Vec<Arc<str>>, Option<davit_inventory::Error>), Report> {
    let pattern = request.pattern.as_deref().unwrap_or_default();
    match inventory.list_hosts(pattern, request.limit.as_deref(), warnings) {
        Ok(hosts) => Ok((hosts, None)),
        Err(error) if ground.config.text("HOST_PATTERN_MISMATCH") == "error" => {
            Ok((Vec::new(), Some(error)))
        }
        Err(error) => Err(error.into()),
    }
}

/// There are hosts, and none of them is meant.
fn nobody(request: &Request) -> Result<(), Report> {
    if request.limit.is_some() {
        return Err(Report::new(
            "Specified inventory, host pattern and/or --limit leaves us with no hosts to target.",
        ));
    }
    warn("No hosts matched, nothing to do");
    Ok(())
}

/// `--list-hosts`.
fn list(hosts: &[Arc<str>]) -> Result<u8, Report> {
    let mut out = format!("  hosts ({}):\n", hosts.len());
    for host in hosts {
        let _ = writeln!(out, "    {host}");
    }
    print(&out)?;
    Ok(exit::OK)
}

/// User and name of a host that is no pattern: `web1`, `deploy@10.0.0.7`.
fn lone_host(pattern: &str) -> Option<(Option<&str>, &str)> {
    let (user, host) = match pattern.split_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, pattern),
    };
    let is_plain = |text: &str| {
        text.starts_with(|it: char| it.is_ascii_alphanumeric())
            && text.chars().all(|it| it.is_ascii_alphanumeric() || "._-".contains(it))
    };
    let reserved = ["all", "ungrouped", "localhost"].contains(&host);
    (!reserved && is_plain(host) && user.is_none_or(is_plain)).then_some((user, host))
}

/// Keeps the exit status of a command.
struct ExitStatus(Arc<AtomicI64>);

impl Sink for ExitStatus {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        if let Kind::HostDone { end, .. } = &event.kind
            && let Some(code) = end.reply.get("rc").and_then(serde_json::Value::as_i64)
        {
            self.0.store(code, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Modules that run a text, which has to be there.
const TAKES_TEXT: [&str; 5] = ["command", "shell", "raw", "script", "expect"];
/// Statements of the language that are no action by themselves.
const NOT_ALONE: [&str; 4] = ["import_playbook", "import_role", "import_tasks", "include_role"];

fn call(args: &Args, ground: &Ground) -> Result<Call, Report> {
    let module =
        args.module_name.clone().unwrap_or_else(|| ground.config.text("DEFAULT_MODULE_NAME"));
    let short = davit_playbook::short_name(&module);
    if !args.command.is_empty() {
        let words = args.command.iter().map(|it| Value::from(it.as_str())).collect();
        let mut map = Map::new();
        map.insert("argv", Value::list(words));
        return Ok(Call { module, args: map, raw: None });
    }
    let configured = ground.config.text("DEFAULT_MODULE_ARGS");
    let text = args.args.clone().unwrap_or(configured);
    if text.trim().is_empty() && TAKES_TEXT.contains(&short) {
        return Err(Report::usage(format!("No argument passed to {module} module")));
    }
    if NOT_ALONE.contains(&short) {
        return Err(Report::usage(format!("'{module}' is not a valid action for ad-hoc commands")));
    }
    let origin = Origin { file: "<CLI option '-a'>".into(), line: 1, column: 1 };
    if text.trim_start().starts_with('{') {
        let file: Arc<str> = Arc::clone(&origin.file);
        let value = davit_yaml::parse(&text, &file)
            .ok()
            .flatten()
            .and_then(|node| davit_yaml::Convert::trusted().value(&node, &file, &text).ok());
        if let Some(Value::Map(map)) = value {
            return Ok(Call { module, args: Map::clone(&map), raw: None });
        }
    }
    let parts = davit_playbook::free_form(&module, &Str::trusted(text.as_str(), Some(origin)))
        .map_err(|message| Report::usage(message.to_string()))?;
    Ok(Call { module, args: parts.args, raw: parts.raw.filter(|it| !it.is_empty()) })
}

/// What `-m` says, in messages.
const OPTION_M: &str = "<CLI option '-m'>";

/// The task of the command line, in messages.
fn name_of(module: &str) -> String {
    format!("<adhoc '{module}' task>")
}

/// The task of the command line as the original shows it where it fails.
fn written(args: &Args, call: &Call, ground: &Ground) -> String {
    let mut given = call.args.clone();
    if let Some(raw) = &call.raw {
        given.insert("_raw_params", Value::from(raw.as_str()));
    }
    let seconds = |setting: &str| ground.config.number(setting).ok().flatten().unwrap_or(0);
    let mut task = Map::new();
    task.insert("action", Value::from(call.module.as_str()));
    task.insert("args", Value::from(given));
    task.insert("timeout", number(args.task_timeout.unwrap_or_else(|| seconds("TASK_TIMEOUT"))));
    task.insert("async_val", number(args.background.unwrap_or(0)));
    task.insert("poll", number(args.poll.unwrap_or(15)));
    Value::from(task).repr()
}

/// A module that is not there fails on each host, as any other failure would: that is what the
/// original's callers are used to.
fn missing(args: &Args, module: &str, ground: &Ground, hosts: &[Arc<str>]) -> Result<u8, Report> {
    let message = format!("Cannot resolve '{module}' to an action or module.");
    let wanted =
        Wanted { output: args.output.clone(), default: Some(view_name(args)), ..Wanted::default() };
    let mut bus = Bus::new(Screen::new(&ground.config, &wanted)?.sinks(&ground.config)?);
    let cause = |message: &str, origin: String| Cause {
        message: message.to_owned(),
        origin: Some(origin),
        help: None,
    };
    for host in hosts {
        let mut reply = Reply::new();
        reply.insert("changed".into(), false.into());
        reply.insert("msg".into(), format!("Task failed: {message}").into());
        let causes =
            vec![cause("Task failed", name_of(module)), cause(&message, OPTION_M.to_owned())];
        let end = End { status: Status::Failed, reply, causes, ..End::default() };
        // A view that cannot write is dropped; the exit code still tells.
        bus.emit(Kind::HostDone { task: 0, host: host.to_string(), end, ms: 0 });
    }
    let names = ground.tables.names();
    let short: Vec<&str> = names.iter().map(|it| it.rsplit('.').next().unwrap_or(it)).collect();
    if let Some(near) = nearest(module, &short) {
        say(&format!("hint: did you mean '{near}'?"));
    }
    Ok(exit::FAILED_HOSTS)
}

fn view_name(args: &Args) -> &'static str {
    if args.one_line { "oneline" } else { "minimal" }
}

/// A play of one task.
fn play(args: &Args, call: Call, ground: &Ground) -> Play {
    let origin = Origin { file: name_of(&call.module).as_str().into(), line: 0, column: 0 };
    let mut keywords = Keywords::default();
    let set = |keywords: &mut Keywords, name: &str, value: Value| {
        keywords.set(name, Keyword { value, key_origin: origin.clone(), origin: origin.clone() });
    };
    let mut of_task = Keywords::default();
    set(&mut keywords, "gather_facts", Value::Bool(false));
    if let Some(seconds) = args.background {
        let default = ground.config.number("DEFAULT_POLL_INTERVAL").ok().flatten().unwrap_or(15);
        set(&mut of_task, "async", number(seconds));
        set(&mut of_task, "poll", number(args.poll.unwrap_or(default)));
    }
    let task = Task {
        origin: origin.clone(),
        name: Value::Null,
        action: Str::new(call.module.as_str()),
        action_origin: origin.clone(),
        kind: match davit_playbook::short_name(&call.module) {
            "include_tasks" => TaskKind::IncludeTasks,
            "meta" => TaskKind::Meta,
            _ => TaskKind::Action,
        },
        args: call.args,
        raw_params: call.raw,
        loop_: None,
        loop_control: None,
        keywords: of_task,
        vars: Map::new(),
        listen: Vec::new(),
        is_handler: false,
        is_local_action: false,
    };
    Play {
        origin: origin.clone(),
        name: "Ansible Ad-Hoc".into(),
        hosts: args.pattern.as_str().into(),
        hosts_origin: origin,
        keywords,
        vars: Map::new(),
        vars_files: Vec::new(),
        vars_files_origin: None,
        vars_prompt: Vec::new(),
        roles: Vec::new(),
        pre_tasks: Vec::new(),
        tasks: vec![Item::Task(Arc::new(task))],
        post_tasks: Vec::new(),
        handlers: Vec::new(),
        collections: Vec::new(),
    }
}

fn number(number: u64) -> Value {
    Value::Int(i128::from(number))
}
