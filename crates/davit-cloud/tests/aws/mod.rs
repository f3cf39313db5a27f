//! Modules for AWS against moto, through the table and the engine as a playbook reaches them.
//!
//! `cases/TOPIC/NAME.yml` is a list of steps. Each has a `task` and says what comes of it:
//!
//! - `changed: true` (the usual): in check mode it predicts the change and makes none; then it is made; then a
//!   second run changes nothing, but for `again: false` where a second run would change something.
//! - `changed: false`: neither in check mode nor for real.
//! - `error: TEXT`: it fails, both in check mode and for real, with the text in its message; `check: false` leaves
//!   check mode out, where the error is the service's.
//! - `result: {...}`: what the result holds at least: maps by their keys, lists item by item, everything else as it is.
//! - `register: NAME`: later steps find the result under this name.
//! - `check: false`: check mode is left out, for tasks that need what only a change would give them.

mod backup;
mod beyond;
mod example;
mod functions;
mod replacement;

use std::fs;
use std::path::{Path, PathBuf};

use davit_event::{End, Status};
use davit_ground::Moto;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::play::Play;

/// A step of a case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    task: Map<String, Value>,
    #[serde(default = "yes")]
    changed: bool,
    #[serde(default = "yes")]
    again: bool,
    #[serde(default = "yes")]
    check: bool,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    register: Option<String>,
}

fn yes() -> bool {
    true
}

#[test]
fn balancers() {
    topic("balancers");
}

#[test]
fn call() {
    topic("call");
}

#[test]
fn compute() {
    topic("compute");
}

#[test]
fn compute_examples() {
    let moto = Moto::start().unwrap();
    let text = |file: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/aws-compute");
        fs::read_to_string(folder.join(file)).unwrap()
    };
    let template = json!([{"hosts": "localhost", "gather_facts": false, "tasks": [{"davit.aws.call": {
        "service": "ec2", "operation": "create_launch_template", "region": "us-west-1",
        "parameters": {
            "LaunchTemplateName": "web",
            "LaunchTemplateData": {"ImageId": "ami-12c6146b", "InstanceType": "t3.micro"},
        },
    }}]}]);
    let run = |file: &str| {
        let play = Play { environment: moto.environment(), ..Play::new() };
        let playbook = if file.is_empty() { template.to_string() } else { text(file) };
        let ends = play.run(&playbook);
        let statuses: Vec<Status> = ends.iter().map(|it| it.status).collect();
        let said = ends.last().and_then(|it| it.reply.get("msg").cloned()).unwrap_or_default();
        (statuses, said)
    };
    let (statuses, said) = run("live-addresses.yml");
    assert_eq!((statuses, said), (vec![Status::Ok, Status::Skipped, Status::Ok], json!([])));
    assert_eq!(run("").0, [Status::Changed]);
    for file in ["create-instance.yml", "weekend.yml", "group.yml"] {
        assert_eq!(run(file).0[0], Status::Changed, "{file}");
        assert_eq!(run(file).0[0], Status::Ok, "{file}");
    }
    let (statuses, said) = run("live-addresses.yml");
    assert_eq!(statuses, [Status::Ok; 3], "{said}");
    assert_eq!(said.as_array().map(Vec::len), Some(2), "{said}");
}

#[test]
fn databases() {
    topic("databases");
}

#[test]
fn functions() {
    let simple = json!({"lambda": {"use_docker": false}}).to_string();
    topic_with("functions", &[("/moto-api/config", &simple)]);
}

#[test]
fn dns() {
    topic("dns");
}

#[test]
fn containers() {
    topic("containers");
}

#[test]
fn identity() {
    topic("identity");
}

#[test]
fn images() {
    topic("images");
}

#[test]
fn messages() {
    topic("messages");
}

#[test]
fn storage() {
    topic("storage");
}

#[test]
fn services() {
    topic("services");
}

#[test]
fn services_examples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/aws-services");
    let moto = Moto::start().unwrap();
    for (file, made) in [("deploy-application-stack.yml", 1), ("setup-monitoring.yml", 4)] {
        for (check, wanted) in
            [(true, Status::Changed), (false, Status::Changed), (false, Status::Ok)]
        {
            let play = Play { check, environment: moto.environment(), ..Play::new() };
            let template = "application.template.yml";
            fs::copy(folder.join(template), play.folder.path().join(template)).unwrap();
            let ends = play.run(&fs::read_to_string(folder.join(file)).unwrap());
            let statuses: Vec<Status> = ends.iter().take(made).map(|it| it.status).collect();
            assert_eq!(statuses, vec![wanted; made], "{file}: {}", play.seen());
        }
    }
}

#[test]
fn vpc() {
    topic("vpc");
}

/// Runs all cases of a topic. `CASE=NAME` runs one of them.
fn topic(name: &str) {
    topic_with(name, &[]);
}

/// The same, where moto is told something before each case.
fn topic_with(name: &str, told: &[(&str, &str)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws/cases").join(name);
    let only = std::env::var("CASE").ok();
    let moto = Moto::start().unwrap();
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    let mut wrong = Vec::new();
    let mut steps = 0;
    for file in files {
        let case = file.file_stem().unwrap().to_string_lossy().into_owned();
        if only.as_ref().is_none_or(|it| *it == case) {
            for (path, body) in [("/moto-api/reset", "")].iter().chain(told) {
                let answer = moto.post(path, body).unwrap();
                assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
            }
            steps += run(&moto.environment(), &file, Map::new(), &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(steps > 0, "no case was run");
}

/// Runs a case in an environment and with variables; how many steps it had.
pub(crate) fn run(
    environment: &[(String, String)],
    file: &Path,
    mut vars: Map<String, Value>,
    wrong: &mut Vec<String>,
) -> usize {
    let text = fs::read_to_string(file).unwrap();
    let name: std::sync::Arc<str> = file.display().to_string().into();
    let steps = davit_yaml::load(&text, &name, &davit_yaml::Convert::default()).unwrap().to_json();
    let steps: Vec<Step> =
        serde_json::from_value(steps).unwrap_or_else(|error| panic!("{name}: {error}"));
    for (place, step) in steps.iter().enumerate() {
        let at = format!("{}, step {}", file.file_name().unwrap().to_string_lossy(), place + 1);
        if let Err(text) = one(environment, step, &mut vars) {
            wrong.push(format!("{at}: {text}\n  {}", json!(step.task)));
            // What follows builds on it.
            break;
        }
    }
    steps.len()
}

fn one(
    environment: &[(String, String)],
    step: &Step,
    vars: &mut Map<String, Value>,
) -> Result<(), String> {
    let wanted = match (&step.error, step.changed) {
        (Some(_), _) => Status::Failed,
        (None, true) => Status::Changed,
        (None, false) => Status::Ok,
    };
    if step.check {
        let end = task(environment, step, vars, true)?;
        expect(&end, wanted, step, "in check mode", false)?;
    }
    let end = task(environment, step, vars, false)?;
    expect(&end, wanted, step, "for real", true)?;
    if let Some(name) = &step.register {
        vars.insert(name.clone(), json!(end.reply));
    }
    if wanted == Status::Changed && step.again {
        let end = task(environment, step, vars, false)?;
        expect(&end, Status::Ok, step, "once more", false)?;
    }
    Ok(())
}

fn task(
    environment: &[(String, String)],
    step: &Step,
    vars: &Map<String, Value>,
    check: bool,
) -> Result<End, String> {
    let play = Play { check, environment: environment.to_vec(), ..Play::new() };
    let playbook = json!([{
        "hosts": "localhost", "connection": "local", "gather_facts": false, "vars": vars,
        "tasks": [step.task],
    }]);
    let mut ends = play.run(&playbook.to_string());
    ends.pop().ok_or_else(|| format!("nothing came of it: {}", play.seen()))
}

fn expect(end: &End, wanted: Status, step: &Step, when: &str, whole: bool) -> Result<(), String> {
    let reply = json!(end.reply);
    if end.status != wanted {
        return Err(format!("{when}: {:?}, not {wanted:?}: {reply:#}", end.status));
    }
    let message = reply["msg"].as_str().unwrap_or_default();
    if let Some(text) = &step.error
        && !message.contains(text)
    {
        return Err(format!("{when}: {message:?} does not say {text:?}"));
    }
    if whole {
        holds(&reply, &step.result, "result")
            .map_err(|text| format!("{when}: {text}: {reply:#}"))?;
    }
    Ok(())
}

/// Whether a value holds at least what is wanted.
fn holds(value: &Value, wanted: &Value, path: &str) -> Result<(), String> {
    match (value, wanted) {
        (_, Value::Null) => Ok(()),
        (Value::Object(value), Value::Object(wanted)) => {
            wanted.iter().try_for_each(|(name, it)| {
                holds(value.get(name).unwrap_or(&Value::Null), it, &format!("{path}.{name}"))
            })
        }
        (Value::Array(value), Value::Array(wanted)) if value.len() == wanted.len() => {
            let mut pairs = value.iter().zip(wanted).enumerate();
            pairs.try_for_each(|(at, (one, other))| holds(one, other, &format!("{path}[{at}]")))
        }
        (value, wanted) if value == wanted => Ok(()),
        (value, wanted) => Err(format!("{path} is {value}, not {wanted}")),
    }
}
