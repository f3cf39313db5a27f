//! Hosts that are not there, or say nothing.

use std::net::TcpListener;
use std::time::Instant;

use super::{LIMIT, Scene, append};

#[test]
fn a_host_that_takes_the_connection_and_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it has one").port();
    let scene = Scene::new(&[append("", "first"), append("", "second")].concat());
    let inventory = scene.place.read("hosts");
    let (_, rest) = inventory.split_once('\n').expect("a line for a");
    scene.place.write(
        "hosts",
        &format!("a ansible_host=127.0.0.1 ansible_port={port} ansible_timeout=5\n{rest}"),
    );
    let started = Instant::now();
    scene.start(|_| true).loses_a("first\nsecond\n");
    assert!(started.elapsed() < LIMIT / 2, "{:?}", started.elapsed());
}

#[test]
fn a_dead_host_does_not_hold_up_the_others_under_free() {
    let scene = Scene::new(&[append("", "first"), append("", "second")].concat());
    let text =
        scene.place.read("site.yml").replace("gather_facts:", "strategy: free\n  gather_facts:");
    scene.place.write("site.yml", &text);
    scene.a.cut().expect("the cable is cut");
    let running = scene.start(|scene| scene.log("b") == "first\nsecond\n");
    assert!(
        !running.said().contains("UNREACHABLE"),
        "the dead host was waited for:\n{}",
        running.said()
    );
    running.loses_a("first\nsecond\n");
    scene.a.mend().expect("the cable is mended");
    scene.finishes_with("first\nsecond\n");
}
