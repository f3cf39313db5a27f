//! Reading the arguments of a task, as forgiving as users of the format expect it.

use std::time::Duration;

use davit_run::{TaskContext, to_flag};
use davit_value::{Map, Value};

use crate::failure::{Attempt, broken};

/// An argument that is there and not null, as text.
pub(crate) fn text(args: &Map, name: &str) -> Option<String> {
    args.get(name).filter(|it| !it.is_null()).map(Value::to_str)
}

/// An argument that is there and not empty, as text.
pub(crate) fn filled(args: &Map, name: &str) -> Option<String> {
    text(args, name).filter(|it| !it.is_empty())
}

/// A boolean argument; what is no boolean is false.
pub(crate) fn flag(args: &Map, name: &str, default: bool) -> bool {
    match args.get(name) {
        None | Some(Value::Null) => default,
        Some(value) => to_flag(value).unwrap_or(false),
    }
}

/// A number of seconds; what is no number is the usual one.
pub(crate) fn seconds(args: &Map, name: &str, default: u64) -> Duration {
    let given = match args.get(name) {
        Some(Value::Str(text)) => text.trim().parse::<f64>().ok(),
        Some(value) => value.as_number(),
        None => None,
    };
    match given {
        Some(number) if number.is_finite() => Duration::from_secs_f64(number.clamp(0.0, 1e9)),
        _ => Duration::from_secs(default),
    }
}

/// The arguments without these.
pub(crate) fn without(args: &Map, names: &[&str]) -> Map {
    let mut rest = args.clone();
    for name in names {
        rest.remove(name);
    }
    rest
}

/// Refuses a text without a key.
pub(crate) fn no_raw_params(context: &TaskContext, args: &Map, name: &str) -> Attempt<()> {
    if args.contains("_raw_params") {
        let why = format!("Action 'ansible.builtin.{name}' does not support raw params.");
        return Err(broken(context, why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_with_patience() {
        let args: Map = [
            ("text", Value::from("a")),
            ("empty", "".into()),
            ("null", Value::Null),
            ("yes", "Yes".into()),
            ("odd", "maybe".into()),
            ("number", 12.into()),
        ]
        .into_iter()
        .collect();
        assert_eq!(text(&args, "text").as_deref(), Some("a"));
        assert_eq!(text(&args, "number").as_deref(), Some("12"));
        assert_eq!(text(&args, "null"), None);
        assert_eq!(filled(&args, "empty"), None);
        let check = |name: &str, default: bool, expect: bool| {
            assert_eq!(flag(&args, name, default), expect, "{name}");
        };
        check("yes", false, true);
        check("odd", true, false);
        check("null", true, true);
        check("none", false, false);
        assert_eq!(without(&args, &["text", "null"]).len(), 4);
    }
}
