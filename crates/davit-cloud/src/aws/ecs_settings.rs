//! Settings of services of the Elastic Container Service as tasks write them; written out, they have the names that
//! operations take.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How tasks are replaced by others.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Deployment {
    /// What happens when new tasks do not come up.
    #[serde(default, rename(serialize = "deploymentCircuitBreaker"))]
    pub deployment_circuit_breaker: Option<Breaker>,
    /// How many tasks there may be meanwhile, in percent.
    #[serde(default, rename(serialize = "maximumPercent"))]
    pub maximum_percent: Option<i64>,
    /// How many tasks have to be well meanwhile, in percent.
    #[serde(default, rename(serialize = "minimumHealthyPercent"))]
    pub minimum_healthy_percent: Option<i64>,
}

/// What happens when new tasks do not come up.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Breaker {
    /// It is given up.
    #[serde(default)]
    pub enable: Option<bool>,
    /// The old tasks come back.
    #[serde(default)]
    pub rollback: Option<bool>,
}

/// Who replaces tasks.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Controller {
    /// `ECS`, `CODE_DEPLOY` or `EXTERNAL`.
    #[serde(default, rename = "type")]
    #[schemars(extend("x-choices" = ["ECS", "CODE_DEPLOY", "EXTERNAL"]))]
    pub kind: Option<String>,
}

/// How tasks are on the network.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Network {
    /// Whether they have public addresses.
    #[serde(default)]
    pub assign_public_ip: Option<bool>,
    /// Their security groups, by id or name.
    #[serde(default)]
    pub security_groups: Option<Vec<String>>,
    /// The ids of their subnets.
    #[serde(default)]
    pub subnets: Option<Vec<String>>,
}

/// On which machines tasks may run.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Constraint {
    /// What has to be true of a machine.
    #[serde(default)]
    pub expression: Option<String>,
    /// `distinctInstance` or `memberOf`.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
}

/// How tasks are spread.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Placement {
    /// By what.
    #[serde(default)]
    pub field: Option<String>,
    /// `random`, `spread` or `binpack`.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
}

/// Where others look for it.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Registry {
    /// The registry.
    #[serde(default, rename(serialize = "registryArn"))]
    pub arn: Option<String>,
    /// The container that others are to find.
    #[serde(default, rename(serialize = "containerName"))]
    pub container_name: Option<String>,
    /// Its port.
    #[serde(default, rename(serialize = "containerPort"))]
    pub container_port: Option<i64>,
}
