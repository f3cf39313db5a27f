//! Secrets stay where they belong, and nobody else on the host gets between davit and its agent.

mod folders;
mod places;

use davit_ground::{Ground, Machine, Options, Rights, User};

use crate::cli::Place;

/// A machine that lets people in with passwords, and an inventory for the user.
struct Scene {
    machine: Machine,
    user: User,
    place: Place,
    _ground: Ground,
}

impl Scene {
    /// The user has a home of its own on a disk of its own there. `before` are commands on the machine, in which
    /// `$home` is that home and `$id` the user.
    fn new(rights: Rights, before: &str) -> Self {
        let user = User::with(rights).expect("a user");
        let ground = Ground::new().expect("a ground");
        let home = user.home.display();
        let id = user.id().expect("its number");
        let before = format!(
            "home={home}\nid={id}\nmount -t tmpfs -o mode=700,uid={id},gid={id} none $home\n\
             {before}"
        );
        let options = Options { passwords: true, before, ..Options::default() };
        let machine = Machine::start(&ground, &options).expect("a machine");
        let place = Place::new(&[]);
        let inventory = format!(
            "a ansible_host={}\n[all:vars]\nansible_user={}\nansible_ssh_common_args=-o UserKnownHostsFile={}\n",
            machine.hosts.addresses[0],
            user.name,
            machine.hosts.known_hosts.display(),
        );
        place.write("hosts", &inventory);
        Self { machine, user, place, _ground: ground }
    }

    /// Lets davit log in with the key.
    fn with_key(self) -> Self {
        let key =
            format!("ansible_ssh_private_key_file={}\n", self.machine.hosts.key.path.display());
        let inventory = self.place.read("hosts") + &key;
        self.place.write("hosts", &inventory);
        self
    }
}
