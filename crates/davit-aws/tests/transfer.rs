//! Objects to files and back, also where lines break, files change and disks are full.

use std::{
    fs, io,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use davit_aws::{
    Client, Error, Value,
    checksum::When,
    client::Options,
    connection::{self, Pieces, Pool},
    transfer::{Known, Object, Settings, Transfer},
    value::Map,
};
use futures_util::stream;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::{
    moto::{Moto, REGION, keys, map, runtime},
    stub::{Asked, Reply, Stub},
};

const MIB: u64 = 1 << 20;
const PART: u64 = 5 * MIB;

/// What is sent and fetched: bytes that say where they stand.
fn content(size: u64) -> Vec<u8> {
    (0..size).map(|it| (it % 251 + it / 251 % 13) as u8).collect()
}

fn settings(resume: bool) -> Settings {
    // One part after the other, so that it is known which was the last.
    let patience = Duration::from_millis(10);
    Settings { threshold: PART, part: PART, parallel: 1, resume, patience, ..Settings::default() }
}

fn client(url: &str) -> Client {
    let mut options = Options::new(Arc::new(keys("AKID", "secret")));
    options.endpoint.endpoint_url = Some(url.to_owned());
    options.endpoint.region = Some(REGION.to_owned());
    options.pool = Arc::new(Pool::new(connection::Options {
        read_timeout: Duration::from_secs(20),
        ..connection::Options::default()
    }));
    Client::new(options)
}

fn bucket(runtime: &Runtime, client: &Client) {
    let params =
        json!({"Bucket": "box", "CreateBucketConfiguration": {"LocationConstraint": REGION}});
    runtime.block_on(client.call("s3", "CreateBucket", map(params))).expect("a bucket");
}

fn put(runtime: &Runtime, client: &Client, key: &str, body: Vec<u8>) {
    let mut params = map(json!({"Bucket": "box", "Key": key}));
    params.insert("Body".to_owned(), Value::Blob(body.into()));
    runtime.block_on(client.call("s3", "PutObject", params)).expect("an object");
}

fn get(runtime: &Runtime, client: &Client, key: &str) -> Option<Vec<u8>> {
    let params = map(json!({"Bucket": "box", "Key": key}));
    match runtime.block_on(client.call("s3", "GetObject", params)) {
        Ok(output) => match output.get("Body") {
            Some(Value::Blob(body)) => Some(body.to_vec()),
            other => panic!("{other:?}"),
        },
        Err(error) => {
            assert_eq!(error.code(), Some("NoSuchKey"), "{}", error.chain());
            None
        }
    }
}

/// How many uploads in parts are begun and not ended.
fn begun(runtime: &Runtime, client: &Client) -> usize {
    let listed =
        runtime.block_on(client.all("s3", "ListMultipartUploads", map(json!({"Bucket": "box"}))));
    listed.expect("a list").get("Uploads").map_or(0, |it| it.items().len())
}

fn names(folder: &Path) -> Vec<String> {
    let all = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        all.map(|it| it.expect("one").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The numbers of the parts that were sent.
fn parts_sent(asked: &[Asked]) -> Vec<u64> {
    let parts = asked.iter().filter(|it| it.method == "PUT").filter_map(|it| {
        let (_, rest) = it.target.split_once("partNumber=")?;
        rest.split('&').next()?.parse().ok()
    });
    parts.collect()
}

/// The parts that were fetched.
fn ranges(asked: &[Asked]) -> Vec<String> {
    let all = asked.iter().filter(|it| it.method == "GET");
    all.filter_map(|it| it.headers.get("range").map(str::to_owned)).collect()
}

fn pieces(bytes: &[u8]) -> Vec<io::Result<Bytes>> {
    bytes.chunks(99_999).map(|it| Ok(Bytes::copy_from_slice(it))).collect()
}

fn upload_stream(
    runtime: &Runtime,
    transfer: &Transfer,
    pieces: Vec<io::Result<Bytes>>,
    key: &str,
) -> Result<(), Error> {
    let (pieces, to) = (Pieces::new(stream::iter(pieces)), Object::new("box", key));
    runtime.block_on(transfer.upload_stream(pieces, &to, &Map::new()))
}

#[test]
fn files_of_all_sizes_go_over_and_come_back() {
    let moto = Moto::start();
    let runtime = runtime();
    let stub = Stub::before(&moto.url, |_| None);
    let one = client(&stub.url);
    bucket(&runtime, &one);
    let folder = tempfile::tempdir().expect("a folder");
    let extra = map(json!({"ContentType": "a/b", "Metadata": {"k": "v"}}));
    for (size, parts) in [(0, 0), (10, 0), (PART - 1, 0), (PART, 1), (PART + 1, 2), (20 * MIB, 4)] {
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, content(size)).expect("a file");
        let moved = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&moved);
        let progress = Arc::new(move |bytes| {
            counted.fetch_add(bytes, Ordering::SeqCst);
        });
        let settings = Settings { parallel: 3, ..settings(false) }.telling(progress);
        let transfer = Transfer::new(one.clone(), settings);
        let object = Object::new("box", &format!("of/{size}"));
        let before = stub.asked().len();
        runtime.block_on(transfer.upload(&from, &object, &extra)).expect("it goes over");
        assert_eq!(moved.swap(0, Ordering::SeqCst), size);
        assert_eq!(parts_sent(&stub.asked()[before..]).len(), parts, "{size}");
        let head =
            runtime.block_on(transfer.download(&object, &to, &Map::new())).expect("it comes");
        assert_eq!(moved.swap(0, Ordering::SeqCst), size);
        assert!(fs::read(&to).expect("a file") == content(size), "{size}");
        assert_eq!(head.get("ContentType").and_then(Value::as_str), Some("a/b"));
        assert_eq!(head.get("Metadata"), Some(&Value::Map(map(json!({"k": "v"})))));
        assert_eq!(ranges(&stub.asked()[before..]).len(), parts, "{size}");
        let mut read = Vec::new();
        let add = |bytes: &[u8]| -> io::Result<()> {
            read.extend_from_slice(bytes);
            Ok(())
        };
        runtime.block_on(transfer.stream(&object, &Map::new(), add)).expect("it comes");
        assert!(read == content(size), "{size}");
    }
    assert_eq!(names(folder.path()), ["from", "to"]);
    assert_eq!(begun(&runtime, &one), 0);
}

#[test]
fn over_tls_checksums_go_along() {
    let moto = Moto::over_tls();
    let runtime = runtime();
    let mut options = moto.client().options().clone();
    options.request_checksums = Some(When::Supported);
    options.response_checksums = Some(When::Supported);
    let one = Client::new(options);
    bucket(&runtime, &one);
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    let transfer = Transfer::new(one.clone(), Settings { parallel: 3, ..settings(false) });
    for size in [0, 100_000, PART * 2 + 7] {
        fs::write(&from, content(size)).expect("a file");
        let object = Object::new("box", &format!("of/{size}"));
        runtime.block_on(transfer.upload(&from, &object, &Map::new())).expect("it goes over");
        runtime.block_on(transfer.download(&object, &to, &Map::new())).expect("it comes");
        assert!(fs::read(&to).expect("a file") == content(size), "{size}");
    }
    let pieces = pieces(&content(PART + 9));
    upload_stream(&runtime, &transfer, pieces, "stream").expect("it goes over");
    assert!(get(&runtime, &one, "stream").expect("there") == content(PART + 9));
}

#[test]
fn streams_of_unknown_length_go_in_parts() {
    let moto = Moto::start();
    let runtime = runtime();
    let stub = Stub::before(&moto.url, |_| None);
    let one = client(&stub.url);
    bucket(&runtime, &one);
    let transfer = Transfer::new(one.clone(), Settings { parallel: 2, ..settings(false) });
    for (size, parts) in [(0, 0), (7, 0), (PART, 1), (PART * 2 + 3, 3)] {
        let before = stub.asked().len();
        let bytes = content(size);
        upload_stream(&runtime, &transfer, pieces(&bytes), "k").expect("it goes over");
        assert_eq!(parts_sent(&stub.asked()[before..]).len(), parts, "{size}");
        assert!(get(&runtime, &one, "k").expect("there") == bytes, "{size}");
    }
    // One that breaks off leaves nothing.
    let mut pieces = pieces(&content(PART + 5));
    pieces.push(Err(io::Error::other("the pipe broke")));
    let error = upload_stream(&runtime, &transfer, pieces, "broken").expect_err("it broke").chain();
    assert_eq!(error, "the body to be sent cannot be read: the pipe broke");
    assert_eq!((get(&runtime, &one, "broken"), begun(&runtime, &one)), (None, 0));
}

/// Settings that count how often it is told that something is tried again.
fn noticing() -> (Settings, Arc<AtomicUsize>) {
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let notice = Arc::new(move |_: &Error| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    (Settings { notice, ..settings(false) }, told)
}

#[test]
fn a_server_that_is_away_for_a_moment_is_waited_for() {
    let moto = Moto::start();
    let runtime = runtime();
    let away = Arc::new(AtomicUsize::new(0));
    let left = Arc::clone(&away);
    let stub = Stub::before(&moto.url, move |asked| {
        let second = asked.target.contains("partNumber=2")
            || asked.header("range").starts_with(&format!("bytes={PART}-"));
        let one_less = |it: usize| it.checked_sub(1);
        let order = Ordering::SeqCst;
        let number = second.then(|| left.fetch_update(order, order, one_less).ok()).flatten()?;
        Some(if number % 2 == 0 { Reply::reset() } else { Reply::new(503, &[], "") })
    });
    let one = client(&stub.url);
    bucket(&runtime, &one);
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    fs::write(&from, content(PART * 2 + 1)).expect("a file");
    let (object, none) = (Object::new("box", "k"), Map::new());
    // A client makes three attempts, and a transfer four calls.
    for (faults, comes) in [(3, true), (7, true), (11, true), (1_000, false)] {
        let (settings, told) = noticing();
        let transfer = Transfer::new(one.clone(), settings);
        away.store(faults, Ordering::SeqCst);
        let outcome = runtime.block_on(transfer.upload(&from, &object, &none));
        assert_eq!(outcome.is_ok(), comes, "{faults}: {outcome:?}");
        assert_eq!(told.load(Ordering::SeqCst), 1, "{faults}");
        assert_eq!(begun(&runtime, &one), 0, "{faults}");
        if !comes {
            assert_eq!(away.load(Ordering::SeqCst), faults - 12);
        }

        let (settings, told) = noticing();
        let transfer = Transfer::new(one.clone(), settings);
        away.store(faults, Ordering::SeqCst);
        let outcome = runtime.block_on(transfer.download(&object, &to, &none));
        assert_eq!(outcome.is_ok(), comes, "{faults}: {outcome:?}");
        assert_eq!(told.load(Ordering::SeqCst), 1, "{faults}");
        assert!(fs::read(&to).expect("a file") == content(PART * 2 + 1), "{faults}");
        away.store(0, Ordering::SeqCst);
    }
    assert_eq!(names(folder.path()), ["from", "to"]);
}

#[test]
fn a_server_that_never_answered_is_not_waited_for() {
    let stub = Stub::new(|_| Reply::reset());
    let folder = tempfile::tempdir().expect("a folder");
    let from = folder.path().join("from");
    fs::write(&from, "small").expect("a file");
    let (settings, told) = noticing();
    let transfer = Transfer::new(client(&stub.url), settings);
    let outcome = runtime().block_on(transfer.upload(&from, &Object::new("box", "k"), &Map::new()));
    assert!(matches!(outcome, Err(Error::NoAnswer { attempts: 3, .. })), "{outcome:?}");
    assert_eq!((stub.asked().len(), told.load(Ordering::SeqCst)), (3, 0));
}

/// What becomes of an upload whose end was tried twice: the first answer was lost, and then there is no such
/// upload. `head` is what is said of the object.
fn ended_twice(head: Reply, lost: bool) -> (Result<(), Error>, Vec<Asked>) {
    let stub = Stub::new(move |asked| {
        let is_end = asked.method == "POST" && asked.target.contains("uploadId=");
        match asked.method.as_str() {
            "HEAD" => head.clone(),
            "PUT" => Reply::new(200, &[("etag", "\"d41d8cd98f00b204e9800998ecf8427e\"")], ""),
            "POST" if is_end && lost && asked.header("amz-sdk-request").contains("attempt=1;") => {
                Reply::ok("<CompleteMultipartUploadResult>").cut(20)
            }
            "POST" if is_end => Reply::xml_error(404, "NoSuchUpload", ""),
            "POST" => Reply::ok("<R><UploadId>u</UploadId></R>"),
            _ => Reply::new(204, &[], ""),
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let from = folder.path().join("from");
    fs::write(&from, content(PART)).expect("a file");
    let transfer = Transfer::new(client(&stub.url), settings(false));
    let outcome = runtime().block_on(transfer.upload(&from, &Object::new("box", "k"), &Map::new()));
    (outcome, stub.asked())
}

#[test]
fn an_upload_whose_end_was_not_heard_of_is_looked_for() {
    let of_parts = "\"59adb24ef3cdbe0297f05b395827453f-1\"";
    let (now, before) = ("Thu, 01 Jan 2026 00:10:00 GMT", "Thu, 01 Jan 2026 00:00:00 GMT");
    let length = PART.to_string();
    let head = |tag: &str, length: &str, modified: &str| {
        let headers =
            [("date", now), ("last-modified", modified), ("etag", tag), ("content-length", length)];
        Reply::new(200, &headers, "")
    };
    for (name, head, lost, done) in [
        ("its tag", head(of_parts, &length, before), true, true),
        ("new and as long", head("\"x\"", &length, now), true, true),
        ("old", head("\"x\"", &length, before), true, false),
        ("of another length", head("\"x\"", "7", now), true, false),
        ("not there", Reply::new(404, &[], ""), true, false),
        ("nothing was lost", head(of_parts, &length, now), false, false),
    ] {
        let (outcome, asked) = ended_twice(head, lost);
        match outcome {
            Ok(()) => assert!(done, "{name}"),
            Err(error) => {
                assert_eq!((error.code(), done), (Some("NoSuchUpload"), false), "{name}");
            }
        }
        assert_eq!(asked.iter().any(|it| it.method == "HEAD"), lost, "{name}");
        assert_eq!(asked.iter().any(|it| it.method == "DELETE"), !done, "{name}");
    }
}

/// Says no to what fits, as long as it is on.
fn denying(
    moto: &Moto,
    on: &Arc<AtomicBool>,
    fits: impl Fn(&Asked) -> bool + Send + Sync + 'static,
) -> Stub {
    let on = Arc::clone(on);
    Stub::before(&moto.url, move |asked| {
        let no = || Reply::xml_error(403, "AccessDenied", "");
        (on.load(Ordering::SeqCst) && fits(asked)).then(no)
    })
}

#[test]
fn uploads_that_fail_are_taken_back_or_gone_on_with() {
    let moto = Moto::start();
    let runtime = runtime();
    let on = Arc::new(AtomicBool::new(true));
    let stub = denying(&moto, &on, |it| it.target.contains("partNumber=3"));
    let one = client(&stub.url);
    bucket(&runtime, &one);
    let folder = tempfile::tempdir().expect("a folder");
    let from = folder.path().join("from");
    let mut bytes = content(PART * 4 + 1);
    fs::write(&from, &bytes).expect("a file");
    let object = Object::new("box", "k");
    let upload = |resume| {
        let transfer = Transfer::new(one.clone(), settings(resume));
        let before = stub.asked().len();
        let outcome = runtime.block_on(transfer.upload(&from, &object, &Map::new()));
        (outcome, parts_sent(&stub.asked()[before..]))
    };
    let (outcome, sent) = upload(false);
    assert_eq!((outcome.expect_err("no").code(), sent), (Some("AccessDenied"), vec![1, 2, 3]));
    assert_eq!((get(&runtime, &one, "k"), begun(&runtime, &one)), (None, 0));

    let (outcome, sent) = upload(true);
    assert_eq!((outcome.expect_err("no").code(), sent), (Some("AccessDenied"), vec![1, 2, 3]));
    assert_eq!(begun(&runtime, &one), 1);
    on.store(false, Ordering::SeqCst);
    // What was changed meanwhile goes once more.
    bytes[7] ^= 1;
    fs::write(&from, &bytes).expect("a file");
    let (outcome, sent) = upload(true);
    outcome.expect("then");
    assert_eq!(sent, [1, 3, 4, 5]);
    assert!(get(&runtime, &one, "k").expect("there") == bytes);
    assert_eq!(begun(&runtime, &one), 0);
}

#[test]
fn uploads_that_cannot_be_ended_are_taken_back() {
    let moto = Moto::start();
    let runtime = runtime();
    let on = Arc::new(AtomicBool::new(true));
    let stub = denying(&moto, &on, |it| it.method == "POST" && it.target.contains("uploadId="));
    let one = client(&stub.url);
    bucket(&runtime, &one);
    let folder = tempfile::tempdir().expect("a folder");
    let from = folder.path().join("from");
    fs::write(&from, content(PART)).expect("a file");
    let transfer = Transfer::new(one.clone(), settings(false));
    let outcome = runtime.block_on(transfer.upload(&from, &Object::new("box", "k"), &Map::new()));
    assert_eq!(outcome.expect_err("no").code(), Some("AccessDenied"));
    assert_eq!((get(&runtime, &one, "k"), begun(&runtime, &one)), (None, 0));
}

#[test]
fn uploads_that_nobody_waits_for_are_taken_back() {
    let moto = Moto::start();
    let runtime = runtime();
    let stub = Arc::new(Stub::before(&moto.url, |asked| {
        asked.target.contains("partNumber=2").then(Reply::nothing)
    }));
    let one = client(&stub.url);
    bucket(&runtime, &one);
    let folder = tempfile::tempdir().expect("a folder");
    let from = folder.path().join("from");
    fs::write(&from, content(PART * 2)).expect("a file");
    for (resume, left) in [(false, 0), (true, 1)] {
        let transfer = Transfer::new(one.clone(), settings(resume));
        let before = stub.asked().len();
        runtime.block_on(async {
            let (object, none) = (Object::new("box", "k"), Map::new());
            let upload = transfer.upload(&from, &object, &none);
            let waiting = Arc::clone(&stub);
            // The upload is begun (or looked for and begun), and two parts are on their way.
            let asked = before + if resume { 4 } else { 3 };
            let came = tokio::task::spawn_blocking(move || waiting.wait_asked(asked));
            tokio::select! {
                _ = upload => panic!("it never ends"),
                came = came => came.expect("it came"),
            }
            transfer.take_back().await;
        });
        assert_eq!((get(&runtime, &one, "k"), begun(&runtime, &one)), (None, left), "{resume}");
    }
}

#[test]
fn what_is_known_is_not_asked_for_again() {
    let stub = Stub::new(|asked| match asked.method.as_str() {
        "GET" => Reply::new(200, &[("etag", "\"e\"")], "hello"),
        _ => Reply::ok("<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>"),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("to");
    let transfer = Transfer::new(client(&stub.url), settings(false));
    let (from, none) = (Object::new("box", "k"), Map::new());
    let about = Known { size: 5, etag: Some("\"e\"".to_owned()) };
    runtime().block_on(async {
        transfer.download_known(&from, &to, &none, &about).await.expect("it comes");
        transfer.copy_known(&from, &Object::new("box", "l"), &none, 5).await.expect("it is copied");
        let other = Known { etag: Some("\"f\"".to_owned()), ..about };
        let changed = transfer.download_known(&from, &to, &none, &other).await;
        assert!(matches!(changed, Err(Error::Changed { .. })), "{changed:?}");
    });
    assert_eq!(fs::read(&to).expect("a file"), b"hello");
    assert_eq!(names(folder.path()), ["to"]);
    let asked = stub.asked();
    let methods: Vec<_> = asked.iter().map(|it| it.method.as_str()).collect();
    assert_eq!(methods, ["GET", "PUT", "GET"]);
    assert_eq!(asked[0].header("if-match"), "\"e\"");
}

#[test]
fn files_that_change_while_they_are_sent_are_told() {
    let moto = Moto::start();
    let runtime = runtime();
    let folder = tempfile::tempdir().expect("a folder");
    let from = folder.path().join("from");
    let path = from.clone();
    let stub = Stub::before(&moto.url, move |asked| {
        if asked.target.contains("partNumber=2") || asked.target.ends_with("/small") {
            let mut bytes = fs::read(&path).expect("a file");
            bytes[0] ^= 1;
            fs::write(&path, bytes).expect("a file");
        }
        None
    });
    let one = client(&stub.url);
    bucket(&runtime, &one);
    let transfer = Transfer::new(one.clone(), settings(false));
    for (key, size) in [("large", PART * 3), ("small", 100)] {
        fs::write(&from, content(size)).expect("a file");
        let outcome =
            runtime.block_on(transfer.upload(&from, &Object::new("box", key), &Map::new()));
        let error = outcome.expect_err("it changed");
        assert!(matches!(error, Error::Changed { .. }), "{}", error.chain());
        assert!(error.to_string().contains("changed while it was sent"), "{error}");
    }
    // One that becomes shorter too.
    fs::write(&from, content(PART * 3)).expect("a file");
    let path = from.clone();
    let shorter = Stub::before(&moto.url, move |asked| {
        if asked.target.contains("partNumber=2") {
            fs::write(&path, "short").expect("a file");
        }
        None
    });
    let transfer = Transfer::new(client(&shorter.url), settings(false));
    let outcome =
        runtime.block_on(transfer.upload(&from, &Object::new("box", "large"), &Map::new()));
    let error = outcome.expect_err("it is short").chain();
    assert!(error.contains("the file is shorter than it was"), "{error}");
    assert_eq!((get(&runtime, &one, "large"), begun(&runtime, &one)), (None, 0));
    let gone = runtime.block_on(transfer.upload(
        &folder.path().join("none"),
        &Object::new("box", "k"),
        &Map::new(),
    ));
    let gone = gone.expect_err("no file").chain();
    assert!(
        gone.ends_with("/none cannot be read: No such file or directory (os error 2)"),
        "{gone}"
    );
}

#[test]
fn downloads_that_fail_leave_nothing_or_are_gone_on_with() {
    let moto = Moto::start();
    let runtime = runtime();
    let on = Arc::new(AtomicBool::new(true));
    let third = format!("bytes={}-{}", PART * 2, PART * 3 - 1);
    let wanted = third.clone();
    let stub = denying(&moto, &on, move |it| it.header("range") == wanted);
    let one = client(&stub.url);
    bucket(&runtime, &one);
    let bytes = content(PART * 4 + 1);
    put(&runtime, &one, "k", bytes.clone());
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("to");
    fs::write(&to, "before").expect("a file");
    let download = |resume| {
        let transfer = Transfer::new(one.clone(), settings(resume));
        let before = stub.asked().len();
        let outcome =
            runtime.block_on(transfer.download(&Object::new("box", "k"), &to, &Map::new()));
        (outcome.map(|_| ()), ranges(&stub.asked()[before..]))
    };
    for (resume, left) in
        [(false, vec!["to"]), (true, vec![".to.davit-part", ".to.davit-state", "to"])]
    {
        let (outcome, ranges) = download(resume);
        assert_eq!((outcome.expect_err("no").code(), ranges.len()), (Some("AccessDenied"), 3));
        assert_eq!(names(folder.path()), left);
        assert_eq!(fs::read(&to).expect("a file"), b"before");
    }
    on.store(false, Ordering::SeqCst);
    let (outcome, ranges) = download(true);
    outcome.expect("then");
    assert_eq!((ranges.len(), &ranges[0]), (3, &third));
    assert!(fs::read(&to).expect("a file") == bytes);
    assert_eq!(names(folder.path()), ["to"]);

    // Parts of another object are not gone on with.
    on.store(true, Ordering::SeqCst);
    download(true).0.expect_err("no");
    let mut other = bytes;
    other[0] ^= 1;
    put(&runtime, &one, "k", other.clone());
    on.store(false, Ordering::SeqCst);
    let (outcome, ranges) = download(true);
    outcome.expect("then");
    assert_eq!(ranges.len(), 5);
    assert!(fs::read(&to).expect("a file") == other);
    assert_eq!(names(folder.path()), ["to"]);
}

#[test]
fn bodies_that_break_off_are_fetched_again() {
    let moto = Moto::start();
    let runtime = runtime();
    let broken = Arc::new(Mutex::new(0));
    let count = Arc::clone(&broken);
    let server = moto.url.clone();
    let direct = client(&moto.url);
    bucket(&runtime, &direct);
    let stub = Stub::before(&moto.url, move |asked| {
        let mut count = count.lock().expect("no panic");
        if asked.method != "GET" || *count == 0 {
            return None;
        }
        *count -= 1;
        let reply = crate::stub::forward(server.split_once("://")?.1, asked).ok()?;
        Some(if *count % 2 == 0 { reply.cut(90_000) } else { reply.cut_by_reset(1_000) })
    });
    let one = client(&stub.url);
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("to");
    for (size, times) in [(200_000, 2), (PART + 200_000, 3)] {
        put(&runtime, &direct, "k", content(size));
        let transfer = Transfer::new(one.clone(), settings(false));
        *broken.lock().expect("no panic") = times;
        runtime
            .block_on(transfer.download(&Object::new("box", "k"), &to, &Map::new()))
            .expect("then");
        assert!(fs::read(&to).expect("a file") == content(size));
        *broken.lock().expect("no panic") = times;
        let mut read = Vec::new();
        let before = stub.asked().len();
        let add = |bytes: &[u8]| -> io::Result<()> {
            read.extend_from_slice(bytes);
            Ok(())
        };
        runtime
            .block_on(transfer.stream(&Object::new("box", "k"), &Map::new(), add))
            .expect("then");
        assert!(read == content(size));
        let rest = ranges(&stub.asked()[before..]);
        assert!(!rest.is_empty() && rest.iter().all(|it| !it.starts_with("bytes=0-")), "{rest:?}");
        // Those that break off for ever are given up.
        *broken.lock().expect("no panic") = 1_000;
        fs::write(&to, "before").expect("a file");
        let outcome =
            runtime.block_on(transfer.download(&Object::new("box", "k"), &to, &Map::new()));
        let error = outcome.expect_err("never").chain();
        assert!(error.contains("the connection to localhost"), "{error}");
        assert_eq!(fs::read(&to).expect("a file"), b"before");
        assert_eq!(names(folder.path()), ["to"]);
        *broken.lock().expect("no panic") = 0;
    }
}

#[test]
fn objects_that_change_while_they_are_fetched_are_told() {
    let moto = Moto::start();
    let runtime = runtime();
    let direct = client(&moto.url);
    bucket(&runtime, &direct);
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("to");
    fs::write(&to, "before").expect("a file");
    // Some servers look at the condition, and others only tell what they give.
    for looks in [true, false] {
        let url = moto.url.clone();
        let stub = Stub::before(&moto.url, move |asked| {
            if !asked.header("range").starts_with(&format!("bytes={PART}-")) {
                return None;
            }
            assert!(asked.header("if-match").starts_with('"'));
            let body = content(PART * 3).into_iter().rev().collect();
            put(&crate::moto::runtime(), &client(&url), "k", body);
            looks.then(|| Reply::xml_error(412, "PreconditionFailed", ""))
        });
        put(&runtime, &direct, "k", content(PART * 3));
        let transfer = Transfer::new(client(&stub.url), settings(false));
        let outcome =
            runtime.block_on(transfer.download(&Object::new("box", "k"), &to, &Map::new()));
        let error = outcome.expect_err("it changed").chain();
        assert!(error.starts_with("s3://box/k changed while it was fetched"), "{error}");
        assert_eq!(names(folder.path()), ["to"]);
        assert_eq!(fs::read(&to).expect("a file"), b"before");
    }
}

/// A disk that is soon full.
struct Small(tempfile::TempDir);

impl Small {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "davit-test"])
            .arg(folder.path())
            .output()
            .expect("mount (util-linux)");
        let said = String::from_utf8_lossy(&mounted.stderr).into_owned();
        assert!(
            mounted.status.success(),
            "a disk that is soon full needs root, who may mount: {said}"
        );
        Self(folder)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn full_disks_are_told_and_kept_clean() {
    let moto = Moto::start();
    let runtime = runtime();
    let one = client(&moto.url);
    bucket(&runtime, &one);
    let disk = Small::new();
    let to = disk.0.path().join("to");
    fs::write(&to, "before").expect("a file");
    for (size, threshold) in [(PART * 3, PART), (PART * 3, PART * 4)] {
        put(&runtime, &one, "k", content(size));
        let transfer = Transfer::new(one.clone(), Settings { threshold, ..settings(false) });
        let outcome =
            runtime.block_on(transfer.download(&Object::new("box", "k"), &to, &Map::new()));
        let error = outcome.expect_err("it is full").chain();
        assert!(error.contains(" cannot be written: No space left on device"), "{error}");
        assert_eq!(names(disk.0.path()), ["to"]);
        assert_eq!(fs::read(&to).expect("a file"), b"before");
    }
    let nowhere = disk.0.path().join("no/such");
    let transfer = Transfer::new(one, settings(false));
    let outcome =
        runtime.block_on(transfer.download(&Object::new("box", "k"), &nowhere, &Map::new()));
    let error = outcome.expect_err("nowhere").chain();
    assert!(error.contains(" cannot be written: No such file or directory"), "{error}");
}

#[test]
fn downloads_that_nobody_waits_for_leave_nothing() {
    let object = |it: &Asked| it.method == "HEAD";
    for size in [1_000, PART * 2] {
        let stub = Arc::new(Stub::new(move |asked| {
            let length = size.to_string();
            let head = Reply::new(200, &[("content-length", &length), ("etag", "\"e\"")], "");
            if object(asked) {
                head
            } else {
                Reply::new(200, &[("content-length", &length)], "some").stops(60)
            }
        }));
        let folder = tempfile::tempdir().expect("a folder");
        let to = folder.path().join("to");
        let transfer = Transfer::new(client(&stub.url), settings(false));
        runtime().block_on(async {
            let from = Object::new("box", "k");
            let none = Map::new();
            let download = transfer.download(&from, &to, &none);
            let waiting = Arc::clone(&stub);
            let came = tokio::task::spawn_blocking(move || waiting.wait_asked(2));
            tokio::select! {
                _ = download => panic!("it never ends"),
                came = came => came.expect("it came"),
            }
        });
        assert_eq!(names(folder.path()), [] as [&str; 0], "{size}");
    }
}

#[test]
fn large_objects_are_copied_in_parts() {
    let size = 6_u64 << 30;
    let stub = Stub::new(move |asked| {
        let length = size.to_string();
        match asked.method.as_str() {
            "HEAD" => Reply::new(
                200,
                &[
                    ("content-length", &length),
                    ("etag", "\"e\""),
                    ("content-type", "a/b"),
                    ("x-amz-meta-k", "v"),
                ],
                "",
            ),
            "POST" if asked.target.ends_with("?uploads") => {
                Reply::ok("<R><UploadId>u</UploadId></R>")
            }
            "PUT" => Reply::ok(
                "<CopyPartResult><ETag>\"p\"</ETag><LastModified>2026-01-01T00:00:00Z</LastModified></CopyPartResult>",
            ),
            _ => Reply::ok(
                "<CompleteMultipartUploadResult><ETag>\"c\"</ETag></CompleteMultipartUploadResult>",
            ),
        }
    });
    let transfer = Transfer::new(client(&stub.url), settings(false));
    let from = Object { version: Some("v1".to_owned()), ..Object::new("a", "k ü") };
    let to = Object::new("box", "to");
    runtime().block_on(transfer.copy(&from, &to, &Map::new())).expect("it is copied");
    let asked = stub.asked();
    assert!(asked[0].target.contains("versionId=v1"), "{}", asked[0].target);
    assert_eq!((asked[1].header("content-type"), asked[1].header("x-amz-meta-k")), ("a/b", "v"));
    let parts: Vec<_> = asked.iter().filter(|it| it.method == "PUT").collect();
    assert_eq!(parts.len(), 12);
    assert_eq!(
        parts[11].header("x-amz-copy-source-range"),
        format!("bytes={}-{}", 11_u64 << 29, size - 1)
    );
    assert_eq!(parts[11].header("x-amz-copy-source"), "a/k%20%C3%BC?versionId=v1");
    assert_eq!(parts[11].header("x-amz-copy-source-if-match"), "\"e\"");
    let end = asked.last().expect("some").text();
    assert_eq!(end.matches("<PartNumber>").count(), 12, "{end}");
    assert!(!end.contains("LastModified"), "{end}");
}
