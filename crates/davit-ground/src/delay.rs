//! A line with a long round trip: every packet is held back for a while, in both directions.
//!
//! Kernels without `netem` have no other way. Two `socat`s turn packets of TUN devices into datagrams, and two threads here
//! pass them on when they are due. A line may be cut, too: then nothing is passed on.

use std::{
    collections::VecDeque,
    fs,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use crate::Outcome;

/// Larger than any packet of the devices.
const PACKET: usize = 65_536;
/// So many packets are under way at most; what comes on top is lost, as on any full line.
const UNDER_WAY: usize = 4096;

/// Two ends, joined for as long as this lives.
#[derive(Debug)]
pub(crate) struct Line {
    cut: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
}

impl Line {
    /// Joins the two sockets that `socat` binds at `ends`, from the sockets beside them ending in `.line`.
    pub(crate) fn join(ends: [&Path; 2], delay: Duration) -> Outcome<Self> {
        let line = Self { cut: Arc::default(), ended: Arc::default() };
        let near = open(ends[0])?;
        let far = open(ends[1])?;
        line.pass(&near, &far, ends[1], delay)?;
        line.pass(&far, &near, ends[0], delay)?;
        Ok(line)
    }

    pub(crate) fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::Relaxed);
    }

    fn pass(
        &self,
        from: &UnixDatagram,
        over: &UnixDatagram,
        to: &Path,
        delay: Duration,
    ) -> Outcome<()> {
        let said = |error: std::io::Error| error.to_string();
        let (from, over) = (from.try_clone().map_err(said)?, over.try_clone().map_err(said)?);
        let to = to.to_owned();
        let (cut, ended) = (Arc::clone(&self.cut), Arc::clone(&self.ended));
        let (sender, receiver) = mpsc::sync_channel::<(Instant, Vec<u8>)>(UNDER_WAY);
        thread::spawn(move || {
            let mut buffer = vec![0; PACKET];
            while !ended.load(Ordering::Relaxed) {
                let Ok(size) = from.recv(&mut buffer) else { continue };
                if !cut.load(Ordering::Relaxed) {
                    let _ = sender.try_send((Instant::now() + delay, buffer[..size].to_vec()));
                }
            }
        });
        thread::spawn(move || {
            let mut waiting = VecDeque::new();
            while let Ok(next) = receiver.recv() {
                waiting.push_back(next);
                waiting.extend(receiver.try_iter());
                while let Some((due, packet)) = waiting.pop_front() {
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    let _ = over.send_to(&packet, &to);
                }
            }
        });
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// The address that the socat at `end` sends to.
pub(crate) fn beside(end: &Path) -> PathBuf {
    end.with_extension("line")
}

fn open(end: &Path) -> Outcome<UnixDatagram> {
    let path = beside(end);
    let _ = fs::remove_file(&path);
    let socket = UnixDatagram::bind(&path).and_then(|socket| {
        socket.set_read_timeout(Some(Duration::from_millis(200))).map(|()| socket)
    });
    socket.map_err(|error| format!("{}: {error}", path.display()))
}
