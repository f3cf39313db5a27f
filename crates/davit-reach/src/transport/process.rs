//! Programs of this machine, and the pipes to them. Knows nothing of what they lead to.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use davit_run::Unreachable;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::transport::Pipes;

/// How many pieces of error output wait to be taken.
const PIECES: usize = 64;
/// The largest of them.
const PIECE: usize = 4096;
/// How long a program that is asked to end may take.
const GRACE: Duration = Duration::from_millis(500);
/// How long error output is read on after the end: what stays in the background, such as the
/// master of shared ssh connections, holds it open.
const REST: Duration = Duration::from_millis(100);

/// Starts a program; its process number comes with the pipes.
///
/// It gets a process group of its own, so that Ctrl-C at the terminal reaches davit alone, which
/// lets running tasks finish. It ends when [`Pipes::guard`] is dropped, with all of its group.
pub(crate) fn spawn(mut command: Command) -> io::Result<(Pipes, u32)> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.process_group(0).kill_on_drop(true).spawn()?;
    let (Some(stdin), Some(stdout), Some(stderr), Some(pid)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take(), child.id())
    else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let (say, said) = mpsc::channel(PIECES);
    let (end, ended) = oneshot::channel();
    let (guard, released) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let code = attend(child, pid, stderr, say, released).await;
        // Who does not wait for the end does not hear of it.
        let _ = end.send(code);
    });
    let pipes = Pipes {
        stdin: Box::new(stdin),
        stdout: Box::new(stdout),
        stderr: said,
        terminal: None,
        ended: Box::pin(async move { ended.await.ok().flatten() }),
        guard: Box::new(guard),
    };
    Ok((pipes, pid))
}

/// Waits for the end and relays error output; ends the program when it is released.
async fn attend(
    mut child: Child,
    pid: u32,
    mut stderr: ChildStderr,
    say: mpsc::Sender<Vec<u8>>,
    mut released: oneshot::Receiver<()>,
) -> Option<i32> {
    let mut buffer = [0; PIECE];
    let mut open = true;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            // It is only ever dropped, never used.
            _ = &mut released => {
                end_group(pid, Signal::SIGTERM);
                if timeout(GRACE, child.wait()).await.is_err() {
                    end_group(pid, Signal::SIGKILL);
                }
                break child.wait().await;
            }
            read = stderr.read(&mut buffer), if open => match read {
                Ok(count) if count > 0 => tell(&say, &buffer[..count]),
                _ => open = false,
            }
        }
    };
    if open {
        let rest = async {
            while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
                tell(&say, &buffer[..count]);
            }
        };
        // What has not come by then is not this program's.
        let _ = timeout(REST, rest).await;
    }
    status.ok().and_then(code)
}

/// Hands on what was written; dropped where nobody takes it.
fn tell(say: &mpsc::Sender<Vec<u8>>, text: &[u8]) {
    let _ = say.try_send(text.to_vec());
}

fn end_group(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        // It may be gone.
        let _ = killpg(Pid::from_raw(pid), signal);
    }
}

fn code(status: ExitStatus) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| -signal))
}

/// What to say where a program cannot even be started.
pub(crate) fn not_started(program: &str, error: &io::Error, package: &str) -> Unreachable {
    let help = match error.kind() {
        io::ErrorKind::NotFound => {
            Some(format!("'{program}' is not installed here, or not in PATH: install {package}"))
        }
        _ => None,
    };
    Unreachable { help, ..Unreachable::new(format!("'{program}' cannot be started: {error}")) }
}
