//! Walking through folders, a folder at a time, in the order in which the system tells names.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use davit_module::{Host, Meta, ModuleError, errno_text};

/// Something in a folder.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// Links are not followed.
    pub(crate) meta: Meta,
}

/// A folder of the walk.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// How far below the start: 0 is the start itself.
    pub(crate) depth: usize,
    /// What is in it: first what is no folder, then the folders, links to folders among them.
    pub(crate) items: Vec<Found>,
    /// Why it could not be read.
    pub(crate) error: Option<String>,
}

/// A folder that is still to be read.
struct Waiting {
    path: PathBuf,
    depth: usize,
    /// Device and inode of the folders above, so that links cannot lead round for ever.
    above: Vec<(u64, u64)>,
}

/// A walk through a folder and those within it.
pub(crate) struct Walk<'a, 'h> {
    host: &'a Host<'h>,
    follow: bool,
    waiting: Vec<Waiting>,
    children: Vec<Waiting>,
}

impl<'a, 'h> Walk<'a, 'h> {
    /// A walk that starts in `path`; with `follow` it goes into folders that links point to.
    pub(crate) fn new(host: &'a Host<'h>, path: PathBuf, follow: bool) -> Self {
        let start = Waiting { path, depth: 0, above: Vec::new() };
        Self { host, follow, waiting: vec![start], children: Vec::new() }
    }

    /// Leaves out the folders within the one that was read last.
    pub(crate) fn skip_children(&mut self) {
        self.children.clear();
    }

    /// Reads the next folder; `None` at the end of the walk.
    pub(crate) fn next_folder(&mut self) -> Option<Folder> {
        self.waiting.extend(self.children.drain(..).rev());
        let Waiting { path, depth, mut above } = self.waiting.pop()?;
        if let Ok(Some(meta)) = self.host.meta(&path, true) {
            if above.contains(&(meta.dev, meta.ino)) && meta.ino != 0 {
                return self.next_folder();
            }
            above.push((meta.dev, meta.ino));
        }
        let names = match self.names(&path) {
            Ok(names) => names,
            Err(error) => {
                return Some(Folder { path, depth, items: Vec::new(), error: Some(error) });
            }
        };
        let (mut items, mut folders) = (Vec::new(), Vec::new());
        for name in names {
            let path = path.join(name);
            let Ok(Some(meta)) = self.host.meta(&path, false) else { continue };
            let is_folder = meta.is_dir() || meta.is_link() && self.host.is_dir(&path);
            if is_folder && (meta.is_dir() || self.follow) {
                let above = above.clone();
                self.children.push(Waiting { path: path.clone(), depth: depth + 1, above });
            }
            let found = Found { path, meta };
            if is_folder { folders.push(found) } else { items.push(found) }
        }
        items.append(&mut folders);
        Some(Folder { path, depth, items, error: None })
    }

    /// The names in a folder as the system orders them; what is only predicted comes last.
    fn names(&self, path: &Path) -> Result<Vec<OsString>, String> {
        let known = self.host.read_dir(path).map_err(|err| match err {
            ModuleError::Io { source, .. } => {
                format!("{}: '{}'", errno_text(&source), path.display())
            }
            other => other.message(),
        })?;
        let mut left: BTreeSet<OsString> = known.into_iter().collect();
        let on_disk = fs::read_dir(self.host.at(path)).into_iter().flatten().flatten();
        let mut names: Vec<OsString> =
            on_disk.map(|it| it.file_name()).filter(|it| left.remove(it)).collect();
        names.extend(left);
        Ok(names)
    }
}
