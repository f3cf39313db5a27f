//! `sequence`: numbers as text, in the forms of `with_sequence`.
//!
//! Knows no floats: every number is an integer.

use davit_value::{Map, Value, ValueError};

use super::parameters::{as_int, key_values, option, terms};
use crate::Call;
use crate::filters::pattern::{Flags, Pattern};
use crate::percent;

/// `4`, `5-8`, `2-10/2`, `4:host%02d`.
const SHORT: &str =
    r"^((0?x?[0-9a-f]+)\s*-)?\s*(0?x?[0-9a-f]+)\s*(/\s*(-?0?x?[0-9a-f]+))?\s*(:\s*(.+))?$";

/// Sequences longer than this are refused rather than built.
const MOST: i128 = 10_000_000;

#[derive(Default)]
struct Wanted {
    start: Option<i128>,
    end: Option<i128>,
    count: Option<i128>,
    stride: Option<i128>,
    format: Option<String>,
}

impl Wanted {
    fn set(&mut self, name: &str, value: &Value) -> Result<bool, ValueError> {
        let int = || as_int("sequence", name, value).map(Some);
        match name {
            "start" => self.start = int()?,
            "end" => self.end = int()?,
            "count" => self.count = int()?,
            "stride" => self.stride = int()?,
            "format" => self.format = Some(value.to_str()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn short(&mut self, text: &str) -> Result<bool, ValueError> {
        let pattern = Pattern::new(SHORT, Flags { ignore_case: true, multi_line: false })?;
        let Some(found) = pattern.find_from(text, 0)? else { return Ok(false) };
        for (group, name) in [(3, "end"), (2, "start"), (5, "stride"), (7, "format")] {
            if let Some(part) = found.get(group) {
                self.set(name, &part.as_str().into())?;
            }
        }
        Ok(true)
    }

    fn numbers(&self, out: &mut Vec<Value>) -> Result<(), ValueError> {
        let refuse = |why: &str| Err(ValueError::Value(why.to_owned()));
        let start = self.start.unwrap_or(1);
        let mut stride = self.stride.unwrap_or(1);
        let mut first = start;
        let end = match (self.count, self.end) {
            (None, None) => return refuse("must specify count or end in with_sequence"),
            (Some(_), Some(_)) => {
                return refuse("can't specify both count and end in with_sequence");
            }
            (Some(0), None) => {
                (first, stride) = (0, 0);
                0
            }
            (Some(count), None) => {
                start.saturating_add(count.saturating_mul(stride)).saturating_sub(1)
            }
            (None, Some(end)) => end,
        };
        if stride > 0 && end < first {
            return refuse("to count backwards make stride negative");
        }
        if stride < 0 && end > first {
            return refuse("to count forward don't make stride negative");
        }
        let format = self.format.as_deref().unwrap_or("%d");
        if format.matches('%').count() != 1 {
            return Err(ValueError::Value(format!("bad formatting string: {format}")));
        }
        if stride == 0 {
            return Ok(());
        }
        let count = (end - first) / stride + 1;
        if count > MOST {
            return refuse("the sequence is too long");
        }
        for at in 0..count {
            let number = first + at * stride;
            let text = percent::format(format, &Value::Int(number)).map_err(|error| {
                ValueError::Value(format!(
                    "problem formatting {number} with {}: {error}",
                    Value::from(format).repr()
                ))
            })?;
            out.push(text.into());
        }
        Ok(())
    }
}

fn options(call: &Call<'_>) -> Result<Wanted, ValueError> {
    let mut wanted = Wanted::default();
    for name in ["start", "end", "count", "stride", "format"] {
        if let Some(value) = option(call, name)? {
            wanted.set(name, &value)?;
        }
    }
    Ok(wanted)
}

fn read(call: &Call<'_>, term: &Value) -> Result<Wanted, ValueError> {
    let mut wanted = options(call)?;
    let pairs: Vec<(String, Value)> = match term {
        Value::Map(map) => map.iter().map(|(key, value)| (key.to_text(), value.clone())).collect(),
        Value::Str(text) => {
            if wanted.short(text)? {
                return Ok(wanted);
            }
            let (raw, pairs) = key_values(text);
            let mut pairs: Vec<(String, Value)> =
                pairs.into_iter().map(|(key, value)| (key, value.into())).collect();
            if !raw.is_empty() {
                pairs.push(("_raw_params".into(), raw.into()));
            }
            pairs
        }
        other => {
            return Err(ValueError::Type(format!(
                "unknown error parsing with_sequence arguments: {}. Error was: expected string or bytes-like object, got '{}'",
                other.repr(),
                other.type_name()
            )));
        }
    };
    let mut unknown = Vec::new();
    for (name, value) in &pairs {
        if !wanted.set(name, value)? {
            unknown.push(Value::from(name.as_str()));
        }
    }
    if unknown.is_empty() {
        return Ok(wanted);
    }
    Err(ValueError::Value(format!(
        "unrecognized arguments to with_sequence: {}",
        Value::list(unknown).repr()
    )))
}

pub(super) fn sequence(call: &Call<'_>) -> Result<Value, ValueError> {
    let mut out = Vec::new();
    let terms = terms(call)?;
    if terms.is_empty() && !Map::is_empty(&call.args.named) {
        options(call)?.numbers(&mut out)?;
    }
    for term in &terms {
        read(call, term)?.numbers(&mut out)?;
    }
    Ok(Value::list(out))
}
