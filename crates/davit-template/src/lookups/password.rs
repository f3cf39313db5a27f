//! `password`: a random password, kept in a file so that it is the same the next time.
//!
//! The file holds the password and, where it is used hashed, the salt: `secret salt=... ident=...`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use davit_value::{Map, Value, ValueError};

use super::files::opened;
use super::parameters::{as_int, option, terms, words};
use crate::Call;
use crate::call::items_of;
use crate::filters::hash::{PasswordOptions, hash_password, random_salt};
use crate::filters::random::Twister;

const OPTIONS: [&str; 5] = ["length", "encrypt", "chars", "ident", "seed"];

struct Wanted {
    path: String,
    length: usize,
    chars: Vec<char>,
    encrypt: Option<String>,
    ident: Option<String>,
    seed: Option<String>,
}

/// The letters that a name stands for, or the text itself.
fn letters(name: &str) -> String {
    const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
    const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const MARKS: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    match name {
        "ascii_letters" => format!("{LOWER}{UPPER}"),
        "ascii_lowercase" => LOWER.into(),
        "ascii_uppercase" => UPPER.into(),
        "digits" => "0123456789".into(),
        "hexdigits" => "0123456789abcdefABCDEF".into(),
        "octdigits" => "01234567".into(),
        "punctuation" => MARKS.into(),
        "whitespace" => " \t\n\r\x0b\x0c".into(),
        "printable" => format!("0123456789{LOWER}{UPPER}{MARKS} \t\n\r\x0b\x0c"),
        other => other.to_owned(),
    }
}

/// `a,b,,c`: two commas are a comma.
fn split_chars(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = text.to_owned();
    if rest.contains(",,") {
        out.push(",".to_owned());
        rest = rest.replace(",,", ",");
    }
    out.extend(rest.split(',').filter(|part| !part.is_empty()).map(str::to_owned));
    out
}

fn wanted(call: &Call<'_>, term: &str) -> Result<Wanted, ValueError> {
    let mut settings = Map::new();
    for name in OPTIONS {
        if let Some(value) = option(call, name)? {
            settings.insert(name, value);
        }
    }
    let mut path = Vec::new();
    let mut unknown = Vec::new();
    for word in words(term) {
        match word.split_once('=') {
            Some((name, value)) if OPTIONS.contains(&name) => {
                drop(settings.insert(name, value.into()));
            }
            Some((name, _)) if !path.is_empty() => unknown.push(name.to_owned()),
            _ => path.push(word),
        }
    }
    if !unknown.is_empty() {
        unknown.sort();
        return Err(ValueError::Value(format!(
            "Unrecognized parameter(s) given to password lookup: {}",
            unknown.join(", ")
        )));
    }
    let specs = match settings.get("chars") {
        Some(list @ (Value::List(_) | Value::Tuple(_))) => {
            items_of(list)?.iter().map(Value::to_str).collect()
        }
        Some(text) => split_chars(&text.to_str()),
        None => vec!["ascii_letters".into(), "digits".into(), ".,:-_".into()],
    };
    let chars: Vec<char> = specs
        .iter()
        .flat_map(|spec| letters(spec).chars().collect::<Vec<_>>())
        .filter(|char| !matches!(char, '"' | '\''))
        .collect();
    let length =
        settings.get("length").map_or(Ok(20), |value| as_int("password", "length", value))?;
    let text = |name: &str| settings.get(name).map(Value::to_str);
    Ok(Wanted {
        path: opened(call, &path.join(" ")),
        length: usize::try_from(length).unwrap_or(0).min(1 << 20),
        chars,
        encrypt: text("encrypt"),
        ident: text("ident"),
        seed: text("seed"),
    })
}

fn random_password(wanted: &Wanted) -> Result<String, ValueError> {
    if wanted.chars.is_empty() {
        return Err(ValueError::Value(
            "Available characters for password generation are empty".into(),
        ));
    }
    let mut twister = match &wanted.seed {
        Some(seed) => Twister::from_text(seed),
        None => Twister::unforeseen(),
    };
    Ok((0..wanted.length).map(|_| wanted.chars[twister.index(wanted.chars.len())]).collect())
}

/// The password, its salt and its variant, out of the file's text.
fn parse(text: &str) -> (String, Option<String>, Option<String>) {
    let text = text.trim_end_matches(['\n', '\r']);
    let (text, ident) = match text.rsplit_once(" ident=") {
        Some((front, ident)) => (front, Some(ident.to_owned())),
        None => (text, None),
    };
    match text.rsplit_once(" salt=") {
        Some((password, salt)) => (password.to_owned(), Some(salt.to_owned()), ident),
        None => (text.to_owned(), None, ident),
    }
}

fn write(path: &Path, text: &str) -> Result<(), ValueError> {
    let refuse = |error: std::io::Error| {
        ValueError::Value(format!(
            "cannot create the path for the password lookup: {} (error was {error})",
            path.display()
        ))
    };
    if let Some(parent) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(refuse)?;
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(refuse)?;
    file.write_all(format!("{text}\n").as_bytes()).map_err(refuse)
}

pub(super) fn password(call: &Call<'_>) -> Result<Value, ValueError> {
    let mut out = Vec::new();
    for term in terms(call)? {
        let wanted = wanted(call, &term.to_str())?;
        let path = call
            .env
            .outside
            .search_path
            .first()
            .unwrap_or(&call.env.outside.folder)
            .join(&wanted.path);
        let kept = wanted.path != "/dev/null";
        let known = if kept && path.exists() {
            Some(fs::read_to_string(&path).map_err(|error| {
                ValueError::Value(format!("cannot read {}: {error}", path.display()))
            })?)
        } else {
            None
        };
        let mut changed = known.is_none();
        let (plain, mut salt, mut ident) = match &known {
            Some(text) => parse(text),
            None => (random_password(&wanted)?, None, None),
        };
        call.env.outside.secret(&plain);
        let mut shown = plain.clone();
        if let Some(scheme) = &wanted.encrypt {
            if salt.is_none() {
                salt = Some(random_salt(scheme));
                changed = true;
            }
            if wanted.ident.is_some() && ident != wanted.ident {
                ident.clone_from(&wanted.ident);
                changed = true;
            }
            let options = PasswordOptions {
                salt: salt.clone(),
                ident: ident.clone(),
                ..PasswordOptions::default()
            };
            shown = hash_password(&plain, scheme, &options)?;
        }
        if changed && kept {
            let mut text = plain;
            if let Some(salt) = &salt {
                text.push_str(&format!(" salt={salt}"));
            }
            if let Some(ident) = &ident {
                text.push_str(&format!(" ident={ident}"));
            }
            write(&path, &text)?;
        }
        out.push(shown.into());
    }
    Ok(Value::list(out))
}
