//! `ansible.cfg`, the `ANSIBLE_*` variables, and where the program keeps its things.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Settings from the configuration file and the environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    sections: BTreeMap<String, BTreeMap<String, String>>,
    /// The environment.
    pub(crate) environment: BTreeMap<String, String>,
}

impl Config {
    /// Reads the environment, and the first configuration file that there is: `$ANSIBLE_CONFIG`,
    /// `ansible.cfg` here, `~/.ansible.cfg`, `/etc/ansible/ansible.cfg`.
    pub(crate) fn load(folder: &Path) -> Self {
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .map(|(key, value)| (key.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect();
        let mut candidates = Vec::new();
        if let Some(path) = environment.get("ANSIBLE_CONFIG") {
            let path = PathBuf::from(path);
            candidates.push(if path.is_dir() { path.join("ansible.cfg") } else { path });
        }
        candidates.push(folder.join("ansible.cfg"));
        if let Some(home) = environment.get("HOME") {
            candidates.push(Path::new(home).join(".ansible.cfg"));
        }
        candidates.push(PathBuf::from("/etc/ansible/ansible.cfg"));
        let mut config = Self { environment, ..Self::default() };
        for path in candidates {
            if let Ok(text) = std::fs::read_to_string(&path) {
                config.sections = parse(&text);
                config.file = Some(path);
                break;
            }
        }
        config
    }

    /// A setting: the environment's word, else the file's.
    pub(crate) fn get(&self, variable: &str, section: &str, key: &str) -> Option<&str> {
        self.environment
            .get(variable)
            .or_else(|| self.sections.get(section)?.get(key))
            .map(String::as_str)
    }

    /// A boolean setting.
    pub(crate) fn flag(&self, variable: &str, section: &str, key: &str) -> Option<bool> {
        let text = self.get(variable, section, key)?;
        davit_run::to_flag(&text.into())
    }

    /// A number.
    pub(crate) fn number(&self, variable: &str, section: &str, key: &str) -> Option<u64> {
        self.get(variable, section, key)?.trim().parse().ok()
    }

    /// A list, split at commas.
    pub(crate) fn list(&self, variable: &str, section: &str, key: &str) -> Option<Vec<String>> {
        let text = self.get(variable, section, key)?;
        Some(text.split(',').map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect())
    }

    /// A list of paths, split at colons; those from the file are seen from its folder.
    pub(crate) fn paths(&self, variable: &str, section: &str, key: &str) -> Option<Vec<PathBuf>> {
        let from_file = !self.environment.contains_key(variable);
        let base = self.file.as_deref().and_then(Path::parent).filter(|_| from_file);
        let text = self.get(variable, section, key)?;
        Some(
            text.split(':')
                .filter(|it| !it.is_empty())
                .map(|it| {
                    let path = self.expand(it);
                    base.map_or_else(|| path.clone(), |base| base.join(&path))
                })
                .collect(),
        )
    }

    /// `~` and `$NAME` at the start of a path.
    pub(crate) fn expand(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), self.environment.get("HOME")) {
            (Some(rest), Some(home)) => Path::new(home).join(rest),
            _ => PathBuf::from(path),
        }
    }
}

/// `[section]`, `key = value`, comments after `#` and `;`, further lines that are indented.
fn parse(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut section = String::new();
    let mut last: Option<String> = None;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            name.clone_into(&mut section);
            last = None;
            continue;
        }
        if line.starts_with([' ', '\t']) {
            if let Some(value) = last.as_ref().and_then(|key| sections.get_mut(&section)?.get_mut(key)) {
                value.push('\n');
                value.push_str(trimmed);
                continue;
            }
        }
        if let Some((key, value)) = trimmed.split_once(['=', ':']) {
            let value = value.split(" ;").next().unwrap_or_default().trim();
            let key = key.trim().to_lowercase();
            sections.entry(section.clone()).or_default().insert(key.clone(), value.to_owned());
            last = Some(key);
        }
    }
    sections
}
