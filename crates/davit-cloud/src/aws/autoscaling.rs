//! What modules for Auto Scaling share: groups, their tags, and the names of what they register with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use davit_aws::value::Value;
use davit_module::ModuleError;
use davit_module::control::Edit;
use serde_json::{Map, Value as Json, json};

use super::client::Aws;
use super::parts;

/// A tag of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its value.
    pub value: String,
    /// Whether instances that the group launches get it too.
    pub propagates: bool,
}

/// The groups, or the one of that name.
///
/// # Errors
/// When the service cannot be asked.
pub async fn groups(aws: &Aws, name: Option<&str>) -> Result<Vec<Value>, ModuleError> {
    let params = match name {
        Some(name) => json!({"AutoScalingGroupNames": [name]}),
        None => json!({}),
    };
    let found = aws.all("autoscaling", "DescribeAutoScalingGroups", params).await?;
    Ok(parts::items(&found, "AutoScalingGroups").to_vec())
}

/// The group of that name, where there is one.
///
/// # Errors
/// When the service cannot be asked.
pub async fn group(aws: &Aws, name: &str) -> Result<Option<Value>, ModuleError> {
    Ok(groups(aws, Some(name)).await?.pop())
}

/// The tags of a group by their names.
#[must_use]
pub fn tags(group: &Value) -> BTreeMap<String, Tag> {
    let tag = |it: &Value| {
        let propagates = it.get("PropagateAtLaunch").and_then(Value::as_bool).unwrap_or(false);
        let value = parts::text(it, "Value").to_owned();
        (parts::text(it, "Key").to_owned(), Tag { value, propagates })
    };
    parts::list(group, "Tags").iter().map(tag).collect()
}

/// A tag as the service takes it.
#[must_use]
pub fn tag(group: &str, key: &str, tag: &Tag) -> Json {
    json!({
        "Key": key, "Value": tag.value, "PropagateAtLaunch": tag.propagates,
        "ResourceId": group, "ResourceType": "auto-scaling-group",
    })
}

/// The names of the target groups that a group registers its instances with.
///
/// # Errors
/// When the service cannot be asked.
pub async fn target_groups(aws: &Aws, group: &Value) -> Result<Vec<String>, ModuleError> {
    let arns = parts::list(group, "TargetGroupARNs");
    let arns: Vec<&str> = arns.iter().filter_map(Value::as_str).collect();
    if arns.is_empty() {
        return Ok(Vec::new());
    }
    let found = aws.all("elbv2", "DescribeTargetGroups", json!({"TargetGroupArns": arns})).await?;
    let found = parts::items(&found, "TargetGroups").iter();
    Ok(found.map(|it| parts::text(it, "TargetGroupName").to_owned()).collect())
}

/// A change that is due: what it is, the operation, and what that is told besides the group's name.
pub type Due = (Edit, &'static str, Json);

/// What is to be suspended and resumed so that just these processes are suspended.
#[must_use]
pub fn processes(group: &Value, wanted: &[String]) -> Vec<Due> {
    let current = parts::list(group, "SuspendedProcesses").iter();
    let current: BTreeSet<&str> = current.map(|it| parts::text(it, "ProcessName")).collect();
    let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    let due = |what, operation, these: BTreeSet<&str>| {
        let edit = Edit::new(what, "")
            .from(json!({"suspended": current}))
            .to(json!({"suspended": wanted}));
        (!these.is_empty()).then(|| (edit, operation, json!({"ScalingProcesses": these})))
    };
    let suspend = due("suspend processes", "SuspendProcesses", &wanted - &current);
    let resume = due("resume processes", "ResumeProcesses", &current - &wanted);
    suspend.into_iter().chain(resume).collect()
}

/// What is to be done so that just these metrics are collected; `None` = none of them.
#[must_use]
pub fn metrics(group: &Value, wanted: Option<&[String]>, granularity: &str) -> Vec<Due> {
    let current = parts::list(group, "EnabledMetrics").iter();
    let current: BTreeSet<&str> = current.map(|it| parts::text(it, "Metric")).collect();
    let wanted: BTreeSet<&str> = wanted.into_iter().flatten().map(String::as_str).collect();
    let edit =
        |what| Edit::new(what, "").from(json!({"metrics": current})).to(json!({"metrics": wanted}));
    let mut due = Vec::new();
    let strange = &current - &wanted;
    if !strange.is_empty() {
        let params = json!({"Metrics": strange});
        due.push((edit("stop collecting metrics"), "DisableMetricsCollection", params));
    }
    let missing = &wanted - &current;
    if !missing.is_empty() {
        let params = json!({"Metrics": missing, "Granularity": granularity});
        due.push((edit("collect metrics"), "EnableMetricsCollection", params));
    }
    due
}

/// What of the wanted settings the group does not have.
#[must_use]
pub fn differing(group: &Value, wanted: &Json) -> Map<String, Json> {
    let wanted = wanted.as_object().into_iter().flatten();
    let differs = |(name, value): &(&String, &Json)| {
        let is = group.get(name).map(Value::to_json).unwrap_or_default();
        !has(&is, value) && !is_same_list(name, &is, value)
    };
    wanted.filter(differs).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Whether a value has at least what is wanted.
fn has(is: &Json, wanted: &Json) -> bool {
    match (is, wanted) {
        (Json::Object(is), Json::Object(wanted)) => {
            wanted.iter().all(|(name, it)| has(is.get(name).unwrap_or(&Json::Null), it))
        }
        (Json::Array(is), Json::Array(wanted)) => {
            is.len() == wanted.len() && is.iter().zip(wanted).all(|(is, it)| has(is, it))
        }
        // No price is told where it is the one on demand.
        (Json::Null, Json::String(text)) => text.is_empty(),
        (is, wanted) => is == wanted,
    }
}

/// Zones and subnets have no order.
fn is_same_list(name: &str, is: &Json, wanted: &Json) -> bool {
    fn set<'a>(name: &str, value: &'a Json) -> Option<BTreeSet<&'a str>> {
        match (name, value) {
            ("AvailabilityZones", Json::Array(items)) => {
                Some(items.iter().filter_map(Json::as_str).collect())
            }
            ("VPCZoneIdentifier", Json::String(text)) => Some(text.split(',').collect()),
            _ => None,
        }
    }
    set(name, wanted).is_some_and(|it| set(name, is) == Some(it))
}

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_secs(5);

/// What is waited for besides a group's size.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Instances that do not count, as they are on their way out.
    pub leaving: &'a [String],
    /// How many there are to be at least: the group may still tell of the size that it had.
    pub least: usize,
}

/// Waits until a group has as many healthy instances in service as it should, and its load balancers
/// and target groups find them healthy too.
///
/// # Errors
/// When it takes longer than that, or the service cannot be asked.
pub async fn until_in_service(
    aws: &Aws,
    name: &str,
    of: Wanted<'_>,
    timeout: Duration,
) -> Result<(), ModuleError> {
    let began = Instant::now();
    loop {
        let Some(group) = group(aws, name).await? else {
            return Err(ModuleError::failed(format!("{name} went away")));
        };
        let wanted = group.get("DesiredCapacity").and_then(Value::as_int).unwrap_or(0);
        let wanted = usize::try_from(wanted).unwrap_or(0).max(of.least);
        let mut ready = ready(&group);
        ready.retain(|it| !of.leaving.contains(it));
        for healthy in healthy(aws, &group).await? {
            ready.retain(|it| healthy.contains(it));
        }
        if ready.len() >= wanted {
            return Ok(());
        }
        if began.elapsed() >= timeout {
            let seconds = timeout.as_secs();
            let ready = ready.len();
            let text = format!(
                "{ready} of {wanted} instances of {name} are in service after {seconds} seconds"
            );
            return Err(ModuleError::failed(text));
        }
        tokio::time::sleep(PAUSE.min(timeout)).await;
    }
}

/// The instances that each of a group's target groups and load balancers finds healthy.
async fn healthy(aws: &Aws, group: &Value) -> Result<Vec<BTreeSet<String>>, ModuleError> {
    let mut all = Vec::new();
    for target_group in parts::list(group, "TargetGroupARNs") {
        let params = json!({"TargetGroupArn": target_group.as_str()});
        let told = aws.call("elbv2", "DescribeTargetHealth", params).await?;
        let told = parts::items(&told, "TargetHealthDescriptions").iter();
        let healthy = told.filter(|it| {
            // Without a load balancer nobody looks.
            let state = it.at(&["TargetHealth", "State"]).and_then(Value::as_str);
            matches!(state, Some("healthy" | "unused"))
        });
        let ids = healthy.filter_map(|it| Some(it.at(&["Target", "Id"])?.as_str()?.to_owned()));
        all.push(ids.collect());
    }
    for balancer in parts::list(group, "LoadBalancerNames") {
        let params = json!({"LoadBalancerName": balancer.as_str()});
        let told = aws.call("elb", "DescribeInstanceHealth", params).await?;
        let told = parts::items(&told, "InstanceStates").iter();
        let healthy = told.filter(|it| parts::text(it, "State") == "InService");
        all.push(healthy.map(|it| parts::text(it, "InstanceId").to_owned()).collect());
    }
    Ok(all)
}

/// Waits until a group is gone, with its instances.
///
/// # Errors
/// When it takes longer than that, or the service cannot be asked.
pub async fn until_gone(aws: &Aws, name: &str, timeout: Duration) -> Result<(), ModuleError> {
    let began = Instant::now();
    while group(aws, name).await?.is_some() {
        if began.elapsed() >= timeout {
            let seconds = timeout.as_secs();
            let text = format!("{name} is still being removed after {seconds} seconds");
            return Err(ModuleError::failed(text));
        }
        tokio::time::sleep(PAUSE.min(timeout)).await;
    }
    Ok(())
}

/// The ids of the instances that are healthy and in service.
fn ready(group: &Value) -> Vec<String> {
    let instances = parts::list(group, "Instances").iter();
    let ready = instances.filter(|it| {
        parts::text(it, "LifecycleState") == "InService"
            && parts::text(it, "HealthStatus") == "Healthy"
    });
    ready.map(|it| parts::text(it, "InstanceId").to_owned()).collect()
}

/// A group as the result of `autoscaling_group` has it, which is not how the service has it.
#[must_use]
pub fn told(group: &Value) -> Map<String, Json> {
    let plain = |name: &str| group.get(name).map(Value::to_json).unwrap_or_default();
    let mut told = Map::new();
    for (key, name) in [
        ("auto_scaling_group_arn", "AutoScalingGroupARN"),
        ("auto_scaling_group_name", "AutoScalingGroupName"),
        ("availability_zones", "AvailabilityZones"),
        ("created_time", "CreatedTime"),
        ("default_cooldown", "DefaultCooldown"),
        ("desired_capacity", "DesiredCapacity"),
        ("healthcheck_grace_period", "HealthCheckGracePeriod"),
        ("healthcheck_period", "HealthCheckGracePeriod"),
        ("healthcheck_type", "HealthCheckType"),
        ("load_balancers", "LoadBalancerNames"),
        ("max_instance_lifetime", "MaxInstanceLifetime"),
        ("max_size", "MaxSize"),
        ("metrics_collection", "EnabledMetrics"),
        ("min_size", "MinSize"),
        ("tags", "Tags"),
        ("target_group_arns", "TargetGroupARNs"),
        ("termination_policies", "TerminationPolicies"),
        ("vpc_zone_identifier", "VPCZoneIdentifier"),
    ] {
        told.insert(key.to_owned(), plain(name));
    }
    for (key, name) in [
        ("launch_config_name", "LaunchConfigurationName"),
        ("launch_template", "LaunchTemplate"),
        ("mixed_instances_policy_full", "MixedInstancesPolicy"),
    ] {
        if group.get(name).is_some() {
            told.insert(key.to_owned(), plain(name));
        }
    }
    if let Some(types) = group.at(&["MixedInstancesPolicy", "LaunchTemplate", "Overrides"]) {
        let types: Vec<&str> =
            types.items().iter().map(|it| parts::text(it, "InstanceType")).collect();
        told.insert("mixed_instances_policy".to_owned(), json!(types));
    }
    let mut counts = BTreeMap::from([
        ("healthy_instances", 0),
        ("in_service_instances", 0),
        ("pending_instances", 0),
        ("terminating_instances", 0),
        ("unhealthy_instances", 0),
        ("viable_instances", ready(group).len()),
    ]);
    let (mut ids, mut facts) = (Vec::new(), Map::new());
    for instance in parts::list(group, "Instances") {
        let (id, state) =
            (parts::text(instance, "InstanceId"), parts::text(instance, "LifecycleState"));
        let health = parts::text(instance, "HealthStatus");
        let is_healthy =
            if health == "Healthy" { "healthy_instances" } else { "unhealthy_instances" };
        let is_in = match state {
            "InService" => Some("in_service_instances"),
            it if it.starts_with("Pending") => Some("pending_instances"),
            it if it.starts_with("Terminating") => Some("terminating_instances"),
            _ => None,
        };
        for count in std::iter::once(is_healthy).chain(is_in) {
            *counts.entry(count).or_default() += 1;
        }
        let mut fact = json!({"health_status": health, "lifecycle_state": state});
        for (key, name) in [
            ("launch_config_name", "LaunchConfigurationName"),
            ("launch_template", "LaunchTemplate"),
        ] {
            if let Some(value) = instance.get(name) {
                fact[key] = value.to_json();
            }
        }
        facts.insert(id.to_owned(), fact);
        ids.push(id);
    }
    told.extend(counts.into_iter().map(|(key, count)| (key.to_owned(), count.into())));
    told.insert("instances".to_owned(), json!(ids));
    told.insert("instance_facts".to_owned(), facts.into());
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Value {
        json!({
            "MinSize": 1, "AvailabilityZones": ["b", "a"], "VPCZoneIdentifier": "s-2,s-1",
            "LaunchTemplate": {"LaunchTemplateId": "lt-1", "LaunchTemplateName": "x", "Version": "1"},
            "EnabledMetrics": [{"Metric": "A"}, {"Metric": "B"}],
            "SuspendedProcesses": [{"ProcessName": "Launch"}],
            "Instances": [
                {"InstanceId": "i-1", "LifecycleState": "InService", "HealthStatus": "Healthy"},
                {"InstanceId": "i-2", "LifecycleState": "Pending:Wait", "HealthStatus": "Healthy"},
                {"InstanceId": "i-3", "LifecycleState": "InService", "HealthStatus": "Unhealthy"},
            ],
        })
        .into()
    }

    #[test]
    fn zones_and_subnets_have_no_order_and_more_than_is_wanted_does_not_differ() {
        let same = json!({
            "MinSize": 1, "AvailabilityZones": ["a", "b"], "VPCZoneIdentifier": "s-1,s-2",
            "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "1"},
        });
        assert!(differing(&group(), &same).is_empty());
        let other = json!({
            "MinSize": 2, "AvailabilityZones": ["a"], "VPCZoneIdentifier": "s-1",
            "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "2"}, "MaxSize": 3,
        });
        assert_eq!(differing(&group(), &other).len(), 5);
    }

    #[test]
    fn just_what_is_wanted_is_suspended_and_collected() {
        let told = |due: &[Due]| due.iter().map(|it| it.1).collect::<Vec<_>>();
        let names = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert!(processes(&group(), &names(&["Launch"])).is_empty());
        let due = processes(&group(), &names(&["Terminate"]));
        assert_eq!(told(&due), ["SuspendProcesses", "ResumeProcesses"]);
        assert_eq!(due[1].2, json!({"ScalingProcesses": ["Launch"]}));
        assert!(metrics(&group(), Some(&names(&["B", "A"])), "1Minute").is_empty());
        let due = metrics(&group(), Some(&names(&["B", "C"])), "1Minute");
        assert_eq!(told(&due), ["DisableMetricsCollection", "EnableMetricsCollection"]);
        assert_eq!(told(&metrics(&group(), None, "1Minute")), ["DisableMetricsCollection"]);
    }

    #[test]
    fn instances_are_counted_by_what_they_are() {
        let told = told(&group());
        for (key, count) in [
            ("healthy_instances", 2),
            ("unhealthy_instances", 1),
            ("in_service_instances", 2),
            ("pending_instances", 1),
            ("viable_instances", 1),
        ] {
            assert_eq!(told[key], count, "{key}");
        }
        assert_eq!(told["instances"], json!(["i-1", "i-2", "i-3"]));
    }
}
