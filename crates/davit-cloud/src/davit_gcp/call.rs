//! `davit.gcp.call`: any method of any API of Google.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use davit_module::control::{Control, Edit, Look, Module, Odd};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::args::yes;
use crate::gcp::check;
use crate::gcp::client::{Gcp, only_reads};
use crate::gcp::document::{Api, Method};
use crate::gcp::error::Error;
use crate::gcp::login::Login;
use crate::gcp::media::{Call, Content, Source};
use crate::gcp::operation::Operation;
use crate::gcp::store::Store;
use crate::web::secrets::Names;
use crate::web::wanted::Wanted;

/// Call any method of any API of Google.
///
/// APIs and methods have the names of Google's API reference, and so have parameters and what goes along with them. They
/// are held against the API's discovery document before anything is sent.
///
/// A method that only reads (`GET`, and names that begin with `get`, `list` or `search`, and `testIamPermissions`) is called in check mode too and
/// changes nothing; any other is taken for a change, and not called in check mode. `changed_when` says otherwise.
///
/// ```yaml
/// - name: Which machines run?
///   davit.gcp.call:
///     api: compute
///     method: instances.list
///     parameters: {zone: europe-west1-b, filter: status = RUNNING}
///     query: items[].name
///   register: running
/// - name: Make a machine, and wait until it is there
///   davit.gcp.call:
///     api: compute
///     method: instances.insert
///     parameters: {project: shop, zone: europe-west1-b}
///     body: "{{ machine }}"
/// - name: Put a page into a bucket
///   davit.gcp.call:
///     api: storage
///     method: objects.insert
///     parameters: {bucket: shop-site, name: index.html}
///     media: dist/index.html
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The API: `compute`, `storage`, `run`, `sqladmin` ...
    api: String,
    /// Its version. Without it, the newest that is stable and has (nearly) all methods that others have: say it for
    /// what is to stay as it is.
    #[serde(default)]
    version: Option<String>,
    /// A discovery document that stands in the place of the one that is built in.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    discovery: Option<PathBuf>,
    /// The method, with the resources it is in: `instances.insert`, `projects.secrets.list`.
    method: String,
    /// What stands in the method's address: `project`, `zone`, `fields` ... Project, region and zone come from
    /// gcloud's configuration where the method has to have them.
    #[serde(default)]
    parameters: Option<Map<String, Value>>,
    /// What goes along with it.
    #[serde(default)]
    body: Option<Value>,
    /// An expression of JMESPath: what it finds in the answer is `result`.
    #[serde(default)]
    query: Option<String>,
    /// Ask for all pages, where the answer comes in pages.
    #[serde(default = "yes")]
    paginate: bool,
    /// Wait for the end of the operation, where the answer tells of one; `result` is its last state.
    #[serde(default = "yes")]
    wait: bool,
    /// For how many seconds to wait at most.
    #[serde(default = "ten_minutes")]
    wait_timeout: u64,
    /// The file to send, for methods that take media.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    media: Option<PathBuf>,
    /// The text to send in the place of a file.
    #[serde(default)]
    content: Option<String>,
    /// What is sent: `text/html`. Without it, what the name of the file or `contentType` of the body says.
    #[serde(default)]
    media_type: Option<String>,
    /// The file to write what comes into, for methods that give media. It is changed where it has something else in it.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    download_to: Option<PathBuf>,
    /// Hold parameters and body against the document. Without it, that is left to Google.
    #[serde(default = "yes")]
    validate: bool,
    #[serde(flatten)]
    login: Login,
}

const fn ten_minutes() -> u64 {
    600
}

/// The names of what is secret in bodies and answers: tokens and keys that are made, and passwords.
const SECRETS: Names = Names(&[
    "accesstoken",
    "clientsecret",
    "idtoken",
    "keystring",
    "password",
    "privatekey",
    "privatekeydata",
    "refreshtoken",
    "signedjwt",
]);

/// What else is secret where nothing but secrets are kept.
const PAYLOADS: Names = Names(&["data"]);

fn secrets_of(api: &Api) -> &'static [Names] {
    if api.name() == "secretmanager" { &[SECRETS, PAYLOADS] } else { &[SECRETS] }
}

/// `davit.gcp.call`.
pub(crate) struct GcpCall;

/// A call that was looked at.
struct Ready {
    gcp: Gcp,
    api: Arc<Api>,
    method: Method,
    parameters: Map<String, Value>,
    body: Value,
}

impl Module for GcpCall {
    const NAME: &'static str = "davit.gcp.call";
    const LOOK: Option<Look> = Some(look);
    type Args = Args;
    const RULES: Rules =
        Rules { mutually_exclusive: &[&["media", "content", "download_to"]], ..Rules::NONE };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let wanted = Wanted::read(args.query.as_deref())?;
        let ready = Ready::new(control, &args).await?;
        if let Some(path) = &args.download_to {
            let (changed, size) = ready.download(control, path).await?;
            let about = json!({"path": path, "size": size, "changed": changed});
            return Ok(Outcome::new().with("result", about));
        }
        let source = source(&args, &ready)?;
        let reads = only_reads(&ready.method) && source.is_none();
        let answer = if reads {
            Some(ready.ask(args.paginate).await?)
        } else {
            let path = format!("{}.{}", ready.api.name(), ready.method.name);
            let edit = Edit::new(format!("call {}", ready.method.name), path);
            let act = async || match &source {
                Some(source) => Ok(ready.gcp.upload(ready.call(), source).await?),
                None => Ok(ready.ask(false).await?),
            };
            control.change(edit, act).await?
        };
        let Some(mut answer) = answer else { return Ok(Outcome::new()) };
        if args.wait && !reads {
            let timeout = Duration::from_secs(args.wait_timeout);
            answer = ready.ended(control, answer, timeout).await?;
        }
        secrets_of(&ready.api).iter().for_each(|it| it.cover(control, &answer, false));
        Ok(Outcome::new().with("result", wanted.of(answer)?))
    }
}

/// What the built-in documents know nothing of.
fn look(args: &Map<String, Value>, _: &BTreeMap<String, String>) -> Vec<Odd> {
    let text = |name: &str| args.get(name).and_then(Value::as_str);
    let (Some(name), None) = (text("api"), args.get("discovery")) else { return Vec::new() };
    if args.get("version").is_some_and(Value::is_null) {
        return Vec::new();
    }
    let api = match Store::shared().api(name, text("version")) {
        Ok(api) => api,
        Err(error) => return vec![Odd::new("api", error)],
    };
    match text("method").map(|it| api.method(it)) {
        Some(Err(error)) => vec![Odd::new("method", error)],
        _ => Vec::new(),
    }
}

impl Ready {
    /// Finds the method and holds against it what is given.
    async fn new(control: &Control, args: &Args) -> Result<Self, ModuleError> {
        let store = Store::shared();
        let api = match &args.discovery {
            Some(path) => store.file(path)?,
            None => store.api(&args.api, args.version.as_deref())?,
        };
        let method = api.method(&args.method)?;
        let gcp = Gcp::new(control, &args.login)?;
        let mut parameters = args.parameters.clone().unwrap_or_default();
        for name in ["access_token", "bearer_token", "key", "oauth_token"] {
            let secret = parameters.get(name).and_then(Value::as_str);
            secret.into_iter().for_each(|it| control.secret(it));
        }
        gcp.complete(&method, &mut parameters).await;
        let body = args.body.clone().unwrap_or_default();
        secrets_of(&api).iter().for_each(|it| it.cover(control, &body, false));
        let mut problems = check::parameters(&method, &parameters);
        if args.validate {
            problems.extend(check::body(&api, &method, &body));
        } else {
            // Without them there is no address.
            problems.retain(|it| it.wrong == "is missing");
        }
        if !problems.is_empty() {
            let method = format!("{}.{}", api.name(), method.name);
            return Err(Error::Invalid { method, problems }.into());
        }
        // Google does what has such an id once, however often it is asked.
        if method.parameter("requestId").is_some() && !only_reads(&method) {
            let id = parameters.entry("requestId").or_insert(Value::Null);
            if id.is_null() {
                *id = uuid::Uuid::new_v4().to_string().into();
            }
        }
        Ok(Self { gcp, api, method, parameters, body })
    }

    fn call(&self) -> Call<'_> {
        let (api, method) = (&*self.api, &self.method);
        Call { api, method, parameters: &self.parameters, body: &self.body }
    }

    async fn ask(&self, all: bool) -> Result<Value, Error> {
        let Call { api, method, parameters, body } = self.call();
        if all {
            return self.gcp.all(api, method, parameters, body).await;
        }
        self.gcp.call(api, method, parameters, body).await
    }

    /// The last state of the operation that an answer tells of; the answer itself if it tells of none.
    async fn ended(
        &self,
        control: &Control,
        answer: Value,
        timeout: Duration,
    ) -> Result<Value, ModuleError> {
        let endpoint = self.gcp.endpoint(&self.api).map(|(url, _)| url);
        let operation = Operation::of(&self.api, &self.method, &answer, endpoint.as_deref())?;
        let Some(operation) = operation else { return Ok(answer) };
        let name = self.method.name.as_str();
        if Gcp::has_ended(&operation, &answer, name)? {
            return Ok(answer);
        }
        let tell = |state: &str| control.tell(&format!("operation {}: {state}", operation.name));
        let scopes = self.gcp.scopes(&self.api, &self.method);
        let state = self.gcp.wait(&operation, (name, scopes.as_deref()), timeout, tell).await?;
        Ok(state)
    }

    /// Brings a file to what the method gives.
    async fn download(&self, control: &Control, to: &Path) -> Result<(bool, u64), ModuleError> {
        if to.is_dir() {
            let text = format!("download_to: {} is a folder", to.display());
            return Err(ModuleError::failed(text));
        }
        let path = to.display().to_string();
        let edit = Edit::new("write what was downloaded", path);
        if control.is_check() {
            let found = self.gcp.download(self.call(), to, None).await?;
            if found.0 {
                control.change(edit, async || Ok(())).await?;
            }
            return Ok(found);
        }
        let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let beside =
            Beside(to.with_file_name(format!(".{name}.{}", uuid::Uuid::new_v4().simple())));
        let found = self.gcp.download(self.call(), to, Some(&beside.0)).await?;
        if found.0 {
            let act = async || {
                // Who may read the file stays as it is.
                if let Ok(about) = tokio::fs::metadata(to).await {
                    let _ = tokio::fs::set_permissions(&beside.0, about.permissions()).await;
                }
                let moved = tokio::fs::rename(&beside.0, to).await;
                moved.map_err(|source| ModuleError::io("write", to, source))
            };
            control.change(edit, act).await?;
        }
        Ok(found)
    }
}

/// A file that is only there for a while.
struct Beside(PathBuf);

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What is sent besides JSON, and what it is.
fn source(args: &Args, ready: &Ready) -> Result<Option<Source>, ModuleError> {
    let content = match (&args.media, &args.content) {
        (Some(path), _) => Content::File(path.clone()),
        (None, Some(text)) => Content::Bytes(Bytes::from(text.clone())),
        (None, None) => return Ok(None),
    };
    let of_name = |path: &Path| mime_guess::from_path(path).first_raw().map(str::to_owned);
    let media_type = args
        .media_type
        .clone()
        .or_else(|| ready.body["contentType"].as_str().map(str::to_owned))
        .or_else(|| args.media.as_deref().and_then(of_name))
        .or_else(|| args.content.as_ref().map(|_| "text/plain; charset=utf-8".to_owned()))
        .unwrap_or_else(|| "application/octet-stream".to_owned());
    if media_type.chars().any(char::is_control) {
        return Err(ModuleError::failed("media_type is no type of media"));
    }
    Ok(Some(Source { content, media_type }))
}
