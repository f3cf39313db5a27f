//! The key vault of the stand-in.

use serde_json::{Value, json};

use super::server::{Asked, Reply};
use super::world::{TENANT, World, merge, no};

impl World {
    pub(super) fn vault(&mut self, url: &str, asked: &Asked) -> Reply {
        let challenge = format!("Bearer authorization=\"{url}/{TENANT}\", resource=\"{url}\"");
        if !self.knows(asked, url) {
            return no(401, "Unauthorized", "AKV10000").with("www-authenticate", challenge);
        }
        let path: Vec<&str> = asked.request.path.split('/').skip(1).collect();
        let of = |name: &str, version: usize| format!("{url}/secrets/{name}/{version:032}");
        match (asked.request.method.as_str(), &path[..]) {
            ("GET", ["secrets"]) => self.listed(url, asked),
            ("GET", ["secrets", name] | ["secrets", name, ""]) => {
                match self.secrets.get(*name).and_then(|it| it.last()) {
                    Some(it) if it["attributes"]["enabled"] == false => {
                        let inner = json!({"code": "SecretDisabled"});
                        let error = json!({"code": "Forbidden", "message": "Operation get is not allowed on a disabled secret.", "innererror": inner});
                        Reply::json(403, &json!({"error": error}))
                    }
                    Some(it) => Reply::json(200, it),
                    None => no(404, "SecretNotFound", "A secret was not found in this key vault."),
                }
            }
            ("GET", ["secrets", name, "versions"]) => {
                Reply::json(200, &json!({"value": self.secrets.get(*name)}))
            }
            ("GET", ["secrets", name, version]) => {
                let all = self.secrets.get(*name).into_iter().flatten();
                let found = all
                    .into_iter()
                    .find(|it| it["id"].as_str().unwrap_or_default().ends_with(version));
                found.map_or_else(
                    || no(404, "SecretNotFound", "No such version."),
                    |it| Reply::json(200, it),
                )
            }
            ("PUT", ["secrets", name]) => {
                if self.deleted.contains_key(*name) {
                    return no(
                        409,
                        "Conflict",
                        "Secret is currently in a deleted but recoverable state.",
                    );
                }
                let all = self.secrets.entry((*name).to_owned()).or_default();
                let mut secret = asked.json();
                secret["id"] = of(name, all.len()).into();
                secret["attributes"]["created"] = all.len().into();
                all.push(secret.clone());
                Reply::json(200, &secret)
            }
            ("PATCH", ["secrets", name, version]) => {
                let all = self.secrets.entry((*name).to_owned()).or_default();
                let is_it =
                    |it: &&mut Value| it["id"].as_str().unwrap_or_default().ends_with(version);
                match all.iter_mut().find(is_it) {
                    Some(secret) => {
                        merge(secret, &asked.json());
                        Reply::json(200, secret)
                    }
                    None => no(404, "SecretNotFound", "No such version."),
                }
            }
            ("DELETE", ["secrets", name]) => match self.secrets.remove(*name) {
                Some(all) => {
                    self.deleted.insert((*name).to_owned(), all);
                    Reply::json(200, &json!({"recoveryId": "r"}))
                }
                None => no(404, "SecretNotFound", "A secret was not found in this key vault."),
            },
            (method, ["deletedsecrets", rest @ ..]) => self.kept(method, rest),
            _ => no(400, "BadParameter", &asked.request.path),
        }
    }

    /// The newest versions of all secrets, one on each page.
    fn listed(&self, url: &str, asked: &Asked) -> Reply {
        let newest = self.secrets.iter().filter_map(|(name, all)| {
            let mut it = all.last()?.clone();
            it.as_object_mut()?.remove("value");
            it["id"] = format!("{url}/secrets/{name}").into();
            Some(it)
        });
        let all: Vec<Value> = newest.collect();
        let from: usize = asked.query("$skiptoken").parse().unwrap_or(0);
        let next = (from + 1 < all.len()).then(|| {
            let url = url.replace("http:", "HTTP:");
            format!("{url}/secrets?api-version=7.4&$skiptoken={}", from + 1)
        });
        Reply::json(200, &json!({"value": all.get(from..=from), "nextLink": next}))
    }

    /// Secrets that are deleted and still kept.
    fn kept(&mut self, method: &str, path: &[&str]) -> Reply {
        match (method, path) {
            ("GET", [name]) => match self.deleted.get(*name) {
                Some(all) => Reply::json(200, all.last().unwrap()),
                None => no(404, "SecretNotFound", "Deleted Secret not found."),
            },
            ("DELETE", [name]) => {
                self.deleted.remove(*name);
                Reply::empty(204)
            }
            ("POST", [name, "recover"]) => match self.deleted.remove(*name) {
                Some(all) => {
                    self.secrets.insert((*name).to_owned(), all);
                    Reply::json(200, &json!({}))
                }
                None => no(404, "SecretNotFound", "Deleted Secret not found."),
            },
            _ => no(400, "BadParameter", method),
        }
    }
}
