//! Who calls Google Cloud, and where: the arguments that every module for it takes, and the environment and the
//! configuration of gcloud that stand in for them.
//!
//! It reads no file of credentials: [`super::token`] does.

use std::fmt;
use std::path::PathBuf;

use davit_module::ModuleError;
use davit_module::control::Control;
use schemars::JsonSchema;
use serde::Deserialize;

use super::configuration::{self, Configuration};
use super::error::Error;
use crate::args::yes;

/// What every module for Google Cloud takes: flatten it into a module's arguments.
#[derive(Clone, Deserialize, JsonSchema)]
pub struct Login {
    /// A token of OAuth, as `gcloud auth print-access-token` shows it. Else the variable `CLOUDSDK_AUTH_ACCESS_TOKEN` counts.
    #[serde(default)]
    #[schemars(extend("x-no-log" = true))]
    pub access_token: Option<String>,
    /// A file with credentials: the key of a service account, or what `gcloud auth application-default login` and
    /// workload identity federation write. Else the variable `GOOGLE_APPLICATION_CREDENTIALS` counts, then gcloud's own
    /// file, then the metadata server.
    #[serde(default)]
    #[schemars(extend("x-type" = "path", "x-aliases" = ["service_account_file"]))]
    pub credentials_file: Option<PathBuf>,
    /// Call without credentials, for what is open to everybody.
    #[serde(default)]
    pub anonymous: bool,
    /// Call as this service account, which the credentials may stand in for. The last of several is called as, each by
    /// means of the one before it.
    #[serde(default)]
    pub impersonate_service_account: Option<Vec<String>>,
    /// What the token is to be good for. Without it, for all of Google Cloud where the method takes that.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// The user that a service account acts for, where its domain lets it.
    #[serde(default)]
    pub subject: Option<String>,
    /// Call with what the key of the service account signed itself, without asking for a token first.
    #[serde(default)]
    pub self_signed_jwt: bool,
    /// The configuration of gcloud. Else the variable `CLOUDSDK_ACTIVE_CONFIG_NAME` counts, then the one that is active.
    #[serde(default)]
    pub configuration: Option<String>,
    /// The project, for methods that take one. Else `CLOUDSDK_CORE_PROJECT`, `GOOGLE_CLOUD_PROJECT` or `GCLOUD_PROJECT`
    /// of the environment, gcloud's configuration or the credentials say it.
    #[serde(default)]
    pub project: Option<String>,
    /// The region, for methods that take one. Else `CLOUDSDK_COMPUTE_REGION` or gcloud's configuration says it.
    #[serde(default)]
    pub region: Option<String>,
    /// The zone, for methods that take one. Else `CLOUDSDK_COMPUTE_ZONE` or gcloud's configuration says it.
    #[serde(default)]
    pub zone: Option<String>,
    /// The project that calls are counted for and that pays. Else the variable `GOOGLE_CLOUD_QUOTA_PROJECT`, gcloud's
    /// configuration or the credentials say it.
    #[serde(default)]
    pub quota_project: Option<String>,
    /// Where to call instead of Google: it stands in the place of `https://compute.googleapis.com`. Else
    /// `STORAGE_EMULATOR_HOST` and `PUBSUB_EMULATOR_HOST` count for those APIs, which are called without credentials then.
    #[serde(default)]
    pub endpoint_url: Option<String>,
    /// A file with the certificates of the authorities to trust. Else `CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE` counts.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    pub ca_bundle: Option<PathBuf>,
    /// Check that the server is who it says. Turn this off only for servers of your own.
    #[serde(default = "yes")]
    pub validate_certs: bool,
    /// For how many seconds nothing may come before a call is given up.
    #[serde(default = "minute")]
    pub timeout: u64,
}

const fn minute() -> u64 {
    60
}

/// Nothing secret is shown.
impl fmt::Debug for Login {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Login")
            .field("credentials_file", &self.credentials_file)
            .field("project", &self.project)
            .field("endpoint_url", &self.endpoint_url)
            .finish_non_exhaustive()
    }
}

/// What a client is made from: equal ones can share one.
#[derive(Clone, PartialEq, Eq)]
pub struct Caller {
    /// A token that was said.
    pub access_token: Option<String>,
    /// A file with credentials that was said, and by what.
    pub credentials_file: Option<(PathBuf, &'static str)>,
    /// Where gcloud keeps its files.
    pub folder: Option<PathBuf>,
    /// Nobody is called as.
    pub anonymous: bool,
    /// Service accounts, each to be called as by means of the one before it.
    pub impersonate: Vec<String>,
    /// The user that a service account acts for.
    pub subject: Option<String>,
    /// Tokens are signed here.
    pub self_signed: bool,
    /// The host of the metadata server, where one was said; `None` inside means that there is none.
    pub metadata: Option<Option<String>>,
    /// The project, region and zone.
    pub project: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The zone.
    pub zone: Option<String>,
    /// The project that pays.
    pub quota_project: Option<String>,
    /// Certificates of authorities.
    pub ca_bundle: Option<PathBuf>,
    /// Whether servers have to show who they are.
    pub validate_certs: bool,
    /// For how many seconds nothing may come.
    pub timeout: u64,
}

/// Nothing secret is shown.
impl fmt::Debug for Caller {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Caller")
            .field("credentials_file", &self.credentials_file)
            .field("project", &self.project)
            .finish_non_exhaustive()
    }
}

impl Login {
    /// Puts in what the environment of `control` and gcloud's configuration say, and keeps what is secret from being shown.
    ///
    /// # Errors
    /// Where the configuration that was asked for is not there.
    pub fn caller(&self, control: &Control) -> Result<Caller, ModuleError> {
        let caller = self.caller_in(&|name| control.variable(name).map(str::to_owned))?;
        caller.access_token.iter().for_each(|it| control.secret(it));
        Ok(caller)
    }

    /// [`Self::caller`] in an environment that is handed in.
    ///
    /// # Errors
    /// As there.
    pub fn caller_in(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Caller, Error> {
        let variable = |name: &str| variable(name).filter(|it| !it.is_empty());
        let first = |names: &[&str]| names.iter().find_map(|it| variable(it));
        let folder = configuration::folder(&variable);
        let named = filled(&self.configuration).or_else(|| variable("CLOUDSDK_ACTIVE_CONFIG_NAME"));
        let gcloud = match &folder {
            Some(folder) => Configuration::load(folder, named.as_deref())?,
            None => Configuration::default(),
        };
        let property = |name: &str| gcloud.get(name, &variable);
        let is_on = |it: Option<String>| {
            it.is_some_and(|it| matches!(it.to_lowercase().as_str(), "1" | "true" | "yes" | "on"))
        };
        let said_file = self.credentials_file.clone().filter(|it| !it.as_os_str().is_empty());
        let said_file = said_file.map(|it| (it, "credentials_file"));
        let is_said = said_file.is_some() || filled(&self.access_token).is_some();
        let token_file = property("auth/access_token_file").filter(|_| !is_said);
        let access_token = filled(&self.access_token)
            .or_else(|| variable("CLOUDSDK_AUTH_ACCESS_TOKEN").filter(|_| !is_said))
            .or(token_file.map(|it| read_token(&it)).transpose()?);
        let credentials_file = said_file
            .or_else(|| {
                let file = property("auth/credential_file_override")?;
                Some((file.into(), "gcloud's auth/credential_file_override"))
            })
            .or_else(|| {
                let file = variable("GOOGLE_APPLICATION_CREDENTIALS")?;
                Some((file.into(), "GOOGLE_APPLICATION_CREDENTIALS"))
            });
        let impersonate = match &self.impersonate_service_account {
            Some(accounts) => accounts.clone(),
            None => property("auth/impersonate_service_account")
                .map(|it| it.split(',').map(|it| it.trim().to_owned()).collect())
                .unwrap_or_default(),
        };
        let no_metadata = is_on(variable("NO_GCE_CHECK"));
        let host = first(&["GCE_METADATA_HOST", "GCE_METADATA_ROOT"]);
        Ok(Caller {
            access_token,
            credentials_file,
            folder,
            anonymous: self.anonymous || !is_said && is_on(property("auth/disable_credentials")),
            impersonate,
            subject: filled(&self.subject),
            self_signed: self.self_signed_jwt,
            metadata: if no_metadata { Some(None) } else { host.map(Some) },
            project: filled(&self.project)
                .or_else(|| variable("CLOUDSDK_CORE_PROJECT"))
                .or_else(|| first(&["GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"]))
                .or_else(|| property("core/project")),
            region: filled(&self.region).or_else(|| property("compute/region")),
            zone: filled(&self.zone).or_else(|| property("compute/zone")),
            quota_project: filled(&self.quota_project)
                .or_else(|| variable("GOOGLE_CLOUD_QUOTA_PROJECT"))
                .or_else(|| {
                    // gcloud has words there that say whose project it is.
                    let words = ["CURRENT_PROJECT", "CURRENT_PROJECT_WITH_FALLBACK", "LEGACY"];
                    property("billing/quota_project").filter(|it| !words.contains(&it.as_str()))
                }),
            ca_bundle: self
                .ca_bundle
                .clone()
                .filter(|it| !it.as_os_str().is_empty())
                .or_else(|| property("core/custom_ca_certs_file").map(PathBuf::from)),
            validate_certs: self.validate_certs,
            timeout: self.timeout.max(1),
        })
    }

    /// Where an API is called, if not at Google, and whether that is one of Google's emulators.
    #[must_use]
    pub fn endpoint(
        &self,
        api: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Option<(String, bool)> {
        let with_scheme = |it: String| if it.contains("://") { it } else { format!("http://{it}") };
        if let Some(url) = filled(&self.endpoint_url) {
            return Some((with_scheme(url), false));
        }
        let name = match api {
            "storage" => "STORAGE_EMULATOR_HOST",
            "pubsub" => "PUBSUB_EMULATOR_HOST",
            _ => return None,
        };
        let host = variable(name).filter(|it| !it.is_empty())?;
        Some((with_scheme(host), true))
    }
}

fn filled(text: &Option<String>) -> Option<String> {
    text.clone().filter(|it| !it.is_empty())
}

fn read_token(path: &str) -> Result<String, Error> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|source| Error::File { action: "read", path: path.into(), source })?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn login(args: Value) -> Login {
        serde_json::from_value(args).unwrap()
    }

    fn caller(args: Value, environment: &[(&str, &str)]) -> Caller {
        let found = |name: &str| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, it)| (*it).to_owned())
        };
        login(args).caller_in(&found).unwrap()
    }

    #[test]
    fn the_environment_stands_in_for_what_is_not_said() {
        let environment = [
            ("CLOUDSDK_AUTH_ACCESS_TOKEN", "t0ken"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/key.json"),
            ("GOOGLE_CLOUD_PROJECT", "two"),
            ("CLOUDSDK_COMPUTE_ZONE", "z"),
            ("GCE_METADATA_HOST", "localhost:1"),
            ("CLOUDSDK_BILLING_QUOTA_PROJECT", "CURRENT_PROJECT"),
        ];
        let found = caller(json!({}), &environment);
        assert_eq!(found.access_token.as_deref(), Some("t0ken"));
        assert_eq!(found.credentials_file.as_ref().unwrap().0.to_str(), Some("/key.json"));
        assert_eq!((found.project.as_deref(), found.zone.as_deref()), (Some("two"), Some("z")));
        assert_eq!(found.metadata, Some(Some("localhost:1".to_owned())));
        assert_eq!(found.quota_project, None);
        assert!(!format!("{found:?}").contains("t0ken"));
        let found = caller(json!({"credentials_file": "/mine", "project": "one"}), &environment);
        assert_eq!(found.access_token, None);
        assert_eq!(found.credentials_file.unwrap().0.to_str(), Some("/mine"));
        assert_eq!(found.project.as_deref(), Some("one"));
    }

    #[test]
    fn emulators_count_for_their_own_api() {
        let variable =
            |name: &str| (name == "STORAGE_EMULATOR_HOST").then(|| "localhost:9023".to_owned());
        let nothing = login(json!({}));
        let expect = Some(("http://localhost:9023".to_owned(), true));
        assert_eq!(nothing.endpoint("storage", &variable), expect);
        assert_eq!(nothing.endpoint("pubsub", &variable), None);
        let said = login(json!({"endpoint_url": "https://x"}));
        assert_eq!(said.endpoint("storage", &variable), Some(("https://x".to_owned(), false)));
    }
}
