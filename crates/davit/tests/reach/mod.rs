//! How davit gets to hosts and becomes others there, as a new user would try it.

mod containers;
mod login;
mod privileges;
mod synchronize;
mod undo;

use std::fmt::Write;

use davit_ground::{Ground, Serve, Sshd, User};

use crate::cli::Place;

/// An sshd that takes keys and passwords, and a folder with an inventory: the host `a`.
struct Scene {
    sshd: Sshd,
    place: Place,
    _ground: Ground,
}

impl Scene {
    /// The host key is known, the user is not named, and there is no key.
    fn new() -> Self {
        let ground = Ground::new().expect("a ground");
        let serve = Serve { passwords: true, ..Serve::hosts(1) };
        let sshd = Sshd::start(&ground, &serve).expect("an sshd");
        let scene = Self { sshd, place: Place::new(&[]), _ground: ground };
        scene.inventory(&[("ansible_ssh_common_args", &scene.known())]);
        scene
    }

    /// The argument that names the known hosts.
    fn known(&self) -> String {
        format!("-o UserKnownHostsFile={}", self.sshd.hosts.known_hosts.display())
    }

    /// Writes the inventory with these variables of the host.
    fn inventory(&self, variables: &[(&str, &str)]) {
        let hosts = &self.sshd.hosts;
        let mut text = format!(
            "all:\n  hosts:\n    a:\n      ansible_host: {}\n      ansible_port: {}\n",
            hosts.addresses[0], hosts.port
        );
        for (name, value) in variables {
            let _ = writeln!(text, "      {name}: '{}'", value.replace('\'', "''"));
        }
        self.place.write("hosts.yml", &text);
    }

    /// As [`inventory`](Self::inventory), for this user with the key.
    fn with_key(&self, user: &str, variables: &[(&str, &str)]) {
        let key = self.sshd.hosts.key.path.display().to_string();
        let known = self.known();
        let mut all = vec![
            ("ansible_user", user),
            ("ansible_ssh_private_key_file", &key),
            ("ansible_ssh_common_args", &known),
        ];
        all.extend(variables);
        self.inventory(&all);
    }

    /// A file that only its owner reads, with the user's password.
    fn password(&self, user: &User) {
        self.place.write("password", &format!("{}\n", user.password));
    }
}
