//! Who calls: the environment, the files of the AWS CLI and the options of the command line.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use davit_aws::config::{Environment, Options};
use davit_aws::credentials::{BoxFuture, Mfa};
use davit_aws::model::Store;
use davit_aws::session::{self, Parts, Session};

use super::{codes, report};
use crate::report::Report;

/// What the command line says of who calls, and where.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) region: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) endpoint_url: Option<String>,
    pub(super) ca_bundle: Option<String>,
    pub(super) anonymous: bool,
    pub(super) insecure: bool,
    pub(super) connect_timeout: Option<u64>,
    pub(super) read_timeout: Option<u64>,
}

fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn home() -> Option<PathBuf> {
    std::env::home_dir()
}

/// The models, the user's own among them.
pub(super) fn store() -> Store {
    Store::new(session::model_folders(&environment(), home().as_ref()))
}

/// A client for what was said.
pub(super) fn make(said: &Said) -> Result<Session, Report> {
    // No time-out at all is what 0 stands for.
    let seconds = |it: Option<u64>| {
        it.map(|it| Duration::from_secs(if it == 0 { u64::from(u32::MAX) } else { it }))
    };
    let mut options = Options {
        profile: said.profile.clone(),
        connect_timeout: seconds(said.connect_timeout),
        read_timeout: seconds(said.read_timeout),
        ..Options::default()
    };
    for (key, value) in [
        ("region", &said.region),
        ("endpoint_url", &said.endpoint_url),
        ("ca_bundle", &said.ca_bundle),
    ] {
        if let Some(value) = value {
            options = options.with(key, value);
        }
    }
    Session::new(Parts {
        options,
        environment: environment(),
        home: home(),
        anonymous: said.anonymous,
        no_verify: said.insecure,
        mfa: Some(Arc::new(Asked)),
        ..Parts::default()
    })
    .map_err(|error| report(&error))
}

/// Runs something until it is done or the user stops it.
pub(super) fn until_done(work: impl Future<Output = Result<u8, Report>>) -> Result<u8, Report> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Report::of(&error))?;
    runtime.block_on(async {
        tokio::select! {
            outcome = work => outcome,
            _ = tokio::signal::ctrl_c() => Ok(codes::INTERRUPTED),
        }
    })
}

/// Asks for the code of a second factor.
struct Asked;

impl Mfa for Asked {
    fn code<'a>(&'a self, serial: &'a str) -> BoxFuture<'a, Option<String>> {
        let text = format!("Enter MFA code for {serial}: ");
        Box::pin(async move {
            let asked = tokio::task::spawn_blocking(move || crate::prompt::password(&text)).await;
            asked.ok().flatten()
        })
    }
}
