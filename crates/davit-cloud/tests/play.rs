//! Plays for the tests: a folder with the house, and what happens when tasks run.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use davit_event::{Bus, End, Event, Kind, Sink};
use davit_inventory::{Inventory, LoadOptions};
use davit_playbook::Loader;
use davit_run::{Connections, Parts, Prompt, Settings, Start, Tables, World};
use davit_template::{Engine, Outside};

use crate::house;

/// Nobody is there to answer.
struct Nobody;

impl Prompt for Nobody {
    fn ask(&self, _text: &str, _secret: bool) -> Option<String> {
        None
    }
}

/// Keeps all events.
#[derive(Clone, Default)]
pub(crate) struct Events(Arc<Mutex<Vec<Event>>>);

impl Sink for Events {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        self.0.lock().unwrap().push(event.clone());
        Ok(())
    }
}

/// Every module and action that the tests have.
pub(crate) fn tables() -> Tables {
    Tables::new(&[davit_host::builtin::MODULES], davit_action::TABLES)
        .with_controls(house::TABLES)
        .with_controls(davit_cloud::TABLES)
}

/// A house, and what became of the tasks that ran in it.
pub(crate) struct Play {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) check: bool,
    /// Asks the run to stop once this many calls of the API were made.
    pub(crate) stop_after_calls: Option<usize>,
    pub(crate) events: Events,
    /// What stands in the program's environment besides the house.
    pub(crate) environment: Vec<(String, String)>,
}

impl Play {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            check: false,
            stop_after_calls: None,
            events: Events::default(),
            environment: Vec::new(),
        }
    }

    /// Runs the tasks on a host that cannot be reached; what each came to.
    pub(crate) fn tasks(&self, tasks: &str) -> Vec<End> {
        self.run(&format!(
            "- hosts: web\n  gather_facts: false\n  ignore_errors: true\n  environment:\n    HOUSE: {}\n  tasks:\n{tasks}",
            self.folder.path().display()
        ))
    }

    /// Runs a playbook; what each task came to.
    pub(crate) fn run(&self, playbook: &str) -> Vec<End> {
        self.events.0.lock().unwrap().clear();
        let path = self.folder.path().join("site.yml");
        fs::write(&path, playbook).unwrap();
        let world = self.world();
        let start =
            Start { playbooks: vec![path.to_string_lossy().into_owned()], ..Start::default() };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stopper = tokio::spawn(stop(
                Arc::clone(&world),
                self.folder.path().to_owned(),
                self.stop_after_calls,
            ));
            davit_run::run(&world, start).await.unwrap();
            stopper.abort();
        });
        let events = self.events.0.lock().unwrap();
        let ends = events.iter().filter_map(|it| match &it.kind {
            Kind::HostDone { end, .. } => Some(end.clone()),
            _ => None,
        });
        ends.collect()
    }

    fn world(&self) -> Arc<World> {
        let engine = Arc::new(Engine::new(davit_template::Settings::default()));
        let folder = self.folder.path().to_owned();
        let own = ("HOUSE".to_owned(), "/nonexistent".to_owned());
        let environment: Arc<BTreeMap<String, String>> =
            Arc::new(self.environment.iter().cloned().chain([own]).collect());
        let outside = Outside {
            environment: Arc::clone(&environment),
            folder: folder.clone(),
            ..Outside::none()
        };
        let options = LoadOptions {
            folder: folder.clone(),
            engine: Arc::clone(&engine),
            outside: Arc::new(outside.clone()),
            ..LoadOptions::default()
        };
        let inventory = Inventory::load(&["web,".to_owned()], &options, &mut Vec::new()).unwrap();
        World::new(Parts {
            settings: Settings {
                connection: "ssh".into(),
                check: self.check,
                folder,
                tmp: std::env::temp_dir(),
                environment,
                ..Settings::default()
            },
            tables: tables(),
            engine,
            loader: Loader::default(),
            outside,
            inventory,
            connections: Connections::new(davit_module::Options::default(), None),
            facts: None,
            prompt: Arc::new(Nobody),
            bus: Bus::new(vec![Box::new(self.events.clone())]),
            resume: Vec::new(),
        })
    }

    /// The lines of the house's calls.
    pub(crate) fn calls(&self) -> Vec<String> {
        calls(self.folder.path())
    }

    /// The journalled changes, as their events have them.
    pub(crate) fn changes(&self) -> Vec<serde_json::Value> {
        let events = self.events.0.lock().unwrap();
        let all = events.iter().filter_map(|it| match &it.kind {
            Kind::Changes { changes, .. } => Some(changes.clone()),
            _ => None,
        });
        all.flatten().collect()
    }

    /// All that any view sees.
    pub(crate) fn seen(&self) -> String {
        serde_json::to_string(&*self.events.0.lock().unwrap()).unwrap()
    }
}

fn calls(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("calls")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Ctrl-C, twice.
async fn stop(world: Arc<World>, folder: std::path::PathBuf, after: Option<usize>) {
    let Some(after) = after else { return };
    while calls(&folder).len() < after {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    world.stop();
    world.stop();
}
