//! Permission bits as users write them: octal, a number, or symbolic like `u=rwX,g-w`.

use serde_json::Value;

/// All bits that `chmod` can set.
const ALL: u32 = 0o7777;
/// The three bits that let someone run a file.
const EXECUTE: u32 = 0o111;

/// Permission bits as a user wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// These bits.
    Bits(i64),
    /// A change to the bits that are there: clauses, checked.
    Symbolic(String),
}

/// Why a text is not a mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModeError {
    /// A clause that is not one.
    #[error("bad symbolic permission for mode: {0}")]
    Symbolic(String),
    /// Neither a text nor a whole number.
    #[error("'{0}' object has no attribute 'split'")]
    Type(&'static str),
}

impl Mode {
    /// Reads what stands in an argument; `None` where it is empty.
    ///
    /// # Errors
    /// Where it is no mode.
    pub fn parse(value: &Value) -> Result<Option<Self>, ModeError> {
        match value {
            Value::Null => Ok(None),
            Value::Number(number) if number.is_f64() => Err(ModeError::Type("float")),
            Value::Number(number) => Ok(number.as_i64().map(Self::Bits)),
            Value::Bool(true) => Ok(Some(Self::Bits(1))),
            Value::Bool(false) => Ok(Some(Self::Bits(0))),
            Value::Array(_) => Err(ModeError::Type("list")),
            Value::Object(_) => Err(ModeError::Type("dict")),
            Value::String(text) if text.is_empty() => Ok(None),
            Value::String(text) => Self::parse_text(text).map(Some),
        }
    }

    fn parse_text(text: &str) -> Result<Self, ModeError> {
        if let Some(bits) = octal(text) {
            return Ok(Self::Bits(bits));
        }
        match clauses(text).find(|clause| parse_clause(clause).is_none()) {
            None => Ok(Self::Symbolic(text.to_owned())),
            Some(clause) => Err(ModeError::Symbolic(clause.to_owned())),
        }
    }

    /// The bits that come of it for something whose bits are `current`.
    #[must_use]
    pub fn apply(&self, current: u32, directory: bool, umask: u32) -> u32 {
        match self {
            Self::Bits(bits) => u32::try_from(bits & i64::from(ALL)).unwrap_or(ALL),
            Self::Symbolic(text) => {
                let clauses = clauses(text).filter_map(parse_clause);
                clauses.fold(current & ALL, |mode, clause| clause.apply(mode, directory, umask))
            }
        }
    }
}

/// An octal number as Python's `int(text, 8)` reads it.
fn octal(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.strip_prefix("0o").or(digits.strip_prefix("0O")).unwrap_or(digits);
    let digits = digits.trim_start_matches('_');
    let grouped =
        digits.split('_').all(|it| it.bytes().all(|it| it.is_ascii_digit()) && !it.is_empty());
    if !grouped {
        return None;
    }
    i64::from_str_radix(&digits.replace('_', ""), 8).ok().map(|it| it * sign)
}

/// What stands between commas; nothing at all changes nothing.
fn clauses(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|it| !it.is_empty())
}

/// `ug+rw-x`: who, and what is done to their bits.
struct Clause<'a> {
    users: &'a str,
    steps: Vec<(char, &'a str)>,
}

fn parse_clause(text: &str) -> Option<Clause<'_>> {
    let first = text.find(['+', '-', '='])?;
    let (users, mut rest) = text.split_at(first);
    if users != "a" && !users.chars().all(|it| "ugo".contains(it)) {
        return None;
    }
    let mut steps = Vec::new();
    while let Some(operator) = rest.chars().next() {
        let tail = &rest[1..];
        let end = tail.find(['+', '-', '=']).unwrap_or(tail.len());
        let (perms, after) = tail.split_at(end);
        if !perms.chars().all(|it| "rwxXstugo".contains(it)) {
            return None;
        }
        steps.push((operator, perms));
        rest = after;
    }
    Some(Clause { users, steps })
}

impl Clause<'_> {
    fn apply(&self, mut mode: u32, directory: bool, umask: u32) -> u32 {
        // With nobody named, everybody is meant, less what the umask keeps back.
        let keep = if self.users.is_empty() { umask } else { 0 };
        let users =
            if self.users.is_empty() || self.users.contains('a') { "ugo" } else { self.users };
        for (operator, perms) in &self.steps {
            let before = mode;
            for user in users.chars() {
                let bits = bits_of(user, perms, before, directory) & !keep;
                mode = match operator {
                    '+' => mode | bits,
                    '-' => mode & !bits,
                    _ => (mode & !mask_of(user)) | bits,
                };
            }
        }
        mode
    }
}

/// All the bits that belong to one of `u`, `g`, `o`.
fn mask_of(user: char) -> u32 {
    match user {
        'u' => 0o4700,
        'g' => 0o2070,
        _ => 0o1007,
    }
}

fn bits_of(user: char, perms: &str, mode: u32, directory: bool) -> u32 {
    let shift = match user {
        'u' => 6,
        'g' => 3,
        _ => 0,
    };
    perms.chars().fold(0, |bits, perm| {
        bits | match perm {
            'r' => 4 << shift,
            'w' => 2 << shift,
            'x' => 1 << shift,
            'u' => (mode >> 6 & 7) << shift,
            'g' => (mode >> 3 & 7) << shift,
            'o' => (mode & 7) << shift,
            'X' if directory || mode & EXECUTE != 0 => 1 << shift,
            's' if user == 'u' => 0o4000,
            's' if user == 'g' => 0o2000,
            't' if user == 'o' => 0o1000,
            _ => 0,
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, current: u32, directory: bool, expect: u32) {
        let mode = Mode::parse(&json!(text)).unwrap().unwrap();
        let got = mode.apply(current, directory, 0o022);
        assert_eq!(got, expect, "{text} on {current:o}: {got:o}");
    }

    #[test]
    fn modes_change_bits_as_the_original_does() {
        check("0644", 0o600, false, 0o644);
        check("0o644", 0o600, false, 0o644);
        check("u=rw,g=r,o=r", 0o644, false, 0o644);
        check("u+x,g-r,o=X", 0o644, false, 0o701);
        check("a=rX", 0o701, false, 0o555);
        check("+x", 0o555, false, 0o555);
        check("g=u", 0o555, false, 0o555);
        check("u+s,o+t", 0o555, false, 0o5555);
        check("u=rwX,g=X,o=", 0o700, true, 0o710);
        check("u=rw-x+X", 0o644, false, 0o644);
        check("u+x,,g-r", 0o644, false, 0o704);
        check("u=go", 0o742, false, 0o642);
        check("0_644", 0o600, false, 0o644);
    }

    #[test]
    fn what_is_no_mode_is_refused() {
        assert_eq!(Mode::parse(&json!("999")), Err(ModeError::Symbolic("999".into())));
        assert_eq!(Mode::parse(&json!("u+x, g+x")), Err(ModeError::Symbolic(" g+x".into())));
        assert_eq!(Mode::parse(&json!("ugoa=x")), Err(ModeError::Symbolic("ugoa=x".into())));
        assert_eq!(Mode::parse(&json!("u=rwz")), Err(ModeError::Symbolic("u=rwz".into())));
        assert_eq!(Mode::parse(&json!([1])), Err(ModeError::Type("list")));
        assert_eq!(Mode::parse(&json!(1.5)), Err(ModeError::Type("float")));
        assert_eq!(Mode::parse(&json!("")), Ok(None));
        assert_eq!(Mode::parse(&json!(420)), Ok(Some(Mode::Bits(0o644))));
    }
}
