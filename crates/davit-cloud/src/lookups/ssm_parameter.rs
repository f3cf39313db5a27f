//! `amazon.aws.ssm_parameter`: parameters of the Systems Manager's store.

use davit_aws::value::Value as Said;
use davit_module::ModuleError;
use davit_value::{Map, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::Lookup;
use super::trouble::{OnTrouble, Trouble};
use crate::aws::args::yes;
use crate::aws::client::{Aws, failure};
use crate::aws::parts::{items, text};
use crate::aws::plugin_login::PluginLogin;
use crate::reader::Reader;

/// Looks up parameters of the Systems Manager's store by their names, or all below a path.
///
/// What `SecureString` parameters hold is not shown in anything that a run tells.
///
/// ```yaml
/// - ansible.builtin.debug:
///     msg: "{{ lookup('amazon.aws.ssm_parameter', '/shop/motd') }}"
///
/// - name: All of a path, as a map
///   ansible.builtin.debug:
///     msg: "{{ lookup('amazon.aws.ssm_parameter', '/shop', bypath=true, shortnames=true) }}"
/// ```
#[derive(Deserialize, JsonSchema)]
pub(super) struct Options {
    #[serde(flatten)]
    login: PluginLogin,
    /// What is looked up is a path: gives a map for each, of names to values.
    #[serde(default)]
    bypath: bool,
    /// Decrypt what `SecureString` parameters hold.
    #[serde(default = "yes")]
    decrypt: bool,
    /// The names in the map begin behind the path. Cannot be together with `shortnames`.
    #[serde(default)]
    droppath: bool,
    /// What to do where a parameter may not be read.
    #[serde(default)]
    on_denied: OnTrouble,
    /// What to do where a parameter is not there, or none below a path. What is left out is null, or an
    /// empty map.
    #[serde(default)]
    on_missing: OnTrouble,
    /// With `bypath`, also what is further below.
    #[serde(default)]
    recursive: bool,
    /// The names in the map are their last parts. Cannot be together with `droppath`.
    #[serde(default)]
    shortnames: bool,
}

pub(super) struct SsmParameter;

impl Lookup for SsmParameter {
    const NAME: &'static str = "amazon.aws.ssm_parameter";
    const FORMER_NAMES: &'static [&'static str] = &["amazon.aws.aws_ssm", "aws_ssm"];
    type Options = Options;

    async fn look_up(
        reader: &Reader,
        terms: Vec<String>,
        options: Options,
    ) -> Result<Vec<Value>, ModuleError> {
        if options.shortnames && options.droppath {
            return Err(ModuleError::failed("shortnames and droppath are mutually exclusive"));
        }
        let aws = reader.aws(&options.login)?;
        let store = Parameters { reader, aws: &aws, options: &options };
        let mut found = Vec::new();
        for term in &terms {
            let value =
                if options.bypath { store.below(term).await } else { store.one(term).await };
            found.push(value?);
        }
        Ok(found)
    }
}

/// The parameters that a lookup may read.
struct Parameters<'a> {
    reader: &'a Reader,
    aws: &'a Aws,
    options: &'a Options,
}

impl Parameters<'_> {
    async fn one(&self, name: &str) -> Result<Value, ModuleError> {
        let params = json!({"Name": name, "WithDecryption": self.options.decrypt});
        match self.aws.attempt("ssm", "GetParameter", params).await {
            Ok(answer) => Ok(self.value(answer.get("Parameter").unwrap_or(&Said::Null)).into()),
            Err(error) => {
                self.settle(&format!("the SSM parameter {name}"), "GetParameter", &error)?;
                Ok(Value::Null)
            }
        }
    }

    async fn below(&self, path: &str) -> Result<Value, ModuleError> {
        let params = json!({
            "Path": path,
            "Recursive": self.options.recursive,
            "WithDecryption": self.options.decrypt,
        });
        let what = format!("SSM parameters below the path {path}");
        let answer = match self.aws.attempt_all("ssm", "GetParametersByPath", params).await {
            Ok(answer) => answer,
            Err(error) => {
                self.settle(&what, "GetParametersByPath", &error)?;
                return Ok(Map::new().into());
            }
        };
        let mut all = Map::new();
        for parameter in items(&answer, "Parameters") {
            let name = text(parameter, "Name");
            let shown = if self.options.shortnames {
                name.rsplit('/').next().unwrap_or(name)
            } else if self.options.droppath {
                name.strip_prefix(path).unwrap_or(name)
            } else {
                name
            };
            all.insert(shown, self.value(parameter).into());
        }
        if all.is_empty() {
            let text = format!("did not find {what} (ResourceNotFound)");
            self.options.on_missing.settle(self.reader, &text)?;
        }
        Ok(all.into())
    }

    fn value(&self, parameter: &Said) -> String {
        let value = text(parameter, "Value");
        if text(parameter, "Type") == "SecureString" {
            (self.reader.secret)(value);
        }
        value.to_owned()
    }

    fn settle(
        &self,
        what: &str,
        operation: &str,
        error: &davit_aws::Error,
    ) -> Result<(), ModuleError> {
        let (on, text) = match Trouble::of(error) {
            Some(Trouble::Missing) => {
                (self.options.on_missing, format!("did not find {what} (ResourceNotFound)"))
            }
            Some(Trouble::Denied) => {
                (self.options.on_denied, format!("access to {what} is denied (AccessDenied)"))
            }
            _ => return Err(failure(Some(("ssm", operation)), error)),
        };
        on.settle(self.reader, &text)
    }
}
