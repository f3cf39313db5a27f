//! `davit template`: renders a template file.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use davit_template::{Env, FileOptions};
use davit_value::Map;

use crate::cli::options::{InventoryOptions, VariableOptions, VaultOptions};
use crate::report::{Report, exit, print, warn};
use crate::setup::{Ground, Request};

/// Render a template file to standard output, as the module `template` would.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  davit template nginx.conf.j2 -e port=8080
  davit template motd.j2 -i hosts.ini --host web1 -e @vars.yml
  echo '{{ [1, 2] | sum }}' | davit template -")]
pub(crate) struct Args {
    /// The template; `-` for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// With the inventory's variables of this host.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    #[command(flatten)]
    variables: VariableOptions,
    #[command(flatten)]
    inventory: InventoryOptions,
    #[command(flatten)]
    vault: VaultOptions,
}

/// Renders it.
pub(crate) fn run(args: &Args) -> Result<u8, Report> {
    let mut request = Request::default();
    args.variables.apply(&mut request);
    args.inventory.apply(&mut request);
    args.vault.apply(&mut request);
    let ground = Ground::new(&request)?;
    let text = read(&args.file)?;
    let scope = scope(args, &ground, &request)?;
    let folder =
        args.file.parent().map_or_else(|| ground.folder.clone(), |it| ground.folder.join(it));
    let mut outside = ground.outside();
    outside.search_path = vec![folder];
    outside.warn = Some(Arc::new(|text: &str| warn(text)));
    let path = ground.folder.join(&args.file);
    let rendered = Env::new(&ground.engine, &scope, &outside)
        .render_file(&text, &path, &FileOptions::default())
        .map_err(|error| from_template(&error, &path))?;
    print(&rendered)?;
    Ok(exit::OK)
}

fn read(file: &Path) -> Result<String, Report> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    read.map_err(|error| Report::new(format!("cannot read {}: {error}", file.display())))
}

fn scope(args: &Args, ground: &Ground, request: &Request) -> Result<Map, Report> {
    let mut scope = Map::new();
    if let Some(host) = &args.host {
        let mut warnings = Vec::new();
        let inventory = ground.inventory(request, &mut warnings)?;
        for warning in &warnings {
            warn(&warning.text());
        }
        let Some(view) = inventory.host(host) else {
            return Err(Report::new(format!("there is no host '{host}' in the inventory")));
        };
        scope.extend(&view.magic());
        scope.insert("groups", davit_value::Value::Map(inventory.groups_map()));
        scope.extend(&*inventory.host_vars(host, Some(&ground.folder))?);
    }
    scope.extend(&ground.extra_vars);
    Ok(scope)
}

fn from_template(error: &davit_template::Error, path: &Path) -> Report {
    let file = error.file().map_or_else(|| path.to_string_lossy().into_owned(), str::to_owned);
    let origin = davit_value::Origin {
        file: file.as_str().into(),
        line: error.line().unwrap_or(0),
        column: error.column().unwrap_or(0),
    };
    let help = match (error.name(), error.nearest()) {
        (Some(name), Some(near)) => Some(format!("Did you mean '{near}' instead of '{name}'?")),
        _ => None,
    };
    Report::new(error.message()).at(Some(&origin)).help(help)
}
