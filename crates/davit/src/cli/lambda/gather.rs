//! Which files of its folder a playbook needs: those that a text in it names, and what stands in those. Runs nothing
//! and renders nothing: names that are made while it runs are told of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use davit_value::Value;

use crate::report::Report;

/// The files, and what could not be found out.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// By their path below the folder, with slashes.
    pub(super) files: BTreeMap<String, PathBuf>,
    /// Names that only the run makes: where, and the text.
    pub(super) unclear: BTreeSet<(String, String)>,
}

/// Keys whose values name files.
const NAMES_FILES: [&str; 10] = [
    "dir",
    "file",
    "import_playbook",
    "import_role",
    "import_tasks",
    "include_role",
    "include_tasks",
    "include_vars",
    "src",
    "vars_files",
];

/// Folders in which names are looked for, beside the file that has them and above it.
const PLACES: [&str; 6] = ["", "files", "handlers", "tasks", "templates", "vars"];

/// Folders beside the playbook or the inventory that are read without being named.
const VARIABLES: [&str; 2] = ["group_vars", "host_vars"];

/// Collects what a playbook needs.
pub(super) struct Gatherer {
    root: PathBuf,
    found: Gathered,
}

impl Gatherer {
    /// For the folder of a playbook.
    pub(super) fn new(root: &Path) -> Result<Self, Report> {
        let root = root
            .canonicalize()
            .map_err(|error| Report::new(format!("{} cannot be read: {error}", root.display())))?;
        Ok(Self { root, found: Gathered::default() })
    }

    /// What was found.
    pub(super) fn end(self) -> Gathered {
        self.found
    }

    /// A playbook, with what stands beside it. Gives its path below the folder.
    pub(super) fn playbook(&mut self, path: &Path) -> Result<String, Report> {
        let name = self.below(path)?;
        let config = self.root.join("ansible.cfg");
        if config.is_file() {
            self.file(&config);
        }
        self.variables(&self.root.clone());
        self.file(path);
        Ok(name)
    }

    /// An inventory, with what stands beside it. Gives its path below the folder.
    pub(super) fn inventory(&mut self, path: &Path) -> Result<String, Report> {
        let name = self.below(path)?;
        self.all(path);
        let folder = if path.is_dir() { Some(path) } else { path.parent() };
        if let Some(folder) = folder {
            self.variables(folder);
        }
        Ok(name)
    }

    /// A file, or all of a folder, because somebody says so. Gives its path below the folder.
    pub(super) fn named(&mut self, path: &Path) -> Result<String, Report> {
        let name = self.below(path)?;
        self.all(path);
        Ok(name)
    }

    fn below(&self, path: &Path) -> Result<String, Report> {
        let real = path
            .canonicalize()
            .map_err(|error| Report::new(format!("{} cannot be read: {error}", path.display())))?;
        self.name(&real).ok_or_else(|| {
            Report::new(format!(
                "{} is not below the playbook's folder {}, which is all that a function has",
                path.display(),
                self.root.display()
            ))
        })
    }

    /// The name of something below the folder; nothing for what is elsewhere.
    fn name(&self, real: &Path) -> Option<String> {
        let parts = real.strip_prefix(&self.root).ok()?.components();
        let parts: Option<Vec<&str>> = parts.map(|it| it.as_os_str().to_str()).collect();
        Some(parts?.join("/"))
    }

    fn variables(&mut self, folder: &Path) {
        for name in VARIABLES {
            for path in [name.to_owned(), format!("{name}.yml"), format!("{name}.yaml")] {
                self.all(&folder.join(path));
            }
        }
    }

    /// A file, or all that is in a folder but what is hidden.
    fn all(&mut self, path: &Path) {
        if path.is_file() {
            return self.file(path);
        }
        let Ok(entries) = fs::read_dir(path) else { return };
        for entry in entries.filter_map(Result::ok) {
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            // A link to a folder could lead round in a circle.
            let linked = entry.file_type().is_ok_and(|it| it.is_symlink()) && entry.path().is_dir();
            if !hidden && !linked {
                self.all(&entry.path());
            }
        }
    }

    /// A file, and what it names.
    fn file(&mut self, path: &Path) {
        let Ok(real) = path.canonicalize() else { return };
        // It is called what it is called here, wherever a link leads.
        let here =
            path.parent().map(|it| if it.as_os_str().is_empty() { Path::new(".") } else { it });
        let here = here.and_then(|it| it.canonicalize().ok());
        let here = here.zip(path.file_name()).map(|(folder, name)| folder.join(name));
        let Some(name) = here.as_deref().and_then(|it| self.name(it)) else { return };
        if self.found.files.insert(name.clone(), real).is_some() {
            return;
        }
        let is_yaml = path.extension().is_some_and(|it| it == "yml" || it == "yaml");
        if !is_yaml {
            return;
        }
        let Ok(text) = fs::read_to_string(path) else { return };
        // What is no YAML names nothing; that it is wrong is told when it is checked.
        let file: Arc<str> = name.as_str().into();
        if let Ok(value) = davit_yaml::load(&text, &file, &davit_yaml::Convert::default()) {
            self.value(path, &name, "", &value);
        }
    }

    fn value(&mut self, file: &Path, name: &str, key: &str, value: &Value) {
        match value {
            Value::Str(text) => self.text(file, name, key, text.as_str()),
            Value::List(items) => items.iter().for_each(|it| self.value(file, name, key, it)),
            Value::Map(map) => {
                for (inner, value) in map.iter() {
                    let inner = inner.to_text();
                    let short = inner.rsplit('.').next().unwrap_or(&inner);
                    // `include_role: {name: x}` is about the role.
                    let of_role = key.ends_with("_role") && short == "name";
                    self.value(file, name, if of_role { key } else { short }, value);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, file: &Path, name: &str, key: &str, text: &str) {
        if text.len() > 4096 {
            return;
        }
        let plain = without_folder(text);
        if plain.contains("{{") || plain.contains("{%") {
            if NAMES_FILES.contains(&key) {
                self.found.unclear.insert((name.to_owned(), text.to_owned()));
            }
            for quoted in quoted(&plain) {
                self.candidate(file, key, quoted);
            }
            return;
        }
        self.candidate(file, key, &plain);
        for word in plain.split_whitespace() {
            let word = word.split_once('=').map_or(word, |(_, value)| value);
            self.candidate(file, key, word.trim_matches(['"', '\'']));
        }
    }

    /// Takes what a text may name, if it is there.
    fn candidate(&mut self, file: &Path, key: &str, text: &str) {
        let text = text.trim();
        if text.is_empty() || text.starts_with(['/', '~']) || matches!(text, "." | "..") {
            return;
        }
        let role = self.root.join("roles").join(text);
        if !text.contains('/') && role.is_dir() {
            self.all(&role);
        }
        let beside = file.parent().map(Path::to_owned).unwrap_or_default();
        let above = beside.parent().map(Path::to_owned).unwrap_or_default();
        for folder in [beside, above, self.root.clone()] {
            for place in PLACES {
                let path = folder.join(place).join(text);
                if path.is_file() {
                    return self.file(&path);
                }
                let is_tree = matches!(key, "src" | "dir") && path.is_dir();
                let inside = path.canonicalize().is_ok_and(|it| it != self.root);
                if is_tree && inside && self.below(&path).is_ok() {
                    return self.all(&path);
                }
            }
        }
    }
}

/// A text without `{{ playbook_dir }}/` and `{{ role_path }}/`, wherever they stand in it.
fn without_folder(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        out.push_str(before);
        let folder = behind
            .split_once("}}/")
            .filter(|(variable, _)| matches!(variable.trim(), "playbook_dir" | "role_path"));
        match folder {
            Some((_, behind)) => rest = behind,
            None => {
                out.push_str("{{");
                rest = behind;
            }
        }
    }
    out + rest
}

/// The texts in quotes: `lookup('file', 'x')` names `x`.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let of = |quote: char| text.split(quote).skip(1).step_by(2);
    of('\'').chain(of('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], needed: &[&str], unclear: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let mut gatherer = Gatherer::new(folder.path()).unwrap();
        gatherer.playbook(&folder.path().join("site.yml")).unwrap();
        let found = gatherer.end();
        assert_eq!(found.files.keys().collect::<Vec<_>>(), needed);
        let told: Vec<&str> = found.unclear.iter().map(|(_, it)| it.as_str()).collect();
        assert_eq!(told, unclear);
    }

    #[test]
    fn what_is_named_comes_along_and_nothing_else() {
        check(
            &[
                (
                    "site.yml",
                    "- hosts: localhost\n  vars_files: [v.yml]\n  roles: [web]\n  tasks:\n  - include_tasks: more.yml\n  - copy: src={{ playbook_dir }}/a.txt dest=/tmp/a\n  - debug: msg={{ lookup('file', 'b.txt') }}\n",
                ),
                ("v.yml", "x: 1"),
                ("more.yml", "- import_tasks: deep/one.yml\n- copy: {src: site/, dest: /srv}\n"),
                ("deep/one.yml", "- template: {src: t.j2, dest: /tmp/t}\n"),
                ("templates/t.j2", "x"),
                ("templates/other.j2", "x"),
                ("files/site/index.html", "x"),
                ("a.txt", "a"),
                ("b.txt", "b"),
                ("secret.txt", "s"),
                ("group_vars/all.yml", "y: 1"),
                ("roles/web/tasks/main.yml", "- debug:\n"),
                ("roles/web/meta/main.yml", "dependencies: [base]\n"),
                ("roles/base/tasks/main.yml", "- debug:\n"),
                ("roles/unused/tasks/main.yml", "- debug:\n"),
                ("ansible.cfg", "[defaults]\n"),
                (".git/config", "x"),
            ],
            &[
                "a.txt",
                "ansible.cfg",
                "b.txt",
                "deep/one.yml",
                "files/site/index.html",
                "group_vars/all.yml",
                "more.yml",
                "roles/base/tasks/main.yml",
                "roles/web/meta/main.yml",
                "roles/web/tasks/main.yml",
                "site.yml",
                "templates/t.j2",
                "v.yml",
            ],
            &[],
        );
    }

    #[test]
    fn names_that_the_run_makes_are_told() {
        check(
            &[("site.yml", "- hosts: all\n  tasks:\n  - include_tasks: '{{ x }}.yml'\n")],
            &["site.yml"],
            &["{{ x }}.yml"],
        );
        check(&[("site.yml", "- hosts: '{{ x }}'\n")], &["site.yml"], &[]);
    }

    #[test]
    fn nothing_is_taken_from_outside() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(&root).unwrap();
        fs::write(folder.path().join("key"), "secret").unwrap();
        fs::write(root.join("site.yml"), "- hosts: all\n  vars_files: [../key]\n").unwrap();
        let mut gatherer = Gatherer::new(&root).unwrap();
        gatherer.playbook(&root.join("site.yml")).unwrap();
        assert!(gatherer.named(&folder.path().join("key")).is_err());
        assert_eq!(gatherer.end().files.keys().collect::<Vec<_>>(), ["site.yml"]);
    }
}
