//! The client of a task: made from what the task says of who calls, kept for the tasks after it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use davit_aws::config::{Environment, Proxies};
use davit_aws::connection::{Answer, Body, Options, Pool};
use davit_aws::http::{Request, Response};
use davit_module::ModuleError;
use davit_module::control::Control;
use serde_json::{Map, Value};

use super::document::{Api, Method};
use super::error::{Error, Said};
use super::http::LARGEST;
use super::login::{Caller, Login};
use super::request::{self, Given, Media};
use super::retry::{Failure, Retry};
use super::token::{CLOUD_PLATFORM, Tokens};

/// What a module calls Google Cloud with.
#[derive(Debug)]
pub struct Gcp {
    session: Arc<Session>,
    login: Login,
    environment: Arc<HashMap<String, String>>,
}

/// What equal callers in equal environments share.
#[derive(Debug)]
struct Session {
    caller: Caller,
    pool: Arc<Pool>,
    tokens: Tokens,
}

type Kept = Mutex<Vec<(Caller, Arc<HashMap<String, String>>, Arc<Session>)>>;

/// A request on its way: what it is for, and whether it may be made twice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outgoing<'a> {
    /// The method, for errors.
    pub(super) method: &'a str,
    pub(super) request: &'a Request,
    pub(super) body: &'a Body,
    /// What the token has to be good for; none for no token.
    pub(super) scopes: Option<&'a [String]>,
    /// It may be made twice.
    pub(super) safe: bool,
    /// It is part of something: 308 says that more is to come. Of all else it says that nothing was done.
    pub(super) is_part: bool,
}

impl Gcp {
    /// The client for what a task says. gcloud's configuration is read here; nothing is called.
    ///
    /// # Errors
    /// When what is said contradicts itself, or a file or setting makes no sense.
    pub fn new(control: &Control, login: &Login) -> Result<Self, ModuleError> {
        let caller = login.caller(control)?;
        let environment: HashMap<String, String> = control.environment().into_iter().collect();
        let environment = Arc::new(environment);
        let kept = control.shared().get("gcp", Kept::default);
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|(known, of, _)| *known == caller && *of == environment);
        let session = if let Some((.., session)) = found {
            Arc::clone(session)
        } else {
            let session = Arc::new(Session::new(&caller, &environment));
            kept.push((caller, Arc::clone(&environment), Arc::clone(&session)));
            session
        };
        Ok(Self { session, login: login.clone(), environment })
    }

    /// Where an API is called, if not at Google, and whether that is an emulator, which takes everybody.
    #[must_use]
    pub fn endpoint(&self, api: &Api) -> Option<(String, bool)> {
        self.login.endpoint(api.name(), &|name| self.environment.get(name).cloned())
    }

    /// Puts in the project, region and zone where a method has to have them and they were not said.
    pub async fn complete(&self, method: &Method, parameters: &mut Map<String, Value>) {
        let caller = &self.session.caller;
        for it in method.parameters.iter().filter(|it| it.required || it.in_path) {
            if parameters.get(&it.name).is_some_and(|it| !it.is_null()) {
                continue;
            }
            let value = match it.name.as_str() {
                "project" | "projectId" => match &caller.project {
                    Some(project) => Some(project.clone()),
                    None => self.session.tokens.project().await,
                },
                "region" => caller.region.clone(),
                "zone" => caller.zone.clone(),
                _ => None,
            };
            if let Some(value) = value {
                parameters.insert(it.name.clone(), value.into());
            }
        }
    }

    /// What the token for a method has to be good for; nothing where it is called without one.
    #[must_use]
    pub fn scopes(&self, api: &Api, method: &Method) -> Option<Vec<String>> {
        let is_emulated = self.endpoint(api).is_some_and(|(_, emulated)| emulated);
        if is_emulated && self.login.access_token.is_none() {
            return None;
        }
        if let Some(scopes) = self.login.scopes.as_ref().filter(|it| !it.is_empty()) {
            return Some(scopes.clone());
        }
        let broad = method.scopes.is_empty() || method.scopes.iter().any(|it| it == CLOUD_PLATFORM);
        let one = if broad { CLOUD_PLATFORM } else { method.scopes[0].as_str() };
        Some(vec![one.to_owned()])
    }

    /// The request for a method at the place where its API is called.
    ///
    /// # Errors
    /// When that is no address.
    pub fn request(
        &self,
        api: &Api,
        method: &Method,
        (parameters, body): (&Map<String, Value>, &Value),
        media: Media,
    ) -> Result<Request, Error> {
        let endpoint = self.endpoint(api);
        let endpoint = endpoint.as_ref().map(|(url, _)| url.as_str());
        request::build(api, method, Given { parameters, body, media, endpoint })
    }

    /// Calls a method; what it answers, null where it answers nothing.
    ///
    /// # Errors
    /// What Google says, or why it was not asked.
    pub async fn call(
        &self,
        api: &Api,
        method: &Method,
        parameters: &Map<String, Value>,
        body: &Value,
    ) -> Result<Value, Error> {
        let request = self.request(api, method, (parameters, body), Media::None)?;
        let scopes = self.scopes(api, method);
        let safe = is_safe(method, parameters);
        self.json(&method.name, request, scopes.as_deref(), safe).await
    }

    /// Sends a request whose body is in it; the JSON that is answered.
    pub(super) async fn json(
        &self,
        method: &str,
        request: Request,
        scopes: Option<&[String]>,
        safe: bool,
    ) -> Result<Value, Error> {
        let body = Body::Bytes(request.body.clone());
        let outgoing =
            Outgoing { method, request: &request, body: &body, scopes, safe, is_part: false };
        let answer = self.whole(outgoing).await?;
        value_of(method, &answer)
    }

    /// Sends a request; the whole answer, which is a success.
    pub(super) async fn whole(&self, outgoing: Outgoing<'_>) -> Result<Response, Error> {
        let mut retry = Retry::default();
        loop {
            let answer = self.head_of(outgoing, &mut retry).await?;
            match answer.read(LARGEST).await {
                Ok(answer) => return Ok(answer),
                Err(source) => {
                    let pause = retry.again(Failure::Transport(&source), outgoing.safe);
                    let method = outgoing.method.to_owned();
                    let Some(pause) = pause else {
                        return Err(Error::Transport { method, source });
                    };
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Sends a request; the head of the answer, which is a success.
    pub(super) async fn head(&self, outgoing: Outgoing<'_>) -> Result<Answer, Error> {
        self.head_of(outgoing, &mut Retry::default()).await
    }

    async fn head_of(&self, outgoing: Outgoing<'_>, retry: &mut Retry) -> Result<Answer, Error> {
        let mut refused = false;
        loop {
            let request = self.signed(outgoing).await?;
            let body = outgoing.body.again().unwrap_or_default();
            let transport =
                |source| Error::Transport { method: outgoing.method.to_owned(), source };
            let answer = match self.session.pool.send(&request, body).await {
                Ok(answer) if matches!(answer.status, 200..300) => return Ok(answer),
                Ok(answer) if outgoing.is_part && answer.status == 308 => return Ok(answer),
                Ok(answer) => answer.read(LARGEST).await,
                Err(error) => Err(error),
            };
            let (error, pause) = match answer {
                Ok(answer) => {
                    let said = Said::read(outgoing.method, answer.status, &answer.body);
                    // A token may be taken back before it ends.
                    if answer.status == 401 && !refused && self.session.tokens.forget().await {
                        refused = true;
                        continue;
                    }
                    let pause = retry.again(Failure::Said(&said, &answer.headers), outgoing.safe);
                    (Error::Said(Box::new(said)), pause)
                }
                Err(error) => {
                    let pause = retry.again(Failure::Transport(&error), outgoing.safe);
                    (transport(error), pause)
                }
            };
            let Some(pause) = pause else { return Err(error) };
            tokio::time::sleep(pause).await;
        }
    }

    /// The request with what says who calls.
    async fn signed(&self, outgoing: Outgoing<'_>) -> Result<Request, Error> {
        let mut request = outgoing.request.clone();
        let agent = concat!("davit/", env!("CARGO_PKG_VERSION"));
        request.headers.set("user-agent", agent);
        let Some(scopes) = outgoing.scopes else { return Ok(request) };
        let session = &self.session;
        if let Some(token) = session.tokens.token(scopes).await? {
            request::secure(&request)?;
            request.headers.set("authorization", format!("Bearer {token}"));
            let payer = match &session.caller.quota_project {
                Some(payer) => Some(payer.clone()),
                None => session.tokens.quota_project().await,
            };
            if let Some(payer) = payer {
                request.headers.set("x-goog-user-project", payer);
            }
        }
        Ok(request)
    }
}

impl Session {
    fn new(caller: &Caller, environment: &Arc<HashMap<String, String>>) -> Self {
        let variables: Environment = environment.iter().collect();
        let timeout = Duration::from_secs(caller.timeout);
        let pool = Arc::new(Pool::new(Options {
            connect_timeout: timeout.min(Duration::from_secs(20)),
            read_timeout: timeout,
            ca_bundle: caller.ca_bundle.clone(),
            verify: caller.validate_certs,
            proxies: Proxies::of(&variables),
            ..Options::default()
        }));
        let tokens = Tokens::new(caller.clone(), Arc::clone(environment), Arc::clone(&pool));
        Self { caller: caller.clone(), pool, tokens }
    }
}

/// Whether a method may be called twice: it asks, it comes to the same, or Google tells both calls apart from others.
#[must_use]
pub fn is_safe(method: &Method, parameters: &Map<String, Value>) -> bool {
    matches!(method.verb.as_str(), "GET" | "HEAD" | "PUT" | "DELETE")
        || parameters.get("requestId").is_some_and(Value::is_string)
        || only_reads(method)
}

/// Whether a method changes nothing: its verb or its name says so.
#[must_use]
pub fn only_reads(method: &Method) -> bool {
    const READING: &[&str] =
        &["get", "list", "search", "testIamPermissions", "batchGet", "aggregatedList"];
    // These make a code, and one of them sends it to somebody.
    const NOT: &[&str] = &["getOobConfirmationCode", "getVerificationCode"];
    let name = method.verb_name();
    let answer = method.response.as_ref().and_then(|it| it["$ref"].as_str()).unwrap_or_default();
    let begins = |it: &&str| {
        let rest = name.strip_prefix(*it);
        rest.is_some_and(|rest| !rest.starts_with(|it: char| it.is_ascii_lowercase()))
    };
    matches!(method.verb.as_str(), "GET" | "HEAD")
        || READING.iter().any(begins) && !NOT.contains(&name) && !answer.ends_with("Operation")
}

/// The JSON of an answer.
pub(super) fn value_of(method: &str, answer: &Response) -> Result<Value, Error> {
    if answer.body.is_empty() || answer.status == 204 {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&answer.body).map_err(|error| Error::Answer {
        method: method.to_owned(),
        status: answer.status,
        reason: format!("it is no JSON: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::store::Store;
    use super::*;

    #[test]
    fn what_only_reads_is_told_from_what_changes() {
        for (api, method, expect) in [
            ("compute", "instances.get", true),
            ("compute", "instances.insert", false),
            ("compute", "instances.testIamPermissions", true),
            ("compute", "instanceGroups.listInstances", true),
            ("cloudresourcemanager", "projects.getIamPolicy", true),
            ("cloudresourcemanager", "projects.setIamPolicy", false),
            ("storage", "buckets.delete", false),
            ("integrations", "projects.locations.integrations.test", false),
            ("monitoring", "projects.notificationChannels.getVerificationCode", false),
            ("compute", "hosts.getVersion", false),
        ] {
            let api = Store::default().api(api, None).unwrap();
            assert_eq!(only_reads(&api.method(method).unwrap()), expect, "{method}");
        }
    }
}
