//! Paths: Python's `os.path` and `ntpath`, and `fileglob`.
//!
//! Relative paths are taken from the folder in [`Outside`](crate::Outside), never from the process.

use std::path::{Component, Path, PathBuf};

use davit_value::{Value, ValueError};

use crate::Call;
use crate::call::items_of;

type Answer = Result<Value, ValueError>;

fn path_text(value: &Value) -> Result<String, ValueError> {
    match value {
        Value::Str(text) => Ok(text.to_string()),
        other => Err(ValueError::Type(format!(
            "expected str, bytes or os.PathLike object, not {}",
            other.type_name()
        ))),
    }
}

fn one(call: &Call<'_>, name: &'static str) -> Result<String, ValueError> {
    path_text(&call.bind(name, &["path"], 1)?.value(0))
}

fn split(path: &str) -> (&str, &str) {
    let at = path.rfind('/').map_or(0, |at| at + 1);
    let (head, tail) = path.split_at(at);
    let bare = head.trim_end_matches('/');
    (if bare.is_empty() { head } else { bare }, tail)
}

pub(super) fn basename(call: &Call<'_>) -> Answer {
    Ok(split(&one(call, "basename")?).1.into())
}

pub(super) fn dirname(call: &Call<'_>) -> Answer {
    Ok(split(&one(call, "dirname")?).0.into())
}

/// `~` and `~user` at the start, by `HOME` and the user database.
#[must_use]
pub fn expand_user(path: &str, home: Option<&str>) -> String {
    let Some(rest) = path.strip_prefix('~') else { return path.to_owned() };
    let (user, tail) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let home = if user.is_empty() {
        home.map(str::to_owned)
    } else {
        std::fs::read_to_string("/etc/passwd").ok().and_then(|users| {
            users.lines().find_map(|line| {
                let fields: Vec<&str> = line.split(':').collect();
                (fields.first() == Some(&user))
                    .then(|| fields.get(5).map(|home| (*home).to_owned()))
                    .flatten()
            })
        })
    };
    let Some(home) = home else { return path.to_owned() };
    let joined = format!("{}{tail}", home.trim_end_matches('/'));
    if joined.is_empty() { "/".into() } else { joined }
}

pub(super) fn expanduser(call: &Call<'_>) -> Answer {
    let home = call.env.outside.environment.get("HOME").map(String::as_str);
    Ok(expand_user(&one(call, "expanduser")?, home).into())
}

pub(super) fn expandvars(call: &Call<'_>) -> Answer {
    let path = one(call, "expandvars")?;
    let mut out = String::with_capacity(path.len());
    let mut rest = path.as_str();
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, length) = match after.strip_prefix('{') {
            Some(inner) => match inner.find('}') {
                Some(end) => (&inner[..end], end + 2),
                None => ("", 0),
            },
            None => {
                let end = after
                    .find(|char: char| !char.is_ascii_alphanumeric() && char != '_')
                    .unwrap_or(after.len());
                (&after[..end], end)
            }
        };
        match call.env.outside.environment.get(name) {
            Some(value) => out.push_str(value),
            None => out.push_str(&rest[at..=at + length]),
        }
        rest = &after[length..];
    }
    out.push_str(rest);
    Ok(out.into())
}

/// Python's `normpath`.
#[must_use]
pub fn normalize(path: &str) -> String {
    if path.is_empty() {
        return ".".into();
    }
    let slashes = if path.starts_with("//") && !path.starts_with("///") {
        2
    } else {
        usize::from(path.starts_with('/'))
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if slashes > 0 => {}
            part => parts.push(part),
        }
    }
    let out = format!("{}{}", "/".repeat(slashes), parts.join("/"));
    if out.is_empty() { ".".into() } else { out }
}

pub(super) fn normpath(call: &Call<'_>) -> Answer {
    Ok(normalize(&one(call, "normpath")?).into())
}

fn absolute(call: &Call<'_>, path: &str) -> String {
    if path.starts_with('/') {
        normalize(path)
    } else {
        normalize(&format!("{}/{path}", call.env.outside.folder.display()))
    }
}

pub(super) fn realpath(call: &Call<'_>) -> Answer {
    let path = one(call, "realpath")?;
    let start = if path.starts_with('/') {
        PathBuf::from(&path)
    } else {
        call.env.outside.folder.join(&path)
    };
    Ok(resolve_links(&start).to_string_lossy().into_owned().into())
}

/// Follows links as far as the path exists; what does not exist is kept.
fn resolve_links(path: &Path) -> PathBuf {
    let mut out = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::Normal(name) => {
                out.push(name);
                if let Ok(real) = std::fs::canonicalize(&out) {
                    out = real;
                }
            }
            _ => {}
        }
    }
    out
}

pub(super) fn relpath(call: &Call<'_>) -> Answer {
    let bound = call.bind("relpath", &["path", "start"], 1)?;
    let path = path_text(&bound.value(0))?;
    if path.is_empty() {
        return Err(ValueError::Value("no path specified".into()));
    }
    let path = absolute(call, &path);
    let start = absolute(call, &bound.some(1).map_or(Ok(".".to_owned()), path_text)?);
    let parts = |path: &str| {
        path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let (path, start) = (parts(&path), parts(&start));
    let common = path.iter().zip(&start).take_while(|(a, b)| a == b).count();
    let mut out = vec![".."; start.len() - common];
    out.extend(path[common..].iter().map(String::as_str));
    Ok(if out.is_empty() { ".".into() } else { out.join("/").into() })
}

pub(super) fn path_join(call: &Call<'_>) -> Answer {
    let value = call.bind("path_join", &["paths"], 1)?.value(0);
    let parts = match &value {
        Value::Str(_) => vec![value.clone()],
        Value::List(list) | Value::Tuple(list) => list.to_vec(),
        other => {
            return Err(ValueError::Type(format!(
                "|path_join expects string or sequence, got <class '{}'> instead.",
                other.type_name()
            )));
        }
    };
    let mut out = String::new();
    for (at, part) in parts.iter().enumerate() {
        let Some(part) = part.as_str() else {
            return Err(ValueError::Type(format!(
                "join() argument must be str, bytes, or os.PathLike object, not '{}'",
                part.type_name()
            )));
        };
        if at == 0 || part.starts_with('/') {
            part.clone_into(&mut out);
        } else {
            if !out.is_empty() && !out.ends_with('/') {
                out.push('/');
            }
            out.push_str(part);
        }
    }
    Ok(out.into())
}

pub(super) fn commonpath(call: &Call<'_>) -> Answer {
    let value = call.bind("commonpath", &["paths"], 1)?.value(0);
    if !matches!(value, Value::List(_) | Value::Tuple(_)) {
        return Err(ValueError::Type(format!(
            "|commonpath expects sequence, got <class '{}'> instead.",
            value.type_name()
        )));
    }
    let paths = items_of(&value)?.iter().map(path_text).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = paths.first() else {
        return Err(ValueError::Value("commonpath() arg is an empty sequence".into()));
    };
    let rooted = first.starts_with('/');
    if paths.iter().any(|path| path.starts_with('/') != rooted) {
        return Err(ValueError::Value("Can't mix absolute and relative paths".into()));
    }
    let parts: Vec<Vec<&str>> = paths
        .iter()
        .map(|path| path.split('/').filter(|part| !part.is_empty() && *part != ".").collect())
        .collect();
    let mut common = parts.first().cloned().unwrap_or_default();
    for other in &parts {
        let same = common.iter().zip(other).take_while(|(a, b)| a == b).count();
        common.truncate(same);
    }
    Ok(format!("{}{}", if rooted { "/" } else { "" }, common.join("/")).into())
}

pub(super) fn splitext(call: &Call<'_>) -> Answer {
    let path = one(call, "splitext")?;
    let start = path.rfind('/').map_or(0, |at| at + 1);
    let name = &path[start..];
    let leading = name.len() - name.trim_start_matches('.').len();
    let at =
        name.rfind('.').filter(|at| *at >= leading && *at > 0).map_or(path.len(), |at| start + at);
    Ok(Value::tuple(vec![path[..at].into(), path[at..].into()]))
}

/// `C:` or `\\server\share`, and the rest.
fn win_drive(path: &str) -> (&str, &str) {
    let slashed = path.replace('/', "\\");
    if slashed.starts_with("\\\\") && !slashed.starts_with("\\\\\\") {
        let share = slashed[2..].find('\\').map(|at| at + 2);
        let end =
            share.map(|at| slashed[at + 1..].find('\\').map_or(slashed.len(), |end| at + 1 + end));
        return match end {
            Some(end) => path.split_at(end),
            None => path.split_at(path.len()),
        };
    }
    if slashed.starts_with("\\\\\\") {
        // An empty server name: Python 3.11 takes the slashes as the drive.
        return path.split_at(3);
    }
    if path.as_bytes().get(1) == Some(&b':') { path.split_at(2) } else { ("", path) }
}

fn win_split(path: &str) -> (String, String) {
    let (drive, rest) = win_drive(path);
    let at = rest.rfind(['\\', '/']).map_or(0, |at| at + 1);
    let (head, tail) = rest.split_at(at);
    let bare = head.trim_end_matches(['\\', '/']);
    (format!("{drive}{}", if bare.is_empty() { head } else { bare }), tail.to_owned())
}

pub(super) fn win_basename(call: &Call<'_>) -> Answer {
    Ok(win_split(&one(call, "basename")?).1.into())
}

pub(super) fn win_dirname(call: &Call<'_>) -> Answer {
    Ok(win_split(&one(call, "dirname")?).0.into())
}

pub(super) fn win_splitdrive(call: &Call<'_>) -> Answer {
    let path = one(call, "splitdrive")?;
    let (drive, rest) = win_drive(&path);
    Ok(Value::tuple(vec![drive.into(), rest.into()]))
}

/// Paths that a shell pattern matches, files and folders alike, in the order of their names.
#[must_use]
pub fn glob(pattern: &str, folder: &Path) -> Vec<PathBuf> {
    let rooted = pattern.starts_with('/');
    let mut found = vec![if rooted { PathBuf::from("/") } else { folder.to_owned() }];
    for part in pattern.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if !part.contains(['*', '?', '[']) {
            found = found
                .into_iter()
                .map(|path| path.join(part))
                .filter(|path| path.symlink_metadata().is_ok())
                .collect();
            continue;
        }
        let mut next = Vec::new();
        for path in found {
            let Ok(entries) = std::fs::read_dir(&path) else { continue };
            let mut names: Vec<String> = entries
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok())
                .collect();
            names.sort();
            next.extend(
                names
                    .into_iter()
                    .filter(|name| {
                        (part.starts_with('.') || !name.starts_with('.'))
                            && name_matches(part, name)
                    })
                    .map(|name| path.join(name)),
            );
        }
        found = next;
    }
    found
}

/// Python's `fnmatch` on one name.
#[must_use]
pub fn name_matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        let step = match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
                continue;
            }
            Some('?') => Some(at + 1),
            Some('[') => match class_end(&pattern, at) {
                Some(end) => class_has(&pattern[at + 1..end], name[from]).then_some(end + 1),
                None => (name[from] == '[').then_some(at + 1),
            },
            Some(char) => (*char == name[from]).then_some(at + 1),
            None => None,
        };
        match (step, star) {
            (Some(next), _) => {
                at = next;
                from += 1;
            }
            (None, Some((star_at, taken))) => {
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                from = taken + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[at..].iter().all(|char| *char == '*')
}

fn class_end(pattern: &[char], open: usize) -> Option<usize> {
    let mut at = open + 1;
    if pattern.get(at) == Some(&'!') {
        at += 1;
    }
    if pattern.get(at) == Some(&']') {
        at += 1;
    }
    (at..pattern.len()).find(|at| pattern[*at] == ']')
}

fn class_has(class: &[char], char: char) -> bool {
    let (not, class) = match class.split_first() {
        Some(('!', rest)) => (true, rest),
        _ => (false, class),
    };
    let mut found = false;
    let mut at = 0;
    while at < class.len() {
        if at + 2 < class.len() && class[at + 1] == '-' {
            found |= (class[at]..=class[at + 2]).contains(&char);
            at += 3;
        } else {
            found |= class[at] == char;
            at += 1;
        }
    }
    found != not
}

pub(super) fn fileglob(call: &Call<'_>) -> Answer {
    let pattern = call.bind("fileglob", &["pathname"], 1)?.value(0);
    let pattern = path_text(&pattern)?;
    let folder = call.env.outside.folder.clone();
    let found = glob(&pattern, &folder).into_iter().filter(|path| path.is_file());
    Ok(Value::list(
        found
            .map(|path| {
                let shown = if pattern.starts_with('/') {
                    path
                } else {
                    path.strip_prefix(&folder).map(Path::to_owned).unwrap_or(path)
                };
                shown.to_string_lossy().into_owned().into()
            })
            .collect(),
    ))
}
