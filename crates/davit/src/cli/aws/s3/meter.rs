//! What is told while `davit aws s3` copies: how far it is, and why it waits. Copies nothing.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use davit_aws::transfer::Notice;

use super::list;
use crate::report::say;

/// What clears a line of a terminal.
const CLEAR: &str = "\r\x1b[K";

/// Says why nothing goes on for a while.
pub(super) fn notice(quiet: bool) -> Notice {
    Arc::new(move |error| {
        if quiet {
            return;
        }
        let clear = if std::io::stderr().is_terminal() { CLEAR } else { "" };
        let is_busy = error.service().is_some();
        let why = if is_busy { "the service is busy" } else { "the connection was lost" };
        say(&format!("{clear}{why}; trying again"));
    })
}

/// How far it is, in one line that is written over.
pub(super) struct Meter {
    pub(super) done: Arc<AtomicU64>,
    left: AtomicU64,
    total: u64,
    began: Instant,
    shown: bool,
}

impl Meter {
    pub(super) fn new(total: u64, files: usize, shown: bool) -> Self {
        let left = AtomicU64::new(files as u64);
        Self { done: Arc::default(), left, total, began: Instant::now(), shown }
    }

    pub(super) fn finished(&self) {
        self.left.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn show(&self) {
        if !self.shown {
            return;
        }
        let done = self.done.load(Ordering::Relaxed);
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(1).max(1);
        let speed = list::human(done.saturating_mul(1000) / millis);
        let left = self.left.load(Ordering::Relaxed);
        let line = format!(
            "Completed {}/{} ({speed}/s) with {left} file(s) remaining",
            list::human(done),
            list::human(self.total)
        );
        let _ = write!(std::io::stderr(), "\r{line}\x1b[K");
    }

    pub(super) fn clear(&self) {
        if self.shown {
            let _ = std::io::stderr().write_all(CLEAR.as_bytes());
        }
    }
}
