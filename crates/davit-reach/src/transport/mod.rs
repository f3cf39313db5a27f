//! Ways to start a shell on a host: ssh, a container's engine, this machine.
//!
//! A transport knows nothing of the agent: it starts a command line and hands over its pipes.

pub(crate) mod container;
mod explain;
pub(crate) mod local;
mod process;
pub(crate) mod ssh;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use davit_run::Unreachable;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// Something under way.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A program that runs, here or at the other end of something, and the pipes to it.
pub(crate) struct Pipes {
    /// Its input.
    pub(crate) stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its output.
    pub(crate) stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// What it writes to its error output and, where it has one, to its terminal. Bounded: what
    /// nobody takes is dropped.
    pub(crate) stderr: mpsc::Receiver<Vec<u8>>,
    /// What is typed at its terminal, where it has one.
    pub(crate) terminal: Option<mpsc::Sender<Vec<u8>>>,
    /// Its exit status, once it has ended; `None` where that is not known.
    pub(crate) ended: Boxed<'static, Option<i32>>,
    /// Dropped, the program is ended.
    pub(crate) guard: Box<dyn Any + Send + Sync>,
}

/// A way to start a shell on a host.
pub(crate) trait Transport: Send + Sync {
    /// Where to, for people: `deploy@10.0.0.7:2222`, `docker:web1`.
    fn address(&self) -> String;

    /// Starts a command line there, in the shell of the user who is logged in.
    fn start<'a>(&'a self, line: &'a str) -> Boxed<'a, Result<Pipes, Unreachable>>;

    /// What to say of a start that ended before it came to anything: its exit status, and what it
    /// wrote to its error output.
    fn explain(&self, code: Option<i32>, said: &str) -> Unreachable;

    /// Whether what was said before an exit status of 255 means that the transport itself failed.
    fn is_failure(&self, said: &str) -> bool;

    /// How long to wait for the shell.
    fn patience(&self) -> Duration;

    /// How often to try again where the connection itself fails.
    fn retries(&self) -> u32;

    /// True while whoever is at the terminal is asked for a password or the like: that time does
    /// not count as waiting for the host.
    fn is_asking(&self) -> bool {
        false
    }
}
