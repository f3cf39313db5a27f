//! The cable is cut: in a task, in a transfer, in the push of the agent; sshd is killed.

use std::fs;
use std::time::Duration;

use davit_ground::{Options, wait_until};

use super::{LIMIT, Scene, append};

/// Three tasks; on `a` the second is under way until the file `ready` is there.
fn three_tasks() -> String {
    let wait = "touch {{ log }}.begun; {% if inventory_hostname == 'a' %}\
                while ! test -e {{ log }}.ready; do sleep 0.2; done; {% endif %}";
    [append("", "first"), append(wait, "second"), append("", "third")].concat()
}

fn begun(scene: &Scene) -> bool {
    scene.place.path().join("log-a.begun").exists()
}

#[test]
fn cut_in_a_task_that_never_ends() {
    let scene = Scene::new(&three_tasks());
    let running = scene.start(begun);
    scene.a.cut().expect("the cable is cut");
    running.loses_a("first\nsecond\nthird\n");
    scene.nothing_runs();
    assert_eq!(scene.log("a"), "first\n");
    scene.a.mend().expect("the cable is mended");
    scene.place.write("log-a.ready", "");
    scene.finishes_with("first\nsecond\nthird\n");
}

#[test]
fn cut_in_a_task_that_ends_meanwhile() {
    let scene = Scene::new(&three_tasks());
    let running = scene.start(begun);
    scene.a.cut().expect("the cable is cut");
    scene.place.write("log-a.ready", "");
    let done = wait_until(LIMIT, || scene.log("a") == "first\nsecond\n");
    assert!(done, "{}", running.said());
    running.loses_a("first\nsecond\nthird\n");
    scene.nothing_runs();
    scene.a.mend().expect("the cable is mended");
    // The host remembers that it has done the second task, and what came of it.
    scene.finishes_with("first\nsecond\nthird\n");
}

#[test]
fn cut_for_a_moment() {
    let scene = Scene::new(&three_tasks());
    let running = scene.start(begun);
    scene.a.cut().expect("the cable is cut");
    std::thread::sleep(Duration::from_secs(4));
    scene.a.mend().expect("the cable is mended");
    scene.place.write("log-a.ready", "");
    let (code, said) = running.end();
    assert_eq!(code, 0, "{said}");
    assert_eq!(scene.log("a"), "first\nsecond\nthird\n");
}

#[test]
fn cut_in_a_transfer() {
    let large: String =
        (0..600_000_u32).map(|it| format!("{:08x}\n", it.wrapping_mul(0x9e37_79b9))).collect();
    let to = "{{ shared }}/{{ inventory_hostname }}/large";
    let tasks = format!(
        "{}    - copy: {{src: large, dest: \"{to}\"}}\n{}",
        append("", "first"),
        append("", "third")
    );
    let scene = Scene::new(&tasks);
    let shared = scene.shared("shared");
    for host in ["a", "b"] {
        fs::create_dir(shared.join(host)).expect("a folder");
    }
    scene.place.write("large", &large);
    scene.place.write("group_vars/all.yml", &format!("shared: {}\n", shared.display()));
    // The agent is there before the cable becomes slow.
    let first = scene.place.run("davit exec -i hosts all -m ping");
    assert_eq!(first.code, 0, "{}{}", first.out, first.err);
    scene.a.slow(300).expect("a slow cable");
    let running =
        scene.start(|scene| scene.log("b").contains("first") && scene.log("a").contains("first"));
    std::thread::sleep(Duration::from_secs(3));
    scene.a.cut().expect("the cable is cut");
    running.loses_a("first\nthird\n");
    scene.nothing_runs();
    let left = |host: &str| fs::read_dir(shared.join(host)).expect("a folder").count();
    assert_eq!((left("a"), left("b")), (0, 1), "half a file is in place, or beside it");
    scene.a.mend().expect("the cable is mended");
    scene.a.fast().expect("a fast cable");
    scene.finishes_with("first\nthird\n");
    for host in ["a", "b"] {
        let got = fs::read_to_string(shared.join(host).join("large")).expect("the file is there");
        assert!(got == large, "{host}: {} of {} bytes, or others", got.len(), large.len());
    }
}

#[test]
fn cut_in_the_push_of_the_agent() {
    // As a server is set up that does not keep lines that are dead.
    let more = "ClientAliveInterval 3\nClientAliveCountMax 2".to_owned();
    let scene = Scene::with(&append("", "first"), Options { more, ..Options::default() });
    scene.a.slow(150).expect("a slow cable");
    let pushing = |scene: &Scene| size_below(&scene.home()) > 200_000;
    let running = scene.start(pushing);
    assert_eq!(scene.log("a"), "", "the agent was there too soon to be cut off");
    scene.a.cut().expect("the cable is cut");
    running.loses_a("first\n");
    scene.nothing_runs();
    scene.a.mend().expect("the cable is mended");
    scene.a.fast().expect("a fast cable");
    scene.finishes_with("first\n");
    let large = files_below(&scene.home()).into_iter().filter(|(_, size)| *size > 50_000);
    assert_eq!(large.count(), 1, "one agent, and no half of one: {:?}", files_below(&scene.home()));
}

#[test]
fn sshd_killed_in_a_task() {
    let scene = Scene::new(&three_tasks());
    let running = scene.start(begun);
    scene.a.kill_sshd();
    running.loses_a("first\nsecond\nthird\n");
    scene.nothing_runs();
    scene.a.start_sshd().expect("sshd starts again");
    scene.place.write("log-a.ready", "");
    scene.finishes_with("first\nsecond\nthird\n");
}

/// Files below a folder, with their sizes.
fn files_below(folder: &std::path::Path) -> Vec<(String, u64)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(kind) if kind.is_dir() => files.extend(files_below(&entry.path())),
            Ok(kind) => files.push((entry.path().display().to_string(), kind.len())),
            Err(_) => {}
        }
    }
    files
}

fn size_below(folder: &std::path::Path) -> u64 {
    files_below(folder).into_iter().map(|(_, size)| size).sum()
}
