//! `comment`: text as a comment of some language.
//!
//! Knows the five styles that the original names; anything else is built from its parts.

use std::collections::BTreeMap;

use davit_value::{Value, ValueError};

use crate::Call;
use crate::call::{Signature, index_of, no_attribute};

/// The parts of a style that differ from a `# ` before every line.
fn style(name: &str) -> Option<(&'static str, &'static str, &'static str)> {
    Some(match name {
        "plain" => ("# ", "", ""),
        "erlang" => ("% ", "", ""),
        "c" => ("// ", "", ""),
        "cblock" => (" * ", "/*", " */"),
        "xml" => (" - ", "<!--", "-->"),
        _ => return None,
    })
}

pub(super) fn comment(call: &Call<'_>) -> Result<Value, ValueError> {
    // Any named argument is taken, so only the positional ones are bound.
    let mut args = call.args.clone();
    args.named = davit_value::Map::new();
    let plain = Call { env: call.env, args };
    let mut name_given = None;
    let mut options: BTreeMap<String, Value> = BTreeMap::new();
    for (key, value) in call.named() {
        let value = call.deep(&value)?;
        if key == "style" { name_given = Some(value) } else { drop(options.insert(key, value)) }
    }
    let bound = plain.bind_as(
        Signature { name: "comment", params: &["text", "style"], required: 1, hidden: 0 },
        true,
    )?;
    let name = name_given
        .or_else(|| bound.get(1).cloned())
        .map_or_else(|| "plain".to_owned(), |name| name.to_str());
    let Some((decoration, beginning, end)) = style(&name) else {
        return Err(ValueError::Value(format!("Invalid style '{name}'.")));
    };
    let input = bound.value(0);
    let Some(text) = input.as_str() else { return Err(no_attribute(&input, "replace")) };

    let option = |name: &str, default: &str| {
        options.get(name).map_or_else(|| default.to_owned(), Value::to_str)
    };
    let count = |name: &str| -> Result<usize, ValueError> {
        let number = options.get(name).map_or(Ok(1), index_of)?;
        Ok(usize::try_from(number).unwrap_or(0).min(10_000))
    };
    let newline = option("newline", "\n");
    let decoration = option("decoration", decoration);
    // The lines around the text take the decoration without the space at its end.
    let prefix = option("prefix", decoration.trim_end());
    let postfix = option("postfix", decoration.trim_end());
    let (beginning, end) = (option("beginning", beginning), option("end", end));

    let mut out = String::new();
    if !beginning.is_empty() {
        out.push_str(&beginning);
        out.push_str(&newline);
    }
    if !prefix.is_empty() {
        for _ in 0..count("prefix_count")? {
            out.push_str(&prefix);
            out.push_str(&newline);
        }
    }
    let body = format!(
        "{decoration}{}",
        text.replace(newline.as_str(), &format!("{newline}{decoration}"))
    );
    // An empty line keeps no space behind its decoration.
    out.push_str(&body.replace(
        &format!("{decoration}{newline}"),
        &format!("{}{newline}", decoration.trim_end()),
    ));
    if !postfix.is_empty() {
        for _ in 0..count("postfix_count")? {
            out.push_str(&newline);
            out.push_str(&postfix);
        }
    }
    if !end.is_empty() {
        out.push_str(&newline);
        out.push_str(&end);
    }
    Ok(out.into())
}
