//! Runs a module's case files: the same three checks for every module.
//!
//! A case is a YAML file: the files before, the arguments, and what must hold after. In all of
//! it, `$ROOT` stands for the folder of the case.
//!
//! ```yaml
//! before: { motd: "old\n", conf.d/: { mode: '0700' }, link: { link: motd } }
//! args: { dest: $ROOT/motd, content: "new\n" }
//! changed: true
//! result: { dest: $ROOT/motd }
//! after: { motd: "new\n", conf.d/: {}, link: { link: motd } }
//! ```
//!
//! Each case runs in check mode (which must touch nothing and predict `changed` and the keys of
//! `result`), then for real, then for real again (which must report no change). A module gets its
//! check-mode and idempotence tests by having one case.
//!
//! A file may hold several cases, as YAML documents.

#![expect(clippy::unwrap_used, reason = "a test harness")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use davit_event::Reply;
use serde::Deserialize;
use serde_json::Value;

use crate::{Attachment, Call, Entry, Options, Session};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The files before, by path beneath the root.
    #[serde(default)]
    before: BTreeMap<String, Before>,
    args: Value,
    /// What the controller sends along: a text by its name.
    #[serde(default)]
    attachments: BTreeMap<String, String>,
    #[serde(default)]
    diff: bool,
    #[serde(default)]
    changed: bool,
    /// The second run changes something again.
    #[serde(default)]
    changes_again: bool,
    /// What check mode predicts, where that is not `changed`.
    predicts: Option<bool>,
    /// Keys of the result and their values; null = the key is not there.
    #[serde(default)]
    result: BTreeMap<String, Value>,
    /// The failure's `msg`, where the case must fail.
    error: Option<String>,
    /// The files after; not looked at where it is left out.
    after: Option<BTreeMap<String, Before>>,
}

/// What stands at a path: a text is a file; a path that ends in `/` is a folder.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Before {
    Text(String),
    Full(Full),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Full {
    text: Option<String>,
    mode: Option<String>,
    link: Option<String>,
}

/// Runs every case in `dir` against `entry`, and returns how many there were.
///
/// # Panics
/// Where cases do not hold, naming each and its file.
#[must_use]
pub fn check_cases(entry: &Entry, dir: &Path) -> usize {
    let Ok(items) = fs::read_dir(dir) else { return 0 };
    let mut paths: Vec<_> = items.map(|it| it.unwrap().path()).collect();
    paths.sort();
    let mut count = 0;
    let mut broken = Vec::new();
    for path in &paths {
        let text = fs::read_to_string(path).unwrap();
        for (at, document) in text.split("\n---\n").enumerate() {
            let name = format!("{} case {}", path.display(), at + 1);
            // All that is broken is worth telling, not only what comes first.
            let held = std::panic::catch_unwind(|| check_case(entry, document, &name));
            if let Err(panic) = held {
                let text = panic.downcast_ref::<String>().cloned();
                broken.push(text.unwrap_or_else(|| format!("{name}: it panicked")));
            }
            count += 1;
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    count
}

fn check_case(entry: &Entry, document: &str, name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let document = document.replace("$ROOT", &root.to_string_lossy());
    let case: Case =
        serde_norway::from_str(&document).unwrap_or_else(|err| panic!("{name}: {err}"));
    for (path, what) in &case.before {
        make(&root, path, what);
    }
    let call = |check: bool| Call {
        args: case.args.as_object().unwrap().clone(),
        attachments: case
            .attachments
            .iter()
            .map(|(name, text)| (name.clone(), Attachment::Bytes(text.clone().into_bytes().into())))
            .collect(),
        check,
        diff: case.diff,
        folder: root.clone(),
        umask: Some(0o022),
        ..Call::default()
    };

    let before = read_tree(&root);
    let session = Session::new(Options { dry_run: true, ..Options::default() });
    let predicted = entry.call(&session, &call(true));
    assert_eq!(read_tree(&root), before, "{name}: check mode touched a file");

    let session = Session::default();
    let first = entry.call(&session, &call(false));
    if let Some(wanted) = &case.error {
        assert_eq!(first.get("failed"), Some(&Value::Bool(true)), "{name}: it did not fail");
        let msg = first["msg"].as_str().unwrap();
        assert!(msg.contains(wanted.as_str()), "{name}: {msg}");
        check_result(&case, &first, name);
        return;
    }
    assert_eq!(first.get("failed"), None, "{name}: {first:?}");
    assert_eq!(first["changed"], case.changed, "{name}: changed: {first:?}");
    check_result(&case, &first, name);
    let guess = case.predicts.unwrap_or(case.changed);
    assert_eq!(
        predicted["changed"], guess,
        "{name}: check mode predicted otherwise: {predicted:?}"
    );
    if let Some(after) = &case.after {
        check_tree(&root, after, name);
    }

    let second = entry.call(&session, &call(false));
    assert_eq!(second["changed"], case.changes_again, "{name}: the second run: {second:?}");
}

fn check_result(case: &Case, reply: &Reply, name: &str) {
    for (key, wanted) in &case.result {
        let got = reply.get(key).unwrap_or(&Value::Null);
        assert_eq!(got, wanted, "{name}: result key {key}: {reply:?}");
    }
}

fn make(root: &Path, path: &str, what: &Before) {
    let place = root.join(path);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    let (text, mode) = match what {
        Before::Text(text) => (Some(text), None),
        Before::Full(Full { link: Some(target), .. }) => {
            symlink(target, place).unwrap();
            return;
        }
        Before::Full(full) => (full.text.as_ref(), full.mode.as_ref()),
    };
    if path.ends_with('/') {
        fs::create_dir_all(&place).unwrap();
    } else {
        fs::write(&place, text.map_or("", String::as_str)).unwrap();
    }
    let usual = if path.ends_with('/') { 0o755 } else { 0o644 };
    let mode = mode.map_or(usual, |it| u32::from_str_radix(it, 8).unwrap());
    fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
}

fn check_tree(root: &Path, after: &BTreeMap<String, Before>, name: &str) {
    let tree = read_tree(root);
    for (path, what) in after {
        let key = path.trim_end_matches('/');
        let Some((kind, mode, text)) = tree.get(key) else {
            panic!("{name}: {path} is not there; there are {:?}", tree.keys());
        };
        assert_eq!(*kind == 'd', path.ends_with('/'), "{name}: {path} is another kind");
        match what {
            Before::Text(wanted) => assert_eq!(text, wanted, "{name}: {path}"),
            Before::Full(full) => {
                if let Some(wanted) = &full.text {
                    assert_eq!(text, wanted, "{name}: {path}");
                }
                if let Some(wanted) = &full.link {
                    assert_eq!(text, wanted, "{name}: the target of {path}");
                    assert_eq!(*kind, 'l', "{name}: {path} is no link");
                }
                if let Some(wanted) = &full.mode {
                    let wanted = u32::from_str_radix(wanted, 8).unwrap();
                    assert_eq!(*mode, wanted, "{name}: the mode of {path}: {mode:o}");
                }
            }
        }
    }
    // Backups have the time in their names; everything else must have been named.
    let strange = tree.keys().find(|key| {
        !key.ends_with('~')
            && !after.contains_key(*key)
            && !after.contains_key(&format!("{key}/"))
            && !after.keys().any(|it| it.starts_with(&format!("{key}/")))
    });
    assert_eq!(strange, None, "{name}: this is there too");
}

/// All that is beneath a folder: kind, mode, and content or target, by path.
fn read_tree(root: &Path) -> BTreeMap<String, (char, u32, String)> {
    let mut tree = BTreeMap::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(folder) = left.pop() {
        for item in fs::read_dir(&folder).unwrap() {
            let path = item.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let entry = if meta.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                ('l', 0, target.to_string_lossy().into_owned())
            } else if meta.is_dir() {
                left.push(path.clone());
                ('d', meta.mode() & 0o7777, String::new())
            } else {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                ('f', meta.mode() & 0o7777, text)
            };
            let key = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            tree.insert(key, entry);
        }
    }
    tree
}
