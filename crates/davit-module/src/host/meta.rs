//! What a path holds, apart from its content.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// What kind of thing a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Link,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A block device.
    Block,
    /// A character device.
    Char,
}

/// A moment, to the nanosecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// Seconds since the Unix epoch.
    pub secs: i64,
    /// Nanoseconds on top.
    pub nanos: i64,
}

impl Stamp {
    /// This moment.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            secs: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            nanos: i64::from(since.subsec_nanos()),
        }
    }

    /// Seconds since the Unix epoch, with a fraction.
    #[must_use]
    pub fn seconds(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "how times are told in results")]
        let (secs, nanos) = (self.secs as f64, self.nanos as f64);
        secs + 1e-9 * nanos
    }
}

/// What a path holds, apart from its content.
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits, with set-user-id, set-group-id and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Hard links.
    pub nlink: u64,
    /// Number of the inode; 0 where it is predicted.
    pub ino: u64,
    /// Number of the device that holds it.
    pub dev: u64,
    /// What a device file stands for.
    pub rdev: u64,
    /// Blocks of 512 bytes.
    pub blocks: u64,
    /// Best size for input and output.
    pub block_size: u64,
    /// Last read.
    pub atime: Stamp,
    /// Last change of the content.
    pub mtime: Stamp,
    /// Last change of anything.
    pub ctime: Stamp,
}

impl Meta {
    /// What a predicted thing starts with.
    #[must_use]
    pub fn predicted(kind: FileKind, mode: u32, size: u64) -> Self {
        let now = Stamp::now();
        Self {
            kind,
            mode,
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
            size,
            nlink: if kind == FileKind::Directory { 2 } else { 1 },
            ino: 0,
            dev: 0,
            rdev: 0,
            blocks: size.div_ceil(512),
            block_size: 4096,
            atime: now,
            mtime: now,
            ctime: now,
        }
    }

    /// A regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.kind == FileKind::File
    }

    /// A folder.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.kind == FileKind::Directory
    }

    /// A symbolic link.
    #[must_use]
    pub fn is_link(&self) -> bool {
        self.kind == FileKind::Link
    }
}

impl From<Metadata> for Meta {
    fn from(meta: Metadata) -> Self {
        let kind = meta.file_type();
        let kind = if kind.is_dir() {
            FileKind::Directory
        } else if kind.is_symlink() {
            FileKind::Link
        } else if kind.is_fifo() {
            FileKind::Fifo
        } else if kind.is_socket() {
            FileKind::Socket
        } else if kind.is_block_device() {
            FileKind::Block
        } else if kind.is_char_device() {
            FileKind::Char
        } else {
            FileKind::File
        };
        Self {
            kind,
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
            gid: meta.gid(),
            size: meta.size(),
            nlink: meta.nlink(),
            ino: meta.ino(),
            dev: meta.dev(),
            rdev: meta.rdev(),
            blocks: meta.blocks(),
            block_size: meta.blksize(),
            atime: Stamp { secs: meta.atime(), nanos: meta.atime_nsec() },
            mtime: Stamp { secs: meta.mtime(), nanos: meta.mtime_nsec() },
            ctime: Stamp { secs: meta.ctime(), nanos: meta.ctime_nsec() },
        }
    }
}
