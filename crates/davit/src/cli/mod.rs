//! The command line: one file a command, and the names of the original's programs.

mod audit;
mod aws;
mod completions;
mod doc;
mod exec;
mod inventory;
pub(crate) mod lambda;
mod lint;
mod man;
mod options;
mod resume;
mod run;
mod runs;
mod schema;
mod show;
mod template;
mod undo;
mod usage;
mod vault;
mod wildcard;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::{CommandFactory, Parser, Subcommand};
use davit_value::Value;

use crate::config::Config;
use crate::report::Report;
use crate::screen::colour_now;

/// One program for a DevOps engineer's automation.
#[derive(Debug, Parser)]
#[command(
    name = "davit",
    version,
    about,
    arg_required_else_help = true,
    args_override_self = true,
    infer_long_args = true,
    after_help = "\
Examples:
  davit run site.yml                     run a playbook
  davit run site.yml --check --diff      say what it would change
  davit exec web -- uptime               run a command on hosts
  davit doc copy                         read a module's manual

Called as ansible-playbook, ansible, ansible-inventory, ansible-vault or ansible-doc (by a link of
that name) it takes that program's options."
)]
struct Davit {
    #[command(subcommand)]
    command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Box<run::Args>),
    Exec(Box<exec::Args>),
    Runs(runs::Args),
    Show(show::Args),
    Resume(resume::Args),
    Undo(undo::Args),
    Inventory(Box<inventory::Args>),
    Vault(Box<vault::Args>),
    Doc(doc::Args),
    Lint(Box<lint::Args>),
    Schema(schema::Args),
    Template(Box<template::Args>),
    Audit(audit::Args),
    Aws(aws::Args),
    Lambda(lambda::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// The command line of `ansible-playbook`.
#[derive(Debug, Parser)]
#[command(name = "ansible-playbook", version = link_version(), args_override_self = true, infer_long_args = true)]
struct AnsiblePlaybook {
    #[command(flatten)]
    args: run::Args,
}

/// The command line of `ansible`.
#[derive(Debug, Parser)]
#[command(name = "ansible", version = link_version(), args_override_self = true, infer_long_args = true)]
struct Ansible {
    #[command(flatten)]
    args: exec::Args,
}

/// The command line of `ansible-inventory`.
#[derive(Debug, Parser)]
#[command(name = "ansible-inventory", version = link_version(), args_override_self = true, infer_long_args = true)]
struct AnsibleInventory {
    #[command(flatten)]
    args: inventory::ShowArgs,
}

/// The command line of `ansible-vault`.
#[derive(Debug, Parser)]
#[command(
    name = "ansible-vault",
    version = link_version(),
    args_override_self = true,
    infer_long_args = true,
    arg_required_else_help = true
)]
struct AnsibleVault {
    #[command(flatten)]
    args: vault::Args,
}

/// The command line of `ansible-doc`.
#[derive(Debug, Parser)]
#[command(name = "ansible-doc", version = link_version(), args_override_self = true, infer_long_args = true)]
struct AnsibleDoc {
    #[command(flatten)]
    args: doc::Args,
}

/// What `--version` of the original's programs says here, without their name.
fn link_version() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let config = std::env::current_dir().ok().and_then(|folder| Config::load(&folder).ok());
        about(&config.unwrap_or_default())
    });
    &TEXT
}

/// The same with the name, where it is known what is configured.
pub(crate) fn version_of_link(config: &Config) -> String {
    let args: Vec<OsString> = std::env::args_os().take(1).collect();
    format!("{} {}", base_name(&args), about(config))
}

fn about(config: &Config) -> String {
    let file =
        config.file.as_ref().map_or_else(|| "None".to_owned(), |it| it.display().to_string());
    let paths = |name: &str| config.paths(name).into_iter().map(|it| it.display().to_string());
    let modules: Vec<String> =
        paths("DEFAULT_MODULE_PATH").map(|it| Value::from(it.as_str()).repr()).collect();
    let collections: Vec<String> = paths("COLLECTIONS_PATHS").collect();
    let [major, minor, patch] = davit_run::Settings::default().version;
    format!(
        "[core {major}.{minor}.{patch}]\n  config file = {file}\n  configured module search path = [{}]\n  ansible collection location = {}\n  executable location = {}\n  davit version = {}",
        modules.join(", "),
        collections.join(":"),
        executable().display(),
        env!("CARGO_PKG_VERSION")
    )
}

/// The program as it was called, which may be a link.
fn executable() -> PathBuf {
    let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    if called.components().count() > 1 {
        return std::path::absolute(&called).unwrap_or(called);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|it| it.join(&called)).find(|it| it.is_file());
    found.or_else(|| std::env::current_exe().ok()).unwrap_or(called)
}

/// Who calls: by which name, with which command line.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// By the name of one of the original's programs.
    pub(crate) is_link: bool,
    /// The whole command line.
    pub(crate) command: Vec<String>,
}

impl Caller {
    pub(crate) fn of(args: &[OsString]) -> Self {
        Self {
            is_link: base_name(args).starts_with("ansible"),
            command: args.iter().map(|it| it.to_string_lossy().into_owned()).collect(),
        }
    }
}

fn base_name(args: &[OsString]) -> String {
    let first = args.first().map(Path::new).and_then(Path::file_name);
    first.map(|it| it.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A command line that was understood.
pub(crate) struct Parsed {
    pub(crate) command: Command,
}

/// Understands a command line; the first word is the program.
pub(crate) fn parse(args: &[OsString]) -> Result<Parsed, clap::Error> {
    let command = match base_name(args).as_str() {
        "ansible-playbook" => Command::Run(Box::new(AnsiblePlaybook::try_parse_from(args)?.args)),
        "ansible" => Command::Exec(Box::new(Ansible::try_parse_from(args)?.args)),
        "ansible-inventory" => {
            let args = AnsibleInventory::try_parse_from(args)?.args;
            Command::Inventory(Box::new(inventory::Args::of_link(args)))
        }
        "ansible-vault" => Command::Vault(Box::new(AnsibleVault::try_parse_from(args)?.args)),
        "ansible-doc" => Command::Doc(AnsibleDoc::try_parse_from(args)?.args),
        _ => Davit::try_parse_from(args)?.command,
    };
    Ok(Parsed { command })
}

/// The definition of the whole command line: for completions and manual pages.
pub(crate) fn definition() -> clap::Command {
    Davit::command()
}

/// The definition of one of the original's programs, by its name.
fn of_link(program: &str) -> Option<clap::Command> {
    Some(match program {
        "ansible-playbook" => AnsiblePlaybook::command(),
        "ansible" => Ansible::command(),
        "ansible-inventory" => AnsibleInventory::command(),
        "ansible-vault" => AnsibleVault::command(),
        "ansible-doc" => AnsibleDoc::command(),
        _ => return None,
    })
}

/// Runs the command that `args` name; the first is the program itself.
pub(crate) fn main(args: &[OsString]) -> ExitCode {
    let command = match parse(args) {
        Ok(parsed) => parsed.command,
        Err(error) => {
            // A reader that has gone away misses the help, and nothing else.
            let _ = match usage::text(&base_name(args), args, &error) {
                Some(text) => std::io::stderr().write_all(text.as_bytes()),
                None => error.print(),
            };
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let caller = Caller::of(args);
    let result = match command {
        Command::Run(args) => run::run(&args, &caller),
        Command::Exec(args) => exec::run(&args, &caller),
        Command::Runs(args) => runs::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Resume(args) => resume::run(&args),
        Command::Undo(args) => undo::run(&args),
        Command::Inventory(args) => inventory::run(&args, &caller),
        Command::Vault(args) => vault::run(&args),
        Command::Doc(args) => doc::run(&args, &caller),
        Command::Lint(args) => lint::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Template(args) => template::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Aws(args) => aws::run(&args),
        Command::Lambda(args) => lambda::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(report) => fail(&report),
    }
}

/// Shows an error and gives its exit code.
fn fail(report: &Report) -> ExitCode {
    // Where even the error cannot be shown, the exit code still tells.
    let _ = std::io::stderr().write_all(report.text(colour_now()).as_bytes());
    ExitCode::from(report.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_line_is_well_formed() {
        Davit::command().debug_assert();
        AnsiblePlaybook::command().debug_assert();
        Ansible::command().debug_assert();
        AnsibleInventory::command().debug_assert();
        AnsibleVault::command().debug_assert();
        AnsibleDoc::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        for command in Davit::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{} has no example", command.get_name());
        }
    }
}
