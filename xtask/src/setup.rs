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

/// Makes the environment, unless it is there.
pub(crate) fn setup() -> Outcome {
    // davit needs none of them; the original does, in cases of the oracle.
    for program in ["tar", "gzip", "unzip", "ssh"] {
        if !on_path(program) {
            return Err(format!(
                "no {program}, which the original needs (on Debian: tar, gzip, unzip, openssh-client)"
            ));
        }
    }
    let venv = venv()?;
    if installed(&venv) {
        println!("ansible-core 2.19 is in {}", venv.display());
        return Ok(());
    }
    let python = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"]
        .into_iter()
        .find(|python| suits(python))
        .ok_or("no python3 of 3.11 or later, which the original needs (apt install python3 python3-venv)")?;
    process::run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&venv))?;
    let pip = venv.join("bin/python3");
    process::run(Command::new(pip).args(["-m", "pip", "install", "--quiet", ANSIBLE]))?;
    if installed(&venv) {
        Ok(())
    } else {
        Err(format!("{}: no ansible-core after pip", venv.display()))
    }
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
    env::split_paths(&path).any(|folder| folder.join(program).exists())
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
