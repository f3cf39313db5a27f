//! Python's `str.format`: replacement fields and the format mini-language.

use davit_value::{Args, Value, ValueError};

/// The part of a replacement field after its colon.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spec {
    pub(crate) fill: Option<char>,
    pub(crate) align: Option<char>,
    pub(crate) sign: Option<char>,
    pub(crate) alternate: bool,
    pub(crate) zero: bool,
    pub(crate) width: usize,
    pub(crate) grouping: Option<char>,
    pub(crate) precision: Option<usize>,
    pub(crate) kind: Option<char>,
}

/// Looks members of values up, as a template would.
pub(crate) type Lookup<'a> = &'a dyn Fn(&Value, &str, bool) -> Result<Value, ValueError>;

/// `text.format(*args.positional, **args.named)`.
pub(crate) fn format(text: &str, args: &Args, lookup: Lookup<'_>) -> Result<String, ValueError> {
    let mut state = State { args, lookup, next: 0, manual: false };
    state.format(text, 2)
}

struct State<'a> {
    args: &'a Args,
    lookup: Lookup<'a>,
    next: usize,
    manual: bool,
}

impl State<'_> {
    fn format(&mut self, text: &str, depth: usize) -> Result<String, ValueError> {
        let bad = |message: &str| ValueError::Value(message.to_owned());
        if depth == 0 {
            return Err(bad("Max string recursion exceeded"));
        }
        let mut out = String::with_capacity(text.len() + 16);
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            out.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            let after = &rest[at + 1..];
            if after.starts_with(brace) {
                out.push_str(brace);
                rest = &after[1..];
                continue;
            }
            if brace == "}" {
                return Err(bad("Single '}' encountered in format string"));
            }
            if after.is_empty() {
                return Err(bad("Single '{' encountered in format string"));
            }
            let mut level = 1;
            let end = after
                .char_indices()
                .find(|(_, char)| {
                    match char {
                        '{' => level += 1,
                        '}' => level -= 1,
                        _ => {}
                    }
                    level == 0
                })
                .map(|(end, _)| end)
                .ok_or_else(|| bad("expected '}' before end of string"))?;
            out.push_str(&self.field(&after[..end], depth)?);
            rest = &after[end + 1..];
        }
        out.push_str(rest);
        Ok(out)
    }

    fn field(&mut self, field: &str, depth: usize) -> Result<String, ValueError> {
        let name_end = {
            let mut in_brackets = false;
            field
                .char_indices()
                .find(|(_, char)| {
                    match char {
                        '[' => in_brackets = true,
                        ']' => in_brackets = false,
                        _ => {}
                    }
                    !in_brackets && matches!(char, '!' | ':')
                })
                .map_or(field.len(), |(at, _)| at)
        };
        let value = self.value(&field[..name_end])?;
        let mut rest = &field[name_end..];
        let mut value = value;
        if let Some(after) = rest.strip_prefix('!') {
            let conversion = after.chars().next().ok_or_else(|| {
                ValueError::Value("end of string while looking for conversion specifier".into())
            })?;
            value = match conversion {
                's' => Value::from(value.to_str()),
                'r' | 'a' => Value::from(value.repr()),
                other => {
                    return Err(ValueError::Value(format!(
                        "Unknown conversion specifier '{other}'"
                    )));
                }
            };
            rest = &after[conversion.len_utf8()..];
        }
        let spec = rest.strip_prefix(':').unwrap_or_default();
        let spec = if spec.contains('{') { self.format(spec, depth - 1)? } else { spec.to_owned() };
        format_value(&value, &spec)
    }

    fn value(&mut self, name: &str) -> Result<Value, ValueError> {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (first, mut path) = name.split_at(end);
        let mut value = if first.is_empty() || first.bytes().all(|byte| byte.is_ascii_digit()) {
            let index = if first.is_empty() {
                if self.manual {
                    return Err(ValueError::Value("cannot switch from manual field specification to automatic field numbering".into()));
                }
                self.next += 1;
                self.next - 1
            } else {
                if self.next > 0 {
                    return Err(ValueError::Value("cannot switch from automatic field numbering to manual field specification".into()));
                }
                self.manual = true;
                first.parse().unwrap_or(usize::MAX)
            };
            self.args.positional.get(index).cloned().ok_or_else(|| {
                ValueError::Value(format!(
                    "Replacement index {index} out of range for positional args tuple"
                ))
            })?
        } else {
            self.args
                .named
                .get(first)
                .cloned()
                .ok_or_else(|| ValueError::Value(Value::from(first).repr()))?
        };
        while !path.is_empty() {
            if let Some(after) = path.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                value = (self.lookup)(&value, &after[..end], true)?;
                path = &after[end..];
            } else if let Some(after) = path.strip_prefix('[') {
                let end = after
                    .find(']')
                    .ok_or_else(|| ValueError::Value("Missing ']' in format string".into()))?;
                value = (self.lookup)(&value, &after[..end], false)?;
                path = &after[end + 1..];
            } else {
                return Err(ValueError::Value(
                    "Only '.' or '[' may follow ']' in format field specifier".into(),
                ));
            }
        }
        match value {
            Value::Undefined(what) => Err(ValueError::Undefined(what)),
            value => Ok(value),
        }
    }
}

impl Spec {
    fn parse(text: &str, type_name: &str) -> Result<Self, ValueError> {
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        let mut spec = Self::default();
        let is_align =
            |char: Option<&char>| char.is_some_and(|char| matches!(char, '<' | '>' | '=' | '^'));
        if is_align(chars.get(1)) {
            spec.fill = chars.first().copied();
            spec.align = chars.get(1).copied();
            at = 2;
        } else if is_align(chars.first()) {
            spec.align = chars.first().copied();
            at = 1;
        }
        if let Some(sign) = chars.get(at).filter(|char| matches!(char, '+' | '-' | ' ')) {
            spec.sign = Some(*sign);
            at += 1;
        }
        if chars.get(at) == Some(&'#') {
            spec.alternate = true;
            at += 1;
        }
        if chars.get(at) == Some(&'0') {
            spec.zero = true;
            at += 1;
        }
        let number = |at: &mut usize| -> Result<Option<usize>, ValueError> {
            let start = *at;
            while chars.get(*at).is_some_and(char::is_ascii_digit) {
                *at += 1;
            }
            if start == *at {
                return Ok(None);
            }
            let digits: String = chars[start..*at].iter().collect();
            match digits.parse::<usize>() {
                Ok(size) if size <= 1_000_000 => Ok(Some(size)),
                _ => Err(ValueError::Value("Too many decimal digits in format string".into())),
            }
        };
        spec.width = number(&mut at)?.unwrap_or(0);
        if let Some(grouping) = chars.get(at).filter(|char| matches!(char, ',' | '_')) {
            spec.grouping = Some(*grouping);
            at += 1;
        }
        if chars.get(at) == Some(&'.') {
            at += 1;
            spec.precision =
                Some(number(&mut at)?.ok_or_else(|| {
                    ValueError::Value("Format specifier missing precision".into())
                })?);
        }
        if let Some(kind) = chars.get(at) {
            spec.kind = Some(*kind);
            at += 1;
        }
        if at < chars.len() {
            return Err(ValueError::Value(format!(
                "Invalid format specifier '{text}' for object of type '{type_name}'"
            )));
        }
        Ok(spec)
    }
}

/// `format(value, spec)`.
pub(crate) fn format_value(value: &Value, text: &str) -> Result<String, ValueError> {
    if text.is_empty() {
        return Ok(value.to_str());
    }
    if matches!(value, Value::Date(_) | Value::DateTime(..)) {
        return Ok(crate::methods::strftime(value, text));
    }
    let name = value.type_name();
    let spec = Spec::parse(text, name)?;
    match value {
        Value::Int(_) | Value::Bool(_) => format_int(value, &spec),
        Value::Float(float) => match spec.kind {
            None | Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%' | 'n') => {
                Ok(float_field(*float, &spec))
            }
            Some(kind) => Err(unknown(kind, name)),
        },
        Value::Str(text) => format_str(text, &spec),
        _ => {
            Err(ValueError::Type(format!("unsupported format string passed to {name}.__format__")))
        }
    }
}

fn unknown(kind: char, name: &str) -> ValueError {
    ValueError::Value(format!("Unknown format code '{kind}' for object of type '{name}'"))
}

/// An integer or a boolean.
fn format_int(value: &Value, spec: &Spec) -> Result<String, ValueError> {
    let int = match value {
        Value::Int(int) => *int,
        other => i128::from(other.as_bool() == Some(true)),
    };
    match spec.kind {
        None if matches!(value, Value::Bool(_)) && spec.align.is_none() && spec.width == 0 => {
            Ok(value.to_str())
        }
        None | Some('d' | 'b' | 'o' | 'x' | 'X' | 'n') => {
            if spec.precision.is_some() {
                return Err(ValueError::Value(
                    "Precision not allowed in integer format specifier".into(),
                ));
            }
            let kind = spec.kind.unwrap_or('d');
            let prefix = match kind {
                'b' if spec.alternate => "0b",
                'o' if spec.alternate => "0o",
                'x' if spec.alternate => "0x",
                'X' if spec.alternate => "0X",
                _ => "",
            };
            let digits = group_free_int(int.unsigned_abs(), kind, 0);
            Ok(number_field(
                int < 0,
                prefix,
                &digits,
                if matches!(kind, 'd' | 'n') { 3 } else { 4 },
                spec,
            ))
        }
        Some('c') => {
            let char = u32::try_from(int).ok().and_then(char::from_u32);
            let char =
                char.ok_or_else(|| ValueError::Value("%c arg not in range(0x110000)".into()))?;
            Ok(pad(
                &char.to_string(),
                spec.width,
                spec.align.unwrap_or('<'),
                spec.fill.unwrap_or(' '),
            ))
        }
        #[expect(clippy::cast_precision_loss, reason = "as Python does")]
        Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') => Ok(float_field(int as f64, spec)),
        Some(kind) => Err(unknown(kind, value.type_name())),
    }
}

fn format_str(text: &str, spec: &Spec) -> Result<String, ValueError> {
    if let Some(kind) = spec.kind.filter(|kind| *kind != 's') {
        return Err(unknown(kind, "str"));
    }
    if spec.align == Some('=') {
        return Err(ValueError::Value(
            "'=' alignment not allowed in string format specifier".into(),
        ));
    }
    if spec.sign.is_some() {
        return Err(ValueError::Value("Sign not allowed in string format specifier".into()));
    }
    let text: String = match spec.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text.to_string(),
    };
    let fill = spec.fill.unwrap_or(if spec.zero { '0' } else { ' ' });
    Ok(pad(&text, spec.width, spec.align.unwrap_or('<'), fill))
}

/// Digits of an integer in the base of `kind`, at least `least` of them.
pub(crate) fn group_free_int(int: u128, kind: char, least: usize) -> String {
    let digits = match kind {
        'b' => format!("{int:b}"),
        'o' => format!("{int:o}"),
        'x' => format!("{int:x}"),
        'X' => format!("{int:X}"),
        _ => int.to_string(),
    };
    let zeros = least.saturating_sub(digits.len());
    if zeros > 0 { "0".repeat(zeros) + &digits } else { digits }
}

fn float_field(float: f64, spec: &Spec) -> String {
    let negative = float.is_sign_negative() && !float.is_nan();
    let digits = match spec.kind {
        None if spec.precision.is_none() => Value::Float(float.abs()).repr(),
        None => {
            let text = float_text(float.abs(), spec, 'g');
            if text.contains(['.', 'e', 'n', 'i']) { text } else { format!("{text}.0") }
        }
        Some('%') => format!("{}%", float_text(float.abs() * 100.0, spec, 'f')),
        Some('n') => float_text(float.abs(), spec, 'g'),
        Some(kind) => float_text(float.abs(), spec, kind),
    };
    number_field(negative, "", &digits, 3, spec)
}

/// A float without its sign, in the notation `kind`.
pub(crate) fn float_text(float: f64, spec: &Spec, kind: char) -> String {
    if !float.is_finite() {
        let text = if float.is_nan() { "nan" } else { "inf" };
        return if kind.is_ascii_uppercase() { text.to_uppercase() } else { text.to_owned() };
    }
    let precision = spec.precision.unwrap_or(6).min(5_000);
    let text = match kind.to_ascii_lowercase() {
        'f' => format!("{float:.precision$}"),
        'e' => exponent_form(&format!("{float:.precision$e}")),
        _ => {
            let precision = precision.max(1);
            let scientific = format!("{float:.*e}", precision - 1);
            let exponent: i64 = scientific
                .split_once('e')
                .and_then(|(_, exponent)| exponent.parse().ok())
                .unwrap_or(0);
            let whole = i64::try_from(precision).unwrap_or(i64::MAX);
            if exponent < -4 || exponent >= whole {
                let (digits, tail) = scientific.split_once('e').unwrap_or((&scientific, "0"));
                let digits = if spec.alternate { digits } else { trim_zeros(digits) };
                exponent_form(&format!("{digits}e{tail}"))
            } else {
                let places = usize::try_from(whole - 1 - exponent).unwrap_or(0);
                let fixed = format!("{float:.places$}");
                if spec.alternate { fixed } else { trim_zeros(&fixed).to_owned() }
            }
        }
    };
    if kind.is_ascii_uppercase() { text.to_uppercase() } else { text }
}

fn trim_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

/// Rust's `1e5` to Python's `1e+05`.
fn exponent_form(text: &str) -> String {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

fn number_field(negative: bool, prefix: &str, digits: &str, group: usize, spec: &Spec) -> String {
    let mut head = String::new();
    match (negative, spec.sign) {
        (true, _) => head.push('-'),
        (false, Some(sign @ ('+' | ' '))) => head.push(sign),
        _ => {}
    }
    head.push_str(prefix);
    let whole = digits
        .find(|c: char| !c.is_ascii_alphanumeric() || (c == 'e' && group == 3))
        .unwrap_or(digits.len());
    let (whole, tail) = digits.split_at(whole);
    let zero_filled = spec.zero && spec.align.is_none();
    let mut grouped = match spec.grouping {
        Some(separator) => grouped(whole, separator, group),
        None => whole.to_owned(),
    };
    let align = spec.align.unwrap_or(if spec.zero { '=' } else { '>' });
    let fill = spec.fill.unwrap_or(if spec.zero { '0' } else { ' ' });
    let length = head.chars().count() + grouped.len() + tail.len();
    if align == '=' {
        let missing = spec.width.saturating_sub(length);
        if let (true, Some(separator)) = (zero_filled, spec.grouping) {
            let mut zeros = whole.to_owned();
            while head.len() + grouped.len() + tail.len() < spec.width {
                zeros.insert(0, '0');
                grouped = self::grouped(&zeros, separator, group);
            }
            return format!("{head}{grouped}{tail}");
        }
        let filling: String = std::iter::repeat_n(fill, missing).collect();
        return format!("{head}{filling}{grouped}{tail}");
    }
    pad(&format!("{head}{grouped}{tail}"), spec.width, align, fill)
}

fn grouped(digits: &str, separator: char, size: usize) -> String {
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(size) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}

/// Fills `text` up to `width` characters.
pub(crate) fn pad(text: &str, width: usize, align: char, fill: char) -> String {
    let missing = width.saturating_sub(text.chars().count());
    if missing == 0 {
        return text.to_owned();
    }
    let (left, right) = match align {
        '<' => (0, missing),
        '^' => (missing / 2, missing - missing / 2),
        _ => (missing, 0),
    };
    let mut out = String::with_capacity(text.len() + missing);
    out.extend(std::iter::repeat_n(fill, left));
    out.push_str(text);
    out.extend(std::iter::repeat_n(fill, right));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifications_work_as_in_python() {
        let cases: &[(Value, &str, &str)] = &[
            ("a".into(), ">8", "       a"),
            ("a".into(), "*^5", "**a**"),
            (Value::Float(2.71), "08.3f", "0002.710"),
            (Value::Int(1_234_567), ",", "1,234,567"),
            (Value::Int(255), "#x", "0xff"),
            (Value::Int(5), "+d", "+5"),
            (Value::Float(0.25), "%", "25.000000%"),
            (Value::Float(12345.678), "e", "1.234568e+04"),
            (Value::Int(-5), "05d", "-0005"),
            (Value::Float(2.0), "g", "2"),
            (Value::Int(1234), "010,", "00,001,234"),
            (Value::Float(1234.5), ",.2f", "1,234.50"),
        ];
        for (value, spec, expected) in cases {
            assert_eq!(format_value(value, spec).expect(spec), *expected, "{spec}");
        }
    }
}
