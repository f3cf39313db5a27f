//! Calls of modules: each on a thread of its own, some tens at the same time, the rest in turn.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::OsString;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use davit_event::Stream;
use davit_host::{builtin, own};
use davit_module::{Attachment, Call, Cancel, Entry, Listener, Sent, Session, Spec};
use davit_wire::{Attached, Kind, Reply, Want};
use md5::Md5;
use sha1::{Digest, Sha1};

use crate::inbox::{Inbox, Reading};
use crate::memory::Memory;
use crate::out::Out;
use crate::stream::Streams;

/// Calls that run at the same time.
const AT_ONCE: usize = 64;
/// Calls that wait for their turn.
const WAITING: usize = 4096;
/// Streams that the agent opens have numbers from here on.
pub(crate) const OWN: u32 = 1 << 31;

/// The calls of a connection.
pub(crate) struct Calls {
    pub(crate) out: Arc<Out>,
    pub(crate) session: Session,
    pub(crate) memory: Memory,
    pub(crate) streams: Arc<Streams>,
    state: Mutex<State>,
    specs: Mutex<HashMap<&'static str, Arc<Spec>>>,
    running: AtomicUsize,
    next_stream: Arc<AtomicU32>,
}

#[derive(Default)]
struct State {
    cancels: HashMap<u32, Cancel>,
    waiting: VecDeque<(u32, davit_wire::Call)>,
    /// Nothing is begun any more.
    over: bool,
}

impl Calls {
    pub(crate) fn new(
        out: Arc<Out>,
        session: Session,
        memory: Memory,
        streams: Arc<Streams>,
    ) -> Arc<Self> {
        Arc::new(Self {
            out,
            session,
            memory,
            streams,
            state: Mutex::default(),
            specs: Mutex::default(),
            running: AtomicUsize::new(0),
            next_stream: Arc::new(AtomicU32::new(OWN)),
        })
    }

    /// How many run.
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// Begins a call; false where the other side asks for more than is reasonable.
    pub(crate) fn begin(self: &Arc<Self>, number: u32, call: davit_wire::Call) -> bool {
        let mut state = self.lock();
        if state.over {
            return true;
        }
        if state.cancels.contains_key(&number) || state.waiting.len() >= WAITING {
            return false;
        }
        state.cancels.insert(number, Cancel::default());
        state.waiting.push_back((number, call));
        if self.running() < AT_ONCE {
            self.running.fetch_add(1, Ordering::SeqCst);
            drop(state);
            let calls = Arc::clone(self);
            let started = thread::Builder::new().name("call".into()).spawn(move || calls.work());
            if started.is_err() {
                // No more threads: those that run take it over.
                self.running.fetch_sub(1, Ordering::SeqCst);
                return self.running() > 0;
            }
        }
        true
    }

    /// Stops a call.
    pub(crate) fn cancel(&self, number: u32) {
        let cancel = self.lock().cancels.get(&number).cloned();
        if let Some(cancel) = cancel {
            cancel.cancel();
        }
    }

    /// Stops all, and begins none any more.
    pub(crate) fn stop(&self) {
        let all: Vec<Cancel> = {
            let mut state = self.lock();
            state.over = true;
            state.waiting.clear();
            state.cancels.values().cloned().collect()
        };
        all.iter().for_each(Cancel::cancel);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does calls until none is left.
    fn work(self: &Arc<Self>) {
        loop {
            let (number, call, cancel) = {
                let mut state = self.lock();
                let Some((number, call)) = state.waiting.pop_front() else {
                    // Under the lock, so that no call comes between the look and the leaving.
                    self.running.fetch_sub(1, Ordering::SeqCst);
                    return;
                };
                let cancel = state.cancels.get(&number).cloned().unwrap_or_default();
                (number, call, cancel)
            };
            let reply = self.answer(number, call, cancel);
            self.lock().cancels.remove(&number);
            // Nobody is there any more to be told: the reader notices that as well.
            let _ = self.out.send_json(number, &reply);
        }
    }

    fn answer(self: &Arc<Self>, number: u32, call: davit_wire::Call, cancel: Cancel) -> Reply {
        if let Some(known) = self.memory.find(&call.key) {
            return known;
        }
        let key = if call.no_log { String::new() } else { call.key.clone() };
        // Calls run side by side: what each of them changes is its own.
        let session = self.session.for_call();
        let run = catch_unwind(AssertUnwindSafe(|| self.run(number, call, cancel, &session)));
        let reply =
            run.unwrap_or_else(|_| failure("the module broke off: this is a fault of davit"));
        let reply = Reply { reply, changes: session.take_changes() };
        self.memory.keep(&key, &reply);
        reply
    }

    fn run(
        self: &Arc<Self>,
        number: u32,
        call: davit_wire::Call,
        cancel: Cancel,
        session: &Session,
    ) -> davit_module::Reply {
        let mut modules = builtin::MODULES.iter().chain(own::MODULES);
        let Some(entry) = modules.find(|it| it.name == call.module) else {
            return failure(&format!("the agent has no module {}", call.module));
        };
        let attachments = call
            .attachments
            .into_iter()
            .map(|(name, attached)| {
                let attachment = self.attachment(number, &name, attached);
                (name, attachment)
            })
            .collect::<BTreeMap<_, _>>();
        let local = Call {
            name: call.name,
            args: call.args,
            check: call.check,
            diff: call.diff,
            environment: call.environment,
            attachments,
            no_log: call.no_log,
            cancel,
            verbosity: call.verbosity,
            tmp: call.tmp,
            folder: call.folder,
            umask: call.umask,
            job: call.job,
            key: call.key,
            listener: if call.no_log {
                Listener::default()
            } else {
                let out = Arc::clone(&self.out);
                Listener::calm(move |stream, lines| {
                    let mut body = vec![u8::from(stream == Stream::Stderr)];
                    body.extend_from_slice(lines);
                    // A controller that is gone is noticed by reading.
                    let _ = out.send(Kind::Output, number, &body);
                })
            },
        };
        match &local.job {
            Some(job) => self.start_job(entry, &local, job),
            None => entry.call_with(&self.spec(entry), session, &local),
        }
    }

    fn start_job(
        &self,
        entry: &Entry,
        call: &Call,
        job: &davit_module::Job,
    ) -> davit_module::Reply {
        let program = [crate::guard::own_program().into_os_string(), OsString::from("--job")];
        davit_host::job::start(&program, entry.name, call, job, &self.session)
            .unwrap_or_else(davit_module::ModuleError::into_reply)
    }

    /// The argument spec of a module, worked out once.
    fn spec(&self, entry: &'static Entry) -> Arc<Spec> {
        let mut specs = self.specs.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(specs.entry(entry.name).or_insert_with(|| Arc::new(entry.spec())))
    }

    fn attachment(&self, call: u32, name: &str, attached: Attached) -> Attachment {
        match attached {
            Attached::Text(text) => Attachment::Bytes(text.into_bytes().into()),
            Attached::Later { size, sha1 } => Attachment::Sent(Arc::new(Remote {
                out: Arc::clone(&self.out),
                streams: Arc::clone(&self.streams),
                next: Arc::clone(&self.next_stream),
                want: Want { call, name: name.to_owned() },
                size,
                sha1,
                md5: Arc::default(),
            })),
        }
    }
}

/// The result of a call that could not be run.
pub(crate) fn failure(text: &str) -> davit_module::Reply {
    let mut reply = davit_module::Reply::new();
    reply.insert("failed".into(), true.into());
    reply.insert("changed".into(), false.into());
    reply.insert("msg".into(), text.into());
    reply
}

/// A content that the controller has.
#[derive(Debug)]
struct Remote {
    out: Arc<Out>,
    streams: Arc<Streams>,
    next: Arc<AtomicU32>,
    want: Want,
    size: u64,
    sha1: String,
    /// Known once the content was fetched whole.
    md5: Arc<OnceLock<String>>,
}

impl Sent for Remote {
    fn size(&self) -> u64 {
        self.size
    }

    fn sha1(&self) -> &str {
        &self.sha1
    }

    fn md5(&self) -> Option<String> {
        self.md5.get().cloned()
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let number = self.next.fetch_add(1, Ordering::SeqCst) | OWN;
        let inbox = Arc::new(Inbox::default());
        self.streams.receive(number, &inbox);
        self.out.send_json(number, &self.want)?;
        let reading = Reading::new(Arc::clone(&self.out), number, inbox);
        Ok(Box::new(Content {
            reading,
            streams: Arc::clone(&self.streams),
            left: self.size,
            sum: Sha1::new(),
            other: Md5::new(),
            sha1: self.sha1.clone(),
            md5: Arc::clone(&self.md5),
        }))
    }
}

/// A content that is on its way.
struct Content {
    reading: Reading,
    streams: Arc<Streams>,
    left: u64,
    sum: Sha1,
    /// Results tell it as well, and now the bytes are at hand.
    other: Md5,
    sha1: String,
    md5: Arc<OnceLock<String>>,
}

impl Content {
    /// The file may have changed while it was sent.
    fn is_whole(&self) -> bool {
        let whole = hex(&self.sum.clone().finalize()) == self.sha1;
        if whole {
            // A second reader of the same content finds the same.
            let _ = self.md5.set(hex(&self.other.clone().finalize()));
        }
        whole
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reading.read(buffer)?;
        let end = count == 0 && !buffer.is_empty();
        self.sum.update(&buffer[..count]);
        self.other.update(&buffer[..count]);
        if end && self.left == 0 && !self.is_whole() {
            return Err(io::Error::other("the file changed while it was sent"));
        }
        let taken = self.left.checked_sub(count as u64);
        match taken {
            // Half a file must never pass for a whole one.
            Some(left) if end && left > 0 => Err(io::ErrorKind::UnexpectedEof.into()),
            Some(left) => {
                self.left = left;
                Ok(count)
            }
            None => Err(io::Error::other("more was sent than announced")),
        }
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.streams.forget(self.reading.number);
        if !self.reading.ended {
            // Nobody reads the rest.
            let _ = self.reading.out.send(Kind::Reset, self.reading.number, b"{\"why\":\"\"}");
        }
    }
}
