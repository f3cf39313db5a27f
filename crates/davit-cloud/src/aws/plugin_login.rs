//! Who calls AWS for a lookup or an inventory plugin: fewer arguments than modules have, and the
//! program's own environment behind them.

use std::fmt;

use davit_module::ModuleError;
use schemars::JsonSchema;
use serde::Deserialize;

use super::login::{Caller, Login};
use crate::reader::Reader;

/// What every lookup and inventory plugin for AWS takes: flatten it into its options.
#[derive(Clone, Deserialize, JsonSchema)]
pub struct PluginLogin {
    /// The id of the access key. Else the variable `AWS_ACCESS_KEY_ID` or `AWS_ACCESS_KEY` of the
    /// environment counts, and without any of them what the AWS CLI would use. Cannot be together
    /// with `profile`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["aws_access_key_id", "aws_access_key"]))]
    pub access_key: Option<String>,
    /// The secret of the access key. Else the variable `AWS_SECRET_ACCESS_KEY` or
    /// `AWS_SECRET_KEY` counts.
    #[serde(default)]
    #[schemars(extend(
        "x-aliases" = ["aws_secret_access_key", "aws_secret_key"],
        "x-no-log" = true
    ))]
    pub secret_key: Option<String>,
    /// What goes along with keys that are there for a while. Else the variable
    /// `AWS_SESSION_TOKEN` counts.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["aws_session_token"], "x-no-log" = true))]
    pub session_token: Option<String>,
    /// A profile of the files of the AWS CLI. Else the variable `AWS_PROFILE` or
    /// `AWS_DEFAULT_PROFILE` counts, unless there is a key. Cannot be together with `access_key`,
    /// `secret_key` or `session_token`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["aws_profile"]))]
    pub profile: Option<String>,
    /// The region. Else the variable `AWS_REGION` or `AWS_DEFAULT_REGION` counts, and what the
    /// profile says.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["aws_region"]))]
    pub region: Option<String>,
    /// Where to call instead of AWS. Else the variable `AWS_URL` counts.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["aws_endpoint_url"]))]
    pub endpoint_url: Option<String>,
}

/// Nothing secret is shown.
impl fmt::Debug for PluginLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginLogin")
            .field("profile", &self.profile)
            .field("region", &self.region)
            .field("endpoint_url", &self.endpoint_url)
            .finish_non_exhaustive()
    }
}

impl PluginLogin {
    /// Puts in what the environment says, and tells `reader` what is secret.
    ///
    /// # Errors
    /// Where a profile and keys are both said, or half of a pair of keys.
    pub fn caller(&self, reader: &Reader) -> Result<Caller, ModuleError> {
        let login = Login {
            access_key: self.access_key.clone(),
            aws_ca_bundle: None,
            aws_config: None,
            debug_botocore_endpoint_logs: false,
            endpoint_url: self.endpoint_url.clone(),
            profile: self.profile.clone(),
            region: self.region.clone(),
            secret_key: self.secret_key.clone(),
            session_token: self.session_token.clone(),
            validate_certs: true,
        };
        let caller = login.caller_in(&|name| reader.variable(name))?;
        if let Some(keys) = &caller.keys {
            (reader.secret)(&keys.secret_key);
            keys.session_token.iter().for_each(|it| (reader.secret)(it));
        }
        // What the calls of a lookup are is in no result.
        Ok(Caller { tells_operations: false, ..caller })
    }
}
