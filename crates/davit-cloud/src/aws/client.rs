//! The client of a task: made from what the task says of who calls, kept for the tasks after it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use davit_aws::client::{Call, Output, Waiting};
use davit_aws::config::Options;
use davit_aws::credentials::Credentials;
use davit_aws::session::{Parts, Session};
use davit_aws::value::{Map, Value};
use davit_aws::{Client, Error};
use davit_module::control::{Control, Shared};
use davit_module::{ModuleError, Outcome};
use serde_json::json;

use super::login::{Caller, Login};
use super::names;

/// What a module calls AWS with.
pub struct Aws {
    session: Arc<Session>,
    called: Option<Mutex<Vec<String>>>,
}

/// What sessions are found by: equal callers in equal environments share one.
type Kept = Mutex<Vec<(Caller, Vec<(String, String)>, Arc<Session>)>>;

impl Aws {
    /// The client for what a task says. The files of the AWS CLI are read here; nothing is called.
    ///
    /// # Errors
    /// When what is said contradicts itself, or a file or setting makes no sense.
    pub fn new(control: &Control, login: &Login) -> Result<Self, ModuleError> {
        let caller = login.caller(control)?;
        let environment = control.environment().into_iter().collect();
        Self::of(caller, environment, control.shared())
    }

    /// The client for a caller in an environment; equal ones share what `shared` keeps.
    ///
    /// # Errors
    /// When a file or setting makes no sense.
    pub fn of(
        caller: Caller,
        environment: Vec<(String, String)>,
        shared: &Shared,
    ) -> Result<Self, ModuleError> {
        let called = caller.tells_operations.then(Mutex::default);
        let kept = shared.get("aws", Kept::default);
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|(known, of, _)| *known == caller && *of == environment);
        if let Some((.., session)) = found {
            return Ok(Self { session: Arc::clone(session), called });
        }
        let session = session(&caller, &environment).map_err(|error| failure(None, &error))?;
        let session = Arc::new(session);
        kept.push((caller, environment, Arc::clone(&session)));
        Ok(Self { session, called })
    }

    /// The client itself.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.session.client
    }

    /// The region that is called, if one is set.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.session.settings.region.as_deref()
    }

    /// Calls an operation. `params` may be JSON, or values with bytes and times among them.
    ///
    /// # Errors
    /// What the service says, or why it was not asked.
    pub async fn call(
        &self,
        service: &str,
        operation: &str,
        params: impl Into<Value>,
    ) -> Result<Map, ModuleError> {
        let outcome = self.attempt(service, operation, params).await;
        outcome.map_err(|error| failure(Some((service, operation)), &error))
    }

    /// The same, or nothing where the service says with one of these codes that it is not there.
    ///
    /// # Errors
    /// As for `call`, but for these codes.
    pub async fn find(
        &self,
        service: &str,
        operation: &str,
        params: impl Into<Value>,
        missing: &[&str],
    ) -> Result<Option<Map>, ModuleError> {
        match self.attempt(service, operation, params).await {
            Ok(values) => Ok(Some(values)),
            Err(error) if error.code().is_some_and(|it| missing.contains(&it)) => Ok(None),
            Err(error) => Err(failure(Some((service, operation)), &error)),
        }
    }

    /// The same with the error as the client has it, for modules that look at it.
    ///
    /// # Errors
    /// As the client's.
    pub async fn attempt(
        &self,
        service: &str,
        operation: &str,
        params: impl Into<Value>,
    ) -> Result<Map, Error> {
        Ok(self.output(Call::new(service, operation, map(params.into()))).await?.values)
    }

    /// The same for a call that has more to it, with all that the answer says.
    ///
    /// # Errors
    /// As the client's.
    pub async fn output(&self, call: Call) -> Result<Output, Error> {
        self.note(&call.service, &call.operation);
        self.client().run(call).await
    }

    /// All pages of an operation as one, with the error as the client has it.
    ///
    /// # Errors
    /// As the client's.
    pub async fn attempt_all(
        &self,
        service: &str,
        operation: &str,
        params: impl Into<Value>,
    ) -> Result<Map, Error> {
        self.note(service, operation);
        self.client().all(service, operation, map(params.into())).await
    }

    /// All pages of an operation as one.
    ///
    /// # Errors
    /// As for `call`.
    pub async fn all(
        &self,
        service: &str,
        operation: &str,
        params: impl Into<Value>,
    ) -> Result<Map, ModuleError> {
        let outcome = self.attempt_all(service, operation, params).await;
        outcome.map_err(|error| failure(Some((service, operation)), &error))
    }

    /// Waits by a waiter of the service, for at most so long.
    ///
    /// # Errors
    /// When it does not come about in time, or never will.
    pub async fn wait(
        &self,
        service: &str,
        waiter: &str,
        params: impl Into<Value>,
        timeout: Duration,
    ) -> Result<(), ModuleError> {
        let waiting =
            Waiting { timeout: Some(timeout), most: Some(u32::MAX), ..Waiting::default() };
        let outcome = self.client().wait(service, waiter, map(params.into()), waiting).await;
        outcome.map(drop).map_err(|error| failure(Some((service, waiter)), &error))
    }

    /// The account that calls.
    ///
    /// # Errors
    /// As for `call`.
    pub async fn account(&self) -> Result<String, ModuleError> {
        let caller = self.call("sts", "GetCallerIdentity", Map::new()).await?;
        Ok(caller.get("Account").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// The operations that were called, `ec2:DescribeVpcs`, where the task asks for them: for
    /// `resource_actions` of the result.
    #[must_use]
    pub fn called(&self) -> Option<Vec<String>> {
        let called = self.called.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let mut called = called.clone();
        called.sort();
        called.dedup();
        Some(called)
    }

    /// The result with `resource_actions`, where the task asks for them.
    #[must_use]
    pub fn tell(&self, outcome: Outcome) -> Outcome {
        match self.called() {
            Some(called) => outcome.with("resource_actions", called),
            None => outcome,
        }
    }

    fn note(&self, service: &str, operation: &str) {
        if let Some(called) = &self.called {
            let mut called = called.lock().unwrap_or_else(PoisonError::into_inner);
            called.push(format!("{service}:{operation}"));
        }
    }
}

fn map(params: Value) -> Map {
    match params {
        Value::Map(map) => map,
        _ => Map::new(),
    }
}

fn session(caller: &Caller, environment: &[(String, String)]) -> Result<Session, Error> {
    let mut options = Options { profile: caller.profile.clone(), ..Options::default() };
    if let Some(region) = &caller.region {
        options = options.with("region", region);
    }
    if let Some(url) = &caller.endpoint_url {
        options = options.with("endpoint_url", url);
    }
    if let Some(path) = &caller.ca_bundle {
        options = options.with("ca_bundle", path.display().to_string());
    }
    for (name, value) in &caller.config {
        let seconds = || value.as_f64().and_then(|it| Duration::try_from_secs_f64(it).ok());
        match (name.as_str(), value) {
            ("connect_timeout", _) => options.connect_timeout = seconds(),
            ("read_timeout", _) => options.read_timeout = seconds(),
            ("retries", serde_json::Value::Object(retries)) => {
                for (from, to) in [("mode", "retry_mode"), ("max_attempts", "max_attempts")] {
                    if let Some(value) = retries.get(from) {
                        options = options.with(to, text(value));
                    }
                }
            }
            ("s3", serde_json::Value::Object(s3)) => {
                for (name, value) in s3 {
                    options = options.with(&format!("s3.{name}"), text(value));
                }
            }
            (name, value) => options = options.with(name, text(value)),
        }
    }
    let keys = caller.keys.as_ref().map(|keys| Credentials {
        access_key_id: keys.access_key.clone(),
        secret_access_key: keys.secret_key.clone(),
        session_token: keys.session_token.clone(),
        expires: None,
        account_id: None,
        source: "the task".to_owned(),
    });
    let home = environment.iter().find(|(name, _)| name == "HOME");
    Session::new(Parts {
        options,
        environment: environment.iter().cloned().collect(),
        home: home.map(|(_, path)| path.into()),
        credentials: keys,
        no_verify: !caller.validate_certs,
        ..Parts::default()
    })
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// An error of the client as a module's: with the code, the message and the ids that users know to look for.
#[must_use]
pub fn failure(of: Option<(&str, &str)>, error: &Error) -> ModuleError {
    let text = error.chain();
    let told = match of {
        Some((_, operation)) if !text.contains(operation) => format!("{operation}: {text}"),
        _ => text,
    };
    let failed = ModuleError::failed(told);
    let Some(said) = error.service() else { return failed };
    let details = Value::Map(said.fields.clone()).to_json();
    let mut about = json!({"code": said.code, "message": said.message});
    if let (Some(about), serde_json::Value::Object(details)) = (about.as_object_mut(), details) {
        for (name, value) in details {
            about.entry(names::snake(&name)).or_insert(value);
        }
    }
    failed.with("error", about).with(
        "response_metadata",
        json!({
            "http_status_code": said.metadata.status,
            "request_id": said.metadata.request_id,
            "retry_attempts": said.metadata.retry_attempts,
        }),
    )
}
