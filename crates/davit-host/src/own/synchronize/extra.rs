//! What the receiving end has and the sending end does not: what is removed, and in which order.
//!
//! It reads; removing is asked for by name.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use davit_module::{Host, ModuleError};
use serde::{Deserialize, Serialize};

use super::dest::Found;
use super::entry::{Entry, Name, Options};
use super::rules::{Rules, Side};
use super::walk::by_path;

/// A folder of the sender's, and all that it has in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Folder {
    /// Which.
    pub name: Name,
    /// The names of what is in it.
    pub has: Vec<Name>,
}

/// What is to be removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extra {
    /// What is told, a line each, in order.
    pub lines: Vec<String>,
    /// What is removed with all that is in it.
    pub names: Vec<Name>,
    /// In which folders something is removed.
    pub within: Vec<Name>,
}

/// Finds what is to be removed from these folders.
///
/// # Errors
/// Where a rule makes no sense, or a folder cannot be read.
pub(super) fn find(
    host: &Host<'_>,
    found: &Found,
    options: &Options,
    folders: &[Folder],
) -> Result<Extra, ModuleError> {
    let base = match &found.only {
        Some(only) => only.at(&found.base.0),
        None => found.base.0.clone(),
    };
    let rules = Rules::parse(&options.rules, options.delete_excluded);
    let rules = rules.and_then(|it| it.at_root(host, &base)).map_err(ModuleError::failed)?;
    let mut search = Search {
        host,
        base: &base,
        top: Arc::new(rules),
        known: HashMap::new(),
        out: Extra::default(),
    };
    for folder in folders {
        search.folder(folder)?;
    }
    Ok(search.out)
}

struct Search<'a> {
    host: &'a Host<'a>,
    base: &'a Path,
    top: Arc<Rules>,
    known: HashMap<Name, Arc<Rules>>,
    out: Extra,
}

impl Search<'_> {
    /// The rules in a folder.
    fn rules(&mut self, folder: &Name) -> Result<Arc<Rules>, ModuleError> {
        if let Some(rules) = self.known.get(folder) {
            return Ok(Arc::clone(rules));
        }
        let mut above: Vec<Name> = vec![folder.clone()];
        while let Some(parent) = above.last().and_then(Name::parent) {
            above.push(parent);
        }
        let mut rules = Arc::clone(&self.top);
        for name in above.into_iter().rev() {
            rules = match self.known.get(&name) {
                Some(known) => Arc::clone(known),
                None => {
                    let path = name.at(self.base);
                    Arc::new(rules.inside(self.host, &path).map_err(ModuleError::failed)?)
                }
            };
            self.known.insert(name, Arc::clone(&rules));
        }
        Ok(rules)
    }

    fn folder(&mut self, folder: &Folder) -> Result<(), ModuleError> {
        let path = folder.name.at(self.base);
        let real = folder.name.is_root() || !self.host.is_link(&path);
        if !real || !self.host.is_dir(&path) {
            return Ok(());
        }
        let rules = self.rules(&folder.name)?;
        let has: HashSet<&[u8]> = folder.has.iter().map(Name::bytes).collect();
        let mut any = false;
        for (name, is_dir) in self.backwards(&path)? {
            let inner = folder.name.child(&name);
            let kept = has.contains(name.as_bytes())
                || rules.leave_out(Side::Receiver, self.base, &inner, is_dir);
            if kept {
                continue;
            }
            let (begin, removed) = (self.out.names.len(), self.remove(&inner, is_dir, &rules)?);
            if removed {
                // With a folder goes all that is in it.
                self.out.names.truncate(begin);
                self.out.names.push(inner);
            }
            any |= removed;
        }
        if any {
            self.out.within.push(folder.name.clone());
        }
        Ok(())
    }

    /// Removes something; false where something in it stays.
    fn remove(&mut self, name: &Name, is_dir: bool, rules: &Rules) -> Result<bool, ModuleError> {
        if self.host.cancel().is_cancelled() {
            return Err(ModuleError::Cancelled);
        }
        if !is_dir {
            self.out.lines.push(format!("*deleting   {name}"));
            return Ok(true);
        }
        let path = name.at(self.base);
        let rules = rules.inside(self.host, &path).map_err(ModuleError::failed)?;
        let begin = self.out.names.len();
        let mut gone = Vec::new();
        let mut all = true;
        for (own, is_dir) in self.backwards(&path)? {
            let inner = name.child(&own);
            if rules.leave_out(Side::Receiver, self.base, &inner, is_dir) {
                all = false;
                continue;
            }
            let removed = self.remove(&inner, is_dir, &rules)?;
            if removed {
                gone.push(inner);
            }
            all &= removed;
        }
        if all {
            self.out.names.truncate(begin);
            self.out.lines.push(format!("*deleting   {name}/"));
        } else {
            self.out.names.extend(gone);
            self.out.lines.push(format!("cannot delete non-empty directory: {name}"));
        }
        Ok(all)
    }

    /// What is in a folder, in the order in which it goes.
    fn backwards(&self, path: &Path) -> Result<Vec<(OsString, bool)>, ModuleError> {
        let (mut folders, mut files) = (Vec::new(), Vec::new());
        for name in self.host.read_dir(path)? {
            let meta = self.host.lstat(&path.join(&name))?;
            match meta {
                Some(meta) if meta.is_dir() => folders.push((name, true)),
                Some(_) => files.push((name, false)),
                None => {}
            }
        }
        folders.sort_by(|a, b| by_path(b.0.as_bytes(), a.0.as_bytes()));
        files.reverse();
        folders.append(&mut files);
        Ok(folders)
    }
}

/// What goes where an entry takes the place of a folder: told as removed.
///
/// # Errors
/// Where the folder cannot be read.
pub(super) fn displaced(
    host: &Host<'_>,
    found: &Found,
    entry: &Entry,
) -> Result<Vec<String>, ModuleError> {
    let base = &found.base.0;
    let top = Arc::new(Rules::default());
    let mut search =
        Search { host, base, top: Arc::clone(&top), known: HashMap::new(), out: Extra::default() };
    search.remove(found.only.as_ref().unwrap_or(&entry.name), true, &top)?;
    // The folder itself is not told.
    search.out.lines.pop();
    Ok(search.out.lines)
}
