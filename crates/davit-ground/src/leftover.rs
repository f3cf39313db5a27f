//! What a ground leaves when its process is killed, and taking it away.
//!
//! Everything hangs on the folder: processes are named by `*.pid` files in it, namespaces by `*.netns` files. A
//! process is only ended if its command line names the folder, so a number that was given anew hurts nobody.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    PREFIX,
    machine::give_back,
    process::{end_family, every_process, run},
};

/// Takes away what grounds of dead processes left.
pub(crate) fn sweep() {
    let folders = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    for folder in folders {
        let name = folder.file_name().to_string_lossy().into_owned();
        let maker = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        let Some(maker) = maker.and_then(|it| it.parse::<u32>().ok()) else { continue };
        if !Path::new(&format!("/proc/{maker}")).exists() {
            remove(&folder.path());
        }
    }
}

/// Ends what runs below a ground's folder and removes it.
pub(crate) fn remove(folder: &Path) {
    let files = |ending: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(|it| it.path())
            .filter(|it| it.extension().is_some_and(|e| e == ending))
            .collect()
    };
    let text = |path: &Path| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let running = every_process();
    let here = folder.display().to_string();
    for file in files("pid") {
        let pid: i32 = text(&file).parse().unwrap_or(0);
        if running.iter().any(|it| it.pid == pid && it.line.contains(&here)) {
            end_family(pid);
        }
    }
    for file in files("container") {
        if let Some((engine, name)) = text(&file).split_once(' ') {
            let _ = run(engine, &["rm", "--force", "--volumes", name]);
        }
    }
    // A container of a daemon that was killed is kept up by a process of its own.
    let keeps_up = |line: &str| line.contains("containerd-shim") && line.contains(&here);
    for shim in running.iter().filter(|it| keeps_up(&it.line)) {
        end_family(shim.pid);
    }
    for file in files("netns") {
        if let Some((name, block)) = text(&file).split_once(' ') {
            let _ = run("ip", &["netns", "delete", name]);
            give_back(name, block);
        }
    }
    // What is mounted here belongs to ended processes by now, or to a daemon that died.
    for line in fs::read_to_string("/proc/self/mounts").unwrap_or_default().lines().rev() {
        if let Some(at) = line.split(' ').nth(1).filter(|at| Path::new(at).starts_with(folder)) {
            let _ = run("umount", &["--lazy", at]);
        }
    }
    let _ = fs::remove_dir_all(folder);
}
