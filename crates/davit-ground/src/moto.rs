//! moto, which stands for AWS in tests. It is in an environment that `cargo xtask setup` makes.

use std::env;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;

/// A server that ends with its value.
#[derive(Debug)]
pub struct Moto {
    child: Child,
    port: u16,
}

/// A machine that is busy takes long to start it.
const PATIENCE: Duration = Duration::from_secs(120);

impl Moto {
    /// Starts one on a port of its own.
    ///
    /// # Errors
    /// It is not installed, or does not come up.
    pub fn start() -> Outcome<Self> {
        let home = PathBuf::from(env::var_os("HOME").unwrap_or_default());
        let program = home.join(".cache/davit/aws/bin/moto_server");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|it| it.local_addr())
            .map_err(|error| format!("no port: {error}"))?
            .port();
        let child = Command::new(&program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                format!("{}: {error} (cargo xtask setup makes it)", program.display())
            })?;
        let moto = Self { child, port };
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if began.elapsed() > PATIENCE {
                return Err("moto does not come up".to_owned());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(moto)
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Sends something to moto's own interface, such as `/moto-api/reset`; the answer as it comes.
    ///
    /// # Errors
    /// It does not answer.
    pub fn post(&self, path: &str, body: &str) -> Outcome<String> {
        let asked = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            write!(
                stream,
                "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            )?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        asked().map_err(|error| format!("moto does not answer: {error}"))
    }

    /// What tells a client to call it.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let pairs = [
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_owned()),
            // A word that no answer has: it is masked wherever it turns up.
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_ENDPOINT_URL", self.url()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
