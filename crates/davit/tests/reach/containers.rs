//! Containers of podman and docker.

use std::process::Command;

use davit_ground::{Container, Dockerd, Engine, Ground};

use crate::cli::{Place, Ran};

fn run(place: &Place, container: &Container, connection: &str, line: &str) -> Ran {
    let text = format!("a ansible_connection={connection} ansible_host={}\n", container.name);
    place.write("hosts", &text);
    let variables: Vec<(&str, &str)> =
        container.daemon().map(|it| ("DOCKER_HOST", it)).into_iter().collect();
    place.run_with(line, &variables, "")
}

const PLAYBOOK: &str = "\
- hosts: a
  tasks:
    - copy: {content: \"{{ ansible_facts.hostname }}\\n\", dest: /root/name, mode: '0640'}
    - lineinfile: {path: /root/name, line: more}
    - command: cat /root/name
      register: r
    - debug: {msg: \"{{ r.stdout_lines }}\"}
    - copy: {src: tree/, dest: /root/tree}
    - command: cat /root/tree/sub/file
    - fetch: {src: /root/name, dest: fetched, flat: true}
";

fn works(engine: Engine, connections: &[&str]) {
    let ground = Ground::new().expect("a ground");
    let dockerd = (engine == Engine::Docker).then(|| Dockerd::start(&ground).expect("a daemon"));
    let container = Container::start(&ground, engine, dockerd.as_ref(), &[]).expect("a container");
    let place = Place::new(&[("site.yml", PLAYBOOK), ("tree/sub/file", "deep\n")]);
    for connection in connections {
        let ran =
            run(&place, &container, connection, "davit run -i hosts site.yml --output default");
        assert_eq!(ran.code, 0, "{connection}: {}{}", ran.out, ran.err);
    }
    let name = container.run(&["cat", "/proc/sys/kernel/hostname"]).expect("it has a name");
    assert_eq!(place.read("fetched"), format!("{name}more\n"));
    let stat = container.run(&["stat", "-c", "%a", "/root/name"]).expect("the file is there");
    assert_eq!(stat, "640\n");
    let ran = run(&place, &container, connections[0], "davit exec -i hosts a -- cat /nowhere");
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    // Nothing of davit's runs on, once it has ended.
    let left =
        container.run(&["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep [a]gent-"]);
    assert!(left.is_err(), "left in the container: {left:?}");
}

#[test]
fn podman() {
    works(Engine::Podman, &["podman", "containers.podman.podman"]);
}

#[test]
fn docker() {
    works(Engine::Docker, &["docker", "community.docker.docker"]);
}

#[test]
fn a_container_that_is_not_there() {
    assert!(Command::new("podman").arg("--version").output().is_ok(), "Debian: podman");
    let place = Place::new(&[(
        "hosts",
        "a ansible_connection=podman ansible_host=davit-no-such-container\n",
    )]);
    let ran = place.run("davit exec -i hosts a -m ping");
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    let said = ran.out + &ran.err;
    assert!(said.contains("davit-no-such-container"), "{said}");
}
