//! Options that every operation has. Knows no operation.

use super::{error::Wanted, render::Format, table::Takes};
use crate::query::Query;

/// What was said for all operations alike. Nothing means that it was not said.
#[derive(Debug, Clone, Default)]
pub struct Globals {
    /// `--region`.
    pub region: Option<String>,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--output`.
    pub output: Option<Format>,
    /// `--query`: what of the answer is shown.
    pub query: Option<Query>,
    /// `--endpoint-url`.
    pub endpoint_url: Option<String>,
    /// `--no-sign-request`.
    pub anonymous: bool,
    /// `--no-verify-ssl`.
    pub insecure: bool,
    /// `--ca-bundle`.
    pub ca_bundle: Option<String>,
    /// `--cli-connect-timeout`, in seconds; 0 means none.
    pub connect_timeout: Option<u64>,
    /// `--cli-read-timeout`, in seconds; 0 means none.
    pub read_timeout: Option<u64>,
    /// `--no-paginate`.
    pub no_paginate: bool,
    /// `--debug`.
    pub debug: bool,
    /// `--color`; nothing is `auto`.
    pub colour: Option<bool>,
    /// `--cli-binary-format`.
    pub binary: BinaryFormat,
}

/// How text is taken that stands for bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BinaryFormat {
    /// As the bytes themselves, as version 1 of the AWS CLI does.
    #[default]
    Raw,
    /// As base64, as version 2 does.
    Base64,
}

/// An option that every operation has.
#[derive(Debug, Clone, Copy)]
pub struct GlobalOption {
    /// Its name without the dashes.
    pub name: &'static str,
    /// What stands behind it.
    pub takes: Takes,
    /// What it takes, in words.
    pub kind: &'static str,
    /// What it may be; anything if empty.
    pub choices: &'static [&'static str],
    /// What it is for.
    pub about: &'static str,
    set: fn(&mut Globals, &str) -> Result<(), String>,
}

/// All of them, sorted.
pub static GLOBALS: &[GlobalOption] = &[
    text("ca-bundle", "path", "certificates to trust, in PEM", |to, it| {
        to.ca_bundle = Some(it.to_owned());
        Ok(())
    }),
    choice(
        "cli-binary-format",
        &["raw-in-base64-out", "base64"],
        "text for blobs: raw-in-base64-out or base64",
        |to, it| {
            to.binary = if it == "base64" { BinaryFormat::Base64 } else { BinaryFormat::Raw };
            Ok(())
        },
    ),
    text("cli-connect-timeout", "seconds", "how long to wait for a connection", |to, it| {
        to.connect_timeout = Some(seconds(it)?);
        Ok(())
    }),
    text("cli-read-timeout", "seconds", "how long to wait for an answer", |to, it| {
        to.read_timeout = Some(seconds(it)?);
        Ok(())
    }),
    choice("color", &["on", "off", "auto"], "colours in tables", |to, it| {
        to.colour = match it {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        };
        Ok(())
    }),
    flag("debug", "say what is done", |to, _| {
        to.debug = true;
        Ok(())
    }),
    text("endpoint-url", "url", "where requests go instead", |to, it| {
        if !it.contains("://") {
            return Err(format!("{it:?} has no scheme: http://host/ or https://host/"));
        }
        to.endpoint_url = Some(it.to_owned());
        Ok(())
    }),
    flag("no-cli-auto-prompt", "nothing: nothing is asked for", |_, _| Ok(())),
    flag("no-cli-pager", "nothing: there is no pager", |_, _| Ok(())),
    flag("no-paginate", "only the first page", |to, _| {
        to.no_paginate = true;
        Ok(())
    }),
    flag("no-sign-request", "without credentials", |to, _| {
        to.anonymous = true;
        Ok(())
    }),
    flag("no-verify-ssl", "without looking at certificates", |to, _| {
        to.insecure = true;
        Ok(())
    }),
    choice("output", &["json", "text", "table", "yaml"], "how the answer is shown", |to, it| {
        to.output = Format::of(it);
        Ok(())
    }),
    text("profile", "name", "the profile of the configuration files", |to, it| {
        to.profile = Some(it.to_owned());
        Ok(())
    }),
    text("query", "jmespath", "what of the answer is shown", |to, it| {
        to.query = Some(Query::read(it).map_err(|error| error.to_string())?);
        Ok(())
    }),
    text("region", "name", "the region", |to, it| {
        to.region = Some(it.to_owned());
        Ok(())
    }),
];

const fn text(
    name: &'static str,
    kind: &'static str,
    about: &'static str,
    set: fn(&mut Globals, &str) -> Result<(), String>,
) -> GlobalOption {
    GlobalOption { name, takes: Takes::One, kind, choices: &[], about, set }
}

const fn choice(
    name: &'static str,
    choices: &'static [&'static str],
    about: &'static str,
    set: fn(&mut Globals, &str) -> Result<(), String>,
) -> GlobalOption {
    GlobalOption { name, takes: Takes::One, kind: "word", choices, about, set }
}

const fn flag(
    name: &'static str,
    about: &'static str,
    set: fn(&mut Globals, &str) -> Result<(), String>,
) -> GlobalOption {
    GlobalOption { name, takes: Takes::Nothing, kind: "", choices: &[], about, set }
}

fn seconds(text: &str) -> Result<u64, String> {
    text.trim().parse().map_err(|_| format!("{text:?} is no number of seconds"))
}

impl GlobalOption {
    /// As it is written: `--region`.
    #[must_use]
    pub fn written(&self) -> String {
        format!("--{}", self.name)
    }

    /// What it takes.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        let kind = match self.choices {
            [] => format!("a {}", self.kind),
            choices => format!("one of {}", choices.join(", ")),
        };
        Wanted { kind, example: None }
    }

    /// Takes what was said.
    pub(super) fn set(&self, to: &mut Globals, value: &str) -> Result<(), String> {
        if !self.choices.is_empty() && !self.choices.contains(&value) {
            return Err(format!("{value:?} is none of them"));
        }
        (self.set)(to, value)
    }
}
