//! gcloud's configuration: the properties of the one that is active, and where its files are. The folder is handed in.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::error::Error;
use crate::web::ini::{self, Line};

/// The properties of a configuration of gcloud, by `SECTION/NAME`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Configuration(HashMap<String, String>);

/// The names only: values may be secret.
impl fmt::Debug for Configuration {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<&String> = self.0.keys().collect();
        names.sort();
        to.debug_tuple("Configuration").field(&names).finish()
    }
}

/// The folder of gcloud's files.
#[must_use]
pub fn folder(variable: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if let Some(folder) = variable("CLOUDSDK_CONFIG") {
        return Some(PathBuf::from(folder));
    }
    variable("HOME").map(|home| Path::new(&home).join(".config/gcloud"))
}

impl Configuration {
    /// The configuration of a name, or the one that is active. One that is not there is empty unless it was asked for.
    ///
    /// # Errors
    /// When the one that was asked for is not there.
    pub fn load(folder: &Path, name: Option<&str>) -> Result<Self, Error> {
        let active = || std::fs::read_to_string(folder.join("active_config")).ok();
        let said = name.map(str::to_owned);
        let active = said.clone().or_else(active).map(|it| it.trim().to_owned());
        let active = active.filter(|it| !it.is_empty()).unwrap_or_else(|| "default".to_owned());
        let wrong = |reason: &str| Error::Setting {
            what: format!("the configuration {active} of gcloud"),
            reason: reason.to_owned(),
        };
        if active.contains(['/', '\\', '\0']) {
            return Err(wrong("that is no name"));
        }
        let path = folder.join("configurations").join(format!("config_{active}"));
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Self::read(&text)),
            Err(_) if said.is_none() => Ok(Self::default()),
            Err(error) => Err(wrong(&format!("{}: {error}", path.display()))),
        }
    }

    fn read(text: &str) -> Self {
        let mut section = "";
        let mut all = HashMap::new();
        for line in ini::lines(text) {
            match line {
                Line::Section(name) => section = name,
                Line::Value(name, value) => {
                    all.insert(format!("{section}/{name}"), value.to_owned());
                }
            }
        }
        Self(all)
    }

    /// A property, such as `core/project`: `CLOUDSDK_CORE_PROJECT` of the environment stands above the file.
    #[must_use]
    pub fn get(&self, name: &str, variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        let of_environment = format!("CLOUDSDK_{}", name.replace('/', "_").to_uppercase());
        variable(&of_environment).or_else(|| self.0.get(name).cloned()).filter(|it| !it.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_active_configuration_counts_and_variables_stand_above_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("configurations")).unwrap();
        std::fs::write(at("configurations/config_default"), "[core]\nproject = one\n").unwrap();
        let text = "# mine\n[core]\nproject = two\n[compute]\nzone=europe-west1-b\nregion =\n";
        std::fs::write(at("configurations/config_work"), text).unwrap();
        let none = |_: &str| None;
        let load = |name| Configuration::load(folder.path(), name);
        assert_eq!(load(None).unwrap().get("core/project", &none).as_deref(), Some("one"));
        std::fs::write(at("active_config"), "work\n").unwrap();
        let work = load(None).unwrap();
        assert_eq!(work.get("core/project", &none).as_deref(), Some("two"));
        assert_eq!(work.get("compute/zone", &none).as_deref(), Some("europe-west1-b"));
        assert_eq!(work.get("compute/region", &none), None);
        let said = |name: &str| (name == "CLOUDSDK_CORE_PROJECT").then(|| "three".to_owned());
        assert_eq!(work.get("core/project", &said).as_deref(), Some("three"));
        let text = load(Some("home")).unwrap_err().to_string();
        assert!(text.starts_with("the configuration home of gcloud: "), "{text}");
        assert!(load(Some("../x")).is_err());
        assert!(!format!("{work:?}").contains("two"));
    }
}
