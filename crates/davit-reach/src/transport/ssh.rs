//! Hosts over SSH: the user's own OpenSSH client, so that `~/.ssh/config`, agents, jump hosts,
//! certificates, tokens and Kerberos work as they always do. Knows nothing of the agent.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use davit_run::Unreachable;
use tokio::process::Command;

use crate::askpass::{Ask, Askpass, Memory, SESSION, SOCKET, Secrets, Session};
use crate::transport::explain::{self, Attempt};
use crate::transport::{Boxed, Pipes, Transport, process};
use crate::words;

/// What logging in takes on top of connecting: slow name servers, slow log-in programs.
const LOGIN: Duration = Duration::from_secs(50);

/// What the sessions to all hosts share.
#[derive(Default)]
pub(crate) struct Common {
    askpass: Mutex<Option<Arc<Askpass>>>,
    /// Whether the user's configuration says when a silent server is given up.
    says_alive: OnceLock<bool>,
}

impl Common {
    /// The socket for questions, opened when it is first needed.
    fn askpass(&self, folder: &Path) -> std::io::Result<Arc<Askpass>> {
        let mut slot = self.askpass.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(askpass) = &*slot {
            return Ok(Arc::clone(askpass));
        }
        let askpass = Arc::new(Askpass::listen(folder)?);
        *slot = Some(Arc::clone(&askpass));
        Ok(askpass)
    }
}

/// How a host is logged in to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Login {
    /// Inventory name.
    pub(crate) name: Arc<str>,
    /// Name or address.
    pub(crate) host: String,
    pub(crate) user: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) key: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) passphrase: Option<String>,
    /// What the question for the password contains.
    pub(crate) prompt: Option<String>,
    /// The library for a token whose PIN the password is.
    pub(crate) pkcs11: Option<String>,
    pub(crate) args: Option<String>,
    pub(crate) common_args: Option<String>,
    pub(crate) extra_args: Option<String>,
    pub(crate) executable: Option<String>,
    pub(crate) control_path: Option<String>,
    pub(crate) checks_keys: bool,
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) verbosity: u8,
}

/// What of this machine sessions need.
#[derive(Clone, Default)]
pub(crate) struct Here {
    /// Whose configuration ssh reads.
    pub(crate) home: Option<PathBuf>,
    /// The program that ssh starts to ask.
    pub(crate) helper: Option<PathBuf>,
    /// Where the socket for questions may be.
    pub(crate) sockets: PathBuf,
    /// Variables for ssh.
    pub(crate) environment: Arc<[(String, String)]>,
    pub(crate) ask: Option<Ask>,
    pub(crate) common: Arc<Common>,
}

/// A host over SSH.
pub(crate) struct Ssh {
    login: Login,
    here: Here,
    memory: Arc<Memory>,
}

impl fmt::Debug for Ssh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ssh").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Ssh {
    pub(crate) fn new(login: Login, here: Here) -> Self {
        Self { login, here, memory: Arc::default() }
    }

    fn executable(&self) -> &str {
        self.login.executable.as_deref().unwrap_or("ssh")
    }

    /// All arguments. They stand in the order in which the original gives them, as ssh takes the
    /// first of several values.
    fn arguments(&self, line: &str, asks: bool) -> Result<Vec<String>, String> {
        let it = &self.login;
        let mut args = Vec::with_capacity(32);
        if it.verbosity > 0 {
            args.push(format!("-{}", "v".repeat(usize::from(it.verbosity.min(3)))));
        }
        // The original's defaults, `-C -o ControlMaster=auto -o ControlPersist=60s`, are left out:
        // one session is kept for the whole run, so there is none to share, and what travels is
        // compressed already where that pays. What the user has configured is taken.
        let own = split(it.args.as_deref(), "ssh_args")?;
        let common = split(it.common_args.as_deref(), "ssh_common_args")?;
        let extra = split(it.extra_args.as_deref(), "ssh_extra_args")?;
        let says_alive = says_alive(own.iter().chain(&common).chain(&extra).map(String::as_str));
        args.extend(own);
        let mut option = |text: String| args.extend(["-o".to_owned(), text]);
        if let Some(provider) = &it.pkcs11 {
            option(format!("PKCS11Provider={provider}"));
            option("PreferredAuthentications=publickey".into());
        }
        if !it.checks_keys {
            option("StrictHostKeyChecking=no".into());
        }
        if let Some(port) = it.port {
            option(format!("Port={port}"));
        }
        if let Some(key) = &it.key {
            option(format!("IdentityFile=\"{key}\""));
        }
        if it.password.is_none() || it.pkcs11.is_some() {
            // As with the original: without a password none is asked for. A single host that has
            // lost its key would else stop the run of all.
            option("KbdInteractiveAuthentication=no".into());
            option("PasswordAuthentication=no".into());
        }
        if !asks {
            option("BatchMode=yes".into());
        }
        if let Some(user) = &it.user {
            option(format!("User=\"{user}\""));
        }
        option(format!("ConnectTimeout={}", it.timeout.as_secs().max(1)));
        args.extend(common);
        args.extend(extra);
        let mut option = |text: &str| args.extend(["-o".to_owned(), text.to_owned()]);
        if let Some(path) = &it.control_path {
            option(&format!("ControlPath=\"{path}\""));
        }
        // A wrong password is not tried again: accounts get locked.
        option("NumberOfPasswordPrompts=1");
        // What a host's configuration may say for people who log in by hand.
        option("RemoteCommand=none");
        if !says_alive && !self.config_says_alive() {
            // For command lines without an agent, which notices the silence itself and earlier.
            option("ServerAliveInterval=15");
            option("ServerAliveCountMax=4");
        }
        args.extend(["-T".into(), "--".into(), it.host.clone(), line.to_owned()]);
        Ok(args)
    }

    /// Whether ssh's own configuration says when a silent server is given up. Looked at once.
    fn config_says_alive(&self) -> bool {
        *self.here.common.says_alive.get_or_init(|| {
            let system = Path::new("/etc/ssh");
            let mut files = vec![system.join("ssh_config")];
            files.extend(self.here.home.as_ref().map(|home| home.join(".ssh/config")));
            let included = std::fs::read_dir(system.join("ssh_config.d"));
            files.extend(included.into_iter().flatten().flatten().map(|it| it.path()));
            files.iter().any(|path| {
                let text = std::fs::read_to_string(path).unwrap_or_default().to_lowercase();
                // What the user's file includes is not followed: it may say so.
                let includes = path.ends_with(".ssh/config") && text.contains("include");
                text.contains("serveralive") || includes
            })
        })
    }

    fn launch(&self, line: &str) -> Result<Pipes, Unreachable> {
        let login = &self.login;
        if let Some(said) = self.memory.refusal() {
            return Err(explain::wrong_password(&said));
        }
        if login.host.is_empty() || login.host.starts_with('-') {
            let why = format!("'{}' is no name or address of a host", login.host);
            return Err(Unreachable {
                help: Some("see ansible_host".into()),
                ..Unreachable::new(why)
            });
        }
        let askpass = match &self.here.helper {
            Some(_) => self.here.common.askpass(&self.here.sockets).map_err(|error| {
                let folder = self.here.sockets.display();
                Unreachable::new(format!("no socket can be made in {folder}: {error}"))
            }),
            None => Err(Unreachable::new("there is nothing that could tell ssh the password")),
        };
        let askpass = match askpass {
            Ok(askpass) => Some(askpass),
            Err(error) if login.password.is_some() => return Err(error),
            Err(_) => None,
        };
        let args = self.arguments(line, askpass.is_some()).map_err(Unreachable::new)?;
        let mut command = Command::new(self.executable());
        command.args(args);
        command.envs(self.here.environment.iter().map(|(name, value)| (name, value)));
        let Some((askpass, helper)) = askpass.zip(self.here.helper.as_ref()) else {
            return self.spawn(command).map(|(pipes, _)| pipes);
        };
        let session = self.session(line);
        let registered = askpass.register(Arc::clone(&session));
        command
            .env("SSH_ASKPASS", helper)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env(SOCKET, askpass.socket())
            .env(SESSION, registered.number.to_string());
        let (mut pipes, pid) = self.spawn(command)?;
        // Set once, as the session is new.
        let _ = session.process.set(pid);
        pipes.guard = Box::new((pipes.guard, registered, askpass));
        Ok(pipes)
    }

    fn session(&self, line: &str) -> Arc<Session> {
        let login = &self.login;
        let secrets = Secrets {
            password: login.password.clone(),
            passphrase: login.passphrase.clone(),
            prompt: login.prompt.clone(),
            is_pin: login.pkcs11.is_some(),
        };
        let memory = Arc::clone(&self.memory);
        Session::new(Arc::clone(&login.name), secrets, self.here.ask.clone(), memory, line)
    }

    fn spawn(&self, command: Command) -> Result<(Pipes, u32), Unreachable> {
        let package = "the OpenSSH client (openssh-client, openssh-clients)";
        process::spawn(command)
            .map_err(|error| process::not_started(self.executable(), &error, package))
    }
}

/// Options that were written as one text.
fn split(text: Option<&str>, name: &str) -> Result<Vec<String>, String> {
    let text = text.unwrap_or_default();
    words::split(text).map_err(|what| format!("the {name} '{text}' cannot be read: {what}"))
}

fn says_alive<'a>(mut words: impl Iterator<Item = &'a str>) -> bool {
    words.any(|word| word.to_lowercase().contains("serveralive"))
}

impl Transport for Ssh {
    fn address(&self) -> String {
        let it = &self.login;
        let user = it.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        match it.port {
            Some(port) if it.host.contains(':') => format!("{user}[{}]:{port}", it.host),
            Some(port) => format!("{user}{}:{port}", it.host),
            None => format!("{user}{}", it.host),
        }
    }

    fn start<'a>(&'a self, line: &'a str) -> Boxed<'a, Result<Pipes, Unreachable>> {
        Box::pin(std::future::ready(self.launch(line)))
    }

    fn explain(&self, code: Option<i32>, said: &str) -> Unreachable {
        let it = &self.login;
        let attempt = Attempt {
            host: &it.host,
            port: it.port,
            user: it.user.as_deref(),
            key: it.key.as_deref(),
            timeout: it.timeout,
            memory: &self.memory,
            has_password: it.password.is_some(),
        };
        explain::explain(&attempt, code, said)
    }

    fn is_failure(&self, said: &str) -> bool {
        explain::is_of_ssh(said)
    }

    fn patience(&self) -> Duration {
        self.login.timeout.saturating_add(LOGIN)
    }

    fn retries(&self) -> u32 {
        self.login.retries
    }

    fn is_asking(&self) -> bool {
        self.memory.is_waiting()
    }
}
