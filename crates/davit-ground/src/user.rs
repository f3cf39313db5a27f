//! People on the target: accounts with random passwords, and rules for sudo and doas.
//!
//! Accounts stay, since several tests at once use them; they are of no use to anybody else. Passwords are random,
//! known to root only, and made anew with the account.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Outcome,
    process::{is_root, run},
};

/// Where the passwords are kept.
const FOLDER: &str = "/var/lib/davit-ground";
/// The one file of rules that sudo reads.
const SUDOERS: &str = "/etc/sudoers.d/davit-ground";
/// The one file of rules that doas reads.
const DOAS: &str = "/etc/doas.conf";

/// What a user may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Nobody else.
    None,
    /// Anybody, with the own password.
    Password,
    /// Anybody, unasked.
    Free,
}

/// An account on this machine.
#[derive(Clone, Debug)]
pub struct User {
    /// Its name.
    pub name: &'static str,
    /// Its password.
    pub password: String,
    /// Its home.
    pub home: PathBuf,
}

/// The accounts that there are.
const USERS: &[(&str, Rights)] =
    &[("davit-t1", Rights::Password), ("davit-t2", Rights::None), ("davit-t3", Rights::Free)];

impl User {
    /// The user with these rights, made if it is not there: `davit-t1` with a password, `davit-t2` without
    /// rights, `davit-t3` unasked.
    ///
    /// # Errors
    /// Without root's rights no account can be made.
    pub fn with(rights: Rights) -> Outcome<Self> {
        if !is_root() {
            return Err("users of the test ground can only be made by root".to_owned());
        }
        let _lock = lock()?;
        rules()?;
        let (name, _) =
            USERS.iter().find(|(_, it)| *it == rights).ok_or("no user with these rights")?;
        let kept = Path::new(FOLDER).join(name);
        let home = PathBuf::from(format!("/home/{name}"));
        let known = run("id", &["-u", name]).is_ok();
        if let Some(password) = fs::read_to_string(&kept).ok().filter(|it| known && !it.is_empty())
        {
            return Ok(Self { name, password, home });
        }
        if !known {
            run("useradd", &["--create-home", "--shell", "/bin/sh", name])?;
        }
        let password = random()?;
        set_password(name, &password)?;
        write(&kept, &password, 0o600)?;
        Ok(Self { name, password, home })
    }

    /// Its number.
    ///
    /// # Errors
    /// It is gone.
    pub fn id(&self) -> Outcome<u32> {
        let text = run("id", &["-u", self.name])?;
        text.trim().parse().map_err(|error| format!("{text:?}: {error}"))
    }
}

/// Held while accounts and rules are changed.
fn lock() -> Outcome<File> {
    let said = |error| format!("{FOLDER}: {error}");
    fs::create_dir_all(FOLDER).map_err(said)?;
    fs::set_permissions(FOLDER, fs::Permissions::from_mode(0o700)).map_err(said)?;
    let file = File::create(Path::new(FOLDER).join("lock")).map_err(said)?;
    file.lock().map_err(said)?;
    Ok(file)
}

fn rules() -> Outcome<()> {
    let (mut sudo, mut doas) = (String::new(), String::new());
    for (name, rights) in USERS {
        match rights {
            Rights::None => {}
            Rights::Password => {
                sudo.push_str(&format!(
                    "{name} ALL=(ALL:ALL) ALL\nDefaults:{name} timestamp_timeout=0\n"
                ));
                doas.push_str(&format!("permit {name}\n"));
            }
            Rights::Free => {
                sudo.push_str(&format!("{name} ALL=(ALL:ALL) NOPASSWD: ALL\n"));
                doas.push_str(&format!("permit nopass {name}\n"));
            }
        }
    }
    if Path::new("/etc/sudoers.d").is_dir()
        && fs::read_to_string(SUDOERS).ok() != Some(sudo.clone())
    {
        write(Path::new(SUDOERS), &sudo, 0o440)?;
    }
    let there = fs::read_to_string(DOAS).unwrap_or_default();
    if !there.contains(&doas) {
        write(Path::new(DOAS), &format!("{there}{doas}"), 0o600)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str, mode: u32) -> Outcome<()> {
    let said = |error| format!("{}: {error}", path.display());
    // A name with a dot is none that sudo reads, so it never sees half a file.
    let partial = path.with_extension("new");
    let _ = fs::remove_file(&partial);
    let mut file =
        File::options().write(true).create_new(true).mode(mode).open(&partial).map_err(said)?;
    file.write_all(text.as_bytes()).map_err(said)?;
    fs::rename(&partial, path).map_err(said)
}

fn random() -> Outcome<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| format!("/dev/urandom: {error}"))?;
    // A space and quotes: a password that is not quoted somewhere shows at once.
    Ok(format!("p '\"${}", bytes.map(|byte| format!("{byte:02x}")).concat()))
}

fn set_password(name: &str, password: &str) -> Outcome<()> {
    let said = |error| format!("chpasswd: {error}");
    let mut child = Command::new("chpasswd").stdin(Stdio::piped()).spawn().map_err(said)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(format!("{name}:{password}\n").as_bytes()).map_err(said)?;
    }
    let status = child.wait().map_err(said)?;
    if status.success() { Ok(()) } else { Err(format!("chpasswd: {status}")) }
}
