//! `davit lint`: says what is wrong with playbooks before they run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use davit_inventory::Inventory;
use davit_lint::{Context, Finding, Severity, Target};
use davit_run::{Line, Tables};

use crate::cli::options::{InventoryOptions, VariableOptions, VaultOptions};
use crate::report::{Report, exit, print, say};
use crate::setup::{Ground, Request};

/// Say what is wrong with playbooks, without running anything.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  davit lint
  davit lint site.yml -i hosts.ini
  davit lint site.yml --format sarif > davit.sarif

With an inventory, variables that nothing defines are found in plays for its hosts, too.
Exit codes: 0 nothing wrong, 1 warnings (with --strict), 4 errors.")]
pub(crate) struct Args {
    /// Playbook files; the ones in this folder where none is named.
    #[arg(value_name = "PLAYBOOK")]
    playbooks: Vec<PathBuf>,
    #[command(flatten)]
    inventory: InventoryOptions,
    #[command(flatten)]
    variables: VariableOptions,
    #[command(flatten)]
    vault: VaultOptions,
    /// How to say it.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Warnings are wrong, too.
    #[arg(long)]
    strict: bool,
}

/// How findings are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Lines for people.
    Text,
    /// A JSON array.
    Json,
    /// A SARIF 2.1.0 document.
    Sarif,
    /// Annotations of GitHub's workflows.
    Github,
}

/// Checks them; the exit code.
pub(crate) fn run(args: &Args) -> Result<u8, Report> {
    let mut request = Request::default();
    args.inventory.apply(&mut request);
    args.variables.apply(&mut request);
    args.vault.apply(&mut request);
    let ground = Ground::new(&request)?;
    let playbooks = if args.playbooks.is_empty() {
        playbooks_in(&ground.folder)
    } else {
        args.playbooks.clone()
    };
    if playbooks.is_empty() {
        return Err(Report::new("there is no playbook in this folder: name one"));
    }
    let inventory = inventory(&ground, &request)?;
    let settings = ground.settings(&request)?;
    let (roles, collections) = (settings.roles_path, settings.collections_path);
    let mut found = with_context(&ground, inventory.as_ref(), roles, collections, |context| {
        davit_lint::check(&playbooks, context)
    });
    advise(&mut found);
    print(&shown(&found, args.format))?;
    let any = |severity: Severity| found.iter().any(|it| it.severity == severity);
    Ok(if any(Severity::Error) {
        exit::PARSER
    } else if args.strict && any(Severity::Warning) {
        exit::ERROR
    } else {
        exit::OK
    })
}

/// Says what is certainly wrong with `playbooks`; the exit code where anything is, and nothing is to be run.
pub(crate) fn before_run(
    ground: &Ground,
    request: &Request,
    playbooks: &[String],
) -> Result<Option<u8>, Report> {
    // What is no file can be read only once.
    let files: Vec<PathBuf> =
        playbooks.iter().map(PathBuf::from).filter(|it| it.is_file()).collect();
    let settings = ground.settings(request)?;
    let (roles, collections) = (settings.roles_path, settings.collections_path);
    let mut found = with_context(ground, None, roles, collections, |context| {
        davit_lint::check_for_run(&files, context)
    });
    advise(&mut found);
    if found.is_empty() {
        return Ok(None);
    }
    say(shown(&found, Format::Text).trim_end());
    Ok(Some(exit::PARSER))
}

/// Collections of which davit has few modules, and what does the work of all the others.
const INSTEAD: [(&str, &str); 4] = [
    ("amazon.aws.", "davit.aws.call"),
    ("azure.azcollection.", "davit.azure.resource"),
    ("community.aws.", "davit.aws.call"),
    ("google.cloud.", "davit.gcp.call"),
];

/// Says what else there is, where a module is not there and none is like it.
fn advise(found: &mut [Finding]) {
    for finding in found.iter_mut().filter(|it| it.rule == "unknown-module" && it.help.is_none()) {
        let name = finding.message.split('\'').nth(1).unwrap_or_default();
        let instead = INSTEAD.iter().find(|(collection, _)| name.starts_with(collection));
        finding.help = instead.map(|(collection, module)| {
            let collection = collection.trim_end_matches('.');
            format!(
                "davit has part of the modules of {collection}; '{module}' reaches everything \
                 (davit doc {module})."
            )
        });
    }
}

fn with_context<R>(
    ground: &Ground,
    inventory: Option<&Inventory>,
    roles_path: Vec<PathBuf>,
    collections_path: Vec<PathBuf>,
    work: impl FnOnce(&Context<'_>) -> R,
) -> R {
    let tables = &*ground.tables;
    let context = Context {
        loader: ground.loader(Arc::new(|_| {})),
        engine: &ground.engine,
        lookup: &|name| target(tables, name),
        lookup_spec: &|name| davit_cloud::lookups::find(name).map(|it| it.spec()),
        names: tables.names().into_iter().map(str::to_owned).collect(),
        choices: &[
            ("become_method", davit_reach::BECOME_METHODS),
            ("connection", davit_reach::CONNECTIONS),
            ("strategy", davit_run::STRATEGIES),
        ],
        inventory,
        environment: &ground.config.environment,
        extra_vars: &ground.extra_vars,
        roles_path,
        collections_path,
    };
    work(&context)
}

/// Actions that refuse what they do not know, although they read their arguments by themselves.
const CLOSED: [&str; 3] = ["assert", "pause", "set_stats"];

/// What there is to know of the module or action `name`.
pub(crate) fn target(tables: &Tables, name: &str) -> Option<Target> {
    let line = tables.find(name)?;
    let free_form = line.free_form().map(str::to_owned);
    let (spec, open) = match (line, tables.module(name)) {
        (Line::Module(entry), _) => (tables.spec(entry), false),
        (Line::Control(entry), _) => (tables.control_spec(entry), false),
        (Line::Action(action), Some(entry)) if action.open => (tables.spec(entry), false),
        (Line::Action(action), _) => {
            let mut spec = action.spec();
            if action.open {
                // What has to be there is not said by those that read their arguments by themselves.
                spec.options.iter_mut().for_each(|it| it.required &= it.name == "that");
            }
            (Arc::new(spec), action.open && !CLOSED.contains(&action.short_name()))
        }
    };
    let look = if let Line::Control(entry) = line { entry.look } else { None };
    Some(Target { spec: Some(spec), free_form, open, look })
}

/// The inventory, where one is named or configured and is there.
fn inventory(ground: &Ground, request: &Request) -> Result<Option<Inventory>, Report> {
    let sources = ground.sources(request);
    let there = sources.iter().any(|it| it.contains(',') || ground.folder.join(it).exists());
    if request.inventory.is_empty() && !there {
        return Ok(None);
    }
    ground.inventory(request, &mut Vec::new()).map(Some)
}

/// The files in `folder` that look like playbooks: lists whose entries have hosts or import a playbook.
fn playbooks_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(read) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = read
        .filter_map(Result::ok)
        .map(|it| PathBuf::from(it.file_name()))
        .filter(|it| it.extension().is_some_and(|it| it == "yml" || it == "yaml"))
        .filter(|it| {
            std::fs::read_to_string(folder.join(it)).is_ok_and(|text| looks_like_playbook(&text))
        })
        .collect();
    found.sort();
    found
}

fn looks_like_playbook(text: &str) -> bool {
    text.lines().any(|line| {
        let key = line.trim_start_matches(['-', ' ']);
        let near = line.len() - key.len() <= 4;
        near && (key.starts_with("hosts:") || key.contains("import_playbook:"))
    })
}

fn shown(found: &[Finding], format: Format) -> String {
    match format {
        Format::Text => davit_lint::text(found, &|path| std::fs::read_to_string(path).ok()),
        Format::Json => format!("{:#}\n", davit_lint::json(found)),
        Format::Sarif => format!("{:#}\n", davit_lint::sarif(found, env!("CARGO_PKG_VERSION"))),
        Format::Github => found.iter().map(annotation).collect(),
    }
}

/// `::error file=a.yml,line=1,col=2,title=rule::message`
fn annotation(it: &Finding) -> String {
    let escaped = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| escaped(text).replace(':', "%3A").replace(',', "%2C");
    let mut message = escaped(&it.message);
    if let Some(help) = &it.help {
        message.push_str("%0A");
        message.push_str(&escaped(help));
    }
    let (file, line, column) = (property(&it.file), it.line, it.column);
    format!("::{} file={file},line={line},col={column},title={}::{message}\n", it.severity, it.rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playbooks_are_told_from_other_files() {
        for (text, expect) in [
            ("- hosts: all\n", true),
            ("---\n- name: x\n  hosts: all\n", true),
            ("- import_playbook: a.yml\n", true),
            ("- ansible.builtin.import_playbook: a.yml\n", true),
            ("- debug:\n    msg: hosts\n", false),
            ("all:\n    children:\n        a:\n            hosts:\n", false),
        ] {
            assert_eq!(looks_like_playbook(text), expect, "{text}");
        }
    }

    #[test]
    fn annotations_are_one_line() {
        let at = davit_value::Origin { file: "a,b.yml".into(), line: 1, column: 2 };
        let it = Finding::new("template-syntax", Severity::Error, &at, "50%\nmore")
            .with_help(Some("x: y".into()));
        let expect =
            "::error file=a%2Cb.yml,line=1,col=2,title=template-syntax::50%25%0Amore%0Ax: y\n";
        assert_eq!(annotation(&it), expect);
    }
}
