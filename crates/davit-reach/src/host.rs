//! The way to one host as one user: connected when it is needed, kept for the whole run.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use davit_event::Kind;
use davit_module::{Attachment, Call, Entry, Spec};
use davit_run::{
    Become, Called, Connection, Doing, RawCommand, RawResult, Stream, Target, Unreachable,
};
use davit_wire::{Attached, INLINE, Start, VERSION};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::bootstrap::{self, Ended};
use crate::link::{Along, BEAT, Link, SILENCE, Watcher};
use crate::transport::{Pipes, Transport};
use crate::{Shared, privilege};

/// The most that is kept of what a program says about its failure.
const SAID: usize = 32 * 1024;

/// The way to one host as one user.
pub(crate) struct Host {
    pub(crate) shared: Arc<Shared>,
    /// Inventory name.
    pub(crate) name: Arc<str>,
    pub(crate) transport: Arc<dyn Transport>,
    /// As whom, where not as who logs in.
    pub(crate) privileges: Option<Become>,
    /// The way as who logs in, through which one becomes another; `None` where that is done by a
    /// program of this machine.
    pub(crate) login: Option<Arc<Self>>,
    pub(crate) link: Mutex<Option<Arc<Link>>>,
}

impl Host {
    /// The connection, made where it is not there.
    async fn link(&self) -> Result<Arc<Link>, Unreachable> {
        let mut slot = self.link.lock().await;
        if let Some(link) = &*slot
            && link.closed().is_none()
        {
            return Ok(Arc::clone(link));
        }
        *slot = None;
        let began = Instant::now();
        let connected = self.connect().await;
        match connected {
            Ok((link, pushed)) => {
                let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                self.shared.emit(Kind::Connected { host: self.name.to_string(), ms, pushed });
                tracing::debug!("{} has an agent of {}", self.name, link.greeting.user);
                let link = Arc::new(link);
                *slot = Some(Arc::clone(&link));
                Ok(link)
            }
            Err(error) => {
                let why = error.why.lines().next().unwrap_or_default().to_owned();
                self.shared.emit(Kind::Lost { host: self.name.to_string(), why });
                Err(error)
            }
        }
    }

    async fn connect(&self) -> Result<(Link, bool), Unreachable> {
        let mut left = self.transport.retries();
        let mut pause = Duration::from_secs(1);
        loop {
            let address = match &self.privileges {
                Some(it) => format!("{} as {}", self.transport.address(), it.user),
                None => self.transport.address(),
            };
            self.shared.emit(Kind::Connecting { host: self.name.to_string(), address });
            match self.attempt().await {
                Err(Attempt::Broken(_)) if left > 0 => {
                    left -= 1;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(30));
                }
                Err(Attempt::Broken(error) | Attempt::Refused(error)) => return Err(error),
                Ok(connected) => return Ok(connected),
            }
        }
    }

    /// One attempt; where a folder of the host does not hold the agent, with another.
    async fn attempt(&self) -> Result<(Link, bool), Attempt> {
        let mut skip: Vec<usize> = Vec::new();
        let mut notes = Vec::new();
        loop {
            let nonce = format!("{:016x}", rand::random::<u64>());
            let mut pipes = self.start(&nonce, &skip).await.map_err(Attempt::of)?;
            let (name, shared) = (self.name.to_string(), Arc::clone(&self.shared));
            let mut told = Instant::now();
            let progress = move |done: u64, total: u64| {
                if done == total || told.elapsed() >= Duration::from_millis(100) {
                    told = Instant::now();
                    shared.emit(Kind::Progress {
                        task: None,
                        host: name.clone(),
                        what: "pushing agent".into(),
                        done,
                        total: Some(total),
                    });
                }
            };
            let patience = self.transport.patience();
            let ended = {
                let attended = bootstrap::attend(
                    &mut pipes.stdin,
                    &mut pipes.stdout,
                    &nonce,
                    &mut notes,
                    progress,
                );
                self.wait_for(attended, patience).await
            };
            match ended {
                Ended::Running(seen, pushed) => {
                    return self.greet(pipes, seen, patience).await.map(|link| (link, pushed));
                }
                Ended::Bad(at) if at < 5 && !skip.contains(&at) => skip.push(at),
                Ended::Bad(_) => {
                    let why = format!("the agent cannot be started there: {}", notes.join("; "));
                    return Err(Attempt::Refused(Unreachable::new(why)));
                }
                Ended::Failed(error) => return Err(Attempt::Refused(error)),
                Ended::Silent(seen) => return Err(self.silent(pipes, seen).await),
            }
        }
    }

    /// Waits for the script; the agent may be on its way over a slow line, which has a limit of
    /// its own.
    async fn wait_for(
        &self,
        attended: impl Future<Output = std::io::Result<Ended>>,
        patience: Duration,
    ) -> Ended {
        let limit = patience + Duration::from_secs(120);
        let mut attended = std::pin::pin!(attended);
        loop {
            match timeout(limit, &mut attended).await {
                Ok(Ok(ended)) => return ended,
                Ok(Err(_)) => return Ended::Silent(Vec::new()),
                // Whoever is asked for a password may take their time.
                Err(_) if self.transport.is_asking() => {}
                Err(_) => {
                    let why =
                        format!("the host's shell did not answer within {} s", limit.as_secs());
                    return Ended::Failed(Unreachable::new(why));
                }
            }
        }
    }

    /// The shell ended: what it said about that.
    async fn silent(&self, mut pipes: Pipes, seen: Vec<u8>) -> Attempt {
        drop(pipes.stdin);
        let code = timeout(Duration::from_secs(5), pipes.ended).await.ok().flatten();
        // `nologin` and its like give their reason as output.
        let output = String::from_utf8_lossy(&seen).into_owned();
        let said = said(&mut pipes.stderr).await + output.trim_end();
        let error = self.transport.explain(code, &said);
        // Only what the transport itself failed at can go better another time.
        if code == Some(255) { Attempt::Broken(error) } else { Attempt::Refused(error) }
    }

    async fn greet(
        &self,
        mut pipes: Pipes,
        seen: Vec<u8>,
        patience: Duration,
    ) -> Result<Link, Attempt> {
        let start = Start {
            wire: VERSION,
            version: env!("CARGO_PKG_VERSION").into(),
            run: self.shared.options.run.clone(),
            host: self.name.to_string(),
            dry_run: self.shared.options.dry_run,
            keep: self.shared.options.keep,
            beat_ms: u64::try_from(BEAT.as_millis()).unwrap_or(u64::MAX),
            silence_ms: u64::try_from(SILENCE.as_millis()).unwrap_or(u64::MAX),
        };
        let reader = std::io::Cursor::new(seen).chain(pipes.stdout);
        // Whoever is at the other end stays there as long as the reader is read.
        let reader = Held { reader, _guard: pipes.guard };
        match Link::start(reader, pipes.stdin, &start, patience).await {
            Ok(link) => {
                tokio::spawn(async move {
                    // What ssh and the agent say while the run goes on is of use in a trace only.
                    while let Some(text) = pipes.stderr.recv().await {
                        tracing::debug!("{}", String::from_utf8_lossy(&text).trim_end());
                    }
                });
                Ok(link)
            }
            Err(why) => {
                let said = said(&mut pipes.stderr).await;
                let said = said.trim();
                let why = if said.is_empty() { why } else { format!("{why}: {said}") };
                Err(Attempt::Broken(Unreachable::new(why)))
            }
        }
    }

    /// Starts the script that finds the agent, as the user that is wanted.
    async fn start(&self, nonce: &str, skip: &[usize]) -> Result<Pipes, Unreachable> {
        let Some(privileges) = &self.privileges else {
            return self.transport.start(&bootstrap::command_line(nonce, skip)).await;
        };
        let mut plan = privilege::plan(privileges, &bootstrap::script(nonce, skip))
            .map_err(Unreachable::new)?;
        loop {
            let pipes = match &self.login {
                Some(login) => login.start_program(&plan).await?,
                None => self.transport.start(&plan.command_line()).await?,
            };
            match privilege::authenticate(&plan, pipes).await {
                Err(_) if self.login.is_some() && plan.retry_on_terminal() => {}
                authenticated => return authenticated,
            }
        }
    }

    /// Starts a program through the agent.
    async fn start_program(&self, plan: &privilege::Plan) -> Result<Pipes, Unreachable> {
        let link = Box::pin(self.link()).await?;
        let target = davit_wire::Target::Program {
            argv: plan.argv.clone(),
            environment: plan.environment.clone(),
            terminal: plan.terminal,
        };
        match link.open(target).await.map_err(Unreachable::new)? {
            Ok(stream) => Ok(stream.into_pipes()),
            Err(error) => Err(plan.not_started(&error)),
        }
    }

    async fn run_call(&self, entry: &'static Entry, call: Call) -> Result<Called, Unreachable> {
        let link = self.link().await?;
        let mut attached = BTreeMap::new();
        for (name, attachment) in &call.attachments {
            match self.describe(attachment).await {
                Ok(it) => {
                    attached.insert(name.clone(), it);
                }
                Err(error) => return Ok(unreadable(attachment, &error)),
            }
        }
        let wire = davit_wire::Call {
            module: entry.name.to_owned(),
            name: call.name,
            args: call.args,
            check: call.check,
            diff: call.diff,
            environment: call.environment,
            attachments: attached.clone(),
            no_log: call.no_log,
            verbosity: call.verbosity,
            tmp: call.tmp,
            folder: call.folder,
            umask: call.umask,
            job: call.job,
            key: call.key,
        };
        let along = Along {
            watcher: if attached.is_empty() { None } else { self.watcher() },
            attachments: call.attachments,
            cancel: call.cancel,
            listener: call.listener,
        };
        let called = link.call(wire, along).await;
        called.map_err(|why| self.lost(why))
    }

    fn lost(&self, why: String) -> Unreachable {
        self.shared.emit(Kind::Lost { host: self.name.to_string(), why: why.clone() });
        Unreachable::new(why)
    }

    /// Tells of large contents that are on their way, ten times a second at most.
    fn watcher(&self) -> Option<Watcher> {
        let (name, shared) = (self.name.to_string(), Arc::clone(&self.shared));
        let last = std::sync::Mutex::new(Instant::now());
        Some(Arc::new(move |what: &str, done: u64, total: u64| {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.elapsed() < Duration::from_millis(100) {
                return;
            }
            *last = Instant::now();
            shared.emit(Kind::Progress {
                task: None,
                host: name.clone(),
                what: format!("sending {what}"),
                done,
                total: Some(total),
            });
        }))
    }

    async fn describe(&self, attachment: &Attachment) -> std::io::Result<Attached> {
        if let Attachment::Bytes(bytes) = attachment
            && bytes.len() <= INLINE
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            return Ok(Attached::Text(text.to_owned()));
        }
        let (size, sha1) = self.shared.sums.of(attachment).await?;
        Ok(Attached::Later { size, sha1 })
    }

    /// Ends the connection, telling the agent that the run is over where it is.
    pub(crate) async fn close(&self) {
        let link = self.link.lock().await.take();
        if let Some(link) = link {
            link.close().await;
        }
    }

    /// Says that this process will be stopped for a while.
    pub(crate) fn hold(&self) {
        if let Ok(slot) = self.link.try_lock()
            && let Some(link) = &*slot
        {
            link.hold();
        }
    }

    /// A command line through the agent, where one happens to be there: it costs no log-in.
    async fn start_raw(&self, line: &str) -> Result<Option<Pipes>, Unreachable> {
        let link = self.link.lock().await.clone().filter(|it| it.closed().is_none());
        let Some(link) = link else { return Ok(None) };
        let target = davit_wire::Target::Program {
            // The shell that a log-in gives.
            argv: ["/bin/sh", "-c", "exec \"${SHELL:-/bin/sh}\" -c \"$0\"", line]
                .map(str::to_owned)
                .to_vec(),
            environment: Vec::new(),
            terminal: false,
        };
        match link.open(target).await {
            Ok(Ok(stream)) => Ok(Some(stream.into_pipes())),
            Ok(Err(error)) => Err(Unreachable::refused(format!("cannot run a shell: {error}"))),
            Err(why) => Err(self.lost(why)),
        }
    }

    async fn run_raw(&self, command: RawCommand) -> Result<RawResult, Unreachable> {
        let mut pipes = match self.start_raw(&command.line).await? {
            Some(pipes) => pipes,
            None => match &self.privileges {
                None => self.transport.start(&command.line).await?,
                Some(privileges) => {
                    let plan =
                        privilege::plan(privileges, &command.line).map_err(Unreachable::new)?;
                    let pipes = self.transport.start(&plan.command_line()).await?;
                    privilege::authenticate(&plan, pipes).await?
                }
            },
        };
        // It has no input.
        let _ = pipes.stdin.shutdown().await;
        drop(pipes.stdin);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        command.cancel.on_cancel(move || drop(stop));
        let mut stdout = Vec::new();
        let mut stderr = Vec::new();
        let run = async {
            let out = async { (&mut pipes.stdout).take(RAW).read_to_end(&mut stdout).await };
            let err = async {
                while let Some(text) = pipes.stderr.recv().await {
                    if stderr.len() < RAW as usize {
                        stderr.extend_from_slice(&text);
                    }
                }
            };
            let (out, ()) = tokio::join!(out, err);
            out.map(|_| ())
        };
        tokio::select! {
            read = run => {
                read.map_err(|error| Unreachable::new(format!("the connection was lost: {error}")))?;
            }
            // The end of the other side without a word means that nobody can stop it any more.
            Err(_) = stopped, if true => return Err(Unreachable::new("the command was stopped")),
        }
        let code = pipes.ended.await.unwrap_or(-1);
        if code == 255 {
            let said = String::from_utf8_lossy(&stderr).into_owned();
            if self.transport.is_failure(&said) {
                return Err(self.transport.explain(Some(code), &said));
            }
        }
        Ok(RawResult { code, stdout, stderr })
    }
}

/// The most that is kept of a raw command's output.
const RAW: u64 = 64 << 20;

enum Attempt {
    /// It may go better another time.
    Broken(Unreachable),
    /// It will not.
    Refused(Unreachable),
}

impl Attempt {
    fn of(error: Unreachable) -> Self {
        if error.refused { Self::Refused(error) } else { Self::Broken(error) }
    }
}

/// What has been said by now.
async fn said(stderr: &mut tokio::sync::mpsc::Receiver<Vec<u8>>) -> String {
    let mut all = Vec::new();
    // The pipe ends with the program; what it has left behind may hold it open.
    while let Ok(Some(text)) = timeout(Duration::from_millis(500), stderr.recv()).await {
        all.extend_from_slice(&text);
        if all.len() > SAID {
            break;
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// The result of a call whose file cannot be read here.
fn unreadable(attachment: &Attachment, error: &std::io::Error) -> Called {
    let name = match attachment {
        Attachment::Path(path) => path.display().to_string(),
        _ => "the content".to_owned(),
    };
    let mut reply = davit_event::Reply::new();
    reply.insert("failed".into(), true.into());
    reply.insert("changed".into(), false.into());
    reply.insert("msg".into(), format!("cannot read {name}: {error}").into());
    Called { reply, changes: Vec::new() }
}

/// A reader, and what must live as long as it.
struct Held<R> {
    reader: R,
    _guard: Box<dyn std::any::Any + Send + Sync>,
}

impl<R: tokio::io::AsyncRead + Unpin> tokio::io::AsyncRead for Held<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(cx, buffer)
    }
}

impl Connection for Host {
    fn call(&self, entry: &'static Entry, _spec: Arc<Spec>, call: Call) -> Doing<'_, Called> {
        Box::pin(self.run_call(entry, call))
    }

    fn raw(&self, command: RawCommand) -> Doing<'_, RawResult> {
        Box::pin(self.run_raw(command))
    }

    fn open(&self, target: Target) -> Doing<'_, std::io::Result<Box<dyn Stream>>> {
        let target = match target {
            Target::Tcp { host, port } => davit_wire::Target::Tcp { host, port },
            Target::Unix { path } => davit_wire::Target::Unix { path },
            Target::File { path } => davit_wire::Target::File { path },
        };
        Box::pin(async move {
            let link = self.link().await?;
            let opened = link.open(target).await.map_err(|why| self.lost(why))?;
            Ok(opened.map(|it| -> Box<dyn Stream> { Box::new(it) }))
        })
    }

    fn reset(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            // Dropped and not closed: the run goes on, and the agent's memory of it stays.
            drop(self.link.lock().await.take());
        })
    }

    fn is_local(&self) -> bool {
        false
    }
}
