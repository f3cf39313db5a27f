//! The names of instances, by what a file prefers: attributes by the names that EC2 has for filters,
//! tags, fixed texts, and filters of templates behind them.

use davit_module::ModuleError;
use davit_value::{Map, Value};
use serde_json::Value as Json;

use super::Evaluate;
use super::data::tags;

/// The names that instances have where a file prefers none.
pub(super) const USUAL: [&str; 2] = ["dns-name", "private-dns-name"];

/// A name that is preferred.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Preference {
    name: String,
    prefix: String,
    separator: String,
}

impl Preference {
    /// As it is written: a text, or a map with `name`, `prefix` and `separator`.
    ///
    /// # Errors
    /// For anything else.
    pub(super) fn of(written: &Json) -> Result<Self, ModuleError> {
        let text = |name: &str| {
            let value = written.get(name).filter(|it| !it.is_null());
            value.map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned))
        };
        let plain = |name: String| Self { name, prefix: String::new(), separator: String::new() };
        match written {
            Json::String(name) => Ok(plain(name.clone())),
            Json::Number(name) => Ok(plain(name.to_string())),
            Json::Object(map) => {
                let known = ["name", "prefix", "separator"];
                if let Some(odd) = map.keys().find(|it| !known.contains(&it.as_str())) {
                    let text = format!("a hostname has name, prefix and separator, not '{odd}'");
                    return Err(ModuleError::failed(text));
                }
                let name = text("name").filter(|it| !it.is_empty()).ok_or_else(|| {
                    ModuleError::failed("a hostname that is a dictionary needs a name")
                })?;
                Ok(Self {
                    name,
                    prefix: text("prefix").unwrap_or_default(),
                    separator: text("separator").unwrap_or_else(|| "_".to_owned()),
                })
            }
            other => Err(ModuleError::failed(format!(
                "a hostname is a text or a dictionary, not {other}"
            ))),
        }
    }

    /// The names that it gives an instance.
    ///
    /// # Errors
    /// For a filter that fails.
    pub(super) fn names(
        &self,
        instance: &Json,
        evaluate: &Evaluate<'_>,
    ) -> Result<Vec<String>, ModuleError> {
        let names = values(&self.name, instance, evaluate)?;
        if self.prefix.is_empty() || names.is_empty() {
            return Ok(names);
        }
        let before = values(&self.prefix, instance, evaluate)?;
        let name = names.into_iter().next().unwrap_or_default();
        Ok(vec![match before.first() {
            Some(before) => format!("{before}{}{name}", self.separator),
            None => name,
        }])
    }
}

/// What is written for an instance, without the empty ones.
fn values(
    written: &str,
    instance: &Json,
    evaluate: &Evaluate<'_>,
) -> Result<Vec<String>, ModuleError> {
    let (name, filters) = match written.split_once('|') {
        Some((name, filters)) => (name.trim(), Some(filters)),
        None => (written, None),
    };
    let mut found = if let Some(wanted) = name.strip_prefix("tag:") {
        tagged(wanted, instance)
    } else if let Some((_, path)) = ATTRIBUTES.iter().find(|(it, _)| *it == name) {
        first_text(instance, path).map(str::to_owned).into_iter().collect()
    } else if NOT_TEXTS.contains(&name) {
        Vec::new()
    } else {
        vec![name.to_owned()]
    };
    if let Some(filters) = filters {
        for value in &mut found {
            let mut names = Map::new();
            names.insert("hostname", Value::from(value.as_str()));
            let expression = format!("hostname | {filters}");
            *value = evaluate(&expression, &names).map_err(ModuleError::failed)?.to_str();
        }
    }
    found.retain(|it| !it.is_empty());
    Ok(found)
}

/// `Name`: the value of the tag. `Name=x`: `Name_x`, where it is that. More with commas between them.
fn tagged(wanted: &str, instance: &Json) -> Vec<String> {
    let tags = tags(instance.get("Tags"));
    let value = |name: &str| tags.get(name).and_then(Json::as_str);
    let one = |wanted: &str| match (value(wanted), wanted.split_once('=')) {
        (Some(value), _) => Some(value.to_owned()),
        (None, Some((name, is))) => (value(name)? == is).then(|| format!("{name}_{is}")),
        (None, None) => None,
    };
    // A comma may be part of a name.
    match value(wanted) {
        Some(value) => vec![value.to_owned()],
        None => wanted.split(',').filter_map(|it| one(it.trim())).collect(),
    }
}

/// The first text on the way, through whatever lists are there.
fn first_text<'j>(at: &'j Json, path: &str) -> Option<&'j str> {
    match (at, path.split_once('.')) {
        (Json::Array(items), _) => items.iter().find_map(|it| first_text(it, path)),
        (at, Some((name, rest))) => first_text(at.get(name)?, rest),
        (at, None) if path.is_empty() => at.as_str(),
        (at, None) => match at.get(path)? {
            Json::Array(items) => items.iter().find_map(|it| first_text(it, "")),
            found => found.as_str(),
        },
    }
    .filter(|it| !it.is_empty())
}

/// The filters of `DescribeInstances` that are texts, and where an instance has them.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("affinity", "Placement.Affinity"),
    ("architecture", "Architecture"),
    ("availability-zone", "Placement.AvailabilityZone"),
    ("block-device-mapping.device-name", "BlockDeviceMappings.DeviceName"),
    ("block-device-mapping.status", "BlockDeviceMappings.Ebs.Status"),
    ("block-device-mapping.volume-id", "BlockDeviceMappings.Ebs.VolumeId"),
    ("client-token", "ClientToken"),
    ("dns-name", "PublicDnsName"),
    ("group-id", "SecurityGroups.GroupId"),
    ("group-name", "SecurityGroups.GroupName"),
    ("host-id", "Placement.HostId"),
    ("hypervisor", "Hypervisor"),
    ("iam-instance-profile.arn", "IamInstanceProfile.Arn"),
    ("iam-instance-profile.id", "IamInstanceProfile.Id"),
    ("image-id", "ImageId"),
    ("instance-id", "InstanceId"),
    ("instance-lifecycle", "InstanceLifecycle"),
    ("instance-state-name", "State.Name"),
    ("instance-type", "InstanceType"),
    ("instance.group-id", "SecurityGroups.GroupId"),
    ("instance.group-name", "SecurityGroups.GroupName"),
    ("ip-address", "PublicIpAddress"),
    ("ipv6-address", "NetworkInterfaces.Ipv6Addresses.Ipv6Address"),
    ("kernel-id", "KernelId"),
    ("key-name", "KeyName"),
    ("monitoring-state", "Monitoring.State"),
    (
        "network-interface.addresses.association.ip-owner-id",
        "NetworkInterfaces.PrivateIpAddresses.Association.IpOwnerId",
    ),
    (
        "network-interface.addresses.association.public-ip",
        "NetworkInterfaces.PrivateIpAddresses.Association.PublicIp",
    ),
    (
        "network-interface.addresses.private-ip-address",
        "NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress",
    ),
    ("network-interface.association.ip-owner-id", "NetworkInterfaces.Association.IpOwnerId"),
    ("network-interface.association.public-ip", "NetworkInterfaces.Association.PublicIp"),
    ("network-interface.attachment.attachment-id", "NetworkInterfaces.Attachment.AttachmentId"),
    ("network-interface.attachment.status", "NetworkInterfaces.Attachment.Status"),
    ("network-interface.description", "NetworkInterfaces.Description"),
    ("network-interface.group-id", "NetworkInterfaces.Groups.GroupId"),
    ("network-interface.group-name", "NetworkInterfaces.Groups.GroupName"),
    (
        "network-interface.ipv6-addresses.ipv6-address",
        "NetworkInterfaces.Ipv6Addresses.Ipv6Address",
    ),
    ("network-interface.mac-address", "NetworkInterfaces.MacAddress"),
    ("network-interface.network-interface-id", "NetworkInterfaces.NetworkInterfaceId"),
    ("network-interface.owner-id", "NetworkInterfaces.OwnerId"),
    ("network-interface.private-dns-name", "NetworkInterfaces.PrivateDnsName"),
    ("network-interface.status", "NetworkInterfaces.Status"),
    ("network-interface.subnet-id", "NetworkInterfaces.SubnetId"),
    ("network-interface.vpc-id", "NetworkInterfaces.VpcId"),
    ("outpost-arn", "OutpostArn"),
    ("owner-id", "OwnerId"),
    ("placement-group-name", "Placement.GroupName"),
    ("platform", "Platform"),
    ("platform-details", "PlatformDetails"),
    ("private-dns-name", "PrivateDnsName"),
    ("private-ip-address", "PrivateIpAddress"),
    ("product-code", "ProductCodes.ProductCodeId"),
    ("product-code.type", "ProductCodes.ProductCodeType"),
    ("ramdisk-id", "RamdiskId"),
    ("reason", "StateTransitionReason"),
    ("requester-id", "RequesterId"),
    ("reservation-id", "ReservationId"),
    ("root-device-name", "RootDeviceName"),
    ("root-device-type", "RootDeviceType"),
    ("spot-instance-request-id", "SpotInstanceRequestId"),
    ("state-reason-code", "StateReason.Code"),
    ("state-reason-message", "StateReason.Message"),
    ("subnet-id", "SubnetId"),
    ("tag-key", "Tags.Key"),
    ("tenancy", "Placement.Tenancy"),
    ("virtualization-type", "VirtualizationType"),
    ("vpc-id", "VpcId"),
];

/// Filters of what is not text, which gives no names.
const NOT_TEXTS: &[&str] = &[
    "block-device-mapping.attach-time",
    "block-device-mapping.delete-on-termination",
    "hibernation-options.configured",
    "instance-state-code",
    "launch-index",
    "launch-time",
    "network-interface.addresses.primary",
    "network-interface.attachment.attach-time",
    "network-interface.attachment.delete-on-termination",
    "network-interface.attachment.device-index",
    "network-interface.requester-managed",
    "network-interface.source-dest-check",
    "placement-partition-number",
    "source-dest-check",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(written: Json, expect: &[&str]) {
        let instance = json!({
            "InstanceId": "i-1",
            "PublicDnsName": "",
            "Placement": {"AvailabilityZone": "us-east-1a"},
            "NetworkInterfaces": [{"Groups": []}, {"Groups": [{"GroupId": "sg-1"}]}],
            "State": {"Code": 16, "Name": "running"},
            "Tags": [
                {"Key": "Name", "Value": "web 1"},
                {"Key": "Environment", "Value": "qa"},
                {"Key": "Empty", "Value": ""},
                {"Key": "a,b", "Value": "comma"},
            ],
        });
        let upper = |expression: &str, names: &Map| {
            assert_eq!(expression, "hostname |  upper");
            Ok(names.get("hostname").unwrap().to_str().to_uppercase().into())
        };
        let names = Preference::of(&written).unwrap().names(&instance, &upper).unwrap();
        assert_eq!(names, expect, "{written}");
    }

    #[test]
    fn names_come_from_attributes_tags_and_fixed_texts() {
        check(json!("instance-id"), &["i-1"]);
        check(json!("availability-zone"), &["us-east-1a"]);
        check(json!("network-interface.group-id"), &["sg-1"]);
        check(json!("dns-name"), &[]);
        check(json!("key-name"), &[]);
        check(json!("instance-state-code"), &[]);
        check(json!("public-ip-address"), &["public-ip-address"]);
        check(json!("tag:Name"), &["web 1"]);
        check(json!("tag:Empty"), &[]);
        check(json!("tag:Nope"), &[]);
        check(json!("tag:a,b"), &["comma"]);
        check(json!("tag:Name,Environment"), &["web 1", "qa"]);
        check(json!("tag:Name=web 1,Environment=dev"), &["Name_web 1"]);
        check(json!("tag:Name | upper"), &["WEB 1"]);
        check(json!("tag:Nope | upper"), &[]);
    }

    #[test]
    fn prefixes_stand_before_the_first_name() {
        check(json!({"name": "instance-id", "prefix": "tag:Environment"}), &["qa_i-1"]);
        let name = json!({"name": "tag:Name,Environment", "prefix": "aws", "separator": ""});
        check(name, &["awsweb 1"]);
        check(json!({"name": "instance-id", "prefix": "tag:Nope"}), &["i-1"]);
        check(json!({"name": "tag:Nope", "prefix": "aws"}), &[]);
        check(
            json!({"name": "tag:Name | upper", "prefix": "tag:Environment | upper"}),
            &["QA_WEB 1"],
        );
    }

    #[test]
    fn what_is_no_preference_is_refused() {
        for written in [json!({"prefix": "x"}), json!({"nmae": "x"}), json!(["x"]), json!(true)] {
            assert!(Preference::of(&written).is_err(), "{written}");
        }
    }
}
