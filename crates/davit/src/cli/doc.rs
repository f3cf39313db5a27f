//! `davit doc`: the manual of modules, filters, tests, lookups, inventory plugins and keywords.

mod page;

use std::fmt::Write as _;

use clap::ValueEnum;
use davit_cloud::inventories::INVENTORIES;
use davit_cloud::lookups::{self, LOOKUPS};
use davit_run::Tables;
use davit_template::Engine;

use self::page::{Page, short};
use crate::cli::Caller;
use crate::report::{Report, exit, print, warn};
use crate::screen::nearest_ones;

/// Read the manual of a module.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  davit doc copy
  davit doc --list
  davit doc --snippet file template
  davit doc --json stat
  davit doc --type filter --list")]
pub(crate) struct Args {
    /// Names of modules.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// What there is.
    #[arg(short, long)]
    list: bool,
    /// As JSON.
    #[arg(short, long)]
    json: bool,
    /// A task to begin with.
    #[arg(short, long)]
    snippet: bool,
    /// Of what kind.
    #[arg(short = 't', long = "type", value_enum, default_value_t)]
    kind: Kind,
    /// Everything, as one Markdown document.
    #[arg(long, hide = true)]
    reference: bool,
    /// Say more; there is no more to say.
    #[arg(short, long, action = clap::ArgAction::Count, hide = true)]
    verbose: u8,
}

/// What can be looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Kind {
    #[default]
    Module,
    Filter,
    Test,
    Lookup,
    Inventory,
    Keyword,
}

/// Prints it.
pub(crate) fn run(args: &Args, caller: &Caller) -> Result<u8, Report> {
    let tables = crate::tables::all();
    if args.list && args.json {
        let all: serde_json::Map<String, serde_json::Value> = summaries(args, &tables)
            .into_iter()
            .map(|(name, about)| (name, about.into()))
            .collect();
        let text = serde_json::to_string_pretty(&all).map_err(|error| Report::of(&error))?;
        print(&format!("{text}\n"))?;
        return Ok(exit::OK);
    }
    if args.list {
        print(&list(args, &tables))?;
        return Ok(exit::OK);
    }
    if args.reference {
        print(&reference(&tables))?;
        return Ok(exit::OK);
    }
    if args.names.is_empty() {
        return Err(Report::usage(
            "Missing name(s), incorrect options passed for detailed documentation.",
        ));
    }
    if args.kind != Kind::Module {
        return of_kind(args, caller);
    }
    let mut out = String::new();
    let mut all = serde_json::Map::new();
    let mut missing = Vec::new();
    for name in &args.names {
        let Some(line) = tables.find(name) else {
            missing.push(not_found(name, &tables.names()));
            continue;
        };
        let page = Page::of(&tables, line);
        if args.json {
            all.insert(name.clone(), page.json());
        } else if args.snippet {
            out.push_str(&page.snippet(true));
        } else {
            out.push_str(&page.text());
        }
    }
    if args.json {
        out = serde_json::to_string_pretty(&all).map_err(|error| Report::of(&error))?;
        out.push('\n');
    }
    print(&out)?;
    ended(&missing, caller)
}

/// That there is no such name, with those that it may be a slip of.
fn not_found(name: &str, known: &[&str]) -> String {
    // Names of one collection are all alike: what tells them apart is the last part.
    let last: Vec<&str> = known.iter().map(|it| short(it)).collect();
    let mut near: Vec<String> = Vec::new();
    for it in nearest_ones(short(name), &last) {
        let names = known.iter().filter(|full| short(full) == it);
        let names = names.map(|full| full.strip_prefix("ansible.builtin.").unwrap_or(full));
        // What goes by a short and a long name is told by the kind that was typed.
        let (alike, other): (Vec<&str>, Vec<&str>) =
            names.partition(|it| it.contains('.') == name.contains('.'));
        let names = if alike.is_empty() { other } else { alike };
        near.extend(names.iter().map(|it| format!("'{it}'")));
    }
    near.dedup();
    if near.is_empty() {
        return format!("{name} was not found");
    }
    format!("{name} was not found; did you mean {}?", near.join(" or "))
}

/// The original only warns of names that there are not; here they are wrong.
fn ended(missing: &[String], caller: &Caller) -> Result<u8, Report> {
    if missing.is_empty() || caller.is_link {
        missing.iter().for_each(|it| warn(it));
        return Ok(exit::OK);
    }
    Err(Report::usage(missing.join("\n")))
}

fn names(kind: Kind) -> Vec<String> {
    let engine = Engine::new(davit_template::Settings::default());
    let full = |names: Vec<&'static str>| -> Vec<String> {
        names.into_iter().map(davit_run::full_name).map(Into::into).collect()
    };
    let mut names: Vec<String> = match kind {
        Kind::Module => Vec::new(),
        Kind::Filter => full(engine.filters()),
        Kind::Test => full(engine.tests()),
        Kind::Lookup => {
            let asked = LOOKUPS.iter().map(|it| it.name.to_owned());
            full(engine.lookups()).into_iter().chain(asked).collect()
        }
        Kind::Inventory => {
            let asked = INVENTORIES.iter().map(|it| it.name.to_owned());
            full(davit_inventory::PLUGINS.to_vec()).into_iter().chain(asked).collect()
        }
        Kind::Keyword => davit_playbook::keywords().iter().map(|it| it.name.to_owned()).collect(),
    };
    names.sort();
    names
}

/// The names that are asked for, and what they are about as far as that is known.
fn summaries(args: &Args, tables: &Tables) -> Vec<(String, String)> {
    let chosen = |name: &str| {
        args.names.is_empty() || args.names.iter().any(|it| name.starts_with(it.as_str()))
    };
    if args.kind != Kind::Module {
        let names = names(args.kind).into_iter().filter(|it| chosen(it));
        let about = |name: &str| plugin(args.kind, name).map(|it| it.summary()).unwrap_or_default();
        return names
            .map(|it| {
                let about = about(&it);
                (it, about)
            })
            .collect();
    }
    let lines = tables.names().into_iter().filter(|it| chosen(it)).filter_map(|it| tables.find(it));
    let pages = lines.map(|it| Page::of(tables, it));
    pages.map(|page| (page.name.to_owned(), page.summary())).collect()
}

fn list(args: &Args, tables: &Tables) -> String {
    let all = summaries(args, tables);
    let width = all.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (name, about) in all {
        let line = format!("{name:width$} {about}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// The manual of all modules.
fn reference(tables: &Tables) -> String {
    let mut out = "# Modules\n\nMade by `cargo xtask gen` from what the program knows of itself.\n"
        .to_owned();
    for line in tables.names().iter().filter_map(|it| tables.find(it)) {
        out.push_str(&Page::of(tables, line).markdown());
    }
    out
}

/// What is not a module has a name here, and its manual in the original's documentation.
fn of_kind(args: &Args, caller: &Caller) -> Result<u8, Report> {
    let known = names(args.kind);
    let mut out = String::new();
    let mut missing = Vec::new();
    let mut all = serde_json::Map::new();
    for name in &args.names {
        if let Some(page) = plugin(args.kind, name) {
            if args.json {
                all.insert(name.clone(), page.json());
            } else {
                out.push_str(&page.text());
            }
            continue;
        }
        let full = if args.kind == Kind::Keyword {
            name.clone()
        } else {
            davit_run::full_name(name).into_owned()
        };
        if known.contains(&full) {
            let _ = writeln!(out, "{full}");
        } else {
            let mut known: Vec<&str> = known.iter().map(String::as_str).collect();
            if args.kind == Kind::Lookup {
                known.extend(lookups::names());
            }
            missing.push(not_found(name, &known));
        }
    }
    if !all.is_empty() {
        out += &serde_json::to_string_pretty(&all).map_err(|error| Report::of(&error))?;
        out.push('\n');
    }
    print(&out)?;
    ended(&missing, caller)
}

/// The page of a lookup or an inventory plugin that asks an API.
fn plugin(kind: Kind, name: &str) -> Option<Page> {
    let (name, spec) = match kind {
        Kind::Lookup => lookups::find(name).map(|it| (it.name, it.spec()))?,
        Kind::Inventory => {
            let found = INVENTORIES.iter().find(|it| it.name == name || short(it.name) == name);
            found.map(|it| (it.name, it.spec()))?
        }
        _ => return None,
    };
    Some(Page::of_plugin(name, spec))
}
