//! The program that drives the crate with JSON: the examples of the crate's page are what it does, and
//! nothing that it is asked makes it end.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// The program, running.
pub(crate) struct Driver {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Driver {
    pub(crate) fn start() -> Self {
        // Beside the tests' own folder, where cargo puts examples.
        let mut path = env::current_exe().expect("a program");
        path.pop();
        path.pop();
        let path: PathBuf = path.join("examples/protocol");
        let mut child = Command::new(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error} (cargo build --example protocol makes it)", path.display())
            });
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, input, output }
    }

    pub(crate) fn ask(&mut self, line: &str) -> Json {
        let input = self.input.as_mut().expect("until the end");
        writeln!(input, "{line}").expect("it listens");
        input.flush().expect("it listens");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("it answers");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{line}: {error}: {answer:?}"))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// Whether an answer has everything that the page shows.
pub(crate) fn has(answer: &Json, shown: &Json) -> bool {
    match (answer, shown) {
        (Json::Object(answer), Json::Object(shown)) => {
            shown.iter().all(|(name, it)| answer.get(name).is_some_and(|known| has(known, it)))
        }
        (Json::Array(answer), Json::Array(shown)) => {
            answer.len() == shown.len()
                && answer.iter().zip(shown).all(|(it, shown)| has(it, shown))
        }
        (answer, shown) => answer == shown,
    }
}

#[test]
fn the_examples_of_the_page_are_true() {
    let page = include_str!("../README.md");
    let mut driver = Driver::start();
    let mut commands = Vec::new();
    for block in page.split("```json\n").skip(1) {
        let mut lines = block.lines();
        let request = lines.next().expect("a request");
        let shown: Json = serde_json::from_str(lines.next().expect("an answer")).expect("JSON");
        assert_eq!(lines.next(), Some("```"), "{request}");
        let answer = driver.ask(request);
        assert!(has(&answer, &shown), "{request}\n{answer}\n{shown}");
        let request: Json = serde_json::from_str(request).expect("JSON");
        commands.push(request["command"].as_str().expect("a name").to_owned());
    }
    commands.sort();
    commands.dedup();
    let known = driver.ask(r#"{"command": ""}"#);
    assert_eq!(json!(commands), known["error"]["commands"], "a command without an example");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut driver = Driver::start();
    for (line, kind) in [
        ("{", "request"),
        ("[]", "request"),
        (r#"{"command": "parse"}"#, "request"),
        (r#"{"command": "parse", "service": "nowhere", "operation": "x"}"#, "model"),
        (r#"{"command": "parse", "service": "s3", "operation": "Sing"}"#, "model"),
        (
            r#"{"command": "serialize", "given": {"input": {"shape": "No"}}, "model": {"metadata": {"protocol": "json"}}}"#,
            "model",
        ),
        (r#"{"command": "endpoint", "rules": 5, "params": {}}"#, "endpoint"),
        (r#"{"command": "sign", "request": "GET", "credentials": {}}"#, "request"),
        (r#"{"command": "event_stream", "decode": "AAAA"}"#, "frame"),
    ] {
        assert_eq!(driver.ask(line)["error"]["kind"], kind, "{line}");
    }
    assert_eq!(driver.ask(r#"{"id": 7, "command": "checksum"}"#)["id"], 7);
}

/// JSON of any shape, with names that commands look for.
fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "\\PC{0,8}".prop_map(Json::from),
        prop::sample::select(vec!["s3", "PutObject", "json", "query", "structure", "list", "Out"])
            .prop_map(Json::from),
    ];
    let names = vec![
        "service",
        "operation",
        "model",
        "metadata",
        "protocol",
        "shapes",
        "operations",
        "given",
        "input",
        "output",
        "shape",
        "type",
        "members",
        "member",
        "Out",
        "params",
        "response",
        "headers",
        "body",
        "status",
        "rules",
        "conditions",
        "endpoint",
        "url",
        "parameters",
        "outcomes",
        "pages",
        "waiters",
        "acceptors",
        "request",
        "credentials",
        "region",
        "timestamp",
        "encode",
        "decode",
        "expression",
        "given",
        "http",
        "events",
        "config",
        "files",
        "env",
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(prop::sample::select(names.clone()), inner, 0..6).prop_map(
                |map| Json::Object(
                    map.into_iter().map(|(name, it)| (name.to_owned(), it)).collect()
                )
            ),
        ]
    })
}

#[test]
fn any_request_is_answered() {
    let driver = std::cell::RefCell::new(Driver::start());
    let known = driver.borrow_mut().ask(r#"{"command": ""}"#);
    let commands = known["error"]["commands"].as_array().expect("a list").clone();
    let config =
        ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(request in any_json(), command in prop::sample::select(commands))| {
        let mut request = if request.is_object() { request } else { json!({ "model": request }) };
        request["command"] = command;
        let answer = driver.borrow_mut().ask(&request.to_string());
        prop_assert!(answer.is_object());
        prop_assert_ne!(&answer["error"]["kind"], "bug", "{}", request);
    });
}
