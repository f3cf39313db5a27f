//! `to_yaml`, `to_nice_yaml`, `from_yaml`, `from_yaml_all`.
//!
//! The reading and the writing are `davit-yaml`'s.

use std::sync::Arc;

use davit_value::{Value, ValueError};
use davit_yaml::{Convert, DumpOptions, FlowStyle};

use crate::Call;

type Answer = Result<Value, ValueError>;

fn dump(call: &Call<'_>, mut options: DumpOptions, fixed: &[&str]) -> Answer {
    let value = match call.args.positional.first() {
        Some(value) => call.deep(value)?,
        None => return Err(ValueError::Type("missing 1 required positional argument: 'a'".into())),
    };
    // Positional: the indentation of `to_nice_yaml`, `default_flow_style` of `to_yaml`.
    if let Some(second) = call.args.positional.get(1) {
        if !fixed.contains(&"default_flow_style") {
            options.default_flow_style = flow(&call.deep(second)?)?;
        } else {
            options.indent = small(&call.deep(second)?, options.indent);
        }
    }
    for (key, value) in &call.args.named {
        let value = call.deep(value)?;
        let key = key.to_text();
        if fixed.contains(&key.as_str()) {
            return Err(ValueError::Type(format!(
                "yaml.dump() got multiple values for keyword argument '{key}'"
            )));
        }
        match key.as_str() {
            "indent" => options.indent = small(&value, options.indent),
            "width" => options.width = small(&value, options.width),
            "sort_keys" => options.sort_keys = value.truthy()?,
            "default_flow_style" => options.default_flow_style = flow(&value)?,
            "default_style" => {
                options.default_style = value.as_str().and_then(|text| text.chars().next());
            }
            "explicit_start" => options.explicit_start = value.truthy()?,
            "explicit_end" => options.explicit_end = value.truthy()?,
            "canonical" => options.canonical = value.truthy()?,
            "line_break" | "encoding" | "version" | "tags" | "stream" | "Dumper"
            | "vault_to_text" | "dump_vault_tags" => {}
            _ => {
                return Err(ValueError::Type(format!(
                    "dump_all() got an unexpected keyword argument '{key}'"
                )));
            }
        }
    }
    davit_yaml::dump(&value, &options)
        .map(Value::from)
        .map_err(|error| ValueError::Value(error.to_string()))
}

fn small(value: &Value, default: i32) -> i32 {
    value.as_number().map_or(default, |number| {
        #[expect(clippy::cast_possible_truncation, reason = "clamped")]
        let number = number.clamp(-1.0, 1e9) as i32;
        number
    })
}

fn flow(value: &Value) -> Result<FlowStyle, ValueError> {
    Ok(if value.is_null() {
        FlowStyle::Auto
    } else if value.truthy()? {
        FlowStyle::Always
    } else {
        FlowStyle::Never
    })
}

pub(super) fn to_yaml(call: &Call<'_>) -> Answer {
    dump(call, DumpOptions::default(), &["allow_unicode"])
}

pub(super) fn to_nice_yaml(call: &Call<'_>) -> Answer {
    let options =
        DumpOptions { indent: 4, default_flow_style: FlowStyle::Never, ..DumpOptions::default() };
    dump(call, options, &["allow_unicode", "default_flow_style"])
}

fn input(call: &Call<'_>, name: &'static str) -> Result<Value, ValueError> {
    let value = call.bind(name, &["data"], 1)?.value(0);
    if value.as_str().is_none() && !value.is_null() {
        call.env.outside.warn(&format!(
            "The {name} filter ignored non-string input of type '{}'.",
            value.type_name()
        ));
    }
    Ok(value)
}

/// The error as PyYAML words it: lower case, and where.
fn refuse(error: &davit_yaml::Error) -> ValueError {
    let problem = error.problem.trim_end_matches('.');
    let mut text = if problem.starts_with("Colons in unquoted values") {
        "mapping values are not allowed in this context".to_owned()
    } else if problem.starts_with("Found duplicate mapping key") {
        error.problem.clone()
    } else {
        let mut chars = problem.chars();
        chars
            .next()
            .map_or_else(String::new, |first| format!("{}{}", first.to_lowercase(), chars.as_str()))
    };
    let place_of = |line: u32, column: u32| {
        format!("\n  in \"<unicode string>\", line {line}, column {column}")
    };
    if let Some((context, began)) = &error.context
        && let Some(rest) = text.strip_prefix(context.as_str())
    {
        // One place is not told twice.
        let same = error.place.is_some_and(|it| (it.line, it.column) == (began.line, began.column));
        let began = if same { String::new() } else { place_of(began.line, began.column) };
        text = format!("{context}{began}\n{}", rest.trim_start());
    }
    if let Some(place) = error.place {
        text.push_str(&place_of(place.line, place.column));
    }
    ValueError::Value(text)
}

/// The name PyYAML gives to text that came from no file.
fn nameless() -> Arc<str> {
    Arc::from("<unicode string>")
}

/// Reads a text as the settings say.
fn reading(
    call: &Call<'_>,
    read: impl FnOnce(&Convert<'_>) -> Result<Value, davit_yaml::Error>,
) -> Answer {
    let warn = |warning: davit_yaml::Warning| {
        let place = format!("line {}, column {}", warning.origin.line, warning.origin.column);
        let (message, help) = (warning.message.trim_end_matches('.'), warning.help);
        call.env.outside.warn(&format!("{message} in YAML text, {place}. {help}"));
    };
    let duplicates = call.env.engine.settings().duplicates;
    let convert = Convert { duplicates, ..Convert::default() };
    read(&convert.warning(&warn)).map_err(|error| refuse(&error))
}

pub(super) fn from_yaml(call: &Call<'_>) -> Answer {
    let value = input(call, "from_yaml")?;
    let Some(text) = value.as_str() else { return Ok(value) };
    reading(call, |convert| davit_yaml::load(text, &nameless(), convert))
}

pub(super) fn from_yaml_all(call: &Call<'_>) -> Answer {
    let value = input(call, "from_yaml_all")?;
    let Some(text) = value.as_str() else {
        return Ok(if value.is_null() { Value::list(Vec::new()) } else { value });
    };
    reading(call, |convert| davit_yaml::load_all(text, &nameless(), convert).map(Value::list))
}
