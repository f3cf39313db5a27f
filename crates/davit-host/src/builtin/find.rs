//! `ansible.builtin.find`: looks for files by name, age, size, mode and content.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/find_module.html>

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use davit_module::names::{User, group_name};
use davit_module::{FileKind, Host, Meta, Mode, Module, ModuleError, Outcome};
use davit_pattern::{Flags, Pattern};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::checksum::{self, Algorithm};
use crate::encoding::Encoding;
use crate::sys::glob;
use crate::sys::walk::{Found, Walk};

/// Looks for files, folders and links by name, age, size, mode and content. What is told must meet
/// all that is asked.
///
/// ```yaml
/// - name: Find old logs that are large
///   ansible.builtin.find:
///     paths: /var/log
///     patterns: "*.log,*.gz"
///     age: 4w
///     size: 10m
///     recurse: true
///   register: logs
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The folders to look in.
    #[schemars(extend("x-aliases" = ["name", "path"], "x-elements" = "path"))]
    paths: Vec<PathBuf>,
    /// What the last part of a path must match, one of them: shell patterns, or with `use_regex`
    /// regular expressions, which must match from the start. Empty means any.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["pattern"]))]
    patterns: Vec<String>,
    /// What the last part of a path must not match.
    #[schemars(extend("x-aliases" = ["exclude"]))]
    excludes: Option<Vec<String>>,
    /// A pattern that a line of a file must match from its start; with `read_whole_file` one that
    /// must be found anywhere. Only for files.
    contains: Option<String>,
    /// Read files as a whole for `contains`, so that a pattern may go over lines.
    #[serde(default)]
    read_whole_file: bool,
    /// What to look for.
    #[serde(default)]
    file_type: FileType,
    /// Only what is at least this old, or with a minus at most: a number and `s`, `m`, `h`, `d` or
    /// `w`.
    age: Option<String>,
    /// Which of a file's times tells its age.
    #[serde(default)]
    age_stamp: AgeStamp,
    /// Only files of at least this size, or with a minus at most: a number and `b`, `k`, `m`, `g`
    /// or `t`.
    size: Option<String>,
    /// Look in folders within folders too.
    #[serde(default)]
    recurse: bool,
    /// Look at what starts with a dot too.
    #[serde(default)]
    hidden: bool,
    /// Permissions that must be set, octal or symbolic.
    mode: Option<Value>,
    /// Permissions must be just those of `mode`, and not more.
    #[serde(default = "yes")]
    exact_mode: bool,
    /// Go into folders that links point to.
    #[serde(default)]
    follow: bool,
    /// Tell the checksum of files.
    #[serde(default)]
    get_checksum: bool,
    /// How to make checksums.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["checksum", "checksum_algo"]))]
    checksum_algorithm: ChecksumAlgorithm,
    /// `patterns` and `excludes` are regular expressions.
    #[serde(default)]
    use_regex: bool,
    /// How many levels to go down; 0 means all.
    depth: Option<i64>,
    /// How the text of files is written, for `contains`.
    encoding: Option<String>,
    /// Stop after so many finds.
    limit: Option<i64>,
}

/// What to look for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FileType {
    /// Whatever there is.
    Any,
    /// Folders.
    Directory,
    /// Regular files.
    #[default]
    File,
    /// Symbolic links.
    Link,
}

/// A checksum that a find can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChecksumAlgorithm {
    /// MD5.
    Md5,
    /// SHA-1.
    #[default]
    Sha1,
    /// SHA-2 of 224 bits.
    Sha224,
    /// SHA-2 of 256 bits.
    Sha256,
    /// SHA-2 of 384 bits.
    Sha384,
    /// SHA-2 of 512 bits.
    Sha512,
}

impl From<ChecksumAlgorithm> for Algorithm {
    fn from(algorithm: ChecksumAlgorithm) -> Self {
        match algorithm {
            ChecksumAlgorithm::Md5 => Self::Md5,
            ChecksumAlgorithm::Sha1 => Self::Sha1,
            ChecksumAlgorithm::Sha224 => Self::Sha224,
            ChecksumAlgorithm::Sha256 => Self::Sha256,
            ChecksumAlgorithm::Sha384 => Self::Sha384,
            ChecksumAlgorithm::Sha512 => Self::Sha512,
        }
    }
}

/// A time of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AgeStamp {
    /// Last read.
    Atime,
    /// Last change of anything.
    Ctime,
    /// Last change of the content.
    #[default]
    Mtime,
}

fn yes() -> bool {
    true
}

/// `ansible.builtin.find`.
pub(crate) struct Find;

impl Module for Find {
    const NAME: &'static str = "ansible.builtin.find";
    type Args = Args;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        let age = number_with_unit(args.age.as_deref(), &AGES)
            .ok_or_else(|| ModuleError::failed("failed to process age").with("age", &args.age))?;
        let size = number_with_unit(args.size.as_deref(), &SIZES).ok_or_else(|| {
            ModuleError::failed("failed to process size").with("size", &args.size)
        })?;
        if let Some(limit) = args.limit.filter(|it| *it <= 0) {
            return Err(ModuleError::failed(format!(
                "limit cannot be {limit} (use None for unlimited)"
            )));
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = since.as_secs_f64();
        let (files, refused, examined) = (Vec::new(), Map::new(), 0);
        let mut search = Search { host, args: &args, age, size, now, files, refused, examined };
        let mut skipped = Map::new();
        let mut cut = false;
        for path in &args.paths {
            match search.path(path) {
                Ok(more) => cut |= !more,
                Err(why) => {
                    skipped.insert(path.display().to_string(), why.into());
                }
            }
            if cut {
                break;
            }
        }
        let (files, refused, examined) = (search.files, search.refused, search.examined);
        for (path, why) in &skipped {
            let why = why.as_str().unwrap_or_default();
            host.warn(format!("Skipped '{path}' path due to this access issue: {why}\n"));
        }
        let whole = skipped.is_empty();
        skipped.extend(refused);
        let msg = if cut {
            "Limit of matches reached"
        } else if whole {
            "All paths examined"
        } else {
            "Not all paths examined, check warnings for details"
        };
        Ok(Outcome::new()
            .changed(false)
            .msg(msg)
            .with("matched", files.len())
            .with("files", files)
            .with("examined", examined)
            .with("skipped_paths", skipped))
    }
}

/// Units of age, in seconds.
const AGES: [(char, i64); 5] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)];

/// Units of size, in bytes.
const SIZES: [(char, i64); 5] =
    [('b', 1), ('k', 1 << 10), ('m', 1 << 20), ('g', 1 << 30), ('t', 1 << 40)];

/// A number with a unit behind it: `Some(None)` where there is no text, `None` where it is wrong.
fn number_with_unit(text: Option<&str>, units: &[(char, i64)]) -> Option<Option<i64>> {
    let Some(text) = text else { return Some(None) };
    let text = text.to_lowercase();
    let unit = units.iter().find(|(unit, _)| text.ends_with(*unit));
    let (digits, factor) = match unit {
        Some((unit, factor)) => (text.strip_suffix(*unit)?, *factor),
        None => (text.as_str(), 1),
    };
    let bare = digits.strip_prefix('-').unwrap_or(digits);
    if bare.is_empty() || !bare.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    digits.parse::<i64>().ok()?.checked_mul(factor).map(Some)
}

/// A search under way. Reasons to leave out a path are sentences.
struct Search<'a, 'h> {
    host: &'a Host<'h>,
    args: &'a Args,
    age: Option<i64>,
    size: Option<i64>,
    now: f64,
    files: Vec<Value>,
    /// Folders that could not be read, and why: the others count all the same.
    refused: Map<String, Value>,
    examined: usize,
}

impl Search<'_, '_> {
    /// Looks in one path; false where the limit is reached.
    fn path(&mut self, path: &Path) -> Result<bool, String> {
        let shown = path.display();
        if !self.host.is_dir(path) {
            return Err(format!("'{shown}' is not a directory"));
        }
        let depth = if self.args.recurse {
            self.args.depth.and_then(|it| usize::try_from(it).ok()).filter(|it| *it > 0)
        } else {
            Some(1)
        };
        let mut walk = Walk::new(self.host, path.to_path_buf(), self.args.follow);
        while let Some(folder) = walk.next_folder() {
            if self.host.cancel().is_cancelled() {
                return Err("stopped before it was done".to_owned());
            }
            if let Some(why) = folder.error {
                self.refused.insert(folder.path.display().to_string(), why.into());
                continue;
            }
            if !self.args.recurse && folder.depth > 0 {
                break;
            }
            self.examined += folder.items.len();
            if depth.is_some_and(|depth| folder.depth >= depth) {
                // Their number counts, but neither they nor what is below is looked at.
                walk.skip_children();
                continue;
            }
            for found in &folder.items {
                if let Some(facts) = self.item(found)? {
                    self.files.push(facts);
                    let limit = self.args.limit.and_then(|it| usize::try_from(it).ok());
                    if limit.is_some_and(|it| self.files.len() >= it) {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// The facts of a find, where it is one.
    fn item(&self, found: &Found) -> Result<Option<Value>, String> {
        let name = found.path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') && !self.args.hidden {
            return Ok(None);
        }
        let meta = &found.meta;
        let wanted = match self.args.file_type {
            FileType::Any => true,
            FileType::Directory => meta.is_dir(),
            FileType::File => meta.is_file(),
            FileType::Link => meta.is_link(),
        };
        let passes = wanted
            && self.name_passes(&name)?
            && self.age_passes(meta)
            && (!meta.is_file() || self.size_passes(meta))
            && self.mode_passes(meta)?
            && (self.args.file_type != FileType::File || self.content_passes(found)?);
        if !passes {
            return Ok(None);
        }
        let mut facts = facts(&found.path.to_string_lossy(), meta);
        if self.args.get_checksum && meta.is_file() {
            let sum = self.host.open(&found.path).map_err(|err| err.message());
            let sum = sum.and_then(|mut it| {
                checksum::of(&mut *it, self.args.checksum_algorithm.into())
                    .map_err(|err| err.to_string())
            })?;
            facts.insert("checksum".to_owned(), sum.into());
        }
        Ok(Some(facts.into()))
    }

    fn name_passes(&self, name: &str) -> Result<bool, String> {
        let any = |patterns: &[String]| -> Result<bool, String> {
            for pattern in patterns {
                let matches = if self.args.use_regex {
                    compile(pattern)?.starts(name).map_err(|err| err.to_string())?
                } else {
                    glob::matches(pattern, name)
                };
                if matches {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let included = self.args.patterns.is_empty() || any(&self.args.patterns)?;
        Ok(included && !any(self.args.excludes.as_deref().unwrap_or_default())?)
    }

    fn age_passes(&self, meta: &Meta) -> bool {
        let Some(age) = self.age else { return true };
        let stamp = match self.args.age_stamp {
            AgeStamp::Atime => meta.atime,
            AgeStamp::Ctime => meta.ctime,
            AgeStamp::Mtime => meta.mtime,
        };
        #[expect(clippy::cast_precision_loss, reason = "ages are compared to the second")]
        let limit = age.unsigned_abs() as f64;
        let old = self.now - stamp.seconds();
        if age >= 0 { old >= limit } else { old <= limit }
    }

    fn size_passes(&self, meta: &Meta) -> bool {
        match self.size {
            None => true,
            Some(size) if size >= 0 => meta.size >= size.unsigned_abs(),
            Some(size) => meta.size <= size.unsigned_abs(),
        }
    }

    fn mode_passes(&self, meta: &Meta) -> Result<bool, String> {
        let Some(mode) = &self.args.mode else { return Ok(true) };
        let Some(mode) = Mode::parse(mode).map_err(|err| err.to_string())? else { return Ok(true) };
        let wanted = mode.apply(0, meta.is_dir(), 0);
        // Any of the bits will do, and not all of them: so the original reads "minimum".
        Ok(if self.args.exact_mode { meta.mode == wanted } else { meta.mode & wanted != 0 })
    }

    fn content_passes(&self, found: &Found) -> Result<bool, String> {
        let Some(text) = &self.args.contains else { return Ok(true) };
        let pattern = compile(text)?;
        let encoding = encoding(self.args.encoding.as_deref())?;
        let is_wide = matches!(encoding, Encoding::Utf16 { .. });
        let Ok(file) = self.host.open(&found.path) else { return Ok(false) };
        let found = if self.args.read_whole_file || is_wide {
            search_whole(file, &pattern, encoding, !self.args.read_whole_file)
        } else {
            search_lines(file, &pattern, encoding)
        };
        found.map_err(|err| err.to_string())
    }
}

fn compile(pattern: &str) -> Result<Pattern, String> {
    Pattern::new(pattern, Flags::default()).map_err(|err| err.to_string())
}

/// How the text of files is written.
fn encoding(name: Option<&str>) -> Result<Encoding, String> {
    let Some(name) = name else { return Ok(Encoding::Utf8) };
    // Without a byte order in its name, the order is the common one.
    let found = match name.to_lowercase().as_str() {
        "utf-16" | "utf16" | "utf_16" => Some(Encoding::Utf16 { big: false }),
        _ => Encoding::named(name),
    };
    found.ok_or_else(|| format!("unknown encoding: {name}"))
}

fn search_whole(
    mut file: impl Read,
    pattern: &Pattern,
    encoding: Encoding,
    by_line: bool,
) -> io::Result<bool> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = encoding.decode(&bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if by_line {
        for line in text.split_inclusive('\n') {
            if pattern.starts(line).map_err(io::Error::other)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    pattern.search(text).map_err(io::Error::other)
}

fn search_lines(file: impl Read, pattern: &Pattern, encoding: Encoding) -> io::Result<bool> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(false);
        }
        if pattern.starts(&encoding.decode(&line)).map_err(io::Error::other)? {
            return Ok(true);
        }
    }
}

/// What a find tells of itself.
fn facts(path: &str, meta: &Meta) -> Map<String, Value> {
    let bit = |bit: u32| meta.mode & bit != 0;
    let user = User::numbered(meta.uid).map(|it| it.name);
    let group = group_name(meta.gid);
    let facts = json!({
        "path": path,
        "mode": format!("{:04o}", meta.mode),
        "isdir": meta.is_dir(),
        "ischr": meta.kind == FileKind::Char,
        "isblk": meta.kind == FileKind::Block,
        "isreg": meta.is_file(),
        "isfifo": meta.kind == FileKind::Fifo,
        "islnk": meta.is_link(),
        "issock": meta.kind == FileKind::Socket,
        "uid": meta.uid,
        "gid": meta.gid,
        "size": meta.size,
        "inode": meta.ino,
        "dev": meta.dev,
        "nlink": meta.nlink,
        "atime": meta.atime.seconds(),
        "mtime": meta.mtime.seconds(),
        "ctime": meta.ctime.seconds(),
        "gr_name": group.unwrap_or_default(),
        "pw_name": user.unwrap_or_default(),
    });
    let Value::Object(mut facts) = facts else { return Map::new() };
    for (name, mask) in [
        ("wusr", 0o200),
        ("rusr", 0o400),
        ("xusr", 0o100),
        ("wgrp", 0o020),
        ("rgrp", 0o040),
        ("xgrp", 0o010),
        ("woth", 0o002),
        ("roth", 0o004),
        ("xoth", 0o001),
        ("isuid", 0o4000),
        ("isgid", 0o2000),
    ] {
        facts.insert(name.to_owned(), bit(mask).into());
    }
    facts
}

#[cfg(test)]
mod tests {
    use std::fs;

    use davit_module::{Call, Entry, Session};

    use super::*;

    /// The names found, sorted, under a small tree.
    fn found(mut args: Value) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        let at = |it: &str| root.path().join(it);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::create_dir_all(at(".hid")).unwrap();
        for (name, text) in [
            ("one.txt", "one\n"),
            ("two.log", "two hello\n"),
            (".dot", ""),
            ("a/three.txt", "x\nhello y\n"),
            ("a/b/four.txt", ""),
            (".hid/five.txt", ""),
        ] {
            fs::write(at(name), text).unwrap();
        }
        std::os::unix::fs::symlink("a", at("link")).unwrap();
        args["paths"] = json!([root.path()]);
        let call = Call { args: args.as_object().unwrap().clone(), ..Call::default() };
        let reply = Entry::of::<Find>().call(&Session::default(), &call);
        let files = reply.get("files").and_then(Value::as_array);
        let files = files.unwrap_or_else(|| panic!("{reply:?}"));
        let mut names: Vec<String> = files
            .iter()
            .map(|it| it["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn finds_meet_what_is_asked() {
        let check =
            |args: Value, expect: &[&str]| assert_eq!(found(args.clone()), expect, "{args}");
        check(json!({}), &["one.txt", "two.log"]);
        check(json!({"hidden": true}), &[".dot", "one.txt", "two.log"]);
        check(
            json!({"patterns": "*.txt", "recurse": true, "depth": 2}),
            &["five.txt", "one.txt", "three.txt"],
        );
        check(json!({"patterns": "o", "use_regex": true}), &["one.txt"]);
        check(json!({"excludes": "*.log"}), &["one.txt"]);
        check(json!({"file_type": "directory"}), &["a"]);
        check(json!({"file_type": "link"}), &["link"]);
        check(json!({"file_type": "any"}), &["a", "link", "one.txt", "two.log"]);
        check(json!({"contains": "hello"}), &[]);
        check(json!({"contains": ".*hello", "recurse": true}), &["three.txt", "two.log"]);
        check(
            json!({"contains": "x\\nhello", "recurse": true, "read_whole_file": true}),
            &["three.txt"],
        );
        check(json!({"size": "5"}), &["two.log"]);
        check(json!({"size": "-5b"}), &["one.txt"]);
        check(json!({"age": "1d"}), &[]);
        check(json!({"age": "-1d"}), &["one.txt", "two.log"]);
        check(
            json!({"recurse": true, "follow": true, "patterns": "three.txt"}),
            &["three.txt", "three.txt"],
        );
    }

    #[test]
    fn numbers_have_units() {
        assert_eq!(number_with_unit(Some("1w"), &AGES), Some(Some(604_800)));
        assert_eq!(number_with_unit(Some("-2K"), &SIZES), Some(Some(-2048)));
        assert_eq!(number_with_unit(Some("10"), &SIZES), Some(Some(10)));
        assert_eq!(number_with_unit(None, &SIZES), Some(None));
        for bad in ["", "x", "1x", "--1", "99999999999999999t"] {
            assert_eq!(number_with_unit(Some(bad), &SIZES), None, "{bad}");
        }
    }
}
