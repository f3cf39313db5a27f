//! Hosts that print and print.

use std::fs;

use davit_ground::{every_process, wait_until};

use super::{LIMIT, Scene, append};

/// What davit and an agent may hold in KiB, whatever a host prints.
const MOST: u64 = 400 * 1024;

#[test]
fn a_task_that_never_stops_printing() {
    let tasks = format!(
        "{}    - shell: \"{{% if inventory_hostname == 'a' %}}yes{{% else %}}true{{% endif %}}\"\n      timeout: 10\n{}",
        append("", "first"),
        append("", "third")
    );
    let scene = Scene::new(&tasks);
    let mut running = scene.start(|scene| scene.log("a") == "first\n");
    let davit = i32::try_from(running.child.id()).expect("a number");
    let mut most = 0;
    let ended = wait_until(LIMIT, || {
        let held =
            every_process().into_iter().filter(|it| it.pid == davit || it.line.contains("/agent-"));
        most = most.max(held.map(|it| it.resident_kib).max().unwrap_or(0));
        matches!(running.child.try_wait(), Ok(Some(_)) | Err(_))
    });
    assert!(ended, "davit does not end");
    assert!(most < MOST, "{most} KiB held");
    let (code, said) = running.end();
    assert_eq!(code, 2, "{}", said.chars().take(3000).collect::<String>());
    assert_eq!((scene.log("a").as_str(), scene.log("b").as_str()), ("first\n", "first\nthird\n"));
    scene.nothing_runs();
}

#[test]
fn a_raw_command_that_prints_much() {
    let scene = Scene::new(
        "    - raw: yes | head -c 20000000\n      register: r\n    - assert: {that: r.stdout | length == 19999999 or r.stdout | length == 20000000}\n",
    );
    let ran = scene.place.run("davit run -i hosts site.yml --limit a --output minimal");
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn a_shell_that_talks_before_it_is_asked() {
    let scene = Scene::new(&append("", "first"));
    let noise =
        "echo welcome; echo DAVIT- run; printf 'no line break'\nyes noise | head -c 100000\n";
    fs::write(scene.home().join(".bashrc"), noise).expect("a start file");
    let ran = scene.place.run("davit run -i hosts site.yml --output default");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(scene.log("a"), "first\n");
}

#[test]
fn a_shell_that_never_stops_talking() {
    let scene = Scene::new(&append("", "first"));
    fs::write(scene.home().join(".bashrc"), "yes noise\n").expect("a start file");
    let running = scene.start(|_| true);
    running.loses_a("first\n");
    assert_eq!(scene.log("a"), "");
    scene.nothing_runs();
}
