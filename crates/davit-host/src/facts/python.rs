//! The Python that is on the host, read out of its own file without starting it.
//!
//! davit needs no Python, but playbooks ask for the version of the one that is there. Without one
//! the facts are left out. An interpreter that does not say what it is (a wrapper script) counts
//! as none.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Gathering, Place};

/// A version of Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    executable: PathBuf,
    major: u64,
    minor: u64,
    micro: u64,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

/// Folders that hold a shared `libpython`, beside the interpreter's `bin`.
const LIBRARY_FOLDERS: [&str; 4] =
    ["lib", "lib64", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu"];

/// Gathers the facts of the interpreter.
pub(crate) fn collect(to: &mut Gathering<'_>) {
    let Some(version) = version(to).cloned() else { return };
    to.set(
        "python",
        json!({
            "executable": version.executable,
            "has_sslcontext": true,
            "type": "cpython",
            "version": {
                "major": version.major,
                "minor": version.minor,
                "micro": version.micro,
                "releaselevel": "final",
                "serial": 0,
            },
            "version_info": [version.major, version.minor, version.micro, "final", 0],
        }),
    );
}

/// The version of the first `python3` in the path that is an interpreter.
pub(crate) fn version<'a>(to: &'a Gathering<'_>) -> Option<&'a Version> {
    to.python.get_or_init(|| look(to.place)).as_ref()
}

fn look(place: &Place<'_>) -> Option<Version> {
    let path = place.variable("PATH").unwrap_or("/usr/bin:/bin");
    path.split(':')
        .filter(|it| !it.is_empty())
        .map(|folder| Path::new(folder).join("python3"))
        .filter(|it| place.is_executable(it))
        .find_map(|it| version_of(place, &it))
}

fn version_of(place: &Place<'_>, executable: &Path) -> Option<Version> {
    let real = fs::canonicalize(place.real(executable)).ok()?;
    let name = real.file_name()?.to_str()?;
    let (major, minor) = name.strip_prefix("python")?.split_once('.')?;
    let (major, minor): (u64, u64) = (major.parse().ok()?, minor.parse().ok()?);
    let library = format!("libpython{major}.{minor}.so.1.0");
    let prefix = real.parent().and_then(Path::parent)?;
    let libraries = LIBRARY_FOLDERS.iter().map(|it| prefix.join(it).join(&library));
    let micro = std::iter::once(real.clone())
        .chain(libraries)
        .find_map(|it| micro_in(&fs::read(it).ok()?, major, minor))?;
    Some(Version { executable: executable.to_path_buf(), major, minor, micro })
}

/// The third number of a version that stands by itself in a program: `\0 3.11.7 \0`.
fn micro_in(program: &[u8], major: u64, minor: u64) -> Option<u64> {
    if program.get(..4)? != b"\x7fELF" {
        return None;
    }
    let wanted = format!("\0{major}.{minor}.");
    let wanted = wanted.as_bytes();
    let mut rest = program;
    loop {
        let at = find(rest, wanted)?;
        rest = rest.get(at + wanted.len()..)?;
        let digits = rest.iter().take_while(|it| it.is_ascii_digit()).count();
        let ends = matches!(rest.get(digits), Some(0 | b'+'));
        if (1..=3).contains(&digits) && ends {
            return std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok();
        }
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    // The second byte of the pattern is rarer in a program than the NUL before it.
    let second = *wanted.get(1)?;
    let mut start = 1;
    loop {
        let at = start + text.get(start..)?.iter().position(|it| *it == second)?;
        if text.get(at - 1..at - 1 + wanted.len()) == Some(wanted) {
            return Some(at - 1);
        }
        start = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_among_other_numbers() {
        let program = b"\x7fELF....\03.11.x\0 3.11.1\0\x003.11.7\0rest";
        assert_eq!(micro_in(program, 3, 11), Some(7));
        assert_eq!(micro_in(program, 3, 12), None);
        assert_eq!(micro_in(b"#!/bin/sh\n\x003.11.7\0", 3, 11), None);
    }
}
