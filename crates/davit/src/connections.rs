//! How hosts are reached: what the command line and the configuration say of it, and the passwords
//! that it takes.
//!
//! Variables and keywords stand above all of this; they are looked at for each task.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use davit_reach::{Question, Reach};
use davit_run::{Connections, Hidden};
use nix::unistd::{AccessFlags, access};

use crate::config::Config;
use crate::prompt;
use crate::report::Report;
use crate::setup::Request;

/// What the command line says of connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Login {
    pub(crate) private_key: Option<String>,
    pub(crate) ssh_common_args: Option<String>,
    pub(crate) ssh_extra_args: Option<String>,
    /// `-k`, `-K`.
    pub(crate) ask_password: bool,
    pub(crate) ask_become_password: bool,
    pub(crate) password_file: Option<String>,
    pub(crate) become_password_file: Option<String>,
}

/// The passwords of a run that no variable says.
#[derive(Clone, Default)]
pub(crate) struct Passwords {
    connection: Option<String>,
    pub(crate) privileges: Option<String>,
}

impl Passwords {
    /// Reads and asks for them, each once.
    pub(crate) fn of(request: &Request, config: &Config) -> Result<Self, Report> {
        let login = &request.login;
        let file = |typed: &Option<String>, name: &str| match typed {
            Some(path) => Some(config.expand(path)),
            None => config.path_of(name),
        };
        let mut passwords = Self::default();
        let asks = login.ask_password || config.is("DEFAULT_ASK_PASS")?;
        let from = file(&login.password_file, "CONNECTION_PASSWORD_FILE");
        if let Some(path) = from.filter(|_| !login.ask_password) {
            passwords.connection = Some(of_file(&path)?);
        } else if asks {
            passwords.connection = Some(typed("SSH password: ")?);
        }
        let asks = login.ask_become_password || config.is("DEFAULT_BECOME_ASK_PASS")?;
        let from = file(&login.become_password_file, "BECOME_PASSWORD_FILE");
        if let Some(path) = from.filter(|_| !login.ask_become_password) {
            passwords.privileges = Some(of_file(&path)?);
        } else if asks {
            passwords.privileges = Some(match &passwords.connection {
                Some(other) => match typed("BECOME password[defaults to SSH password]: ")? {
                    empty if empty.is_empty() => other.clone(),
                    own => own,
                },
                None => typed("BECOME password: ")?,
            });
        }
        Ok(passwords)
    }

    /// Everything that no event may show.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        self.connection.iter().chain(&self.privileges).map(String::as_str)
    }

    /// What `become` asks for.
    pub(crate) fn for_become(&self) -> Option<Hidden> {
        self.privileges.clone().map(Hidden::new)
    }
}

fn typed(question: &str) -> Result<String, Report> {
    prompt::password(question)
        .ok_or_else(|| Report::new(format!("nobody answers the question '{}'", question.trim())))
}

/// A password that a file holds, or that a program prints; `-` is standard input.
fn of_file(path: &Path) -> Result<String, Report> {
    let shown = path.display();
    let content = if path == Path::new("-") {
        use std::io::Read as _;
        let mut content = Vec::new();
        std::io::stdin()
            .read_to_end(&mut content)
            .map_err(|error| Report::new(format!("cannot read standard input: {error}")))?;
        content
    } else if !path.exists() {
        return Err(Report::new(format!("The password file {shown} was not found")));
    } else if path.is_file() && access(path, AccessFlags::X_OK).is_ok() {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let ran = std::process::Command::new(&path).output().map_err(|error| {
            Report::new(format!(
                "Problem occured when trying to run the password script {shown} ({error})."
            ))
        })?;
        if !ran.status.success() {
            let code = ran.status.code().unwrap_or(-1);
            let said = String::from_utf8_lossy(&ran.stderr);
            return Err(Report::new(format!(
                "The password script {shown} returned an error (rc={code}): {}",
                said.trim_end()
            )));
        }
        ran.stdout
    } else {
        std::fs::read(path).map_err(|error| {
            Report::new(format!("Could not read password file {shown}: {error}"))
        })?
    };
    let text = String::from_utf8_lossy(&content);
    // What stands below the first line is none of it.
    let password = text.lines().next().unwrap_or_default().trim();
    if password.is_empty() {
        return Err(Report::new(format!("Empty password was provided from file ({shown})")));
    }
    Ok(password.to_owned())
}

/// The ways to all hosts of a run.
pub(crate) fn connections(
    request: &Request,
    config: &Config,
    passwords: &Passwords,
    (options, run): (davit_module::Options, String),
) -> Result<Connections, Report> {
    let reach = Reach::new(davit_reach::Options {
        settings: settings(request, config, passwords)?,
        run,
        dry_run: options.dry_run,
        keep: options.keep.is_some(),
    });
    let connections = Connections::new(options, Some(reach));
    let Ok(program) = std::env::current_exe() else { return Ok(connections) };
    Ok(connections.with_jobs(Arc::new(move |module, call, job, session| {
        let program = [program.clone().into(), crate::helper::JOB.into()];
        davit_host::job::start(&program, module, call, job, session)
    })))
}

/// What tells this run from any other, for hosts that remember what they have done in it.
pub(crate) fn new_run_name() -> String {
    // Each `RandomState` has keys of its own, from the system's source of random numbers.
    let number = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", number(), number())
}

fn settings(
    request: &Request,
    config: &Config,
    passwords: &Passwords,
) -> Result<davit_reach::Settings, Report> {
    let login = &request.login;
    let plugin = |variable: &str, key: &str| {
        config.plugin(&[variable], &[("ssh_connection", key)]).map(str::to_owned)
    };
    let number = |text: Option<String>| text.and_then(|it| it.trim().parse().ok());
    let retries = config.plugin(
        &["ANSIBLE_SSH_RETRIES"],
        &[("connection", "retries"), ("ssh_connection", "retries")],
    );
    let seconds = match request.timeout {
        Some(seconds) => Some(seconds),
        None => match number(plugin("ANSIBLE_SSH_TIMEOUT", "timeout")) {
            Some(seconds) => Some(seconds),
            None => config.number("DEFAULT_TIMEOUT")?,
        },
    };
    let checks = config
        .plugin(&["ANSIBLE_SSH_HOST_KEY_CHECKING"], &[("ssh_connection", "host_key_checking")]);
    let runtime = config.environment.get("XDG_RUNTIME_DIR").filter(|it| Path::new(it).is_dir());
    Ok(davit_reach::Settings {
        remote_user: request
            .user
            .clone()
            .or_else(|| config.get("DEFAULT_REMOTE_USER").map(str::to_owned)),
        port: config.number("DEFAULT_REMOTE_PORT")?.and_then(|it| u16::try_from(it).ok()),
        private_key_file: login.private_key.clone().or_else(|| {
            config.path_of("DEFAULT_PRIVATE_KEY_FILE").map(|it| it.to_string_lossy().into_owned())
        }),
        ssh_args: plugin("ANSIBLE_SSH_ARGS", "ssh_args"),
        ssh_common_args: login
            .ssh_common_args
            .clone()
            .or_else(|| plugin("ANSIBLE_SSH_COMMON_ARGS", "ssh_common_args")),
        ssh_extra_args: login
            .ssh_extra_args
            .clone()
            .or_else(|| plugin("ANSIBLE_SSH_EXTRA_ARGS", "ssh_extra_args")),
        ssh_executable: plugin("ANSIBLE_SSH_EXECUTABLE", "ssh_executable"),
        control_path: plugin("ANSIBLE_SSH_CONTROL_PATH", "control_path"),
        control_path_dir: plugin("ANSIBLE_SSH_CONTROL_PATH_DIR", "control_path_dir"),
        host_key_checking: match checks {
            Some(text) => matches!(
                text.trim().to_lowercase().as_str(),
                "yes" | "on" | "1" | "true" | "y" | "t"
            ),
            None => config.is("HOST_KEY_CHECKING")?,
        },
        timeout: Duration::from_secs(seconds.unwrap_or(10)),
        retries: number(retries.map(str::to_owned))
            .and_then(|it| u32::try_from(it).ok())
            .unwrap_or(0),
        ssh_verbosity: number(plugin("ANSIBLE_SSH_VERBOSITY", "verbosity"))
            .and_then(|it| u8::try_from(it).ok())
            .unwrap_or(0),
        password: passwords.connection.clone(),
        executable: std::env::current_exe().ok(),
        sockets: runtime.map_or_else(std::env::temp_dir, PathBuf::from),
        home: config.environment.get("HOME").map(PathBuf::from),
        environment: Arc::default(),
        ask: Some(Arc::new(|question: &Question| ask(question))),
        ..davit_reach::Settings::default()
    })
}

/// Puts a question of ssh to the person at the terminal.
fn ask(question: &Question) -> Option<String> {
    use davit_reach::Asked;
    use davit_run::Prompt as _;
    let shown = format!("{}: {}", question.host, question.text);
    match question.kind {
        Asked::HostKey | Asked::Confirm => prompt::Terminal.ask(&shown, false),
        Asked::Notice => {
            crate::report::say(&shown);
            None
        }
        _ => prompt::Terminal.ask(&shown, true),
    }
}

/// `become` and what belongs to it, where the playbook does not say.
pub(crate) fn privileges(
    request: &Request,
    config: &Config,
) -> Result<BTreeMap<String, String>, Report> {
    let mut all = BTreeMap::new();
    if config.is("DEFAULT_BECOME")? {
        all.insert("become".to_owned(), "true".to_owned());
    }
    for (key, name) in [
        ("become_user", "DEFAULT_BECOME_USER"),
        ("become_method", "DEFAULT_BECOME_METHOD"),
        ("become_exe", "DEFAULT_BECOME_EXE"),
        ("become_flags", "DEFAULT_BECOME_FLAGS"),
        ("remote_user", "DEFAULT_REMOTE_USER"),
    ] {
        if let Some(text) = config.get(name) {
            all.insert(key.to_owned(), text.to_owned());
        }
    }
    of_methods(config, &mut all);
    if let Some(user) = &request.user {
        all.insert("remote_user".to_owned(), user.clone());
    }
    if request.privileges.contains_key("become_user") {
        // What was typed stands above what is configured for one method.
        all.retain(|key, _| !key.ends_with("_user") || key == "remote_user");
    }
    all.extend(request.privileges.clone());
    Ok(all)
}

/// What is configured for one way to become another user: `sudo_flags`, `su_exe`.
fn of_methods(config: &Config, all: &mut BTreeMap<String, String>) {
    for method in ["sudo", "su", "doas", "runuser", "pbrun", "pfexec", "dzdo", "ksu", "machinectl"]
    {
        for (what, key) in [("user", "user"), ("exe", "executable"), ("flags", "flags")] {
            let variable = format!("ANSIBLE_{method}_{what}").to_uppercase();
            let section = format!("{method}_become_plugin");
            if let Some(text) = config.plugin(&[&variable], &[(&section, key)]) {
                all.insert(format!("{method}_{what}"), text.to_owned());
            }
        }
    }
}

/// The password that is configured for `become`.
pub(crate) fn become_password(config: &Config) -> Option<String> {
    let variables = ["ANSIBLE_BECOME_PASS", "ANSIBLE_SU_PASS", "ANSIBLE_SUDO_PASS"];
    let keys = [("su_become_plugin", "password"), ("sudo_become_plugin", "password")];
    config.plugin(&variables, &keys).map(str::to_owned)
}
