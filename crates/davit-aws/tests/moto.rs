//! moto: a stand-in for many services of AWS, of our own on a free port. It is in the environment that
//! `cargo xtask setup` makes.

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use davit_aws::{
    Client, Value,
    client::Options,
    connection::{self, Pool},
    credentials::Credentials,
    http::Request,
    value::Map,
};
use serde_json::json;
use tokio::runtime::Runtime;

/// A server that ends with this, or with the process.
pub(crate) struct Moto {
    child: Child,
    pub(crate) url: String,
}

pub(crate) const REGION: &str = "eu-central-1";

impl Moto {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// The same over TLS.
    pub(crate) fn over_tls() -> Self {
        Self::with(&["--tls"])
    }

    fn with(arguments: &[&str]) -> Self {
        let home = PathBuf::from(env::var_os("HOME").expect("a home"));
        let python = home.join(".cache/davit/aws/bin/python3");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/serve_moto.py");
        // -P: scripts beside it have the names of modules.
        let mut child = Command::new(&python)
            .arg("-P")
            .arg(script)
            .args(arguments)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env_remove("AWS_PROFILE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error} (cargo xtask setup makes it)", python.display())
            });
        let mut port = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        output.read_line(&mut port).expect("moto starts");
        let scheme = if arguments.is_empty() { "http" } else { "https" };
        let url = format!("{scheme}://localhost:{}", port.trim());
        assert!(port.trim().parse::<u16>().is_ok(), "moto did not start");
        Self { child, url }
    }

    /// A client with keys that nobody has looked at.
    pub(crate) fn client(&self) -> Client {
        self.client_with(&keys("testing", "testing"))
    }

    pub(crate) fn client_with(&self, keys: &Credentials) -> Client {
        let mut options = Options::new(Arc::new(keys.clone()));
        options.endpoint.endpoint_url = Some(self.url.clone());
        options.endpoint.region = Some(REGION.to_owned());
        if self.url.starts_with("https") {
            options.pool = Arc::new(Pool::new(connection::Options {
                ca_bundle: Some(tls("ca.pem")),
                ..connection::Options::default()
            }));
        }
        Client::new(options)
    }

    /// A client with keys of an administrator, after which moto looks at signatures and permissions.
    pub(crate) fn strict(&self, runtime: &Runtime) -> (Client, Credentials) {
        let client = self.client();
        let call = |operation: &str, params: serde_json::Value| {
            runtime.block_on(client.call("iam", operation, map(params))).expect(operation)
        };
        call("CreateUser", json!({"UserName": "admin"}));
        let all = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"}
        ]});
        let policy =
            json!({"UserName": "admin", "PolicyName": "all", "PolicyDocument": all.to_string()});
        call("PutUserPolicy", policy);
        let made = call("CreateAccessKey", json!({"UserName": "admin"}));
        let key = made.get("AccessKey").expect("a key");
        let text = |name| key.get(name).and_then(Value::as_str).expect(name).to_owned();
        let keys = keys(&text("AccessKeyId"), &text("SecretAccessKey"));
        self.say(runtime, "reset-auth", "0");
        (self.client_with(&keys), keys)
    }

    /// Tells moto itself something.
    pub(crate) fn say(&self, runtime: &Runtime, what: &str, body: &str) {
        let mut request =
            Request::of_url("POST", &format!("{}/moto-api/{what}", self.url)).expect("an address");
        // Without a type of its own the body would be taken for a form.
        let kind = if body.starts_with('{') { "application/json" } else { "text/plain" };
        request.headers.set("Content-Type", kind);
        request.body = body.to_owned().into();
        let (status, said) = fetch(runtime, &request);
        assert!(status < 300, "{what}: {status} {}", String::from_utf8_lossy(&said));
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file of `tests/tls/`.
pub(crate) fn tls(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

pub(crate) fn keys(id: &str, secret: &str) -> Credentials {
    Credentials {
        access_key_id: id.to_owned(),
        secret_access_key: secret.to_owned(),
        session_token: None,
        expires: None,
        account_id: None,
        source: "a test".to_owned(),
    }
}

/// Parameters in JSON.
pub(crate) fn map(json: serde_json::Value) -> Map {
    match Value::from(json) {
        Value::Map(map) => map,
        other => panic!("{other:?} is no map"),
    }
}

/// Sends a request as it is.
pub(crate) fn fetch(runtime: &Runtime, request: &Request) -> (u16, Vec<u8>) {
    let pool = Pool::new(connection::Options {
        ca_bundle: Some(tls("ca.pem")),
        ..connection::Options::default()
    });
    runtime.block_on(async {
        let body = connection::Body::Bytes(request.body.clone());
        let answer = pool.send(request, body).await.expect("an answer");
        let answer = answer.read(1 << 30).await.expect("a body");
        (answer.status, answer.body.to_vec())
    })
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
