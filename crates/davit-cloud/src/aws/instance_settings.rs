//! What can be changed of an instance that is there: the arguments for it, what a launch is told of
//! them, and the calls that bring an instance to them.

use std::collections::BTreeSet;

use davit_aws::value::Value;
use davit_module::ModuleError;
use davit_module::control::Edit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::client::Aws;
use super::instances::{self, Power};
use super::launch::{InterfaceId, MetadataOptions};
use super::parts;

/// What can be changed of an instance: flatten it into a module's arguments.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct InstanceSettings {
    /// Whether more credits than are left may be bought.
    #[serde(default)]
    pub cpu_credit_specification: Option<Credits>,
    /// Measure every minute and not every five.
    #[serde(default)]
    pub detailed_monitoring: Option<bool>,
    /// Optimise for volumes. One that is running is stopped for it and started again.
    #[serde(default)]
    pub ebs_optimized: Option<bool>,
    /// The instance profile, by name or ARN.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["instance_role"]))]
    pub iam_instance_profile: Option<String>,
    /// What becomes of it when it shuts down by itself.
    #[serde(default)]
    pub instance_initiated_shutdown_behavior: Option<Shutdown>,
    /// `t3.micro` ... One that is running is stopped for another type and started again.
    #[serde(default)]
    pub instance_type: Option<String>,
    /// How it gets at its metadata.
    #[serde(default)]
    pub metadata_options: Option<MetadataOptions>,
    /// Drop packets that are not for it.
    #[serde(default)]
    pub source_dest_check: Option<bool>,
    /// Whether it is protected from termination. One that is cannot be terminated.
    #[serde(default)]
    pub termination_protection: Option<bool>,
}

/// Whether credits may be bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Credits {
    /// They may.
    Unlimited,
    /// They may not.
    Standard,
}

/// What an instance does at shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Shutdown {
    /// It stops.
    Stop,
    /// It is terminated.
    Terminate,
}

/// What an instance is to be attached to.
#[derive(Clone, Debug, Default)]
pub struct Net {
    /// The security groups of its first interface; none = they stay.
    pub groups: Vec<String>,
    /// Interfaces that it is to have.
    pub interfaces: Vec<InterfaceId>,
}

/// A change of an instance.
#[derive(Clone, Debug)]
struct Fix {
    what: &'static str,
    before: Json,
    after: Json,
    operation: &'static str,
    params: Json,
    /// EC2 makes it only while the instance is stopped.
    at_rest: bool,
}

impl Fix {
    fn new(what: &'static str, operation: &'static str, params: Json) -> Self {
        let (before, after) = (Json::Null, Json::Null);
        Self { what, before, after, operation, params, at_rest: false }
    }

    fn sides(mut self, before: impl Serialize, after: impl Serialize) -> Self {
        (self.before, self.after) = (json!({self.what: before}), json!({self.what: after}));
        self
    }
}

impl InstanceSettings {
    /// What a launch is told.
    #[must_use]
    pub fn request(&self) -> Json {
        let profile = self.iam_instance_profile.as_deref().map(profile);
        json!({
            "CreditSpecification": self.cpu_credit_specification.map(|it| json!({"CpuCredits": it})),
            "DisableApiTermination": self.termination_protection,
            "EbsOptimized": self.ebs_optimized,
            "IamInstanceProfile": profile,
            "InstanceInitiatedShutdownBehavior": self.instance_initiated_shutdown_behavior,
            "InstanceType": self.instance_type,
            "MetadataOptions": self.metadata_options,
            "Monitoring": self.detailed_monitoring.map(|it| json!({"Enabled": it})),
        })
    }

    /// Brings an instance to these settings, through the gate; what was changed, as EC2 was told.
    /// One that is running is stopped where EC2 asks for it, and started again.
    ///
    /// # Errors
    /// What EC2 says, or that it took too long.
    pub async fn bring(
        &self,
        power: &Power<'_>,
        instance: &Value,
        net: &Net,
    ) -> Result<Vec<Json>, ModuleError> {
        let mut fixes = self.plain(instance);
        fixes.extend(self.asked(power.aws, instance).await?);
        fixes.extend(interfaces(instance, net));
        let id = instances::id(instance);
        let at_rest = fixes.iter().any(|it| it.at_rest);
        let stopped = if at_rest { power.rest(instance).await? } else { false };
        let mut changes = Vec::with_capacity(fixes.len());
        for Fix { what, before, after, operation, params, .. } in fixes {
            let edit = Edit::new(format!("change {what}"), id).from(before).to(after);
            let act = async || power.aws.call("ec2", operation, params.clone()).await.map(drop);
            power.control.change(edit, act).await?;
            changes.push(params);
        }
        if stopped {
            power.wake(id).await?;
        }
        Ok(changes)
    }

    /// What differs from the instance as it was described.
    fn plain(&self, instance: &Value) -> Vec<Fix> {
        let id = instances::id(instance);
        let attribute = |what, name: &str, value: Json| {
            let params = json!({"InstanceId": id, name: {"Value": value}});
            Fix::new(what, "ModifyInstanceAttribute", params)
        };
        let mut fixes = Vec::new();
        let kind = parts::text(instance, "InstanceType");
        if let Some(wanted) = self.instance_type.as_deref().filter(|it| *it != kind) {
            let fix = attribute("instance_type", "InstanceType", json!(wanted));
            fixes.push(Fix { at_rest: true, ..fix.sides(kind, wanted) });
        }
        let flag = |name: &str| instance.get(name).and_then(Value::as_bool);
        let is = flag("EbsOptimized").unwrap_or(false);
        if let Some(wanted) = self.ebs_optimized.filter(|it| *it != is) {
            let fix = attribute("ebs_optimized", "EbsOptimized", json!(wanted));
            fixes.push(Fix { at_rest: true, ..fix.sides(is, wanted) });
        }
        let is = first(instance).unwrap_or(instance).get("SourceDestCheck");
        let is = is.and_then(Value::as_bool);
        if let Some(wanted) = self.source_dest_check.filter(|it| Some(*it) != is) {
            let what = "source_dest_check";
            let fix = match first(instance) {
                Some(first) => {
                    let interface = parts::text(first, "NetworkInterfaceId");
                    let params = json!({
                        "NetworkInterfaceId": interface, "SourceDestCheck": {"Value": wanted},
                    });
                    Fix::new(what, "ModifyNetworkInterfaceAttribute", params)
                }
                None => attribute(what, "SourceDestCheck", json!(wanted)),
            };
            fixes.push(fix.sides(is, wanted));
        }
        let is = instance.at(&["Monitoring", "State"]).and_then(Value::as_str);
        let is = matches!(is, Some("enabled" | "pending"));
        if let Some(wanted) = self.detailed_monitoring.filter(|it| *it != is) {
            let operation = if wanted { "MonitorInstances" } else { "UnmonitorInstances" };
            let fix = Fix::new("detailed_monitoring", operation, json!({"InstanceIds": [id]}));
            fixes.push(fix.sides(is, wanted));
        }
        fixes.extend(self.metadata(instance));
        fixes
    }

    fn metadata(&self, instance: &Value) -> Option<Fix> {
        let wanted = json!(self.metadata_options.as_ref()?);
        let is = instance.get("MetadataOptions").map(Value::to_json).unwrap_or_default();
        let wanted = wanted.as_object()?;
        // What a region's EC2 does not tell of, it does not have.
        if wanted.iter().all(|(name, it)| is.get(name).is_none_or(|is| is == it)) {
            return None;
        }
        let before: serde_json::Map<_, _> =
            wanted.keys().map(|it| (it.clone(), is[it].clone())).collect();
        let mut params = wanted.clone();
        params.insert("InstanceId".to_owned(), instances::id(instance).into());
        let fix =
            Fix::new("metadata_options", "ModifyInstanceMetadataOptions", Json::Object(params));
        Some(fix.sides(before, wanted))
    }

    /// What differs from what EC2 tells only where it is asked for it.
    async fn asked(&self, aws: &Aws, instance: &Value) -> Result<Vec<Fix>, ModuleError> {
        let id = instances::id(instance);
        let mut fixes = Vec::new();
        let behaviour = self.instance_initiated_shutdown_behavior.map(|it| json!(it));
        for (what, attribute, wanted) in [
            (
                "termination_protection",
                "disableApiTermination",
                self.termination_protection.map(Json::from),
            ),
            (
                "instance_initiated_shutdown_behavior",
                "instanceInitiatedShutdownBehavior",
                behaviour,
            ),
        ] {
            let Some(wanted) = wanted else { continue };
            let params = json!({"InstanceId": id, "Attribute": attribute});
            let told = aws.call("ec2", "DescribeInstanceAttribute", params).await?;
            let name = format!("{}{}", attribute[..1].to_uppercase(), &attribute[1..]);
            let is = told.get(&name).and_then(|it| it.get("Value"));
            let is = is.map(Value::to_json).unwrap_or_default();
            if is != wanted {
                let params = json!({"InstanceId": id, name: {"Value": wanted}});
                let fix = Fix::new(what, "ModifyInstanceAttribute", params);
                fixes.push(fix.sides(is, wanted));
            }
        }
        fixes.extend(self.credits(aws, id).await?);
        fixes.extend(self.profile(aws, instance).await?);
        Ok(fixes)
    }

    async fn credits(&self, aws: &Aws, id: &str) -> Result<Option<Fix>, ModuleError> {
        let Some(wanted) = self.cpu_credit_specification else { return Ok(None) };
        let params = json!({"InstanceIds": [id]});
        let told = aws.call("ec2", "DescribeInstanceCreditSpecifications", params).await?;
        let told = parts::items(&told, "InstanceCreditSpecifications").first();
        let is = told.map(|it| parts::text(it, "CpuCredits")).unwrap_or_default();
        if json!(wanted) == is {
            return Ok(None);
        }
        let params =
            json!({"InstanceCreditSpecifications": [{"InstanceId": id, "CpuCredits": wanted}]});
        let what = "cpu_credit_specification";
        let fix = Fix::new(what, "ModifyInstanceCreditSpecification", params);
        Ok(Some(fix.sides(is, wanted)))
    }

    async fn profile(&self, aws: &Aws, instance: &Value) -> Result<Option<Fix>, ModuleError> {
        let Some(wanted) = self.iam_instance_profile.as_deref() else { return Ok(None) };
        let (what, id) = ("iam_instance_profile", instances::id(instance));
        let is = instance.at(&["IamInstanceProfile", "Arn"]).and_then(Value::as_str);
        let Some(is) = is else {
            let params = json!({"InstanceId": id, "IamInstanceProfile": profile(wanted)});
            let fix = Fix::new(what, "AssociateIamInstanceProfile", params);
            return Ok(Some(fix.sides(Json::Null, wanted)));
        };
        if is == wanted || is.rsplit('/').next() == Some(wanted) {
            return Ok(None);
        }
        let params = json!({"Filters": [
            {"Name": "instance-id", "Values": [id]},
            {"Name": "state", "Values": ["associating", "associated"]},
        ]});
        let told = aws.all("ec2", "DescribeIamInstanceProfileAssociations", params).await?;
        let told = parts::items(&told, "IamInstanceProfileAssociations").first();
        let params = json!({
            "AssociationId": told.map(|it| parts::text(it, "AssociationId")),
            "IamInstanceProfile": profile(wanted),
        });
        let fix = Fix::new(what, "ReplaceIamInstanceProfileAssociation", params);
        Ok(Some(fix.sides(is, wanted)))
    }
}

/// An instance profile by its name or ARN.
fn profile(said: &str) -> Json {
    if said.starts_with("arn:") { json!({"Arn": said}) } else { json!({"Name": said}) }
}

/// The interface that the instance goes by.
fn first(instance: &Value) -> Option<&Value> {
    let all = parts::list(instance, "NetworkInterfaces").iter();
    all.min_by_key(|it| it.at(&["Attachment", "DeviceIndex"]).and_then(Value::as_int))
}

fn interfaces(instance: &Value, net: &Net) -> Vec<Fix> {
    let mut fixes = Vec::new();
    if let Some(first) = first(instance)
        && !net.groups.is_empty()
    {
        let is = parts::list(first, "Groups").iter().map(|it| parts::text(it, "GroupId"));
        let is: BTreeSet<&str> = is.collect();
        let wanted: BTreeSet<&str> = net.groups.iter().map(String::as_str).collect();
        if is != wanted {
            let interface = parts::text(first, "NetworkInterfaceId");
            let params = json!({"NetworkInterfaceId": interface, "Groups": wanted});
            let fix = Fix::new("security_groups", "ModifyNetworkInterfaceAttribute", params);
            fixes.push(fix.sides(is, &wanted));
        }
    }
    let attached: Vec<&str> = parts::list(instance, "NetworkInterfaces")
        .iter()
        .map(|it| parts::text(it, "NetworkInterfaceId"))
        .collect();
    let missing = net.interfaces.iter().filter(|it| !attached.contains(&it.id.as_str()));
    fixes.extend(missing.map(|InterfaceId { device_index, id }| {
        let instance = instances::id(instance);
        let params = json!({
            "DeviceIndex": device_index, "InstanceId": instance, "NetworkInterfaceId": id,
        });
        let fix = Fix::new("network_interfaces_ids", "AttachNetworkInterface", params);
        fix.sides(&attached, id)
    }));
    fixes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: Json) -> InstanceSettings {
        serde_json::from_value(json).unwrap()
    }

    fn instance() -> Value {
        json!({
            "InstanceId": "i-1", "InstanceType": "t3.micro", "EbsOptimized": false,
            "SourceDestCheck": true, "Monitoring": {"State": "disabled"},
            "MetadataOptions": {"HttpTokens": "optional", "HttpEndpoint": "enabled"},
            "NetworkInterfaces": [
                {"NetworkInterfaceId": "eni-2", "Attachment": {"DeviceIndex": 1}, "Groups": []},
                {
                    "NetworkInterfaceId": "eni-1", "Attachment": {"DeviceIndex": 0},
                    "SourceDestCheck": true,
                    "Groups": [{"GroupId": "sg-1"}],
                },
            ],
        })
        .into()
    }

    #[test]
    fn what_is_as_it_should_be_is_not_changed() {
        let same = json!({
            "instance_type": "t3.micro", "ebs_optimized": false, "source_dest_check": true,
            "detailed_monitoring": false, "metadata_options": {},
        });
        assert!(settings(same).plain(&instance()).is_empty());
        assert!(settings(json!({})).plain(&instance()).is_empty());
    }

    #[test]
    fn what_differs_is_changed_and_some_of_it_at_rest() {
        let other = json!({
            "instance_type": "t3.small", "source_dest_check": false, "detailed_monitoring": true,
            "metadata_options": {"http_tokens": "required"},
        });
        let fixes = settings(other).plain(&instance());
        let told: Vec<_> = fixes.iter().map(|it| (it.what, it.operation, it.at_rest)).collect();
        let expect = [
            ("instance_type", "ModifyInstanceAttribute", true),
            ("source_dest_check", "ModifyNetworkInterfaceAttribute", false),
            ("detailed_monitoring", "MonitorInstances", false),
            ("metadata_options", "ModifyInstanceMetadataOptions", false),
        ];
        assert_eq!(told, expect);
        assert_eq!(fixes[1].params["NetworkInterfaceId"], "eni-1");
        assert_eq!(fixes[0].after, json!({"instance_type": "t3.small"}));
    }

    #[test]
    fn groups_are_those_of_the_first_interface_and_others_are_attached_once() {
        let interface = |id: &str| InterfaceId { device_index: 2, id: id.to_owned() };
        let net = Net { groups: vec!["sg-1".into()], interfaces: vec![interface("eni-2")] };
        assert!(interfaces(&instance(), &net).is_empty());
        let net = Net { groups: vec!["sg-2".into()], interfaces: vec![interface("eni-3")] };
        let fixes = interfaces(&instance(), &net);
        let expect = json!({"NetworkInterfaceId": "eni-1", "Groups": ["sg-2"]});
        assert_eq!(fixes[0].params, expect);
        assert_eq!(fixes[1].params["DeviceIndex"], 2);
    }
}
