//! Azure Resource Manager: any resource by its id. Knows no type of resource.

use std::collections::HashSet;
use std::sync::Arc;

use davit_aws::http::{Headers, Request};
use davit_module::ModuleError;
use davit_module::control::Control;
use serde_json::Value;

use super::client::{Answer, Azure, with_json};
use super::error::{Error, failure};
use super::http::request;
use super::ids::{Id, Place};
use super::login::Login;
use crate::web::place;

/// The version by which groups, lists of resources and of providers are asked for.
const OF_GROUPS: &str = "2021-04-01";
/// The version by which subscriptions are asked for.
const OF_SUBSCRIPTIONS: &str = "2022-12-01";

/// Azure Resource Manager of a cloud.
#[derive(Clone, Debug)]
pub struct Arm {
    azure: Arc<Azure>,
    base: String,
}

/// A question to it.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// `GET`.
    pub method: &'a str,
    /// A path that is encoded, or a whole address.
    pub path: &'a str,
    /// Parameters.
    pub query: &'a [(&'a str, &'a str)],
    /// What is sent along.
    pub body: Option<&'a Value>,
    /// Only if the resource is still the one with this tag.
    pub if_match: Option<&'a str>,
}

impl<'a> Ask<'a> {
    /// A question that changes nothing.
    #[must_use]
    pub const fn get(path: &'a str, query: &'a [(&'a str, &'a str)]) -> Self {
        Self { method: "GET", path, query, body: None, if_match: None }
    }
}

/// A resource that is spoken of, and the version of its API.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its id.
    pub id: Id,
    /// The path on the wire.
    pub path: String,
    /// All parameters, with the version among them.
    pub query: Vec<(String, String)>,
}

impl Target {
    /// The parameters as questions take them.
    #[must_use]
    pub fn query(&self) -> Vec<(&str, &str)> {
        self.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

impl Arm {
    /// That of the cloud, or the one at `endpoint_url`.
    #[must_use]
    pub fn new(azure: Arc<Azure>, endpoint_url: Option<&str>) -> Self {
        let base = endpoint_url.unwrap_or(azure.cloud.manager).trim_end_matches('/').to_owned();
        Self { azure, base }
    }

    /// The one that a task calls, and the resource that it speaks of.
    ///
    /// # Errors
    /// When the log-in makes no sense, or as for [`Self::target`].
    pub async fn at(
        control: &Control,
        login: &Login,
        place: &Place,
    ) -> Result<(Self, Target), ModuleError> {
        let arm = Self::new(Azure::new(control, login)?, place.endpoint_url.as_deref());
        let target = arm.target(place).await;
        let target = target.map_err(|it| failure("cannot tell which resource", &it))?;
        Ok((arm, target))
    }

    /// Finds out what is spoken of and by which version of its API.
    ///
    /// # Errors
    /// When what is said does not fit together, or nobody knows the type.
    pub async fn target(&self, place: &Place) -> Result<Target, Error> {
        let subscription =
            if place.needs_subscription() { self.subscription().await? } else { String::new() };
        let id = place.id(&self.base, &subscription)?;
        let mut query = id.query.clone();
        if let Some(version) = place.api_version.as_deref().filter(|it| !it.is_empty()) {
            query.retain(|(name, _)| !name.eq_ignore_ascii_case("api-version"));
            query.push(("api-version".to_owned(), version.to_owned()));
        }
        if !query.iter().any(|(name, _)| name.eq_ignore_ascii_case("api-version")) {
            query.push(("api-version".to_owned(), self.version(&id).await?));
        }
        Ok(Target { path: id.encoded(), id, query })
    }

    /// The subscription of the task, of the environment, of whoever is logged in, or the only one.
    ///
    /// # Errors
    /// When there is none, or there are several.
    pub async fn subscription(&self) -> Result<String, Error> {
        if let Some(id) = &self.azure.said_subscription {
            return Ok(id.clone());
        }
        if let Some(id) = self.azure.token(self.azure.cloud.manager).await?.subscription {
            return Ok(id);
        }
        let mut known = self.azure.known.lock().await;
        let key = format!("{}/subscriptions", self.base);
        if let Some(Value::String(id)) = known.get(&key) {
            return Ok(id.clone());
        }
        let all = self.all("/subscriptions", &[("api-version", OF_SUBSCRIPTIONS)]).await?;
        let ids: Vec<&str> =
            all.iter().filter_map(|it| it.get("subscriptionId")?.as_str()).collect();
        match ids[..] {
            [id] => {
                known.insert(key, id.into());
                Ok(id.to_owned())
            }
            [] => Err(Error::setting("subscription_id", "none is said, and none can be seen")),
            _ => {
                let shown = ids[..ids.len().min(5)].join(", ");
                let reason = format!("none is said, and there are {}: {shown} ...", ids.len());
                Err(Error::setting("subscription_id", reason))
            }
        }
    }

    /// The newest version for a type that is no preview, as its provider tells.
    async fn version(&self, id: &Id) -> Result<String, Error> {
        let Some((provider, kind)) = id.kind() else {
            let parts = id.path.split('/').count();
            let is_group = parts > 3 || !id.path.to_lowercase().starts_with("/subscriptions");
            return Ok(if is_group { OF_GROUPS } else { OF_SUBSCRIPTIONS }.to_owned());
        };
        let scope = match id.subscription() {
            Some(id) => format!("/subscriptions/{id}"),
            None => match &self.azure.said_subscription {
                Some(id) => format!("/subscriptions/{id}"),
                None => String::new(),
            },
        };
        let path =
            Id { path: format!("{scope}/providers/{provider}"), query: Vec::new() }.encoded();
        let key = format!("{}{}", self.base, path.to_lowercase());
        let mut known = self.azure.known.lock().await;
        if !known.contains_key(&key) {
            let answer = self.ask(&Ask::get(&path, &[("api-version", OF_GROUPS)])).await?;
            known.insert(key.clone(), answer.json);
        }
        newest(&known[&key], &kind).ok_or_else(|| {
            let reason = format!("{provider} tells no version for {kind}: say one");
            Error::setting("api_version", reason)
        })
    }

    /// Asks, with a token.
    ///
    /// # Errors
    /// When there is no answer, or the service says no.
    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Error> {
        let is_path = ask.path.starts_with('/');
        let url = if is_path { format!("{}{}", self.base, ask.path) } else { ask.path.to_owned() };
        let mut request = request(ask.method, &url, ask.query)?;
        if let Some(tag) = ask.if_match {
            request.headers.set("if-match", tag);
        }
        let (request, body) = with_json(request, ask.body);
        // Answers name addresses to ask next: only those of the manager get its token.
        let answer = if is_path || self.is_own(&request) {
            self.azure.send(&request, &body, self.azure.cloud.manager).await?
        } else {
            self.azure.http.send(&request, &body).await?
        };
        Answer::of(answer, &url)
    }

    fn is_own(&self, request: &Request) -> bool {
        // Services write their addresses with the port and without.
        let (scheme, host) = place::origin(request);
        let of = |url: &str| Request::of_url("GET", url).map(|it| place::origin(&it));
        let cloud = of(self.azure.cloud.manager).unwrap_or_default();
        of(&self.base) == Some((scheme.clone(), host.clone()))
            || scheme == cloud.0 && place::is_below(&host, &cloud.1)
    }

    /// Asks for a resource; nothing where there is none.
    ///
    /// # Errors
    /// As for `ask`.
    pub async fn find(&self, target: &Target) -> Result<Option<Answer>, Error> {
        match self.ask(&Ask::get(&target.path, &target.query())).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All of a list, page by page.
    ///
    /// # Errors
    /// As for `ask`.
    pub async fn all(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, Error> {
        let first = self.ask(&Ask::get(path, query)).await?;
        self.rest(first).await
    }

    /// What stands on a page and on those behind it.
    ///
    /// # Errors
    /// As for `ask`.
    pub async fn rest(&self, first: Answer) -> Result<Vec<Value>, Error> {
        let mut page = first.json;
        let mut items = Vec::new();
        let mut seen = HashSet::new();
        loop {
            if let Some(Value::Array(found)) = page.get_mut("value").map(Value::take) {
                items.extend(found);
            }
            let next = page.get("nextLink").and_then(Value::as_str).filter(|it| !it.is_empty());
            let Some(next) = next else { return Ok(items) };
            // A page that leads back to itself would never end.
            if !seen.insert(next.to_owned()) {
                return Ok(items);
            }
            page = self.ask(&Ask::get(next, &[])).await?.json;
        }
    }
}

/// The tag of a resource: in the answer or beside it.
#[must_use]
pub fn etag<'a>(json: &'a Value, headers: &'a Headers) -> Option<&'a str> {
    json.get("etag").and_then(Value::as_str).or_else(|| headers.get("etag"))
}

/// The newest version of a type among what a provider tells; what lies in another type may be told
/// only of that.
fn newest(provider: &Value, kind: &str) -> Option<String> {
    let kinds = provider.get("resourceTypes").and_then(Value::as_array)?;
    let mut kind = kind;
    loop {
        let is_it = |it: &&Value| {
            it.get("resourceType")
                .and_then(Value::as_str)
                .is_some_and(|it| it.eq_ignore_ascii_case(kind))
        };
        if let Some(found) = kinds.iter().find(is_it) {
            let versions = found.get("apiVersions").and_then(Value::as_array);
            let mut versions: Vec<&str> =
                versions.into_iter().flatten().filter_map(Value::as_str).collect();
            versions.sort_unstable();
            // `2024-01-01`; whatever stands behind the day says that it is not for everyone.
            let stable = versions.iter().rev().find(|it| it.len() == 10);
            if let Some(version) = stable.or_else(|| versions.last()) {
                return Some((*version).to_owned());
            }
        }
        (kind, _) = kind.rsplit_once('/')?;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_newest_version_that_is_no_preview_is_taken() {
        let provider = json!({"resourceTypes": [
            {"resourceType": "a", "apiVersions": ["2020-01-01", "2023-01-01-preview", "2022-05-05"]},
            {"resourceType": "a/b", "apiVersions": ["2024-01-01-preview"]},
        ]});
        for (kind, expected) in [
            ("A", Some("2022-05-05")),
            ("a/B", Some("2024-01-01-preview")),
            ("a/c/d", Some("2022-05-05")),
            ("b", None),
        ] {
            assert_eq!(newest(&provider, kind).as_deref(), expected, "{kind}");
        }
    }
}
