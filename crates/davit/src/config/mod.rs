//! `ansible.cfg`, the `ANSIBLE_*` variables, and where the program keeps its things.

mod table;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use davit_value::Value;

use crate::config::table::{Kind, Setting, find};
use crate::report::Report;

/// Settings from the configuration file and the environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    sections: BTreeMap<String, BTreeMap<String, String>>,
    /// The environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// What is odd about the configuration itself.
    pub(crate) warnings: Vec<String>,
    folder: PathBuf,
}

impl Config {
    /// Reads the environment, and the first configuration file that there is: `$ANSIBLE_CONFIG`,
    /// `ansible.cfg` here, `~/.ansible.cfg`, `/etc/ansible/ansible.cfg`.
    pub(crate) fn load(folder: &Path) -> Result<Self, Report> {
        let environment = std::env::vars_os()
            .map(|(key, value)| {
                (key.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
            })
            .collect();
        let mut config = Self { environment, folder: folder.to_owned(), ..Self::default() };
        for path in config.candidates() {
            if !path.is_file() {
                continue;
            }
            let text = std::fs::read_to_string(&path).map_err(|error| {
                Report::usage(format!("Error reading config file ({}): {error}", path.display()))
            })?;
            config.sections = parse(&text).map_err(|why| {
                Report::usage(format!("Error reading config file ({}): {why}", path.display()))
            })?;
            config.file = Some(path);
            break;
        }
        config.check_numbers()?;
        Ok(config)
    }

    /// A number that is none is an error in every command, whether it needs the number or not.
    fn check_numbers(&self) -> Result<(), Report> {
        for setting in table::SETTINGS {
            let wanted = match setting.kind {
                Kind::Int => "integer",
                Kind::Float => "float",
                _ => continue,
            };
            // These belong to a view, which may not be in use.
            if setting.name.starts_with("CALLBACK_") {
                continue;
            }
            let Some((text, _)) = self.found(setting) else { continue };
            let number = text.trim().parse::<f64>().ok().filter(|it| it.is_finite());
            if !number.is_some_and(|it| wanted == "float" || it.fract() == 0.0) {
                return Err(self.invalid(setting.name, text, wanted));
            }
        }
        Ok(())
    }

    fn candidates(&mut self) -> Vec<PathBuf> {
        let mut candidates = Vec::new();
        if let Some(path) = self.environment.get("ANSIBLE_CONFIG") {
            let path = self.folder.join(self.expand(path));
            candidates.push(if path.is_dir() { path.join("ansible.cfg") } else { path });
        }
        let here = self.folder.join("ansible.cfg");
        // Whoever may write the folder could otherwise say what runs here.
        let writable = self.folder.metadata().is_ok_and(|it| it.permissions().mode() & 0o002 != 0);
        if !writable {
            candidates.push(here);
        } else if here.is_file() && candidates.first() != Some(&here) {
            self.warnings.push(format!(
                "Ansible is being run in a world writable directory ({}), ignoring it as an ansible.cfg source. For more information see https://docs.ansible.com/ansible/devel/reference_appendices/config.html#cfg-in-world-writable-dir",
                self.folder.display()
            ));
        }
        if let Some(home) = self.environment.get("HOME") {
            candidates.push(Path::new(home).join(".ansible.cfg"));
        }
        candidates.push(PathBuf::from("/etc/ansible/ansible.cfg"));
        candidates
    }

    /// Where a setting was set, and to what; the second is true for the file.
    fn found(&self, setting: &Setting) -> Option<(&str, bool)> {
        let variable = setting.variables.iter().find_map(|it| self.environment.get(*it));
        if let Some(text) = variable {
            return Some((text, false));
        }
        let in_file =
            setting.keys.iter().find_map(|(section, key)| self.sections.get(*section)?.get(*key));
        in_file.map(|text| (text.as_str(), true))
    }

    /// A setting as it was written in the environment or the file; nothing where it is not.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        debug_assert!(find(name).is_some(), "{name} is no setting");
        Some(self.found(find(name)?)?.0)
    }

    /// A setting of a plugin, which the table does not list: of several variables or keys, the last
    /// one that is set counts.
    pub(crate) fn plugin(&self, variables: &[&str], keys: &[(&str, &str)]) -> Option<&str> {
        let variable = variables.iter().rev().find_map(|it| self.environment.get(*it));
        let key = || {
            let mut keys = keys.iter().rev();
            keys.find_map(|(section, key)| self.sections.get(*section)?.get(*key))
        };
        variable.or_else(key).map(String::as_str)
    }

    /// A setting as it was written, or its default.
    pub(crate) fn text(&self, name: &str) -> String {
        let default = find(name).and_then(|it| it.default).unwrap_or_default();
        self.get(name).unwrap_or(default).to_owned()
    }

    /// A boolean setting that was set.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Report> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.trim().to_lowercase().as_str() {
            "yes" | "on" | "1" | "true" | "y" | "t" => Ok(Some(true)),
            // Whatever is no truth is none: the original asks no more of these.
            _ => Ok(Some(false)),
        }
    }

    /// A boolean setting, or its default.
    pub(crate) fn is(&self, name: &str) -> Result<bool, Report> {
        let default =
            find(name).and_then(|it| it.default).is_some_and(|it| it.eq_ignore_ascii_case("true"));
        Ok(self.flag(name)?.unwrap_or(default))
    }

    /// A number that was set.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Report> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let parsed = text.trim().parse::<u64>().ok();
        parsed.map(Some).ok_or_else(|| self.invalid(name, text, "integer"))
    }

    /// A setting that has to be one of a few words.
    pub(crate) fn choice(&self, name: &str, choices: &[&str]) -> Result<String, Report> {
        let text = self.text(name);
        if choices.contains(&text.as_str()) {
            return Ok(text);
        }
        let choices = choices.join(", ");
        Err(Report::usage(format!(
            "Invalid value '{text}' for config '{name}'. Valid values are: {choices}"
        )))
    }

    fn invalid(&self, name: &str, text: &str, wanted: &str) -> Report {
        let setting = find(name);
        let from = match (setting.and_then(|it| self.found(it)), &self.file) {
            (Some((_, true)), Some(file)) => file.display().to_string(),
            _ => format!(
                "env: {}",
                setting.and_then(|it| it.variables.first()).copied().unwrap_or_default()
            ),
        };
        Report::usage(format!(
            "Config '{name}' from '{from}' has an invalid value: Invalid value provided for '{wanted}': '{text}'"
        ))
    }

    /// A list that was set, split at commas.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<String>> {
        self.get(name).map(split)
    }

    /// A list, or its default.
    pub(crate) fn list_or_default(&self, name: &str) -> Vec<String> {
        split(&self.text(name))
    }

    /// Paths, or their default; relative ones of the file are seen from its folder.
    pub(crate) fn paths(&self, name: &str) -> Vec<PathBuf> {
        let Some(setting) = find(name) else { return Vec::new() };
        let (text, from_file) =
            self.found(setting).unwrap_or((setting.default.unwrap_or_default(), false));
        let separator = if setting.kind == Kind::PathList { ',' } else { ':' };
        text.split(separator)
            .map(str::trim)
            .filter(|it| !it.is_empty())
            .map(|it| self.path(it, from_file))
            .collect()
    }

    /// One path that was set.
    pub(crate) fn path_of(&self, name: &str) -> Option<PathBuf> {
        let (text, from_file) = self.found(find(name)?)?;
        (!text.is_empty()).then(|| self.path(text, from_file))
    }

    fn path(&self, text: &str, from_file: bool) -> PathBuf {
        let cwd = self.folder.to_string_lossy();
        let text = text.replace("{{CWD}}", &cwd).replace("{home}", &self.home().to_string_lossy());
        let path = self.expand(&text);
        match self.file.as_deref().and_then(Path::parent) {
            Some(base) if from_file => base.join(path),
            _ => path,
        }
    }

    /// The folder of `ANSIBLE_HOME`.
    pub(crate) fn home(&self) -> PathBuf {
        match self.get("ANSIBLE_HOME") {
            Some(path) => self.expand(path),
            None => self.expand("~/.ansible"),
        }
    }

    /// `~` at the start of a path, and `$NAME` in it.
    pub(crate) fn expand(&self, path: &str) -> PathBuf {
        let path = davit_module::expand_path(path, &|name| self.environment.get(name).cloned());
        PathBuf::from(path)
    }

    /// The value of a setting for the `config` lookup; nothing where there is no such setting.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        let setting = find(name)?;
        let Some(text) = self.get(name).or(setting.default) else { return Some(Value::Null) };
        let texts = |list: Vec<String>| {
            Value::list(list.into_iter().map(|it| it.as_str().into()).collect())
        };
        Some(match setting.kind {
            Kind::Bool => Value::Bool(self.is(name).unwrap_or(false)),
            Kind::Int => text.trim().parse::<i64>().map_or(Value::Null, Value::from),
            Kind::Float => text.trim().parse::<f64>().map_or(Value::Null, Value::Float),
            Kind::List => texts(split(text)),
            Kind::PathList | Kind::PathSpec => {
                texts(self.paths(name).iter().map(|it| it.to_string_lossy().into_owned()).collect())
            }
            Kind::Path => {
                let from_file = self.found(setting).is_some_and(|(_, from_file)| from_file);
                (&*self.path(text, from_file).to_string_lossy()).into()
            }
            Kind::Text => text.into(),
        })
    }

    /// The folder of what outlives a run: `$DAVIT_STATE`, `$XDG_STATE_HOME/davit`, `~/.local/state/davit`.
    pub(crate) fn state(&self) -> PathBuf {
        let set = |name: &str| self.environment.get(name).filter(|it| !it.is_empty());
        match (set("DAVIT_STATE"), set("XDG_STATE_HOME")) {
            (Some(path), _) => self.expand(path),
            (None, Some(path)) => self.expand(path).join("davit"),
            (None, None) => self.expand("~/.local/state/davit"),
        }
    }
}

fn split(text: &str) -> Vec<String> {
    text.split(',').map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect()
}

type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// `[section]`, `key = value`, lines after `#` and `;`, ends of lines after ` ;`, further lines that are indented.
///
/// # Errors
/// Why the text is none of this.
fn parse(text: &str) -> Result<Sections, String> {
    let mut sections = Sections::new();
    let mut section: Option<String> = None;
    let mut last: Option<String> = None;
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = uncommented(line);
        let trimmed = line.trim();
        if trimmed.is_empty() {
            continue;
        }
        let indented = line.starts_with([' ', '\t']);
        if indented && let (Some(section), Some(key)) = (&section, &last) {
            if let Some(value) = sections.get_mut(section).and_then(|it| it.get_mut(key)) {
                value.push('\n');
                value.push_str(trimmed);
            }
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|it| it.split_once(']')) {
            section = Some(name.0.to_owned());
            if sections.insert(name.0.to_owned(), BTreeMap::new()).is_some() {
                return Err(format!(
                    "While reading from '<string>' [line {:2}]: section '{}' already exists",
                    at + 1,
                    name.0
                ));
            }
            last = None;
            continue;
        }
        let (Some(section), Some((key, value))) = (&section, trimmed.split_once(['=', ':'])) else {
            return Err(format!("line {} is neither a section nor a key with a value", at + 1));
        };
        let key = key.trim().to_lowercase();
        let keys = sections.entry(section.clone()).or_default();
        if keys.insert(key.clone(), value.trim().to_owned()).is_some() {
            return Err(format!(
                "While reading from '<string>' [line {:2}]: option '{key}' in section '{section}' already exists",
                at + 1
            ));
        }
        last = Some(key);
    }
    Ok(sections)
}

/// A line without its comment.
fn uncommented(line: &str) -> &str {
    if line.trim_start().starts_with(['#', ';']) {
        return "";
    }
    let mut before = ' ';
    for (at, char) in line.char_indices() {
        if char == ';' && before.is_whitespace() {
            return line.get(..at).unwrap_or_default();
        }
        before = char;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, key: &str, expect: Option<&str>) {
        let sections = parse(text).unwrap();
        let got = sections.get("defaults").and_then(|it| it.get(key)).map(String::as_str);
        assert_eq!(got, expect, "{text}");
    }

    #[test]
    fn files_are_read_as_the_original_reads_them() {
        check("[defaults]\nforks = 9 ; many\n", "forks", Some("9"));
        check("[defaults]\nforks = 9;0\n", "forks", Some("9;0"));
        check("[defaults]\nFORKS: 9 # no comment\n", "forks", Some("9 # no comment"));
        check("[defaults]\na = %(x)s 50%\n", "a", Some("%(x)s 50%"));
        check("[defaults]\na = 1,\n  2,\n  3\nb=4", "a", Some("1,\n2,\n3"));
        check("[defaults]\n; a = 1\n# a = 2\n", "a", None);
        check("[other]\na = 1\n", "a", None);
        for (text, expect) in [
            ("[defaults]\nforks\n", "line 2 is neither a section nor a key with a value"),
            ("a = 1\n", "line 1 is neither a section nor a key with a value"),
            (
                "[a]\nb = 1\nB = 2\n",
                "While reading from '<string>' [line  3]: option 'b' in section 'a' already exists",
            ),
            ("[a]\n[a]\n", "While reading from '<string>' [line  2]: section 'a' already exists"),
        ] {
            assert_eq!(parse(text), Err(expect.to_owned()));
        }
    }

    #[test]
    fn the_environment_comes_before_the_file_and_types_are_kept() {
        let mut config = Config {
            sections: parse("[defaults]\nforks=3\nnocows=yes").unwrap(),
            ..Config::default()
        };
        assert_eq!(config.number("DEFAULT_FORKS").unwrap(), Some(3));
        config.environment.insert("ANSIBLE_FORKS".into(), "7".into());
        assert_eq!(config.number("DEFAULT_FORKS").unwrap(), Some(7));
        assert_eq!(config.value("DEFAULT_FORKS"), Some(Value::from(7)));
        assert_eq!(config.value("ANSIBLE_NOCOWS"), Some(Value::Bool(true)));
        assert_eq!(config.value("NO_SUCH_SETTING"), None);
        assert!(config.check_numbers().is_ok());
        config.environment.insert("ANSIBLE_FORKS".into(), "many".into());
        assert!(config.number("DEFAULT_FORKS").is_err());
        assert!(config.check_numbers().is_err());
    }
}
