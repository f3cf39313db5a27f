//! The attempts of one task on one host: arguments, action or module, what its result counts as.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use davit_event::Kind;
use davit_template::Outside;
use davit_value::{Map, Origin, Value};

use crate::action::Outcome;
use crate::background::Background;
use crate::context::{CallPlace, TaskContext};
use crate::execute::{Answer, Job};
use crate::failure::{cause, reported, task_failed, template_cause};
use crate::keyword::Keyword;
use crate::loops::Round;
use crate::tree::Work;

impl Job {
    pub(crate) async fn attempts(&self, mut round: Round, outside: &Outside, answer: &mut Answer) {
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
        let mut context = match self.context(&round, outside, answer) {
            Ok(context) => context,
            Err(outcome) => {
                answer.outcome = outcome;
                return;
            }
        };
        for attempt in 1..=plan.most {
            context.attempt = attempt;
            let mut outcome = self.attempt(&mut context, &plan).await;
            if outcome.unreachable {
                answer.outcome = outcome;
                return;
            }
            if plan.most > 1 {
                // The task's own conditions see it.
                outcome.result.insert("attempts", attempt.into());
            }
            self.judge(&mut outcome, &mut context);
            round.scope.locals.clone_from(&context.scope.locals);
            if plan.most > 1 {
                let again = self.until(&context, &outcome, &plan);
                match again {
                    Ok(true) => {
                        answer.outcome = outcome;
                        return;
                    }
                    Ok(false) if attempt < plan.most && !self.world.is_stopping() => {
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
                        reported(&mut outcome, self.task.origin(), "Action");
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
        if let Some(background) = plan.background {
            if let Err(outcome) = self.refuse_background() {
                return outcome;
            }
            match crate::background::folder(context) {
                Ok(folder) => context.job = Some(background.new_job(folder)),
                Err(outcome) => return outcome,
            }
        }
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
        if let (Some(background), Some(job)) = (plan.background, context.job.take()) {
            outcome = self.look_after(context, background, &job, outcome).await;
        }
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
            Work::Control(entry) => context.control(entry, &args).await,
            Work::Meta(_) | Work::IncludeTasks | Work::IncludeRole => Outcome::changed(false),
        }
    }

    /// `changed_when` and `failed_when`, on the result as the task's variables see it.
    fn judge(&self, outcome: &mut Outcome, context: &mut TaskContext) {
        // What the task's own conditions make a failure is the action's, whatever ran.
        let kind = if outcome.is_failed() { self.kind() } else { "Action" };
        if !outcome.result.contains("changed") {
            outcome.result.insert("changed", false.into());
        }
        self.see(outcome, context);
        let conditions = self.task.own("failed_when").map(|(value, _)| value);
        if conditions.is_some_and(|it| !matches!(it, Value::List(list) if list.is_empty())) {
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
        if value.is_null() && keyword != "until" {
            let text = "Empty conditional expressions are not allowed.";
            return Err(task_failed(self.task.origin(), vec![cause(text, origin)]));
        }
        // The result's own keys are variables of these conditions, below all others.
        for condition in conditions {
            let holds = context.env().condition(condition).map_err(|error| {
                let near = condition.origin().or(origin).unwrap_or(self.task.origin());
                task_failed(self.task.origin(), vec![template_cause("", &error, Some(near))])
            })?;
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn kind(&self) -> &'static str {
        match &self.task.work {
            Work::Module(_) | Work::Control(_) => "Module",
            Work::Action(action) if self.world.tables.module(action.name).is_some() => "Module",
            _ => "Action",
        }
    }

    /// Everything the action needs besides its arguments.
    fn context(
        &self,
        round: &Round,
        outside: &Outside,
        answer: &mut Answer,
    ) -> Result<TaskContext, Outcome> {
        let mut scope = round.scope.clone();
        let keywords = Keyword { task: &self.task, scope: &scope, outside };
        let settings = &self.world.settings;
        let delegated = keywords.text("delegate_to")?.filter(|it| !it.is_empty());
        answer.delegated = delegated.as_deref().map(Arc::from);
        let check = keywords.flag("check_mode")?.unwrap_or(settings.check);
        let diff = keywords.flag("diff")?.unwrap_or(settings.diff);
        let environment = keywords.environment()?;
        if let Some(target) = &answer.delegated {
            crate::hostvars::see_delegate(&mut scope, target);
        }
        Ok(TaskContext {
            world: Arc::clone(&self.world),
            play: Arc::clone(&self.play),
            host: Arc::clone(&self.host),
            task: Arc::clone(&self.task),
            outside: outside.clone(),
            delegated: answer.delegated.clone(),
            plain: false,
            connection: OnceLock::new(),
            job: None,
            number: self.number,
            place: CallPlace::new(&self.key, round.index),
            attempt: 1,
            environment,
            cancel: self.world.connections.new_cancel(),
            check,
            diff,
            no_log: answer.no_log,
            scope,
        })
    }
}

/// How often a task is tried.
struct Attempts {
    most: u32,
    until: bool,
    delay: Duration,
    timeout: Option<Duration>,
    background: Option<Background>,
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
        let timeout = keywords.number("timeout")?.filter(|it| *it > 0.0).unwrap_or_else(|| {
            f64::from(u32::try_from(keywords.scope.world.settings.task_timeout).unwrap_or(0))
        });
        Ok(Self {
            most,
            until,
            delay: Duration::from_secs_f64(delay),
            timeout: (timeout > 0.0).then(|| Duration::from_secs_f64(timeout.min(1e9))),
            background: Background::of(keywords)?,
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
