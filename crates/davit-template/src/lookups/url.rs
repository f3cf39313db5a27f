//! `url`: what an address gives.
//!
//! Options are those of the original. The request itself is made by whoever the program has handed
//! in: see [`Outside::fetch`](crate::Outside::fetch).

use davit_value::{Map, Value, ValueError};

use super::parameters::{option, terms};
use crate::Call;
use crate::filters::text::split_lines;
use crate::filters::types::as_boolean;

/// Options that are passed on, and what kind of value each is.
const OPTIONS: &[(&str, Kind)] = &[
    ("ca_path", Kind::Text),
    ("ciphers", Kind::List),
    ("follow_redirects", Kind::Choice(&["all", "none", "no", "safe", "urllib2", "yes"])),
    ("force", Kind::Flag),
    ("force_basic_auth", Kind::Flag),
    ("headers", Kind::Map),
    ("http_agent", Kind::Text),
    ("password", Kind::Text),
    ("timeout", Kind::Number),
    ("unix_socket", Kind::Text),
    ("unredirected_headers", Kind::List),
    ("use_gssapi", Kind::Flag),
    ("use_netrc", Kind::Flag),
    ("use_proxy", Kind::Flag),
    ("username", Kind::Text),
    ("validate_certs", Kind::Flag),
];

/// Options that only a call may set.
const DIRECT: &[&str] = &["headers", "password", "use_proxy", "username", "validate_certs"];

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Flag,
    Number,
    List,
    Map,
    Choice(&'static [&'static str]),
}

/// The option's name in names of variables.
fn suffix(name: &str) -> &str {
    match name {
        "http_agent" => "agent",
        "unredirected_headers" => "unredir_headers",
        other => other,
    }
}

/// The value of an option, and where it is set: in the call, a variable, the environment.
fn given(call: &Call<'_>, name: &str) -> Result<Option<(Value, String)>, ValueError> {
    if let Some(value) = option(call, name)? {
        return Ok(Some((value, "Direct".to_owned())));
    }
    if DIRECT.contains(&name) {
        return Ok(None);
    }
    let variable = format!("ansible_lookup_url_{}", suffix(name));
    if let Some(value) = call.env.scope.get(&variable) {
        return Ok(Some((call.deep(&value)?, format!("var: {variable}"))));
    }
    let variable = variable.to_uppercase();
    let value = call.env.outside.environment.get(&variable);
    Ok(value.map(|text| (text.as_str().into(), format!("env: {variable}"))))
}

fn checked(name: &str, kind: Kind, value: Value, from: &str) -> Result<Value, ValueError> {
    let wrong = |word: &str| {
        ValueError::Value(format!(
            "Config '{name}' for 'url' lookup plugin from '{from}' has an invalid value: Invalid value provided for '{word}': {}",
            value.repr()
        ))
    };
    match kind {
        Kind::Text => Ok(value.to_str().into()),
        // As in the original, what is neither is no.
        Kind::Flag => Ok(as_boolean(&value).unwrap_or(false).into()),
        Kind::Number => {
            let number = match &value {
                Value::Str(text) => text.trim().parse().ok(),
                other => other.as_number(),
            };
            number.map(Value::Float).ok_or_else(|| wrong("float"))
        }
        Kind::List => Ok(match &value {
            Value::List(_) | Value::Tuple(_) => value,
            other => Value::list(other.to_str().split(',').map(|it| it.trim().into()).collect()),
        }),
        Kind::Map if value.as_map().is_some() => Ok(value),
        Kind::Map => Err(wrong("dictionary")),
        Kind::Choice(choices) => {
            let text = match &value {
                Value::Bool(true) => "yes".to_owned(),
                Value::Bool(false) => "no".to_owned(),
                other => other.to_str(),
            };
            if choices.contains(&text.as_str()) {
                return Ok(text.into());
            }
            Err(ValueError::Value(format!(
                "Invalid value {} for config '{name}' for 'url' lookup plugin.",
                value.repr()
            )))
        }
    }
}

pub(super) fn url(call: &Call<'_>) -> Result<Value, ValueError> {
    let mut options = Map::new();
    for (name, kind) in OPTIONS {
        if let Some((value, from)) = given(call, name)? {
            options.insert(*name, checked(name, *kind, value, &from)?);
        }
    }
    let lines = option(call, "split_lines")?;
    let lines = lines.is_none_or(|value| as_boolean(&value).unwrap_or(false));
    let terms = terms(call)?;
    let Some(fetch) = &call.env.outside.fetch else {
        return Err(ValueError::Value("there is no way to fetch addresses here".into()));
    };
    let mut out: Vec<Value> = Vec::new();
    for term in terms {
        let text = fetch(&term.to_str(), &options).map_err(ValueError::Value)?;
        if lines {
            out.extend(split_lines(&text).into_iter().map(Value::from));
        } else {
            out.push(text.into());
        }
    }
    Ok(Value::list(out))
}
