//! `davit inventory`: shows inventories, converts and generates them.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Subcommand, ValueEnum};
use davit_inventory::{Format, Inventory, ListOptions, Warning, convert};

use crate::cli::Caller;
use crate::cli::options::{InventoryOptions, VariableOptions, VaultOptions, Verbosity};
use crate::launch::notes;
use crate::report::{Report, exit, print, warn_of};
use crate::setup::{Ground, Request};

/// Show an inventory, convert it, or generate one.
#[derive(Clone, Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  davit inventory -i hosts.ini --list --yaml
  davit inventory -i hosts.ini --host web1
  davit inventory -i hosts.ini --graph --vars
  davit inventory convert hosts.ini --to yaml
  davit inventory generate groups.yml --to ini"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    show: ShowArgs,
}

impl Args {
    /// The command line of `ansible-inventory`, which has no commands.
    pub(crate) fn of_link(show: ShowArgs) -> Self {
        Self { command: None, show }
    }
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Write an inventory in another language: hosts, groups and their own variables.
    #[command(after_help = "Example:\n  davit inventory convert hosts.ini --to yaml > hosts.yml")]
    Convert(ConvertArgs),
    /// Make an inventory from a dictionary of groups in YAML or JSON.
    #[command(
        after_help = "Example:\n  echo '{web: [web1, web2], db: {hosts: [db1], vars: {port: 5432}}}' | davit inventory generate - --to ini"
    )]
    Generate(GenerateArgs),
}

/// The language of an inventory file.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Language {
    Ini,
    #[default]
    Yaml,
    Toml,
}

#[derive(Clone, Debug, clap::Args)]
struct ConvertArgs {
    /// Inventories: files, folders, scripts.
    #[arg(required = true, value_name = "INVENTORY")]
    sources: Vec<String>,
    /// Into which language.
    #[arg(long, value_enum, default_value_t)]
    to: Language,
    /// Write to this file and not to standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    vault: VaultOptions,
}

#[derive(Clone, Debug, clap::Args)]
struct GenerateArgs {
    /// The dictionary; `-` for standard input.
    #[arg(value_name = "FILE")]
    file: String,
    /// Into which language.
    #[arg(long, value_enum, default_value_t)]
    to: Language,
    /// Write to this file and not to standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What `ansible-inventory` takes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// The group to begin at, with `--graph`.
    group: Option<String>,
    /// All hosts and groups.
    #[arg(long)]
    list: bool,
    /// The variables of one host.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The tree of groups.
    #[arg(long)]
    graph: bool,
    /// As YAML.
    #[arg(short, long)]
    yaml: bool,
    /// As TOML.
    #[arg(long)]
    toml: bool,
    /// With variables, in `--graph`.
    #[arg(long)]
    vars: bool,
    /// Variables stand where they were defined, in `--list`.
    #[arg(long)]
    export: bool,
    /// Write to this file and not to standard output, in `--list`.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Also look for `group_vars` and `host_vars` in this folder.
    #[arg(long, value_name = "FOLDER")]
    playbook_dir: Option<PathBuf>,
    #[command(flatten)]
    inventory: InventoryOptions,
    #[command(flatten)]
    variables: VariableOptions,
    #[command(flatten)]
    vault: VaultOptions,
    #[command(flatten)]
    verbosity: Verbosity,
}

/// Does what is asked.
pub(crate) fn run(args: &Args, caller: &Caller) -> Result<u8, Report> {
    match &args.command {
        Some(Command::Convert(args)) => convert_files(args),
        Some(Command::Generate(args)) => generate(args),
        None => show(&args.show, caller),
    }
}

fn show(args: &ShowArgs, caller: &Caller) -> Result<u8, Report> {
    let actions = [args.list, args.host.is_some(), args.graph].iter().filter(|it| **it).count();
    match actions {
        0 => {
            return Err(Report::usage(
                "No action selected, at least one of --host, --graph or --list needs to be specified.",
            ));
        }
        1 => {}
        _ => {
            return Err(Report::usage(
                "Conflicting options used, only one of --host, --graph or --list can be used at the same time.",
            ));
        }
    }
    let mut request = Request::default();
    args.inventory.apply(&mut request);
    args.variables.apply(&mut request);
    args.vault.apply(&mut request);
    args.verbosity.apply(&mut request);
    let ground = Ground::new(&request)?;
    notes(&ground, &request, caller)?;
    let mut warnings = Vec::new();
    let inventory = ground.inventory(&request, &mut warnings)?;
    tell(&ground, &mut warnings)?;
    let base = args.playbook_dir.as_ref().map(|it| ground.folder.join(it));
    let configured = ground.config.path_of("PLAYBOOK_DIR");
    let base = base.or(configured);
    let options = ListOptions {
        format: match (args.yaml, args.toml) {
            (true, _) => Format::Yaml,
            (_, true) => Format::Toml,
            _ => Format::Json,
        },
        export: args.export || ground.config.is("INVENTORY_EXPORT")?,
        limit: request.limit.clone(),
        playbook: base.clone().or_else(|| Some(ground.folder.clone())),
        export_playbook: base,
    };
    let text = if let Some(host) = &args.host {
        inventory.show_host(host, &options, &mut warnings)
    } else if args.graph {
        inventory.graph(args.group.as_deref(), args.vars, &options, &mut warnings)
    } else {
        inventory.list(&options, &mut warnings)
    };
    tell(&ground, &mut warnings)?;
    write(args.output.as_ref().filter(|_| args.list), &text?)
}

fn convert_files(args: &ConvertArgs) -> Result<u8, Report> {
    let mut request = Request { inventory: args.sources.clone(), ..Request::default() };
    args.vault.apply(&mut request);
    let ground = Ground::new(&request)?;
    let mut warnings = Vec::new();
    let inventory = ground.inventory(&request, &mut warnings)?;
    tell(&ground, &mut warnings)?;
    write(args.output.as_ref(), &text(&inventory, args.to)?)
}

fn generate(args: &GenerateArgs) -> Result<u8, Report> {
    let request = Request::default();
    let ground = Ground::new(&request)?;
    let file: Arc<str> = args.file.as_str().into();
    let content = if args.file == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(&args.file)
    };
    let content =
        content.map_err(|error| Report::new(format!("cannot read {}: {error}", args.file)))?;
    let wrong = |error: davit_yaml::Error| Report::from(davit_playbook::Error::Yaml(error));
    let groups = match davit_yaml::parse(&content, &file).map_err(wrong)? {
        Some(node) => {
            davit_yaml::Convert::trusted().value(&node, &file, &content).map_err(wrong)?
        }
        None => davit_value::Value::from(davit_value::Map::new()),
    };
    let mut warnings = Vec::new();
    let inventory =
        Inventory::generate(&groups, Arc::new(ground.load_options(&request)?), &mut warnings)?;
    tell(&ground, &mut warnings)?;
    write(args.output.as_ref(), &text(&inventory, args.to)?)
}

fn text(inventory: &Inventory, language: Language) -> Result<String, Report> {
    Ok(match language {
        Language::Ini => convert::to_ini(inventory)?,
        Language::Yaml => convert::to_yaml(inventory)?,
        Language::Toml => convert::to_toml(inventory)?,
    })
}

/// Shows warnings, each once.
fn tell(ground: &Ground, warnings: &mut Vec<Warning>) -> Result<(), Report> {
    let deprecations = ground.config.is("DEPRECATION_WARNINGS")?;
    let mut said: Vec<String> = Vec::new();
    for warning in warnings.drain(..) {
        let text = warning.text();
        if !said.contains(&text) {
            warn_of(&warning, deprecations);
            said.push(text);
        }
    }
    Ok(())
}

fn write(file: Option<&PathBuf>, text: &str) -> Result<u8, Report> {
    match file {
        None => print(text)?,
        Some(path) => {
            std::fs::write(path, text).map_err(|error| {
                let shown = path.display();
                Report::new(match error.kind() {
                    std::io::ErrorKind::NotFound => format!(
                        "Unable to write to destination file '{shown}': [Errno 2] No such file or directory: b'{shown}'"
                    ),
                    _ => format!("Unable to write to destination file '{shown}': {error}"),
                })
            })?;
        }
    }
    Ok(exit::OK)
}
