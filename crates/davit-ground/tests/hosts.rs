//! The ground itself: what it makes is there, does what it says, and is gone afterwards.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use davit_ground::{
    Container, Dockerd, Engine, Ground, Hosts, Machine, Options, Rights, Serve, Sshd, User,
    wait_until,
};

fn ssh(hosts: &Hosts, user: &str, host: usize, line: &str) -> Option<String> {
    let output = Command::new("ssh")
        .args(["-o", "ConnectTimeout=3"])
        .args(hosts.ssh(user, host))
        .arg(line)
        .stderr(Stdio::inherit())
        .output()
        .expect("there is ssh");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn many_hosts_on_loopback() {
    let ground = Ground::new().unwrap();
    let folder = ground.folder().to_owned();
    let sshd = Sshd::start(&ground, &Serve::hosts(20)).unwrap();
    let me = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    for host in [0, 19] {
        assert_eq!(ssh(&sshd.hosts, &me, host, "echo there").as_deref(), Some("there\n"));
    }
    assert_eq!(sshd.hosts.inventory("root", "").matches("ansible_host=").count(), 20);
    drop(sshd);
    drop(ground);
    assert!(!folder.exists());
}

#[test]
fn a_machine_has_processes_of_its_own_and_a_cable() {
    let ground = Ground::new().unwrap();
    let machine = Machine::start(&ground, &Options::default()).unwrap();
    let ssh = |line: &str| ssh(&machine.hosts, "root", 0, line);
    assert!(ssh("hostname").unwrap().starts_with("dg"));
    ssh("sleep 1000 >/dev/null 2>&1 &").unwrap();
    // What a session leaves comes to rest a moment after the session has ended: its shell may not have become `sleep`
    // yet, and its sshd may still be a zombie.
    let comes_to = |wanted: &[&str]| {
        let lines = || machine.processes().into_iter().map(|it| it.line).collect::<Vec<_>>();
        assert!(wait_until(Duration::from_secs(20), || lines() == wanted), "{:?}", lines());
    };
    comes_to(&["sleep 1000"]);
    machine.cut().unwrap();
    assert_eq!(ssh("true"), None);
    machine.mend().unwrap();
    assert!(ssh("true").is_some());
    machine.kill_sshd();
    assert_eq!(ssh("true"), None);
    machine.start_sshd().unwrap();
    assert!(ssh("true").is_some());
    comes_to(&["sleep 1000"]);
}

#[test]
fn machines_do_not_share_addresses() {
    let ground = Ground::new().unwrap();
    let machines = [(); 3].map(|()| Machine::start(&ground, &Options::default()).unwrap());
    let names = machines.each_ref().map(|it| ssh(&it.hosts, "root", 0, "hostname").unwrap());
    assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2], "{names:?}");
}

#[test]
fn a_long_line_holds_every_packet_back() {
    let ground = Ground::new().unwrap();
    let options = Options { delay: Duration::from_millis(25), hosts: 300, ..Options::default() };
    let machine = Machine::start(&ground, &options).unwrap();
    let started = Instant::now();
    std::net::TcpStream::connect((machine.hosts.addresses[299], machine.hosts.port)).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(50), "{:?}", started.elapsed());
    assert!(ssh(&machine.hosts, "root", 270, "true").is_some());
    machine.cut().unwrap();
    assert_eq!(ssh(&machine.hosts, "root", 0, "true"), None);
}

#[test]
fn what_a_machine_mounts_is_its_own() {
    let ground = Ground::new().unwrap();
    let before = "mount -t tmpfs -o size=64k none /mnt".to_owned();
    let machine = Machine::start(&ground, &Options { before, ..Options::default() }).unwrap();
    assert!(machine.run(&["sh", "-c", "mount | grep -c ' /mnt type tmpfs'"]).is_ok());
    let here = std::fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!here.lines().any(|line| line.starts_with("none /mnt tmpfs")));
}

#[test]
fn users_become_others_as_their_rights_are() {
    let ground = Ground::new().unwrap();
    let sshd = Sshd::start(&ground, &Serve::hosts(1)).unwrap();
    let asked = User::with(Rights::Password).unwrap();
    let free = User::with(Rights::Free).unwrap();
    let ssh = |user: &User, line: &str| ssh(&sshd.hosts, user.name, 0, line);
    assert_eq!(ssh(&free, "sudo -n id -un").as_deref(), Some("root\n"));
    assert_eq!(ssh(&asked, "sudo -n id -un"), None);
    assert_eq!(ssh(&free, "doas -n id -un").as_deref(), Some("root\n"));
    assert_eq!(User::with(Rights::Password).unwrap().password, asked.password, "it stays the same");
}

#[test]
fn a_container_sees_the_machines_programs() {
    let ground = Ground::new().unwrap();
    let shared = ground.path("shared");
    std::fs::create_dir(&shared).unwrap();
    let dockerd = Dockerd::start(&ground).unwrap();
    for engine in [Engine::Podman, Engine::Docker] {
        let paths: [&Path; 1] = [&shared];
        let container = Container::start(&ground, engine, Some(&dockerd), &paths).unwrap();
        let file = shared.join("file").display().to_string();
        container.run(&["/bin/sh", "-c", &format!("id -u > {file}; ls /usr/bin/env")]).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "0\n");
        std::fs::remove_file(&file).unwrap();
    }
}

#[test]
fn what_a_killed_test_leaves_is_taken_away() {
    if std::env::var_os("GROUND_LEAVE").is_some() {
        let ground = Ground::new().unwrap();
        let _machine = Machine::start(&ground, &Options::default()).unwrap();
        let _sshd = Sshd::start(&ground, &Serve::hosts(1)).unwrap();
        std::fs::write(ground.path("done"), "").unwrap();
        std::thread::sleep(Duration::from_secs(600));
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "what_a_killed_test_leaves_is_taken_away"])
        .env("GROUND_LEAVE", "1")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let folder = std::env::temp_dir().join(format!("davit-ground-{}-0", child.id()));
    assert!(wait_until(Duration::from_secs(60), || folder.join("done").exists()));
    let namespace = format!("/run/netns/dg{}x0", child.id());
    assert!(Path::new(&namespace).exists());
    child.kill().unwrap();
    child.wait().unwrap();
    drop(Ground::new().unwrap());
    assert!(!folder.exists() && !Path::new(&namespace).exists());
    let name = folder.display().to_string();
    let gone = || !davit_ground::every_process().iter().any(|it| it.line.contains(&name));
    assert!(wait_until(Duration::from_secs(10), gone));
}
