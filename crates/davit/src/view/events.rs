//! davit's own events as lines of JSON, and the view that shows nothing.

use std::io;

use davit_event::{Event, Sink};

use crate::view::Outputs;

/// One line of JSON for each event: what the run store holds.
pub(crate) struct Events {
    to: Outputs,
}

impl Events {
    pub(crate) fn new(to: Outputs) -> Self {
        Self { to }
    }
}

impl Sink for Events {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_string(event)?;
        line.push('\n');
        self.to.out.write_all(line.as_bytes())?;
        self.to.out.flush()
    }
}

/// Shows nothing.
pub(crate) struct Nothing;

impl Sink for Nothing {
    fn accept(&mut self, _: &Event) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use davit_event::Event;

    use crate::view::{Settings, fixture};

    #[test]
    fn every_event_reads_back_from_its_line() {
        let (out, _) = fixture::show("events", &Settings::default());
        let read: Vec<Event> =
            out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, fixture::run());
    }

    #[test]
    fn null_shows_nothing() {
        assert_eq!(fixture::show("null", &Settings::default()), (String::new(), String::new()));
    }
}
