//! Writes the events of a run, as they happen.
//!
//! Events queue up and are committed in one transaction: by whoever starts a task, before it
//! starts, and otherwise by a thread that looks a few milliseconds after something came in, and
//! that also does what waits for the disk. So a busy run pays for one commit a task and for no
//! change of threads. Before a task starts, the
//! results that came before it are committed: of all hosts where a task starts, of that host where
//! it starts on one. What a resumed run relies on is on record before anything is built on it, and
//! rounds of a loop cost no commit. Events that only tell how far something is are not written.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use davit_event::{Counts, Event, Kind, Sink};
use rusqlite::{Connection, params};

use crate::store::signed;
use crate::{Error, process, schema};

/// Events that may wait to be written: bounds what one commit holds in memory.
const QUEUE: usize = 4096;
/// How long an event waits to be written where nothing presses.
const NAP: Duration = Duration::from_millis(5);

/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A sink that writes one run's events; dropped, it waits until all are written.
pub struct RunSink {
    shared: Arc<Shared>,
    path: PathBuf,
    late: Option<JoinHandle<()>>,
    /// Rows sent so far.
    sent: u64,
    /// Rows known to be committed; there may be more.
    committed: u64,
    /// The last row that matters to a resumed run: of any host, and by host.
    last: u64,
    last_of: HashMap<String, u64>,
}

/// What the sink and its late writer share. The writer is locked before the queue.
struct Shared {
    writer: Mutex<Writer>,
    queue: Mutex<Queue>,
    /// Something is in the queue, or it is closed.
    filled: Condvar,
}

struct Writer {
    db: Connection,
    path: PathBuf,
    /// The run's number.
    run: i64,
    committed: u64,
    /// Why nothing is written any more.
    error: Option<String>,
}

#[derive(Default)]
struct Queue {
    rows: Vec<Row>,
    closed: bool,
    /// The late writer waits to be woken.
    asleep: bool,
}

struct Row {
    seq: u64,
    at_ms: u64,
    kind: String,
    about: Option<About>,
}

/// What the row of the run takes from an event.
enum About {
    Started { playbooks: String, command: String, folder: String, check: bool },
    Finished { status: &'static str, hosts: u32, counts: String },
}

impl RunSink {
    pub(crate) fn start(db: Connection, path: PathBuf, run: i64) -> Result<Self, Error> {
        let writer = Writer { db, path: path.clone(), run, committed: 0, error: None };
        let shared = Arc::new(Shared {
            writer: Mutex::new(writer),
            queue: Mutex::default(),
            filled: Condvar::new(),
        });
        let late = std::thread::Builder::new()
            .name("davit-store".to_owned())
            .spawn({
                let (shared, path) = (Arc::clone(&shared), path.clone());
                move || shared.write_late(&path)
            })
            .map_err(|source| Error::Unwritable { path: path.clone(), source: Box::new(source) })?;
        Ok(Self {
            shared,
            path,
            late: Some(late),
            sent: 0,
            committed: 0,
            last: 0,
            last_of: HashMap::new(),
        })
    }

    /// Commits everything accepted so far.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.committed = self.shared.flush()?;
        Ok(())
    }

    fn put(&mut self, event: &Event) -> Result<(), Error> {
        let row = Row {
            seq: event.seq,
            at_ms: event.at_ms,
            kind: serde_json::to_string(&event.kind)
                .map_err(|error| Error::Stopped(error.to_string()))?,
            about: About::of(&event.kind),
        };
        self.sent += 1;
        if self.shared.put(row) > QUEUE { self.flush() } else { Ok(()) }
    }
}

impl Sink for RunSink {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        if event.kind.is_passing() {
            return Ok(());
        }
        self.put(event).map_err(io::Error::other)?;
        let needed = match &event.kind {
            Kind::HostDone { host, .. } | Kind::ItemDone { host, .. } => {
                self.last = self.sent;
                match self.last_of.get_mut(host) {
                    Some(last) => *last = self.sent,
                    None => {
                        self.last_of.insert(host.clone(), self.sent);
                    }
                }
                return Ok(());
            }
            Kind::Journal { .. } => {
                self.last = self.sent;
                return Ok(());
            }
            Kind::HostStarted { host, .. } => self.last_of.get(host).copied().unwrap_or(0),
            Kind::TaskStarted { .. } => self.last,
            Kind::RunStarted { .. } | Kind::RunFinished { .. } => self.sent,
            _ => return Ok(()),
        };
        if self.committed < needed {
            self.flush().map_err(io::Error::other)?;
        }
        Ok(())
    }
}

impl Drop for RunSink {
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.filled.notify_all();
        // Who listens has been told of an error when it came, or the run is over.
        let _ = self.flush();
        if let Some(late) = self.late.take() {
            // A thread that panicked has nothing left to say.
            let _ = late.join();
        }
        if schema::is_log_long(&self.path, 8) {
            // Many runs that were too short for their late writers. It may be moved another time.
            let _ = schema::move_log(&self.path);
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a row in; how many wait now.
    fn put(&self, row: Row) -> usize {
        let mut queue = self.queue();
        queue.rows.push(row);
        let waiting = queue.rows.len();
        let asleep = std::mem::take(&mut queue.asleep);
        drop(queue);
        if asleep {
            self.filled.notify_one();
        }
        waiting
    }

    /// Commits what waits; how many rows are committed in all.
    fn flush(&self) -> Result<u64, Error> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = &writer.error {
            return Err(Error::Stopped(error.clone()));
        }
        // Taken while the writer is held, so that rows are written in their order.
        let rows = std::mem::take(&mut self.queue().rows);
        if rows.is_empty() {
            return Ok(writer.committed);
        }
        let count = rows.len();
        match writer.write(rows) {
            Ok(()) => {
                writer.committed += count as u64;
                Ok(writer.committed)
            }
            Err(source) => {
                let text = describe(&Error::of(&writer.path, source));
                writer.error = Some(text.clone());
                Err(Error::Stopped(text))
            }
        }
    }

    /// Commits what nobody pressed for, until the queue is closed.
    fn write_late(&self, path: &Path) {
        let mut written = 0;
        let mut looked = Instant::now();
        loop {
            let nap = self.filled.wait_timeout_while(self.queue(), NAP, |queue| !queue.closed);
            if nap.unwrap_or_else(PoisonError::into_inner).0.closed {
                // The sink writes the rest.
                return;
            }
            // What goes wrong the sink hears of at the next event that matters.
            let Ok(now) = self.flush() else { return };
            if looked.elapsed() >= LOOK && schema::is_log_long(path, 1) {
                looked = Instant::now();
                // A log that cannot be moved now is moved later, by this run or the next.
                let _ = schema::move_log(path);
            }
            if now == written {
                self.sleep();
            }
            written = now;
        }
    }

    /// Waits until something comes in.
    fn sleep(&self) {
        let mut queue = self.queue();
        while queue.rows.is_empty() && !queue.closed {
            queue.asleep = true;
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.asleep = false;
    }
}

impl Writer {
    fn write(&mut self, rows: Vec<Row>) -> rusqlite::Result<()> {
        let batch = self.db.transaction()?;
        for row in rows {
            insert(&batch, self.run, row)?;
        }
        batch.commit()
    }
}

impl About {
    fn of(kind: &Kind) -> Option<Self> {
        match kind {
            Kind::RunStarted { playbooks, command, folder, check, .. } => Some(Self::Started {
                playbooks: serde_json::to_string(playbooks).unwrap_or_default(),
                command: serde_json::to_string(command).unwrap_or_default(),
                folder: folder.clone(),
                check: *check,
            }),
            Kind::RunFinished { stats, interrupted, .. } => {
                let counts = total(stats.values());
                let status = if *interrupted {
                    "interrupted"
                } else if counts.failed > 0 || counts.unreachable > 0 {
                    "failed"
                } else {
                    "ok"
                };
                Some(Self::Finished {
                    status,
                    hosts: u32::try_from(stats.len()).unwrap_or(u32::MAX),
                    counts: serde_json::to_string(&counts).unwrap_or_default(),
                })
            }
            _ => None,
        }
    }
}

fn total<'a>(hosts: impl Iterator<Item = &'a Counts>) -> Counts {
    hosts.fold(Counts::default(), |sum, one| Counts {
        ok: sum.ok.saturating_add(one.ok),
        changed: sum.changed.saturating_add(one.changed),
        unreachable: sum.unreachable.saturating_add(one.unreachable),
        failed: sum.failed.saturating_add(one.failed),
        skipped: sum.skipped.saturating_add(one.skipped),
        rescued: sum.rescued.saturating_add(one.rescued),
        ignored: sum.ignored.saturating_add(one.ignored),
    })
}

/// An error with its causes, in one line.
fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

fn insert(db: &Connection, run: i64, row: Row) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO log (place, at, kind) VALUES ((?1 << 32) + ?2, ?3, ?4)")?
        .execute(params![run, signed(row.seq), signed(row.at_ms), row.kind])?;
    match row.about {
        Some(About::Started { playbooks, command, folder, check }) => db.execute(
            "UPDATE runs SET started = ?2, playbooks = ?3, command = ?4, folder = ?5, \
             checked = ?6, process = ?7 WHERE number = ?1",
            params![run, signed(row.at_ms), playbooks, command, folder, check, process::own_mark()],
        )?,
        Some(About::Finished { status, hosts, counts }) => db.execute(
            "UPDATE runs SET ended = ?2, status = ?3, hosts = ?4, counts = ?5 WHERE number = ?1",
            params![run, signed(row.at_ms), status, hosts, counts],
        )?,
        None => 0,
    };
    Ok(())
}
