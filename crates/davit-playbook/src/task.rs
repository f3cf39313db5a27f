//! A task as written: its action, arguments, loop and keywords.

use std::sync::Arc;

use davit_value::{Key, Map, Origin, Str, Value};
use davit_yaml::Node;

use crate::args::free_form;
use crate::context::{Context, Entry, NAME_HELP, bad_name_message, is_variable_name, nearest};
use crate::keyword::{Keywords, Owner, coerce, keyword, not_text};
use crate::{Error, Keyword};

/// What kind of action a task has, as far as the language itself cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskKind {
    /// Anything that runs on a host.
    Action,
    /// `meta`.
    Meta,
    /// `include_tasks`.
    IncludeTasks,
    /// `import_tasks`.
    ImportTasks,
    /// `include_role`.
    IncludeRole,
    /// `import_role`.
    ImportRole,
}

/// A task or handler.
#[derive(Clone, Debug)]
pub struct Task {
    /// Where it begins.
    pub origin: Origin,
    /// Its `name`, not rendered; null where there is none.
    pub name: Value,
    /// The action's name as written: `debug`, `ansible.builtin.copy`, perhaps a template.
    pub action: Str,
    /// Where the action is written.
    pub action_origin: Origin,
    /// What kind of action it is.
    pub kind: TaskKind,
    /// The arguments, not rendered. `_variable_params` holds a template that gives more of them.
    pub args: Map,
    /// The free text besides the arguments: a command line, a file name.
    pub raw_params: Option<Str>,
    /// What it runs over.
    pub loop_: Option<Loop>,
    /// `loop_control`, where written.
    pub loop_control: Option<LoopControl>,
    /// Every other keyword.
    pub keywords: Keywords,
    /// `vars`.
    pub vars: Map,
    /// `listen` of a handler.
    pub listen: Vec<Value>,
    /// It stands among handlers.
    pub is_handler: bool,
    /// It was written as `local_action`; `delegate_to: localhost` is among the keywords.
    pub is_local_action: bool,
}

/// What a task runs over.
#[derive(Clone, Debug)]
pub struct Loop {
    /// The lookup of `with_<lookup>`; none for `loop`.
    pub lookup: Option<Arc<str>>,
    /// The list, or what the lookup is given, not rendered.
    pub value: Value,
    /// Where the value is written.
    pub origin: Origin,
}

/// How a loop runs. What is not written is null.
#[derive(Clone, Debug)]
pub struct LoopControl {
    /// Where it is written.
    pub origin: Origin,
    /// Name of the variable with the item.
    pub loop_var: Value,
    /// Name of the variable with the count.
    pub index_var: Value,
    /// What is printed for an item.
    pub label: Value,
    /// Seconds between items.
    pub pause: Value,
    /// Sets `ansible_loop`.
    pub extended: Value,
    /// Keeps `ansible_loop.allitems`.
    pub extended_allitems: Value,
    /// Expressions that end the loop.
    pub break_when: Value,
    /// How many items may run at the same time: an extension.
    pub parallel: Value,
}

/// The action without `ansible.builtin.` or `ansible.legacy.`.
#[must_use]
pub fn short_name(action: &str) -> &str {
    ["ansible.builtin.", "ansible.legacy.", "ansible.windows."]
        .iter()
        .find_map(|prefix| action.strip_prefix(prefix))
        .unwrap_or(action)
}

impl TaskKind {
    fn of(action: &str) -> Self {
        match short_name(action) {
            "meta" => Self::Meta,
            "include_tasks" => Self::IncludeTasks,
            "import_tasks" => Self::ImportTasks,
            "include_role" => Self::IncludeRole,
            "import_role" => Self::ImportRole,
            _ => Self::Action,
        }
    }

    /// True for what is replaced by other tasks before anything runs.
    #[must_use]
    pub fn is_import(self) -> bool {
        matches!(self, Self::ImportTasks | Self::ImportRole)
    }

    /// True for what brings in other tasks, before or while running.
    #[must_use]
    pub fn is_include(self) -> bool {
        !matches!(self, Self::Action | Self::Meta)
    }
}

impl Task {
    /// What `listen`s and notifications may call it besides its name.
    #[must_use]
    pub fn static_name(&self) -> Option<&str> {
        self.name.as_str()
    }

    /// The action without `ansible.builtin.` or `ansible.legacy.`.
    #[must_use]
    pub fn short_action(&self) -> &str {
        short_name(&self.action)
    }

    /// The file of `include_tasks`, the role of `include_role`: the free text or the argument.
    #[must_use]
    pub fn target(&self) -> Option<Value> {
        let names: &[&str] = match self.kind {
            TaskKind::IncludeTasks | TaskKind::ImportTasks => &["file"],
            TaskKind::IncludeRole | TaskKind::ImportRole => &["name", "role"],
            TaskKind::Action | TaskKind::Meta => &[],
        };
        let named = names.iter().find_map(|name| self.args.get(name)).filter(|it| !it.is_null());
        named.cloned().or_else(|| self.raw_params.clone().map(Value::Str))
    }
}

/// The action of a task: name, where, the node with arguments.
struct Action<'n> {
    name: Str,
    node: &'n Node,
    args: Map,
    raw: Option<Str>,
    /// Written as the key, and to be known therefore.
    by_key: bool,
}

/// Reads the mapping `node` as a task.
pub(crate) fn task(at: &Context<'_>, node: &Node, is_handler: bool) -> Result<Task, Error> {
    let owner = if is_handler { Owner::Handler } else { Owner::Task };
    let entries = at.entries(node, owner.name())?;
    let find = |name: &str| entries.iter().find(|entry| entry.key == name);
    let mut collections = at.collections.clone();
    if let Some(entry) = find("collections") {
        collections.extend(list_texts(&at.value(entry.value)?));
    }
    let action = action(at, node, &entries)?;
    if action.by_key {
        check_known(at, node, &action, &collections)?;
    }
    let kind = TaskKind::of(&action.name);
    let mut task = Task {
        origin: at.origin(node.place),
        name: Value::Null,
        action_origin: at.origin(action.node.place),
        kind,
        args: action.args,
        raw_params: action.raw,
        action: action.name,
        loop_: None,
        loop_control: None,
        keywords: Keywords::default(),
        vars: Map::new(),
        listen: Vec::new(),
        is_handler,
        is_local_action: find("local_action").is_some(),
    };
    if let Some(entry) = find("args") {
        merge_args(at, entry, &mut task)?;
    }
    if let Some(Value::Str(raw)) = task.args.remove("_raw_params") {
        task.raw_params = Some(raw);
    }
    for entry in &entries {
        field(at, node, entry, &mut task, owner)?;
    }
    if task.is_local_action && !task.keywords.contains("delegate_to") {
        let origin = task.action_origin.clone();
        let value = Value::from("localhost");
        task.keywords.set("delegate_to", Keyword { value, key_origin: origin.clone(), origin });
    }
    check_include(at, node, &task)?;
    Ok(task)
}

/// Finds the action among the keys of a task.
fn action<'n>(
    at: &Context<'_>,
    node: &'n Node,
    entries: &[Entry<'n>],
) -> Result<Action<'n>, Error> {
    let find = |name: &str| entries.iter().find(|entry| entry.key == name);
    let stated = match (find("action"), find("local_action")) {
        (Some(_), Some(_)) => {
            return Err(at.invalid(node, "action and local_action are mutually exclusive"));
        }
        (Some(entry), None) | (None, Some(entry)) => Some(stated_action(at, node, entry)?),
        (None, None) => None,
    };
    let is_keyword = |name: &str| {
        keyword(name).is_some_and(|info| info.applies_to(Owner::Task))
            || name.starts_with("with_")
            || name == "listen"
    };
    let mut keys = entries.iter().filter(|entry| !is_keyword(entry.key));
    let (first, second) = (keys.next(), keys.next());
    let conflict = match (&stated, first, second) {
        (Some(stated), Some(key), _) => Some((stated.name.to_string(), key)),
        (None, Some(first), Some(second)) => Some((first.key.to_owned(), second)),
        _ => None,
    };
    if let Some((name, other)) = conflict {
        let error =
            at.invalid(node, format!("conflicting action statements: {name}, {}", other.key));
        let unknown = [first, second]
            .into_iter()
            .flatten()
            .find(|it| !(at.loader.is_action)(it.key, &at.collections));
        let known = Context::known(Owner::Task);
        let near = unknown.and_then(|it| Some((it.key, nearest(it.key, known.iter().copied())?)));
        return Err(match near {
            Some((key, near)) => error.with_help(format!(
                "'{key}' is neither a keyword nor a module; did you mean '{near}'?"
            )),
            None => error,
        });
    }
    match (stated, first) {
        (Some(stated), _) => Ok(stated),
        (None, Some(entry)) => {
            let name = Str::trusted(entry.key, at.at(entry.key_node));
            let (args, raw) = arguments(at, node, entry.value, entry.key)?;
            Ok(Action { name, node: entry.key_node, args, raw, by_key: true })
        }
        (None, None) => Err(at.invalid(node, "no module/action detected in task.")),
    }
}

/// `action: name a=b`, or the old `action: {module: name, a: b}`.
fn stated_action<'n>(
    at: &Context<'_>,
    node: &Node,
    entry: &Entry<'n>,
) -> Result<Action<'n>, Error> {
    match at.value(entry.value)? {
        Value::Str(text) => {
            let end = name_end(&text);
            let name = text.get(..end).unwrap_or_default();
            if name.is_empty() {
                return Err(at.invalid(node, "no module/action detected in task."));
            }
            let rest = text.get(end..).unwrap_or_default().trim_start();
            let name = Str::trusted(name, at.at(entry.value));
            let mut out =
                Action { name, node: entry.value, args: Map::new(), raw: None, by_key: false };
            if !rest.is_empty() {
                let line = Str::trusted(rest, at.at(entry.value));
                (out.args, out.raw) = line_arguments(at, node, &line, &out.name)?;
            }
            Ok(out)
        }
        Value::Map(map) => {
            at.warn(
                entry.value,
                "Using a mapping for `action` is deprecated. This feature will be removed from ansible-core version 2.23.",
                Some("Use a string value for `action`."),
                true,
            );
            let mut args = Map::clone(&map);
            match args.remove("module") {
                Some(Value::Str(name)) => {
                    // The old form lets the arguments follow the name.
                    let end = name_end(&name);
                    let rest = name.get(end..).unwrap_or_default().trim_start().to_owned();
                    let bare =
                        Str::trusted(name.get(..end).unwrap_or_default(), at.at(entry.value));
                    let mut raw = None;
                    if !rest.is_empty() {
                        let line = Str::trusted(rest, at.at(entry.value));
                        let (more, text) = line_arguments(at, node, &line, &bare)?;
                        args.extend(&more);
                        raw = text;
                    }
                    Ok(Action { name: bare, node: entry.value, args, raw, by_key: false })
                }
                _ => Err(at.invalid(node, "no module/action detected in task.")),
            }
        }
        other => Err(unexpected(at, node, &other)),
    }
}

/// Where the name at the start of a line ends; a template in it belongs to it.
fn name_end(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut previous = ' ';
    for (at, char) in text.char_indices() {
        match (previous, char) {
            ('{', '{') => depth += 1,
            ('}', '}') => depth = depth.saturating_sub(1),
            (_, char) if char.is_whitespace() && depth == 0 => return at,
            _ => {}
        }
        previous = char;
    }
    text.len()
}

fn unexpected(at: &Context<'_>, node: &Node, value: &Value) -> Error {
    at.invalid(
        node,
        format!("unexpected parameter type in action: <class '{}'>", value.type_name()),
    )
}

/// The arguments of the action `name` in whatever form they are written.
fn arguments(
    at: &Context<'_>,
    task: &Node,
    node: &Node,
    name: &str,
) -> Result<(Map, Option<Str>), Error> {
    match at.value(node)? {
        Value::Null => Ok((Map::new(), None)),
        Value::Map(map) => Ok((Map::clone(&map), None)),
        Value::Str(line) => line_arguments(at, task, &line, name),
        other => Err(unexpected(at, task, &other)),
    }
}

fn line_arguments(
    at: &Context<'_>,
    task: &Node,
    line: &Str,
    name: &str,
) -> Result<(Map, Option<Str>), Error> {
    // A line that begins with a template is one as a whole: it gives all arguments.
    if line.starts_with("{{") && !crate::takes_raw_params(name) {
        let mut args = Map::new();
        args.insert("_variable_params", Value::Str(line.clone()));
        return Ok((args, None));
    }
    let parts = free_form(name, line)
        .map_err(|problem| at.invalid(task, format!("Error loading tasks: {problem}")))?;
    Ok((parts.args, parts.raw))
}

/// `args:` beside the action; what the action itself says wins.
fn merge_args(at: &Context<'_>, entry: &Entry<'_>, task: &mut Task) -> Result<(), Error> {
    match at.value(entry.value)? {
        Value::Null => {}
        Value::Map(map) => {
            let mut args = Map::clone(&map);
            args.extend(&task.args);
            task.args = args;
        }
        Value::Str(text) if text.contains("{{") => {
            task.args.insert("_variable_params", Value::Str(text));
        }
        _ => {
            return Err(at
                .invalid(entry.value, "The value of the task `args` keyword is invalid.")
                .with_help("A mapping or template which resolves to a mapping is required."));
        }
    }
    Ok(())
}

fn check_known(
    at: &Context<'_>,
    node: &Node,
    action: &Action<'_>,
    collections: &[String],
) -> Result<(), Error> {
    let name = action.name.as_str();
    if matches!(name, "include" | "ansible.builtin.include" | "ansible.legacy.include") {
        return Err(at.refused(
            node,
            "The 'ansible.builtin.include' action plugin has been removed. Use include_tasks or import_tasks instead. \
             This feature was removed from ansible-core in a release after 2023-05-16.",
        ));
    }
    if TaskKind::of(name) != TaskKind::Action || (at.loader.is_action)(name, collections) {
        return Ok(());
    }
    let error = at.invalid(
        node,
        format!(
            "couldn't resolve module/action '{name}'. This often indicates a misspelling, missing collection, \
             or incorrect module path."
        ),
    );
    let known = Context::known(Owner::Task);
    Err(match nearest(name, known.iter().copied()) {
        Some(near) => error.with_help(format!("Did you mean the keyword '{near}'?")),
        None => error,
    })
}

/// Puts a key of a task where it belongs.
fn field(
    at: &Context<'_>,
    node: &Node,
    entry: &Entry<'_>,
    task: &mut Task,
    owner: Owner,
) -> Result<(), Error> {
    match entry.key {
        "action" | "local_action" | "args" => Ok(()),
        "name" => {
            task.name = at.keyword(entry, owner, node)?.value;
            Ok(())
        }
        "vars" => {
            task.vars = at.vars(entry.value, owner)?;
            Ok(())
        }
        "loop" => set_loop(at, node, entry, task, None),
        "loop_control" => {
            task.loop_control = loop_control(at, entry)?;
            Ok(())
        }
        "listen" if task.is_handler => {
            let value = at.value(entry.value)?;
            at.texts(entry, &value)?;
            task.listen = match value {
                Value::Null => Vec::new(),
                Value::List(items) => items.to_vec(),
                single => vec![single],
            };
            Ok(())
        }
        "register" => {
            register(at, entry)?;
            at.take(&mut task.keywords, entry, owner, node)
        }
        name => {
            if let Some(lookup) = name.strip_prefix("with_")
                && (at.loader.is_lookup)(lookup)
            {
                return set_loop(at, node, entry, task, Some(lookup));
            }
            if keyword(name).is_some_and(|info| info.applies_to(Owner::Task)) {
                return at.take(&mut task.keywords, entry, owner, node);
            }
            if name.starts_with("with_") || name == "listen" {
                return Err(at
                    .unknown_keyword(entry.key_node, name, owner.name(), &[])
                    .with_help("This error can be suppressed as a warning using the \"invalid_task_attribute_failed\" configuration"));
            }
            // The action itself.
            Ok(())
        }
    }
}

fn set_loop(
    at: &Context<'_>,
    node: &Node,
    entry: &Entry<'_>,
    task: &mut Task,
    lookup: Option<&str>,
) -> Result<(), Error> {
    let value = at.value(entry.value)?;
    if value.is_null() {
        return match lookup {
            None => Ok(()),
            Some(lookup) => {
                Err(at.refused(node, format!("you must specify a value when using with_{lookup}")))
            }
        };
    }
    if let Some(there) = &task.loop_ {
        let name = lookup.or(there.lookup.as_deref()).unwrap_or("loop");
        return Err(at.refused(node, format!("duplicate loop in task: {name}")));
    }
    task.loop_ =
        Some(Loop { lookup: lookup.map(Arc::from), value, origin: at.origin(entry.value.place) });
    Ok(())
}

fn loop_control(at: &Context<'_>, entry: &Entry<'_>) -> Result<Option<LoopControl>, Error> {
    if at.value(entry.value)?.is_null() {
        return Ok(None);
    }
    if entry.value.as_mapping().is_none() {
        return Err(at.invalid(
            entry.value,
            "the `loop_control` value must be specified as a dictionary and cannot be a variable itself \
             (though it can contain variables)",
        ));
    }
    let null = || Value::Null;
    let mut out = LoopControl {
        origin: at.origin(entry.value.place),
        loop_var: null(),
        index_var: null(),
        label: null(),
        pause: null(),
        extended: null(),
        extended_allitems: null(),
        break_when: null(),
        parallel: null(),
    };
    let known = [
        "loop_var",
        "index_var",
        "label",
        "pause",
        "extended",
        "extended_allitems",
        "break_when",
        "parallel",
    ];
    for entry in at.entries(entry.value, "LoopControl")? {
        let value = at.value(entry.value)?;
        let is_text = matches!(entry.key, "loop_var" | "index_var" | "label");
        if is_text && matches!(value, Value::List(_) | Value::Map(_)) {
            return Err(at.invalid(entry.key_node, not_text(entry.key, &value)));
        }
        let place = match entry.key {
            "loop_var" => &mut out.loop_var,
            "index_var" => &mut out.index_var,
            "label" => &mut out.label,
            "pause" => &mut out.pause,
            "extended" => &mut out.extended,
            "extended_allitems" => &mut out.extended_allitems,
            "break_when" => &mut out.break_when,
            "parallel" => &mut out.parallel,
            name => return Err(at.unknown_keyword(entry.key_node, name, "LoopControl", &known)),
        };
        *place = value;
    }
    Ok(Some(out))
}

/// `register` is a name, not a template.
fn register(at: &Context<'_>, entry: &Entry<'_>) -> Result<(), Error> {
    let value = at.value(entry.value)?;
    if value.is_null() || value.as_str().is_some_and(is_variable_name) {
        return Ok(());
    }
    let message = format!("Invalid 'register' specified: {}", bad_name_message(&value));
    Err(at.invalid(entry.value, message).with_help(NAME_HELP))
}

/// What `include_tasks` and its like may have.
fn check_include(at: &Context<'_>, node: &Node, task: &Task) -> Result<(), Error> {
    let action = task.short_action();
    let (allowed, owner): (&[&str], _) = match task.kind {
        TaskKind::Action | TaskKind::Meta => return Ok(()),
        TaskKind::IncludeTasks => (&["file", "apply"], Owner::TaskInclude),
        TaskKind::ImportTasks => (&["file"], Owner::Task),
        TaskKind::IncludeRole => (&ROLE_OPTIONS_APPLY, Owner::IncludeRole),
        TaskKind::ImportRole => (&ROLE_OPTIONS_APPLY[1..], Owner::Task),
    };
    let is_role = matches!(task.kind, TaskKind::IncludeRole | TaskKind::ImportRole);
    if task.is_handler && is_role {
        return Err(at.invalid(node, format!("Using '{action}' as a handler is not supported.")));
    }
    if task.kind.is_import() && task.loop_.is_some() {
        let instead = action.replace("import", "include");
        return Err(at.invalid(
            node,
            format!(
                "You cannot use loops on '{action}' statements. You should use '{instead}' instead."
            ),
        ));
    }
    let bad: Vec<&str> = task
        .args
        .keys()
        .filter_map(Key::as_str)
        .filter(|name| !allowed.contains(name) && *name != "_variable_params")
        .collect();
    if !bad.is_empty() {
        return Err(at.invalid(node, format!("Invalid options for {action}: {}", bad.join(","))));
    }
    if task.target().is_none_or(|it| it.as_str() == Some(""))
        && !task.args.contains("_variable_params")
    {
        return Err(if is_role {
            at.invalid(node, format!("'name' is a required field for {action}."))
        } else {
            at.invalid(node, format!("No file specified for {action}"))
        });
    }
    let text_options = ["tasks_from", "vars_from", "defaults_from", "handlers_from"];
    for name in text_options.iter().filter(|_| is_role) {
        if let Some(value @ (Value::List(_) | Value::Map(_))) = task.args.get(name) {
            let found = value.type_name();
            return Err(at.invalid(
                node,
                format!("Expected a string for {name} but got <class '{found}'> instead"),
            ));
        }
    }
    for name in ["public", "allow_duplicates", "rolespec_validate"].iter().filter(|_| is_role) {
        if let (Some(value), Some(flag)) =
            (task.args.get(name).filter(|it| !it.is_live()), keyword("become"))
        {
            let place = value.origin().cloned().or_else(|| at.at(node));
            coerce(flag, value.clone()).map_err(|problem| {
                Error::invalid(format!("Error processing keyword '{name}': {problem}"), place)
            })?;
        }
    }
    if let Some(apply) = task.args.get("apply")
        && !matches!(apply, Value::Map(_))
    {
        let found = apply.type_name();
        return Err(at.invalid(
            node,
            format!("Expected a dict for apply but got <class '{found}'> instead"),
        ));
    }
    let wrong = task
        .keywords
        .iter()
        .find(|(name, _)| !keyword(name).is_some_and(|info| info.applies_to(owner)));
    if let Some((name, _)) = wrong {
        let owner = owner.name();
        return Err(at.invalid(node, format!("'{name}' is not a valid attribute for a {owner}")));
    }
    Ok(())
}

const ROLE_OPTIONS_APPLY: [&str; 10] = [
    "apply",
    "name",
    "role",
    "tasks_from",
    "vars_from",
    "defaults_from",
    "handlers_from",
    "public",
    "allow_duplicates",
    "rolespec_validate",
];

/// The texts of a text or a list of texts.
pub(crate) fn list_texts(value: &Value) -> Vec<String> {
    match value {
        Value::Str(text) => vec![text.to_string()],
        Value::List(items) => {
            items.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}
