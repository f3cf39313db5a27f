//! `davit.azure.keyvault_secret`: a secret in a key vault.

use std::time::{Duration, Instant};

use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::args::State;
use crate::azure::client::{Answer, Azure};
use crate::azure::error::{Error, failure};
use crate::azure::login::Login;
use crate::azure::vault::{Vault, VaultArgs};

/// Keep a secret in a key vault of Azure.
///
/// A new version is made where the value or the content type is another one; tags and whether and when it counts
/// are changed in place. What the task does not name stays as it is.
///
/// The result has `secret`: its `id`, `version`, `tags` and `attributes`, and not its value.
///
/// ```yaml
/// - davit.azure.keyvault_secret:
///     vault: shop
///     name: db-password
///     value: "{{ db_password }}"
///     tags: {team: shop}
/// ```
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Its name: letters, digits and hyphens.
    #[schemars(extend("x-aliases" = ["secret_name"]))]
    name: String,
    /// What it is. Without it a secret that is there keeps it.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["secret_value"], "x-no-log" = true))]
    value: Option<String>,
    /// What kind of value it is.
    #[serde(default)]
    content_type: Option<String>,
    /// All of its tags.
    #[serde(default)]
    tags: Option<Map<String, Value>>,
    /// Whether it can be read.
    #[serde(default)]
    enabled: Option<bool>,
    /// From when on it counts: `2030-01-01T00:00:00Z`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["secret_valid_from"]))]
    not_before: Option<String>,
    /// Until when it counts.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["secret_expiry"]))]
    expires: Option<String>,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// Take a secret back that was deleted and is still kept.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["recover_if_need"]))]
    recover: bool,
    /// Do not keep a deleted secret: it cannot be taken back.
    #[serde(default)]
    purge: bool,
    /// For how many seconds to wait until it is taken back or deleted.
    #[serde(default = "two_minutes")]
    timeout: u64,
    #[serde(flatten)]
    vault: VaultArgs,
    #[serde(flatten)]
    login: Login,
}

const fn two_minutes() -> u64 {
    120
}

/// `davit.azure.keyvault_secret`.
pub(crate) struct KeyvaultSecret;

impl Module for KeyvaultSecret {
    const NAME: &'static str = "davit.azure.keyvault_secret";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let letters = |it: char| it.is_ascii_alphanumeric() || it == '-';
        if args.name.is_empty() || !args.name.chars().all(letters) {
            return Err(ModuleError::failed("name: it has letters, digits and hyphens alone"));
        }
        args.value.iter().for_each(|it| control.secret(it));
        let attributes = args.attributes()?;
        let azure = Azure::new(control, &args.login)?;
        let vault = Vault::new(azure, &args.vault);
        let vault = vault.map_err(|error| failure("cannot tell which vault", &error))?;
        let url = vault.url(&["secrets", &args.name]);
        let task = Task { control, args: &args, attributes, vault: &vault, url };
        let found = task.read().await?;
        match args.state {
            State::Present => task.keep(found).await,
            State::Absent => task.delete(found).await,
        }
    }
}

impl Args {
    /// What is wanted of whether and when it counts, as the vault has it.
    fn attributes(&self) -> Result<Map<String, Value>, ModuleError> {
        let mut map = Map::new();
        if let Some(enabled) = self.enabled {
            map.insert("enabled".to_owned(), enabled.into());
        }
        for (option, key, text) in
            [("not_before", "nbf", &self.not_before), ("expires", "exp", &self.expires)]
        {
            let Some(text) = text.as_ref().filter(|it| !it.is_empty()) else { continue };
            let time = davit_aws::time::parse(text)
                .ok_or_else(|| ModuleError::failed(format!("{option}: {text:?} is no time")))?;
            map.insert(key.to_owned(), time.as_second().into());
        }
        Ok(map)
    }

    fn tags(&self) -> Option<Value> {
        let text = |it: &Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
        let all = self.tags.as_ref()?;
        Some(
            all.iter()
                .map(|(name, it)| (name.clone(), text(it).into()))
                .collect::<Map<_, _>>()
                .into(),
        )
    }
}

struct Task<'a> {
    control: &'a Control,
    args: &'a Args,
    attributes: Map<String, Value>,
    vault: &'a Vault,
    url: String,
}

impl Task<'_> {
    fn failed(&self, what: &str, error: &Error) -> ModuleError {
        failure(&format!("cannot {what} {}", self.url), error)
    }

    async fn read(&self) -> Result<Option<Value>, ModuleError> {
        match self.vault.find(&["secrets", &self.args.name]).await {
            Ok(found) => Ok(found.map(|it| it.json).inspect(|it| hide(self.control, it))),
            // One that does not count is there and cannot be read.
            Err(error) if is_disabled(&error) => {
                let all = self.vault.all(&["secrets", &self.args.name, "versions"]).await;
                let all = all.map_err(|error| self.failed("look at", &error))?;
                let made = |it: &Value| it.pointer("/attributes/created").and_then(Value::as_i64);
                Ok(all.into_iter().max_by_key(made))
            }
            Err(error) => Err(self.failed("look at", &error)),
        }
    }

    async fn keep(&self, found: Option<Value>) -> Result<Outcome, ModuleError> {
        let found = match found {
            None if self.args.recover => self.take_back().await?,
            found => found,
        };
        let now = found.as_ref().unwrap_or(&Value::Null);
        let is_other = |value: &Option<String>, key: &str| {
            value.as_ref().is_some_and(|it| now.get(key).and_then(Value::as_str) != Some(it))
        };
        let is_new =
            is_other(&self.args.value, "value") || is_other(&self.args.content_type, "contentType");
        let wanted = self.wanted(now);
        if found.is_none() && self.args.value.is_none() {
            return Err(ModuleError::failed(format!(
                "there is no secret {}: value is missing",
                self.url
            )));
        }
        let shown_wanted = json!({
            "content_type": wanted.get("contentType"), "tags": wanted.get("tags"),
            "attributes": wanted.get("attributes"), "new_version": is_new,
        });
        let edit = |what: &str| {
            let edit = Edit::new(what, &self.url).to(&shown_wanted);
            if now.is_null() { edit } else { edit.from(shown(now)) }
        };
        let made = if is_new || found.is_none() {
            let mut body = wanted.clone();
            let value =
                self.args.value.clone().map(Value::from).or_else(|| now.get("value").cloned());
            let Some(value) = value else {
                let text = format!("{} cannot be read: a new version needs value", self.url);
                return Err(ModuleError::failed(text));
            };
            body.insert("value".to_owned(), value);
            let what = if found.is_none() { "create the secret" } else { "make a new version" };
            let act = async || self.send("PUT", &["secrets", &self.args.name], body).await;
            self.control.change(edit(what), act).await?
        } else if self.differs(now) {
            let act = async || {
                self.send("PATCH", &["secrets", &self.args.name, version(now)], wanted).await
            };
            self.control.change(edit("change the secret"), act).await?
        } else {
            None
        };
        let now = made.as_ref().map_or(now, |it| &it.json);
        let secret = if now.is_null() { Value::Null } else { shown(now) };
        Ok(Outcome::new().with("secret", secret))
    }

    /// What is written besides the value: what the task says over what is there.
    fn wanted(&self, now: &Value) -> Map<String, Value> {
        let mut body = Map::new();
        let tags = self.args.tags().or_else(|| now.get("tags").cloned());
        let kind = self
            .args
            .content_type
            .clone()
            .map(Value::from)
            .or_else(|| now.get("contentType").cloned());
        let mut attributes = Map::new();
        for key in ["enabled", "nbf", "exp"] {
            let known = now.get("attributes").and_then(|it| it.get(key));
            if let Some(value) = self.attributes.get(key).or(known) {
                attributes.insert(key.to_owned(), value.clone());
            }
        }
        for (key, value) in
            [("tags", tags), ("contentType", kind), ("attributes", Some(attributes.into()))]
        {
            if let Some(value) = value {
                body.insert(key.to_owned(), value);
            }
        }
        body
    }

    fn differs(&self, now: &Value) -> bool {
        let tags = now.get("tags").cloned().unwrap_or_else(|| json!({}));
        let attributes = now.get("attributes");
        self.args.tags().is_some_and(|it| it != tags)
            || self
                .attributes
                .iter()
                .any(|(key, it)| attributes.and_then(|all| all.get(key)) != Some(it))
    }

    async fn send(
        &self,
        method: &str,
        path: &[&str],
        body: Map<String, Value>,
    ) -> Result<Answer, ModuleError> {
        let answer = self.vault.ask(method, path, Some(&body.into())).await;
        answer.inspect(|it| hide(self.control, &it.json)).map_err(|error| {
            let failed = self.failed("write", &error);
            let is_kept = error.said().is_some_and(|it| it.status == 409);
            let is_hint_due = is_kept && !self.args.recover;
            if is_hint_due {
                failed.with("hint", "recover takes a deleted secret back")
            } else {
                failed
            }
        })
    }

    /// Takes a deleted secret back; nothing where there is none.
    async fn take_back(&self) -> Result<Option<Value>, ModuleError> {
        let path = ["deletedsecrets", self.args.name.as_str()];
        let found = self.vault.find(&path).await;
        let Some(found) = found.map_err(|error| self.failed("look for", &error))? else {
            return Ok(None);
        };
        let act = async || {
            let path = ["deletedsecrets", &self.args.name, "recover"];
            let done = self.vault.ask("POST", &path, None).await;
            done.map_err(|error| self.failed("take back", &error))?;
            self.until(Turn::TakenBack).await
        };
        let done = self.control.change(Edit::new("take the secret back", &self.url), act).await?;
        if done.is_none() {
            // What it was is not told of a deleted one but for its value.
            return Ok(Some(found.json));
        }
        self.read().await
    }

    async fn delete(&self, found: Option<Value>) -> Result<Outcome, ModuleError> {
        let outcome = Outcome::new().with("secret", Value::Null);
        let kept = ["deletedsecrets", self.args.name.as_str()];
        if let Some(found) = &found {
            let edit = Edit::new("delete the secret", &self.url).from(shown(found));
            let act = async || {
                let done = self.vault.ask("DELETE", &["secrets", &self.args.name], None).await;
                done.map_err(|error| self.failed("delete", &error))?;
                if self.args.purge {
                    // Only one that is gone for good from where it was can be purged.
                    self.until(Turn::Deleted).await?;
                }
                Ok(())
            };
            if self.control.change(edit, act).await?.is_none() {
                return Ok(outcome);
            }
        }
        if self.args.purge {
            let found = self.vault.find(&kept).await;
            if found.map_err(|error| self.failed("look for", &error))?.is_some() {
                let act = async || match self.vault.ask("DELETE", &kept, None).await {
                    Err(error) if !error.is_missing() => Err(self.failed("purge", &error)),
                    _ => Ok(()),
                };
                self.control.change(Edit::new("purge the deleted secret", &self.url), act).await?;
            }
        }
        Ok(outcome)
    }

    async fn has_come(&self, turn: Turn) -> Result<bool, ModuleError> {
        match turn {
            Turn::TakenBack => Ok(self.read().await?.is_some()),
            Turn::Deleted => {
                let found = self.vault.find(&["deletedsecrets", &self.args.name]).await;
                Ok(found.map_err(|error| self.failed("look for", &error))?.is_some())
            }
        }
    }

    /// Waits for what the vault does after it has answered.
    async fn until(&self, turn: Turn) -> Result<(), ModuleError> {
        let began = Instant::now();
        let mut pause = Duration::from_millis(500);
        while !self.has_come(turn).await? {
            if began.elapsed().as_secs() >= self.args.timeout {
                let what = if turn == Turn::Deleted { "deleted" } else { "taken back" };
                let text = format!("{} is not {what} after {} s", self.url, self.args.timeout);
                return Err(ModuleError::failed(text));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
        Ok(())
    }
}

/// What a vault does after it has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The secret can be read again.
    TakenBack,
    /// The secret is among the deleted ones.
    Deleted,
}

fn is_disabled(error: &Error) -> bool {
    error.said().is_some_and(|said| {
        let inner =
            said.more.get("innererror").and_then(|it| it.get("code")).and_then(Value::as_str);
        said.status == 403
            && (inner == Some("SecretDisabled") || said.message.contains("disabled secret"))
    })
}

fn hide(control: &Control, secret: &Value) {
    secret.get("value").and_then(Value::as_str).iter().for_each(|it| control.secret(it));
}

fn version(secret: &Value) -> &str {
    let id = secret.get("id").and_then(Value::as_str).unwrap_or_default();
    // `https://VAULT/secrets/NAME/VERSION`.
    id.split('/').nth(5).unwrap_or_default()
}

/// A secret as results show it, without its value.
fn shown(secret: &Value) -> Value {
    let get = |key: &str| secret.get(key).cloned().unwrap_or_default();
    json!({
        "id": get("id"),
        "version": version(secret),
        "content_type": get("contentType"),
        "tags": secret.get("tags").cloned().unwrap_or_else(|| json!({})),
        "attributes": get("attributes"),
    })
}
