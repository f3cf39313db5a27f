//! `davit lambda`: archives that are made, functions that run against a Runtime API of the test, and the example that
//! deploys one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use davit_ground::Moto;
use serde_json::{Value, json};

use crate::cli::{Place, Ran};

/// How long an answer may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

const WEEKEND: &str = include_str!("../../../../examples/aws-compute/weekend.yml");
const DEPLOY: &str = include_str!("../../../../examples/aws-compute/weekend-function.yml");

/// The smallest program of ELF: statically linked, with no part that does anything.
fn program(machine: u8) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
    bytes[16] = 2;
    bytes[18] = machine;
    bytes
}

const X86: u8 = 62;

/// The files of an archive, by name: their content and whether they may run.
fn unpacked(path: &Path) -> BTreeMap<String, (Vec<u8>, bool)> {
    let mut archive =
        zip::ZipArchive::new(File::open(path).expect("it is there")).expect("an archive");
    let all = 0..archive.len();
    all.map(|at| {
        let mut file = archive.by_index(at).expect("a file");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("it is whole");
        (
            file.name().expect("a name").into_owned(),
            (bytes, file.unix_mode().expect("a mode") & 0o111 != 0),
        )
    })
    .collect()
}

fn with_moto(place: &Place, moto: &Moto, line: &str) -> Ran {
    let environment = moto.environment();
    let mut variables: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    variables.push(("DAVIT_UNDO_KEEP", "off"));
    place.run_with(line, &variables, "")
}

#[test]
fn archives_hold_what_the_playbook_names() {
    let place = Place::new(&[
        (
            "play/site.yml",
            "- hosts: localhost\n  roles: [web]\n  tasks:\n  - include_tasks: '{{ x }}.yml'\n",
        ),
        ("play/roles/web/tasks/main.yml", "- script: run.sh\n"),
        ("play/roles/web/files/run.sh", "#!/bin/sh\n"),
        ("play/more.yml", "- debug:\n"),
        ("play/vars.yml", "a: 1\n"),
        ("play/secret.txt", "s"),
        ("play/hosts.ini", "[web]\nlocalhost\n"),
    ]);
    fs::set_permissions(
        place.path().join("play/roles/web/files/run.sh"),
        fs::Permissions::from_mode(0o755),
    )
    .expect("it is there");
    fs::write(place.path().join("tiny"), program(X86)).expect("a file");
    let line =
        "davit lambda package play/site.yml --binary tiny -i play/hosts.ini -e @play/vars.yml";
    let ran = place.run(&format!("{line} --include play/more.yml -o a.zip"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        ran.err,
        "[WARNING]: site.yml names a file that only the run makes ({{ x }}.yml): add what it may be with --include\n"
    );
    let listed: Vec<&str> = ran.out.lines().filter_map(|it| it.split_whitespace().nth(1)).collect();
    let expect = [
        "bootstrap",
        "davit-function.json",
        "project/hosts.ini",
        "project/more.yml",
        "project/roles/web/files/run.sh",
        "project/roles/web/tasks/main.yml",
        "project/site.yml",
        "project/vars.yml",
    ];
    assert_eq!(listed[..8], expect);
    assert!(
        ran.out.contains("a.zip: 8 files, ") && ran.out.ends_with(" packed, for x86_64\n"),
        "{}",
        ran.out
    );
    let files = unpacked(&place.path().join("a.zip"));
    assert_eq!(files.keys().collect::<Vec<_>>(), expect);
    let runs: Vec<&String> = files.iter().filter(|(_, it)| it.1).map(|(name, _)| name).collect();
    assert_eq!(runs, ["bootstrap", "project/roles/web/files/run.sh"]);
    let manifest: Value = serde_json::from_slice(&files["davit-function.json"].0).expect("JSON");
    assert_eq!(
        manifest,
        json!({"playbook": "site.yml", "inventory": ["hosts.ini"], "extra_vars": ["@vars.yml"]})
    );
    // Later the bytes are the same.
    thread::sleep(Duration::from_millis(1100));
    place.write("play/site.yml", &place.read("play/site.yml"));
    place.run(&format!("{line} --include play/more.yml -o b.zip"));
    let bytes = |name: &str| fs::read(place.path().join(name)).expect("it is there");
    assert_eq!(bytes("a.zip"), bytes("b.zip"));
}

#[test]
fn the_folder_need_not_be_said() {
    let place = Place::new(&[
        ("site.yml", "- hosts: localhost\n  tasks:\n  - template: src=t.j2 dest=/tmp/t\n"),
        ("templates/t.j2", "x"),
        ("hosts.ini", "localhost\n"),
        ("group_vars/all.yml", "x: 1\n"),
        ("more.yml", "x: 1\n"),
        ("old.zip", "old"),
    ]);
    fs::write(place.path().join("tiny"), program(X86)).expect("a file");
    symlink("/dev/null", place.path().join("device")).expect("a link");
    let line = "davit lambda package site.yml --binary tiny -i hosts.ini -e @more.yml";
    let ran = place.run(&format!("{line} -o old.zip"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let files = unpacked(&place.path().join("old.zip"));
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "bootstrap",
            "davit-function.json",
            "project/group_vars/all.yml",
            "project/hosts.ini",
            "project/more.yml",
            "project/site.yml",
            "project/templates/t.j2",
        ]
    );
    // What is no file is not replaced by one.
    let ran = place.run(&format!("{line} -o device"));
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert_eq!(ran.err, "[ERROR]: device cannot be written: what is there is no regular file\n");
    assert!(place.path().join("device").is_symlink());
}

#[test]
fn what_cannot_run_there_is_refused() {
    let place = Place::new(&[
        ("site.yml", "- hosts: localhost\n"),
        ("script", "#!/bin/sh\n"),
        ("other/x", ""),
    ]);
    fs::write(place.path().join("riscv"), program(243)).expect("a file");
    fs::write(place.path().join("tiny"), program(X86)).expect("a file");
    for (line, part) in [
        (
            "site.yml --binary script",
            "script cannot start in the runtime provided.al2023: it is no program of ELF",
        ),
        ("site.yml --binary riscv", "it is for a processor (ELF 243)"),
        ("site.yml --binary nothing", "nothing cannot be read"),
        ("none.yml --binary tiny", "none.yml could not be found"),
        ("site.yml --binary tiny --include /etc/hostname", "is not below the playbook's folder"),
        ("site.yml --binary tiny -o none/a.zip", "none/a.zip cannot be written"),
    ] {
        let ran = place.run(&format!("davit lambda package {line}"));
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{line}");
        assert!(ran.err.contains(part), "{line}: {}", ran.err);
    }
    assert!(!place.path().join("function.zip").exists());
    let ran = place.run("davit lambda package site.yml --binary script --force");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.starts_with("[WARNING]: script cannot start"), "{}", ran.err);
}

#[test]
fn archives_that_are_too_large_are_told_of() {
    let place = Place::new(&[("site.yml", "- hosts: localhost\n")]);
    let mut large = program(X86);
    large.resize(251 << 20, 0);
    fs::write(place.path().join("large"), large).expect("a file");
    let ran = place.run("davit lambda package site.yml --binary large");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.err, "[WARNING]: what is in it has 252 MB, and Lambda takes 250 MB at most\n");
}

/// What a function has sent: the path below `/runtime/`, the type of the error, the body.
#[derive(Debug)]
struct Sent {
    path: String,
    kind: String,
    body: Value,
}

/// A Runtime API: gives events one by one, and tells what comes back.
struct Api {
    address: String,
    sent: Receiver<Sent>,
}

impl Api {
    /// With events, each with the seconds that it may take.
    fn start(events: Vec<(Value, u64)>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (say, sent) = channel();
        thread::spawn(move || {
            let mut events = events.into_iter().enumerate();
            let mut idle = Vec::new();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let Some((head, body)) = request(&mut stream) else { continue };
                let path = head[0].split(' ').nth(1).unwrap_or_default();
                let path = path.strip_prefix("/2018-06-01/runtime/").unwrap_or("?").to_owned();
                if path == "invocation/next" {
                    match events.next() {
                        Some((at, (event, seconds))) => give(&mut stream, at, &event, seconds),
                        // A function waits for its next event for as long as it takes.
                        None => idle.push(stream),
                    }
                    continue;
                }
                let prefix = "lambda-runtime-function-error-type: ";
                let kind = head.iter().find_map(|it| {
                    it.to_lowercase().starts_with(prefix).then(|| it[prefix.len()..].to_owned())
                });
                let _ = stream.write_all(
                    b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                );
                let body = serde_json::from_slice(&body).expect("JSON");
                if say.send(Sent { path, kind: kind.unwrap_or_default(), body }).is_err() {
                    return;
                }
            }
        });
        Self { address, sent }
    }

    fn sent(&self) -> Sent {
        self.sent.recv_timeout(PATIENCE).expect("the function answers")
    }
}

fn request(stream: &mut TcpStream) -> Option<(Vec<String>, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let length =
        head.iter().find_map(|it| it.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn give(stream: &mut TcpStream, at: usize, event: &Value, seconds: u64) {
    let body = event.to_string();
    let end = SystemTime::now() + Duration::from_secs(seconds);
    let deadline = end.duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\nLambda-Runtime-Aws-Request-Id: r-{at}\r\n\
         Lambda-Runtime-Deadline-Ms: {deadline}\r\nLambda-Runtime-Trace-Id: Root=1-{at}\r\n\
         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:1:function:f\r\n\r\n{body}",
        body.len()
    );
}

/// A function that runs, in a folder where only `tmp` is its own.
struct Function {
    child: Child,
    log: PathBuf,
}

impl Function {
    fn start(place: &Place, root: &Path, api: &str, variables: &[(String, String)]) -> Self {
        let log = place.path().join("log");
        let tmp = place.path().join("tmp");
        fs::create_dir_all(&tmp).expect("a folder is made");
        let file = File::create(&log).expect("a file");
        let child = Command::new(root.join("bootstrap"))
            .env_clear()
            .envs(variables.iter().cloned())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("TMPDIR", tmp)
            .env("LAMBDA_TASK_ROOT", root)
            .env("AWS_LAMBDA_RUNTIME_API", api)
            .current_dir(root)
            .stdin(Stdio::null())
            .stderr(file.try_clone().expect("the same file"))
            .stdout(file)
            .spawn()
            .expect("the function starts");
        Self { child, log }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("there is a log")
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lays out what an archive with this playbook holds, with a link in the place of this large program.
fn laid_out(place: &Place, playbook: &str, extra: &str) -> PathBuf {
    place.write("play/site.yml", playbook);
    fs::write(place.path().join("tiny"), program(X86)).expect("a file");
    let ran =
        place.run(&format!("davit lambda package play/site.yml --binary tiny -o f.zip{extra}"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let root = laid_out_from(place, false);
    symlink(env!("CARGO_BIN_EXE_davit"), root.join("bootstrap")).expect("a link");
    root
}

/// The archive's files in a folder, read-only as they are for functions.
fn laid_out_from(place: &Place, with_program: bool) -> PathBuf {
    let root = place.path().join("task");
    for (name, (bytes, runs)) in unpacked(&place.path().join("f.zip")) {
        let path = root.join(&name);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder is made");
        if with_program || name != "bootstrap" {
            fs::write(&path, bytes).expect("a file");
            let mode = if runs { 0o555 } else { 0o444 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is there");
        }
    }
    root
}

#[test]
fn each_event_runs_the_playbook() {
    let place = Place::new(&[]);
    let playbook = "
- hosts: localhost
  gather_facts: false
  tasks:
  - debug: {msg: 'event {{ lambda_event.n }} as {{ who }}'}
  - fail: {msg: it is broken}
    when: lambda_event.n == 2
  - fail: {msg: but this does not matter}
    ignore_errors: true
  - set_fact:
      lambda_result: {n: '{{ lambda_event.n }}', raw: '{{ lambda_event.text }}', id: '{{ lambda_context.request_id }}', trace: \"{{ lookup('env', '_X_AMZN_TRACE_ID') }}\"}
";
    let root = laid_out(&place, playbook, " -e who=nobody");
    let events = [1, 2, 3].map(|n| (json!({"n": n, "text": "{{ 6 * 7 }}"}), 600));
    let api = Api::start(events.into());
    let function = Function::start(&place, &root, &api.address, &[]);
    let counts = |failed: i32, ok: i32, ignored: i32| json!({"localhost": {"ok": ok, "changed": 0, "unreachable": 0, "failed": failed, "skipped": 1, "rescued": 0, "ignored": ignored}});
    for n in [1, 2, 3] {
        let sent = api.sent();
        if n == 2 {
            assert_eq!(
                (sent.path.as_str(), sent.kind.as_str()),
                ("invocation/r-1/error", "Function.PlayFailed")
            );
            let trace = "localhost: fail: it is broken";
            assert_eq!(
                sent.body,
                json!({"errorType": "Function.PlayFailed", "errorMessage": trace, "stackTrace": [trace]})
            );
            continue;
        }
        assert_eq!(
            sent.path,
            format!("invocation/r-{}/response", n - 1),
            "{sent:?} {}",
            function.log()
        );
        // What comes with an event is data and no template.
        let result = json!({"n": n, "raw": "{{ 6 * 7 }}", "id": format!("r-{}", n - 1), "trace": format!("Root=1-{}", n - 1)});
        assert_eq!(sent.body, json!({"recap": counts(0, 3, 1), "lambda_result": result}));
    }
    let log = function.log();
    assert!(log.contains("\"msg\": \"event 3 as nobody\"") && log.contains("PLAY RECAP"), "{log}");
    assert!(!log.contains("[WARNING]"), "{log}");
    let mut made: Vec<_> = fs::read_dir(&root)
        .expect("it is there")
        .map(|it| it.expect("an entry").file_name())
        .collect();
    made.sort();
    assert_eq!(made, ["bootstrap", "davit-function.json", "project"], "nothing is written there");
    assert!(place.path().join("tmp/davit/state/runs.db").exists());
}

#[test]
fn a_run_ends_before_its_time_is_over() {
    let place = Place::new(&[]);
    let playbook =
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n  - pause: {seconds: 300}\n";
    let root = laid_out(&place, playbook, "");
    let api = Api::start(vec![(json!({}), 6)]);
    let function = Function::start(&place, &root, &api.address, &[]);
    let sent = api.sent();
    assert_eq!(sent.kind, "Function.Deadline", "{sent:?} {}", function.log());
    assert_eq!(sent.body["errorMessage"], "the time that the function has was nearly over");
}

#[test]
fn what_cannot_begin_says_so() {
    for (playbook, kind, part) in [
        (
            "- hosts: localhost\n  tasks:\n  - no_such_module:\n",
            "Runtime.InvalidPlaybook",
            "the playbook has mistakes",
        ),
        ("", "Runtime.NoPlaybook", "the playbook site.yml is not there"),
    ] {
        let place = Place::new(&[]);
        let root = laid_out(&place, playbook, "");
        if playbook.is_empty() {
            fs::remove_file(root.join("project/site.yml")).expect("it was there");
        }
        let api = Api::start(Vec::new());
        let mut function = Function::start(&place, &root, &api.address, &[]);
        let sent = api.sent();
        assert_eq!((sent.path.as_str(), sent.kind.as_str()), ("init/error", kind));
        assert!(sent.body["errorMessage"].as_str().is_some_and(|it| it.contains(part)), "{sent:?}");
        assert_eq!(function.child.wait().expect("it ends").code(), Some(1));
    }
}

#[test]
fn the_weekend_comes_to_instances() {
    let (place, moto) = (Place::new(&[]), Moto::start().expect("moto"));
    let aws = |line: &str| {
        let ran = with_moto(&place, &moto, &format!("davit aws --region us-west-1 {line}"));
        assert_eq!(ran.code, 0, "{line}: {}", ran.err);
        ran.out.trim().to_owned()
    };
    let launch =
        "ec2 run-instances --image-id ami-12c6146b --query Instances[0].InstanceId --output text";
    let tag = "--tag-specifications ResourceType=instance,Tags=[{Key=hours,Value=office}]";
    let (office, other) = (aws(&format!("{launch} {tag}")), aws(launch));

    // The whole way once: this program without what debuggers want, packed, unpacked and started.
    let stripped = place.path().join("stripped");
    let done =
        Command::new("strip").arg("-o").arg(&stripped).arg(env!("CARGO_BIN_EXE_davit")).status();
    assert!(done.is_ok_and(|it| it.success()), "strip of binutils");
    place.write("play/weekend.yml", WEEKEND);
    let ran = place.run("davit lambda package play/weekend.yml --binary stripped -e region=us-west-1 -o f.zip --force");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let root = laid_out_from(&place, true);
    let api = Api::start(vec![(json!({"why": "weekend"}), 300), (json!({"why": "again"}), 300)]);
    let function = Function::start(&place, &root, &api.address, &moto.environment());
    let sent = api.sent();
    assert_eq!(sent.path, "invocation/r-0/response", "{sent:?} {}", function.log());
    assert_eq!(sent.body["lambda_result"], json!({"stopped": [office]}));
    assert_eq!(sent.body["recap"]["localhost"]["changed"], 1);
    let states = "ec2 describe-instances --query Reservations[].Instances[].[InstanceId,State.Name] --output json";
    let states: BTreeMap<String, String> =
        serde_json::from_str::<Vec<(String, String)>>(&aws(states))
            .expect("JSON")
            .into_iter()
            .collect();
    assert_eq!(states, [(office, "stopped".to_owned()), (other, "running".to_owned())].into());
    let sent = api.sent();
    assert_eq!(sent.body["lambda_result"], json!({"stopped": []}), "{}", function.log());
}

#[test]
fn the_example_deploys_the_function() {
    let (place, moto) = (
        Place::new(&[("weekend.yml", WEEKEND), ("deploy.yml", DEPLOY)]),
        Moto::start().expect("moto"),
    );
    fs::write(place.path().join("tiny"), program(X86)).expect("a file");
    let ran = place.run("davit lambda package weekend.yml --binary tiny -o weekend.zip");
    assert_eq!(ran.code, 0, "{}", ran.err);
    for (run, recap) in [("first", "changed=5 "), ("second", "changed=0 ")] {
        let ran = with_moto(&place, &moto, "davit run deploy.yml");
        assert_eq!(ran.code, 0, "{run}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains(recap), "{run}: {}", ran.out);
    }
    for (line, expect) in [
        (
            "lambda get-function --function-name weekend --query Configuration.[Runtime,Handler,Architectures[0]]",
            "provided.al2023\tbootstrap\tx86_64",
        ),
        (
            "events describe-rule --name weekend --query [ScheduleExpression,State]",
            "cron(0 18 ? * FRI *)\tENABLED",
        ),
        (
            "events list-targets-by-rule --rule weekend --query Targets[].[Id,Input]",
            "weekend\t{\"why\": \"weekend\"}",
        ),
    ] {
        let ran =
            with_moto(&place, &moto, &format!("davit aws --region us-west-1 {line} --output text"));
        assert_eq!(ran.out.trim(), expect, "{line}: {}", ran.err);
    }
    let ran = with_moto(
        &place,
        &moto,
        "davit aws --region us-west-1 lambda get-policy --function-name weekend --query Policy --output text",
    );
    let policy: Value = serde_json::from_str(&ran.out).expect("JSON");
    let statement = &policy["Statement"][0];
    assert_eq!(statement["Principal"], json!({"Service": "events.amazonaws.com"}));
    assert_eq!(
        statement["Condition"]["ArnLike"]["AWS:SourceArn"],
        "arn:aws:events:us-west-1:123456789012:rule/weekend"
    );
}
