//! `ansible.builtin.reboot`: restarts the host and waits until it is back.
//!
//! The commands go to the host's shell: what davit keeps on the host need not survive, and is sent
//! again when the next module runs.

use std::time::{Duration, Instant};

use davit_module::Rules;
use davit_run::{Action, Outcome, RawResult, Running, TaskContext};
use davit_value::{Map, Value};
use schemars::JsonSchema;

use crate::failure::{Attempt, action_failed, broken};
use crate::options::{filled, seconds, text};
use crate::wait_for_connection::stopped;

/// Restarts the host, waits until it goes down and comes back, and until it does as it is told.
///
/// ```yaml
/// - name: Restart after the new kernel
///   ansible.builtin.reboot:
///     reboot_timeout: 900
/// ```
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the arguments are described here and read by name")]
struct Args {
    /// A command whose output differs after each start of the host.
    #[schemars(extend("default" = BOOT_ID))]
    boot_time_command: Option<String>,
    /// How long one attempt to connect may take, in seconds.
    connect_timeout: Option<i64>,
    /// What users of the host are told.
    #[schemars(extend("default" = MSG))]
    msg: Option<String>,
    /// How long to wait after the command before looking, in seconds.
    #[schemars(extend("default" = 0))]
    post_reboot_delay: Option<i64>,
    /// How long the host waits before it goes down, in seconds; on Linux whole minutes.
    #[schemars(extend("default" = 0))]
    pre_reboot_delay: Option<i64>,
    /// The command that restarts the host, with its arguments; `pre_reboot_delay`,
    /// `post_reboot_delay` and `msg` are then without effect.
    reboot_command: Option<String>,
    /// How long the host may take to come back, and then how long the test may take, in seconds.
    #[schemars(extend("default" = 600))]
    reboot_timeout: Option<i64>,
    /// Where on the host the command is searched.
    #[schemars(extend("default" = PATHS))]
    search_paths: Option<Vec<String>>,
    /// A command that works once the host is ready.
    #[schemars(extend("default" = TEST))]
    test_command: Option<String>,
}

const BOOT_ID: &str = "cat /proc/sys/kernel/random/boot_id";
const MSG: &str = "Reboot initiated by Ansible";
const TEST: &str = "whoami";
const PATHS: [&str; 5] = ["/sbin", "/bin", "/usr/sbin", "/usr/bin", "/usr/local/sbin"];

/// The longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(12);

pub(crate) const ACTION: Action = Action {
    name: "ansible.builtin.reboot",
    schema: || schemars::schema_for!(Args),
    rules: Rules::NONE,
    free_form: None,
    open: false,
    raw: false,
    inline: false,
    run: |context, args| {
        Box::pin(async move { run(context, args).await.unwrap_or_else(|it| it) }) as Running<'_>
    },
};

async fn run(context: &TaskContext, args: Map) -> Attempt {
    let began = Instant::now();
    if context.connection()?.is_local() {
        let why = "Running reboot with local connection would reboot the control node.";
        return Err(action_failed(context, why).with("elapsed", 0).with("rebooted", false));
    }
    if context.check {
        return Ok(Outcome::changed(true).with("elapsed", 0).with("rebooted", true));
    }
    let boot = filled(&args, "boot_time_command").unwrap_or_else(|| BOOT_ID.to_owned());
    let before = context.raw(&boot).await?;
    if before.code != 0 {
        let why = format!(
            "reboot: failed to get host boot time info, rc: {}, stdout: {}, stderr: {}",
            before.code,
            line(&before.stdout),
            line(&before.stderr)
        );
        return Err(action_failed(context, why).with("reboot", false));
    }
    let own = filled(&args, "reboot_command");
    let command = match &own {
        Some(command) => found(context, &args, command).await?,
        None => usual(context, &args).await?,
    };
    restart(context, &command, began).await?;
    if own.is_none() && !context.pause(seconds(&args, "post_reboot_delay", 0)).await {
        return Err(stopped());
    }
    let waiting = Waiting {
        context,
        limit: seconds(&args, "reboot_timeout", 600),
        connect: text(&args, "connect_timeout").map(|_| seconds(&args, "connect_timeout", 10)),
        began,
    };
    let is_new = |ran: &RawResult| ran.code == 0 && line(&ran.stdout) != line(&before.stdout);
    waiting.until(&boot, "last boot time check", is_new).await?;
    let test = filled(&args, "test_command").unwrap_or_else(|| TEST.to_owned());
    waiting.until(&test, "post-reboot test command", |ran| ran.code == 0).await?;
    let elapsed = began.elapsed().as_secs();
    Ok(Outcome::changed(true).with("elapsed", elapsed).with("rebooted", true))
}

/// Gives the command. A host that goes down before it answers has done as it was told.
async fn restart(context: &TaskContext, command: &str, began: Instant) -> Attempt<()> {
    let start = jiff::Timestamp::now();
    let Ok(ran) = context.raw(command).await else { return Ok(()) };
    if ran.code == 0 || ran.code == 255 {
        return Ok(());
    }
    let (out, err) = (line(&ran.stdout), line(&ran.stderr));
    let why = format!("Reboot command failed. Error was: '{out}, {err}'");
    Err(action_failed(context, why)
        .with("elapsed", began.elapsed().as_secs())
        .with("rebooted", false)
        .with("start", start.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()))
}

/// The command with its full path, where it has none.
async fn found(context: &TaskContext, args: &Map, command: &str) -> Attempt<String> {
    let (name, rest) = match command.split_once(char::is_whitespace) {
        Some((name, rest)) => (name, format!(" {rest}")),
        None => (command, String::new()),
    };
    if name.starts_with('/') {
        return Ok(command.to_owned());
    }
    match search(context, args, name).await? {
        Some(path) => Ok(format!("{path}{rest}")),
        None => Err(missing(context, args, name)),
    }
}

/// What restarts a Linux machine: `shutdown`, or what Alpine has in its place.
async fn usual(context: &TaskContext, args: &Map) -> Attempt<String> {
    let delay = seconds(args, "pre_reboot_delay", 0).as_secs();
    if let Some(path) = search(context, args, "shutdown").await? {
        let msg = filled(args, "msg").unwrap_or_else(|| MSG.to_owned());
        return Ok(format!("{path} -r {} {}", delay / 60, quoted(&msg)));
    }
    let alpine = context.raw("test -f /etc/alpine-release").await?;
    match search(context, args, "reboot").await? {
        Some(path) if alpine.code == 0 => Ok(format!("{path} -d {delay}")),
        _ => Err(missing(context, args, "shutdown")),
    }
}

fn search_paths(args: &Map) -> Vec<String> {
    match args.get("search_paths") {
        Some(Value::List(list)) => list.iter().map(Value::to_str).collect(),
        Some(Value::Str(text)) => text.split(',').map(|it| it.trim().to_owned()).collect(),
        _ => PATHS.iter().map(ToString::to_string).collect(),
    }
}

/// The first of the folders that has a program of that name.
async fn search(context: &TaskContext, args: &Map, name: &str) -> Attempt<Option<String>> {
    let paths: Vec<String> =
        search_paths(args).iter().map(|it| quoted(&format!("{it}/{name}"))).collect();
    let line = format!(
        "for it in {}; do if test -x \"$it\" && ! test -d \"$it\"; then printf '%s\\n' \"$it\"; exit 0; fi; done; exit 1",
        paths.join(" ")
    );
    let ran = context.raw(&format!("/bin/sh -c {}", quoted(&line))).await?;
    let path = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
    Ok((ran.code == 0 && !path.is_empty()).then_some(path))
}

fn missing(context: &TaskContext, args: &Map, name: &str) -> Outcome {
    let paths = Value::list(search_paths(args).into_iter().map(Value::from).collect());
    let paths = paths.repr();
    broken(context, format!("Unable to find command \"{name}\" in search paths: {paths}"))
}

/// A word that a shell leaves alone.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// Waiting for a host that is on its way down or up.
struct Waiting<'a> {
    context: &'a TaskContext,
    limit: Duration,
    connect: Option<Duration>,
    began: Instant,
}

impl Waiting<'_> {
    /// Runs a command again and again until its result is as wanted.
    async fn until(
        &self,
        command: &str,
        what: &str,
        is_right: impl Fn(&RawResult) -> bool,
    ) -> Attempt<()> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(500);
        loop {
            self.context.reset().await;
            let left = self.limit.saturating_sub(start.elapsed()).max(Duration::from_secs(1));
            // A host that is half-way down may take a command and never answer.
            let patience = self.connect.unwrap_or(Duration::from_secs(30)).min(left);
            let ran = tokio::time::timeout(patience, self.context.raw(command)).await;
            if matches!(&ran, Ok(Ok(ran)) if is_right(ran)) {
                return Ok(());
            }
            if start.elapsed() + pause >= self.limit {
                let limit = self.limit.as_secs();
                let why = format!("Timed out waiting for {what} (timeout={limit})");
                return Err(action_failed(self.context, why)
                    .with("elapsed", self.began.elapsed().as_secs())
                    .with("rebooted", true));
            }
            if !self.context.pause(pause).await {
                return Err(stopped());
            }
            pause = (pause * 2).min(LONGEST_PAUSE).min(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(line(b" a\r\n"), "a");
    }

    #[test]
    fn folders_are_searched_as_they_are_given() {
        let args: Map = [("search_paths", Value::from("/a, /b"))].into_iter().collect();
        assert_eq!(search_paths(&args), ["/a", "/b"]);
        assert_eq!(search_paths(&Map::new()), PATHS);
    }
}
