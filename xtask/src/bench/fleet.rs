//! Many hosts over ssh: davit and its peers, and the floor that none of them can beat.
//!
//! Addresses of the loopback range, or of a namespace with a long line, stand for hosts. Every tool gets the
//! same fifty tasks a host: a folder, a file, a line in it, a command, a stat, ten times over. The floor is a bare
//! `ssh host true` for every host, side by side. What a tool did is looked at afterwards.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{
    field::{Field, ORIGINAL, Side, compare, peer, peers, table},
    inputs,
};
use crate::{Outcome, process::Measured};

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
            Self::Pipelining => ORIGINAL,
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

fn one(fleet: &Fleet, tools: &[Tool]) -> Outcome {
    println!("\n{}: {}", fleet.name, fleet.what);
    let field = Field::open(fleet.hosts, fleet.delay, true)?;
    inputs::write(&field, GROUPS)?;
    let side = |tool: &Tool| {
        let (tool, field) = (*tool, &field);
        Side::new(tool.label(), tool.rounds(), move || round(field, fleet, tool))
    };
    let mut sides: Vec<Side<'_>> = tools.iter().map(side).collect();
    let compared = compare(&mut sides);
    table(&sides, |_| String::new());
    drop(sides);
    field.hang_up();
    compared
}

fn round(field: &Field, fleet: &Fleet, tool: Tool) -> Result<Measured, String> {
    let out = field.ground.path("out");
    let _ = fs::remove_dir_all(&out);
    match tool {
        Tool::Floor => return field.floor(),
        Tool::First => field.forget()?,
        _ => {}
    }
    let measured = field.measured(&mut command(field, tool)?)?;
    check(&out, fleet.hosts, GROUPS).map(|()| measured)
}

fn command(field: &Field, tool: Tool) -> Result<Command, String> {
    let mut command = field.original();
    match tool {
        Tool::Floor | Tool::First | Tool::Davit => return Ok(field.run()),
        Tool::Pyinfra => {
            return Ok(field.command(peer("pyinfra")?, &["-y", "inv.py", "deploy.py"]));
        }
        Tool::Pipelining => {}
        Tool::Ansible => drop(command.as_mut().map(|it| it.env_remove("ANSIBLE_PIPELINING"))),
        Tool::Mitogen => {
            let strategy = strategy(&peers()?).ok_or("there is no mitogen")?;
            if let Ok(command) = &mut command {
                command.env_remove("ANSIBLE_PIPELINING");
                command.env("ANSIBLE_STRATEGY", "mitogen_linear");
                command.env("ANSIBLE_STRATEGY_PLUGINS", strategy);
            }
        }
    }
    command
}

/// Where Mitogen's strategies are.
fn strategy(peers: &Path) -> Option<PathBuf> {
    let pythons = fs::read_dir(peers.join("lib")).into_iter().flatten().flatten();
    let at = |it: fs::DirEntry| it.path().join("site-packages/ansible_mitogen/plugins/strategy");
    pythons.map(at).find(|it| it.exists())
}

/// Every file on every host is as asked.
pub(super) fn check(out: &Path, hosts: usize, groups: usize) -> Outcome {
    for host in 1..=hosts {
        for group in 0..groups {
            let file = out.join(format!("h{host}/d{group}/f.txt"));
            let text = fs::read_to_string(&file).unwrap_or_default();
            if text != format!("hello h{host} {group}\nkey={group}\n") {
                return Err(format!("{}: not as asked: {text:?}", file.display()));
            }
        }
    }
    Ok(())
}
