//! One request and its answer, as HTTP/1.1 has them on the wire.
//!
//! It does not know where they go, nor what an answer means.

use std::io::{self, BufRead, BufReader, Read};

use super::Failure;
use super::net::{STOPPED, Wire};

/// The longest line, and all lines together, that a server's answer may begin with.
const HEAD: u64 = 256 * 1024;

/// The most lines that a server's answer may begin with.
const LINES: usize = 1000;

/// Names and values, in order. Names are compared without case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers(pub(crate) Vec<(String, String)>);

impl Headers {
    /// The first value of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Every value of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(it, _)| it.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Sets a value in place of those that are there.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.0.push((name.to_owned(), value.into()));
    }

    /// Sets a value where there is none.
    pub(crate) fn set_default(&mut self, name: &str, value: impl Into<String>) {
        if self.get(name).is_none() {
            self.set(name, value);
        }
    }

    /// Takes away every value of that name.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(it, _)| !it.eq_ignore_ascii_case(name));
    }

    /// The lines that say it.
    ///
    /// # Errors
    /// Where a name or a value would end its line.
    pub(super) fn lines(&self) -> Result<Vec<u8>, Failure> {
        let mut out = Vec::new();
        for (name, value) in &self.0 {
            let is_name = |it: char| it.is_ascii_graphic() && it != ':';
            if name.is_empty() || !name.chars().all(is_name) {
                return Err(Failure::Value(format!(
                    "Invalid header name b'{}'",
                    name.escape_debug()
                )));
            }
            if value.contains(['\r', '\n', '\0']) {
                let shown = value.escape_debug();
                return Err(Failure::Value(format!("Invalid header value b'{shown}'")));
            }
            out.extend(name.bytes());
            out.extend(b": ");
            // Each character is a byte, where all of them can be.
            let plain: Option<Vec<u8>> =
                value.chars().map(|it| u8::try_from(u32::from(it)).ok()).collect();
            out.extend(plain.unwrap_or_else(|| value.clone().into_bytes()));
            out.extend(b"\r\n");
        }
        Ok(out)
    }
}

/// How an answer begins.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) reason: String,
    pub(super) headers: Headers,
}

/// Reads the beginning of an answer; what only announces another is skipped.
pub(super) fn read_head(wire: &mut BufReader<Box<dyn Wire>>) -> Result<Head, Failure> {
    for _ in 0..LINES {
        let head = read_one_head(wire)?;
        if !(100..200).contains(&head.status) || head.status == 101 {
            return Ok(head);
        }
    }
    Err(Failure::Connection("the server goes on announcing an answer".to_owned()))
}

fn read_one_head(wire: &mut BufReader<Box<dyn Wire>>) -> Result<Head, Failure> {
    let mut wire = wire.take(HEAD);
    let first = read_line(&mut wire)?;
    if first.is_empty() {
        let why = "Remote end closed connection without response";
        return Err(Failure::Connection(why.to_owned()));
    }
    let strange = || {
        let why = "connection was closed before a valid response was received";
        Failure::Connection(format!("{why}: {first}"))
    };
    let mut words = first.trim_end().splitn(3, ' ');
    if !words.next().is_some_and(|it| it.starts_with("HTTP/")) {
        return Err(strange());
    }
    let status = words.next().and_then(|it| it.parse::<u16>().ok());
    let status = status.filter(|it| (100..1000).contains(it)).ok_or_else(strange)?;
    let reason = words.next().unwrap_or_default().trim().to_owned();
    let mut headers = Headers::default();
    loop {
        let line = read_line(&mut wire)?;
        if wire.limit() == 0 || headers.0.len() > LINES {
            return Err(Failure::Connection("got more than 1000 headers".to_owned()));
        }
        let text = line.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Ok(Head { status, reason, headers });
        }
        if text.starts_with([' ', '\t']) {
            // A value that goes on.
            if let Some((_, value)) = headers.0.last_mut() {
                value.push(' ');
                value.push_str(text.trim());
            }
        } else if let Some((name, value)) = text.split_once(':') {
            headers.0.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
}

/// A line with its end; every byte is a character, as it has always been in HTTP.
fn read_line(wire: &mut impl BufRead) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    wire.read_until(b'\n', &mut bytes).map_err(|err| broken(&err))?;
    Ok(bytes.iter().map(|it| char::from(*it)).collect())
}

/// What is said of a connection that breaks before there is an answer.
pub(super) fn broken(err: &io::Error) -> Failure {
    let text = err.to_string();
    if text == STOPPED {
        return Failure::Stopped;
    }
    match err.kind() {
        io::ErrorKind::TimedOut => Failure::Connection("timed out".to_owned()),
        io::ErrorKind::UnexpectedEof => {
            Failure::Connection("Remote end closed connection without response".to_owned())
        }
        _ => Failure::Connection(super::tls::reason(err).unwrap_or_else(|| {
            if err.raw_os_error().is_some() { davit_module::errno_text(err) } else { text }
        })),
    }
}

/// How the end of a body is known.
enum Extent {
    Nothing,
    /// So many bytes are left.
    Counted(u64),
    /// In pieces, of which so many bytes are left of this one.
    Chunks(u64),
    /// The last piece was read.
    Ended,
    UntilClosed,
}

/// What an answer holds, read as it comes.
pub(super) struct Body {
    wire: BufReader<Box<dyn Wire>>,
    extent: Extent,
    seen: u64,
    first: bool,
}

impl Body {
    /// That of an answer to `method`.
    pub(super) fn of(wire: BufReader<Box<dyn Wire>>, method: &str, head: &Head) -> Self {
        let length = head.headers.get("Content-Length").and_then(|it| it.parse().ok());
        let chunked = head
            .headers
            .get("Transfer-Encoding")
            .is_some_and(|it| it.to_ascii_lowercase().contains("chunked"));
        let empty = method == "HEAD" || matches!(head.status, 204 | 304);
        let extent = match length {
            _ if empty => Extent::Nothing,
            _ if chunked => Extent::Chunks(0),
            Some(length) => Extent::Counted(length),
            None => Extent::UntilClosed,
        };
        Self { wire, extent, seen: 0, first: true }
    }

    /// The size of the next piece; none = that was the last.
    fn next_chunk(&mut self) -> io::Result<u64> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "a piece has no size");
        if !self.first {
            let mut end = Vec::new();
            (&mut self.wire).take(2).read_to_end(&mut end)?;
        }
        self.first = false;
        let mut line = Vec::new();
        (&mut self.wire).take(1024).read_until(b'\n', &mut line)?;
        let text = String::from_utf8_lossy(&line);
        let size = text.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| invalid())?;
        if size == 0 {
            // What follows the last piece says nothing that is used.
            self.extent = Extent::Ended;
        }
        Ok(size)
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let left = match self.extent {
            Extent::Nothing | Extent::Ended | Extent::Counted(0) => return Ok(0),
            Extent::Counted(left) => left,
            Extent::Chunks(0) => match self.next_chunk()? {
                0 => return Ok(0),
                size => size,
            },
            Extent::Chunks(left) => left,
            Extent::UntilClosed => u64::MAX,
        };
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = match self.wire.read(&mut buffer[..most]) {
            // Many servers close an encrypted connection without saying so.
            Err(err) if err.kind() == io::ErrorKind::UnexpectedEof => 0,
            other => other?,
        };
        let count_long = count as u64;
        self.seen = self.seen.saturating_add(count_long);
        match &mut self.extent {
            Extent::UntilClosed => return Ok(count),
            _ if count == 0 => {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    Incomplete { read: self.seen, missing: left },
                ));
            }
            Extent::Counted(it) => *it = left - count_long,
            other => *other = Extent::Chunks(left - count_long),
        }
        Ok(count)
    }
}

/// A body that ended before all of it was there.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("IncompleteRead({read} bytes read, {missing} more expected)")]
pub(crate) struct Incomplete {
    pub(crate) read: u64,
    pub(crate) missing: u64,
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn wire(text: &str) -> BufReader<Box<dyn Wire>> {
        BufReader::new(Box::new(Cursor::new(text.as_bytes().to_vec())))
    }

    fn read(text: &str) -> Result<(Head, io::Result<String>), Failure> {
        let mut wire = wire(text);
        let head = read_head(&mut wire)?;
        let mut out = String::new();
        let body = Body::of(wire, "GET", &head).read_to_string(&mut out);
        Ok((head, body.map(|_| out)))
    }

    #[test]
    fn bodies_end_where_the_head_says() {
        for (text, expect) in [
            ("Content-Length: 3\r\n\r\nabcdef", "abc"),
            ("Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\nxx", "abcde"),
            ("\r\nabc", "abc"),
            ("A: b\n  c\nContent-Length: 0\n\n", ""),
        ] {
            let (head, body) = read(&format!("HTTP/1.1 200 OK\r\n{text}")).unwrap();
            assert_eq!((head.status, head.reason.as_str()), (200, "OK"));
            assert_eq!(body.unwrap(), expect, "{text}");
        }
        let (head, _) =
            read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 404 Not here\r\nA: b\n  c\n\n").unwrap();
        assert_eq!((head.status, head.reason.as_str()), (404, "Not here"));
        assert_eq!(head.headers.get("a"), Some("b c"));
    }

    #[test]
    fn what_is_cut_off_or_no_answer_is_told() {
        for (text, expect) in [
            ("Content-Length: 9\r\n\r\nabc", "IncompleteRead(3 bytes read, 6 more expected)"),
            ("Transfer-Encoding: chunked\r\n\r\nzz\r\n", "a piece has no size"),
            (
                "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
                "IncompleteRead(2 bytes read, 3 more expected)",
            ),
        ] {
            let (_, body) = read(&format!("HTTP/1.1 200 OK\r\n{text}")).unwrap();
            assert_eq!(body.unwrap_err().to_string(), expect, "{text}");
        }
        for text in ["", "junk\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 99999 x\r\n\r\n"] {
            assert!(matches!(read(text), Err(Failure::Connection(_))), "{text}");
        }
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(3000));
        assert!(matches!(read(&many), Err(Failure::Connection(_))));
        let endless = format!("HTTP/1.1 200 {}", "x".repeat(400_000));
        assert!(read(&endless).is_err());
    }

    #[test]
    fn headers_cannot_smuggle_lines() {
        let bad =
            |name: &str, value: &str| Headers(vec![(name.into(), value.into())]).lines().is_err();
        assert!(bad("A", "b\r\nC: d") && bad("A b", "c") && bad("", "c") && bad("A:", "c"));
        assert!(!bad("X-A", "ü, \"b\""));
    }
}
