//! What goes wrong between davit and its hosts, with a real sshd behind a real cable.
//!
//! After each of these: davit has ended by itself, with the exit code for unreachable hosts; the other host has its
//! results; nothing is left running on the host; no half of a file is in place; and `davit resume` finishes the run with
//! every task applied once. Tasks append a line to a file of their host, so applying one twice shows.

mod agents;
mod cables;
mod clocks;
mod disks;
mod floods;
mod silence;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use davit_ground::{Ground, Machine, Options, wait_until};

use crate::cli::{Place, Ran};

/// Nothing here takes nearly as long, on a busy machine either.
const LIMIT: Duration = Duration::from_secs(150);
/// How long the host may take to see that nobody is there any more, and to end what runs.
const GONE: Duration = Duration::from_secs(90);

/// Two machines, `a` that things happen to and `b` that nothing happens to.
struct Scene {
    a: Machine,
    _b: Machine,
    place: Place,
    ground: Ground,
}

impl Scene {
    fn new(tasks: &str) -> Self {
        Self::with(tasks, Options::default())
    }

    /// The options are those of `a`. A host is root there and has a home of its own.
    fn with(tasks: &str, options: Options) -> Self {
        let ground = Ground::new().expect("a ground");
        let place = Place::new(&[]);
        let shared = vec![place.path().to_owned()];
        let start = |options: Options| {
            let options = Options { homes: true, shared: shared.clone(), ..options };
            Machine::start(&ground, &options).expect("a machine")
        };
        let (a, b) = (start(options), start(Options::default()));
        let mut inventory = String::new();
        for (name, machine) in [("a", &a), ("b", &b)] {
            let _ = writeln!(inventory, "{name} ansible_host={}", machine.hosts.addresses[0]);
        }
        let hosts = &a.hosts;
        let _ = write!(
            inventory,
            "[all:vars]\nansible_user=root\nansible_ssh_private_key_file={}\n\
             ansible_ssh_common_args=-o UserKnownHostsFile={}\nlog={}/log-{{{{ inventory_hostname }}}}\n",
            hosts.key.path.display(),
            hosts.known_hosts.display(),
            place.path().display(),
        );
        place.write("hosts", &inventory);
        place.write("site.yml", &format!("- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}"));
        Self { a, _b: b, place, ground }
    }

    /// Starts the run, and waits until that happened.
    fn start(&self, until: impl Fn(&Self) -> bool) -> Running<'_> {
        self.start_with("site.yml", &[], until)
    }

    /// Starts the run of a playbook with variables in its environment, and waits.
    fn start_with(
        &self,
        playbook: &str,
        environment: &[(&str, &Path)],
        until: impl Fn(&Self) -> bool,
    ) -> Running<'_> {
        let file = |name: &str| fs::File::create(self.place.path().join(name)).expect("a file");
        let child = self
            .place
            .command(&format!("davit run -i hosts {playbook} --output default"))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .expect("davit starts");
        let running = Running { child, scene: self };
        let seen = wait_until(LIMIT, || until(self));
        assert!(seen, "it did not come so far:\n{}", running.said());
        running
    }

    fn resume(&self) -> Ran {
        self.place.run("davit resume last")
    }

    fn log(&self, host: &str) -> String {
        fs::read_to_string(self.place.path().join(format!("log-{host}"))).unwrap_or_default()
    }

    /// The homes of `a`: where the agent is kept.
    fn home(&self) -> PathBuf {
        self.a.hosts.home(0)
    }

    /// A folder that the hosts see and that goes with the scene.
    fn shared(&self, name: &str) -> PathBuf {
        let folder = self.ground.path(name);
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    /// After a while nothing runs on `a`.
    #[track_caller]
    fn nothing_runs(&self) {
        let nothing = wait_until(GONE, || self.a.processes().is_empty());
        let left: Vec<String> = self.a.processes().into_iter().map(|it| it.line).collect();
        assert!(nothing, "still running on the host: {left:#?}");
    }

    /// Goes on with the run: it succeeds, and each host has these lines, once and in this order.
    #[track_caller]
    fn finishes_with(&self, lines: &str) {
        let resumed = self.resume();
        assert_eq!(resumed.code, 0, "{}{}", resumed.out, resumed.err);
        assert_eq!((self.log("a").as_str(), self.log("b").as_str()), (lines, lines));
    }
}

/// davit while it runs.
struct Running<'s> {
    child: Child,
    scene: &'s Scene,
}

impl Running<'_> {
    /// What it has printed so far.
    fn said(&self) -> String {
        ["stdout", "stderr"].map(|name| self.scene.place.read(name)).concat()
    }

    /// Its end, which comes in time, and what it printed.
    #[track_caller]
    fn end(mut self) -> (i32, String) {
        let ended = wait_until(LIMIT, || matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)));
        let said = self.said();
        assert!(ended, "davit does not end:\n{said}");
        let status = self.child.wait().expect("it has ended");
        (status.code().unwrap_or(-1), said)
    }

    /// It ends with `a` unreachable, and `b` has done everything.
    #[track_caller]
    fn loses_a(self, lines_of_b: &str) -> String {
        let scene = self.scene;
        let (code, said) = self.end();
        assert_eq!(code, 4, "{said}");
        assert!(said.contains("UNREACHABLE"), "{said}");
        assert_eq!(scene.log("b"), lines_of_b, "{said}");
        said
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A task that appends a line, after what comes before it.
fn append(before: &str, line: &str) -> String {
    format!("    - shell: \"{before}echo {line} >> {{{{ log }}}}\"\n")
}
