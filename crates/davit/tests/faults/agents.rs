//! The agent is killed, or davit is: nothing is left, and the run can be finished.

use nix::sys::signal::Signal;

use davit_ground::Process;

use super::{Scene, append};

fn three_tasks() -> String {
    let wait = "touch {{ log }}.begun; {% if inventory_hostname == 'a' %}\
                while ! test -e {{ log }}.ready; do sleep 0.2; done; {% endif %}";
    [append("", "first"), append(wait, "second"), append("", "third")].concat()
}

fn begun(scene: &Scene) -> bool {
    scene.place.path().join("log-a.begun").exists()
}

fn is_agent(process: &Process) -> bool {
    let program = process.line.split(' ').next().unwrap_or_default();
    program.contains("/davit/agent-") || program.contains("/agent-")
}

#[test]
fn the_worker_killed_in_a_task() {
    let scene = Scene::new(&three_tasks());
    let running = scene.start(begun);
    let count = scene.a.signal(Signal::SIGKILL, |it| is_agent(it) && it.line.ends_with("--worker"));
    assert!(count > 0, "no agent: {:?}", scene.a.processes());
    running.loses_a("first\nsecond\nthird\n");
    scene.nothing_runs();
    scene.place.write("log-a.ready", "");
    scene.finishes_with("first\nsecond\nthird\n");
}

#[test]
fn the_agent_killed_by_its_name_in_a_task() {
    let scene = Scene::new(&three_tasks());
    let running = scene.start(begun);
    scene.a.run(&["pkill", "-9", "davit-agent"]).expect("there is an agent of that name");
    running.loses_a("first\nsecond\nthird\n");
    scene.nothing_runs();
    scene.place.write("log-a.ready", "");
    scene.finishes_with("first\nsecond\nthird\n");
}

#[test]
fn the_agent_and_its_guard_killed_in_a_task() {
    let scene = Scene::new(&three_tasks());
    let running = scene.start(begun);
    assert_eq!(scene.a.signal(Signal::SIGKILL, is_agent), 2, "a worker and its guard");
    running.loses_a("first\nsecond\nthird\n");
    // Nobody is left who could end the task; whoever kills both has to do it.
    scene.a.signal(Signal::SIGKILL, |_| true);
    scene.nothing_runs();
    scene.place.write("log-a.ready", "");
    scene.finishes_with("first\nsecond\nthird\n");
}

#[test]
fn davit_killed_in_a_task() {
    let scene = Scene::new(&three_tasks());
    let running = scene.start(|scene| begun(scene) && scene.log("b").contains("second"));
    // Dropped, it is killed.
    drop(running);
    scene.nothing_runs();
    assert_eq!(scene.log("a"), "first\n");
    scene.place.write("log-a.ready", "");
    scene.finishes_with("first\nsecond\nthird\n");
}

#[test]
fn davit_stopped_for_a_while() {
    let scene = Scene::new(&three_tasks());
    let running = scene.start(begun);
    let pid = nix::unistd::Pid::from_raw(i32::try_from(running.child.id()).expect("a number"));
    // As on a laptop that is closed: for davit, the clock jumps.
    nix::sys::signal::kill(pid, Signal::SIGSTOP).expect("it can be stopped");
    std::thread::sleep(std::time::Duration::from_secs(45));
    nix::sys::signal::kill(pid, Signal::SIGCONT).expect("it can go on");
    scene.place.write("log-a.ready", "");
    let (code, said) = running.end();
    assert!([0, 4].contains(&code), "{code}: {said}");
    if code == 4 {
        scene.nothing_runs();
        scene.finishes_with("first\nsecond\nthird\n");
    }
    assert_eq!(scene.log("a"), "first\nsecond\nthird\n", "{said}");
}
