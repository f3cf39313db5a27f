//! The Python that is on the host, read out of its own file without starting it.
//!
//! davit needs no Python, but playbooks ask for the version of the one that is there. Without one
//! the facts are left out. An interpreter that does not say what it is (a wrapper script) counts
//! as none.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

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

/// How much of a program is read at once.
const PIECE: usize = 256 * 1024;

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

/// Interpreters that were read before, by real path and time of change: a program of several
/// megabytes is not read anew for each host on the same machine.
static KNOWN: Mutex<Vec<(PathBuf, SystemTime, Option<Numbers>)>> = Mutex::new(Vec::new());

/// The three numbers of a version.
type Numbers = (u64, u64, u64);

fn version_of(place: &Place<'_>, executable: &Path) -> Option<Version> {
    let real = fs::canonicalize(place.real(executable)).ok()?;
    let changed = fs::metadata(&real).and_then(|it| it.modified()).ok()?;
    let known = {
        let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|it| it.0 == real && it.1 == changed).map(|it| it.2)
    };
    let numbers = known.unwrap_or_else(|| {
        let numbers = numbers_of(&real);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|it| it.0 != real);
        known.push((real, changed, numbers));
        numbers
    });
    let (major, minor, micro) = numbers?;
    Some(Version { executable: executable.to_path_buf(), major, minor, micro })
}

fn numbers_of(real: &Path) -> Option<Numbers> {
    let name = real.file_name()?.to_str()?;
    let (major, minor) = name.strip_prefix("python")?.split_once('.')?;
    let (major, minor): (u64, u64) = (major.parse().ok()?, minor.parse().ok()?);
    let library = format!("libpython{major}.{minor}.so.1.0");
    let prefix = real.parent().and_then(Path::parent)?;
    let libraries = LIBRARY_FOLDERS.iter().map(|it| prefix.join(it).join(&library));
    let mut programs = std::iter::once(real.to_path_buf()).chain(libraries);
    let micro = programs.find_map(|it| micro_in(File::open(it).ok()?, major, minor).ok()?)?;
    Some((major, minor, micro))
}

/// The third number of a version that stands by itself in a program: `\0 3.11.7 \0`.
fn micro_in(mut program: impl Read, major: u64, minor: u64) -> io::Result<Option<u64>> {
    let wanted = format!("\0{major}.{minor}.");
    let wanted = wanted.as_bytes();
    let mut buffer = vec![0; PIECE];
    let (mut kept, mut first) = (0, true);
    loop {
        let count = program.read(buffer.get_mut(kept..).unwrap_or_default())?;
        let filled = kept + count;
        let piece = buffer.get(..filled).unwrap_or_default();
        if first && !piece.starts_with(b"\x7fELF") {
            return Ok(None);
        }
        first = false;
        let mut rest = piece;
        while let Some(at) = find(rest, wanted) {
            rest = rest.get(at + wanted.len()..).unwrap_or_default();
            let digits = rest.iter().take_while(|it| it.is_ascii_digit()).count();
            let ends = matches!(rest.get(digits), Some(0 | b'+'));
            if (1..=3).contains(&digits) && ends {
                let text = rest.get(..digits).and_then(|it| std::str::from_utf8(it).ok());
                return Ok(text.and_then(|it| it.parse().ok()));
            }
        }
        if count == 0 {
            return Ok(None);
        }
        // A version may go over the end of a piece.
        kept = filled.min(wanted.len() + 8);
        buffer.copy_within(filled - kept..filled, 0);
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
        let program = b"\x7fELF....\x003.11.x\0 3.11.1\0\x003.11.7\0rest";
        let check = |program: &[u8], minor: u64, expect: Option<u64>| {
            assert_eq!(micro_in(program, 3, minor).unwrap(), expect);
        };
        check(program, 11, Some(7));
        check(program, 12, None);
        check(b"#!/bin/sh\n\x003.11.7\0", 11, None);
        let mut long = b"\x7fELF".to_vec();
        long.resize(PIECE - 4, b'.');
        long.extend(b"\x003.11.12\0");
        check(&long, 11, Some(12));
    }
}
