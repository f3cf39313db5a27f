//! `davit lambda`: playbooks as functions of AWS Lambda. `package` makes the archive; in it, this program is the
//! `bootstrap` that Lambda starts, and does then what `runtime` says.

mod elf;
mod gather;
mod package;
mod runtime;

use clap::Subcommand;
use serde::{Deserialize, Serialize};

pub(crate) use self::runtime::called;
use crate::report::Report;

/// Make functions of AWS Lambda out of playbooks.
#[derive(Clone, Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  davit lambda package weekend.yml -o function.zip
  davit lambda package site.yml -i hosts.ini -e region=eu-west-1 --include templates

The function has the runtime provided.al2023. Its playbook finds the event in `lambda_event`, and what it puts into
`lambda_result` (set_stats, or set_fact on any host) is in the answer. A failed play is an error of the function."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

/// What is to be done.
#[derive(Clone, Debug, Subcommand)]
enum Command {
    Package(Box<package::Args>),
}

/// Does it; the exit code.
pub(crate) fn run(args: &Args) -> Result<u8, Report> {
    match &args.command {
        Command::Package(args) => package::run(args),
    }
}

/// Where the archive has the playbook's folder.
const PROJECT: &str = "project";

/// The file of the archive that says what is to be run.
const MANIFEST: &str = "davit-function.json";

/// What a function runs. Paths are below the playbook's folder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    /// The playbook.
    playbook: String,
    /// Inventories: paths, or lists of hosts.
    inventory: Vec<String>,
    /// Variables, as `-e` takes them.
    extra_vars: Vec<String>,
}
