//! Builds the agent, statically linked, and packs it.
//!
//! The agent is a program of its own for another machine: it needs other flags than everything
//! else that cargo builds here, so a second cargo builds it, with a target folder of its own. For
//! a host of another architecture, `DAVIT_AGENT_TARGETS` names more targets (blanks between), for
//! which the toolchain must have a standard library and a linker.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use blake2::Blake2b512;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-env-changed=DAVIT_AGENT_TARGETS");
    println!("cargo::rerun-if-changed={}", root.join("Cargo.lock").display());
    for name in ["agent", "event", "host", "module", "pattern", "wire"] {
        let folder = root.join(format!("crates/davit-{name}"));
        println!("cargo::rerun-if-changed={}", folder.join("src").display());
        println!("cargo::rerun-if-changed={}", folder.join("Cargo.toml").display());
    }
    let mut targets = vec![env::var("TARGET")?];
    targets.extend(
        env::var("DAVIT_AGENT_TARGETS").unwrap_or_default().split_whitespace().map(str::to_owned),
    );
    let mut table = String::from("&[\n");
    for target in targets {
        let program = build(&root, &out, &target)?;
        let bytes = fs::read(&program)?;
        let packed = out.join(format!("agent-{target}.gz"));
        let mut encoder = GzEncoder::new(fs::File::create(&packed)?, Compression::best());
        encoder.write_all(&bytes)?;
        encoder.finish()?;
        let arch = target.split('-').next().unwrap_or(&target);
        let sha256 = hex(&Sha256::digest(&bytes));
        let blake2b = hex(&Blake2b512::digest(&bytes));
        writeln!(
            table,
            "Agent {{ arch: {arch:?}, sha256: {sha256:?}, blake2b: {blake2b:?}, size: {}, packed: include_bytes!({packed:?}) }},",
            bytes.len()
        )?;
    }
    table.push(']');
    fs::write(out.join("agents.rs"), table)?;
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Builds the agent for a target; where its program is.
fn build(root: &Path, out: &Path, target: &str) -> Result<PathBuf, Box<dyn Error>> {
    let profile = if env::var("PROFILE")? == "release" { "agent" } else { "agent-dev" };
    // Beside what the outer cargo builds, so that all its profiles share it.
    let base = out.ancestors().nth(4).unwrap_or(out).join("agent");
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(root)
        .args(["build", "--quiet", "--locked", "-p", "davit-agent", "--bin", "davit-agent"])
        .args(["--target", target, "--profile", profile, "--target-dir"])
        .arg(&base)
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    // What the outer cargo has set for this package would be taken for the inner one's.
    for name in ["CARGO_MANIFEST_DIR", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "CARGO_BUILD_TARGET"]
    {
        command.env_remove(name);
    }
    let status = command.status()?;
    if !status.success() {
        return Err(format!("the agent for {target} could not be built: {status}").into());
    }
    Ok(base.join(target).join(profile).join("davit-agent"))
}
