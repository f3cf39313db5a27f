//! A server that answers as a test tells it, also in ways in which no server should, and remembers what it was asked.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use davit_aws::http::{Headers, Request};
use serde_json::Value;

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    /// How many came before it.
    pub(crate) number: usize,
}

impl Asked {
    /// A parameter of the query.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A field of a form.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.body).replace('+', "%20");
        let form = Request::of_url("GET", &format!("http://x/?{text}"))?.query;
        form.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_default()
    }
}

/// What is answered.
pub(crate) enum Reply {
    /// A status, headers and a body.
    Whole(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The connection ends.
    Reset,
    /// The first half of a body, then the connection ends.
    Half(Vec<u8>),
    /// Nothing, for so long.
    Nothing(Duration),
}

/// A success with JSON.
pub(crate) fn ok(json: &Value) -> Reply {
    said(200, json)
}

/// A status with JSON.
pub(crate) fn said(status: u16, json: &Value) -> Reply {
    Reply::Whole(status, vec![("content-type", "application/json".into())], json.to_string().into())
}

type Answers = dyn Fn(&Asked) -> Reply + Send + Sync;

/// The server. It ends with its value.
pub(crate) struct Stub {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    over: Arc<AtomicBool>,
}

impl Stub {
    pub(crate) fn new(answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, over) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let answers: Arc<Answers> = Arc::new(answers);
        let stub = Self { url, asked: Arc::clone(&asked), over: Arc::clone(&over) };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let (asked, answers) = (Arc::clone(&asked), Arc::clone(&answers));
                // Whoever goes away in the middle is what is being tried.
                thread::spawn(move || serve(stream, &asked, &*answers));
            }
        });
        stub
    }

    /// `HOST:PORT`.
    pub(crate) fn host(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// What was asked up to now.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How often something with such a path was asked.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.asked().iter().filter(|it| it.path.ends_with(path)).count()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.host()));
    }
}

fn serve(mut stream: TcpStream, all: &Mutex<Vec<Asked>>, answers: &Answers) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    loop {
        let mut asked = read(&mut stream)?;
        {
            let mut all = all.lock().unwrap();
            asked.number = all.len();
            all.push(asked.clone());
        }
        match answers(&asked) {
            Reply::Whole(status, headers, body) => {
                let mut head =
                    format!("HTTP/1.1 {status} So\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
                if asked.method != "HEAD" {
                    stream.write_all(&body).ok()?;
                }
            }
            Reply::Half(body) => {
                let head = format!("HTTP/1.1 200 So\r\ncontent-length: {}\r\n\r\n", body.len());
                stream.write_all(head.as_bytes()).ok()?;
                stream.write_all(&body[..body.len() / 2]).ok()?;
                return stream.shutdown(Shutdown::Both).ok();
            }
            Reply::Reset => return stream.shutdown(Shutdown::Both).ok(),
            Reply::Nothing(pause) => {
                thread::sleep(pause);
                return None;
            }
        }
    }
}

/// The next request; nothing where the connection ends before it.
fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Headers = lines.filter_map(|it| it.split_once(": ")).collect();
    let length = headers.get("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let parts = Request::of_url(&method, &format!("http://x{target}"))?;
    Some(Asked { method, path: parts.path, query: parts.query, headers, body, number: 0 })
}
