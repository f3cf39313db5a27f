//! The text of a file before and after, as results show it under `diff`.

use serde_json::{Value, json};

use super::Host;

/// Files beyond this many bytes are not shown.
const LARGEST: usize = 104_448;

impl Host<'_> {
    /// A `diff` of a file's content: null where the user does not want one.
    ///
    /// `headers` name the two sides.
    #[must_use]
    pub fn text_diff(&self, before: Option<&[u8]>, after: &[u8], headers: (&str, &str)) -> Value {
        if !self.wants_diff() {
            return Value::Null;
        }
        let mut diff = json!({});
        side(&mut diff, ("before", "dst"), before.unwrap_or_default());
        side(&mut diff, ("after", "src"), after);
        // A side that is not shown has no header either.
        if before.is_some() && diff.get("before").is_some() {
            diff["before_header"] = headers.0.into();
        }
        if diff.get("after").is_some() {
            diff["after_header"] = headers.1.into();
        }
        diff
    }
}

fn side(diff: &mut Value, (name, kind): (&str, &str), bytes: &[u8]) {
    if bytes.len() > LARGEST {
        diff[format!("{kind}_larger")] = LARGEST.into();
    } else if bytes.contains(&0) {
        diff[format!("{kind}_binary")] = 1.into();
    } else {
        diff[name] = String::from_utf8_lossy(bytes).into_owned().into();
    }
}
