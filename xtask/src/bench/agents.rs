//! Many hosts at once: the memory of davit for each of them, of its ssh clients, and of an agent.
//!
//! All hosts are this machine, so agents share what is read of their program. One host alone says what an agent
//! takes where it shares with nobody.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use davit_ground::{Process, every_process};

use super::field::{Field, ORIGINAL, Side, compare, table};
use crate::Outcome;

/// No measurement takes this long.
const LIMIT: Duration = Duration::from_secs(600);
/// What all hosts do at the same time: long enough for the slowest to join in.
const PLAY: &str =
    "- hosts: web\n  gather_facts: false\n  tasks:\n    - ping:\n    - command: sleep 8\n";
/// The same without waiting, for the time of it.
const SHORT: &str =
    "- hosts: web\n  gather_facts: false\n  tasks:\n    - ping:\n    - command: sleep 0\n";

/// One host, and many.
pub(super) fn agents(quick: bool) -> Outcome {
    let many = if quick { 50 } else { 300 };
    println!("\nagents: {many} hosts at once, each with an agent");
    let one = Field::open(1, Duration::ZERO, true)?;
    one.play(PLAY)?;
    one.measured(&mut patient(one.run()))?;
    let alone = memory(&one, &mut patient(one.run()))?;
    let field = Field::open(many, Duration::ZERO, true)?;
    lend(&one, &field)?;
    field.play(PLAY)?;
    let all = memory(&field, &mut patient(field.run()))?;
    say("davit", many, &alone, &all);
    field.play(SHORT)?;
    let rounds = if quick { 1 } else { 3 };
    let mut sides = [
        Side::new("ssh host true", rounds, || field.floor()),
        Side::new("davit", rounds, || field.measured(&mut patient(field.run()))),
        Side::new(ORIGINAL, 1, || field.measured(&mut patient(field.original()?))),
    ];
    let compared = compare(&mut sides);
    table(&sides, |_| String::new());
    drop(sides);
    field.hang_up();
    compared
}

/// Hundreds of log-ins at once take longer than anybody waits for one.
fn patient(mut command: Command) -> Command {
    command.args(["-T", "120"]);
    command
}

/// Gives all hosts the agent that one has: hundreds of copies would only fill the disk.
fn lend(one: &Field, many: &Field) -> Outcome {
    let folder = one.hosts.home(0).join(".cache/davit");
    let lent = || -> io::Result<()> {
        for host in 0..many.hosts.addresses.len() {
            let to = many.hosts.home(host).join(".cache/davit");
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&to)?;
            for entry in fs::read_dir(&folder)?.flatten() {
                if entry.file_name().to_string_lossy().starts_with("agent-") {
                    fs::hard_link(entry.path(), to.join(entry.file_name()))?;
                }
            }
        }
        Ok(())
    };
    lent().map_err(|error| format!("{}: {error}", folder.display()))
}

fn say(name: &str, many: usize, alone: &Memory, all: &Memory) {
    let hosts = number(many);
    println!(
        "  {name}: {:.1} MiB with 1 host, {:.1} MiB with {many}: {:.3} MiB a host",
        mebibytes(alone.peak),
        mebibytes(all.peak),
        mebibytes(all.peak.saturating_sub(alone.peak)) / (hosts - 1.0)
    );
    println!(
        "  its ssh clients: {:.2} MiB a host ({} at once)",
        mebibytes(all.clients.pss) / hosts,
        all.clients.count
    );
    println!(
        "  an agent: {:.2} MiB of its own and its share of the rest, {:.2} MiB alone on a machine \
         ({} processes at once)",
        mebibytes(all.agents.pss) / hosts,
        mebibytes(alone.agents.pss),
        all.agents.count
    );
}

/// Processes, and the memory that would be free without them, in KiB.
#[derive(Clone, Copy, Default)]
struct Share {
    count: usize,
    pss: u64,
}

impl Share {
    fn of<'a>(processes: impl Iterator<Item = &'a Process>) -> Self {
        let mut share = Self::default();
        for process in processes {
            let path = format!("/proc/{}/smaps_rollup", process.pid);
            share.pss += kib(&fs::read_to_string(path).unwrap_or_default(), "Pss:");
            share.count += 1;
        }
        share
    }

    /// The larger: those that are just ending count no more.
    fn most(self, other: Self) -> Self {
        if other.pss > self.pss { other } else { self }
    }
}

/// Memory in KiB.
#[derive(Default)]
struct Memory {
    /// The program's own peak.
    peak: u64,
    clients: Share,
    agents: Share,
}

/// Looks at what the command starts while it runs; what was most at a time counts.
fn memory(field: &Field, command: &mut Command) -> Result<Memory, String> {
    let said = field.ground.path("output");
    let output = fs::File::create(&said).map_err(|error| error.to_string())?;
    let errors = output.try_clone().map_err(|error| error.to_string())?;
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let root = i32::try_from(child.id()).unwrap_or(0);
    let mut memory = Memory::default();
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if started.elapsed() > LIMIT {
            // All that it has started goes with the ground.
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("not done after {} s", LIMIT.as_secs()));
        }
        look(field, root, &mut memory);
        // Looking at hundreds of processes takes a while itself, and is paid for by what is looked at.
        thread::sleep(Duration::from_millis(700));
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(memory);
    }
    let text = fs::read_to_string(&said).unwrap_or_default();
    let lost = text.matches("unreachable=1").count();
    let why = text.lines().find(|line| line.contains("UNREACHABLE")).unwrap_or_default();
    Err(format!("{status}, {lost} hosts were lost: {why}"))
}

fn look(field: &Field, root: i32, memory: &mut Memory) {
    let status = fs::read_to_string(format!("/proc/{root}/status")).unwrap_or_default();
    memory.peak = memory.peak.max(kib(&status, "VmHWM:"));
    let (all, there) = (every_process(), field.processes());
    let agents = there.iter().filter(|it| is_agent(&it.line));
    memory.agents = memory.agents.most(Share::of(agents));
    let clients = all.iter().filter(|it| it.parent == root && it.line.starts_with("ssh "));
    memory.clients = memory.clients.most(Share::of(clients));
}

/// An agent is two processes: one that works, and one that watches over it.
fn is_agent(line: &str) -> bool {
    let program = line.split(' ').next().unwrap_or_default();
    program.rsplit('/').next().is_some_and(|name| name.starts_with("agent-"))
}

fn kib(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|it| it.parse().ok()).unwrap_or(0)
}

fn mebibytes(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}

fn number(hosts: usize) -> f64 {
    f64::from(u32::try_from(hosts).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_agents_known() {
        assert_eq!(kib("Rss: 12 kB\nPss:     1234 kB\nPss_Dirty: 5 kB\n", "Pss:"), 1234);
        assert_eq!(kib("", "Pss:"), 0);
        assert!(is_agent("/root/.cache/davit/agent-0a1b --worker"));
        assert!(!is_agent("ssh agent-0a1b"));
    }
}
