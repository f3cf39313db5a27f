//! What davit does as the `bootstrap` of a function of AWS Lambda: takes event after event from the Runtime API, runs
//! the playbook for each, and answers. <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>
//!
//! Everything there is read-only but the folder for temporary files, where state and home go.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use davit_aws::connection::{Body, Options, Pool};
use davit_aws::http::{Request as HttpRequest, Response};
use davit_event::{Event, Kind, Sink, Status};
use davit_value::{Map, Value};
use nix::sys::signal::{Signal, raise};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{MANIFEST, Manifest, PROJECT};
use crate::cli::lint;
use crate::launch::{Launch, Work};
use crate::report::{Report, say};
use crate::screen::Wanted;
use crate::setup::{Ground, Request};

/// Where the Runtime API is; Lambda sets it.
const API: &str = "AWS_LAMBDA_RUNTIME_API";

/// Where the archive was unpacked; set by davit itself once its surroundings are right.
const ROOT: &str = "DAVIT_LAMBDA_ROOT";

/// No answer of the Runtime API is larger.
const MOST: usize = 64 << 20;

/// Serves as a function, where Lambda has started this.
pub(crate) fn called(args: &[OsString]) -> Option<ExitCode> {
    let name = args.first().map(Path::new).and_then(Path::file_name)?;
    let api = std::env::var(API).ok().filter(|_| name == "bootstrap")?;
    let served = match std::env::var_os(ROOT) {
        Some(root) => serve(&api, Path::new(&root)),
        None => start_again(args),
    };
    let Err(report) = served;
    say(report.text(false).trim_end());
    Some(ExitCode::FAILURE)
}

/// What never is.
enum Never {}

/// Starts this program once more: in the playbook's folder, with a home that can be written.
fn start_again(args: &[OsString]) -> Result<Never, Report> {
    let program = std::env::current_exe().map_err(|error| Report::of(&error))?;
    let root = match std::env::var_os("LAMBDA_TASK_ROOT") {
        Some(root) => PathBuf::from(root),
        None => program.parent().map(Path::to_owned).unwrap_or_default(),
    };
    let home = std::env::temp_dir().join("davit");
    let mut command = Command::new(program);
    command
        .arg0(&args[0])
        .env(ROOT, &root)
        .env("HOME", &home)
        .env("DAVIT_STATE", home.join("state"));
    // What a person at a terminal would want to hear.
    for name in ["ANSIBLE_LOCALHOST_WARNING", "ANSIBLE_INVENTORY_UNPARSED_WARNING"] {
        if std::env::var_os(name).is_none() {
            command.env(name, "False");
        }
    }
    let project = root.join(PROJECT);
    if project.is_dir() {
        command.current_dir(project);
    }
    let made = std::fs::create_dir_all(&home);
    let error = made.err().unwrap_or_else(|| command.exec());
    Err(Report::new(format!("the function cannot start: {error}")))
}

/// An event, and what Lambda says of it.
struct Invocation {
    id: String,
    /// Milliseconds since 1970.
    deadline: u64,
    arn: String,
    trace: Option<String>,
    event: serde_json::Value,
}

/// Why an event was not handled.
#[derive(Clone, Debug)]
struct Failure {
    /// In a word, as Lambda wants it.
    kind: &'static str,
    message: String,
    /// What failed, one after the other.
    trace: Vec<String>,
}

impl Failure {
    fn of(kind: &'static str, report: &Report) -> Self {
        let text = report.text(false);
        let message = text.trim_start_matches("[ERROR]: ").trim_end().to_owned();
        Self { kind, message, trace: Vec::new() }
    }

    fn body(&self) -> Vec<u8> {
        let body = json!({
            "errorType": self.kind,
            "errorMessage": self.message,
            "stackTrace": self.trace,
        });
        body.to_string().into_bytes()
    }
}

/// Takes events until the Runtime API is gone.
fn serve(api: &str, root: &Path) -> Result<Never, Report> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Report::of(&error))?;
    // Once somebody listens, being told to stop no longer kills: runs are stopped by it.
    let _listens = runtime.block_on(async { signal(SignalKind::terminate()) });
    let api = Api::new(api);
    let manifest = match ready(root) {
        Ok(manifest) => manifest,
        Err(failure) => {
            runtime.block_on(api.failed("init", &failure))?;
            return Err(Report::new(failure.message));
        }
    };
    loop {
        let invocation = runtime.block_on(api.next())?;
        let outcome = catch_unwind(AssertUnwindSafe(|| handle(&manifest, &invocation)));
        let outcome = outcome.unwrap_or_else(|_| {
            let message = "a mistake of davit; the log has more".to_owned();
            Err(Failure { kind: "Function.Panic", message, trace: Vec::new() })
        });
        let path = format!("invocation/{}", invocation.id);
        match outcome {
            Ok(summary) => runtime.block_on(api.done(&path, &summary))?,
            Err(failure) => {
                say(&format!("{}: {}", failure.kind, failure.message));
                runtime.block_on(api.failed(&path, &failure))?;
            }
        }
    }
}

/// Reads what is to be run, and sees whether it can be.
fn ready(root: &Path) -> Result<Manifest, Failure> {
    let wrong =
        |message: String| Failure { kind: "Runtime.NoPlaybook", message, trace: Vec::new() };
    let path = root.join(MANIFEST);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| wrong(format!("{} cannot be read: {error}", path.display())))?;
    let manifest: Manifest = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("{} makes no sense: {error}", path.display())))?;
    if !root.join(PROJECT).join(&manifest.playbook).is_file() {
        return Err(wrong(format!("the playbook {} is not there", manifest.playbook)));
    }
    let invalid = |report: &Report| Failure::of("Runtime.InvalidPlaybook", report);
    let request = request(&manifest);
    let ground = Ground::new(&request).map_err(|report| invalid(&report))?;
    let found = lint::before_run(&ground, &request, std::slice::from_ref(&manifest.playbook));
    match found.map_err(|report| invalid(&report))? {
        None => Ok(manifest),
        Some(_) => Err(invalid(&Report::new("the playbook has mistakes, which are in the log"))),
    }
}

fn request(manifest: &Manifest) -> Request {
    Request {
        inventory: manifest.inventory.clone(),
        extra_vars: manifest.extra_vars.clone(),
        ..Request::default()
    }
}

/// Runs the playbook for an event.
fn handle(manifest: &Manifest, invocation: &Invocation) -> Result<serde_json::Value, Failure> {
    let wrong = |report: Report| Failure::of("Function.Error", &report);
    let request = request(manifest);
    let mut ground = Ground::new(&request).map_err(wrong)?;
    let context = json!({
        "request_id": invocation.id,
        "deadline_ms": invocation.deadline,
        "function_arn": invocation.arn,
        "trace_id": invocation.trace,
    });
    let mut variables = Map::clone(&ground.extra_vars);
    // What comes from outside is data: no template in it is ever rendered.
    variables.insert("lambda_event", Value::from_json(&invocation.event));
    variables.insert("lambda_context", Value::from_json(&context));
    ground.extra_vars = Arc::new(variables);
    if let Some(trace) = &invocation.trace {
        let config = Arc::make_mut(&mut ground.config);
        config.environment.insert("_X_AMZN_TRACE_ID".to_owned(), trace.clone());
    }
    let seen = Arc::new(Mutex::new(Seen::default()));
    let launch = Launch {
        ground: &ground,
        request: &request,
        wanted: Wanted { output: Some("default".to_owned()), ..Wanted::default() },
        work: Work::Files(vec![manifest.playbook.clone()]),
        command: vec!["davit".to_owned(), "run".to_owned(), manifest.playbook.clone()],
        resume: Vec::new(),
        extra: vec![Box::new(Watch(Arc::clone(&seen)))],
    };
    let clock = Deadline::watch(invocation.deadline);
    let ended = launch.go().map_err(wrong)?;
    drop(clock);
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let summary = &ended.summary;
    let kind = if summary.interrupted {
        "Function.Deadline"
    } else if !summary.unreachable.is_empty() {
        "Function.HostUnreachable"
    } else if ended.code != 0 {
        "Function.PlayFailed"
    } else {
        return Ok(seen.summary());
    };
    let message = match (kind, seen.failures.last()) {
        ("Function.Deadline", _) => "the time that the function has was nearly over".to_owned(),
        (_, Some(failure)) => failure.clone(),
        (_, None) => "the play failed".to_owned(),
    };
    Err(Failure { kind, message, trace: seen.failures })
}

/// What a run's events say that the answer needs.
#[derive(Clone, Debug, Default)]
struct Seen {
    task: BTreeMap<u32, String>,
    failures: Vec<String>,
    recap: serde_json::Value,
    result: Option<serde_json::Value>,
}

impl Seen {
    fn summary(&self) -> serde_json::Value {
        let mut summary = json!({"recap": self.recap});
        if let Some(result) = &self.result {
            summary["lambda_result"] = result.clone();
        }
        summary
    }
}

/// Listens to a run.
struct Watch(Arc<Mutex<Seen>>);

impl Sink for Watch {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &event.kind {
            Kind::TaskStarted { task, name, .. } => {
                seen.task.insert(*task, name.clone());
            }
            Kind::HostDone { task, host, end, .. } => {
                if let Some(result) =
                    end.reply.get("ansible_facts").and_then(|it| it.get("lambda_result"))
                {
                    seen.result = Some(result.clone());
                }
                let failed = matches!(end.status, Status::Failed | Status::Unreachable);
                if failed && !end.ignored && !end.rescued {
                    let name = seen.task.get(task).cloned().unwrap_or_default();
                    let text = end.reply.get("msg").and_then(|it| it.as_str()).unwrap_or("failed");
                    seen.failures.push(format!("{host}: {name}: {text}"));
                }
            }
            Kind::RunFinished { stats, custom, .. } => {
                seen.recap = serde_json::to_value(stats)?;
                let mut all = custom.values();
                let found = custom.get("_run").and_then(|it| it.get("lambda_result"));
                let found = found.or_else(|| all.find_map(|it| it.get("lambda_result"))).cloned();
                seen.result = found.or_else(|| seen.result.take());
            }
            _ => {}
        }
        Ok(())
    }
}

/// Stops a run shortly before its time is over: a function that is killed says nothing.
struct Deadline(Option<mpsc::Sender<()>>);

impl Deadline {
    /// In milliseconds since 1970; 0 is never.
    fn watch(deadline: u64) -> Self {
        if deadline == 0 {
            return Self(None);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = Duration::from_millis(deadline).saturating_sub(now);
        // The running task may end, then it may not, then nothing is waited for.
        let margin = (left / 4).min(Duration::from_secs(3));
        let steps = [left.saturating_sub(margin), margin / 2, margin / 4];
        let (done, told) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            for step in steps {
                if told.recv_timeout(step) != Err(mpsc::RecvTimeoutError::Timeout) {
                    return;
                }
                // A signal that cannot be sent leaves the deadline to Lambda.
                let _ = raise(Signal::SIGTERM);
            }
        });
        Self(Some(done))
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        // The thread ends by that its other end is gone.
        self.0.take();
    }
}

/// The Runtime API.
struct Api {
    base: String,
    pool: Pool,
}

impl Api {
    fn new(address: &str) -> Self {
        // The next event may come in days: the function is frozen while it waits.
        let patience = Duration::from_secs(10 * 365 * 24 * 3600);
        let pool = Pool::new(Options { read_timeout: patience, ..Options::default() });
        Self { base: format!("http://{address}/2018-06-01/runtime"), pool }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        kind: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Response, Report> {
        let url = format!("{}/{path}", self.base);
        let mut request = HttpRequest::of_url(method, &url)
            .ok_or_else(|| Report::new(format!("{API} makes no address: {url}")))?;
        request.headers.set("Host", request.host.clone());
        request.headers.set("User-Agent", concat!("davit/", env!("CARGO_PKG_VERSION")));
        if method == "POST" {
            request.headers.set("Content-Type", "application/json");
        }
        if let Some(kind) = kind {
            request.headers.set("Lambda-Runtime-Function-Error-Type", kind);
        }
        let answered =
            async { self.pool.send(&request, Body::Bytes(body.into())).await?.read(MOST).await };
        answered.await.map_err(|error| Report::of(&error))
    }

    async fn next(&self) -> Result<Invocation, Report> {
        let answer = self.send("GET", "invocation/next", None, Vec::new()).await?;
        let header = |name: &str| answer.headers.get(name).map(str::to_owned);
        let id = header("Lambda-Runtime-Aws-Request-Id").filter(|_| answer.status == 200);
        let id = id.ok_or_else(|| {
            Report::new(format!("the Runtime API gives no event: status {}", answer.status))
        })?;
        let deadline = header("Lambda-Runtime-Deadline-Ms").and_then(|it| it.parse().ok());
        Ok(Invocation {
            id,
            deadline: deadline.unwrap_or_default(),
            arn: header("Lambda-Runtime-Invoked-Function-Arn").unwrap_or_default(),
            trace: header("Lambda-Runtime-Trace-Id"),
            // What is no JSON is handed on as the text that it is.
            event: serde_json::from_slice(&answer.body)
                .unwrap_or_else(|_| String::from_utf8_lossy(&answer.body).into()),
        })
    }

    /// Says what came of an event.
    async fn done(&self, path: &str, summary: &serde_json::Value) -> Result<(), Report> {
        let body = summary.to_string().into_bytes();
        let answer = self.send("POST", &format!("{path}/response"), None, body).await?;
        if answer.status != 413 {
            return accepted(&answer);
        }
        let message = "the answer is larger than Lambda takes".to_owned();
        let failure = Failure { kind: "Function.ResponseTooLarge", message, trace: Vec::new() };
        self.failed(path, &failure).await
    }

    /// Says that an event was not handled, or with `init` that none can be.
    async fn failed(&self, path: &str, failure: &Failure) -> Result<(), Report> {
        let path = format!("{path}/error");
        accepted(&self.send("POST", &path, Some(failure.kind), failure.body()).await?)
    }
}

/// Only an error of Lambda's own is one to end for.
fn accepted(answer: &Response) -> Result<(), Report> {
    match answer.status {
        500.. => Err(Report::new(format!("the Runtime API fails: status {}", answer.status))),
        200..=299 => Ok(()),
        status => {
            say(&format!("the Runtime API does not take the answer: status {status}"));
            Ok(())
        }
    }
}
