//! What is known of a job on disk: its result, its spool, and whether it is alive.
//!
//! It does not know what the job does.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;

/// The name of the file in the spool that a living job holds a lock on.
const LOCK: &str = "lock";

/// The files of a job.
#[derive(Debug)]
pub(crate) struct Record {
    folder: PathBuf,
    result: PathBuf,
    spool: PathBuf,
}

impl Record {
    /// Those of the job `id` whose results are kept in `folder`.
    pub(crate) fn of(folder: &Path, id: &str) -> Self {
        Self {
            folder: folder.to_path_buf(),
            result: folder.join(id),
            spool: folder.join(format!(".davit-{id}")),
        }
    }

    /// The file that holds the result.
    pub(crate) fn result(&self) -> &Path {
        &self.result
    }

    /// The folder that holds what the job needs, for as long as it needs it.
    pub(crate) fn spool(&self) -> &Path {
        &self.spool
    }

    /// Writes the result in one step, readable by its owner alone.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn write(&self, result: &Value) -> io::Result<()> {
        let mut staged = tempfile::Builder::new().prefix(".davit-").tempfile_in(&self.folder)?;
        staged.write_all(result.to_string().as_bytes())?;
        staged.persist(&self.result).map_err(|err| err.error)?;
        Ok(())
    }

    /// The lock that says that the job lives, held until it is dropped or the process ends.
    ///
    /// # Errors
    /// Where it cannot be made or somebody else holds it.
    pub(crate) fn lock(&self) -> io::Result<Flock<File>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.spool.join(LOCK))?;
        Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno.into())
    }

    /// Whether the job was ended without having said how: its spool is there and nobody holds it.
    pub(crate) fn is_dead(&self) -> bool {
        let Ok(file) = File::open(self.spool.join(LOCK)) else { return false };
        Flock::lock(file, FlockArg::LockSharedNonblock).is_ok()
    }

    /// Removes the spool, where it is.
    pub(crate) fn clear(&self) {
        // It may be gone already, and what stays is of no use to anybody.
        let _ = fs::remove_dir_all(&self.spool);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_is_dead_once_nobody_holds_its_spool() {
        let folder = tempfile::tempdir().unwrap();
        let record = Record::of(folder.path(), "j1.2");
        assert!(!record.is_dead(), "of a job without a spool nothing can be said");
        fs::create_dir(record.spool()).unwrap();
        let lock = record.lock().unwrap();
        assert!(!record.is_dead());
        drop(lock);
        assert!(record.is_dead());
        record.write(&json!({"a": 1})).unwrap();
        assert_eq!(fs::read_to_string(record.result()).unwrap(), "{\"a\":1}");
    }
}
