//! `community.aws.ecs_service`: tasks that the Elastic Container Service keeps running.
//!
//! Source:
//! <https://docs.ansible.com/ansible/latest/collections/community/aws/ecs_service_module.html>

use std::time::Duration;

use davit_aws::value::{Map, Value};
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::aws::client::Aws;
use crate::aws::ecs::Strategy;
use crate::aws::ecs_settings::{Constraint, Controller, Deployment, Network, Placement, Registry};
use crate::aws::ecs_updates::{self, Purge};
use crate::aws::launch;
use crate::aws::login::Login;
use crate::aws::parts;
use crate::aws::shapes;
use crate::aws::tagging::{TagOperations, Tagged};
use crate::aws::tags::{Shape, TagChange, Tags, tags_of_any};

/// Keep a service of ECS, which keeps tasks running, or delete it.
///
/// What the task does not speak of stays as it is. Load balancers, launch type, scheduling and controller of a service
/// that is there cannot be changed.
///
/// The result has `service`, by AWS's names; of one that was deleted, what it was is `service` of the facts.
///
/// ```yaml
/// - community.aws.ecs_service:
///     state: present
///     cluster: shop
///     name: web
///     task_definition: web
///     desired_count: 2
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The service's name.
    #[schemars(extend("x-aliases" = ["service"]))]
    name: String,
    /// What it should be.
    state: State,
    /// The cluster where it runs.
    #[serde(default = "usual")]
    cluster: String,
    /// What runs: a family, a revision (`web:3`) or an ARN. A service whose controller is CodeDeploy keeps its own.
    #[serde(default)]
    task_definition: Option<String>,
    /// How many tasks run.
    #[serde(default)]
    desired_count: Option<i64>,
    /// Which part of them gets machines from whom.
    #[serde(default)]
    capacity_provider_strategy: Option<Vec<Strategy>>,
    /// What tells a request to make it from another one.
    #[serde(default)]
    client_token: String,
    /// How many seconds pass until it is looked again.
    #[serde(default = "ten")]
    delay: u64,
    /// How often it is looked.
    #[serde(default = "ten")]
    repeat: u64,
    /// How tasks are replaced by others.
    #[serde(default)]
    deployment_configuration: Option<Deployment>,
    /// Who replaces them.
    #[serde(default)]
    deployment_controller: Option<Controller>,
    /// Whether commands can be run in its containers.
    #[serde(default)]
    enable_execute_command: Option<bool>,
    /// Delete it although tasks of it run.
    #[serde(default)]
    force_deletion: bool,
    /// Replace its tasks, though nothing differs.
    #[serde(default)]
    force_new_deployment: bool,
    /// For how many seconds nobody looks whether a new task is well.
    #[serde(default)]
    health_check_grace_period_seconds: Option<i64>,
    /// What it runs on.
    #[serde(default)]
    #[schemars(extend("x-choices" = ["EC2", "FARGATE"]))]
    launch_type: Option<String>,
    /// Who sends requests to it: maps with `targetGroupArn` or `loadBalancerName`, `containerName`, `containerPort`.
    #[serde(default)]
    load_balancers: Vec<serde_json::Map<String, Json>>,
    /// How its tasks are on the network, where they have interfaces of their own.
    #[serde(default)]
    network_configuration: Option<Network>,
    /// On which machines its tasks may run.
    #[serde(default)]
    placement_constraints: Vec<Constraint>,
    /// How its tasks are spread over them.
    #[serde(default)]
    placement_strategy: Vec<Placement>,
    /// Which version of what Fargate runs on.
    #[serde(default)]
    platform_version: Option<String>,
    /// Whose tags its tasks get.
    #[serde(default)]
    #[schemars(extend("x-choices" = ["TASK_DEFINITION", "SERVICE"]))]
    propagate_tags: Option<String>,
    /// Remove `placement_constraints` that the task does not name, if it names none.
    #[serde(default)]
    purge_placement_constraints: bool,
    /// Remove `placement_strategy`, if the task has none.
    #[serde(default)]
    purge_placement_strategy: bool,
    /// The role of IAM by which it speaks to its load balancers.
    #[serde(default)]
    role: String,
    /// How many tasks there are: as many as are wanted, or one on each machine.
    #[serde(default)]
    #[schemars(extend("x-choices" = ["DAEMON", "REPLICA"]))]
    scheduling_strategy: Option<String>,
    /// Where others look for it.
    #[serde(default)]
    service_registries: Vec<Registry>,
    /// Its tags; others are removed. Without it they stay as they are.
    #[serde(default, deserialize_with = "tags_of_any")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    tags: Option<Tags>,
    /// Wait until one that is deleted is gone.
    #[serde(default)]
    wait: bool,
    #[serde(flatten)]
    login: Login,
}

fn usual() -> String {
    "default".to_owned()
}

const fn ten() -> u64 {
    10
}

/// What it should be.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It is there.
    Present,
    /// It is not there.
    Absent,
    /// It was deleted, and is waited for until it is gone.
    Deleting,
}

/// With these, the service says that it or its cluster is not there.
const MISSING: &[&str] = &["ServiceNotFoundException", "ClusterNotFoundException"];
/// How it takes tags.
const TAGS: TagOperations = TagOperations::usual("ecs").lower().shaped(Some(Shape::LOWER));

/// `community.aws.ecs_service`.
pub(crate) struct EcsService;

impl Module for EcsService {
    const NAME: &'static str = "community.aws.ecs_service";
    type Args = Args;
    const RULES: Rules = Rules {
        mutually_exclusive: &[&["launch_type", "capacity_provider_strategy"]],
        ..Rules::NONE
    };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        args.check()?;
        let aws = Aws::new(control, &args.login)?;
        let task = Task { control, aws: &aws, args: &args };
        let outcome = match args.state {
            State::Present => Outcome::new().with("service", task.present().await?),
            State::Absent => task.absent().await?,
            State::Deleting => {
                task.until_gone().await?;
                Outcome::new()
            }
        };
        Ok(aws.tell(outcome))
    }
}

impl Args {
    fn is_external(&self) -> bool {
        let kind = self.deployment_controller.as_ref().and_then(|it| it.kind.as_deref());
        kind == Some("EXTERNAL")
    }

    fn check(&self) -> Result<(), ModuleError> {
        if self.state != State::Present {
            return Ok(());
        }
        let missing = if self.task_definition.is_none() && !self.force_new_deployment {
            "task_definition"
        } else if self.desired_count.is_none()
            && self.scheduling_strategy.as_deref() != Some("DAEMON")
        {
            "desired_count"
        } else {
            return Ok(());
        };
        let text = format!("state is present but all of the following are missing: {missing}");
        Err(ModuleError::failed(text))
    }
}

/// One task: what it wants, and what it acts with.
struct Task<'a> {
    control: &'a Control,
    aws: &'a Aws,
    args: &'a Args,
}

impl Task<'_> {
    async fn find(&self) -> Result<Option<Json>, ModuleError> {
        let args = self.args;
        let params = json!({"cluster": args.cluster, "services": [args.name], "include": ["TAGS"]});
        let found = self.aws.find("ecs", "DescribeServices", params, MISSING).await?;
        let found = found.and_then(|it| it.get("services")?.items().first().map(Value::to_json));
        Ok(found.filter(|it| it["status"] != "INACTIVE"))
    }

    async fn present(&self) -> Result<Json, ModuleError> {
        let wanted = self.wanted().await?;
        let service = match self.find().await? {
            Some(found) if found["status"] == "ACTIVE" => self.keep(found, wanted).await?,
            found => {
                if found.is_some() && !self.control.is_check() {
                    // Nothing of that name can be made until the old one is gone.
                    self.until_gone().await?;
                }
                self.create(wanted).await?
            }
        };
        Ok(with_tags_by_name(service))
    }

    async fn absent(&self) -> Result<Outcome, ModuleError> {
        let Some(found) = self.find().await? else { return Ok(Outcome::new()) };
        let args = self.args;
        if found["status"] == "ACTIVE" {
            let edit = Edit::new("delete the service", arn(&found)).from(shown(&found));
            let request = json!({
                "cluster": args.cluster, "service": args.name, "force": args.force_deletion,
            });
            let act = async || self.aws.find("ecs", "DeleteService", request, MISSING).await;
            self.control.change(edit, act).await?;
        }
        if args.wait && !self.control.is_check() {
            self.until_gone().await?;
        }
        Ok(Outcome::new().with("ansible_facts", json!({"service": shown(&found)})))
    }

    /// Waits until there is no such service any more.
    async fn until_gone(&self) -> Result<(), ModuleError> {
        let args = self.args;
        for look in 0..args.repeat {
            if look > 0 {
                self.control.tell(&format!("waiting until {} is gone", args.name));
                tokio::time::sleep(Duration::from_secs(args.delay)).await;
            }
            if self.find().await?.is_none() {
                return Ok(());
            }
        }
        let text = format!(
            "the service {} is still there after {} looks, one each {} seconds",
            args.name, args.repeat, args.delay
        );
        Err(ModuleError::failed(text))
    }

    /// What is asked for, by the names of `CreateService`.
    async fn wanted(&self) -> Result<Json, ModuleError> {
        let args = self.args;
        let filled = |it: &str| Some(it.to_owned()).filter(|it| !it.is_empty());
        let said =
            |it: Json| Some(shapes::said(it)).filter(|it| *it != json!({}) && *it != json!([]));
        let request = json!({
            "cluster": args.cluster,
            "serviceName": args.name,
            "taskDefinition": args.task_definition,
            "desiredCount": args.desired_count,
            "capacityProviderStrategy": args.capacity_provider_strategy,
            "clientToken": filled(&args.client_token),
            "deploymentConfiguration": said(json!(args.deployment_configuration)),
            "deploymentController": said(json!(args.deployment_controller)),
            "enableExecuteCommand": args.enable_execute_command,
            "healthCheckGracePeriodSeconds": args.health_check_grace_period_seconds,
            "launchType": args.launch_type,
            "loadBalancers": said(json!(args.load_balancers)),
            "networkConfiguration": self.network().await?,
            "placementConstraints": said(json!(args.placement_constraints)),
            "placementStrategy": said(json!(args.placement_strategy)),
            "platformVersion": args.platform_version,
            "propagateTags": args.propagate_tags,
            "role": filled(&args.role),
            "schedulingStrategy": args.scheduling_strategy,
            "serviceRegistries": said(json!(args.service_registries)),
        });
        shapes::fitted(self.aws, "ecs", "CreateService", request)
    }

    async fn network(&self) -> Result<Json, ModuleError> {
        let Some(network) = &self.args.network_configuration else { return Ok(Json::Null) };
        let groups = match &network.security_groups {
            Some(names) => {
                let first = network.subnets.as_ref().and_then(|it| it.first());
                let vpc = match first.filter(|_| names.iter().any(|it| !it.starts_with("sg-"))) {
                    Some(id) => {
                        Some(parts::text(&launch::subnet(self.aws, id).await?, "VpcId").to_owned())
                    }
                    None => None,
                };
                Some(launch::group_ids(self.aws, vpc.as_deref(), names).await?)
            }
            None => None,
        };
        let public = network.assign_public_ip.map(|it| if it { "ENABLED" } else { "DISABLED" });
        let of = json!({
            "subnets": network.subnets, "securityGroups": groups, "assignPublicIp": public,
        });
        Ok(json!({"awsvpcConfiguration": shapes::said(of)}))
    }

    async fn create(&self, mut request: Json) -> Result<Json, ModuleError> {
        let args = self.args;
        if args.task_definition.is_none() && !args.is_external() {
            let text =
                format!("there is no service {}, and a new one needs task_definition", args.name);
            return Err(ModuleError::failed(text));
        }
        if let Some(tags) = args.tags.as_ref().filter(|it| !it.is_empty()) {
            request["tags"] = Shape::LOWER.list(tags).to_json();
        }
        let edit = Edit::new("create the service", &args.name).to(&request);
        let made = |it: &Map| it.get("service").map(Value::to_json).unwrap_or_default();
        let arn = |it: &Map| made(it)["serviceArn"].as_str().map(str::to_owned);
        let sent = request.clone();
        let act = async || self.aws.call("ecs", "CreateService", sent).await;
        let answer = self.control.create(edit, act, arn).await?;
        Ok(answer.as_ref().map_or(request, made))
    }

    /// Brings a service that is there to what is wanted.
    async fn keep(&self, found: Json, mut wanted: Json) -> Result<Json, ModuleError> {
        let args = self.args;
        let is_code_deploy = found["deploymentController"]["type"] == "CODE_DEPLOY";
        ecs_updates::check_fixed(&wanted, &found)?;
        if is_code_deploy {
            wanted["taskDefinition"] = Json::Null;
        } else if let Some(name) = wanted["taskDefinition"].as_str() {
            wanted["taskDefinition"] = self.definition(name).await?;
        }
        let purge = Purge {
            constraints: args.purge_placement_constraints,
            strategy: args.purge_placement_strategy,
        };
        let mut update = ecs_updates::between(&wanted, &found, purge);
        let mut service = found;
        if !update.is_empty() || args.force_new_deployment {
            let old: serde_json::Map<String, Json> =
                update.keys().map(|it| (it.clone(), service[it].clone())).collect();
            let mut edit = Edit::new("update the service", arn(&service));
            if !update.is_empty() {
                edit = edit.from(old).to(&update);
            }
            // Other machines are given to new tasks only.
            if args.force_new_deployment || update.contains_key("capacityProviderStrategy") {
                update.insert("forceNewDeployment".to_owned(), true.into());
            }
            update.insert("cluster".to_owned(), args.cluster.as_str().into());
            update.insert("service".to_owned(), args.name.as_str().into());
            let act = async || self.aws.call("ecs", "UpdateService", Json::from(update)).await;
            let tags = service["tags"].clone();
            let answer = self.control.change(edit, act).await?;
            if let Some(now) = answer.and_then(|it| it.get("service").map(Value::to_json)) {
                service = now;
                service["tags"] = tags;
            }
        }
        service["tags"] = json!(self.keep_tags(&service).await?);
        Ok(service)
    }

    /// The ARN of a task definition that may be called by its family.
    async fn definition(&self, name: &str) -> Result<Json, ModuleError> {
        let params = json!({"taskDefinition": name});
        let found = self.aws.call("ecs", "DescribeTaskDefinition", params).await?;
        let arn = found.get("taskDefinition").and_then(|it| it.get("taskDefinitionArn"));
        Ok(arn.map(Value::to_json).unwrap_or_default())
    }

    async fn keep_tags(&self, service: &Json) -> Result<Tags, ModuleError> {
        let now = Shape::LOWER.tags(&service["tags"].clone().into());
        let Some(wanted) = &self.args.tags else { return Ok(now) };
        let (control, aws, path) = (self.control, self.aws, arn(service));
        let of = json!({"resourceArn": path});
        let tagged = Tagged { control, aws, operations: TAGS, path, of };
        tagged.bring(&now, &TagChange::between(&now, wanted, true)).await
    }
}

fn arn(service: &Json) -> &str {
    service["serviceArn"].as_str().unwrap_or_default()
}

fn with_tags_by_name(mut service: Json) -> Json {
    let tags = Shape::LOWER.tags(&service["tags"].take().into());
    service["tags"] = json!(tags);
    service
}

/// A service without its history.
fn shown(service: &Json) -> Json {
    let mut service = service.clone();
    if let Some(map) = service.as_object_mut() {
        map.remove("events");
        map.remove("deployments");
    }
    service
}
