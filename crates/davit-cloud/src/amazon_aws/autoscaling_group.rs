//! `amazon.aws.autoscaling_group`: makes, changes and removes Auto Scaling groups.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/amazon/aws/autoscaling_group_module.html>

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::aws::args::yes;
use crate::aws::autoscaling::{self, Tag};
use crate::aws::client::Aws;
use crate::aws::launch;
use crate::aws::login::Login;
use crate::aws::parts;
use crate::aws::rolling::{self, Source};
use crate::aws::shapes;

/// Keep an Auto Scaling group: a number of instances that is held and can grow and shrink.
///
/// What is not said of a group that is there stays as it is, but for what has a default.
///
/// ```yaml
/// - amazon.aws.autoscaling_group:
///     name: web
///     launch_template: {launch_template_name: web}
///     min_size: 2
///     max_size: 6
///     vpc_zone_identifier: [subnet-0a, subnet-0b]
///     target_group_arns: ["{{ web.target_group_arn }}"]
///     tags: [{team: shop}, {env: prod, propagate_at_launch: false}]
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The zones, where there are no subnets. Without either, all zones of the region.
    #[serde(default)]
    availability_zones: Option<Vec<String>>,
    /// With `detach_instances`: hold fewer instances from then on. Otherwise others come in their place.
    #[serde(default)]
    decrement_desired_capacity: bool,
    /// Seconds after a change of the size until the next one.
    #[serde(default = "five_minutes")]
    default_cooldown: i64,
    /// How many instances it holds.
    #[serde(default)]
    desired_capacity: Option<i64>,
    /// Instances, by id, that are let go and keep running. Only with a launch template or configuration, and of a
    /// group that was there before.
    #[serde(default)]
    detach_instances: Vec<String>,
    /// Seconds after its start in which the health of an instance does not count.
    #[serde(default = "five_minutes")]
    health_check_period: i64,
    /// Who says that an instance is healthy.
    #[serde(default)]
    health_check_type: HealthCheck,
    /// The launch configuration that instances are made from.
    #[serde(default)]
    launch_config_name: Option<String>,
    /// The launch template that instances are made from.
    #[serde(default)]
    launch_template: Option<Template>,
    /// Replace only instances that were not made from `launch_config_name`.
    #[serde(default = "yes")]
    lc_check: bool,
    /// Replace only instances that were not made from `launch_template`, in its version.
    #[serde(default = "yes")]
    lt_check: bool,
    /// Classic load balancers, by name.
    #[serde(default)]
    load_balancers: Option<Vec<String>>,
    /// Seconds that an instance lives at most; 0 = for ever.
    #[serde(default)]
    max_instance_lifetime: Option<i64>,
    /// How many instances there are at most.
    #[serde(default)]
    max_size: Option<i64>,
    /// Tell CloudWatch of the group.
    #[serde(default)]
    metrics_collection: bool,
    /// How often.
    #[serde(default = "minute")]
    metrics_granularity: String,
    /// What it tells.
    #[serde(default = "all_metrics")]
    metrics_list: Vec<String>,
    /// How many instances there are at least.
    #[serde(default)]
    min_size: Option<i64>,
    /// Several instance types, on demand and spot. Only with a launch template.
    #[serde(default)]
    mixed_instances_policy: Option<Mixed>,
    /// The name.
    #[schemars(extend("x-aliases" = ["group_name"]))]
    name: String,
    /// The SNS topic that hears of what the group does.
    #[serde(default)]
    notification_topic: Option<String>,
    /// What it hears of.
    #[serde(default = "all_notifications")]
    notification_types: Vec<String>,
    /// The placement group.
    #[serde(default)]
    placement_group: Option<String>,
    /// Remove the tags that `tags` does not name.
    #[serde(default)]
    purge_tags: bool,
    /// Replace all instances, `replace_batch_size` at a time: the group grows by as many, old ones go once new ones
    /// are in service, and in the end it has its size again. Only with a launch template or configuration, and of a
    /// group that was there before. Where new instances are not in service within `wait_timeout`, the task fails, and
    /// the group stays as large as it is then.
    #[serde(default)]
    replace_all_instances: bool,
    /// How many are replaced at a time, at least 1.
    #[serde(default = "one")]
    replace_batch_size: i64,
    /// The same for these instances, by id. Those that are not of the group do not count.
    #[serde(default)]
    replace_instances: Vec<String>,
    /// Whether it is to be there.
    #[serde(default)]
    state: State,
    /// What the group is not to do for the time being: `Launch`, `Terminate`, `AZRebalance` ... All else it does.
    #[serde(default)]
    suspend_processes: Vec<String>,
    /// The tags: maps of name and value, each with `propagate_at_launch` where instances are not to have it.
    #[serde(default)]
    tags: Vec<Map<String, Json>>,
    /// Target groups of load balancers, by ARN.
    #[serde(default)]
    target_group_arns: Option<Vec<String>>,
    /// Which instances go first. `Default` leaves what a group has.
    #[serde(default = "default_policy")]
    termination_policies: Vec<String>,
    /// The subnets.
    #[serde(default)]
    vpc_zone_identifier: Option<Vec<String>>,
    /// Wait until the instances are in service, or with `absent` gone.
    #[serde(default = "yes")]
    wait_for_instances: bool,
    /// For how many seconds to wait at most.
    #[serde(default = "five_minutes")]
    wait_timeout: i64,
    #[serde(flatten)]
    login: Login,
}

/// Who says that an instance is healthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum HealthCheck {
    /// EC2.
    #[default]
    Ec2,
    /// The load balancer too.
    Elb,
}

/// Whether a group is to be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It is.
    #[default]
    Present,
    /// It is not, and neither are its instances.
    Absent,
}

/// A launch template.
#[derive(Debug, Deserialize, JsonSchema)]
struct Template {
    /// Its id.
    #[serde(default)]
    launch_template_id: Option<String>,
    /// Its name.
    #[serde(default)]
    launch_template_name: Option<String>,
    /// The version. Without it the latest of now.
    #[serde(default)]
    version: Option<String>,
}

/// Several instance types.
#[derive(Debug, Deserialize, JsonSchema)]
struct Mixed {
    /// The types, best first.
    #[serde(default)]
    instance_types: Option<Vec<String>>,
    /// How much of each.
    #[serde(default)]
    instances_distribution: Option<Distribution>,
}

/// How much is on demand, and how much spot.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"))]
struct Distribution {
    /// How types are chosen on demand: `prioritized`, `lowest-price`.
    #[serde(default)]
    on_demand_allocation_strategy: Option<String>,
    /// So many are on demand in any case.
    #[serde(default)]
    on_demand_base_capacity: Option<i64>,
    /// So many of a hundred of the others are.
    #[serde(default)]
    on_demand_percentage_above_base_capacity: Option<i64>,
    /// How types are chosen of spot instances.
    #[serde(default)]
    spot_allocation_strategy: Option<String>,
    /// From how many pools.
    #[serde(default)]
    spot_instance_pools: Option<i64>,
    /// What an hour of a spot instance may cost; an empty text = what one on demand does.
    #[serde(default)]
    spot_max_price: Option<String>,
}

const fn one() -> i64 {
    1
}

const fn five_minutes() -> i64 {
    300
}

fn minute() -> String {
    "1Minute".to_owned()
}

fn default_policy() -> Vec<String> {
    vec!["Default".to_owned()]
}

fn all_metrics() -> Vec<String> {
    let kinds = ["MinSize", "MaxSize", "DesiredCapacity", "InServiceInstances"];
    let more = ["PendingInstances", "StandbyInstances", "TerminatingInstances", "TotalInstances"];
    kinds.iter().chain(&more).map(|it| format!("Group{it}")).collect()
}

fn all_notifications() -> Vec<String> {
    let kinds = ["LAUNCH", "LAUNCH_ERROR", "TERMINATE", "TERMINATE_ERROR"];
    kinds.iter().map(|it| format!("autoscaling:EC2_INSTANCE_{it}")).collect()
}

/// `amazon.aws.autoscaling_group`.
pub(crate) struct AutoscalingGroup;

impl Module for AutoscalingGroup {
    const NAME: &'static str = "amazon.aws.autoscaling_group";
    const FORMER_NAMES: &'static [&'static str] =
        &["community.aws.ec2_asg", "community.aws.autoscaling_group"];
    type Args = Args;
    const RULES: Rules = Rules {
        mutually_exclusive: &[
            &["launch_config_name", "launch_template"],
            &["replace_all_instances", "replace_instances"],
            &["replace_all_instances", "detach_instances"],
        ],
        ..Rules::NONE
    };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let work = Work { control, aws: &aws, args: &args };
        let there = autoscaling::group(&aws, &args.name).await?;
        let outcome = match (args.state, there) {
            (State::Absent, None) => Ok(Outcome::new()),
            (State::Absent, Some(_)) => work.remove().await,
            (State::Present, None) => work.create().await,
            (State::Present, Some(group)) => work.update(&group).await,
        };
        outcome.map(|it| aws.tell(it))
    }
}

/// A call of this module.
struct Work<'a> {
    control: &'a Control,
    aws: &'a Aws,
    args: &'a Args,
}

impl Work<'_> {
    async fn remove(&self) -> Result<Outcome, ModuleError> {
        let name = &self.args.name;
        // The group takes its instances with it; one that is being removed is only waited for.
        let params = json!({"AutoScalingGroupName": name, "ForceDelete": true});
        let edit = Edit::new("remove the group", name).from(json!({"name": name}));
        let act = async || {
            let gone = ["ResourceInUse", "ScalingActivityInProgress"];
            let done = self.aws.find("autoscaling", "DeleteAutoScalingGroup", params, &gone).await;
            done.map(drop)
        };
        self.control.change(edit, act).await?;
        if self.args.wait_for_instances && !self.control.is_check() {
            self.control.tell(&format!("waiting until {name} is gone"));
            autoscaling::until_gone(self.aws, name, self.patience()).await?;
        }
        Ok(Outcome::new())
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.args.wait_timeout).unwrap_or(0))
    }

    async fn create(&self) -> Result<Outcome, ModuleError> {
        let args = self.args;
        let (Some(least), Some(most)) = (args.min_size, args.max_size) else {
            return Err(ModuleError::failed("min_size and max_size are needed to make a group"));
        };
        let mut params = self.settings().await?;
        if params["LaunchConfigurationName"].is_null()
            && params["LaunchTemplate"].is_null()
            && params["MixedInstancesPolicy"].is_null()
        {
            let text = "launch_config_name or launch_template is needed to make a group";
            return Err(ModuleError::failed(text));
        }
        if args.vpc_zone_identifier.is_none() && args.availability_zones.is_none() {
            params["AvailabilityZones"] = json!(self.zones().await?);
        }
        let tags = self.tags()?;
        let tags: Vec<Json> =
            tags.iter().map(|(key, tag)| autoscaling::tag(&args.name, key, tag)).collect();
        let more = json!({
            "DesiredCapacity": args.desired_capacity.unwrap_or(least),
            "MinSize": least, "MaxSize": most, "Tags": tags,
            "LoadBalancerNames": args.load_balancers,
            "TargetGroupARNs": args.target_group_arns,
            "TerminationPolicies": args.termination_policies,
        });
        launch::merge(&mut params, more);
        let params = shapes::said(params);
        let edit = Edit::new("make the group", &args.name).to(&params);
        let act = async || {
            self.aws.call("autoscaling", "CreateAutoScalingGroup", params.clone()).await.map(drop)
        };
        if self.control.change(edit, act).await?.is_none() {
            return Ok(Outcome::new().msg("Would have created AutoScalingGroup"));
        }
        // What a run that is cut off here leaves undone, the next one finds.
        match autoscaling::group(self.aws, &args.name).await? {
            Some(group) => self.beside(&group).await?,
            None => self.beside(&Value::Null).await?,
        }
        self.end(&[]).await
    }

    async fn update(&self, group: &Value) -> Result<Outcome, ModuleError> {
        let args = self.args;
        if !parts::text(group, "Status").is_empty() {
            let text = format!("{} is being removed", args.name);
            return Err(ModuleError::failed(text));
        }
        let settings = self.settings().await?;
        let mut wanted = settings.clone();
        if args.termination_policies != default_policy() {
            wanted["TerminationPolicies"] = json!(args.termination_policies);
        }
        let fitting = autoscaling::differing(group, &shapes::said(wanted));
        if !fitting.is_empty() {
            let before: Map<_, _> =
                fitting.keys().map(|it| (it.clone(), plain(group.get(it)))).collect();
            let edit = Edit::new("change the group", &args.name).from(before).to(&fitting);
            let mut params = fitting.clone();
            params.insert("AutoScalingGroupName".to_owned(), json!(args.name));
            self.make(edit, "UpdateAutoScalingGroup", Json::Object(params)).await?;
        }
        self.tag(group).await?;
        let balancers = args.load_balancers.as_deref();
        self.attach(group, balancers, ("LoadBalancerNames", "LoadBalancers")).await?;
        let targets = args.target_group_arns.as_deref();
        self.attach(group, targets, ("TargetGroupARNs", "LoadBalancerTargetGroups")).await?;
        self.beside(group).await?;
        let leaving = self.renew(group, &settings).await?;
        self.end(&leaving).await
    }

    /// Replaces and detaches instances; which ones are on their way out.
    async fn renew(&self, group: &Value, settings: &Json) -> Result<Vec<String>, ModuleError> {
        let args = self.args;
        let named = [&args.replace_instances, &args.detach_instances];
        if !args.replace_all_instances && named.iter().all(|it| it.is_empty()) {
            return Ok(Vec::new());
        }
        let Some(source) = Source::of(self.aws, settings).await? else {
            self.control.warn(
                "instances are replaced and detached only with launch_template or launch_config_name",
            );
            return Ok(Vec::new());
        };
        // What was changed just now may have made other instances of it.
        let group =
            autoscaling::group(self.aws, &args.name).await?.unwrap_or_else(|| group.clone());
        let checks = match source {
            Source::Configuration(_) => args.lc_check,
            Source::Template(..) => args.lt_check,
        };
        let old = parts::list(&group, "Instances").iter();
        let old = old.filter(|it| !checks || !source.made(it));
        let old: Vec<&str> = old.map(|it| parts::text(it, "InstanceId")).collect();
        let mut members = rolling::members(&group);
        let is_old = |it: &String| {
            let is_meant = args.replace_all_instances || args.replace_instances.contains(it);
            is_meant && old.contains(&it.as_str())
        };
        let replaced: Vec<String> = members.extract_if(.., |it| is_old(it)).collect();
        members.retain(|it| args.detach_instances.contains(it));
        let known = rolling::Size::of(&group);
        let size = rolling::Size {
            min_size: args.min_size.unwrap_or(known.min_size),
            max_size: args.max_size.unwrap_or(known.max_size),
            desired_capacity: args.desired_capacity.unwrap_or(known.desired_capacity),
        };
        let (control, aws, name) = (self.control, self.aws, &args.name);
        let rolling = rolling::Rolling { control, aws, name, patience: self.patience() };
        let batch = usize::try_from(args.replace_batch_size).unwrap_or(1);
        rolling.replace(&replaced, batch, size).await?;
        rolling.detach(&members, args.decrement_desired_capacity).await?;
        Ok([replaced, members].concat())
    }

    /// What a group is made and changed with alike. Without what the task does not say.
    async fn settings(&self) -> Result<Json, ModuleError> {
        let args = self.args;
        let mut params = json!({
            "AutoScalingGroupName": args.name,
            "AvailabilityZones": args.availability_zones,
            "DefaultCooldown": args.default_cooldown,
            "DesiredCapacity": args.desired_capacity,
            "HealthCheckGracePeriod": args.health_check_period,
            "HealthCheckType": args.health_check_type,
            "LaunchConfigurationName": args.launch_config_name,
            "MaxInstanceLifetime": args.max_instance_lifetime,
            "MaxSize": args.max_size, "MinSize": args.min_size,
            "PlacementGroup": args.placement_group,
            "VPCZoneIdentifier": args.vpc_zone_identifier.as_ref().map(|it| it.join(",")),
        });
        let Some(template) = &args.launch_template else { return Ok(params) };
        let by = json!({
            "LaunchTemplateIds": template.launch_template_id.as_ref().map(|it| [it]),
            "LaunchTemplateNames": template.launch_template_name.as_ref().map(|it| [it]),
        });
        let by = shapes::said(by);
        let found = self.aws.call("ec2", "DescribeLaunchTemplates", by).await?;
        let Some(found) = parts::items(&found, "LaunchTemplates").first() else {
            return Err(ModuleError::failed("there is no such launch template"));
        };
        let latest = found.get("LatestVersionNumber").and_then(Value::as_int);
        let version = template.version.clone().or(latest.map(|it| it.to_string()));
        let specification = json!({
            "LaunchTemplateId": parts::text(found, "LaunchTemplateId"), "Version": version,
        });
        match &args.mixed_instances_policy {
            None => params["LaunchTemplate"] = specification,
            Some(mixed) => {
                let types = mixed.instance_types.iter().flatten();
                let types: Vec<Json> = types.map(|it| json!({"InstanceType": it})).collect();
                params["MixedInstancesPolicy"] = json!({
                    "LaunchTemplate": {
                        "LaunchTemplateSpecification": specification,
                        "Overrides": Some(types).filter(|it| !it.is_empty()),
                    },
                    "InstancesDistribution": mixed.instances_distribution,
                });
            }
        }
        Ok(params)
    }

    async fn zones(&self) -> Result<Vec<String>, ModuleError> {
        let found = self.aws.call("ec2", "DescribeAvailabilityZones", json!({})).await?;
        let zones = parts::items(&found, "AvailabilityZones").iter();
        Ok(zones.map(|it| parts::text(it, "ZoneName").to_owned()).collect())
    }

    fn tags(&self) -> Result<BTreeMap<String, Tag>, ModuleError> {
        let mut tags = BTreeMap::new();
        for said in &self.args.tags {
            let propagates = match said.get("propagate_at_launch") {
                None => true,
                Some(Json::Bool(it)) => *it,
                Some(Json::String(it)) => {
                    matches!(it.to_lowercase().as_str(), "yes" | "true" | "on" | "1")
                }
                Some(other) => {
                    let text = format!("propagate_at_launch is yes or no, not {other}");
                    return Err(ModuleError::failed(text));
                }
            };
            let named = said.iter().filter(|(key, _)| *key != "propagate_at_launch");
            tags.extend(named.map(|(key, value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                (key.clone(), Tag { value, propagates })
            }));
        }
        Ok(tags)
    }

    async fn tag(&self, group: &Value) -> Result<(), ModuleError> {
        let (current, wanted) = (autoscaling::tags(group), self.tags()?);
        let name = &self.args.name;
        let list = |tags: Vec<(&String, &Tag)>| -> Vec<Json> {
            tags.into_iter().map(|(key, tag)| autoscaling::tag(name, key, tag)).collect()
        };
        let set = list(wanted.iter().filter(|(key, it)| current.get(*key) != Some(it)).collect());
        // Without tags in the task they stay as they are.
        let purge = self.args.purge_tags && !wanted.is_empty();
        let strange = current.iter().filter(|(key, _)| {
            purge && !wanted.contains_key(*key) && !key.to_lowercase().starts_with("aws:")
        });
        let strange = list(strange.collect());
        if !strange.is_empty() {
            let edit = Edit::new("remove tags", name).from(&strange).to(json!([]));
            self.make(edit, "DeleteTags", json!({"Tags": strange})).await?;
        }
        if !set.is_empty() {
            let before = list(current.iter().collect());
            let edit = Edit::new("set tags", name).from(before).to(&set);
            self.make(edit, "CreateOrUpdateTags", json!({"Tags": set})).await?;
        }
        Ok(())
    }

    /// Attaches and detaches load balancers or target groups.
    async fn attach(
        &self,
        group: &Value,
        wanted: Option<&[String]>,
        (key, what): (&str, &str),
    ) -> Result<(), ModuleError> {
        let Some(wanted) = wanted else { return Ok(()) };
        let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
        let current: BTreeSet<&str> =
            parts::list(group, key).iter().filter_map(Value::as_str).collect();
        for (verb, these) in [("Attach", &wanted - &current), ("Detach", &current - &wanted)] {
            if !these.is_empty() {
                let params = json!({"AutoScalingGroupName": self.args.name, key: these});
                let edit = Edit::new(format!("{} {key}", verb.to_lowercase()), &self.args.name);
                let edit = edit.from(json!({key: current})).to(json!({key: wanted}));
                self.make(edit, &format!("{verb}{what}"), params).await?;
            }
        }
        Ok(())
    }

    /// What stands beside the group: suspended processes, metrics and notifications.
    async fn beside(&self, group: &Value) -> Result<(), ModuleError> {
        let args = self.args;
        for change in [
            autoscaling::processes(group, &args.suspend_processes),
            autoscaling::metrics(
                group,
                args.metrics_collection.then_some(args.metrics_list.as_slice()),
                &args.metrics_granularity,
            ),
        ]
        .into_iter()
        .flatten()
        {
            let (edit, operation, params) = change;
            let edit = Edit { path: args.name.clone(), ..edit };
            let mut params = params;
            params["AutoScalingGroupName"] = json!(args.name);
            self.make(edit, operation, params).await?;
        }
        let Some(topic) = &args.notification_topic else { return Ok(()) };
        let params = json!({"AutoScalingGroupNames": [args.name]});
        let told =
            self.aws.all("autoscaling", "DescribeNotificationConfigurations", params).await?;
        let told = parts::items(&told, "NotificationConfigurations").iter();
        let of_topic = told.filter(|it| parts::text(it, "TopicARN") == topic);
        let current: BTreeSet<&str> =
            of_topic.map(|it| parts::text(it, "NotificationType")).collect();
        let wanted: BTreeSet<&str> = args.notification_types.iter().map(String::as_str).collect();
        if current != wanted {
            let edit = Edit::new("notify the topic", topic).from(&current).to(&wanted);
            let params = json!({
                "AutoScalingGroupName": args.name, "TopicARN": topic, "NotificationTypes": wanted,
            });
            self.make(edit, "PutNotificationConfiguration", params).await?;
        }
        Ok(())
    }

    async fn make(&self, edit: Edit, operation: &str, params: Json) -> Result<(), ModuleError> {
        let act = async || self.aws.call("autoscaling", operation, params).await.map(drop);
        self.control.change(edit, act).await.map(drop)
    }

    /// Waits, and tells what there is.
    async fn end(&self, leaving: &[String]) -> Result<Outcome, ModuleError> {
        let args = self.args;
        let is_launching = !args.suspend_processes.iter().any(|it| it == "Launch");
        if args.wait_for_instances && is_launching && !self.control.is_check() {
            self.control.tell(&format!("waiting for the instances of {}", args.name));
            let wanted = autoscaling::Wanted { leaving, least: 0 };
            autoscaling::until_in_service(self.aws, &args.name, wanted, self.patience()).await?;
        }
        let Some(group) = autoscaling::group(self.aws, &args.name).await? else {
            return Err(ModuleError::failed(format!("{} went away", args.name)));
        };
        let names = autoscaling::target_groups(self.aws, &group).await?;
        let mut outcome = Outcome::new().with("target_group_names", names);
        for (key, value) in autoscaling::told(&group) {
            outcome.set(&key, value);
        }
        Ok(outcome)
    }
}

fn plain(value: Option<&Value>) -> Json {
    value.map(Value::to_json).unwrap_or_default()
}
