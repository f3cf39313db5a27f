//! `davit.gcp.call`: against google-api-python-client, which says what requests look like; against
//! gcp-storage-emulator, in cases as those for AWS are; and against servers that a test makes for itself, for tokens,
//! operations, pages and everything that goes wrong.

mod emulator;
mod example;
mod faults;
mod operations;
mod oracle;
pub(crate) mod stub;
mod tokens;

use std::fs;
use std::path::{Path, PathBuf};

use davit_event::End;
use serde_json::{Map, Value, json};

use self::emulator::Emulator;
use crate::aws::run;
use crate::play::Play;

/// Runs one `davit.gcp.call` in an environment.
fn call(environment: &[(&str, &str)], args: &Value) -> End {
    calls(environment, std::slice::from_ref(args)).pop().unwrap()
}

/// Runs several in one play, which goes on where one fails.
fn calls(environment: &[(&str, &str)], args: &[Value]) -> Vec<End> {
    let environment = environment.iter().map(|(name, it)| ((*name).to_owned(), (*it).to_owned()));
    let play = Play { environment: environment.collect(), ..Play::new() };
    in_play(&play, args)
}

fn in_play(play: &Play, args: &[Value]) -> Vec<End> {
    let tasks: Vec<Value> = args.iter().map(|it| json!({"davit.gcp.call": it})).collect();
    let playbook = json!([{
        "hosts": "localhost", "connection": "local", "gather_facts": false, "ignore_errors": true, "tasks": tasks,
    }]);
    play.run(&playbook.to_string())
}

/// What an end says.
fn msg(end: &End) -> &str {
    end.reply.get("msg").and_then(Value::as_str).unwrap_or_default()
}

/// The emulator is started with `gcloud beta emulators pubsub start`, and this with `--run-ignored all`.
#[test]
#[ignore = "wants PUBSUB_EMULATOR_HOST: the emulator of Pub/Sub comes with Google's own SDK only"]
fn messages_go_through_the_emulator_of_pubsub() {
    let host = std::env::var("PUBSUB_EMULATOR_HOST").expect("an emulator runs");
    let pubsub = |method: &str, parameters: Value, body: Value| json!({"api": "pubsub", "version": "v1", "method": method, "parameters": parameters, "body": body});
    let (topic, reader) = ("projects/shop/topics/orders", "projects/shop/subscriptions/reader");
    let args = [
        pubsub("projects.topics.create", json!({"name": topic}), json!({"labels": {"a": "b"}})),
        pubsub("projects.subscriptions.create", json!({"name": reader}), json!({"topic": topic})),
        pubsub(
            "projects.topics.publish",
            json!({"topic": topic}),
            json!({"messages": [{"data": "aGVsbG8="}]}),
        ),
        pubsub(
            "projects.subscriptions.pull",
            json!({"subscription": reader}),
            json!({"maxMessages": 1}),
        ),
        pubsub("projects.topics.list", json!({"project": "projects/shop"}), Value::Null),
        pubsub("projects.subscriptions.delete", json!({"subscription": reader}), Value::Null),
        pubsub("projects.topics.delete", json!({"topic": topic}), Value::Null),
        pubsub("projects.topics.get", json!({"topic": topic}), Value::Null),
    ];
    let ends = calls(&[("PUBSUB_EMULATOR_HOST", host.as_str())], &args);
    let result = |it: usize| &ends[it].reply["result"];
    assert_eq!(result(0)["name"], topic, "{ends:?}");
    assert_eq!(result(3)["receivedMessages"][0]["message"]["data"], "aGVsbG8=", "{ends:?}");
    assert_eq!(result(4)["topics"][0]["name"], topic, "{ends:?}");
    assert!(msg(&ends[7]).contains("(404, NOT_FOUND)"), "{ends:?}");
}

#[test]
fn storage() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gcp/cases/storage");
    let only = std::env::var("CASE").ok();
    let emulator = Emulator::start();
    let files = tempfile::tempdir().unwrap();
    let large: Vec<u8> =
        (0..20_000_000_u32).map(|it| it.to_le_bytes()[1] ^ it.to_le_bytes()[2]).collect();
    fs::write(files.path().join("large.bin"), large).unwrap();
    fs::write(files.path().join("page.html"), "<p>hello</p>").unwrap();
    let mut cases: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    cases.sort();
    let mut wrong = Vec::new();
    let mut steps = 0;
    for file in cases {
        let case = file.file_stem().unwrap().to_string_lossy().into_owned();
        if only.as_ref().is_none_or(|it| *it == case) {
            let mut vars = Map::new();
            vars.insert("files".to_owned(), json!(files.path()));
            steps += run(&emulator.environment(), &file, vars, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(steps > 0, "no case was run");
    let same = |name: &str| fs::read(files.path().join(name)).unwrap();
    assert!(same("large.bin") == same("large.copy"), "the large file came back as another");
}
