//! Tokens of whoever is logged in to the Azure CLI, which is asked as a program.

use std::collections::BTreeMap;
use std::fmt;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::process::Command;

use super::Token;
use crate::azure::error::Error;

/// How errors name this.
pub const PLACE: &str = "the Azure CLI";

/// How long it may take.
const LONGEST: Duration = Duration::from_secs(60);

/// Whoever is logged in to the Azure CLI.
#[derive(Clone)]
pub struct Cli {
    /// The tenant, where it is not the one of the login.
    pub tenant: Option<String>,
    /// The subscription, where it is not the one that is set there.
    pub subscription: Option<String>,
    /// What the program sees; it is found by its `PATH`.
    pub environment: Arc<BTreeMap<String, String>>,
    /// Nobody said that there is one.
    pub is_tentative: bool,
}

/// The environment may hold secrets, which are not shown.
impl fmt::Debug for Cli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cli").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl Cli {
    pub(super) async fn fetch(&self, audience: &str) -> Result<Token, Error> {
        let mut command = Command::new("az");
        command.args(["account", "get-access-token", "--output", "json", "--resource", audience]);
        if let Some(tenant) = &self.tenant {
            command.args(["--tenant", tenant]);
        } else if let Some(subscription) = &self.subscription {
            command.args(["--subscription", subscription]);
        }
        command.env_clear().envs(self.environment.iter()).stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(LONGEST, command.output()).await;
        let reason = match output {
            Err(_) => format!("az takes longer than {} s", LONGEST.as_secs()),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                "there is no program az".to_owned()
            }
            Ok(Err(error)) => format!("az cannot be run: {error}"),
            Ok(Ok(output)) => match read(&output) {
                Ok(token) => return Ok(token),
                Err(reason) => reason,
            },
        };
        Err(Error::Refused { place: PLACE, reason })
    }
}

fn read(output: &Output) -> Result<Token, String> {
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said: String = said.trim().chars().take(500).collect();
        return Err(format!("az fails ({}): {said}", output.status));
    }
    // What it printed is not shown: it is secret.
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let text = |name: &str| printed.get(name).and_then(Value::as_str).map(str::to_owned);
    let token = text("accessToken").ok_or("az prints no accessToken")?;
    let expires = printed.get("expires_on").and_then(Value::as_i64);
    let expires = expires.and_then(|it| Timestamp::from_second(it).ok());
    // Older ones say it only in the time of the place: they keep tokens themselves and are asked again soon.
    let expires =
        expires.or_else(|| Timestamp::now().checked_add(SignedDuration::from_mins(10)).ok());
    Ok(Token { text: token, expires, subscription: text("subscription") })
}
