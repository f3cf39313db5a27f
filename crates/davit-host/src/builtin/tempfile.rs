//! `ansible.builtin.tempfile`: makes a file or folder with a name that nobody has.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/tempfile_module.html>

use std::io;
use std::path::{Path, PathBuf};

use davit_module::{FileArgs, Host, Module, ModuleError, Outcome, errno_text};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Makes an empty file or folder with a name that nobody has. Nobody but its owner may read it.
///
/// Nothing removes it again: that is for the play to do.
///
/// ```yaml
/// - ansible.builtin.tempfile:
///     state: directory
///     suffix: .build
///   register: build
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// What to make.
    #[serde(default)]
    state: State,
    /// The folder to make it in; the host's own folder for such things without it.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    path: Option<PathBuf>,
    /// How the name begins.
    #[serde(default = "prefix")]
    prefix: String,
    /// How the name ends.
    #[serde(default)]
    suffix: String,
}

fn prefix() -> String {
    "ansible.".to_owned()
}

/// What to make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// A file.
    #[default]
    File,
    /// A folder.
    Directory,
}

/// `ansible.builtin.tempfile`.
pub(crate) struct Tempfile;

impl Module for Tempfile {
    const NAME: &'static str = "ansible.builtin.tempfile";
    type Args = Args;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        let folder = match &args.path {
            Some(path) => path.clone(),
            None => host.variable("TMPDIR").map_or_else(|| Path::new("/tmp").into(), PathBuf::from),
        };
        for _ in 0..ATTEMPTS {
            let path = folder.join(format!("{}{}{}", args.prefix, random_name(), args.suffix));
            let made = match args.state {
                State::File => host.make_file(&path, 0o600),
                State::Directory => host.make_dir_raw(&path),
            };
            match made {
                Ok(()) => {
                    if args.state == State::Directory {
                        host.set_attributes(&path, &FileArgs::of_mode("0700".into()), None)?;
                    }
                    return Ok(Outcome::new().changed(true).with("path", path));
                }
                Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
                Err(err) => {
                    let msg = format!("{}: '{}'", errno_text(&err), path.display());
                    return Err(ModuleError::failed(msg));
                }
            }
        }
        Err(ModuleError::failed("no name that nobody has was found"))
    }
}

/// How many names are tried.
const ATTEMPTS: u32 = 100;

/// Eight characters that nobody can guess, from the standard library's seeded hasher.
fn random_name() -> String {
    use std::hash::{BuildHasher, RandomState};
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789_";
    let mut number = RandomState::new().hash_one(std::time::Instant::now());
    let mut name = String::new();
    for _ in 0..8 {
        let at = usize::try_from(number % LETTERS.len() as u64).unwrap_or(0);
        name.push(char::from(LETTERS[at]));
        number /= LETTERS.len() as u64;
    }
    name
}
