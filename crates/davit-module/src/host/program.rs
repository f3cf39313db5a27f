//! Running programs: started in their own group, so that all of it ends when the call is stopped.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use davit_event::Stream;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::Host;
use crate::session::Change;
use crate::{Cancel, Listener, ModuleError};

/// How often a program that says nothing is looked after, in milliseconds.
const TICK_MS: u16 = 50;

/// How long a program whose output is closed takes to be gone, as a rule.
const GOING: Duration = Duration::from_micros(200);

/// The most that a program may write: a result is kept in memory, here and where it is shown.
const MOST: usize = 64 << 20;

/// A program to run, and with what.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Its name or path, and its arguments.
    pub argv: Vec<OsString>,
    /// What it reads from its input; nothing where `None`.
    pub stdin: Option<Vec<u8>>,
    /// Where it starts; the call's own folder where `None`.
    pub folder: Option<PathBuf>,
    /// Variables on top of the task's.
    pub environment: Vec<(String, String)>,
}

/// How a program ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Exit status; the negated number of the signal that ended it.
    pub rc: i32,
    /// What it wrote to its output.
    pub stdout: Vec<u8>,
    /// What it wrote to its error output.
    pub stderr: Vec<u8>,
}

impl Program {
    /// A program without arguments.
    pub fn new(name: impl Into<OsString>) -> Self {
        Self { argv: vec![name.into()], ..Self::default() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.argv.push(arg.into());
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The program and its arguments, with blanks between.
    fn text(&self) -> String {
        let words: Vec<_> = self.argv.iter().map(|it| it.to_string_lossy()).collect();
        words.join(" ")
    }

    fn name(&self) -> &OsStr {
        self.argv.first().map_or(OsStr::new(""), OsString::as_os_str)
    }
}

impl Host<'_> {
    /// Runs a program that may change the host; `None` in check mode, where it is not run.
    ///
    /// # Errors
    /// Where it cannot be started, or the call is stopped.
    pub fn command(&mut self, program: &Program) -> Result<Option<Ran>, ModuleError> {
        self.changed = true;
        if self.is_check() {
            return Ok(None);
        }
        self.session().record(Change::program(Path::new(program.name())));
        self.query(program).map(Some)
    }

    /// Runs a program that changes nothing, in check mode too.
    ///
    /// # Errors
    /// Where it cannot be started, or the call is stopped.
    pub fn query(&self, program: &Program) -> Result<Ran, ModuleError> {
        let fail = |source| ModuleError::Program { program: program.text(), source };
        let mut command = Command::new(program.name());
        command.args(program.argv.iter().skip(1));
        let folder = program.folder.as_deref().unwrap_or(self.folder());
        if !folder.as_os_str().is_empty() {
            command.current_dir(self.at(folder));
        }
        command.envs(self.task_environment().iter().map(|(key, value)| (key, value)));
        command.envs(program.environment.iter().map(|(key, value)| (key, value)));
        command.stdin(if program.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(fail)?;
        let feeder = child.stdin.take().zip(program.stdin.clone()).map(|(mut pipe, bytes)| {
            // A program that does not read all of its input is no failure.
            thread::spawn(move || drop(pipe.write_all(&bytes)))
        });
        let ran = listen(&mut child, self.cancel(), self.listener());
        if let Ok(None) | Err(_) = ran {
            stop(&mut child);
        }
        if let Some(feeder) = feeder {
            // It ends with the pipe; a panic in it would have been no more than a broken pipe.
            let _ = feeder.join();
        }
        ran.map_err(fail)?.ok_or(ModuleError::Cancelled)
    }
}

/// Collects what the program says until it is done; `None` where the call is stopped first.
fn listen(child: &mut Child, cancel: &Cancel, listener: &Listener) -> io::Result<Option<Ran>> {
    let mut ran = Ran::default();
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let mut buffer = vec![0; 64 * 1024];
    while out.is_some() || err.is_some() {
        if cancel.is_cancelled() {
            return Ok(None);
        }
        let mut fds = Vec::with_capacity(2);
        if let Some(out) = &out {
            fds.push(PollFd::new(out.as_fd(), PollFlags::POLLIN));
        }
        if let Some(err) = &err {
            fds.push(PollFd::new(err.as_fd(), PollFlags::POLLIN));
        }
        let count = poll(&mut fds, PollTimeout::from(TICK_MS)).unwrap_or(0);
        let ready: Vec<bool> =
            fds.iter().map(|fd| fd.revents().is_some_and(|it| !it.is_empty())).collect();
        let out_ready = out.is_some() && ready.first() == Some(&true);
        let err_ready = err.is_some() && ready.last() == Some(&true);
        if count == 0 {
            // A daemon may hold the pipes after the program itself has ended.
            if let Some(status) = child.try_wait()? {
                ran.rc = status.code().unwrap_or_else(|| -status.signal().unwrap_or(0));
                return Ok(Some(ran));
            }
            listener.hear(Stream::Stdout, b"");
            continue;
        }
        if out_ready && take(&mut out, &mut buffer, &mut ran.stdout, Stream::Stdout, listener)? {
            out = None;
        }
        if err_ready && take(&mut err, &mut buffer, &mut ran.stderr, Stream::Stderr, listener)? {
            err = None;
        }
        if ran.stdout.len() + ran.stderr.len() > MOST {
            return Err(io::Error::other(format!(
                "it was stopped after it had written {} MiB: send its output to a file",
                MOST >> 20
            )));
        }
    }
    let closed = Instant::now();
    let mut pause = Duration::from_micros(50);
    loop {
        if let Some(status) = child.try_wait()? {
            ran.rc = status.code().unwrap_or_else(|| -status.signal().unwrap_or(0));
            return Ok(Some(ran));
        }
        if cancel.is_cancelled() {
            return Ok(None);
        }
        // The pipes close a moment before the program is gone: to sleep and be woken would take
        // longer. Only one that closes them and lives on is worth pauses.
        if closed.elapsed() < GOING {
            thread::yield_now();
        } else {
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }
}

/// Reads what is there; true at the end of the pipe.
fn take(
    pipe: &mut Option<impl Read>,
    buffer: &mut [u8],
    into: &mut Vec<u8>,
    stream: Stream,
    listener: &Listener,
) -> io::Result<bool> {
    let Some(pipe) = pipe else { return Ok(true) };
    match pipe.read(buffer) {
        Ok(0) => Ok(true),
        Ok(count) => {
            into.extend_from_slice(&buffer[..count]);
            listener.hear(stream, &buffer[..count]);
            Ok(false)
        }
        Err(err) if err.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(err) => Err(err),
    }
}

/// Ends the program and all that it started in its group.
fn stop(child: &mut Child) {
    if let Ok(id) = i32::try_from(child.id()) {
        // It may have ended by itself, which is as good.
        let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
    }
    let _ = child.wait();
}

/// Splits a text into words as a shell would, with quotes and backslashes but nothing else.
///
/// `None` where a quote is not closed or a backslash ends the text.
#[must_use]
pub fn split_words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        other => word.push(other),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            escaped @ ('"' | '\\') => word.push(escaped),
                            other => {
                                word.push('\\');
                                word.push(other);
                            }
                        },
                        other => word.push(other),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Call, Session};

    #[test]
    fn words_are_split_as_a_shell_does() {
        let check = |text: &str, expect: Option<&[&str]>| {
            let expect = expect.map(|it| it.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(split_words(text), expect, "{text}");
        };
        check("a b  c", Some(&["a", "b", "c"]));
        check("a 'b c' \"d \\\" \\n\"", Some(&["a", "b c", "d \" \\n"]));
        check("a\\ b '' c\"d\"e", Some(&["a b", "", "cde"]));
        check("a 'b", None);
        check("a \\", None);
    }

    #[test]
    fn programs_say_and_hear() {
        let (session, call) = (Session::default(), Call::default());
        let host = Host::new(&session, &call);
        let mut program = Program::new("sh").arg("-c").arg("cat; echo oops >&2; exit 3");
        program.stdin = Some(b"hello".to_vec());
        let ran = host.query(&program).unwrap();
        assert_eq!((ran.rc, ran.stdout, ran.stderr), (3, b"hello".to_vec(), b"oops\n".to_vec()));
        assert_eq!(host.query(&Program::new("sh").arg("-c").arg("kill -9 $$")).unwrap().rc, -9);
        assert!(host.query(&Program::new("/no/such/program")).is_err());
    }

    #[test]
    fn a_stopped_call_ends_its_programs() {
        let (session, call) = (Session::default(), Call::default());
        call.cancel.cancel();
        let host = Host::new(&session, &call);
        let ran = host.query(&Program::new("sleep").arg("100"));
        assert!(matches!(ran, Err(ModuleError::Cancelled)));
    }

    #[test]
    fn a_daemon_that_keeps_the_pipes_does_not_hold_the_call() {
        let (session, call) = (Session::default(), Call::default());
        let host = Host::new(&session, &call);
        let ran = host.query(&Program::new("sh").arg("-c").arg("echo on; sleep 5 &")).unwrap();
        assert_eq!((ran.rc, ran.stdout), (0, b"on\n".to_vec()));
    }
}
