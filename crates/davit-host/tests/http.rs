//! `uri`, `get_url` and `unarchive` against servers that listen, plain and encrypted.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use davit_host::builtin::MODULES;
use davit_module::{Call, Reply, Session};
use serde_json::{Value, json};

/// A server that answers by the path, and keeps what it was asked.
struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let seen = Arc::clone(&seen);
                thread::spawn(move || serve(stream.unwrap(), &seen));
            }
        });
        Self { port, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut headers) = (String::new(), BTreeMap::new());
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |it| it.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    let mut words = first.split_whitespace();
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let login = headers.get("authorization").cloned().unwrap_or_default();
    seen.lock().unwrap().push(format!("{method} {path} {login}{body}"));
    let plain = |status: &str, more: &str, text: &str| {
        format!("HTTP/1.1 {status}\r\n{more}Content-Length: {}\r\n\r\n{text}", text.len())
    };
    let answer = match path {
        "/file" => plain("200 Fine", "Content-Type: text/plain\r\n", "content\n"),
        "/archive.tar" => plain("200 OK", "", &archive()),
        "/json" => plain(
            "201 Made",
            "Content-Type: application/json\r\nX-A: 1\r\nx-a: 2\r\n",
            "{\"a\": 1}",
        ),
        "/moved" => {
            plain("302 Elsewhere", "Location: file\r\nSet-Cookie: k=v; Path=/\r\n", "moved")
        }
        "/loop" => plain("302 Round", "Location: /loop\r\n", ""),
        "/login" if login == "Basic dTpw" => plain("200 OK", "", "in"),
        "/login" => plain("401 Who", "WWW-Authenticate: Basic realm=\"x\"\r\n", "out"),
        "/cut" => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort".to_owned(),
        "/silent" => {
            // Until the client gives up.
            let _ = reader.read(&mut [0]);
            return;
        }
        _ => plain("404 Not here", "", "nothing"),
    };
    stream.write_all(answer.as_bytes()).unwrap();
}

fn call(module: &str, args: Value, environment: &[(&str, &str)]) -> Reply {
    let entry = MODULES.iter().find(|it| it.short_name() == module).unwrap();
    let environment =
        environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let args = args.as_object().unwrap().clone();
    entry.call(&Session::default(), &Call { args, environment, ..Call::default() })
}

fn check(reply: &Reply, expect: Value) {
    for (key, value) in expect.as_object().unwrap() {
        assert_eq!(reply.get(key).unwrap_or(&Value::Null), value, "{key}: {reply:?}");
    }
}

#[test]
fn answers_are_told() {
    let server = Server::start();
    let uri = |path: &str, more: Value| {
        let mut args = json!({ "url": server.url(path) });
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call("uri", args, &[])
    };
    check(
        &uri(
            "/json",
            json!({ "status_code": 201, "method": "post", "body": { "x": [1, "é"] }, "body_format": "json" }),
        ),
        json!({ "status": 201, "json": { "a": 1 }, "x_a": "1, 2", "changed": false, "failed": null, "msg": "OK (8 bytes)" }),
    );
    assert_eq!(server.asked(), ["POST /json {\"x\": [1, \"\\u00e9\"]}"]);
    check(
        &uri("/moved", json!({ "return_content": true })),
        json!({ "status": 200, "content": "content\n", "redirected": true, "url": server.url("/file"), "cookies": { "k": "v" } }),
    );
    check(
        &uri("/moved", json!({ "follow_redirects": "none" })),
        json!({ "failed": true, "status": 302, "location": server.url("/file"), "msg": "Status code was 302 and not [200]: HTTP Error 302: Elsewhere" }),
    );
    check(&uri("/loop", json!({})), json!({ "failed": true, "status": 302 }));
    check(
        &uri("/nothing", json!({ "status_code": [404] })),
        json!({ "failed": null, "body": "nothing", "msg": "HTTP Error 404: Not here" }),
    );
    server.asked();
    check(&uri("/login", json!({ "user": "u", "password": "p" })), json!({ "status": 200 }));
    assert_eq!(server.asked(), ["GET /login ", "GET /login Basic dTpw"]);
    check(
        &uri("/login", json!({ "user": "u", "password": "p", "force_basic_auth": true })),
        json!({ "status": 200 }),
    );
    assert_eq!(server.asked(), ["GET /login Basic dTpw"]);
    check(&uri("/login", json!({})), json!({ "failed": true, "status": 401 }));
    check(
        &uri("/silent", json!({ "timeout": 1 })),
        json!({ "status": -1, "msg": "Status code was -1 and not [200]: Connection failure: timed out" }),
    );
    check(
        &uri("/cut", json!({ "return_content": true })),
        json!({ "failed": true, "msg": format!("HTTP Error while fetching {}: IncompleteRead(5 bytes read, 95 more expected)", server.url("/cut")) }),
    );
    let proxy = server.url("/");
    let args = json!({ "url": "http://nobody.invalid/file" });
    check(&call("uri", args, &[("http_proxy", &proxy)]), json!({ "status": 404 }));
    assert_eq!(server.asked().last().unwrap(), "GET http://nobody.invalid/file ");
}

#[test]
fn files_are_put_in_place_whole_or_not_at_all() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let dest = folder.path().join("dest");
    let get = |path: &str, more: Value| {
        let mut args = json!({ "url": server.url(path), "dest": dest });
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call("get_url", args, &[])
    };
    check(&get("/moved", json!({})), json!({ "changed": true, "status_code": 200, "size": 8 }));
    check(&get("/file", json!({ "force": true })), json!({ "changed": false, "failed": null }));
    check(&get("/cut", json!({ "force": true })), json!({ "failed": true }));
    check(&get("/file", json!({ "force": true, "checksum": "md5:00" })), json!({ "failed": true }));
    check(
        &get("/nothing", json!({ "force": true })),
        json!({ "failed": true, "status_code": 404, "response": "HTTP Error 404: Not here" }),
    );
    assert_eq!(fs::read_to_string(&dest).unwrap(), "content\n");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    check(
        &call("uri", json!({ "url": server.url("/file"), "dest": folder.path() }), &[]),
        json!({ "changed": true, "path": folder.path().join("file") }),
    );
}

/// Runs openssl.
#[test]
fn archives_are_fetched_and_unpacked() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let unpack = |path: &str| {
        let args = json!({"src": server.url(path), "dest": folder.path(), "remote_src": true});
        call("unarchive", args, &[])
    };
    check(&unpack("/archive.tar"), json!({"changed": true, "handler": "TarArchive"}));
    assert_eq!(fs::read_to_string(folder.path().join("a.txt")).unwrap(), "one\n");
    check(&unpack("/archive.tar"), json!({"changed": false}));
    let why = format!("Failure downloading {}, HTTP Error 401: Who", server.url("/login"));
    check(&unpack("/login"), json!({"failed": true, "msg": why}));
    let reply = unpack("/file");
    let msg = reply["msg"].as_str().unwrap();
    assert!(msg.starts_with("Failed to find handler for "), "{msg}");
}

/// A tar with `a.txt`.
fn archive() -> String {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(4);
    header.set_mode(0o644);
    header.set_mtime(1_600_000_000);
    header.set_uid(u64::from(nix::unistd::geteuid().as_raw()));
    header.set_gid(u64::from(nix::unistd::getegid().as_raw()));
    builder.append_data(&mut header, "a.txt", &b"one\n"[..]).unwrap();
    String::from_utf8(builder.into_inner().unwrap()).unwrap()
}

fn openssl(folder: &Path, line: &str) {
    let done = Command::new("openssl")
        .args(line.split_whitespace())
        .current_dir(folder)
        .stderr(Stdio::null())
        .status()
        .expect("the package openssl is needed");
    assert!(done.success(), "{line}");
}

/// An encrypted server of openssl's for the files of a folder, ended with the test.
struct Encrypted(Child, u16);

impl Encrypted {
    fn start(folder: &Path, more: &str) -> Self {
        let mut child = Command::new("openssl")
            .args(
                "s_server -accept 0 -WWW -naccept 100 -key server.key -cert server.crt".split(' '),
            )
            .args(more.split_whitespace())
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the package openssl is needed");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.find(|it| it.as_ref().unwrap().starts_with("ACCEPT")).unwrap().unwrap();
        thread::spawn(move || lines.count());
        let port = line.rsplit(':').next().unwrap().trim().parse().unwrap();
        Self(child, port)
    }
}

impl Drop for Encrypted {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn servers_and_clients_show_who_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::write(dir.join("file"), "HTTP/1.0 200 OK\r\n\r\n").unwrap();
    fs::write(dir.join("ext"), "subjectAltName=DNS:localhost\n").unwrap();
    let new = "-newkey rsa:2048 -nodes -days 30";
    openssl(dir, &format!("req -x509 {new} -keyout ca.key -out ca.crt -subj /CN=ca"));
    for name in ["server", "client"] {
        openssl(
            dir,
            &format!("req {new} -keyout {name}.key -out {name}.csr -subj /CN=localhost")
                .replace(" -days 30", ""),
        );
        openssl(
            dir,
            &format!(
                "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out {name}.crt"
            ),
        );
    }
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let uri = |server: &Encrypted, more: Value, environment: &[(&str, &str)]| {
        let mut args = json!({ "url": format!("https://localhost:{}/file", server.1) });
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call("uri", args, environment)
    };
    let server = Encrypted::start(dir, "");
    let ca = json!({ "ca_path": path("ca.crt") });
    check(&uri(&server, ca.clone(), &[]), json!({ "status": 200 }));
    check(
        &uri(&server, json!({}), &[("SSL_CERT_FILE", &path("ca.crt"))]),
        json!({ "status": 200 }),
    );
    check(&uri(&server, json!({ "validate_certs": false }), &[]), json!({ "status": 200 }));
    let refused = "Status code was -1 and not [200]: Request failed: <urlopen error [SSL: \
                   CERTIFICATE_VERIFY_FAILED] certificate verify failed: ";
    for (args, why) in [
        (json!({}), "unable to get local issuer certificate"),
        (
            json!({ "url": format!("https://127.0.0.1:{}/file", server.1), "ca_path": path("ca.crt") }),
            "IP address mismatch, certificate is not valid for '127.0.0.1'.",
        ),
    ] {
        check(&uri(&server, args, &[]), json!({ "msg": format!("{refused}{why}>") }));
    }
    let careful = Encrypted::start(dir, "-Verify 1 -verify_return_error -CAfile ca.crt");
    let own = json!({ "ca_path": path("ca.crt"), "client_cert": path("client.crt"), "client_key": path("client.key") });
    check(&uri(&careful, own, &[]), json!({ "status": 200 }));
    check(&uri(&careful, ca, &[]), json!({ "failed": true, "status": -1 }));
}
