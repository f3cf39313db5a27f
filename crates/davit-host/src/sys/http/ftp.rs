//! Files from an FTP server, in passive mode.
//!
//! It does not write, list or resume.

use std::io::{BufRead, BufReader, Read, Write};

use super::message::broken;
use super::net::{Patience, Stream};
use super::url::{Url, decode};
use super::{Answer, Cookies, Failure, Headers, Login};

/// The longest line of a server.
const LINE: u64 = 8 * 1024;

/// The most lines of one reply.
const LINES: usize = 1000;

/// Fetches the file at `url`.
///
/// # Errors
/// Where the server does not give it.
pub(super) fn fetch(
    url: &Url,
    login: Option<&Login>,
    patience: &Patience,
) -> Result<Answer, Failure> {
    let mut control =
        Control { wire: BufReader::new(Stream::tcp(&url.host, url.port(), patience)?) };
    control.expect(&[220])?;
    let (name, password) = match login {
        Some(login) => (login.name.as_str(), login.password.as_str()),
        None => ("anonymous", "anonymous@"),
    };
    if control.ask(&format!("USER {name}"), &[230, 331])?.0 == 331 {
        control.ask(&format!("PASS {password}"), &[202, 230])?;
    }
    control.ask("TYPE I", &[200])?;
    let path = decode(url.path.split([';', '?']).next().unwrap_or_default());
    let path = path.strip_prefix('/').unwrap_or(&path);
    let size = control
        .ask(&format!("SIZE {path}"), &[213])
        .ok()
        .and_then(|(_, text)| text.trim().parse::<u64>().ok());
    // The address that a server tells for itself is often one that only it can reach.
    let port = match control.ask("EPSV", &[229]) {
        Ok((_, text)) => extended_port(&text),
        Err(Failure::Stopped) => return Err(Failure::Stopped),
        Err(_) => passive_port(&control.ask("PASV", &[227])?.1),
    };
    let port = port.ok_or_else(|| refused("the server does not say where to fetch it"))?;
    let data = Stream::tcp(&url.host, port, patience)?;
    control.ask(&format!("RETR {path}"), &[125, 150])?;
    let mut headers = Headers::default();
    if let Some(size) = size {
        headers.set("Content-Length", size.to_string());
    }
    Ok(Answer {
        status: None,
        reason: String::new(),
        headers,
        url: url.clone(),
        body: Box::new(Transfer { data, control, left: size }),
        cookies: Cookies::default(),
    })
}

fn refused(why: &str) -> Failure {
    Failure::Request(format!("ftp error: {why}"))
}

/// The port in `229 Entering Extended Passive Mode (|||6446|)`.
fn extended_port(text: &str) -> Option<u16> {
    text.split('|').nth(3)?.parse().ok()
}

/// The port in `227 Entering Passive Mode (h1,h2,h3,h4,p1,p2)`.
fn passive_port(text: &str) -> Option<u16> {
    let inner = text.split_once('(').map_or(text, |it| it.1).split(')').next()?;
    let mut numbers = inner.split(',').map(|it| it.trim().parse::<u8>().ok());
    let high = numbers.nth(4)??;
    let low = numbers.next()??;
    Some(u16::from_be_bytes([high, low]))
}

/// The connection over which both talk.
struct Control {
    wire: BufReader<Stream>,
}

impl Control {
    /// Says something and waits for one of these replies.
    fn ask(&mut self, line: &str, codes: &[u16]) -> Result<(u16, String), Failure> {
        if line.contains(['\r', '\n']) {
            return Err(Failure::Value("an illegal newline character".to_owned()));
        }
        let text = format!("{line}\r\n");
        self.wire.get_mut().write_all(text.as_bytes()).map_err(|err| broken(&err))?;
        self.expect(codes)
    }

    /// A reply: its number, and the text of its last line.
    fn expect(&mut self, codes: &[u16]) -> Result<(u16, String), Failure> {
        for _ in 0..LINES {
            let mut bytes = Vec::new();
            let mut wire = (&mut self.wire).take(LINE);
            wire.read_until(b'\n', &mut bytes).map_err(|err| broken(&err))?;
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            if bytes.is_empty() {
                return Err(refused("the server closed the connection"));
            }
            let code = line.get(..3).and_then(|it| it.parse::<u16>().ok());
            // Other lines are the middle of a longer reply.
            if let (Some(code), None | Some(" ")) = (code, line.get(3..4)) {
                if codes.contains(&code) {
                    return Ok((code, line.get(4..).unwrap_or_default().to_owned()));
                }
                return Err(refused(&line));
            }
        }
        Err(refused("the server talks without end"))
    }
}

/// A file as it comes.
struct Transfer {
    data: Stream,
    control: Control,
    left: Option<u64>,
}

impl Read for Transfer {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.data.read(buffer)?;
        self.left = self.left.map(|it| it.saturating_sub(count as u64));
        if count == 0 && !buffer.is_empty() && self.left.is_none_or(|it| it > 0) {
            // A file without a known size, or one that seems cut off: the server says which.
            let done = self.control.expect(&[226, 250]);
            done.map_err(|failure| std::io::Error::other(failure.to_string()))?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    use davit_module::Cancel;

    use super::*;

    #[test]
    fn ports_are_found_in_replies() {
        assert_eq!(extended_port("Entering Extended Passive Mode (|||6446|)"), Some(6446));
        assert_eq!(passive_port("Entering Passive Mode (1,2,3,4,25,46)."), Some(6446));
        assert_eq!(passive_port("Entering (1,2)"), None);
        assert_eq!(extended_port("x"), None);
    }

    #[test]
    fn a_file_is_fetched() {
        let control = TcpListener::bind("127.0.0.1:0").unwrap();
        let data = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, data_port) =
            (control.local_addr().unwrap().port(), data.local_addr().unwrap().port());
        let server = thread::spawn(move || {
            let (stream, _) = control.accept().unwrap();
            let mut said = Vec::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut writer = stream;
            writer.write_all(b"220-Hello\r\n220 Ready\r\n").unwrap();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap() == 0 {
                    return said;
                }
                let word = line.split_whitespace().next().unwrap().to_owned();
                let reply = match word.as_str() {
                    "USER" => "331 Who?".to_owned(),
                    "PASS" => "230 In".to_owned(),
                    "TYPE" => "200 Binary".to_owned(),
                    "EPSV" => format!("229 Entering Extended Passive Mode (|||{data_port}|)"),
                    "RETR" => "150 Here it comes".to_owned(),
                    _ => "550 No".to_owned(),
                };
                said.push(line.trim_end().to_owned());
                writer.write_all(format!("{reply}\r\n").as_bytes()).unwrap();
                if word == "RETR" {
                    data.accept().unwrap().0.write_all(b"content").unwrap();
                    writer.write_all(b"226 Done\r\n").unwrap();
                }
            }
        });
        let url = Url::parse(&format!("ftp://127.0.0.1:{port}/pub/a%20b")).unwrap();
        let patience = Patience { timeout: Duration::from_secs(60), cancel: Cancel::default() };
        let mut answer = fetch(&url, None, &patience).unwrap();
        let mut text = String::new();
        answer.body.read_to_string(&mut text).unwrap();
        assert_eq!(text, "content");
        drop(answer);
        let said = server.join().unwrap();
        assert_eq!(said.last().map(String::as_str), Some("RETR pub/a b"));
        assert!(said.contains(&"USER anonymous".to_owned()));
    }
}
