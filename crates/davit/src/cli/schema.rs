//! `davit schema`: the JSON schema with which an editor completes and checks playbooks.

use clap::ValueEnum;
use davit_lint::Shape;

use crate::cli::lint::target;
use crate::report::{Report, exit, print};

/// Print a JSON schema for editors: every keyword, every module and its arguments.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  davit schema > playbook.schema.json
  davit schema tasks > tasks.schema.json

With the YAML language server, a first line in a playbook names it:
  # yaml-language-server: $schema=playbook.schema.json")]
pub(crate) struct Args {
    /// What the files are.
    #[arg(value_enum, default_value = "playbook")]
    what: What,
}

/// A kind of file.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// Playbooks.
    Playbook,
    /// Files of tasks or handlers.
    Tasks,
    /// Inventories in YAML.
    Inventory,
}

/// Prints it.
pub(crate) fn run(args: &Args) -> Result<u8, Report> {
    let tables = crate::tables::all();
    let shape = |name: &str| {
        let target = target(&tables, name)?;
        let former_names = tables.former_names(name).iter().map(|it| (*it).to_owned()).collect();
        Some(Shape { name: name.to_owned(), former_names, spec: target.spec?, open: target.open })
    };
    let shapes: Vec<Shape> = tables.names().into_iter().filter_map(shape).collect();
    let engine = crate::ask::engine();
    let what = match args.what {
        What::Playbook => "playbook",
        What::Tasks => "tasks",
        What::Inventory => "inventory",
    };
    let schema = davit_lint::schema(what, &shapes, &engine.lookups())
        .ok_or_else(|| Report::new(format!("there is no schema for '{what}'")))?;
    print(&format!("{schema:#}\n"))?;
    Ok(exit::OK)
}
