//! Unpacking an archive into a folder: what would change, and then the change, through the gate.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use davit_module::names::{User, group_number};
use davit_module::{
    Content, FileArgs, Host, Meta, Mode, ModuleError, Stamp, WriteOptions, mode_text,
};

use super::archive::{Format, Kind, Member};
use super::tar_options::{Options, excludes, includes};

/// Larger files are put on the disk before they are put in their place.
const IN_MEMORY: u64 = 4 << 20;

/// What is to be unpacked, and how.
pub(crate) struct Plan<'a> {
    pub(crate) archive: &'a Path,
    pub(crate) format: Format,
    pub(crate) dest: &'a Path,
    pub(crate) include: &'a [String],
    pub(crate) exclude: &'a [String],
    pub(crate) options: Options,
    /// What is asked for of all that is unpacked.
    pub(crate) file: &'a FileArgs,
}

/// What a look at the archive and the folder shows.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    /// Names in the archive, as they are unpacked.
    pub(crate) files: Vec<String>,
    /// One line for each that differs, as `rsync -i` tells it.
    pub(crate) lines: Vec<String>,
    /// What was asked for by name and is not there.
    pub(crate) missing: Vec<String>,
    /// Names of the archive's symbolic links.
    links: BTreeSet<String>,
}

/// An error on the way: the module's, or the archive's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    #[error(transparent)]
    Module(#[from] ModuleError),
    #[error(transparent)]
    Archive(#[from] io::Error),
}

impl Plan<'_> {
    fn is_zip(&self) -> bool {
        self.format == Format::Zip
    }

    /// Where a member goes below the destination; `None` where it is left out.
    fn place(&self, name: &str) -> Result<Option<String>, ModuleError> {
        let bare = name.trim_start_matches("./");
        let left_out = self.exclude.iter().chain(&self.options.exclude).any(|it| {
            let it = it.trim_start_matches("./");
            if self.is_zip() { super::glob::matches(it, bare) } else { excludes(it, bare) }
        });
        let patterns = self.options.wildcards || self.is_zip();
        let taken = self.include.is_empty()
            || self.include.iter().any(|it| includes(it.trim_start_matches("./"), bare, patterns));
        if left_out || !taken {
            return Ok(None);
        }
        if bare.split('/').any(|it| it == "..") {
            return Err(ModuleError::failed(format!("{name}: Member name contains '..'")));
        }
        self.options.place(name).map_err(ModuleError::failed)
    }

    /// Looks at what differs, and changes nothing.
    ///
    /// # Errors
    /// Where the archive or the folder cannot be read.
    pub(crate) fn compare(&self, host: &Host<'_>) -> Result<Difference, UnpackError> {
        let mut found = Difference::default();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        self.format.visit(self.archive, &mut |member: &Member, reader: &mut dyn Read| {
            if host.cancel().is_cancelled() {
                return Err(UnpackError::Module(ModuleError::Cancelled));
            }
            let patterns = self.options.wildcards || self.is_zip();
            let asked = self.include.iter().filter(|it| includes(it, &member.name, patterns));
            seen.extend(asked.map(String::as_str));
            let Some(name) = self.place(&member.name)? else {
                return Ok(());
            };
            if matches!(member.kind, Kind::Link(_)) {
                found.links.insert(name.clone());
            }
            if let Some(signs) = self.difference(host, member, &name, reader)? {
                let kind = match member.kind {
                    Kind::Folder => 'd',
                    Kind::Link(_) => 'L',
                    _ => 'f',
                };
                found.lines.push(format!(">{kind}{signs}.?? {name}"));
            }
            let as_listed = member.name.starts_with("./") && member.name.ends_with(name.as_str());
            found.files.push(if as_listed { member.name.clone() } else { name });
            Ok(())
        })?;
        let missing = self.include.iter().filter(|it| !seen.contains(it.as_str()));
        found.missing = missing.cloned().collect();
        Ok(found)
    }

    /// How what stands on the host differs from a member: a letter for each of content, size,
    /// time, permissions, owner and group.
    fn difference(
        &self,
        host: &Host<'_>,
        member: &Member,
        name: &str,
        reader: &mut dyn Read,
    ) -> Result<Option<String>, UnpackError> {
        let path = self.dest.join(name);
        let path = PathBuf::from(path.to_string_lossy().trim_end_matches('/'));
        let Some(meta) = host.lstat(&path)? else { return Ok(Some("++++++".to_owned())) };
        let mut signs = ['.'; 6];
        match &member.kind {
            Kind::Other => return Ok(None),
            Kind::Link(target) => {
                let same = meta.is_link()
                    && host.read_link(&path).is_ok_and(|it| it.as_os_str() == target.as_str());
                return Ok((!same).then(|| "c.....".to_owned()));
            }
            Kind::HardLink(target) => {
                let target = self.place(target)?.map(|it| self.dest.join(it));
                let other = target.and_then(|it| host.lstat(&it).ok().flatten());
                let same = other.is_some_and(|it| (it.ino, it.dev) == (meta.ino, meta.dev));
                return Ok((!same).then(|| "c.....".to_owned()));
            }
            Kind::Folder if !meta.is_dir() => signs[0] = 'c',
            Kind::Folder => {}
            Kind::File if !meta.is_file() => signs[0] = 'c',
            Kind::File => {
                let late = meta.mtime.secs > member.mtime;
                // A zip's times may be told in steps of two seconds.
                let step = if self.is_zip() { 1 } else { 0 };
                let same_time = meta.mtime.secs.abs_diff(member.mtime) <= step;
                if self.is_zip() && self.options.keep_newer && late {
                    return Ok(None);
                }
                if meta.size != member.size {
                    signs[1] = 's';
                }
                if !same_time && !self.options.touch {
                    signs[2] = 't';
                }
                if meta.size == member.size && !same_content(host, &path, reader)? {
                    signs[0] = 'c';
                }
            }
        }
        if self.mode_of(host, member).is_some_and(|it| it != meta.mode) {
            signs[3] = 'p';
        }
        let (user, group) = self.owner_of(member);
        if user.is_some_and(|it| it != meta.uid) {
            signs[4] = 'o';
        }
        if group.is_some_and(|it| it != meta.gid) {
            signs[5] = 'g';
        }
        let same = signs.iter().all(|it| *it == '.');
        Ok((!same).then(|| signs.iter().collect()))
    }

    /// The permissions that a member comes with, where the task does not set others.
    fn mode_of(&self, host: &Host<'_>, member: &Member) -> Option<u32> {
        if !self.file.mode.is_null() {
            return None;
        }
        self.own_mode(host, member)
    }

    /// The permissions that a member comes with.
    fn own_mode(&self, host: &Host<'_>, member: &Member) -> Option<u32> {
        let exact = self.options.same_mode.unwrap_or_else(|| is_root() && !self.is_zip());
        let mode = member.mode?;
        Some(if exact { mode } else { mode & 0o777 & !host.umask() })
    }

    /// The owner and group that a member comes with, where the task does not set others.
    fn owner_of(&self, member: &Member) -> (Option<u32>, Option<u32>) {
        let same = self.options.same_owner.unwrap_or_else(is_root);
        let Some(owner) = member.owner.as_ref().filter(|_| same) else { return (None, None) };
        let by_name = !self.options.numeric_owner;
        let user = || {
            let named = User::named(&owner.user);
            named.filter(|_| by_name && !owner.user.is_empty()).map_or(owner.uid, |it| it.uid)
        };
        let group = || {
            let named = group_number(&owner.group);
            named.filter(|_| by_name && !owner.group.is_empty()).unwrap_or(owner.gid)
        };
        (self.file.owner.is_none().then(user), self.file.group.is_none().then(group))
    }

    /// Unpacks.
    ///
    /// # Errors
    /// Where the archive cannot be read or the host cannot be changed.
    pub(crate) fn unpack(
        &self,
        host: &mut Host<'_>,
        difference: &Difference,
    ) -> Result<(), UnpackError> {
        let mut late: Vec<(PathBuf, Member)> = Vec::new();
        self.format.visit(self.archive, &mut |member: &Member, reader: &mut dyn Read| {
            if host.cancel().is_cancelled() {
                return Err(UnpackError::Module(ModuleError::Cancelled));
            }
            let Some(name) = self.place(&member.name)? else { return Ok(()) };
            let name = name.trim_end_matches('/');
            // What an archive puts beneath its own links could land anywhere.
            let beneath = Path::new(name).ancestors().skip(1);
            if beneath.filter_map(Path::to_str).any(|it| difference.links.contains(it)) {
                return Err(ModuleError::failed(format!(
                    "{name}: is beneath a link of the archive"
                ))
                .into());
            }
            let path = self.dest.join(name);
            make_parents(host, &path)?;
            match &member.kind {
                Kind::File => self.put_file(host, member, &path, reader)?,
                Kind::Folder => {
                    if !host.is_dir(&path) {
                        clear(host, &path)?;
                        host.make_dir(&path)?;
                    }
                    late.push((path, member.clone()));
                }
                // Links wait: until the end nothing can be written through them.
                Kind::Link(_) | Kind::HardLink(_) => late.push((path, member.clone())),
                Kind::Other => {}
            }
            Ok(())
        })?;
        for (path, member) in &late {
            self.put_link(host, member, path)?;
        }
        for (path, member) in late.iter().rev().filter(|(_, it)| it.kind == Kind::Folder) {
            self.put_attributes(host, member, path)?;
        }
        Ok(())
    }

    fn put_file(
        &self,
        host: &mut Host<'_>,
        member: &Member,
        path: &Path,
        reader: &mut dyn Read,
    ) -> Result<(), UnpackError> {
        if let Some(meta) = host.lstat(path)? {
            let newer = self.options.keep_newer && meta.mtime.secs >= member.mtime;
            if self.options.keep_old || newer {
                return Ok(());
            }
            if meta.is_dir() {
                clear(host, path)?;
            }
        }
        // A large file waits in a temporary one, which must outlive its copying.
        let mut spooled = None;
        let content = if member.size <= IN_MEMORY {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes)?;
            Content::from(bytes)
        } else {
            let mut file = tempfile::NamedTempFile::new_in(host.tmp())?;
            io::copy(reader, &mut file)?;
            let place = file.path().to_path_buf();
            spooled = Some(file);
            Content::File(place)
        };
        let options =
            WriteOptions { unsafe_writes: self.file.unsafe_writes, ..WriteOptions::default() };
        host.write(path, content, &options)?;
        drop(spooled);
        self.put_attributes(host, member, path)
    }

    fn put_link(
        &self,
        host: &mut Host<'_>,
        member: &Member,
        path: &Path,
    ) -> Result<(), UnpackError> {
        match &member.kind {
            Kind::Link(target) => {
                clear(host, path)?;
                host.symlink(Path::new(target), path)?;
                let (user, group) = self.owner_of(member);
                self.set_owner(host, path, user, group)
            }
            Kind::HardLink(target) => {
                let Some(target) = self.place(target)? else { return Ok(()) };
                clear(host, path)?;
                host.hard_link(&self.dest.join(target), path)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn put_attributes(
        &self,
        host: &mut Host<'_>,
        member: &Member,
        path: &Path,
    ) -> Result<(), UnpackError> {
        let (user, group) = self.owner_of(member);
        self.set_owner(host, path, user, group)?;
        // What a symbolic mode changes is what the archive tells.
        let base = matches!(Mode::parse(&self.file.mode), Ok(Some(Mode::Symbolic(_))));
        let base = if base { self.own_mode(host, member) } else { None };
        if let Some(mode) = self.mode_of(host, member).or(base) {
            let mode = FileArgs::of_mode(mode_text(i64::from(mode)).into());
            host.set_attributes(path, &mode, None)?;
        }
        if !self.options.touch {
            let stamp = Stamp { secs: member.mtime, nanos: 0 };
            host.set_times(path, Stamp::now(), stamp)?;
        }
        Ok(())
    }

    fn set_owner(
        &self,
        host: &mut Host<'_>,
        path: &Path,
        user: Option<u32>,
        group: Option<u32>,
    ) -> Result<(), UnpackError> {
        let owner = FileArgs {
            owner: user.map(|it| it.to_string()),
            group: group.map(|it| it.to_string()),
            ..FileArgs::default()
        };
        if !owner.is_empty() {
            host.set_attributes(path, &owner, None)?;
        }
        Ok(())
    }

    /// Sets what the task asks for on all that was unpacked; true where that changes something.
    ///
    /// # Errors
    /// Where a name or mode means nothing, or the system refuses.
    pub(crate) fn set_attributes(
        &self,
        host: &mut Host<'_>,
        files: &[String],
    ) -> Result<bool, ModuleError> {
        if self.file.is_empty() {
            return Ok(false);
        }
        let mut changed = false;
        // Names below `./` make the folder itself a part of the archive.
        let top = files.iter().any(|it| it.starts_with("./") && it != "./").then_some("./");
        for name in files.iter().map(String::as_str).chain(top) {
            let path = self.dest.join(name.trim_end_matches('/'));
            let Some(meta) = host.lstat(&path)? else { continue };
            changed |= host.set_attributes(&path, &for_kind(self.file, &meta), None)?;
        }
        Ok(changed)
    }
}

/// A link has no permissions of its own.
fn for_kind(args: &FileArgs, meta: &Meta) -> FileArgs {
    let mut args = args.clone();
    if meta.is_link() {
        args.mode = serde_json::Value::Null;
        args.attributes = None;
    }
    args
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn clear(host: &mut Host<'_>, path: &Path) -> Result<(), UnpackError> {
    if host.lstat(path)?.is_some() {
        host.remove(path)?;
    }
    Ok(())
}

fn make_parents(host: &mut Host<'_>, path: &Path) -> Result<(), UnpackError> {
    let missing: Vec<&Path> = path.ancestors().skip(1).take_while(|it| !host.is_dir(it)).collect();
    for folder in missing.into_iter().rev() {
        host.make_dir(folder)?;
    }
    Ok(())
}

fn same_content(host: &Host<'_>, path: &Path, reader: &mut dyn Read) -> Result<bool, UnpackError> {
    let mut there = host.open(path)?;
    let (mut one, mut other) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let count = fill(reader, &mut one)?;
        let same = fill(&mut *there, &mut other)? == count;
        if !same || one.get(..count) != other.get(..count) {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
    }
}

/// Reads until the buffer is full or there is no more.
fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while let Some(rest) = buffer.get_mut(count..).filter(|it| !it.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    Ok(count)
}
