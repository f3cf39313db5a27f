//! A stand-in for what Azure has that no emulator does: what gives out tokens, Azure Resource Manager and a key
//! vault, all at one address. Types of resources are named for how they answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::server::{Asked, Reply, Server};

pub(crate) const SUBSCRIPTION: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const TENANT: &str = "99999999-2222-3333-4444-555555555555";
pub(crate) const SECRET: &str = "secret~of.the_application";
pub(crate) const PEM: &[u8] = include_bytes!("app.pem");

/// What there is.
#[derive(Default)]
pub(crate) struct World {
    /// By their paths in small letters.
    resources: BTreeMap<String, Value>,
    /// How often something was asked for that takes its time.
    asked: BTreeMap<String, u32>,
    /// Tokens, and what each is for.
    tokens: Vec<(String, String)>,
    /// How often a token was given out, and by what.
    pub(crate) given: Vec<String>,
    /// Versions of secrets by their names, newest last.
    pub(super) secrets: BTreeMap<String, Vec<Value>>,
    pub(super) deleted: BTreeMap<String, Vec<Value>>,
    /// The bodies of what was put and patched, and the methods of all that was called.
    pub(crate) calls: Vec<String>,
}

/// The world, and the server that shows it.
pub(crate) struct Azure {
    pub(crate) server: Server,
    pub(crate) world: Arc<Mutex<World>>,
}

impl Azure {
    pub(crate) fn start() -> Self {
        let world: Arc<Mutex<World>> = Arc::default();
        let own = Arc::clone(&world);
        let server = Server::start(move |url, asked| {
            let mut world = own.lock().unwrap();
            world.answer(url, asked)
        });
        Self { server, world }
    }

    /// What tells a client to call it, by a secret.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let pairs = [
            ("AZURE_AUTHORITY_HOST", self.server.url.as_str()),
            ("AZURE_CLIENT_ID", "app"),
            ("AZURE_CLIENT_SECRET", SECRET),
            ("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION),
            ("AZURE_TENANT_ID", TENANT),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }
}

pub(super) fn no(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"error": {"code": code, "message": message}}))
        .with("x-ms-request-id", "request-1")
}

impl World {
    fn answer(&mut self, url: &str, asked: &Asked) -> Reply {
        let path = asked.request.path.clone();
        match path.trim_start_matches('/').split('/').next().unwrap_or_default() {
            "subscriptions" | "providers" => self.manager(url, asked),
            "operations" => self.operation(asked),
            "secrets" | "deletedsecrets" => self.vault(url, asked),
            "metadata" | "msi" => self.identity(asked),
            _ if path.ends_with("/oauth2/v2.0/token") => self.application(url, asked),
            _ => no(404, "NoSuchPath", &path),
        }
    }

    fn token(&mut self, audience: &str, how: &str) -> Value {
        let token = format!("token-{}-for-somebody", self.tokens.len());
        self.tokens.push((token.clone(), audience.to_owned()));
        self.given.push(how.to_owned());
        json!({"access_token": token, "expires_in": 3600, "token_type": "Bearer"})
    }

    fn application(&mut self, url: &str, asked: &Asked) -> Reply {
        let body = String::from_utf8_lossy(&asked.body).into_owned();
        let form =
            davit_aws::http::Request::of_url("GET", &format!("http://h/?{body}")).unwrap().query;
        let field = |name: &str| {
            form.iter()
                .find(|(known, _)| known == name)
                .map(|(_, it)| it.as_str())
                .unwrap_or_default()
        };
        let refused = |text: &str| {
            let body = json!({"error": "invalid_client", "error_description": format!("AADSTS7000215: {text}\r\nTrace ID: 1")});
            Reply::json(401, &body)
        };
        if asked.request.path != format!("/{TENANT}/oauth2/v2.0/token") {
            return refused("no such tenant");
        }
        if field("grant_type") != "client_credentials" || field("client_id") != "app" {
            return refused("no such application");
        }
        let Some(audience) = field("scope").strip_suffix("/.default") else {
            return refused("no such scope");
        };
        let how = match field("client_assertion") {
            "" if field("client_secret") == SECRET => "secret",
            "" => return refused("Invalid client secret provided."),
            "federated-token-of-somebody" => "federated",
            jwt => match signed(jwt, &format!("{url}{}", asked.request.path)) {
                Ok(()) => "certificate",
                Err(text) => return refused(text),
            },
        };
        let token = self.token(audience, how);
        Reply::json(200, &token)
    }

    fn identity(&mut self, asked: &Asked) -> Reply {
        let is_machine = asked.request.path == "/metadata/identity/oauth2/token";
        let is_asked_well = if is_machine {
            asked.header("metadata") == "true" && asked.query("api-version") == "2018-02-01"
        } else {
            asked.header("x-identity-header") == "header-of-the-app"
                && asked.query("api-version") == "2019-08-01"
        };
        let names = ["client_id", "object_id", "principal_id", "msi_res_id", "mi_res_id"];
        let which: Vec<String> = names
            .iter()
            .filter(|it| !asked.query(it).is_empty())
            .map(|it| format!("{it}={}", asked.query(it)))
            .collect();
        if !is_asked_well || which == ["client_id=nobody"] {
            return Reply::json(
                400,
                &json!({"error": "invalid_request", "error_description": "Identity not found"}),
            );
        }
        // While it is renewed it says that it is gone.
        if which == ["client_id=renewed"] && self.times("renewed") == 1 {
            return Reply::empty(410);
        }
        let how = if is_machine { "machine" } else { "app service" };
        let token = self.token(asked.query("resource"), &format!("{how} {}", which.join(" ")));
        // As texts, and the end since 1970.
        let text = json!({"access_token": token["access_token"], "expires_on": "4102444800"});
        Reply::json(200, &text)
    }

    /// Whether a token came that is for this.
    pub(super) fn knows(&self, asked: &Asked, audience: &str) -> bool {
        let token = asked.header("authorization").strip_prefix("Bearer ").unwrap_or_default();
        self.tokens.iter().any(|(known, of)| known == token && of == audience)
            || token == "token-of-the-task"
    }

    fn times(&mut self, what: &str) -> u32 {
        let times = self.asked.entry(what.to_owned()).or_default();
        *times += 1;
        *times
    }

    fn manager(&mut self, url: &str, asked: &Asked) -> Reply {
        if !self.knows(asked, "https://management.azure.com") {
            return no(401, "AuthenticationFailed", "Authentication failed.");
        }
        let path = asked.request.path.trim_end_matches('/').to_owned();
        let key = path.to_lowercase();
        let method = asked.request.method.clone();
        if asked.query("api-version").is_empty() {
            return no(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter is required.",
            );
        }
        self.calls.push(format!(
            "{method} {} {}",
            key.rsplit('/').next().unwrap_or_default(),
            asked.query("api-version")
        ));
        if let Some(reply) = self.trouble(&method, &key) {
            return reply;
        }
        if key.ends_with("/providers/microsoft.test") {
            let versions = ["2020-01-01", "2025-05-01-preview", "2024-03-01"];
            let kinds = [
                "things",
                "things/parts",
                "asyncs",
                "locations",
                "slows",
                "operations",
                "failings",
                "brokens",
            ];
            let kinds: Vec<Value> = kinds
                .iter()
                .map(|it| json!({"resourceType": it, "apiVersions": versions}))
                .collect();
            return Reply::json(200, &json!({"resourceTypes": kinds}));
        }
        let segments: Vec<&str> = key.split('/').skip(1).collect();
        match method.as_str() {
            "GET" if segments.len() % 2 == 1 => self.list(url, asked, &key),
            "GET" => self.get(&key),
            "PUT" | "PATCH" => self.write(url, asked, &path),
            "DELETE" => self.delete(url, &key),
            "POST" => self.act(url, &key),
            _ => no(405, "MethodNotAllowed", &method),
        }
    }

    /// What goes wrong with things of some names, the first time or always.
    fn trouble(&mut self, method: &str, key: &str) -> Option<Reply> {
        let name = key.rsplit('/').next().unwrap_or_default();
        let is_first = self.times(&format!("{method} {name}")) == 1;
        match name {
            "throttled" if is_first => {
                Some(no(429, "TooManyRequests", "Slow down.").with("retry-after", "0"))
            }
            "tired" if is_first => {
                Some(no(503, "ServerBusy", "Busy.").with("retry-after-ms", "10"))
            }
            "reset" if is_first && method == "GET" => Some(Reply::Hangup),
            "portal" => Some(
                Reply::Answer {
                    status: 200,
                    headers: Vec::new(),
                    body: "<html>Welcome</html>".to_owned(),
                }
                .with("content-type", "text/html"),
            ),
            "gateway" => Some(
                Reply::Answer {
                    status: 400,
                    headers: Vec::new(),
                    body: "<html><title>Bad Gateway</title></html>".to_owned(),
                }
                .with("content-type", "text/html"),
            ),
            "mute" => Some(Reply::Nothing),
            "expired" if is_first && method == "GET" => {
                self.tokens.clear();
                // Tokens keep their numbers.
                self.tokens.push(("used".to_owned(), String::new()));
                Some(no(401, "ExpiredAuthenticationToken", "The access token expired."))
            }
            "forbidden" => {
                let body = json!({"error": {
                    "code": "AuthorizationFailed", "message": "The client may not do that.",
                    "details": [{"code": "RoleMissing", "message": "No role."}],
                    "innererror": {"code": "Deep"},
                }});
                Some(Reply::json(403, &body).with("x-ms-request-id", "request-7"))
            }
            _ => None,
        }
    }

    fn list(&mut self, url: &str, asked: &Asked, key: &str) -> Reply {
        if key == "/subscriptions" {
            return Reply::json(200, &json!({"value": [{"subscriptionId": SUBSCRIPTION}]}));
        }
        let below = format!("{key}/");
        let is_direct = |it: &str| it.strip_prefix(&below).is_some_and(|rest| !rest.contains('/'));
        let all: Vec<&Value> =
            self.resources.iter().filter(|(path, _)| is_direct(path)).map(|(_, it)| it).collect();
        let from: usize = asked.query("$skip").parse().unwrap_or(0);
        let page: Vec<&Value> = all.iter().skip(from).take(2).copied().collect();
        let mut body = json!({"value": page});
        if from + 2 < all.len() {
            let next = format!("{url}{}?api-version=1&$skip={}", asked.request.path, from + 2);
            body["nextLink"] = next.into();
        }
        Reply::json(200, &body)
    }

    fn get(&mut self, key: &str) -> Reply {
        let Some(mut resource) = self.resources.get(key).cloned() else {
            return no(404, "ResourceNotFound", "The Resource was not found.");
        };
        let state =
            resource["properties"]["provisioningState"].as_str().unwrap_or_default().to_owned();
        if state != "Succeeded" && self.times(&format!("state of {key}")) > 2 {
            match state.as_str() {
                "Deleting" => {
                    self.resources.remove(key);
                    return no(404, "ResourceNotFound", "The Resource was not found.");
                }
                "Failed" => {}
                "Breaking" => resource["properties"]["provisioningState"] = "Failed".into(),
                _ => resource["properties"]["provisioningState"] = "Succeeded".into(),
            }
            self.resources.insert(key.to_owned(), resource.clone());
        }
        let tag = resource["etag"].as_str().unwrap_or_default().to_owned();
        Reply::json(200, &resource).with("etag", tag)
    }

    fn write(&mut self, url: &str, asked: &Asked, path: &str) -> Reply {
        let key = path.to_lowercase();
        let known = self.resources.get(&key).cloned();
        let tag = known.as_ref().map(|it| it["etag"].as_str().unwrap_or_default().to_owned());
        let wanted_tag = asked.header("if-match");
        if !wanted_tag.is_empty() && tag.as_deref() != Some(wanted_tag) {
            return no(412, "PreconditionFailed", "The resource was changed.");
        }
        let mut resource = asked.json();
        if asked.request.method == "PATCH" {
            let mut whole = known.clone().unwrap_or_default();
            merge(&mut whole, &resource);
            resource = whole;
        }
        // What the service adds, spells in its own way and never tells.
        if let Some(place) =
            resource["location"].as_str().map(|it| it.replace(' ', "").to_lowercase())
        {
            resource["location"] = place.into();
        }
        if let Some(properties) = resource["properties"].as_object_mut() {
            properties.remove("adminPassword");
        }
        resource["id"] = path.into();
        resource["name"] = path.rsplit('/').next().into();
        resource["etag"] = format!("W/\"{}\"", self.times("etag")).into();
        let kind = key.rsplit('/').nth(1).unwrap_or_default().to_owned();
        let state = match kind.as_str() {
            "brokens" => "Breaking",
            "asyncs" | "failings" | "locations" | "operations" | "slows" => "Creating",
            _ => "Succeeded",
        };
        resource["properties"]["provisioningState"] = state.into();
        self.asked.remove(&format!("state of {key}"));
        self.resources.insert(key.clone(), resource.clone());
        let status = if known.is_some() { 200 } else { 201 };
        let operation = |how: &str| format!("{url}/operations/{how}{key}");
        let reply = Reply::json(status, &resource).with("retry-after", "0");
        match kind.as_str() {
            "asyncs" => reply.with("azure-asyncoperation", operation("async")),
            "operations" => reply.with("operation-location", operation("async")),
            "failings" => reply.with("azure-asyncoperation", operation("failing")),
            "locations" => {
                Reply::empty(202).with("location", operation("location")).with("retry-after", "0")
            }
            _ => reply,
        }
    }

    fn delete(&mut self, url: &str, key: &str) -> Reply {
        let Some(resource) = self.resources.get_mut(key) else { return Reply::empty(204) };
        let kind = key.rsplit('/').nth(1).unwrap_or_default();
        let operation = |how: &str| format!("{url}/operations/{how}{key}");
        match kind {
            "asyncs" | "operations" => {
                self.resources.remove(key);
                Reply::empty(202)
                    .with("azure-asyncoperation", operation("async"))
                    .with("retry-after", "0")
            }
            "locations" => {
                self.resources.remove(key);
                Reply::empty(202).with("location", operation("gone")).with("retry-after", "0")
            }
            "slows" | "brokens" => {
                resource["properties"]["provisioningState"] = "Deleting".into();
                self.asked.remove(&format!("state of {key}"));
                let reply = Reply::empty(202).with("retry-after", "0");
                if kind == "slows" {
                    reply
                } else {
                    reply.with("azure-asyncoperation", operation("vanished"))
                }
            }
            _ => {
                self.resources.remove(key);
                Reply::empty(200)
            }
        }
    }

    fn act(&mut self, url: &str, key: &str) -> Reply {
        let (thing, action) = key.rsplit_once('/').unwrap_or_default();
        if !self.resources.contains_key(thing) {
            return no(404, "ResourceNotFound", "The Resource was not found.");
        }
        let operation = |how: &str| format!("{url}/operations/{how}{key}");
        match action {
            "listkeys" => {
                let keys = json!([{"keyName": "key1", "value": "key-that-nobody-sees"}]);
                Reply::json(200, &json!({"keys": keys}))
            }
            "start" => Reply::empty(202)
                .with("azure-asyncoperation", operation("async"))
                .with("location", operation("result"))
                .with("retry-after", "0"),
            "exportdata" => Reply::json(200, &json!({})),
            "restart" => {
                Reply::empty(202).with("location", operation("result")).with("retry-after", "0")
            }
            _ => no(400, "NoSuchAction", action),
        }
    }

    fn operation(&mut self, asked: &Asked) -> Reply {
        if !self.knows(asked, "https://management.azure.com") {
            return no(401, "AuthenticationFailed", "Authentication failed.");
        }
        let path = asked.request.path.clone();
        let how = path.split('/').nth(2).unwrap_or_default().to_owned();
        if how == "vanished" {
            return no(404, "NotFound", "The operation was not found.");
        }
        let times = self.times(&path);
        let is_done = times >= 3;
        if is_done {
            self.asked.remove(&path);
            let key = path.trim_start_matches("/operations/").trim_start_matches(&how).to_owned();
            if let Some(resource) = self.resources.get_mut(&key) {
                resource["properties"]["provisioningState"] = "Succeeded".into();
            }
        }
        match (how.as_str(), is_done) {
            ("async" | "failing", false) => Reply::json(200, &json!({"status": "InProgress"})),
            ("async", true) => Reply::json(200, &json!({"status": "Succeeded"})),
            ("failing", true) => Reply::json(
                200,
                &json!({
                    "status": "Failed",
                    "error": {"code": "QuotaExceeded", "message": "There is no room.", "details": [
                        {"code": "Cores", "message": "Only 4 cores are left."},
                    ]},
                }),
            ),
            ("result", true) => Reply::json(200, &json!({"answer": 42})),
            ("gone", true) => Reply::empty(204),
            (_, true) => {
                Reply::json(200, &json!({"properties": {"provisioningState": "Succeeded"}}))
            }
            (_, false) => Reply::empty(202),
        }
        .with("retry-after", "0")
    }
}

pub(super) fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// Whether the key of the certificate signed this, for this address and for now.
fn signed(jwt: &str, url: &str) -> Result<(), &'static str> {
    let key = PrivateKeyDer::from_pem_slice(PEM).unwrap();
    let PrivateKeyDer::Pkcs8(key) = &key else { panic!("no key") };
    let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
    let (text, signature) = jwt.rsplit_once('.').ok_or("no token")?;
    let bytes = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "no signature")?;
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public());
    public.verify(text.as_bytes(), &bytes).map_err(|_| "the signature is wrong")?;
    let part = |it: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(it).unwrap_or_default()).unwrap_or_default()
    };
    let (head, claims) = text.split_once('.').ok_or("no token")?;
    let (head, claims) = (part(head), part(claims));
    if head["alg"] != "RS256" || head["x5t"].as_str().is_none_or(str::is_empty) {
        return Err("the head is wrong");
    }
    if claims["aud"] != url || claims["iss"] != "app" || claims["sub"] != "app" {
        return Err("it is not for this");
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let at = |name: &str| claims[name].as_u64().unwrap_or_default();
    if at("nbf") > now + 5 || at("exp") <= now || at("exp") > now + 3600 {
        return Err("it is not for now");
    }
    Ok(())
}
