//! davit and its peers side by side, in one run: time, peak memory, ratios.
//!
//! First come hosts over ssh, then what the engine does on this machine. Inputs are generated; every program runs the same files in the same folder, one after the
//! other, and the best of a few rounds counts, since what disturbs a run only makes it slower.

mod agents;
mod aws;
mod contact;
mod copy;
mod facts;
mod field;
mod fleet;
mod inputs;
mod latency;

use std::{fmt::Write, fs, path::Path, process::Command};

use crate::{
    Outcome,
    process::{self, Measured, measure},
    setup, target,
};

/// One workload.
struct Bench {
    name: &'static str,
    what: String,
    /// davit's arguments.
    davit: Vec<String>,
    /// The original's program and arguments.
    original: Vec<String>,
    /// A program that does the bare work, where there is one.
    floor: Option<Vec<String>>,
    /// How often davit runs; the original runs once when it is slow.
    rounds: u32,
}

/// Runs the benchmarks with these names, or all.
pub(crate) fn bench(args: &[String]) -> Outcome {
    setup::setup()?;
    if !args.iter().any(|arg| arg == "--no-build") {
        process::cargo(&["build", "--release", "--package", "davit", "--locked"])?;
    }
    let quick = args.iter().any(|arg| arg == "--quick");
    let names: Vec<&String> = args.iter().filter(|arg| !arg.starts_with("--")).collect();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|it| *it == name);
    unknown(&names)?;
    println!("\n{}", field::load());
    let mut wrong = hosts(&wanted, quick);
    for (name, measurement) in APART.iter().filter(|(name, _)| wanted(name)) {
        if let Err(error) = measurement(quick) {
            println!("  failed: {error}");
            wrong.push(name);
        }
    }
    let folder = target().join("bench");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let benches =
        benches(&folder, quick).map_err(|error| format!("{}: {error}", folder.display()))?;
    if benches.iter().any(|bench| wanted(bench.name)) {
        println!("\n{:<12} {:>16} {:>16} {:>8}  workload", "", "davit", "ansible-core", "ratio");
    }
    for bench in benches {
        if wanted(bench.name) {
            // One that fails does not hide what the others have to say.
            if let Err(error) = one(&folder, &bench) {
                println!("{:<12} failed: {error}", bench.name);
                wrong.push(bench.name);
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("not measured: {}", wrong.join(", "))) }
}

/// What measures something, with smaller numbers where it is to be quick.
type Measurement = fn(bool) -> Outcome;

/// What is measured over ssh besides the fleets.
const OVER_SSH: &[(&str, Measurement)] = &[
    ("contact", contact::contact),
    ("latency", latency::latency),
    ("agents", agents::agents),
    ("copy", copy::copy),
    ("facts", facts::facts),
];

/// What is measured on this machine against other programs than the original.
const APART: &[(&str, Measurement)] = &[("aws", aws::aws)];

/// What is measured on this machine alone.
const HERE: &[&str] = &["start", "lint", "commands", "loop", "template", "inventory", "hosts"];

/// Says which names there are where one is asked for that there is not.
fn unknown(names: &[&String]) -> Outcome {
    let over_ssh = OVER_SSH.iter().map(|(name, _)| *name);
    let apart = APART.iter().map(|(name, _)| *name);
    let here = HERE.iter().copied();
    let known: Vec<&str> = fleet::names().chain(over_ssh).chain(apart).chain(here).collect();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("no benchmark {name}; there are {}", known.join(", "))),
        None => Ok(()),
    }
}

/// Everything over ssh; gives the names of what could not be measured.
fn hosts(wanted: &dyn Fn(&str) -> bool, quick: bool) -> Vec<&'static str> {
    let fleets = fleet::names().filter(|name| wanted(name));
    let others = OVER_SSH.iter().filter(|(name, _)| wanted(name));
    if let Some(why) = field::missing() {
        let names: Vec<&str> = fleets.chain(others.map(|(name, _)| *name)).collect();
        if !names.is_empty() {
            println!("\nskipped: {}: {why}", names.join(", "));
        }
        return Vec::new();
    }
    let mut wrong = Vec::new();
    let mut note = |name, outcome: Outcome| {
        // One that fails does not hide what the others have to say.
        if let Err(error) = outcome {
            println!("  failed: {error}");
            wrong.push(name);
        }
    };
    fleets.for_each(|name| note(name, fleet::fleet(name, quick)));
    others.for_each(|(name, measurement)| note(*name, measurement(quick)));
    wrong
}

fn one(folder: &Path, bench: &Bench) -> Outcome {
    let davit = target().join("release/davit");
    let output = |side: &str| folder.join(format!("{}.{side}.out", bench.name));
    let ours = best(bench.rounds, || {
        measure(command(folder, &davit).args(&bench.davit), &output("davit"))
    })?;
    let program = setup::venv()?.join("bin").join(&bench.original[0]);
    let theirs = best(bench.rounds.min(2), || {
        measure(command(folder, &program).args(&bench.original[1..]), &output("original"))
    })?;
    let ratio = theirs.time.as_secs_f64() / ours.time.as_secs_f64();
    println!(
        "{:<12} {:>16} {:>16} {ratio:>7.0}x  {}",
        bench.name,
        text(ours),
        text(theirs),
        bench.what
    );
    if let Some(floor) = &bench.floor {
        let floor = best(bench.rounds, || {
            measure(command(folder, Path::new(&floor[0])).args(&floor[1..]), &output("floor"))
        })?;
        let times = ours.time.as_secs_f64() / floor.time.as_secs_f64();
        println!("{:<12} {:>16} {:>33.2} times the bare work", "", text(floor), times);
    }
    Ok(())
}

fn best(
    rounds: u32,
    mut run: impl FnMut() -> Result<Measured, String>,
) -> Result<Measured, String> {
    let mut best = run()?;
    for _ in 1..rounds {
        let next = run()?;
        if next.time < best.time {
            best = next;
        }
    }
    Ok(best)
}

fn command(folder: &Path, program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env("HOME", folder)
        .env("ANSIBLE_LOCALHOST_WARNING", "0")
        .env("ANSIBLE_INVENTORY_UNPARSED_WARNING", "0");
    command
}

fn text(measured: Measured) -> String {
    let milliseconds = measured.time.as_secs_f64() * 1e3;
    let mebibytes = measured.peak_kib / 1024;
    if milliseconds < 1e4 {
        format!("{milliseconds:.0} ms {mebibytes:>4} MiB")
    } else {
        format!("{:.1} s {mebibytes:>4} MiB", milliseconds / 1e3)
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn benches(folder: &Path, quick: bool) -> Result<Vec<Bench>, std::io::Error> {
    let write = |name: &str, text: String| fs::write(folder.join(name), text);
    let (hosts, inventory) = if quick { (100, 1_000) } else { (1_000, 10_000) };
    write("lint.yml", thousand_tasks())?;
    write("commands.yml", commands())?;
    write("loop.yml", debug_loop())?;
    write("template.yml", template_play(folder))?;
    write("lines.j2", template_lines())?;
    write("inventory.ini", many_hosts(inventory))?;
    write("hosts.ini", local_hosts(hosts))?;
    write("hosts.yml", twenty_tasks())?;
    let play = |name: &str, more: &str| {
        (words(&format!("run {name} {more}")), words(&format!("ansible-playbook {name} {more}")))
    };
    let bench = |name, what: &str, (davit, original): (Vec<String>, Vec<String>), rounds| Bench {
        name,
        what: what.to_owned(),
        davit,
        original,
        floor: None,
        rounds,
    };
    let loop_of_100 = "i=0; while [ $i -lt 100 ]; do /bin/echo $i; i=$((i+1)); done";
    let mut commands =
        bench("commands", "100 command tasks on localhost", play("commands.yml", ""), 3);
    commands.floor = Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), loop_of_100.to_owned()]);
    Ok(vec![
        bench("start", "--version", (words("--version"), words("ansible-playbook --version")), 20),
        bench(
            "lint",
            "a playbook of 1,000 tasks (the original: --syntax-check)",
            (words("lint lint.yml"), words("ansible-playbook --syntax-check lint.yml")),
            5,
        ),
        commands,
        bench("loop", "a debug loop of 2,000 rounds", play("loop.yml", ""), 3),
        bench("template", "a template of 5,000 lines", play("template.yml", ""), 3),
        bench(
            "inventory",
            &format!("--list of {inventory} hosts with group variables"),
            (
                words("inventory -i inventory.ini --list"),
                words("ansible-inventory -i inventory.ini --list"),
            ),
            3,
        ),
        bench(
            "hosts",
            &format!("20 debug and set_fact tasks over {hosts} local hosts"),
            play("hosts.yml", "-i hosts.ini"),
            1,
        ),
    ])
}

fn play(tasks: &str) -> String {
    format!("- hosts: all:localhost\n  connection: local\n  gather_facts: false\n  tasks:\n{tasks}")
}

fn thousand_tasks() -> String {
    let mut tasks = String::new();
    for number in 0..1_000 {
        let task = match number % 4 {
            0 => format!("copy: {{content: '{number}', dest: /nowhere/{number}, mode: '0644'}}"),
            1 => format!("debug: {{msg: \"{{{{ inventory_hostname }}}} {number}\"}}"),
            2 => format!("command: echo {number}\n      when: {number} > 5"),
            _ => format!(
                "file: {{path: /nowhere/{number}, state: directory}}\n      tags: [t{number}]"
            ),
        };
        let _ = write!(tasks, "    - name: task {number}\n      {task}\n");
    }
    play(&tasks)
}

fn commands() -> String {
    let mut tasks = String::new();
    for number in 0..100 {
        let _ = writeln!(tasks, "    - command: /bin/echo {number}");
    }
    play(&tasks)
}

fn debug_loop() -> String {
    play("    - debug: {msg: \"round {{ item }}\"}\n      loop: \"{{ range(2000) | list }}\"\n")
}

fn template_play(folder: &Path) -> String {
    let task = format!("    - template: {{src: lines.j2, dest: {}/lines.txt}}\n", folder.display());
    play(&task).replace("  tasks:", "  vars: {who: world, items: [a, b, c], shown: true}\n  tasks:")
}

fn template_lines() -> String {
    let mut text = String::new();
    for number in 0..1_000 {
        let _ = write!(
            text,
            "line {number} of {{{{ who }}}}\n\
             {{% for one in items %}}{{{{ one | upper }}}}={{{{ loop.index }}}} {{% endfor %}}\n\
             {{% if shown and {number} % 2 == 0 %}}even{{% else %}}odd{{% endif %}}\n\
             {{{{ 'a,b,c'.split(',') | join('-') }}}}\n\
             {{{{ who | default('nobody') | replace('o', '0') }}}}\n"
        );
    }
    text
}

fn many_hosts(count: u32) -> String {
    let mut text = String::new();
    for group in 0..100 {
        let _ = writeln!(text, "[group{group}]");
        for host in 0..count / 100 {
            let _ = writeln!(text, "host{group}-{host} number={host} rack=r{}", host % 7);
        }
        let _ = writeln!(
            text,
            "[group{group}:vars]\nport={}\nregion=eu-{group}\nenabled=true",
            8000 + group
        );
    }
    text.push_str("[everything:children]\n");
    for group in 0..100 {
        let _ = writeln!(text, "group{group}");
    }
    text
}

fn local_hosts(count: u32) -> String {
    format!("host[1:{count}]\n\n[all:vars]\nansible_connection=local\n")
}

fn twenty_tasks() -> String {
    let mut tasks = String::new();
    for number in 0..10 {
        let _ = write!(
            tasks,
            "    - set_fact: {{fact{number}: \"{{{{ inventory_hostname }}}}-{number}\"}}\n    \
             - debug: {{msg: \"{{{{ fact{number} }}}}\"}}\n"
        );
    }
    play(&tasks).replace("all:localhost", "all")
}

/// Where the folder of a benchmark's files would be, for the one test here.
#[cfg(test)]
fn scratch() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("davit-bench-{}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_have_the_size_that_they_say() {
        let folder = scratch();
        fs::create_dir_all(&folder).unwrap();
        let benches = benches(&folder, false).unwrap();
        let lines = |name: &str| fs::read_to_string(folder.join(name)).unwrap().lines().count();
        assert_eq!(lines("lines.j2"), 5_000);
        assert_eq!(many_hosts(10_000).matches("number=").count(), 10_000);
        assert_eq!(twenty_tasks().matches("    - ").count(), 20);
        let names: Vec<&str> = benches.iter().map(|bench| bench.name).collect();
        assert_eq!(names, HERE);
        assert!(unknown(&[&"contact".to_owned(), &"nothing".to_owned()]).is_err());
        assert!(benches.iter().all(|bench| !bench.davit.is_empty() && !bench.original.is_empty()));
        fs::remove_dir_all(&folder).unwrap();
    }
}
