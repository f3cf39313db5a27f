//! Listing, reading and pruning runs.
//!
//! Does not write events: see the sink.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use davit_event::Event;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{Error, Run, RunSink, RunStatus, process, run_id, schema};

/// The history of runs in one file.
///
/// Use one for each thread; as many processes as need be use the same file.
pub struct Store {
    db: Connection,
    path: PathBuf,
}

/// Which runs [`Store::prune`] keeps; a run that either limit drops is deleted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keep {
    /// At most so many, the newest; all where not set.
    pub newest: Option<usize>,
    /// Only those that started at this time (milliseconds since the Unix epoch) or later.
    pub since_ms: Option<u64>,
}

/// At most so many names are listed where a prefix fits several runs.
const FEW: usize = 5;

const COLUMNS: &str =
    "id, started, ended, playbooks, command, folder, checked, status, process, hosts, counts";

impl Store {
    /// Opens the history in `path`, making the file and its folder where they are missing.
    ///
    /// # Errors
    /// Where it cannot be written, is damaged, or was written by a newer davit.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self { db: schema::open(path)?, path: path.to_owned() })
    }

    /// Opens an existing history for reading only.
    ///
    /// # Errors
    /// Where there is none, it cannot be read, or is damaged.
    pub fn open_to_read(path: &Path) -> Result<Self, Error> {
        Ok(Self { db: schema::open_to_read(path)?, path: path.to_owned() })
    }

    /// Reserves the id of a run that starts now.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn begin(&self) -> Result<String, Error> {
        let now = now_ms();
        let mut at = now;
        loop {
            let id = run_id(at);
            let added = self
                .db
                .execute(
                    "INSERT OR IGNORE INTO runs (id, started, process) VALUES (?1, ?2, ?3)",
                    params![id, signed(now), process::own_mark()],
                )
                .map_err(|source| self.failed(source))?;
            if added == 1 {
                // A run that was discarded while it was still written down has left some behind, and
                // its number is used again.
                self.db
                    .execute(
                        "DELETE FROM log WHERE place BETWEEN ?1 << 32 AND (?1 << 32) + 0xFFFFFFFF",
                        [self.db.last_insert_rowid()],
                    )
                    .map_err(|source| self.failed(source))?;
                return Ok(id);
            }
            at += 1;
        }
    }

    /// A sink that writes the events of run `id`, which need not be reserved, on a connection of
    /// its own.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn sink(&self, id: &str) -> Result<RunSink, Error> {
        Self::open(&self.path)?.into_sink(id)
    }

    /// As [`sink`](Self::sink), on this connection.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn into_sink(self, id: &str) -> Result<RunSink, Error> {
        self.db
            .execute(
                "INSERT OR IGNORE INTO runs (id, started, process) VALUES (?1, ?2, ?3)",
                params![id, signed(now_ms()), process::own_mark()],
            )
            .map_err(|source| self.failed(source))?;
        let number = self
            .db
            .query_row("SELECT number FROM runs WHERE id = ?1", [id], |row| row.get(0))
            .map_err(|source| self.failed(source))?;
        schema::keep_log(&self.db).map_err(|source| self.failed(source))?;
        RunSink::start(self.db, self.path, number)
    }

    /// The newest runs, newest first.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn runs(&self, limit: usize) -> Result<Vec<Run>, Error> {
        self.select("ORDER BY number DESC LIMIT ?1", &[&i64::try_from(limit).unwrap_or(i64::MAX)])
    }

    /// The run of that id, or the only one whose id starts so; `last` is the newest.
    ///
    /// # Errors
    /// Where there is none or more than one.
    pub fn run(&self, text: &str) -> Result<Run, Error> {
        let none = || Error::NoRun(text.to_owned());
        if text == "last" {
            return self.runs(1)?.pop().ok_or_else(none);
        }
        let id = text.to_ascii_lowercase();
        if id.is_empty() {
            return Err(none());
        }
        let mut found = self.select(
            "WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id = ?1 DESC, number DESC LIMIT ?2",
            &[&id, &i64::try_from(FEW).unwrap_or(i64::MAX)],
        )?;
        match found.len() {
            0 => Err(none()),
            1 => Ok(found.remove(0)),
            _ if found[0].id == id => Ok(found.remove(0)),
            _ => Err(Error::Ambiguous {
                text: text.to_owned(),
                found: found.into_iter().map(|run| run.id).collect(),
            }),
        }
    }

    /// The events of the run of exactly that id, in order: those that were committed.
    ///
    /// # Errors
    /// Where there is no such run, or an event cannot be read.
    pub fn events(&self, id: &str) -> Result<Vec<Event>, Error> {
        self.events_from(id, 0, usize::MAX)
    }

    /// As [`events`](Self::events), from event `first` on and at most `limit` of them: for a view
    /// that follows a run of another process.
    ///
    /// # Errors
    /// As [`events`](Self::events).
    pub fn events_from(&self, id: &str, first: u64, limit: usize) -> Result<Vec<Event>, Error> {
        let number = self.number(id)?;
        let failed = |source| self.failed(source);
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT place & 0xFFFFFFFF, at, kind FROM log
                 WHERE place BETWEEN (?1 << 32) + ?2 AND (?1 << 32) + 0xFFFFFFFF
                 ORDER BY place LIMIT ?3",
            )
            .map_err(failed)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![number, signed(first), limit]).map_err(failed)?;
        let mut events = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let seq = unsigned(row.get(0).map_err(failed)?);
            let at_ms = unsigned(row.get(1).map_err(failed)?);
            let text = row.get_ref(2).and_then(|text| Ok(text.as_str()?)).map_err(failed)?;
            let kind = serde_json::from_str(text).map_err(|source| Error::Event {
                run: id.to_owned(),
                seq,
                source,
            })?;
            events.push(Event { seq, at_ms, kind });
        }
        Ok(events)
    }

    /// Deletes a run with its events.
    ///
    /// # Errors
    /// Where there is no such run, or it is running.
    pub fn delete(&self, id: &str) -> Result<(), Error> {
        self.number(id)?;
        if self.run(id)?.status == RunStatus::Running {
            return Err(Error::StillRunning(id.to_owned()));
        }
        self.db
            .execute("DELETE FROM runs WHERE id = ?1", [id])
            .map_err(|source| self.failed(source))?;
        self.give_back()
    }

    /// Deletes a run that was reserved and never started.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn discard(&self, id: &str) -> Result<(), Error> {
        self.db
            .execute(
                "DELETE FROM runs WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM log \
                 WHERE place BETWEEN runs.number << 32 AND (runs.number << 32) + 0xFFFFFFFF AND kind LIKE '{\"type\":\"run_started\"%')",
                [id],
            )
            .map_err(|source| self.failed(source))?;
        Ok(())
    }

    /// Deletes what `keep` does not keep, running ones excepted, and returns how many.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn prune(&self, keep: Keep) -> Result<usize, Error> {
        let mut gone = 0;
        for (place, run) in self.runs(usize::MAX)?.into_iter().enumerate() {
            let too_many = keep.newest.is_some_and(|newest| place >= newest);
            let too_old = keep.since_ms.is_some_and(|since| run.started_ms < since);
            if (too_many || too_old) && run.status != RunStatus::Running {
                gone += self
                    .db
                    .execute("DELETE FROM runs WHERE id = ?1", [&run.id])
                    .map_err(|source| self.failed(source))?;
            }
        }
        if gone > 0 {
            self.give_back()?;
        }
        Ok(gone)
    }

    /// Returns free pages to the file system.
    fn give_back(&self) -> Result<(), Error> {
        self.db.execute_batch("PRAGMA incremental_vacuum").map_err(|source| self.failed(source))
    }

    fn number(&self, id: &str) -> Result<i64, Error> {
        self.db
            .query_row("SELECT number FROM runs WHERE id = ?1", [id], |row| row.get(0))
            .optional()
            .map_err(|source| self.failed(source))?
            .ok_or_else(|| Error::NoRun(id.to_owned()))
    }

    fn select(&self, rest: &str, parameters: &[&dyn rusqlite::ToSql]) -> Result<Vec<Run>, Error> {
        let failed = |source| self.failed(source);
        let mut statement = self
            .db
            .prepare_cached(&format!("SELECT {COLUMNS} FROM runs {rest}"))
            .map_err(failed)?;
        let rows = statement.query_map(parameters, read_run).map_err(failed)?;
        rows.collect::<Result<_, _>>().map_err(failed)
    }

    fn failed(&self, source: rusqlite::Error) -> Error {
        Error::of(&self.path, source)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.path).finish()
    }
}

fn read_run(row: &Row<'_>) -> rusqlite::Result<Run> {
    let json = |text: String| serde_json::from_str(&text).unwrap_or_default();
    let counts: String = row.get(10)?;
    let mut status = RunStatus::stored(&row.get::<_, String>(7)?);
    if status == RunStatus::Running && !process::is_alive(&row.get::<_, String>(8)?) {
        status = RunStatus::CutOff;
    }
    Ok(Run {
        id: row.get(0)?,
        started_ms: unsigned(row.get(1)?),
        ended_ms: row.get::<_, Option<i64>>(2)?.map(unsigned),
        playbooks: json(row.get(3)?),
        command: json(row.get(4)?),
        folder: row.get(5)?,
        check: row.get(6)?,
        status,
        hosts: row.get(9)?,
        counts: serde_json::from_str(&counts).unwrap_or_default(),
    })
}

pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
