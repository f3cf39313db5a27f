//! The tables, their versions, and opening the file.
//!
//! Knows nothing of what the rows mean.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::Error;

/// Each entry takes the file to the next version. Entries are added, never changed.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE runs (
        number    INTEGER PRIMARY KEY,
        id        TEXT    NOT NULL UNIQUE,
        started   INTEGER NOT NULL,
        ended     INTEGER,
        playbooks TEXT    NOT NULL DEFAULT '[]',
        command   TEXT    NOT NULL DEFAULT '[]',
        folder    TEXT    NOT NULL DEFAULT '',
        checked   INTEGER NOT NULL DEFAULT 0,
        status    TEXT    NOT NULL DEFAULT 'running',
        process   TEXT    NOT NULL DEFAULT '',
        hosts     INTEGER NOT NULL DEFAULT 0,
        counts    TEXT    NOT NULL DEFAULT '{}'
    ) STRICT;
    CREATE TABLE events (
        run  INTEGER NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
        seq  INTEGER NOT NULL,
        at   INTEGER NOT NULL,
        kind TEXT    NOT NULL,
        PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID;
",
    "
    -- One number for run and event: a row goes behind the last one, and no page is split for it.
    CREATE TABLE log (
        place INTEGER PRIMARY KEY,
        at    INTEGER NOT NULL,
        kind  TEXT    NOT NULL
    ) STRICT;
    INSERT INTO log SELECT (run << 32) + seq, at, kind FROM events ORDER BY run, seq;
    DROP TABLE events;
    CREATE TRIGGER run_is_deleted AFTER DELETE ON runs BEGIN
        DELETE FROM log WHERE place BETWEEN old.number << 32 AND (old.number << 32) + 0xFFFFFFFF;
    END;
",
];

/// How long the log may be before its pages are to move to the file: read in a millisecond.
const LOG_BYTES: u64 = 1024 * 1024;
/// How long one process waits for another's write.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens the file for reading and writing, making it and its folder where they are missing.
pub(crate) fn open(path: &Path) -> Result<Connection, Error> {
    make_private(path)
        .map_err(|source| Error::Unwritable { path: path.to_owned(), source: Box::new(source) })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |source| Error::of(path, source);
    let mut db = Connection::open_with_flags(path, flags).map_err(failed)?;
    db.busy_timeout(PATIENCE).map_err(failed)?;
    retry_while_busy(|| {
        db.execute_batch(
            "PRAGMA auto_vacuum = INCREMENTAL;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = NORMAL;
             PRAGMA foreign_keys = ON;",
        )
    })
    .map_err(failed)?;
    migrate(&mut db, path)?;
    Ok(db)
}

/// Makes this connection leave the write-ahead log where it is.
///
/// Else a run would now and then wait for the disk, end with two such waits, and the next one begin
/// with three. The next connection reads the pages from the log; [`move_log`] keeps it short.
pub(crate) fn keep_log(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    // Once its pages are moved, a long log is cut.
    db.pragma_update(None, "journal_size_limit", i64::try_from(LOG_BYTES).unwrap_or(i64::MAX))?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map(drop)
}

/// True where the log of the file `path` is longer than `times` what it should be.
pub(crate) fn is_log_long(path: &Path, times: u64) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(log).is_ok_and(|it| it.len() > times * LOG_BYTES)
}

/// Moves the pages of the log to the file, as far as no reader needs the old ones; no writer waits.
pub(crate) fn move_log(path: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    keep_log(&db)?;
    db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// Opens the file for reading only: it may lie where this user cannot write.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, Error> {
    let failed = |source| Error::of(path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(failed)?;
    db.busy_timeout(PATIENCE).map_err(failed)?;
    let found = version(&db).map_err(failed)?;
    check_version(found, path)?;
    if (found as usize) < MIGRATIONS.len() {
        return open(path);
    }
    Ok(db)
}

/// Replies may hold what only their owner should read.
fn make_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop)
}

/// The switch to WAL can be refused at once while another process makes the same switch.
fn retry_while_busy(mut step: impl FnMut() -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    for _ in 0..100 {
        match step() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                std::thread::sleep(Duration::from_millis(20));
            }
            other => return other,
        }
    }
    step()
}

fn version(db: &Connection) -> rusqlite::Result<u32> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn check_version(found: u32, path: &Path) -> Result<(), Error> {
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(Error::Newer { path: path.to_owned(), found, known });
    }
    Ok(())
}

fn migrate(db: &mut Connection, path: &Path) -> Result<(), Error> {
    let failed = |source| Error::of(path, source);
    let found = version(db).map_err(failed)?;
    check_version(found, path)?;
    if found as usize == MIGRATIONS.len() {
        return Ok(());
    }
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Another process may have been faster while this one waited for the lock.
    let found = version(&step).map_err(failed)?;
    check_version(found, path)?;
    for migration in MIGRATIONS.iter().skip(found as usize) {
        step.execute_batch(migration).map_err(failed)?;
    }
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    step.pragma_update(None, "user_version", known).map_err(failed)?;
    step.commit().map_err(failed)
}
