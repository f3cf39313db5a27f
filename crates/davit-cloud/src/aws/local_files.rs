//! Files of the controller that are to go somewhere: those below a folder, and which of them patterns mean.
//!
//! It does not read what is in them, and does not know where they go.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use davit_module::ModuleError;
use davit_pattern::{Flags, Pattern};

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its path below the folder, with slashes.
    pub name: String,
    /// How many bytes it has.
    pub size: u64,
    /// When it was changed last, in seconds since 1970.
    pub modified: i64,
}

/// All files below a folder, by name, or the one file that is no folder; and what was left out.
///
/// Links to files count as files, and links to folders are left out, as are names that are no UTF-8.
///
/// # Errors
/// Where something cannot be read: what is missing must not be taken for gone.
pub fn files(root: &Path) -> Result<(Vec<LocalFile>, Vec<String>), ModuleError> {
    let wrong = |path: &Path| {
        let path = path.to_owned();
        move |source| ModuleError::io("read", path, source)
    };
    let mut found = Vec::new();
    let mut left_out = Vec::new();
    let meta = fs::metadata(root).map_err(wrong(root))?;
    if !meta.is_dir() {
        let name = root.file_name().and_then(|it| it.to_str()).unwrap_or_default();
        found.push(file(root, name, &meta));
        return Ok((found, left_out));
    }
    let mut folders = vec![(root.to_owned(), String::new())];
    while let Some((folder, below)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(wrong(&folder))? {
            let entry = entry.map_err(wrong(&folder))?;
            let path = entry.path();
            let Some(name) = path.file_name().and_then(|it| it.to_str()) else {
                left_out.push(format!("{}: its name is no UTF-8", path.display()));
                continue;
            };
            let name = format!("{below}{name}");
            let is_link = entry.file_type().map_err(wrong(&path))?.is_symlink();
            match fs::metadata(&path) {
                Ok(it) if it.is_file() => found.push(file(&path, &name, &it)),
                Ok(it) if it.is_dir() && is_link => {
                    left_out.push(format!("{}: it is a link to a folder", path.display()));
                }
                Ok(it) if it.is_dir() => folders.push((path, format!("{name}/"))),
                Ok(_) => left_out.push(format!("{}: it is no file", path.display())),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    left_out.push(format!("{}: it leads nowhere", path.display()));
                }
                Err(error) => return Err(wrong(&path)(error)),
            }
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    left_out.sort();
    Ok((found, left_out))
}

fn file(path: &Path, name: &str, meta: &fs::Metadata) -> LocalFile {
    let since = meta.modified().ok().and_then(|it| it.duration_since(UNIX_EPOCH).ok());
    let modified = since.and_then(|it| i64::try_from(it.as_secs()).ok()).unwrap_or_default();
    LocalFile { path: path.to_owned(), name: name.to_owned(), size: meta.len(), modified }
}

/// Patterns of shells, with commas between them.
#[derive(Clone, Debug)]
pub struct Patterns(Vec<Pattern>);

impl Patterns {
    /// Reads `*.gif,.*`.
    ///
    /// # Errors
    /// Where one is too large.
    pub fn read(patterns: &str) -> Result<Self, ModuleError> {
        let one = |it: &str| Pattern::new(&expression(it), Flags::default());
        let all = patterns.split(',').map(one).collect::<Result<_, _>>();
        let wrong = |error| ModuleError::failed(format!("the pattern {patterns:?}: {error}"));
        all.map(Self).map_err(wrong)
    }

    /// Whether one of them means a file of this name, whatever folder it is in.
    ///
    /// # Errors
    /// Where that takes too long to find out.
    pub fn fit(&self, name: &str) -> Result<bool, ModuleError> {
        let last = name.rsplit('/').next().unwrap_or(name);
        for pattern in &self.0 {
            let fits = pattern.starts(last);
            if fits.map_err(|error| ModuleError::failed(format!("{last:?}: {error}")))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A pattern of shells as an expression: `*`, `?`, `[a-z]` and `[!a-z]`.
fn expression(pattern: &str) -> String {
    let letters: Vec<char> = pattern.chars().collect();
    let mut out = String::from("(?s)");
    let mut at = 0;
    while let Some(letter) = letters.get(at) {
        at += 1;
        match letter {
            // Several say no more than one, and would take long.
            '*' if out.ends_with(".*") => {}
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => match class(&letters[at..]) {
                Some((class, length)) => {
                    out.push_str(&class);
                    at += length;
                }
                None => out.push_str("\\["),
            },
            letter => literal(*letter, &mut out),
        }
    }
    out.push_str("\\Z");
    out
}

/// A class, from behind its bracket, and how long it is; nothing where it does not end.
fn class(letters: &[char]) -> Option<(String, usize)> {
    let is_not = letters.first() == Some(&'!');
    let from = usize::from(is_not);
    // A bracket that comes first belongs to it.
    let end = letters.iter().skip(from + 1).position(|it| *it == ']')? + from + 1;
    let mut parts = Vec::new();
    let mut rest = &letters[from..end];
    while let [first, more @ ..] = rest {
        rest = match more {
            // One that runs backwards means nothing.
            ['-', last, more @ ..] => {
                if first <= last {
                    parts.push((*first, *last));
                }
                more
            }
            more => {
                parts.push((*first, *first));
                more
            }
        };
    }
    if parts.is_empty() {
        return Some((if is_not { "." } else { "(?!)" }.to_owned(), end + 1));
    }
    let mut out = String::from(if is_not { "[^" } else { "[" });
    for (first, last) in parts {
        literal(first, &mut out);
        if first != last {
            out.push('-');
            literal(last, &mut out);
        }
    }
    out.push(']');
    Some((out, end + 1))
}

fn literal(letter: char, out: &mut String) {
    if letter.is_ascii_punctuation() && letter != '_' {
        out.push('\\');
    }
    out.push(letter);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_are_those_of_shells() {
        for (patterns, name, fits) in [
            ("*", "a.txt", true),
            ("*.txt", "sub/a.txt", true),
            ("*.txt", "a.txt.gz", false),
            ("sub*", "sub/a.txt", false),
            (".*", ".git", true),
            (".*", "a.b", false),
            ("*.gif,.*", "a.gif", true),
            ("a?c", "abc", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]", "]", true),
            ("[c-a]", "b", false),
            ("[", "[", true),
            ("a+b(c)", "a+b(c)", true),
            ("", "a", false),
            ("***a", "bba", true),
        ] {
            assert_eq!(
                Patterns::read(patterns).unwrap().fit(name).unwrap(),
                fits,
                "{patterns} {name}"
            );
        }
    }

    #[test]
    fn files_are_found_below_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("sub/.git")).unwrap();
        for name in ["b", "a", "sub/c", "sub/.git/d"] {
            fs::write(root.join(name), name).unwrap();
        }
        let link = std::os::unix::fs::symlink::<&Path, _>;
        link(Path::new("a"), root.join("link")).unwrap();
        link(Path::new("."), root.join("circle")).unwrap();
        link(Path::new("nowhere"), root.join("broken")).unwrap();
        let (found, left_out) = files(&root).unwrap();
        let names: Vec<&str> = found.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "link", "sub/.git/d", "sub/c"]);
        assert_eq!((found[4].size, left_out.len()), (5, 2), "{left_out:?}");
        let (one, _) = files(&root.join("sub/c")).unwrap();
        assert_eq!(one[0].name, "c");
        assert!(files(&root.join("none")).is_err());
    }

    proptest! {
        #[test]
        fn any_pattern_can_be_read(pattern in any::<String>(), name in "[a-c/*]{0,8}") {
            Patterns::read(&pattern).unwrap().fit(&name).unwrap();
        }
    }
}
