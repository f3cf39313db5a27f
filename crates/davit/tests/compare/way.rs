//! The ways to the hosts of a case: this machine, over ssh, with another user's rights, into a container.
//!
//! Every host of a case becomes one that is reached that way, by extra variables, which win over whatever a case
//! says. What is on the other end sees the same disk, so files and results are the same as here.

use std::path::Path;

use davit_ground::{Container, Engine, Ground, Rights, Serve, Sshd, User};
use serde_json::{Value, json};

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As the case says, which is this machine.
    Here,
    /// As root, by key.
    Ssh,
    /// As a user without rights, and from there to root with a password.
    Become,
    /// Into a container. The original has no such connection without more packages: it is held against what it did
    /// over ssh.
    Container,
}

/// A way that is open until it is dropped.
pub(super) struct Way {
    pub(super) kind: Kind,
    container: Option<Container>,
    sshd: Option<Sshd>,
    user: Option<User>,
    ground: Option<Ground>,
}

impl Way {
    /// Opens it. What the other side may write is below `shared`.
    pub(super) fn open(kind: Kind, shared: &Path) -> Result<Self, String> {
        let mut way = Self { kind, container: None, sshd: None, user: None, ground: None };
        if kind == Kind::Here {
            return Ok(way);
        }
        let ground = Ground::new()?;
        // A bash that believes to be inside another one reads no start files, which are whoever's runs this.
        let more = "SetEnv SHLVL=2".to_owned();
        way.sshd = Some(Sshd::start(&ground, &Serve { more, ..Serve::hosts(1) })?);
        if kind == Kind::Become {
            way.user = Some(User::with(Rights::Password)?);
        }
        if kind == Kind::Container {
            std::fs::create_dir_all(shared)
                .map_err(|error| format!("{}: {error}", shared.display()))?;
            way.container = Some(Container::start(&ground, Engine::Podman, None, &[shared])?);
        }
        way.ground = Some(ground);
        Ok(way)
    }

    /// What recordings of the original are kept under.
    pub(super) fn recorded_as(&self) -> &'static str {
        match self.kind {
            Kind::Here => "",
            Kind::Ssh | Kind::Container => "ssh",
            Kind::Become => "become",
        }
    }

    /// The extra variables of the original's runs.
    pub(super) fn original(&self) -> Option<Value> {
        let hosts = &self.sshd.as_ref()?.hosts;
        let known = format!("-o UserKnownHostsFile={}", hosts.known_hosts.display());
        let mut vars = json!({
            "ansible_connection": "ssh",
            "ansible_host": hosts.addresses[0].to_string(),
            "ansible_port": hosts.port.to_string(),
            "ansible_user": "root",
            "ansible_ssh_private_key_file": hosts.key.path,
            "ansible_ssh_common_args": known,
            "ansible_pipelining": true,
        });
        if let Some(user) = &self.user {
            vars["ansible_user"] = user.name.into();
            vars["ansible_become"] = true.into();
            vars["ansible_become_password"] = user.password.clone().into();
        }
        Some(vars)
    }

    /// The extra variables of davit's runs.
    pub(super) fn davit(&self) -> Option<Value> {
        let Some(container) = &self.container else { return self.original() };
        Some(json!({ "ansible_connection": "podman", "ansible_host": container.name }))
    }

    /// A text without what differs from one opening of the way to the next.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some(sshd) = &self.sshd {
            text = text.replace(&sshd.hosts.addresses[0].to_string(), "{HOST}");
            text = hide_number(&text, &sshd.hosts.port.to_string(), "{PORT}");
        }
        if let Some(ground) = &self.ground {
            text = text.replace(&ground.folder().display().to_string(), "{GROUND}");
        }
        text
    }
}

/// A text with something in the place of a number, but not of digits in the middle of a longer one:
/// the time of an event may hold those of a port.
fn hide_number(text: &str, number: &str, by: &str) -> String {
    let mut hidden = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find(number) {
        let (before, after) = (&rest[..place], &rest[place + number.len()..]);
        let longer = before.ends_with(|it: char| it.is_ascii_digit())
            || after.starts_with(|it: char| it.is_ascii_digit());
        hidden.push_str(before);
        hidden.push_str(if longer { number } else { by });
        rest = after;
    }
    hidden.push_str(rest);
    hidden
}
