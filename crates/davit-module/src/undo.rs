//! Undoing what the journal tells of: newest first, and only what nobody has changed since.
//!
//! ```text
//! changes, newest first ─▶ groups of one path each ─▶ as left? ─▶ put back through the gate
//! ```
//!
//! Changes of one file that follow on one another are one group: the file goes back to what it
//! was before the first of them in one step. A group is undone where its oldest change stood, so
//! that folders go after what was made in them.
//!
//! It does not know runs, plays or other hosts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::host::{Twins, mode_text, open_kept, read_list};
use crate::session::{Change, ChangeKind, FileState};
use crate::{Host, ModuleError};

/// More bytes of a file than this are not shown in a diff anyway.
const SHOWN: u64 = 256 * 1024;

/// What became of some changes of one path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Undone {
    /// Which changes, by their place in the list that was given.
    pub numbers: Vec<usize>,
    /// The path; for a program, what was run.
    pub path: String,
    /// What became of them, in a word.
    pub did: Did,
    /// What was done, or why nothing was.
    pub how: String,
    /// What differs in the file, where that was asked for.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub diff: Value,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Did {
    /// It was undone; in check mode, it would be.
    Undone,
    /// There is nothing to undo: things are as they were before.
    Already,
    /// It was left alone, as something else has changed there since.
    Skipped,
    /// It cannot be undone.
    Impossible,
}

/// Undoes `changes`, which are newest first; those for which `hidden` says so show no diff.
///
/// What cannot be undone stops nothing: the report tells of each change once.
pub fn undo(
    host: &mut Host<'_>,
    changes: &[Change],
    hidden: &dyn Fn(usize) -> bool,
) -> Vec<Undone> {
    let mut work = Work { touched: HashSet::new(), twins: Twins::default() };
    work.twins.candidates = changes
        .iter()
        .flat_map(|it| [Some(&it.path), it.after.as_ref().and_then(|it| it.target.as_ref())])
        .flatten()
        .filter(|it| it.is_absolute())
        .cloned()
        .collect::<HashSet<PathBuf>>()
        .into_iter()
        .collect();
    let origins = Origins::of(changes);
    let settled = origins.settled(host);
    let mut report = Vec::new();
    for numbers in groups(changes) {
        if host.cancel().is_cancelled() {
            break;
        }
        let group: Vec<&Change> = numbers.iter().filter_map(|it| changes.get(*it)).collect();
        if let Some(path) = group.first().map(|it| it.path.as_path())
            && settled.contains(path)
        {
            let how = "as it was before".to_owned();
            let path = path.display().to_string();
            report.push(Undone { numbers, path, did: Did::Already, how, diff: Value::Null });
            continue;
        }
        let shows = host.wants_diff() && !numbers.iter().any(|it| hidden(*it));
        if let Some(told) = work.undo_group(host, &group, shows) {
            report.push(Undone { numbers, ..told });
        }
    }
    report
}

/// The changes that are undone together, in the order in which that is done; each newest first.
fn groups(changes: &[Change]) -> Vec<Vec<usize>> {
    let mut open: HashMap<&Path, Vec<usize>> = HashMap::new();
    let mut done: Vec<Vec<usize>> = Vec::new();
    for (number, change) in changes.iter().enumerate() {
        let path = change.path.as_path();
        let newer = open.get(path).and_then(|it| it.last()).and_then(|it| changes.get(*it));
        if newer.is_some_and(|newer| follows(change, newer)) {
            open.entry(path).or_default().push(number);
        } else if let Some(group) = open.insert(path, vec![number]) {
            done.push(group);
        }
    }
    done.extend(open.into_values());
    done.sort_by_key(|group| group.last().copied());
    done
}

/// Whether `newer` began exactly with what `older` has left.
fn follows(older: &Change, newer: &Change) -> bool {
    let plain = |change: &Change| {
        !matches!(change.kind, ChangeKind::Program | ChangeKind::Tree | ChangeKind::Folder)
            && [&change.before, &change.after].into_iter().flatten().all(|it| {
                // What happens to one name of a file may be seen under another.
                it.is_link() || (it.is_file() && it.nlink == 1)
            })
    };
    plain(older)
        && plain(newer)
        && match (&older.after, &newer.before) {
            (None, None) => true,
            (Some(after), Some(before)) => {
                after.ino == before.ino && after.differs(before).is_none()
            }
            _ => false,
        }
}

/// What each path held before all the changes.
struct Origins<'a> {
    /// By path; sorted, so that folders come before what is in them.
    all: BTreeMap<&'a Path, Origin>,
    /// What the newest change of each path has left there.
    left: HashMap<&'a Path, Option<&'a FileState>>,
    /// Where a file was changed that had other names: how that name ended does not tell how they did.
    shared: HashSet<&'a Path>,
    /// Where something was removed: what stands there now may be another folder.
    removed: HashSet<&'a Path>,
}

enum Origin {
    Nothing,
    Stood(FileState),
    /// A folder was removed there whose list is gone.
    Unknown,
}

impl<'a> Origins<'a> {
    /// Of `changes`, which are newest first.
    fn of(changes: &'a [Change]) -> Self {
        let mut all = BTreeMap::new();
        let mut lists = HashMap::new();
        // What takes a folder away or makes one speaks for all that is beneath.
        let mut folders: BTreeMap<&Path, &Change> = BTreeMap::new();
        for change in changes.iter().rev().filter(|it| it.path.is_absolute()) {
            let path = change.path.as_path();
            if all.contains_key(path) {
                continue;
            }
            let above = path.ancestors().skip(1).filter_map(|it| folders.get(it)).last();
            let origin = match above {
                Some(folder) => Self::inside(folder, path, &mut lists),
                None => change.before.clone().map_or(Origin::Nothing, Origin::Stood),
            };
            all.insert(path, origin);
            let is_dir = change.before.as_ref().is_some_and(FileState::is_dir);
            if change.before.is_none() || (change.kind == ChangeKind::Remove && is_dir) {
                folders.insert(path, change);
            }
        }
        let left = changes.iter().rev().map(|it| (it.path.as_path(), it.after.as_ref())).collect();
        // A file that was changed while it had several names, and all that was done to any of them.
        let inode = |it: &&Change| match (&it.before, &it.after) {
            (Some(before), Some(after)) if before.ino == after.ino => {
                Some(after).filter(|it| it.is_file() && it.nlink > 1).map(|it| it.ino)
            }
            _ => None,
        };
        let inodes: HashSet<u64> = changes.iter().filter_map(|it| inode(&it)).collect();
        let is_shared = |it: &&Change| {
            [&it.before, &it.after].into_iter().flatten().any(|it| inodes.contains(&it.ino))
        };
        let shared = changes.iter().filter(is_shared).map(|it| it.path.as_path()).collect();
        let is_removal = |it: &&Change| it.kind == ChangeKind::Remove;
        let removed = changes.iter().filter(is_removal).map(|it| it.path.as_path()).collect();
        Self { all, left, shared, removed }
    }

    /// What stood at `path` when `folder` above it was removed or made.
    fn inside(
        folder: &'a Change,
        path: &Path,
        lists: &mut HashMap<&'a Path, Option<HashMap<PathBuf, FileState>>>,
    ) -> Origin {
        let Some(before) = &folder.before else { return Origin::Nothing };
        let Some(kept) = before.kept.as_deref() else { return Origin::Unknown };
        let read =
            || Some(read_list(kept).ok()?.into_iter().map(|it| (it.path, it.state)).collect());
        let list = lists.entry(kept).or_insert_with(read);
        match (list, path.strip_prefix(&folder.path)) {
            (Some(list), Ok(inner)) => {
                list.get(inner).cloned().map_or(Origin::Nothing, Origin::Stood)
            }
            _ => Origin::Unknown,
        }
    }

    /// The paths that hold what they held, with all that is above them.
    fn settled(&self, host: &Host<'_>) -> HashSet<PathBuf> {
        let mut settled: HashSet<PathBuf> = HashSet::new();
        for (path, origin) in &self.all {
            let mut above = path.ancestors().skip(1);
            if above.any(|it| self.all.contains_key(it) && !settled.contains(it))
                || self.shared.contains(path)
            {
                continue;
            }
            let Ok(now) = host.state(path) else { continue };
            let left = self.left.get(path).copied().flatten();
            let is_it = match origin {
                Origin::Nothing => now.is_none(),
                Origin::Stood(want) => {
                    is_already(host, path, (now.as_ref(), left), Some(want))
                        && (!want.is_dir()
                            || if want.kept.is_some() {
                                host.has_tree(path, want)
                            } else {
                                !self.removed.contains(path)
                            })
                }
                Origin::Unknown => false,
            };
            if is_it {
                settled.insert(path.to_path_buf());
            }
        }
        settled
    }
}

/// Whether what stands at `path` is what stood there before.
fn is_already(
    host: &Host<'_>,
    path: &Path,
    (now, left): (Option<&FileState>, Option<&FileState>),
    want: Option<&FileState>,
) -> bool {
    let (Some(now), Some(want)) = (now, want) else { return now.is_none() && want.is_none() };
    // What the change has left may be as long and as old as what stood there, and another thing.
    if left.is_some_and(|it| it.ino == now.ino && it.ino != want.ino) {
        return false;
    }
    let flags = || host.flags(path).map(|(_, flags)| flags);
    let read = || host.lstat(path).ok().flatten().map(|it| it.atime);
    now.differs(want).is_none()
        && want.flags.as_ref().is_none_or(|it| flags().as_ref() == Some(it))
        && want.context.as_ref().is_none_or(|it| host.context(path).ok().as_ref() == Some(it))
        && want.atime.is_none_or(|it| now.mtime == want.mtime && read() == Some(it))
        && (now.ino == want.ino || holds_what_was_kept(host, path, want))
}

/// Whether another file in the place of one holds the same, as far as a copy was kept.
fn holds_what_was_kept(host: &Host<'_>, path: &Path, want: &FileState) -> bool {
    let Some(kept) = want.kept.as_deref().filter(|_| want.is_file()) else { return true };
    let (Ok(now), Ok(kept)) = (host.open(path), open_kept(kept)) else { return false };
    let (mut now, mut kept) = (BufReader::new(now).bytes(), BufReader::new(kept).bytes());
    loop {
        match (now.next(), kept.next()) {
            (None, None) => return true,
            (Some(Ok(one)), Some(Ok(other))) if one == other => {}
            _ => return false,
        }
    }
}

/// What is known while changes are undone.
struct Work {
    /// What has been put back or taken away: other inodes are no surprise there, nor beneath.
    touched: HashSet<PathBuf>,
    twins: Twins,
}

impl Work {
    fn undo_group(
        &mut self,
        host: &mut Host<'_>,
        group: &[&Change],
        shows: bool,
    ) -> Option<Undone> {
        let (newest, oldest) = (group.first()?, group.last()?);
        let path = newest.path.as_path();
        let told = |did: Did, how: String| Undone {
            numbers: Vec::new(),
            path: path.display().to_string(),
            did,
            how,
            diff: Value::Null,
        };
        if newest.kind == ChangeKind::Program {
            let how = "a program was run: what it did is not known".to_owned();
            return Some(told(Did::Impossible, how));
        }
        if !path.is_absolute() {
            return Some(told(Did::Impossible, "its path is not known".to_owned()));
        }
        let want = wanted(group);
        let now = match host.state(path) {
            Ok(now) => now,
            Err(err) => return Some(told(Did::Impossible, err.message())),
        };
        if is_in_part(newest) {
            let how = "it was removed in part, and that is not pieced together again".to_owned();
            return Some(told(Did::Impossible, how));
        }
        let left = newest.after.as_ref();
        if is_already(host, path, (now.as_ref(), left), want.as_ref()) {
            return Some(told(Did::Already, "as it was before".to_owned()));
        }
        if let Some(why) = self.changed_since(path, now.as_ref(), newest.after.as_ref()) {
            return Some(told(Did::Skipped, format!("changed since: {why}")));
        }
        if passes_through(oldest) {
            let how = "it was written through a link".to_owned();
            return Some(told(Did::Impossible, how));
        }
        let whole = group.iter().any(|it| it.kind != ChangeKind::Attributes);
        let diff =
            if shows { diff(host, path, now.as_ref(), want.as_ref(), whole) } else { Value::Null };
        let how = how(now.as_ref(), want.as_ref(), whole);
        let done = match (&want, &newest.after) {
            (None, Some(after)) if newest.kind == ChangeKind::Tree => host.take_tree(path, after),
            (None, _) => host.take_away(path),
            (Some(want), _) if whole => host.put_back(path, want, &mut self.twins),
            (Some(want), _) => host.put_back_attributes(path, want),
        };
        Some(match done {
            Ok(()) => {
                self.touched.insert(path.to_path_buf());
                Undone { diff, ..told(Did::Undone, how) }
            }
            Err(err) => told(of_error(newest, &err), err.message()),
        })
    }

    /// What was changed at `path` by somebody else.
    fn changed_since(
        &self,
        path: &Path,
        now: Option<&FileState>,
        left: Option<&FileState>,
    ) -> Option<&'static str> {
        match (now, left) {
            (None, None) => None,
            (None, Some(_)) => Some("it is gone"),
            (Some(_), None) => Some("something stands there again"),
            (Some(now), Some(left)) => left.differs(now).or_else(|| {
                // What was put back has another inode, and the same time to the nanosecond. Whole
                // seconds say less: archives give them to all that is in them.
                let is_vague = now.is_file() && now.mtime.nanos == 0 && now.ino != left.ino;
                let is_ours = || path.ancestors().any(|it| self.touched.contains(it));
                (is_vague && !is_ours()).then_some("it was replaced")
            }),
        }
    }
}

/// What is to stand there again: as the oldest change found it, and of what only some changes
/// know, what the oldest of these found.
fn wanted(group: &[&Change]) -> Option<FileState> {
    let mut want = group.last()?.before.clone()?;
    for before in group.iter().rev().filter_map(|it| it.before.as_ref()) {
        want.atime = want.atime.or(before.atime);
        want.flags = want.flags.or_else(|| before.flags.clone());
        want.context = want.context.or_else(|| before.context.clone());
    }
    // A mode was set before anything was written: the copy was made at the writing.
    let writing = group.iter().rev().find(|it| it.kind != ChangeKind::Attributes);
    if let Some(before) = writing.and_then(|it| it.before.as_ref()).filter(|_| want.is_file()) {
        want.kept = want.kept.or_else(|| before.kept.clone());
        want.not_kept = want.not_kept.or_else(|| before.not_kept.clone());
    }
    Some(want)
}

/// A folder whose removal was broken off.
fn is_in_part(change: &Change) -> bool {
    change.kind == ChangeKind::Remove && change.after.is_some()
}

/// A link at which something was written that is a link still.
fn passes_through(change: &Change) -> bool {
    let is_link = |it: &Option<FileState>| it.as_ref().is_some_and(FileState::is_link);
    change.kind == ChangeKind::Write && is_link(&change.before) && is_link(&change.after)
}

/// What is in a folder now is somebody else's; all else is for want of a copy or a right.
fn of_error(change: &Change, err: &ModuleError) -> Did {
    let text = err.message();
    let is_theirs = matches!(change.kind, ChangeKind::Folder | ChangeKind::Tree)
        && (text.starts_with("changed since") || text.contains("not empty"));
    if is_theirs { Did::Skipped } else { Did::Impossible }
}

/// What is done, in words.
fn how(now: Option<&FileState>, want: Option<&FileState>, whole: bool) -> String {
    let Some(want) = want else { return "removed".to_owned() };
    if whole {
        return "put back".to_owned();
    }
    let mut parts = Vec::new();
    if let Some(now) = now {
        if now.mode != want.mode {
            parts.push(format!("mode {} again", mode_text(i64::from(want.mode))));
        }
        if now.uid != want.uid {
            parts.push(format!("owner {} again", crate::host::user_name(want.uid)));
        }
        if now.gid != want.gid {
            parts.push(format!("group {} again", crate::host::group_name(want.gid)));
        }
    }
    if want.atime.is_some() {
        parts.push("times put back".to_owned());
    }
    if want.flags.is_some() {
        parts.push("flags put back".to_owned());
    }
    if want.context.is_some() {
        parts.push("security context put back".to_owned());
    }
    if parts.is_empty() { "put back".to_owned() } else { parts.join(", ") }
}

/// What undoing it changes in the file, as results show it.
fn diff(
    host: &Host<'_>,
    path: &Path,
    now: Option<&FileState>,
    want: Option<&FileState>,
    whole: bool,
) -> Value {
    let name = path.display().to_string();
    let is_text = |it: Option<&FileState>| it.is_none_or(FileState::is_file);
    if whole && is_text(now) && is_text(want) {
        let before = now.and_then(|_| start_of(host, path));
        let kept = want.map(|want| want.kept.as_ref().and_then(|kept| start_of(host, kept)));
        return match kept {
            None => host.text_diff(before.as_deref(), b"", (&name, &name)),
            Some(Some(after)) => host.text_diff(before.as_deref(), &after, (&name, &name)),
            Some(None) => Value::Null,
        };
    }
    let side = |state: Option<&FileState>| match state {
        None => json!({"path": name, "state": "absent"}),
        Some(it) => {
            let mut side = json!({"path": name, "mode": mode_text(i64::from(it.mode)),
                "owner": it.uid, "group": it.gid});
            if let Some(target) = it.target.as_ref().filter(|_| it.is_link()) {
                side["src"] = target.display().to_string().into();
            }
            side
        }
    };
    json!({"before": side(now), "after": side(want)})
}

/// As much of a file as a diff shows, and a little more.
fn start_of(host: &Host<'_>, path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    host.open(path).ok()?.take(SHOWN).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
