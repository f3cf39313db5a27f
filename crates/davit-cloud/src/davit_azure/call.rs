//! `davit.azure.call`: any call of Azure Resource Manager.

use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::azure::arm::{Arm, Ask};
use crate::azure::client::Answer;
use crate::azure::error::{Error, failure};
use crate::azure::ids::Place;
use crate::azure::login::Login;
use crate::azure::operation::{Operation, Waiting};
use crate::azure::secrets::SECRETS;
use crate::web::wanted::Wanted;

/// Call an action of a resource of Azure: start, stop and restart machines, ask for keys, and whatever else is
/// no state that a resource has.
///
/// Actions whose names begin with `check`, `exportTemplate`, `get`, `list`, `query`, `validate` or `whatIf`, and `GET`, are
/// taken for questions: they are called in check mode too and change nothing. Any other is taken for a change, and
/// not called in check mode. `changed_when` says otherwise.
///
/// The result has `result`, what the service answers in the end.
///
/// ```yaml
/// - davit.azure.call:
///     resource_group: shop
///     resource_type: Microsoft.Compute/virtualMachines
///     resource_name: web
///     action: deallocate
/// - davit.azure.call:
///     id: "{{ storage.id }}"
///     action: listKeys
///     query: keys[0].value
///   register: key
///   no_log: true
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The action: the last part of the path. Without it the resource itself is called.
    #[serde(default)]
    action: Option<String>,
    /// What is sent along.
    #[serde(default)]
    body: Option<Map<String, Value>>,
    /// How it is called.
    #[serde(default)]
    method: Method,
    /// Parameters of the call, behind the question mark.
    #[serde(default)]
    parameters: Option<Map<String, Value>>,
    /// An expression of JMESPath: what it finds in the answer is `result`.
    #[serde(default)]
    query: Option<String>,
    #[serde(flatten)]
    waiting: Waiting,
    #[serde(flatten)]
    place: Place,
    #[serde(flatten)]
    login: Login,
}

/// How something is called.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Method {
    /// To ask.
    Get,
    /// To do something.
    #[default]
    Post,
    /// To put something there.
    Put,
    /// To change something.
    Patch,
    /// To take something away.
    Delete,
}

impl Method {
    const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// `davit.azure.call`.
pub(crate) struct AzureCall;

impl Module for AzureCall {
    const NAME: &'static str = "davit.azure.call";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let wanted = Wanted::read(args.query.as_deref())?;
        let (arm, target) = Arm::at(control, &args.login, &args.place).await?;
        let id = match args.action.as_deref().filter(|it| !it.is_empty()) {
            Some(action) if action.contains(['?', '#', '.']) => {
                return Err(ModuleError::failed(format!(
                    "action: {action:?} is no name of an action"
                )));
            }
            Some(action) => target.id.child(action),
            None => target.id.clone(),
        };
        let text = |it: &Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
        let said = args.parameters.iter().flatten().map(|(name, it)| (name.clone(), text(it)));
        let said: Vec<(String, String)> = said.collect();
        let mut params = target.query();
        params.extend(said.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let body = args.body.clone().map(Value::Object);
        body.iter().for_each(|it| SECRETS.cover(control, it, false));
        let what = format!("{} {}", args.method.name(), id.path);
        let act = async || {
            let call = Call { control, args: &args, arm: &arm, name: id.name() };
            let answer = call.make(&id.encoded(), &params, body.as_ref()).await;
            answer.map_err(|error| failure(&what, &error))
        };
        let answer = if args.only_asks() {
            Some(act().await?)
        } else {
            let edit = Edit::new(format!("call {}", id.name()), &id.path);
            control.change(edit, act).await?
        };
        let Some(answer) = answer else { return Ok(Outcome::new()) };
        let is_of_keys = args.action.as_deref().is_some_and(gives_keys);
        SECRETS.cover(control, &answer.json, is_of_keys);
        let result = wanted.of(answer.json)?;
        Ok(Outcome::new().with("result", result).with("http_status_code", answer.status))
    }
}

impl Args {
    fn only_asks(&self) -> bool {
        // Other exports than those of templates write something somewhere.
        const ASKING: &[&str] =
            &["check", "exporttemplate", "get", "list", "query", "validate", "whatif"];
        let name = self.action.as_deref().unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        match self.method {
            Method::Get => true,
            Method::Post => ASKING.iter().any(|it| name.starts_with(it)),
            Method::Put | Method::Patch | Method::Delete => false,
        }
    }
}

/// Whether an action gives nothing but secrets: `listKeys`, `regenerateKey`, `listClusterAdminCredential`.
fn gives_keys(action: &str) -> bool {
    let name = action.to_ascii_lowercase();
    let kinds = ["key", "secret", "credential", "sas", "password", "connectionstring"];
    (name.starts_with("list") || name.starts_with("regenerate") || name.starts_with("get"))
        && kinds.iter().any(|it| name.contains(it))
}

struct Call<'a> {
    control: &'a Control,
    args: &'a Args,
    arm: &'a Arm,
    name: &'a str,
}

impl Call<'_> {
    async fn make(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let method = self.args.method.name();
        let first = self.arm.ask(&Ask { method, path, query, body, if_match: None }).await?;
        if !self.args.waiting.wait || method == "GET" {
            return Ok(first);
        }
        let operation = Operation { arm: self.arm, method, path, query, first };
        let tell = |state: &str| self.control.tell(&format!("{}: {state}", self.name));
        operation.finish(self.args.waiting.patience(), &tell).await
    }
}
