//! Who calls Azure: the arguments that every module for Azure takes, the environment and the file
//! that stand in for them, and the places that credentials are looked for in.

mod profile;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use davit_module::ModuleError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::profile::Profile;
use super::clouds::Cloud;
use super::error::{Error, Looked, failure};
use super::tokens::cli::Cli;
use super::tokens::managed::{Identity, Managed, Server};
use super::tokens::registered::{Proof, Registered};
use super::tokens::{Source, Token};

/// What every module for Azure takes: flatten it into a module's arguments.
///
/// Without `auth_source` the first of these serves: what the task says, together with the environment; the
/// file `~/.azure/credentials`; the managed identity that the environment tells of; whoever is logged in to
/// the Azure CLI; the managed identity of the machine.
#[derive(Clone, Deserialize, JsonSchema, PartialEq, Eq)]
pub struct Login {
    /// A token that is used as it is.
    #[serde(default)]
    #[schemars(extend("x-no-log" = true))]
    pub access_token: Option<String>,
    /// Where credentials are from. Else the variable `ANSIBLE_AZURE_AUTH_SOURCE` counts.
    #[serde(default)]
    pub auth_source: Option<AuthSource>,
    /// Where tokens are given out, in the place of the cloud's. Else the variable `AZURE_AUTHORITY_HOST` counts.
    #[serde(default)]
    pub authority_host: Option<String>,
    /// Whether servers have to show who they are. Else the variable `AZURE_CERT_VALIDATION` counts.
    #[serde(default)]
    pub cert_validation_mode: Option<Validation>,
    /// The application, or the managed identity by its application. Else the variable `AZURE_CLIENT_ID` counts.
    #[serde(default)]
    pub client_id: Option<String>,
    /// The cloud: `AzureCloud`, `AzureChinaCloud`, `AzureUSGovernment`. Else the variable
    /// `AZURE_CLOUD_ENVIRONMENT` counts.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["cloud"]))]
    pub cloud_environment: Option<String>,
    /// The managed identity by its id in the directory.
    #[serde(default)]
    pub identity_object_id: Option<String>,
    /// The managed identity by its id as a resource.
    #[serde(default)]
    pub identity_resource_id: Option<String>,
    /// A section of `~/.azure/credentials`. Else the variable `AZURE_PROFILE` counts.
    #[serde(default)]
    pub profile: Option<String>,
    /// For how many seconds a server may say nothing.
    #[serde(default = "minute")]
    pub read_timeout: u64,
    /// The secret of the application. Else the variable `AZURE_SECRET` or `AZURE_CLIENT_SECRET` counts.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["client_secret"], "x-no-log" = true))]
    pub secret: Option<String>,
    /// The subscription. Else the variable `AZURE_SUBSCRIPTION_ID` counts, then what the file or the
    /// Azure CLI says, then the only one that there is.
    #[serde(default)]
    pub subscription_id: Option<String>,
    /// The tenant. Else the variable `AZURE_TENANT` or `AZURE_TENANT_ID` counts.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["tenant_id"]))]
    pub tenant: Option<String>,
    /// A file in PEM with the application's certificate and its RSA key, which is not encrypted. Else the
    /// variable `AZURE_CLIENT_CERTIFICATE_PATH` counts.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    pub x509_certificate_path: Option<PathBuf>,
}

const fn minute() -> u64 {
    60
}

/// Where credentials are from.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthSource {
    /// The first place that has some.
    #[default]
    Auto,
    /// The Azure CLI.
    Cli,
    /// `~/.azure/credentials`.
    CredentialFile,
    /// The variables of the environment.
    Env,
    /// The managed identity.
    Msi,
}

/// Whether servers have to show who they are.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Validation {
    /// They need not: anyone may read and change what is sent.
    Ignore,
    /// They have to.
    Validate,
}

/// Nothing secret is shown.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("auth_source", &self.auth_source)
            .field("tenant", &self.tenant)
            .field("client_id", &self.client_id)
            .field("profile", &self.profile)
            .field("subscription_id", &self.subscription_id)
            .finish_non_exhaustive()
    }
}

/// What a client is made from.
#[derive(Debug)]
pub struct Caller {
    /// Where the services are.
    pub cloud: Cloud,
    /// Whether servers have to show who they are.
    pub verify: bool,
    /// The subscription, where one is said.
    pub subscription: Option<String>,
    /// Where tokens come from, in their order.
    pub sources: Vec<Source>,
    /// Places that have none, and why.
    pub looked: Vec<Looked>,
}

/// Variables, filled ones only.
struct Variables<'a>(&'a BTreeMap<String, String>);

impl Variables<'_> {
    fn first(&self, names: &[&str]) -> Option<String> {
        let all = names.iter().filter_map(|it| self.0.get(*it));
        all.map(|it| it.trim()).find(|it| !it.is_empty()).map(str::to_owned)
    }
}

/// What is said of an application in one place.
#[derive(Default)]
struct Told {
    tenant: Option<String>,
    client: Option<String>,
    secret: Option<String>,
    certificate: Option<PathBuf>,
    federated: Option<PathBuf>,
}

impl Login {
    /// Puts in what the environment and the file say. Nothing is called.
    ///
    /// # Errors
    /// When something makes no sense, or only half of what is needed is there.
    pub fn caller(&self, environment: &BTreeMap<String, String>) -> Result<Caller, ModuleError> {
        self.resolve(environment).map_err(|error| failure("cannot log in to Azure", &error))
    }

    fn resolve(&self, environment: &BTreeMap<String, String>) -> Result<Caller, Error> {
        let variables = Variables(environment);
        let profile = Profile::read(self, &variables)?;
        let cloud = filled(self.cloud_environment.as_ref())
            .or_else(|| variables.first(&["AZURE_CLOUD_ENVIRONMENT"]))
            .or_else(|| profile.get("cloud_environment"))
            .unwrap_or_else(|| "AzureCloud".to_owned());
        let cloud = Cloud::named(&cloud).ok_or_else(|| {
            let known = Cloud::names().join(", ");
            Error::setting("cloud_environment", format!("{cloud:?} is none of {known}"))
        })?;
        let verify = match self.cert_validation_mode {
            Some(mode) => mode == Validation::Validate,
            None => {
                let said = variables.first(&["AZURE_CERT_VALIDATION"]);
                said.or_else(|| profile.get("cert_validation_mode")).as_deref() != Some("ignore")
            }
        };
        let subscription = filled(self.subscription_id.as_ref())
            .or_else(|| profile.is_said.then(|| profile.get("subscription_id")).flatten())
            .or_else(|| variables.first(&["AZURE_SUBSCRIPTION_ID"]));
        let mut search = Search {
            login: self,
            variables,
            authority: filled(self.authority_host.as_ref())
                .or_else(|| Variables(environment).first(&["AZURE_AUTHORITY_HOST"]))
                .map_or_else(|| cloud.login.to_owned(), with_scheme),
            subscription: subscription.clone(),
            sources: Vec::new(),
            looked: Vec::new(),
        };
        search.look(&profile)?;
        let is_of_file = search
            .sources
            .iter()
            .any(|it| matches!(it, Source::Registered(it) if it.place == FILE));
        let subscription =
            subscription.or_else(|| is_of_file.then(|| profile.get("subscription_id")).flatten());
        let Search { sources, looked, .. } = search;
        Ok(Caller { cloud, verify, subscription, sources, looked })
    }

    fn source(&self, variables: &Variables<'_>) -> Result<AuthSource, Error> {
        if let Some(source) = self.auth_source {
            return Ok(source);
        }
        let name = "ANSIBLE_AZURE_AUTH_SOURCE";
        let Some(text) = variables.first(&[name]) else { return Ok(AuthSource::Auto) };
        serde_json::from_value(text.clone().into()).map_err(|_| {
            let known = "auto, cli, credential_file, env, msi";
            Error::setting(name, format!("{text:?} is none of {known}"))
        })
    }
}

/// `AZURE_AUTHORITY_HOST` may be a host alone.
fn with_scheme(host: String) -> String {
    if host.contains("://") { host } else { format!("https://{host}") }
}

fn filled(text: Option<&String>) -> Option<String> {
    text.map(|it| it.trim().to_owned()).filter(|it| !it.is_empty())
}

/// How errors name `~/.azure/credentials`.
const FILE: &str = "~/.azure/credentials";
/// How errors name what the task and the environment say.
const TASK: &str = "the task and the environment";

/// Goes from place to place.
struct Search<'a> {
    login: &'a Login,
    variables: Variables<'a>,
    authority: String,
    subscription: Option<String>,
    sources: Vec<Source>,
    looked: Vec<Looked>,
}

impl Search<'_> {
    fn look(&mut self, profile: &Profile) -> Result<(), Error> {
        if let Some(token) = filled(self.login.access_token.as_ref()) {
            self.sources.push(Source::Given(Token::endless(token)));
            return Ok(());
        }
        match self.login.source(&self.variables)? {
            AuthSource::Cli => self.cli(false),
            AuthSource::Msi => self.managed(|_| true, false),
            AuthSource::Env => self.registered(TASK, self.told(false))?,
            AuthSource::CredentialFile => self.file(profile)?,
            AuthSource::Auto if profile.is_said => self.file(profile)?,
            AuthSource::Auto => {
                self.registered(TASK, self.told(true))?;
                self.file(profile)?;
                self.managed(|is_said| is_said, true);
                self.cli(true);
                self.managed(|is_said| !is_said, true);
            }
        }
        Ok(())
    }

    /// What the environment says of an application, below what the task does.
    fn told(&self, with_task: bool) -> Told {
        let own = |text: &Option<String>| filled(text.as_ref()).filter(|_| with_task);
        let first = |names: &[&str]| self.variables.first(names);
        let secret = own(&self.login.secret);
        let certificate = self.login.x509_certificate_path.clone().filter(|_| with_task);
        let has_own = secret.is_some() || certificate.is_some();
        // What the task shows stands alone: nothing of the environment is shown beside it.
        let other = |names: &[&str]| first(names).filter(|_| !has_own);
        Told {
            tenant: own(&self.login.tenant).or_else(|| first(&["AZURE_TENANT", "AZURE_TENANT_ID"])),
            client: own(&self.login.client_id).or_else(|| first(&["AZURE_CLIENT_ID"])),
            certificate: certificate
                .or_else(|| other(&["AZURE_CLIENT_CERTIFICATE_PATH"]).map(PathBuf::from)),
            federated: other(&["AZURE_FEDERATED_TOKEN_FILE"]).map(PathBuf::from),
            secret: secret.or_else(|| other(&["AZURE_SECRET", "AZURE_CLIENT_SECRET"])),
        }
    }

    fn registered(&mut self, place: &'static str, told: Told) -> Result<(), Error> {
        let proof = match (told.secret, told.certificate, told.federated) {
            (Some(secret), ..) => Proof::Secret(secret),
            (_, Some(path), _) => Proof::Certificate(path),
            (.., Some(path)) => Proof::Federated(path),
            _ => {
                let reason = if place == FILE {
                    "the section has no secret and no x509_certificate_path"
                } else {
                    "neither access_token, secret (AZURE_SECRET, AZURE_CLIENT_SECRET), \
                     x509_certificate_path (AZURE_CLIENT_CERTIFICATE_PATH) nor \
                     AZURE_FEDERATED_TOKEN_FILE is there"
                };
                self.looked.push(Looked { place, reason: reason.to_owned() });
                return Ok(());
            }
        };
        let is_said = place == TASK
            && (self.login.secret.is_some() || self.login.x509_certificate_path.is_some());
        let (tenant, client) = match (told.tenant, told.client) {
            (Some(tenant), Some(client)) => (tenant, client),
            (tenant, _) => {
                let (name, variable) = match tenant {
                    None => ("tenant", "AZURE_TENANT"),
                    Some(_) => ("client_id", "AZURE_CLIENT_ID"),
                };
                let reason = "it is needed beside the secret or certificate of an application";
                if is_said {
                    let reason = format!("{reason}; {variable} is not set either");
                    return Err(Error::setting(name, reason));
                }
                // What is left over in an environment keeps nobody from using something else.
                self.looked.push(Looked { place, reason: format!("{name} is missing: {reason}") });
                return Ok(());
            }
        };
        let authority = self.authority.clone();
        self.sources.push(Source::Registered(Registered {
            place,
            authority,
            tenant,
            client,
            proof,
        }));
        Ok(())
    }

    fn file(&mut self, profile: &Profile) -> Result<(), Error> {
        if let Some(reason) = &profile.missing {
            self.looked.push(Looked { place: FILE, reason: reason.clone() });
            return Ok(());
        }
        let told = Told {
            tenant: profile.get("tenant"),
            client: profile.get("client_id"),
            secret: profile.get("secret"),
            certificate: profile.get("x509_certificate_path").map(PathBuf::from),
            federated: None,
        };
        self.registered(FILE, told)
    }

    fn managed(&mut self, is_wanted: impl Fn(bool) -> bool, is_tentative: bool) {
        let (server, is_said) = Server::of(&|name| self.variables.first(&[name]));
        if !is_wanted(is_said) {
            return;
        }
        let login = self.login;
        let client = || {
            filled(login.client_id.as_ref()).or_else(|| self.variables.first(&["AZURE_CLIENT_ID"]))
        };
        let identity = if let Some(id) = filled(login.identity_resource_id.as_ref()) {
            Identity::Resource(id)
        } else if let Some(id) = filled(login.identity_object_id.as_ref()) {
            Identity::Object(id)
        } else {
            client().map_or(Identity::Own, Identity::Client)
        };
        self.sources.push(Source::Managed(Managed { server, identity, is_tentative }));
    }

    fn cli(&mut self, is_tentative: bool) {
        self.sources.push(Source::Cli(Cli {
            tenant: filled(self.login.tenant.as_ref()),
            subscription: self.subscription.clone(),
            environment: Arc::new(self.variables.0.clone()),
            is_tentative,
        }));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sources(args: Value, environment: &[(&str, &str)]) -> Result<String, String> {
        let login: Login = serde_json::from_value(args).unwrap();
        let environment =
            environment.iter().map(|(name, it)| ((*name).to_owned(), (*it).to_owned())).collect();
        let caller = login.resolve(&environment).map_err(|error| error.to_string())?;
        let text = format!("{:?} {:?}", caller.subscription, caller.sources);
        assert!(!text.contains("S3CR3T"), "{text}");
        let names = caller.sources.iter().map(|it| match it {
            Source::Given(_) => "given".to_owned(),
            Source::Registered(it) => format!("{}@{} {:?}", it.client, it.tenant, it.proof),
            Source::Managed(it) => format!("{:?} {:?}", it.server, it.identity),
            Source::Cli(_) => "cli".to_owned(),
        });
        Ok(names.collect::<Vec<_>>().join(", "))
    }

    const SECRET: &[(&str, &str)] =
        &[("AZURE_CLIENT_ID", "app"), ("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_SECRET", "S3CR3T")];

    #[test]
    fn places_are_looked_at_in_their_order() {
        let machine = r#"Machine("http://169.254.169.254")"#;
        for (args, environment, expected) in [
            (json!({"access_token": "S3CR3T"}), SECRET, "given".to_owned()),
            (json!({}), &[], format!("cli, {machine} Own")),
            (json!({}), SECRET, format!(r#"app@t Secret, cli, {machine} Client("app")"#)),
            (json!({"auth_source": "env"}), SECRET, "app@t Secret".to_owned()),
            (json!({"auth_source": "env"}), &SECRET[..2], String::new()),
            (json!({"auth_source": "env"}), &SECRET[1..], String::new()),
            (json!({"auth_source": "cli"}), SECRET, "cli".to_owned()),
            (
                json!({"auth_source": "msi", "identity_object_id": "o"}),
                SECRET,
                format!(r#"{machine} Object("o")"#),
            ),
            (
                json!({"auth_source": "auto", "x509_certificate_path": "/a", "tenant": "u"}),
                SECRET,
                format!(r#"app@u Certificate("/a"), cli, {machine} Client("app")"#),
            ),
        ] {
            assert_eq!(sources(args.clone(), environment).unwrap(), expected, "{args}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let known = &[("ANSIBLE_AZURE_AUTH_SOURCE", "evn")];
        for (args, environment, expected) in [
            (json!({"secret": "S3CR3T"}), &[][..], "tenant: it is needed beside the secret"),
            (json!({"secret": "S3CR3T", "tenant": "t"}), &[], "client_id: it is needed"),
            (json!({"cloud": "AzureGermanCloud"}), &[], ""),
            (json!({"profile": "p"}), &[], "profile: HOME is not set"),
            (json!({}), known, "ANSIBLE_AZURE_AUTH_SOURCE: \"evn\" is none of auto, cli"),
        ] {
            // The alias is put in by whoever checks arguments.
            let told = sources(args, environment);
            assert!(expected.is_empty() || told.unwrap_err().starts_with(expected), "{expected}");
        }
        let told = sources(json!({"cloud_environment": "AzureGermanCloud"}), &[]).unwrap_err();
        assert!(told.contains("AzureUSGovernment"), "{told}");
    }
}
