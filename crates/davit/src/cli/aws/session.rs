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
use crate::report::{Report, exit};

/// What the command line says of who calls, and where.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Said {
    pub(in crate::cli) region: Option<String>,
    pub(in crate::cli) profile: Option<String>,
    pub(in crate::cli) endpoint_url: Option<String>,
    pub(in crate::cli) ca_bundle: Option<String>,
    pub(in crate::cli) anonymous: bool,
    pub(in crate::cli) insecure: bool,
    pub(in crate::cli) connect_timeout: Option<u64>,
    pub(in crate::cli) read_timeout: Option<u64>,
}

pub(super) fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

pub(super) fn home() -> Option<PathBuf> {
    std::env::home_dir()
}

/// The models, the user's own among them.
pub(super) fn store() -> Store {
    Store::new(session::model_folders(&environment(), home().as_ref()))
}

/// A client for what was said.
pub(in crate::cli) fn make(said: &Said) -> Result<Session, Report> {
    made(said, environment())
}

/// The same without a profile, which need not be there yet.
pub(super) fn without_profile(said: Said) -> Result<Session, Report> {
    let said = Said { profile: None, ..said };
    let environment = environment();
    let others =
        environment.iter().filter(|it| !matches!(it.0, "AWS_PROFILE" | "AWS_DEFAULT_PROFILE"));
    made(&said, others.collect())
}

fn made(said: &Said, environment: Environment) -> Result<Session, Report> {
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
        environment,
        home: home(),
        anonymous: said.anonymous,
        no_verify: said.insecure,
        mfa: Some(Arc::new(Asked)),
        ..Parts::default()
    })
    .map_err(|error| report(&error))
}

/// Runs something until it is done or the user stops it; then the exit code says so.
pub(super) fn until_done(work: impl Future<Output = Result<u8, Report>>) -> Result<u8, Report> {
    ran(work, || Ok(codes::INTERRUPTED))
}

/// Runs something until it is done; it is an error that the user stops it.
pub(in crate::cli) fn until<T>(work: impl Future<Output = Result<T, Report>>) -> Result<T, Report> {
    ran(work, || Err(Report::new("interrupted").code(exit::INTERRUPTED)))
}

/// The same; `undo` is done after the user has stopped it, for as long as the user lets it.
pub(super) fn until_done_or(
    work: impl Future<Output = Result<u8, Report>>,
    undo: impl Future<Output = ()>,
) -> Result<u8, Report> {
    let undone = async {
        tokio::select! {
            () = undo => {}
            () = tokio::time::sleep(UNDO) => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    ran_or(work, undone, || Ok(codes::INTERRUPTED))
}

/// How long a stopped program may clean up.
const UNDO: Duration = Duration::from_secs(10);

fn ran<T>(
    work: impl Future<Output = Result<T, Report>>,
    stopped: impl FnOnce() -> Result<T, Report>,
) -> Result<T, Report> {
    ran_or(work, async {}, stopped)
}

fn ran_or<T>(
    work: impl Future<Output = Result<T, Report>>,
    undo: impl Future<Output = ()>,
    stopped: impl FnOnce() -> Result<T, Report>,
) -> Result<T, Report> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Report::of(&error))?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = work => return outcome,
            _ = tokio::signal::ctrl_c() => {}
        }
        undo.await;
        stopped()
    });
    // A question that is still open, or a pipe that nothing comes from, is not waited for.
    runtime.shutdown_background();
    outcome
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
