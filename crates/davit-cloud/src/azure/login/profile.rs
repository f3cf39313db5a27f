//! The file `~/.azure/credentials`: a section of it, as the values that it has. What they are for is not known here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{AuthSource, Login, Variables, filled};
use crate::azure::error::Error;
use crate::web::ini::{self, Line};

/// A section of `~/.azure/credentials`.
#[derive(Default)]
pub(super) struct Profile {
    /// Somebody named it.
    pub(super) is_said: bool,
    /// Why it is not there.
    pub(super) missing: Option<String>,
    values: BTreeMap<String, String>,
}

impl Profile {
    pub(super) fn read(login: &Login, variables: &Variables<'_>) -> Result<Self, Error> {
        let source = login.source(variables)?;
        let said = filled(login.profile.as_ref()).or_else(|| variables.first(&["AZURE_PROFILE"]));
        let is_wanted = matches!(source, AuthSource::Auto | AuthSource::CredentialFile);
        if !is_wanted || login.access_token.is_some() {
            return Ok(Self { missing: Some("it is not asked for".to_owned()), ..Self::default() });
        }
        let name = said.clone().unwrap_or_else(|| "default".to_owned());
        let none = |reason: String| match &said {
            Some(_) => Err(Error::setting("profile", reason)),
            None => Ok(Self { missing: Some(reason), ..Self::default() }),
        };
        let Some(home) = variables.first(&["HOME"]) else {
            return none("HOME is not set".to_owned());
        };
        let path = PathBuf::from(home).join(".azure/credentials");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => return none(format!("{} cannot be read: {error}", path.display())),
        };
        match section(&text, &name) {
            Some(values) => Ok(Self { is_said: said.is_some(), missing: None, values }),
            None => none(format!("{} has no section [{name}]", path.display())),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.values.get(name).filter(|it| !it.is_empty()).cloned()
    }
}

/// The values of a section.
fn section(text: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let mut found: Option<BTreeMap<String, String>> = None;
    let mut is_inside = false;
    for line in ini::lines(text) {
        match line {
            Line::Section(head) => {
                is_inside = head == name;
                if is_inside {
                    found.get_or_insert_default();
                }
            }
            Line::Value(key, value) if is_inside => {
                found.get_or_insert_default().insert(key.to_lowercase(), value.to_owned());
            }
            Line::Value(..) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_of_the_file_are_read() {
        let text = "# a\n[default]\nclient_id = a\n[other]\nsecret=x=y # z\nTENANT: t\n;b=c\n";
        let values = section(text, "other").unwrap();
        assert_eq!(values["secret"], "x=y # z");
        assert_eq!((values["tenant"].as_str(), values.len()), ("t", 2));
        assert_eq!(section(text, "none"), None);
    }
}
