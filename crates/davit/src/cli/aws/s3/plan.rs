//! What is at a place, here or in S3, and what of it is meant.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use davit_aws::Client;
use davit_aws::value::{Map, Value};
use jiff::Timestamp;

use super::super::{codes, report};
use crate::cli::wildcard;
use crate::report::{Report, warn};

/// A file or an object, by its path below the place that was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) size: u64,
    pub(super) modified: Option<Timestamp>,
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
    /// Whether a path below the place is meant.
    pub(super) fn take(&self, path: &str) -> bool {
        let fits = |pattern: &str| wildcard::fits(path, pattern.trim_start_matches("./"));
        self.0.iter().rev().find(|(_, pattern)| fits(pattern)).is_none_or(|(includes, _)| *includes)
    }
}

/// All files below a folder. What is neither a file nor a folder is told of and left out.
pub(super) fn files(folder: &Path, follow: bool) -> Result<BTreeMap<String, Found>, Report> {
    let mut found = BTreeMap::new();
    let mut above = HashSet::new();
    walk(folder, "", follow, &mut above, &mut found)?;
    Ok(found)
}

fn walk(
    folder: &Path,
    below: &str,
    follow: bool,
    above: &mut HashSet<PathBuf>,
    found: &mut BTreeMap<String, Found>,
) -> Result<(), Report> {
    // A link that leads back to where it came from would be followed for ever.
    let Ok(real) = folder.canonicalize() else { return unreadable(folder, "it is not there") };
    if !above.insert(real.clone()) {
        warn(&format!("{} leads back to itself and is left out", folder.display()));
        return Ok(());
    }
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return unreadable(folder, &error.to_string()),
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let Some(name) = path.file_name().and_then(|it| it.to_str()) else {
            warn(&format!("{} has a name that is no UTF-8 and is left out", path.display()));
            continue;
        };
        let name = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        let is_link = entry.file_type().is_ok_and(|it| it.is_symlink());
        if is_link && !follow {
            continue;
        }
        match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => walk(&path, &name, follow, above, found)?,
            Ok(meta) if meta.is_file() => {
                found.insert(name, of_file(&meta));
            }
            Ok(_) => warn(&format!("{} is no file and is left out", path.display())),
            Err(error) => warn(&format!("{} is left out: {error}", path.display())),
        }
    }
    above.remove(&real);
    Ok(())
}

fn unreadable(path: &Path, reason: &str) -> Result<(), Report> {
    let text = format!("{} cannot be read: {reason}", path.display());
    Err(Report::new(text).code(codes::GENERAL))
}

pub(super) fn of_file(meta: &fs::Metadata) -> Found {
    let modified = meta.modified().ok().and_then(|it: SystemTime| Timestamp::try_from(it).ok());
    Found { size: meta.len(), modified }
}

/// All objects below a prefix, but for those that only stand for folders.
pub(super) async fn objects(
    client: &Client,
    bucket: &str,
    prefix: &str,
) -> Result<BTreeMap<String, Found>, Report> {
    let mut params = Map::new();
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
                found.insert(name.to_owned(), Found { size, modified });
            }
            true
        })
        .await
        .map_err(|error| report(&error))?;
    Ok(found)
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
    fn names_lead_out_of_no_folder() {
        let folder = Path::new("/f");
        assert_eq!(below(folder, "a/b"), Some("/f/a/b".into()));
        assert_eq!(below(folder, "/a//b"), Some("/f/a/b".into()));
        assert_eq!(below(folder, "../a"), None);
        assert_eq!(below(folder, "a/../../b"), None);
        assert_eq!(below(folder, "/"), None);
    }
}
