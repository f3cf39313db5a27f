//! The link against agents that are real, deaf, silent and hostile.

use std::path::Path;
use std::process::Stdio;

use super::*;
use crate::bootstrap::{self, Ended};

/// The agent as it is found, or sent, by a shell of this machine with that cache folder.
struct Agent {
    link: Link,
    pushed: bool,
    child: tokio::process::Child,
}

fn start(run: &str) -> Start {
    Start {
        wire: VERSION,
        version: "test".into(),
        run: run.into(),
        host: "host".into(),
        dry_run: false,
        keep: false,
        beat_ms: 5000,
        silence_ms: 20_000,
    }
}

async fn shell(
    cache: &Path,
    path: &str,
    skip: &[usize],
) -> (tokio::process::Child, Ended, Vec<String>) {
    let mut child = tokio::process::Command::new("/bin/sh")
        .args(["-c", &bootstrap::command_line("abc", skip)])
        .env_clear()
        .envs([("HOME", cache.as_os_str()), ("PATH", path.as_ref())])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut notes = Vec::new();
    let ended =
        bootstrap::attend(&mut stdin, &mut stdout, "abc", &mut notes, |_, _| {}).await.unwrap();
    (child.stdin, child.stdout) = (Some(stdin), Some(stdout));
    (child, ended, notes)
}

const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

async fn agent(cache: &Path, run: &str) -> Agent {
    let (mut child, ended, notes) = shell(cache, PATH, &[]).await;
    let Ended::Running(seen, pushed) = ended else { panic!("{ended:?} {notes:?}") };
    let reader = std::io::Cursor::new(seen).chain(child.stdout.take().unwrap());
    let stdin = child.stdin.take().unwrap();
    let link = Link::start(reader, stdin, &start(run), Duration::from_secs(60)).await.unwrap();
    Agent { link, pushed, child }
}

fn call(module: &str, args: &str) -> davit_wire::Call {
    davit_wire::Call {
        module: format!("ansible.builtin.{module}"),
        args: serde_json::from_str(args).unwrap(),
        ..davit_wire::Call::default()
    }
}

impl Agent {
    async fn run(&self, module: &str, args: &str) -> davit_event::Reply {
        let call = call(module, args);
        self.link.call(call, Along::default()).await.unwrap().reply
    }
}

#[tokio::test]
async fn an_agent_is_sent_once_and_runs_modules() {
    let home = tempfile::tempdir().unwrap();
    let first = agent(home.path(), "r").await;
    assert!(first.pushed);
    let reply = first.run("command", r#"{"cmd": "echo hello"}"#).await;
    assert_eq!(reply["stdout"], "hello");
    assert_eq!(first.link.greeting.uid, nix::unistd::geteuid().as_raw());
    let second = agent(home.path(), "r").await;
    assert!(!second.pushed);
    // Many calls are under way at the same time, and answered as they are done.
    let slow = second.run("command", r#"{"cmd": "sleep 1"}"#);
    let fast = async {
        for _ in 0..50 {
            second.run("ping", "{}").await;
        }
        std::time::Instant::now()
    };
    let (reply, done) = tokio::join!(slow, fast);
    assert!(done.elapsed() > Duration::ZERO && reply["rc"] == 0);
}

#[tokio::test]
async fn a_damaged_agent_is_replaced_and_strange_folders_are_passed_over() {
    let home = tempfile::tempdir().unwrap();
    drop(agent(home.path(), "").await);
    let folder = home.path().join(".cache/davit");
    let file = std::fs::read_dir(&folder)
        .unwrap()
        .flatten()
        .find(|it| it.file_name().to_string_lossy().starts_with("agent-"));
    let file = file.unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.push(0);
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, bytes).unwrap();
    assert!(agent(home.path(), "").await.pushed, "its hash is wrong");
    assert!(!agent(home.path(), "").await.pushed);
    // A link is never followed, wherever it leads.
    let other = tempfile::tempdir().unwrap();
    std::fs::rename(&folder, other.path().join("davit")).unwrap();
    std::os::unix::fs::symlink(other.path().join("davit"), &folder).unwrap();
    let (_child, ended, notes) = shell(home.path(), PATH, &[1, 2, 3, 4]).await;
    assert!(matches!(ended, Ended::Failed(_)), "{ended:?}");
    assert!(notes[0].ends_with("is a link"), "{notes:?}");
}

#[tokio::test]
async fn a_host_without_gzip_gets_the_agent_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let tools = home.path().join("bin");
    std::fs::create_dir(&tools).unwrap();
    for name in ["sha256sum", "head", "mkdir", "chmod", "mv", "rm", "id", "find", "sh"] {
        std::os::unix::fs::symlink(format!("/usr/bin/{name}"), tools.join(name)).unwrap();
    }
    let (_child, ended, notes) = shell(home.path(), tools.to_str().unwrap(), &[]).await;
    assert!(matches!(ended, Ended::Running(_, true)), "{ended:?} {notes:?}");
}

#[tokio::test]
async fn a_call_that_is_given_up_ends_its_programs() {
    let home = tempfile::tempdir().unwrap();
    let agent = agent(home.path(), "").await;
    let mark = format!("86{}", std::process::id());
    let args = format!(r#"{{"cmd": "sleep {mark}"}}"#);
    let given_up = timeout(Duration::from_millis(500), agent.run("command", &args)).await;
    assert!(given_up.is_err());
    gone(&mark).await;
    // So does a flag that is set, and the end of the connection.
    let cancel = Cancel::default();
    let flag = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        flag.cancel();
    });
    let called =
        agent.link.call(call("command", &args), Along { cancel, ..Along::default() }).await;
    assert_eq!(called.unwrap().reply["failed"], true);
    gone(&mark).await;
    let running = agent.run("command", &args);
    let _ = timeout(Duration::from_millis(500), running).await;
    drop(agent);
    gone(&mark).await;
}

/// Waits until no program has `mark` in its command line.
async fn gone(mark: &str) {
    for _ in 0..200 {
        let there = std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            std::fs::read(entry.path().join("cmdline"))
                .is_ok_and(|it| String::from_utf8_lossy(&it).contains(&format!("sleep\0{mark}")))
        });
        if !there {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a program is left running");
}

#[tokio::test]
async fn what_a_killed_worker_has_left_is_ended() {
    let home = tempfile::tempdir().unwrap();
    let agent = agent(home.path(), "").await;
    let mark = format!("87{}", std::process::id());
    let args = format!(r#"{{"cmd": "sleep {mark}"}}"#);
    let pid = i32::try_from(agent.link.greeting.pid).unwrap();
    let kill = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
            .unwrap();
    };
    let call = call("command", &args);
    let run = agent.link.call(call, Along::default());
    let (called, ()) = tokio::join!(run, kill);
    assert!(called.unwrap_err().contains("lost"));
    gone(&mark).await;
}

#[tokio::test]
async fn a_file_is_sent_only_where_it_is_not_there() {
    let home = tempfile::tempdir().unwrap();
    let agent = agent(home.path(), "").await;
    let (source, dest) = (home.path().join("source"), home.path().join("dest"));
    let bytes: Vec<u8> =
        (0..5_000_000_u32).map(|it| (it.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    std::fs::write(&source, &bytes).unwrap();
    let sums = crate::sums::Sums::default();
    let attachment = Attachment::Path(source.clone());
    let (size, sha1) = sums.of(&attachment).await.unwrap();
    let copy = async |sha1: &str| {
        let sent = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let seen = Arc::clone(&sent);
        let mut call = call("copy", &format!(r#"{{"dest": "{}"}}"#, dest.display()));
        let attached = davit_wire::Attached::Later { size, sha1: sha1.to_owned() };
        call.attachments.insert("src".into(), attached);
        let attachments = BTreeMap::from([("src".to_owned(), attachment.clone())]);
        let watcher: Watcher = Arc::new(move |_, done, _| seen.store(done, Ordering::Relaxed));
        let along = Along { attachments, watcher: Some(watcher), ..Along::default() };
        let called = agent.link.call(call, along).await;
        (called.unwrap().reply, sent.load(Ordering::Relaxed))
    };
    let (reply, sent) = copy(&sha1).await;
    assert_eq!((&reply["changed"], sent), (&true.into(), size), "{reply:?}");
    assert!(std::fs::read(&dest).unwrap() == bytes);
    let (reply, sent) = copy(&sha1).await;
    assert_eq!((&reply["changed"], sent), (&false.into(), 0), "{reply:?}");
    // What is not what it was announced to be is not put in place.
    let (reply, _) = copy(&sha1.replace(|it| it == sha1.chars().next().unwrap(), "0")).await;
    assert_eq!(reply["failed"], true);
    assert!(std::fs::read(&dest).unwrap() == bytes);
}

#[tokio::test]
async fn a_later_agent_of_the_run_answers_what_was_done() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("log");
    let args = format!(r#"{{"cmd": "echo line >> {}", "_uses_shell": true}}"#, file.display());
    for _ in 0..2 {
        let agent = agent(home.path(), "run-1").await;
        let mut call = call("shell", &args.replace(", \"_uses_shell\": true", ""));
        call.key = "0/0.3".into();
        let called = agent.link.call(call, Along::default()).await.unwrap();
        assert_eq!(called.reply["changed"], true);
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "line\n");
    let agent = agent(home.path(), "run-1").await;
    agent.link.close().await;
    let mut child = agent.child;
    child.wait().await.unwrap();
    assert_eq!(std::fs::read_dir(home.path().join(".cache/davit/runs")).unwrap().count(), 0);
}

#[tokio::test]
async fn streams_lead_to_programs_sockets_and_files() {
    let home = tempfile::tempdir().unwrap();
    let agent = agent(home.path(), "").await;
    let program = |line: &str| Target::Program {
        argv: ["/bin/sh", "-c", line].map(String::from).to_vec(),
        environment: vec![("WORD".into(), "hi".into())],
        terminal: false,
    };
    let stream = agent.link.open(program("echo $WORD >&2; cat; exit 3")).await.unwrap().unwrap();
    let mut pipes = stream.into_pipes();
    let text = vec![7; 3_000_000];
    let write = async {
        pipes.stdin.write_all(&text).await.unwrap();
        pipes.stdin.shutdown().await.unwrap();
    };
    let mut back = Vec::new();
    let (_, read) = tokio::join!(write, pipes.stdout.read_to_end(&mut back));
    read.unwrap();
    assert!(back == text);
    assert_eq!(pipes.stderr.recv().await.unwrap(), b"hi\n");
    assert_eq!(pipes.ended.await, Some(3));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = Target::Tcp { host: "127.0.0.1".into(), port };
    let mut stream = agent.link.open(target.clone()).await.unwrap().unwrap();
    let (mut peer, _) = listener.accept().await.unwrap();
    stream.write_all(b"ping").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut heard = String::new();
    peer.read_to_string(&mut heard).await.unwrap();
    peer.write_all(b"pong").await.unwrap();
    drop(peer);
    let mut back = String::new();
    stream.read_to_string(&mut back).await.unwrap();
    assert_eq!((heard.as_str(), back.as_str()), ("ping", "pong"));
    drop(listener);
    assert!(agent.link.open(target).await.unwrap().is_err(), "nobody listens any more");

    let path = home.path().join("file");
    std::fs::write(&path, &text).unwrap();
    let mut stream = agent.link.open(Target::File { path }).await.unwrap().unwrap();
    let mut back = Vec::new();
    stream.read_to_end(&mut back).await.unwrap();
    assert!(back == text);
    let missing = Target::File { path: home.path().join("missing") };
    assert!(agent.link.open(missing).await.unwrap().is_err());
}

#[tokio::test]
async fn a_program_may_ask_at_a_terminal() {
    let home = tempfile::tempdir().unwrap();
    let agent = agent(home.path(), "").await;
    let line = "printf 'Word: ' >/dev/tty; read word </dev/tty; cat; echo \"word $word\"";
    let target = Target::Program {
        argv: ["/bin/sh", "-c", line].map(String::from).to_vec(),
        environment: Vec::new(),
        terminal: true,
    };
    let mut pipes = agent.link.open(target).await.unwrap().unwrap().into_pipes();
    assert_eq!(pipes.stderr.recv().await.unwrap(), b"Word: ");
    pipes.terminal.unwrap().send(b"secret\n".to_vec()).await.unwrap();
    pipes.stdin.write_all(b"data\n").await.unwrap();
    pipes.stdin.shutdown().await.unwrap();
    let mut back = String::new();
    pipes.stdout.read_to_string(&mut back).await.unwrap();
    assert_eq!(back, "data\nword secret\n");
}

/// What the link makes of an agent that answers with these bytes after its hello.
async fn hostile(bytes: &[u8]) -> String {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let (reader, writer) = tokio::io::split(ours);
    let mut answer = Vec::new();
    let greeting =
        Greeting { wire: VERSION, version: "test".into(), pid: 1, user: "x".into(), uid: 0 };
    greeting.encode(0, &mut answer);
    answer.extend_from_slice(bytes);
    let (mut from_us, mut to_us) = tokio::io::split(theirs);
    let peer = tokio::spawn(async move {
        // A link that has seen enough reads no more.
        let _ = to_us.write_all(&answer).await;
        let mut rest = Vec::new();
        let _ = from_us.read_to_end(&mut rest).await;
    });
    let link = Link::start(reader, writer, &start(""), Duration::from_secs(20)).await.unwrap();
    let called = link.call(call("ping", "{}"), Along::default());
    let ended = timeout(Duration::from_secs(20), called).await.expect("it hangs");
    drop(link);
    peer.abort();
    ended.expect_err("no answer was sent")
}

#[tokio::test]
async fn a_hostile_agent_ends_its_own_connection() {
    let message = |kind: Kind, number: u32, body: &[u8]| {
        let mut bytes = Vec::new();
        encode(kind, number, body, &mut bytes);
        bytes
    };
    for bytes in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0xff; 4096],
        message(Kind::Reply, 1, b"not json"),
        message(Kind::Call, 1, b"{}"),
        message(Kind::Credit, 1, b"123"),
        message(Kind::Want, THEIRS + 1, b"{"),
        message(Kind::Reset, 0, br#"{"why": "tired"}"#),
    ] {
        let why = hostile(&bytes).await;
        assert!(why.contains("makes no sense"), "{why}");
    }
    let strangers = [
        message(Kind::Reply, 77, br#"{"reply": {}}"#),
        message(Kind::Data, 5, b"data"),
        message(Kind::Exit, 5, br#"{"code": 1}"#),
        message(Kind::Want, THEIRS + 1, br#"{"call": 99, "name": "/etc/shadow"}"#),
        message(Kind::Call, 0, b"{}"),
    ];
    assert!(hostile(&strangers.concat()).await.contains("makes no sense"));
}
