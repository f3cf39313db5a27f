//! `when` and the other conditions: expressions that are to be true or false.

use davit_playbook::Keyword;
use davit_value::{Origin, Value};

use crate::Finding;
use crate::templates::{Templates, is_template};

/// Checks the condition `name`: one expression, or a list of them.
pub(crate) fn check(templates: &mut Templates<'_, '_>, name: &str, keyword: &Keyword) {
    many(templates, name, &keyword.value, &keyword.origin);
}

/// Checks one expression or a list of them, written at `near`.
pub(crate) fn many(templates: &mut Templates<'_, '_>, name: &str, value: &Value, near: &Origin) {
    match value {
        Value::List(items) => {
            let places = templates.lint.sources.items(near);
            for (at, item) in items.iter().enumerate() {
                one(templates, name, item, places.get(at).unwrap_or(near));
            }
        }
        other => one(templates, name, other, near),
    }
}

fn one(templates: &mut Templates<'_, '_>, name: &str, value: &Value, near: &Origin) {
    match value {
        Value::Null | Value::Bool(_) | Value::Undefined(_) => {}
        Value::Str(text) => {
            let near = text.origin().unwrap_or(near).clone();
            let plain = text.trim();
            if plain.is_empty() || !text.is_trusted() {
                return;
            }
            if is_template(text) {
                if plain.starts_with("{{") {
                    let message =
                        format!("'{name}' is an expression by itself: delimiters are not needed");
                    let inner = plain
                        .strip_prefix("{{")
                        .and_then(|it| it.strip_suffix("}}"))
                        .map(str::trim);
                    let inner =
                        inner.filter(|it| !is_template(it)).map(|it| format!("Write it as: {it}"));
                    templates.lint.odd("delimiters-in-condition", &near, message, inner);
                }
                templates.value(value, &near);
                return;
            }
            if let Some(kind) = constant(plain) {
                wrong(templates, name, plain, kind, &near);
                return;
            }
            templates.expression(text, &near);
        }
        other => wrong(templates, name, &other.to_str(), other.type_name(), near),
    }
}

/// The type of an expression that is a constant other than true and false.
fn constant(text: &str) -> Option<&'static str> {
    let inner = |quote: char| {
        text.strip_prefix(quote)
            .and_then(|it| it.strip_suffix(quote))
            .is_some_and(|it| !it.contains([quote, '\\']))
    };
    if text.bytes().all(|it| it.is_ascii_digit()) {
        return Some("int");
    }
    (text.len() > 1 && (inner('\'') || inner('"'))).then_some("str")
}

fn wrong(templates: &Templates<'_, '_>, name: &str, text: &str, kind: &str, at: &Origin) {
    let message = format!("'{name}' has to be true or false, and {text} is of type '{kind}'");
    templates.lint.add(Finding::new("non-boolean-condition", templates.severity, at, message));
}
