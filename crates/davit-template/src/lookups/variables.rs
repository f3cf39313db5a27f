//! Lookups of names: `vars`, `varnames`, `env`, `config`, `inventory_hostnames`.
//!
//! Where they look is handed in.

use std::sync::Arc;

use davit_value::{Undefined, Value, ValueError};

use super::parameters::{bool_option, option, terms, text_option};
use crate::Call;
use crate::filters::pattern::{Flags, Pattern};

type Answer = Result<Value, ValueError>;

pub(super) fn vars(call: &Call<'_>) -> Answer {
    let default = call.args.named.get("default");
    let mut out = Vec::new();
    for term in terms(call)? {
        let Some(name) = term.as_str() else {
            return Err(ValueError::Type(format!(
                "Variable name must be 'str' not '{}'.",
                term.type_name()
            )));
        };
        let found = call.env.scope.get(name).filter(|value| !value.is_undefined());
        let value = match (found, default) {
            (Some(value), _) => call.env.resolve(&value)?,
            (None, Some(default)) => default.clone(),
            (None, None) => {
                return Err(ValueError::Undefined(Arc::new(Undefined {
                    message: format!("No variable named {} was found.", term.repr()),
                    name: Some(name.to_owned()),
                })));
            }
        };
        out.push(value);
    }
    Ok(Value::list(out))
}

pub(super) fn varnames(call: &Call<'_>) -> Answer {
    let mut names = call.env.scope.names();
    names.sort_unstable();
    names.dedup();
    let mut out = Vec::new();
    for term in terms(call)? {
        let Some(text) = term.as_str() else {
            return Err(ValueError::Type(format!(
                "Invalid setting identifier, \"{}\" is not a string, it is a <class '{}'>",
                term.to_str(),
                term.type_name()
            )));
        };
        let pattern = Pattern::new(text, Flags::default()).map_err(|error| {
            ValueError::Value(format!("Unable to use \"{text}\" as a search parameter: {error}"))
        })?;
        for name in &names {
            if pattern.search(name)? {
                out.push(name.as_str().into());
            }
        }
    }
    Ok(Value::list(out))
}

pub(super) fn env(call: &Call<'_>) -> Answer {
    let default = call.args.named.get("default").cloned().unwrap_or_else(|| "".into());
    let mut out = Vec::new();
    for term in terms(call)? {
        let name = term.to_str();
        out.push(
            match call.env.outside.environment.get(name.split_whitespace().next().unwrap_or("")) {
                Some(value) => value.as_str().into(),
                None => call.deep(&default)?,
            },
        );
    }
    Ok(Value::list(out))
}

pub(super) fn config(call: &Call<'_>) -> Answer {
    let missing = text_option(call, "on_missing", "error")?;
    if !matches!(missing.as_str(), "error" | "warn" | "skip") {
        return Err(ValueError::Value(format!(
            "Invalid value '{missing}' for config 'on_missing' for 'config' lookup plugin."
        )));
    }
    let (kind, name) = (option(call, "plugin_type")?, option(call, "plugin_name")?);
    if kind.is_some() != name.is_some() {
        return Err(ValueError::Value(
            "Both plugin_type and plugin_name are required, cannot use one without the other."
                .into(),
        ));
    }
    let origin = bool_option(call, "config", "show_origin", false)?;
    let mut out = Vec::new();
    for term in terms(call)? {
        let Some(setting) = term.as_str() else {
            return Err(ValueError::Type(format!(
                "Invalid setting identifier, {} is not a <class 'str'>, its a <class '{}'>.",
                term.to_str(),
                term.type_name()
            )));
        };
        let asked = match (&kind, &name) {
            (Some(kind), Some(name)) => format!("{}/{}/{setting}", kind.to_str(), name.to_str()),
            _ => setting.to_owned(),
        };
        match call.env.outside.config.as_ref().and_then(|config| config(&asked)) {
            Some(value) if origin => out.push(Value::tuple(vec![value, "default".into()])),
            Some(value) => out.push(value),
            None => {
                let why = format!("No config definition exists for {}.", term.repr());
                match missing.as_str() {
                    "error" => return Err(ValueError::Value(why)),
                    "warn" => call.env.outside.warn(&format!("Skipping {setting}: {why}")),
                    _ => {}
                }
            }
        }
    }
    Ok(Value::list(out))
}

pub(super) fn inventory_hostnames(call: &Call<'_>) -> Answer {
    let terms: Vec<String> = terms(call)?.iter().map(Value::to_str).collect();
    let Some(select) = &call.env.outside.inventory_hosts else {
        return Ok(Value::list(Vec::new()));
    };
    Ok(Value::list(select(&terms.join(":")).into_iter().map(Value::from).collect()))
}
