//! What else there is to know of hosts over ssh: memory at 300 of them, copies large and many, facts.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use davit_ground::every_process;

use super::fleet::{self, Field};
use crate::{Outcome, process::measure, setup};

/// So many hosts at once for the memory of it.
const MANY: usize = 300;
const FILES: usize = 1_000;
const GIB: usize = 1 << 30;
/// No measurement takes this long.
const LIMIT: Duration = Duration::from_secs(300);

/// What runs a measurement.
type Measurement = fn() -> Outcome;

/// The names of the measurements, with what runs them.
pub(super) const MEASUREMENTS: &[(&str, Measurement)] =
    &[("agents-300", agents), ("copy-1000", files), ("copy-1g", large), ("facts-50", facts)];

/// Memory of davit for each host more, and of an agent.
fn agents() -> Outcome {
    println!("\nagents-300: {MANY} hosts at once, each with an agent");
    let alone = resident(1)?;
    let many = resident(MANY)?;
    let hosts = f64::from(u32::try_from(MANY - 1).unwrap_or(u32::MAX));
    let mebibytes = |kib: u64| f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0;
    println!("  davit with 1 host      {:>9.1} MiB", mebibytes(alone.davit));
    println!(
        "  davit with {MANY} hosts   {:>9.1} MiB: {:.2} MiB a host",
        mebibytes(many.davit),
        mebibytes(many.davit.saturating_sub(alone.davit)) / hosts
    );
    println!(
        "  an agent               {:>9.1} MiB resident, {:.1} MiB not shared ({} agents seen)",
        mebibytes(many.agent),
        mebibytes(many.own),
        many.agents
    );
    Ok(())
}

/// Memory in KiB: davit's peak, and an agent's on average.
#[derive(Default)]
struct Memory {
    davit: u64,
    agent: u64,
    own: u64,
    agents: u64,
}

fn resident(hosts: usize) -> Result<Memory, String> {
    let field = Field::open(hosts, Duration::ZERO, false)?;
    let forks = hosts.to_string();
    play(
        &field,
        "- hosts: web\n  gather_facts: false\n  tasks:\n    - ping:\n    - command: sleep 8\n",
    )?;
    let started = Instant::now();
    let mut child =
        start(&field, &["run", "-i", "hosts.ini", "-f", &forks, "-T", "120", "site.yml"])?;
    let mut memory = Memory::default();
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if started.elapsed() > LIMIT {
            let _ = child.kill();
            return Err(format!("{hosts} hosts: not done after {LIMIT:?}"));
        }
        std::thread::sleep(Duration::from_millis(200));
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        memory.davit = memory.davit.max(kib(&status, "VmHWM:"));
        let parts: Vec<_> = every_process().into_iter().filter(|it| is_agent(&it.line)).collect();
        // An agent is two processes: one that works, and one that watches over it.
        let works = parts.iter().filter(|it| it.line.ends_with("--worker")).count();
        let count = u64::try_from(works).unwrap_or(0);
        if count >= memory.agents && count > 0 {
            let own = |pid: i32| {
                let text =
                    fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
                kib(&text, "Private_Clean:") + kib(&text, "Private_Dirty:")
            };
            memory.agents = count;
            memory.agent = parts.iter().map(|it| it.resident_kib).sum::<u64>() / count;
            memory.own = parts.iter().map(|it| own(it.pid)).sum::<u64>() / count;
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(memory);
    }
    let text = fs::read_to_string(field.ground.path("output")).unwrap_or_default();
    let lost = text.matches("unreachable=1").count();
    let why = text.lines().find(|line| line.contains("UNREACHABLE")).unwrap_or_default();
    Err(format!("{lost} of {hosts} hosts were lost: {why}"))
}

fn is_agent(line: &str) -> bool {
    let program = line.split(' ').next().unwrap_or_default();
    program.rsplit('/').next().is_some_and(|name| name.starts_with("agent-"))
}

fn kib(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|it| it.parse().ok()).unwrap_or(0)
}

/// A thousand small files.
fn files() -> Outcome {
    println!("\ncopy-1000: {FILES} files of 4 KiB");
    let field = Field::open(1, Duration::ZERO, true)?;
    let from = field.ground.path("from");
    for number in 0..FILES {
        let folder = from.join(format!("d{}", number % 20));
        fs::create_dir_all(&folder)
            .and_then(|()| {
                fs::write(folder.join(format!("f{number}")), format!("{number:>4}").repeat(1024))
            })
            .map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    copies(&field)
}

/// One file that nothing can compress.
fn large() -> Outcome {
    println!("\ncopy-1g: a file of 1 GiB");
    let field = Field::open(1, Duration::ZERO, true)?;
    let from = field.ground.path("from");
    let written = (|| -> std::io::Result<()> {
        fs::create_dir_all(&from)?;
        let mut file = fs::File::create(from.join("large"))?;
        let mut source = fs::File::open("/dev/urandom")?;
        std::io::copy(
            &mut std::io::Read::take(&mut source, u64::try_from(GIB).unwrap_or(u64::MAX)),
            &mut file,
        )?;
        file.flush()
    })();
    written.map_err(|error| format!("{}: {error}", from.display()))?;
    copies(&field)
}

fn copies(field: &Field) -> Outcome {
    let to = field.ground.path("to");
    let destination = to.display();
    play(
        field,
        &format!(
            "- hosts: web\n  gather_facts: false\n  tasks:\n    - copy: {{src: from/, dest: {destination}/}}\n"
        ),
    )?;
    let ssh = format!(
        "ssh {}",
        field.hosts.ssh("root", 0).split_last().map_or_else(String::new, |(_, it)| it.join(" "))
    );
    let at = format!("root@{}:{destination}/", field.hosts.addresses[0]);
    let rsync = || {
        let mut command = Command::new("rsync");
        command.args(["-r", "-e", &ssh, "from/", &at]).current_dir(field.ground.folder());
        command
    };
    let scp = || {
        let mut command = Command::new("scp");
        let (port, known) = (field.hosts.port.to_string(), field.hosts.known_hosts.display());
        command.args(["-q", "-r", "-P", &port, "-o", &format!("UserKnownHostsFile={known}"), "-i"]);
        command.arg(&field.hosts.key.path).args(["from/.", &at]).current_dir(field.ground.folder());
        command
    };
    let davit = || field.davit(&["run", "-i", "hosts.ini", "site.yml"]);
    // The first contact is measured elsewhere: here the agent is there already.
    measured(field, &mut field.davit(&["exec", "-i", "hosts.ini", "web", "-m", "ping"]))?;
    let mut floor = None;
    let tools: [(&str, &dyn Fn() -> Command, bool); 5] = [
        ("scp", &scp, true),
        ("rsync", &rsync, true),
        ("davit", &davit, true),
        ("rsync, again", &rsync, false),
        ("davit, again", &davit, false),
    ];
    for (name, command, fresh) in tools {
        if fresh {
            let _ = fs::remove_dir_all(&to);
            fs::create_dir_all(&to).map_err(|error| error.to_string())?;
        }
        if !fresh && name.starts_with("rsync") {
            // It compares times, which `-r` does not carry over: once to set them, once to measure.
            measured(field, command().arg("--times"))?;
        }
        let mut command = command();
        if name == "rsync, again" {
            command.arg("--times");
        }
        let (seconds, peak) = measured(field, &mut command)?;
        same(&field.ground.path("from"), &to)?;
        let floor = *floor.get_or_insert(seconds);
        println!(
            "  {name:<22}{seconds:>9.2} s{:>9.1} x scp{:>9} MiB at most",
            seconds / floor,
            peak / 1024
        );
    }
    Ok(())
}

fn measured(field: &Field, command: &mut Command) -> Result<(f64, u64), String> {
    let measured = measure(command, &field.ground.path("output"))
        .map_err(|error| format!("{error}\n{}", said(field)))?;
    Ok((measured.time.as_secs_f64(), measured.peak_kib))
}

fn same(from: &Path, to: &Path) -> Outcome {
    let status = Command::new("diff").args(["-rq"]).args([from, to]).stdout(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("{}: not what is in {}", to.display(), from.display())),
        Err(error) => Err(format!("diff: {error}")),
    }
}

/// The facts of fifty hosts.
fn facts() -> Outcome {
    println!("\nfacts-50: the facts of 50 hosts");
    let field = Field::open(50, Duration::ZERO, true)?;
    play(&field, "- hosts: web\n  tasks:\n    - debug: {var: ansible_facts.distribution}\n")?;
    let play = ["-i", "hosts.ini", "-f", "50", "site.yml"];
    let run: Vec<&str> = ["run"].into_iter().chain(play).collect();
    measured(&field, &mut field.davit(&run))?;
    let floor = fleet::floor(&field.hosts)?;
    println!("  {:<22}{floor:>9.2} s", "ssh host true");
    let (davit, _) = measured(&field, &mut field.davit(&run))?;
    println!("  {:<22}{davit:>9.2} s", "davit");
    let mut original = Command::new(setup::peers()?.join("bin/ansible-playbook"));
    original.args(play).current_dir(field.ground.folder()).env("HOME", field.ground.path("me"));
    let (original, _) = measured(&field, original.env("ANSIBLE_PIPELINING", "1"))?;
    println!("  {:<22}{original:>9.2} s{:>9.1} x davit", "ansible, pipelining", original / davit);
    Ok(())
}

fn play(field: &Field, text: &str) -> Outcome {
    let python =
        format!("ansible_python_interpreter={}", setup::peers()?.join("bin/python3").display());
    fs::create_dir_all(field.ground.path("me")).map_err(|error| error.to_string())?;
    field.ground.write("hosts.ini", &field.hosts.inventory("root", &python))?;
    field.ground.write("site.yml", text).map(drop)
}

fn start(field: &Field, args: &[&str]) -> Result<Child, String> {
    let output =
        fs::File::create(field.ground.path("output")).map_err(|error| error.to_string())?;
    let errors = output.try_clone().map_err(|error| error.to_string())?;
    let mut command = field.davit(args);
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    command.spawn().map_err(|error| format!("davit: {error}"))
}

fn said(field: &Field) -> String {
    let text = fs::read_to_string(field.ground.path("output")).unwrap_or_default();
    let from = text.len().saturating_sub(1500);
    text.get(from..).unwrap_or_default().to_owned()
}
