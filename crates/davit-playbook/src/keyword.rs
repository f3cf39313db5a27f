//! The keywords of plays, roles, blocks and tasks: where each applies and what it holds.
//!
//! The table mirrors `ansible-doc -t keyword`.

use std::sync::LazyLock;

use davit_value::{Origin, Value};
use indexmap::IndexMap;

/// What a keyword may stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A play.
    Play,
    /// An entry of `roles`.
    Role,
    /// A block.
    Block,
    /// A task.
    Task,
    /// A handler.
    Handler,
    /// An entry with `import_playbook`.
    PlaybookInclude,
    /// A task with `include_tasks` or `import_tasks`.
    TaskInclude,
    /// A task with `include_role` or `import_role`.
    IncludeRole,
}

impl Owner {
    /// The name as messages have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Play => "Play",
            Self::Role => "RoleDefinition",
            Self::Block => "Block",
            Self::Task => "Task",
            Self::Handler => "Handler",
            Self::PlaybookInclude => "PlaybookInclude",
            Self::TaskInclude => "TaskInclude",
            Self::IncludeRole => "IncludeRole",
        }
    }
}

/// What a keyword holds once it is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Text.
    Str,
    /// A boolean.
    Bool,
    /// An integer.
    Int,
    /// A number.
    Float,
    /// A number, a `%` at its end is left out.
    Percent,
    /// A list; a single value is a list of one.
    List,
    /// A dictionary.
    Dict,
    /// A dictionary with keywords of its own.
    Class,
}

/// A keyword.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub field: Field,
    /// True where the value is an expression by itself, as for `when`.
    pub implicit: bool,
    /// Letters of what it stands in: `p`lay, `r`ole, `b`lock, `t`ask and handler.
    owners: &'static str,
}

const fn row(name: &'static str, field: Field, owners: &'static str) -> Info {
    Info { name, field, implicit: false, owners }
}

const fn expression(name: &'static str, owners: &'static str) -> Info {
    Info { name, field: Field::List, implicit: true, owners }
}

/// Every keyword, in alphabetical order.
const TABLE: &[Info] = &[
    row("action", Field::Str, "t"),
    row("always", Field::List, "b"),
    row("any_errors_fatal", Field::Bool, "prbt"),
    row("args", Field::Dict, "t"),
    row("async", Field::Int, "t"),
    row("become", Field::Bool, "prbt"),
    row("become_exe", Field::Str, "prbt"),
    row("become_flags", Field::Str, "prbt"),
    row("become_method", Field::Str, "prbt"),
    row("become_user", Field::Str, "prbt"),
    row("block", Field::List, "b"),
    expression("changed_when", "t"),
    row("check_mode", Field::Bool, "prbt"),
    row("collections", Field::List, "prbt"),
    row("connection", Field::Str, "prbt"),
    row("debugger", Field::Str, "prbt"),
    row("delay", Field::Float, "t"),
    row("delegate_facts", Field::Bool, "rbt"),
    row("delegate_to", Field::Str, "rbt"),
    row("diff", Field::Bool, "prbt"),
    row("environment", Field::List, "prbt"),
    row("fact_path", Field::Str, "p"),
    expression("failed_when", "t"),
    row("force_handlers", Field::Bool, "p"),
    row("gather_facts", Field::Bool, "p"),
    row("gather_subset", Field::List, "p"),
    row("gather_timeout", Field::Int, "p"),
    row("handlers", Field::List, "p"),
    row("hosts", Field::List, "p"),
    row("ignore_errors", Field::Bool, "prbt"),
    row("ignore_unreachable", Field::Bool, "prbt"),
    row("local_action", Field::Str, "t"),
    row("loop", Field::List, "t"),
    row("loop_control", Field::Class, "t"),
    row("max_fail_percentage", Field::Percent, "p"),
    row("module_defaults", Field::List, "prbt"),
    row("name", Field::Str, "prbt"),
    row("no_log", Field::Bool, "prbt"),
    row("notify", Field::List, "bt"),
    row("order", Field::Str, "p"),
    row("poll", Field::Int, "t"),
    row("port", Field::Int, "prbt"),
    row("post_tasks", Field::List, "p"),
    row("pre_tasks", Field::List, "p"),
    row("register", Field::Str, "t"),
    row("remote_user", Field::Str, "prbt"),
    row("rescue", Field::List, "b"),
    row("retries", Field::Int, "t"),
    row("roles", Field::List, "p"),
    row("run_once", Field::Bool, "prbt"),
    row("serial", Field::List, "p"),
    row("strategy", Field::Str, "p"),
    row("tags", Field::List, "prbt"),
    row("tasks", Field::List, "p"),
    row("throttle", Field::Int, "prbt"),
    row("timeout", Field::Int, "prbt"),
    expression("until", "t"),
    row("vars", Field::Dict, "prbt"),
    row("vars_files", Field::List, "p"),
    row("vars_prompt", Field::List, "p"),
    expression("when", "rbt"),
];

/// What a task may have besides the action when it includes tasks or a role while running.
const INCLUDE_KEYWORDS: &[&str] = &[
    "action",
    "args",
    "collections",
    "debugger",
    "ignore_errors",
    "local_action",
    "loop",
    "loop_control",
    "name",
    "no_log",
    "register",
    "run_once",
    "tags",
    "timeout",
    "vars",
    "when",
];

static BY_NAME: LazyLock<std::collections::HashMap<&'static str, &'static Info>> =
    LazyLock::new(|| TABLE.iter().map(|info| (info.name, info)).collect());

/// The keyword `name`, where there is one.
#[must_use]
pub fn keyword(name: &str) -> Option<&'static Info> {
    BY_NAME.get(name).copied()
}

/// Every keyword, in alphabetical order.
#[must_use]
pub fn keywords() -> &'static [Info] {
    TABLE
}

impl Info {
    /// True where the keyword may stand in `owner`.
    #[must_use]
    pub fn applies_to(&self, owner: Owner) -> bool {
        match owner {
            Owner::Play => self.owners.contains('p'),
            Owner::Role => self.owners.contains('r'),
            Owner::Block => self.owners.contains('b'),
            Owner::Task | Owner::Handler => self.owners.contains('t'),
            // What every object has, and conditions.
            Owner::PlaybookInclude => self.owners == "prbt" || self.name == "when",
            Owner::TaskInclude | Owner::IncludeRole => INCLUDE_KEYWORDS.contains(&self.name),
        }
    }
}

/// A keyword as written.
#[derive(Clone, Debug)]
pub struct Keyword {
    /// Its value, not rendered.
    pub value: Value,
    /// Where the key is written.
    pub key_origin: Origin,
    /// Where the value is written.
    pub origin: Origin,
}

/// The keywords of a play, role, block or task, in the order written.
#[derive(Clone, Debug, Default)]
pub struct Keywords {
    entries: IndexMap<&'static str, Keyword>,
}

impl Keywords {
    /// The value of `name`, where it is written.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries.get(name).map(|it| &it.value)
    }

    /// The value of `name` with its places.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&Keyword> {
        self.entries.get(name)
    }

    /// Where the value of `name` is written.
    #[must_use]
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        self.entries.get(name).map(|it| &it.origin)
    }

    /// True where `name` is written.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// The text of `name`, where it is written and text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// The items of `name`: a single value is a list of one, null none.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<Value> {
        match self.get(name) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::List(list) | Value::Tuple(list)) => list.to_vec(),
            Some(value) => vec![value.clone()],
        }
    }

    /// The tags as written, split at commas where they are text.
    #[must_use]
    pub fn tags(&self) -> Vec<Value> {
        let mut out = Vec::new();
        for item in self.list("tags") {
            match item.as_text() {
                Some(text) if text.contains(',') && !text.contains("{{") => {
                    out.extend(
                        text.split(',')
                            .map(|tag| Value::from(tag.trim()))
                            .filter(|tag| *tag != Value::from("")),
                    );
                }
                _ => out.push(item),
            }
        }
        out
    }

    /// Sets `name`; false where there is no such keyword.
    pub fn set(&mut self, name: &str, keyword: Keyword) -> bool {
        match self::keyword(name) {
            Some(info) => {
                self.entries.insert(info.name, keyword);
                true
            }
            None => false,
        }
    }

    /// Takes `name` out.
    pub fn remove(&mut self, name: &str) -> Option<Keyword> {
        self.entries.shift_remove(name)
    }

    /// Names and keywords in the order written.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Keyword)> {
        self.entries.iter().map(|(name, it)| (*name, it))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True where there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// The rendered `value` as what the keyword `info` holds. Null stays null.
///
/// # Errors
/// Where it is something else; the message is the original's.
pub fn coerce(info: &Info, value: Value) -> Result<Value, String> {
    let refuse = |value: &Value, what: &str| {
        Err(format!("The value {} could not be converted to '{what}'.", value.repr()))
    };
    if value.is_null() {
        return Ok(value);
    }
    match info.field {
        Field::Str => match &value {
            Value::List(_) | Value::Tuple(_) | Value::Map(_) => Err(not_text(info.name, &value)),
            Value::Str(_) => Ok(value),
            other => Ok(Value::from(other.to_str())),
        },
        Field::Bool => match to_bool(&value) {
            Some(bool) => Ok(Value::Bool(bool)),
            None => refuse(&value, "bool"),
        },
        Field::Int => match &value {
            Value::Int(_) => Ok(value),
            Value::Bool(bool) => Ok(Value::Int(i128::from(*bool))),
            #[expect(clippy::cast_possible_truncation, reason = "as Python's int() does")]
            Value::Float(float) if float.is_finite() => Ok(Value::Int(float.trunc() as i128)),
            Value::Str(text) => match text.trim().parse() {
                Ok(int) => Ok(Value::Int(int)),
                Err(_) => refuse(&value, "int"),
            },
            _ => refuse(&value, "int"),
        },
        Field::Float => {
            number(&value).map_or_else(|| refuse(&value, "float"), |it| Ok(Value::Float(it)))
        }
        Field::Percent => {
            let bare = match &value {
                Value::Str(text) => Value::from(text.trim_end_matches('%')),
                other => other.clone(),
            };
            number(&bare).map_or_else(|| refuse(&value, "percent"), |it| Ok(Value::Float(it)))
        }
        Field::List => match value {
            Value::List(_) => Ok(value),
            Value::Tuple(list) => Ok(Value::List(list)),
            single => Ok(Value::list(vec![single])),
        },
        Field::Dict | Field::Class => match &value {
            Value::Map(_) => Ok(value),
            _ => refuse(&value, "dict"),
        },
    }
}

/// The message for a list or a dictionary where text is wanted.
pub(crate) fn not_text(name: &str, value: &Value) -> String {
    format!(
        "The field '{name}' is supposed to be a string type, however the incoming data structure is a <class '{}'>",
        value.type_name()
    )
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Str(text) => text.trim().parse().ok(),
        other => other.as_number(),
    }
}

fn to_bool(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(bool) => Some(*bool),
        Value::Int(0) => Some(false),
        Value::Int(1) => Some(true),
        Value::Float(float) if *float == 0.0 || *float == 1.0 => Some(*float == 1.0),
        Value::Str(text) => match text.trim().to_lowercase().as_str() {
            "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => Some(true),
            "n" | "no" | "off" | "0" | "false" | "f" | "0.0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(TABLE.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn values_become_what_the_keyword_holds() {
        for (name, value, expect) in [
            ("become", Value::from("yes"), Ok("True")),
            (
                "become",
                Value::from("foo"),
                Err("The value 'foo' could not be converted to 'bool'."),
            ),
            ("retries", Value::from("3"), Ok("3")),
            ("delay", Value::from("0.5"), Ok("0.5")),
            ("max_fail_percentage", Value::from("20%"), Ok("20.0")),
            (
                "max_fail_percentage",
                Value::from("foo"),
                Err("The value 'foo' could not be converted to 'percent'."),
            ),
            ("when", Value::from("a"), Ok("['a']")),
            ("name", Value::from(1), Ok("'1'")),
            ("become_user", Value::Null, Ok("None")),
        ] {
            let info = keyword(name).expect("a keyword");
            let got = coerce(info, value).map(|value| value.repr());
            assert_eq!(got.as_deref().map_err(String::as_str), expect, "{name}");
        }
    }
}
