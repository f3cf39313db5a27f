//! What goes wrong on the way, and when a call is made again.

use std::time::{Duration, Instant};

use davit_event::{End, Status};
use serde_json::{Value, json};

use super::call;
use super::msg;
use super::stub::{Asked, Reply, Stub, ok, said};

const TOKEN: [(&str, &str); 2] =
    [("CLOUDSDK_AUTH_ACCESS_TOKEN", "a-token-of-mine"), ("CLOUDSDK_CORE_PROJECT", "shop")];

fn get(stub: &Stub) -> End {
    let args = json!({
        "api": "storage", "method": "buckets.get", "parameters": {"bucket": "b"}, "endpoint_url": stub.url,
        "timeout": 1,
    });
    call(&TOKEN, &args)
}

/// A method that may not be made twice.
fn patch(stub: &Stub) -> End {
    let args = json!({
        "api": "storage", "method": "buckets.patch", "parameters": {"bucket": "b"}, "body": {"labels": {"a": "b"}},
        "endpoint_url": stub.url, "timeout": 1,
    });
    call(&TOKEN, &args)
}

/// A server with these answers, which says that all is well afterwards.
fn first(replies: fn(&Asked) -> Option<Reply>) -> Stub {
    Stub::new(move |asked| replies(asked).unwrap_or_else(|| ok(&json!({"name": "b"}))))
}

fn once(asked: &Asked, reply: impl FnOnce() -> Reply) -> Option<Reply> {
    (asked.number == 0).then(reply)
}

fn unavailable() -> Reply {
    said(503, &json!({"error": {"code": 503, "message": "later", "status": "UNAVAILABLE"}}))
}

#[test]
fn what_passes_is_tried_again() {
    for (name, replies) in [
        ("unavailable", (|asked| once(asked, unavailable)) as fn(&Asked) -> Option<Reply>),
        ("a reset", |asked| once(asked, || Reply::Reset)),
        ("half of it", |asked| {
            once(asked, || Reply::Half(br#"{"name": "b", "kind": "x"}"#.to_vec()))
        }),
        ("nothing", |asked| once(asked, || Reply::Nothing(Duration::from_secs(3)))),
        ("HTML", |asked| {
            once(asked, || {
                Reply::Whole(502, Vec::new(), b"<html><h1>Bad Gateway</h1></html>".to_vec())
            })
        }),
    ] {
        let stub = first(replies);
        let end = get(&stub);
        assert_eq!(
            (end.status, &end.reply["result"]),
            (Status::Ok, &json!({"name": "b"})),
            "{name}: {end:?}"
        );
        assert_eq!(stub.asked().len(), 2, "{name}");
    }
}

#[test]
fn what_may_have_been_done_is_not_done_again() {
    for (name, replies, told) in [
        (
            "unavailable",
            (|asked| once(asked, unavailable)) as fn(&Asked) -> Option<Reply>,
            "buckets.patch: later (503, UNAVAILABLE)",
        ),
        ("a reset", |asked| once(asked, || Reply::Reset), "buckets.patch: there is no answer: "),
    ] {
        let stub = first(replies);
        let end = patch(&stub);
        assert!(msg(&end).starts_with(told), "{name}: {end:?}");
        assert_eq!((stub.asked().len(), &end.reply["changed"]), (1, &json!(false)), "{name}");
    }
    // What was surely not done is.
    let stub = first(|asked| {
        once(asked, || said(429, &json!({"error": {"code": 429, "message": "slower"}})))
    });
    assert_eq!((patch(&stub).status, stub.asked().len()), (Status::Changed, 2));
    // And so is what has an id of its own.
    let stub = first(|asked| once(asked, unavailable));
    let args = json!({
        "api": "compute", "version": "v1", "method": "disks.insert", "parameters": {"zone": "z"},
        "body": {"name": "d"}, "endpoint_url": stub.url,
    });
    assert_eq!(call(&TOKEN, &args).status, Status::Changed);
    let asked = stub.asked();
    assert_eq!((asked.len(), asked[0].query("requestId")), (2, asked[1].query("requestId")));
}

#[test]
fn servers_say_when_to_come_back() {
    let stub = first(|asked| {
        once(asked, || {
            let body = json!({"error": {"code": 429, "message": "slower"}}).to_string();
            Reply::Whole(429, vec![("retry-after", "2".to_owned())], body.into())
        })
    });
    let began = Instant::now();
    assert_eq!(get(&stub).status, Status::Ok);
    assert!(began.elapsed() >= Duration::from_secs(2));
}

#[test]
fn it_ends_where_nothing_gets_better() {
    let stub = Stub::new(|_| unavailable());
    let end = get(&stub);
    assert_eq!(msg(&end), "buckets.get: later (503, UNAVAILABLE)");
    assert_eq!(stub.asked().len(), 5);
    let expect: Value = json!({
        "code": 503, "status": "UNAVAILABLE", "reason": "", "message": "later", "details": {},
    });
    assert_eq!(end.reply["error"], expect);
}

#[test]
fn answers_that_make_no_sense_are_told() {
    let stub = Stub::new(|_| Reply::Whole(200, Vec::new(), b"<html>Sign in</html>".to_vec()));
    assert!(msg(&get(&stub)).contains("the answer makes no sense (status 200): it is no JSON"));
    let stub = Stub::new(|_| Reply::Whole(403, Vec::new(), b"<html>Sign in</html>".to_vec()));
    assert_eq!(msg(&get(&stub)), "buckets.get: Sign in (403)");
    let stub = Stub::new(|_| Reply::Whole(204, Vec::new(), Vec::new()));
    assert_eq!(get(&stub).reply["result"], Value::Null);
}

#[test]
fn who_points_elsewhere_has_done_nothing() {
    for status in [302, 307, 308] {
        let stub = Stub::new(move |asked| {
            let place = format!("http://{}/elsewhere", asked.header("host"));
            Reply::Whole(status, vec![("location", place)], Vec::new())
        });
        let end = patch(&stub);
        assert!(msg(&end).ends_with(&format!("nothing is said of why ({status})")), "{end:?}");
        assert_eq!((stub.asked().len(), &end.reply["changed"]), (1, &json!(false)));
    }
}

#[test]
fn no_token_goes_over_an_open_line() {
    let args = json!({
        "api": "storage", "method": "buckets.get", "parameters": {"bucket": "b"},
        "endpoint_url": "http://storage.example.com",
    });
    let end = call(&TOKEN, &args);
    assert!(msg(&end).contains("storage.example.com is called without TLS"), "{end:?}");
}

#[test]
fn what_is_secret_in_answers_is_not_shown() {
    for (api, method, parameters, answer) in [
        (
            "secretmanager",
            "projects.secrets.versions.access",
            json!({"name": "projects/p/secrets/s/versions/latest"}),
            json!({"name": "x", "payload": {"data": "aGlkZGVuLWhpZGRlbg=="}}),
        ),
        (
            "iam",
            "projects.serviceAccounts.keys.create",
            json!({"name": "projects/p/serviceAccounts/s"}),
            json!({"name": "x", "privateKeyData": "aGlkZGVuLWhpZGRlbg=="}),
        ),
    ] {
        let stub = Stub::new(move |_| ok(&answer));
        let args = json!({
            "api": api, "method": method, "parameters": parameters, "endpoint_url": stub.url,
        });
        let end = call(&TOKEN, &args);
        assert_eq!(end.reply["result"]["name"], "x", "{end:?}");
        assert!(!format!("{end:?}").contains("aGlkZGVu"), "{end:?}");
    }
}

/// A server that takes an object in parts, and loses the second one in the middle.
#[test]
fn uploads_go_on_where_they_were_cut_off() {
    const SIZE: usize = 20_000_000;
    let stub = Stub::new(|asked| {
        if asked.query("uploadType") == Some("resumable") {
            let place = format!("http://{}/session", asked.header("host"));
            return Reply::Whole(200, vec![("location", place)], Vec::new());
        }
        let range = asked.header("content-range").to_owned();
        let more =
            |last: usize| Reply::Whole(308, vec![("range", format!("bytes=0-{last}"))], Vec::new());
        match range.strip_prefix("bytes ").unwrap().split_once('/').unwrap().0 {
            "*" => more(8_388_607 + 1_000_000),
            it if it.starts_with("0-") => more(8_388_607),
            it if it.starts_with("8388608-") => Reply::Reset,
            it if it.ends_with(&format!("-{}", SIZE - 1)) => ok(&json!({"name": "o"})),
            it => more(it.split_once('-').unwrap().1.parse().unwrap()),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    let bytes: Vec<u8> = (0..SIZE).map(|it| it.to_le_bytes()[1]).collect();
    std::fs::write(&path, &bytes).unwrap();
    let args = json!({
        "api": "storage", "method": "objects.insert", "parameters": {"bucket": "b", "name": "o"},
        "media": path, "endpoint_url": stub.url,
    });
    let end = call(&TOKEN, &args);
    assert_eq!(
        (end.status, &end.reply["result"]["name"]),
        (Status::Changed, &json!("o")),
        "{end:?}"
    );
    let asked = stub.asked();
    assert_eq!(asked[0].header("x-upload-content-length"), SIZE.to_string());
    let mut whole = vec![0; SIZE];
    for part in &asked[1..] {
        let range = part.header("content-range").strip_prefix("bytes ").unwrap();
        let Some((from, _)) = range.split_once('-') else { continue };
        let from: usize = from.parse().unwrap();
        whole[from..from + part.body.len()].copy_from_slice(&part.body);
    }
    assert!(whole == bytes, "what came is not what was sent");
}

#[test]
fn downloads_that_break_off_or_are_wrong_leave_the_file_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "before").unwrap();
    let download = |stub: &Stub| {
        let args = json!({
            "api": "storage", "method": "objects.get", "parameters": {"bucket": "b", "object": "o"},
            "download_to": path, "endpoint_url": stub.url,
        });
        call(&TOKEN, &args)
    };
    let hash = |it: &str| vec![("x-goog-hash", format!("crc32c=x==,md5={it}"))];
    let stub = Stub::new(move |_| Reply::Whole(200, hash("AAAA"), b"hello".to_vec()));
    assert!(msg(&download(&stub)).contains("its MD5 is another"));
    let stub = Stub::new(|_| said(404, &json!({"error": {"code": 404, "message": "gone"}})));
    assert!(msg(&download(&stub)).contains("objects.get: gone (404)"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "before");
    let stub = Stub::new(move |asked| match asked.number {
        0 => Reply::Half(b"hello".to_vec()),
        _ => Reply::Whole(200, hash("XUFAKrxLKna5cZ2REBfFkg=="), b"hello".to_vec()),
    });
    assert_eq!(download(&stub).status, Status::Changed);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "hello");
    assert_eq!(stub.asked()[1].query("alt"), Some("media"));
    assert_eq!(download(&stub).status, Status::Ok);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
