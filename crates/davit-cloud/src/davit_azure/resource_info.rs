//! `davit.azure.resource_info`: what there is of resources of Azure.

use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::azure::arm::{Arm, Ask};
use crate::azure::error::failure;
use crate::azure::ids::Place;
use crate::azure::login::Login;
use crate::azure::secrets::SECRETS;
use crate::web::wanted::Wanted;

/// Ask for any resource of Azure, or for all of a type, through Azure Resource Manager.
///
/// The result has `resources`: one where a name is given, all of them, from every page, where it is not, and none
/// where there are none. With `query` it also has `result`.
///
/// ```yaml
/// - name: Which machines of the shop are not in Western Europe?
///   davit.azure.resource_info:
///     resource_group: shop
///     resource_type: Microsoft.Compute/virtualMachines
///     query: "[?location != 'westeurope'].name"
///   register: elsewhere
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Parameters of the question: `{$expand: instanceView}`.
    #[serde(default)]
    parameters: Option<Map<String, Value>>,
    /// An expression of JMESPath: what it finds in `resources` is `result`.
    #[serde(default)]
    query: Option<String>,
    /// Only resources with these tags. A tag without a value may have any.
    #[serde(default)]
    tags: Option<Map<String, Value>>,
    #[serde(flatten)]
    place: Place,
    #[serde(flatten)]
    login: Login,
}

/// `davit.azure.resource_info`.
pub(crate) struct ResourceInfo;

impl Module for ResourceInfo {
    const NAME: &'static str = "davit.azure.resource_info";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let wanted = Wanted::read(args.query.as_deref())?;
        let (arm, target) = Arm::at(control, &args.login, &args.place).await?;
        let said: Vec<(String, String)> = args
            .parameters
            .iter()
            .flatten()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        let mut params = target.query();
        params.extend(said.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let failed = |it| failure(&format!("GET {}", target.id.path), &it);
        let mut resources = match arm.ask(&Ask::get(&target.path, &params)).await {
            Err(error) if error.is_missing() => Vec::new(),
            Err(error) => return Err(failed(error)),
            Ok(answer) if target.id.is_collection() && answer.json["value"].is_array() => {
                arm.rest(answer).await.map_err(failed)?
            }
            Ok(answer) => vec![answer.json],
        };
        resources.retain(|it| has(it, args.tags.as_ref()));
        let resources = Value::Array(resources);
        SECRETS.cover(control, &resources, false);
        let mut outcome = Outcome::new().with("resources", &resources);
        if wanted.is_said() {
            outcome.set("result", wanted.of(resources)?);
        }
        Ok(outcome)
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether a resource has all of these tags. Names of tags have no case, their values do.
fn has(resource: &Value, tags: Option<&Map<String, Value>>) -> bool {
    let own = resource.get("tags").and_then(Value::as_object);
    tags.into_iter().flatten().all(|(name, value)| {
        let found = own.into_iter().flatten().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.is_some_and(|(_, own)| {
            *value == json!("") || value.is_null() || text(own) == text(value)
        })
    })
}
