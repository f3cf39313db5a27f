//! Python's `%` formatting of strings.

use davit_value::{Value, ValueError};

use crate::format::{Spec, float_text, group_free_int, pad};

/// One conversion as written: `%(name)-08.3f`.
struct Conversion {
    name: Option<String>,
    alternate: bool,
    zero: bool,
    left: bool,
    space: bool,
    plus: bool,
    width: usize,
    precision: Option<usize>,
    kind: char,
}

/// `format % arguments`.
pub(crate) fn format(format: &str, arguments: &Value) -> Result<String, ValueError> {
    let mut by_place: std::slice::Iter<'_, Value> = match arguments {
        Value::Tuple(list) => list.iter(),
        other => std::slice::from_ref(other).iter(),
    };
    let mut used_names = false;
    let mut out = String::with_capacity(format.len() + 16);
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let (conversion, after) = parse(&rest[at + 1..], &mut by_place)?;
        rest = after;
        if conversion.kind == '%' {
            out.push('%');
            continue;
        }
        let value = match &conversion.name {
            Some(name) => {
                used_names = true;
                let Value::Map(map) = arguments else {
                    return Err(ValueError::Type("format requires a mapping".into()));
                };
                map.get(name).ok_or_else(|| ValueError::Value(Value::from(name.as_str()).repr()))?
            }
            None => by_place
                .next()
                .ok_or_else(|| ValueError::Type("not enough arguments for format string".into()))?,
        };
        if let Value::Undefined(what) = value {
            return Err(ValueError::Undefined(what.clone()));
        }
        out.push_str(&convert(&conversion, value)?);
    }
    out.push_str(rest);
    let excused = used_names || matches!(arguments, Value::Map(_));
    if by_place.next().is_some() && !excused {
        return Err(ValueError::Type(
            "not all arguments converted during string formatting".into(),
        ));
    }
    Ok(out)
}

fn parse<'a>(
    text: &'a str,
    values: &mut std::slice::Iter<'_, Value>,
) -> Result<(Conversion, &'a str), ValueError> {
    let incomplete = || ValueError::Value("incomplete format".into());
    let mut rest = text;
    let mut it = Conversion {
        name: None,
        alternate: false,
        zero: false,
        left: false,
        space: false,
        plus: false,
        width: 0,
        precision: None,
        kind: 's',
    };
    if let Some(after) = rest.strip_prefix('(') {
        let end =
            after.find(')').ok_or_else(|| ValueError::Value("incomplete format key".into()))?;
        it.name = Some(after[..end].to_owned());
        rest = &after[end + 1..];
    }
    while let Some(flag) = rest.chars().next() {
        match flag {
            '#' => it.alternate = true,
            '0' => it.zero = true,
            '-' => it.left = true,
            ' ' => it.space = true,
            '+' => it.plus = true,
            _ => break,
        }
        rest = &rest[1..];
    }
    let mut number = |rest: &mut &'a str| -> Result<Option<i128>, ValueError> {
        if let Some(after) = rest.strip_prefix('*') {
            *rest = after;
            return match values.next() {
                Some(Value::Int(int)) => Ok(Some(*int)),
                Some(_) => Err(ValueError::Type("* wants int".into())),
                None => Err(ValueError::Type("not enough arguments for format string".into())),
            };
        }
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let digits = &rest[..length];
        *rest = &rest[length..];
        Ok(if digits.is_empty() { None } else { Some(digits.parse().unwrap_or(i128::MAX)) })
    };
    let bounded = |size: i128| {
        usize::try_from(size)
            .ok()
            .filter(|size| *size <= 1_000_000)
            .ok_or_else(|| ValueError::Value("width too big".into()))
    };
    if let Some(width) = number(&mut rest)? {
        it.left |= width < 0;
        it.width = bounded(width.saturating_abs())?;
    }
    if let Some(after) = rest.strip_prefix('.') {
        rest = after;
        it.precision = Some(bounded(number(&mut rest)?.unwrap_or(0).max(0))?);
    }
    rest = rest.trim_start_matches(['h', 'l', 'L']);
    it.kind = rest.chars().next().ok_or_else(incomplete)?;
    if !"diouxXeEfFgGcrsa%".contains(it.kind) {
        return Err(ValueError::Value(format!(
            "unsupported format character '{}' (0x{:x}) at index {}",
            it.kind,
            it.kind as u32,
            text.len() - rest.len() + 1
        )));
    }
    let rest = &rest[it.kind.len_utf8()..];
    Ok((it, rest))
}

fn convert(it: &Conversion, value: &Value) -> Result<String, ValueError> {
    let sign = if it.plus {
        Some('+')
    } else if it.space {
        Some(' ')
    } else {
        None
    };
    let number_needed = |what: &str| {
        ValueError::Type(format!(
            "%{} format: {what} is required, not {}",
            it.kind,
            value.type_name()
        ))
    };
    let text = match it.kind {
        's' | 'r' | 'a' => {
            let text = if it.kind == 's' { value.to_str() } else { value.repr() };
            match it.precision {
                Some(precision) => text.chars().take(precision).collect(),
                None => text,
            }
        }
        'c' => match value {
            Value::Int(code) => u32::try_from(*code)
                .ok()
                .and_then(char::from_u32)
                .map(String::from)
                .ok_or_else(|| ValueError::Value("%c arg not in range(0x110000)".into()))?,
            Value::Str(text) if text.chars().count() == 1 => text.to_string(),
            _ => return Err(ValueError::Type("%c requires int or char".into())),
        },
        'd' | 'i' | 'u' | 'o' | 'x' | 'X' => {
            let int = match value {
                Value::Int(int) => *int,
                Value::Bool(bool) => i128::from(*bool),
                #[expect(clippy::cast_possible_truncation, reason = "as Python truncates")]
                Value::Float(float) if matches!(it.kind, 'd' | 'i' | 'u') && float.is_finite() => {
                    *float as i128
                }
                _ if matches!(it.kind, 'd' | 'i' | 'u') => {
                    return Err(number_needed("a real number"));
                }
                _ => return Err(number_needed("an integer")),
            };
            let digits = group_free_int(int.unsigned_abs(), it.kind, it.precision.unwrap_or(0));
            let prefix = match it.kind {
                'o' if it.alternate => "0o",
                'x' if it.alternate => "0x",
                'X' if it.alternate => "0X",
                _ => "",
            };
            return Ok(signed(it, int < 0, sign, prefix, &digits));
        }
        _ => {
            let float = match value {
                Value::Str(_) => None,
                other => other.as_number(),
            }
            .ok_or_else(|| {
                ValueError::Type(format!("must be real number, not {}", value.type_name()))
            })?;
            let spec = Spec {
                precision: it.precision,
                kind: Some(it.kind),
                alternate: it.alternate,
                ..Spec::default()
            };
            let digits = float_text(float.abs(), &spec, it.kind);
            return Ok(signed(it, float.is_sign_negative() && !float.is_nan(), sign, "", &digits));
        }
    };
    Ok(pad(&text, it.width, if it.left { '<' } else { '>' }, ' '))
}

fn signed(
    it: &Conversion,
    negative: bool,
    sign: Option<char>,
    prefix: &str,
    digits: &str,
) -> String {
    let mut head = String::new();
    match (negative, sign) {
        (true, _) => head.push('-'),
        (false, Some(sign)) => head.push(sign),
        (false, None) => {}
    }
    head.push_str(prefix);
    if it.zero && !it.left {
        let zeros = it.width.saturating_sub(head.len() + digits.len());
        return format!("{head}{}{digits}", "0".repeat(zeros));
    }
    pad(&format!("{head}{digits}"), it.width, if it.left { '<' } else { '>' }, ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_as_python_does() {
        let cases: &[(&str, Value, &str)] = &[
            ("%5s|%-5s|", Value::tuple(vec!["a".into(), "b".into()]), "    a|b    |"),
            ("%05d", Value::Int(42), "00042"),
            ("%+d", Value::Int(5), "+5"),
            ("%#x", Value::Int(255), "0xff"),
            ("%.2f%%", Value::Float(2.5), "2.50%"),
            ("%e", Value::Float(12345.678), "1.234568e+04"),
            ("%g", Value::Float(0.0001), "0.0001"),
            ("%.3d", Value::Int(5), "005"),
            ("%r", Value::from("q"), "'q'"),
        ];
        for (text, arguments, expected) in cases {
            assert_eq!(format(text, arguments).expect(text), *expected);
        }
    }

    #[test]
    fn refuses_in_pythons_words() {
        let message =
            |text: &str, arguments: Value| format(text, &arguments).expect_err(text).to_string();
        assert_eq!(message("%d", "a".into()), "%d format: a real number is required, not str");
        assert_eq!(message("%s %s", "a".into()), "not enough arguments for format string");
        assert_eq!(message("%q", "a".into()), "unsupported format character 'q' (0x71) at index 1");
    }
}
