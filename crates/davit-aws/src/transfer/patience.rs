//! Whether to go on after the client has given up: a server that is away for a moment does not end what is
//! half done. Knows nothing of what is moved.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::Transfer;
use crate::{client::chance, error::Error};

/// What is told the first time that something is tried again: why.
pub type Notice = Arc<dyn Fn(&Error) + Send + Sync>;

/// How often something is tried again. Each wait is twice the one before.
const TIMES: u32 = 3;

/// What is known of the server that a transfer talks to.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// It answered, and nobody has given it up since. One that never did is not waited for.
    alive: AtomicBool,
    /// The notice was given.
    told: AtomicBool,
}

/// How long one thing has been waited for.
pub(super) struct Patience<'a> {
    transfer: &'a Transfer,
    waited: u32,
}

impl Patience<'_> {
    /// Waits before something is tried again. The error, where that makes no sense.
    pub(super) async fn wait(&mut self, error: Error) -> Result<(), Error> {
        let Transfer { line, settings, .. } = self.transfer;
        if !error.passes() || !line.alive.load(Ordering::Relaxed) {
            return Err(error);
        }
        if self.waited == TIMES {
            // What comes next does not wait for the same server once more, until it answers.
            line.alive.store(false, Ordering::Relaxed);
            return Err(error);
        }
        if !line.told.swap(true, Ordering::Relaxed) {
            (settings.notice)(&error);
        }
        drop(error);
        let wait = spread(settings.patience * 2_u32.pow(self.waited), chance());
        self.waited += 1;
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

impl Transfer {
    /// Patience with one thing.
    pub(super) const fn patience(&self) -> Patience<'_> {
        Patience { transfer: self, waited: 0 }
    }

    /// Notes that the server answers.
    pub(super) fn answered(&self) {
        self.line.alive.store(true, Ordering::Relaxed);
    }

    /// Does something, and again where it fails in a way that passes.
    pub(super) async fn patiently<T, F>(&self, work: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut patience = self.patience();
        loop {
            match work().await {
                Ok(done) => {
                    self.answered();
                    return Ok(done);
                }
                Err(error) => patience.wait(error).await?,
            }
        }
    }
}

/// A wait from three to five quarters, so that parts that failed together do not come back together.
fn spread(wait: Duration, chance: f64) -> Duration {
    wait.mul_f64(0.75 + chance.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_spread() {
        let second = Duration::from_secs(1);
        for (chance, millis) in [(0.0, 750), (0.5, 1_000), (1.0, 1_250)] {
            assert_eq!(spread(second, chance), Duration::from_millis(millis));
        }
    }
}
