//! Operations that go on after a call was answered: how they are told, and how their end is waited for.
//!
//! There are two families. Those of `google.longrunning` have `done`, and `error` or `response` behind it. The older
//! ones (Compute Engine, Cloud SQL, Kubernetes Engine, Deployment Manager) have a `status` that becomes `DONE` and an
//! address, and so have jobs of BigQuery.

use std::time::{Duration, Instant};

use davit_aws::http::Request;
use fancy_regex::Regex;
use serde_json::Value;

use super::client::Gcp;
use super::document::{Api, Method, properties};
use super::error::{Error, Said};
use super::request::of_url;

/// The first pause between two looks; each one after it is half as long again.
const FIRST: Duration = Duration::from_millis(250);
/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(5);

/// The family of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    LongRunning,
    Status,
    Job,
}

/// An operation that can be looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What it is called.
    pub name: String,
    family: Family,
    request: Request,
    /// Asking lasts until something happens.
    lasts: bool,
}

impl Operation {
    /// The operation that an answer tells of; nothing if it tells of none that can be looked at.
    ///
    /// # Errors
    /// When where it is to be looked at is no address.
    pub fn of(
        api: &Api,
        method: &Method,
        answer: &Value,
        endpoint: Option<&str>,
    ) -> Result<Option<Self>, Error> {
        let Some(family) = family(api, method, answer) else { return Ok(None) };
        let Some(name) = answer["name"].as_str().or_else(|| answer["id"].as_str()) else {
            return Ok(None);
        };
        let root = endpoint.unwrap_or(api.root());
        let root = root.strip_suffix('/').unwrap_or(root);
        let mut lasts = false;
        let link = answer["selfLink"].as_str().and_then(|it| Request::of_url("GET", it));
        let (verb, url) = if let Some(link) = link {
            // Its host is Google's, whatever was called.
            lasts = api.has("zoneOperations.wait") && link.path.contains("/operations/");
            let (verb, end) = if lasts { ("POST", "/wait") } else { ("GET", "") };
            (verb, format!("{root}{}{end}", link.path))
        } else if family == Family::LongRunning {
            let service = api.service_path().trim_start_matches('/');
            ("GET", format!("{root}/{service}{}{name}", prefix(api, method, name)))
        } else {
            return Ok(None);
        };
        let mut request = of_url(verb, &url)?;
        if family == Family::Job
            && let Some(place) = answer["jobReference"]["location"].as_str()
        {
            request.query.push(("location".to_owned(), place.to_owned()));
        }
        Ok(Some(Self { name: name.to_owned(), family, request, lasts }))
    }

    /// Whether it has ended.
    ///
    /// # Errors
    /// Where it ended badly.
    fn has_ended(&self, state: &Value, method: &str) -> Result<bool, Error> {
        let (ended, error) = match self.family {
            Family::LongRunning => (state["done"] == true, &state["error"]),
            Family::Status => {
                let status = state["status"].as_str().unwrap_or_default();
                (status.eq_ignore_ascii_case("DONE"), &state["error"])
            }
            Family::Job => (state["status"]["state"] == "DONE", &state["status"]["errorResult"]),
        };
        if !ended || error.is_null() {
            return Ok(ended);
        }
        let mut said = Said::of_error(&format!("{method}: the operation {}", self.name), error);
        if said.code == 0 {
            said.code = state["httpErrorStatusCode"].as_u64().unwrap_or(0);
        }
        if said.reason.is_empty() {
            said.reason = error["reason"].as_str().unwrap_or_default().to_owned();
        }
        Err(Error::Said(Box::new(said)))
    }
}

/// The family of an answer: its schema says whether it is an operation at all.
fn family(api: &Api, method: &Method, answer: &Value) -> Option<Family> {
    if answer["kind"] == "bigquery#job" {
        return Some(Family::Job);
    }
    let response = method.response.as_ref()?;
    let name = response["$ref"].as_str().filter(|it| it.ends_with("Operation"))?;
    // What gives operations themselves is not waited for.
    if method.verb == "GET" {
        return None;
    }
    let schema = api.schema(name)?;
    let known = properties(&schema)?;
    if known.contains_key("done") {
        Some(Family::LongRunning)
    } else {
        known.contains_key("status").then_some(Family::Status)
    }
}

/// What stands in front of the name of an operation, as the method that gives operations says it: `v1/`.
fn prefix(api: &Api, method: &Method, name: &str) -> String {
    let gives = |it: &str| {
        let method = api.method(it).ok().filter(|it| it.verb == "GET")?;
        let prefix = method.path.strip_suffix("{+name}")?.to_owned();
        let pattern = method.parameter("name")?.pattern.clone()?;
        let fits = Regex::new(&pattern).ok()?.is_match(name).ok()?;
        fits.then_some(prefix)
    };
    let names = api.methods().filter(|it| it.ends_with("operations.get"));
    let found = names.filter_map(gives).next();
    found.unwrap_or_else(|| {
        let version = method.path.split('/').next().unwrap_or_default();
        if version.contains('{') { String::new() } else { format!("{version}/") }
    })
}

impl Gcp {
    /// Waits for the end of an operation, for at most so long; its last state. `tell` hears how far it is.
    ///
    /// # Errors
    /// When it ends badly or not in time.
    pub async fn wait(
        &self,
        operation: &Operation,
        (method, scopes): (&str, Option<&[String]>),
        timeout: Duration,
        tell: impl Fn(&str),
    ) -> Result<Value, Error> {
        let began = Instant::now();
        let late = || Error::Unfinished { name: operation.name.clone(), after: timeout };
        let mut pause = FIRST;
        let mut told = String::new();
        loop {
            let left = timeout.checked_sub(began.elapsed()).ok_or_else(late)?;
            let asked = self.json(method, operation.request.clone(), scopes, true);
            let state = match tokio::time::timeout(left, asked).await {
                Ok(Ok(state)) => state,
                // An answer that waits for something to happen may take longer than the connection does.
                Ok(Err(Error::Transport { source, .. })) if operation.lasts && source.passes() => {
                    tell("nothing came yet");
                    Value::Null
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(late()),
            };
            if operation.has_ended(&state, method)? {
                return Ok(state);
            }
            let now = progress(&state);
            if now != told {
                tell(&now);
                told = now;
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 3 / 2).min(LONGEST);
        }
    }

    /// Whether an operation has ended with the answer that told of it.
    ///
    /// # Errors
    /// When it ended badly.
    pub fn has_ended(operation: &Operation, answer: &Value, method: &str) -> Result<bool, Error> {
        operation.has_ended(answer, method)
    }
}

/// How far an operation is, in words.
fn progress(state: &Value) -> String {
    let status = state["status"].as_str().or_else(|| state["status"]["state"].as_str());
    let status = status.unwrap_or("RUNNING");
    match state["progress"].as_u64().or_else(|| state["metadata"]["progressPercent"].as_u64()) {
        Some(percent) => format!("{status}, {percent} %"),
        None => status.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::store::Store;
    use super::*;

    fn asked(api: &str, version: &str, method: &str, answer: &Value) -> Option<String> {
        let api = Store::default().api(api, Some(version)).unwrap();
        let method = api.method(method).unwrap();
        let operation = Operation::of(&api, &method, answer, None).unwrap()?;
        Some(format!("{} {}", operation.request.method, operation.request.url()))
    }

    #[test]
    fn operations_are_looked_at_where_each_family_has_them() {
        let link = "https://www.googleapis.com/compute/v1/projects/p/zones/z/operations/o";
        let answer = json!({"name": "o", "status": "RUNNING", "selfLink": link});
        assert_eq!(
            asked("compute", "v1", "instances.insert", &answer).unwrap(),
            "POST https://compute.googleapis.com/compute/v1/projects/p/zones/z/operations/o/wait"
        );
        let link = "https://sqladmin.googleapis.com/sql/v1beta4/projects/p/operations/o";
        let answer = json!({"name": "o", "status": "PENDING", "selfLink": link});
        assert_eq!(
            asked("sqladmin", "v1beta4", "instances.insert", &answer).unwrap(),
            "GET https://sqladmin.googleapis.com/sql/v1beta4/projects/p/operations/o"
        );
        let answer = json!({"name": "projects/p/locations/l/operations/o"});
        assert_eq!(
            asked("run", "v2", "projects.locations.services.create", &answer).unwrap(),
            "GET https://run.googleapis.com/v2/projects/p/locations/l/operations/o"
        );
        let answer = json!({"name": "operations/o"});
        assert_eq!(
            asked("cloudresourcemanager", "v3", "projects.create", &answer).unwrap(),
            "GET https://cloudresourcemanager.googleapis.com/v3/operations/o"
        );
        let link = "https://www.googleapis.com/storage/v1/b/b/operations/o";
        let answer = json!({"name": "projects/_/buckets/b/operations/o", "selfLink": link});
        assert_eq!(
            asked("storage", "v1", "objects.bulkRestore", &answer).unwrap(),
            "GET https://storage.googleapis.com/storage/v1/b/b/operations/o"
        );
        assert_eq!(asked("compute", "v1", "instances.get", &json!({"name": "vm"})), None);
        assert_eq!(asked("run", "v2", "projects.locations.operations.get", &answer), None);
    }

    #[test]
    fn operations_end_well_or_badly() {
        let of = |family| Operation {
            name: "o".to_owned(),
            family,
            request: Request::default(),
            lasts: false,
        };
        let ended = |family, state: Value| {
            of(family).has_ended(&state, "m").map_err(|error| error.to_string())
        };
        assert_eq!(ended(Family::LongRunning, json!({"name": "o"})), Ok(false));
        assert_eq!(ended(Family::LongRunning, json!({"done": true, "response": {}})), Ok(true));
        let error = json!({"done": true, "error": {"code": 9, "message": "no"}});
        assert_eq!(ended(Family::LongRunning, error), Err("m: the operation o: no (9)".to_owned()));
        assert_eq!(ended(Family::Status, json!({"status": "RUNNING"})), Ok(false));
        let error = json!({
            "status": "DONE",
            "httpErrorStatusCode": 503,
            "error": {"errors": [{"code": "ZONE_FULL", "message": "no room"}]},
        });
        let text = "m: the operation o: no room (503, ZONE_FULL)";
        assert_eq!(ended(Family::Status, error), Err(text.to_owned()));
        let error = json!({"status": {"state": "DONE", "errorResult": {"reason": "invalid", "message": "no"}}});
        assert_eq!(ended(Family::Job, error), Err("m: the operation o: no (invalid)".to_owned()));
    }
}
