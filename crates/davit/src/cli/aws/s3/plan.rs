//! What is at a place, here or in S3, and what of it is meant.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use davit_aws::Client;
use davit_aws::value::{Map, Value};
use jiff::Timestamp;

use super::fatal;
use crate::cli::wildcard;
use crate::report::{Report, warn};

/// A file or an object, by its path below the place that was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) size: u64,
    pub(super) modified: Option<Timestamp>,
    /// An object's tag.
    pub(super) etag: Option<String>,
    /// It is in an archive, and cannot be read before it is restored.
    pub(super) archived: bool,
}

/// All that is at a place, by its path below.
#[derive(Debug, Default)]
pub(super) struct There {
    pub(super) found: BTreeMap<String, Found>,
    /// How much was left out that cannot be read or is no file.
    pub(super) skipped: usize,
}

/// `--exclude` and `--include` in their order: the last that fits counts.
#[derive(Debug, Default)]
pub(super) struct Filters(Vec<(bool, String)>);

/// Reads them off the command line, since their order counts.
pub(super) fn filters(words: &[String]) -> Filters {
    let mut filters = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        for (name, includes) in [("--exclude", false), ("--include", true)] {
            if let Some(rest) = word.strip_prefix(name) {
                let pattern = match rest.strip_prefix('=') {
                    Some(pattern) => Some(pattern.to_owned()),
                    None if rest.is_empty() => words.next().cloned(),
                    None => None,
                };
                filters.extend(pattern.map(|it| (includes, it)));
            }
        }
    }
    Filters(filters)
}

impl Filters {
    /// The same for what is below a folder: patterns may name it, with the whole path.
    pub(super) fn below(&self, folder: &str) -> Self {
        let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
        let whole = format!("{}/", whole.to_string_lossy().trim_end_matches('/'));
        let cut = |pattern: &str| pattern.strip_prefix(&whole).unwrap_or(pattern).to_owned();
        Self(self.0.iter().map(|(includes, it)| (*includes, cut(it))).collect())
    }

    /// Whether a path below the place is meant.
    pub(super) fn take(&self, path: &str) -> bool {
        let fits = |pattern: &str| wildcard::fits(path, pattern.trim_start_matches("./"));
        self.0.iter().rev().find(|(_, pattern)| fits(pattern)).is_none_or(|(includes, _)| *includes)
    }
}

/// All files below a folder. What is neither a file nor a folder, or cannot be read, is told of and left
/// out.
pub(super) fn files(folder: &Path, follow: bool) -> There {
    let mut there = There::default();
    walk(folder, "", follow, &mut HashSet::new(), &mut there);
    there
}

impl There {
    fn skip(&mut self, path: &Path, reason: &str) {
        warn(&format!("{} is left out: {reason}", path.display()));
        self.skipped += 1;
    }
}

fn walk(folder: &Path, below: &str, follow: bool, above: &mut HashSet<PathBuf>, there: &mut There) {
    let real = match folder.canonicalize() {
        Ok(real) => real,
        Err(error) => return there.skip(folder, &error.to_string()),
    };
    // A link that leads back to where it came from would be followed for ever.
    if !above.insert(real.clone()) {
        return there.skip(folder, "it leads back to itself");
    }
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return there.skip(folder, &error.to_string()),
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                there.skip(folder, &error.to_string());
                continue;
            }
        };
        let path = entry.path();
        let Some(name) = path.file_name().and_then(|it| it.to_str()) else {
            there.skip(&path, "its name is no UTF-8");
            continue;
        };
        let name = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        let is_link = entry.file_type().is_ok_and(|it| it.is_symlink());
        if is_link && !follow {
            continue;
        }
        match readable(&path) {
            Ok(meta) if meta.is_dir() => walk(&path, &name, follow, above, there),
            Ok(meta) => {
                there.found.insert(name, of_file(&meta));
            }
            Err(reason) => there.skip(&path, &reason),
        }
    }
    above.remove(&real);
}

/// What a file or folder is; why not for anything else and for a file that cannot be read.
pub(super) fn readable(path: &Path) -> Result<fs::Metadata, String> {
    let meta = fs::metadata(path).map_err(|error| error.to_string())?;
    if meta.is_file() {
        // Only opening it says so.
        fs::File::open(path).map_err(|error| error.to_string())?;
    } else if !meta.is_dir() {
        return Err("it is no file".to_owned());
    }
    Ok(meta)
}

/// A file as the AWS CLI shows it: by its path from the folder where the program runs.
pub(super) fn shown(path: &Path) -> String {
    let (Ok(here), Ok(whole)) = (std::env::current_dir(), std::path::absolute(path)) else {
        return path.display().to_string();
    };
    let folder = whole.parent().unwrap_or(&whole);
    let common = here.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", here.components().count() - common);
    let mut shown: PathBuf = up.collect();
    shown.extend(folder.components().skip(common));
    if shown.as_os_str().is_empty() {
        shown.push(".");
    }
    shown.extend(whole.file_name());
    shown.display().to_string()
}

pub(super) fn of_file(meta: &fs::Metadata) -> Found {
    let modified = meta.modified().ok().and_then(|it: SystemTime| Timestamp::try_from(it).ok());
    Found { size: meta.len(), modified, etag: None, archived: false }
}

/// All objects below a prefix, but for those that only stand for folders. `params` are further ones of
/// the list.
pub(super) async fn objects(
    client: &Client,
    bucket: &str,
    prefix: &str,
    mut params: Map,
) -> Result<There, Report> {
    params.insert("Bucket".to_owned(), bucket.into());
    params.insert("Prefix".to_owned(), prefix.into());
    let mut found = BTreeMap::new();
    client
        .pages("s3", "ListObjectsV2", params, |page| {
            for object in page.get("Contents").map(Value::items).unwrap_or_default() {
                let key = object.get("Key").and_then(Value::as_str).unwrap_or_default();
                let size = number(object.get("Size"));
                let Some(name) = key.strip_prefix(prefix).filter(|it| !it.is_empty()) else {
                    continue;
                };
                if name.ends_with('/') && size == 0 {
                    continue;
                }
                let modified = match object.get("LastModified") {
                    Some(Value::Timestamp(time)) => Some(*time),
                    _ => None,
                };
                let etag = object.get("ETag").and_then(Value::as_str).map(str::to_owned);
                let archived = is_archived(object.get("StorageClass"), None);
                found.insert(name.to_owned(), Found { size, modified, etag, archived });
            }
            true
        })
        .await
        .map_err(|error| fatal(&error))?;
    Ok(There { found, skipped: 0 })
}

/// Whether an object of a storage class cannot be read, which what is said of its restoring may mend. Lists
/// do not tell the latter.
pub(super) fn is_archived(class: Option<&Value>, restore: Option<&Value>) -> bool {
    let class = class.and_then(Value::as_str).unwrap_or_default();
    let restore = restore.and_then(Value::as_str).unwrap_or_default();
    matches!(class, "GLACIER" | "DEEP_ARCHIVE") && !restore.contains("ongoing-request=\"false\"")
}

/// A number that an answer has.
pub(super) fn number(value: Option<&Value>) -> u64 {
    value.and_then(Value::as_int).and_then(|it| u64::try_from(it).ok()).unwrap_or(0)
}

/// Where an object goes below a folder; nothing for a name that would lead out of it.
pub(super) fn below(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut path = folder.to_owned();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            part => path.push(part),
        }
    }
    (path != folder).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_filter_that_fits_counts() {
        let words = ["--exclude", "*", "--include=*.txt", "--exclude", "secret*"];
        let filters = filters(&words.map(str::to_owned));
        for (path, taken) in
            [("a.txt", true), ("b/a.txt", true), ("a.png", false), ("secret.txt", false)]
        {
            assert_eq!(filters.take(path), taken, "{path}");
        }
        assert!(super::filters(&[]).take("anything"));
    }

    #[test]
    fn filters_may_name_the_folder() {
        let words = ["--exclude", "/f/d/*.txt", "--exclude", "/g/*"].map(str::to_owned);
        let filters = filters(&words).below("/f/d/");
        assert!(!filters.take("a.txt") && filters.take("a.png") && filters.take("g/a"));
    }

    #[test]
    fn files_are_shown_from_here() {
        let here = std::env::current_dir().expect("a folder");
        let up = here.parent().expect("a folder above");
        for (path, expected) in [
            (PathBuf::from("a"), "./a"),
            ("b/a".into(), "b/a"),
            (here.join("b/c/a"), "b/c/a"),
            (up.join("a"), "../a"),
            (up.join("b/a"), "../b/a"),
        ] {
            assert_eq!(shown(&path), expected);
        }
    }

    #[test]
    fn archives_are_read_when_they_are_restored() {
        for (class, restore, archived) in [
            ("GLACIER", "", true),
            ("DEEP_ARCHIVE", "", true),
            ("DEEP_ARCHIVE", "ongoing-request=\"true\"", true),
            ("GLACIER", "ongoing-request=\"false\", expiry-date=\"later\"", false),
            ("GLACIER_IR", "", false),
            ("STANDARD", "", false),
        ] {
            let (class, restore) = (Value::from(class), Value::from(restore));
            assert_eq!(is_archived(Some(&class), Some(&restore)), archived, "{class:?}");
        }
        assert!(!is_archived(None, None));
    }

    #[test]
    fn names_lead_out_of_no_folder() {
        let folder = Path::new("/f");
        assert_eq!(below(folder, "a/b"), Some("/f/a/b".into()));
        assert_eq!(below(folder, "/a//b"), Some("/f/a/b".into()));
        assert_eq!(below(folder, "../a"), None);
        assert_eq!(below(folder, "a/../../b"), None);
        assert_eq!(below(folder, "/"), None);
    }
}
