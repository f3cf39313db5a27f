//! What an audit looked at and what came of it: one shape for all audits, as text, JSON and SARIF. Knows no cloud.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// What an audit found.
#[derive(Clone, Debug)]
pub(super) struct Findings {
    /// The audit's name.
    pub(super) audit: &'static str,
    /// What it can find; the first stands for what is as it should be.
    pub(super) rules: &'static [Rule],
    /// What was looked at, by name.
    pub(super) checks: Vec<Check>,
}

/// Something that has to hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// `aws-s3-encryption/missing`.
    pub(super) id: &'static str,
    /// What has to hold, in a line.
    pub(super) about: &'static str,
    /// What to do where it does not.
    pub(super) help: &'static str,
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) subject: Subject,
    pub(super) verdict: Verdict,
    /// What was seen, by name.
    pub(super) facts: Map<String, Value>,
}

/// A thing in a cloud.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// What it is: `bucket`.
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// Where it is, if that is known.
    pub(super) region: Option<String>,
    /// Its name in the whole cloud: an ARN.
    pub(super) full_name: String,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    /// It is as it should be.
    Passed,
    /// It breaks rules.
    Violated(Vec<Problem>),
    /// It could not be looked at: nobody knows.
    Unseen(Problem),
}

/// A rule that does not hold, or could not be held against something.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    /// The rule's id.
    pub(super) rule: &'static str,
    pub(super) message: String,
}

impl Verdict {
    const fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Violated(_) => "violated",
            Self::Unseen(_) => "unseen",
        }
    }

    fn problems(&self) -> &[Problem] {
        match self {
            Self::Passed => &[],
            Self::Violated(problems) => problems,
            Self::Unseen(problem) => std::slice::from_ref(problem),
        }
    }
}

impl Findings {
    /// How many things break a rule.
    pub(super) fn violated(&self) -> usize {
        self.checks.iter().filter(|it| matches!(it.verdict, Verdict::Violated(_))).count()
    }

    /// How many things could not be looked at.
    pub(super) fn unseen(&self) -> usize {
        self.checks.iter().filter(|it| matches!(it.verdict, Verdict::Unseen(_))).count()
    }

    fn passed(&self) -> usize {
        self.checks.len() - self.violated() - self.unseen()
    }

    /// A line for each thing, and one that counts them.
    pub(super) fn text(&self) -> String {
        let width = self.checks.iter().map(|it| it.subject.name.chars().count()).max();
        let width = width.unwrap_or_default();
        let regions = self.checks.iter().filter_map(|it| it.subject.region.as_ref());
        let region_width = regions.map(String::len).max().unwrap_or_default().max(1);
        let mut out = String::new();
        for check in &self.checks {
            let region = check.subject.region.as_deref().unwrap_or("-");
            let said = match &check.verdict {
                Verdict::Passed => facts_text(&check.facts),
                verdict => {
                    let problems = verdict.problems().iter();
                    let each = problems.map(|it| format!("{} [{}]", it.message, it.rule));
                    each.collect::<Vec<_>>().join("; ")
                }
            };
            let _ = writeln!(
                out,
                "{:8}  {:width$}  {region:region_width$}  {said}",
                check.verdict.word(),
                check.subject.name,
            );
        }
        let _ = writeln!(
            out,
            "{} looked at: {} passed, {} violated, {} unseen",
            self.checks.len(),
            self.passed(),
            self.violated(),
            self.unseen()
        );
        out
    }

    /// The whole as one object.
    pub(super) fn json(&self) -> Value {
        let checks: Vec<Value> = self
            .checks
            .iter()
            .map(|it| {
                let problems = it.verdict.problems().iter();
                let problems = problems.map(|it| json!({"rule": it.rule, "message": it.message}));
                json!({
                    "kind": it.subject.kind,
                    "name": it.subject.name,
                    "region": it.subject.region,
                    "full_name": it.subject.full_name,
                    "verdict": it.verdict.word(),
                    "problems": problems.collect::<Vec<_>>(),
                    "facts": it.facts,
                })
            })
            .collect();
        json!({
            "audit": self.audit,
            "summary": {
                "looked_at": self.checks.len(),
                "passed": self.passed(),
                "violated": self.violated(),
                "unseen": self.unseen(),
            },
            "checks": checks,
        })
    }

    /// A SARIF 2.1.0 document: one result a thing. What could not be looked at is an open result, and a
    /// notification besides, since many readers show failures only.
    pub(super) fn sarif(&self, version: &str) -> Value {
        let rules: Vec<Value> = self
            .rules
            .iter()
            .map(|it| {
                json!({
                    "id": it.id,
                    "shortDescription": {"text": it.about},
                    "help": {"text": it.help},
                    "defaultConfiguration": {"level": "error"},
                })
            })
            .collect();
        let results: Vec<Value> = self.checks.iter().map(|it| self.result(it)).collect();
        let notifications: Vec<Value> = self
            .checks
            .iter()
            .filter_map(|it| match &it.verdict {
                Verdict::Unseen(problem) => Some(json!({
                    "level": "error",
                    "message": {"text": format!("{}: {}", it.subject.name, problem.message)},
                    "associatedRule": {"id": problem.rule},
                    "locations": [location(&it.subject)],
                })),
                _ => None,
            })
            .collect();
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": {"driver": {"name": "davit", "version": version, "rules": rules}},
                "automationDetails": {"id": format!("davit-audit/{}", self.audit)},
                "invocations": [{
                    "executionSuccessful": notifications.is_empty(),
                    "toolExecutionNotifications": notifications,
                }],
                "columnKind": "unicodeCodePoints",
                "results": results,
            }],
        })
    }

    fn result(&self, check: &Check) -> Value {
        let problems = check.verdict.problems();
        let rule = problems.first().map_or_else(|| self.rules[0].id, |it| it.rule);
        let (kind, level) = match &check.verdict {
            Verdict::Passed => ("pass", "none"),
            Verdict::Violated(_) => ("fail", "error"),
            Verdict::Unseen(_) => ("open", "none"),
        };
        let said = if problems.is_empty() {
            facts_text(&check.facts)
        } else {
            problems.iter().map(|it| it.message.as_str()).collect::<Vec<_>>().join("; ")
        };
        let mut properties = check.facts.clone();
        properties.insert("region".to_owned(), json!(check.subject.region));
        json!({
            "ruleId": rule,
            "ruleIndex": self.rules.iter().position(|it| it.id == rule),
            "kind": kind,
            "level": level,
            "message": {"text": format!("{} {}: {said}", check.subject.kind, check.subject.name)},
            "locations": [location(&check.subject)],
            "partialFingerprints": {"subject/v1": check.subject.full_name},
            "properties": properties,
        })
    }
}

/// Where a thing is that no file holds.
fn location(subject: &Subject) -> Value {
    json!({
        "logicalLocations": [{
            "name": subject.name,
            "fullyQualifiedName": subject.full_name,
            "kind": subject.kind,
        }],
    })
}

/// `algorithm aws:kms, bucket_key true`.
fn facts_text(facts: &Map<String, Value>) -> String {
    let shown = facts.iter().filter(|(_, it)| !it.is_null()).map(|(name, it)| match it {
        Value::String(text) => format!("{name} {text}"),
        other => format!("{name} {other}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}
