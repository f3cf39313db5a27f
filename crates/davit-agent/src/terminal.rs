//! A terminal for programs that ask for a password there and nowhere else, such as `doas`.
//!
//! A program gets a controlling terminal only by opening it as the leader of a session. So the
//! agent starts itself once more: the helper becomes that leader, opens the terminal, and turns
//! into the program, whose input and output stay the pipes that they were.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};

/// A new terminal.
pub(crate) struct Terminal {
    /// The side at which one types and reads.
    pub(crate) master: File,
    /// Where the program's side is.
    pub(crate) path: PathBuf,
    /// The program's side, held open: it would count as gone until the program opens it.
    pub(crate) held: File,
}

/// Makes a terminal.
pub(crate) fn open() -> io::Result<Terminal> {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let path = PathBuf::from(ptsname_r(&master)?);
    let master: std::os::fd::OwnedFd = master.into();
    let held = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NOCTTY.bits())
        .open(&path)?;
    Ok(Terminal { master: File::from(master), path, held })
}

/// The command that runs `argv` at the terminal of that path.
pub(crate) fn command(argv: &[String], path: &std::path::Path) -> Command {
    let mut command = Command::new(crate::guard::own_program());
    command.arg("--terminal").arg(path).args(argv);
    command
}

/// The helper: turns into the program; the exit status where it cannot.
pub fn helper(mut args: impl Iterator<Item = OsString>) -> i32 {
    let (Some(terminal), Some(program)) = (args.next(), args.next()) else { return 2 };
    if nix::unistd::setsid().is_err() {
        return 126;
    }
    // Opened by the leader of a session without a terminal, it becomes that session's.
    let Ok(_held) = OpenOptions::new().read(true).write(true).open(&terminal) else { return 126 };
    let error = Command::new(&program).args(args).exec();
    if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
}
