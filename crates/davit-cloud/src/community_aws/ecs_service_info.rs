//! `community.aws.ecs_service_info`: what is known of services of the Elastic Container Service.
//!
//! Source:
//! <https://docs.ansible.com/ansible/latest/collections/community/aws/ecs_service_info_module.html>

use davit_aws::value::Value;
use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::aws::args::yes;
use crate::aws::client::Aws;
use crate::aws::login::Login;

/// Find out about services of ECS.
///
/// `services` of the result are their ARNs, or with `details` what AWS says of each, by AWS's names. Those that are not
/// there are under `services_not_running`.
///
/// ```yaml
/// - community.aws.ecs_service_info:
///     cluster: shop
///     service: web
///     details: true
///   register: web
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The cluster, by name or ARN; the one called `default` without it.
    #[serde(default)]
    cluster: Option<String>,
    /// Tell all that is known of them.
    #[serde(default)]
    details: bool,
    /// And what happened to them.
    #[serde(default = "yes")]
    events: bool,
    /// Which services, by name or ARN; all of the cluster without it. Only with `details`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["name"]))]
    service: Option<Vec<String>>,
    #[serde(flatten)]
    login: Login,
}

/// ECS describes no more at once.
const AT_ONCE: usize = 10;

/// `community.aws.ecs_service_info`.
pub(crate) struct EcsServiceInfo;

impl Module for EcsServiceInfo {
    const NAME: &'static str = "community.aws.ecs_service_info";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let outcome = match &args.service {
            Some(names) if args.details => args.describe(&aws, names).await?,
            _ => {
                let arns = args.arns(&aws).await?;
                if args.details {
                    args.describe(&aws, &arns).await?
                } else {
                    Outcome::new().with("services", arns)
                }
            }
        };
        Ok(aws.tell(outcome))
    }
}

impl Args {
    async fn arns(&self, aws: &Aws) -> Result<Vec<String>, ModuleError> {
        let found = aws.all("ecs", "ListServices", json!({"cluster": self.cluster})).await?;
        let arns = found.get("serviceArns").map(Value::items).unwrap_or_default();
        Ok(arns.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect())
    }

    async fn describe(&self, aws: &Aws, names: &[String]) -> Result<Outcome, ModuleError> {
        let (mut services, mut missing) = (Vec::new(), Vec::new());
        for some in names.chunks(AT_ONCE) {
            let params = json!({"cluster": self.cluster, "services": some});
            let mut found =
                Value::Map(aws.call("ecs", "DescribeServices", params).await?).to_json();
            let mut take = |name: &str| found[name].take().as_array().cloned().unwrap_or_default();
            services.extend(take("services"));
            missing.extend(take("failures"));
        }
        if !self.events {
            for service in services.iter_mut().filter_map(Json::as_object_mut) {
                service.remove("events");
            }
        }
        let outcome = Outcome::new().with("services", services);
        Ok(if missing.is_empty() { outcome } else { outcome.with("services_not_running", missing) })
    }
}
