//! Named arguments of lookups in templates, as far as they are written out and the lookup's are known.
//!
//! What is missing is not said: it may come from a map that is passed on.

use davit_module::{ArgError, Reply, Spec};
use davit_template::{LookupUse, NameUse, Template};
use davit_value::Origin;

use crate::arguments::{UNKNOWN, list, to_json};
use crate::finding::{did_you_mean, nearest};
use crate::{Finding, Lint, Severity};

/// Holds them against the options of the lookups; `place` says where something of the template is written.
pub(crate) fn check(
    lint: &Lint<'_>,
    template: &Template,
    severity: Severity,
    place: &dyn Fn(&NameUse) -> Origin,
) {
    for call in template.lookup_calls() {
        let Some(spec) = (lint.context.lookup_spec)(&call.lookup.name) else { continue };
        let args: Reply = call
            .named
            .iter()
            .filter(|(it, _)| !is_of_the_call(&it.name))
            .map(|(it, value)| {
                let value = value.as_ref().map_or_else(|| UNKNOWN.into(), |it| to_json(it, 0));
                (it.name.clone(), value)
            })
            .collect();
        let severity = if is_tolerated(&call) { Severity::Warning } else { severity };
        for error in spec.check_static(&args, &|it| it.as_str() == Some(UNKNOWN)) {
            for (rule, name, message, help) in said(&call, &spec, error) {
                let key = name.split('.').next().unwrap_or(&name);
                let at = call.named.iter().find(|(it, _)| it.name == key);
                let at = place(at.map_or(&call.lookup, |(it, _)| it));
                lint.add(Finding::new(rule, severity, &at, message).with_help(help));
            }
        }
    }
}

/// Arguments of `lookup` and `query` themselves.
fn is_of_the_call(name: &str) -> bool {
    matches!(name, "errors" | "wantlist")
}

/// The call goes on where the lookup fails.
fn is_tolerated(call: &LookupUse) -> bool {
    call.named.iter().any(|(it, value)| {
        it.name == "errors" && value.as_ref().and_then(|it| it.as_str()) != Some("strict")
    })
}

type Said = (&'static str, String, String, Option<String>);

/// What is wrong for certain: rule, option, message and help.
fn said(call: &LookupUse, spec: &Spec, error: ArgError) -> Vec<Said> {
    let message = error.to_string();
    match error {
        ArgError::Unsupported { names, .. } => {
            let known: Vec<&str> =
                spec.options.iter().filter(|it| !it.hidden).map(|it| it.name.as_str()).collect();
            let unknown = |name: String| {
                let help = did_you_mean(spec.nearest(&name)).or_else(|| list(&known));
                let message = format!("lookup '{}' has no option '{name}'", call.lookup.name);
                ("unknown-argument", name, message, help)
            };
            names.into_iter().map(unknown).collect()
        }
        ArgError::Choice { key, choices, got, .. } => {
            let near = nearest(&got, choices.iter().map(String::as_str));
            vec![("invalid-choice", key, message, did_you_mean(near))]
        }
        ArgError::Type { key, .. } | ArgError::NotDict { key, .. } => {
            vec![("invalid-type", key, message, None)]
        }
        _ => Vec::new(),
    }
}
