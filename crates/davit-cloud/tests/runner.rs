//! The tests of control modules, as playbooks reach them: over the tables and the engine.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod aws;
mod azure;
mod gcp;
mod house;
mod play;
mod written;

use std::time::{Duration, Instant};

use davit_event::{End, Status};
use serde_json::json;

use crate::play::Play;

fn statuses(ends: &[End]) -> Vec<Status> {
    ends.iter().map(|it| it.status).collect()
}

fn msg(end: &End) -> &str {
    end.reply.get("msg").and_then(|it| it.as_str()).unwrap_or_default()
}

#[test]
fn a_task_runs_here_whatever_its_host_and_changes_once() {
    let play = Play::new();
    let ends = play.tasks(
        "
  - example.house.lamp: {name: hall, burning: 'yes'}
    diff: true
  - example.house.lamp: {name: hall, lit: true}
  - example.house.lamp: {name: hall, lit: false}
    become: true
    delegate_to: elsewhere
",
    );
    assert_eq!(statuses(&ends), [Status::Changed, Status::Ok, Status::Changed], "{ends:?}");
    assert_eq!(ends[0].reply["diff"][0]["after"], true);
    assert!(!ends[2].reply.contains_key("diff"));
    let switched = ["opened", "switch hall true", "switch hall false", "closed"];
    assert_eq!(play.calls(), switched);
    let change = json!({"kind": "api", "path": "arn:house:hall", "what": "switch it"});
    assert_eq!(play.changes(), [change.clone(), change]);
}

#[test]
fn check_mode_calls_nothing() {
    let play = Play { check: true, ..Play::new() };
    let ends = play.tasks(
        "
  - example.house.lamp: {name: hall, lit: true}
    diff: true
  - example.house.lamp: {name: hall, lit: true}
    check_mode: false
  - example.house.lamp: {name: hall, lit: true}
",
    );
    assert_eq!(statuses(&ends), [Status::Changed, Status::Changed, Status::Ok], "{ends:?}");
    assert_eq!(ends[0].reply["diff"][0]["before"], false);
    assert_eq!(play.calls(), ["opened", "switch hall true", "closed"]);
    assert_eq!(play.changes().len(), 1);
}

#[test]
fn loops_registers_and_retries_are_as_with_any_module() {
    let play = Play::new();
    let ends = play.tasks(
        "
  - house_lamp: {name: '{{ item }}', lit: true}
    loop: [hall, attic, hall]
    register: lamps
  - debug: {msg: \"{{ lamps.results | map(attribute='changed') | list }}\"}
  - amazon.aws.bell: {how: thrice}
    register: bell
    until: bell is success
    retries: 5
    delay: 0
  - amazon.aws.bell: {volume: '{{ bell.rung + bell.attempts }}'}
    register: bell
    changed_when: bell.volume == 6
    failed_when: bell.volume != 6
",
    );
    let all = [Status::Changed, Status::Ok, Status::Ok, Status::Changed];
    assert_eq!(statuses(&ends), all, "{ends:?}");
    assert_eq!(ends[1].reply["msg"], json!([true, true, false]));
    assert_eq!((play.changes().len(), &ends[2].reply["attempts"]), (2, &json!(3)));
}

#[test]
fn the_environment_of_the_task_stands_above_that_of_the_program() {
    let play = Play::new();
    let ends = play.run(&format!(
        "
- hosts: localhost
  gather_facts: false
  ignore_errors: true
  tasks:
  - example.house.lamp: {{name: hall, lit: true}}
    environment: {{HOUSE: '{}'}}
",
        play.folder.path().display()
    ));
    assert_eq!(statuses(&ends), [Status::Changed], "{ends:?}");
    assert_eq!(play.calls().len(), 3);
}

#[test]
fn a_time_out_drops_the_future_and_tells_of_what_it_was_doing() {
    let play = Play::new();
    let began = Instant::now();
    let ends = play.tasks("  - amazon.aws.bell: {how: for_ever}\n    timeout: 1\n");
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(msg(&ends[0]), "Task failed: Timed out after 1 second(s).");
    assert_eq!(play.calls(), ["opened", "ringing", "let go", "closed"]);
    let change = json!({"kind": "api", "path": "bell", "what": "ring it", "cut_off": true});
    assert_eq!(play.changes(), [change]);
}

#[test]
fn whoever_stops_the_run_stops_the_call() {
    let play = Play { stop_after_calls: Some(2), ..Play::new() };
    let began = Instant::now();
    let ends = play.tasks("  - amazon.aws.bell: {how: for_ever}\n  - amazon.aws.bell:\n");
    assert!(began.elapsed() < Duration::from_secs(10));
    let told =
        "stopped in the middle of a change (ring it: bell): whether it was made is not known";
    assert_eq!((ends.len(), msg(&ends[0])), (1, told));
    assert_eq!(play.calls(), ["opened", "ringing", "let go", "closed"]);
    assert_eq!(play.changes()[0]["cut_off"], true);
}

#[test]
fn secrets_are_covered_and_still_there_for_the_next_task() {
    let play = Play::new();
    let ends = play.tasks(
        "
  - example.house.lamp: {name: hall, lit: true, code: 1234-5678}
    register: lamp
  - assert: {that: [lamp.token == 'token-of-' ~ 'hall']}
  - debug: {msg: 'it is {{ lamp.token }}'}
  - example.house.lamp: {name: attic, lit: true}
    no_log: true
",
    );
    let all = [Status::Changed, Status::Ok, Status::Ok, Status::Changed];
    assert_eq!(statuses(&ends), all, "{ends:?}");
    assert_eq!(ends[0].reply["token"], "********");
    assert_eq!(msg(&ends[2]), "it is ********");
    assert!(ends[3].no_log && !ends[3].reply.contains_key("lit"));
    assert_eq!(play.changes()[1], json!({"kind": "api", "path": "arn:house:attic"}));
    let seen = play.seen();
    assert!(!seen.contains("1234-5678") && !seen.contains("token-of-hall"), "{seen}");
}

#[test]
fn what_cannot_be_is_a_failure_of_the_task_alone() {
    let play = Play::new();
    let ends = play.tasks(
        "
  - amazon.aws.bell: {how: badly}
  - amazon.aws.bell: {volume: loud}
  - amazon.aws.bell: {pitch: high}
  - amazon.aws.bell: loudly
  - amazon.aws.bell: {volume: 1}
    async: 10
    poll: 0
  - amazon.aws.bell: {volume: 1}
",
    );
    let told: Vec<&str> = ends.iter().map(msg).collect();
    assert_eq!(told[0], "the module amazon.aws.bell broke off: the bell broke");
    assert!(told[1].contains("argument 'volume' is of type str"), "{}", told[1]);
    assert!(told[2].starts_with("Unsupported parameters for (amazon.aws.bell) module: pitch"));
    assert_eq!(told[3], "Task failed: Action 'amazon.aws.bell' does not support raw params.");
    assert_eq!(told[4], "asynchronous jobs are not available here");
    assert_eq!(ends[5].status, Status::Ok);
}

#[test]
fn defaults_hold_for_modules_by_any_of_their_names_and_for_groups() {
    let play = Play::new();
    let ends = play.run(&format!(
        "
- hosts: web
  gather_facts: false
  environment: {{HOUSE: '{}'}}
  module_defaults:
    group/aws: {{volume: 7}}
    example.old.lamp: {{lit: true}}
  tasks:
  - amazon.aws.bell:
  - example.house.lamp: {{name: hall}}
  - example.old.lamp: {{name: attic}}
",
        play.folder.path().display()
    ));
    assert_eq!(ends[0].reply["volume"], 7);
    assert_eq!(statuses(&ends[1..]), [Status::Changed, Status::Changed], "{ends:?}");
}

#[test]
fn what_is_shared_is_made_once_and_dropped_with_the_run() {
    let play = Play::new();
    play.tasks("  - amazon.aws.bell:\n  - amazon.aws.bell:\n");
    play.tasks("  - amazon.aws.bell:\n");
    let expect = ["opened", "let go", "let go", "closed", "opened", "let go", "closed"];
    assert_eq!(play.calls(), expect);
}
