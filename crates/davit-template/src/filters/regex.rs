//! The filters `regex_search`, `regex_findall`, `regex_replace`, `regex_escape`.
//!
//! The dialect is Python's: see [`pattern`](super::pattern).

use davit_value::{Value, ValueError};

use super::pattern::{Flags, Pattern};
use crate::Call;
use crate::call::no_attribute;

type Answer = Result<Value, ValueError>;

fn flag(value: Option<&Value>) -> Result<bool, ValueError> {
    value.map_or(Ok(false), Value::truthy)
}

pub(super) fn regex_search(call: &Call<'_>) -> Answer {
    let mut values = call
        .args
        .positional
        .iter()
        .map(|value| call.deep(value))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter();
    let named = |name: &str| call.args.named.get(name).map(|value| call.deep(value)).transpose();
    let missing = |name: &str| {
        ValueError::Type(format!("regex_search() missing 1 required positional argument: '{name}'"))
    };
    let value = values.next().or(named("value")?).ok_or_else(|| missing("value"))?;
    let regex = values.next().or(named("regex")?).ok_or_else(|| missing("regex"))?;
    let mut groups = Vec::new();
    for value in values {
        let Some(text) = value.as_str() else { return Err(no_attribute(&value, "startswith")) };
        let inner = text
            .strip_prefix("\\g")
            .map(|rest| rest.trim_start_matches('<').trim_end_matches('>').to_owned());
        groups.push(match (inner, text.strip_prefix('\\')) {
            (Some(name), _) => name,
            (None, Some(number)) => number.to_owned(),
            (None, None) => return Err(ValueError::Value("Unknown argument".into())),
        });
    }
    let flags = Flags {
        ignore_case: flag(named("ignorecase")?.as_ref())?,
        multi_line: flag(named("multiline")?.as_ref())?,
    };
    let pattern = Pattern::new(&regex.to_str(), flags)?;
    let text = value.to_str();
    let Some(found) = pattern.find_from(&text, 0)? else { return Ok(Value::Null) };
    let group = |number: usize| found.get(number).map_or(Value::Null, |it| it.as_str().into());
    if groups.is_empty() {
        return Ok(group(0));
    }
    let mut out = Vec::new();
    for name in groups {
        let number = match name.parse::<usize>() {
            Ok(number) => Some(number).filter(|number| *number <= pattern.groups()),
            Err(_) => pattern.group_named(&name),
        };
        out.push(group(number.ok_or_else(|| ValueError::Value("no such group".into()))?));
    }
    Ok(Value::list(out))
}

pub(super) fn regex_findall(call: &Call<'_>) -> Answer {
    let bound = call.bind("regex_findall", &["value", "regex", "multiline", "ignorecase"], 2)?;
    let flags = Flags { multi_line: bound.truth(2, false)?, ignore_case: bound.truth(3, false)? };
    let pattern = Pattern::new(&bound.text(1), flags)?;
    let text = bound.text(0);
    let mut out = Vec::new();
    for found in pattern.find_all(&text, None)? {
        let group = |number: usize| Value::from(found.get(number).map_or("", |it| it.as_str()));
        out.push(match pattern.groups() {
            0 => group(0),
            1 => group(1),
            count => Value::tuple((1..=count).map(group).collect()),
        });
    }
    Ok(Value::list(out))
}

pub(super) fn regex_replace(call: &Call<'_>) -> Answer {
    let params =
        &["value", "pattern", "replacement", "ignorecase", "multiline", "count", "mandatory_count"];
    let bound = call.bind("regex_replace", params, 0)?;
    let flags = Flags { ignore_case: bound.truth(3, false)?, multi_line: bound.truth(4, false)? };
    let (count, mandatory) = (bound.int(5, 0)?, bound.int(6, 0)?);
    let (text, source) = (bound.text(0), bound.text(1));
    let most = usize::try_from(count).ok().filter(|count| *count > 0);
    let (out, replaced) = Pattern::new(&source, flags)?.replace(&text, &bound.text(2), most)?;
    if mandatory != 0 && mandatory != replaced as i128 {
        return Err(ValueError::Value(format!(
            "'{source}' should match {mandatory} times, but matches {count} times in '{text}'"
        )));
    }
    Ok(out.into())
}

/// Python's `re.escape`.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if char.is_ascii_whitespace() || char == '\x0b' || "()[]{}?*+-|^$\\.&~#".contains(char) {
            out.push('\\');
        }
        out.push(char);
    }
    out
}

pub(super) fn regex_escape(call: &Call<'_>) -> Answer {
    let bound = call.bind("regex_escape", &["string", "re_type"], 1)?;
    let text = bound.text(0);
    match bound.text_or(1, "python").as_str() {
        "python" => Ok(escape(&text).into()),
        "posix_basic" => {
            let mut out = String::with_capacity(text.len() + 8);
            for char in text.chars() {
                if "].[$^*\\".contains(char) {
                    out.push('\\');
                }
                out.push(char);
            }
            Ok(out.into())
        }
        "posix_extended" => {
            Err(ValueError::Value("Regex type (posix_extended) not yet implemented".into()))
        }
        other => Err(ValueError::Value(format!("Invalid regex type ({other})"))),
    }
}
