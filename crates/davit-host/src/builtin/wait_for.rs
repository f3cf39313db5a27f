//! `ansible.builtin.wait_for`: waits for a port, a file, a text or some seconds.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/wait_for_module.html>

use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use davit_module::names::addresses;
use davit_module::{Host, Module, ModuleError, Outcome, Support};
use davit_pattern::{Flags, Pattern};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::sys::connections::{self, Connection};

/// How long a wait goes on without looking whether the call is to stop.
const NAP: Duration = Duration::from_millis(100);

/// Waits until a port is open or closed, a file is there or gone, a text stands in it, or only for
/// some seconds.
///
/// Not to be there in time is a failure. Without a port and a path, waiting for the time to pass
/// is all there is to do. Skipped in check mode.
///
/// ```yaml
/// - name: Wait until the database answers
///   ansible.builtin.wait_for:
///     host: db.example.com
///     port: 5432
///     timeout: 60
///
/// - name: Wait until the log says so
///   ansible.builtin.wait_for:
///     path: /var/log/app.log
///     search_regex: started in (\d+) ms
///   register: start
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The host to connect to: a name or an address.
    #[serde(default = "loopback")]
    host: String,
    /// The longest that one second's attempt to connect may take, in seconds.
    #[serde(default = "five")]
    connect_timeout: i64,
    /// Seconds to let pass before the first look.
    #[serde(default)]
    delay: i64,
    /// The port to look at. Not together with `path`.
    port: Option<i64>,
    /// The states of connections that count, for `drained`.
    #[serde(default = "active")]
    active_connection_states: Vec<String>,
    /// The file to look at; links are followed. Not together with `port`.
    #[schemars(extend("x-type" = "path"))]
    path: Option<PathBuf>,
    /// A pattern that must be found in the file, or in what the port says. `^` and `$` stand at
    /// lines. Groups of a match in a file are told as `match_groups` and `match_groupdict`.
    search_regex: Option<String>,
    /// What to wait for.
    #[serde(default)]
    state: State,
    /// Hosts whose connections do not count, for `drained`.
    exclude_hosts: Option<Vec<String>>,
    /// Seconds between two looks.
    #[serde(default = "one")]
    sleep: i64,
    /// Seconds after which waiting is a failure, or over where there is nothing to look at.
    #[serde(default = "five_minutes")]
    timeout: i64,
    /// What to say when the time is over.
    msg: Option<String>,
}

/// What to wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// The port is closed, or the file is not there.
    Absent,
    /// The port has no connections any more.
    Drained,
    /// The port is open, or the file or the text is there.
    Present,
    /// As `present`.
    #[default]
    Started,
    /// As `absent`.
    Stopped,
}

fn loopback() -> String {
    "127.0.0.1".to_owned()
}

fn five() -> i64 {
    5
}

fn one() -> i64 {
    1
}

fn five_minutes() -> i64 {
    300
}

fn active() -> Vec<String> {
    ["ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "SYN_RECV", "SYN_SENT", "TIME_WAIT"]
        .map(str::to_owned)
        .to_vec()
}

/// `ansible.builtin.wait_for`.
pub(crate) struct WaitFor;

impl Module for WaitFor {
    const NAME: &'static str = "ansible.builtin.wait_for";
    type Args = Args;
    const CHECK_MODE: Support = Support::None;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        if host.is_check() {
            let msg = "remote module (wait_for) does not support check mode";
            return Ok(Outcome::new().changed(false).with("skipped", true).msg(msg));
        }
        let refuse = |msg: &str| Err(ModuleError::failed(msg).with("elapsed", 0));
        let pattern = match &args.search_regex {
            Some(text) => {
                let flags = Flags { multi_line: true, ..Flags::default() };
                Some(Pattern::new(text, flags).map_err(|err| {
                    ModuleError::failed(format!("Invalid regular expression: {err}"))
                })?)
            }
            None => None,
        };
        if args.port.is_some() && args.path.is_some() {
            return refuse("port and path parameter can not both be passed to wait_for");
        }
        if args.path.is_some() && args.state == State::Stopped {
            return refuse(
                "state=stopped should only be used for checking a port in the wait_for module",
            );
        }
        if args.path.is_some() && args.state == State::Drained {
            return refuse(
                "state=drained should only be used for checking a port in the wait_for module",
            );
        }
        if args.exclude_hosts.is_some() && args.state != State::Drained {
            return refuse("exclude_hosts should only be with state=drained");
        }
        for state in &args.active_connection_states {
            if connections::state_number(state).is_none() {
                return refuse(&format!("unknown active_connection_state ({state}) defined"));
            }
        }
        let mut wait = Wait {
            host,
            args: &args,
            pattern,
            start: Instant::now(),
            groups: Vec::new(),
            named: Map::new(),
        };
        wait.run()?;
        let elapsed = wait.elapsed();
        let (groups, named) = (wait.groups, wait.named);
        Ok(Outcome::new()
            .changed(false)
            .with("state", args.state)
            .with("port", args.port)
            .with("search_regex", &args.search_regex)
            .with("match_groups", groups)
            .with("match_groupdict", named)
            .with("path", &args.path)
            .with("elapsed", elapsed))
    }
}

/// One waiting.
struct Wait<'a, 'h, 's> {
    host: &'a Host<'h>,
    args: &'s Args,
    pattern: Option<Pattern>,
    start: Instant,
    groups: Vec<Value>,
    named: Map<String, Value>,
}

impl Wait<'_, '_, '_> {
    fn run(&mut self) -> Result<(), ModuleError> {
        self.nap(seconds(self.args.delay))?;
        let timeout = seconds(self.args.timeout);
        if self.args.port.is_none() && self.args.path.is_none() && self.args.state != State::Drained
        {
            return self.nap(timeout);
        }
        // The time counts from the first look.
        let end = Instant::now() + timeout;
        while Instant::now() < end {
            if self.look(end)? {
                return Ok(());
            }
            let left = end.saturating_duration_since(Instant::now());
            self.nap(seconds(self.args.sleep).min(left).max(Duration::from_millis(1)))?;
        }
        let msg = self.args.msg.clone().unwrap_or_else(|| self.complaint());
        Err(ModuleError::failed(msg).with("elapsed", self.elapsed()))
    }

    /// Whether things are as they are waited for.
    fn look(&mut self, end: Instant) -> Result<bool, ModuleError> {
        let absent = matches!(self.args.state, State::Absent | State::Stopped);
        if self.args.state == State::Drained {
            return Ok(self.active_connections()? == 0);
        }
        if let Some(path) = &self.args.path {
            let there = match self.host.meta(path, true) {
                Err(err) if err.kind() == std::io::ErrorKind::PermissionDenied && !absent => {
                    let msg = format!("Failed to stat {}, Permission denied", path.display());
                    return Err(ModuleError::failed(msg).with("elapsed", self.elapsed()));
                }
                found => found.is_ok_and(|it| it.is_some()),
            };
            if absent || !there || self.pattern.is_none() {
                return Ok(there != absent);
            }
            return self.text_is_there();
        }
        let stream = self.connect(end);
        match (stream, &self.pattern) {
            (stream, _) if absent => Ok(stream.is_none()),
            (None, _) => Ok(false),
            (Some(stream), Some(pattern)) => self.stream_says(stream, pattern, end),
            (Some(_), None) => Ok(true),
        }
    }

    fn connect(&self, end: Instant) -> Option<TcpStream> {
        let port = u16::try_from(self.args.port?).ok()?;
        let left = end.saturating_duration_since(Instant::now());
        let timeout = seconds(self.args.connect_timeout).min(left).max(Duration::from_millis(1));
        addresses(&self.args.host, port)
            .into_iter()
            .find_map(|it: SocketAddr| TcpStream::connect_timeout(&it, timeout).ok())
    }

    /// Whether what a port says has the pattern, up to the end of the connection or of the time.
    fn stream_says(
        &self,
        mut stream: TcpStream,
        pattern: &Pattern,
        end: Instant,
    ) -> Result<bool, ModuleError> {
        let mut said = Vec::new();
        let mut buffer = [0; 4096];
        while Instant::now() < end {
            self.stop_if_asked()?;
            if stream.set_read_timeout(Some(NAP)).is_err() {
                return Ok(false);
            }
            match stream.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => said.extend(buffer.get(..count).unwrap_or_default()),
                Err(err) if would_block(&err) => continue,
                Err(_) => return Ok(false),
            }
            let text = String::from_utf8_lossy(&said);
            if pattern.search(&text).map_err(|err| ModuleError::failed(err.to_string()))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the file has the pattern; its groups are kept.
    fn text_is_there(&mut self) -> Result<bool, ModuleError> {
        let (Some(path), Some(pattern)) = (&self.args.path, &self.pattern) else {
            return Ok(false);
        };
        let Ok(bytes) = self.host.read(path) else { return Ok(false) };
        let text = String::from_utf8_lossy(&bytes);
        let found =
            pattern.find_from(&text, 0).map_err(|err| ModuleError::failed(err.to_string()))?;
        let Some(found) = found else { return Ok(false) };
        for (index, name) in pattern.names().iter().enumerate().skip(1) {
            let value: Value = found.get(index).map(|it| it.as_str()).into();
            if let Some(name) = name {
                self.named.insert(name.clone(), value.clone());
            }
            self.groups.push(value);
        }
        Ok(true)
    }

    fn active_connections(&self) -> Result<usize, ModuleError> {
        let resolve = |name: &str| -> Result<Vec<IpAddr>, ModuleError> {
            let found = addresses(name, 0);
            if found.is_empty() {
                return Err(ModuleError::failed(format!("the name {name} has no address")));
            }
            Ok(found.iter().map(SocketAddr::ip).collect())
        };
        let own = resolve(&self.args.host)?;
        let mut excluded = Vec::new();
        for name in self.args.exclude_hosts.iter().flatten() {
            excluded.extend(resolve(name)?);
        }
        let states: Vec<u8> = self
            .args
            .active_connection_states
            .iter()
            .filter_map(|it| connections::state_number(it))
            .collect();
        let counts = |it: &Connection| {
            Some(i64::from(it.local.port())) == self.args.port
                && states.contains(&it.state)
                && !excluded.contains(&it.remote.ip().to_canonical())
                && own
                    .iter()
                    .any(|own| own.is_unspecified() || *own == it.local.ip().to_canonical())
        };
        Ok(connections::all().iter().filter(|it| counts(it)).count())
    }

    fn complaint(&self) -> String {
        let place = match (&self.args.path, self.args.port) {
            (Some(path), _) => path.display().to_string(),
            (None, port) => format!("{}:{}", self.args.host, port.unwrap_or_default()),
        };
        match (self.args.state, &self.args.search_regex) {
            (State::Drained, _) => format!("Timeout when waiting for {place} to drain"),
            (State::Absent | State::Stopped, _) if self.args.path.is_some() => {
                format!("Timeout when waiting for {place} to be absent.")
            }
            (State::Absent | State::Stopped, _) => {
                format!("Timeout when waiting for {place} to stop.")
            }
            (_, Some(text)) => format!("Timeout when waiting for search string {text} in {place}"),
            _ if self.args.path.is_some() => format!("Timeout when waiting for file {place}"),
            _ => format!("Timeout when waiting for {place}"),
        }
    }

    fn elapsed(&self) -> u64 {
        self.start.elapsed().as_secs()
    }

    fn nap(&self, duration: Duration) -> Result<(), ModuleError> {
        let end = Instant::now() + duration;
        loop {
            self.stop_if_asked()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(NAP));
        }
    }

    fn stop_if_asked(&self) -> Result<(), ModuleError> {
        if self.host.cancel().is_cancelled() { Err(ModuleError::Cancelled) } else { Ok(()) }
    }
}

/// Seconds as a span, at most a hundred years.
fn seconds(count: i64) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(0).min(3_155_760_000))
}

fn would_block(err: &std::io::Error) -> bool {
    matches!(
        err.kind(),
        std::io::ErrorKind::WouldBlock
            | std::io::ErrorKind::TimedOut
            | std::io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::thread;

    use davit_module::{Call, Entry, Session};
    use serde_json::json;

    use super::*;

    fn check(args: Value, expect: Value) {
        let call = Call { args: args.as_object().unwrap().clone(), ..Call::default() };
        let reply = Entry::of::<WaitFor>().call(&Session::default(), &call);
        for (key, value) in expect.as_object().unwrap() {
            assert_eq!(reply.get(key).unwrap_or(&Value::Null), value, "{key} of {args}: {reply:?}");
        }
    }

    #[test]
    fn files_and_their_text_are_waited_for() {
        check(json!({"path": "/etc/passwd"}), json!({"state": "file", "elapsed": 0}));
        check(json!({"path": "/nosuch", "state": "absent"}), json!({"state": "absent"}));
        check(
            json!({"path": "/etc/passwd", "search_regex": "^root:(?P<a>x):(\\d+)"}),
            json!({"match_groups": ["x", "0"], "match_groupdict": {"a": "x"}}),
        );
        check(
            json!({"path": "/nosuch", "timeout": 0}),
            json!({"failed": true, "msg": "Timeout when waiting for file /nosuch"}),
        );
        check(
            json!({"path": "/etc/passwd", "port": 1}),
            json!({"msg": "port and path parameter can not both be passed to wait_for"}),
        );
        check(
            json!({"path": "/etc/passwd", "search_regex": "("}),
            json!({"msg": "Invalid regular expression: missing ), unterminated subpattern at position 0"}),
        );
    }

    #[test]
    fn ports_are_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten().take(2) {
                let mut stream = stream;
                let _ = stream.write_all(b"hello 42\n");
            }
        });
        check(json!({"port": port, "search_regex": "hello \\d+"}), json!({"elapsed": 0}));
        check(json!({"port": port}), json!({"state": "started", "port": port}));
        // The listener is gone by now or soon.
        check(
            json!({"port": port, "state": "stopped", "timeout": 20}),
            json!({"state": "stopped"}),
        );
        check(
            json!({"port": port, "timeout": 0, "msg": "custom"}),
            json!({"failed": true, "msg": "custom"}),
        );
        check(
            json!({"port": port, "state": "drained", "active_connection_states": ["LISTEN"]}),
            json!({"failed": null}),
        );
    }

    #[test]
    fn time_passes() {
        check(json!({"timeout": 1}), json!({"elapsed": 1, "state": "started"}));
    }
}
