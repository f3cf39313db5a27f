//! What an action sees of the run: its task, its host, its variables, and modules to call.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use davit_event::{Kind, Reply};
use davit_module::{Attachment, Call, Cancel, Entry, Job, Listener};
use davit_template::{Env, Outside};
use davit_value::{Map, Origin, Value};

use crate::action::Outcome;
use crate::connection::{Called, Connection, RawCommand, RawResult, Stream, Target, Unreachable};
use crate::failure::cause;
use crate::scope::TaskScope;
use crate::tree::Task;
use crate::world::{Play, World};

/// One task on one host, in one round of its loop.
pub struct TaskContext {
    pub(crate) world: Arc<World>,
    pub(crate) play: Arc<Play>,
    pub(crate) host: Arc<str>,
    pub(crate) task: Arc<Task>,
    pub(crate) scope: TaskScope,
    pub(crate) outside: Outside,
    /// Where the task really goes, with `delegate_to`.
    pub(crate) delegated: Option<Arc<str>>,
    /// As the user who is logged in: `become` does not count.
    pub(crate) plain: bool,
    /// Found when it is first needed: many actions need none.
    pub(crate) connection: OnceLock<Result<Arc<dyn Connection>, Outcome>>,
    /// The module that is called goes on by itself.
    pub(crate) job: Option<Job>,
    /// Index of the task's start in the event stream.
    pub(crate) number: u32,
    pub(crate) place: CallPlace,
    /// Which attempt this is, from 1.
    pub(crate) attempt: u32,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) cancel: Cancel,
    /// Predict, and change nothing.
    pub check: bool,
    /// Say what changes in files.
    pub diff: bool,
    /// The result is not to be shown.
    pub no_log: bool,
}

/// A call of a module that somebody asks for.
pub(crate) struct Asked<'a> {
    pub(crate) name: &'a str,
    pub(crate) args: Reply,
    pub(crate) attachments: BTreeMap<String, Attachment>,
    pub(crate) job: Option<Job>,
    pub(crate) check: bool,
}

/// What names the calls of a task: the same in any run that is taken up again.
#[derive(Debug)]
pub(crate) struct CallPlace {
    /// The task, and the round of its loop.
    round: String,
    /// How often each call was made.
    calls: Mutex<BTreeMap<u64, u32>>,
}

impl CallPlace {
    pub(crate) fn new(task: &str, round: usize) -> Self {
        Self { round: format!("{task}#{round}"), calls: Mutex::default() }
    }

    /// The same place, for calls that go elsewhere.
    pub(crate) fn beside(&self, what: &str) -> Self {
        Self { round: format!("{}/{what}", self.round), calls: Mutex::default() }
    }

    /// The name of the next call. Calls that run side by side are told apart by what they say,
    /// whichever comes first.
    fn key(&self, host: &str, attempt: u32, module: &str, asked: &Asked<'_>) -> String {
        let mut hasher = DefaultHasher::new();
        module.hash(&mut hasher);
        // Keys in the order in which they were written, which is the same every time.
        serde_json::to_string(&asked.args).unwrap_or_default().hash(&mut hasher);
        for (name, content) in &asked.attachments {
            name.hash(&mut hasher);
            // A file that was edited since makes another call of it.
            match content {
                Attachment::Bytes(bytes) => bytes.hash(&mut hasher),
                Attachment::Path(path) => {
                    path.hash(&mut hasher);
                    let about = path.metadata().ok();
                    about.map(|it| (it.len(), it.modified().ok())).hash(&mut hasher);
                }
                Attachment::Sent(sent) => sent.sha1().hash(&mut hasher),
            }
        }
        let what = hasher.finish();
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let count = calls.entry(what).or_default();
        *count += 1;
        format!("{}/{host}/{attempt}/{what:x}.{count}", self.round)
    }
}

impl std::fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskContext").field("host", &self.host).finish_non_exhaustive()
    }
}

impl TaskContext {
    /// Renders with the task's variables.
    #[must_use]
    pub fn env(&self) -> Env<'_> {
        Env::new(&self.world.engine, &self.scope, &self.outside)
    }

    /// The host that the task is for.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What the run shares.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Where the task was written.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        self.task.origin()
    }

    /// `playbook_dir`.
    #[must_use]
    pub fn playbook_folder(&self) -> &Path {
        &self.play.folder
    }

    /// The folder of the task's role, where it has one.
    #[must_use]
    pub fn role_folder(&self) -> Option<&Path> {
        self.task.role().map(|role| role.path.as_path())
    }

    /// The file of this machine that `name` means: searched as `folder/name` and as `name` in the
    /// role, beside the task's file, and beside the playbook.
    ///
    /// # Errors
    /// A failure that lists where it was searched.
    pub fn find_file(&self, folder: &str, name: &str) -> Result<PathBuf, Outcome> {
        self.candidates(folder, name)
            .into_iter()
            .find(|path| path.exists())
            .ok_or_else(|| Outcome::failed(self.not_found(folder, name)))
    }

    /// What is said of a file that [`find_file`](Self::find_file) does not find.
    #[must_use]
    pub fn not_found(&self, folder: &str, name: &str) -> String {
        let mut tried = self.candidates(folder, name);
        let searched = if name.starts_with(['/', '~']) {
            String::new()
        } else {
            // A playbook's folder is searched for its tasks, and for the play.
            if self.task.folder() == self.play.folder && self.task.role().is_none() {
                tried.extend(tried.clone());
            }
            let tried: Vec<String> =
                tried.iter().map(|it| format!("\n\t{}", it.display())).collect();
            format!("\nSearched in:{}", tried.concat())
        };
        format!(
            "Could not find or access '{name}'{searched} on the Ansible Controller.\nIf you are using a module and expect the file to exist on the remote, see the remote_src option"
        )
    }

    /// Where [`find_file`](Self::find_file) looks, in order.
    #[must_use]
    pub fn candidates(&self, folder: &str, name: &str) -> Vec<PathBuf> {
        let name = self.expand(name);
        if Path::new(&name).is_absolute() {
            return vec![PathBuf::from(name)];
        }
        let mut tried: Vec<PathBuf> = Vec::new();
        for base in self.scope.search_path() {
            // A task file in a role's `tasks` folder sees the role, not that folder first.
            let below = base.join(folder).join(&name);
            let plain = base.join(&name);
            for path in [below, plain] {
                if !tried.contains(&path) {
                    tried.push(path);
                }
            }
        }
        tried
    }

    /// A path of the controller with its `~` opened.
    #[must_use]
    pub fn expand(&self, path: &str) -> String {
        let home = self.world.settings.environment.get("HOME");
        match (path.strip_prefix('~'), home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
                format!("{home}{rest}")
            }
            _ => path.to_owned(),
        }
    }

    /// True where the task sets variables of the environment.
    #[must_use]
    pub fn has_environment(&self) -> bool {
        !self.environment.is_empty()
    }

    /// Calls a module on the task's host. Messages call it by the task's own word for it, or by
    /// `name` where that is `ansible.legacy.x` or another module.
    pub async fn call_module(
        &self,
        name: &str,
        args: Reply,
        attachments: BTreeMap<String, Attachment>,
    ) -> Outcome {
        let job = self.job.clone();
        self.call(Asked { name, args, attachments, job, check: self.check }).await
    }

    pub(crate) async fn call(&self, asked: Asked<'_>) -> Outcome {
        let Some(entry) = self.world.tables.module(asked.name) else {
            return Outcome::failed(format!("there is no module {}", asked.name));
        };
        let jid = asked.args.get("jid").and_then(serde_json::Value::as_str);
        let here =
            asked.name == crate::background::STATUS && jid.is_some_and(|it| self.world.has_job(it));
        let connection =
            match if here { Ok(self.world.connections.here()) } else { self.connection() } {
                Ok(connection) => connection,
                Err(outcome) => return outcome,
            };
        let spec = self.world.tables.spec(entry);
        for secret in spec.secrets(&asked.args) {
            self.world.mask.add(&secret);
        }
        let call = match self.prepare(asked, entry, connection.is_local()) {
            Ok(call) => call,
            Err(outcome) => return outcome,
        };
        match connection.call(entry, spec, call).await {
            Ok(called) => self.taken(called),
            Err(why) => self.lost(why),
        }
    }

    fn prepare(&self, asked: Asked<'_>, entry: &Entry, here: bool) -> Result<Call, Outcome> {
        // Paths of this machine mean nothing on another: there, the host's own count.
        let (tmp, folder, key) = if here {
            (self.world.settings.tmp.clone(), self.play.folder.clone(), String::new())
        } else {
            let tmp = self.variable("ansible_remote_tmp")?.map(|it| PathBuf::from(it.to_str()));
            let tmp = tmp.filter(|it| it.is_absolute()).unwrap_or_default();
            let key = self.place.key(&self.host, self.attempt, entry.name, &asked);
            (tmp, PathBuf::new(), key)
        };
        Ok(Call {
            name: self.module_name(asked.name, entry),
            args: asked.args,
            check: asked.check,
            diff: self.diff,
            // `raw` is for hosts on which nothing is set up: it hands over the text and no more.
            environment: if entry.short_name() == "raw" {
                Vec::new()
            } else {
                self.environment.clone()
            },
            attachments: asked.attachments,
            no_log: self.no_log,
            verbosity: self.world.settings.verbosity,
            cancel: self.cancel.clone(),
            tmp,
            folder,
            umask: None,
            listener: self.listener(here),
            job: asked.job,
            key,
        })
    }

    /// Tells whoever watches what the call's programs write.
    pub(crate) fn listener(&self, here: bool) -> Listener {
        if self.no_log {
            return Listener::default();
        }
        let (world, task) = (Arc::downgrade(&self.world), self.number);
        let host = Arc::clone(&self.host);
        let tell = move |stream, lines: &[u8]| {
            if let Some(world) = world.upgrade() {
                let text = String::from_utf8_lossy(lines).into_owned();
                world.emit(Kind::Output { task, host: host.to_string(), stream, text });
            }
        };
        // From elsewhere it comes calmly as it is.
        if here { Listener::calm(tell) } else { Listener::new(tell) }
    }

    /// What a module said, and to the journal what it changed.
    fn taken(&self, called: Called) -> Outcome {
        if !called.changes.is_empty() {
            let changes = called.changes.iter();
            self.world.emit(Kind::Changes {
                task: self.number,
                host: self.host.to_string(),
                delegated_to: crate::settle::elsewhere(self.delegated.as_ref(), &self.host),
                way: crate::route::way(self),
                changes: changes.filter_map(|it| serde_json::to_value(it).ok()).collect(),
            });
        }
        let mut outcome = Outcome::of(&called.reply);
        add_lines(&mut outcome.result);
        outcome
    }

    /// A host that cannot be reached; or a task that it refuses.
    fn lost(&self, why: Unreachable) -> Outcome {
        let text = format!("Task failed: {}", why.why);
        let mut outcome = Outcome::changed(false).with("msg", text.as_str());
        if why.refused {
            outcome.result.insert("failed", true.into());
        } else {
            outcome.result.insert("unreachable", true.into());
            outcome.unreachable = true;
        }
        let mut about = cause(text, Some(self.task.origin()));
        about.help = why.help;
        outcome.causes = vec![about];
        outcome
    }

    /// Where the task goes: its host, or whom it is delegated to.
    pub(crate) fn target(&self) -> &Arc<str> {
        self.delegated.as_ref().unwrap_or(&self.host)
    }

    /// The way to the task's host, as the user that the task asks for.
    ///
    /// # Errors
    /// A failure, where there is no such way or a variable of it makes no sense.
    pub fn connection(&self) -> Result<Arc<dyn Connection>, Outcome> {
        self.connection.get_or_init(|| crate::route::connect(self)).clone()
    }

    /// Runs a command line on the host, with nothing of ours there.
    ///
    /// # Errors
    /// The outcome of a host that is not reached.
    pub async fn raw(&self, line: &str) -> Result<RawResult, Outcome> {
        let command = RawCommand { line: line.to_owned(), cancel: self.cancel.clone() };
        self.connection()?.raw(command).await.map_err(|why| self.lost(why))
    }

    /// Opens a stream to something on the host. The inner error is the host's.
    ///
    /// # Errors
    /// The outcome of a host that is not reached.
    pub async fn open(&self, target: Target) -> Result<std::io::Result<Box<dyn Stream>>, Outcome> {
        self.connection()?.open(target).await.map_err(|why| self.lost(why))
    }

    /// Ends the connections to the host, those of other users as well: the next call connects
    /// anew.
    pub async fn reset(&self) {
        self.world.connections.reset(self.target()).await;
    }

    /// Waits; false where the task is to stop.
    pub async fn pause(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => !self.cancel.is_cancelled(),
            () = self.cancelled() => false,
        }
    }

    /// Ends once the task is to stop.
    pub(crate) async fn cancelled(&self) {
        let stop = Arc::new(tokio::sync::Notify::new());
        let told = Arc::clone(&stop);
        self.cancel.on_cancel(move || told.notify_one());
        stop.notified().await;
    }

    /// The name that the original uses for the module in messages: another for those that it
    /// reaches through an action.
    fn module_name(&self, name: &str, entry: &Entry) -> String {
        let short = entry.short_name();
        match short {
            "command" | "shell" => "ansible.legacy.command".into(),
            "raw" => short.into(),
            _ if name.starts_with("ansible.legacy.") || entry.name != &*self.task.full_name => {
                name.to_owned()
            }
            _ => self.task.written.action.to_string(),
        }
    }

    /// The arguments of a task as a module takes them.
    #[must_use]
    pub fn reply_of(args: &Map) -> Reply {
        args.iter().map(|(key, value)| (key.to_text(), value.to_json())).collect()
    }

    /// A variable of the task, rendered.
    ///
    /// # Errors
    /// A failure, where its template fails.
    pub fn variable(&self, name: &str) -> Result<Option<Value>, Outcome> {
        self.scope.value(name).map_err(|error| Outcome::failed(error.to_string()))
    }
}

/// Output line by line, where the module did not give it so.
fn add_lines(result: &mut Map) {
    for (text, lines) in [("stdout", "stdout_lines"), ("stderr", "stderr_lines")] {
        if let (Some(Value::Str(text)), None) = (result.get(text), result.get(lines)) {
            let split = text.lines().map(Value::from).collect();
            result.insert(lines, Value::list(split));
        }
    }
}
