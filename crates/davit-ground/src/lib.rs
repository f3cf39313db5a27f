//! Real hosts for tests and benchmarks, on one machine and gone afterwards.
//!
//! * [`Ground`]: a folder, and the name that everything of one test carries.
//! * [`Sshd`]: an OpenSSH server of its own on loopback addresses, with its own keys.
//! * [`Machine`]: namespaces for network, processes and mounts with an sshd inside. Its cable can be cut, its
//!   round trip made long, and what runs on it listed.
//! * [`User`]: people on the target, with passwords and rights to become others.
//! * [`Container`]: a container under podman or docker.
//! * [`Moto`]: a server that stands for AWS.
//! * [`Azurite`]: a server that stands for Azure's storage.
//!
//! Names carry the id of the process that made them. A process that was killed leaves things behind; the next
//! [`Ground`] finds that their maker is gone and takes them away.
//!
//! It is not part of the product, and it knows nothing of davit but where a test would look for it.
//!
//! ```no_run
//! let ground = davit_ground::Ground::new()?;
//! let sshd = davit_ground::Sshd::start(&ground, &davit_ground::Serve::hosts(3))?;
//! std::fs::write(ground.path("hosts.ini"), sshd.hosts.inventory("root", ""))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod azurite;
mod container;
mod delay;
mod leftover;
mod machine;
mod moto;
mod process;
mod sshd;
mod user;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

pub use azurite::Azurite;
pub use container::{Container, Dockerd, Engine};
pub use machine::{Machine, Options};
pub use moto::Moto;
pub use process::{Process, every_process, is_root, on_path, run, wait_until};
pub use sshd::{Hosts, Key, Serve, Sshd};
pub use user::{Rights, User};

/// What something gives, or a sentence that says why there is no such thing here.
pub type Outcome<T> = Result<T, String>;

/// How every folder of a ground begins.
const PREFIX: &str = "davit-ground-";

/// The folder of one test, and the name that everything it makes carries.
#[derive(Debug)]
pub struct Ground {
    folder: PathBuf,
}

impl Ground {
    /// Takes away what dead processes left, and makes a folder.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new() -> Outcome<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        leftover::sweep();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // Others may pass through, as users of the test's hosts have to, but not look around.
        fs::create_dir(&folder)
            .and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(0o711)))
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { folder })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path below the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file below the folder, readable by its owner only.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Outcome<PathBuf> {
        let path = self.path(name);
        path.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, text))
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o600)))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        leftover::remove(&self.folder);
    }
}
