//! What came on a stream and is not yet taken, and the room that the other side has.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use davit_wire::{Kind, WINDOW, credit};

use crate::out::Out;

/// The receiving end of a stream.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    ready: Condvar,
}

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Vec<u8>>,
    bytes: usize,
    end: Option<Result<(), String>>,
}

impl Inbox {
    /// Takes what came; false where the other side has sent more than there is room for.
    pub(crate) fn put(&self, chunk: Vec<u8>) -> bool {
        let mut state = self.lock();
        state.bytes += chunk.len();
        let fits = state.bytes <= WINDOW;
        state.chunks.push_back(chunk);
        self.ready.notify_all();
        fits
    }

    /// Nothing more will come.
    pub(crate) fn end(&self, how: Result<(), String>) {
        let mut state = self.lock();
        state.end.get_or_insert(how);
        self.ready.notify_all();
    }

    /// The next bytes, waited for; `None` at the end.
    pub(crate) fn take(&self) -> io::Result<Option<Vec<u8>>> {
        let mut state = self.lock();
        loop {
            if let Some(chunk) = state.chunks.pop_front() {
                state.bytes -= chunk.len();
                return Ok(Some(chunk));
            }
            match &state.end {
                Some(Ok(())) => return Ok(None),
                Some(Err(why)) => return Err(io::Error::other(why.clone())),
                None => {
                    state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much may be sent.
#[derive(Debug)]
pub(crate) struct Room {
    left: Mutex<Option<usize>>,
    more: Condvar,
}

impl Default for Room {
    fn default() -> Self {
        Self { left: Mutex::new(Some(WINDOW)), more: Condvar::new() }
    }
}

impl Room {
    /// The other side has taken some.
    pub(crate) fn add(&self, bytes: usize) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = left.as_mut() {
            *left = left.saturating_add(bytes).min(WINDOW);
        }
        self.more.notify_all();
    }

    /// Nobody takes anything any more.
    pub(crate) fn close(&self) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.more.notify_all();
    }

    /// Waits for room, and takes up to `most` of it; `None` where the stream is given up.
    pub(crate) fn take(&self, most: usize) -> Option<usize> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match left.as_mut() {
                None => return None,
                Some(0) => left = self.more.wait(left).unwrap_or_else(PoisonError::into_inner),
                Some(room) => {
                    let taken = most.min(*room);
                    *room -= taken;
                    return Some(taken);
                }
            }
        }
    }
}

/// Reads a stream's inbox, and tells the other side of the room that this makes.
pub(crate) struct Reading {
    pub(crate) out: Arc<Out>,
    pub(crate) number: u32,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) chunk: Vec<u8>,
    pub(crate) at: usize,
    /// Taken and not yet told.
    pub(crate) owed: usize,
    pub(crate) ended: bool,
}

impl Reading {
    pub(crate) fn new(out: Arc<Out>, number: u32, inbox: Arc<Inbox>) -> Self {
        Self { out, number, inbox, chunk: Vec::new(), at: 0, owed: 0, ended: false }
    }

    /// The next bytes as they came.
    pub(crate) fn next_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let chunk = match self.inbox.take() {
            Ok(chunk) => chunk,
            Err(error) => {
                self.ended = true;
                return Err(error);
            }
        };
        let Some(chunk) = chunk else {
            self.ended = true;
            return Ok(None);
        };
        self.owed += chunk.len();
        if self.owed >= WINDOW / 4 {
            self.out.send(Kind::Credit, self.number, &credit(self.owed))?;
            self.owed = 0;
        }
        Ok(Some(chunk))
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() {
            if self.ended {
                return Ok(0);
            }
            match self.next_chunk()? {
                Some(chunk) => (self.chunk, self.at) = (chunk, 0),
                None => return Ok(0),
            }
        }
        let rest = &self.chunk[self.at..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_is_room_for_is_noticed() {
        let inbox = Inbox::default();
        assert!(inbox.put(vec![0; WINDOW]));
        assert!(!inbox.put(vec![0]));
        assert_eq!(inbox.take().unwrap().unwrap().len(), WINDOW);
        inbox.end(Err("gone".into()));
        inbox.end(Ok(()));
        assert_eq!(inbox.take().unwrap().unwrap(), [0]);
        assert!(inbox.take().is_err(), "the first end counts");
    }

    #[test]
    fn room_is_never_more_than_a_window() {
        let room = Room::default();
        room.add(usize::MAX);
        assert_eq!(room.take(usize::MAX), Some(WINDOW));
        room.add(5);
        assert_eq!(room.take(10), Some(5));
        room.close();
        assert_eq!(room.take(1), None);
    }
}
