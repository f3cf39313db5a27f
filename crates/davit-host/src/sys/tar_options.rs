//! The options of `tar` and `unzip` that people put into `extra_opts`: what they mean for names and
//! for what is unpacked.
//!
//! An option that is not known is an error: it would change what lands on the host.

use davit_pattern::{Flags, Pattern};

use super::glob;

/// What the options ask for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// How many folders to take away from the start of each name.
    pub(crate) strip: usize,
    /// Patterns of names to leave out, besides the task's own.
    pub(crate) exclude: Vec<String>,
    /// `include` holds shell patterns.
    pub(crate) wildcards: bool,
    /// Leave what is there.
    pub(crate) keep_old: bool,
    /// Leave what is there and not older.
    pub(crate) keep_newer: bool,
    /// Times become those of the unpacking.
    pub(crate) touch: bool,
    /// Take owners from the archive, or do not, whoever unpacks.
    pub(crate) same_owner: Option<bool>,
    /// Take permissions from the archive as they are, or less the umask.
    pub(crate) same_mode: Option<bool>,
    /// Owners count by number.
    pub(crate) numeric_owner: bool,
    /// Leave out all folders of names.
    pub(crate) junk_paths: bool,
    transforms: Vec<Transform>,
}

/// A change of names, as `sed` writes it.
#[derive(Clone, Debug)]
struct Transform {
    pattern: Pattern,
    replacement: String,
    /// Not only the first match.
    all: bool,
}

impl Options {
    /// Reads what stands in `extra_opts`. An option's value may be the next word.
    ///
    /// # Errors
    /// A sentence, where an option is not known or its value means nothing.
    pub(crate) fn parse(words: &[String], zip: bool) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter().filter(|it| !it.is_empty());
        while let Some(word) = words.next() {
            let (name, inline) = match word.split_once('=').filter(|_| word.starts_with("--")) {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let mut value = || {
                let next = inline.clone().or_else(|| words.next().cloned());
                next.ok_or_else(|| format!("option '{name}' requires an argument"))
            };
            if zip {
                options.zip_option(name)?;
                continue;
            }
            match name {
                "--strip-components" | "--strip" => {
                    let text = value()?;
                    let count = text.parse();
                    options.strip =
                        count.map_err(|_| format!("{text}: invalid number of elements"))?;
                }
                "--transform" | "--xform" | "-s" => {
                    options.transforms.extend(transforms(&value()?)?);
                }
                "--exclude" => options.exclude.push(value()?),
                "--wildcards" => options.wildcards = true,
                "--no-wildcards" => options.wildcards = false,
                "--keep-old-files" | "-k" | "--skip-old-files" => options.keep_old = true,
                "--keep-newer-files" => options.keep_newer = true,
                "--touch" | "-m" => options.touch = true,
                "--same-owner" => options.same_owner = Some(true),
                "--no-same-owner" | "-o" => options.same_owner = Some(false),
                "--same-permissions" | "--preserve-permissions" | "-p" => {
                    options.same_mode = Some(true);
                }
                "--no-same-permissions" => options.same_mode = Some(false),
                "--numeric-owner" => options.numeric_owner = true,
                // What these ask for is how it is done anyway, or shows only in what tar prints.
                "--overwrite"
                | "--unlink-first"
                | "-U"
                | "--no-overwrite-dir"
                | "--verbose"
                | "-v"
                | "-vv"
                | "--show-transformed-names"
                | "--show-stored-names"
                | "--anchored"
                | "--no-anchored"
                | "--delay-directory-restore"
                | "--ignore-command-error"
                | "-z"
                | "-j"
                | "-J"
                | "--gzip"
                | "--bzip2"
                | "--xz"
                | "--zstd"
                | "--auto-compress"
                | "-a"
                | "--sparse"
                | "-S" => {}
                "--warning" | "--owner" | "--group" | "--blocking-factor" | "-b" => {
                    value()?;
                }
                _ => return Err(format!("unrecognized option '{word}'")),
            }
        }
        Ok(options)
    }

    fn zip_option(&mut self, word: &str) -> Result<(), String> {
        let letters = word.strip_prefix('-').filter(|it| !it.is_empty() && !it.starts_with('-'));
        for letter in letters.ok_or_else(|| format!("unrecognized option '{word}'"))?.chars() {
            match letter {
                // Overwriting without asking, and saying little, is how it is done anyway.
                'o' | 'q' | 'X' | 'K' => {}
                'n' => self.keep_old = true,
                'u' | 'f' => self.keep_newer = true,
                'j' => self.junk_paths = true,
                'D' => self.touch = true,
                _ => return Err(format!("unrecognized option '{word}'")),
            }
        }
        Ok(())
    }

    /// Where a member goes, below the destination; `None` where nothing is left of its name.
    ///
    /// # Errors
    /// A sentence, where a pattern takes too long.
    pub(crate) fn place(&self, name: &str) -> Result<Option<String>, String> {
        let mut name = name.trim_start_matches('/').to_owned();
        for transform in &self.transforms {
            let most = if transform.all { None } else { Some(1) };
            let changed = transform.pattern.replace(&name, &transform.replacement, most);
            name = changed.map_err(|err| err.to_string())?.0;
        }
        let is_folder = name.ends_with('/');
        // A `.` at the start counts where leading parts are taken away.
        let mut parts: Vec<&str> = name.split('/').filter(|it| !it.is_empty()).collect();
        if self.strip == 0 && !self.junk_paths && parts == ["."] {
            return Ok(Some("./".to_owned()));
        }
        if self.junk_paths {
            parts =
                if is_folder { Vec::new() } else { parts.split_off(parts.len().saturating_sub(1)) };
        }
        let left = parts.get(self.strip..).unwrap_or_default();
        let left = left.iter().copied().filter(|it| *it != ".").collect::<Vec<_>>().join("/");
        Ok(if left.is_empty() {
            None
        } else if is_folder {
            Some(left + "/")
        } else {
            Some(left)
        })
    }
}

/// Whether a name, or a folder above it, matches a pattern at the start of any of its parts.
pub(crate) fn excludes(pattern: &str, name: &str) -> bool {
    let pattern = pattern.trim_end_matches('/');
    let name = name.trim_end_matches('/');
    let mut starts = vec![0];
    starts.extend(name.match_indices('/').map(|(at, _)| at + 1));
    starts.iter().filter_map(|it| name.get(*it..)).any(|rest| {
        rest.match_indices('/')
            .map(|(at, _)| at)
            .chain([rest.len()])
            .filter_map(|end| rest.get(..end))
            .any(|it| glob::matches(pattern, it))
    })
}

/// Whether a name is the one that is asked for, or beneath it.
pub(crate) fn includes(wanted: &str, name: &str, patterns: bool) -> bool {
    let (wanted, name) = (wanted.trim_end_matches('/'), name.trim_end_matches('/'));
    let ends = name.match_indices('/').map(|(at, _)| at).chain([name.len()]);
    ends.filter_map(|it| name.get(..it))
        .any(|it| it == wanted || patterns && glob::matches(wanted, it))
}

/// The changes in a text such as `s/old/new/g;s,a,b,`.
fn transforms(text: &str) -> Result<Vec<Transform>, String> {
    let bad = || format!("invalid transform expression: {text}");
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        if first == ';' {
            continue;
        }
        let delimiter = chars.next().filter(|_| first == 's').ok_or_else(bad)?;
        let mut part = || {
            let mut part = String::new();
            loop {
                match chars.next()? {
                    '\\' => match chars.next()? {
                        next if next == delimiter => part.push(next),
                        next => part.extend(['\\', next]),
                    },
                    end if end == delimiter => return Some(part),
                    other => part.push(other),
                }
            }
        };
        let (pattern, replacement) = (part().ok_or_else(bad)?, part().ok_or_else(bad)?);
        let (mut all, mut ignore_case, mut extended) = (false, false, false);
        while let Some(flag) = chars.next_if(|it| *it != ';') {
            match flag {
                'g' => all = true,
                'i' => ignore_case = true,
                'x' => extended = true,
                // They choose between members, links and their targets: all are changed here.
                'r' | 's' | 'h' | 'R' | 'S' | 'H' => {}
                _ => return Err(bad()),
            }
        }
        let pattern = if extended { pattern } else { basic(&pattern) };
        let flags = Flags { ignore_case, ..Flags::default() };
        let pattern = Pattern::new(&pattern, flags).map_err(|err| err.to_string())?;
        found.push(Transform { pattern, replacement: sed_replacement(&replacement), all });
    }
    Ok(found)
}

/// A basic regular expression in the extended syntax: `\(` groups there, and `(` is itself.
fn basic(pattern: &str) -> String {
    let mut result = String::new();
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some(special @ ('(' | ')' | '{' | '}' | '+' | '?' | '|')) => result.push(special),
                Some(other) => result.extend(['\\', other]),
                None => result.push('\\'),
            },
            '(' | ')' | '{' | '}' | '+' | '?' | '|' => result.extend(['\\', char]),
            other => result.push(other),
        }
    }
    result
}

/// A replacement of `sed`: `&` is the whole match.
fn sed_replacement(text: &str) -> String {
    let mut result = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '&' => result.push_str("\\g<0>"),
            '\\' => match chars.next() {
                Some('&') => result.push('&'),
                Some(digit @ '0'..='9') => {
                    result.push_str("\\g<");
                    result.push(digit);
                    result.push('>');
                }
                Some(other) => result.extend(['\\', other]),
                None => {}
            },
            other => result.push(other),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(words: &[&str], zip: bool, name: &str) -> Option<String> {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        Options::parse(&words, zip).unwrap().place(name).unwrap()
    }

    #[test]
    fn names_are_changed_as_asked() {
        let check = |words: &[&str], name: &str, expect: Option<&str>| {
            assert_eq!(place(words, false, name).as_deref(), expect, "{words:?} {name}");
        };
        check(&[], "./top/a", Some("top/a"));
        check(&["--strip-components=1"], "top/a", Some("a"));
        check(&["--strip-components", "1"], "top/sub/", Some("sub/"));
        check(&["--strip=1"], "top/", None);
        check(&["--strip=1"], "./top/a", Some("top/a"));
        check(&["--strip=1"], "./", None);
        check(&[], "./", Some("./"));
        check(&["--transform", "s/^top/new/"], "top/a", Some("new/a"));
        check(&["--transform=s,t\\(o\\)p,<\\1&>,"], "top/a", Some("<otop>/a"));
        check(&["--xform", "s/A/b/gi"], "aXa", Some("bXb"));
        assert_eq!(place(&["-oj"], true, "top/a").as_deref(), Some("a"));
        assert_eq!(place(&["-j"], true, "top/"), None);
    }

    #[test]
    fn options_that_are_not_known_are_errors() {
        for (words, zip) in [("--bogus", false), ("-Z", false), ("--strip=x", false), ("-P", true)]
        {
            assert!(Options::parse(&[words.to_owned()], zip).is_err(), "{words}");
        }
        assert!(Options::parse(&["--strip".to_owned()], false).is_err());
        assert!(Options::parse(&["--xform=s/a/b".to_owned()], false).is_err());
    }

    #[test]
    fn names_are_left_out_with_all_beneath_them() {
        let check = |pattern: &str, name: &str, expect: bool| {
            assert_eq!(excludes(pattern, name), expect, "{pattern} {name}");
        };
        check("top/sub", "top/sub/", true);
        check("top/sub", "top/sub/b.txt", true);
        check("sub", "top/sub/b.txt", true);
        check("*.txt", "top/a.txt", true);
        check("top/su", "top/sub/b.txt", false);
        assert!(includes("top/sub", "top/sub/b.txt", false));
        assert!(!includes("top/*", "top/a", false));
        assert!(includes("top/*", "top/a", true));
    }
}
