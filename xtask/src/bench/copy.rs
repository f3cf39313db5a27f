//! Contents that go to a host: a folder of many small files, and one file that nothing can compress.
//!
//! Each way is measured twice: to a host that has nothing, and to one that has everything. rsync looks at sizes and times
//! of change in the second case; davit, as the original, compares checksums.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use davit_ground::on_path;

use super::field::{Field, ORIGINAL, Side, compare, table};
use crate::{Outcome, process::Measured};

/// Both folders.
pub(super) fn copy(quick: bool) -> Outcome {
    let (files, mebibytes, rounds) = if quick { (100, 64, 2) } else { (1_000, 1024, 3) };
    println!("\ncopy: a folder of {files} files of 4 KiB");
    // The original takes most of a second for every file.
    let many = ways(|from| small(from, files), rounds, false);
    println!("\ncopy: a file of {mebibytes} MiB");
    many.and(ways(|from| large(from, mebibytes), rounds, true))
}

/// Files in twenty folders.
fn small(from: &Path, files: usize) -> io::Result<()> {
    for number in 0..files {
        let folder = from.join(format!("d{}", number % 20));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("f{number}")), format!("{number:>4}").repeat(1024))?;
    }
    Ok(())
}

fn large(from: &Path, mebibytes: u64) -> io::Result<()> {
    fs::create_dir_all(from)?;
    let mut file = fs::File::create(from.join("large"))?;
    let source = fs::File::open("/dev/urandom")?;
    io::copy(&mut io::Read::take(source, mebibytes << 20), &mut file).map(drop)
}

/// A field with a folder to copy, and one to copy to.
struct Copying {
    field: Field,
    from: PathBuf,
    to: PathBuf,
}

impl Copying {
    fn empty(&self) -> Outcome {
        let _ = fs::remove_dir_all(&self.to);
        fs::create_dir_all(&self.to).map_err(|error| format!("{}: {error}", self.to.display()))
    }

    fn at(&self) -> String {
        format!("root@{}:{}/", self.field.hosts.addresses[0], self.to.display())
    }

    /// The options of an `ssh`, without the address.
    fn ssh(&self) -> Vec<String> {
        let mut words = self.field.hosts.ssh("root", 0);
        words.pop();
        words
    }

    fn rsync(&self) -> Result<Command, String> {
        let ssh = format!("ssh {}", self.ssh().join(" "));
        Ok(self.field.command(there("rsync")?, &["-a", "-e", &ssh, "from/", &self.at()]))
    }

    fn scp(&self) -> Result<Command, String> {
        let (at, words) = (self.at(), self.ssh());
        let mut args = vec!["-q", "-r", "-p"];
        // The one option that has another name.
        args.extend(words.iter().map(|word| if word == "-p" { "-P" } else { word }));
        args.extend(["from/.", &at]);
        Ok(self.field.command(there("scp")?, &args))
    }

    fn first(&self, command: Result<Command, String>) -> Result<Measured, String> {
        self.empty()?;
        self.again(command)
    }

    fn again(&self, command: Result<Command, String>) -> Result<Measured, String> {
        let measured = self.field.measured(&mut command?)?;
        same(&self.from, &self.to).map(|()| measured)
    }
}

fn ways(make: impl FnOnce(&Path) -> io::Result<()>, rounds: usize, original: bool) -> Outcome {
    let field = Field::open(1, Duration::ZERO, true)?;
    let (from, to) = (field.ground.path("from"), field.ground.path("to"));
    make(&from).map_err(|error| format!("{}: {error}", from.display()))?;
    field.play(&format!(
        "- hosts: web\n  gather_facts: false\n  tasks:\n    - copy: {{src: from/, dest: {}/}}\n",
        to.display()
    ))?;
    // The first contact is measured elsewhere: here the agent is there already.
    field.measured(&mut field.davit(&["exec", "-i", "hosts.ini", "web", "-m", "ping"]))?;
    let it = Copying { field, from, to };
    let mut sides = vec![
        Side::new("scp", rounds, || it.first(it.scp())),
        Side::new("rsync", rounds, || it.first(it.rsync())),
        Side::new("rsync, again", rounds, || it.again(it.rsync())),
        Side::new("davit", rounds, || it.first(Ok(it.field.run()))),
        Side::new("davit, again", rounds, || it.again(Ok(it.field.run()))),
    ];
    if original {
        sides.push(Side::new(ORIGINAL, 1, || it.first(it.field.original())));
        sides.push(Side::new("ansible, again", 1, || it.again(it.field.original())));
    }
    let compared = compare(&mut sides);
    table(&sides, |side| side.peak_mib().map_or(String::new(), |it| format!("{it:>6} MiB")));
    drop(sides);
    it.field.hang_up();
    compared
}

fn there(program: &str) -> Result<PathBuf, String> {
    if on_path(program) { Ok(program.into()) } else { Err(format!("there is no {program}")) }
}

fn same(from: &Path, to: &Path) -> Outcome {
    let status = Command::new("diff").args(["-rq"]).args([from, to]).stdout(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("{}: not what is in {}", to.display(), from.display())),
        Err(error) => Err(format!("diff: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_hold_what_is_said() {
        let folder = std::env::temp_dir().join(format!("davit-bench-copy-{}", std::process::id()));
        small(&folder.join("small"), 40).unwrap();
        large(&folder.join("large"), 1).unwrap();
        assert_eq!(fs::read_dir(folder.join("small")).unwrap().count(), 20);
        assert_eq!(fs::metadata(folder.join("small/d1/f21")).unwrap().len(), 4096);
        assert_eq!(fs::metadata(folder.join("large/large")).unwrap().len(), 1 << 20);
        assert!(same(&folder.join("small"), &folder.join("large")).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
