//! The receiving end: where things go, what differs there, and making it so.
//!
//! It does not know where contents come from.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use davit_module::{Content, Dress, FileKind, Host, Meta, ModuleError, names};
use nix::unistd::{getegid, geteuid, getgroups};

use super::dest::Found;
use super::entry::{Differs, Entry, Name, Options, Owners};

/// What differs in one entry.
#[derive(Debug, Default)]
struct Judged {
    /// The eleven letters that tell it; `None` where nothing does.
    item: Option<String>,
    /// What is there.
    there: Option<Meta>,
    /// Something else is in the way.
    in_the_way: bool,
    /// Nothing of its kind is there.
    is_new: bool,
    /// A content is needed.
    content: bool,
    /// A file that is the same.
    twin: Option<PathBuf>,
    /// Nothing is to be done.
    skip: bool,
}

/// The receiving end.
pub(super) struct Place<'a, 'h> {
    host: &'a mut Host<'h>,
    found: Found,
    options: Options,
    owners: Owners,
    /// The letter for a content that comes: `>`, and `<` where it is sent elsewhere.
    arrow: char,
    is_root: bool,
    groups: Vec<u32>,
    users_here: HashMap<u32, u32>,
    groups_here: HashMap<u32, u32>,
    given: (Option<u32>, Option<u32>),
    /// Which folders are folders all the way, and no links to others.
    real: HashMap<Name, bool>,
}

impl<'a, 'h> Place<'a, 'h> {
    /// One that puts things where `found` says.
    ///
    /// # Errors
    /// Where a user or group of `--chown` is not there.
    pub(super) fn new(
        host: &'a mut Host<'h>,
        found: Found,
        options: Options,
        owners: Owners,
        arrow: char,
    ) -> Result<Self, ModuleError> {
        let mut groups: Vec<u32> =
            getgroups().unwrap_or_default().iter().map(|it| it.as_raw()).collect();
        groups.push(getegid().as_raw());
        let (user, group) = &options.chown;
        let unknown = |what: &str, name: &str| {
            ModuleError::failed(format!("Unknown --{what} name on receiver: {name}"))
        };
        let uid = user.as_deref().map(|name| {
            let number = name.parse().ok().or_else(|| names::User::named(name).map(|it| it.uid));
            number.ok_or_else(|| unknown("usermap", name))
        });
        let gid = group.as_deref().map(|name| {
            let number = name.parse().ok().or_else(|| names::group_number(name));
            number.ok_or_else(|| unknown("groupmap", name))
        });
        let given = (uid.transpose()?, gid.transpose()?);
        Ok(Self {
            host,
            found,
            options,
            owners,
            arrow,
            is_root: geteuid().is_root(),
            groups,
            users_here: HashMap::new(),
            groups_here: HashMap::new(),
            given,
            real: HashMap::new(),
        })
    }

    /// Where an entry goes.
    fn at(&self, entry: &Entry) -> PathBuf {
        self.found.only.as_ref().unwrap_or(&entry.name).at(&self.found.base.0)
    }

    /// What is different here.
    ///
    /// # Errors
    /// Where the host cannot be read at all.
    pub(super) fn compare(&mut self, entries: &[Entry]) -> Result<Vec<Differs>, ModuleError> {
        let mut all = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            if self.host.cancel().is_cancelled() {
                return Err(ModuleError::Cancelled);
            }
            let path = self.at(entry);
            let mut differs = Differs {
                at,
                item: String::new(),
                content: false,
                instead: None,
                errors: Vec::new(),
            };
            match self.judge(entry, &path) {
                Ok(judged) if judged.skip => continue,
                Ok(judged) => {
                    differs.content = judged.content;
                    differs.item = judged.item.unwrap_or_default();
                    differs.instead =
                        judged.in_the_way.then(|| judged.there.is_some_and(|it| it.is_dir()));
                    if differs.instead == Some(true) && !self.may_clear(&path) {
                        let name = &entry.name;
                        let kind = described(entry.kind);
                        differs.errors = vec![
                            format!("cannot delete non-empty directory: {name}"),
                            format!("could not make way for new {kind}: {name}"),
                        ];
                    }
                }
                Err(error) => {
                    differs.errors = vec![format!("rsync: [generator] {}", error.message())];
                }
            }
            all.push(differs);
        }
        Ok(all)
    }

    fn may_clear(&self, path: &Path) -> bool {
        let is_empty = self.host.read_dir(path).is_ok_and(|it| it.is_empty());
        is_empty || self.options.delete || self.options.force
    }

    /// Whether a folder is one all the way down: what is behind a link is not in it.
    fn is_real(&mut self, folder: Option<&Name>) -> bool {
        let Some(folder) = folder.filter(|it| !it.is_root() && self.found.only.is_none()) else {
            return true;
        };
        if let Some(known) = self.real.get(folder) {
            return *known;
        }
        // Paths are not longer than a few thousand bytes, and so are their parts.
        let path = folder.at(&self.found.base.0);
        let linked = self.options.keep_dirlinks;
        let is_real = self.is_real(folder.parent().as_ref())
            && self.host.meta(&path, linked).is_ok_and(|it| it.is_some_and(|it| it.is_dir()));
        self.real.insert(folder.clone(), is_real);
        is_real
    }

    /// What differs between an entry and what stands in its place.
    fn judge(&mut self, entry: &Entry, path: &Path) -> Result<Judged, ModuleError> {
        let real = self.is_real(entry.name.parent().as_ref());
        let mut there = if real { self.host.lstat(path)? } else { None };
        if let Some(meta) = &there
            && meta.is_link()
            && entry.is_dir()
            && (self.options.keep_dirlinks || entry.name.is_root())
            && let Some(behind) = self.host.stat(path)?
            && behind.is_dir()
        {
            there = Some(behind);
        }
        let mut judged = Judged { there, ..Judged::default() };
        let options = &self.options;
        let is_new = match &judged.there {
            None => true,
            Some(meta) => {
                judged.in_the_way = meta.kind != entry.kind || differs_in_device(meta, entry);
                judged.in_the_way
            }
        };
        let too_large = options.max_size.is_some_and(|it| entry.size > it);
        let too_small = options.min_size.is_some_and(|it| entry.size < it);
        let newer = |meta: &Meta| meta.mtime.secs > entry.mtime.0;
        let folders = entry.is_dir() && judged.there.as_ref().is_some_and(Meta::is_dir);
        judged.skip = if judged.there.is_none() {
            options.existing
        } else {
            let update =
                options.update && entry.is_file() && judged.there.as_ref().is_some_and(newer);
            (options.ignore_existing && !folders) || update
        } || (entry.is_file() && (too_large || too_small));
        if judged.skip {
            return Ok(judged);
        }
        judged.is_new = is_new;
        if !is_new {
            self.compare_with(entry, path, &mut judged)?;
            judged.skip = judged.item.is_none();
            return Ok(judged);
        }
        if !judged.in_the_way && self.same_elsewhere(entry, &mut judged)? {
            return Ok(judged);
        }
        judged.content = entry.is_file();
        judged.item = Some(format!("{}+++++++++", self.letters(entry, judged.content)));
        Ok(judged)
    }

    /// Whether a folder to link to has the same.
    fn same_elsewhere(&mut self, entry: &Entry, judged: &mut Judged) -> Result<bool, ModuleError> {
        for folder in self.options.link_dest.clone() {
            let folder = self.found.base.0.join(folder);
            let candidate = entry.name.at(&folder);
            let Some(meta) = self.host.lstat(&candidate)? else { continue };
            if meta.kind != entry.kind || differs_in_device(&meta, entry) {
                continue;
            }
            let mut other = Judged { there: Some(meta), ..Judged::default() };
            self.compare_with(entry, &candidate, &mut other)?;
            if entry.is_dir() {
                judged.item = other.item;
                return Ok(true);
            }
            if other.item.is_none() {
                judged.twin = entry.is_file().then_some(candidate);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether something of the same kind that stands at `path` is as it shall be.
    fn compare_with(
        &mut self,
        entry: &Entry,
        path: &Path,
        judged: &mut Judged,
    ) -> Result<(), ModuleError> {
        let Some(meta) = judged.there.clone() else { return Ok(()) };
        let mut marks = [b'.'; 9];
        let same_second = meta.mtime.secs == entry.mtime.0;
        let dress = self.dress(entry, Some(&meta));
        let mut replaced = false;
        if entry.is_file() {
            let same_size = meta.size == entry.size;
            let same = same_size && self.same_content(entry, path, same_second)?;
            if !same {
                replaced = true;
                judged.content = true;
                if self.options.checksum {
                    marks[0] = b'c';
                }
                if !same_size {
                    marks[1] = b's';
                }
            }
        } else if let Some(target) = &entry.target
            && self.host.read_link(path)? != target.0
        {
            replaced = true;
            marks[0] = b'c';
        }
        if dress.mtime.is_some() {
            if !same_second {
                marks[2] = b't';
            }
        } else if replaced {
            marks[2] = b'T';
        }
        if self.options.perms && !meta.is_link() && meta.mode != entry.mode & 0o7777 {
            marks[3] = b'p';
        }
        if dress.uid.is_some_and(|it| it != meta.uid) {
            marks[4] = b'o';
        }
        if dress.gid.is_some_and(|it| it != meta.gid) {
            marks[5] = b'g';
        }
        if replaced || marks.iter().any(|it| *it != b'.') {
            let letters = self.letters(entry, judged.content || (replaced && !entry.is_file()));
            judged.item = Some(format!("{letters}{}", String::from_utf8_lossy(&marks)));
            if !replaced {
                judged.item = judged.item.take().map(|it| format!(".{}", &it[1..]));
            }
        }
        Ok(())
    }

    fn same_content(
        &self,
        entry: &Entry,
        path: &Path,
        same_second: bool,
    ) -> Result<bool, ModuleError> {
        if self.options.ignore_times {
            return Ok(false);
        }
        if let Some(sha1) = entry.sha1.as_ref().filter(|_| self.options.checksum) {
            return match self.host.sha1(path) {
                Ok(here) => Ok(here == *sha1),
                Err(ModuleError::Unpredicted { .. }) => Ok(false),
                Err(error) => Err(error),
            };
        }
        Ok(self.options.size_only || same_second)
    }

    /// How a line begins: what is done, and to what.
    fn letters(&self, entry: &Entry, replaced: bool) -> String {
        let what = match entry.kind {
            FileKind::File => 'f',
            FileKind::Directory => 'd',
            FileKind::Link => 'L',
            FileKind::Fifo | FileKind::Socket => 'S',
            FileKind::Block | FileKind::Char => 'D',
        };
        let how = if entry.is_file() && replaced { self.arrow } else { 'c' };
        format!("{how}{what}")
    }

    /// The attributes that an entry shall have here, in place of `there`.
    fn dress(&mut self, entry: &Entry, there: Option<&Meta>) -> Dress {
        let is_link = entry.kind == FileKind::Link;
        let mode = match there {
            _ if is_link => None,
            _ if self.options.perms => Some(entry.mode & 0o7777),
            Some(meta) => Some(meta.mode),
            None => Some(entry.mode & 0o777 & !self.host.umask()),
        };
        let uid = (self.is_root && (self.options.owner || self.given.0.is_some()))
            .then(|| self.given.0.unwrap_or_else(|| self.user(entry.uid)));
        let gid = (self.options.group || self.given.1.is_some())
            .then(|| self.given.1.unwrap_or_else(|| self.group(entry.gid)))
            .filter(|it| self.is_root || self.groups.contains(it));
        let times = self.options.times
            && !(entry.is_dir() && self.options.omit_dir_times)
            && !(is_link && self.options.omit_link_times);
        Dress { mode, uid, gid, mtime: times.then(|| entry.stamp()) }
    }

    fn user(&mut self, uid: u32) -> u32 {
        let name = self.owners.users.get(&uid);
        *self
            .users_here
            .entry(uid)
            .or_insert_with(|| name.and_then(|it| names::User::named(it)).map_or(uid, |it| it.uid))
    }

    fn group(&mut self, gid: u32) -> u32 {
        let name = self.owners.groups.get(&gid);
        *self
            .groups_here
            .entry(gid)
            .or_insert_with(|| name.and_then(|it| names::group_number(it)).unwrap_or(gid))
    }

    /// Makes the folder that everything goes to.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub(super) fn begin(&mut self) -> Result<(), ModuleError> {
        let base = self.found.base.0.clone();
        let missing: Vec<&Path> = base.ancestors().take_while(|it| !self.host.is_dir(it)).collect();
        for folder in missing.into_iter().rev() {
            self.host.make_dir(folder)?;
        }
        Ok(())
    }

    /// Makes an entry what it shall be.
    ///
    /// # Errors
    /// Where the system refuses.
    pub(super) fn apply(
        &mut self,
        entry: &Entry,
        content: Option<Content>,
    ) -> Result<(), ModuleError> {
        let path = self.at(entry);
        let judged = self.judge(entry, &path)?;
        if judged.skip {
            return Ok(());
        }
        if !self.is_real(entry.name.parent().as_ref()) {
            let why = io::Error::from_raw_os_error(nix::libc::ENOTDIR);
            return Err(ModuleError::io("write", &path, why));
        }
        let there = judged.there.as_ref().filter(|_| !judged.in_the_way);
        let mut dress = self.dress(entry, there);
        if judged.in_the_way {
            if !self.may_clear(&path) && judged.there.as_ref().is_some_and(Meta::is_dir) {
                return Ok(());
            }
            self.host.remove(&path).map_err(|err| ModuleError::io("remove", &path, err))?;
        }
        match entry.kind {
            FileKind::Directory => self.apply_folder(&path, there, dress),
            FileKind::File => {
                if let Some(twin) = &judged.twin {
                    let linked = self.host.hard_link(twin, &path);
                    return linked.map_err(|err| ModuleError::io("create", &path, err));
                }
                if !judged.content {
                    return self.host.dress(&path, &only_new(dress, there));
                }
                let content = content.unwrap_or_else(|| Content::Reader(Box::new(io::empty())));
                self.host.install(&path, content, entry.size, &dress)
            }
            FileKind::Link => {
                let target = entry.target.clone().unwrap_or_default().0;
                let same = there.is_some() && self.host.read_link(&path)? == target;
                if !same {
                    let made = self.host.symlink(&target, &path);
                    made.map_err(|err| ModuleError::io("create", &path, err))?;
                }
                let now = self.host.lstat(&path)?;
                self.host.dress(&path, &only_new(dress, now.as_ref()))
            }
            FileKind::Fifo | FileKind::Socket | FileKind::Block | FileKind::Char => {
                if there.is_none() {
                    let mode = dress.mode.take().unwrap_or(0o600);
                    self.host.make_special(&path, entry.kind, 0o600, entry.rdev)?;
                    dress.mode = Some(mode);
                }
                let now = self.host.lstat(&path)?;
                self.host.dress(&path, &only_new(dress, now.as_ref()))
            }
        }
    }

    fn apply_folder(
        &mut self,
        path: &Path,
        there: Option<&Meta>,
        mut dress: Dress,
    ) -> Result<(), ModuleError> {
        // What is put into it changes its time: that is set at the end.
        dress.mtime = None;
        let now = match there {
            Some(meta) => Some(meta.clone()),
            None => {
                self.host.make_dir(path)?;
                self.host.lstat(path)?
            }
        };
        if let (Some(mode), Some(meta)) = (&mut dress.mode, &now) {
            if !self.options.perms {
                // A folder may have been born with its parent's group.
                *mode |= meta.mode & 0o2000;
            }
            if !self.is_root {
                *mode |= 0o700;
            }
        }
        self.host.dress(path, &only_new(dress, now.as_ref()))
    }

    /// Gives a folder the time and the mode that it shall have in the end.
    ///
    /// # Errors
    /// Where the system refuses.
    pub(super) fn finish(&mut self, entry: &Entry) -> Result<(), ModuleError> {
        let path = self.at(entry);
        let follow = entry.name.is_root() || self.options.keep_dirlinks;
        let path = if follow { self.host.real_path(&path) } else { path };
        let Some(meta) = self.host.lstat(&path)?.filter(Meta::is_dir) else { return Ok(()) };
        let dress = self.dress(entry, Some(&meta));
        self.host.dress(&path, &only_new(dress, Some(&meta)))
    }
}

/// What of it is not there yet.
fn only_new(dress: Dress, there: Option<&Meta>) -> Dress {
    let Some(meta) = there else { return dress };
    Dress {
        // A new owner takes bits away: they are set again.
        mode: dress.mode.filter(|it| {
            *it != meta.mode
                || dress.uid.is_some_and(|it| it != meta.uid)
                || dress.gid.is_some_and(|it| it != meta.gid)
        }),
        uid: dress.uid.filter(|it| *it != meta.uid),
        gid: dress.gid.filter(|it| *it != meta.gid),
        mtime: dress.mtime.filter(|it| *it != meta.mtime),
    }
}

fn differs_in_device(meta: &Meta, entry: &Entry) -> bool {
    matches!(entry.kind, FileKind::Block | FileKind::Char) && meta.rdev != entry.rdev
}

fn described(kind: FileKind) -> &'static str {
    match kind {
        FileKind::File => "regular file",
        FileKind::Directory => "directory",
        FileKind::Link => "symlink",
        FileKind::Fifo | FileKind::Socket => "special file",
        FileKind::Block | FileKind::Char => "device file",
    }
}

/// A part of a pack; what is not read of it is passed over before the next part.
pub(super) struct Part<R> {
    pub(super) from: R,
    pub(super) left: u64,
}

impl<R: Read> Read for Part<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let count = self.from.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}
