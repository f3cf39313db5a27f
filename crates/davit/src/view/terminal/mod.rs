//! `terminal`: davit's own view, for a person who watches.
//!
//! ```text
//! PLAY web · 3 hosts                                               site.yml:1
//!   ok       install packages · 3 hosts · 8.1s
//!   changed  write config · changed: web[1-2] · 1 ok
//!   FAILED   web3: restart web                                    site.yml:14
//!            non-zero return code
//!              cmd     systemctl restart web
//!              stderr  Job for web.service failed.
//! ⠹ restart web · 2/3 hosts · 4s                              task 3 · 14s
//!   ✓ web1  ok
//!   ▸ web2  attempt 2 of 4 · 4s
//!   ✗ web3  failed at restart web
//! ```
//!
//! A line is written once a task is through; what runs now stands below, is drawn anew on a terminal
//! and left out in a pipe. Every state is a word or a shape; colours only repeat it. Hosts are named
//! while they are few and counted when they are many; what several of them say is said once.

mod failure;
mod fleet;
mod groups;
mod lines;
mod live;
mod marks;
mod names;
mod stage;
mod state;
mod summary;
mod task;
#[cfg(test)]
mod tests;
mod words;

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use davit_event::{Event, Sink};

use crate::view::{Outputs, Settings};
pub(crate) use live::Size;
pub(crate) use stage::Stage;
use state::State;

/// How often the region of what runs now is drawn anew.
const TICK: Duration = Duration::from_millis(100);

/// The view.
pub(crate) struct Terminal {
    state: Arc<Mutex<State>>,
    ticker: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Terminal {
    pub(crate) fn new(settings: Settings, to: Outputs) -> Self {
        let (live, stage) = (settings.live, settings.stage.clone());
        let state = Arc::new(Mutex::new(State::new(settings, to)));
        if !live {
            return Self { state, ticker: None };
        }
        stage.set(&state);
        let ticker = start(Arc::clone(&state));
        if ticker.is_some() {
            lock(&state).pace();
        }
        Self { state, ticker }
    }
}

/// Draws the region anew. Without a thread it is drawn at events only.
fn start(state: Arc<Mutex<State>>) -> Option<(Sender<()>, JoinHandle<()>)> {
    let (stop, stopped) = channel();
    let thread = std::thread::Builder::new().name("davit-terminal".to_owned()).spawn(move || {
        while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            if lock(&state).tick().is_err() {
                break;
            }
        }
    });
    thread.ok().map(|thread| (stop, thread))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink for Terminal {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        lock(&self.state).accept(event)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.ticker.take() {
            drop(stop);
            // A ticker that panicked has nothing left to draw.
            let _ = thread.join();
        }
        // The run may have ended without its last event: leave no half line behind.
        let _ = lock(&self.state).leave();
    }
}
