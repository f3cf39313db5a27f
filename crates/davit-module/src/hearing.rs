//! What programs write while they run, passed on calmly: whole lines, the last few of them, some
//! times a second, and not for programs that are done in no time. All of it is in the result.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use davit_event::Stream;

use crate::Listener;

/// A program that is done by then is not worth it.
const SOON: Duration = Duration::from_millis(400);
/// How often something is passed on at most.
const PAUSE: Duration = Duration::from_millis(200);
/// The most that is passed on at a time; of more, the last lines.
const MOST: usize = 2048;

/// What was heard of one stream and not yet passed on.
struct Heard {
    lines: Vec<u8>,
    told: Instant,
}

impl Heard {
    fn add(&mut self, bytes: &[u8]) {
        self.lines.extend_from_slice(bytes);
        if self.lines.len() > 4 * MOST {
            // Cut at a line's end: half a secret would not be known for one.
            let from = self.lines.len() - MOST;
            let cut = self.lines[from..].iter().position(|it| *it == b'\n');
            self.lines.drain(..cut.map_or(self.lines.len(), |it| from + it + 1));
        }
    }

    /// The whole lines, where it is time for them.
    fn take(&mut self) -> Option<Vec<u8>> {
        if self.told.elapsed() < PAUSE {
            return None;
        }
        let end = self.lines.iter().rposition(|it| *it == b'\n')? + 1;
        self.told = Instant::now();
        let mut lines: Vec<u8> = self.lines.drain(..end).collect();
        if lines.len() > MOST {
            let from = lines.len() - MOST;
            let cut = lines[from..].iter().position(|it| *it == b'\n').unwrap_or(0);
            lines.drain(..=from + cut);
        }
        (!lines.is_empty()).then_some(lines)
    }
}

impl Listener {
    /// One that is told calmly what is written: whole lines, the last few of them, some times a
    /// second, and nothing of programs that are done in no time.
    pub fn calm(tell: impl Fn(Stream, &[u8]) + Send + Sync + 'static) -> Self {
        let began = Instant::now();
        let heard = || Mutex::new(Heard { lines: Vec::new(), told: began });
        let both = [heard(), heard()];
        Self::new(move |stream, bytes| {
            let from = &both[usize::from(stream == Stream::Stderr)];
            from.lock().unwrap_or_else(PoisonError::into_inner).add(bytes);
            if began.elapsed() < SOON {
                return;
            }
            for (stream, heard) in [Stream::Stdout, Stream::Stderr].into_iter().zip(&both) {
                let lines = heard.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(lines) = lines {
                    tell(stream, &lines);
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_are_passed_on_and_the_last_ones() {
        let past = Instant::now().checked_sub(PAUSE * 2).unwrap();
        let mut heard = Heard { lines: Vec::new(), told: past };
        heard.add(b"one\ntw");
        assert_eq!(heard.take().unwrap(), b"one\n");
        heard.told = past;
        assert_eq!(heard.take(), None);
        heard.add(b"o\n");
        assert_eq!(heard.take().unwrap(), b"two\n");
        heard.told = past;
        for number in 0..100_000 {
            heard.add(format!("line {number}\n").as_bytes());
        }
        let lines = String::from_utf8(heard.take().unwrap()).unwrap();
        assert!(lines.starts_with("line ") && lines.ends_with("line 99999\n"));
        assert!(lines.len() <= MOST);
        // A line without an end is not kept for ever.
        heard.add(&vec![b'x'; 1 << 20]);
        assert!(heard.lines.len() <= 4 * MOST);
    }
}
