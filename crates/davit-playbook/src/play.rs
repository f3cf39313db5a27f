//! Plays as written, and the entries of a playbook.

use std::path::PathBuf;
use std::sync::Arc;

use davit_value::{Map, Origin, Value};
use davit_yaml::{Kind, Node};

use crate::Error;
use crate::block::{Item, items};
use crate::context::{Context, Entry as Key};
use crate::keyword::{Keyword, Keywords, Owner, coerce, keyword, not_text};
use crate::task::list_texts;

/// A playbook.
#[derive(Clone, Debug)]
pub struct Playbook {
    /// The file.
    pub path: PathBuf,
    /// Plays and imports in the order written.
    pub entries: Vec<Entry>,
}

/// An entry of a playbook.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A play.
    Play(Arc<Play>),
    /// `import_playbook`.
    Import(Arc<Import>),
}

/// Another playbook to be put here.
#[derive(Clone, Debug)]
pub struct Import {
    /// Where it begins.
    pub origin: Origin,
    /// The file, not rendered.
    pub file: Value,
    /// Where the file is written.
    pub file_origin: Origin,
    /// `vars` for every play in it.
    pub vars: Map,
    /// `tags`, `when` and others.
    pub keywords: Keywords,
}

/// A play.
#[derive(Clone, Debug)]
pub struct Play {
    /// Where it begins.
    pub origin: Origin,
    /// Its `name`, not rendered; null where there is none.
    pub name: Value,
    /// The hosts pattern: text or a list of texts, not rendered.
    pub hosts: Value,
    /// Where the hosts are written.
    pub hosts_origin: Origin,
    /// Every keyword that has no field here: `become`, `gather_facts`, `serial`, `strategy` ...
    pub keywords: Keywords,
    /// `vars`.
    pub vars: Map,
    /// `vars_files`: text, or a list of texts of which the first that is there counts.
    pub vars_files: Vec<Value>,
    /// Where `vars_files` is written.
    pub vars_files_origin: Option<Origin>,
    /// `vars_prompt`.
    pub vars_prompt: Vec<VarsPrompt>,
    /// `roles`.
    pub roles: Vec<RoleUse>,
    /// `pre_tasks`.
    pub pre_tasks: Vec<Item>,
    /// `tasks`.
    pub tasks: Vec<Item>,
    /// `post_tasks`.
    pub post_tasks: Vec<Item>,
    /// `handlers`.
    pub handlers: Vec<Item>,
    /// `collections`.
    pub collections: Vec<String>,
}

/// A question before a play. What is not written is null.
#[derive(Clone, Debug)]
pub struct VarsPrompt {
    /// Where it is written.
    pub origin: Origin,
    /// The variable.
    pub name: String,
    /// The question.
    pub prompt: Value,
    /// The answer when nothing is typed.
    pub default: Value,
    /// What is typed is not shown; true where not written.
    pub private: Value,
    /// Asks twice.
    pub confirm: Value,
    /// A hash to turn the answer into.
    pub encrypt: Value,
    /// The salt for it.
    pub salt: Value,
    /// How long its salt is to be.
    pub salt_size: Value,
    /// The answer is no template.
    pub is_unsafe: Value,
}

/// A role as a play or another role uses it.
#[derive(Clone, Debug)]
pub struct RoleUse {
    /// Where it is written.
    pub origin: Origin,
    /// The role's name, not rendered.
    pub name: Value,
    /// `tags`, `when`, `become` ...
    pub keywords: Keywords,
    /// `vars`.
    pub vars: Map,
    /// What is no keyword: parameters, which become variables.
    pub params: Map,
}

/// Reads the entries of the playbook `node`.
pub(crate) fn entries(at: &Context<'_>, node: &Node) -> Result<Vec<Entry>, Error> {
    let value = at.value(node)?;
    let Kind::Sequence(nodes) = &node.kind else {
        let found = value.type_name();
        let file = at.file;
        return Err(at.invalid(
            node,
            format!("A playbook must be a list of plays, got a <class '{found}'> instead: {file}"),
        ));
    };
    if nodes.is_empty() {
        return Err(
            at.invalid(node, format!("A playbook must contain at least one play: {}", at.file))
        );
    }
    let mut out = Vec::with_capacity(nodes.len());
    for node in nodes {
        match entry(at, node) {
            Ok(entry) => out.push(entry),
            Err(error) => at.forgive(error)?,
        }
    }
    Ok(out)
}

const IMPORTS: [&str; 3] =
    ["import_playbook", "ansible.builtin.import_playbook", "ansible.legacy.import_playbook"];

fn entry(at: &Context<'_>, node: &Node) -> Result<Entry, Error> {
    if node.as_mapping().is_none() {
        return Err(at.invalid(
            node,
            "playbook entries must be either valid plays or 'import_playbook' statements",
        ));
    }
    if IMPORTS.iter().any(|name| node.get(name).is_some()) {
        return import(at, node).map(|import| Entry::Import(Arc::new(import)));
    }
    play(at, node).map(|play| Entry::Play(Arc::new(play)))
}

fn import(at: &Context<'_>, node: &Node) -> Result<Import, Error> {
    let mut file = None;
    let mut vars = Map::new();
    let mut keywords = Keywords::default();
    for entry in at.entries(node, Owner::PlaybookInclude.name())? {
        match entry.key {
            name if IMPORTS.contains(&name) => {
                let value = at.value(entry.value)?;
                if matches!(value, Value::List(_) | Value::Map(_)) {
                    return Err(at.invalid(node, not_text("import_playbook", &value)));
                }
                file = Some((value, at.origin(entry.value.place)));
            }
            "vars" => vars = at.vars(entry.value, Owner::PlaybookInclude)?,
            _ => at.take(&mut keywords, &entry, Owner::PlaybookInclude, node)?,
        }
    }
    match file {
        Some((file, file_origin)) if !file.is_null() => {
            Ok(Import { origin: at.origin(node.place), file, file_origin, vars, keywords })
        }
        _ => Err(at.invalid(node, "The field 'import_playbook' is required but was not set.")),
    }
}

fn play(at: &Context<'_>, node: &Node) -> Result<Play, Error> {
    let entries = at.entries(node, Owner::Play.name())?;
    let find = |name: &str| entries.iter().find(|entry| entry.key == name);
    if find("user").is_some() && find("remote_user").is_some() {
        return Err(at.invalid(
            node,
            "both 'user' and 'remote_user' are set for this play. The use of 'user' is deprecated, and should be removed",
        ));
    }
    let mut play = empty(at, node);
    if let Some(entry) = find("hosts") {
        play.hosts = hosts(at, entry)?;
        play.hosts_origin = at.origin(entry.value.place);
    }
    if let Some(entry) = find("collections") {
        play.collections = list_texts(&at.keyword(entry, Owner::Play, node)?.value);
    }
    // Keywords before tasks: a misspelt section would otherwise show as something else.
    for entry in &entries {
        play_keyword(at, node, entry, &mut play)?;
    }
    if find("hosts").is_none() {
        return Err(at.invalid(node, "The field 'hosts' is required but was not set."));
    }
    let inner = Context { collections: play.collections.clone(), ..*at };
    for entry in &entries {
        let section = match entry.key {
            "pre_tasks" => &mut play.pre_tasks,
            "tasks" => &mut play.tasks,
            "post_tasks" => &mut play.post_tasks,
            "handlers" => &mut play.handlers,
            _ => continue,
        };
        *section = items(&inner, entry.value, entry.key, node, entry.key == "handlers")?;
    }
    Ok(play)
}

fn empty(at: &Context<'_>, node: &Node) -> Play {
    Play {
        origin: at.origin(node.place),
        name: Value::Null,
        hosts: Value::Null,
        hosts_origin: at.origin(node.place),
        keywords: Keywords::default(),
        vars: Map::new(),
        vars_files: Vec::new(),
        vars_files_origin: None,
        vars_prompt: Vec::new(),
        roles: Vec::new(),
        pre_tasks: Vec::new(),
        tasks: Vec::new(),
        post_tasks: Vec::new(),
        handlers: Vec::new(),
        collections: Vec::new(),
    }
}

fn play_keyword(
    at: &Context<'_>,
    node: &Node,
    entry: &Key<'_>,
    play: &mut Play,
) -> Result<(), Error> {
    match entry.key {
        "hosts" | "pre_tasks" | "tasks" | "post_tasks" | "handlers" => {}
        "name" => play.name = at.keyword(entry, Owner::Play, node)?.value,
        "vars" => play.vars = at.vars(entry.value, Owner::Play)?,
        "vars_files" => {
            play.vars_files = vars_files(at, entry.value)?;
            play.vars_files_origin = at.at(entry.value);
        }
        "vars_prompt" => play.vars_prompt = vars_prompt(at, entry.value)?,
        "roles" => play.roles = roles(at, entry.value, node)?,
        "user" => {
            let Keyword { value, key_origin, origin } = at.keyword(entry, Owner::Play, node)?;
            play.keywords.set("remote_user", Keyword { value, key_origin, origin });
        }
        _ => {
            at.take(&mut play.keywords, entry, Owner::Play, node)?;
            check_static(at, entry, &play.keywords)?;
        }
    }
    Ok(())
}

/// What only a play has is looked at before anything runs, as far as it is no template.
fn check_static(at: &Context<'_>, entry: &Key<'_>, keywords: &Keywords) -> Result<(), Error> {
    let (Some(info), Some(value)) = (keyword(entry.key), keywords.get(entry.key)) else {
        return Ok(());
    };
    if !info.applies_to(Owner::Play) || info.applies_to(Owner::Task) || value.is_live() {
        return Ok(());
    }
    let explain = |problem: String| format!("Error processing keyword '{}': {problem}", entry.key);
    if entry.key == "gather_subset" {
        at.texts(entry, value)
            .map_err(|error| Error::invalid(explain(error.to_string()), error.origin()))?;
    }
    coerce(info, value.clone())
        .map(|_| ())
        .map_err(|problem| at.invalid(entry.value, explain(problem)))
}

fn hosts(at: &Context<'_>, entry: &Key<'_>) -> Result<Value, Error> {
    let value = at.value(entry.value)?;
    let refuse = |message: &str| Err(at.invalid(entry.value, message));
    match &value {
        Value::Null => refuse("Hosts list cannot be empty. Please check your playbook"),
        Value::Str(text) if text.is_empty() => {
            refuse("Hosts list cannot be empty. Please check your playbook")
        }
        Value::Str(_) => Ok(value),
        Value::List(items) if items.is_empty() => {
            refuse("Hosts list cannot be empty. Please check your playbook")
        }
        Value::List(items) => {
            let nodes = entry.value.as_sequence().unwrap_or_default();
            for (item, node) in items.iter().zip(nodes) {
                if item.is_null() {
                    return Err(at.invalid(
                        node,
                        "Hosts list cannot contain values of 'None'. Please check your playbook",
                    ));
                }
                if item.as_str().is_none() {
                    let found = item.to_str();
                    return Err(at.invalid(
                        node,
                        format!("Hosts list contains an invalid host value: '{found}'"),
                    ));
                }
            }
            Ok(value)
        }
        _ => refuse("Hosts list must be a sequence or string. Please check your playbook."),
    }
}

fn vars_files(at: &Context<'_>, node: &Node) -> Result<Vec<Value>, Error> {
    match at.value(node)? {
        Value::Null => Ok(Vec::new()),
        Value::List(items) => Ok(items.to_vec()),
        value @ Value::Str(_) => Ok(vec![value]),
        other => {
            let found = other.type_name();
            Err(at
                .invalid(node, format!("Invalid `vars_files` value of type '{found}'."))
                .with_help("A `vars_files` value should either be a string or list of strings."))
        }
    }
}

fn vars_prompt(at: &Context<'_>, node: &Node) -> Result<Vec<VarsPrompt>, Error> {
    let single;
    let nodes = match &node.kind {
        Kind::Sequence(nodes) => nodes.as_slice(),
        Kind::Mapping(_) => {
            single = [node.clone()];
            &single
        }
        Kind::Scalar { .. } if at.value(node)?.is_null() => &[],
        Kind::Scalar { .. } => {
            return Err(at.invalid(node, "Invalid variable file contents.").with_help(
                "Variable files must contain either a dictionary of variables, or a list of dictionaries.",
            ));
        }
    };
    nodes.iter().map(|item| question(at, node, item)).collect()
}

fn question(at: &Context<'_>, list: &Node, node: &Node) -> Result<VarsPrompt, Error> {
    let null = || Value::Null;
    let mut name = None;
    let mut out = VarsPrompt {
        origin: at.origin(node.place),
        name: String::new(),
        prompt: null(),
        default: null(),
        private: Value::Bool(true),
        confirm: Value::Bool(false),
        encrypt: null(),
        salt: null(),
        salt_size: null(),
        is_unsafe: null(),
    };
    for entry in at.entries(node, "vars_prompt")? {
        let value = at.value(entry.value)?;
        match entry.key {
            "name" => name = Some(value),
            "prompt" => out.prompt = value,
            "default" => out.default = value,
            "private" => out.private = value,
            "confirm" => out.confirm = value,
            "encrypt" => out.encrypt = value,
            "salt" => out.salt = value,
            "salt_size" => out.salt_size = value,
            "unsafe" => out.is_unsafe = value,
            other => {
                let message =
                    format!("Invalid vars_prompt data structure, found unsupported key '{other}'");
                return Err(at.invalid(list, message));
            }
        }
    }
    match name {
        Some(name) => {
            out.name = name.to_str();
            Ok(out)
        }
        None => Err(at.invalid(list, "Invalid vars_prompt data structure, missing 'name' key")),
    }
}

/// Reads `roles` of the play `owner`.
fn roles(at: &Context<'_>, node: &Node, owner: &Node) -> Result<Vec<RoleUse>, Error> {
    let value = at.value(node)?;
    match &node.kind {
        Kind::Sequence(nodes) => nodes.iter().map(|node| role_use(at, node)).collect(),
        _ if value.is_null() => Ok(Vec::new()),
        _ => Err(at.invalid(
            owner,
            format!(
                "A malformed role declaration was encountered: ds ({}) should be a list but was a <class '{}'>",
                value.to_str(),
                value.type_name()
            ),
        )),
    }
}

/// Reads an entry of `roles` or `dependencies`.
pub(crate) fn role_use(at: &Context<'_>, node: &Node) -> Result<RoleUse, Error> {
    let mut out = RoleUse {
        origin: at.origin(node.place),
        name: Value::Null,
        keywords: Keywords::default(),
        vars: Map::new(),
        params: Map::new(),
    };
    match &node.kind {
        Kind::Scalar { .. } => {
            out.name = at.value(node)?;
            return if out.name.as_str().is_some() {
                Ok(out)
            } else {
                Err(at.invalid(node, "Invalid role definition."))
            };
        }
        Kind::Sequence(_) => return Err(at.invalid(node, "Invalid role definition.")),
        Kind::Mapping(_) => {}
    }
    let entries = at.entries(node, Owner::Role.name())?;
    let named =
        ["role", "name"].iter().find_map(|name| entries.iter().find(|entry| entry.key == *name));
    for entry in &entries {
        match entry.key {
            "role" | "name" => {}
            "vars" => out.vars = at.vars(entry.value, Owner::Role)?,
            name if keyword(name).is_some_and(|info| info.applies_to(Owner::Role)) => {
                at.take(&mut out.keywords, entry, Owner::Role, node)?;
            }
            name => {
                at.warn_of_name(entry.key_node);
                let value = at.value(entry.value)?;
                out.params.insert(name, value);
            }
        }
    }
    out.name = match named {
        Some(entry) => at.value(entry.value)?,
        None => Value::Null,
    };
    if out.name.as_str().is_none_or(str::is_empty) {
        return Err(at.refused(node, "role definitions must contain a role name"));
    }
    if let Some(entry) = named {
        out.origin = at.origin(entry.value.place);
    }
    Ok(out)
}
