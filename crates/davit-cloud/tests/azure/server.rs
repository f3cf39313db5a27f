//! A server that answers as a function says, one thread for each connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use davit_aws::http::{Headers, Request};
use serde_json::Value;

/// A request that came.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The method, the path, the parameters and the headers.
    pub(crate) request: Request,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn query(&self, name: &str) -> &str {
        let found = self.request.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.request.headers.get(name).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What is answered.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    },
    /// Nothing, and the connection ends.
    Hangup,
    /// Nothing, for as long as the client waits.
    Nothing,
}

impl Reply {
    pub(crate) fn json(status: u16, json: &Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self::Answer { status, headers, body: json.to_string() }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: String::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.into()));
        }
        self
    }
}

type Answers = dyn Fn(&Asked) -> Reply + Send + Sync;

/// The server. It ends with this.
pub(crate) struct Server {
    pub(crate) url: String,
    address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl Server {
    /// `answers` is told the address of the server.
    pub(crate) fn start(answers: impl Fn(&str, &Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let over = Arc::new(AtomicBool::new(false));
        let own = url.clone();
        let answers: Arc<Answers> = Arc::new(move |asked| answers(&own, asked));
        let is_over = Arc::clone(&over);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let answers = Arc::clone(&answers);
                // Whoever goes away in the middle is what is being tried.
                thread::spawn(move || drop(talk(stream, &*answers)));
            }
        });
        Self { url, address, over }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn talk(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    stream.set_nodelay(true)?;
    while let Some(asked) = read(&mut stream)? {
        let (status, headers, body) = match answers(&asked) {
            Reply::Answer { status, headers, body } => (status, headers, body),
            Reply::Hangup => return Ok(()),
            Reply::Nothing => {
                let _ = stream.read(&mut [0; 1]);
                return Ok(());
            }
        };
        let mut head = format!("HTTP/1.1 {status} So\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    }
    Ok(())
}

/// The next request; nothing where the connection ends before it.
fn read(stream: &mut TcpStream) -> io::Result<Option<Asked>> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let headers: Headers = lines.filter_map(|it| it.split_once(": ")).collect();
    let length = headers.get("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let mut request = Request::of_url(method, &format!("http://h{target}")).unwrap();
    request.headers = headers;
    Ok(Some(Asked { request, body }))
}
