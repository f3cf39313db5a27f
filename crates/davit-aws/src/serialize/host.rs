//! What goes before the endpoint's host.

use super::{Call, Error, Unfit};
use crate::value::Value;

/// The operation's prefix with its labels filled in.
pub(super) fn prefix(call: &Call<'_>) -> Result<Option<String>, Error> {
    let Some(template) = call.operation.host_prefix else { return Ok(None) };
    let mut prefix = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, behind) = behind.split_once('}').unwrap_or((behind, ""));
        prefix.push_str(before);
        let value = call.value(name).ok_or_else(|| Error::new(Unfit::NoLabel).within(name))?;
        prefix.push_str(label(value).map_err(|it| it.within(name))?);
        rest = behind;
    }
    prefix.push_str(rest);
    Ok(Some(prefix))
}

/// A label is checked, since it decides which host gets the request.
fn label(value: &Value) -> Result<&str, Error> {
    let unfit = Unfit::Type { expected: "a string", given: value.kind() };
    let text = value.as_str().ok_or_else(|| Error::new(unfit))?;
    let plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-');
    let fits = !text.is_empty() && text.bytes().all(plain);
    if fits { Ok(text) } else { Err(Error::new(Unfit::HostLabel)) }
}
