//! A command of the user's: whether it is to run, how it is run, and what its result tells.
//!
//! What `command` and `shell` share. How programs are started and stopped is the gate's work.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use davit_module::{Access, Host, ModuleError, Outcome, Program, Ran, expand_path, split_words};
use serde_json::Value;

use super::{clock, glob, text};

/// The result code of a call that could not be made at all.
const NO_CALL: i32 = 257;

/// What to run.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    /// A program and its arguments.
    Words(Vec<String>),
    /// A text for a shell.
    Shell {
        /// The text.
        text: String,
        /// Which shell; `/bin/sh` where `None`.
        executable: Option<String>,
    },
}

impl Line {
    /// The result's `cmd`.
    fn shown(&self) -> Value {
        match self {
            Self::Words(words) => words.as_slice().into(),
            Self::Shell { text, .. } => text.as_str().into(),
        }
    }

    /// The words of a command line; a quote that is not closed is an error.
    ///
    /// # Errors
    /// Where the text ends within a quote or after a backslash.
    pub(crate) fn of_text(text: &str) -> Result<Self, ModuleError> {
        split_words(text).map(Self::Words).ok_or_else(|| {
            let escaped = text.ends_with('\\');
            ModuleError::failed(if escaped {
                "Task failed: Module failed: No escaped character"
            } else {
                "Task failed: Module failed: No closing quotation"
            })
        })
    }
}

/// A command and what goes with it.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) line: Line,
    pub(crate) chdir: Option<PathBuf>,
    pub(crate) creates: Option<String>,
    pub(crate) removes: Option<String>,
    pub(crate) stdin: Option<String>,
    pub(crate) stdin_add_newline: bool,
    pub(crate) strip_empty_ends: bool,
    pub(crate) expand: bool,
}

impl Command {
    /// Runs it, unless a file says that there is nothing to do.
    ///
    /// # Errors
    /// Where it cannot be started, or does not end with status 0.
    pub(crate) fn run(self, host: &mut Host<'_>) -> Result<Outcome, ModuleError> {
        let mut result = Report::of(&self.line);
        if self.line_is_empty() {
            return Err(no_call(&self.line));
        }
        let chdir = self.chdir.as_deref().filter(|it| !it.as_os_str().is_empty());
        let folder = chdir.map(|it| host.at(it));
        let enter = |it: &PathBuf| host.is_dir(it) && host.may(it, Access::Execute);
        if folder.as_ref().is_some_and(|it| !enter(it)) {
            let error = result.fail("Unable to change directory before execution.");
            return Err(error.with("rc", Value::Null));
        }
        let creates = self.creates.as_deref().filter(|it| !it.is_empty());
        let removes = self.removes.as_deref().filter(|it| !it.is_empty());
        let did = if host.is_check() { "Would" } else { "Did" };
        for (path, unless) in [(creates, true), (removes, false)] {
            let Some(path) = path else { continue };
            if is_there(host, path, folder.as_deref()) == unless {
                let why = if unless { "exists" } else { "does not exist" };
                result.msg = format!("{did} not run command since '{path}' {why}");
                result.stdout = format!("skipped, since {path} {why}");
                return Ok(result.outcome().changed(false));
            }
        }
        if host.is_check() {
            result.msg = "Command would have run if not in check mode".to_owned();
            let guarded = creates.is_some() || removes.is_some();
            let outcome = result.outcome().changed(guarded);
            return Ok(if guarded { outcome } else { outcome.with("skipped", true) });
        }
        self.start(host, folder, result)
    }

    fn line_is_empty(&self) -> bool {
        matches!(&self.line, Line::Words(words) if words.is_empty())
    }

    fn start(
        self,
        host: &mut Host<'_>,
        folder: Option<PathBuf>,
        mut result: Report,
    ) -> Result<Outcome, ModuleError> {
        let argv = self.argv(host);
        let program = Program {
            argv: argv.iter().map(OsString::from).collect(),
            stdin: self.stdin.map(|mut text| {
                if self.stdin_add_newline {
                    text.push('\n');
                }
                text.into_bytes()
            }),
            folder,
            ..Program::default()
        };
        let start = SystemTime::now();
        let ran = match host.command(&program) {
            Ok(ran) => ran.unwrap_or_default(),
            Err(ModuleError::Program { source, .. }) => {
                return Err(not_started(&argv, source.raw_os_error().unwrap_or(NO_CALL)));
            }
            Err(other) => return Err(other),
        };
        result.ran(&ran, start, host.variable("TZ").as_deref());
        if self.strip_empty_ends {
            for text in [&mut result.stdout, &mut result.stderr] {
                text.truncate(text.trim_end_matches(['\r', '\n']).len());
            }
        }
        if ran.rc == 0 {
            Ok(result.outcome().changed(true))
        } else {
            Err(result.fail("non-zero return code").with("changed", true))
        }
    }

    /// What is started.
    fn argv(&self, host: &Host<'_>) -> Vec<String> {
        match &self.line {
            Line::Words(words) if self.expand => {
                words.iter().map(|it| expand_path(it, &|name| host.variable(name))).collect()
            }
            Line::Words(words) => words.clone(),
            Line::Shell { text, executable } => {
                let shell = executable.as_deref().filter(|it| !it.is_empty()).unwrap_or("/bin/sh");
                vec![shell.to_owned(), "-c".to_owned(), text.clone()]
            }
        }
    }
}

/// Whether a path, or any that matches a pattern, is there.
pub(crate) fn is_there(host: &Host<'_>, path: &str, folder: Option<&Path>) -> bool {
    let whole = match folder {
        Some(folder) if !path.starts_with('/') => format!("{}/{path}", folder.display()),
        _ => path.to_owned(),
    };
    glob::first_path(host, &whole).is_some()
}

fn no_call(line: &Line) -> ModuleError {
    let cmd = match line {
        Line::Words(_) => Value::from(""),
        Line::Shell { .. } => Value::Null,
    };
    not_started(&[], NO_CALL).with("cmd", cmd)
}

/// The result of a program that could not be started.
fn not_started(argv: &[String], rc: i32) -> ModuleError {
    let cmd: Vec<String> = argv.iter().map(|it| text::shell_quote(it)).collect();
    let empty: [&str; 0] = [];
    ModuleError::failed("Error executing command.")
        .with("cmd", cmd.join(" "))
        .with("rc", rc)
        .with("stdout", "")
        .with("stderr", "")
        .with("stdout_lines", empty)
        .with("stderr_lines", empty)
}

/// The keys of a result.
struct Report {
    cmd: Value,
    rc: i32,
    stdout: String,
    stderr: String,
    msg: String,
    start: Option<String>,
    end: Option<String>,
    delta: Option<String>,
}

impl Report {
    fn of(line: &Line) -> Self {
        Self {
            cmd: line.shown(),
            rc: 0,
            stdout: String::new(),
            stderr: String::new(),
            msg: String::new(),
            start: None,
            end: None,
            delta: None,
        }
    }

    fn ran(&mut self, ran: &Ran, start: SystemTime, zone: Option<&str>) {
        let end = SystemTime::now();
        let zone = clock::zone(zone);
        self.rc = ran.rc;
        self.stdout = String::from_utf8_lossy(&ran.stdout).into_owned();
        self.stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
        self.start = Some(clock::stamp(start, &zone));
        self.end = Some(clock::stamp(end, &zone));
        self.delta = Some(clock::span(end.duration_since(start).unwrap_or_default()));
    }

    fn keys(&self) -> [(&'static str, Value); 9] {
        [
            ("stdout", self.stdout.as_str().into()),
            ("stderr", self.stderr.as_str().into()),
            ("rc", self.rc.into()),
            ("cmd", self.cmd.clone()),
            ("start", self.start.clone().into()),
            ("end", self.end.clone().into()),
            ("delta", self.delta.clone().into()),
            ("stdout_lines", text::lines(&self.stdout).into()),
            ("stderr_lines", text::lines(&self.stderr).into()),
        ]
    }

    fn outcome(self) -> Outcome {
        let outcome = Outcome::new().msg(self.msg.clone());
        self.keys().into_iter().fold(outcome, |outcome, (key, value)| outcome.with(key, value))
    }

    fn fail(&self, msg: &str) -> ModuleError {
        let error = ModuleError::failed(msg);
        self.keys().into_iter().fold(error, |error, (key, value)| error.with(key, value))
    }
}

/// Runs a text in a shell and tells what it said as it came, as `raw` and `script` do.
///
/// # Errors
/// Where it cannot be started, or does not end with status 0.
pub(crate) fn plain_shell(
    host: &mut Host<'_>,
    executable: Option<&str>,
    line: &str,
) -> Result<Outcome, ModuleError> {
    let shell = executable.filter(|it| !it.is_empty()).unwrap_or("/bin/sh");
    let program = Program::new(shell).arg("-c").arg(line);
    let ran = host.command(&program)?.unwrap_or_default();
    let stdout = String::from_utf8_lossy(&ran.stdout);
    let stderr = String::from_utf8_lossy(&ran.stderr);
    let keys: [(&str, Value); 6] = [
        ("rc", ran.rc.into()),
        ("stdout", stdout.as_ref().into()),
        ("stdout_lines", text::lines(&stdout).into()),
        ("stderr", stderr.as_ref().into()),
        ("stderr_lines", text::lines(&stderr).into()),
        ("changed", true.into()),
    ];
    if ran.rc != 0 {
        let error = ModuleError::failed("non-zero return code");
        return Err(keys.into_iter().fold(error, |error, (key, value)| error.with(key, value)));
    }
    let outcome = Outcome::new().changed(true);
    Ok(keys.into_iter().fold(outcome, |outcome, (key, value)| outcome.with(key, value)))
}
