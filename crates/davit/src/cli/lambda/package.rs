//! `davit lambda package`: an archive that Lambda takes. The same files give the same bytes.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;

use super::elf::{self, Machine, Needs};
use super::gather::{Gathered, Gatherer};
use super::{MANIFEST, Manifest, PROJECT};
use crate::report::{Report, exit, print, warn};

/// Make an archive that AWS Lambda runs: this program, a playbook, and what the playbook needs of its folder.
///
/// What a text of the playbook names comes along (files, templates, tasks, roles), with `ansible.cfg`, `group_vars`
/// and `host_vars`; what else is needed is named with --include. All that went in is listed.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  davit lambda package weekend.yml
  davit lambda package site.yml -i hosts.ini --include templates -o site.zip
  davit lambda package weekend.yml --binary davit-aarch64 -e region=eu-west-1")]
pub(super) struct Args {
    /// The playbook. Its folder is the function's.
    playbook: PathBuf,
    /// Inventory: a file or folder below the playbook's folder, or hosts with a comma. May be given several times.
    #[arg(short, long, value_name = "INVENTORY")]
    inventory: Vec<String>,
    /// Variables above all others: `k=v`, JSON, or `@FILE`. May be given several times.
    #[arg(short, long, value_name = "VARS", allow_hyphen_values = true)]
    extra_vars: Vec<String>,
    /// Where the archive goes.
    #[arg(short, long, value_name = "FILE", default_value = "function.zip")]
    output: PathBuf,
    /// The davit that runs in the function; this one without it.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// A file or folder that the playbook needs besides. May be given several times.
    #[arg(long, value_name = "PATH")]
    include: Vec<PathBuf>,
    /// Make it although the program could not start there.
    #[arg(long)]
    force: bool,
}

/// The glibc of `provided.al2023`.
const GLIBC: (u32, u32) = (2, 34);

/// Libraries of `provided.al2023` that programs may count on.
const LIBRARIES: [&str; 11] = [
    "ld-linux-aarch64.so.1",
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
];

/// How large an archive may be that is uploaded as it is.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const LARGEST_ARCHIVE: u64 = 50 << 20;

/// How large all it holds may be.
const LARGEST_CONTENT: u64 = 250 << 20;

/// One file of the archive.
struct Part {
    name: String,
    bytes: Vec<u8>,
    runs: bool,
}

/// Makes it; the exit code.
pub(super) fn run(args: &Args) -> Result<u8, Report> {
    let binary = match &args.binary {
        Some(path) => path.clone(),
        None => std::env::current_exe().map_err(|error| Report::of(&error))?,
    };
    let program = read(&binary)?;
    let architecture = checked(&binary, &program, args.force)?;
    let (manifest, gathered) = gather(args)?;
    for (file, text) in &gathered.unclear {
        warn(&format!(
            "{file} names a file that only the run makes ({text}): add what it may be with --include"
        ));
    }
    let mut parts = vec![Part { name: "bootstrap".to_owned(), bytes: program, runs: true }];
    let manifest = serde_json::to_vec_pretty(&manifest).map_err(|error| Report::of(&error))?;
    parts.push(Part { name: MANIFEST.to_owned(), bytes: manifest, runs: false });
    for (name, path) in &gathered.files {
        let mode = fs::metadata(path).map_or(0, |it| it.permissions().mode());
        let bytes = read(path)?;
        parts.push(Part { name: format!("{PROJECT}/{name}"), bytes, runs: mode & 0o111 != 0 });
    }
    let size = write(&args.output, &parts)?;
    let content: u64 = parts.iter().map(|it| it.bytes.len() as u64).sum();
    let mut out = String::new();
    for part in &parts {
        out.push_str(&format!("{:>11}  {}\n", part.bytes.len(), part.name));
    }
    let shown = args.output.display();
    let of = parts.len();
    out.push_str(&format!(
        "{shown}: {of} files, {content} bytes, {size} packed, for {architecture}\n"
    ));
    print(&out)?;
    limits(size, content);
    Ok(exit::OK)
}

fn limits(size: u64, content: u64) {
    let mb = |bytes: u64| bytes.div_ceil(1 << 20);
    if size > LARGEST_ARCHIVE {
        warn(&format!(
            "the archive has {} MB, and Lambda takes 50 MB directly: put it into S3 and name it there (s3_bucket, s3_key)",
            mb(size)
        ));
    }
    if content > LARGEST_CONTENT {
        warn(&format!("what is in it has {} MB, and Lambda takes 250 MB at most", mb(content)));
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Report> {
    fs::read(path)
        .map_err(|error| Report::new(format!("{} cannot be read: {error}", path.display())))
}

/// The architecture of a program that can start there.
fn checked(path: &Path, program: &[u8], force: bool) -> Result<&'static str, Report> {
    let (architecture, problem) = match elf::needs(program) {
        Ok(needs) => {
            let architecture = match needs.machine {
                Machine::X86 => "x86_64",
                Machine::Arm => "arm64",
                Machine::Other(_) => "an unknown processor",
            };
            (architecture, obstacle(&needs))
        }
        Err(error) => ("an unknown processor", Some(error.to_string())),
    };
    let Some(problem) = problem else { return Ok(architecture) };
    let text = format!("{} cannot start in the runtime provided.al2023: {problem}", path.display());
    if force {
        warn(&text);
        return Ok(architecture);
    }
    Err(Report::new(text).hint(
        "name one that can with --binary, best a static build; --force packs it all the same",
    ))
}

/// Why a program cannot start there; nothing where it can.
fn obstacle(needs: &Needs) -> Option<String> {
    if let Machine::Other(number) = needs.machine {
        return Some(format!("it is for a processor (ELF {number}) that Lambda does not have"));
    }
    let interpreter = needs.interpreter.as_deref()?;
    if interpreter.contains("musl") || interpreter.starts_with("/nix/") {
        return Some(format!("it is started by {interpreter}, which is not there"));
    }
    if let Some((major, minor)) = needs.glibc.filter(|it| *it > GLIBC) {
        let (has_major, has_minor) = GLIBC;
        return Some(format!(
            "it needs glibc {major}.{minor}, and there is {has_major}.{has_minor}"
        ));
    }
    let missing = needs.libraries.iter().find(|it| !LIBRARIES.contains(&it.as_str()))?;
    Some(format!("it needs {missing}, which is not there"))
}

fn gather(args: &Args) -> Result<(Manifest, Gathered), Report> {
    if !args.playbook.is_file() {
        let text = format!("the playbook: {} could not be found", args.playbook.display());
        return Err(Report::new(text));
    }
    let root = args.playbook.parent().filter(|it| !it.as_os_str().is_empty());
    let mut gatherer = Gatherer::new(root.unwrap_or_else(|| Path::new(".")))?;
    let playbook = gatherer.playbook(&args.playbook)?;
    let mut inventory = Vec::new();
    for source in &args.inventory {
        inventory.push(match source.contains(',') {
            true => source.clone(),
            false => gatherer.inventory(Path::new(source))?,
        });
    }
    let mut extra_vars = Vec::new();
    for text in &args.extra_vars {
        extra_vars.push(match text.strip_prefix('@') {
            Some(path) => format!("@{}", gatherer.named(Path::new(path))?),
            None => text.clone(),
        });
    }
    for path in &args.include {
        gatherer.named(path)?;
    }
    Ok((Manifest { playbook, inventory, extra_vars }, gatherer.end()))
}

/// Writes the archive, which is there when it is whole; its size.
fn write(path: &Path, parts: &[Part]) -> Result<u64, Report> {
    let wrong =
        |error: io::Error| Report::new(format!("{} cannot be written: {error}", path.display()));
    // A device would be replaced by a file that is called like it.
    if fs::metadata(path).is_ok_and(|it| !it.is_file()) {
        return Err(wrong(io::Error::other("what is there is no regular file")));
    }
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".davit-")
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(folder.unwrap_or_else(|| Path::new(".")))
        .map_err(wrong)?;
    // In memory: on a disk that is full, the archive would speak up by itself.
    let mut archive = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    // Neither times nor owners: what went in decides on the bytes, and nothing else does.
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default());
    for part in parts {
        let mode = if part.runs { 0o755 } else { 0o644 };
        let begun = archive.start_file(part.name.as_str(), options.unix_permissions(mode));
        begun.map_err(|error| wrong(error.into()))?;
        archive.write_all(&part.bytes).map_err(wrong)?;
    }
    let bytes = archive.finish().map_err(|error| wrong(error.into()))?.into_inner();
    file.write_all(&bytes).map_err(wrong)?;
    file.persist(path).map_err(|error| wrong(error.error))?;
    Ok(bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_start_is_told_why() {
        let needs = |interpreter: Option<&str>, library: &str, glibc| Needs {
            machine: Machine::X86,
            interpreter: interpreter.map(str::to_owned),
            libraries: [library.to_owned()].into(),
            glibc,
        };
        let usual = Some("/lib64/ld-linux-x86-64.so.2");
        for (needs, expect) in [
            (needs(None, "libc.so.6", None), None),
            (needs(usual, "libc.so.6", Some((2, 34))), None),
            (needs(usual, "libc.so.6", Some((2, 4))), None),
            (
                needs(usual, "libc.so.6", Some((2, 39))),
                Some("it needs glibc 2.39, and there is 2.34"),
            ),
            (
                needs(usual, "libssl.so.3", Some((2, 34))),
                Some("it needs libssl.so.3, which is not there"),
            ),
            (
                needs(Some("/lib/ld-musl-x86_64.so.1"), "libc.so", None),
                Some("it is started by /lib/ld-musl-x86_64.so.1, which is not there"),
            ),
            (
                Needs { machine: Machine::Other(243), ..needs(None, "", None) },
                Some("it is for a processor (ELF 243) that Lambda does not have"),
            ),
        ] {
            assert_eq!(obstacle(&needs).as_deref(), expect, "{needs:?}");
        }
    }
}
