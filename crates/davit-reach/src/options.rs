//! What a task's variables say of the way to its host.
//!
//! The names are the original's: `ansible-doc -t connection ssh`, and the manuals of
//! `community.docker.docker` and `containers.podman.podman`. Where several names mean the same,
//! the one that the connection's kind has for itself wins. It is asked anew for each task and
//! host, as a task may say otherwise than the one before it: nothing is opened or started here.

use std::fmt::{self, Write};
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use davit_run::Wanted;
use davit_value::Value;

use crate::askpass::Ask;
use crate::transport::Transport;
use crate::transport::container::Container;
use crate::transport::local::Local;
use crate::transport::ssh::{Common, Here, Login, Ssh};
use crate::words;

/// How hosts are reached where neither variables nor keywords say it: the configuration and the
/// command line.
#[derive(Clone)]
pub struct Settings {
    /// Who logs in; `None` = as ssh has it.
    pub remote_user: Option<String>,
    /// The port; `None` = as ssh has it.
    pub port: Option<u16>,
    /// The key to log in with; `None` = as ssh has it.
    pub private_key_file: Option<String>,
    /// `ssh_args`, where the user has set it; the original's default is not to be put here.
    pub ssh_args: Option<String>,
    /// `ssh_common_args`.
    pub ssh_common_args: Option<String>,
    /// `ssh_extra_args`.
    pub ssh_extra_args: Option<String>,
    /// `ssh_executable`; `None` = `ssh`.
    pub ssh_executable: Option<String>,
    /// `control_path`, in which `%(directory)s` is [`control_path_dir`](Self::control_path_dir).
    pub control_path: Option<String>,
    /// `control_path_dir`; `None` = `~/.ansible/cp`.
    pub control_path_dir: Option<String>,
    /// Whether hosts whose keys are not known are refused.
    pub host_key_checking: bool,
    /// How long a connection may take to be made.
    pub timeout: Duration,
    /// How often to try again.
    pub retries: u32,
    /// What `-v` ssh gets.
    pub ssh_verbosity: u8,
    /// The password of whoever logs in (`-k`).
    pub password: Option<String>,
    /// This program: ssh starts it to ask. Without it, ssh asks nothing.
    pub executable: Option<PathBuf>,
    /// Where a folder with a socket may be made: `$XDG_RUNTIME_DIR`, `/tmp`. Its path is short,
    /// as the paths of sockets are.
    pub sockets: PathBuf,
    /// The folder of whoever runs davit.
    pub home: Option<PathBuf>,
    /// Variables for ssh and its like, on top of this process's own. ssh before 8.4 asks only
    /// where `DISPLAY` is set.
    pub environment: Arc<[(String, String)]>,
    /// Asks whoever is at the terminal; `None` = nobody is.
    pub ask: Option<Ask>,
    /// What all connections share.
    pub state: State,
}

/// What all connections with the same settings share; made by [`State::default`].
#[derive(Clone, Default)]
pub struct State {
    common: Arc<Common>,
    /// Turns passwords into numbers that tell nothing of them.
    salt: RandomState,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            remote_user: None,
            port: None,
            private_key_file: None,
            ssh_args: None,
            ssh_common_args: None,
            ssh_extra_args: None,
            ssh_executable: None,
            control_path: None,
            control_path_dir: None,
            host_key_checking: true,
            timeout: Duration::from_secs(10),
            retries: 0,
            ssh_verbosity: 0,
            password: None,
            executable: None,
            sockets: PathBuf::from("/tmp"),
            home: None,
            environment: Arc::default(),
            ask: None,
            state: State::default(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the password nor the environment.
        f.debug_struct("Settings")
            .field("remote_user", &self.remote_user)
            .field("port", &self.port)
            .field("private_key_file", &self.private_key_file)
            .field("host_key_checking", &self.host_key_checking)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// The kinds of connection, by the last part of their names.
pub const CONNECTIONS: &[&str] =
    &["docker", "docker_api", "local", "paramiko", "paramiko_ssh", "podman", "smart", "ssh"];

/// The way that is wanted, and a key: equal keys mean the same way. A key is not for people's
/// eyes, as it tells whether two passwords are the same.
///
/// # Errors
/// A sentence, where there is no such kind of connection or a variable makes no sense.
pub(crate) fn transport(
    wanted: &Wanted<'_>,
    settings: &Settings,
) -> Result<(String, Arc<dyn Transport>), String> {
    let variables = Variables(wanted);
    match wanted.connection {
        "ssh" | "smart" | "paramiko" | "paramiko_ssh" => {
            let login = login(&variables, settings)?;
            let key = key_of_ssh(&login, settings);
            let here = Here {
                home: settings.home.clone(),
                helper: settings.executable.clone(),
                sockets: settings.sockets.clone(),
                environment: Arc::clone(&settings.environment),
                ask: settings.ask.clone(),
                common: Arc::clone(&settings.state.common),
            };
            Ok((key, Arc::new(Ssh::new(login, here))))
        }
        "local" => Ok(("local".into(), Arc::new(Local { patience: settings.timeout }))),
        "docker" | "docker_api" => container(&variables, settings, &DOCKER),
        "podman" => container(&variables, settings, &PODMAN),
        other => Err(format!(
            "there is no connection '{other}': hosts are reached by ssh, docker, podman and local"
        )),
    }
}

/// The variables and keywords of a task.
struct Variables<'a>(&'a Wanted<'a>);

impl Variables<'_> {
    /// The first of these variables that is set, with its name.
    fn first(&self, names: &[&'static str]) -> Result<Option<(&'static str, Value)>, String> {
        for name in names {
            let value = (self.0.variable)(name)
                .map_err(|error| format!("the variable '{name}' cannot be worked out: {error}"))?;
            if let Some(value) = value.filter(|it| !it.is_null() && !it.is_undefined()) {
                return Ok(Some((name, value)));
            }
        }
        Ok(None)
    }

    fn text(&self, names: &[&'static str]) -> Result<Option<String>, String> {
        let Some((name, value)) = self.first(names)? else { return Ok(None) };
        match &value {
            Value::Str(text) => Ok(Some(text.as_str().to_owned())),
            Value::Int(int) => Ok(Some(int.to_string())),
            Value::Bool(it) => Ok(Some(if *it { "True" } else { "False" }.to_owned())),
            Value::Float(it) => Ok(Some(it.to_string())),
            _ => Err(format!("the variable '{name}' must be a text")),
        }
    }

    /// A text; an empty one counts as none.
    fn some(&self, names: &[&'static str]) -> Result<Option<String>, String> {
        Ok(self.text(names)?.filter(|it| !it.is_empty()))
    }

    fn number<T: TryFrom<i128>>(&self, names: &[&'static str]) -> Result<Option<T>, String> {
        let Some((name, value)) = self.first(names)? else { return Ok(None) };
        let int = match &value {
            Value::Str(text) if text.as_str().trim().is_empty() => return Ok(None),
            Value::Str(text) => text.as_str().trim().parse().ok(),
            Value::Int(int) => Some(*int),
            Value::Float(it) if it.fract() == 0.0 && it.abs() < 1e9 => Some(*it as i128),
            _ => None,
        };
        let number = int.and_then(|int| T::try_from(int).ok());
        number.map(Some).ok_or_else(|| format!("the variable '{name}' must be a number"))
    }

    fn flag(&self, names: &[&'static str]) -> Result<Option<bool>, String> {
        let Some((name, value)) = self.first(names)? else { return Ok(None) };
        let flag = match &value {
            Value::Bool(it) => Some(*it),
            Value::Int(0) => Some(false),
            Value::Int(1) => Some(true),
            Value::Str(text) => match text.as_str().to_lowercase().as_str() {
                "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => Some(true),
                "n" | "no" | "off" | "0" | "false" | "f" | "0.0" => Some(false),
                _ => None,
            },
            _ => None,
        };
        flag.map(Some).ok_or_else(|| format!("the variable '{name}' must be yes or no"))
    }

    /// A dictionary of texts.
    fn map(&self, names: &[&'static str]) -> Result<Vec<(String, String)>, String> {
        let Some((name, value)) = self.first(names)? else { return Ok(Vec::new()) };
        let map =
            value.as_map().ok_or_else(|| format!("the variable '{name}' must be a dictionary"))?;
        Ok(map.iter().map(|(key, value)| (key.to_text(), value.to_str())).collect())
    }

    fn keyword(&self, name: &str) -> Option<&str> {
        let found = self.0.keywords.iter().find(|(it, _)| *it == name)?;
        Some(found.1.as_str()).filter(|it| !it.is_empty())
    }
}

fn login(variables: &Variables<'_>, settings: &Settings) -> Result<Login, String> {
    let it = variables;
    let host = it.some(&["ansible_ssh_host", "ansible_host"])?;
    let host = host.unwrap_or_else(|| it.0.host.to_string());
    // Brackets tell an address from its port where both are written; here they are apart.
    let host = match host.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        Some(bare) => bare.to_owned(),
        None => host,
    };
    if it.some(&["ansible_ssh_private_key", "ansible_private_key"])?.is_some() {
        return Err("ansible_private_key holds a key itself, which is not supported: write it to a file that only you can read and name that in ansible_ssh_private_key_file".into());
    }
    let pkcs11 = it.some(&["ansible_ssh_pkcs11_provider"])?;
    let mechanism = it.some(&["ansible_ssh_password_mechanism"])?;
    let password = match mechanism.as_deref() {
        Some("disable") => None,
        _ => it
            .some(&["ansible_ssh_password", "ansible_ssh_pass", "ansible_password"])?
            .or_else(|| settings.password.clone().filter(|it| !it.is_empty())),
    };
    let or = |text: Option<String>, default: &Option<String>| {
        text.or_else(|| default.clone()).filter(|it| !it.is_empty())
    };
    let timeout =
        it.number::<u32>(&["ansible_ssh_timeout", "ansible_connect_timeout", "ansible_timeout"])?;
    let keys = it.flag(&["ansible_ssh_host_key_checking", "ansible_host_key_checking"])?;
    Ok(Login {
        name: Arc::clone(it.0.host),
        host,
        user: user(it, settings, &["ansible_ssh_user", "ansible_user"])?,
        port: port(it, settings)?,
        key: or(
            it.text(&["ansible_ssh_private_key_file", "ansible_private_key_file"])?,
            &settings.private_key_file,
        ),
        password,
        passphrase: it
            .some(&["ansible_ssh_private_key_passphrase", "ansible_private_key_passphrase"])?,
        prompt: it.some(&["ansible_sshpass_prompt"])?,
        pkcs11,
        args: or(it.text(&["ansible_ssh_args"])?, &settings.ssh_args),
        common_args: or(it.text(&["ansible_ssh_common_args"])?, &settings.ssh_common_args),
        extra_args: or(it.text(&["ansible_ssh_extra_args"])?, &settings.ssh_extra_args),
        executable: or(it.text(&["ansible_ssh_executable"])?, &settings.ssh_executable),
        control_path: control_path(it, settings)?,
        checks_keys: keys.unwrap_or(settings.host_key_checking),
        timeout: timeout.map_or(settings.timeout, |it| Duration::from_secs(u64::from(it))),
        retries: it.number(&["ansible_ssh_retries"])?.unwrap_or(settings.retries),
        verbosity: it.number(&["ansible_ssh_verbosity"])?.unwrap_or(settings.ssh_verbosity),
    })
}

fn user(
    variables: &Variables<'_>,
    settings: &Settings,
    names: &[&'static str],
) -> Result<Option<String>, String> {
    if let Some(user) = variables.text(names)? {
        return Ok(Some(user).filter(|it| !it.is_empty()));
    }
    let keyword = variables.keyword("remote_user").map(str::to_owned);
    Ok(keyword.or_else(|| settings.remote_user.clone()).filter(|it| !it.is_empty()))
}

fn port(variables: &Variables<'_>, settings: &Settings) -> Result<Option<u16>, String> {
    if let Some(port) = variables.number(&["ansible_ssh_port", "ansible_port"])? {
        return Ok(Some(port));
    }
    match variables.keyword("port") {
        Some(text) => {
            let port = text.trim().parse();
            port.map(Some).map_err(|_| format!("the port '{text}' is not a number up to 65535"))
        }
        None => Ok(settings.port),
    }
}

fn control_path(variables: &Variables<'_>, settings: &Settings) -> Result<Option<String>, String> {
    let path = variables.some(&["ansible_control_path"])?;
    let Some(path) = path.or_else(|| settings.control_path.clone()) else { return Ok(None) };
    let folder = variables.some(&["ansible_control_path_dir"])?;
    let folder = folder.or_else(|| settings.control_path_dir.clone());
    let folder = folder.unwrap_or_else(|| "~/.ansible/cp".into());
    // Python's `%` fills it in, which is why ssh's own marks are doubled in it.
    let path = path.replace("%(directory)s", &folder).replace("%%", "%");
    Ok(Some(path).filter(|it| !it.is_empty()))
}

/// All that makes a difference, with what is secret as a number.
fn key_of_ssh(login: &Login, settings: &Settings) -> String {
    let mut key = String::with_capacity(96);
    let secret = settings.state.salt.hash_one((&login.password, &login.passphrase));
    // Writing to a text cannot fail.
    let _ = write!(key, "ssh {secret:x}");
    let texts = [&login.user, &login.key, &login.prompt, &login.pkcs11, &login.args];
    let more = [&login.common_args, &login.extra_args, &login.executable, &login.control_path];
    key.push('\n');
    key.push_str(&login.host);
    for text in texts.into_iter().chain(more) {
        // A text may hold anything but this.
        key.push('\0');
        key.push_str(text.as_deref().unwrap_or_default());
    }
    let _ = write!(
        key,
        "\0{:?} {} {:?} {} {}",
        login.port, login.checks_keys, login.timeout, login.retries, login.verbosity
    );
    key
}

/// An engine of containers, and how its variables are named.
struct Engine {
    name: &'static str,
    hosts: &'static [&'static str],
    users: &'static [&'static str],
    executable: &'static [&'static str],
    extra: &'static [&'static str],
    environment: &'static [&'static str],
    folder: &'static [&'static str],
    privileged: &'static [&'static str],
    timeout: &'static [&'static str],
}

const DOCKER: Engine = Engine {
    name: "docker",
    hosts: &["ansible_docker_host", "ansible_host"],
    users: &["ansible_docker_user", "ansible_user"],
    executable: &[],
    extra: &["ansible_docker_extra_args"],
    environment: &["ansible_docker_extra_env"],
    folder: &["ansible_docker_working_dir"],
    privileged: &["ansible_docker_privileged"],
    timeout: &["ansible_docker_timeout"],
};

const PODMAN: Engine = Engine {
    name: "podman",
    hosts: &["ansible_podman_host", "ansible_host"],
    users: &["ansible_user"],
    executable: &["ansible_podman_executable"],
    extra: &["ansible_podman_extra_args"],
    environment: &["ansible_podman_extra_env"],
    folder: &["ansible_podman_working_dir"],
    privileged: &["ansible_podman_privileged"],
    timeout: &["ansible_podman_timeout"],
};

fn container(
    variables: &Variables<'_>,
    settings: &Settings,
    engine: &Engine,
) -> Result<(String, Arc<dyn Transport>), String> {
    let it = variables;
    let extra = it.text(engine.extra)?.unwrap_or_default();
    let extra = words::split(&extra).map_err(|what| {
        format!("the {}_extra_args '{extra}' cannot be read: {what}", engine.name)
    })?;
    let timeout = it.number::<u32>(engine.timeout)?.filter(|it| *it > 0);
    let container = Container {
        engine: engine.name,
        executable: it.some(engine.executable)?.unwrap_or_else(|| engine.name.to_owned()),
        extra,
        name: it.some(engine.hosts)?.unwrap_or_else(|| it.0.host.to_string()),
        user: user(it, settings, engine.users)?,
        folder: it.some(engine.folder)?,
        privileged: it.flag(engine.privileged)?.unwrap_or_default(),
        environment: it.map(engine.environment)?,
        patience: timeout.map_or(settings.timeout, |it| Duration::from_secs(u64::from(it))),
    };
    let secret = settings.state.salt.hash_one(&container.environment);
    let key = format!(
        "{} {secret:x}\n{}\0{:?}\0{}\0{:?}\0{:?}\0{}{:?}",
        engine.name,
        container.name,
        container.user,
        container.executable,
        container.extra,
        container.folder,
        container.privileged,
        container.patience,
    );
    Ok((key, Arc::new(container)))
}
