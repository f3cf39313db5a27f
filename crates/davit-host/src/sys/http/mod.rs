//! A small client for HTTP, with FTP and files beside it: for modules that fetch and send.
//!
//! ```text
//! mod.rs    one exchange after another: logins, redirects    args.rs   what users say about it
//! net.rs    sockets with limits                              tls.rs    encryption, ciphers.rs
//! message.rs one request, one answer                         ftp.rs    the other protocol
//! url.rs, target.rs, proxy.rs, auth.rs, cookies.rs            local.rs  files of the host
//! download.rs  answers that are to be files                   form.rs   bodies, gzip.rs
//! ```
//!
//! It is a client of its own because results tell what the server itself said, such as the reason
//! beside a status, which sockets and proxies are used is said call by call, and each wait can be
//! stopped. What is sent is never kept in memory where it comes from a file; what comes is read as
//! it comes.
//!
//! It does not know modules or results.

mod args;
mod auth;
mod ciphers;
pub(crate) mod content;
mod cookies;
pub(crate) mod download;
pub(crate) mod form;
mod ftp;
mod gzip;
mod local;
mod message;
mod net;
mod proxy;
mod target;
mod tls;
pub(crate) mod url;

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use davit_module::{Attachment, Cancel, errno_text};

pub(crate) use self::args::{Own, UrlArgs};
pub(crate) use self::auth::Login;
pub(crate) use self::cookies::Cookies;
use self::gzip::Unpacked;
use self::message::{Body, broken, read_head};
pub(crate) use self::message::{Headers, Incomplete};
use self::net::{Patience, Stream, Wire};
use self::target::{check_target, printable};
pub(crate) use self::tls::Trust;
pub(crate) use self::url::Url;

/// How often an address may come up, and how many there may be, before it is a loop.
const REPEATS: usize = 4;
const REDIRECTS: usize = 10;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Value(String),
    /// Nobody could be reached.
    #[error("Request failed: <urlopen error {0}>")]
    Request(String),
    /// The connection broke.
    #[error("Connection failure: {0}")]
    Connection(String),
    /// Something else.
    #[error("An unknown error occurred: {0}")]
    Unknown(String),
    /// The call is to stop.
    #[error("stopped before it was done")]
    Stopped,
}

/// Which redirects are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Follow {
    All,
    None,
    /// Those of requests that change nothing.
    Safe,
    /// As Python's own library follows them.
    #[default]
    Usual,
}

/// How a client behaves, whatever it asks for.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// How long a server may be silent, in seconds.
    pub(crate) timeout: i64,
    pub(crate) follow: Follow,
    pub(crate) login: Option<Login>,
    /// Send the login before anybody asks for it.
    pub(crate) login_first: bool,
    pub(crate) use_netrc: bool,
    pub(crate) use_proxy: bool,
    pub(crate) unix_socket: Option<PathBuf>,
    pub(crate) decompress: bool,
    /// Names of headers that stay with the first server.
    pub(crate) unredirected: Vec<String>,
    pub(crate) trust: Trust,
}

/// What is sent with a request. It may be sent more than once.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Bytes(Arc<[u8]>),
    File(PathBuf),
    Sent(Attachment),
}

impl Payload {
    fn open(&self) -> io::Result<(u64, Box<dyn Read>)> {
        let file = |path: &PathBuf| -> io::Result<(u64, Box<dyn Read>)> {
            let file = File::open(path)?;
            Ok((file.metadata()?.len(), Box::new(file)))
        };
        match self {
            Self::Bytes(bytes) => {
                Ok((bytes.len() as u64, Box::new(io::Cursor::new(bytes.clone()))))
            }
            Self::File(path) | Self::Sent(Attachment::Path(path)) => file(path),
            Self::Sent(Attachment::Bytes(bytes)) => Self::Bytes(bytes.clone()).open(),
            Self::Sent(Attachment::Sent(sent)) => Ok((sent.size(), sent.open()?)),
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Headers,
    pub(crate) payload: Option<Payload>,
}

/// What the server says.
pub(crate) struct Answer {
    /// `None` for what has none: files and FTP.
    pub(crate) status: Option<u16>,
    pub(crate) reason: String,
    pub(crate) headers: Headers,
    /// Where it came from in the end.
    pub(crate) url: Url,
    pub(crate) body: Box<dyn Read>,
    pub(crate) cookies: Cookies,
}

impl Answer {
    /// Whether the server did what was asked for.
    pub(crate) fn is_success(&self) -> bool {
        self.status.is_none_or(|it| (200..300).contains(&it))
    }

    /// The answer in a few words.
    pub(crate) fn message(&self) -> String {
        match self.status {
            Some(status) if !self.is_success() => format!("HTTP Error {status}: {}", self.reason),
            _ => {
                format!("OK ({} bytes)", self.headers.get("Content-Length").unwrap_or("unknown"))
            }
        }
    }
}

/// The variables of the environment.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A client: what it is told about all requests.
pub(crate) struct Client<'a> {
    options: Options,
    env: Environment<'a>,
    patience: Patience,
}

impl<'a> Client<'a> {
    pub(crate) fn new(options: Options, env: Environment<'a>, cancel: &Cancel) -> Self {
        // A week is as good as for ever, and no clock overflows.
        let seconds = u64::try_from(options.timeout).unwrap_or(0).min(7 * 24 * 3600);
        let patience = Patience { timeout: Duration::from_secs(seconds), cancel: cancel.clone() };
        Self { options, env, patience }
    }

    /// Asks, and follows where the answer leads.
    ///
    /// # Errors
    /// Where there is no answer. One that says no is an answer too.
    pub(crate) fn fetch(&self, request: &Request) -> Result<Answer, Failure> {
        if self.options.timeout < 0 {
            return Err(Failure::Value("Timeout value out of range".to_owned()));
        }
        let mut request = request.clone();
        let mut cookies = Cookies::default();
        let first = Url::parse(&request.url)?;
        let mut seen: Vec<String> = Vec::new();
        loop {
            let url = Url::parse(&request.url)?;
            let mut answer = self.ask(&request, &url, &first, &cookies)?;
            cookies.take(&answer.url, &answer.headers);
            answer.cookies = cookies.clone();
            let Some(status) = answer.status.filter(|it| matches!(it, 301 | 302 | 303 | 307 | 308))
            else {
                return Ok(self.decompressed(answer));
            };
            let Some(location) = answer.headers.get("Location").map(str::to_owned) else {
                return Ok(self.decompressed(answer));
            };
            let Some(method) = self.options.follow.method(&request.method, status) else {
                return Ok(self.decompressed(answer));
            };
            let next = url.join(&printable(&location));
            let target = Url::parse(&next)?;
            if !matches!(target.scheme.as_str(), "http" | "https" | "ftp") {
                answer.reason =
                    format!("{} - Redirection to url '{next}' is not allowed", answer.reason);
                return Ok(self.decompressed(answer));
            }
            let again = seen.iter().filter(|it| **it == next).count();
            let mut different = seen.clone();
            different.sort();
            different.dedup();
            if again >= REPEATS || different.len() >= REDIRECTS {
                answer.reason = format!(
                    "The HTTP server returned a redirect error that would lead to an infinite \
                     loop.\nThe last 30x error message was:\n{}",
                    answer.reason
                );
                return Ok(self.decompressed(answer));
            }
            seen.push(next.clone());
            request.method = method;
            request.url = next;
            if !matches!(status, 307 | 308) {
                request.payload = None;
                for name in ["Content-Type", "Content-Length", "Transfer-Encoding"] {
                    request.headers.remove(name);
                }
            }
            self.options.unredirected.iter().for_each(|it| request.headers.remove(it));
        }
    }

    /// One request, and one more where the server wants to know who asks.
    fn ask(
        &self,
        request: &Request,
        url: &Url,
        first: &Url,
        cookies: &Cookies,
    ) -> Result<Answer, Failure> {
        match url.scheme.as_str() {
            "http" | "https" => {}
            "ftp" => return ftp::fetch(url, self.login(url, first).as_ref(), &self.patience),
            "file" => return local::fetch(url),
            other => return Err(Failure::Request(format!("unknown url type: {other}"))),
        }
        if url.host.is_empty() {
            return Err(Failure::Request("no host given".to_owned()));
        }
        check_target(&request.method, &url.path)?;
        let mut headers = request.headers.clone();
        if let Some(text) = cookies.header(url) {
            headers.set_default("Cookie", text);
        }
        let login = self.login(url, first);
        let kept =
            login.is_none() && self.options.use_netrc && headers.get("Authorization").is_none();
        let kept = if kept { auth::kept(&url.host, self.env) } else { None };
        if let Some(kept) = &kept {
            headers.set("Authorization", kept.basic());
        }
        if let Some(login) = login.as_ref().filter(|_| self.options.login_first) {
            headers.set("Authorization", login.basic());
        }
        let answer = self.exchange(request, url, &headers)?;
        let (Some(401), Some(login)) = (answer.status, login) else { return Ok(answer) };
        let challenges: Vec<&str> = answer.headers.all("WWW-Authenticate").collect();
        let kind = |name: &str| {
            let is = |it: &&&str| it.trim_start().to_ascii_lowercase().starts_with(name);
            challenges.iter().find(is).copied()
        };
        if let Some(challenge) = kind("digest") {
            let text = auth::digest(challenge, &login, &request.method, &url.path)?;
            headers.set("Authorization", text);
            let mut answer = self.exchange(request, url, &headers)?;
            if answer.status == Some(401) {
                "digest auth failed".clone_into(&mut answer.reason);
            }
            return Ok(answer);
        }
        if kind("basic").is_none() || headers.get("Authorization").is_some() {
            return Ok(answer);
        }
        headers.set("Authorization", login.basic());
        self.exchange(request, url, &headers)
    }

    /// The login for a server. That of the first one is not told to another.
    fn login(&self, url: &Url, first: &Url) -> Option<Login> {
        if let Some((name, password)) = &url.user {
            return Some(Login { name: name.clone(), password: password.clone() });
        }
        if !url.same_server(first) {
            return None;
        }
        let own = first.user.clone().map(|(name, password)| Login { name, password });
        own.or_else(|| self.options.login.clone())
    }

    fn exchange(&self, request: &Request, url: &Url, headers: &Headers) -> Result<Answer, Failure> {
        let (mut wire, target, proxy) = self.connect(url)?;
        let mut all = Headers::default();
        all.set("Accept-Encoding", "identity");
        all.set("Host", url.place());
        if let Some(login) = proxy {
            all.set("Proxy-Authorization", login.basic());
        }
        for (name, value) in &headers.0 {
            all.set(name, value.as_str());
        }
        all.set("Connection", "close");
        let payload = request.payload.as_ref().map(Payload::open).transpose();
        let payload = payload.map_err(|err| Failure::Unknown(errno_text(&err)))?;
        all.remove("Transfer-Encoding");
        match &payload {
            Some((length, _)) => all.set("Content-Length", length.to_string()),
            None if matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") => {
                all.set("Content-Length", "0");
            }
            None => all.remove("Content-Length"),
        }
        let mut head = format!("{} {target} HTTP/1.1\r\n", request.method).into_bytes();
        head.extend(all.lines()?);
        head.extend(b"\r\n");
        let sent = wire.write_all(&head).and_then(|()| {
            if let Some((length, body)) = payload {
                io::copy(&mut body.take(length), &mut wire)?;
            }
            wire.flush()
        });
        if let Err(err) = &sent
            && !matches!(err.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
        {
            return Err(broken(err));
        }
        let mut wire = BufReader::new(wire);
        // A server that closes in the middle of a request may have said why.
        let mut head = read_head(&mut wire).map_err(|failure| match &sent {
            Err(err) => broken(err),
            Ok(()) => failure,
        })?;
        if let Some(location) = head.headers.get("Location").map(|it| url.join(&printable(it))) {
            head.headers.set("Location", location);
        }
        let body = Body::of(wire, &request.method, &head);
        Ok(Answer {
            status: Some(head.status),
            reason: head.reason,
            headers: head.headers,
            url: url.clone(),
            body: Box::new(body),
            cookies: Cookies::default(),
        })
    }

    fn connect(&self, url: &Url) -> Result<Connected, Failure> {
        let secure = url.scheme == "https";
        let finish = |stream: Stream| -> Result<Box<dyn Wire>, Failure> {
            if secure {
                let config = self.options.trust.config()?;
                Ok(Box::new(tls::wrap(stream, &url.host, &config)?))
            } else {
                Ok(Box::new(stream))
            }
        };
        if let Some(path) = &self.options.unix_socket {
            let stream = Stream::unix(path, &self.patience)?;
            return Ok((finish(stream)?, url.path.clone(), None));
        }
        let proxy = if self.options.use_proxy { proxy::choose(url, self.env)? } else { None };
        let Some(proxy) = proxy else {
            let stream = Stream::tcp(&url.host, url.port(), &self.patience)?;
            return Ok((finish(stream)?, url.path.clone(), None));
        };
        let login = proxy.user.clone().map(|(name, password)| Login { name, password });
        let mut stream = Stream::tcp(&proxy.host, proxy.port(), &self.patience)?;
        if !secure {
            let target = format!("{}://{}{}", url.scheme, url.place(), url.path);
            return Ok((Box::new(stream), target, login));
        }
        tunnel(&mut stream, url, login.as_ref())?;
        Ok((finish(stream)?, url.path.clone(), None))
    }

    fn decompressed(&self, mut answer: Answer) -> Answer {
        let packed = answer.headers.get("Content-Encoding").is_some_and(|it| it == "gzip");
        if self.options.decompress && packed {
            answer.body = Box::new(Unpacked::of(answer.body));
        }
        answer
    }
}

impl Follow {
    /// The method with which a redirect is followed; `None` = it is not.
    fn method(self, method: &str, status: u16) -> Option<String> {
        let safe = matches!(method, "GET" | "HEAD");
        match self {
            Self::None => None,
            Self::Safe => safe.then(|| method.to_owned()),
            Self::Usual if safe => Some(method.to_owned()),
            Self::Usual => {
                (method == "POST" && matches!(status, 301..=303)).then(|| "GET".to_owned())
            }
            Self::All => Some(match status {
                302 | 303 if method != "HEAD" => "GET".to_owned(),
                301 if method == "POST" => "GET".to_owned(),
                _ => method.to_owned(),
            }),
        }
    }
}

/// A connection to the server, what the request asks it for, and who we are to a proxy.
type Connected = (Box<dyn Wire>, String, Option<Login>);

/// Asks a proxy for a way through to the server.
fn tunnel(stream: &mut Stream, url: &Url, login: Option<&Login>) -> Result<(), Failure> {
    let host = if url.host.contains(':') { format!("[{}]", url.host) } else { url.host.clone() };
    let place = format!("{host}:{}", url.port());
    let mut headers = Headers::default();
    headers.set("Host", place.as_str());
    if let Some(login) = login {
        headers.set("Proxy-Authorization", login.basic());
    }
    let mut head = format!("CONNECT {place} HTTP/1.1\r\n").into_bytes();
    head.extend(headers.lines()?);
    head.extend(b"\r\n");
    stream.write_all(&head).map_err(|err| broken(&err))?;
    // Byte by byte: what follows the head belongs to the server beyond.
    let mut said = Vec::new();
    while !said.ends_with(b"\r\n\r\n") && !said.ends_with(b"\n\n") && said.len() < 64 * 1024 {
        let mut byte = [0];
        if stream.read(&mut byte).map_err(|err| broken(&err))? == 0 {
            break;
        }
        said.push(byte[0]);
    }
    let mut wire: BufReader<Box<dyn Wire>> = BufReader::new(Box::new(io::Cursor::new(said)));
    let answer = read_head(&mut wire)?;
    if answer.status == 200 {
        return Ok(());
    }
    let (status, reason) = (answer.status, answer.reason);
    Err(Failure::Request(format!("Tunnel connection failed: {status} {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_followed_as_asked_for() {
        let check = |follow: Follow, method: &str, status: u16, expect: Option<&str>| {
            let found = follow.method(method, status);
            assert_eq!(found.as_deref(), expect, "{follow:?} {method} {status}");
        };
        check(Follow::Safe, "GET", 308, Some("GET"));
        check(Follow::Safe, "POST", 302, None);
        check(Follow::None, "GET", 301, None);
        check(Follow::Usual, "POST", 302, Some("GET"));
        check(Follow::Usual, "POST", 307, None);
        check(Follow::Usual, "PUT", 301, None);
        check(Follow::All, "PUT", 301, Some("PUT"));
        check(Follow::All, "PUT", 303, Some("GET"));
        check(Follow::All, "HEAD", 302, Some("HEAD"));
        check(Follow::All, "POST", 308, Some("POST"));
    }
}
