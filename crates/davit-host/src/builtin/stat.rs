//! `ansible.builtin.stat`: tells what a path holds.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/stat_module.html>

use std::io;
use std::path::PathBuf;

use davit_module::names::{User, group_name};
use davit_module::{
    Access, FileKind, Host, Meta, Module, ModuleError, Outcome, Program, errno_text,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::checksum::{self, Algorithm};

/// Tells what a path holds: whether it is there, its kind, owner, mode, size, times, checksum.
///
/// ```yaml
/// - ansible.builtin.stat:
///     path: /etc/motd
///   register: motd
/// - ansible.builtin.debug:
///     msg: "{{ motd.stat.mode }}"
///   when: motd.stat.exists
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The file or folder on the host.
    #[schemars(extend("x-type" = "path", "x-aliases" = ["dest", "name"]))]
    path: PathBuf,
    /// Tell of what a link points to instead of the link.
    #[serde(default)]
    follow: bool,
    /// Tell the kind of content and its encoding, as the program `file` sees them.
    #[serde(default = "yes")]
    #[schemars(extend("x-aliases" = ["mime", "mime_type", "mime-type"]))]
    get_mime: bool,
    /// Tell the flags of the file system, as the program `lsattr` sees them.
    #[serde(default = "yes")]
    #[schemars(extend("x-aliases" = ["attr", "attributes"]))]
    get_attributes: bool,
    /// Tell the checksum of a regular file that can be read.
    #[serde(default = "yes")]
    get_checksum: bool,
    /// Which checksum.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["checksum", "checksum_algo"]))]
    checksum_algorithm: ChecksumAlgorithm,
}

fn yes() -> bool {
    true
}

/// A checksum that `stat` can tell.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum ChecksumAlgorithm {
    Md5,
    #[default]
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl From<ChecksumAlgorithm> for Algorithm {
    fn from(it: ChecksumAlgorithm) -> Self {
        match it {
            ChecksumAlgorithm::Md5 => Self::Md5,
            ChecksumAlgorithm::Sha1 => Self::Sha1,
            ChecksumAlgorithm::Sha224 => Self::Sha224,
            ChecksumAlgorithm::Sha256 => Self::Sha256,
            ChecksumAlgorithm::Sha384 => Self::Sha384,
            ChecksumAlgorithm::Sha512 => Self::Sha512,
        }
    }
}

/// `ansible.builtin.stat`.
pub(crate) struct Stat;

impl Module for Stat {
    const NAME: &'static str = "ansible.builtin.stat";
    type Args = Args;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        let path = &args.path;
        if path.as_os_str().is_empty() {
            return Ok(Outcome::new().changed(false).with("stat", json!({"exists": false})));
        }
        let meta = match host.meta(path, args.follow) {
            Ok(Some(meta)) => meta,
            Ok(None) => {
                return Ok(Outcome::new().changed(false).with("stat", json!({"exists": false})));
            }
            Err(err) => return Err(ModuleError::failed(plain_text(&err))),
        };
        let mut stat = facts(&meta);
        // After `exists`, where those who go through the keys know it.
        stat.shift_insert(1, "path".to_owned(), path.to_string_lossy().into());
        for (key, access) in [
            ("readable", Access::Read),
            ("writeable", Access::Write),
            ("executable", Access::Execute),
        ] {
            stat.insert(key.to_owned(), host.may(path, access).into());
        }
        if meta.is_link() {
            let target = host.read_link(path)?;
            stat.insert("lnk_source".to_owned(), host.real_path(path).to_string_lossy().into());
            stat.insert("lnk_target".to_owned(), target.to_string_lossy().into());
        }
        names(&mut stat, &meta);
        if args.get_checksum && meta.is_file() && host.may(path, Access::Read) {
            let mut reader = host.open(path)?;
            let sum = checksum::of(&mut reader, args.checksum_algorithm.into())
                .map_err(|err| ModuleError::io("read", path, err))?;
            stat.insert("checksum".to_owned(), sum.into());
        }
        if args.get_mime {
            let (mime, charset) = mime(host, &args);
            stat.insert("mimetype".to_owned(), mime.into());
            stat.insert("charset".to_owned(), charset.into());
        }
        if args.get_attributes {
            flags(host, &args, &mut stat);
        }
        Ok(Outcome::new().changed(false).with("stat", stat))
    }
}

fn plain_text(err: &io::Error) -> String {
    let text = errno_text(err);
    text.split_once("] ").map_or(text.clone(), |(_, rest)| rest.to_owned())
}

fn facts(meta: &Meta) -> Map<String, Value> {
    let bit = |mask: u32| Value::Bool(meta.mode & mask != 0);
    let facts = json!({
        "exists": true,
        "mode": format!("{:04o}", meta.mode),
        "isdir": meta.is_dir(),
        "ischr": meta.kind == FileKind::Char,
        "isblk": meta.kind == FileKind::Block,
        "isreg": meta.is_file(),
        "isfifo": meta.kind == FileKind::Fifo,
        "islnk": meta.is_link(),
        "issock": meta.kind == FileKind::Socket,
        "uid": meta.uid,
        "gid": meta.gid,
        "size": meta.size,
        "inode": meta.ino,
        "dev": meta.dev,
        "nlink": meta.nlink,
        "atime": meta.atime.seconds(),
        "mtime": meta.mtime.seconds(),
        "ctime": meta.ctime.seconds(),
        "wusr": bit(0o200), "rusr": bit(0o400), "xusr": bit(0o100),
        "wgrp": bit(0o020), "rgrp": bit(0o040), "xgrp": bit(0o010),
        "woth": bit(0o002), "roth": bit(0o004), "xoth": bit(0o001),
        "isuid": bit(0o4000), "isgid": bit(0o2000),
        "blocks": meta.blocks,
        "block_size": meta.block_size,
        "device_type": meta.rdev,
    });
    match facts {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The names of owner and group, where they have one.
fn names(stat: &mut Map<String, Value>, meta: &Meta) {
    if let Some(user) = User::numbered(meta.uid) {
        stat.insert("pw_name".to_owned(), user.name.into());
    }
    if let Some(group) = group_name(meta.gid) {
        stat.insert("gr_name".to_owned(), group.into());
    }
}

/// The kind of content and its encoding; `unknown` where the program does not say.
fn mime(host: &Host<'_>, args: &Args) -> (String, String) {
    let unknown = || ("unknown".to_owned(), "unknown".to_owned());
    let program =
        Program::new("file").arg("--mime-type").arg("--mime-encoding").arg(host.at(&args.path));
    let Ok(ran) = host.query(&program) else { return unknown() };
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    let Some((_, said)) = text.trim().rsplit_once(": ").filter(|_| ran.rc == 0) else {
        return unknown();
    };
    match said.split_once("; charset=") {
        Some((mime, charset)) => (mime.trim().to_owned(), charset.trim().to_owned()),
        None => unknown(),
    }
}

/// Flags by the letters that `lsattr` shows.
const FLAGS: &[(char, &str)] = &[
    ('A', "noatime"),
    ('a', "append"),
    ('c', "compressed"),
    ('C', "nocow"),
    ('d', "nodump"),
    ('D', "dirsync"),
    ('e', "extents"),
    ('E', "encrypted"),
    ('h', "blocksize"),
    ('i', "immutable"),
    ('I', "indexed"),
    ('j', "journalled"),
    ('N', "inline"),
    ('s', "zero"),
    ('S', "synchronous"),
    ('t', "notail"),
    ('T', "blockroot"),
    ('u', "undelete"),
    ('X', "compressedraw"),
    ('Z', "compresseddirty"),
];

fn flags(host: &Host<'_>, args: &Args, stat: &mut Map<String, Value>) {
    let (version, letters) = match host.flags(&args.path) {
        Some((version, letters)) => (Value::String(version), letters),
        None => (Value::Null, String::new()),
    };
    let names: Vec<&str> = letters
        .chars()
        .filter_map(|letter| FLAGS.iter().find(|(it, _)| *it == letter).map(|(_, name)| *name))
        .collect();
    stat.insert("version".to_owned(), version);
    stat.insert("attr_flags".to_owned(), letters.into());
    stat.insert("attributes".to_owned(), names.into());
}
