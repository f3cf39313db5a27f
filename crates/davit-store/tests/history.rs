//! The history as other processes see it: killed writers, several at once, broken files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use davit_event::{Counts, End, Event, Kind, Reply, Sink, Status};
use davit_store::{Error, Keep, RunStatus, Store};
use tempfile::TempDir;

const CHILD: &str = "DAVIT_STORE_TEST_CHILD";

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state/runs.db");
    (folder, path)
}

fn started() -> Kind {
    Kind::RunStarted {
        run: String::new(),
        playbooks: vec!["site.yml".to_owned()],
        check: false,
        diff: false,
        command: vec!["davit".to_owned(), "run".to_owned(), "site.yml".to_owned()],
        folder: "/srv".to_owned(),
    }
}

fn task(task: u32) -> Kind {
    Kind::TaskStarted {
        task,
        name: format!("task {task}"),
        action: "debug".to_owned(),
        path: "site.yml:3:5".to_owned(),
        handler: false,
        check: false,
        diff: false,
        args: String::new(),
    }
}

fn done(task: u32, host: &str) -> Kind {
    let mut reply = Reply::new();
    reply.insert("msg".to_owned(), "é".repeat(300).into());
    let end = End { status: Status::Changed, reply, ..End::default() };
    Kind::HostDone { task, host: host.to_owned(), end, ms: 1 }
}

fn finished(counts: Counts, interrupted: bool) -> Kind {
    let stats = BTreeMap::from([("a".to_owned(), counts), ("b".to_owned(), counts)]);
    Kind::RunFinished { stats, order: Vec::new(), custom: BTreeMap::new(), interrupted }
}

fn record(store: &Store, kinds: Vec<Kind>) -> (String, Vec<Event>) {
    let id = store.begin().expect("an id");
    let mut sink = store.sink(&id).expect("a sink");
    let events: Vec<Event> = (0..)
        .zip(kinds)
        .map(|(seq, kind)| Event { seq, at_ms: 1_800_000_000_000 + seq, kind })
        .collect();
    for event in &events {
        sink.accept(event).expect("accepted");
    }
    (id, events)
}

#[test]
fn a_run_reads_back_as_it_was() {
    let (_folder, path) = place();
    let store = Store::open(&path).expect("opens");
    let counts = Counts { ok: 3, changed: 1, ..Counts::default() };
    let (id, events) =
        record(&store, vec![started(), task(0), done(0, "a"), finished(counts, false)]);

    assert_eq!(store.events(&id).expect("events"), events);
    assert_eq!(store.events_from(&id, 2, 1).expect("events"), events[2..3]);
    let run = store.run(&id[..6]).expect("found by prefix");
    assert_eq!((run.status, run.hosts, run.counts.ok), (RunStatus::Ok, 2, 6));
    assert_eq!((run.started_ms, run.ended_ms), (1_800_000_000_000, Some(1_800_000_000_003)));
    assert_eq!(run.playbooks, ["site.yml"]);
    assert_eq!(store.run("last").expect("last").id, id);
    assert!(matches!(store.run("zz"), Err(Error::NoRun(_))));
}

#[test]
fn a_run_ends_ok_failed_or_interrupted() {
    let (_folder, path) = place();
    let store = Store::open(&path).expect("opens");
    let failed = Counts { unreachable: 1, ..Counts::default() };
    let ignored = Counts { ignored: 1, ..Counts::default() };
    for (counts, interrupted, expect) in [
        (failed, false, RunStatus::Failed),
        (ignored, false, RunStatus::Ok),
        (Counts::default(), true, RunStatus::Interrupted),
    ] {
        let (id, _) = record(&store, vec![started(), finished(counts, interrupted)]);
        assert_eq!(store.run(&id).expect("run").status, expect);
    }
    assert_eq!(store.runs(2).expect("runs").len(), 2);
}

#[test]
fn pruning_keeps_the_newest_and_what_runs() {
    let (_folder, path) = place();
    let store = Store::open(&path).expect("opens");
    let running = store.begin().expect("an id");
    let ids: Vec<String> = (0..4)
        .map(|_| record(&store, vec![started(), finished(Counts::default(), false)]).0)
        .collect();
    assert_eq!(store.prune(Keep { newest: Some(2), since_ms: None }).expect("pruned"), 2);
    let left: Vec<String> = store.runs(10).expect("runs").into_iter().map(|run| run.id).collect();
    assert_eq!(left, [ids[3].clone(), ids[2].clone(), running.clone()]);
    assert!(matches!(store.delete(&running), Err(Error::StillRunning(_))));
    store.delete(&ids[3]).expect("deleted");
    assert!(matches!(store.events(&ids[3]), Err(Error::NoRun(_))));
}

#[test]
fn what_a_discarded_run_left_behind_is_in_nobodys_way() {
    let (_folder, path) = place();
    let store = Store::open(&path).expect("opens");
    let id = store.begin().expect("an id");
    let mut late = store.sink(&id).expect("a sink");
    // It is forgotten while it is still written down.
    store.discard(&id).expect("discarded");
    let kind = Kind::NoHostsMatched;
    late.accept(&Event { seq: 0, at_ms: 1, kind }).expect("accepted");
    drop(late);
    let (next, events) = record(&store, vec![started(), task(1), done(1, "a")]);
    assert_eq!(store.events(&next).expect("events"), events);
}

#[test]
fn a_history_that_cannot_be_used_says_why() {
    let (folder, path) = place();
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(&path, "this is not a database, but long enough to be taken for one".repeat(100))
        .expect("written");
    assert!(matches!(Store::open(&path), Err(Error::Corrupt { .. })));
    assert!(matches!(Store::open_to_read(&path), Err(Error::Corrupt { .. })));
    assert!(matches!(Store::open(folder.path()), Err(Error::Unwritable { .. })));
    let under_a_file = path.join("runs.db");
    assert!(matches!(Store::open(&under_a_file), Err(Error::Unwritable { .. })));
    let missing = folder.path().join("none.db");
    assert!(matches!(Store::open_to_read(&missing), Err(Error::Unwritable { .. })));
}

#[test]
fn a_file_of_a_newer_davit_is_left_alone() {
    let (_folder, path) = place();
    drop(Store::open(&path).expect("opens"));
    let db = rusqlite::Connection::open(&path).expect("opens");
    db.pragma_update(None, "user_version", 99).expect("set");
    assert!(matches!(Store::open(&path), Err(Error::Newer { found: 99, .. })));
}

/// As the first version made it.
const FIRST: &str = "
    CREATE TABLE runs (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, started INTEGER NOT NULL, ended INTEGER,
        playbooks TEXT NOT NULL DEFAULT '[]', command TEXT NOT NULL DEFAULT '[]',
        folder TEXT NOT NULL DEFAULT '', checked INTEGER NOT NULL DEFAULT 0,
        status TEXT NOT NULL DEFAULT 'running', process TEXT NOT NULL DEFAULT '',
        hosts INTEGER NOT NULL DEFAULT 0, counts TEXT NOT NULL DEFAULT '{}'
    ) STRICT;
    CREATE TABLE events (
        run INTEGER NOT NULL REFERENCES runs (number) ON DELETE CASCADE, seq INTEGER NOT NULL,
        at INTEGER NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO runs (number, id, started, status) VALUES (1, 'old', 5, 'ok'), (2, 'late', 6, 'ok');
    PRAGMA user_version = 1;
";

#[test]
fn a_history_of_the_first_version_is_read_and_deleted_from() {
    let (_folder, path) = place();
    fs::create_dir(path.parent().expect("a folder")).expect("made");
    let db = rusqlite::Connection::open(&path).expect("opens");
    db.execute_batch(FIRST).expect("made");
    let kind = serde_json::to_string(&started()).expect("text");
    for (run, seq) in [(1, 0), (1, 1), (2, 0)] {
        db.execute("INSERT INTO events VALUES (?1, ?2, 7, ?3)", rusqlite::params![run, seq, kind])
            .expect("a row");
    }
    drop(db);
    let reader = Store::open_to_read(&path).expect("opens");
    let events: Vec<Event> = [0, 1].map(|seq| Event { seq, at_ms: 7, kind: started() }).into();
    assert_eq!(reader.events("old").expect("events"), events);
    let store = Store::open(&path).expect("opens");
    store.delete("old").expect("deleted");
    assert!(matches!(store.events("old"), Err(Error::NoRun(_))));
    assert_eq!(store.events("late").expect("events"), events[..1]);
    let left: u32 = rusqlite::Connection::open(&path)
        .and_then(|it| it.query_row("SELECT count(*) FROM log", [], |row| row.get(0)))
        .expect("a count");
    assert_eq!(left, 1);
}

#[test]
fn a_sink_whose_file_is_gone_bad_fails_and_does_not_hang() {
    let (_folder, path) = place();
    let store = Store::open(&path).expect("opens");
    let id = store.begin().expect("an id");
    let mut sink = store.sink(&id).expect("a sink");
    let db = rusqlite::Connection::open(&path).expect("opens");
    db.execute_batch("DROP TABLE log").expect("dropped");
    let failed = (0..3).any(|seq| sink.accept(&Event { seq, at_ms: 0, kind: started() }).is_err());
    assert!(failed);
}

fn child(path: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child")
}

/// Not a test of its own: the process that the next test kills.
#[test]
#[ignore = "run by the tests that kill it"]
fn writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let store = Store::open(Path::new(&path)).expect("opens");
    let id = store.begin().expect("an id");
    let mut sink = store.sink(&id).expect("a sink");
    let mut seq = 0;
    let mut put = |kind| {
        sink.accept(&Event { seq, at_ms: seq, kind }).expect("accepted");
        seq += 1;
    };
    put(started());
    for number in 0.. {
        put(task(number));
        // Whoever reads this line may rely on the task before it.
        let line = format!("\nat {id} {number}\n");
        std::io::stdout().write_all(line.as_bytes()).expect("a reader");
        for host in ["a", "b", "c"] {
            put(done(number, host));
        }
    }
}

#[test]
fn a_killed_writer_leaves_a_gapless_prefix() {
    let (_folder, path) = place();
    for round in 0..6_u32 {
        let mut writer = child(&path);
        let lines = BufReader::new(writer.stdout.take().expect("its output")).lines();
        let mut last = None;
        for line in lines.map_while(Result::ok) {
            let Some((id, number)) = line.strip_prefix("at ").and_then(|rest| rest.split_once(' '))
            else {
                continue;
            };
            let number: u32 = number.parse().expect("a number");
            last = Some((id.to_owned(), number));
            if number == 20 * round + 1 {
                writer.kill().expect("killed");
            }
        }
        writer.wait().expect("gone");
        let (id, number) = last.expect("it wrote something");

        let store = Store::open(&path).expect("opens");
        assert_eq!(store.run(&id).expect("run").status, RunStatus::CutOff);
        let events = store.events(&id).expect("readable");
        assert!(events.iter().enumerate().all(|(place, event)| event.seq == place as u64));
        let done =
            events.iter().filter(|event| matches!(event.kind, Kind::HostDone { .. })).count();
        assert!(done as u32 >= 3 * number, "{done} results of {number} tasks");
    }
    let db = rusqlite::Connection::open(&path).expect("opens");
    let verdict: String =
        db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked");
    assert_eq!(verdict, "ok");
}

#[test]
fn several_processes_write_while_others_read() {
    let (_folder, path) = place();
    let mut writers: Vec<Child> = (0..3).map(|_| child(&path)).collect();
    let mut seen = 0;
    for _ in 0..500 {
        std::thread::sleep(std::time::Duration::from_millis(20));
        let Ok(reader) = Store::open_to_read(&path) else { continue };
        let runs = reader.runs(10).expect("readable");
        seen =
            runs.iter().filter(|run| reader.events(&run.id).expect("readable").len() > 50).count();
        if seen == 3 {
            assert!(runs.iter().all(|run| run.status == RunStatus::Running));
            break;
        }
    }
    for writer in &mut writers {
        writer.kill().expect("killed");
        writer.wait().expect("gone");
    }
    assert_eq!(seen, 3);
}

#[test]
fn twenty_thousand_events_take_little_time() {
    let (_folder, path) = place();
    let store = Store::open(&path).expect("opens");
    let begin = std::time::Instant::now();
    let kinds = (0..5_000)
        .flat_map(|number| [task(number), done(number, "a"), done(number, "b"), done(number, "c")])
        .collect();
    let (id, _) = record(&store, kinds);
    let took = begin.elapsed();
    assert_eq!(store.events(&id).expect("events").len(), 20_000);
    assert!(took.as_secs() < 10, "{took:?}: at least 2,000 events a second on any machine");
}
