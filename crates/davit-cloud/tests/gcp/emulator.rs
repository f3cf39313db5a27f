//! gcp-storage-emulator, which stands for Cloud Storage. It is in an environment that `cargo xtask setup` makes.

use std::env;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A server that ends with its value.
pub(crate) struct Emulator {
    child: Child,
    port: u16,
}

/// A machine that is busy takes long to start it.
const PATIENCE: Duration = Duration::from_secs(120);

impl Emulator {
    pub(crate) fn start() -> Self {
        let home = PathBuf::from(env::var_os("HOME").unwrap());
        let program = home.join(".cache/davit/gcp/bin/gcp-storage-emulator");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let child = Command::new(&program)
            .args(["start", "--host", "127.0.0.1", "--port", &port.to_string(), "-M", "-q"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|it| {
                panic!("{}: {it} (cargo xtask setup makes it)", program.display())
            });
        let emulator = Self { child, port };
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(began.elapsed() < PATIENCE, "gcp-storage-emulator does not come up");
            thread::sleep(Duration::from_millis(50));
        }
        emulator
    }

    /// What tells a client to call it.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let host = format!("127.0.0.1:{}", self.port);
        let pairs = [("STORAGE_EMULATOR_HOST", host.as_str()), ("CLOUDSDK_CORE_PROJECT", "shop")];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
