//! `amazon.aws.lambda_execute` against a stand-in for Lambda that answers as its documentation says: moto knows
//! neither functions that fail nor their logs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use davit_event::{End, Status};
use serde_json::{Value, json};

use crate::play::Play;

/// What was asked: the first line, and the headers that say how to call.
type Asked = Arc<Mutex<Vec<String>>>;

/// Serves until the test ends; where it does, and what it is asked.
fn lambda() -> (String, Asked) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap(), &seen);
        }
    });
    (url, asked)
}

fn serve(mut stream: TcpStream, asked: &Asked) {
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let first = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
    let (mut length, mut how) = (0, String::new());
    loop {
        line.clear();
        lines.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "x-amz-invocation-type" | "x-amz-log-type" => how.push_str(&format!(" {value}")),
            _ => {}
        }
    }
    let mut given = vec![0; length];
    lines.read_exact(&mut given).unwrap();
    let earlier = asked.lock().unwrap().iter().filter(|it| it.contains("/fresh/")).count();
    asked.lock().unwrap().push(format!("{first}{how}"));
    let (status, headers, body) = answer(&first, how.contains("Tail"), earlier);
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
}

fn answer(first: &str, is_tail: bool, earlier: usize) -> (&'static str, String, String) {
    // `depth 2`, in base64.
    let log = if is_tail { "X-Amz-Log-Result: ZGVwdGggMg==\r\n" } else { "" };
    let failed = "X-Amz-Function-Error: Unhandled\r\n";
    let error = |code: &str| format!("X-Amzn-ErrorType: {code}\r\n");
    let said = |text: &str| json!({"Message": text}).to_string();
    if first.starts_with("GET") {
        let is = json!({"State": "Active", "LastUpdateStatus": "Successful"});
        return ("200 OK", String::new(), json!({"Configuration": is}).to_string());
    }
    let name = first.split('/').nth(3).unwrap();
    match name {
        "broken" => {
            let body = json!({"errorMessage": "no such depth", "errorType": "ValueError"});
            ("200 OK", format!("{failed}{log}"), body.to_string())
        }
        "loud" => ("200 OK", log.to_owned(), "not JSON".to_owned()),
        "fresh" if earlier == 0 => {
            let text = "The function is currently in the following state: Pending";
            ("409 Conflict", error("ResourceConflictException"), said(text))
        }
        "gone" => {
            ("404 Not Found", error("ResourceNotFoundException"), said("Function not found: gone"))
        }
        _ => ("200 OK", log.to_owned(), json!({"done": true}).to_string()),
    }
}

fn call(url: &str, args: Value) -> End {
    let environment = [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", url),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let play = Play { environment, ..Play::new() };
    let playbook = json!([{
        "hosts": "localhost", "connection": "local", "gather_facts": false,
        "tasks": [{"amazon.aws.lambda_execute": args}],
    }]);
    play.run(&playbook.to_string()).pop().unwrap()
}

#[test]
fn a_function_that_fails_fails_the_task_and_its_log_is_told() {
    let (url, _) = lambda();
    let end = call(&url, json!({"name": "broken", "tail_log": true}));
    assert_eq!(end.status, Status::Failed);
    assert_eq!(end.reply["msg"], "the function broken failed: ValueError: no such depth");
    let output = json!({"errorMessage": "no such depth", "errorType": "ValueError"});
    let result = json!({"status": 200, "output": output, "logs": "depth 2"});
    assert_eq!(end.reply["result"], result);
    let end = call(&url, json!({"name": "gone"}));
    assert_eq!(end.status, Status::Failed);
    assert_eq!(end.reply["error"]["code"], "ResourceNotFoundException");
}

#[test]
fn a_function_that_is_not_ready_is_waited_for() {
    let (url, asked) = lambda();
    let end = call(&url, json!({"name": "fresh"}));
    assert_eq!(end.status, Status::Changed, "{:?}", end.reply);
    assert_eq!(end.reply["result"]["output"], json!({"done": true}));
    let asked = asked.lock().unwrap().clone();
    let calls = asked.iter().filter(|it| it.starts_with("POST")).count();
    assert_eq!((calls, asked.len() > 2), (2, true), "{asked:?}");
}

#[test]
fn how_a_function_is_called_is_as_the_task_says() {
    let (url, asked) = lambda();
    let end = call(&url, json!({"name": "loud", "tail_log": true, "version_qualifier": "live"}));
    let result = json!({"status": 200, "output": "not JSON", "logs": "depth 2"});
    assert_eq!(end.reply["result"], result);
    call(&url, json!({"name": "quiet", "wait": false}));
    call(&url, json!({"name": "quiet", "dry_run": true}));
    call(&url, json!({"function_arn": "arn:aws:lambda:eu-west-1:210987654321:function:theirs"}));
    let mut asked = asked.lock().unwrap().clone();
    asked.iter_mut().for_each(|it| *it = it.replace("/2015-03-31/functions", ""));
    assert_eq!(
        asked,
        [
            "POST /loud/invocations?Qualifier=live RequestResponse Tail",
            "POST /quiet/invocations Event None",
            "POST /quiet/invocations DryRun None",
            "POST /arn%3Aaws%3Alambda%3Aeu-west-1%3A210987654321%3Afunction%3Atheirs/invocations \
             RequestResponse None",
        ]
    );
}
