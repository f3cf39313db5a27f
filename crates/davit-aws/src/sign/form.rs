//! Input that stands in bodies, moved into addresses. Knows no signature.

use bytes::Bytes;
use serde_json::Value;

use super::SignError;
use crate::http::Request;

/// Moves the input of a request from its body behind the question mark, where a presigned address
/// has to carry it: a form's fields, or the members of a JSON object (lists become a parameter for
/// each item).
///
/// # Errors
///
/// When the body is neither.
pub fn move_body_to_query(request: &mut Request) -> Result<(), SignError> {
    let kind = request.headers.get("Content-Type").unwrap_or_default();
    let form = kind.starts_with("application/x-www-form-urlencoded");
    if kind == "application/x-www-form-urlencoded; charset=utf-8" {
        request.headers.remove("Content-Type");
    }
    if request.body.is_empty() {
        return Ok(());
    }
    let fields = if form { fields(&request.body) } else { members(&request.body)? };
    request.query.retain(|(known, _)| !fields.iter().any(|(name, _)| name == known));
    request.query.extend(fields);
    request.body = Bytes::new();
    Ok(())
}

/// The fields of a form.
pub(super) fn fields(body: &[u8]) -> Vec<(String, String)> {
    let decode = |text: &[u8]| {
        let text: Vec<u8> = text.iter().map(|it| if *it == b'+' { b' ' } else { *it }).collect();
        percent_encoding::percent_decode(&text).decode_utf8_lossy().into_owned()
    };
    body.split(|byte| *byte == b'&')
        .filter(|field| !field.is_empty())
        .map(|field| {
            let equals = field.iter().position(|byte| *byte == b'=').unwrap_or(field.len());
            (decode(&field[..equals]), decode(field.get(equals + 1..).unwrap_or_default()))
        })
        .collect()
}

fn members(body: &[u8]) -> Result<Vec<(String, String)>, SignError> {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return Err(SignError::BodyInAddress);
    };
    let mut fields = Vec::new();
    for (name, value) in members {
        match value {
            Value::Array(items) => {
                fields.extend(items.iter().map(|item| (name.clone(), text(item))));
            }
            value => fields.push((name, text(&value))),
        }
    }
    Ok(fields)
}

/// A value as Python writes it, since that is what boto3 sends.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
