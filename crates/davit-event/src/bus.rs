//! Gives each event its number and time, and hands it to every sink.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{Event, Kind, Mask};

/// A reader of the stream: a terminal, a file of JSON lines, a database, a web socket.
pub trait Sink: Send {
    /// Takes the next event.
    ///
    /// # Errors
    /// Where the sink cannot write. The bus then drops this sink and keeps the others.
    fn accept(&mut self, event: &Event) -> io::Result<()>;
}

/// The one place events enter the stream.
pub struct Bus {
    next: u64,
    clock: fn() -> u64,
    mask: Mask,
    sinks: Vec<Box<dyn Sink>>,
}

impl Bus {
    /// A bus on the system's clock.
    #[must_use]
    pub fn new(sinks: Vec<Box<dyn Sink>>) -> Self {
        Self::with_clock(sinks, now_ms)
    }

    /// A bus on a clock of the caller's: what tests use.
    #[must_use]
    pub fn with_clock(sinks: Vec<Box<dyn Sink>>, clock: fn() -> u64) -> Self {
        Self { next: 0, clock, mask: Mask::default(), sinks }
    }

    /// The secrets that are masked in every event; clone it to add to it.
    #[must_use]
    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Adds a sink that sees the events from now on.
    pub fn attach(&mut self, sink: Box<dyn Sink>) {
        self.sinks.push(sink);
    }

    /// Sends `kind` to every sink, and returns the errors of the sinks it dropped.
    pub fn emit(&mut self, kind: Kind) -> Vec<io::Error> {
        let event = Event { seq: self.next, at_ms: (self.clock)(), kind };
        self.next += u64::from(!event.kind.is_passing());
        let mut errors = Vec::new();
        let event = match self.mask.event(event) {
            Ok(event) => event,
            Err(error) => return vec![io::Error::other(error)],
        };
        self.sinks.retain_mut(|sink| match sink.accept(&event) {
            Ok(()) => true,
            Err(err) => {
                errors.push(err);
                false
            }
        });
        errors
    }
}

fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    struct Keep(mpsc::Sender<Event>);
    struct Full;

    impl Sink for Keep {
        fn accept(&mut self, event: &Event) -> io::Result<()> {
            self.0.send(event.clone()).map_err(io::Error::other)
        }
    }

    impl Sink for Full {
        fn accept(&mut self, _: &Event) -> io::Result<()> {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }
    }

    #[test]
    fn a_broken_sink_does_not_stop_the_others() {
        let (sender, receiver) = mpsc::channel();
        let mut bus = Bus::with_clock(vec![Box::new(Full), Box::new(Keep(sender))], || 7);

        assert_eq!(bus.emit(Kind::NoHostsMatched).len(), 1);
        assert_eq!(bus.emit(Kind::NoHostsMatched).len(), 0);

        let seen: Vec<u64> = receiver.try_iter().map(|event| event.seq).collect();
        assert_eq!(seen, [0, 1]);
    }

    #[test]
    fn what_passes_leaves_no_gap() {
        let (sender, receiver) = mpsc::channel();
        let mut bus = Bus::with_clock(vec![Box::new(Keep(sender))], || 7);
        let host = || "a".to_owned();
        bus.emit(Kind::Connecting { host: host(), address: host() });
        bus.emit(Kind::Connected { host: host(), ms: 1, pushed: false });
        bus.emit(Kind::NoHostsMatched);
        let seen: Vec<u64> = receiver.try_iter().map(|event| event.seq).collect();
        assert_eq!(seen, [0, 0, 1]);
    }
}
