//! What arguments a module takes: derived from its argument struct, or read from a role.
//!
//! ```text
//! Args struct ──schemars──▶ Schema ──from_schema──▶ Spec ──check──▶ coerced arguments
//! argument_specs.yml ──────────────from_options──▶            or what does not fit
//! ```
//!
//! It does not know templates: what is checked has been rendered, except in
//! [`Spec::check_static`], which leaves alone what is not known yet.

mod check;
mod coerce;
mod error;
mod literal;
mod python;
mod rules;

use davit_event::Reply;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ModuleError;

pub use self::check::Checked;
pub use self::coerce::{Environment, expand_path};
pub use self::error::ArgError;
pub use self::rules::{OwnedRequirement, OwnedRules, Requirement, Rules};

/// What an argument is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArgType {
    /// A text.
    #[default]
    Str,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// True or false, in many spellings.
    Bool,
    /// A list; `a,b` is one too.
    List,
    /// A map; `k=v k2=v2` and JSON are one too.
    Dict,
    /// A path: `~` and `$NAME` are put in.
    Path,
    /// Anything, left as it is.
    Raw,
    /// A count of bits such as `1Mb`.
    Bits,
    /// A count of bytes such as `1K`.
    Bytes,
    /// JSON as text.
    Json,
    /// JSON as text, trimmed.
    JsonArg,
}

impl ArgType {
    /// The word for it in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Str => "str",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::List => "list",
            Self::Dict => "dict",
            Self::Path => "path",
            Self::Raw => "raw",
            Self::Bits => "bits",
            Self::Bytes => "bytes",
            Self::Json => "json",
            Self::JsonArg => "jsonarg",
        }
    }

    /// The type that a document calls `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "str" | "string" => Self::Str,
            "int" | "integer" => Self::Int,
            "float" => Self::Float,
            "bool" | "boolean" => Self::Bool,
            "list" => Self::List,
            "dict" => Self::Dict,
            "path" => Self::Path,
            "raw" => Self::Raw,
            "bits" => Self::Bits,
            "bytes" => Self::Bytes,
            "json" => Self::Json,
            "jsonarg" => Self::JsonArg,
            _ => return None,
        })
    }
}

/// When something goes away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deprecation {
    /// The version that no longer has it.
    pub version: Option<String>,
    /// The date from which it is gone.
    pub date: Option<String>,
    /// Whose version that is.
    pub collection: Option<String>,
}

/// One argument.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opt {
    /// Its name.
    pub name: String,
    /// What it does, in Markdown.
    pub about: String,
    /// What it is.
    pub arg_type: ArgType,
    /// What the items of a list are.
    pub elements: Option<ArgType>,
    /// The values that it may have; empty = any.
    pub choices: Vec<Value>,
    /// What each choice means, where that is said.
    pub choice_about: Vec<String>,
    /// What it is when it is not given.
    pub default: Option<Value>,
    /// It must be given.
    pub required: bool,
    /// It is never shown.
    pub no_log: bool,
    /// It is not for users: the controller fills it in.
    pub hidden: bool,
    /// Other names.
    pub aliases: Vec<String>,
    /// The arguments beneath it.
    pub options: Option<Box<Spec>>,
    /// Fill in the defaults beneath it even when it is not given.
    pub apply_defaults: bool,
    /// It goes away.
    pub removed: Option<Deprecation>,
    /// Names of it that go away.
    pub deprecated_aliases: Vec<(String, Deprecation)>,
}

/// What arguments a module takes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spec {
    /// The module's name, for messages.
    pub module: String,
    /// What it does, in Markdown.
    pub about: String,
    /// Its arguments, as written.
    pub options: Vec<Opt>,
    /// How they depend on one another.
    pub rules: OwnedRules,
}

impl Spec {
    /// What an argument struct takes that is no module's: that of a lookup, or of a file that
    /// configures something.
    #[must_use]
    pub fn of<A: JsonSchema>(name: &str) -> Self {
        Self::from_schema(name, &crate::entry::schema_of::<A>(), Rules::NONE)
    }

    /// Arguments that were checked, as their struct.
    ///
    /// # Errors
    /// Where they do not have the shape that it reads.
    pub fn read<A: DeserializeOwned>(args: Reply) -> Result<A, ModuleError> {
        crate::entry::parsed(args)
    }

    /// From the schema of an argument struct.
    ///
    /// The schema may carry what Rust types do not say: `x-type`, `x-elements`, `x-aliases`,
    /// `x-choices`, `x-no-log`, `x-hidden`, `x-removed-in`.
    #[must_use]
    pub fn from_schema(module: &str, schema: &Schema, rules: Rules) -> Self {
        let mut spec = from_object(module, schema.as_value());
        spec.rules = rules.into();
        spec
    }

    /// From the `options` of a written argument spec: name, and what is said of it.
    #[must_use]
    pub fn from_options(options: &Value) -> Self {
        Self::from_written("", options, &Value::Null)
    }

    /// From the `options` of a written argument spec and the rules that stand beside them.
    #[must_use]
    pub fn from_written(module: &str, options: &Value, beside: &Value) -> Self {
        let empty = serde_json::Map::new();
        let options = options.as_object().unwrap_or(&empty);
        Self {
            module: module.to_owned(),
            about: String::new(),
            options: options.iter().map(|(name, said)| written_option(name, said)).collect(),
            rules: OwnedRules::from_json(beside),
        }
    }

    /// The argument called `name`, by its own or another name.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&Opt> {
        self.options
            .iter()
            .find(|it| it.name == name)
            .or_else(|| self.options.iter().find(|it| it.aliases.iter().any(|it| it == name)))
    }

    /// The name of an argument that `name` looks like.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let names = self.options.iter().filter(|it| !it.hidden).flat_map(|it| {
            std::iter::once(it.name.as_str()).chain(it.aliases.iter().map(String::as_str))
        });
        names
            .map(|it| (strsim::damerau_levenshtein(it, name), it))
            .filter(|(distance, it)| *distance <= 1 + it.len() / 4)
            .min()
            .map(|(_, it)| it)
    }
}

fn from_object(module: &str, schema: &Value) -> Spec {
    let empty = serde_json::Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let required = rules::texts(schema.get("required").unwrap_or(&Value::Null));
    let options = properties
        .iter()
        .map(|(name, said)| schema_option(name, said, required.contains(name)))
        .collect();
    Spec {
        module: module.to_owned(),
        about: text_at(schema, "description"),
        options,
        rules: OwnedRules::default(),
    }
}

fn schema_option(name: &str, said: &Value, required: bool) -> Opt {
    // `Option<T>` of an enum is `anyOf: [T, null]`.
    let inner = said
        .get("anyOf")
        .and_then(Value::as_array)
        .and_then(|it| it.iter().find(|it| it["type"] != "null"))
        .unwrap_or(said);
    let arg_type = said
        .get("x-type")
        .and_then(Value::as_str)
        .and_then(ArgType::from_name)
        .unwrap_or_else(|| json_type(inner));
    let items = inner.get("items");
    let elements = said
        .get("x-elements")
        .and_then(Value::as_str)
        .and_then(ArgType::from_name)
        .or_else(|| items.filter(|it| it.is_object()).map(json_type));
    let beneath = match arg_type {
        ArgType::Dict => Some(inner),
        ArgType::List => items,
        _ => None,
    };
    let options =
        beneath.filter(|it| it.get("properties").is_some()).map(|it| Box::new(from_object("", it)));
    let (mut choices, choice_about) = schema_choices(inner);
    if choices.is_empty()
        && let Some(items) = items
    {
        choices = schema_choices(items).0;
    }
    if let Some(listed) = said.get("x-choices").and_then(Value::as_array) {
        choices.clone_from(listed);
    }
    let removed = said
        .get("x-removed-in")
        .and_then(Value::as_str)
        .map(|version| Deprecation { version: Some(version.to_owned()), ..Deprecation::default() });
    Opt {
        name: name.to_owned(),
        about: text_at(said, "description"),
        arg_type,
        elements: if arg_type == ArgType::List { elements } else { None },
        choices,
        choice_about,
        default: said.get("default").filter(|it| !it.is_null()).cloned(),
        required,
        no_log: said["x-no-log"] == true,
        hidden: said["x-hidden"] == true,
        aliases: rules::texts(&said["x-aliases"]),
        options,
        removed,
        ..Opt::default()
    }
}

fn json_type(said: &Value) -> ArgType {
    let name = match &said["type"] {
        Value::Array(names) => names.iter().find(|it| *it != "null").and_then(Value::as_str),
        other => other.as_str(),
    };
    match name {
        Some("string") => ArgType::Str,
        Some("boolean") => ArgType::Bool,
        Some("integer") => ArgType::Int,
        Some("number") => ArgType::Float,
        Some("array") => ArgType::List,
        Some("object") => ArgType::Dict,
        _ if said.get("enum").is_some() || said.get("oneOf").is_some() => ArgType::Str,
        _ => ArgType::Raw,
    }
}

/// The choices of an enum, with what is said of each.
fn schema_choices(said: &Value) -> (Vec<Value>, Vec<String>) {
    let plain = said.get("enum").and_then(Value::as_array);
    let told = said.get("oneOf").and_then(Value::as_array);
    let mut choices = Vec::new();
    let mut about = Vec::new();
    for item in plain.into_iter().flatten().filter(|it| !it.is_null()) {
        choices.push(item.clone());
        about.push(String::new());
    }
    for item in told.into_iter().flatten() {
        if let Some(value) = item.get("const") {
            choices.push(value.clone());
            about.push(text_at(item, "description"));
        }
        for value in item.get("enum").and_then(Value::as_array).into_iter().flatten() {
            choices.push(value.clone());
            about.push(String::new());
        }
    }
    (choices, about)
}

fn text_at(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn written_option(name: &str, said: &Value) -> Opt {
    let flag = |key: &str| said.get(key).and_then(Value::as_bool).unwrap_or(false);
    let type_at = |key: &str| said.get(key).and_then(Value::as_str).and_then(ArgType::from_name);
    let about = match said.get("description") {
        Some(Value::Array(lines)) => {
            lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n\n")
        }
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    let choices = match said.get("choices") {
        Some(Value::Array(items)) => items.clone(),
        Some(Value::Object(map)) => map.keys().map(|it| it.as_str().into()).collect(),
        _ => Vec::new(),
    };
    let aliases = said.get("deprecated_aliases").and_then(Value::as_array);
    Opt {
        name: name.to_owned(),
        about,
        arg_type: type_at("type").unwrap_or_default(),
        elements: type_at("elements"),
        choices,
        default: said.get("default").filter(|it| !it.is_null()).cloned(),
        required: flag("required"),
        no_log: flag("no_log"),
        aliases: rules::texts(said.get("aliases").unwrap_or(&Value::Null)),
        options: said
            .get("options")
            .filter(|it| it.is_object())
            .map(|options| Box::new(Spec::from_written("", options, said))),
        apply_defaults: flag("apply_defaults"),
        removed: deprecation(
            said,
            "removed_in_version",
            "removed_at_date",
            "removed_from_collection",
        ),
        deprecated_aliases: aliases
            .into_iter()
            .flatten()
            .filter_map(|it| {
                let name = it.get("name")?.as_str()?.to_owned();
                Some((name, deprecation(it, "version", "date", "collection_name")?))
            })
            .collect(),
        ..Opt::default()
    }
}

fn deprecation(said: &Value, version: &str, date: &str, collection: &str) -> Option<Deprecation> {
    let text = |key: &str| {
        said.get(key).filter(|it| !it.is_null()).map(python::text).filter(|it| !it.is_empty())
    };
    let found =
        Deprecation { version: text(version), date: text(date), collection: text(collection) };
    (found.version.is_some() || found.date.is_some()).then_some(found)
}
