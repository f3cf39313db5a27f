//! `synchronize` beside the real rsync, on the same trees with the same options: what is told and
//! what is there afterwards is the same. And large files, which no side holds in memory.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::Scene;

/// When everything in the trees was made; what is later was made by the test.
const THEN: u64 = 1_500_000_000;
const LATER: i64 = 1_600_000_000;

/// One set of options: a name, the task's arguments, those of rsync, what is there before, and
/// how the source ends.
struct Case {
    name: &'static str,
    task: &'static str,
    rsync: &'static str,
    before: bool,
    end: &'static str,
}

const fn case(
    name: &'static str,
    task: &'static str,
    rsync: &'static str,
    before: bool,
    end: &'static str,
) -> Case {
    Case { name, task, rsync, before, end }
}

const CASES: &[Case] = &[
    case("new", "", "-a", false, "/"),
    case("named", "", "-a", false, ""),
    case("single", "", "-a", false, "/a"),
    case("plain", "", "-a", true, "/"),
    case("delete", "delete: true", "-a --delete-after", true, "/"),
    case(
        "rules",
        "delete: true, rsync_opts: [--exclude=*.o, --include=/sub/deep/, --exclude=/sub/*]",
        "-a --delete-after --exclude=*.o --include=/sub/deep/ --exclude=/sub/*",
        true,
        "/",
    ),
    case(
        "excluded",
        "rsync_opts: [--delete-excluded, --exclude, '*.o', '--filter=P extra']",
        "-a --delete-after --delete-excluded --exclude *.o --filter=P_extra",
        true,
        "/",
    ),
    case("checksum", "checksum: true, rsync_opts: [--force]", "-ac --force", true, "/"),
    case(
        "existing",
        "existing_only: true, delete: true",
        "-a --existing --delete-after",
        true,
        "/",
    ),
    case(
        "bare",
        "perms: false, times: false, owner: false, group: false, delete: true",
        "-a --no-p --no-t --no-o --no-g --delete-after",
        true,
        "/",
    ),
    case(
        "followed",
        "copy_links: true, rsync_opts: [--exclude=broken, --force]",
        "-aL --exclude=broken --force",
        true,
        "/",
    ),
    case("unlinked", "links: false, delete: true", "-a --no-l --delete-after", true, "/"),
    case(
        "changed",
        "rsync_opts: ['--chmod=Du=rwx,go=rx,F640', --chown=daemon:bin]",
        "-a --chmod=Du=rwx,go=rx,F640 --chown=daemon:bin",
        false,
        "/",
    ),
    case("update", "rsync_opts: [-u, -O, --del]", "-a -u -O --delete-after", true, "/"),
    case(
        "flat",
        "recursive: false, dirs: true, delete: true",
        "-a --no-r -d --delete-after",
        true,
        "/",
    ),
    case(
        "sizes",
        "rsync_opts: [--max-size=10, -m, --exclude=empty]",
        "-a --max-size=10 -m --exclude=empty",
        false,
        "/",
    ),
    case("little", "archive: false, recursive: true, times: true", "-rt --force", false, "/"),
];

#[test]
fn trees_are_those_that_rsync_makes_on_this_machine() {
    compare("localhost", "", "");
}

#[test]
fn trees_are_those_that_rsync_makes_over_ssh() {
    compare("a", "", "");
}

#[test]
fn trees_are_those_that_rsync_makes_from_a_host() {
    compare("a", "mode: pull, ", "");
}

#[test]
fn trees_are_those_that_rsync_makes_from_one_host_to_another() {
    compare("a", "", "b");
}

#[test]
fn trees_are_those_that_rsync_makes_within_a_host() {
    compare("a", "", "a");
}

/// Runs all cases, in one play, and then rsync.
fn compare(host: &str, mode: &str, delegate: &str) {
    let scene = Scene::new();
    scene.with_key("root", &[]);
    second_host(&scene);
    let root = scene.place.path().to_path_buf();
    source(&root.join("src"));
    let mut site = format!("- hosts: {host}\n  gather_facts: false\n  tasks:\n");
    for Case { name, task, before, end, .. } in CASES {
        for side in ["theirs", "ours"].iter().filter(|_| *before) {
            previous(&root.join(format!("{name}.{side}")));
        }
        let (root, comma) = (root.display(), if task.is_empty() { "" } else { ", " });
        let _ = write!(
            site,
            "    - ansible.posix.synchronize: {{{mode}src: {root}/src{end}, dest: {root}/{name}.ours{comma}{task}}}
      register: done
      failed_when: false
"
        );
        if !delegate.is_empty() {
            let _ = writeln!(site, "      delegate_to: {delegate}");
        }
        let _ = write!(
            site,
            "    - copy: {{content: '{{{{ done }}}}', dest: {root}/{name}.json}}
      delegate_to: localhost
"
        );
    }
    scene.place.write("site.yml", &site);
    let ran = scene.place.run("davit run -i hosts.yml site.yml");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let mut wrong = Vec::new();
    for case in CASES {
        wrong.extend(differences(&scene, &root, case));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn second_host(scene: &Scene) {
    let text = scene.place.read("hosts.yml");
    let lines: Vec<&str> = text.lines().skip_while(|it| it.trim() != "a:").skip(1).collect();
    scene.place.write("hosts.yml", &format!("{text}    b:\n{}\n", lines.join("\n")));
}

/// What differs between the two, in words.
fn differences(scene: &Scene, root: &Path, case: &Case) -> Vec<String> {
    let name = case.name;
    let (theirs, ours) = (root.join(format!("{name}.theirs")), root.join(format!("{name}.ours")));
    let ran = Command::new("rsync")
        .args(["-F", "-8", "--out-format=%i %n%L"])
        .args(case.rsync.split(' ').map(|it| it.replace("P_", "P ")))
        .arg(format!("{}/src{}", root.display(), case.end))
        .arg(&theirs)
        .output()
        .expect("rsync, of the package rsync");
    let result: serde_json::Value =
        serde_json::from_str(&scene.place.read(&format!("{name}.json"))).expect("a result");
    let mut wrong = Vec::new();
    let code = ran.status.code().unwrap_or(-1);
    if result["rc"] != code {
        wrong.push(format!("{name}: {code} and {result}"));
    }
    if code == 0 {
        let told = String::from_utf8_lossy(&ran.stdout).replace(".theirs", ".ours");
        let mut told: Vec<String> = told.lines().map(str::to_owned).collect();
        let lines = result["stdout_lines"].as_array().cloned().unwrap_or_default();
        let mut lines: Vec<String> =
            lines.iter().filter_map(|it| it.as_str()).map(|it| it.replacen('<', ">", 1)).collect();
        // When rsync tells that something makes way depends on how far its other half is.
        told.sort();
        lines.sort();
        (told, lines) = (without_copies(told), without_copies(lines));
        if told != lines {
            wrong.push(format!("{name}: told\n{told:#?}\nand\n{lines:#?}"));
        }
        let is_changed = told.iter().any(|it| it.get(11..12) == Some(" "));
        if result["changed"] != is_changed {
            wrong.push(format!("{name}: changed is not {is_changed}"));
        }
    }
    let (theirs, ours) = (tree(&theirs), tree(&ours));
    for path in theirs.keys().chain(ours.keys()) {
        if theirs.get(path) != ours.get(path) {
            let path_shown = path.display();
            let (one, other) = (theirs.get(path), ours.get(path));
            wrong.push(format!("{name}: {path_shown} is {one:?} and {other:?}"));
        }
    }
    wrong
}

fn without_copies(mut lines: Vec<String>) -> Vec<String> {
    lines.dedup();
    lines
}

/// All that is told of a path but its times of reading.
fn tree(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(&path).expect("it is there");
        let mut text = format!("{:o} {} {}", meta.mode(), meta.uid(), meta.gid());
        let now = meta.mtime() > LATER;
        let _ = if now {
            write!(text, " now")
        } else {
            write!(text, " {}.{}", meta.mtime(), meta.mtime_nsec())
        };
        if meta.is_symlink() {
            let _ = write!(text, " {:?}", fs::read_link(&path).expect("a link"));
        } else if meta.is_file() {
            let bytes = fs::read(&path).expect("a file");
            let _ = write!(text, " {} {:?}", bytes.len(), bytes.get(..9));
        } else if meta.is_dir() {
            left.extend(fs::read_dir(&path).expect("a folder").flatten().map(|it| it.path()));
        }
        all.insert(path.strip_prefix(root).expect("beneath").to_path_buf(), text);
    }
    all
}

fn file(path: &Path, text: &[u8], mode: u32, later: u64) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder is made");
    fs::write(path, text).expect("a file is written");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode is set");
    times(path, later);
}

fn times(path: &Path, later: u64) {
    let then = SystemTime::UNIX_EPOCH + Duration::new(THEN + later, 42);
    let times = FileTimes::new().set_accessed(then).set_modified(then);
    File::open(path).and_then(|it| it.set_times(times)).expect("times are set");
}

fn folders_times(root: &Path, later: u64) {
    for path in fs::read_dir(root).expect("a folder").flatten().map(|it| it.path()) {
        if path.is_dir() && !path.is_symlink() {
            folders_times(&path, later);
        }
    }
    times(root, later);
}

/// What is sent: of each kind, with odd names, modes and owners.
fn source(root: &Path) {
    let at = |name: &str| root.join(name);
    file(&at("a"), b"a", 0o640, 0);
    file(&at("b.o"), b"obj", 0o755, 1);
    file(&at("big"), &[b'B'; 700_000], 0o644, 5);
    file(&at("sub/c"), b"cc", 0o600, 2);
    std::os::unix::fs::chown(at("sub/c"), Some(1), Some(2)).expect("owners are set");
    file(&at("sub/deep/d.o"), b"dd", 0o644, 3);
    file(&at("sub/deep/e"), b"eeee", 0o4755, 4);
    file(&at("sub-x/f"), b"", 0o644, 6);
    file(&at("sp ace/\u{fc}"), b"u", 0o644, 0);
    file(&root.join(std::ffi::OsStr::from_bytes(b"caf\xe9")), b"bytes", 0o644, 0);
    file(&at(".rsync-filter"), b"- *.skip\n", 0o644, 0);
    file(&at("sub/.rsync-filter"), b"+ keep.skip\n", 0o644, 0);
    file(&at("sub/keep.skip"), b"k", 0o644, 0);
    file(&at("z.skip"), b"z", 0o644, 0);
    fs::create_dir(at("empty")).expect("a folder is made");
    for (target, name) in [("a", "link"), ("sub", "dirlink"), ("/nowhere", "broken")] {
        symlink(target, at(name)).expect("a link is made");
    }
    let made = Command::new("mkfifo").arg(at("pipe")).status().expect("mkfifo, of coreutils");
    assert!(made.success());
    fs::set_permissions(at("sub"), Permissions::from_mode(0o2750)).expect("a mode is set");
    fs::set_permissions(at("sub/deep"), Permissions::from_mode(0o555)).expect("a mode is set");
    folders_times(root, 100);
}

/// What is there before: the same, other contents, other kinds, and more.
fn previous(root: &Path) {
    let at = |name: &str| root.join(name);
    file(&at("a"), b"a", 0o600, 0);
    file(&at("b.o"), b"OBJ", 0o755, 1);
    file(&at("big"), &[b'b'; 700_000], 0o644, 5);
    file(&at("sub/c"), b"old", 0o600, 9);
    file(&at("sub/extra"), b"x", 0o644, 0);
    file(&at("sub/deep/e"), b"newer", 0o644, 999_999);
    file(&at("extra/one/two"), b"x", 0o644, 0);
    file(&at("extra/one/keep.o"), b"x", 0o644, 0);
    file(&at("dirlink/x"), b"in the way", 0o644, 0);
    file(&at("empty"), b"in the way", 0o644, 0);
    file(&at("old.skip"), b"s", 0o644, 0);
    symlink("b", at("link")).expect("a link is made");
    // Else it is by chance whether it is as old as the link that takes its place.
    let then = nix::sys::time::TimeSpec::new(i64::try_from(THEN).expect("a time"), 42);
    let not_followed = nix::sys::stat::UtimensatFlags::NoFollowSymlink;
    nix::sys::stat::utimensat(nix::fcntl::AT_FDCWD, &at("link"), &then, &then, not_followed)
        .expect("times are set");
    folders_times(root, 200);
}

#[test]
fn a_dry_run_tells_what_the_run_does_and_undo_takes_it_back() {
    let scene = Scene::new();
    scene.with_key("root", &[]);
    let root = scene.place.path().to_path_buf();
    source(&root.join("files/src"));
    previous(&root.join("dest"));
    let before = tree(&root.join("dest"));
    let site = format!(
        "- hosts: a
  gather_facts: false
  tasks:
    - synchronize: {{src: src/, dest: {}/dest, delete: true}}
      register: done
    - copy: {{content: '{{{{ done.stdout_lines }}}}', dest: {0}/told.json}}
      delegate_to: localhost
      check_mode: false
",
        root.display()
    );
    scene.place.write("site.yml", &site);
    let run = |line: &str| {
        let ran = scene.place.run(line);
        assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
        ran
    };
    let dry = run("davit run -i hosts.yml site.yml --check --diff");
    assert!(dry.out.contains("*deleting   old.skip") || dry.out.contains("extra/one/two"));
    assert_eq!(tree(&root.join("dest")), before);
    let predicted = scene.place.read("told.json");
    run("davit run -i hosts.yml site.yml");
    assert_eq!(scene.place.read("told.json"), predicted);
    assert_ne!(tree(&root.join("dest")), before);
    let again = run("davit run -i hosts.yml site.yml");
    assert_eq!(scene.place.read("told.json"), "[]", "{}", again.out);
    // The run before the last is the one that changed the tree.
    let runs = scene.place.run("davit runs --json --limit 3").out;
    let id = runs.lines().nth(1).expect("three runs")[7..15].to_owned();
    let undone = run(&format!("davit undo {id}"));
    let now = tree(&root.join("dest"));
    let without_times = |tree: &BTreeMap<PathBuf, String>| -> Vec<(PathBuf, String)> {
        // The times of folders that files were put back into are those of now.
        let is_file = |text: &str| text.starts_with("10");
        tree.iter()
            .map(|(path, text)| {
                let text = if is_file(text) { text.clone() } else { text[..5].to_owned() };
                (path.clone(), text)
            })
            .collect()
    };
    assert_eq!(without_times(&now), without_times(&before), "{}", undone.out);
}

#[test]
fn what_is_not_supported_is_refused_by_its_name() {
    let scene = Scene::new();
    scene.with_key("root", &[]);
    let site = "- hosts: a
  gather_facts: false
  tasks:
    - synchronize: {src: /etc/hosts, dest: /tmp/never, rsync_opts: [--bwlimit=10]}
";
    scene.place.write("site.yml", site);
    let ran = scene.place.run("davit run -i hosts.yml site.yml");
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(
        format!("{}{}", ran.out, ran.err).contains("'--bwlimit=10' is not supported"),
        "{}",
        ran.out
    );
    let missing =
        scene.place.run("davit exec a -i hosts.yml -m synchronize -a src=/nowhere\u{a0}dest=/x");
    assert_ne!(missing.code, 0);
}

#[test]
fn large_files_are_in_nobodys_memory() {
    let scene = Scene::new();
    scene.with_key("root", &[]);
    let root = scene.place.path().to_path_buf();
    let large = File::create(root.join("large")).expect("a file is made");
    large.set_len(300 << 20).expect("it has a size");
    let site = "- hosts: a
  gather_facts: false
  tasks:
    - copy: {src: ROOT/large, dest: ROOT/copied}
    - fetch: {src: ROOT/copied, dest: ROOT/fetched, flat: true}
    - synchronize: {src: ROOT/large, dest: ROOT/pushed}
    - synchronize: {src: ROOT/large, dest: ROOT/pulled, mode: pull}
    - shell: cat /proc/$PPID/status
      register: agent
    - shell: cat /proc/$PPID/status
      register: davit
      delegate_to: localhost
    - copy: {content: \"{{ agent.stdout }}\\n{{ davit.stdout }}\\n\", dest: ROOT/memory}
      delegate_to: localhost
    - slurp: {src: ROOT/large}
      register: refused
      failed_when: \"'use ansible.builtin.fetch' not in refused.msg\"
";
    scene.place.write("site.yml", &site.replace("ROOT", &root.display().to_string()));
    let ran = scene.place.run("davit run -i hosts.yml site.yml");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for name in ["copied", "fetched", "pushed", "pulled"] {
        let size = fs::metadata(root.join(name)).expect("it is there").len();
        assert_eq!(size, 300 << 20, "{name}");
    }
    let memory = scene.place.read("memory");
    let names = memory.lines().filter(|it| it.starts_with("Name:")).count();
    let peaks: Vec<u64> = memory
        .lines()
        .filter_map(|it| it.strip_prefix("VmHWM:"))
        .map(|it| it.trim().trim_end_matches(" kB").parse().expect("a number"))
        .collect();
    assert_eq!((names, peaks.len()), (2, 2), "{memory}");
    assert!(memory.contains("davit-agent") || memory.contains("davit"), "{memory}");
    assert!(peaks.iter().all(|it| *it < 100 << 10), "{peaks:?} kB");
}
