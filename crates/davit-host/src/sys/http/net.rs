//! Sockets that wait no longer than they are told, and stop when the call does.
//!
//! It does not know what is said over them.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use davit_module::names::addresses;
use davit_module::{Cancel, errno_text};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Failure;

/// How often a wait looks whether the call is to stop.
const TICK: Duration = Duration::from_millis(100);

/// The most that is written at once, so that a slow reader cannot hold the call.
const PIECE: usize = 16 * 1024;

/// Anything that one can talk over.
pub(super) trait Wire: Read + Write {}

impl<T: Read + Write> Wire for T {}

/// How long is waited, and who may end the wait.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    pub(super) timeout: Duration,
    pub(super) cancel: Cancel,
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A socket with a limit on each wait.
pub(super) struct Stream {
    socket: Socket,
    patience: Patience,
}

impl Stream {
    /// Connects to a port.
    ///
    /// # Errors
    /// Where nobody answers there in time.
    pub(super) fn tcp(host: &str, port: u16, patience: &Patience) -> Result<Self, Failure> {
        if patience.timeout.is_zero() {
            let source = io::Error::from(Errno::EINPROGRESS);
            return Err(Failure::Request(errno_text(&source)));
        }
        let (sender, receiver) = channel();
        let (name, timeout) = (host.to_owned(), patience.timeout);
        // Looking a name up cannot be interrupted: it gets a thread that may be left behind.
        let begun = thread::Builder::new().spawn(move || {
            let _ = sender.send(connect(&name, port, timeout));
        });
        begun.map_err(|err| Failure::Request(err.to_string()))?;
        let socket = loop {
            match receiver.recv_timeout(TICK) {
                Ok(found) => break found?,
                Err(RecvTimeoutError::Timeout) if patience.cancel.is_cancelled() => {
                    return Err(Failure::Stopped);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::Request("the connection was given up".to_owned()));
                }
            }
        };
        Self::of(Socket::Tcp(socket), patience)
    }

    /// Connects to a socket of the file system.
    ///
    /// # Errors
    /// Where nobody listens there.
    pub(super) fn unix(path: &Path, patience: &Patience) -> Result<Self, Failure> {
        let socket = UnixStream::connect(path).map_err(|err| {
            let why = errno_text(&err);
            Failure::Request(format!("Invalid Socket File ({}): {why}", path.display()))
        })?;
        Self::of(Socket::Unix(socket), patience)
    }

    fn of(socket: Socket, patience: &Patience) -> Result<Self, Failure> {
        let set = match &socket {
            Socket::Tcp(it) => it.set_nonblocking(true),
            Socket::Unix(it) => it.set_nonblocking(true),
        };
        set.map_err(|err| Failure::Request(errno_text(&err)))?;
        Ok(Self { socket, patience: patience.clone() })
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Tcp(it) => it.as_fd(),
            Socket::Unix(it) => it.as_fd(),
        }
    }

    /// Waits until the socket can be read from or written to.
    fn wait(&self, flag: PollFlags) -> io::Result<()> {
        let end = Instant::now() + self.patience.timeout;
        loop {
            if self.patience.cancel.is_cancelled() {
                return Err(io::Error::other(STOPPED));
            }
            let left = end.saturating_duration_since(Instant::now());
            let tick = u16::try_from(left.min(TICK).as_millis()).unwrap_or(1).max(1);
            let mut fds = [PollFd::new(self.fd(), flag)];
            match poll(&mut fds, PollTimeout::from(tick)) {
                Ok(0) if left.is_zero() => return Err(timed_out()),
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return Ok(()),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn patiently(
        &mut self,
        flag: PollFlags,
        mut act: impl FnMut(&mut Socket) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            match act(&mut self.socket) {
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => self.wait(flag)?,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

/// What a stopped wait says of itself.
pub(super) const STOPPED: &str = "the call was stopped";

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "timed out")
}

/// Tries each address of a name in turn.
fn connect(host: &str, port: u16, timeout: Duration) -> Result<TcpStream, Failure> {
    let mut last = None;
    for address in addresses(host, port) {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                // It only makes small messages slower where it fails.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(err) => last = Some(err),
        }
    }
    Err(Failure::Request(match last {
        Some(err) if err.kind() == io::ErrorKind::TimedOut => "timed out".to_owned(),
        Some(err) => errno_text(&err),
        None => "[Errno -2] Name or service not known".to_owned(),
    }))
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.patiently(PollFlags::POLLIN, |socket| match socket {
            Socket::Tcp(it) => it.read(buffer),
            Socket::Unix(it) => it.read(buffer),
        })
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(PIECE)];
        self.patiently(PollFlags::POLLOUT, |socket| match socket {
            Socket::Tcp(it) => it.write(piece),
            Socket::Unix(it) => it.write(piece),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_wait_has_an_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let patience =
            |millis| Patience { timeout: Duration::from_millis(millis), cancel: Cancel::default() };
        let mut stream = Stream::tcp("127.0.0.1", port, &patience(50)).unwrap();
        let err = stream.read(&mut [0; 10]).unwrap_err();
        assert_eq!(err.kind(), io::ErrorKind::TimedOut);

        let long = patience(600_000);
        let mut stream = Stream::tcp("127.0.0.1", port, &long).unwrap();
        let cancel = long.cancel.clone();
        let stopper = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            cancel.cancel();
        });
        assert_eq!(stream.read(&mut [0; 10]).unwrap_err().to_string(), STOPPED);
        stopper.join().unwrap();
        assert!(matches!(Stream::tcp("127.0.0.1", port, &patience(0)), Err(Failure::Request(_))));
    }
}
