//! What a program of ELF needs of the machine that starts it: processor, interpreter, libraries, versions of glibc.
//! Reads bytes and nothing else; what does not fit together is an error, never a panic.

use std::collections::BTreeSet;

/// What a program needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) machine: Machine,
    /// The program that starts it; none where it is linked statically.
    pub(super) interpreter: Option<String>,
    /// Libraries: `libc.so.6`.
    pub(super) libraries: BTreeSet<String>,
    /// The newest version of glibc whose symbols it uses: 2.34 is (2, 34).
    pub(super) glibc: Option<(u32, u32)>,
}

/// A processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    X86,
    Arm,
    Other(u16),
}

/// Why a file is no program that can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ElfError {
    /// It is something else.
    #[error("it is no program of ELF for 64 bits")]
    NoElf,
    /// Its parts do not fit together.
    #[error("it is cut off, or not what it says it is")]
    Broken,
}

const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;
const INTERPRETER: u32 = 3;
const DT_NEEDED: u64 = 1;
const DT_STRINGS: u64 = 5;
const DT_VERSIONS: u64 = 0x6fff_fffe;

/// No program needs more libraries or versions; what says it does is broken.
const MOST: usize = 4096;

/// A part of the file as it stands in memory.
struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    size: u64,
}

/// Looks at a program.
///
/// # Errors
/// It is none, or is cut off.
pub(super) fn needs(bytes: &[u8]) -> Result<Needs, ElfError> {
    // 64 bits, little-endian: both processors of Lambda.
    if !bytes.starts_with(&[0x7f, b'E', b'L', b'F', 2, 1]) {
        return Err(ElfError::NoElf);
    }
    let file = File(bytes);
    let machine = match file.u16(18)? {
        62 => Machine::X86,
        183 => Machine::Arm,
        other => Machine::Other(other),
    };
    let segments = file.segments()?;
    let mut needs = Needs { machine, interpreter: None, libraries: BTreeSet::new(), glibc: None };
    if let Some(it) = segments.iter().find(|it| it.kind == INTERPRETER) {
        needs.interpreter = Some(file.text(it.offset)?);
    }
    let Some(dynamic) = segments.iter().find(|it| it.kind == DYNAMIC) else { return Ok(needs) };
    let mut libraries = Vec::new();
    let (mut strings, mut versions) = (None, None);
    for at in 0..MOST as u64 {
        let (tag, value) =
            (file.u64(dynamic.offset + at * 16)?, file.u64(dynamic.offset + at * 16 + 8)?);
        match tag {
            0 => break,
            DT_NEEDED => libraries.push(value),
            DT_STRINGS => strings = Some(place(&segments, value)?),
            DT_VERSIONS => versions = Some(place(&segments, value)?),
            _ => {}
        }
    }
    let Some(strings) = strings else { return Ok(needs) };
    for name in libraries {
        needs.libraries.insert(file.text(add(strings, name)?)?);
    }
    if let Some(versions) = versions {
        needs.glibc = file.glibc(versions, strings)?;
    }
    Ok(needs)
}

/// Where in the file stands what is at an address of the memory.
fn place(segments: &[Segment], address: u64) -> Result<u64, ElfError> {
    let within = |it: &&Segment| {
        it.kind == LOAD && address.checked_sub(it.address).is_some_and(|far| far < it.size)
    };
    let found = segments.iter().find(within).ok_or(ElfError::Broken)?;
    add(found.offset, address - found.address)
}

fn add(one: u64, other: u64) -> Result<u64, ElfError> {
    one.checked_add(other).ok_or(ElfError::Broken)
}

/// The bytes of a file, which may end anywhere.
struct File<'a>(&'a [u8]);

impl File<'_> {
    fn at<const N: usize>(&self, offset: u64) -> Result<[u8; N], ElfError> {
        let from = usize::try_from(offset).map_err(|_| ElfError::Broken)?;
        let end = from.checked_add(N).ok_or(ElfError::Broken)?;
        let bytes = self.0.get(from..end).ok_or(ElfError::Broken)?;
        bytes.try_into().map_err(|_| ElfError::Broken)
    }

    fn u16(&self, offset: u64) -> Result<u16, ElfError> {
        self.at(offset).map(u16::from_le_bytes)
    }

    fn u32(&self, offset: u64) -> Result<u32, ElfError> {
        self.at(offset).map(u32::from_le_bytes)
    }

    fn u64(&self, offset: u64) -> Result<u64, ElfError> {
        self.at(offset).map(u64::from_le_bytes)
    }

    /// A text that ends with a zero.
    fn text(&self, offset: u64) -> Result<String, ElfError> {
        let from = usize::try_from(offset).map_err(|_| ElfError::Broken)?;
        let rest = self.0.get(from..).ok_or(ElfError::Broken)?;
        let end = rest.iter().position(|it| *it == 0).ok_or(ElfError::Broken)?;
        Ok(String::from_utf8_lossy(&rest[..end]).into_owned())
    }

    fn segments(&self) -> Result<Vec<Segment>, ElfError> {
        let (table, size, count) = (self.u64(32)?, self.u16(54)?, self.u16(56)?);
        let read = |at: u16| {
            let at = add(table, u64::from(at) * u64::from(size))?;
            Ok(Segment {
                kind: self.u32(at)?,
                offset: self.u64(add(at, 8)?)?,
                address: self.u64(add(at, 16)?)?,
                size: self.u64(add(at, 32)?)?,
            })
        };
        (0..count).map(read).collect()
    }

    /// The newest version of glibc in the table of versions that are needed.
    fn glibc(&self, versions: u64, strings: u64) -> Result<Option<(u32, u32)>, ElfError> {
        let mut newest = None;
        let mut library = versions;
        for _ in 0..MOST {
            let count = self.u16(add(library, 2)?)?;
            let mut version = add(library, u64::from(self.u32(add(library, 8)?)?))?;
            for _ in 0..count {
                let name = self.text(add(strings, u64::from(self.u32(add(version, 8)?)?))?)?;
                newest = newest.max(glibc_version(&name));
                version = add(version, u64::from(self.u32(add(version, 12)?)?))?;
            }
            match self.u32(add(library, 12)?)? {
                0 => return Ok(newest),
                next => library = add(library, u64::from(next))?,
            }
        }
        Err(ElfError::Broken)
    }
}

/// `GLIBC_2.34`; a name that says no number stands for the version that brought it.
fn glibc_version(name: &str) -> Option<(u32, u32)> {
    if name == "GLIBC_ABI_DT_RELR" {
        return Some((2, 36));
    }
    let mut numbers = name.strip_prefix("GLIBC_")?.split('.');
    let mut next = || numbers.next().and_then(|it| it.parse().ok());
    Some((next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_read() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let needs = needs(&bytes).unwrap();
        assert!(matches!(needs.machine, Machine::X86 | Machine::Arm));
        if needs.interpreter.is_some() {
            assert!(needs.libraries.iter().any(|it| it.starts_with("libc.")), "{needs:?}");
        }
    }

    #[test]
    fn what_is_cut_off_is_told() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(needs(b"#!/bin/sh\n"), Err(ElfError::NoElf));
        for length in [6, 20, 63, 64, 200] {
            assert_eq!(needs(&bytes[..length]), Err(ElfError::Broken), "{length}");
        }
        // Whatever stands in the head, nothing panics.
        for at in 16..400 {
            let mut bytes = bytes[..4096].to_vec();
            bytes[at] ^= 0xff;
            let _ = needs(&bytes);
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(glibc_version("GLIBC_2.4") < glibc_version("GLIBC_2.34"));
        assert_eq!(glibc_version("GLIBC_2.2.5"), Some((2, 2)));
        assert_eq!(glibc_version("GLIBC_ABI_DT_RELR"), Some((2, 36)));
        assert_eq!(glibc_version("GLIBC_PRIVATE"), None);
        assert_eq!(glibc_version("GCC_3.0"), None);
    }
}
