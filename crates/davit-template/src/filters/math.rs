//! Numbers: Jinja2's conversions and rounding, powers and logarithms, sizes in bytes and bits.
//!
//! Knows integers of 128 bits and floats of 64; Python's integers have no bound.

use davit_value::{Value, ValueError};

use crate::Call;

type Answer = Result<Value, ValueError>;

pub(super) fn abs(call: &Call<'_>) -> Answer {
    if !call.args.named.is_empty() {
        return Err(ValueError::Type("abs() takes no keyword arguments".into()));
    }
    if call.args.positional.len() != 1 {
        return Err(ValueError::Type(format!(
            "abs() takes exactly one argument ({} given)",
            call.args.positional.len()
        )));
    }
    match call.input()? {
        Value::Int(int) => Ok(Value::Int(int.saturating_abs())),
        Value::Bool(bool) => Ok(Value::Int(i128::from(bool))),
        Value::Float(float) => Ok(Value::Float(float.abs())),
        other => {
            Err(ValueError::Type(format!("bad operand type for abs(): '{}'", other.type_name())))
        }
    }
}

/// Python's `int(text, base)`.
pub fn parse_int(text: &str, base: u32) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let prefixed = |prefix: &str| {
        lower.strip_prefix(prefix).map(|rest| rest.strip_prefix('_').unwrap_or(rest).to_owned())
    };
    let (digits, base) = match base {
        0 => match (prefixed("0x"), prefixed("0o"), prefixed("0b")) {
            (Some(rest), _, _) => (rest, 16),
            (_, Some(rest), _) => (rest, 8),
            (_, _, Some(rest)) => (rest, 2),
            _ if lower.starts_with('0')
                && lower.bytes().any(|byte| byte != b'0' && byte != b'_') =>
            {
                return None;
            }
            _ => (lower, 10),
        },
        16 => (prefixed("0x").unwrap_or(lower), 16),
        8 => (prefixed("0o").unwrap_or(lower), 8),
        2 => (prefixed("0b").unwrap_or(lower), 2),
        base @ 2..=36 => (lower, base),
        _ => return None,
    };
    if digits.is_empty()
        || digits.starts_with('_')
        || digits.ends_with('_')
        || digits.contains("__")
        || digits.starts_with(['+', '-'])
    {
        return None;
    }
    let size = i128::from_str_radix(&digits.replace('_', ""), base).ok()?;
    Some(if negative { -size } else { size })
}

/// Python's `float(text)`.
pub fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim().to_ascii_lowercase();
    let bare = text.trim_start_matches(['+', '-']);
    match bare {
        "inf" | "infinity" | "nan" => text.replace("infinity", "inf").parse().ok(),
        _ if bare.starts_with(|char: char| char.is_ascii_digit() || char == '.') => {
            if text.contains("__") || text.ends_with('_') {
                None
            } else {
                text.replace('_', "").parse().ok()
            }
        }
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "as Python truncates")]
fn truncated(float: f64) -> Option<i128> {
    (float.is_finite() && float.abs() < 1.7e38).then_some(float as i128)
}

pub(super) fn int(call: &Call<'_>) -> Answer {
    let bound = call.bind("do_int", &["value", "default", "base"], 1)?;
    let base = u32::try_from(bound.int(2, 10)?).unwrap_or(1);
    let found = match bound.value(0) {
        Value::Int(int) => Some(int),
        Value::Bool(bool) => Some(i128::from(bool)),
        Value::Float(float) => truncated(float),
        Value::Str(text) => {
            parse_int(&text, base).or_else(|| parse_float(&text).and_then(truncated))
        }
        _ => None,
    };
    Ok(found.map_or_else(|| bound.get(1).cloned().unwrap_or(Value::Int(0)), Value::Int))
}

pub(super) fn float(call: &Call<'_>) -> Answer {
    let bound = call.bind("do_float", &["value", "default"], 1)?;
    let value = bound.value(0);
    let found = value.as_number().or_else(|| value.as_str().and_then(parse_float));
    Ok(found.map_or_else(|| bound.get(1).cloned().unwrap_or(Value::Float(0.0)), Value::Float))
}

/// Rounds to `digits` decimals, half to even on the exact binary value, as Python does.
pub fn round_to(float: f64, digits: i128) -> f64 {
    if !float.is_finite() || digits > 300 {
        return float;
    }
    if let Ok(decimals) = usize::try_from(digits) {
        return format!("{float:.decimals$}").parse().unwrap_or(float);
    }
    let scale = 10_f64.powi(i32::try_from(-digits).unwrap_or(400));
    if scale.is_finite() { (float / scale).round_ties_even() * scale } else { 0.0 * float }
}

fn round_int(int: i128, digits: i128) -> i128 {
    let Some(scale) = u32::try_from(-digits).ok().and_then(|power| 10_i128.checked_pow(power))
    else {
        return if digits >= 0 { int } else { 0 };
    };
    let (down, rest) = (int.div_euclid(scale), int.rem_euclid(scale));
    let up = rest * 2 > scale || rest * 2 == scale && down % 2 != 0;
    down.saturating_add(i128::from(up)).saturating_mul(scale)
}

pub(super) fn round(call: &Call<'_>) -> Answer {
    let bound = call.bind("do_round", &["value", "precision", "method"], 1)?;
    let method = bound.text_or(2, "common");
    let digits = bound.int(1, 0)?;
    let value = bound.value(0);
    if method == "common" {
        return match &value {
            Value::Int(int) => Ok(Value::Int(round_int(*int, digits))),
            Value::Bool(bool) => Ok(Value::Int(round_int(i128::from(*bool), digits))),
            Value::Float(float) => Ok(Value::Float(round_to(*float, digits))),
            other => Err(ValueError::Type(format!(
                "type {} doesn't define __round__ method",
                other.type_name()
            ))),
        };
    }
    if method != "ceil" && method != "floor" {
        return Err(ValueError::Value("method must be common, ceil or floor".into()));
    }
    let scale = 10_f64.powi(i32::try_from(digits).unwrap_or(0));
    let Some(float) = value.as_number() else {
        return Err(ValueError::Type(format!(
            "unsupported operand type(s) for *: '{}' and 'float'",
            value.type_name()
        )));
    };
    let scaled = float * scale;
    Ok(Value::Float((if method == "ceil" { scaled.ceil() } else { scaled.floor() }) / scale))
}

fn number(value: &Value, what: &str) -> Result<f64, ValueError> {
    value.as_number().ok_or_else(|| {
        ValueError::Type(format!(
            "{what}() can only be used on numbers: must be real number, not {}",
            value.type_name()
        ))
    })
}

fn domain(prefix: &str) -> ValueError {
    ValueError::Value(format!("{prefix}math domain error"))
}

pub(super) fn log(call: &Call<'_>) -> Answer {
    let bound = call.bind("logarithm", &["x", "base"], 1)?;
    let x = number(&bound.value(0), "log")?;
    let base = bound.get(1).map(|base| number(base, "log")).transpose()?;
    if x <= 0.0 || base.is_some_and(|base| base <= 0.0) {
        return Err(domain(""));
    }
    Ok(Value::Float(match base {
        None => x.ln(),
        Some(10.0) => x.log10(),
        Some(1.0) => return Err(ValueError::ZeroDivision("float division by zero".into())),
        Some(base) => x.ln() / base.ln(),
    }))
}

fn power_of(x: f64, y: f64) -> Option<f64> {
    let result = x.powf(y);
    let bad = result.is_nan() && !x.is_nan() && !y.is_nan() || x == 0.0 && y < 0.0;
    (!bad).then_some(result)
}

pub(super) fn pow(call: &Call<'_>) -> Answer {
    let bound = call.bind("power", &["x", "y"], 2)?;
    let (x, y) = (number(&bound.value(0), "pow")?, number(&bound.value(1), "pow")?);
    let result = power_of(x, y).ok_or_else(|| domain(""))?;
    if result.is_infinite() && x.is_finite() && y.is_finite() {
        return Err(ValueError::Value("math range error".into()));
    }
    Ok(Value::Float(result))
}

pub(super) fn root(call: &Call<'_>) -> Answer {
    let bound = call.bind("inversepower", &["x", "base"], 1)?;
    let x = number(&bound.value(0), "root")?;
    let base = bound.get(1).map_or(Ok(2.0), |base| number(base, "root"))?;
    if base == 2.0 {
        return if x < 0.0 {
            Err(domain("root() can only be used on numbers: "))
        } else {
            Ok(Value::Float(x.sqrt()))
        };
    }
    if base == 0.0 {
        return Err(ValueError::ZeroDivision("float division by zero".into()));
    }
    power_of(x, 1.0 / base)
        .map(Value::Float)
        .ok_or_else(|| domain("root() can only be used on numbers: "))
}

pub(super) fn filesizeformat(call: &Call<'_>) -> Answer {
    let bound = call.bind("do_filesizeformat", &["value", "binary"], 1)?;
    let value = bound.value(0);
    let bytes = match &value {
        Value::Str(text) => parse_float(text).ok_or_else(|| {
            ValueError::Value(format!("could not convert string to float: {}", value.repr()))
        })?,
        other => other.as_number().ok_or_else(|| {
            ValueError::Type(format!(
                "float() argument must be a string or a real number, not '{}'",
                other.type_name()
            ))
        })?,
    };
    let binary = bound.truth(1, false)?;
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    if bytes == 1.0 {
        return Ok("1 Byte".into());
    }
    if bytes < base {
        return Ok(format!("{bytes:.0} Bytes").into());
    }
    let units = if binary {
        ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]
    } else {
        ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]
    };
    let mut size = base;
    let mut shown = String::new();
    for unit in units {
        size *= base;
        shown = format!("{:.1} {unit}", base * bytes / size);
        if bytes < size {
            break;
        }
    }
    Ok(shown.into())
}

const UNITS: [(&str, u32); 9] =
    [("Y", 8), ("Z", 7), ("E", 6), ("P", 5), ("T", 4), ("G", 3), ("M", 2), ("K", 1), ("B", 0)];

pub(super) fn human_readable(call: &Call<'_>) -> Answer {
    let bound = call.bind("human_readable", &["size", "isbits", "unit"], 1)?;
    let value = bound.value(0);
    let Some(size) = value.as_number() else {
        return Err(ValueError::Type(format!(
            "human_readable() failed on bad input: '>=' not supported between instances of '{}' and 'int'",
            value.type_name()
        )));
    };
    let base = if bound.truth(1, false)? { "bits" } else { "Bytes" };
    let unit = bound.some(2).map(Value::to_str);
    let (mut suffix, mut limit) = ("B", 1.0);
    for (name, power) in UNITS {
        (suffix, limit) = (name, 1024_f64.powi(power.cast_signed()));
        let hit = match &unit {
            None => size >= limit,
            Some(unit) => unit.to_uppercase().starts_with(name),
        };
        if hit {
            break;
        }
    }
    let text = if limit == 1.0 { base.to_owned() } else { format!("{suffix}{}", &base[..1]) };
    Ok(format!("{:.2} {text}", size / limit).into())
}

/// Why a size cannot be read.
fn refuse(why: String) -> ValueError {
    ValueError::Value(format!("human_to_bytes() can't interpret the input: {why}"))
}

/// Reads `10M`, `1.5 GB`, `5Mb` (bits) as a number of bytes or bits.
///
/// # Errors
/// For text that is no number with a unit.
pub fn size_of(text: &str, default_unit: Option<&str>, bits: bool) -> Result<i128, ValueError> {
    let trimmed = text.trim_start();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let fraction = match trimmed[digits..].strip_prefix('.') {
        Some(rest) => rest.bytes().take_while(u8::is_ascii_digit).count(),
        None => 0,
    };
    let end = if fraction > 0 { digits + 1 + fraction } else { digits };
    let number = trimmed[..end].parse::<f64>().ok().filter(|_| end > 0);
    let rest = trimmed[end..].trim_start();
    let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let Some(number) = number.filter(|_| rest[letters..].is_empty()) else {
        return Err(refuse(format!("human_to_bytes() can't interpret following string: {text}")));
    };
    let unit = match (&rest[..letters], default_unit) {
        ("", Some(unit)) => unit,
        ("", None) => return Ok(rounded(number)),
        (unit, _) => unit,
    };
    let first =
        unit.chars().next().map(|char| char.to_ascii_uppercase().to_string()).unwrap_or_default();
    let Some((name, power)) = UNITS.iter().find(|(name, _)| *name == first) else {
        let names: Vec<&str> = UNITS.iter().map(|(name, _)| *name).collect();
        return Err(refuse(format!(
            "human_to_bytes() failed to convert {text} (unit = {unit}). The suffix must be one of {}",
            names.join(", ")
        )));
    };
    if !unit_is_good(unit, name, bits) {
        let (kind, noun) = if bits { ("b", "bit") } else { ("B", "byte") };
        let expected = if *name == "B" {
            format!("{kind} or {noun}")
        } else {
            format!("{name}{kind} or {name}")
        };
        return Err(refuse(format!(
            "human_to_bytes() failed to convert {text}. Value is not a valid string (expect {expected})"
        )));
    }
    Ok(rounded(number * 1024_f64.powi(power.cast_signed())))
}

/// `M`, `MB` (or `Mb` for bits), and words such as `Megabyte`; the case of the last letter counts.
fn unit_is_good(unit: &str, name: &str, bits: bool) -> bool {
    const WORDS: [(&str, &str); 8] = [
        ("Y", "Yotta"),
        ("Z", "Zetta"),
        ("E", "Exa"),
        ("P", "Peta"),
        ("T", "Tera"),
        ("G", "Giga"),
        ("M", "Mega"),
        ("K", "Kilo"),
    ];
    if unit.len() == 1 {
        return true;
    }
    let (noun, kind) = if bits { ("bit", "b") } else { ("byte", "B") };
    let lower = unit.to_ascii_lowercase();
    if name == "B" {
        return lower == noun;
    }
    let word = WORDS.iter().find(|(short, _)| *short == name).map_or("", |(_, word)| word);
    unit == format!("{name}{kind}") || lower == format!("{}{noun}", word.to_ascii_lowercase())
}

#[expect(clippy::cast_possible_truncation, reason = "sizes are far below the bound")]
fn rounded(number: f64) -> i128 {
    number.round_ties_even() as i128
}

pub(super) fn human_to_bytes(call: &Call<'_>) -> Answer {
    let bound = call.bind("human_to_bytes", &["size", "default_unit", "isbits"], 1)?;
    let unit = bound.some(1).map(Value::to_str);
    size_of(&bound.text(0), unit.as_deref(), bound.truth(2, false)?).map(Value::Int)
}

/// The name of a type as it shows inside templates, where containers have names of their own.
pub(super) fn whole_name(value: &Value) -> &'static str {
    match value {
        Value::List(_) => "_AnsibleLazyTemplateList",
        Value::Map(_) => "_AnsibleLazyTemplateDict",
        other => other.type_name(),
    }
}
