//! What an action sees of the run: its task, its host, its variables, and modules to call.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use davit_event::Reply;
use davit_module::{Attachment, Call, Cancel};
use davit_template::{Env, Outside};
use davit_value::{Map, Origin, Value};

use crate::action::Outcome;
use crate::connection::Connection;
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
    pub(crate) connection: Result<Arc<dyn Connection>, String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) cancel: Cancel,
    /// Predict, and change nothing.
    pub check: bool,
    /// Say what changes in files.
    pub diff: bool,
    /// The result is not to be shown.
    pub no_log: bool,
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
        let Some(entry) = self.world.tables.module(name) else {
            return Outcome::failed(format!("there is no module {name}"));
        };
        let connection = match &self.connection {
            Ok(connection) => Arc::clone(connection),
            Err(why) => {
                let mut outcome =
                    Outcome::changed(false).with("msg", why.as_str()).with("unreachable", true);
                outcome.unreachable = true;
                return outcome;
            }
        };
        let spec = self.world.tables.spec(entry);
        for secret in spec.secrets(&args) {
            self.world.mask.add(&secret);
        }
        let call = Call {
            name: self.module_name(name, entry),
            args,
            check: self.check,
            diff: self.diff,
            // `raw` is for hosts on which nothing is set up: it hands over the text and no more.
            environment: if entry.short_name() == "raw" {
                Vec::new()
            } else {
                self.environment.clone()
            },
            attachments,
            no_log: self.no_log,
            verbosity: self.world.settings.verbosity,
            cancel: self.cancel.clone(),
            tmp: self.world.settings.tmp.clone(),
            folder: self.play.folder.clone(),
            umask: None,
            listener: davit_module::Listener::default(),
            job: None,
            key: String::new(),
        };
        match connection.call(entry, spec, call).await {
            Ok(called) => {
                let mut outcome = Outcome::of(&called.reply);
                add_lines(&mut outcome.result);
                outcome
            }
            Err(why) => {
                let mut outcome =
                    Outcome::changed(false).with("msg", why.why).with("unreachable", true);
                outcome.unreachable = true;
                outcome
            }
        }
    }

    /// The name that the original uses for the module in messages: another for those that it
    /// reaches through an action.
    fn module_name(&self, name: &str, entry: &davit_module::Entry) -> String {
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
