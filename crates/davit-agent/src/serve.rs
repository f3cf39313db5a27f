//! The worker: reads messages until the connection ends, then ends with all that it started.

use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use davit_module::names::User;
use davit_module::{Options, Session, keep_folder};
use davit_wire::{
    Decoder, Error, Greeting, Json, Kind, Limits, Message, Open, Refusal, Start, VERSION, of_credit,
};
use nix::unistd::{AccessFlags, access};

use crate::calls::{Calls, OWN};
use crate::memory::Memory;
use crate::out::Out;
use crate::stream::Streams;

/// How long calls may take to stop once the connection has ended.
const GRACE: Duration = Duration::from_secs(5);
/// Exit status where the other side says what makes no sense.
const CONFUSED: i32 = 3;

/// Serves the controller at standard input and output; the exit status.
#[must_use]
pub fn serve() -> i32 {
    // The file is named after its hash, which is no name to look for.
    let _ = nix::sys::prctl::set_name(c"davit-agent");
    leave_closed_folder();
    let Ok(out) = Out::stdout() else { return 1 };
    let out = Arc::new(out);
    let watch = Arc::new(Watch::default());
    let mut agent = Agent {
        out: Arc::clone(&out),
        streams: Arc::default(),
        calls: None,
        watch: Arc::clone(&watch),
        over: false,
    };
    let mut decoder = Decoder::new(Limits::default());
    let mut input = std::io::stdin().lock();
    let mut buffer = vec![0; 128 * 1024];
    let mut code = 0;
    while !agent.over {
        let count = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        watch.heard();
        decoder.feed(&buffer[..count]);
        if let Err(error) = agent.take_all(&mut decoder) {
            let _ = out.send_json(0, &Refusal { why: format!("the agent ends: {error}") });
            code = CONFUSED;
            break;
        }
    }
    if let Some(calls) = &agent.calls {
        end(calls);
    }
    code
}

/// Stops all that runs, and waits for it a while.
fn end(calls: &Arc<Calls>) {
    calls.stop();
    calls.streams.stop();
    let limit = Instant::now() + GRACE;
    while calls.running() > 0 && Instant::now() < limit {
        thread::sleep(Duration::from_millis(5));
    }
}

struct Agent {
    out: Arc<Out>,
    streams: Arc<Streams>,
    calls: Option<Arc<Calls>>,
    watch: Arc<Watch>,
    over: bool,
}

impl Agent {
    fn take_all(&mut self, decoder: &mut Decoder) -> Result<(), Error> {
        while let Some(message) = decoder.next_message()? {
            self.take(message)?;
            if self.over {
                break;
            }
        }
        Ok(())
    }

    fn take(&mut self, message: Message) -> Result<(), Error> {
        let Message { kind, number, body } = message;
        let Some(calls) = &self.calls else {
            if kind != Kind::Start {
                return Err(wrong("the first message is no start"));
            }
            return self.start(Start::decode(&body)?);
        };
        let fits = match kind {
            Kind::Call => calls.begin(number, davit_wire::Call::decode(&body)?),
            Kind::Cancel => {
                calls.cancel(number);
                true
            }
            Kind::Open if number & OWN == 0 => {
                self.streams.open(&self.out, number, Open::decode(&body)?)
            }
            Kind::Data => self.streams.data(number, body),
            Kind::Output => self.streams.typed(number, body),
            Kind::End => {
                self.streams.end(number);
                true
            }
            Kind::Credit => {
                self.streams.credit(number, of_credit(&body)?);
                true
            }
            Kind::Reset => {
                self.streams.reset(number, &Refusal::decode(&body)?.why);
                true
            }
            Kind::Ping => {
                // A controller that is gone is noticed by reading.
                let _ = self.out.send(Kind::Pong, 0, b"");
                true
            }
            Kind::Pong => true,
            Kind::Hold => {
                self.watch.hold();
                true
            }
            Kind::Bye => {
                calls.memory.forget();
                self.over = true;
                true
            }
            Kind::Start
            | Kind::Greeting
            | Kind::Reply
            | Kind::Want
            | Kind::Open
            | Kind::Opened
            | Kind::Exit => return Err(wrong("a message that only an agent sends")),
        };
        if fits { Ok(()) } else { Err(wrong("more than was allowed")) }
    }

    fn start(&mut self, start: Start) -> Result<(), Error> {
        let user = nix::unistd::geteuid();
        let name = User::numbered(user.as_raw()).map(|it| it.name);
        let greeting = Greeting {
            wire: VERSION,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            user: name.unwrap_or_else(|| user.to_string()),
            uid: user.as_raw(),
        };
        // Told in any case: the other side may know better why the two do not fit.
        let _ = self.out.send_json(0, &greeting);
        if start.wire != VERSION {
            return Err(wrong(&format!(
                "davit {} speaks version {} of the wire, and this agent ({}) version {VERSION}",
                start.version,
                start.wire,
                env!("CARGO_PKG_VERSION"),
            )));
        }
        let folder = own_folder();
        let keep = home_folder()
            .or_else(|| folder.clone())
            .filter(|_| start.keep)
            .and_then(|it| keep_folder(&it, &start.run));
        let options = Options {
            dry_run: start.dry_run,
            keep,
            environment: std::env::vars_os()
                .filter_map(|(key, value)| {
                    Some((key.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        };
        let memory =
            folder.map(|it| Memory::load(&it, &start.run, &start.host)).unwrap_or_default();
        let calls = Calls::new(
            Arc::clone(&self.out),
            Session::new(options),
            memory,
            Arc::clone(&self.streams),
        );
        self.calls = Some(Arc::clone(&calls));
        self.watch.begin(Duration::from_millis(start.silence_ms.max(1000)), calls);
        Ok(())
    }
}

/// Who became another user may stand in a folder that is closed to that one, where no relative path
/// and few programs work: modules begin at home then.
fn leave_closed_folder() {
    let flags = AccessFlags::R_OK | AccessFlags::X_OK;
    if access(".", flags).is_ok() {
        return;
    }
    let home = User::numbered(nix::unistd::geteuid().as_raw()).map(|it| it.dir);
    for folder in home.into_iter().chain([PathBuf::from("/")]) {
        if access(&folder, flags).is_ok() && std::env::set_current_dir(&folder).is_ok() {
            return;
        }
    }
}

/// The folder that the agent's program is in: nobody else can write there.
fn own_folder() -> Option<PathBuf> {
    std::env::current_exe().ok()?.parent().map(PathBuf::from)
}

/// The folder for what davit keeps for the agent's own user, which is another one than the user
/// who pushed it where a task became somebody.
fn home_folder() -> Option<PathBuf> {
    let user = User::numbered(nix::unistd::geteuid().as_raw())?;
    let home = std::fs::metadata(&user.dir).ok().filter(|it| it.is_dir())?;
    let is_own = std::os::unix::fs::MetadataExt::uid(&home) == user.uid;
    is_own.then(|| user.dir.join(".cache/davit"))
}

fn wrong(what: &str) -> Error {
    Error::Body { what: what.to_owned() }
}

/// Ends the process when nothing has been heard for too long: a cut cable says nothing.
#[derive(Debug)]
struct Watch {
    began: Instant,
    /// When something was last heard, in milliseconds from the beginning.
    last: AtomicU64,
    held: AtomicBool,
    started: OnceLock<()>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            last: AtomicU64::new(0),
            held: AtomicBool::new(false),
            started: OnceLock::new(),
        }
    }
}

impl Watch {
    fn heard(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
        self.held.store(false, Ordering::Relaxed);
    }

    /// Silence is to be expected, until something is heard again.
    fn hold(&self) {
        self.held.store(true, Ordering::Relaxed);
    }

    fn begin(self: &Arc<Self>, silence: Duration, calls: Arc<Calls>) {
        if self.started.set(()).is_err() {
            return;
        }
        let watch = Arc::clone(self);
        // Without it the agent would only not notice a cut cable.
        let _ = thread::Builder::new().name("watch".into()).spawn(move || {
            loop {
                let last = Duration::from_millis(watch.last.load(Ordering::Relaxed));
                let quiet = watch.began.elapsed().saturating_sub(last);
                if quiet >= silence && !watch.held.load(Ordering::Relaxed) {
                    end(&calls);
                    // The main thread waits for input, perhaps for ever.
                    std::process::exit(4);
                }
                thread::sleep((silence / 4).min(Duration::from_secs(1)));
            }
        });
    }
}
