//! Whatever a run has done to a tree, undoing it newest first gives the tree as it was.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use davit_module::{
    Call, Change, Content, Did, FileArgs, Host, Options, Session, Stamp, Undone, WriteOptions, undo,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Where something may stand.
const PATHS: [&str; 10] = ["a", "b", "c", "d", "d/a", "d/b", "d/e", "d/e/a", "f", "f/a"];

/// What the gate is asked for.
#[derive(Clone, Debug)]
enum Step {
    Write(usize, String),
    MakeFile(usize),
    MakeDir(usize),
    Remove(usize),
    Symlink(usize, usize),
    HardLink(usize, usize),
    Mode(usize, u32),
    Times(usize, i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let at = || 0..PATHS.len();
    let step = prop_oneof![
        4 => (at(), "[a-c]{0,3}").prop_map(|(at, text)| Step::Write(at, text)),
        1 => at().prop_map(Step::MakeFile),
        2 => at().prop_map(Step::MakeDir),
        2 => at().prop_map(Step::Remove),
        1 => (at(), at()).prop_map(|(from, to)| Step::Symlink(from, to)),
        1 => (at(), at()).prop_map(|(from, to)| Step::HardLink(from, to)),
        2 => (at(), prop_oneof![Just(0o600), Just(0o644), Just(0o755), Just(0o4711)])
            .prop_map(|(at, mode)| Step::Mode(at, mode)),
        1 => (at(), 1..2_000_000_000_i64).prop_map(|(at, secs)| Step::Times(at, secs)),
    ];
    proptest::collection::vec(step, 1..14)
}

/// What a snapshot says of a path: kind, mode, content or target, time, and which paths are the
/// same file.
type Snapshot = BTreeMap<PathBuf, (String, u32, Vec<u8>, i128, BTreeSet<PathBuf>)>;

fn snapshot(root: &Path) -> Snapshot {
    let mut found = Snapshot::new();
    let mut inodes: HashMap<u64, BTreeSet<PathBuf>> = HashMap::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(folder) = left.pop() {
        for item in fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(root).unwrap().to_path_buf();
            let mode = if meta.is_symlink() { 0 } else { meta.mode() & 0o7777 };
            let (kind, body, time) = if meta.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                ("link", target.to_string_lossy().into_owned().into_bytes(), 0)
            } else if meta.is_dir() {
                left.push(path.clone());
                ("folder", Vec::new(), 0)
            } else {
                inodes.entry(meta.ino()).or_default().insert(name.clone());
                let time = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
                ("file", fs::read(&path).unwrap(), time)
            };
            found.insert(name, (kind.to_owned(), mode, body, time, BTreeSet::new()));
        }
    }
    for names in inodes.values().filter(|it| it.len() > 1) {
        for name in names {
            found.get_mut(name).unwrap().4 = names.clone();
        }
    }
    found
}

/// A tree to begin with.
fn plant(root: &Path, seed: u16) {
    let has = |bit: u16| seed & (1 << bit) != 0;
    let old = |path: &Path| {
        let at = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000 + u64::from(seed), 7);
        let file = File::options().write(true).open(path).unwrap();
        file.set_times(FileTimes::new().set_modified(at)).unwrap();
    };
    for (bit, name) in [(0, "a"), (1, "b")] {
        if has(bit) {
            fs::write(root.join(name), format!("old {name}")).unwrap();
            fs::set_permissions(root.join(name), Permissions::from_mode(0o640)).unwrap();
            old(&root.join(name));
        }
    }
    if has(2) {
        symlink("a", root.join("c")).unwrap();
    }
    if has(3) {
        fs::create_dir_all(root.join("d/e")).unwrap();
        fs::set_permissions(root.join("d/e"), Permissions::from_mode(0o750)).unwrap();
        if has(4) {
            fs::write(root.join("d/e/a"), "deep").unwrap();
            old(&root.join("d/e/a"));
        }
        if has(5) {
            fs::write(root.join("d/a"), "twice").unwrap();
            fs::hard_link(root.join("d/a"), root.join("d/b")).unwrap();
        }
        if has(6) && has(0) {
            fs::hard_link(root.join("a"), root.join("f")).unwrap();
        }
    }
}

/// Does it through the gate. What cannot be done is part of the game.
fn act(host: &mut Host<'_>, step: &Step) {
    let at = |at: &usize| Path::new(PATHS[*at]);
    match step {
        Step::Write(path, text) => {
            if !host.lstat(at(path)).ok().flatten().is_some_and(|it| it.is_dir()) {
                let content = Content::from(text.clone().into_bytes());
                let _ = host.write(at(path), content, &WriteOptions::default());
            }
        }
        Step::MakeFile(path) => drop(host.make_file(at(path), 0o600)),
        Step::MakeDir(path) => drop(host.make_dir(at(path))),
        Step::Remove(path) => drop(host.remove(at(path))),
        Step::Symlink(target, path) => drop(host.symlink(at(target), at(path))),
        Step::HardLink(from, path) => drop(host.hard_link(at(from), at(path))),
        Step::Mode(path, mode) => {
            let mode = format!("{mode:04o}").into();
            let _ = host.set_attributes(at(path), &FileArgs::of_mode(mode), None);
        }
        Step::Times(path, secs) => {
            let stamp = Stamp { secs: *secs, nanos: 5 };
            let _ = host.set_times(at(path), stamp, stamp);
        }
    }
}

struct Ground {
    folder: tempfile::TempDir,
    session: Session,
    call: Call,
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("root");
        fs::create_dir(&root).unwrap();
        let keep = Some(folder.path().join("keep"));
        let session = Session::new(Options { keep, ..Options::default() });
        let call = Call { folder: root, umask: Some(0o022), diff: true, ..Call::default() };
        Self { folder, session, call }
    }

    fn root(&self) -> &Path {
        &self.call.folder
    }

    /// The changes so far, newest first, as they come back from a history.
    fn changes(&self) -> Vec<Change> {
        let mut changes = self.session.take_changes();
        changes.reverse();
        serde_json::from_str(&serde_json::to_string(&changes).unwrap()).unwrap()
    }

    fn undo(&self, changes: &[Change], check: bool) -> Vec<Undone> {
        let call = Call { check, ..self.call.clone() };
        // What one undoing predicts, it has to see itself.
        undo(&mut Host::new(&self.session, &call), changes, &|_| false)
    }
}

fn dids(report: &[Undone]) -> Vec<(&str, Did)> {
    report.iter().map(|it| (it.path.as_str(), it.did)).collect()
}

/// The same cases each time, so that what fails is what was changed; `PROPTEST_RNG_SEED` and
/// `PROPTEST_CASES` look elsewhere.
fn settings() -> ProptestConfig {
    let given = ProptestConfig::default();
    let named = |name: &str| std::env::var_os(name).is_some();
    ProptestConfig {
        cases: if named("PROPTEST_CASES") { given.cases } else { 400 },
        rng_seed: if named("PROPTEST_RNG_SEED") { given.rng_seed } else { RngSeed::Fixed(4) },
        failure_persistence: None,
        ..given
    }
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn what_was_done_is_undone_and_redone(seed in any::<u16>(), steps in steps()) {
        let ground = Ground::new();
        plant(ground.root(), seed);
        let before = snapshot(ground.root());
        let mut host = Host::new(&ground.session, &ground.call);
        steps.iter().for_each(|it| act(&mut host, it));
        let after = snapshot(ground.root());
        let changes = ground.changes();

        let foretold = ground.undo(&changes, true);
        prop_assert_eq!(&snapshot(ground.root()), &after, "a dry run touches nothing");
        prop_assert!(ground.changes().is_empty());

        let report = ground.undo(&changes, false);
        prop_assert_eq!(&snapshot(ground.root()), &before, "{:#?}\n{:#?}", changes, report);
        // A prediction does not know that what happens to one name of a file happens to all, and
        // once a name is gone, nobody knows that it was one.
        let linked =
            seed & 0b110_0000 != 0 || steps.iter().any(|it| matches!(it, Step::HardLink(..)));
        prop_assert!(linked || dids(&foretold) == dids(&report), "{:#?}", changes);
        let seen: BTreeSet<usize> = report.iter().flat_map(|it| it.numbers.clone()).collect();
        prop_assert_eq!(seen.len(), changes.len());
        prop_assert!(report.iter().all(|it| matches!(it.did, Did::Undone | Did::Already)), "{:#?}", report);

        let redo = ground.changes();
        if linked {
            return Ok(());
        }
        let report = ground.undo(&redo, false);
        let now = snapshot(ground.root());
        prop_assert_eq!(now, after, "{:#?}\n{:#?}", redo, report);
    }

    #[test]
    fn runs_are_undone_one_after_the_other(seed in any::<u16>(), one in steps(), two in steps()) {
        let ground = Ground::new();
        // A run does not know the other names of what another run has changed.
        let [one, two] = [one, two].map(|it| {
            it.into_iter().filter(|it| !matches!(it, Step::HardLink(..))).collect::<Vec<_>>()
        });
        plant(ground.root(), seed & !0b110_0000);
        let before = snapshot(ground.root());
        let mut host = Host::new(&ground.session, &ground.call);
        one.iter().for_each(|it| act(&mut host, it));
        let first = ground.changes();
        two.iter().for_each(|it| act(&mut host, it));
        let second = ground.changes();
        ground.undo(&second, false);
        let report = ground.undo(&first, false);
        prop_assert_eq!(&snapshot(ground.root()), &before, "{:#?}\n{:#?}", first, report);
    }

    #[test]
    fn what_somebody_else_has_changed_is_left_alone(
        seed in any::<u16>(),
        steps in steps(),
        at in 0..PATHS.len(),
    ) {
        let ground = Ground::new();
        plant(ground.root(), seed);
        let mut host = Host::new(&ground.session, &ground.call);
        steps.iter().for_each(|it| act(&mut host, it));
        let path = ground.root().join(PATHS[at]);
        let Ok(parent) = path.parent().unwrap().canonicalize() else { return Ok(()) };
        let path = parent.join(path.file_name().unwrap());
        if fs::symlink_metadata(&path).is_ok_and(|it| it.is_dir()) {
            return Ok(());
        }
        // Through a link it would be another file that is changed.
        let _ = fs::remove_file(&path);
        if fs::write(&path, "precious").is_err() {
            return Ok(());
        }
        let report = ground.undo(&ground.changes(), false);
        prop_assert_eq!(fs::read(&path).unwrap(), b"precious", "{:#?}", report);
    }
}

/// Does some steps, then undoes them; the second time there is nothing to do.
fn check(steps: &[Step]) {
    let ground = Ground::new();
    plant(ground.root(), 0b111_1111);
    let before = snapshot(ground.root());
    let mut host = Host::new(&ground.session, &ground.call);
    steps.iter().for_each(|it| act(&mut host, it));
    assert_ne!(snapshot(ground.root()), before);
    let changes = ground.changes();
    let report = ground.undo(&changes, false);
    assert_eq!(snapshot(ground.root()), before, "{report:#?}");
    let again = ground.undo(&changes, false);
    assert!(again.iter().all(|it| it.did == Did::Already), "{again:#?}");
}

#[test]
fn folders_come_back_with_all_that_was_in_them() {
    check(&[Step::Remove(3), Step::MakeDir(3), Step::Write(4, "new".into())]);
}

#[test]
fn several_changes_of_a_file_are_one() {
    let steps = [
        Step::Write(0, "x".into()),
        Step::Mode(0, 0o4711),
        Step::Write(0, "y".into()),
        Step::Times(0, 9),
    ];
    check(&steps);
    let ground = Ground::new();
    let mut host = Host::new(&ground.session, &ground.call);
    steps.iter().for_each(|it| act(&mut host, it));
    let report = ground.undo(&ground.changes(), true);
    assert_eq!(report.len(), 1);
    assert_eq!((report[0].numbers.len(), report[0].how.as_str()), (4, "removed"));
}

#[test]
fn without_copies_what_was_made_can_still_be_removed() {
    let mut ground = Ground::new();
    plant(ground.root(), 1);
    ground.session = Session::default();
    let mut host = Host::new(&ground.session, &ground.call);
    for step in [Step::Write(0, "x".into()), Step::Write(1, "x".into()), Step::Write(1, "y".into())]
    {
        act(&mut host, &step);
    }
    let report = ground.undo(&ground.changes(), false);
    assert_eq!(report[0].did, Did::Undone);
    assert_eq!(report[1].did, Did::Impossible);
    assert_eq!(report[1].how, "no copy was kept: the run kept no copies");
    assert_eq!(fs::read(ground.root().join("a")).unwrap(), b"x");
}

#[test]
fn folders_that_others_use_stay() {
    let ground = Ground::new();
    let mut host = Host::new(&ground.session, &ground.call);
    act(&mut host, &Step::MakeDir(3));
    fs::write(ground.root().join("d/theirs"), "x").unwrap();
    let report = ground.undo(&ground.changes(), false);
    assert_eq!((report[0].did, report[0].how.as_str()), (Did::Skipped, "it is not empty"));
}

#[test]
fn a_diff_shows_what_comes_back_and_nothing_where_it_is_hidden() {
    let ground = Ground::new();
    plant(ground.root(), 1);
    let mut host = Host::new(&ground.session, &ground.call);
    act(&mut host, &Step::Write(0, "new".into()));
    let changes = ground.changes();
    let call = Call { check: true, ..ground.call.clone() };
    let shown = undo(&mut Host::new(&ground.session, &call), &changes, &|_| false);
    assert_eq!(
        (&shown[0].diff["before"], &shown[0].diff["after"]),
        (&"new".into(), &"old a".into())
    );
    let hidden = undo(&mut Host::new(&ground.session, &call), &changes, &|_| true);
    assert!(hidden[0].diff.is_null());
    drop(ground.folder);
}

#[test]
fn a_program_is_told_and_not_guessed_at() {
    let ground = Ground::new();
    let mut host = Host::new(&ground.session, &ground.call);
    host.command(&davit_module::Program::new("true")).unwrap();
    let report = ground.undo(&ground.changes(), false);
    assert_eq!((report[0].path.as_str(), report[0].did), ("true", Did::Impossible));
}
