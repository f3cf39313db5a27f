//! `version`: comparing version numbers in four ways.
//!
//! Knows loose and strict numbers (of Python's `distutils`), semantic versions and PEP 440.

use std::cmp::Ordering;

use davit_value::{Value, ValueError};

use crate::Call;
use crate::filters::pattern::{Flags, Pattern};

/// What is wrong with a version.
fn refuse(why: impl std::fmt::Display) -> ValueError {
    ValueError::Value(format!("Version comparison failed: {why}"))
}

/// Numbers and words of a loose version.
#[must_use]
pub fn loose_parts(text: &str) -> Vec<Value> {
    let kind = |char: char| match char {
        '0'..='9' => 0,
        'a'..='z' => 1,
        '.' => 2,
        _ => 3,
    };
    let mut parts: Vec<String> = Vec::new();
    let mut last = 2;
    for char in text.chars() {
        let this = kind(char);
        match parts.last_mut() {
            Some(part) if this == last && this != 2 => part.push(char),
            _ if this == 2 => {}
            _ => parts.push(char.to_string()),
        }
        last = this;
    }
    parts
        .into_iter()
        .map(|part| match part.parse::<i128>() {
            Ok(number) if part.bytes().all(|byte| byte.is_ascii_digit()) => Value::Int(number),
            _ => part.into(),
        })
        .collect()
}

/// Compares loosely: number by number, word by word.
///
/// # Errors
/// Where a number meets a word, as Python has it.
pub fn compare_loose(a: &str, b: &str) -> Result<Ordering, ValueError> {
    Value::list(loose_parts(a)).compare(&Value::list(loose_parts(b)), "<")
}

/// Three numbers, and the letter and number of a pre-release.
type Strict = (Vec<u64>, Option<(char, u64)>);

fn strict(text: &str) -> Result<Strict, ValueError> {
    let bad = || refuse(format!("invalid version number '{text}'"));
    let at = text.find(['a', 'b']);
    let (numbers, pre) = match at {
        Some(at) => {
            let (numbers, pre) = text.split_at(at);
            let mut chars = pre.chars();
            let letter = chars.next().ok_or_else(bad)?;
            (numbers, Some((letter, chars.as_str().parse::<u64>().map_err(|_| bad())?)))
        }
        None => (text, None),
    };
    let digits = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u64>().ok()).flatten()
    };
    let mut found: Vec<u64> =
        numbers.split('.').map(|part| digits(part).ok_or_else(bad)).collect::<Result<_, _>>()?;
    if !(2..=3).contains(&found.len()) {
        return Err(bad());
    }
    found.resize(3, 0);
    Ok((found, pre))
}

/// Versions without a pre-release are later than those with one.
fn later_without<T: Ord>(a: Option<&T>, b: Option<&T>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => a.cmp(b),
    }
}

#[derive(PartialEq, Eq)]
enum Part {
    Number(u128),
    Word(String),
}

impl Ord for Part {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.cmp(b),
            (Self::Number(_), Self::Word(_)) => Ordering::Less,
            (Self::Word(_), Self::Number(_)) => Ordering::Greater,
            (Self::Word(a), Self::Word(b)) => a.cmp(b),
        }
    }
}

impl PartialOrd for Part {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn semantic(text: &str) -> Result<(Vec<u128>, Option<Vec<Part>>), ValueError> {
    let bad = || refuse(format!("invalid semantic version '{text}'"));
    let (front, build) =
        text.split_once('+').map_or((text, None), |(front, build)| (front, Some(build)));
    let (core, pre) = front.split_once('-').map_or((front, None), |(core, pre)| (core, Some(pre)));
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if build.is_some_and(|build| !build.split('.').all(word)) {
        return Err(bad());
    }
    let number = |part: &str| {
        let plain = part == "0" || !part.starts_with('0');
        (plain && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u128>().ok())
            .flatten()
    };
    let numbers: Vec<u128> =
        core.split('.').map(|part| number(part).ok_or_else(bad)).collect::<Result<_, _>>()?;
    if numbers.len() != 3 {
        return Err(bad());
    }
    let pre = match pre {
        None => None,
        Some(pre) => Some(
            pre.split('.')
                .map(|part| {
                    if !word(part) {
                        return Err(bad());
                    }
                    if part.bytes().all(|byte| byte.is_ascii_digit()) {
                        return number(part).map(Part::Number).ok_or_else(bad);
                    }
                    Ok(Part::Word(part.to_owned()))
                })
                .collect::<Result<Vec<_>, _>>()?,
        ),
    };
    Ok((numbers, pre))
}

/// The order of a PEP 440 version, most significant first.
type Pep440 = (u128, Vec<u128>, (i8, u8, u128), i128, u128, Vec<(u8, u128, String)>);

const PEP440: &str = r"(?i)^\s*v?(?:(?P<epoch>[0-9]+)!)?(?P<release>[0-9]+(?:\.[0-9]+)*)(?P<pre>[-_.]?(?P<pre_l>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre_n>[0-9]+)?)?(?P<post>(?:-(?P<post_n1>[0-9]+))|(?:[-_.]?(?P<post_l>post|rev|r)[-_.]?(?P<post_n2>[0-9]+)?))?(?P<dev>[-_.]?(?P<dev_l>dev)[-_.]?(?P<dev_n>[0-9]+)?)?(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*$";

fn pep440(text: &str) -> Result<Pep440, ValueError> {
    let pattern = Pattern::new(PEP440, Flags::default())?;
    let found = pattern
        .find_from(text, 0)?
        .ok_or_else(|| refuse(format!("Invalid version: {}", Value::from(text).repr())))?;
    let part = |name: &str| found.name(name).map(|it| it.as_str());
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u128>().ok()).unwrap_or(0);
    let mut release: Vec<u128> =
        part("release").unwrap_or("0").split('.').map(|it| number(Some(it))).collect();
    while release.len() > 1 && release.last() == Some(&0) {
        release.pop();
    }
    let (post, dev) = (part("post").is_some(), part("dev").is_some());
    let pre = match part("pre_l").map(str::to_ascii_lowercase).as_deref() {
        Some("a" | "alpha") => (0, 0, number(part("pre_n"))),
        Some("b" | "beta") => (0, 1, number(part("pre_n"))),
        Some(_) => (0, 2, number(part("pre_n"))),
        // A bare development release comes before every pre-release.
        None if !post && dev => (-1, 0, 0),
        None => (1, 0, 0),
    };
    let post = if post {
        i128::try_from(number(part("post_n1").or_else(|| part("post_n2")))).unwrap_or(0)
    } else {
        -1
    };
    let dev = if dev { number(part("dev_n")) } else { u128::MAX };
    let local = part("local").unwrap_or("").to_ascii_lowercase();
    let local = local
        .split(['-', '_', '.'])
        .filter(|part| !part.is_empty())
        .map(|part| match part.parse::<u128>() {
            Ok(number) => (1, number, String::new()),
            Err(_) => (0, 0, part.to_owned()),
        })
        .collect();
    Ok((number(part("epoch")), release, pre, post, dev, local))
}

fn order(kind: &str, a: &str, b: &str) -> Result<Ordering, ValueError> {
    Ok(match kind {
        "strict" => {
            let ((a, a_pre), (b, b_pre)) = (strict(a)?, strict(b)?);
            a.cmp(&b).then_with(|| later_without(a_pre.as_ref(), b_pre.as_ref()))
        }
        "semver" | "semantic" => {
            let ((a, a_pre), (b, b_pre)) = (semantic(a)?, semantic(b)?);
            a.cmp(&b).then_with(|| later_without(a_pre.as_ref(), b_pre.as_ref()))
        }
        "pep440" => pep440(a)?.cmp(&pep440(b)?),
        _ => compare_loose(a, b).map_err(refuse)?,
    })
}

pub(super) fn version(call: &Call<'_>) -> Result<Value, ValueError> {
    let bound = call.bind(
        "version_compare",
        &["value", "version", "operator", "strict", "version_type"],
        2,
    )?;
    let operator = bound.text_or(2, "eq");
    let empty = |at: usize| !bound.value(at).truthy().unwrap_or(false);
    if empty(0) {
        return Err(ValueError::Value("Input version value cannot be empty".into()));
    }
    if empty(1) {
        return Err(ValueError::Value(
            "Version parameter to compare against cannot be empty".into(),
        ));
    }
    let kind = bound.some(4).map(Value::to_str);
    if bound.some(3).is_some() && kind.is_some() {
        return Err(ValueError::Value("Cannot specify both 'strict' and 'version_type'".into()));
    }
    let kind = kind.unwrap_or_else(|| {
        if bound.truth(3, false).unwrap_or(false) { "strict".into() } else { "loose".into() }
    });
    if !matches!(kind.as_str(), "loose" | "strict" | "semver" | "semantic" | "pep440") {
        return Err(ValueError::Value(format!(
            "Invalid version type ({kind}). Must be one of 'loose', 'strict', 'semver', 'semantic', 'pep440'"
        )));
    }
    let wanted: fn(Ordering) -> bool = match operator.as_str() {
        "==" | "=" | "eq" => Ordering::is_eq,
        "<" | "lt" => Ordering::is_lt,
        "<=" | "le" => Ordering::is_le,
        ">" | "gt" => Ordering::is_gt,
        ">=" | "ge" => Ordering::is_ge,
        "!=" | "<>" | "ne" => Ordering::is_ne,
        _ => {
            return Err(ValueError::Value(format!(
                "Invalid operator type ({operator}). Must be one of '==', '=', 'eq', '<', 'lt', '<=', 'le', '>', 'gt', '>=', 'ge', '!=', '<>', 'ne'"
            )));
        }
    };
    Ok(wanted(order(&kind, &bound.text(0), &bound.text(1))?).into())
}

#[cfg(test)]
mod tests {
    use super::order;
    use std::cmp::Ordering::{self, Equal, Greater, Less};

    #[test]
    fn orders_as_the_originals() {
        let check = |kind: &str, a: &str, b: &str, expect: Ordering| {
            assert_eq!(order(kind, a, b).unwrap(), expect, "{kind}: {a} {b}");
        };
        check("loose", "1.10", "1.9", Greater);
        check("loose", "1.0", "1.0.0", Less);
        check("loose", "1.0-rc1", "1.0", Greater);
        check("strict", "1.2b3", "1.2a3", Greater);
        check("strict", "1.2", "1.2b1", Greater);
        check("semver", "1.0.0-rc.1", "1.0.0", Less);
        check("semver", "1.0.0-alpha.1", "1.0.0-alpha.beta", Less);
        check("semver", "1.0.0+b1", "1.0.0", Equal);
        check("pep440", "1.0.0a1", "1.0.0", Less);
        check("pep440", "1!1.0", "2.0", Greater);
        check("pep440", "1.0.post1", "1.0", Greater);
        check("pep440", "1.0.dev1", "1.0a1", Less);
        check("pep440", "1.0+local", "1.0", Greater);
        assert!(order("pep440", "x", "1").is_err());
        assert!(order("loose", "a", "1").is_err());
    }
}
