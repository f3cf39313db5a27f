//! What the tests need besides Rust: the original, in an environment of its own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Outcome, cache, process};

/// The original that davit is compared with.
const ANSIBLE: &str = "ansible-core==2.19.*";
/// The oldest Python that it runs on.
const PYTHON: (u32, u32) = (3, 11);

/// Programs that the original needs in cases of the oracle (davit needs none of them), and the
/// Debian packages that have them.
const PROGRAMS: &[(&str, &str)] = &[
    ("git", "git"),
    ("gzip", "gzip"),
    ("ssh", "openssh-client"),
    ("tar", "tar"),
    ("unzip", "unzip"),
];

/// Programs of the hosts that tests reach over ssh and of the containers, and Debian's packages.
const HOSTS: &[(&str, &str)] = &[
    ("dockerd", "docker.io"),
    ("doas", "opendoas"),
    ("ip", "iproute2"),
    ("podman", "podman"),
    ("rsync", "rsync"),
    ("runc", "runc"),
    ("socat", "socat"),
    ("sshd", "openssh-server"),
    ("sudo", "sudo"),
    ("unshare", "util-linux"),
    ("useradd", "passwd"),
];

/// What the AWS client is compared with, and what it talks to.
const AWS: &[&str] = &[
    "awscli==1.46.3",
    "awscrt==0.38.1",
    "boto3==1.44.5",
    "botocore==1.44.5",
    "moto[server]==5.2.5",
];

/// What the client for Google Cloud is compared with, and what it talks to.
const GCP: &[&str] = &["gcp-storage-emulator==2026.7.19", "google-api-python-client==2.202.0"];

/// What the modules for Azure talk to: a package of npm.
const AZURITE: &str = "azurite@3.37.0";

/// What the benchmarks compare with besides, where it can be had.
const PEERS: &[&str] = &[ANSIBLE, "pyinfra==3.*", "mitogen==0.3.*"];

/// Installs what is missing: programs, and the original in its environment.
pub(crate) fn setup() -> Outcome {
    programs()?;
    hosts();
    aws()?;
    azure()?;
    gcp()?;
    let venv = venv()?;
    if installed(&venv) {
        println!("ansible-core 2.19 is in {}", venv.display());
        return Ok(());
    }
    environment(&venv, &[ANSIBLE])?;
    if installed(&venv) {
        Ok(())
    } else {
        Err(format!("{}: no ansible-core after pip", venv.display()))
    }
}

/// An environment of Python with these packages in it.
fn environment(venv: &Path, names: &[&str]) -> Outcome {
    if python().is_none() {
        packages(&["python3", "python3-venv"])?;
    }
    let python = python().ok_or(
        "no Python of 3.11 or later with venv, which the original needs (on Debian: python3 and python3-venv)",
    )?;
    process::run(Command::new(python).args(["-m", "venv", "--clear"]).arg(venv))?;
    let pip = venv.join("bin/python3");
    process::run(Command::new(pip).args(["-m", "pip", "install", "--quiet"]).args(names))
}

/// The environment with what the benchmarks compare with, made when it is first asked for.
pub(crate) fn peers() -> Result<PathBuf, String> {
    kept("peers", PEERS)
}

/// The environment with botocore and moto, which the tests of the AWS client find by its place.
fn aws() -> Outcome {
    kept("aws", AWS).map(drop)
}

/// The server that stands for Azure's storage, which tests find by its place.
fn azure() -> Outcome {
    let folder = cache()?.join("azure");
    let done = folder.join("complete");
    if fs::read_to_string(&done).is_ok_and(|it| it == AZURITE) {
        return Ok(());
    }
    if !on_path("npm") {
        packages(&["nodejs", "npm"])?;
    }
    let unmade = |error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(unmade)?;
    process::run(
        Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"])
            .arg(&folder)
            .arg(AZURITE),
    )?;
    fs::write(&done, AZURITE).map_err(unmade)
}

/// The environment with Google's client and the emulator of Cloud Storage, which tests find by its place.
fn gcp() -> Outcome {
    kept("gcp", GCP).map(drop)
}

/// An environment below the cache that has these packages.
fn kept(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let venv = cache()?.join(name);
    let done = venv.join("complete");
    let list = packages.join("\n");
    if !fs::read_to_string(&done).is_ok_and(|it| it == list) {
        environment(&venv, packages)?;
        fs::write(&done, list).map_err(|error| format!("{}: {error}", done.display()))?;
    }
    Ok(venv)
}

/// Installs what the tests' hosts consist of. Tests that miss something fail and name it, so a machine
/// on which nothing can be installed is told here and goes on.
fn hosts() {
    let missing = || HOSTS.iter().filter(|(program, _)| !on_path(program));
    let names: Vec<&str> = missing().map(|(_, package)| *package).collect();
    if names.is_empty() {
        return;
    }
    // One that this release of Debian does not have keeps none of the others away.
    let outcome = packages(&names).or_else(|error| {
        names.iter().for_each(|name| drop(packages(&[name])));
        if missing().count() < names.len() { Ok(()) } else { Err(error) }
    });
    let missing: Vec<&str> = missing().map(|(program, _)| *program).collect();
    if !missing.is_empty() || outcome.is_err() {
        println!(
            "setup: tests that need {} will fail: {}",
            missing.join(", "),
            outcome.err().unwrap_or_else(|| "still missing after installation".to_owned())
        );
    }
}

/// Sees to it that the programs are there.
fn programs() -> Outcome {
    let missing = || -> Vec<&str> {
        let absent = PROGRAMS.iter().filter(|(program, _)| !on_path(program));
        absent.map(|(_, package)| *package).collect()
    };
    if missing().is_empty() {
        return Ok(());
    }
    packages(&missing())?;
    match missing().as_slice() {
        [] => Ok(()),
        names => Err(format!("still missing after installation: {}", names.join(", "))),
    }
}

/// Installs Debian packages where that may be done without asking: as root.
fn packages(names: &[&str]) -> Outcome {
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if !is_root || !on_path("apt-get") {
        return Err(format!(
            "the tests need packages that are not installed (Debian's names): {}",
            names.join(" ")
        ));
    }
    let apt = |args: &[&str]| {
        process::run(Command::new("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let install: Vec<&str> = ["install", "--yes", "--quiet", "--no-install-recommends"]
        .iter()
        .chain(names)
        .copied()
        .collect();
    // A machine that has never asked what packages there are has to ask first.
    apt(&install).or_else(|_| {
        apt(&["update", "--quiet"])?;
        apt(&install)
    })
}

/// The first Python that will do.
fn python() -> Option<&'static str> {
    ["python3", "python3.14", "python3.13", "python3.12", "python3.11"]
        .into_iter()
        .find(|python| suits(python))
}

/// Where the original is.
pub(crate) fn venv() -> Result<PathBuf, String> {
    Ok(cache()?.join("venv"))
}

fn installed(venv: &Path) -> bool {
    let pythons = fs::read_dir(venv.join("lib")).into_iter().flatten().flatten();
    let package = pythons
        .filter_map(|python| fs::read_dir(python.path().join("site-packages")).ok())
        .flat_map(Iterator::flatten)
        .any(|entry| entry.file_name().to_string_lossy().starts_with("ansible_core-2.19."));
    package && venv.join("bin/ansible-playbook").exists()
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(system).any(|folder| folder.join(program).exists())
}

fn suits(python: &str) -> bool {
    let (major, minor) = PYTHON;
    let check =
        format!("import sys, venv, ensurepip; sys.exit(sys.version_info < ({major}, {minor}))");
    Command::new(python)
        .args(["-c", &check])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
