//! What goes to the controller: whole frames, one after another, from any thread.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

use davit_wire::{Json, Kind, encode_each};

/// The way to the controller. A slow one makes whoever sends wait.
#[derive(Debug)]
pub(crate) struct Out(Mutex<File>);

impl Out {
    /// By this process's standard output, which nothing else writes to.
    pub(crate) fn stdout() -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self(Mutex::new(file)))
    }

    /// Sends a message; frames of others may come between those of a long one.
    pub(crate) fn send(&self, kind: Kind, number: u32, body: &[u8]) -> io::Result<()> {
        encode_each(kind, number, body, |frame| {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(frame)
        })
    }

    /// Sends a message that is JSON.
    pub(crate) fn send_json<T: Json>(&self, number: u32, message: &T) -> io::Result<()> {
        self.send(T::KIND, number, &serde_json::to_vec(message)?)
    }
}
