//! `community.aws.elb_target_group`: groups of targets that load balancers send requests to.
//!
//! It knows nothing of load balancers.

use std::collections::BTreeSet;
use std::time::Duration;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Requirement, Rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::aws::args::{State, yes};
use crate::aws::balancers::{self, Attributes, Balancers, Kind, MISSING};
use crate::aws::client::Aws;
use crate::aws::login::Login;
use crate::aws::names;
use crate::aws::parts::{items, list, text};
use crate::aws::shapes::said;
use crate::aws::tags::{Shape, TagArgs};

/// Keep a group of targets for load balancers, with its health check, attributes and targets.
///
/// What a group is made with stays: protocol, port, network and type of targets cannot be changed afterwards.
///
/// ```yaml
/// - community.aws.elb_target_group:
///     name: web
///     state: present
///     protocol: http
///     port: 80
///     vpc_id: "{{ vpc.vpc.id }}"
///     health_check_protocol: http
///     health_check_path: /health
///     targets: [{Id: i-0123456789abcdef0, Port: 8080}]
///   register: group
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The group's name.
    name: String,
    /// Whether it is there.
    state: State,
    /// How targets are spoken to.
    #[serde(default)]
    #[schemars(extend("x-choices" = PROTOCOLS))]
    protocol: Option<String>,
    /// The port of targets that have none of their own.
    #[serde(default)]
    port: Option<i64>,
    /// The network that the targets are in.
    #[serde(default)]
    vpc_id: Option<String>,
    /// The version of HTTP that targets are spoken to with.
    #[serde(default)]
    #[schemars(extend("x-choices" = ["GRPC", "HTTP1", "HTTP2"]))]
    protocol_version: Option<String>,
    /// What targets are; `instance` without it.
    #[serde(default)]
    target_type: Option<TargetType>,
    /// The targets: `{Id, Port, AvailabilityZone}`. Others are taken out. A function or a load balancer is one
    /// target alone: the first one counts.
    #[serde(default)]
    #[schemars(with = "Option<Vec<Map<String, Json>>>")]
    targets: Option<Vec<Map<String, Json>>>,
    /// Bring the targets of a group that is there to `targets`; without any, it has none then.
    #[serde(default = "yes")]
    modify_targets: bool,
    /// How targets are asked whether they are healthy.
    #[serde(default)]
    #[schemars(extend("x-choices" = PROTOCOLS))]
    health_check_protocol: Option<String>,
    /// The port that they are asked at; `traffic-port` = that of requests.
    #[serde(default)]
    health_check_port: Option<String>,
    /// The path that they are asked for.
    #[serde(default)]
    health_check_path: Option<String>,
    /// Every how many seconds they are asked.
    #[serde(default)]
    health_check_interval: Option<i64>,
    /// For how many seconds an answer is waited for.
    #[serde(default)]
    health_check_timeout: Option<i64>,
    /// So many good answers one after the other make a target healthy.
    #[serde(default)]
    healthy_threshold_count: Option<i64>,
    /// So many bad ones make it unhealthy.
    #[serde(default)]
    unhealthy_threshold_count: Option<i64>,
    /// The codes of good answers: `200,202`, `200-299`; with gRPC those of gRPC.
    #[serde(default)]
    successful_response_codes: Option<String>,
    /// For how many seconds a target that is taken out may go on with what it has begun.
    #[serde(default)]
    deregistration_delay_timeout: Option<i64>,
    /// End its connections after that time. For network load balancers.
    #[serde(default)]
    deregistration_connection_termination: bool,
    /// How a target is chosen.
    #[serde(default)]
    #[schemars(extend("x-choices" = ["round_robin", "least_outstanding_requests"]))]
    load_balancing_algorithm_type: Option<String>,
    /// Targets see the addresses of clients. For network load balancers.
    #[serde(default)]
    preserve_client_ip_enabled: Option<bool>,
    /// Tell targets of clients by the PROXY protocol. For network load balancers.
    #[serde(default)]
    proxy_protocol_v2_enabled: Option<bool>,
    /// Send a client to the same target again.
    #[serde(default)]
    stickiness_enabled: Option<bool>,
    /// By what clients are known again: `lb_cookie`, `app_cookie` or `source_ip`.
    #[serde(default)]
    stickiness_type: Option<String>,
    /// For how many seconds, with a cookie of the load balancer's.
    #[serde(default)]
    stickiness_lb_cookie_duration: Option<i64>,
    /// The name of the application's cookie.
    #[serde(default)]
    stickiness_app_cookie_name: Option<String>,
    /// For how many seconds, with that cookie.
    #[serde(default)]
    stickiness_app_cookie_duration: Option<i64>,
    /// Wait until all targets are healthy and those that were taken out are gone, in a group that a load balancer
    /// uses.
    #[serde(default)]
    wait: bool,
    /// For how many seconds to wait at most.
    #[serde(default = "some_minutes")]
    wait_timeout: u64,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

const PROTOCOLS: &[&str] = &[
    "http", "https", "tcp", "tls", "udp", "tcp_udp", "HTTP", "HTTPS", "TCP", "TLS", "UDP",
    "TCP_UDP",
];

const fn some_minutes() -> u64 {
    200
}

/// What targets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum TargetType {
    /// Instances, by id.
    Instance,
    /// Addresses.
    Ip,
    /// A function, by ARN.
    Lambda,
    /// An application load balancer, by ARN.
    Alb,
}

impl TargetType {
    const fn name(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Ip => "ip",
            Self::Lambda => "lambda",
            Self::Alb => "alb",
        }
    }
}

/// `community.aws.elb_target_group`.
pub(crate) struct ElbTargetGroup;

impl Module for ElbTargetGroup {
    const NAME: &'static str = "community.aws.elb_target_group";
    const RULES: Rules = Rules {
        required_if: &[Requirement {
            key: "stickiness_type",
            value: "app_cookie",
            needs: &["stickiness_app_cookie_name"],
            any: false,
        }],
        required_by: &[
            ("health_check_path", &["health_check_protocol"]),
            ("successful_response_codes", &["health_check_protocol"]),
        ],
        ..Rules::NONE
    };
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let targets = args.check()?;
        let aws = Aws::new(control, &args.login)?;
        let elb = Balancers { control, aws: &aws };
        let found = elb.named(Kind::TargetGroup, &args.name).await?;
        let task = Task { elb, args: &args, targets };
        let outcome = match (args.state, found) {
            (State::Present, found) => task.keep(found).await?,
            (State::Absent, Some(group)) => task.delete(&group).await?,
            (State::Absent, None) => Outcome::new(),
        };
        Ok(aws.tell(outcome))
    }
}

/// A target: what it is, at which port, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    id: String,
    port: Option<i64>,
    zone: Option<String>,
}

impl Target {
    /// One that a task names.
    fn named(map: &Map<String, Json>) -> Result<Self, ModuleError> {
        let mut target = Self { id: String::new(), port: None, zone: None };
        for (name, value) in map {
            let written = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match name.as_str() {
                "Id" => target.id = written,
                "Port" if value.is_null() => {}
                "Port" => {
                    let wrong = || ModuleError::failed(format!("targets: {written:?} is no port"));
                    target.port = Some(written.parse().map_err(|_| wrong())?);
                }
                "AvailabilityZone" => target.zone = value.as_str().map(str::to_owned),
                other => {
                    return Err(ModuleError::failed(format!(
                        "targets: {other:?} is none of Id, Port and AvailabilityZone"
                    )));
                }
            }
        }
        if target.id.is_empty() {
            return Err(ModuleError::failed("targets: one has no Id"));
        }
        Ok(target)
    }

    /// As operations take it.
    fn params(&self) -> Json {
        let mut params = json!({"Id": self.id});
        if let Some(port) = self.port {
            params["Port"] = port.into();
        }
        if let Some(zone) = &self.zone {
            params["AvailabilityZone"] = zone.as_str().into();
        }
        params
    }
}

impl Args {
    fn kind(&self) -> TargetType {
        self.target_type.unwrap_or(TargetType::Instance)
    }

    /// Checks what depends on several arguments; the targets.
    fn check(&self) -> Result<Vec<Target>, ModuleError> {
        let named = self.targets.iter().flatten().map(Target::named);
        let mut targets: Vec<Target> = named.collect::<Result<_, _>>()?;
        if matches!(self.kind(), TargetType::Lambda | TargetType::Alb) {
            targets.truncate(1);
        }
        // A function has no port, and the operation takes none.
        if self.kind() == TargetType::Lambda {
            targets.iter_mut().for_each(|it| it.port = None);
        }
        if self.state == State::Present && self.kind() != TargetType::Lambda {
            let given = [
                ("protocol", self.protocol.is_some()),
                ("port", self.port.is_some()),
                ("vpc_id", self.vpc_id.is_some()),
            ];
            let missing: Vec<&str> = given.iter().filter(|it| !it.1).map(|it| it.0).collect();
            if !missing.is_empty() {
                let kind = self.kind().name();
                let missing = missing.join(", ");
                return Err(ModuleError::failed(format!(
                    "target_type is {kind} but all of the following are missing: {missing}"
                )));
            }
        }
        Ok(targets)
    }

    /// What a group is made with and keeps.
    fn fixed(&self) -> Json {
        // A function has neither port nor network, and is spoken to in one way only.
        let of = |it: Json| if self.kind() == TargetType::Lambda { Json::Null } else { it };
        said(json!({
            "Protocol": of(json!(self.protocol.as_ref().map(|it| it.to_uppercase()))),
            "Port": of(json!(self.port)),
            "VpcId": of(json!(self.vpc_id)),
            "ProtocolVersion": self.protocol_version,
            "TargetType": self.target_type.map(TargetType::name),
        }))
    }

    /// The health check of a group that speaks this version of HTTP, as far as it is asked for.
    fn health_check(&self, version: Option<&str>) -> Json {
        let codes = self.successful_response_codes.as_ref();
        let key = if version == Some("GRPC") { "GrpcCode" } else { "HttpCode" };
        let mut check = said(json!({
            "HealthCheckProtocol": self.health_check_protocol.as_ref().map(|it| it.to_uppercase()),
            "HealthCheckPort": self.health_check_port,
            "HealthCheckPath": self.health_check_path,
            "HealthCheckIntervalSeconds": self.health_check_interval,
            "HealthCheckTimeoutSeconds": self.health_check_timeout,
            "HealthyThresholdCount": self.healthy_threshold_count,
            "UnhealthyThresholdCount": self.unhealthy_threshold_count,
            "Matcher": codes.map(|it| Json::from_iter([(key, it.as_str())])),
        }));
        if self.kind() == TargetType::Lambda && check.as_object().is_some_and(|it| !it.is_empty()) {
            // Functions are not asked, unless this says so; how is no choice.
            check["HealthCheckEnabled"] = true.into();
            for name in ["HealthCheckProtocol", "HealthCheckPort"] {
                check.as_object_mut().and_then(|it| it.remove(name));
            }
        }
        check
    }

    fn attributes(&self) -> Attributes {
        let number = |it: Option<i64>| it.map(|it| it.to_string());
        let switch = |it: Option<bool>| it.map(|it| it.to_string());
        // Groups for application load balancers have no such attribute.
        let has_end =
            self.protocol.as_ref().is_some_and(|it| !it.to_uppercase().starts_with("HTTP"));
        let ends = self.deregistration_connection_termination;
        let ends = Some(ends).filter(|it| *it || has_end);
        let all = [
            ("deregistration_delay.timeout_seconds", number(self.deregistration_delay_timeout)),
            ("deregistration_delay.connection_termination.enabled", switch(ends)),
            ("load_balancing.algorithm.type", self.load_balancing_algorithm_type.clone()),
            ("preserve_client_ip.enabled", switch(self.preserve_client_ip_enabled)),
            ("proxy_protocol_v2.enabled", switch(self.proxy_protocol_v2_enabled)),
            ("stickiness.enabled", switch(self.stickiness_enabled)),
            ("stickiness.type", self.stickiness_type.clone()),
            ("stickiness.lb_cookie.duration_seconds", number(self.stickiness_lb_cookie_duration)),
            ("stickiness.app_cookie.cookie_name", self.stickiness_app_cookie_name.clone()),
            ("stickiness.app_cookie.duration_seconds", number(self.stickiness_app_cookie_duration)),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

/// One task: what it wants, and what it acts with.
struct Task<'a> {
    elb: Balancers<'a>,
    args: &'a Args,
    targets: Vec<Target>,
}

impl Task<'_> {
    async fn keep(&self, found: Option<Value>) -> Result<Outcome, ModuleError> {
        let is_new = found.is_none();
        let group = match found {
            Some(group) => {
                self.check_fixed(&group)?;
                self.keep_health_check(&group).await?;
                group
            }
            None => match self.create().await? {
                Some(group) => group,
                None => return self.predict().await,
            },
        };
        let arn = text(&group, "TargetGroupArn");
        let tags = self.elb.keep_tags(arn, &self.args.tags).await?;
        let wanted = self.args.attributes();
        let attributes = self.elb.keep_attributes(Kind::TargetGroup, arn, &wanted).await?;
        if is_new || self.args.modify_targets {
            self.keep_targets(&group).await?;
        }
        let after = match self.elb.control.is_check() {
            false => self.elb.named(Kind::TargetGroup, &self.args.name).await?.unwrap_or(group),
            true => group,
        };
        let mut shown = names::snake_all(after.to_json(), &[]);
        balancers::show_attributes(&attributes, &mut shown);
        shown["tags"] = json!(tags);
        Ok(Outcome::new().with_all(shown))
    }

    /// What check mode says of a group that would be made.
    async fn predict(&self) -> Result<Outcome, ModuleError> {
        let shown = names::snake_all(self.params(), &["Tags"]);
        let outcome = Outcome::new().with_all(shown).with("target_group_name", &self.args.name);
        Ok(outcome.with("tags", self.args.tags.tags.clone().unwrap_or_default()))
    }

    fn params(&self) -> Json {
        let mut params = self.args.fixed();
        let check = self.args.health_check(self.args.protocol_version.as_deref());
        if let (Some(params), Json::Object(check)) = (params.as_object_mut(), check) {
            params.extend(check);
            params.insert("Name".to_owned(), self.args.name.as_str().into());
            params.insert("TargetType".to_owned(), self.args.kind().name().into());
        }
        if let Some(tags) = self.args.tags.tags.as_ref().filter(|it| !it.is_empty()) {
            params["Tags"] = Shape::USUAL.list(tags).to_json();
        }
        params
    }

    async fn create(&self) -> Result<Option<Value>, ModuleError> {
        let params = self.params();
        let edit = Edit::new("create the target group", &self.args.name)
            .to(names::snake_all(params.clone(), &[]));
        let made = self.elb.change(edit, "CreateTargetGroup", params).await?;
        let Some(made) = made else { return Ok(None) };
        let group = list(&made, "TargetGroups").first().cloned();
        let missing = || ModuleError::failed("CreateTargetGroup gave no target group");
        group.ok_or_else(missing).map(Some)
    }

    /// Refuses what cannot be changed.
    fn check_fixed(&self, group: &Value) -> Result<(), ModuleError> {
        let there = group.to_json();
        let fixed = self.args.fixed();
        let differs = |(name, wanted): &(&String, &Json)| there.get(*name) != Some(*wanted);
        let all = fixed.as_object().into_iter().flatten().filter(differs);
        let names: Vec<String> = all.map(|(name, _)| names::snake(name)).collect();
        if names.is_empty() {
            return Ok(());
        }
        let text = format!(
            "{} of the target group {} cannot be changed",
            names.join(", "),
            self.args.name
        );
        Err(ModuleError::failed(text).with("target_group", names::snake_all(there, &[])))
    }

    async fn keep_health_check(&self, group: &Value) -> Result<(), ModuleError> {
        let there = group.to_json();
        let wanted = self.args.health_check(there["ProtocolVersion"].as_str());
        let differs = |(name, wanted): &(&String, &Json)| there.get(*name) != Some(*wanted);
        let change: Map<String, Json> = wanted
            .as_object()
            .into_iter()
            .flatten()
            .filter(differs)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if change.is_empty() {
            return Ok(());
        }
        let arn = text(group, "TargetGroupArn");
        let before: Json = change.keys().map(|it| (it.clone(), there[it].clone())).collect();
        let edit = Edit::new("change the health check", arn)
            .from(names::snake_all(before, &[]))
            .to(names::snake_all(Json::Object(change), &[]));
        // All that is said of it goes together: what is possible with one protocol is not with another.
        let mut params = wanted;
        params["TargetGroupArn"] = arn.into();
        self.elb.change(edit, "ModifyTargetGroup", params).await.map(drop)
    }

    async fn keep_targets(&self, group: &Value) -> Result<(), ModuleError> {
        let arn = text(group, "TargetGroupArn");
        let port = group.get("Port").and_then(Value::as_int);
        let place = |it: &Target| (it.id.clone(), it.port.or(port));
        let now = self.targets(arn).await?;
        let there: BTreeSet<_> = now.iter().map(place).collect();
        let wanted: BTreeSet<_> = self.targets.iter().map(place).collect();
        let missing: Vec<Json> = self
            .targets
            .iter()
            .filter(|it| !there.contains(&place(it)))
            .map(Target::params)
            .collect();
        let strange: Vec<Json> =
            now.iter().filter(|it| !wanted.contains(&place(it))).map(Target::params).collect();
        let register = Edit::new("register targets", arn).to(&missing);
        let deregister = Edit::new("deregister targets", arn).from(&strange);
        let mut steps =
            [(register, "RegisterTargets", &missing), (deregister, "DeregisterTargets", &strange)];
        // A group with one target alone takes no other one until that is gone.
        if matches!(self.args.kind(), TargetType::Lambda | TargetType::Alb) {
            steps.reverse();
        }
        for (edit, operation, targets) in steps {
            if !targets.is_empty() {
                let params = json!({"TargetGroupArn": arn, "Targets": targets});
                self.elb.change(edit, operation, params).await?;
            }
        }
        // Nobody asks the targets of a group that no load balancer uses, nor functions.
        let is_used = !list(group, "LoadBalancerArns").is_empty();
        let is_asked = is_used && self.args.kind() != TargetType::Lambda;
        if self.args.wait && is_asked && !self.elb.control.is_check() {
            let targets: Vec<Json> = self.targets.iter().map(Target::params).collect();
            self.wait("target_in_service", arn, targets).await?;
            self.wait("target_deregistered", arn, strange).await?;
        }
        Ok(())
    }

    async fn wait(&self, waiter: &str, arn: &str, targets: Vec<Json>) -> Result<(), ModuleError> {
        if targets.is_empty() {
            return Ok(());
        }
        self.elb.control.tell(&format!("waiting for {waiter}"));
        let timeout = Duration::from_secs(self.args.wait_timeout);
        let params = json!({"TargetGroupArn": arn, "Targets": targets});
        self.elb.aws.wait("elbv2", waiter, params, timeout).await
    }

    /// The targets that are registered, without those that are on their way out.
    async fn targets(&self, arn: &str) -> Result<Vec<Target>, ModuleError> {
        let params = json!({"TargetGroupArn": arn});
        let found = self.elb.aws.insist("elbv2", "DescribeTargetHealth", params, MISSING).await?;
        let stays = |it: &&Value| {
            it.at(&["TargetHealth", "State"]).and_then(Value::as_str) != Some("draining")
        };
        let target = |it: &Value| {
            let target = it.get("Target")?;
            Some(Target {
                id: text(target, "Id").to_owned(),
                port: target.get("Port").and_then(Value::as_int),
                zone: target.get("AvailabilityZone").and_then(Value::as_str).map(str::to_owned),
            })
        };
        let all = items(&found, "TargetHealthDescriptions").iter();
        Ok(all.filter(stays).filter_map(target).collect())
    }

    async fn delete(&self, group: &Value) -> Result<Outcome, ModuleError> {
        let arn = text(group, "TargetGroupArn");
        let edit =
            Edit::new("delete the target group", arn).from(names::snake_all(group.to_json(), &[]));
        let params = json!({"TargetGroupArn": arn});
        // Where nothing uses it, that is what is left of a load balancer that was just deleted.
        let is_used = !list(group, "LoadBalancerArns").is_empty();
        let passing: &[&str] = if is_used { &[] } else { &["ResourceInUse"] };
        let act = async || self.elb.aws.insist("elbv2", "DeleteTargetGroup", params, passing).await;
        self.elb.control.change(edit, act).await?;
        Ok(Outcome::new())
    }
}
