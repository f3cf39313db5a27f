//! The data of launch templates: as a task writes it, as operations take it, and whether a version has it.
//!
//! It calls nothing.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::instance_settings::{Credits, Shutdown};
use super::launch::{MetadataOptions, Placement, Volume};
use super::shapes::said;

/// What instances are launched with: flatten it into a module's arguments.
#[derive(Clone, Deserialize, JsonSchema)]
pub struct LaunchData {
    /// The volumes, and where they appear.
    #[serde(default)]
    pub block_device_mappings: Option<Vec<Volume>>,
    /// How many cores are used, and how.
    #[serde(default)]
    pub cpu_options: Option<Cpu>,
    /// Whether more credits than are left may be bought.
    #[serde(default)]
    pub credit_specification: Option<CreditSpecification>,
    /// Whether instances are protected from termination.
    #[serde(default)]
    pub disable_api_termination: Option<bool>,
    /// Optimise for volumes.
    #[serde(default)]
    pub ebs_optimized: Option<bool>,
    /// Elastic GPUs.
    #[serde(default)]
    pub elastic_gpu_specifications: Option<Vec<Gpu>>,
    /// The instance profile, by name or ARN.
    #[serde(default)]
    pub iam_instance_profile: Option<String>,
    /// The image.
    #[serde(default)]
    pub image_id: Option<String>,
    /// What becomes of an instance when it shuts down by itself.
    #[serde(default)]
    pub instance_initiated_shutdown_behavior: Option<Shutdown>,
    /// How instances are bought.
    #[serde(default)]
    pub instance_market_options: Option<Market>,
    /// `t3.micro` ...
    #[serde(default)]
    pub instance_type: Option<String>,
    /// The kernel.
    #[serde(default)]
    pub kernel_id: Option<String>,
    /// The key pair.
    #[serde(default)]
    pub key_name: Option<String>,
    /// How instances get at their metadata.
    #[serde(default)]
    pub metadata_options: Option<MetadataOptions>,
    /// Whether instances are measured every minute.
    #[serde(default)]
    pub monitoring: Option<Monitoring>,
    /// The network interfaces.
    #[serde(default)]
    pub network_interfaces: Option<Vec<NetworkInterface>>,
    /// Where instances stand.
    #[serde(default)]
    pub placement: Option<Placement>,
    /// The RAM disk.
    #[serde(default)]
    pub ram_disk_id: Option<String>,
    /// The ids of security groups.
    #[serde(default)]
    pub security_group_ids: Option<Vec<String>>,
    /// The names of security groups, in a default network.
    #[serde(default)]
    pub security_groups: Option<Vec<String>>,
    /// The tags of what a launch makes.
    #[serde(default)]
    pub tag_specifications: Option<Vec<TagSpecification>>,
    /// What an instance reads when it starts, in Base64.
    #[serde(default)]
    pub user_data: Option<String>,
}

/// User data may have secrets.
impl fmt::Debug for LaunchData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaunchData").field("image_id", &self.image_id).finish_non_exhaustive()
    }
}

/// How many cores are used, and how.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"))]
pub struct Cpu {
    /// Cores.
    #[serde(default)]
    pub core_count: Option<i64>,
    /// Threads of each: 1 turns hyper-threading off.
    #[serde(default)]
    pub threads_per_core: Option<i64>,
}

/// Whether credits may be bought.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"))]
pub struct CreditSpecification {
    /// Whether they may.
    #[serde(default)]
    pub cpu_credits: Option<Credits>,
}

/// An Elastic GPU.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"))]
pub struct Gpu {
    /// Its type.
    #[serde(default, rename(serialize = "Type", deserialize = "type"))]
    pub kind: Option<String>,
}

/// How instances are bought.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"))]
pub struct Market {
    /// `spot`.
    #[serde(default)]
    pub market_type: Option<String>,
    /// What is said of spot instances.
    #[serde(default)]
    pub spot_options: Option<Spot>,
}

/// What is said of spot instances.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"))]
pub struct Spot {
    /// For so many minutes; a multiple of 60.
    #[serde(default)]
    pub block_duration_minutes: Option<i64>,
    /// What becomes of one that is taken away.
    #[serde(default)]
    #[schemars(extend("x-choices" = ["hibernate", "stop", "terminate"]))]
    pub instance_interruption_behavior: Option<String>,
    /// The highest price of an hour.
    #[serde(default)]
    pub max_price: Option<String>,
    /// Whether it is asked for again.
    #[serde(default)]
    #[schemars(extend("x-choices" = ["one-time", "persistent"]))]
    pub spot_instance_type: Option<String>,
}

/// Whether instances are measured every minute.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"))]
pub struct Monitoring {
    /// Whether they are.
    #[serde(default)]
    pub enabled: Option<bool>,
}

/// A network interface of a launch.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"))]
pub struct NetworkInterface {
    /// Give it a public address.
    #[serde(default)]
    pub associate_public_ip_address: Option<bool>,
    /// Remove it together with the instance.
    #[serde(default)]
    pub delete_on_termination: Option<bool>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Its place; 0 is the first.
    #[serde(default)]
    pub device_index: Option<i64>,
    /// The ids of its security groups.
    #[serde(default)]
    pub groups: Option<Vec<String>>,
    /// So many addresses of IPv6.
    #[serde(default)]
    pub ipv6_address_count: Option<i64>,
    /// Its addresses of IPv6.
    #[serde(default, serialize_with = "addresses")]
    pub ipv6_addresses: Option<Vec<String>>,
    /// The id of one that is there.
    #[serde(default)]
    pub network_interface_id: Option<String>,
    /// Its address of IPv4.
    #[serde(default)]
    pub private_ip_address: Option<String>,
    /// The subnet.
    #[serde(default)]
    pub subnet_id: Option<String>,
}

#[expect(clippy::ref_option, reason = "what serde asks for")]
fn addresses<S: serde::Serializer>(all: &Option<Vec<String>>, to: S) -> Result<S::Ok, S::Error> {
    let shown = |it: &String| json!({"Ipv6Address": it});
    all.as_ref().map(|all| all.iter().map(shown).collect::<Vec<_>>()).serialize(to)
}

/// The tags of a kind of thing that a launch makes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct TagSpecification {
    /// The kind of thing.
    #[serde(default = "instance")]
    #[schemars(extend(
        "x-choices" = ["instance", "volume", "network-interface", "spot-instances-request"]
    ))]
    pub resource_type: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Option<Map<String, Json>>,
}

fn instance() -> String {
    "instance".to_owned()
}

impl LaunchData {
    /// As operations take it, without what the task does not say.
    #[must_use]
    pub fn request(&self) -> Json {
        let profile = self.iam_instance_profile.as_ref().map(|it| {
            let key = if it.starts_with("arn:") { "Arn" } else { "Name" };
            Json::from_iter([(key, it.as_str())])
        });
        let text = |it: &Json| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
        let tags = self.tag_specifications.as_ref().map(|all| {
            let shown = |it: &TagSpecification| {
                let tags = it.tags.iter().flatten();
                let tags: BTreeMap<&String, String> =
                    tags.map(|(key, it)| (key, text(it))).collect();
                let tags = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
                json!({"ResourceType": it.resource_type, "Tags": tags.collect::<Vec<_>>()})
            };
            all.iter().map(shown).collect::<Vec<_>>()
        });
        said(json!({
            "BlockDeviceMappings": self.block_device_mappings,
            "CpuOptions": self.cpu_options,
            "CreditSpecification": self.credit_specification,
            "DisableApiTermination": self.disable_api_termination,
            "EbsOptimized": self.ebs_optimized,
            "ElasticGpuSpecifications": self.elastic_gpu_specifications,
            "IamInstanceProfile": profile,
            "ImageId": self.image_id,
            "InstanceInitiatedShutdownBehavior": self.instance_initiated_shutdown_behavior,
            "InstanceMarketOptions": self.instance_market_options,
            "InstanceType": self.instance_type,
            "KernelId": self.kernel_id,
            "KeyName": self.key_name,
            "MetadataOptions": self.metadata_options,
            "Monitoring": self.monitoring,
            "NetworkInterfaces": self.network_interfaces,
            "Placement": self.placement,
            "RamDiskId": self.ram_disk_id,
            "SecurityGroupIds": self.security_group_ids,
            "SecurityGroups": self.security_groups,
            "TagSpecifications": tags,
            "UserData": self.user_data,
        }))
    }
}

/// The data without what may be secret, for `--diff`.
#[must_use]
pub fn shown(data: &Json) -> Json {
    let mut shown = data.clone();
    if let Some(map) = shown.as_object_mut() {
        map.remove("UserData");
    }
    shown
}

/// Whether a version has all that is asked for, and beyond it what the version has that it was to be made from.
#[must_use]
pub fn is_same(latest: &Json, source: &Json, asked: &Json) -> bool {
    let rest = |data: &Json| -> Map<String, Json> {
        let all = data.as_object().into_iter().flatten();
        let all = all.filter(|(name, it)| asked.get(name.as_str()).is_none() && !it.is_null());
        all.map(|(name, it)| (name.clone(), it.clone())).collect()
    };
    covers(&plain(latest), &plain(asked)) && rest(latest) == rest(source)
}

/// The data so that equal ones are the same: instance profiles by name, tags in order.
fn plain(data: &Json) -> Json {
    let mut data = data.clone();
    let Some(map) = data.as_object_mut() else { return data };
    if let Some(profile) = map.get_mut("IamInstanceProfile") {
        let name = profile["Arn"].as_str().and_then(|it| it.rsplit('/').next());
        if let Some(name) = name.map(str::to_owned) {
            *profile = json!({"Name": name});
        }
    }
    if let Some(Json::Array(kinds)) = map.get_mut("TagSpecifications") {
        for kind in kinds.iter_mut().filter_map(Json::as_object_mut) {
            if let Some(Json::Array(tags)) = kind.get_mut("Tags") {
                tags.sort_by_cached_key(|it| it["Key"].to_string());
            }
        }
        kinds.sort_by_cached_key(|it| it["ResourceType"].to_string());
    }
    data
}

/// Whether what is there has all that is asked for; EC2 may say more than it was told.
fn covers(there: &Json, asked: &Json) -> bool {
    match (there, asked) {
        (Json::Object(there), Json::Object(asked)) => asked
            .iter()
            .all(|(name, asked)| there.get(name).is_some_and(|there| covers(there, asked))),
        (Json::Array(there), Json::Array(asked)) => {
            there.len() == asked.len()
                && there.iter().zip(asked).all(|(one, other)| covers(one, other))
        }
        (Json::Null, Json::Array(asked)) => asked.is_empty(),
        (there, asked) => there == asked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(json: Json) -> LaunchData {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn what_a_task_writes_is_said_in_the_words_of_ec2() {
        let given = data(json!({
            "iam_instance_profile": "web",
            "network_interfaces": [{"device_index": 0, "ipv6_addresses": ["::1"]}],
            "elastic_gpu_specifications": [{"type": "eg1.medium"}],
            "tag_specifications": [{"tags": {"b": 1, "a": "x"}}],
            "user_data": "c2VjcmV0",
        }));
        let expect = json!({
            "IamInstanceProfile": {"Name": "web"},
            "NetworkInterfaces": [{"DeviceIndex": 0, "Ipv6Addresses": [{"Ipv6Address": "::1"}]}],
            "ElasticGpuSpecifications": [{"Type": "eg1.medium"}],
            "TagSpecifications": [
                {"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "x"}, {"Key": "b", "Value": "1"}]},
            ],
            "UserData": "c2VjcmV0",
        });
        assert_eq!(given.request(), expect);
        assert!(shown(&given.request()).get("UserData").is_none());
        assert!(!format!("{given:?}").contains("c2VjcmV0"));
    }

    #[test]
    fn a_version_is_the_same_where_it_has_what_is_asked_for() {
        let latest = json!({
            "ImageId": "ami-1", "InstanceType": "t3.micro",
            "IamInstanceProfile": {"Arn": "arn:aws:iam::1:instance-profile/web"},
            "MetadataOptions": {"State": "pending", "HttpTokens": "required"},
        });
        let asked = json!({"IamInstanceProfile": {"Name": "web"}, "MetadataOptions": {"HttpTokens": "required"}});
        assert!(is_same(&latest, &latest, &asked));
        assert!(is_same(&latest, &latest, &json!({})));
        assert!(!is_same(&latest, &latest, &json!({"ImageId": "ami-2"})));
        assert!(!is_same(&latest, &latest, &json!({"KeyName": "k"})));
        let source = json!({"ImageId": "ami-1"});
        assert!(!is_same(&latest, &source, &asked));
        assert!(is_same(&source, &json!({"ImageId": "ami-0"}), &source));
    }
}
