//! Every transport against the real program.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use davit_ground::{
    Container, Dockerd, Engine, Ground, Rights, Serve, Sshd, User, every_process, wait_until,
};
use davit_run::{Unreachable, Wanted};
use davit_value::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{Pipes, Transport};
use crate::askpass::{Asked, Question};
use crate::options::{Settings, transport};

/// Longer than anything takes on a machine that is busy.
const LIMIT: Duration = Duration::from_secs(60);

/// A server and what is said of it.
struct Place {
    ground: Ground,
    sshd: Sshd,
    variables: HashMap<&'static str, String>,
    settings: Settings,
}

impl Place {
    /// A server that davit-t1 may log in to with the key and with the password.
    fn new() -> Self {
        Self::with(Serve { passwords: true, ..Serve::hosts(1) })
    }

    fn with(serve: Serve) -> Self {
        let ground = Ground::new().unwrap();
        let sshd = Sshd::start(&ground, &serve).unwrap();
        let user = User::with(Rights::Password).unwrap();
        let known = format!("-o UserKnownHostsFile={}", sshd.hosts.known_hosts.display());
        let settings = Settings {
            executable: Some(helper()),
            sockets: ground.folder().to_path_buf(),
            home: Some(ground.folder().to_path_buf()),
            ..Settings::default()
        };
        let mut place = Self { variables: HashMap::new(), ground, sshd, settings };
        place.set("ansible_host", place.sshd.hosts.addresses[0].to_string());
        place.set("ansible_port", place.sshd.hosts.port.to_string());
        place.set("ansible_user", user.name);
        place.set("ansible_ssh_common_args", known);
        place
    }

    fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.variables.insert(name, value.into());
    }

    fn set_key(&mut self) {
        self.set("ansible_ssh_private_key_file", self.sshd.hosts.key.path.display().to_string());
    }

    /// Somebody who always answers the same; what was asked is kept.
    fn sit_down(&mut self, answer: &'static str) -> Arc<Mutex<Vec<Question>>> {
        let asked: Arc<Mutex<Vec<Question>>> = Arc::default();
        let kept = Arc::clone(&asked);
        self.settings.ask = Some(Arc::new(move |question: &Question| {
            kept.lock().unwrap().push(question.clone());
            Some(answer.to_owned())
        }));
        asked
    }

    fn transport(&self, connection: &str) -> Arc<dyn Transport> {
        wish(connection, &self.variables, &self.settings).unwrap().1
    }

    /// What the server has written down.
    fn log(&self) -> String {
        let files = std::fs::read_dir(self.ground.folder()).unwrap().map(|it| it.unwrap().path());
        let logs = files.filter(|it| it.extension().is_some_and(|it| it == "log"));
        logs.map(|it| std::fs::read_to_string(it).unwrap()).collect()
    }
}

/// The way to a host with these variables.
fn wish(
    connection: &str,
    variables: &HashMap<&'static str, String>,
    settings: &Settings,
) -> Result<(String, Arc<dyn Transport>), String> {
    let variable = |name: &str| Ok(variables.get(name).map(|text| Value::from(text.as_str())));
    let wanted = Wanted {
        host: &Arc::from("web"),
        connection,
        privileges: None,
        variable: &variable,
        keywords: &[],
    };
    transport(&wanted, settings)
}

/// The example stands beside the folder of the tests.
fn helper() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().unwrap().parent().unwrap().join("examples/askpass");
    assert!(path.exists(), "{} is built with all targets of this package", path.display());
    path
}

/// What a program says and how it ends, when it reads this.
async fn talk(pipes: Pipes, input: &str) -> (String, String, Option<i32>) {
    let Pipes { mut stdin, mut stdout, mut stderr, ended, guard, .. } = pipes;
    let run = async {
        // A program that has ended takes nothing.
        let _ = stdin.write_all(input.as_bytes()).await;
        let _ = stdin.shutdown().await;
        drop(stdin);
        let mut out = String::new();
        stdout.read_to_string(&mut out).await.unwrap();
        let mut err = Vec::new();
        while let Some(text) = stderr.recv().await {
            err.extend(text);
        }
        (out, String::from_utf8_lossy(&err).into_owned(), ended.await)
    };
    let said = timeout(LIMIT, run).await.unwrap();
    drop(guard);
    said
}

/// What comes of a log-in.
async fn log_in(transport: &dyn Transport) -> Result<String, Unreachable> {
    let (out, err, code) = talk(transport.start("echo hello; cat").await?, "and more").await;
    if code == Some(0) { Ok(out) } else { Err(transport.explain(code, &(err + &out))) }
}

#[tokio::test]
async fn a_key_opens_a_shell() {
    let mut place = Place::new();
    place.set_key();
    let transport = place.transport("ssh");
    assert_eq!(log_in(&*transport).await, Ok("hello\nand more".into()));
    let pipes = transport.start("echo oops >&2; exit 7").await.unwrap();
    let (_, err, code) = talk(pipes, "").await;
    assert_eq!((err.as_str(), code), ("oops\n", Some(7)));
}

#[tokio::test]
async fn a_password_is_given_and_is_nowhere_to_be_seen() {
    let mut place = Place::new();
    let user = User::with(Rights::Password).unwrap();
    place.settings.password = Some(user.password.clone());
    let transport = place.transport("ssh");
    assert_eq!(log_in(&*transport).await, Ok("hello\nand more".into()));

    let mut pipes = transport.start("echo ready; sleep 600").await.unwrap();
    let mut ready = [0; 6];
    timeout(LIMIT, pipes.stdout.read_exact(&mut ready)).await.unwrap().unwrap();
    for folder in std::fs::read_dir("/proc").unwrap() {
        let folder = folder.unwrap().path();
        for file in ["cmdline", "environ"] {
            // Processes come and go.
            let text = std::fs::read(folder.join(file)).unwrap_or_default();
            let shows = text.windows(user.password.len()).any(|it| it == user.password.as_bytes());
            assert!(!shows, "{}", folder.join(file).display());
        }
    }
    let folders: Vec<PathBuf> = std::fs::read_dir(place.ground.folder())
        .unwrap()
        .map(|it| it.unwrap().path())
        .filter(|it| it.join("ask").exists())
        .collect();
    let [folder] = folders.as_slice() else { panic!("{folders:?}") };
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let folder = folder.clone();
    drop((pipes, transport));
    place.settings = Settings::default();
    assert!(wait_until(LIMIT, || !folder.exists()), "the socket's folder stays");
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    let mut place = Place::new();
    place.settings.password = Some("wrong".into());
    let asked = place.sit_down("another");
    let transport = place.transport("ssh");
    let error = log_in(&*transport).await.unwrap_err();
    assert!(error.why.starts_with("Failed to connect to the host via ssh: "), "{}", error.why);
    assert!(error.why.contains("Permission denied ("), "{}", error.why);
    assert!(error.help.as_ref().is_some_and(|it| it.contains("refused the password")));
    let again = transport.start("true").await.err().unwrap();
    assert_eq!(again.why, error.why);
    assert_eq!(place.log().matches("Failed password").count(), 1, "{}", place.log());
    assert_eq!(*asked.lock().unwrap(), []);
}

#[tokio::test]
async fn a_key_of_a_host_that_is_not_known_is_not_taken_unasked() {
    let mut place = Place::new();
    place.set_key();
    let known = place.ground.path("none_known");
    place.set("ansible_ssh_common_args", format!("-o UserKnownHostsFile={}", known.display()));
    let error = log_in(&*place.transport("ssh")).await.unwrap_err();
    assert!(error.why.contains("Host key verification failed."), "{}", error.why);
    let help = error.help.unwrap();
    for part in ["SHA256:", "ssh-keyscan -p ", "nobody is there to be asked", "host_key_checking"] {
        assert!(help.contains(part), "{help}");
    }

    let asked = place.sit_down("no");
    let transport = place.transport("ssh");
    assert!(log_in(&*transport).await.is_err());
    assert!(log_in(&*transport).await.unwrap_err().help.unwrap().contains("was not accepted"));
    let kinds: Vec<Asked> = asked.lock().unwrap().iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [Asked::HostKey], "asked once");

    let asked = place.sit_down("yes");
    let transport = place.transport("ssh");
    assert_eq!(log_in(&*transport).await, Ok("hello\nand more".into()));
    assert_eq!(log_in(&*transport).await, Ok("hello\nand more".into()));
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_host_may_be_taken_without_its_key() {
    let mut place = Place::new();
    place.set_key();
    place.set("ansible_ssh_common_args", "-o UserKnownHostsFile=/dev/null");
    place.set("ansible_host_key_checking", "no");
    assert_eq!(log_in(&*place.transport("ssh")).await, Ok("hello\nand more".into()));
}

#[tokio::test]
async fn a_key_that_has_changed_is_told() {
    let mut place = Place::new();
    place.set_key();
    let other = davit_ground::Key::of(&place.ground, "other").unwrap().public;
    let hosts = &place.sshd.hosts;
    let line = format!("[{}]:{} {other}\n", hosts.addresses[0], hosts.port);
    let known = place.ground.write("known_other", &line).unwrap();
    place.set("ansible_ssh_common_args", format!("-o UserKnownHostsFile={}", known.display()));
    let help = log_in(&*place.transport("ssh")).await.unwrap_err().help.unwrap();
    assert!(help.contains(&format!("({}:1)", known.display())), "{help}");
    assert!(help.contains("ssh-keygen -f"), "{help}");
}

#[tokio::test]
async fn a_passphrase_comes_from_a_variable_or_a_person() {
    let mut place = Place::new();
    let (key, phrase) = (place.ground.path("locked"), "open sesame");
    std::fs::copy(&place.sshd.hosts.key.path, &key).unwrap();
    let path = key.display().to_string();
    davit_ground::run("ssh-keygen", &["-q", "-p", "-P", "", "-N", phrase, "-f", &path]).unwrap();
    place.set("ansible_ssh_private_key_file", path.clone());
    let help = log_in(&*place.transport("ssh")).await.unwrap_err().help.unwrap();
    assert!(help.contains(&format!("the key {path} has a passphrase")), "{help}");

    let asked = place.sit_down(phrase);
    assert_eq!(log_in(&*place.transport("ssh")).await, Ok("hello\nand more".into()));
    assert_eq!(asked.lock().unwrap()[0].kind, Asked::Passphrase);

    place.settings.ask = None;
    place.set("ansible_ssh_private_key_passphrase", phrase);
    assert_eq!(log_in(&*place.transport("ssh")).await, Ok("hello\nand more".into()));
}

#[tokio::test]
async fn the_password_of_a_host_is_not_for_its_jump_host() {
    let mut place = Place::new();
    let user = User::with(Rights::Password).unwrap();
    place.settings.password = Some(user.password.clone());
    let hosts = &place.sshd.hosts;
    let known = hosts.known_hosts.display();
    let jump = format!(
        "-o UserKnownHostsFile={known} -o 'ProxyCommand=ssh -F none -o UserKnownHostsFile={known} -o NumberOfPasswordPrompts=1 -o PubkeyAuthentication=no -p {} -W [%h]:%p {}@{}'",
        hosts.port, user.name, hosts.addresses[0]
    );
    place.set("ansible_ssh_common_args", jump);
    let error = log_in(&*place.transport("ssh")).await.unwrap_err();
    assert!(error.why.contains("Permission denied ("), "{}", error.why);
    assert!(!place.log().contains("Accepted password"), "{}", place.log());
}

#[tokio::test]
async fn a_script_may_stand_for_ssh() {
    let mut place = Place::new();
    let user = User::with(Rights::Password).unwrap();
    place.settings.password = Some(user.password.clone());
    let script = place.ground.write("my ssh", "#!/bin/sh\nssh \"$@\"\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    place.set("ansible_ssh_executable", script.display().to_string());
    assert_eq!(log_in(&*place.transport("ssh")).await, Ok("hello\nand more".into()));

    place.set("ansible_ssh_executable", "/no/such/ssh");
    let error = log_in(&*place.transport("ssh")).await.unwrap_err();
    assert!(error.why.contains("'/no/such/ssh' cannot be started"), "{}", error.why);
    assert!(error.help.unwrap().contains("OpenSSH client"));
}

#[tokio::test]
async fn who_may_only_transfer_files_is_told() {
    let more = "ForceCommand internal-sftp".to_owned();
    let mut place = Place::with(Serve { passwords: true, more, ..Serve::hosts(1) });
    place.set_key();
    let transport = place.transport("ssh");
    let (out, err, code) = talk(transport.start("echo hello").await.unwrap(), "").await;
    let error = transport.explain(code, &format!("{out}{err}"));
    assert!(error.why.starts_with("Failed to start a shell"), "{}", error.why);
    assert!(error.help.unwrap().contains("transfer files"));
}

#[tokio::test]
async fn what_is_dropped_ends() {
    let mut place = Place::new();
    place.set_key();
    let mut pipes = place.transport("ssh").start("echo ready; sleep 4242").await.unwrap();
    let mut ready = [0; 6];
    timeout(LIMIT, pipes.stdout.read_exact(&mut ready)).await.unwrap().unwrap();
    let port = format!("Port={}", place.sshd.hosts.port);
    let is_ours = move || {
        every_process().iter().any(|it| it.line.starts_with("ssh ") && it.line.contains(&port))
    };
    assert!(is_ours());
    let Pipes { guard, .. } = pipes;
    drop(guard);
    let gone = tokio::task::spawn_blocking(move || wait_until(LIMIT, || !is_ours())).await;
    assert!(gone.unwrap());
}

/// A container's shell, and what is said where there is no such container.
async fn enter(engine: &'static str, name: &str, more: &[(&'static str, String)]) {
    let settings = Settings::default();
    let mut variables: HashMap<_, _> = more.iter().cloned().collect();
    variables.insert("ansible_host", name.to_owned());
    variables.insert("ansible_docker_working_dir", "/usr".into());
    variables.insert("ansible_podman_working_dir", "/usr".into());
    // By number: docker looks for names in the image, which has none.
    variables.insert("ansible_user", "65534".into());
    let (_, transport) = wish(engine, &variables, &settings).unwrap();
    assert_eq!(log_in(&*transport).await, Ok("hello\nand more".into()));
    let (out, _, code) = talk(transport.start("pwd; id -u; exit 3").await.unwrap(), "").await;
    assert_eq!((out.as_str(), code), ("/usr\n65534\n", Some(3)));

    for (name, value, part) in [
        ("ansible_host", "no-such-container", "ps -a"),
        ("ansible_user", "no-such-user", "'no-such-user' is not in"),
    ] {
        let mut variables = variables.clone();
        variables.insert(name, value.into());
        let (_, transport) = wish(engine, &variables, &settings).unwrap();
        let error = log_in(&*transport).await.unwrap_err();
        assert!(error.why.starts_with(&format!("{engine} exec: ")), "{}", error.why);
        assert!(error.help.is_some_and(|it| it.contains(part)), "{}", error.why);
    }
}

#[tokio::test]
async fn a_container_of_podman_opens_a_shell() {
    let ground = Ground::new().unwrap();
    let container = Container::start(&ground, Engine::Podman, None, &[]).unwrap();
    enter("podman", &container.name, &[]).await;
}

#[tokio::test]
async fn a_container_of_docker_opens_a_shell() {
    let ground = Ground::new().unwrap();
    let daemon = Dockerd::start(&ground).unwrap();
    let container = Container::start(&ground, Engine::Docker, Some(&daemon), &[]).unwrap();
    let at = format!("-H {}", container.daemon().unwrap());
    enter("docker", &container.name, &[("ansible_docker_extra_args", at)]).await;

    let nobody = format!("-H unix://{}/no.sock", ground.folder().display());
    let variables = HashMap::from([("ansible_docker_extra_args", nobody)]);
    let (_, transport) = wish("docker", &variables, &Settings::default()).unwrap();
    let error = log_in(&*transport).await.unwrap_err();
    assert!(error.help.is_some_and(|it| it.contains("no docker answers")), "{}", error.why);
}

#[tokio::test]
async fn this_machine_opens_a_shell() {
    let (_, transport) = wish("local", &HashMap::new(), &Settings::default()).unwrap();
    assert_eq!(log_in(&*transport).await, Ok("hello\nand more".into()));
}

#[test]
fn equal_wishes_have_equal_keys() {
    let settings = Settings { password: Some("first-one".into()), ..Settings::default() };
    let key = |settings: &Settings, variables: &[(&'static str, &str)]| {
        let variables = variables.iter().map(|(name, it)| (*name, (*it).to_owned())).collect();
        wish("ssh", &variables, settings).unwrap().0
    };
    let plain = key(&settings, &[]);
    assert_eq!(plain, key(&settings, &[("ansible_host", "web"), ("ansible_ssh_args", "")]));
    assert_eq!(
        plain,
        key(&settings, &[("ansible_password", "first-one"), ("ansible_timeout", "10")])
    );
    for (name, value) in [
        ("ansible_host", "other"),
        ("ansible_ssh_user", "x"),
        ("ansible_port", "23"),
        ("ansible_ssh_pass", "two"),
        ("ansible_ssh_private_key_passphrase", "x"),
        ("ansible_private_key_file", "k"),
        ("ansible_ssh_args", "-C"),
        ("ansible_ssh_common_args", "-C"),
        ("ansible_ssh_extra_args", "-C"),
        ("ansible_host_key_checking", "false"),
        ("ansible_ssh_retries", "3"),
        ("ansible_ssh_timeout", "11"),
        ("ansible_ssh_executable", "/x"),
        ("ansible_control_path", "%(directory)s/x"),
    ] {
        assert_ne!(plain, key(&settings, &[(name, value)]), "{name}");
    }
    assert!(!plain.contains("first-one"));
}

#[test]
fn what_makes_no_sense_is_told() {
    for (connection, name, value, part) in [
        ("winrm", "", "", "there is no connection 'winrm'"),
        ("ssh", "ansible_port", "x", "'ansible_port' must be a number"),
        ("ssh", "ansible_port", "70000", "'ansible_port' must be a number"),
        ("ssh", "ansible_host_key_checking", "maybe", "must be yes or no"),
        ("ssh", "ansible_private_key", "-----BEGIN", "ansible_ssh_private_key_file"),
        ("docker", "ansible_docker_extra_args", "'", "No closing quotation"),
        ("docker", "ansible_docker_extra_env", "x", "must be a dictionary"),
    ] {
        let variables = HashMap::from([(name, value.to_owned())]);
        let error = wish(connection, &variables, &Settings::default()).err().unwrap();
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn options_that_cannot_be_read_are_told() {
    let variables = HashMap::from([("ansible_ssh_args", "-o 'x".to_owned())]);
    let (_, transport) = wish("ssh", &variables, &Settings::default()).unwrap();
    let error = transport.start("true").await.err().unwrap();
    assert!(error.why.contains("ssh_args '-o 'x' cannot be read"), "{}", error.why);
}
