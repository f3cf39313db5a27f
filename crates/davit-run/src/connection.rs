//! How modules get to hosts.
//!
//! A [`Connection`] takes calls of modules; what lies between is its own affair. The local one
//! runs them in this process, on a thread that may block. All others are made by a [`Dial`] that
//! whoever starts the run hands in: the engine knows what a task asks for, and no transport.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use davit_event::{Kind, Reply};
use davit_module::{Call, Cancel, Change, Entry, Job, ModuleError, Options, Session, Spec};
use davit_value::Value;
use tokio::io::{AsyncRead, AsyncWrite};

/// What came of a call of a module.
#[derive(Clone, Debug, Default)]
pub struct Called {
    /// The module's result.
    pub reply: Reply,
    /// What it changed, where that is kept.
    pub changes: Vec<Change>,
}

/// Why a host cannot be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unreachable {
    /// One sentence, or what the program that tried has said.
    pub why: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The host is there and refuses what is asked, as where the password for `become` is wrong:
    /// the task fails, and the host stays in the play.
    pub refused: bool,
}

impl Unreachable {
    /// In a sentence, which stands behind `Task failed: `.
    #[must_use]
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), help: None, refused: false }
    }

    /// Not a host that is lost, but one that refuses: `Incorrect sudo password`.
    #[must_use]
    pub fn refused(why: impl Into<String>) -> Self {
        Self { refused: true, ..Self::new(why) }
    }
}

/// Something that a connection is doing.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, Unreachable>> + Send + 'a>>;

/// A command line for a host on which nothing of ours is needed.
#[derive(Clone, Debug, Default)]
pub struct RawCommand {
    /// The text, for the shell of the user who is logged in.
    pub line: String,
    /// Set to stop it.
    pub cancel: Cancel,
}

/// How a [`RawCommand`] ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawResult {
    /// Exit status.
    pub code: i32,
    /// What it wrote to its output.
    pub stdout: Vec<u8>,
    /// What it wrote to its error output.
    pub stderr: Vec<u8>,
}

/// What a stream leads to, as seen from the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A TCP connection.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A connection to a Unix socket.
    Unix {
        /// Its path.
        path: std::path::PathBuf,
    },
    /// The content of a file, to be read.
    File {
        /// Its path.
        path: std::path::PathBuf,
    },
}

/// Bytes to and from something on the host. Reading ends with an error where the host was lost.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A way to one host, as one user. It connects when it is first needed, and again after
/// [`reset`](Self::reset) or once it has been lost.
pub trait Connection: Send + Sync {
    /// Runs a module there.
    fn call(&self, entry: &'static Entry, spec: Arc<Spec>, call: Call) -> Doing<'_, Called>;

    /// Runs a command line there, with nothing of ours on the host.
    fn raw(&self, command: RawCommand) -> Doing<'_, RawResult>;

    /// Opens a stream. The inner error is the host's: no such file, connection refused.
    fn open(&self, target: Target) -> Doing<'_, std::io::Result<Box<dyn Stream>>>;

    /// Ends the connection: the next call makes it anew.
    fn reset(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// True where the modules run on this machine as the user who runs davit: paths of the
    /// controller are paths of the host.
    fn is_local(&self) -> bool;
}

/// Becoming another user on the host.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Become {
    /// `sudo`, `su`, `doas`, `runuser` ...
    pub method: String,
    /// Who to become.
    pub user: String,
    /// The program, where it is not named as its method.
    pub exe: Option<String>,
    /// Its options, as one text; `None` = the method's usual ones.
    pub flags: Option<String>,
    /// The password that the method asks for.
    pub password: Option<String>,
}

impl fmt::Debug for Become {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Become").field("method", &self.method).field("user", &self.user).finish()
    }
}

/// What a task asks for of the way to its host.
pub struct Wanted<'a> {
    /// Inventory name.
    pub host: &'a Arc<str>,
    /// `ssh`, `docker`, `local` ...: the last part of the connection's name.
    pub connection: &'a str,
    /// As whom, where not as the user who is logged in.
    pub privileges: Option<Become>,
    /// A variable of the task, rendered: `ansible_host`, `ansible_ssh_common_args` ... The error
    /// is that of its template.
    pub variable: &'a (dyn Fn(&str) -> Result<Option<Value>, String> + 'a),
    /// The task's keywords that are about connections, below the variables: `port`,
    /// `remote_user`.
    pub keywords: &'a [(&'static str, String)],
}

impl fmt::Debug for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted")
            .field("host", &self.host)
            .field("connection", &self.connection)
            .field("privileges", &self.privileges)
            .finish_non_exhaustive()
    }
}

/// Makes ways to hosts other than this process. The same wish gives the same connection.
pub trait Dial: Send + Sync {
    /// The way to a host. It need not be connected yet.
    ///
    /// # Errors
    /// A sentence, where there is no such kind of connection or a variable makes no sense.
    fn dial(&self, wanted: &Wanted<'_>) -> Result<Arc<dyn Connection>, String>;

    /// Tells what happens to connections: [`Kind::Connecting`] and its like.
    fn on_event(&self, emit: Arc<dyn Fn(Kind) + Send + Sync>);

    /// Tells the hosts that this process is about to be stopped for a while, and will say nothing.
    fn hold(&self) {}

    /// Ends all connections, and all that runs at their ends.
    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The ways to one host that are in use.
type Dialled = Vec<Weak<dyn Connection>>;

/// The ways to all hosts of a run, each made once.
pub struct Connections {
    options: Options,
    dial: Option<Arc<dyn Dial>>,
    jobs: Option<StartJob>,
    cancelled: AtomicBool,
    running: Mutex<Vec<Cancel>>,
    local: Mutex<HashMap<Arc<str>, Arc<Local>>>,
    /// The ways to each host other than this process: what `meta: reset_connection` is about.
    dialled: Mutex<HashMap<Arc<str>, Dialled>>,
}

/// Starts a call of a module, by its full name, on this machine that goes on by itself, and says how it began.
pub type StartJob =
    Arc<dyn Fn(&str, &Call, &Job, &Session) -> Result<Reply, ModuleError> + Send + Sync>;

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Connections {
    /// No host is connected yet. `options` are those of every host's session; without `dial`,
    /// only this machine is reached.
    #[must_use]
    pub fn new(options: Options, dial: Option<Arc<dyn Dial>>) -> Self {
        Self {
            options,
            dial,
            jobs: None,
            cancelled: AtomicBool::new(false),
            running: Mutex::default(),
            local: Mutex::default(),
            dialled: Mutex::default(),
        }
    }

    /// The same, with a way to start jobs on this machine.
    #[must_use]
    pub fn with_jobs(self, start: StartJob) -> Self {
        Self { jobs: Some(start), ..self }
    }

    /// This machine, whatever hosts there are.
    pub(crate) fn here(&self) -> Arc<dyn Connection> {
        Arc::new(Local::new(&self.options, self.jobs.clone()))
    }

    /// Starts a call on this machine that goes on by itself.
    pub(crate) async fn start_here(&self, module: &'static str, call: Call) -> Reply {
        let here = Local::new(&self.options, self.jobs.clone());
        let start = move || here.start(module, &call).reply;
        let started = tokio::task::spawn_blocking(start).await;
        let broken = |error| ModuleError::failed(format!("{module} was not started: {error}"));
        started.unwrap_or_else(|error| broken(error).into_reply())
    }

    /// Ends the connections to a host: the next call makes them anew.
    pub async fn reset(&self, host: &Arc<str>) {
        let ways = {
            let dialled = self.dialled.lock().unwrap_or_else(PoisonError::into_inner);
            dialled.get(host).cloned().unwrap_or_default()
        };
        for way in ways.iter().filter_map(Weak::upgrade) {
            way.reset().await;
        }
    }

    /// Stops every call that runs now or is begun later.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        let running: Vec<Cancel> =
            self.running.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
        running.iter().for_each(Cancel::cancel);
    }

    /// True once [`cancel`](Self::cancel) was asked for.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// A flag of its own for one task, set by [`cancel`](Self::cancel) as well.
    #[must_use]
    pub fn new_cancel(&self) -> Cancel {
        let cancel = Cancel::default();
        if self.is_cancelled() {
            cancel.cancel();
        }
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(Cancel::is_shared);
        running.push(cancel.clone());
        cancel
    }

    /// Tells the hosts that this process is about to be stopped for a while.
    pub fn hold(&self) {
        if let Some(dial) = &self.dial {
            dial.hold();
        }
    }

    /// Ends all connections.
    pub async fn close(&self) {
        if let Some(dial) = &self.dial {
            dial.close().await;
        }
    }

    /// Hands on who is to be told what happens to connections.
    pub(crate) fn on_event(&self, emit: Arc<dyn Fn(Kind) + Send + Sync>) {
        if let Some(dial) = &self.dial {
            dial.on_event(emit);
        }
    }

    /// The way that a task asks for.
    ///
    /// # Errors
    /// A sentence, where there is no such way.
    pub fn to(&self, wanted: &Wanted<'_>) -> Result<Arc<dyn Connection>, String> {
        if wanted.connection == "local" && wanted.privileges.is_none() {
            let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
            let way = local
                .entry(Arc::clone(wanted.host))
                .or_insert_with(|| Arc::new(Local::new(&self.options, self.jobs.clone())));
            return Ok(Arc::<Local>::clone(way));
        }
        let Some(dial) = &self.dial else {
            return Err(format!("the connection '{}' is not available here", wanted.connection));
        };
        let way = dial.dial(wanted)?;
        let mut dialled = self.dialled.lock().unwrap_or_else(PoisonError::into_inner);
        let ways = match dialled.get_mut(wanted.host) {
            Some(ways) => ways,
            None => dialled.entry(Arc::clone(wanted.host)).or_default(),
        };
        let here = Arc::as_ptr(&way).cast::<()>();
        if !ways.iter().any(|it| std::ptr::addr_eq(it.as_ptr(), here)) {
            ways.retain(|it| it.strong_count() > 0);
            ways.push(Arc::downgrade(&way));
        }
        Ok(way)
    }
}

/// This machine, in this process.
struct Local {
    session: Session,
    jobs: Option<StartJob>,
}

impl Local {
    fn new(options: &Options, jobs: Option<StartJob>) -> Self {
        Self { session: Session::new(options.clone()), jobs }
    }

    /// Starts what goes on by itself.
    fn start(&self, module: &str, call: &Call) -> Called {
        let started = match (&self.jobs, &call.job) {
            (Some(start), Some(job)) => start(module, call, job, &self.session),
            _ => Err(ModuleError::failed("asynchronous jobs are not available here")),
        };
        let reply = started.unwrap_or_else(ModuleError::into_reply);
        Called { reply, changes: Vec::new() }
    }
}

impl Connection for Local {
    fn call(&self, entry: &'static Entry, spec: Arc<Spec>, call: Call) -> Doing<'_, Called> {
        let here = Self { session: self.session.for_call(), jobs: self.jobs.clone() };
        Box::pin(async move {
            let run = move || {
                if call.job.is_some() {
                    return here.start(entry.name, &call);
                }
                let session = here.session;
                let reply = entry.call_with(&spec, &session, &call);
                Called { reply, changes: session.take_changes() }
            };
            tokio::task::spawn_blocking(run).await.map_err(|error| {
                Unreachable::new(format!("the module {} broke off: {error}", entry.name))
            })
        })
    }

    fn raw(&self, command: RawCommand) -> Doing<'_, RawResult> {
        let session = self.session.clone();
        Box::pin(async move {
            let run = move || {
                let call = Call { cancel: command.cancel, ..Call::default() };
                let program = davit_module::Program::new("/bin/sh").arg("-c").arg(command.line);
                davit_module::Host::new(&session, &call).query(&program)
            };
            match tokio::task::spawn_blocking(run).await {
                Ok(Ok(ran)) => {
                    Ok(RawResult { code: ran.rc, stdout: ran.stdout, stderr: ran.stderr })
                }
                Ok(Err(error)) => Err(Unreachable::new(error.to_string())),
                Err(error) => Err(Unreachable::new(format!("the command broke off: {error}"))),
            }
        })
    }

    fn open(&self, target: Target) -> Doing<'_, std::io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            Ok(match target {
                Target::Tcp { host, port } => {
                    tokio::net::TcpStream::connect((host, port)).await.map(boxed)
                }
                Target::Unix { path } => tokio::net::UnixStream::connect(path).await.map(boxed),
                Target::File { path } => tokio::fs::File::open(path).await.map(boxed),
            })
        })
    }

    fn reset(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        // Nothing here could be stale; what a dry run predicts stays true.
        Box::pin(std::future::ready(()))
    }

    fn is_local(&self) -> bool {
        true
    }
}

fn boxed<T: Stream + 'static>(stream: T) -> Box<dyn Stream> {
    Box::new(stream)
}
