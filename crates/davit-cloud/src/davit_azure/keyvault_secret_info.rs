//! `davit.azure.keyvault_secret_info`: what there is in a key vault.

use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::azure::client::Azure;
use crate::azure::error::failure;
use crate::azure::login::Login;
use crate::azure::vault::{Vault, VaultArgs};

/// Read a secret from a key vault of Azure, or list the secrets of a vault.
///
/// The result has `secrets`: one with its `value` where a name is given, which is not shown but is there for
/// the tasks behind; all of them, without their values, where none is; none where there is none.
///
/// ```yaml
/// - davit.azure.keyvault_secret_info: {vault: shop, name: db-password}
///   register: password
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The secret. All are listed without it.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["secret_name"]))]
    name: Option<String>,
    /// Which version of it; the newest without it.
    #[serde(default)]
    version: Option<String>,
    #[serde(flatten)]
    vault: VaultArgs,
    #[serde(flatten)]
    login: Login,
}

/// `davit.azure.keyvault_secret_info`.
pub(crate) struct KeyvaultSecretInfo;

impl Module for KeyvaultSecretInfo {
    const NAME: &'static str = "davit.azure.keyvault_secret_info";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let vault = Vault::new(Azure::new(control, &args.login)?, &args.vault);
        let vault = vault.map_err(|error| failure("cannot tell which vault", &error))?;
        let failed = |error| failure(&format!("cannot read {}", vault.url(&["secrets"])), &error);
        let Some(name) = args.name.as_deref().filter(|it| !it.is_empty()) else {
            let all = vault.all(&["secrets"]).await.map_err(failed)?;
            let all: Vec<Value> = all.iter().map(shown).collect();
            return Ok(Outcome::new().with("secrets", all));
        };
        let version = args.version.as_deref().unwrap_or_default();
        let found = vault.find(&["secrets", name, version]).await.map_err(failed)?;
        let found = found.map(|it| it.json);
        let value = found.as_ref().and_then(|it| it.get("value")).and_then(Value::as_str);
        value.iter().for_each(|it| control.secret(it));
        let secrets: Vec<Value> = found.iter().map(shown).collect();
        Ok(Outcome::new().with("secrets", secrets))
    }
}

fn shown(secret: &Value) -> Value {
    let id = secret.get("id").and_then(Value::as_str).unwrap_or_default();
    let mut parts = id.split('/').skip(4);
    let mut map = json!({
        "id": id,
        "name": parts.next(),
        "version": parts.next(),
        "content_type": secret.get("contentType"),
        "tags": secret.get("tags").cloned().unwrap_or_else(|| json!({})),
        "attributes": secret.get("attributes"),
    });
    if let Some(value) = secret.get("value") {
        map["value"] = value.clone();
    }
    map
}
