//! Loops: what a task goes round for, and what each round knows of it.

use std::time::Duration;

use davit_template::{Env, Outside};
use davit_value::{Key, Map, Origin, Value};

use crate::action::Outcome;
use crate::actions::is_name;
use crate::execute::Job;
use crate::failure::{cause, task_failed, template_cause};
use crate::keyword::to_flag;
use crate::scope::TaskScope;

/// A loop whose items are known.
#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) items: Vec<Value>,
    var: String,
    index_var: Option<String>,
    label: Option<Value>,
    extended: bool,
    all_items: bool,
    pub(crate) pause: Duration,
    pub(crate) break_when: Vec<Value>,
    /// How many rounds may run at the same time.
    pub(crate) parallel: usize,
}

/// One round.
#[derive(Clone)]
pub(crate) struct Round {
    pub(crate) scope: TaskScope,
    /// Which one it is, from 0.
    pub(crate) index: usize,
    pub(crate) label: Option<String>,
    /// What failed before the round could begin.
    pub(crate) failure: Option<Outcome>,
}

/// The loop of a job; `None` where it has none.
pub(crate) fn rounds(
    job: &Job,
    scope: &TaskScope,
    outside: &Outside,
) -> Result<Option<Loop>, Outcome> {
    let Some(written) = &job.task.written.loop_ else { return Ok(None) };
    let env = Env::new(&job.world.engine, scope, outside);
    let origin = written.value.origin().or(Some(&written.origin));
    let failed = |error: &davit_template::Error| {
        task_failed(job.task.origin(), vec![template_cause("", error, origin)])
    };
    let value = env.resolve(&written.value).map_err(|error| failed(&error))?;
    let items = match &written.lookup {
        None => list_of(value, origin)?,
        Some(lookup) => {
            let terms = match value {
                Value::List(list) | Value::Tuple(list) => list.to_vec(),
                other => vec![other],
            };
            let options = lookup_options(job, lookup);
            let found = env.call_lookup(lookup, terms, options).map_err(|error| {
                plain_failure(template_cause("", &davit_template::Error::from(error), origin))
            })?;
            found.into_iter().map(listed).collect()
        }
    };
    Control::read(job, &env).map(|control| Some(control.into_loop(items)))
}

/// Where `with_first_found` searches depends on the task.
fn lookup_options(job: &Job, lookup: &str) -> Map {
    let mut options = Map::new();
    if lookup.rsplit('.').next() == Some("first_found") {
        let folder = match &*job.task.full_name {
            "ansible.builtin.template" => "templates",
            "ansible.builtin.include_vars" => "vars",
            _ => "files",
        };
        options.insert(davit_template::lookups::TASK_FOLDER, folder.into());
    }
    options
}

fn list_of(value: Value, origin: Option<&Origin>) -> Result<Vec<Value>, Outcome> {
    let settled = value.settle().map_err(|error| {
        let error = davit_template::Error::from(error);
        plain_failure(template_cause("", &error, origin))
    })?;
    match settled {
        Value::List(list) | Value::Tuple(list) => Ok(list.to_vec()),
        other => {
            let text =
                format!("The `loop` value must resolve to a 'list', not '{}'.", other.type_name());
            let mut why = cause(text, origin);
            why.help = Some(
                "Provide a list of items/templates, or a template resolving to a list.".into(),
            );
            Err(plain_failure(why))
        }
    }
}

/// A failure whose message is the cause's own.
pub(crate) fn plain_failure(why: davit_event::Cause) -> Outcome {
    let mut outcome = Outcome::failed(why.message.as_str());
    outcome.causes = vec![why];
    outcome
}

/// The item with its tuples as lists.
fn listed(item: Value) -> Value {
    match item {
        Value::Tuple(list) => Value::list(list.iter().cloned().map(listed).collect()),
        other => other,
    }
}

/// `loop_control`, rendered; the label is rendered for each round.
struct Control {
    var: String,
    index_var: Option<String>,
    label: Option<Value>,
    extended: bool,
    all_items: bool,
    pause: Duration,
    break_when: Vec<Value>,
    parallel: usize,
}

impl Control {
    fn read(job: &Job, env: &Env<'_>) -> Result<Self, Outcome> {
        let mut control = Self {
            var: "item".into(),
            index_var: None,
            label: None,
            extended: false,
            all_items: true,
            pause: Duration::ZERO,
            break_when: Vec::new(),
            parallel: 1,
        };
        let Some(written) = &job.task.written.loop_control else { return Ok(control) };
        control.label = Some(written.label.clone()).filter(|it| !it.is_null());
        control.break_when = match &written.break_when {
            Value::List(list) => list.to_vec(),
            Value::Null => Vec::new(),
            other => vec![other.clone()],
        };
        let origin = Some(&written.origin);
        for (name, value) in [
            ("loop_var", &written.loop_var),
            ("index_var", &written.index_var),
            ("pause", &written.pause),
            ("extended", &written.extended),
            ("extended_allitems", &written.extended_allitems),
            ("parallel", &written.parallel),
        ] {
            if value.is_null() {
                continue;
            }
            let rendered = env.resolve(value).map_err(|error| {
                let lead = format!("Error processing keyword 'loop_control.{name}': ");
                task_failed(job.task.origin(), vec![template_cause(&lead, &error, origin)])
            })?;
            control
                .set(name, &rendered)
                .map_err(|text| plain_failure(cause(text, value.origin().or(origin))))?;
        }
        if env.scope.get(&control.var).is_some() {
            job.world.message(
                davit_event::Level::Warning,
                &format!(
                    "The loop variable '{}' is already in use. You should set the `loop_var` value in the `loop_control` option for the task to something else to avoid variable collisions and unexpected behavior.",
                    control.var
                ),
                Some(job.task.origin().to_string()),
                None,
            );
        }
        Ok(control)
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        if matches!(name, "loop_var" | "index_var") && !is_name(&value.to_str()) {
            return Err(format!("Invalid variable name {}.", Value::from(value.to_str()).repr()));
        }
        match name {
            "loop_var" => self.var = value.to_str(),
            "index_var" => self.index_var = Some(value.to_str()),
            "extended" => self.extended = to_flag(value).unwrap_or(false),
            "extended_allitems" => self.all_items = to_flag(value).unwrap_or(true),
            "pause" => {
                let seconds = match value {
                    Value::Str(text) => text.trim().parse().ok(),
                    other => other.as_number(),
                };
                let seconds = seconds.filter(|it: &f64| it.is_finite()).ok_or_else(|| {
                    format!(
                        "Error processing keyword 'pause': The value {} could not be converted to 'float'.",
                        value.repr()
                    )
                })?;
                self.pause = Duration::from_secs_f64(seconds.clamp(0.0, 1e9));
            }
            "parallel" => {
                let width = value.as_number().or_else(|| value.as_str()?.trim().parse().ok());
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "bounded"
                )]
                {
                    self.parallel = width.unwrap_or(1.0).clamp(1.0, 1000.0) as usize;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn into_loop(self, items: Vec<Value>) -> Loop {
        Loop {
            items,
            var: self.var,
            index_var: self.index_var,
            label: self.label,
            extended: self.extended,
            all_items: self.all_items,
            pause: self.pause,
            break_when: self.break_when,
            parallel: self.parallel,
        }
    }
}

impl Loop {
    /// The round of the item at `index`.
    pub(crate) fn round(&self, index: usize, scope: &TaskScope, carried: &Map, job: &Job) -> Round {
        let mut scope = scope.clone();
        scope.locals.extend(carried);
        let item = self.items.get(index).cloned().unwrap_or_default();
        scope.locals.insert(self.var.as_str(), item.clone());
        scope.locals.insert("ansible_loop_var", self.var.as_str().into());
        if let Some(name) = &self.index_var {
            scope.locals.insert(name.as_str(), index.into());
            scope.locals.insert("ansible_index_var", name.as_str().into());
        }
        if self.extended {
            scope.locals.insert("ansible_loop", self.extended(index));
        }
        let label = self.label(&scope, &item, job).unwrap_or_else(|_| show(&item));
        Round { scope, index, label: Some(label), failure: None }
    }

    /// How the item of a round is shown that has come to `result`, which a label may speak of.
    pub(crate) fn final_label(
        &self,
        round: &Round,
        result: &Map,
        job: &Job,
    ) -> Result<Option<String>, Outcome> {
        if !self.label.as_ref().is_some_and(Value::is_live) {
            return Ok(round.label.clone());
        }
        let mut scope = round.scope.clone();
        if let Some(name) = job.register() {
            scope.locals.insert(name, result.clone().into());
        }
        let item = self.items.get(round.index).cloned().unwrap_or_default();
        self.label(&scope, &item, job).map(Some)
    }

    /// How the item is shown where no label says so.
    pub(crate) fn plain_label(&self, round: &Round) -> Option<String> {
        self.items.get(round.index).map(show)
    }

    fn label(&self, scope: &TaskScope, item: &Value, job: &Job) -> Result<String, Outcome> {
        let Some(label) = &self.label else { return Ok(show(item)) };
        let outside = scope.outside();
        let env = Env::new(&job.world.engine, scope, &outside);
        env.resolve(label).map(|label| show(&label)).map_err(|error| {
            let lead = "Failed to template loop_control.label: ";
            plain_failure(template_cause(lead, &error, label.origin()))
        })
    }

    fn extended(&self, index: usize) -> Value {
        let count = self.items.len();
        let mut about = Map::new();
        if self.all_items {
            about.insert("allitems", Value::list(self.items.clone()));
        }
        about.insert("index", (index + 1).into());
        about.insert("index0", index.into());
        about.insert("first", (index == 0).into());
        about.insert("last", (index + 1 == count).into());
        about.insert("length", count.into());
        about.insert("revindex", (count - index).into());
        about.insert("revindex0", (count - index - 1).into());
        if let Some(next) = self.items.get(index + 1) {
            about.insert("nextitem", next.clone());
        }
        if let Some(before) = index.checked_sub(1).and_then(|it| self.items.get(it)) {
            about.insert("previtem", before.clone());
        }
        about.into()
    }

    /// Adds to a round's result what it went round for.
    pub(crate) fn describe(&self, round: &Round, result: &mut Map) {
        let names = [Some(self.var.as_str()), self.index_var.as_deref(), Some("ansible_loop_var")];
        for name in names.into_iter().flatten().chain(["ansible_index_var", "ansible_loop"]) {
            if let Some(value) = round.scope.locals.get(name) {
                result.insert(Key::from(name), value.clone());
            }
        }
    }
}

/// How an item is shown.
fn show(item: &Value) -> String {
    match item {
        Value::Object(_) => item.repr(),
        other => other.to_str(),
    }
}
