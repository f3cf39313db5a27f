//! Broken files and what is said about them: `broken/EXPECT` has a line for each file in `broken`,
//! with `error LINE:COLUMN message`, or `ok` for what only rendering or running shows to be wrong.
//! Lines are those of `ansible-playbook --syntax-check`; those that begin with `~` differ: they give
//! a place where the original has none, or leave to the run what the original does here.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use davit_playbook::{
    Entry, Error, Keywords, Loader, Playbook, RoleFrom, RoleUse, Task, TaskKind, find_role,
};
use davit_value::Map;

const ACTIONS: &[&str] = &[
    "add_host",
    "command",
    "copy",
    "debug",
    "group_by",
    "include_vars",
    "ping",
    "raw",
    "set_fact",
    "shell",
    "import_playbook",
    "ansible.legacy.command",
    "ansible.builtin.shell",
];

pub(crate) fn loader() -> Loader {
    Loader {
        is_action: Arc::new(|name, _| ACTIONS.contains(&name)),
        is_lookup: Arc::new(|name| matches!(name, "items" | "dict" | "list" | "fileglob")),
        ..Loader::default()
    }
}

/// What davit says about the file, in the form of the table.
fn verdict(path: &Path) -> String {
    let folder = path.parent().expect("a folder");
    let playbook = loader().playbook(path);
    match playbook.and_then(|playbook| follow(&playbook, folder)) {
        Ok(()) => "ok".into(),
        Err(error) => {
            let prefix = format!("{}/", folder.display());
            let place = error.origin().map_or_else(
                || "-".into(),
                |it| match *it.file == path.to_string_lossy() {
                    true => format!("{}:{}", it.line, it.column),
                    false => it.to_string().replace(&prefix, ""),
                },
            );
            let message = error.to_string().replace(&prefix, "");
            format!("error {place} {}", message.lines().next().unwrap_or_default())
        }
    }
}

/// Loads what is imported by a name that is no template.
fn follow(playbook: &Playbook, folder: &Path) -> Result<(), Error> {
    for entry in &playbook.entries {
        match entry {
            Entry::Import(import) => {
                let name = import.file.as_str().unwrap_or_default();
                if !import.file.is_live() {
                    loader()
                        .playbook(&folder.join(name))
                        .map_err(|error| error.or_at(Some(&import.file_origin)))?;
                }
            }
            Entry::Play(play) => {
                for used in &play.roles {
                    role(used, folder, &RoleFrom::default(), 0)?;
                }
                let mut tasks = Vec::new();
                for item in play.pre_tasks.iter().chain(&play.tasks).chain(&play.post_tasks) {
                    item.each_task(&mut |task| tasks.push(Arc::clone(task)));
                }
                tasks.iter().try_for_each(|task| import(task, folder))?;
            }
        }
    }
    Ok(())
}

fn import(task: &Task, folder: &Path) -> Result<(), Error> {
    let Some(target) = task.target().filter(|target| !target.is_live()) else { return Ok(()) };
    match task.kind {
        TaskKind::ImportTasks => loader().tasks(&folder.join(target.to_str()), false).map(|_| ()),
        TaskKind::ImportRole => {
            let origin = target.origin().cloned().unwrap_or_else(|| task.origin.clone());
            let used = RoleUse {
                origin,
                name: target,
                keywords: Keywords::default(),
                vars: Map::new(),
                params: Map::new(),
            };
            let tasks = task.args.get("tasks_from").and_then(|it| it.as_str()).map(str::to_owned);
            role(&used, folder, &RoleFrom { tasks, ..RoleFrom::default() }, 0)
        }
        _ => Ok(()),
    }
}

fn role(used: &RoleUse, folder: &Path, from: &RoleFrom, depth: usize) -> Result<(), Error> {
    if used.name.is_live() {
        return Ok(());
    }
    if depth > 50 {
        return Err(Error::refused(
            "A recursion loop was detected with the roles specified.",
            Some(used.origin.clone()),
        ));
    }
    let name = used.name.to_str();
    let path = find_role(&name, &[folder.join("roles")], &[])
        .map_err(|error| error.or_at(Some(&used.origin)))?;
    let role = loader().role(&path, &name, from)?;
    role.meta
        .dependencies
        .iter()
        .try_for_each(|it| self::role(it, folder, &RoleFrom::default(), depth + 1))
}

#[test]
fn broken_files_are_refused_in_the_original_words() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let table = fs::read_to_string(folder.join("EXPECT")).expect("readable");
    let table: HashMap<&str, &str> =
        table.lines().filter_map(|line| line.split_once(' ')).collect();
    let mut wrong = String::new();
    let mut names: Vec<_> =
        fs::read_dir(&folder).expect("there").map(|it| it.expect("readable").path()).collect();
    names.retain(|path| path.extension().is_some_and(|it| it == "yml"));
    names.sort();
    names.retain(|path| {
        !path.ends_with("ok.yml")
            && !path.file_name().is_some_and(|it| it.to_string_lossy().starts_with("tasks_"))
    });
    assert_eq!(names.len(), table.len(), "each file has a line and each line a file");
    for path in names {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let expect = table.get(name).copied().unwrap_or_default();
        let expect = expect.strip_prefix("~ ").unwrap_or(expect);
        let got = verdict(&path);
        if got != expect {
            wrong.push_str(&format!("{name}\n   want {expect}\n   got  {got}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
