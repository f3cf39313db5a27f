//! Commands over the real binary, in a closed environment: a folder, a home, no variables.

mod audit;
mod aws;
mod aws_logs;
mod cloud;
mod configure;
mod examples;
mod history;
mod lambda;
mod listing;
mod programs;
mod settings;
mod terminal;
mod undo;
mod vault;

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder with files, and nothing else that a command could see.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        for (name, text) in files {
            place.write(name, text);
        }
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder is made");
        fs::write(path, text).expect("a file is written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).expect("the file is there")
    }

    /// A command, split at spaces; its first word is the name that davit is called by.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut words = line.split(' ');
        let name = words.next().expect("a program");
        let mut command = Command::new(self.link(name));
        command
            .args(words)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("ANSIBLE_LOCALHOST_WARNING", "0");
        command
    }

    fn link(&self, name: &str) -> PathBuf {
        let link = self.path().join("bin").join(name);
        if !link.exists() {
            fs::create_dir_all(self.path().join("bin")).expect("a folder is made");
            symlink(env!("CARGO_BIN_EXE_davit"), &link).expect("a link is made");
        }
        link
    }

    pub(crate) fn run(&self, line: &str) -> Ran {
        self.run_with(line, &[], "")
    }

    pub(crate) fn run_with(&self, line: &str, variables: &[(&str, &str)], input: &str) -> Ran {
        let mut child = self
            .command(line)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("davit starts");
        // A command that does not read its input may be gone already.
        let _ = child.stdin.take().expect("it has one").write_all(input.as_bytes());
        let Output { status, stdout, stderr } = child.wait_with_output().expect("davit ends");
        let folder = self.path().display().to_string();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).replace(&folder, "{here}");
        Ran { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
    }
}

impl Ran {
    /// Holds code, output and what was said on the side against what is expected.
    #[track_caller]
    pub(crate) fn check(&self, code: i32, out: &str, err: &str) {
        assert_eq!((self.code, self.out.as_str(), self.err.as_str()), (code, out, err));
    }
}

/// Two hosts that are this machine.
pub(crate) const HOSTS: (&str, &str) =
    ("hosts", "[web]\na ansible_connection=local\nb ansible_connection=local\n");
