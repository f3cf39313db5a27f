//! What a launch of instances is told, in a task's words and in EC2's: the shapes that modules for
//! instances and for launch templates share. Where it runs: subnets and security groups by name.
//!
//! What a task writes as `http_tokens`, EC2 takes as `HttpTokens`: each struct here is read with
//! the one and written with the other. What the task leaves out is null, which is not sent.

use davit_aws::value::Value;
use davit_module::ModuleError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::args::{Switch, yes};
use super::client::Aws;
use super::parts;

/// A volume, and where it appears.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"))]
pub struct Volume {
    /// The device: `/dev/sdf`.
    #[serde(default)]
    pub device_name: Option<String>,
    /// One of the host's own disks: `ephemeral0`.
    #[serde(default)]
    pub virtual_name: Option<String>,
    /// Leave out this device of the image: an empty text.
    #[serde(default)]
    pub no_device: Option<String>,
    /// What the volume is like.
    #[serde(default)]
    pub ebs: Option<Ebs>,
}

/// What a volume is like.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"))]
pub struct Ebs {
    /// Whether it goes with the instance.
    #[serde(default)]
    pub delete_on_termination: Option<bool>,
    /// Whether it is encrypted.
    #[serde(default)]
    pub encrypted: Option<bool>,
    /// Operations a second.
    #[serde(default)]
    pub iops: Option<i64>,
    /// The key that it is encrypted with.
    #[serde(default)]
    pub kms_key_id: Option<String>,
    /// The snapshot that it is made from.
    #[serde(default)]
    pub snapshot_id: Option<String>,
    /// MiB a second.
    #[serde(default)]
    pub throughput: Option<i64>,
    /// GiB.
    #[serde(default)]
    pub volume_size: Option<i64>,
    /// `gp3`, `io2` ...
    #[serde(default)]
    pub volume_type: Option<String>,
}

/// How many cores are used, and how.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"))]
pub struct CpuOptions {
    /// Cores.
    pub core_count: i64,
    /// Threads of each: 1 turns hyper-threading off.
    #[schemars(extend("x-choices" = [1, 2]))]
    pub threads_per_core: i64,
}

/// Whether requests of metadata need a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tokens {
    /// They may have one.
    #[default]
    Optional,
    /// They need one.
    Required,
}

/// How an instance gets at its metadata.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"))]
pub struct MetadataOptions {
    /// Whether it can at all.
    #[serde(default = "enabled")]
    pub http_endpoint: Switch,
    /// Whether it can by IPv6.
    #[serde(default)]
    pub http_protocol_ipv6: Switch,
    /// How many hops an answer goes.
    #[serde(default = "one")]
    pub http_put_response_hop_limit: i64,
    /// Whether it needs a token: `required` = only version 2.
    #[serde(default)]
    pub http_tokens: Tokens,
    /// Whether its tags are among them.
    #[serde(default)]
    pub instance_metadata_tags: Switch,
}

fn enabled() -> Switch {
    Switch::Enabled
}

fn one() -> i64 {
    1
}

/// Where an instance stands.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"))]
pub struct Placement {
    /// How it holds to its dedicated host.
    #[serde(default)]
    pub affinity: Option<String>,
    /// The availability zone.
    #[serde(default)]
    pub availability_zone: Option<String>,
    /// The placement group.
    #[serde(default)]
    pub group_name: Option<String>,
    /// The dedicated host.
    #[serde(default)]
    pub host_id: Option<String>,
    /// The group of dedicated hosts.
    #[serde(default)]
    pub host_resource_group_arn: Option<String>,
    /// The part of the placement group.
    #[serde(default)]
    pub partition_number: Option<i64>,
    /// Whether others are on the same hardware.
    #[serde(default)]
    #[schemars(extend("x-choices" = ["dedicated", "default", "host"]))]
    pub tenancy: Option<String>,
}

/// A licence of AWS License Manager.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"))]
pub struct License {
    /// The ARN of its configuration.
    pub license_configuration_arn: String,
}

/// A network interface that a launch makes.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Interface {
    /// Give it a public address.
    #[serde(default, rename(serialize = "AssociatePublicIpAddress"))]
    pub assign_public_ip: Option<bool>,
    /// Remove it together with the instance.
    #[serde(default = "yes", rename(serialize = "DeleteOnTermination"))]
    pub delete_on_termination: bool,
    /// What it is for.
    #[serde(default, rename(serialize = "Description"))]
    pub description: Option<String>,
    /// Its place; 0 is the first.
    #[serde(default, rename(serialize = "DeviceIndex"))]
    pub device_index: i64,
    /// Its security groups, by id or name. Without them those of the instance.
    #[serde(default, rename(serialize = "Groups"))]
    pub groups: Option<Vec<String>>,
    /// Addresses of IPv6.
    #[serde(default, skip_serializing)]
    pub ipv6_addresses: Option<Vec<String>>,
    /// Its address of IPv4.
    #[serde(default, rename(serialize = "PrivateIpAddress"))]
    pub private_ip_address: Option<String>,
    /// Its addresses of IPv4, one of them the primary one. Only for a single instance.
    #[serde(default, rename(serialize = "PrivateIpAddresses"))]
    pub private_ip_addresses: Option<Vec<PrivateAddress>>,
    /// The subnet. Without it that of the instance.
    #[serde(default, rename(serialize = "SubnetId"))]
    pub subnet_id: Option<String>,
}

/// An address of an interface.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"))]
pub struct PrivateAddress {
    /// Whether it is the one that the instance goes by.
    #[serde(default)]
    pub primary: Option<bool>,
    /// The address.
    pub private_ip_address: String,
}

impl Interface {
    /// As EC2 takes it, in this subnet and with these groups where it has none of its own.
    #[must_use]
    pub fn request(&self, subnet: Option<&str>, groups: &[String]) -> Json {
        let mut it = json!(self);
        let addresses = self.ipv6_addresses.iter().flatten();
        let addresses: Vec<Json> = addresses.map(|it| json!({"Ipv6Address": it})).collect();
        if !addresses.is_empty() {
            it["Ipv6Addresses"] = json!(addresses);
        }
        if self.subnet_id.is_none() {
            it["SubnetId"] = json!(subnet);
        }
        if !groups.is_empty() {
            it["Groups"] = json!(groups);
        }
        it
    }
}

/// The one network interface of an instance as older playbooks say it, or the ids of some.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Network {
    /// Give it a public address.
    #[serde(default)]
    pub assign_public_ip: Option<bool>,
    /// Remove it together with the instance.
    #[serde(default)]
    pub delete_on_termination: Option<bool>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Its place; 0 is the first.
    #[serde(default)]
    pub device_index: Option<i64>,
    /// Its security groups, by id or name.
    #[serde(default)]
    pub groups: Option<Vec<String>>,
    /// The ids of interfaces that are there, to be used instead.
    #[serde(default)]
    pub interfaces: Option<Vec<String>>,
    /// Addresses of IPv6.
    #[serde(default)]
    pub ipv6_addresses: Option<Vec<String>>,
    /// Its address of IPv4.
    #[serde(default)]
    pub private_ip_address: Option<String>,
    /// Its addresses of IPv4; the first is the primary one, unless `private_ip_address` is.
    #[serde(default)]
    pub private_ip_addresses: Option<Vec<String>>,
    /// Drop packets that are not for it.
    #[serde(default)]
    pub source_dest_check: Option<bool>,
    /// The subnet.
    #[serde(default)]
    pub subnet_id: Option<String>,
}

impl Network {
    /// The interfaces that are there already.
    #[must_use]
    pub fn ids(&self) -> Vec<InterfaceId> {
        let ids = self.interfaces.iter().flatten();
        (0..)
            .zip(ids)
            .map(|(device_index, id)| InterfaceId { device_index, id: id.clone() })
            .collect()
    }

    /// The interface to be made.
    #[must_use]
    pub fn interface(&self) -> Interface {
        let is_first = |at: usize| at == 0 && self.private_ip_address.is_none();
        let addresses = self.private_ip_addresses.as_ref().map(|all| {
            let address = |(at, it): (usize, &String)| PrivateAddress {
                primary: Some(is_first(at)),
                private_ip_address: it.clone(),
            };
            all.iter().enumerate().map(address).collect()
        });
        Interface {
            assign_public_ip: self.assign_public_ip,
            delete_on_termination: self.delete_on_termination.unwrap_or(true),
            description: self.description.clone(),
            device_index: self.device_index.unwrap_or(0),
            groups: self.groups.clone(),
            ipv6_addresses: self.ipv6_addresses.clone(),
            private_ip_address: self.private_ip_address.clone(),
            private_ip_addresses: addresses,
            subnet_id: self.subnet_id.clone(),
        }
    }
}

/// A network interface that is there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct InterfaceId {
    /// Its place; 0 is the first.
    #[serde(default)]
    pub device_index: i64,
    /// Its id.
    pub id: String,
}

/// Adds to a map what another has.
pub fn merge(one: &mut Json, other: Json) {
    if let (Json::Object(one), Json::Object(other)) = (one, other) {
        one.extend(other);
    }
}

/// A subnet by its id.
///
/// # Errors
/// What EC2 says, as of an id that it does not know.
pub async fn subnet(aws: &Aws, id: &str) -> Result<Value, ModuleError> {
    let found = aws.call("ec2", "DescribeSubnets", json!({"SubnetIds": [id]})).await?;
    let subnet = parts::items(&found, "Subnets").first().cloned();
    subnet.ok_or_else(|| ModuleError::failed(format!("there is no subnet {id}")))
}

/// The default subnet of a zone, or of the first zone that has one.
///
/// # Errors
/// When there is none, or EC2 cannot be asked.
pub async fn default_subnet(aws: &Aws, zone: Option<&str>) -> Result<Value, ModuleError> {
    let mut filters = vec![json!({"Name": "default-for-az", "Values": ["true"]})];
    filters.extend(zone.map(|it| json!({"Name": "availability-zone", "Values": [it]})));
    let found = aws.all("ec2", "DescribeSubnets", json!({"Filters": filters})).await?;
    let subnets = parts::items(&found, "Subnets").iter();
    let first = subnets.min_by_key(|it| parts::text(it, "AvailabilityZone").to_owned());
    first.cloned().ok_or_else(|| {
        let of = zone.map(|it| format!(" in {it}")).unwrap_or_default();
        ModuleError::failed(format!("there is no default subnet{of}: say vpc_subnet_id"))
    })
}

/// The ids of security groups of a VPC, that may be called by their names.
///
/// # Errors
/// When one is not there, or EC2 cannot be asked.
pub async fn group_ids(
    aws: &Aws,
    vpc: Option<&str>,
    names: &[String],
) -> Result<Vec<String>, ModuleError> {
    let is_name = |it: &&String| !it.starts_with("sg-");
    let asked: Vec<&String> = names.iter().filter(is_name).collect();
    if asked.is_empty() {
        return Ok(names.to_vec());
    }
    let mut filters = vec![json!({"Name": "group-name", "Values": asked})];
    filters.extend(vpc.map(|it| json!({"Name": "vpc-id", "Values": [it]})));
    let found = aws.all("ec2", "DescribeSecurityGroups", json!({"Filters": filters})).await?;
    let found = parts::items(&found, "SecurityGroups");
    let id = |name: &String| {
        if !is_name(&name) {
            return Ok(name.clone());
        }
        let group = found.iter().find(|it| parts::text(it, "GroupName") == name);
        group.map(|it| parts::text(it, "GroupId").to_owned()).ok_or_else(|| {
            let of = vpc.map(|it| format!(" in {it}")).unwrap_or_default();
            ModuleError::failed(format!("there is no security group called {name}{of}"))
        })
    };
    names.iter().map(id).collect()
}

#[cfg(test)]
mod tests {
    use super::super::shapes::said;
    use super::*;

    fn read<T: serde::de::DeserializeOwned>(json: Json) -> T {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn what_a_task_writes_is_said_in_the_words_of_ec2() {
        let volume: Volume = read(json!({"device_name": "/dev/sdf", "ebs": {"volume_size": 8}}));
        let expect = json!({"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 8}});
        assert_eq!(said(json!(volume)), expect);
        let options: MetadataOptions = read(json!({"http_tokens": "required"}));
        let expect = json!({
            "HttpEndpoint": "enabled", "HttpProtocolIpv6": "disabled", "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1, "InstanceMetadataTags": "disabled",
        });
        assert_eq!(said(json!(options)), expect);
        let placement: Placement = read(json!({"group_name": "g", "partition_number": 2}));
        assert_eq!(said(json!(placement)), json!({"GroupName": "g", "PartitionNumber": 2}));
    }

    #[test]
    fn an_interface_has_its_own_subnet_or_that_of_the_instance() {
        let own: Interface = read(json!({"subnet_id": "subnet-1", "assign_public_ip": true}));
        let expect = json!({
            "SubnetId": "subnet-1", "AssociatePublicIpAddress": true, "DeviceIndex": 0,
            "DeleteOnTermination": true, "Groups": ["sg-1"],
        });
        assert_eq!(said(own.request(Some("subnet-2"), &["sg-1".to_owned()])), expect);
        let other: Interface = read(json!({"ipv6_addresses": ["::1"], "device_index": 1}));
        let expect = json!({
            "SubnetId": "subnet-2", "DeviceIndex": 1, "DeleteOnTermination": true,
            "Ipv6Addresses": [{"Ipv6Address": "::1"}],
        });
        assert_eq!(said(other.request(Some("subnet-2"), &[])), expect);
    }
}
