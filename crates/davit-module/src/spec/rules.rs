//! How a module's arguments depend on one another.

use serde_json::Value;

/// How a module's arguments depend on one another, as constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Of each group, at most one may be given.
    pub mutually_exclusive: &'static [&'static [&'static str]],
    /// Of each group, all or none are given.
    pub required_together: &'static [&'static [&'static str]],
    /// Of each group, at least one is given.
    pub required_one_of: &'static [&'static [&'static str]],
    /// What a value asks for.
    pub required_if: &'static [Requirement],
    /// What the presence of an argument asks for.
    pub required_by: &'static [(&'static str, &'static [&'static str])],
}

impl Rules {
    /// No rules.
    pub const NONE: Self = Self {
        mutually_exclusive: &[],
        required_together: &[],
        required_one_of: &[],
        required_if: &[],
        required_by: &[],
    };
}

/// Where `key` has `value`, the arguments in `needs` are to be given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Requirement {
    /// The argument that decides.
    pub key: &'static str,
    /// Its value; `true` and `false` stand for booleans.
    pub value: &'static str,
    /// What must then be given.
    pub needs: &'static [&'static str],
    /// One of them is enough.
    pub any: bool,
}

/// [`Rules`] that own their data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnedRules {
    /// See [`Rules::mutually_exclusive`].
    pub mutually_exclusive: Vec<Vec<String>>,
    /// See [`Rules::required_together`].
    pub required_together: Vec<Vec<String>>,
    /// See [`Rules::required_one_of`].
    pub required_one_of: Vec<Vec<String>>,
    /// See [`Rules::required_if`].
    pub required_if: Vec<OwnedRequirement>,
    /// See [`Rules::required_by`].
    pub required_by: Vec<(String, Vec<String>)>,
}

/// A [`Requirement`] that owns its data.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedRequirement {
    /// See [`Requirement::key`].
    pub key: String,
    /// See [`Requirement::value`].
    pub value: Value,
    /// See [`Requirement::needs`].
    pub needs: Vec<String>,
    /// See [`Requirement::any`].
    pub any: bool,
}

impl From<Rules> for OwnedRules {
    fn from(rules: Rules) -> Self {
        let groups = |it: &[&[&str]]| it.iter().map(|it| strings(it)).collect();
        let requirement = |it: &Requirement| OwnedRequirement {
            key: it.key.to_owned(),
            value: match it.value {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                text => text.into(),
            },
            needs: strings(it.needs),
            any: it.any,
        };
        Self {
            mutually_exclusive: groups(rules.mutually_exclusive),
            required_together: groups(rules.required_together),
            required_one_of: groups(rules.required_one_of),
            required_if: rules.required_if.iter().map(requirement).collect(),
            required_by: rules
                .required_by
                .iter()
                .map(|(key, needs)| ((*key).to_owned(), strings(needs)))
                .collect(),
        }
    }
}

impl OwnedRules {
    /// The rules that stand beside `options` in a written argument spec.
    #[must_use]
    pub fn from_json(spec: &Value) -> Self {
        let groups = |key: &str| match spec.get(key).and_then(Value::as_array) {
            // One group may stand without the outer list.
            Some(items) if items.iter().all(Value::is_string) && !items.is_empty() => {
                vec![texts(&spec[key])]
            }
            Some(items) => items.iter().map(texts).collect(),
            None => Vec::new(),
        };
        let required_if = spec.get("required_if").and_then(Value::as_array);
        let required_by = spec.get("required_by").and_then(Value::as_object);
        Self {
            mutually_exclusive: groups("mutually_exclusive"),
            required_together: groups("required_together"),
            required_one_of: groups("required_one_of"),
            required_if: required_if
                .map(|it| it.iter().filter_map(requirement_of).collect())
                .unwrap_or_default(),
            required_by: required_by
                .map(|it| it.iter().map(|(key, needs)| (key.clone(), texts(needs))).collect())
                .unwrap_or_default(),
        }
    }
}

fn requirement_of(item: &Value) -> Option<OwnedRequirement> {
    let items = item.as_array()?;
    Some(OwnedRequirement {
        key: items.first()?.as_str()?.to_owned(),
        value: items.get(1)?.clone(),
        needs: texts(items.get(2)?),
        any: items.get(3).and_then(Value::as_bool).unwrap_or(false),
    })
}

fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

/// A text, or a list of them.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => {
            items.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}
