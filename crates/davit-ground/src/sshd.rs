//! An OpenSSH server of its own: configuration, host key, user key, known hosts.

use std::{
    fmt::Write,
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{
    Ground, Outcome,
    process::{end_family, family, is_root, run, wait_until},
};

/// As many addresses as one sshd listens on.
const MOST: usize = 16;

/// A pair of keys in a ground's folder, made once.
#[derive(Clone, Debug)]
pub struct Key {
    /// The private one.
    pub path: PathBuf,
    /// The public one's text, without the comment.
    pub public: String,
}

impl Key {
    /// The key of this name.
    ///
    /// # Errors
    /// `ssh-keygen` is missing or fails.
    pub fn of(ground: &Ground, name: &str) -> Outcome<Self> {
        let path = ground.path(name);
        let file = path.display().to_string();
        if !path.exists() {
            run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", &file])?;
        }
        let text = fs::read_to_string(format!("{file}.pub"))
            .map_err(|error| format!("{file}.pub: {error}"))?;
        Ok(Self { path, public: text.trim().to_owned() })
    }
}

/// What is served.
#[derive(Clone, Debug)]
pub struct Serve {
    /// How many addresses, each a host of its own to whoever connects.
    pub hosts: usize,
    /// Passwords are taken as well, through PAM; needs root.
    pub passwords: bool,
    /// Each host has a home of its own, without start files: what a tool keeps there is gone with the ground.
    pub homes: bool,
    /// More lines of the configuration.
    pub more: String,
}

impl Serve {
    /// So many hosts, with keys.
    #[must_use]
    pub fn hosts(hosts: usize) -> Self {
        Self { hosts, passwords: false, homes: false, more: String::new() }
    }
}

/// Hosts that share everything but their address.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// Where they listen.
    pub addresses: Vec<Ipv4Addr>,
    /// The port on all of them.
    pub port: u16,
    /// The user's key.
    pub key: Key,
    /// The file of known hosts that has all of them.
    pub known_hosts: PathBuf,
    folder: PathBuf,
}

impl Hosts {
    /// Makes the keys, the file of those who may log in, and the known hosts.
    pub(crate) fn new(ground: &Ground, addresses: Vec<Ipv4Addr>, port: u16) -> Outcome<Self> {
        let (key, host) = (Key::of(ground, "key")?, Key::of(ground, "hostkey")?);
        let said = |error: std::io::Error| error.to_string();
        let allowed = ground.path("authorized_keys");
        fs::write(&allowed, format!("{}\n", key.public)).map_err(said)?;
        fs::set_permissions(&allowed, fs::Permissions::from_mode(0o644)).map_err(said)?;
        let known_hosts = ground.path("known_hosts");
        let mut known = fs::read_to_string(&known_hosts).unwrap_or_default();
        for address in &addresses {
            // A default port stands in no brackets.
            let _ = match port {
                22 => writeln!(known, "{address} {}", host.public),
                _ => writeln!(known, "[{address}]:{port} {}", host.public),
            };
        }
        fs::write(&known_hosts, known).map_err(said)?;
        Ok(Self { addresses, port, key, known_hosts, folder: ground.folder().to_owned() })
    }

    /// An inventory of them as `h1`, `h2` ... in the group `web`, with more lines for `[web:vars]`.
    #[must_use]
    pub fn inventory(&self, user: &str, more: &str) -> String {
        let mut text = "[web]\n".to_owned();
        for (number, address) in self.addresses.iter().enumerate() {
            let _ = writeln!(text, "h{} ansible_host={address}", number + 1);
        }
        let (port, key, known) = (self.port, self.key.path.display(), self.known_hosts.display());
        let _ = write!(
            text,
            "[web:vars]\nansible_port={port}\nansible_user={user}\n\
             ansible_ssh_private_key_file={key}\n\
             ansible_ssh_common_args=-o UserKnownHostsFile={known}\n{more}\n"
        );
        text
    }

    /// The home of one of them, where each has its own.
    #[must_use]
    pub fn home(&self, host: usize) -> PathBuf {
        self.home_of(self.addresses[host])
    }

    fn home_of(&self, address: Ipv4Addr) -> PathBuf {
        self.folder.join(format!("home-{address}"))
    }

    /// Makes the homes of some of them; gives the lines of `sshd_config` that say where they are.
    pub(crate) fn homes(&self, addresses: &[Ipv4Addr]) -> Outcome<String> {
        let mut text = String::new();
        for address in addresses {
            let home = self.home_of(*address);
            fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
            let _ =
                writeln!(text, "Match LocalAddress {address}\n  SetEnv HOME={}", home.display());
        }
        Ok(text)
    }

    /// The arguments of a plain `ssh` to one of them.
    #[must_use]
    pub fn ssh(&self, user: &str, host: usize) -> Vec<String> {
        let known = format!("UserKnownHostsFile={}", self.known_hosts.display());
        let key = self.key.path.display().to_string();
        let (port, at) = (self.port.to_string(), format!("{user}@{}", self.addresses[host]));
        ["-o", &known, "-o", "BatchMode=yes", "-i", &key, "-p", &port, &at]
            .map(str::to_owned)
            .to_vec()
    }
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Sshd {
    children: Vec<Child>,
    /// The hosts that it plays.
    pub hosts: Hosts,
}

impl Sshd {
    /// Starts it on loopback addresses and waits until it listens.
    ///
    /// # Errors
    /// No sshd, or it does not start: with what it said.
    pub fn start(ground: &Ground, serve: &Serve) -> Outcome<Self> {
        let probe = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let port = probe.local_addr().map_err(|error| error.to_string())?.port();
        drop(probe);
        let second = 64 + u8::try_from(std::process::id() % 128).unwrap_or(0);
        let address = |number: usize| {
            let third = u8::try_from(number / 250).unwrap_or(u8::MAX);
            let fourth = u8::try_from(number % 250).unwrap_or(0) + 1;
            Ipv4Addr::new(127, second, third, fourth)
        };
        let addresses: Vec<Ipv4Addr> = (0..serve.hosts).map(address).collect();
        let hosts = Hosts::new(ground, addresses.clone(), port)?;
        let mut sshd = Self { children: Vec::new(), hosts };
        for (number, part) in addresses.chunks(MOST).enumerate() {
            let name = format!("sshd-{port}-{number}");
            let mut serve = serve.clone();
            if serve.homes {
                serve.more.push('\n');
                serve.more.push_str(&sshd.hosts.homes(part)?);
            }
            let text = configuration(ground, &name, port, part, &serve);
            let config = ground.write(&name, &text)?;
            if is_root() {
                fs::create_dir_all("/run/sshd").map_err(|error| format!("/run/sshd: {error}"))?;
            }
            let mut command = Command::new("/usr/sbin/sshd");
            command
                .arg("-D")
                .arg("-f")
                .arg(&config)
                .arg("-E")
                .arg(ground.path(&format!("{name}.log")));
            command.env_clear().stdin(Stdio::null());
            let child = command
                .spawn()
                .map_err(|error| format!("/usr/sbin/sshd: {error} (Debian: openssh-server)"))?;
            sshd.children.push(child);
            wait_for(&ground.path(&format!("{name}.pid")), &ground.path(&format!("{name}.log")))?;
        }
        Ok(sshd)
    }

    /// The ids of the server's processes and of all that was started through it.
    #[must_use]
    pub fn processes(&self) -> Vec<crate::Process> {
        self.children.iter().flat_map(|it| family(i32::try_from(it.id()).unwrap_or(0))).collect()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        for child in &mut self.children {
            end_family(i32::try_from(child.id()).unwrap_or(0));
            let _ = child.wait();
        }
    }
}

/// An `sshd_config`.
pub(crate) fn configuration(
    ground: &Ground,
    name: &str,
    port: u16,
    addresses: &[Ipv4Addr],
    serve: &Serve,
) -> String {
    let mut text = String::new();
    for address in addresses {
        let _ = writeln!(text, "ListenAddress {address}");
    }
    let yes = if serve.passwords { "yes" } else { "no" };
    let folder = ground.folder().display();
    let _ = write!(
        text,
        "Port {port}\nHostKey {folder}/hostkey\nAuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\n\
         PermitRootLogin yes\nUsePAM {yes}\nPasswordAuthentication {yes}\nKbdInteractiveAuthentication no\n\
         MaxStartups 1000:30:2000\nMaxSessions 100\nPrintMotd no\nSubsystem sftp internal-sftp\nUseDNS no\n\
         PidFile {folder}/{name}.pid\n{}\n",
        serve.more
    );
    text
}

/// Waits until an sshd has written its number, which it does once it listens.
pub(crate) fn wait_for(pid: &Path, log: &Path) -> Outcome<()> {
    if wait_until(Duration::from_secs(20), || pid.exists()) {
        return Ok(());
    }
    Err(format!("sshd did not start: {}", fs::read_to_string(log).unwrap_or_default().trim()))
}
