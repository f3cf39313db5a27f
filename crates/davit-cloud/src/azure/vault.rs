//! Key vaults: requests to a vault, with a token for what the vault says that it takes one for.

use std::collections::HashSet;
use std::sync::Arc;

use davit_aws::connection::Body;
use davit_aws::http::{Headers, encode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::client::{Answer, Azure, with_json};
use super::error::Error;
use super::http::request;
use crate::web::place;

/// The version of the API.
const VERSION: &str = "7.4";

/// Which vault: flatten it into a module's arguments.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct VaultArgs {
    /// The name of the vault.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["vault_name"]))]
    pub vault: Option<String>,
    /// Where the vault is, in the place of the cloud's: `https://NAME.vault.azure.net`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["keyvault_uri", "vault_uri", "endpoint_url"]))]
    pub vault_url: Option<String>,
}

/// A key vault.
#[derive(Clone, Debug)]
pub struct Vault {
    azure: Arc<Azure>,
    url: String,
}

impl Vault {
    /// The vault of the arguments.
    ///
    /// # Errors
    /// When they name none.
    pub fn new(azure: Arc<Azure>, args: &VaultArgs) -> Result<Self, Error> {
        let filled = |it: &Option<String>| it.clone().filter(|it| !it.is_empty());
        let url = match (filled(&args.vault_url), filled(&args.vault)) {
            (Some(url), _) => url,
            (None, Some(name)) => {
                if !name.chars().all(|it| it.is_ascii_alphanumeric() || it == '-') {
                    return Err(Error::setting("vault", format!("{name:?} is no name of a vault")));
                }
                format!("https://{name}.{}", azure.cloud.vault)
            }
            (None, None) => {
                return Err(Error::setting("vault", "it or vault_url has to say which one"));
            }
        };
        Ok(Self { azure, url: url.trim_end_matches('/').to_owned() })
    }

    /// The address of something in it: `secrets/NAME`.
    #[must_use]
    pub fn url(&self, path: &[&str]) -> String {
        let parts = path.iter().filter(|it| !it.is_empty()).map(|it| format!("/{}", encode(it)));
        format!("{}{}", self.url, parts.collect::<String>())
    }

    /// Asks, with a token.
    ///
    /// # Errors
    /// When there is no answer, or the vault says no.
    pub async fn ask(
        &self,
        method: &str,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        self.at(method, &self.url(path), body).await
    }

    /// The same; nothing where there is no such thing.
    ///
    /// # Errors
    /// As for `ask`.
    pub async fn find(&self, path: &[&str]) -> Result<Option<Answer>, Error> {
        match self.ask("GET", path, None).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All of a list, page by page.
    ///
    /// # Errors
    /// As for `ask`.
    pub async fn all(&self, path: &[&str]) -> Result<Vec<Value>, Error> {
        let (mut url, mut items, mut seen) = (self.url(path), Vec::new(), HashSet::new());
        while seen.insert(url.clone()) {
            let mut page = self.at("GET", &url, None).await?.json;
            if let Some(Value::Array(found)) = page.get_mut("value").map(Value::take) {
                items.extend(found);
            }
            let next = page.get("nextLink").and_then(Value::as_str).filter(|it| !it.is_empty());
            let Some(next) = next else { break };
            // A page that stands elsewhere is not asked for with this vault's token. Vaults write their own
            // address with its port.
            if !place::is_same(next, &self.url) {
                let reason = format!("the next page of {} stands at another server", self.url);
                return Err(Error::setting("vault_url", reason));
            }
            next.clone_into(&mut url);
        }
        Ok(items)
    }

    async fn at(&self, method: &str, url: &str, body: Option<&Value>) -> Result<Answer, Error> {
        let mut request = request(method, url, &[])?;
        if !request.query.iter().any(|(name, _)| name == "api-version") {
            request.query.push(("api-version".to_owned(), VERSION.to_owned()));
        }
        let (request, body) = with_json(request, body);
        let audience = self.audience().await?;
        let answer = self.azure.send(&request, &body, &audience).await?;
        Answer::of(answer, url)
    }

    /// What tokens for the vault are for: it says so to whoever comes without one.
    async fn audience(&self) -> Result<String, Error> {
        let key = format!("{}#audience", self.url);
        let mut known = self.azure.known.lock().await;
        if let Some(Value::String(audience)) = known.get(&key) {
            return Ok(audience.clone());
        }
        let asked = request("GET", &self.url(&["secrets"]), &[("api-version", VERSION)])?;
        let answer = self.azure.http.send(&asked, &Body::Empty).await?;
        let said = challenged(&answer.headers);
        // Emulators on this machine may say nothing of it.
        let is_emulator = said.is_none() && place::is_here(&asked);
        let audience = said.unwrap_or_else(|| format!("https://{}", self.azure.cloud.vault));
        // Else any server could get a token that opens something else.
        let ((_, own), (_, host)) =
            (place::origin(&asked), place::origin(&request("GET", &audience, &[])?));
        if !is_emulator && !place::is_below(&own, &host) {
            let reason =
                format!("{} asks for a token for {audience}, which is not its own", self.url);
            return Err(Error::setting("vault_url", reason));
        }
        known.insert(key, audience.clone().into());
        Ok(audience)
    }
}

/// What the challenge of an answer asks for a token for.
fn challenged(headers: &Headers) -> Option<String> {
    let text = headers.get("www-authenticate")?.strip_prefix("Bearer ")?;
    let field = |name: &str| {
        let found =
            text.split([',', ' ']).find_map(|it| it.trim().strip_prefix(name)?.strip_prefix('='));
        found.map(|it| it.trim_matches('"').to_owned())
    };
    let scope = || field("scope").map(|it| it.trim_end_matches("/.default").to_owned());
    field("resource").or_else(scope).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_say_what_a_token_is_for() {
        for (text, expected) in [
            (
                r#"Bearer authorization="https://login.windows.net/t", resource="https://vault.azure.net""#,
                Some("https://vault.azure.net"),
            ),
            (
                r#"Bearer authorization="https://a", scope="https://vault.azure.net/.default""#,
                Some("https://vault.azure.net"),
            ),
            ("Bearer", None),
            ("Basic resource=a", None),
        ] {
            let headers = [("www-authenticate", text)].into_iter().collect();
            assert_eq!(challenged(&headers).as_deref(), expected, "{text}");
        }
    }
}
