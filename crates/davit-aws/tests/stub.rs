//! A server that answers as it is told, also in ways in which no server should: late, in halves, or not
//! at all. It remembers what it was asked.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use davit_aws::http::Headers;
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::moto::tls;

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// What stands behind the method: a path, or an address where a proxy is asked.
    pub(crate) target: String,
    pub(crate) headers: Headers,
    /// The body, without the encoding of HTTP.
    pub(crate) body: Vec<u8>,
    /// Which request it is, from 0.
    pub(crate) number: usize,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What becomes of the connection behind an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Keep,
    Close,
    Reset,
    /// Nothing more comes, and the connection stays.
    Hang,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pieces: Vec<(Duration, Vec<u8>)>,
    end: End,
}

impl Reply {
    /// A whole answer.
    pub(crate) fn new(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut head = format!("HTTP/1.1 {status} So\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        Self { pieces: vec![(Duration::ZERO, bytes)], end: End::Keep }
    }

    /// An answer that ends where the connection does.
    pub(crate) fn without_length(body: &str) -> Self {
        let bytes = format!("HTTP/1.1 200 So\r\n\r\n{body}").into_bytes();
        Self { pieces: vec![(Duration::ZERO, bytes)], end: End::Close }
    }

    pub(crate) fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::new(200, &[], body)
    }

    /// The error of a service that speaks XML.
    pub(crate) fn xml_error(status: u16, code: &str, more: &str) -> Self {
        let body = format!("<Error><Code>{code}</Code><Message>so</Message>{more}</Error>");
        Self::new(status, &[("content-type", "application/xml")], body)
    }

    /// Nothing, and the connection is reset.
    pub(crate) const fn reset() -> Self {
        Self { pieces: Vec::new(), end: End::Reset }
    }

    /// Nothing, and nothing will come.
    pub(crate) const fn nothing() -> Self {
        Self { pieces: Vec::new(), end: End::Hang }
    }

    /// Only the first bytes, then the connection is closed.
    pub(crate) fn cut(self, at: usize) -> Self {
        Self { end: End::Close, ..self.first(at) }
    }

    /// Only the first bytes, then the connection is reset.
    pub(crate) fn cut_by_reset(self, at: usize) -> Self {
        Self { end: End::Reset, ..self.first(at) }
    }

    /// Only the first bytes, then nothing.
    pub(crate) fn stops(self, at: usize) -> Self {
        Self { end: End::Hang, ..self.first(at) }
    }

    fn without_body(mut self) -> Self {
        for (_, piece) in &mut self.pieces {
            if let Some(end) = piece.windows(4).position(|it| it == b"\r\n\r\n") {
                piece.truncate(end + 4);
            }
        }
        self
    }

    fn first(mut self, at: usize) -> Self {
        let whole: Vec<u8> = self.pieces.drain(..).flat_map(|it| it.1).collect();
        self.pieces = vec![(Duration::ZERO, whole[..at].to_vec())];
        self
    }

    /// The whole, a few bytes at a time.
    pub(crate) fn slowly(mut self, size: usize, pause: Duration) -> Self {
        let whole: Vec<u8> = self.pieces.drain(..).flat_map(|it| it.1).collect();
        self.pieces = whole.chunks(size).map(|it| (pause, it.to_vec())).collect();
        self
    }

    pub(crate) fn closing(self) -> Self {
        Self { end: End::Close, ..self }
    }
}

type Answers = dyn Fn(&Asked) -> Reply + Send + Sync;

struct Shared {
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    closed: AtomicUsize,
    over: AtomicBool,
    answers: Box<Answers>,
    tls: Option<Arc<ServerConfig>>,
}

/// The server. It ends with this.
pub(crate) struct Stub {
    pub(crate) url: String,
    address: std::net::SocketAddr,
    shared: Arc<Shared>,
}

trait Both: Read + Write {}
impl<T: Read + Write> Both for T {}

impl Stub {
    pub(crate) fn new(answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(Box::new(answers), None)
    }

    /// One answer after the other. What is asked besides is a mistake, which a status tells.
    pub(crate) fn script(replies: Vec<Reply>) -> Self {
        Self::new(move |asked| match replies.get(asked.number) {
            Some(reply) => reply.clone(),
            None => Reply::new(418, &[], "not in the script"),
        })
    }

    /// Answers some requests itself and hands the others on to another server, without TLS.
    pub(crate) fn before(
        server: &str,
        answers: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let (_, address) = server.split_once("://").expect("an address");
        let address = address.to_owned();
        Self::new(move |asked| {
            answers(asked).unwrap_or_else(|| forward(&address, asked).expect("the server answers"))
        })
    }

    /// The same over TLS, with a certificate in `tests/tls/`: `server`, `self`.
    pub(crate) fn over_tls(
        name: &str,
        answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::with(Box::new(answers), Some(server_config(name)))
    }

    fn with(answers: Box<Answers>, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared {
            asked: Mutex::default(),
            connections: AtomicUsize::new(0),
            closed: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            answers,
            tls,
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if accepting.over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                thread::spawn(move || {
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    // Whoever goes away in the middle is what is being tried.
                    let _ = shared.serve(stream);
                    shared.closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { url: format!("{scheme}://localhost:{}", address.port()), address, shared }
    }

    /// What was asked up to now.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().expect("no panic").clone()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Waits until all connections are closed.
    pub(crate) fn wait_closed(&self) {
        for _ in 0..500 {
            if self.shared.closed.load(Ordering::SeqCst) == self.connections() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("a connection is still open");
    }

    /// Waits until so many requests came.
    pub(crate) fn wait_asked(&self, count: usize) {
        for _ in 0..500 {
            if self.asked().len() >= count {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("{} requests came, not {count}", self.asked().len());
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn server_config(name: &str) -> Arc<ServerConfig> {
    let file = |ending| tls(&format!("{name}.{ending}"));
    let certificate = CertificateDer::from_pem_file(file("pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(file("key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they fit");
    Arc::new(config)
}

impl Shared {
    fn serve(&self, tcp: TcpStream) -> io::Result<()> {
        tcp.set_nodelay(true)?;
        let other = tcp.try_clone()?;
        match &self.tls {
            None => self.talk(tcp, &other),
            Some(config) => {
                let session =
                    ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                self.talk(StreamOwned::new(session, tcp), &other)
            }
        }
    }

    fn talk(&self, mut stream: impl Both, tcp: &TcpStream) -> io::Result<()> {
        while let Some(asked) = read(&mut stream)? {
            let asked = {
                let mut all = self.asked.lock().expect("no panic");
                let asked = Asked { number: all.len(), ..asked };
                all.push(asked.clone());
                asked
            };
            let mut reply = (self.answers)(&asked);
            if asked.method == "HEAD" {
                reply = reply.without_body();
            }
            for (pause, piece) in &reply.pieces {
                thread::sleep(*pause);
                stream.write_all(piece)?;
                stream.flush()?;
            }
            match reply.end {
                End::Keep => {}
                End::Close => return Ok(()),
                End::Reset => {
                    socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO))?;
                    return Ok(());
                }
                End::Hang => {
                    let _ = stream.read(&mut [0; 1]);
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn forward(address: &str, asked: &Asked) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(address)?;
    let mut head = format!("{} {} HTTP/1.1\r\nconnection: close\r\n", asked.method, asked.target);
    for (name, value) in asked.headers.iter() {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(&asked.body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(Reply { pieces: vec![(Duration::ZERO, answer)], end: End::Close })
}

/// The next request; nothing where the connection ends before it.
fn read(stream: &mut impl Read) -> io::Result<Option<Asked>> {
    let Some(head) = read_until(stream, b"\r\n\r\n")? else { return Ok(None) };
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let method = first.next().unwrap_or_default().to_owned();
    let target = first.next().unwrap_or_default().to_owned();
    let headers: Headers = lines.filter_map(|it| it.split_once(": ")).collect();
    let mut body = Vec::new();
    if let Some(length) = headers.get("content-length") {
        body.resize(length.parse().map_err(io::Error::other)?, 0);
        stream.read_exact(&mut body)?;
    } else if headers.contains("transfer-encoding") {
        loop {
            let line = read_until(stream, b"\r\n")?.unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk)?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }
    Ok(Some(Asked { method, target, headers, body, number: 0 }))
}

fn read_until(stream: &mut impl Read, end: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(end) {
        if stream.read(&mut byte)? == 0 {
            return if bytes.is_empty() {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
        bytes.push(byte[0]);
    }
    Ok(Some(bytes))
}
