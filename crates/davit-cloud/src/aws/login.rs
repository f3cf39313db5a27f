//! Who calls AWS, and where: the arguments that every module for AWS takes, and the environment
//! that stands in for them.
//!
//! It does not read the files of the AWS CLI: what is not said here, the client looks for.

use std::fmt;
use std::path::PathBuf;

use davit_module::ModuleError;
use davit_module::control::Control;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::args::yes;

/// What every module for AWS takes: flatten it into a module's arguments.
#[derive(Clone, Deserialize, JsonSchema)]
pub struct Login {
    /// The id of the access key. Else the variable `AWS_ACCESS_KEY_ID`, `AWS_ACCESS_KEY` or
    /// `EC2_ACCESS_KEY` of the environment counts, and without any of them what the AWS CLI would
    /// use. Cannot be together with `profile`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["aws_access_key_id", "aws_access_key", "ec2_access_key"]))]
    pub access_key: Option<String>,
    /// A file with the certificates of the authorities to trust. Else the variable
    /// `AWS_CA_BUNDLE` counts.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    pub aws_ca_bundle: Option<PathBuf>,
    /// Settings of the client, by the names that botocore has for them.
    #[serde(default)]
    pub aws_config: Option<Map<String, Value>>,
    /// Say under `resource_actions` of the result which operations were called. The variable
    /// `ANSIBLE_DEBUG_BOTOCORE_LOGS` does the same.
    #[serde(default)]
    pub debug_botocore_endpoint_logs: bool,
    /// Where to call instead of AWS. Else the variable `AWS_URL` or `EC2_URL` counts.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["aws_endpoint_url", "ec2_url", "s3_url"]))]
    pub endpoint_url: Option<String>,
    /// A profile of the files of the AWS CLI. Else the variable `AWS_PROFILE` or
    /// `AWS_DEFAULT_PROFILE` counts, unless there is a key. Cannot be together with `access_key`,
    /// `secret_key` or `session_token`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["aws_profile"]))]
    pub profile: Option<String>,
    /// The region. Else the variable `AWS_REGION`, `AWS_DEFAULT_REGION` or `EC2_REGION` counts.
    /// Services that are the same everywhere, such as IAM, need none.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["aws_region", "ec2_region"]))]
    pub region: Option<String>,
    /// The secret of the access key. Else the variable `AWS_SECRET_ACCESS_KEY`, `AWS_SECRET_KEY`
    /// or `EC2_SECRET_KEY` counts.
    #[serde(default)]
    #[schemars(extend(
        "x-aliases" = ["aws_secret_access_key", "aws_secret_key", "ec2_secret_key"],
        "x-no-log" = true
    ))]
    pub secret_key: Option<String>,
    /// What goes along with keys that are there for a while. Else the variable
    /// `AWS_SESSION_TOKEN`, `AWS_SECURITY_TOKEN` or `EC2_SECURITY_TOKEN` counts.
    #[serde(default)]
    #[schemars(extend(
        "x-aliases" = ["aws_session_token", "security_token", "aws_security_token", "access_token"],
        "x-no-log" = true
    ))]
    pub session_token: Option<String>,
    /// Check that the server is who it says. Turn this off only for servers of your own.
    #[serde(default = "yes")]
    pub validate_certs: bool,
}

/// Nothing secret is shown.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("profile", &self.profile)
            .field("region", &self.region)
            .field("endpoint_url", &self.endpoint_url)
            .finish_non_exhaustive()
    }
}

/// Access keys, all from one place.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Keys {
    /// `AKIA...`, `ASIA...`.
    pub access_key: String,
    /// The secret that goes with it.
    pub secret_key: String,
    /// What goes along with keys that are there for a while.
    pub session_token: Option<String>,
}

/// Nothing secret is shown.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// What a client is made from: equal ones can share one.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// The keys that were said; `None` = the client looks for some.
    pub keys: Option<Keys>,
    /// The profile of the AWS CLI's files.
    pub profile: Option<String>,
    /// The profile was said by the task, and stands above keys of the environment.
    pub is_profile_said: bool,
    /// The region, where one was said.
    pub region: Option<String>,
    /// Where to call instead of AWS.
    pub endpoint_url: Option<String>,
    /// Certificates of authorities.
    pub ca_bundle: Option<PathBuf>,
    /// Whether the server has to show who it is.
    pub validate_certs: bool,
    /// Further settings, by botocore's names.
    pub config: Map<String, Value>,
    /// Tell which operations were called.
    pub tells_operations: bool,
}

impl Login {
    /// Puts in what the environment of `control` says, and keeps what is secret from being shown.
    ///
    /// # Errors
    /// Where a profile and keys are both said, or half of a pair of keys.
    pub fn caller(&self, control: &Control) -> Result<Caller, ModuleError> {
        let caller = self.caller_in(&|name| control.variable(name).map(str::to_owned))?;
        if let Some(keys) = &caller.keys {
            control.secret(&keys.secret_key);
            keys.session_token.iter().for_each(|it| control.secret(it));
        }
        Ok(caller)
    }

    /// [`Self::caller`] in an environment that is handed in.
    ///
    /// # Errors
    /// As there.
    pub fn caller_in(
        &self,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Caller, ModuleError> {
        let first = |names: &[&str]| names.iter().find_map(|it| filled(variable(it)));
        let said = |it: &Option<String>| filled(it.clone());
        let keys = self.keys(&first)?;
        let profile = said(&self.profile);
        let is_profile_said = profile.is_some();
        let profile = profile.or_else(|| {
            let is_key_said = said(&self.access_key).is_some();
            first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]).filter(|_| !is_key_said)
        });
        let region = said(&self.region)
            .or_else(|| first(&["AWS_REGION", "AWS_DEFAULT_REGION", "EC2_REGION"]));
        let debug = first(&["ANSIBLE_DEBUG_BOTOCORE_LOGS"]).is_some_and(|it| is_on(&it));
        let ca_bundle = self.aws_ca_bundle.clone().filter(|it| !it.as_os_str().is_empty());
        Ok(Caller {
            keys,
            profile,
            is_profile_said,
            region,
            endpoint_url: said(&self.endpoint_url).or_else(|| first(&["AWS_URL", "EC2_URL"])),
            ca_bundle: ca_bundle.or_else(|| first(&["AWS_CA_BUNDLE"]).map(PathBuf::from)),
            validate_certs: self.validate_certs,
            config: self.aws_config.clone().unwrap_or_default(),
            tells_operations: self.debug_botocore_endpoint_logs || debug,
        })
    }

    fn keys(&self, first: &dyn Fn(&[&str]) -> Option<String>) -> Result<Option<Keys>, ModuleError> {
        let said = |it: &Option<String>| filled(it.clone());
        let own = [&self.access_key, &self.secret_key, &self.session_token].map(said);
        if said(&self.profile).is_some() {
            return match own.iter().position(Option::is_some) {
                Some(at) => {
                    let name = ["access_key", "secret_key", "session_token"][at];
                    let text = format!("parameters are mutually exclusive: profile|{name}");
                    Err(ModuleError::failed(text))
                }
                None => Ok(None),
            };
        }
        let [own_access, own_secret, own_token] = own;
        let is_pair_said = own_access.is_some() && own_secret.is_some();
        let access = own_access
            .or_else(|| first(&["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "EC2_ACCESS_KEY"]));
        let secret = own_secret
            .or_else(|| first(&["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "EC2_SECRET_KEY"]));
        // A token of the environment belongs to the keys there.
        let token = own_token.or_else(|| {
            let names = ["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "EC2_SECURITY_TOKEN"];
            first(&names).filter(|_| !is_pair_said)
        });
        match (access, secret) {
            (Some(access_key), Some(secret_key)) => {
                Ok(Some(Keys { access_key, secret_key, session_token: token }))
            }
            (None, None) => Ok(None),
            (Some(_), None) => Err(half("access_key", "secret_key")),
            (None, Some(_)) => Err(half("secret_key", "access_key")),
        }
    }
}

fn half(there: &str, missing: &str) -> ModuleError {
    ModuleError::failed(format!("{there} is given without {missing}: both or none are needed"))
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|it| !it.is_empty())
}

/// As the original reads what is to be true or false.
fn is_on(text: &str) -> bool {
    matches!(text.to_lowercase().as_str(), "y" | "yes" | "on" | "1" | "true" | "t" | "1.0")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn caller(args: Value, environment: &[(&str, &str)]) -> Result<Caller, String> {
        let login: Login = serde_json::from_value(args).unwrap();
        let found = login.caller_in(&|name| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        });
        found.map_err(|error| error.message())
    }

    fn keys(access: &str, secret: &str, token: Option<&str>) -> Option<Keys> {
        Some(Keys {
            access_key: access.to_owned(),
            secret_key: secret.to_owned(),
            session_token: token.map(str::to_owned),
        })
    }

    const ENVIRONMENT: &[(&str, &str)] = &[
        ("AWS_ACCESS_KEY_ID", "AK"),
        ("AWS_SECRET_ACCESS_KEY", "SK"),
        ("AWS_SESSION_TOKEN", "T"),
        ("AWS_PROFILE", "p"),
        ("AWS_REGION", ""),
        ("EC2_REGION", "eu-west-1"),
    ];

    #[test]
    fn the_environment_stands_in_for_what_is_not_said() {
        let found = caller(json!({}), ENVIRONMENT).unwrap();
        assert_eq!(found.keys, keys("AK", "SK", Some("T")));
        assert_eq!(found.profile.as_deref(), Some("p"));
        assert!(!found.is_profile_said && found.validate_certs);
        assert_eq!(found.region.as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn keys_that_are_said_come_without_the_token_and_profile_of_others() {
        let found = caller(json!({"access_key": "A", "secret_key": "S"}), ENVIRONMENT).unwrap();
        assert_eq!((found.keys, found.profile), (keys("A", "S", None), None));
    }

    #[test]
    fn a_profile_that_is_said_stands_above_keys_of_the_environment() {
        let found = caller(json!({"profile": "mine"}), ENVIRONMENT).unwrap();
        assert_eq!((found.keys, found.profile.as_deref()), (None, Some("mine")));
        assert!(found.is_profile_said);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let both = json!({"profile": "p", "secret_key": "S"});
        let text = "parameters are mutually exclusive: profile|secret_key";
        assert_eq!(caller(both, &[]).unwrap_err(), text);
        let half = caller(json!({"access_key": "A"}), &[]).unwrap_err();
        assert!(half.starts_with("access_key is given without secret_key"), "{half}");
        assert_eq!(caller(json!({"access_key": "", "profile": "p"}), &[]).unwrap().keys, None);
    }

    #[test]
    fn secrets_are_not_in_debug() {
        let args = json!({"access_key": "A", "secret_key": "S3CR3T", "session_token": "T0K3N"});
        let login: Login = serde_json::from_value(args).unwrap();
        let caller = login.caller_in(&|_| None).unwrap();
        let text = format!("{login:?} {caller:?}");
        assert!(!text.contains("S3CR3T") && !text.contains("T0K3N"), "{text}");
    }
}
