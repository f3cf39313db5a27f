//! One task on one host: its loop, its conditions, its arguments, its attempts.
//!
//! What comes of it is a [`Done`]. Nothing here changes the state of the run: registered results,
//! facts and notified handlers are for the strategy to take in, one host after another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use davit_event::{End, Kind, Status};
use davit_template::{Env, Outside};
use davit_value::{Map, Str, Value};

use crate::action::{Line, Outcome, flag};
use crate::failure::{task_failed, template_cause};
use crate::keyword::Keyword;
use crate::loops::{Loop, Round, plain_failure};
use crate::scope::TaskScope;
use crate::shown::reply_to_show;
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
    /// What names the task's start in any run of the same playbooks.
    pub(crate) key: String,
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
    /// It was stopped before it changed anything: there is no result.
    pub(crate) dropped: bool,
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
        let entered = self.world.underway.enter(self.number, &self.host, self.task.label());
        let scope = self.scope();
        let outside = scope.outside();
        let mut done = match crate::loops::rounds(self, &scope, &outside) {
            Ok(None) => self.once(scope, &outside, None).await,
            Ok(Some(rounds)) => self.all_rounds(rounds, &scope, &outside).await,
            Err(failure) => self.once(scope, &outside, Some(failure)).await,
        };
        done.took = began.elapsed();
        done.dropped = entered.mark.is_dropped();
        done
    }

    async fn once(&self, scope: TaskScope, outside: &Outside, before: Option<Outcome>) -> Done {
        let round = Round { scope, index: 0, label: None, failure: before };
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
            ..Done::default()
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
                let round = looped.round(index, scope, &carried, self);
                self.announce_round(&round, index, looped.items.len());
                rounds.push(round);
            }
            at += width;
            let answers = self.side_by_side(rounds, outside).await;
            for (round, answer) in answers {
                let (part, outcome) = self.close_round(&looped, round, &answer);
                changed |= flag(&outcome.result, "changed");
                skipped &= flag(&outcome.result, "skipped");
                unreachable |= outcome.unreachable;
                done.no_log |= answer.no_log;
                // One failure that counts is enough.
                if failed.is_none() {
                    done.ignore_errors = answer.ignore_errors;
                } else if outcome.is_failed() {
                    done.ignore_errors &= answer.ignore_errors;
                }
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
            match self.breaks(&looped, scope, results.last(), at) {
                Ok(false) => {}
                Ok(true) => break,
                Err(mut outcome) => {
                    // What the rounds did is lost.
                    outcome.result.remove("changed");
                    done.outcome = outcome;
                    return done;
                }
            }
            if self.world.connections.is_cancelled() {
                break;
            }
        }
        done.outcome = sum_up(results, changed, skipped, failed.as_ref());
        done.outcome.unreachable = unreachable;
        done
    }

    /// Tells whoever watches that a round begins.
    fn announce_round(&self, round: &Round, index: usize, of: usize) {
        // Whether the item is hidden is only known when the round runs.
        let hides = self.world.settings.no_log || self.task.keyword("no_log").is_some();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        self.world.emit(Kind::ItemStarted {
            task: self.number,
            host: self.host.to_string(),
            item: round.label.clone().filter(|_| !hides),
            number: count(index + 1),
            of: count(of),
        });
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
        let label = looped.final_label(&round, &outcome.result, self).unwrap_or_else(|failure| {
            // What was done stays done, and is told as failed.
            for key in ["failed", "msg"] {
                if let Some(value) = failure.result.get(key) {
                    outcome.result.insert(key, value.clone());
                }
            }
            outcome.causes = failure.causes;
            looped.plain_label(&round)
        });
        let part = Part {
            result: outcome.result.clone(),
            locals: round.scope.locals,
            label: label.clone(),
            delegated: answer.delegated.clone(),
            notify: answer.notify.clone(),
        };
        let end = self.end(&outcome, answer, label);
        self.world.emit(Kind::ItemDone { task: self.number, host: self.host.to_string(), end });
        (part, outcome)
    }

    fn breaks(
        &self,
        looped: &Loop,
        scope: &TaskScope,
        last: Option<&Value>,
        at: usize,
    ) -> Result<bool, Outcome> {
        if looped.break_when.is_empty() {
            return Ok(false);
        }
        let mut round = looped.round(at - 1, scope, &Map::new(), self);
        if let (Some(name), Some(last)) = (self.register(), last) {
            round.scope.locals.insert(name, last.clone());
        }
        let outside = round.scope.outside();
        let env = Env::new(&self.world.engine, &round.scope, &outside);
        for condition in &looped.break_when {
            let holds = env.condition(condition).map_err(|error| {
                let near = condition.origin().or(Some(self.task.origin()));
                plain_failure(template_cause("", &error, near))
            })?;
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) fn end(&self, outcome: &Outcome, answer: &Answer, item: Option<String>) -> End {
        End {
            status: status(outcome),
            reply: reply_to_show(&outcome.result, answer.no_log),
            ignored: outcome.is_failed() && answer.ignore_errors,
            rescued: false,
            delegated_to: crate::settle::elsewhere(answer.delegated.as_ref(), &self.host),
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
            Work::Action(_) | Work::Module(_) | Work::Control(_) => {
                self.attempts(round, outside, &mut answer).await;
            }
        }
        answer.no_log |= flag(&answer.outcome.result, "_ansible_no_log");
        answer.outcome.result.remove("_ansible_no_log");
        if let Ok(names) = self.notified(&scope, outside) {
            answer.notify = names;
        }
        answer
    }

    /// The handlers that a changed result notifies. A round of a loop that changed nothing names
    /// some as well: they are notified when another round changed something.
    fn notified(
        &self,
        scope: &TaskScope,
        outside: &Outside,
    ) -> Result<Vec<String>, davit_template::Error> {
        let Some((value, _)) = self.task.keyword("notify") else { return Ok(Vec::new()) };
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
        // Whoever asks in vain whether to hide something is shown nothing.
        let no_log = keywords.flag("no_log");
        answer.no_log =
            self.world.settings.no_log || no_log.as_ref().map_or(true, |it| it.unwrap_or(false));
        answer.ignore_errors = true;
        answer.ignore_errors = keywords.flag("ignore_errors")?.unwrap_or(false);
        no_log?;
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
                    task_failed(self.task.origin(), vec![template_cause("", &error, Some(near))])
                })?;
                if !holds {
                    return Ok(Some(plain(condition)));
                }
            }
        }
        Ok(None)
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
/// The result of a loop from those of its rounds.
fn sum_up(results: Vec<Value>, changed: bool, skipped: bool, failed: Option<&Outcome>) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.result.insert("results", Value::list(results));
    outcome.result.insert("skipped", skipped.into());
    // The original's order of keys: what did not change is only told in the end.
    if changed {
        outcome.result.insert("changed", true.into());
    }
    if failed.is_some() {
        outcome.result.insert("failed", true.into());
    }
    let msg = match (failed, skipped) {
        (Some(_), _) => "One or more items failed",
        (None, true) => "All items skipped",
        (None, false) => "All items completed",
    };
    outcome.result.insert("msg", msg.into());
    outcome.result.insert("changed", changed.into());
    if let Some(failed) = failed {
        outcome.causes.clone_from(&failed.causes);
    }
    outcome
}

/// A condition as it is shown: without its marks.
fn plain(condition: &Value) -> Value {
    match condition {
        Value::Str(text) => Value::Str(Str::unmarked(text)),
        other => other.clone(),
    }
}

/// The line of the table that a task's action is.
pub(crate) fn line_to_work(line: Line) -> Work {
    match line {
        Line::Module(entry) => Work::Module(entry),
        Line::Action(action) => Work::Action(action),
        Line::Control(entry) => Work::Control(entry),
    }
}
