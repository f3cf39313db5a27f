//! Becoming another user: the command lines of sudo, su, doas and runuser, and the talk with them.
//!
//! The method starts a shell that says a word which nothing else says, so that it is known when
//! the other user's output begins. Until then the method may ask for a password: it is given once,
//! over the program's input or at its terminal, and never stands on a command line or in an
//! environment.
//!
//! It does not know where the program runs, nor what the shell is for.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Cursor};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use davit_run::{Become, Unreachable};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use crate::transport::Pipes;
use crate::words;

/// The ways to become another user, by the last part of their names.
pub const BECOME_METHODS: &[&str] = &["doas", "runuser", "su", "sudo"];

/// How long a method may take, with whatever it asks for log-ins behind it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long what it has said is on its way once it has ended.
const REST: Duration = Duration::from_millis(500);
/// The most that it may say.
const SAID: usize = 64 * 1024;

/// How a method asks for a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prompt {
    /// In our words.
    Ours,
    /// In its own language, with a colon at the end.
    Colon,
}

/// A program that becomes another user and starts a shell.
pub(crate) struct Plan {
    /// Program and arguments.
    pub(crate) argv: Vec<String>,
    /// Variables for it.
    pub(crate) environment: Vec<(String, String)>,
    /// It asks at its terminal and nowhere else.
    pub(crate) terminal: bool,
    method: String,
    user: String,
    password: Option<String>,
    prompt: Prompt,
    nonce: String,
    /// It was found to need a terminal, though it does not ask there.
    wants_terminal: AtomicBool,
}

/// Works out how to run a shell command as another user.
///
/// # Errors
/// A sentence, where there is no such method or its options cannot be read.
pub(crate) fn plan(privileges: &Become, line: &str) -> Result<Plan, String> {
    let method = privileges.method.rsplit('.').next().unwrap_or_default();
    let user = if privileges.user.is_empty() { "root" } else { &privileges.user };
    if user.starts_with('-') || user.contains('\0') {
        return Err(format!("become_user: '{user}' is no name of a user"));
    }
    let exe = privileges.exe.as_deref().filter(|it| !it.is_empty()).unwrap_or(method);
    let mut argv = words::split(exe).map_err(|what| unreadable("become_exe", exe, what))?;
    let flags = privileges.flags.as_deref();
    let flags = flags.unwrap_or(if method == "sudo" { "-H -S -n" } else { "" });
    let flags = words::split(flags).map_err(|what| unreadable("become_flags", flags, what))?;
    let password = privileges.password.clone().filter(|it| !it.is_empty());
    // The text of the line does not hold the word, so what repeats it is not taken for it.
    let number = format!("{:016x}", RandomState::new().hash_one(line));
    let nonce = format!("DAVIT-BECOME-{number}");
    let shell = vec![
        "/bin/sh".to_owned(),
        "-c".to_owned(),
        format!("echo DAVIT-BECOME\"-\"{number}; {line}"),
    ];
    let has_password = password.is_some();
    let terminal = asks_at_terminal(privileges);
    match method {
        "sudo" => {
            argv.extend(sudo(flags, has_password, &number));
            argv.extend(["-u".to_owned(), user.to_owned()]);
            argv.extend(shell);
        }
        "su" | "runuser" => {
            argv.extend(flags);
            argv.extend([user.to_owned(), "-c".to_owned(), words::join(&shell)]);
        }
        "doas" => {
            argv.extend(flags);
            if !has_password && !argv.iter().any(|it| it == "-n") {
                argv.push("-n".into());
            }
            argv.extend(["-u".to_owned(), user.to_owned()]);
            argv.extend(shell);
        }
        other => {
            return Err(format!(
                "there is no become method '{other}': there are sudo, su, doas and runuser"
            ));
        }
    }
    Ok(Plan {
        argv,
        environment: Vec::new(),
        terminal,
        method: method.to_owned(),
        user: user.to_owned(),
        password,
        prompt: if method == "sudo" { Prompt::Ours } else { Prompt::Colon },
        nonce,
        wants_terminal: AtomicBool::new(false),
    })
}

/// True where the method asks for the password at its terminal and nowhere else.
pub(crate) fn asks_at_terminal(privileges: &Become) -> bool {
    let method = privileges.method.rsplit('.').next();
    method == Some("doas") && privileges.password.as_ref().is_some_and(|it| !it.is_empty())
}

fn unreadable(name: &str, text: &str, what: &str) -> String {
    format!("the {name} '{text}' cannot be read: {what}")
}

/// The options of sudo, for whether there is a password or not.
fn sudo(flags: Vec<String>, has_password: bool, number: &str) -> Vec<String> {
    let mut options = Vec::new();
    let mut reads_input = false;
    for flag in flags {
        let flag = if has_password { without_n(flag) } else { Some(flag) };
        let Some(flag) = flag else { continue };
        reads_input |= flag == "--stdin" || (is_cluster(&flag) && flag.contains('S'));
        options.push(flag);
    }
    if has_password && !reads_input {
        options.push("-S".into());
    }
    options.extend(["-p".into(), prompt_of(number)]);
    options
}

/// The words in which sudo asks.
fn prompt_of(number: &str) -> String {
    format!("[davit {number}] password:")
}

/// True for options of one letter each, none of which takes a value.
fn is_cluster(flag: &str) -> bool {
    let letters = flag.strip_prefix('-').unwrap_or_default();
    !letters.is_empty() && letters.chars().all(|it| "AbBEeHiKklnPSsVv".contains(it))
}

/// Without what forbids sudo to ask.
fn without_n(flag: String) -> Option<String> {
    if flag == "--non-interactive" {
        return None;
    }
    if !is_cluster(&flag) {
        return Some(flag);
    }
    let rest = flag.replace('n', "");
    (rest != "-").then_some(rest)
}

impl Plan {
    /// The same as a line for a shell.
    pub(crate) fn command_line(&self) -> String {
        format!("exec {}", words::join(&self.argv))
    }

    /// What to say where the program cannot be started.
    pub(crate) fn not_started(&self, error: &io::Error) -> Unreachable {
        let program = self.argv.first().map_or("", String::as_str);
        // The kind does not travel with what the agent says.
        let is_absent = error.kind() == io::ErrorKind::NotFound
            || error.to_string().contains("No such file or directory");
        let help = is_absent.then(|| self.absent());
        Unreachable { help, ..Unreachable::refused(format!("cannot run '{program}': {error}")) }
    }

    /// True, once, where the program has ended for want of a terminal: it is to be started with
    /// one.
    pub(crate) fn retry_on_terminal(&mut self) -> bool {
        let wants = !self.terminal && *self.wants_terminal.get_mut();
        self.terminal |= wants;
        wants
    }

    fn absent(&self) -> String {
        format!(
            "the host has no '{}' where programs are looked for: install it, or set become_method or become_exe",
            self.argv.first().map_or("", String::as_str)
        )
    }

    fn incorrect(&self) -> Unreachable {
        let who = match self.method.as_str() {
            "su" => format!("'{}'", self.user),
            _ => "the user who is logged in".to_owned(),
        };
        Unreachable {
            help: Some(format!("{} asks for the password of {who}", self.method)),
            ..Unreachable::refused(format!("Incorrect {} password", self.method))
        }
    }

    fn missing(&self) -> Unreachable {
        Unreachable {
            help: Some("-K asks for it once, ansible_become_password holds it".into()),
            ..Unreachable::refused(format!("Missing {} password", self.method))
        }
    }
}

/// What has been said so far.
#[derive(Default)]
struct Said {
    out: Vec<u8>,
    err: Vec<u8>,
    /// How much of each had come when the password was given.
    answered: Option<(usize, usize)>,
}

impl Said {
    /// True where the method asks, and has not asked before it was answered.
    fn asks(&self, plan: &Plan) -> bool {
        let (out, err) = self.answered.unwrap_or_default();
        let since = [self.out.get(out..), self.err.get(err..)];
        since.into_iter().flatten().any(|text| plan.is_prompt(&String::from_utf8_lossy(text)))
    }

    /// All of it, for people.
    fn text(&self, plan: &Plan) -> String {
        let mut text = String::from_utf8_lossy(&self.err).into_owned();
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(&self.out));
        // A terminal may have echoed it. What is very short would be found in any text.
        if let Some(password) = plan.password.as_ref().filter(|it| it.chars().count() > 3) {
            text = text.replace(password.as_str(), "********");
        }
        let number = plan.nonce.rsplit('-').next().unwrap_or_default();
        let text = text.replace(&prompt_of(number), "").replace('\r', "");
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl Plan {
    fn is_prompt(&self, text: &str) -> bool {
        match self.prompt {
            Prompt::Ours => {
                let number = self.nonce.rsplit('-').next().unwrap_or_default();
                text.contains(&prompt_of(number))
            }
            Prompt::Colon => {
                let line = text.rsplit(['\n', '\r']).next().unwrap_or_default().trim();
                // The name of the program begins its complaints, which may come in two pieces.
                let exe = self.argv.first().map_or("", String::as_str);
                let name = line.trim_end_matches(':').rsplit('/').next().unwrap_or_default();
                let is_name = name == exe.rsplit('/').next().unwrap_or_default();
                (line.ends_with(':') || line.ends_with('：')) && !is_name
            }
        }
    }
}

/// Gives the password where it is asked for, and waits for the shell. Nothing of its output is
/// lost.
///
/// # Errors
/// Where the other user cannot be become; that is a refusal, not a loss of the host.
pub(crate) async fn authenticate(plan: &Plan, mut pipes: Pipes) -> Result<Pipes, Unreachable> {
    let limit = Instant::now() + PATIENCE;
    let mut said = Said::default();
    let mut buffer = vec![0; 4096];
    let mut hears = true;
    loop {
        let step = async {
            tokio::select! {
                biased;
                text = pipes.stderr.recv(), if hears => Step::Err(text),
                read = pipes.stdout.read(&mut buffer) => Step::Out(read.unwrap_or(0)),
            }
        };
        match timeout_at(limit, step).await {
            Err(_) => return Err(too_slow(plan, &said)),
            Ok(Step::Err(None)) => hears = false,
            Ok(Step::Err(Some(text))) => said.err.extend(text),
            Ok(Step::Out(0)) => return Err(ended(plan, pipes, said).await),
            Ok(Step::Out(count)) => said.out.extend_from_slice(&buffer[..count]),
        }
        if let Some(rest) = after_word(&said.out, plan.nonce.as_bytes()) {
            let rest = Cursor::new(rest.to_vec());
            pipes.stdout = Box::new(rest.chain(pipes.stdout));
            return Ok(pipes);
        }
        if said.out.len() + said.err.len() > SAID {
            return Err(Unreachable::refused(format!("{} does not stop to talk", plan.method)));
        }
        if said.asks(plan) {
            let Some(password) = &plan.password else { return Err(plan.missing()) };
            if said.answered.is_some() {
                return Err(plan.incorrect());
            }
            said.answered = Some((said.out.len(), said.err.len()));
            give(plan, &mut pipes, password).await;
        }
    }
}

enum Step {
    Out(usize),
    Err(Option<Vec<u8>>),
}

/// What follows the line with the word.
fn after_word<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(word.len()).position(|it| it == word)?;
    let rest = text.get(at + word.len()..)?;
    // At a terminal, lines end with both.
    rest.strip_prefix(b"\n").or_else(|| rest.strip_prefix(b"\r\n"))
}

async fn give(plan: &Plan, pipes: &mut Pipes, password: &str) {
    let line = format!("{password}\n").into_bytes();
    // Where it cannot be given, the program has ended, which is noticed next.
    match &pipes.terminal {
        // sudo reads its input wherever it runs: it is told to.
        Some(terminal) if plan.terminal && plan.method != "sudo" => {
            let _ = terminal.send(line).await;
        }
        _ => {
            let _ = pipes.stdin.write_all(&line).await;
            let _ = pipes.stdin.flush().await;
        }
    }
}

fn too_slow(plan: &Plan, said: &Said) -> Unreachable {
    let (seconds, text) = (PATIENCE.as_secs(), said.text(plan));
    let why = format!("Timeout ({seconds}s) waiting for privilege escalation prompt: {text}");
    Unreachable { refused: false, ..Unreachable::refused(why.trim_end()) }
}

/// The program ended before there was a shell.
async fn ended(plan: &Plan, mut pipes: Pipes, mut said: Said) -> Unreachable {
    let code = timeout(REST, &mut pipes.ended).await.ok().flatten();
    while let Ok(Some(text)) = timeout(REST, pipes.stderr.recv()).await {
        said.err.extend(text);
        if said.err.len() > SAID {
            break;
        }
    }
    explain(plan, code, said.answered.is_some(), &said.text(plan))
}

/// What the end of the program means.
fn explain(plan: &Plan, code: Option<i32>, answered: bool, text: &str) -> Unreachable {
    let low = text.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|it| low.contains(it));
    if has(&["must have a tty", "must be run from a terminal"]) {
        plan.wants_terminal.store(true, Ordering::Relaxed);
    }
    let (method, user) = (&plan.method, &plan.user);
    let forbidden = ["not in the sudoers", "not allowed to", "may not run"];
    let of_doas = method == "doas" && has(&["not permitted"]);
    let help = if has(&forbidden) || of_doas {
        Some(format!(
            "the configuration of {method} on the host does not let the user who is logged in become '{user}'"
        ))
    } else if has(&[
        "incorrect password",
        "sorry, try again",
        "authentication failure",
        "authentication failed",
        "incorrect authentication",
        "no password was provided",
    ]) {
        return if answered { plan.incorrect() } else { plan.missing() };
    } else if !answered
        && has(&[
            "password is required",
            "terminal is required",
            "authorization required",
            "authentication required",
            "no tty present",
        ])
    {
        return plan.missing();
    } else if has(&["unknown user", "does not exist", "unknown id", "no passwd entry"]) {
        Some(format!("the host has no user '{user}'"))
    } else if has(&["tty is required", "must have a tty"]) {
        Some(format!("{method} wants a terminal, which only tasks with an agent have: not `raw`"))
    } else if code == Some(127) || has(&["command not found", "not found", "no such file"]) {
        Some(plan.absent())
    } else if has(&["not be used by non-root", "must be root", "only root"]) {
        Some(format!("{method} works for root only: use sudo, su or doas"))
    } else if has(&["currently not available", "nologin"]) {
        Some(format!(
            "'{user}' has no shell that {method} could start: use sudo, or become_flags: '-s /bin/sh'"
        ))
    } else if has(&["must be setuid", "must be owned by uid 0", "no new privileges", "nosuid"]) {
        Some(format!(
            "{method} has no right to become another user here: in a container, or on a disk mounted nosuid"
        ))
    } else {
        None
    };
    let why = match (text, code) {
        ("", Some(code)) => format!("{method} ended with {code} and said nothing"),
        ("", None) => format!("{method} ended and said nothing"),
        _ => text.to_owned(),
    };
    Unreachable {
        help,
        ..Unreachable::refused(format!("Failed to become {user} with {method}: {why}"))
    }
}

#[cfg(test)]
mod tests;
