//! davit's clock is set while it runs: a jump is no reason to give up a host, nor to wait for one.
//!
//! A preloaded library tells davit and its ssh the wrong time. The clock of a host cannot be set
//! here without setting everybody's; the agent works its limits out by the monotonic clock alone.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use super::{LIMIT, Scene, append};

/// Adds the seconds that a file holds to the time of day.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long off(void) {
    char text[32] = {0};
    const char *path = getenv("CLOCK_OFF");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    long got = read(file, text, sizeof text - 1);
    close(file);
    return got > 0 ? atol(text) : 0;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += off();
    return result;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *out) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (out) *out = exact.tv_sec;
    return exact.tv_sec;
}
"#;

fn clock(scene: &Scene) -> PathBuf {
    scene.place.write("clock.c", CLOCK);
    let library = scene.place.path().join("clock.so");
    let status = Command::new("gcc")
        .args(["-O1", "-shared", "-fPIC", "-o"])
        .args([&library, &scene.place.path().join("clock.c")])
        .status();
    assert!(status.expect("gcc starts").success());
    library
}

/// A run of three tasks, in the middle of which davit's clock jumps by so many seconds.
fn jump(seconds: &str) {
    let wait = "touch {{ log }}.begun; {% if inventory_hostname == 'a' %}\
                while ! test -e {{ log }}.ready; do sleep 0.2; done; {% endif %}";
    let scene =
        Scene::new(&[append("", "first"), append(wait, "second"), append("", "third")].concat());
    let library = clock(&scene);
    let off = scene.place.path().join("off");
    let begun = scene.place.path().join("log-a.begun");
    let started = Instant::now();
    let running =
        scene.start_with("site.yml", &[("LD_PRELOAD", &library), ("CLOCK_OFF", &off)], |_| {
            begun.exists()
        });
    fs::write(&off, seconds).expect("the clock is set");
    // Longer than the agent's and davit's heartbeats.
    std::thread::sleep(std::time::Duration::from_secs(12));
    scene.place.write("log-a.ready", "");
    let (code, said) = running.end();
    assert_eq!(code, 0, "{said}");
    assert_eq!(scene.log("a"), "first\nsecond\nthird\n", "{said}");
    assert!(started.elapsed() < LIMIT / 2, "{:?}", started.elapsed());
    let shown = scene.place.run("davit runs");
    assert_eq!(shown.code, 0, "{}", shown.err);
}

#[test]
fn a_clock_that_jumps_ahead() {
    jump("10800");
}

#[test]
fn a_clock_that_jumps_back() {
    jump("-10800");
}

#[test]
fn the_last_run_is_the_one_that_was_started_last() {
    let scene = Scene::new(
        &[append("", "first"), append("test -e {{ log }}.ready && ", "second")].concat(),
    );
    let library = clock(&scene);
    let off = scene.place.path().join("off");
    let run = |seconds: &str, play: &str| {
        scene.place.write("off", seconds);
        let running =
            scene.start_with(play, &[("LD_PRELOAD", &library), ("CLOCK_OFF", &off)], |_| true);
        running.end()
    };
    scene.place.write("other.yml", "- hosts: a\n  gather_facts: false\n  tasks:\n  - fail:\n");
    assert_eq!(run("10800", "other.yml").0, 2);
    assert_eq!(run("-10800", "site.yml").0, 2);
    for host in ["a", "b"] {
        scene.place.write(&format!("log-{host}.ready"), "");
    }
    scene.finishes_with("first\nsecond\n");
}
