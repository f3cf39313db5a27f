//! `amazon.aws.ec2_instance_info`: which instances there are.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/amazon/aws/ec2_instance_info_module.html>

use std::time::{SystemTime, UNIX_EPOCH};

use davit_aws::value::Value;
use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::aws::client::Aws;
use crate::aws::login::Login;
use crate::aws::{filters, instances, names, parts};

/// Find out which instances EC2 has, and all that it says of them.
///
/// The result has them under `instances`. An instance that is gone is still told of for about an hour.
///
/// ```yaml
/// - name: Which web servers have run for more than a day?
///   amazon.aws.ec2_instance_info:
///     filters: {'tag:role': web, instance-state-name: running}
///     minimum_uptime: 1440
///   register: web
/// - ansible.builtin.debug:
///     msg: "{{ web.instances | map(attribute='private_ip_address') }}"
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Only those that these find: names and values of DescribeInstances. Case counts.
    #[serde(default)]
    filters: Map<String, Json>,
    /// Tell these attributes of each instance too, under its `attributes`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["attributes"]))]
    include_attributes: Vec<Attribute>,
    /// Only those with these ids; an unknown one is an error.
    #[serde(default)]
    instance_ids: Vec<String>,
    /// Only those that were started at least so many minutes ago.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["uptime"]))]
    minimum_uptime: Option<i64>,
    #[serde(flatten)]
    login: Login,
}

/// What EC2 keeps of an instance and tells only where it is asked for it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Attribute {
    /// The instance type.
    InstanceType,
    /// The kernel.
    Kernel,
    /// The RAM disk.
    Ramdisk,
    /// The user data, in base64.
    UserData,
    /// Whether it is protected from termination.
    DisableApiTermination,
    /// Whether it stops or terminates when it shuts down by itself.
    InstanceInitiatedShutdownBehavior,
    /// The device of the root volume.
    RootDeviceName,
    /// The volumes.
    BlockDeviceMapping,
    /// The product codes.
    ProductCodes,
    /// Whether packets that are not for it are dropped.
    SourceDestCheck,
    /// The security groups.
    GroupSet,
    /// Whether it is optimised for volumes.
    EbsOptimized,
    /// Enhanced networking by Intel's virtual functions.
    SriovNetSupport,
    /// Whether it is made for enclaves.
    EnclaveOptions,
    /// Whether it is protected from being stopped.
    DisableApiStop,
}

/// `amazon.aws.ec2_instance_info`.
pub(crate) struct Ec2InstanceInfo;

impl Module for Ec2InstanceInfo {
    const NAME: &'static str = "amazon.aws.ec2_instance_info";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.ec2_instance_info"];
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let wanted = filters::list(&args.filters);
        let mut found = instances::find(&aws, &args.instance_ids, wanted).await?;
        if let Some(minutes) = args.minimum_uptime {
            let latest = now().saturating_sub(minutes.saturating_mul(60));
            found.retain(|it| launched(it).is_some_and(|at| at <= latest));
        }
        let mut all = Vec::with_capacity(found.len());
        for instance in &found {
            let mut shown = parts::shown(instance);
            if !args.include_attributes.is_empty() {
                let id = instances::id(instance);
                shown["attributes"] = attributes(&aws, id, &args.include_attributes).await?;
            }
            all.push(shown);
        }
        Ok(aws.tell(Outcome::new().with("instances", all)))
    }
}

/// When it was started, in seconds of Unix.
fn launched(instance: &Value) -> Option<i64> {
    match instance.get("LaunchTime")? {
        Value::Timestamp(at) => Some(at.as_second()),
        _ => None,
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The attributes by name. EC2 tells one at a time.
async fn attributes(aws: &Aws, id: &str, wanted: &[Attribute]) -> Result<Json, ModuleError> {
    let mut all = Map::new();
    for attribute in wanted {
        let params = json!({"InstanceId": id, "Attribute": attribute});
        let answer = aws.call("ec2", "DescribeInstanceAttribute", params).await?;
        let told = names::snake_all(Value::Map(answer).to_json(), &[]);
        if let Json::Object(told) = told {
            all.extend(told.into_iter().filter(|(_, it)| !it.is_null()));
        }
    }
    Ok(all.into())
}
