//! Running other programs: said before it happens, measured, an error when they fail.

use std::{
    env,
    fs::File,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::Outcome;

/// Runs it with its output on the terminal.
pub(crate) fn run(command: &mut Command) -> Outcome {
    println!("+ {}", line(command));
    let status = command.status().map_err(|error| format!("{}: {error}", line(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", line(command))) }
}

/// Runs cargo in the workspace.
pub(crate) fn cargo(args: &[&str]) -> Outcome {
    run(Command::new(cargo_path()).args(args).current_dir(crate::root()))
}

/// Whether cargo has this subcommand.
pub(crate) fn has_cargo(subcommand: &str) -> bool {
    Command::new(cargo_path())
        .args([subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn cargo_path() -> String {
    env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

fn line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

/// How long it took and how much memory it held at most.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    /// Wall time.
    pub(crate) time: Duration,
    /// Peak resident memory of the process itself, in KiB; 0 when it ended too soon to see.
    pub(crate) peak_kib: u64,
}

/// Runs it with its output in a file, measured.
pub(crate) fn measure(command: &mut Command, output: &Path) -> Result<Measured, String> {
    let file = File::create(output).map_err(|error| format!("{}: {error}", output.display()))?;
    let errors = file.try_clone().map_err(|error| error.to_string())?;
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors)
        .spawn()
        .map_err(|error| format!("{}: {error}", line(command)))?;
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    // Short programs are not slowed down by looking: the first looks are close together.
    let mut pause = Duration::from_micros(200);
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        peak_kib = peak_kib.max(high_water(Path::new(&status_file)).unwrap_or(0));
        thread::sleep(pause);
        pause = (pause * 5 / 4).min(Duration::from_millis(5));
    };
    let time = started.elapsed();
    if !status.success() {
        return Err(format!("{}: {status}; see {}", line(command), output.display()));
    }
    Ok(Measured { time, peak_kib })
}

fn high_water(status: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
