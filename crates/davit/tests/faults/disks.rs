//! Disks that are full or let no programs run.

use std::fs;

use davit_ground::Options;

use super::{Scene, append};

/// Mounts a small disk over a folder. What ground has in it stays to be seen.
fn small(folder: &str, options: &str) -> String {
    format!("mkdir -p {folder}\nmount -t tmpfs -o size=64k,mode=1777{options} none {folder}\n")
}

/// Mounts small disks over all folders that the agent might be kept in.
fn everywhere(options: &str) -> String {
    let mut text = home(options);
    // The ground itself is below the folder for temporary files: it is put back where it was.
    text.push_str("mkdir -p /run/kept\nmount -t tmpfs none /run/kept\nmkdir /run/kept/g\n");
    text.push_str("mount --rbind $ground /run/kept/g\n");
    for folder in ["/tmp", "/var/tmp", "/dev/shm", "/run/user"] {
        text.push_str(&small(folder, options));
    }
    text + "mkdir -p $ground\nmount --rbind /run/kept/g $ground\n"
}

/// Mounts a small disk over the home of the machine that is made next.
fn home(options: &str) -> String {
    let mount = format!("mount -t tmpfs -o size=64k,mode=700{options} none $h");
    format!("for h in $ground/home-*; do {mount}; done\n")
}

#[test]
fn a_home_that_is_full() {
    for options in ["", ",noexec"] {
        let before = home(options);
        let scene = Scene::with(&append("", "first"), Options { before, ..Options::default() });
        let ran = scene.place.run("davit run -i hosts site.yml --output default");
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert_eq!(scene.log("a"), "first\n");
    }
}

#[test]
fn no_folder_takes_the_agent() {
    for (options, word) in [("", "full"), (",noexec", "run")] {
        let before = everywhere(options);
        let scene = Scene::with(&append("", "first"), Options { before, ..Options::default() });
        let ran = scene.place.run("davit run -i hosts site.yml --output default");
        assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
        assert!(ran.out.contains(word), "it does not say why: {}{}", ran.out, ran.err);
        assert_eq!((scene.log("a").as_str(), scene.log("b").as_str()), ("", "first\n"));
        scene.nothing_runs();
    }
}

#[test]
fn a_file_that_the_disk_has_no_room_for() {
    let tasks = "    - copy: {src: large, dest: /mnt/file}\n";
    let before = small("/mnt", "") + "echo old > /mnt/file\n";
    let scene = Scene::with(tasks, Options { before, ..Options::default() });
    scene.place.write("large", &"0123456789abcdef".repeat(100_000));
    let ran = scene.place.run("davit run -i hosts site.yml --limit a --output default");
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("space"), "it does not say why: {}{}", ran.out, ran.err);
    let left = scene.a.run(&["sh", "-c", "cat /mnt/file; ls -A /mnt"]).expect("it can be listed");
    assert_eq!(left, "old\nfile\n", "half a file is in place, or beside it");
    // The host works on, and so does its agent.
    scene.place.write(
        "site.yml",
        &format!("- hosts: a\n  gather_facts: false\n  tasks:\n{}", append("", "on")),
    );
    assert_eq!(scene.place.run("davit run -i hosts site.yml").code, 0);
    assert_eq!(fs::read_to_string(scene.place.path().join("log-a")).expect("a log"), "on\n");
}
