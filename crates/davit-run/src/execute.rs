//! One task on one host: its loop, its conditions, its arguments, its attempts.
//!
//! What comes of it is a [`Done`]. Nothing here changes the state of the run: registered results,
//! facts and notified handlers are for the strategy to take in, one host after another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use davit_event::{End, Kind, Status};
use davit_template::{Env, Outside};
use davit_value::{Map, Origin, Str, Value};

use crate::action::{Line, Outcome, flag};
use crate::context::TaskContext;
use crate::failure::{cause, reported, task_failed, template_cause};
use crate::keyword::Keyword;
use crate::loops::{Loop, Round};
use crate::scope::{TaskScope, is_omit, without_omit};
use crate::tree::{Task, Work};
use crate::world::{Play, World};

/// A task that is to run on a host.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) world: Arc<World>,
    pub(crate) play: Arc<Play>,
    pub(crate) host: Arc<str>,
    pub(crate) task: Arc<Task>,
    /// Index of the task's start in the event stream.
    pub(crate) number: u32,
}

/// What came of a task on a host.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// What `register` keeps.
    pub(crate) outcome: Outcome,
    /// The results of the rounds, for a loop; else the one result: what facts, notifications and
    /// new hosts are taken from.
    pub(crate) parts: Vec<Part>,
    pub(crate) is_loop: bool,
    pub(crate) no_log: bool,
    pub(crate) ignore_errors: bool,
    pub(crate) ignore_unreachable: bool,
    pub(crate) delegated: Option<Arc<str>>,
    pub(crate) took: Duration,
}

/// The result of one round, with what the round knew.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    pub(crate) result: Map,
    /// Loop variables.
    pub(crate) locals: Map,
    pub(crate) label: Option<String>,
    pub(crate) delegated: Option<Arc<str>>,
    /// Names of handlers, rendered.
    pub(crate) notify: Vec<String>,
}

impl Done {
    /// In a word.
    pub(crate) fn status(&self) -> Status {
        status(&self.outcome)
    }
}

/// In a word.
pub(crate) fn status(outcome: &Outcome) -> Status {
    if outcome.unreachable {
        Status::Unreachable
    } else if outcome.is_failed() {
        Status::Failed
    } else if flag(&outcome.result, "skipped") {
        Status::Skipped
    } else if flag(&outcome.result, "changed") {
        Status::Changed
    } else {
        Status::Ok
    }
}

impl Job {
    /// The variables of the task, without those of its loop.
    pub(crate) fn scope(&self) -> TaskScope {
        TaskScope::new(&self.world, Some(&self.play), Some(&self.host), Some(&self.task))
    }

    /// Runs it.
    pub(crate) async fn run(&self) -> Done {
        let began = Instant::now();
        let scope = self.scope();
        let outside = scope.outside();
        let mut done = match crate::loops::rounds(self, &scope, &outside) {
            Ok(None) => self.once(scope, &outside, None).await,
            Ok(Some(rounds)) => self.all_rounds(rounds, &scope, &outside).await,
            Err(failure) => self.once(scope, &outside, Some(failure)).await,
        };
        done.took = began.elapsed();
        done
    }

    async fn once(&self, scope: TaskScope, outside: &Outside, before: Option<Outcome>) -> Done {
        let round = Round { scope, label: None, failure: before };
        let mut answer = self.round(round, outside).await;
        if !answer.outcome.result.contains("changed") {
            answer.outcome.result.insert("changed", false.into());
        }
        let part = Part {
            result: answer.outcome.result.clone(),
            locals: Map::new(),
            label: None,
            delegated: answer.delegated.clone(),
            notify: std::mem::take(&mut answer.notify),
        };
        Done {
            outcome: answer.outcome,
            parts: vec![part],
            is_loop: false,
            no_log: answer.no_log,
            ignore_errors: answer.ignore_errors,
            ignore_unreachable: answer.ignore_unreachable,
            delegated: answer.delegated,
            took: Duration::ZERO,
        }
    }

    async fn all_rounds(&self, looped: Loop, scope: &TaskScope, outside: &Outside) -> Done {
        let mut done = Done { is_loop: true, ..Done::default() };
        if looped.items.is_empty() {
            done.outcome = Outcome::changed(false)
                .with("skipped", true)
                .with("skipped_reason", "No items in the list")
                .with("results", Value::list(Vec::new()));
            return done;
        }
        let mut results = Vec::with_capacity(looped.items.len());
        let mut failed: Option<Outcome> = None;
        let (mut changed, mut skipped, mut unreachable) = (false, true, false);
        let mut at = 0;
        let mut carried = Map::new();
        while at < looped.items.len() {
            let width = looped.parallel.min(looped.items.len() - at).max(1);
            if at > 0 && looped.pause > Duration::ZERO {
                tokio::time::sleep(looped.pause).await;
            }
            let mut rounds = Vec::with_capacity(width);
            for index in at..at + width {
                rounds.push(looped.round(index, scope, &carried, self));
            }
            at += width;
            let answers = self.side_by_side(rounds, outside).await;
            for (round, answer) in answers {
                let (part, outcome) = self.close_round(&looped, round, &answer);
                changed |= flag(&outcome.result, "changed");
                skipped &= flag(&outcome.result, "skipped");
                unreachable |= outcome.unreachable;
                done.no_log |= answer.no_log;
                done.ignore_errors = answer.ignore_errors;
                done.ignore_unreachable = answer.ignore_unreachable;
                if done.delegated.is_none() {
                    done.delegated.clone_from(&answer.delegated);
                }
                if outcome.is_failed() && failed.is_none() {
                    failed = Some(outcome.clone());
                }
                if let Some(Value::Map(facts)) = outcome.result.get("ansible_facts") {
                    // Later rounds see what earlier ones have set.
                    carried.extend(facts);
                }
                results.push(Value::from(outcome.result));
                done.parts.push(part);
            }
            if self.breaks(&looped, scope, results.last(), at) {
                break;
            }
            if self.world.connections.is_cancelled() {
                break;
            }
        }
        done.outcome = sum_up(results, changed, skipped, failed.as_ref());
        done.outcome.unreachable = unreachable;
        done
    }

    /// Runs rounds at the same time; their answers in order.
    async fn side_by_side(&self, rounds: Vec<Round>, outside: &Outside) -> Vec<(Round, Answer)> {
        if rounds.len() == 1 {
            let mut answers = Vec::with_capacity(1);
            for round in rounds {
                let answer = self.round(round.clone(), outside).await;
                answers.push((round, answer));
            }
            return answers;
        }
        let mut running = Vec::with_capacity(rounds.len());
        for round in rounds {
            let (job, outside) = (self.clone(), outside.clone());
            let kept = round.clone();
            running.push((kept, tokio::spawn(async move { job.round(round, &outside).await })));
        }
        let mut answers = Vec::with_capacity(running.len());
        for (round, handle) in running {
            let answer = handle.await.unwrap_or_else(|error| Answer {
                outcome: Outcome::failed(format!("the task broke off: {error}")),
                ..Answer::default()
            });
            answers.push((round, answer));
        }
        answers
    }

    /// What the round leaves in `results`, and its event.
    fn close_round(&self, looped: &Loop, round: Round, answer: &Answer) -> (Part, Outcome) {
        let mut outcome = answer.outcome.clone();
        looped.describe(&round, &mut outcome.result);
        let part = Part {
            result: outcome.result.clone(),
            locals: round.scope.locals,
            label: round.label.clone(),
            delegated: answer.delegated.clone(),
            notify: answer.notify.clone(),
        };
        let end = self.end(&outcome, answer, round.label);
        self.world.emit(Kind::ItemDone { task: self.number, host: self.host.to_string(), end });
        (part, outcome)
    }

    fn breaks(&self, looped: &Loop, scope: &TaskScope, last: Option<&Value>, at: usize) -> bool {
        if looped.break_when.is_empty() {
            return false;
        }
        let mut round = looped.round(at - 1, scope, &Map::new(), self);
        if let (Some(name), Some(last)) = (self.register(), last) {
            round.scope.locals.insert(name, last.clone());
        }
        let outside = round.scope.outside();
        let env = Env::new(&self.world.engine, &round.scope, &outside);
        looped.break_when.iter().all(|it| env.condition(it).unwrap_or(false))
    }

    pub(crate) fn end(&self, outcome: &Outcome, answer: &Answer, item: Option<String>) -> End {
        End {
            status: status(outcome),
            reply: reply_to_show(&outcome.result, answer.no_log),
            ignored: outcome.is_failed() && answer.ignore_errors,
            rescued: false,
            delegated_to: answer.delegated.as_ref().map(ToString::to_string),
            item: if answer.no_log {
                item.map(|_| "(censored due to no_log)".into())
            } else {
                item
            },
            no_log: answer.no_log,
            show: crate::settle::show(&self.task, &outcome.result, answer.no_log),
            causes: if answer.no_log { Vec::new() } else { outcome.causes.clone() },
        }
    }

    /// The name under which the result is kept.
    pub(crate) fn register(&self) -> Option<&str> {
        self.task.own("register").and_then(|(value, _)| value.as_str())
    }

    /// One round: conditions, arguments, attempts.
    async fn round(&self, mut round: Round, outside: &Outside) -> Answer {
        let mut answer = Answer::default();
        if let Err(outcome) = self.settings(&round.scope, outside, &mut answer) {
            answer.outcome = outcome;
            return answer;
        }
        match self.applies(&round.scope, outside) {
            Ok(None) => {}
            Ok(Some(condition)) => {
                answer.outcome = Outcome::changed(false)
                    .with("skipped", true)
                    .with("skip_reason", "Conditional result was False")
                    .with("false_condition", condition);
                return answer;
            }
            Err(outcome) => {
                // What the loop ran into came first.
                answer.outcome = round.failure.take().unwrap_or(outcome);
                return answer;
            }
        }
        if let Some(failure) = round.failure.take() {
            answer.outcome = failure;
            return answer;
        }
        let scope = round.scope.clone();
        match &self.task.work {
            Work::Meta(_) => answer.outcome = Outcome::changed(false),
            Work::IncludeTasks | Work::IncludeRole => {
                answer.outcome = crate::include::request(self, &round.scope, outside);
            }
            Work::Action(_) | Work::Module(_) => self.attempts(round, outside, &mut answer).await,
        }
        answer.no_log |= flag(&answer.outcome.result, "_ansible_no_log");
        answer.outcome.result.remove("_ansible_no_log");
        if let Ok(names) = self.notified(&scope, outside, &answer) {
            answer.notify = names;
        }
        answer
    }

    /// The handlers that a changed result notifies.
    fn notified(
        &self,
        scope: &TaskScope,
        outside: &Outside,
        answer: &Answer,
    ) -> Result<Vec<String>, davit_template::Error> {
        let Some((value, _)) = self.task.keyword("notify") else { return Ok(Vec::new()) };
        if !flag(&answer.outcome.result, "changed") {
            return Ok(Vec::new());
        }
        Ok(match Env::new(&self.world.engine, scope, outside).resolve(value)? {
            Value::List(list) => list.iter().map(Value::to_str).collect(),
            Value::Null => Vec::new(),
            other => vec![other.to_str()],
        })
    }

    /// The keywords that the answer carries whatever becomes of the task.
    fn settings(
        &self,
        scope: &TaskScope,
        outside: &Outside,
        answer: &mut Answer,
    ) -> Result<(), Outcome> {
        let keywords = Keyword { task: &self.task, scope, outside };
        answer.no_log = self.world.settings.no_log || keywords.flag("no_log")?.unwrap_or(false);
        answer.ignore_errors = true;
        answer.ignore_errors = keywords.flag("ignore_errors")?.unwrap_or(false);
        answer.ignore_unreachable = keywords.flag("ignore_unreachable")?.unwrap_or(false);
        Ok(())
    }

    /// `when`: `None` where all hold, else the first that does not.
    pub(crate) fn applies(
        &self,
        scope: &TaskScope,
        outside: &Outside,
    ) -> Result<Option<Value>, Outcome> {
        let env = Env::new(&self.world.engine, scope, outside);
        for (value, origin) in self.task.keywords("when") {
            let conditions = match value {
                Value::List(list) => list.as_slice(),
                other => std::slice::from_ref(other),
            };
            for condition in conditions {
                if matches!(condition, Value::Null) {
                    continue;
                }
                let holds = env.condition(condition).map_err(|error| {
                    let near = condition.origin().unwrap_or(origin);
                    task_failed(self.task.origin(), vec![conditional_cause(&error, near)])
                })?;
                if !holds {
                    return Ok(Some(plain(condition)));
                }
            }
        }
        Ok(None)
    }

    async fn attempts(&self, mut round: Round, outside: &Outside, answer: &mut Answer) {
        let plan = {
            let keywords = Keyword { task: &self.task, scope: &round.scope, outside };
            match Attempts::of(&keywords) {
                Ok(plan) => plan,
                Err(outcome) => {
                    answer.outcome = outcome;
                    return;
                }
            }
        };
        let mut context = match self.context(round.scope.clone(), outside, answer) {
            Ok(context) => context,
            Err(outcome) => {
                answer.outcome = outcome;
                return;
            }
        };
        for attempt in 1..=plan.most {
            let mut outcome = self.attempt(&mut context, &plan).await;
            if outcome.unreachable {
                answer.outcome = outcome;
                return;
            }
            self.judge(&mut outcome, &mut context);
            round.scope.locals.clone_from(&context.scope.locals);
            if plan.most > 1 || plan.until {
                let again = self.until(&context, &outcome, &plan);
                match again {
                    Ok(true) => {
                        outcome.result.insert("attempts", attempt.into());
                        answer.outcome = outcome;
                        return;
                    }
                    Ok(false) if attempt < plan.most && !self.world.is_stopping() => {
                        outcome.result.insert("attempts", attempt.into());
                        outcome.result.insert("retries", plan.most.into());
                        self.announce_retry(&outcome, answer, plan.most - attempt, &round);
                        tokio::time::sleep(plan.delay).await;
                        continue;
                    }
                    Ok(false) => {
                        outcome
                            .result
                            .insert("attempts", plan.most.saturating_sub(1).max(1).into());
                        outcome.result.insert("failed", true.into());
                        reported(&mut outcome, self.task.origin(), self.kind());
                        answer.outcome = outcome;
                        return;
                    }
                    Err(failure) => {
                        answer.outcome = failure;
                        return;
                    }
                }
            }
            answer.outcome = outcome;
            return;
        }
    }

    fn announce_retry(&self, outcome: &Outcome, answer: &Answer, left: u32, round: &Round) {
        let end = self.end(outcome, answer, round.label.clone());
        self.world.emit(Kind::Retry { task: self.number, host: self.host.to_string(), left, end });
    }

    /// `until`; without one, that it did not fail.
    fn until(
        &self,
        context: &TaskContext,
        outcome: &Outcome,
        plan: &Attempts,
    ) -> Result<bool, Outcome> {
        if !plan.until {
            return Ok(!outcome.is_failed());
        }
        self.conditions("until", context)
    }

    /// One attempt: arguments, then the action or the module.
    async fn attempt(&self, context: &mut TaskContext, plan: &Attempts) -> Outcome {
        let work = self.work(context);
        let mut outcome = match plan.timeout {
            Some(limit) => match tokio::time::timeout(limit, work).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    context.cancel.cancel();
                    context.cancel = self.world.connections.new_cancel();
                    timed_out(limit, self.task.origin())
                }
            },
            None => work.await,
        };
        if !outcome.result.contains("failed") {
            let code = outcome.result.get("rc");
            let bad = code
                .is_some_and(|it| !matches!(it, Value::Int(0) | Value::Null) && it.to_str() != "0");
            if bad {
                outcome.result.insert("failed", true.into());
            }
        }
        outcome
    }

    async fn work(&self, context: &TaskContext) -> Outcome {
        let args = match crate::args::finalize(self, context) {
            Ok(args) => args,
            Err(outcome) => return outcome,
        };
        match &self.task.work {
            Work::Action(action) => {
                let args = if action.open {
                    args
                } else {
                    match crate::args::check(&self.world.tables.action_spec(action), args) {
                        Ok(args) => args,
                        Err(outcome) => return outcome,
                    }
                };
                (action.run)(context, args).await
            }
            Work::Module(entry) => {
                let reply = TaskContext::reply_of(&args);
                context.call_module(entry.name, reply, std::collections::BTreeMap::new()).await
            }
            Work::Meta(_) | Work::IncludeTasks | Work::IncludeRole => Outcome::changed(false),
        }
    }

    /// `changed_when` and `failed_when`, on the result as the task's variables see it.
    fn judge(&self, outcome: &mut Outcome, context: &mut TaskContext) {
        let kind = self.kind();
        if !outcome.result.contains("changed") {
            outcome.result.insert("changed", false.into());
        }
        self.see(outcome, context);
        if self.task.own("failed_when").is_some() {
            match self.conditions("failed_when", context) {
                Ok(failed) => {
                    if outcome.is_failed() && !failed {
                        // The original keeps the traceback of what was let pass under this key.
                        outcome.result.insert(
                            "failed_when_suppressed_exception",
                            "(traceback unavailable)".into(),
                        );
                    }
                    outcome.result.insert("failed", failed.into());
                    outcome.result.insert("failed_when_result", failed.into());
                    if !failed {
                        outcome.causes.clear();
                    }
                }
                Err(failure) => self.misjudged(outcome, "failed_when_result", &failure),
            }
            self.see(outcome, context);
        }
        if self.task.own("changed_when").is_some() {
            match self.conditions("changed_when", context) {
                Ok(changed) => {
                    outcome.result.insert("changed", changed.into());
                }
                Err(failure) => self.misjudged(outcome, "changed_when_result", &failure),
            }
        }
        if !outcome.result.contains("failed") {
            outcome.result.insert("failed", false.into());
        }
        if outcome.is_failed() {
            reported(outcome, self.task.origin(), kind);
        }
        self.see(outcome, context);
    }

    fn misjudged(&self, outcome: &mut Outcome, key: &str, failure: &Outcome) {
        let why = failure.causes.last().map(|it| it.message.clone()).unwrap_or_default();
        outcome.result.insert("failed", true.into());
        outcome.result.insert(key, why.into());
    }

    /// Makes the result visible to the task's own conditions.
    fn see(&self, outcome: &Outcome, context: &mut TaskContext) {
        if let Some(name) = self.register() {
            context.scope.locals.insert(name, outcome.result.clone().into());
        }
        if let Some(Value::Map(facts)) = outcome.result.get("ansible_facts") {
            for (key, value) in facts.iter() {
                context.scope.locals.insert(key.clone(), value.clone());
            }
        }
    }

    fn conditions(&self, keyword: &str, context: &TaskContext) -> Result<bool, Outcome> {
        let Some((value, origin)) = self.task.own(keyword) else { return Ok(true) };
        let conditions = match value {
            Value::List(list) => list.as_slice(),
            other => std::slice::from_ref(other),
        };
        // The result's own keys are variables of these conditions, below all others.
        for condition in conditions {
            let holds = context.env().condition(condition).map_err(|error| {
                let near = condition.origin().or(origin).unwrap_or(self.task.origin());
                task_failed(self.task.origin(), vec![conditional_cause(&error, near)])
            })?;
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn kind(&self) -> &'static str {
        match &self.task.work {
            Work::Module(_) => "Module",
            Work::Action(action) if self.world.tables.module(action.name).is_some() => "Module",
            _ => "Action",
        }
    }

    /// Everything the action needs besides its arguments.
    fn context(
        &self,
        mut scope: TaskScope,
        outside: &Outside,
        answer: &mut Answer,
    ) -> Result<TaskContext, Outcome> {
        let keywords = Keyword { task: &self.task, scope: &scope, outside };
        let settings = &self.world.settings;
        self.refuse_what_is_missing(&keywords)?;
        let delegated = keywords.text("delegate_to")?.filter(|it| !it.is_empty());
        answer.delegated = delegated.as_deref().map(Arc::from);
        let check = keywords.flag("check_mode")?.unwrap_or(settings.check);
        let diff = keywords.flag("diff")?.unwrap_or(settings.diff);
        let environment = keywords.environment()?;
        let target = answer.delegated.clone().unwrap_or_else(|| Arc::clone(&self.host));
        let connection = self.connect(&keywords, &target, answer.delegated.is_some());
        if answer.delegated.is_some() {
            crate::scope::see_delegate(&mut scope, &target);
        }
        Ok(TaskContext {
            world: Arc::clone(&self.world),
            play: Arc::clone(&self.play),
            host: Arc::clone(&self.host),
            task: Arc::clone(&self.task),
            outside: outside.clone(),
            connection,
            environment,
            cancel: self.world.connections.new_cancel(),
            check,
            diff,
            no_log: answer.no_log,
            scope,
        })
    }

    /// What this version cannot do is said, and not passed over.
    fn refuse_what_is_missing(&self, keywords: &Keyword<'_>) -> Result<(), Outcome> {
        let refuse = |text: String| Err(task_failed(self.task.origin(), vec![cause(text, None)]));
        if keywords.number("async")?.is_some_and(|it| it > 0.0)
            && keywords.number("poll")? == Some(0.0)
        {
            return refuse(
                "`poll: 0` is not available yet: tasks do not outlive their turn".into(),
            );
        }
        let settings = &self.world.settings;
        let scoped = |name: &str| keywords.scope.value(name).ok().flatten();
        let on = match scoped("ansible_become") {
            Some(value) => crate::keyword::to_flag(&value).unwrap_or(false),
            None => match keywords.flag("become")? {
                Some(on) => on,
                None => settings.become_defaults.get("become").is_some_and(|it| it == "true"),
            },
        };
        if !on || settings.user.is_empty() {
            return Ok(());
        }
        let user = match scoped("ansible_become_user") {
            Some(user) => user.to_str(),
            None => match keywords.text("become_user")? {
                Some(user) => user,
                None => settings
                    .become_defaults
                    .get("become_user")
                    .cloned()
                    .unwrap_or_else(|| "root".into()),
            },
        };
        if user == settings.user {
            return Ok(());
        }
        refuse(format!("`become` from {} to {user} is not available yet", settings.user))
    }

    fn is_stranger(&self, host: &str) -> bool {
        crate::state::read(&self.world.inventory).host(host).is_none()
    }

    fn connect(
        &self,
        keywords: &Keyword<'_>,
        target: &Arc<str>,
        delegated: bool,
    ) -> Result<Arc<dyn crate::connection::Connection>, String> {
        let said =
            |outcome: Outcome| outcome.result.get("msg").map(Value::to_str).unwrap_or_default();
        let of_target = if delegated {
            TaskScope::new(&self.world, Some(&self.play), Some(target), None)
        } else {
            keywords.scope.clone()
        };
        let named = of_target.value("ansible_connection").map_err(|error| error.to_string())?;
        let name = match named {
            Some(name) => name.to_str(),
            None if crate::world::is_local_name(target) => "local".to_owned(),
            // A host that nobody knows is reached as the task's own host is.
            None if delegated && self.is_stranger(target) => keywords
                .scope
                .value("ansible_connection")
                .map_err(|error| error.to_string())?
                .map_or_else(|| self.world.settings.connection.clone(), |it| it.to_str()),
            None => keywords
                .text("connection")
                .map_err(said)?
                .filter(|it| it != "smart")
                .unwrap_or_else(|| self.world.settings.connection.clone()),
        };
        let variable = |name: &str| of_target.value(name).map_err(|error| error.to_string());
        self.world.connections.to(&crate::connection::Wanted {
            host: target,
            connection: &name,
            privileges: None,
            variable: &variable,
            keywords: &[],
        })
    }
}

/// What a round came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) no_log: bool,
    pub(crate) ignore_errors: bool,
    pub(crate) ignore_unreachable: bool,
    pub(crate) delegated: Option<Arc<str>>,
    pub(crate) notify: Vec<String>,
}

/// How often a task is tried.
struct Attempts {
    most: u32,
    until: bool,
    delay: Duration,
    timeout: Option<Duration>,
}

impl Attempts {
    fn of(keywords: &Keyword<'_>) -> Result<Self, Outcome> {
        let until = keywords.task.own("until").is_some();
        let retries = keywords.number("retries")?;
        let most = match (until, retries) {
            (_, Some(retries)) if retries > 0.0 => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "checked and bounded"
                )]
                {
                    retries.min(1e9) as u32 + 1
                }
            }
            (true, None) => 4,
            _ => 1,
        };
        let delay = keywords.number("delay")?.unwrap_or(5.0).clamp(0.0, 1e9);
        // A task that is polled is waited for, as long as it may take.
        let polled = keywords.number("async")?.filter(|it| *it > 0.0);
        let timeout =
            keywords.number("timeout")?.filter(|it| *it > 0.0).or(polled).unwrap_or_else(|| {
                f64::from(u32::try_from(keywords.scope.world.settings.task_timeout).unwrap_or(0))
            });
        Ok(Self {
            most,
            until,
            delay: Duration::from_secs_f64(delay),
            timeout: (timeout > 0.0).then(|| Duration::from_secs_f64(timeout.min(1e9))),
        })
    }
}

fn timed_out(limit: Duration, task: &Origin) -> Outcome {
    let seconds = limit.as_secs();
    let mut outcome = Outcome::failed(format!("Task failed: Timed out after {seconds} second(s)."));
    let mut about = Map::new();
    about.insert(
        "frame",
        "Configure `DISPLAY_TRACEBACK` to see a traceback on timeout errors.".into(),
    );
    about.insert("period", seconds.into());
    outcome.result.insert("timedout", about.into());
    outcome.causes = vec![
        cause("Task failed", Some(task)),
        cause(format!("Timed out after {seconds} second(s)."), None),
    ];
    outcome
}

/// The result of a loop from those of its rounds.
fn sum_up(results: Vec<Value>, changed: bool, skipped: bool, failed: Option<&Outcome>) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.result.insert("results", Value::list(results));
    outcome.result.insert("changed", changed.into());
    outcome.result.insert("skipped", skipped.into());
    let msg = match (failed, skipped) {
        (Some(_), _) => "One or more items failed",
        (None, true) => "All items skipped",
        (None, false) => "All items completed",
    };
    outcome.result.insert("msg", msg.into());
    if let Some(failed) = failed {
        outcome.result.insert("failed", true.into());
        outcome.causes.clone_from(&failed.causes);
    }
    outcome
}

fn conditional_cause(error: &davit_template::Error, near: &Origin) -> davit_event::Cause {
    template_cause("", error, Some(near))
}

/// A condition as it is shown: without its marks.
fn plain(condition: &Value) -> Value {
    match condition {
        Value::Str(text) => Value::Str(Str::unmarked(text)),
        other => other.clone(),
    }
}

/// A result as events show it.
pub(crate) fn reply_to_show(result: &Map, no_log: bool) -> davit_event::Reply {
    if no_log {
        let mut censored = davit_event::Reply::new();
        censored.insert(
            "censored".into(),
            "the output has been hidden due to the fact that 'no_log: true' was specified for this result".into(),
        );
        for key in ["changed", "unreachable"] {
            if let Some(value) = result.get(key) {
                censored.insert(key.into(), value.to_json());
            }
        }
        if let Some(Value::List(rounds)) = result.get("results") {
            let rounds = rounds.iter().filter_map(Value::as_map);
            let hidden = rounds.map(|it| serde_json::Value::Object(reply_to_show(it, true)));
            censored.insert("results".into(), hidden.collect());
        }
        return censored;
    }
    // How it ended is the event's status, and said there alone.
    let mut reply = TaskContext::reply_of(result);
    reply.shift_remove("failed");
    reply.shift_remove("skipped");
    reply.values_mut().for_each(without_marks);
    reply
}

/// Takes out of what is inside a result the keys that only the engine reads.
fn without_marks(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Object(map) => {
            map.retain(|key, _| !key.starts_with("_ansible_"));
            map.values_mut().for_each(without_marks);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_marks),
        _ => {}
    }
}

/// Rendered arguments never hold `omit`.
pub(crate) fn clean(args: Map) -> Map {
    args.into_iter()
        .filter(|(_, value)| !is_omit(value))
        .map(|(key, value)| (key, without_omit(value)))
        .collect()
}

/// The line of the table that a task's action is.
pub(crate) fn line_to_work(line: Line) -> Work {
    match line {
        Line::Module(entry) => Work::Module(entry),
        Line::Action(action) => Work::Action(action),
    }
}
