//! Hosts for a benchmark, the programs that are run against them, and the table that comes of it.
//!
//! Addresses of the loopback range, or of a namespace at the end of a long line, stand for hosts. It does not know what
//! is measured: the files beside it do.

use std::{
    fs,
    io::IsTerminal,
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use davit_ground::{
    Ground, Hosts, Machine, Options, Process, Serve, Sshd, every_process, is_root, on_path,
};

use crate::{
    Outcome,
    process::{Measured, measure},
    setup, target,
};

/// The original, with everything that makes it fast by itself.
pub(super) const ORIGINAL: &str = "ansible, pipelining";

/// Why nothing can be measured over ssh on this machine, if so.
pub(super) fn missing() -> Option<&'static str> {
    if !is_root() {
        return Some("only root can start the servers that play hosts");
    }
    ["ssh", "sshd", "ssh-keygen"]
        .iter()
        .any(|it| !on_path(it))
        .then_some("there is no OpenSSH server (Debian: openssh-server)")
}

/// Hosts on loopback or behind a long line, for as long as this lives.
pub(super) struct Field {
    pub(super) hosts: Hosts,
    server: Result<Sshd, Box<Machine>>,
    pub(super) ground: Ground,
}

impl Field {
    /// So many hosts. With `homes`, each has a home of its own that nobody has used.
    pub(super) fn open(hosts: usize, delay: Duration, homes: bool) -> Result<Self, String> {
        let ground = Ground::new()?;
        let me = ground.path("me");
        fs::create_dir_all(&me).map_err(|error| format!("{}: {error}", me.display()))?;
        if delay.is_zero() {
            let sshd = Sshd::start(&ground, &Serve { homes, ..Serve::hosts(hosts) })?;
            return Ok(Self { hosts: sshd.hosts.clone(), server: Ok(sshd), ground });
        }
        let machine =
            Machine::start(&ground, &Options { hosts, delay, homes, ..Options::default() })?;
        Ok(Self { hosts: machine.hosts.clone(), server: Err(Box::new(machine)), ground })
    }

    /// Writes the inventory and the play that davit and the original run.
    pub(super) fn play(&self, text: &str) -> Outcome {
        // Where the peers are not there, nobody reads this variable.
        let python = peers().map(|it| it.join("bin/python3")).unwrap_or_default();
        let more = format!("ansible_python_interpreter={}", python.display());
        self.ground.write("hosts.ini", &self.hosts.inventory("root", &more))?;
        self.ground.write("site.yml", text).map(drop)
    }

    /// A program in the ground's folder, with a home where nobody's settings are.
    pub(super) fn command(&self, program: PathBuf, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.ground.folder()).env("HOME", self.ground.path("me"));
        command
    }

    /// davit.
    pub(super) fn davit(&self, args: &[&str]) -> Command {
        self.command(target().join("release/davit"), args)
    }

    /// davit on the play, with as many hosts at once as there are.
    pub(super) fn run(&self) -> Command {
        self.davit(&["run", "-i", "hosts.ini", "-f", &self.forks(), "site.yml"])
    }

    /// The original on the same.
    pub(super) fn original(&self) -> Result<Command, String> {
        let args = ["-i", "hosts.ini", "-f", &self.forks(), "site.yml"];
        let mut command = self.command(peer("ansible-playbook")?, &args);
        command.env("ANSIBLE_PIPELINING", "1");
        Ok(command)
    }

    fn forks(&self) -> String {
        self.hosts.addresses.len().to_string()
    }

    /// What runs on the hosts.
    pub(super) fn processes(&self) -> Vec<Process> {
        match &self.server {
            Ok(sshd) => sshd.processes(),
            Err(machine) => machine.everything(),
        }
    }

    /// Runs it to its end. What it printed is in the error where it fails.
    pub(super) fn measured(&self, command: &mut Command) -> Result<Measured, String> {
        let output = self.ground.path("output");
        measure(command, &output).map_err(|error| {
            let text = fs::read_to_string(&output).unwrap_or_default();
            let from = text.len().saturating_sub(1500);
            format!("{error}\n{}", text.get(from..).unwrap_or_default())
        })
    }

    /// Makes every host one that nobody has been to.
    pub(super) fn forget(&self) -> Outcome {
        for host in 0..self.hosts.addresses.len() {
            let home = self.hosts.home(host);
            let emptied = fs::remove_dir_all(&home).and_then(|()| fs::create_dir(&home));
            emptied.map_err(|error| format!("{}: {error}", home.display()))?;
        }
        Ok(())
    }

    /// Ends the connections that the original's ssh keeps open after a run.
    pub(super) fn hang_up(&self) {
        let kept = format!("ssh: {}", self.ground.folder().display());
        every_process().iter().filter(|it| it.line.starts_with(&kept)).for_each(|it| it.kill());
    }

    /// `ssh host true` for all of them at once, each with a connection of its own.
    pub(super) fn floor(&self) -> Result<Measured, String> {
        let started = Instant::now();
        let mut children = Vec::new();
        for host in 0..self.hosts.addresses.len() {
            let child = Command::new("ssh")
                .args(["-o", "ControlMaster=no", "-o", "ControlPath=none"])
                .args(self.hosts.ssh("root", host))
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
        Ok(Measured { time: started.elapsed(), peak_kib: 0 })
    }
}

/// Where the peers are. Where they cannot be had, that is tried once.
pub(super) fn peers() -> Result<PathBuf, String> {
    static PEERS: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PEERS.get_or_init(setup::peers).clone()
}

/// A program of theirs.
pub(super) fn peer(name: &str) -> Result<PathBuf, String> {
    let program = peers()?.join("bin").join(name);
    if program.exists() { Ok(program) } else { Err(format!("there is no {}", program.display())) }
}

/// One line of a comparison.
pub(super) struct Side<'a> {
    name: &'a str,
    rounds: usize,
    run: Box<dyn FnMut() -> Result<Measured, String> + 'a>,
    best: Option<Measured>,
    failed: Option<String>,
}

impl<'a> Side<'a> {
    /// What is run at most so many times.
    pub(super) fn new(
        name: &'a str,
        rounds: usize,
        run: impl FnMut() -> Result<Measured, String> + 'a,
    ) -> Self {
        Self { name, rounds, run: Box::new(run), best: None, failed: None }
    }

    /// What the best run held at most, where it was looked at.
    pub(super) fn peak_mib(&self) -> Option<u64> {
        self.best.map(|it| it.peak_kib / 1024).filter(|it| *it > 0)
    }

    /// The best time in seconds, once there is one.
    pub(super) fn seconds(&self) -> Option<f64> {
        self.best.map(|it| it.time.as_secs_f64())
    }
}

/// Runs all sides, round by round so that what disturbs the machine disturbs all of them.
///
/// davit's failure is an error; a peer that fails is named, and left out from then on.
pub(super) fn compare(sides: &mut [Side<'_>]) -> Outcome {
    let rounds = sides.iter().map(|it| it.rounds).max().unwrap_or(0);
    for round in 0..rounds {
        for side in sides.iter_mut().filter(|it| round < it.rounds && it.failed.is_none()) {
            if std::io::stderr().is_terminal() {
                eprint!("\r\x1b[2K  round {} of {rounds}: {}\r", round + 1, side.name);
            }
            match (side.run)() {
                Ok(it) if side.best.is_none_or(|best| it.time < best.time) => side.best = Some(it),
                Ok(_) => {}
                Err(error) if side.name.starts_with("davit") => return Err(error),
                Err(error) => side.failed = Some(error),
            }
        }
    }
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[2K");
    }
    Ok(())
}

/// Prints the sides, each beside the first and beside davit. `more` is what else is to be said about one.
pub(super) fn table(sides: &[Side<'_>], more: impl Fn(&Side<'_>) -> String) {
    let floor = sides.first();
    let davit = sides.iter().find(|it| it.name == "davit");
    for side in sides {
        let Some(seconds) = side.seconds() else {
            let why = side.failed.as_deref().unwrap_or("not run");
            println!("  {:<26} skipped: {why}", side.name);
            continue;
        };
        let beside = |other: Option<&Side<'_>>| {
            let other = other?;
            Some(format!("{:>8.2} x {}", seconds / other.seconds()?, other.name))
        };
        println!(
            "  {:<26}{seconds:>9.3} s{}{}{}",
            side.name,
            beside(floor).unwrap_or_default(),
            beside(davit).unwrap_or_default(),
            more(side)
        );
    }
}

/// What the machine has to do besides.
pub(super) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = text.split(' ').next().unwrap_or_default().to_owned();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    format!("load {load} on {processors} processors")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(milliseconds: u64) -> Result<Measured, String> {
        Ok(Measured { time: Duration::from_millis(milliseconds), peak_kib: 0 })
    }

    #[test]
    fn the_best_round_counts_and_a_peer_that_fails_ends_nothing() {
        let (mut times, mut asked) = ([30, 10, 20].into_iter(), 0);
        let mut sides = [
            Side::new("floor", 1, || took(5)),
            Side::new("davit", 3, move || took(times.next().unwrap_or(0))),
            Side::new("peer", 3, || {
                asked += 1;
                Err("not there".to_owned())
            }),
        ];
        compare(&mut sides).unwrap();
        assert_eq!(sides[0].seconds(), Some(0.005));
        assert_eq!(sides[1].seconds(), Some(0.01));
        assert_eq!((sides[2].seconds(), sides[2].failed.as_deref()), (None, Some("not there")));
        drop(sides);
        assert_eq!(asked, 1);
        assert!(compare(&mut [Side::new("davit", 1, || Err(String::new()))]).is_err());
    }
}
