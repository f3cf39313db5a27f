//! Writes the events of a run, as they happen, on a thread of its own.
//!
//! The writer commits whatever has queued up in one transaction, so that a busy run pays for few
//! commits and an idle one commits at once. Before a task starts, `accept` waits until the results
//! that came before it are committed: of all hosts where a task starts, of that host where it starts
//! on one. So what a resumed run relies on is on record before anything is built on it, and rounds
//! of a loop cost no wait. Events that only tell how far something is are not written.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use davit_event::{Counts, Event, Kind, Sink};
use rusqlite::{Connection, params};

use crate::store::signed;
use crate::{Error, process};

/// Events that may wait to be written before the run waits for the disk.
const QUEUE: usize = 8192;
/// Events in one transaction: bounds what one commit holds in memory.
const BATCH: usize = 4096;

/// A sink that writes one run's events; dropped, it waits until all are written.
pub struct RunSink {
    queue: Option<SyncSender<Row>>,
    writer: Option<JoinHandle<()>>,
    progress: Arc<Progress>,
    /// Rows sent so far.
    sent: u64,
    /// The last row that matters to a resumed run: of any host, and by host.
    last: u64,
    last_of: HashMap<String, u64>,
}

/// How far the writer is.
#[derive(Default)]
struct Progress {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    committed: u64,
    error: Option<String>,
    ended: bool,
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
        let (queue, rows) = sync_channel(QUEUE);
        let progress = Arc::<Progress>::default();
        let shared = Arc::clone(&progress);
        let writer = std::thread::Builder::new()
            .name("davit-store".to_owned())
            .spawn({
                let path = path.clone();
                move || {
                    let result = write(db, run, &rows, &shared);
                    let error = result.err().map(|source| describe(&Error::of(&path, source)));
                    shared.end(error);
                }
            })
            .map_err(|source| Error::Unwritable { path, source: Box::new(source) })?;
        Ok(Self {
            queue: Some(queue),
            writer: Some(writer),
            progress,
            sent: 0,
            last: 0,
            last_of: HashMap::new(),
        })
    }

    /// Waits until everything accepted so far is committed.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn flush(&self) -> Result<(), Error> {
        self.progress.wait_for(self.sent)
    }

    fn put(&mut self, event: &Event) -> Result<(), Error> {
        let row = Row {
            seq: event.seq,
            at_ms: event.at_ms,
            kind: serde_json::to_string(&event.kind)
                .map_err(|error| Error::Stopped(error.to_string()))?,
            about: About::of(&event.kind),
        };
        let gone = self.queue.as_ref().is_none_or(|queue| queue.send(row).is_err());
        if gone {
            return self.progress.wait_for(u64::MAX);
        }
        self.sent += 1;
        Ok(())
    }
}

impl Sink for RunSink {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        if event.kind.is_passing() {
            return Ok(());
        }
        self.put(event).map_err(io::Error::other)?;
        let wait_for = match &event.kind {
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
        self.progress.wait_for(wait_for).map_err(io::Error::other)
    }
}

impl Drop for RunSink {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to say.
            let _ = writer.join();
        }
    }
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for(&self, row: u64) -> Result<(), Error> {
        let mut state = self.lock();
        loop {
            if let Some(error) = &state.error {
                return Err(Error::Stopped(error.clone()));
            }
            if state.committed >= row {
                return Ok(());
            }
            if state.ended {
                return Err(Error::Stopped("its writer has ended".to_owned()));
            }
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn advance(&self, rows: u64) {
        self.lock().committed += rows;
        self.moved.notify_all();
    }

    fn end(&self, error: Option<String>) {
        let mut state = self.lock();
        state.error = error;
        state.ended = true;
        drop(state);
        self.moved.notify_all();
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

/// How long the writer sleeps at most; it only bounds the wait for a queue that is not closed.
const NAP: Duration = Duration::from_secs(3600);

fn write(
    mut db: Connection,
    run: i64,
    rows: &Receiver<Row>,
    progress: &Progress,
) -> rusqlite::Result<()> {
    loop {
        let first = match rows.recv_timeout(NAP) {
            Ok(row) => row,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let mut count = 0;
        let batch = db.transaction()?;
        for row in std::iter::once(first).chain(rows.try_iter()).take(BATCH) {
            insert(&batch, run, row)?;
            count += 1;
        }
        batch.commit()?;
        progress.advance(count);
    }
}

fn insert(db: &Connection, run: i64, row: Row) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO events (run, seq, at, kind) VALUES (?1, ?2, ?3, ?4)")?
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
