//! This machine, for tasks that run on it as another user. Knows nothing of how one becomes that.

use std::time::Duration;

use davit_run::Unreachable;
use tokio::process::Command;

use crate::transport::{Boxed, Pipes, Transport, process};

/// A shell of this machine.
pub(crate) struct Local {
    /// How long to wait for it.
    pub(crate) patience: Duration,
}

impl Transport for Local {
    fn address(&self) -> String {
        "local".into()
    }

    fn start<'a>(&'a self, line: &'a str) -> Boxed<'a, Result<Pipes, Unreachable>> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(line);
        let started = process::spawn(command)
            .map(|(pipes, _)| pipes)
            .map_err(|error| process::not_started("/bin/sh", &error, "a shell"));
        Box::pin(std::future::ready(started))
    }

    fn explain(&self, code: Option<i32>, said: &str) -> Unreachable {
        let said = said.trim();
        let how = code.map_or_else(|| "ended".to_owned(), |code| format!("ended with {code}"));
        Unreachable::new(if said.is_empty() {
            format!("the shell of this machine {how}")
        } else {
            format!("the shell of this machine {how}: {said}")
        })
    }

    fn is_failure(&self, _said: &str) -> bool {
        // Nothing lies between: what ends with 255 here is the command itself.
        false
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    fn retries(&self) -> u32 {
        0
    }
}
