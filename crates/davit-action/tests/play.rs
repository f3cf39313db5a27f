//! A play in a folder of its own: files, tasks, and what each task came to.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use davit_event::{Bus, End, Event, Kind, Sink};
use davit_inventory::{Inventory, LoadOptions};
use davit_playbook::Loader;
use davit_run::{Connections, Dial, Parts, Prompt, Settings, Start, Tables, World};
use davit_template::{Decrypt, Engine, Outside};
use davit_vault::{Secret, Secrets};

/// Nobody is there to answer.
struct Nobody;

impl Prompt for Nobody {
    fn ask(&self, _text: &str, _secret: bool) -> Option<String> {
        None
    }
}

/// Keeps what tasks came to.
#[derive(Clone, Default)]
struct Ends(Arc<Mutex<Vec<(String, End)>>>);

impl Sink for Ends {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        if let Kind::HostDone { host, end, .. } = &event.kind {
            self.0.lock().unwrap().push((host.clone(), end.clone()));
        }
        Ok(())
    }
}

/// The password of every vault.
pub(crate) const PASSWORD: &str = "pw";

struct Vault(Secrets);

impl Vault {
    fn new() -> Self {
        let mut secrets = Secrets::default();
        secrets.add("default", Secret::new(PASSWORD));
        Self(secrets)
    }
}

impl Decrypt for Vault {
    fn decrypt(&self, ciphertext: &str) -> Result<String, String> {
        let plain = self.decrypt_bytes(ciphertext)?;
        String::from_utf8(plain).map_err(|error| error.to_string())
    }

    fn decrypt_bytes(&self, ciphertext: &str) -> Result<Vec<u8>, String> {
        davit_vault::decrypt(ciphertext, &self.0).map_err(|error| error.to_string())
    }
}

/// A text as a vault with the [`PASSWORD`].
pub(crate) fn encrypted(text: &str) -> String {
    davit_vault::encrypt(text.as_bytes(), &Secret::new(PASSWORD), None).unwrap()
}

/// Runs the tasks in `folder`, on this machine; what each came to. The variable `out` is the
/// folder's `out`.
pub(crate) fn tasks(folder: &Path, tasks: &str) -> Vec<End> {
    fs::create_dir_all(folder.join("out")).unwrap();
    let out = folder.join("out");
    let text = format!(
        "- hosts: localhost\n  gather_facts: false\n  ignore_errors: true\n  vars:\n    out: {}\n  tasks:\n{tasks}",
        out.display()
    );
    let path = folder.join("site.yml");
    fs::write(&path, text).unwrap();
    run(folder, &path)
}

/// Runs a playbook on this machine; what each task came to.
pub(crate) fn run(folder: &Path, path: &Path) -> Vec<End> {
    let ended = run_on(folder, path, "localhost,", "local", None);
    ended.into_iter().map(|(_, end)| end).collect()
}

/// Runs a playbook on the hosts of an inventory; what each task came to on which host.
pub(crate) fn run_on(
    folder: &Path,
    path: &Path,
    hosts: &str,
    connection: &str,
    dial: Option<Arc<dyn Dial>>,
) -> Vec<(String, End)> {
    let ends = Ends::default();
    let engine = Arc::new(Engine::new(davit_template::Settings::default()));
    let environment: Arc<BTreeMap<String, String>> = Arc::new(
        ["PATH", "HOME"]
            .iter()
            .filter_map(|it| Some(((*it).to_owned(), std::env::var(it).ok()?)))
            .collect(),
    );
    let outside = Outside {
        environment: Arc::clone(&environment),
        folder: folder.to_path_buf(),
        vault: Some(Arc::new(Vault::new())),
        ..Outside::none()
    };
    let options = LoadOptions {
        folder: folder.to_path_buf(),
        engine: Arc::clone(&engine),
        outside: Arc::new(outside.clone()),
        ..LoadOptions::default()
    };
    let inventory = Inventory::load(&[hosts.to_owned()], &options, &mut Vec::new()).unwrap();
    let world = World::new(Parts {
        settings: Settings {
            connection: connection.into(),
            folder: folder.to_path_buf(),
            tmp: std::env::temp_dir(),
            environment: Arc::clone(&environment),
            ..Settings::default()
        },
        tables: Tables::new(&[davit_host::builtin::MODULES], davit_action::TABLES),
        engine,
        loader: Loader::default(),
        outside,
        inventory,
        connections: Connections::new(
            davit_module::Options {
                environment: environment
                    .iter()
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect(),
                ..davit_module::Options::default()
            },
            dial,
        ),
        facts: None,
        prompt: Arc::new(Nobody),
        bus: Bus::new(vec![Box::new(ends.clone())]),
        resume: Vec::new(),
    });
    let start = Start { playbooks: vec![path.to_string_lossy().into_owned()], ..Start::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(davit_run::run(&world, start)).unwrap();
    let ends = ends.0.lock().unwrap();
    ends.clone()
}
