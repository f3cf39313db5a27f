//! Blobs in many pieces, and how the service sees what was sent.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use davit_event::{End, Status};
use davit_ground::Azurite;
use serde_json::{Value, json};

use super::pattern;
use super::server::{Reply, Server};
use crate::play::Play;

fn run(environment: &[(String, String)], tasks: &[Value]) -> Vec<End> {
    let play = Play { environment: environment.to_vec(), ..Play::new() };
    let tasks: Vec<Value> = tasks.iter().map(|it| json!({"davit.azure.blob": it})).collect();
    play.run(&json!([{"hosts": "localhost", "gather_facts": false, "tasks": tasks}]).to_string())
}

#[test]
fn large_files_go_in_pieces_and_come_back_the_same() {
    let azurite = Azurite::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    fs::write(path("in"), pattern(20_000_000)).unwrap();
    let blob = |more: Value| {
        let mut task =
            json!({"container": "con", "blob": "a b/ü", "block_size": 1_500_000, "parallel": 6});
        task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        task
    };
    let tasks = [
        json!({"container": "con"}),
        blob(json!({"src": path("in")})),
        blob(json!({"src": path("in")})),
        blob(json!({"dest": path("out")})),
        blob(json!({"dest": path("out")})),
    ];
    let ends = run(&azurite.environment(), &tasks);
    let statuses: Vec<Status> = ends.iter().map(|it| it.status).collect();
    use Status::{Changed, Ok};
    assert_eq!(statuses, [Changed, Changed, Ok, Changed, Ok], "{ends:?}");
    assert!(
        fs::read(path("out")).unwrap() == pattern(20_000_000),
        "it came back as something else"
    );
    assert_eq!(ends[1].reply["blob"]["content_length"], 20_000_000);
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 2, "a file in the making was left behind");
}

#[test]
fn a_download_that_changes_or_breaks_leaves_the_file_alone() {
    let server = Server::start(|_, asked| match asked.request.method.as_str() {
        "HEAD" => {
            Reply::empty(200).with("etag", "1").with("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")
        }
        _ => Reply::empty(412).with("x-ms-error-code", "ConditionNotMet"),
    });
    let folder = tempfile::tempdir().unwrap();
    let dest = folder.path().join("out");
    fs::write(&dest, "as it was").unwrap();
    let task = json!({"container": "con", "blob": "b", "dest": dest, "account_url": server.url, "sas_token": "sig=x"});
    let ends = run(&[], &[task]);
    let told = ends[0].reply["msg"].as_str().unwrap();
    assert!(told.contains("has not the MD5 that the service tells"), "{told}");
    assert_eq!(fs::read_to_string(&dest).unwrap(), "as it was");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// The stamps of a request that was put off, and what is told of its end.
#[test]
fn signatures_are_made_anew_for_each_attempt() {
    let stamps: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&stamps);
    let server = Server::start(move |_, asked| {
        let mut seen = seen.lock().unwrap();
        seen.push(format!("{} {}", asked.header("x-ms-date"), asked.header("authorization")));
        match seen.len() {
            1 => Reply::empty(503).with("retry-after-ms", "1100"),
            _ => Reply::empty(200).with("etag", "1"),
        }
    });
    let task = json!({"container": "con", "account_url": server.url, "account": "a", "account_key": "c2VjcmV0"});
    let ends = run(&[], &[task]);
    assert_eq!(ends[0].status, Status::Ok, "{ends:?}");
    let stamps = stamps.lock().unwrap();
    assert_eq!(stamps.len(), 2);
    assert_ne!(stamps[0], stamps[1]);
}

#[test]
fn what_was_deleted_at_the_first_attempt_is_gone_at_the_second() {
    let times = AtomicUsize::new(0);
    let server = Server::start(move |_, asked| match asked.request.method.as_str() {
        "HEAD" => Reply::empty(200).with("etag", "1"),
        _ if times.fetch_add(1, Ordering::SeqCst) == 0 => Reply::Hangup,
        _ => Reply::empty(404).with("x-ms-error-code", "BlobNotFound"),
    });
    let task = json!({"container": "con", "blob": "b", "state": "absent", "account_url": server.url, "sas_token": "sig=x"});
    let ends = run(&[], &[task]);
    assert_eq!(ends[0].status, Status::Changed, "{ends:?}");
}

#[test]
fn lists_that_go_round_in_a_circle_end() {
    let server = Server::start(|_, asked| {
        let next = if asked.query("marker") == "a" { "b" } else { "a" };
        let body = format!(
            "<EnumerationResults><Containers/><NextMarker>{next}</NextMarker></EnumerationResults>"
        );
        Reply::Answer { status: 200, headers: Vec::new(), body }
    });
    // The signature of an address is not shown.
    let url = format!("{}/?sv=1&sig=c2VjcmV0c2VjcmV0", server.url);
    let play = Play::new();
    let task = json!({"davit.azure.blob_info": {"account_url": url}});
    let playbook = json!([{"hosts": "localhost", "gather_facts": false, "tasks": [task]}]);
    let ends = play.run(&playbook.to_string());
    assert_eq!(ends[0].reply["containers"], json!([]), "{ends:?}");
    let seen = format!("{}{}", play.seen(), serde_json::to_string(&ends).unwrap());
    assert!(!seen.contains("c2VjcmV0c2VjcmV0"), "{seen}");
}

#[test]
fn a_token_opens_blobs_and_signatures_go_along() {
    let azure = super::world::Azure::start();
    let server = Server::start(|_, asked| {
        let is_token = asked.header("authorization").starts_with("Bearer token-");
        let is_signed = asked.query("sig") == "a+b/c=" && asked.query("sv") == "2021";
        match (is_token, is_signed) {
            (true, false) => Reply::empty(200).with("etag", "token"),
            (false, true) => Reply::empty(200).with("etag", "signature"),
            _ => Reply::empty(403).with("x-ms-error-code", "AuthenticationFailed"),
        }
    });
    let by_token = json!({"container": "con", "account_url": server.url});
    let by_signature = json!({"container": "con", "account_url": server.url, "sas_token": "?sv=2021&sig=a%2Bb%2Fc%3D"});
    let ends = run(&azure.environment(), &[by_token, by_signature]);
    assert_eq!(ends[0].reply["container"]["etag"], "token", "{ends:?}");
    assert_eq!(ends[1].reply["container"]["etag"], "signature", "{ends:?}");
    let seen = serde_json::to_string(&ends).unwrap();
    assert!(!seen.contains("a%2Bb%2Fc%3D"), "{seen}");
}
