//! The copies that a host keeps of what is replaced or removed.
//!
//! ```text
//! BASE/kept-UID/RUN/<sha-1>        a content, readable by its owner only
//! BASE/kept-UID/RUN/tree-XXXXXX    a folder: a list of what was in it, as JSON
//! ```
//!
//! They lie on the host itself, belong to the user who made the change, and are limited in size
//! and number. It does not know when they are put back.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::statvfs::statvfs;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use super::meta::Meta;
use crate::session::{FileState, any_path};
use crate::{ModuleError, Session};

/// Files and folders beyond this many bytes are not kept.
const LARGEST: u64 = 128 << 20;
/// What a run may keep on a host, in bytes.
const TOTAL: u64 = 512 << 20;
/// So many bytes have to stay free on the disk.
const SPARE: u64 = 256 << 20;
/// Folders with more in them are not kept.
const ENTRIES: usize = 20_000;
/// The copies of so many runs are kept ...
const RUNS: usize = 10;
/// ... for so long.
const AGE: Duration = Duration::from_secs(14 * 24 * 3600);
/// Whatever the number of runs: one that is this young may still be going on.
const YOUNG: Duration = Duration::from_secs(6 * 3600);
/// How the folder of all runs is called, before the number of the user.
const FOLDER: &str = "kept-";

/// Where the copies of a run are kept, for [`Options::keep`](crate::Options): beneath `base`, a
/// folder of the user's own. `None` where `run` cannot be the name of a folder.
///
/// Nothing is made until there is something to keep. The copies of the last ten runs are kept, for
/// two weeks; of a run 512 MiB at most, and no file or folder of more than 128 MiB.
#[must_use]
pub fn keep_folder(base: &Path, run: &str) -> Option<PathBuf> {
    is_run(run).then(|| base.join(format!("{FOLDER}{}", geteuid())).join(run))
}

fn is_run(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|it| it.is_ascii_alphanumeric())
}

/// Something in a folder that is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Its path within the folder; empty for the folder itself.
    #[serde(with = "any_path")]
    pub(crate) path: PathBuf,
    /// What it was.
    pub(crate) state: FileState,
}

/// Keeps what stands at `place`; where it is kept, or why it is not.
pub(crate) fn keep(session: &Session, place: &Path, state: &FileState) -> Result<PathBuf, String> {
    let folder = session.options().keep.as_deref().ok_or("the run kept no copies")?;
    let failed = |err: io::Error| format!("it could not be copied: {err}");
    if state.is_dir() {
        let entries = list(place)?;
        let size = entries.iter().map(|it| it.state.size).fold(0, u64::saturating_add);
        make_room(session, folder, size)?;
        return keep_tree(session, folder, place, entries).map_err(failed);
    }
    make_room(session, folder, state.size)?;
    keep_file(session, folder, place, state).map_err(failed)
}

/// Sees to it that the folder is there, and that so many bytes more may be kept.
fn make_room(session: &Session, folder: &Path, size: u64) -> Result<(), String> {
    if size > LARGEST {
        return Err(format!("it was larger than {} MiB", LARGEST >> 20));
    }
    if session.kept().saturating_add(size) > TOTAL {
        return Err(format!("the run had kept {} MiB already", TOTAL >> 20));
    }
    private_folder(folder).map_err(|err| format!("{}: {err}", folder.display()))?;
    let free = statvfs(folder).map_or(u64::MAX, |it| {
        // Narrower on some systems.
        #[allow(clippy::useless_conversion, reason = "the types differ between systems")]
        u64::from(it.blocks_available()).saturating_mul(u64::from(it.fragment_size()))
    });
    if free < size.saturating_add(SPARE) {
        return Err("there was too little space left on the disk".to_owned());
    }
    Ok(())
}

/// Makes the folder where it is missing, and refuses one that anybody else can change.
fn private_folder(folder: &Path) -> io::Result<()> {
    let is_new = match fs::symlink_metadata(folder) {
        Ok(_) => false,
        Err(err) if err.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            true
        }
        Err(err) => return Err(err),
    };
    let parent = folder
        .parent()
        .filter(|it| it.file_name().is_some_and(|it| it.to_string_lossy().starts_with(FOLDER)));
    for folder in [Some(folder), parent].into_iter().flatten() {
        let meta = fs::symlink_metadata(folder)?;
        if !meta.is_dir() || meta.uid() != geteuid().as_raw() || meta.mode() & 0o077 != 0 {
            let why = "it is no folder that is the user's alone";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
    }
    if let (true, Some(parent)) = (is_new, parent) {
        prune(parent);
    }
    Ok(())
}

/// Removes the copies of runs that are too old or too many. What cannot be removed stays.
fn prune(parent: &Path) {
    let Ok(items) = fs::read_dir(parent) else { return };
    let mut runs: Vec<(SystemTime, PathBuf)> = items
        .flatten()
        .filter(|it| it.file_name().to_str().is_some_and(is_run))
        .filter_map(|it| Some((it.metadata().ok().filter(fs::Metadata::is_dir)?, it.path())))
        .filter_map(|(meta, path)| Some((meta.modified().ok()?, path)))
        .collect();
    runs.sort_by(|a, b| b.cmp(a));
    for (place, (at, path)) in runs.into_iter().enumerate() {
        let age = at.elapsed().unwrap_or_default();
        if age > AGE || (place >= RUNS && age > YOUNG) {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// Copies a content under its hash, read once.
fn keep_file(
    session: &Session,
    folder: &Path,
    place: &Path,
    state: &FileState,
) -> io::Result<PathBuf> {
    let mut from = open_plain(place)?;
    if from.metadata()?.ino() != state.ino {
        return Err(io::Error::other("it was replaced in the meantime"));
    }
    let mut staged = tempfile::Builder::new().prefix("new-").tempfile_in(folder)?;
    let mut hash = Sha1::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut left = state.size;
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        left = left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::other("it grew while it was copied"))?;
        hash.update(&buffer[..count]);
        staged.write_all(&buffer[..count])?;
    }
    let name: String = hash.finalize().iter().map(|it| format!("{it:02x}")).collect();
    let kept = folder.join(name);
    match staged.persist_noclobber(&kept) {
        Ok(_) => session.add_kept(state.size),
        Err(err) if err.error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(err) => return Err(err.error),
    }
    Ok(kept)
}

/// All that is in a folder, itself included, parents first.
fn list(place: &Path) -> Result<Vec<Entry>, String> {
    let failed = |err: io::Error| format!("it could not be read: {err}");
    let mut entries = Vec::new();
    let mut left = vec![PathBuf::new()];
    while let Some(path) = left.pop() {
        if entries.len() >= ENTRIES {
            return Err(format!("there was more than {ENTRIES} files in it"));
        }
        let at = if path.as_os_str().is_empty() { place.to_owned() } else { place.join(&path) };
        let mut state = FileState::from(&Meta::from(fs::symlink_metadata(&at).map_err(failed)?));
        if state.is_link() {
            state.target = Some(fs::read_link(&at).map_err(failed)?);
        } else if state.is_dir() {
            // The size of a folder is the file system's affair.
            state.size = 0;
            for item in fs::read_dir(&at).map_err(failed)? {
                left.push(path.join(item.map_err(failed)?.file_name()));
            }
        } else if !state.is_file() {
            return Err(format!("{} is no file, folder or link", at.display()));
        }
        entries.push(Entry { path, state });
    }
    Ok(entries)
}

fn keep_tree(
    session: &Session,
    folder: &Path,
    place: &Path,
    mut entries: Vec<Entry>,
) -> io::Result<PathBuf> {
    for entry in entries.iter_mut().filter(|it| it.state.is_file()) {
        entry.state.kept =
            Some(keep_file(session, folder, &place.join(&entry.path), &entry.state)?);
    }
    write_list(folder, &entries)
}

/// Writes the list of a folder that is kept.
fn write_list(folder: &Path, entries: &[Entry]) -> io::Result<PathBuf> {
    let mut file = tempfile::Builder::new().prefix("tree-").tempfile_in(folder)?;
    file.write_all(&serde_json::to_vec(entries)?)?;
    let (_, path) = file.keep().map_err(|err| err.error)?;
    Ok(path)
}

/// Opens a copy that was kept: nobody else's file, and no link.
pub(crate) fn open_kept(path: &Path) -> Result<File, ModuleError> {
    let fail = |err| ModuleError::io("read", path, err);
    let file = open_plain(path).map_err(fail)?;
    let meta = file.metadata().map_err(fail)?;
    if !path.is_absolute() || meta.uid() != geteuid().as_raw() || meta.nlink() != 1 {
        return Err(fail(io::Error::new(io::ErrorKind::PermissionDenied, "it is not ours")));
    }
    Ok(file)
}

/// The list of a folder that was kept.
pub(crate) fn read_list(path: &Path) -> Result<Vec<Entry>, ModuleError> {
    let fail = |err| ModuleError::io("read", path, err);
    let mut text = Vec::new();
    open_kept(path)?.take(LARGEST).read_to_end(&mut text).map_err(fail)?;
    let entries: Vec<Entry> = serde_json::from_slice(&text).map_err(|err| fail(err.into()))?;
    let is_below = |it: &Entry| {
        it.path.components().all(|part| matches!(part, std::path::Component::Normal(_)))
    };
    if !entries.iter().all(is_below) {
        return Err(fail(io::Error::new(io::ErrorKind::InvalidData, "a path leads out of it")));
    }
    Ok(entries)
}

/// Opens a regular file, no link, without waiting for anybody.
fn open_plain(path: &Path) -> io::Result<File> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::Options;

    fn state(path: &Path) -> FileState {
        FileState::from(&Meta::from(fs::symlink_metadata(path).unwrap()))
    }

    #[test]
    fn copies_are_private_and_kept_once() {
        let base = tempfile::tempdir().unwrap();
        let keep_in = keep_folder(base.path(), "01abc").unwrap();
        let session = Session::new(Options { keep: Some(keep_in), ..Options::default() });
        let file = base.path().join("secret");
        fs::write(&file, "words").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o4755)).unwrap();
        let one = keep(&session, &file, &state(&file)).unwrap();
        assert_eq!(keep(&session, &file, &state(&file)).unwrap(), one);
        assert_eq!(session.kept(), 5);
        assert_eq!(fs::metadata(&one).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(fs::metadata(one.parent().unwrap()).unwrap().mode() & 0o7777, 0o700);
        let mut text = String::new();
        open_kept(&one).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "words");
    }

    #[test]
    fn what_is_too_large_or_not_ours_is_not_kept() {
        let base = tempfile::tempdir().unwrap();
        let keep_in = base.path().join("keep");
        let session = Session::new(Options { keep: Some(keep_in.clone()), ..Options::default() });
        let file = base.path().join("big");
        File::create(&file).unwrap().set_len(LARGEST + 1).unwrap();
        assert!(keep(&session, &file, &state(&file)).unwrap_err().contains("larger"));
        fs::write(&file, "small").unwrap();
        fs::create_dir(&keep_in).unwrap();
        fs::set_permissions(&keep_in, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(keep(&session, &file, &state(&file)).unwrap_err().contains("alone"));
        fs::remove_dir(&keep_in).unwrap();
        symlink(base.path(), &keep_in).unwrap();
        assert!(keep(&session, &file, &state(&file)).unwrap_err().contains("alone"));
        assert!(keep(&Session::default(), &file, &state(&file)).is_err());
    }

    #[test]
    fn runs_name_folders_and_nothing_else() {
        for run in ["", "..", "a/b", "a b", "/"] {
            assert_eq!(keep_folder(Path::new("/x"), run), None, "{run}");
        }
    }

    #[test]
    fn old_runs_are_forgotten_and_nothing_else_is_touched() {
        let base = tempfile::tempdir().unwrap();
        let kept = keep_folder(base.path(), "zz").unwrap();
        let parent = kept.parent().unwrap();
        DirBuilder::new().mode(0o700).create(parent).unwrap();
        let aged = |name: &str, hours: u64| {
            let path = parent.join(name);
            fs::create_dir(&path).unwrap();
            let at = SystemTime::now() - Duration::from_secs(hours * 3600);
            File::open(&path).unwrap().set_times(FileTimes::new().set_modified(at)).unwrap();
        };
        for number in 0..12 {
            aged(&format!("run{number:02}"), 10 + number);
        }
        aged("ancient", 15 * 24);
        aged("not-a-run", 99 * 24);
        private_folder(&kept).unwrap();
        let mut left: Vec<String> = fs::read_dir(parent)
            .unwrap()
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut expect: Vec<String> = (0..9).map(|it| format!("run{it:02}")).collect();
        expect.insert(0, "not-a-run".into());
        expect.push("zz".into());
        assert_eq!(left, expect);
    }
}
