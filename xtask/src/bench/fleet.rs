//! Many hosts over ssh: davit and its peers, and the floor that none of them can beat.
//!
//! Addresses of the loopback range, or of a namespace with a long line, stand for hosts. Every tool gets the
//! same fifty tasks a host: a folder, a file, a line in it, a command, a stat, ten times over. The floor is a bare
//! `ssh host true` for every host, side by side. What a tool did is looked at afterwards.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use davit_ground::{Ground, Hosts, Machine, Options, Serve, Sshd};

use super::inputs;
use crate::{Outcome, process::measure, setup, target};

/// Groups of five tasks that each host gets.
const GROUPS: usize = 10;

/// One comparison.
struct Fleet {
    name: &'static str,
    what: &'static str,
    hosts: usize,
    delay: Duration,
    /// Peers that run as well; slow ones only where their numbers say something new.
    peers: &'static [Tool],
}

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Floor,
    /// davit on hosts that have never seen it.
    First,
    Davit,
    Mitogen,
    Pyinfra,
    Pipelining,
    Ansible,
}

impl Tool {
    fn label(self) -> &'static str {
        match self {
            Self::Floor => "ssh host true",
            Self::First => "davit, first contact",
            Self::Davit => "davit",
            Self::Mitogen => "mitogen",
            Self::Pyinfra => "pyinfra",
            Self::Pipelining => "ansible, pipelining",
            Self::Ansible => "ansible",
        }
    }

    fn rounds(self) -> usize {
        match self {
            Self::Floor | Self::First | Self::Davit => 3,
            Self::Mitogen | Self::Pyinfra | Self::Pipelining | Self::Ansible => 1,
        }
    }
}

const ALL: &[Tool] = &[Tool::Mitogen, Tool::Pyinfra, Tool::Pipelining, Tool::Ansible];

const FLEETS: &[Fleet] = &[
    Fleet {
        name: "fleet",
        what: "10 hosts x 50 tasks",
        hosts: 10,
        delay: Duration::ZERO,
        peers: ALL,
    },
    Fleet {
        name: "fleet-1",
        what: "1 host x 50 tasks",
        hosts: 1,
        delay: Duration::ZERO,
        peers: ALL,
    },
    Fleet {
        name: "fleet-50",
        what: "50 hosts x 50 tasks",
        hosts: 50,
        delay: Duration::ZERO,
        peers: &[Tool::Mitogen],
    },
    Fleet {
        name: "fleet-far",
        what: "10 hosts x 50 tasks, 50 ms away",
        hosts: 10,
        delay: Duration::from_millis(25),
        peers: &[Tool::Mitogen, Tool::Pipelining],
    },
];

/// The names of the comparisons.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FLEETS.iter().map(|it| it.name)
}

/// Runs the comparison of this name. `quick` leaves out peers that take minutes.
pub(super) fn fleet(name: &str, quick: bool) -> Outcome {
    for fleet in FLEETS.iter().filter(|it| it.name == name) {
        let slow = |tool: &Tool| quick && *tool != Tool::Mitogen;
        let peers = fleet.peers.iter().filter(|it| !slow(it));
        let tools = [Tool::Floor, Tool::First, Tool::Davit].into_iter().chain(peers.copied());
        one(fleet, &tools.collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Hosts on loopback or behind a long line, for as long as this lives.
pub(super) struct Field {
    pub(super) hosts: Hosts,
    _server: Result<Sshd, Box<Machine>>,
    pub(super) ground: Ground,
}

impl Field {
    pub(super) fn open(hosts: usize, delay: Duration, homes: bool) -> Result<Self, String> {
        let ground = Ground::new()?;
        if delay.is_zero() {
            let sshd = Sshd::start(&ground, &Serve { homes, ..Serve::hosts(hosts) })?;
            return Ok(Self { hosts: sshd.hosts.clone(), _server: Ok(sshd), ground });
        }
        let machine =
            Machine::start(&ground, &Options { hosts, delay, homes, ..Options::default() })?;
        Ok(Self { hosts: machine.hosts.clone(), _server: Err(Box::new(machine)), ground })
    }

    /// davit, in the ground's folder.
    pub(super) fn davit(&self, args: &[&str]) -> Command {
        let mut command = Command::new(target().join("release/davit"));
        command.args(args).current_dir(self.ground.folder()).env("HOME", self.ground.path("me"));
        command
    }
}

fn one(fleet: &Fleet, tools: &[Tool]) -> Outcome {
    println!("\n{}: {}", fleet.name, fleet.what);
    let field = Field::open(fleet.hosts, fleet.delay, true)?;
    let peers = setup::peers()?;
    inputs::write(&field, &peers, GROUPS)?;
    let mut seconds = Vec::new();
    for tool in tools {
        let mut times = Vec::new();
        for _ in 0..tool.rounds() {
            times.push(round(&field, fleet, *tool, &peers)?);
        }
        times.sort_by(f64::total_cmp);
        seconds.push((*tool, times[times.len() / 2]));
        report(&seconds, *tool);
    }
    Ok(())
}

/// Prints a line as soon as it is known: the last ones take minutes.
fn report(seconds: &[(Tool, f64)], tool: Tool) {
    let of = |wanted: Tool| seconds.iter().find(|(it, _)| *it == wanted).map(|(_, time)| *time);
    let (Some(time), Some(floor)) = (of(tool), of(Tool::Floor)) else { return };
    let davit =
        of(Tool::Davit).map_or(String::new(), |davit| format!("{:>9.1} x davit", time / davit));
    println!("  {:<22}{time:>9.2} s{:>9.1} x floor{davit}", tool.label(), time / floor);
}

fn round(field: &Field, fleet: &Fleet, tool: Tool, peers: &Path) -> Result<f64, String> {
    let out = field.ground.path("out");
    let _ = fs::remove_dir_all(&out);
    if tool == Tool::First {
        for host in 0..fleet.hosts {
            let home = field.hosts.home(host);
            let emptied = fs::remove_dir_all(&home).and_then(|()| fs::create_dir(&home));
            emptied.map_err(|error| format!("{}: {error}", home.display()))?;
        }
    }
    if tool == Tool::Floor {
        return floor(&field.hosts);
    }
    let output = field.ground.path("output");
    let measured = measure(&mut command(field, fleet, tool, peers), &output).map_err(|error| {
        let text = fs::read_to_string(&output).unwrap_or_default();
        let from = text.len().saturating_sub(1500);
        format!("{error}\n{}", text.get(from..).unwrap_or_default())
    })?;
    check(&out, fleet.hosts)?;
    Ok(measured.time.as_secs_f64())
}

/// `ssh host true` for all of them at once.
pub(super) fn floor(hosts: &Hosts) -> Result<f64, String> {
    let started = Instant::now();
    let mut children = Vec::new();
    for host in 0..hosts.addresses.len() {
        let child = Command::new("ssh")
            .args(hosts.ssh("root", host))
            .arg("true")
            .stdin(Stdio::null())
            .spawn();
        children.push(child.map_err(|error| format!("ssh: {error}"))?);
    }
    for mut child in children {
        let status = child.wait().map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("the floor failed: {status}"));
        }
    }
    Ok(started.elapsed().as_secs_f64())
}

fn command(field: &Field, fleet: &Fleet, tool: Tool, peers: &Path) -> Command {
    let forks = fleet.hosts.to_string();
    let play = ["-i", "hosts.ini", "-f", &forks, "site.yml"];
    let peer = |program: &str, args: &[&str]| {
        let mut command = Command::new(peers.join("bin").join(program));
        command.args(args).current_dir(field.ground.folder()).env("HOME", field.ground.path("me"));
        command
    };
    match tool {
        Tool::Floor | Tool::First | Tool::Davit => {
            field.davit(&["run"].into_iter().chain(play).collect::<Vec<_>>())
        }
        Tool::Pyinfra => peer("pyinfra", &["-y", "inv.py", "deploy.py"]),
        Tool::Ansible => peer("ansible-playbook", &play),
        Tool::Pipelining => {
            let mut command = peer("ansible-playbook", &play);
            command.env("ANSIBLE_PIPELINING", "1");
            command
        }
        Tool::Mitogen => {
            let mut command = peer("ansible-playbook", &play);
            command.env("ANSIBLE_STRATEGY", "mitogen_linear");
            command.env("ANSIBLE_STRATEGY_PLUGINS", strategy(peers));
            command
        }
    }
}

/// Where Mitogen's strategies are.
fn strategy(peers: &Path) -> PathBuf {
    let pythons = fs::read_dir(peers.join("lib")).into_iter().flatten().flatten();
    let at = |it: fs::DirEntry| it.path().join("site-packages/ansible_mitogen/plugins/strategy");
    pythons.map(at).find(|it| it.exists()).unwrap_or_default()
}

/// Every file on every host is as asked.
fn check(out: &Path, hosts: usize) -> Outcome {
    for host in 1..=hosts {
        for group in 0..GROUPS {
            let file = out.join(format!("h{host}/d{group}/f.txt"));
            let text = fs::read_to_string(&file).unwrap_or_default();
            if text != format!("hello h{host} {group}\nkey={group}\n") {
                return Err(format!("{}: not as asked: {text:?}", file.display()));
            }
        }
    }
    Ok(())
}
