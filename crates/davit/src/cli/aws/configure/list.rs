//! `davit aws configure list`: what is used, and where it comes from, set out as the AWS CLI does.

use davit_aws::config::Environment;

use super::{Files, masked};
use crate::cli::aws::globals::Globals;
use crate::cli::aws::session;
use crate::report::{Report, exit, print};

/// A line of the list.
struct Line {
    name: &'static str,
    value: String,
    kind: String,
    place: String,
}

impl Line {
    fn new(name: &'static str, value: &str, kind: &str, place: &str) -> Self {
        Self { name, value: value.to_owned(), kind: kind.to_owned(), place: place.to_owned() }
    }

    fn unset(name: &'static str) -> Self {
        Self::new(name, "<not set>", "None", "None")
    }

    fn text(&self) -> String {
        format!("{:>10} {:>24} {:>16}    {}\n", self.name, self.value, self.kind, self.place)
    }
}

/// Prints it.
pub(super) fn run(files: &Files, globals: &Globals) -> Result<u8, Report> {
    let environment = session::environment();
    let mut lines = vec![
        Line::new("Name", "Value", "Type", "Location"),
        Line::new("----", "-----", "----", "--------"),
        profile(globals, &environment),
    ];
    lines.extend(keys(globals)?);
    lines.push(region(files, &environment));
    let text: String = lines.iter().map(Line::text).collect();
    print(&text)?;
    Ok(exit::OK)
}

fn profile(globals: &Globals, environment: &Environment) -> Line {
    let variable =
        environment.get("AWS_PROFILE").or_else(|| environment.get("AWS_DEFAULT_PROFILE"));
    match (&globals.profile, variable) {
        (Some(name), _) => Line::new("profile", name, "manual", "--profile"),
        (None, Some(name)) => {
            Line::new("profile", name, "env", "['AWS_DEFAULT_PROFILE', 'AWS_PROFILE']")
        }
        (None, None) => Line::unset("profile"),
    }
}

fn region(files: &Files, environment: &Environment) -> Line {
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        if let Some(value) = environment.get(name) {
            return Line::new("region", value, "env", name);
        }
    }
    let file = environment.get("AWS_CONFIG_FILE").unwrap_or("~/.aws/config");
    match files.profiles.get(files.profile()).and_then(|it| it.get("region")) {
        Some(value) => Line::new("region", value, "config-file", file),
        None => Line::unset("region"),
    }
}

/// The keys, from wherever they are.
fn keys(globals: &Globals) -> Result<[Line; 2], Report> {
    let session = session::make(&globals.said())?;
    let found = session::until(async { Ok(session.chain.credentials().await.ok()) })?;
    let Some(found) = found else {
        return Ok([Line::unset("access_key"), Line::unset("secret_key")]);
    };
    let method =
        session.chain.place().map(davit_aws::credentials::Place::method).unwrap_or_default();
    Ok([
        Line::new("access_key", &masked(&found.access_key_id), method, ""),
        Line::new("secret_key", &masked(&found.secret_access_key), method, ""),
    ])
}
