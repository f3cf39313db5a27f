//! Azurite, which stands for Azure's storage in tests. `cargo xtask setup` installs it.

use std::env;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Ground, Outcome};

/// A server of blobs that ends with its value, and what it kept with it.
#[derive(Debug)]
pub struct Azurite {
    child: Child,
    port: u16,
    _ground: Ground,
}

/// A machine that is busy takes long to start it.
const PATIENCE: Duration = Duration::from_secs(120);

/// The key that every emulator has: it is in Azure's documentation.
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

impl Azurite {
    /// The name of its account.
    pub const ACCOUNT: &str = "devstoreaccount1";

    /// Starts one on a port of its own.
    ///
    /// # Errors
    /// It is not installed, or does not come up.
    pub fn start() -> Outcome<Self> {
        let home = PathBuf::from(env::var_os("HOME").unwrap_or_default());
        let program = home.join(".cache/davit/azure/node_modules/.bin/azurite-blob");
        let ground = Ground::new()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|it| it.local_addr())
            .map_err(|error| format!("no port: {error}"))?
            .port();
        let child = Command::new(&program)
            .args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string(), "--silent"])
            .args(["--disableTelemetry", "--skipApiVersionCheck", "--location"])
            .arg(ground.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                format!("{}: {error} (cargo xtask setup installs it)", program.display())
            })?;
        let azurite = Self { child, port, _ground: ground };
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if began.elapsed() > PATIENCE {
                return Err("azurite does not come up".to_owned());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(azurite)
    }

    /// The address of its account.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/{}", self.port, Self::ACCOUNT)
    }

    /// The key of its account.
    #[must_use]
    pub fn key(&self) -> &'static str {
        KEY
    }

    /// What tells a client to call it.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let string = format!(
            "DefaultEndpointsProtocol=http;AccountName={};AccountKey={KEY};BlobEndpoint={};",
            Self::ACCOUNT,
            self.url()
        );
        vec![("AZURE_STORAGE_CONNECTION_STRING".to_owned(), string)]
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
