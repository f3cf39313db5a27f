//! `amazon.aws.secretsmanager_secret`: what secrets of the Secrets Manager hold.

use davit_aws::value::Value as Said;
use davit_module::ModuleError;
use davit_value::{Map, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Lookup;
use super::trouble::{OnTrouble, Trouble};
use crate::aws::client::{Aws, failure};
use crate::aws::plugin_login::PluginLogin;
use crate::aws::sensitive;
use crate::reader::Reader;

/// Looks up secrets of the Secrets Manager by their names, and gives what they hold.
///
/// What is found is not shown in anything that a run tells. Where a secret holds JSON, that goes
/// for each text in it.
///
/// ```yaml
/// - ansible.builtin.debug:
///     msg: "{{ lookup('amazon.aws.secretsmanager_secret', 'database') }}"
///
/// - name: One value of a secret that holds JSON
///   ansible.builtin.debug:
///     msg: "{{ lookup('amazon.aws.secretsmanager_secret', 'database.password', nested=true) }}"
/// ```
#[derive(Deserialize, JsonSchema)]
pub(super) struct Options {
    #[serde(flatten)]
    login: PluginLogin,
    /// What is looked up is the beginning of names: gives one map, of names to secrets.
    #[serde(default)]
    bypath: bool,
    /// Give what all the secrets hold as one text. Does nothing together with `bypath`.
    #[serde(default)]
    join: bool,
    /// The secret holds JSON, and what is looked up is a name and the way to a value in there, with dots
    /// between them.
    #[serde(default)]
    nested: bool,
    /// What to do where a secret is about to be deleted.
    #[serde(default)]
    on_deleted: OnTrouble,
    /// What to do where a secret may not be read.
    #[serde(default)]
    on_denied: OnTrouble,
    /// What to do where a secret, or the value in it, is not there.
    #[serde(default)]
    on_missing: OnTrouble,
    /// The version to read.
    #[serde(default)]
    version_id: Option<String>,
    /// The label of the version to read; without this and `version_id` that is `AWSCURRENT`.
    #[serde(default)]
    version_stage: Option<String>,
}

pub(super) struct SecretsmanagerSecret;

impl Lookup for SecretsmanagerSecret {
    const NAME: &'static str = "amazon.aws.secretsmanager_secret";
    const FORMER_NAMES: &'static [&'static str] = &["amazon.aws.aws_secret", "aws_secret"];
    type Options = Options;

    async fn look_up(
        reader: &Reader,
        terms: Vec<String>,
        options: Options,
    ) -> Result<Vec<Value>, ModuleError> {
        let aws = reader.aws(&options.login)?;
        let store = Secrets { reader, aws: &aws, options: &options };
        if options.bypath {
            let mut all = Map::new();
            for term in &terms {
                for name in store.below(term).await? {
                    if let Some(text) = store.text(&name).await? {
                        all.insert(name.as_str(), text.into());
                    }
                }
            }
            return Ok(vec![all.into()]);
        }
        let mut found = Vec::new();
        for term in &terms {
            found.extend(store.value(term).await?);
        }
        if options.join {
            found = vec![found.concat()];
        }
        Ok(found.into_iter().map(Value::from).collect())
    }
}

/// The secrets that a lookup may read.
struct Secrets<'a> {
    reader: &'a Reader,
    aws: &'a Aws,
    options: &'a Options,
}

impl Secrets<'_> {
    /// What a term stands for; `None` where it is to be left out.
    async fn value(&self, term: &str) -> Result<Option<String>, ModuleError> {
        if !self.options.nested {
            return self.text(term).await;
        }
        let Some((name, path)) = term.split_once('.') else {
            return Err(ModuleError::failed(format!(
                "with nested, what is looked up is SECRET.KEY or SECRET.KEY.KEY, not '{term}'"
            )));
        };
        let Some(text) = self.text(name).await? else { return Ok(None) };
        let held: Json = serde_json::from_str(&text).map_err(|_| {
            ModuleError::failed(format!("the secret {name} does not hold JSON, so it has no keys"))
        })?;
        let found = path.split('.').try_fold(&held, |at, key| at.as_object()?.get(key));
        let Some(found) = found else {
            let text = format!("there is no key {path} in the secret {name}");
            self.options.on_missing.settle(self.reader, &text)?;
            return Ok(None);
        };
        let value = Value::from_json(found).to_str();
        // Its texts are known by now.
        let key = path.rsplit('.').next().unwrap_or(path);
        if found.is_number() && !sensitive::is_open_key(key) {
            (self.reader.secret)(&value);
        }
        Ok(Some(value))
    }

    /// What a secret holds; `None` where it is to be left out.
    async fn text(&self, name: &str) -> Result<Option<String>, ModuleError> {
        let params = json!({
            "SecretId": name,
            "VersionId": self.options.version_id,
            "VersionStage": self.options.version_stage,
        });
        let answer = match self.aws.attempt("secretsmanager", "GetSecretValue", params).await {
            Ok(answer) => answer,
            Err(error) => {
                self.settle(&format!("the secret {name}"), &error)?;
                return Ok(None);
            }
        };
        let text = match (answer.get("SecretString"), answer.get("SecretBinary")) {
            (Some(Said::String(text)), _) => text.clone(),
            (_, Some(Said::Blob(bytes))) => String::from_utf8(bytes.to_vec()).map_err(|_| {
                ModuleError::failed(format!("what the secret {name} holds is not text"))
            })?,
            _ => String::new(),
        };
        (self.reader.secret)(&text);
        // Whoever takes the JSON of a secret apart shows its texts one by one.
        if let Ok(held) = serde_json::from_str(&text) {
            sensitive::texts_of_json(&held, &|it| (self.reader.secret)(it));
        }
        Ok(Some(text))
    }

    /// The names of secrets that begin like this.
    async fn below(&self, path: &str) -> Result<Vec<String>, ModuleError> {
        let params = json!({"Filters": [{"Key": "name", "Values": [path]}]});
        let answer = match self.aws.attempt_all("secretsmanager", "ListSecrets", params).await {
            Ok(answer) => answer,
            Err(error) => {
                self.settle(&format!("the secrets below {path}"), &error)?;
                return Ok(Vec::new());
            }
        };
        let listed = answer.get("SecretList").map(Said::items).unwrap_or_default();
        let name = |it: &Said| it.get("Name").and_then(Said::as_str).map(str::to_owned);
        Ok(listed.iter().filter_map(name).collect())
    }

    fn settle(&self, what: &str, error: &davit_aws::Error) -> Result<(), ModuleError> {
        let (on, text) = match Trouble::of(error) {
            Some(Trouble::Missing) => {
                (self.options.on_missing, format!("did not find {what} (ResourceNotFound)"))
            }
            Some(Trouble::Denied) => {
                (self.options.on_denied, format!("access to {what} is denied (AccessDenied)"))
            }
            Some(Trouble::Deleted) => {
                (self.options.on_deleted, format!("{what} is marked for deletion"))
            }
            None => return Err(failure(Some(("secretsmanager", "GetSecretValue")), error)),
        };
        on.settle(self.reader, &text)
    }
}
