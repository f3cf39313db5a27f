//! `community.aws.ecs_taskdefinition`: what a task of the Elastic Container Service consists of.
//!
//! Source:
//! <https://docs.ansible.com/ansible/latest/collections/community/aws/ecs_taskdefinition_module.html>

use davit_aws::value::{Map, Value};
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Requirement, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::aws::args::State;
use crate::aws::client::Aws;
use crate::aws::ecs;
use crate::aws::ecs_settings::Constraint;
use crate::aws::login::Login;
use crate::aws::shapes;

/// Register a task definition of ECS, or take a revision of one back.
///
/// A definition cannot be changed: where the newest revision of the family is not what the task asks for, a new one is
/// registered. What AWS writes down by itself does not count.
///
/// The result has `taskdefinition`, by AWS's names.
///
/// ```yaml
/// - community.aws.ecs_taskdefinition:
///     state: present
///     family: web
///     containers:
///       - {name: web, image: nginx, memory: 256, portMappings: [{containerPort: 80}]}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Whether it is there.
    state: State,
    /// The ARN of the one that is to be absent.
    #[serde(default)]
    arn: Option<String>,
    /// The name that its revisions share.
    #[serde(default)]
    family: Option<String>,
    /// The revision that is to be absent; or that is to be there, whatever is in it.
    #[serde(default)]
    revision: Option<i64>,
    /// What runs: maps with all that AWS knows of a container, by AWS's names, such as `name`, `image`, `command`,
    /// `environment`, `secrets`, `portMappings`, `healthCheck`, `dependsOn`, `logConfiguration`.
    #[serde(default)]
    containers: Option<Vec<serde_json::Map<String, Json>>>,
    /// How much of processors all of it has: `256` is a quarter of one.
    #[serde(default)]
    cpu: Option<String>,
    /// How much memory all of it has, in MiB.
    #[serde(default)]
    memory: Option<String>,
    /// The role of IAM of whoever starts containers.
    #[serde(default)]
    execution_role_arn: String,
    /// The role of IAM of what runs.
    #[serde(default)]
    task_role_arn: String,
    /// Register a new revision each time.
    #[serde(default)]
    force_create: bool,
    /// What it has to be able to run on.
    #[serde(default)]
    launch_type: Option<LaunchType>,
    /// How containers are on the network. `default` is NAT on Windows, and `bridge` elsewhere.
    #[serde(default)]
    network_mode: NetworkMode,
    /// On which machines it may run.
    #[serde(default)]
    placement_constraints: Vec<Constraint>,
    /// For which processor and operating system it is.
    #[serde(default)]
    runtime_platform: Platform,
    /// What containers share: maps with `name` and whatever else AWS knows of a volume.
    #[serde(default)]
    volumes: Vec<serde_json::Map<String, Json>>,
    #[serde(flatten)]
    login: Login,
}

/// What tasks run on.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
enum LaunchType {
    /// Machines of one's own.
    #[serde(rename = "EC2")]
    Ec2,
    /// Machines of AWS.
    #[serde(rename = "FARGATE")]
    Fargate,
}

/// How containers are on the network.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum NetworkMode {
    /// As is usual there.
    Default,
    /// Behind a bridge on their machine.
    #[default]
    Bridge,
    /// As their machine is.
    Host,
    /// Not at all.
    None,
    /// With an interface of their own.
    Awsvpc,
}

/// For which processor and operating system something is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct Platform {
    /// The processor.
    #[serde(default)]
    cpu_architecture: Architecture,
    /// The operating system.
    #[serde(default)]
    operating_system_family: System,
}

impl Default for Platform {
    fn default() -> Self {
        Self { cpu_architecture: Architecture::X86, operating_system_family: System::Linux }
    }
}

/// Processors.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
enum Architecture {
    /// x86-64.
    #[default]
    #[serde(rename = "X86_64")]
    X86,
    /// ARM with 64 bits.
    #[serde(rename = "ARM64")]
    Arm,
}

/// Operating systems.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
enum System {
    /// Linux.
    #[default]
    #[serde(rename = "LINUX")]
    Linux,
    /// Windows Server 2019, all of it.
    #[serde(rename = "WINDOWS_SERVER_2019_FULL")]
    Windows2019Full,
    /// Windows Server 2019, its core.
    #[serde(rename = "WINDOWS_SERVER_2019_CORE")]
    Windows2019Core,
    /// Windows Server 2022, all of it.
    #[serde(rename = "WINDOWS_SERVER_2022_FULL")]
    Windows2022Full,
    /// Windows Server 2022, its core.
    #[serde(rename = "WINDOWS_SERVER_2022_CORE")]
    Windows2022Core,
}

/// With this, the service says that there is no such definition.
const MISSING: &[&str] = &["ClientException"];

const fn needs(
    key: &'static str,
    value: &'static str,
    needs: &'static [&'static str],
) -> Requirement {
    Requirement { key, value, needs, any: false }
}

/// `community.aws.ecs_taskdefinition`.
pub(crate) struct EcsTaskdefinition;

impl Module for EcsTaskdefinition {
    const NAME: &'static str = "community.aws.ecs_taskdefinition";
    type Args = Args;
    const RULES: Rules = Rules {
        required_if: &[
            needs("state", "present", &["family", "containers"]),
            needs("launch_type", "FARGATE", &["cpu", "memory"]),
        ],
        ..Rules::NONE
    };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let task = Task { control, aws: &aws, args: &args };
        let definition = match args.state {
            State::Present => Some(task.present().await?),
            State::Absent => task.absent().await?,
        };
        let mut outcome = Outcome::new();
        if let Some(definition) = definition {
            outcome.set("taskdefinition", definition);
        }
        Ok(aws.tell(outcome))
    }
}

/// One task: what it wants, and what it acts with.
struct Task<'a> {
    control: &'a Control,
    aws: &'a Aws,
    args: &'a Args,
}

impl Task<'_> {
    async fn present(&self) -> Result<Json, ModuleError> {
        let args = self.args;
        let family = args.family.as_deref().unwrap_or_default();
        if args.launch_type == Some(LaunchType::Fargate) && args.network_mode != NetworkMode::Awsvpc
        {
            let text = "launch_type FARGATE needs network_mode awsvpc";
            return Err(ModuleError::failed(text));
        }
        if let Some(revision) = args.revision.filter(|_| !args.force_create) {
            let name = format!("{family}:{revision}");
            let found = self.find(&name).await?.filter(|it| it["status"] == "ACTIVE");
            let text = || format!("there is no active {name}; AWS numbers new revisions itself");
            return found.ok_or_else(|| ModuleError::failed(text()));
        }
        let wanted = shapes::fitted(self.aws, "ecs", "RegisterTaskDefinition", self.wanted())?;
        let found = self.find(family).await?.filter(|it| it["status"] == "ACTIVE");
        if let Some(found) = &found
            && !args.force_create
            && is_same(&wanted, found)
        {
            return Ok(found.clone());
        }
        let edit = Edit::new("register the task definition", family)
            .from(found.as_ref().map(|it| without_values(comparable(it))))
            .to(without_values(comparable(&wanted)));
        let made = |it: &Map| it.get("taskDefinition").map(Value::to_json).unwrap_or_default();
        let arn = |it: &Map| made(it)["taskDefinitionArn"].as_str().map(str::to_owned);
        let request = wanted.clone();
        let act = async || self.aws.call("ecs", "RegisterTaskDefinition", request).await;
        let answer = self.control.create(edit, act, arn).await?;
        Ok(answer.as_ref().map_or(wanted, made))
    }

    async fn absent(&self) -> Result<Option<Json>, ModuleError> {
        let args = self.args;
        let name = match (&args.arn, &args.family, args.revision) {
            (Some(arn), ..) => arn.clone(),
            (None, Some(family), Some(revision)) => format!("{family}:{revision}"),
            _ => {
                let text = "state absent needs arn, or family and revision";
                return Err(ModuleError::failed(text));
            }
        };
        let Some(found) = self.find(&name).await? else { return Ok(None) };
        if found["status"] == "ACTIVE" {
            let arn = found["taskDefinitionArn"].as_str().unwrap_or(&name);
            let edit = Edit::new("take the task definition back", arn)
                .from(without_values(comparable(&found)));
            let request = json!({"taskDefinition": arn});
            let act = async || self.aws.call("ecs", "DeregisterTaskDefinition", request).await;
            self.control.change(edit, act).await?;
        }
        Ok(Some(found))
    }

    /// A definition: the newest of a family, a revision, or the one of an ARN.
    async fn find(&self, name: &str) -> Result<Option<Json>, ModuleError> {
        let params = json!({"taskDefinition": name});
        let found = self.aws.find("ecs", "DescribeTaskDefinition", params, MISSING).await?;
        Ok(found.and_then(|it| it.get("taskDefinition").map(Value::to_json)))
    }

    /// The request that registers it.
    fn wanted(&self) -> Json {
        let args = self.args;
        let filled = |it: &str| Some(it.to_owned()).filter(|it| !it.is_empty());
        let mode = Some(args.network_mode).filter(|it| *it != NetworkMode::Default);
        json!({
            "family": args.family,
            "containerDefinitions": args.containers,
            "cpu": args.cpu.as_deref().and_then(filled),
            "memory": args.memory.as_deref().and_then(filled),
            "executionRoleArn": filled(&args.execution_role_arn),
            "taskRoleArn": filled(&args.task_role_arn),
            "networkMode": mode,
            "placementConstraints": args.placement_constraints,
            "requiresCompatibilities": args.launch_type.map(|it| vec![it]),
            "runtimePlatform": args.runtime_platform,
            "volumes": args.volumes,
        })
    }
}

/// Whether a definition that is there is what is wanted.
fn is_same(wanted: &Json, found: &Json) -> bool {
    let mut wanted = wanted.clone();
    for role in ["taskRoleArn", "executionRoleArn"] {
        // Where only its name is said, AWS writes the ARN.
        let name = wanted[role].as_str().map(|it| format!("/{it}"));
        let arn = found[role].as_str().unwrap_or_default();
        if name.is_some_and(|it| arn.ends_with(&it)) {
            wanted[role] = arn.into();
        }
    }
    comparable(&wanted) == comparable(found)
}

/// What counts of a definition, in one shape whoever wrote it.
fn comparable(definition: &Json) -> Json {
    let mode = definition["networkMode"].as_str().filter(|it| !it.is_empty()).unwrap_or("bridge");
    let named = |list: &Json| {
        let mut items = list.as_array().cloned().unwrap_or_default();
        items.sort_by_key(|it| it["name"].as_str().unwrap_or_default().to_owned());
        items
    };
    let containers = named(&definition["containerDefinitions"]);
    let containers: Vec<Json> = containers.iter().map(|it| container(it, mode)).collect();
    let number = |name: &str, unit: &str| in_units(&definition[name], unit);
    let usual = json!(Platform::default());
    let platform = &definition["runtimePlatform"];
    ecs::plain(&json!({
        "containerDefinitions": containers,
        "volumes": named(&definition["volumes"]).into_iter().map(volume).collect::<Vec<_>>(),
        "networkMode": mode,
        "taskRoleArn": definition["taskRoleArn"],
        "executionRoleArn": definition["executionRoleArn"],
        "cpu": number("cpu", "vcpu"),
        "memory": number("memory", "gb"),
        "requiresCompatibilities": definition["requiresCompatibilities"],
        "placementConstraints": definition["placementConstraints"],
        "runtimePlatform": if platform.is_null() { &usual } else { platform },
    }))
}

/// A volume without what AWS takes for granted.
fn volume(mut volume: Json) -> Json {
    for (place, name, usual) in [
        ("/efsVolumeConfiguration", "rootDirectory", "/"),
        ("/efsVolumeConfiguration", "transitEncryption", "DISABLED"),
        ("/efsVolumeConfiguration/authorizationConfig", "iam", "DISABLED"),
        ("/dockerVolumeConfiguration", "scope", "task"),
        ("/dockerVolumeConfiguration", "driver", "local"),
    ] {
        let map = volume.pointer_mut(place).and_then(Json::as_object_mut);
        if let Some(map) = map.filter(|it| it.get(name).is_some_and(|it| it == usual)) {
            map.remove(name);
        }
    }
    volume
}

/// A container without what AWS takes for granted.
fn container(container: &Json, mode: &str) -> Json {
    let mut container = container.clone();
    let Some(map) = container.as_object_mut() else { return container };
    // What is essential is so unless it is said, and all else is not.
    let is_essential = map.get("essential").is_none_or(|it| *it != false);
    map.insert("essential".to_owned(), is_essential.into());
    if map.get("cpu") == Some(&json!(0)) {
        map.remove("cpu");
    }
    for list in ["environment", "secrets", "systemControls", "ulimits"] {
        if let Some(Json::Array(items)) = map.get_mut(list) {
            items.sort_by_key(Json::to_string);
        }
    }
    for port in map.get_mut("portMappings").and_then(Json::as_array_mut).into_iter().flatten() {
        let own = port["containerPort"].clone();
        let Some(port) = port.as_object_mut() else { continue };
        let is_same = |it: &Json| mode != "bridge" && *it == own;
        if port.get("hostPort").is_some_and(|it| *it == 0 || is_same(it)) {
            port.remove("hostPort");
        }
        if port.get("protocol").is_some_and(|it| it == "tcp") {
            port.remove("protocol");
        }
    }
    if let Some(Json::Object(check)) = map.get_mut("healthCheck") {
        for (name, usual) in [("interval", 30), ("timeout", 5), ("retries", 3), ("startPeriod", 0)]
        {
            if check.get(name) == Some(&json!(usual)) {
                check.remove(name);
            }
        }
    }
    container
}

/// `1 vCPU` and `1GB` are 1024.
fn in_units(text: &Json, unit: &str) -> Json {
    let Some(given) = text.as_str() else { return text.clone() };
    let lower = given.to_lowercase();
    let Some(number) = lower.strip_suffix(unit) else { return text.clone() };
    match number.trim().parse::<f64>() {
        Ok(number) => format!("{:.0}", number * 1024.0).into(),
        Err(_) => text.clone(),
    }
}

/// The values of variables may be secret: only their names are shown.
fn without_values(mut definition: Json) -> Json {
    let containers = definition["containerDefinitions"].as_array_mut();
    for container in containers.into_iter().flatten() {
        if let Some(Json::Array(variables)) = container.get_mut("environment") {
            *variables = variables.iter().map(|it| it["name"].clone()).collect();
        }
    }
    definition
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_takes_for_granted_is_no_difference() {
        let wanted = json!({
            "family": "web",
            "containerDefinitions": [{
                "name": "web", "image": "nginx", "environment": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
                "portMappings": [{"containerPort": 80, "hostPort": 80}], "healthCheck": {"command": ["CMD", "x"]},
            }],
            "networkMode": "awsvpc", "cpu": "1 vCPU", "memory": "2GB", "taskRoleArn": "shop",
            "volumes": [{"name": "b", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}, {"name": "a"}],
        });
        let found = json!({
            "containerDefinitions": [{
                "name": "web", "image": "nginx", "cpu": 0, "essential": true, "mountPoints": [], "volumesFrom": [],
                "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}],
                "healthCheck": {"command": ["CMD", "x"], "interval": 30, "timeout": 5, "retries": 3},
            }],
            "networkMode": "awsvpc", "cpu": "1024", "memory": "2048", "revision": 3,
            "volumes": [
                {"name": "a", "host": {}},
                {"name": "b", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "rootDirectory": "/"}},
            ],
            "taskRoleArn": "arn:aws:iam::123456789012:role/shop",
            "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        });
        assert!(is_same(&wanted, &found), "{:#}\n{:#}", comparable(&wanted), comparable(&found));
        let mut other = wanted.clone();
        other["containerDefinitions"][0]["essential"] = false.into();
        assert!(!is_same(&other, &found));
        let mut other = wanted;
        other["containerDefinitions"][0]["environment"][0]["value"] = "3".into();
        assert!(!is_same(&other, &found));
        assert!(!without_values(comparable(&other)).to_string().contains("\"3\""));
    }
}
