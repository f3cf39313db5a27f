//! The sending end: what there is to be sent, in the order in which it is told: the files of a
//! folder before its folders.
//!
//! It reads and changes nothing, and does not know what the other end has.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use davit_module::{FileKind, Host, Meta, Mode, ModuleError, errno_text, names};
use serde::{Deserialize, Serialize};

use super::entry::{AnyPath, Entry, Name, Options, Owners};
use super::rules::{Rules, Side};

/// How many entries are told at a time.
const PAGE: usize = 20_000;

/// A part of what there is to be sent.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Listed {
    /// The folder that names begin in.
    pub root: AnyPath,
    /// What there is.
    pub entries: Vec<Entry>,
    /// Where to go on: the last name, and whether it is a folder's.
    pub next: Option<(Name, bool)>,
    /// Whose it is.
    pub owners: Owners,
    /// What is there and is not sent: it counts as there.
    pub kept: Vec<Name>,
    /// What is to be said of what is passed over.
    pub notes: Vec<String>,
    /// What could not be read.
    pub errors: Vec<String>,
}

/// Lists what `src` means, from behind `after`.
///
/// # Errors
/// Where an option or a rule makes no sense. What cannot be read is in the answer.
pub(super) fn list(
    host: &Host<'_>,
    src: &Path,
    options: &Options,
    after: Option<&(Name, bool)>,
) -> Result<Listed, ModuleError> {
    let text = src.as_os_str().as_bytes();
    let whole = text.ends_with(b"/") || text.ends_with(b"/.") || text == b".";
    let (root, name) = match (whole, src.parent(), src.file_name()) {
        (false, Some(parent), Some(name)) => (parent.to_path_buf(), Some(name.to_os_string())),
        _ => (src.to_path_buf(), None),
    };
    let rules = Rules::parse(&options.rules, options.delete_excluded);
    let rules = rules.and_then(|it| it.at_root(host, &root)).map_err(ModuleError::failed)?;
    let chmod = chmod(&options.chmod)?;
    let out = Listed { root: AnyPath(root.clone()), ..Listed::default() };
    let mut walk = Walk { host, options, root, chmod, out, stack: Vec::new() };
    walk.begin(name, Arc::new(rules), after)?;
    walk.go_on()?;
    let mut out = walk.out;
    out.owners = owners(&out.entries, options);
    Ok(out)
}

/// The clauses of `--chmod`: for folders, for files, and the change.
struct Chmod {
    folders: bool,
    files: bool,
    mode: Mode,
}

impl Chmod {
    fn apply(&self, mode: u32, folder: bool, umask: u32) -> u32 {
        let changed = self.mode.apply(mode, folder, umask);
        match &self.mode {
            // Set-user-id and its like go only where they are named.
            Mode::Symbolic(text) if !text.contains(['s', 't']) => changed & 0o777 | mode & 0o7000,
            _ => changed,
        }
    }
}

fn chmod(texts: &[String]) -> Result<Vec<Chmod>, ModuleError> {
    let mut all = Vec::new();
    for clause in texts.iter().flat_map(|it| it.split(',')).filter(|it| !it.is_empty()) {
        let (folders, files, rest) = match clause.chars().next() {
            Some('D') => (true, false, &clause[1..]),
            Some('F') => (false, true, &clause[1..]),
            _ => (true, true, clause),
        };
        let mode = Mode::parse(&rest.into()).ok().flatten();
        let mode = mode.ok_or_else(|| {
            ModuleError::failed(format!("Invalid argument passed to --chmod ({clause})"))
        })?;
        all.push(Chmod { folders, files, mode });
    }
    Ok(all)
}

/// A folder that is not told to its end.
struct Frame {
    rules: Arc<Rules>,
    /// Device and inode: a folder that contains itself has no end.
    id: (u64, u64),
    files: VecDeque<Entry>,
    folders: VecDeque<(Entry, (u64, u64))>,
}

struct Walk<'a> {
    host: &'a Host<'a>,
    options: &'a Options,
    root: PathBuf,
    chmod: Vec<Chmod>,
    out: Listed,
    stack: Vec<Frame>,
}

/// What is in a path: its parts.
type Parts<'a> = Vec<&'a [u8]>;

impl Walk<'_> {
    fn begin(
        &mut self,
        name: Option<OsString>,
        rules: Arc<Rules>,
        after: Option<&(Name, bool)>,
    ) -> Result<(), ModuleError> {
        let top = name.map(Name::from).unwrap_or_default();
        let path = top.at(&self.root);
        let follow = top.is_root() || self.options.copy_links;
        let meta = match self.host.meta(&path, follow) {
            Ok(Some(meta)) => meta,
            Ok(None) => return self.absent(&path, "No such file or directory (2)"),
            Err(error) => return self.absent(&path, &told(&error)),
        };
        let meta = self.as_sent(&path, meta);
        if top.is_root() && !meta.is_dir() {
            return self.absent(&path, "Not a directory (20)");
        }
        if !top.is_root() && rules.leave_out(Side::Sender, &self.root, &top, meta.is_dir()) {
            return Ok(());
        }
        let enter = self.options.recursive || (top.is_root() && self.options.dirs);
        if !meta.is_dir() || !enter {
            if after.is_none()
                && let Some(entry) = self.entry(top, &path, &meta)
            {
                self.out.entries.push(entry);
            }
            return Ok(());
        }
        let id = (meta.dev, meta.ino);
        let parts = after.map(|(name, folder)| {
            let skip = usize::from(!top.is_root());
            let parts: Parts<'_> = name
                .bytes()
                .split(|it| *it == b'/')
                .filter(|it| !it.is_empty())
                .skip(skip)
                .collect();
            (parts, *folder)
        });
        if after.is_none()
            && let Some(entry) = self.entry(top.clone(), &path, &meta)
        {
            self.out.entries.push(entry);
        }
        self.open(top, &rules, id, parts)
    }

    fn absent(&mut self, path: &Path, why: &str) -> Result<(), ModuleError> {
        self.out
            .errors
            .push(format!("rsync: [sender] link_stat \"{}\" failed: {why}", path.display()));
        Ok(())
    }

    /// Tells what is left, as much as fits a page.
    fn go_on(&mut self) -> Result<(), ModuleError> {
        while let Some(frame) = self.stack.last_mut() {
            if self.out.entries.len() >= PAGE {
                let last = self.out.entries.last();
                self.out.next = last.map(|it| (it.name.clone(), it.is_dir()));
                return Ok(());
            }
            if self.host.cancel().is_cancelled() {
                return Err(ModuleError::Cancelled);
            }
            if let Some(entry) = frame.files.pop_front() {
                self.out.entries.push(entry);
                continue;
            }
            let Some((entry, id)) = frame.folders.pop_front() else {
                self.stack.pop();
                continue;
            };
            let rules = Arc::clone(&frame.rules);
            let name = entry.name.clone();
            self.out.entries.push(entry);
            self.descend(name, &rules, id, None)?;
        }
        Ok(())
    }

    fn descend(
        &mut self,
        name: Name,
        rules: &Arc<Rules>,
        id: (u64, u64),
        after: Option<(Parts<'_>, bool)>,
    ) -> Result<(), ModuleError> {
        if !self.options.recursive {
            return Ok(());
        }
        // What is only predicted has no number, and no links that lead back.
        if id.1 != 0 && self.stack.iter().any(|it| it.id == id) {
            let path = name.at(&self.root);
            self.out.errors.push(format!("\"{}\" contains itself: it is not sent", path.display()));
            return Ok(());
        }
        self.open(name, rules, id, after)
    }

    /// Looks into a folder.
    fn open(
        &mut self,
        name: Name,
        above: &Arc<Rules>,
        id: (u64, u64),
        after: Option<(Parts<'_>, bool)>,
    ) -> Result<(), ModuleError> {
        let path = name.at(&self.root);
        let rules = above.inside(self.host, &path).map_err(ModuleError::failed)?;
        let names = match self.host.read_dir(&path) {
            Ok(names) => names,
            Err(error) => {
                let why = match &error {
                    ModuleError::Io { source, .. } => told(source),
                    other => other.message(),
                };
                let path = path.display();
                self.out.errors.push(format!("rsync: [sender] opendir \"{path}\" failed: {why}"));
                return Ok(());
            }
        };
        let (mut files, mut folders) = (VecDeque::new(), Vec::new());
        for own in names {
            let inner = name.child(&own);
            let path = inner.at(&self.root);
            let out = |folder| rules.leave_out(Side::Sender, &self.root, &inner, folder);
            let meta = self.seen(&path);
            let is_dir = matches!(&meta, Ok(Some(it)) if it.is_dir());
            if out(is_dir) {
                continue;
            }
            let meta = match meta {
                Ok(Some(meta)) => meta,
                Ok(None) => continue,
                Err(why) => {
                    self.out.errors.push(why);
                    continue;
                }
            };
            let id = (meta.dev, meta.ino);
            let Some(entry) = self.entry(inner, &path, &meta) else { continue };
            if entry.is_dir() { folders.push((entry, id)) } else { files.push_back(entry) }
        }
        folders.sort_by(|a, b| by_path(a.0.name.last().as_bytes(), b.0.name.last().as_bytes()));
        let rules = Arc::new(rules);
        let mut frame = Frame { rules, id, files, folders: folders.into() };
        let deeper = after.and_then(|it| skip(&mut frame, it));
        let rules = Arc::clone(&frame.rules);
        self.stack.push(frame);
        match deeper {
            Some((entry, id, after)) => self.descend(entry.name, &rules, id, after),
            None => Ok(()),
        }
    }

    /// What stands at a path, as it is to be sent; `None` where it has gone in the meantime.
    fn seen(&self, path: &Path) -> Result<Option<Meta>, String> {
        match self.host.meta(path, false) {
            Ok(Some(meta)) if meta.is_link() && self.options.copy_links => {
                match self.host.meta(path, true) {
                    Ok(Some(meta)) => Ok(Some(meta)),
                    _ => Err(format!("symlink has no referent: \"{}\"", path.display())),
                }
            }
            Ok(meta) => Ok(meta.map(|it| self.as_sent(path, it))),
            Err(error) => {
                let (path, why) = (path.display(), told(&error));
                Err(format!("rsync: [sender] readlink_stat(\"{path}\") failed: {why}"))
            }
        }
    }

    /// A link to a folder as that folder, where that is asked for.
    fn as_sent(&self, path: &Path, meta: Meta) -> Meta {
        if !meta.is_link() || !self.options.copy_dirlinks {
            return meta;
        }
        match self.host.meta(path, true) {
            Ok(Some(there)) if there.is_dir() => there,
            _ => meta,
        }
    }

    /// What is told of it; `None` where it is passed over.
    fn entry(&mut self, name: Name, path: &Path, meta: &Meta) -> Option<Entry> {
        let options = self.options;
        let sent = match meta.kind {
            FileKind::File => true,
            FileKind::Directory => options.recursive || options.dirs,
            FileKind::Link => options.links,
            FileKind::Fifo | FileKind::Socket => options.specials,
            FileKind::Block | FileKind::Char => options.devices,
        };
        if !sent {
            let shown = if name.is_root() { ".".to_owned() } else { name.to_string() };
            self.out.notes.push(match meta.kind {
                FileKind::Directory => format!("skipping directory {shown}"),
                _ => format!("skipping non-regular file \"{shown}\""),
            });
            self.out.kept.push(name);
            return None;
        }
        let mut mode = meta.mode;
        for change in &self.chmod {
            let about = if meta.is_dir() { change.folders } else { change.files };
            if about && !meta.is_link() {
                mode = change.apply(mode, meta.is_dir(), self.host.umask());
            }
        }
        let failed = |error: &ModuleError| format!("rsync: [sender] {}", error.message());
        let mut sha1 = None;
        if options.checksum && meta.is_file() {
            match self.host.sha1(path) {
                Ok(sum) => sha1 = Some(sum),
                Err(error) => self.out.errors.push(failed(&error)),
            }
        }
        let target = if meta.is_link() {
            match self.host.read_link(path) {
                Ok(target) => Some(AnyPath(target)),
                Err(error) => {
                    self.out.errors.push(failed(&error));
                    return None;
                }
            }
        } else {
            None
        };
        let is_device = matches!(meta.kind, FileKind::Block | FileKind::Char);
        Some(Entry {
            name,
            kind: meta.kind,
            mode,
            uid: meta.uid,
            gid: meta.gid,
            size: if meta.is_file() { meta.size } else { 0 },
            mtime: (meta.mtime.secs, meta.mtime.nanos),
            target,
            sha1,
            rdev: if is_device { meta.rdev } else { 0 },
        })
    }
}

/// Where to go on, deeper in the folder.
type Deeper<'a> = (Entry, (u64, u64), Option<(Parts<'a>, bool)>);

/// Leaves out what has been told; gives the folder within which to go on.
fn skip<'a>(frame: &mut Frame, (parts, folder): (Parts<'a>, bool)) -> Option<Deeper<'a>> {
    let (first, rest) = parts.split_first()?;
    if rest.is_empty() && !folder {
        frame.files.retain(|it| it.name.last().as_bytes() > *first);
        return None;
    }
    frame.files.clear();
    frame.folders.retain(|(it, _)| by_path(it.name.last().as_bytes(), first) != Ordering::Less);
    let is_it = frame.folders.front().is_some_and(|(it, _)| it.name.last().as_bytes() == *first);
    if !is_it {
        return None;
    }
    let (entry, id) = frame.folders.pop_front()?;
    let after = (!rest.is_empty()).then(|| (rest.to_vec(), folder));
    Some((entry, id, after))
}

/// Folders are sorted as if their names ended in `/`.
pub(super) fn by_path(a: &[u8], b: &[u8]) -> Ordering {
    a.iter().chain(b"/").cmp(b.iter().chain(b"/"))
}

/// The system's error as rsync tells it: `Permission denied (13)`.
pub(super) fn told(error: &std::io::Error) -> String {
    let text = errno_text(error);
    match (text.split_once("] "), error.raw_os_error()) {
        (Some((_, text)), Some(code)) => format!("{text} ({code})"),
        _ => text,
    }
}

fn owners(entries: &[Entry], options: &Options) -> Owners {
    let mut owners = Owners::default();
    if options.numeric_ids {
        return owners;
    }
    for entry in entries {
        // The number 0 is the same everywhere.
        if options.owner && entry.uid != 0 && !owners.users.contains_key(&entry.uid) {
            let name = names::User::numbered(entry.uid).map(|it| it.name).unwrap_or_default();
            owners.users.insert(entry.uid, name);
        }
        if options.group && entry.gid != 0 && !owners.groups.contains_key(&entry.gid) {
            let name = names::group_name(entry.gid).unwrap_or_default();
            owners.groups.insert(entry.gid, name);
        }
    }
    owners.users.retain(|_, name| !name.is_empty());
    owners.groups.retain(|_, name| !name.is_empty());
    owners
}
