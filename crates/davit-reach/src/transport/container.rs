//! Containers: a shell in one, through the command of its engine. Knows nothing of images.

use std::time::Duration;

use davit_run::Unreachable;
use tokio::process::Command;

use crate::transport::{Boxed, Pipes, Transport, process};

/// A container that runs.
#[derive(Debug)]
pub(crate) struct Container {
    /// `docker` or `podman`, for people.
    pub(crate) engine: &'static str,
    /// The engine's command.
    pub(crate) executable: String,
    /// Options for it, before `exec`.
    pub(crate) extra: Vec<String>,
    /// Name or id.
    pub(crate) name: String,
    /// Who runs the shell, where not the container's own user.
    pub(crate) user: Option<String>,
    /// Where it starts, where not in the container's own folder.
    pub(crate) folder: Option<String>,
    /// With all capabilities.
    pub(crate) privileged: bool,
    /// Variables for the shell.
    pub(crate) environment: Vec<(String, String)>,
    /// How long to wait for the shell.
    pub(crate) patience: Duration,
}

impl Container {
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.executable);
        command.args(&self.extra).args(["exec", "-i"]);
        for (option, value) in [("-u", &self.user), ("-w", &self.folder)] {
            if let Some(value) = value {
                command.arg(option).arg(value);
            }
        }
        if self.privileged {
            command.arg("--privileged");
        }
        for (name, value) in &self.environment {
            if is_of_engine(name) {
                command.arg("-e").arg(format!("{name}={value}"));
            } else {
                // Named alone, the engine takes it from its own environment: a value may be a
                // secret, and everybody can read command lines.
                command.env(name, value).arg("-e").arg(name);
            }
        }
        command.arg(&self.name).args(["/bin/sh", "-c", line]);
        command
    }
}

/// Variables that would change what the engine's command does.
fn is_of_engine(name: &str) -> bool {
    ["PATH", "HOME", "TMPDIR"].contains(&name)
        || ["DOCKER_", "CONTAINER", "LD_", "XDG_"].iter().any(|it| name.starts_with(it))
}

impl Transport for Container {
    fn address(&self) -> String {
        match &self.user {
            Some(user) => format!("{}:{user}@{}", self.engine, self.name),
            None => format!("{}:{}", self.engine, self.name),
        }
    }

    fn start<'a>(&'a self, line: &'a str) -> Boxed<'a, Result<Pipes, Unreachable>> {
        let started = if self.name.starts_with('-') {
            Err(Unreachable::new(format!("'{}' is no name of a container", self.name)))
        } else {
            process::spawn(self.command(line))
                .map(|(pipes, _)| pipes)
                .map_err(|error| process::not_started(&self.executable, &error, self.engine))
        };
        Box::pin(std::future::ready(started))
    }

    fn explain(&self, code: Option<i32>, said: &str) -> Unreachable {
        let said = said.trim();
        let why = match (said, code) {
            ("", Some(code)) => format!("{} exec ended with {code}", self.engine),
            ("", None) => format!("{} exec ended", self.engine),
            _ => format!("{} exec: {said}", self.engine),
        };
        Unreachable { help: self.help(said), ..Unreachable::new(why) }
    }

    fn is_failure(&self, said: &str) -> bool {
        self.help(said).is_some()
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    fn retries(&self) -> u32 {
        0
    }
}

impl Container {
    fn help(&self, said: &str) -> Option<String> {
        let low = said.to_lowercase();
        let has = |text: &str| low.contains(text);
        let (engine, name) = (self.engine, &self.name);
        Some(if has("no such container") || has("no container with name") {
            format!(
                "`{engine} ps -a` lists the containers there are; the name is ansible_host, or the host's name in the inventory"
            )
        } else if has("is not running") || has("not running") || has("container state improper") {
            format!("start it: `{engine} start {name}`; `{engine} logs {name}` says why it ended")
        } else if has("is paused") {
            format!("`{engine} unpause {name}`")
        } else if has("permission denied") && (has("docker.sock") || has("daemon")) {
            "who runs davit may not use the Docker daemon: join the group 'docker', or use a daemon of your own with DOCKER_HOST".into()
        } else if has("cannot connect to") || has("is the docker daemon running") {
            format!("no {engine} answers: is it started, and does DOCKER_HOST lead to it?")
        } else if has("unable to find user") || has("no matching entries in passwd") {
            format!(
                "the user '{}' is not in the container's /etc/passwd",
                self.user.as_deref().unwrap_or_default()
            )
        } else if has("/bin/sh") && (has("no such file") || has("not found")) {
            "there is no shell in the container's image: nothing can be run in it".into()
        } else {
            return None;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container() -> Container {
        Container {
            engine: "docker",
            executable: "docker".into(),
            extra: vec!["-H".into(), "unix:///x".into()],
            name: "web".into(),
            user: Some("app".into()),
            folder: None,
            privileged: false,
            environment: vec![("TOKEN".into(), "secret".into()), ("PATH".into(), "/bin".into())],
            patience: Duration::from_secs(1),
        }
    }

    #[test]
    fn values_of_variables_are_not_on_the_command_line() {
        let command = container().command("true");
        let args: Vec<_> =
            command.as_std().get_args().map(|it| it.to_string_lossy().into_owned()).collect();
        let expect = [
            "-H",
            "unix:///x",
            "exec",
            "-i",
            "-u",
            "app",
            "-e",
            "TOKEN",
            "-e",
            "PATH=/bin",
            "web",
            "/bin/sh",
            "-c",
            "true",
        ];
        assert_eq!(args, expect);
    }

    #[test]
    fn what_engines_say_is_understood() {
        for (said, part) in [
            ("Error: No such container: web", "ps -a"),
            ("Error: no container with name or ID \"web\" found: no such container", "ps -a"),
            ("Error response from daemon: Container 12 is not running", "docker start web"),
            (
                "Error: can only create exec sessions on running containers: container state improper",
                "start",
            ),
            (
                "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
                "DOCKER_HOST",
            ),
            (
                "OCI runtime exec failed: exec failed: unable to start container process: exec: \"/bin/sh\": stat /bin/sh: no such file or directory: unknown",
                "no shell",
            ),
            ("unable to find user app: no matching entries in passwd file", "'app'"),
        ] {
            let help = container().explain(Some(1), said).help;
            assert!(help.as_ref().is_some_and(|help| help.contains(part)), "{said}: {help:?}");
        }
        assert_eq!(container().explain(Some(1), "hm").help, None);
    }
}
