//! The configuration of the AWS CLI: its files, its variables, and what a client makes of both. Reads
//! no environment: variables and paths are handed in.

mod endpoints;
mod lookup;
mod parse;
mod profiles;
mod proxy;
mod s3;
mod settings;

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
};

pub use self::{
    endpoints::EndpointUrls,
    lookup::{Options, Origin, SettingsError},
    parse::{ParseError, ParseProblem},
    profiles::{FileKind, Ignored, Profile, Profiles, Property, Section},
    proxy::Proxies,
    s3::{S3Settings, TransferSettings, UsEast1Endpoint},
    settings::{CliSettings, DefaultsMode, EndpointMode, MetadataSettings, Settings, StsEndpoints},
};

/// The variables of the program's environment, handed in by the program: all of them, because
/// processes that give credentials are started with them.
///
/// A variable that is empty counts as one that is not set.
#[derive(Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// The value of a variable, if it is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|it| !it.is_empty())
    }

    /// All variables, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A path as a person writes it: `~` is the home folder, `$NAME` and `${NAME}` are variables;
    /// those that are not set stay as they are.
    #[must_use]
    pub fn path(&self, text: &str, home: Option<&Path>) -> PathBuf {
        let text = self.expand(text);
        if let (Some(rest), Some(home)) = (text.strip_prefix('~'), home) {
            if rest.is_empty() {
                return home.to_owned();
            }
            if let Some(rest) = rest.strip_prefix('/') {
                return home.join(rest);
            }
        }
        PathBuf::from(text)
    }

    fn expand(&self, text: &str) -> String {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            let (name, behind) = match after.strip_prefix('{') {
                Some(inner) => inner.split_once('}').unwrap_or(("", inner)),
                None => {
                    let end = after.find(|it: char| !it.is_ascii_alphanumeric() && it != '_');
                    after.split_at(end.unwrap_or(after.len()))
                }
            };
            if let Some(value) = self.get(name) {
                expanded.push_str(value);
                rest = behind;
            } else {
                expanded.push('$');
                rest = after;
            }
        }
        expanded + rest
    }
}

/// The names only: values may be secret.
impl fmt::Debug for Environment {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<&String> = self.0.keys().collect();
        names.sort();
        to.debug_tuple("Environment").field(&names).finish()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_home_folders_and_variables() {
        let environment: Environment = [("ONE", "first"), ("EMPTY", "")].into_iter().collect();
        let home = Path::new("/home/anna");
        for (text, expected) in [
            ("~", "/home/anna"),
            ("~/.aws/config", "/home/anna/.aws/config"),
            ("~other/x", "~other/x"),
            ("/a/$ONE/b", "/a/first/b"),
            ("/a/${ONE}b", "/a/firstb"),
            ("$EMPTY/$NONE/${ONE", "$EMPTY/$NONE/${ONE"),
            ("a$", "a$"),
            ("$ONE$ONE", "firstfirst"),
        ] {
            assert_eq!(environment.path(text, Some(home)), Path::new(expected), "{text}");
        }
        assert_eq!(environment.get("EMPTY"), None);
        assert_eq!(format!("{environment:?}"), r#"Environment(["EMPTY", "ONE"])"#);
    }
}
