//! A case of the corpus: a folder with a play, and perhaps a `case.yml` that says how to run it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;

/// The program that a run calls unless it says otherwise.
const PLAYBOOK: &str = "ansible-playbook";

/// One folder below `tests/oracle/<topic>/`.
pub(super) struct Case {
    /// `topic/case`.
    pub(super) name: String,
    /// The tree as it stands in the repository.
    pub(super) tree: PathBuf,
    /// What its `case.yml` says.
    pub(super) settings: Settings,
    /// Its hosts are reached over ssh or in a container.
    pub(super) away: bool,
}

/// A `case.yml`. `{base}` in arguments and the environment is the working folder.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    /// Arguments of every run, before the playbook.
    pub(super) args: Vec<serde_json::Value>,
    /// The commands, in order; one plain run where there is none.
    pub(super) runs: Option<Vec<Run>>,
    /// Environment of every run.
    pub(super) env: BTreeMap<String, serde_json::Value>,
    /// Keys of results that are not compared, besides those that never are.
    pub(super) volatile: Vec<String>,
    /// Whether the order of plays and tasks over all hosts is compared; not under `free`.
    pub(super) starts: Option<bool>,
    /// Compare what the runs print rather than their events: for views and listings.
    pub(super) stdout: bool,
    /// Why the case is of no use over ssh or into a container; it is, where this is absent.
    pub(super) here: Option<String>,
    /// What may differ, and why.
    pub(super) differences: Vec<Accepted>,
}

/// One command of a case.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Run {
    pub(super) args: Vec<serde_json::Value>,
    pub(super) env: BTreeMap<String, serde_json::Value>,
    /// The playbook, `site.yml` unless said.
    pub(super) playbook: Option<String>,
    /// Another of the original's programs: its arguments stand alone, and what it prints is compared.
    pub(super) program: Option<String>,
}

/// A difference that is meant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Accepted {
    /// Name of the task; every one unless said.
    #[serde(default)]
    pub(super) task: Option<String>,
    /// Key of the result, or `status`, `exit`, `stats`, `starts`, `files`, `notified`; all unless said.
    #[serde(default)]
    pub(super) key: Option<String>,
    /// It is there over ssh and in containers only.
    #[serde(default)]
    pub(super) away: bool,
    /// Why it is right that davit does otherwise.
    pub(super) reason: String,
}

impl Run {
    /// The original's program that it calls.
    pub(super) fn program(&self) -> &str {
        self.program.as_deref().unwrap_or(PLAYBOOK)
    }
}

impl Case {
    /// The cases of a topic, by name.
    pub(super) fn of_topic(topic: &str) -> Vec<Self> {
        folders(&corpus().join(topic))
            .into_iter()
            .map(|case| Self::read(format!("{topic}/{case}")))
            .collect()
    }

    /// Whether what this run prints is compared, rather than its events.
    pub(super) fn prints(&self, run: &Run) -> bool {
        self.settings.stdout || run.program.is_some()
    }

    fn read(name: String) -> Self {
        let tree = corpus().join(&name);
        let settings = match fs::read_to_string(tree.join("case.yml")) {
            Ok(text) => Settings::parse(&name, &text),
            Err(_) => Settings::default(),
        };
        Self { name, tree, settings, away: false }
    }

    /// Whether a difference of this task and key is meant.
    pub(super) fn accepts(&self, task: Option<&str>, key: &str) -> bool {
        self.settings.differences.iter().any(|accepted| {
            (self.away || !accepted.away)
                && accepted.task.as_deref().is_none_or(|name| Some(name) == task)
                && accepted.key.as_deref().is_none_or(|name| name == key)
        })
    }
}

impl Settings {
    fn parse(name: &str, text: &str) -> Self {
        let file: Arc<str> = Arc::from("case.yml");
        let value = davit_yaml::load(text, &file, &davit_yaml::Convert::default())
            .unwrap_or_else(|error| panic!("{name}/case.yml: {error}"));
        let settings: Self = serde_json::from_value(value.to_json())
            .unwrap_or_else(|error| panic!("{name}/case.yml: {error}"));
        let unexplained = settings.differences.iter().any(|one| one.reason.trim().is_empty());
        assert!(!unexplained, "{name}/case.yml: a difference without a reason");
        settings
    }
}

/// Names of the topics, sorted.
pub(crate) fn topics() -> Vec<String> {
    folders(&corpus())
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle")
}

fn folders(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .map(|entry| entry.expect("the corpus can be listed"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
