//! `davit aws logs tail` against moto, and against a service that falters.

use std::io::{BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use davit_ground::Moto;
use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::cli::aws::aws;
use crate::cli::{Place, cloud};

/// Puts events into a stream, each so many seconds ago.
fn put(place: &Place, moto: &Moto, stream: &str, events: &[(i64, &str)]) {
    let events: Vec<_> = events
        .iter()
        .map(|(ago, message)| json!({"timestamp": ago_millis(*ago), "message": message}))
        .collect();
    let text = json!({"logGroupName": "shop", "logStreamName": stream, "logEvents": events});
    place.write("events.json", &text.to_string());
    let ran = aws(place, moto, "logs put-log-events --cli-input-json file://events.json");
    assert_eq!(ran.code, 0, "{}", ran.err);
}

fn ago_millis(seconds: i64) -> i64 {
    (Timestamp::now() - SignedDuration::from_secs(seconds)).as_millisecond()
}

/// A group with two streams.
fn shop() -> (Place, Moto) {
    let (place, moto) = (Place::new(&[]), Moto::start().expect("moto"));
    for line in [
        "logs create-log-group --log-group-name shop",
        "logs create-log-stream --log-group-name shop --log-stream-name web",
        "logs create-log-stream --log-group-name shop --log-stream-name db",
    ] {
        let ran = aws(&place, &moto, line);
        assert_eq!(ran.code, 0, "{line}: {}", ran.err);
    }
    (place, moto)
}

/// What stands behind the time in each line.
fn rest(out: &str) -> Vec<&str> {
    out.lines().filter_map(|it| it.split_once(' ')).map(|(_, rest)| rest).collect()
}

#[test]
fn events_of_all_streams_are_shown_in_order_of_time() {
    let (place, moto) = shop();
    put(&place, &moto, "web", &[(7000, "old"), (60, "first"), (20, r#"{"a": {"b": 1.10}}"#)]);
    put(&place, &moto, "db", &[(40, "second ERROR\n")]);
    let tail = |line: &str| aws(&place, &moto, &format!("logs tail {line}"));

    let ran = tail("shop");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let all = ["web first", "db second ERROR", r#"web {"a": {"b": 1.10}}"#];
    assert_eq!(rest(&ran.out), all);
    let (time, _) = ran.out.split_once(' ').expect("a time");
    assert!(time.len() == 32 && time.ends_with("+00:00"), "{time}");
    let ran = tail("shop --since 2h --format short --log-stream-names web --color on");
    assert!(ran.out.starts_with("\u{1b}[32m20"), "{}", ran.out);
    assert_eq!(rest(&ran.out), ["old", "first", r#"{"a": {"b": 1.10}}"#]);
    assert_eq!(tail("shop --since 5s").out, "");
    assert_eq!(rest(&tail("--filter-pattern ERROR shop").out), ["db second ERROR"]);
    let ran = tail("shop --since 30s --format json");
    assert!(
        ran.out.ends_with(" web \n{\n    \"a\": {\n        \"b\": 1.10\n    }\n}\n"),
        "{}",
        ran.out
    );

    for (line, code, part) in [
        ("shpo", 254, "ResourceNotFoundException"),
        ("shpo --follow", 254, "ResourceNotFoundException"),
        ("shop --since yesterday", 252, "\"yesterday\" is no time"),
        ("shop --format none", 252, "none"),
        ("shop --log-stream-names web --log-stream-name-prefix w", 252, "cannot be used with"),
        ("--follow", 252, "GROUP"),
    ] {
        let ran = tail(line);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{line}: {}", ran.err);
        assert!(ran.err.contains(part), "{line}: {}", ran.err);
    }
    let ran = place.run("davit aws logs tail help --help");
    assert!(ran.code == 0 && ran.out.contains("--log-stream-name-prefix"), "{}", ran.out);
    let ran = place.run("davit aws help logs");
    assert!(ran.out.contains("logs tail  "), "{}", ran.out);
}

/// Starts a command whose lines are read one after the other.
fn start(mut command: Command) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("davit starts");
    let out = BufReader::new(child.stdout.take().expect("it has one"));
    (child, out)
}

fn next(out: &mut impl std::io::BufRead) -> String {
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    line.trim_end().split_once(' ').map(|(_, rest)| rest.to_owned()).unwrap_or_default()
}

#[test]
fn what_comes_is_followed_until_it_is_stopped() {
    let (place, moto) = shop();
    put(&place, &moto, "web", &[(60, "first"), (10, "second")]);
    let mut command = place.command("davit aws logs tail shop --follow");
    command.envs(moto.environment());
    let (mut child, mut out) = start(command);
    assert_eq!([next(&mut out), next(&mut out)], ["web first", "web second"]);
    // This one is older than what was seen.
    put(&place, &moto, "db", &[(20, "late")]);
    assert_eq!(next(&mut out), "db late");
    put(&place, &moto, "web", &[(0, "last")]);
    assert_eq!(next(&mut out), "web last");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).expect("it runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let mut more = String::new();
    out.read_to_string(&mut more).expect("text");
    assert_eq!(more, "", "nothing comes twice");
}

#[test]
fn a_service_that_falters_is_asked_on_and_a_closed_pipe_ends_it() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let port = cloud::stub(move |request| {
        let mut seen = seen.lock().expect("sound");
        seen.push(request.to_owned());
        let events = |ids: &[i64]| -> Vec<_> {
            ids.iter()
                .map(|id| {
                    json!({"eventId": id.to_string(), "timestamp": 1_767_323_045_000 + id,
                           "logStreamName": "web", "message": format!("event {id}")})
                })
                .collect()
        };
        let body = match seen.len() {
            1 => json!({"events": events(&[2, 1]), "nextToken": "more"}),
            2 => json!({"events": events(&[3])}),
            3 => return ("503 Service Unavailable", "{}".to_owned()),
            4 => json!({"events": events(&[1, 2, 3, 4])}),
            _ => json!({"events": events(&[5])}),
        };
        ("200 OK", body.to_string())
    });
    let place = Place::new(&[]);
    let arn = "arn:aws:logs:eu-west-1:123456789012:log-group:shop";
    let line = format!("davit aws logs tail {arn}:* --follow --since 1767323000");
    let mut command = place.command(&line);
    command.envs([
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_MAX_ATTEMPTS", "1"),
        ("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{port}")),
    ]);
    let (mut child, mut out) = start(command);
    for id in 1..=4 {
        assert_eq!(next(&mut out), format!("web event {id}"));
    }
    drop(out);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let mut told = String::new();
    child.stderr.take().expect("it has one").read_to_string(&mut told).expect("text");
    assert_eq!((told.lines().count(), told.contains("trying on")), (1, true), "{told}");
    let asked = asked.lock().expect("sound");
    assert!(asked[0].contains(&format!(r#""logGroupIdentifier": "{arn}""#)), "{}", asked[0]);
    assert!(asked[0].contains(r#""startTime": 1767323000000"#), "{}", asked[0]);
    assert!(asked[1].contains(r#""nextToken": "more""#), "{}", asked[1]);
    assert!(!asked[2].contains("nextToken"), "{}", asked[2]);
}
