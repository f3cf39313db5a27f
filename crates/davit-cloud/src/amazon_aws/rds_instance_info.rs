//! `amazon.aws.rds_instance_info`: what is known of database instances of RDS.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/amazon/aws/rds_instance_info_module.html>

use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::aws::database::{self, Rds};
use crate::aws::filters;
use crate::aws::login::Login;

/// Find out about database instances of RDS.
///
/// `instances` of the result is a list, which is empty where there are none.
///
/// ```yaml
/// - amazon.aws.rds_instance_info:
///     filters: {engine: postgres}
///   register: found
/// - ansible.builtin.debug:
///     msg: "{{ found.instances | map(attribute='endpoint.address') }}"
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The instance's name. Without it, all instances.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["id"]))]
    db_instance_identifier: Option<String>,
    /// Only such instances: names and values of DescribeDBInstances.
    #[serde(default)]
    filters: Option<Map<String, Json>>,
    #[serde(flatten)]
    login: Login,
}

/// `amazon.aws.rds_instance_info`.
pub(crate) struct RdsInstanceInfo;

impl Module for RdsInstanceInfo {
    const NAME: &'static str = "amazon.aws.rds_instance_info";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.rds_instance_info"];
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let rds = Rds::new(control, &args.login)?;
        let mut params = json!({});
        if let Some(id) = &args.db_instance_identifier {
            params["DBInstanceIdentifier"] = json!(id);
        }
        if let Some(filters) = &args.filters {
            params["Filters"] = filters::list(filters).to_json();
        }
        let found = rds.instances(params).await?;
        let told: Vec<Json> = found.iter().map(database::shown).collect();
        Ok(rds.told(Outcome::new().with("instances", told), None))
    }
}
