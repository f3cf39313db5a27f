//! What the two ends of a synchronisation say to each other: names, entries, options.
//!
//! It does not know how either of them does its part.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::{self, Display};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use davit_module::{FileKind, Stamp};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The system takes no longer path.
const LONGEST: usize = 4096;

/// A path as bytes: below the root of what is transferred, its parts joined by `/`; empty for the
/// root itself. It may be any that a file system has, not just text.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Vec<u8>);

impl Name {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The name of something in this folder.
    #[must_use]
    pub fn child(&self, name: &OsStr) -> Self {
        let mut bytes = self.0.clone();
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name.as_bytes());
        Self(bytes)
    }

    /// The folder that it is in; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let end = self.0.iter().rposition(|it| *it == b'/').unwrap_or(0);
        Some(Self(self.0[..end].to_vec()))
    }

    /// Its last part.
    #[must_use]
    pub fn last(&self) -> &OsStr {
        let begin = self.0.iter().rposition(|it| *it == b'/').map_or(0, |it| it + 1);
        OsStr::from_bytes(&self.0[begin..])
    }

    /// Where it is, beneath `base`. Nothing that came from elsewhere leads out of it.
    #[must_use]
    pub fn at(&self, base: &Path) -> PathBuf {
        if self.is_root() { base.to_path_buf() } else { base.join(OsStr::from_bytes(&self.0)) }
    }

    /// Whether it stays beneath its root.
    fn is_sound(bytes: &[u8]) -> bool {
        let parts = || bytes.split(|it| *it == b'/');
        let fine = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
        bytes.is_empty() || (bytes.len() <= LONGEST && parts().all(fine))
    }
}

impl From<OsString> for Name {
    fn from(name: OsString) -> Self {
        Self(name.into_vec())
    }
}

impl Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Bytes(Vec<u8>),
}

impl From<Written> for Vec<u8> {
    fn from(written: Written) -> Self {
        match written {
            Written::Text(text) => text.into_bytes(),
            Written::Bytes(bytes) => bytes,
        }
    }
}

fn write_bytes<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) => to.serialize_str(text),
        Err(_) => bytes.serialize(to),
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        write_bytes(&self.0, to)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = Vec::from(Written::deserialize(from)?);
        if Self::is_sound(&bytes) {
            return Ok(Self(bytes));
        }
        Err(D::Error::custom("a name that leads out of its folder"))
    }
}

/// Any path, as text or as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnyPath(pub PathBuf);

impl Serialize for AnyPath {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        write_bytes(self.0.as_os_str().as_bytes(), to)
    }
}

impl<'de> Deserialize<'de> for AnyPath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = Vec::from(Written::deserialize(from)?);
        Ok(Self(OsString::from_vec(bytes).into()))
    }
}

/// Something that is to be on the other side. Keys are short: there may be many thousands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Where.
    #[serde(rename = "n")]
    pub name: Name,
    /// What.
    #[serde(rename = "k")]
    pub kind: FileKind,
    /// Permission bits.
    #[serde(rename = "m")]
    pub mode: u32,
    /// Owner.
    #[serde(rename = "u")]
    pub uid: u32,
    /// Group.
    #[serde(rename = "g")]
    pub gid: u32,
    /// Bytes.
    #[serde(rename = "s", default, skip_serializing_if = "is_zero")]
    pub size: u64,
    /// Seconds and nanoseconds of the last change.
    #[serde(rename = "t")]
    pub mtime: (i64, i64),
    /// Where a link points.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub target: Option<AnyPath>,
    /// SHA-1 of the content, where it was asked for.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub sha1: Option<String>,
    /// What a device stands for.
    #[serde(rename = "r", default, skip_serializing_if = "is_zero")]
    pub rdev: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Entry {
    /// Its last change.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        Stamp { secs: self.mtime.0, nanos: self.mtime.1 }
    }

    /// It is a folder.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.kind == FileKind::Directory
    }

    /// It is a regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.kind == FileKind::File
    }

    /// How it is called in what is told: folders end in `/`.
    #[must_use]
    pub fn shown(&self) -> String {
        match (self.is_dir(), self.name.is_root()) {
            (true, true) => "./".to_owned(),
            (true, false) => format!("{}/", self.name),
            (false, _) => self.name.to_string(),
        }
    }
}

/// Where an entry's content is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Nowhere: it needs none, or this is a dry run.
    #[default]
    None,
    /// So many bytes of the pack that came along.
    Pack(u64),
    /// The attachment of that name.
    File(String),
    /// A file of this very machine.
    Here(AnyPath),
}

/// What is told of an entry that differs: its index, the line, whether its content is needed,
/// and what else is to be said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differs {
    /// Which entry.
    pub at: usize,
    /// The eleven letters; empty where nothing is told of it.
    pub item: String,
    /// Its content is needed.
    pub content: bool,
    /// Something else stands in its place, and goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<bool>,
    /// It cannot be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// The names behind the numbers of owners, as the sending side knows them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Owners {
    /// Users.
    #[serde(default, with = "pairs")]
    pub users: BTreeMap<u32, String>,
    /// Groups.
    #[serde(default, with = "pairs")]
    pub groups: BTreeMap<u32, String>,
}

/// Numbers are no keys of JSON.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        names: &BTreeMap<u32, String>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(names)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<u32, String>, D::Error> {
        Ok(Vec::deserialize(from)?.into_iter().collect())
    }
}

/// What is kept of what is sent, what counts as different, and what is left out. Names are those
/// of rsync's options.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that users know")]
pub struct Options {
    /// Folders with what is in them.
    pub recursive: bool,
    /// Folders, without what is in them.
    pub dirs: bool,
    /// Links as links.
    pub links: bool,
    /// Links as what they point to.
    pub copy_links: bool,
    /// Links to folders as folders.
    pub copy_dirlinks: bool,
    /// A link to a folder at the destination counts as that folder.
    pub keep_dirlinks: bool,
    /// Permission bits.
    pub perms: bool,
    /// Times of last change.
    pub times: bool,
    /// ... but not those of folders.
    pub omit_dir_times: bool,
    /// ... nor those of links.
    pub omit_link_times: bool,
    /// Owners, where the receiver may give files away.
    pub owner: bool,
    /// Groups.
    pub group: bool,
    /// Owners and groups by number.
    pub numeric_ids: bool,
    /// Device files, where the receiver may make them.
    pub devices: bool,
    /// Named pipes and sockets.
    pub specials: bool,
    /// Remove what the sender does not have.
    pub delete: bool,
    /// ... and what is left out.
    pub delete_excluded: bool,
    /// A folder that is not empty makes way for something else.
    pub force: bool,
    /// Compare contents.
    pub checksum: bool,
    /// Compare sizes only.
    pub size_only: bool,
    /// Send what looks the same, too.
    pub ignore_times: bool,
    /// Leave alone what is newer at the destination.
    pub update: bool,
    /// Make nothing new.
    pub existing: bool,
    /// Leave alone what is there.
    pub ignore_existing: bool,
    /// Make the folders above the destination.
    pub mkpath: bool,
    /// Leave out folders with nothing in them.
    pub prune_empty_dirs: bool,
    /// Leave out larger files.
    pub max_size: Option<u64>,
    /// Leave out smaller files.
    pub min_size: Option<u64>,
    /// Changes to permission bits, as `--chmod` takes them.
    pub chmod: Vec<String>,
    /// A user and a group that everything shall belong to.
    pub chown: (Option<String>, Option<String>),
    /// Folders to whose files hard links are made, where they are the same.
    pub link_dest: Vec<String>,
    /// Rules of what is left out, in order, as `--filter` takes them.
    pub rules: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_travel_whatever_they_are_and_lead_nowhere_else() {
        let name = Name::default().child(OsStr::from_bytes(b"caf\xe9")).child(OsStr::new("x"));
        let text = serde_json::to_string(&name).unwrap();
        assert_eq!(serde_json::from_str::<Name>(&text).unwrap(), name);
        assert_eq!(name.parent().unwrap().last(), OsStr::from_bytes(b"caf\xe9"));
        assert_eq!(name.at(Path::new("/r")).parent().unwrap().parent(), Some(Path::new("/r")));
        for bad in ["/etc", "..", "a/../b", "a//b", ".", "a\0b"] {
            let text = serde_json::to_string(bad).unwrap();
            assert!(serde_json::from_str::<Name>(&text).is_err(), "{bad}");
        }
        assert_eq!(Name::default().parent(), None);
        assert!(Name::default().child(OsStr::new("a")).parent().unwrap().is_root());
    }
}
