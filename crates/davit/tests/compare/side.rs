//! Running one side: a fresh working folder, a closed environment, the commands, what they left.
//!
//! The working folders of both sides have paths of the same length, and the path is written as
//! `{base}` in everything that is kept, so sizes and texts that hold it stay comparable.

use std::{
    collections::BTreeMap,
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    case::{Case, Run},
    normal::BASE,
    way::{Kind, Way},
};

/// Counts up when recordings that were made before can no longer be compared.
const FORMAT: u32 = 1;
/// No run of the corpus takes nearly as long.
const LIMIT: Duration = Duration::from_secs(180);

/// What one side did with a case.
#[derive(Deserialize, Serialize)]
pub(super) struct Recording {
    /// The lines are davit's events rather than the recorder's.
    pub(super) events: bool,
    /// One a command.
    pub(super) runs: Vec<Ran>,
    /// What stands below `out` at the end: by path, what it is.
    pub(super) files: BTreeMap<String, String>,
}

/// What one command did.
#[derive(Deserialize, Serialize)]
pub(super) struct Ran {
    /// The exit code, or -1 when it was ended by a signal or took too long.
    pub(super) exit: i32,
    /// The recorder's lines, or davit's events.
    pub(super) lines: Vec<String>,
    /// What it printed.
    pub(super) stdout: String,
    /// What it said on the side.
    pub(super) stderr: String,
}

/// The original's recording: from the cache, or made now and kept there.
pub(super) fn original(case: &Case, way: &Way) -> Result<Recording, String> {
    let cache = cache().join("recorded").join(format!("{:016x}.json", key(case, way)?));
    if let Ok(text) = fs::read_to_string(&cache) {
        return serde_json::from_str(&text)
            .map_err(|error| format!("{}: {error}", cache.display()));
    }
    let recording = record(case, way)?;
    let text = serde_json::to_string(&recording).map_err(|error| error.to_string())?;
    let folder = cache.parent().unwrap_or(&cache);
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let partial = cache.with_extension(std::process::id().to_string());
    fs::write(&partial, text)
        .and_then(|()| fs::rename(&partial, &cache))
        .map_err(|error| format!("{}: {error}", cache.display()))?;
    Ok(recording)
}

/// The original's recording, made now.
pub(super) fn record(case: &Case, way: &Way) -> Result<Recording, String> {
    let venv = venv();
    let work = Work::new(case, way, way.original())?;
    let record = work.base.join("record.jsonl");
    work.run(case, false, |run| {
        let _ = fs::remove_file(&record);
        let mut command = work.command(case, run, &venv.join("bin").join(run.program()), &[]);
        command.env("ANSIBLE_PYTHON_INTERPRETER", venv.join("bin/python3"));
        if way.kind != Kind::Here {
            // One connection for the whole run, as short a wait for it as it has itself.
            command.env("ANSIBLE_SSH_ARGS", "-o ControlMaster=auto -o ControlPersist=10s");
            command.env("ANSIBLE_SSH_CONTROL_PATH_DIR", work.base.join("cp"));
        }
        if !case.prints(run) {
            command
                .env("ANSIBLE_CALLBACK_PLUGINS", manifest().join("tests/recorder"))
                .env("ANSIBLE_CALLBACKS_ENABLED", "oracle_recorder")
                .env("ORACLE_RECORD", &record);
        }
        let mut ran = work.wait(command)?;
        let lines = fs::read_to_string(&record).unwrap_or_default();
        ran.lines = work
            .hide(&lines)
            .lines()
            .filter(|line| line.starts_with('{'))
            .map(str::to_owned)
            .collect();
        Ok(ran)
    })
}

/// davit's recording.
pub(super) fn davit(case: &Case, way: &Way) -> Result<Recording, String> {
    let work = Work::new(case, way, way.davit())?;
    // Another build than the one beside the tests can be held against the original, too.
    let other = env::var_os("DAVIT_ORACLE_PROGRAM").map(PathBuf::from);
    let built = || PathBuf::from(env!("CARGO_BIN_EXE_davit"));
    let program = &other.unwrap_or_else(built);
    work.run(case, true, |run| {
        if case.prints(run) {
            // Through a link of its name davit is that program.
            let link = work.base.join(run.program());
            let _ = fs::remove_file(&link);
            symlink(program, &link).map_err(|error| format!("{}: {error}", link.display()))?;
            return work.wait(work.command(case, run, &link, &[]));
        }
        // By the original's name, so that nothing is refused before it runs.
        let link = work.base.join("ansible-playbook");
        let _ = fs::remove_file(&link);
        symlink(program, &link).map_err(|error| format!("{}: {error}", link.display()))?;
        let mut command = work.command(case, run, &link, &[]);
        command.env("ANSIBLE_STDOUT_CALLBACK", "events");
        let mut ran = work.wait(command)?;
        ran.lines = std::mem::take(&mut ran.stdout)
            .lines()
            .filter(|line| line.starts_with('{'))
            .map(str::to_owned)
            .collect();
        Ok(ran)
    })
}

/// A fresh working folder: the case's tree, `out`, a home.
struct Work<'w> {
    base: PathBuf,
    way: &'w Way,
    /// The file of extra variables that lead the way.
    vars: Option<PathBuf>,
}

impl<'w> Work<'w> {
    fn new(case: &Case, way: &'w Way, vars: Option<serde_json::Value>) -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{:08}{number:04}", std::process::id());
        let base = cache().join("work").join(name);
        let file = vars.as_ref().map(|_| base.join("way.json"));
        let work = Self { base, way, vars: file };
        let prepared = (|| {
            for folder in ["out", "home"] {
                fs::create_dir_all(work.base.join(folder))?;
            }
            if let (Some(file), Some(vars)) = (&work.vars, vars) {
                fs::write(file, vars.to_string())?;
            }
            copy_tree(&case.tree, &work.base.join("tree"))
        })();
        prepared.map_err(|error| format!("{}: {error}", work.base.display()))?;
        Ok(work)
    }

    fn run(
        &self,
        case: &Case,
        events: bool,
        mut each: impl FnMut(&Run) -> Result<Ran, String>,
    ) -> Result<Recording, String> {
        let plain = [Run::default()];
        let runs = case.settings.runs.as_deref().unwrap_or(&plain);
        let runs = runs.iter().map(&mut each).collect::<Result<_, _>>()?;
        let mut files = BTreeMap::new();
        let out = self.base.join("out");
        self.list(&out, &out, &mut files).map_err(|error| format!("{}: {error}", out.display()))?;
        Ok(Recording { events, runs, files })
    }

    fn command(&self, case: &Case, run: &Run, program: &Path, first: &[&str]) -> Command {
        let tree = self.base.join("tree");
        let home = self.base.join("home");
        let mut args: Vec<String> = Vec::new();
        for arg in run.args.iter().chain(&case.settings.args) {
            args.push(self.fill(arg));
        }
        let mut command = Command::new(program);
        command.args(first);
        if let Some(file) = &self.vars {
            args.extend(["-e".to_owned(), format!("@{}", file.display())]);
        }
        if run.program.is_none() {
            let inventory = args.iter().any(|arg| arg.starts_with("-i") || arg == "--inventory");
            if !inventory && tree.join("inventory").exists() {
                command.args(["-i", "inventory"]);
            }
            args.insert(0, "-e".to_owned());
            args.insert(1, format!("out={}", self.base.join("out").display()));
            args.push(run.playbook.clone().unwrap_or_else(|| "site.yml".to_owned()));
        }
        command
            .args(args)
            .current_dir(tree)
            .env_clear()
            .env("PATH", path())
            .env("HOME", &home)
            .env("ANSIBLE_HOME", home.join(".ansible"))
            .env("ANSIBLE_NOCOLOR", "1")
            .env("COLUMNS", "200")
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("USER", env::var("USER").unwrap_or_else(|_| "root".to_owned()));
        for (name, value) in case.settings.env.iter().chain(&run.env) {
            command.env(name, self.fill(value));
        }
        command
    }

    /// Runs it to its end, or to the limit.
    fn wait(&self, mut command: Command) -> Result<Ran, String> {
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| self.base.join(name));
        let file = |path: &Path| fs::File::create(path).map_err(|error| error.to_string());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(file(&stdout)?)
            .stderr(file(&stderr)?)
            .spawn()
            .map_err(|error| {
                let program = command.get_program().to_string_lossy().into_owned();
                format!("{program}: {error}; `cargo xtask setup` installs the original")
            })?;
        let started = Instant::now();
        let exit = loop {
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                break status.code().unwrap_or(-1);
            }
            if started.elapsed() > LIMIT {
                let _ = child.kill();
                let _ = child.wait();
                break -1;
            }
            thread::sleep(Duration::from_millis(10));
        };
        let read =
            |path: &Path| self.hide(&String::from_utf8_lossy(&fs::read(path).unwrap_or_default()));
        Ok(Ran { exit, lines: Vec::new(), stdout: read(&stdout), stderr: read(&stderr) })
    }

    fn list(&self, root: &Path, at: &Path, files: &mut BTreeMap<String, String>) -> io::Result<()> {
        for entry in fs::read_dir(at)? {
            let path = entry?.path();
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            let kind = fs::symlink_metadata(&path)?;
            let mode = kind.permissions().mode() & 0o7777;
            let what = if kind.is_symlink() {
                format!("link to {}", self.hide(&fs::read_link(&path)?.display().to_string()))
            } else if kind.is_dir() {
                self.list(root, &path, files)?;
                format!("{mode:04o} folder")
            } else if kind.is_file() {
                let text = self.hide(&String::from_utf8_lossy(&fs::read(&path)?));
                format!("{mode:04o} file {text:?}")
            } else {
                format!("{mode:04o} special")
            };
            files.insert(self.hide(&name), what);
        }
        Ok(())
    }

    fn fill(&self, value: &serde_json::Value) -> String {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.replace("{base}", &self.base.display().to_string())
    }

    fn hide(&self, text: &str) -> String {
        self.way.hide(&text.replace(&self.base.display().to_string(), BASE))
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        if env::var_os("DAVIT_ORACLE_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.base);
        }
    }
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &target)?;
        } else if kind.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            let executable = entry.metadata()?.permissions().mode() & 0o111 != 0;
            fs::copy(entry.path(), &target)?;
            // The modes that a clone gives depend on the umask of whoever cloned.
            let mode = if executable { 0o755 } else { 0o644 };
            fs::set_permissions(&target, fs::Permissions::from_mode(mode))?;
        }
    }
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))
}

/// Names a recording: the case, the recorder, the original's version, who runs it and where.
fn key(case: &Case, way: &Way) -> Result<u64, String> {
    let mut hasher = DefaultHasher::new();
    (FORMAT, &case.name, installed()?, env::var("USER").ok()).hash(&mut hasher);
    if case.name.starts_with("hosts/") {
        // Facts tell which keys the machine's own sshd has, and it may have got them since.
        let files = fs::read_dir("/etc/ssh").into_iter().flatten().flatten();
        let keys = files.filter(|it| it.file_name().to_string_lossy().ends_with("_key.pub"));
        let mut keys: Vec<_> = keys.map(|it| it.file_name()).collect();
        keys.sort();
        keys.hash(&mut hasher);
    }
    if way.kind != Kind::Here {
        way.recorded_as().hash(&mut hasher);
    }
    fs::read_to_string("/etc/hostname").unwrap_or_default().hash(&mut hasher);
    for path in [&case.tree, &manifest().join("tests/recorder")] {
        hash_tree(path, &mut hasher).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(hasher.finish())
}

fn hash_tree(path: &Path, hasher: &mut DefaultHasher) -> io::Result<()> {
    let mut names: Vec<_> = fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
    names.sort_by_key(fs::DirEntry::file_name);
    for entry in names {
        let name = entry.file_name();
        if name == "__pycache__" {
            continue;
        }
        name.hash(hasher);
        if entry.file_type()?.is_dir() {
            hash_tree(&entry.path(), hasher)?;
        } else if name != "case.yml" {
            fs::read(entry.path())?.hash(hasher);
        } else {
            runs_of(&fs::read_to_string(entry.path())?).hash(hasher);
        }
    }
    Ok(())
}

/// A `case.yml` without what only bears on the comparison, so that editing that costs no new run.
fn runs_of(text: &str) -> String {
    let mut kept = String::new();
    let mut skipping = false;
    for line in text.lines() {
        if !line.starts_with([' ', '-']) {
            skipping = line.starts_with("differences:")
                || line.starts_with("volatile:")
                || line.starts_with("starts:")
                || line.starts_with("here:");
        }
        if !skipping {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// The installed original's name and version, from the name of its package's folder.
fn installed() -> Result<String, String> {
    let lib = venv().join("lib");
    let missing = || format!("{}: no ansible-core; run `cargo xtask setup`", lib.display());
    let pythons = fs::read_dir(&lib).map_err(|_| missing())?;
    for python in pythons.flatten() {
        let packages = fs::read_dir(python.path().join("site-packages")).into_iter().flatten();
        for package in packages.flatten() {
            let name = package.file_name().to_string_lossy().into_owned();
            if name.starts_with("ansible_core-") {
                return Ok(name);
            }
        }
    }
    Err(missing())
}

fn manifest() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where recordings and working folders are.
pub(super) fn cache() -> PathBuf {
    home().join(".cache/davit/oracle")
}

fn venv() -> PathBuf {
    home().join(".cache/davit/venv")
}

fn home() -> PathBuf {
    PathBuf::from(env::var_os("HOME").expect("HOME is set"))
}

fn path() -> String {
    let system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    format!("{}:{system}", venv().join("bin").display())
}
