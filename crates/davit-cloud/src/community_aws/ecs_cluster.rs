//! `community.aws.ecs_cluster`: a cluster of the Elastic Container Service.
//!
//! Source:
//! <https://docs.ansible.com/ansible/latest/collections/community/aws/ecs_cluster_module.html>

use std::collections::BTreeSet;
use std::time::Duration;

use davit_aws::value::{Map, Value};
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::aws::args::yes;
use crate::aws::client::Aws;
use crate::aws::ecs::{self, Strategy};
use crate::aws::login::Login;

/// Keep a cluster of ECS, delete it, or wait until it has machines.
///
/// What runs where is kept as it is where the task does not speak of it.
///
/// The result has what AWS says of the cluster, by AWS's names and once more under `cluster`; of one that was deleted,
/// what it was before.
///
/// ```yaml
/// - community.aws.ecs_cluster:
///     name: shop
///     state: present
///     capacity_providers: [FARGATE, FARGATE_SPOT]
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The cluster's name.
    name: String,
    /// What it should be.
    state: State,
    /// Who gives it machines: `FARGATE`, `FARGATE_SPOT`, or names of capacity providers.
    #[serde(default)]
    capacity_providers: Option<Vec<String>>,
    /// Which of them give them to tasks that do not say so themselves.
    #[serde(default)]
    capacity_provider_strategy: Option<Vec<Strategy>>,
    /// Take those out that the task does not name.
    #[serde(default = "yes")]
    purge_capacity_providers: bool,
    /// How many seconds pass until it is looked again.
    #[serde(default = "ten")]
    delay: u64,
    /// How often it is looked.
    #[serde(default = "ten")]
    repeat: u64,
    #[serde(flatten)]
    login: Login,
}

const fn ten() -> u64 {
    10
}

/// What it should be.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It is there.
    Present,
    /// It is not there.
    Absent,
    /// It has at least one machine: that is waited for.
    HasInstances,
}

/// While these are said, something else is going on with the cluster.
const BUSY: &[&str] = &["ResourceInUseException", "UpdateInProgressException"];

/// `community.aws.ecs_cluster`.
pub(crate) struct EcsCluster;

impl Module for EcsCluster {
    const NAME: &'static str = "community.aws.ecs_cluster";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let task = Task { control, aws: &aws, args: &args };
        let cluster = match args.state {
            State::Present => match ecs::cluster(&aws, &args.name).await? {
                Some(found) => task.keep(found).await?,
                None => task.create().await?,
            },
            State::Absent => {
                let found = ecs::cluster(&aws, &args.name).await?;
                if let Some(found) = &found {
                    task.delete(found).await?;
                }
                found.unwrap_or_default()
            }
            State::HasInstances => task.wait().await?,
        };
        let mut outcome = Outcome::new().with_all(cluster.clone());
        if cluster.is_object() {
            outcome.set("cluster", cluster);
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
    async fn create(&self) -> Result<Json, ModuleError> {
        let args = self.args;
        let mut request = json!({"clusterName": args.name});
        if let Some(providers) = &args.capacity_providers {
            request["capacityProviders"] = json!(providers);
        }
        if let Some(strategy) = &args.capacity_provider_strategy {
            request["defaultCapacityProviderStrategy"] = json!(strategy);
        }
        let edit = Edit::new("create the cluster", &args.name).to(&request);
        let made = |it: &Map| it.get("cluster").map(Value::to_json).unwrap_or_default();
        let arn = |it: &Map| made(it)["clusterArn"].as_str().map(str::to_owned);
        // One of that name may be on its way out.
        let act = async || self.aws.insist("ecs", "CreateCluster", request, BUSY).await;
        let answer = self.control.create(edit, act, arn).await?;
        Ok(answer.as_ref().map(made).unwrap_or_default())
    }

    async fn delete(&self, found: &Json) -> Result<(), ModuleError> {
        let edit = Edit::new("delete the cluster", arn(found)).from(found);
        let request = json!({"cluster": self.args.name});
        let act = async || {
            self.aws.find("ecs", "DeleteCluster", request, &["ClusterNotFoundException"]).await
        };
        self.control.change(edit, act).await.map(drop)
    }

    async fn keep(&self, mut found: Json) -> Result<Json, ModuleError> {
        let args = self.args;
        if args.capacity_providers.is_none() && args.capacity_provider_strategy.is_none() {
            return Ok(found);
        }
        let old: BTreeSet<String> = texts(&found["capacityProviders"]);
        let old_strategy = Strategy::list(&found["defaultCapacityProviderStrategy"]);
        let mut providers = match &args.capacity_providers {
            Some(wanted) => wanted.iter().cloned().collect(),
            None => old.clone(),
        };
        let mut strategy =
            args.capacity_provider_strategy.clone().unwrap_or_else(|| old_strategy.clone());
        if !args.purge_capacity_providers {
            providers.extend(old.iter().cloned());
            let is_new = |it: &&Strategy| !strategy.iter().any(|one| one.is_of(it));
            let kept: Vec<Strategy> = old_strategy.iter().filter(is_new).cloned().collect();
            strategy.extend(kept);
        }
        if providers == old && Strategy::is_same(&strategy, &old_strategy) {
            return Ok(found);
        }
        let side = |providers: &BTreeSet<String>, strategy: &[Strategy]| json!({"capacityProviders": providers, "defaultCapacityProviderStrategy": strategy});
        let after = side(&providers, &strategy);
        let mut request = after.clone();
        request["cluster"] = args.name.as_str().into();
        let edit =
            Edit::new("set who gives it machines", arn(&found)).from(side(&old, &old_strategy));
        let act =
            async || self.aws.insist("ecs", "PutClusterCapacityProviders", request, BUSY).await;
        let answer = self.control.change(edit.to(&after), act).await?;
        if let Some(cluster) = answer.and_then(|it| it.get("cluster").map(Value::to_json)) {
            return Ok(cluster);
        }
        for (name, value) in after.as_object().into_iter().flatten() {
            found[name.as_str()] = value.clone();
        }
        Ok(found)
    }

    /// Waits until it has machines.
    async fn wait(&self) -> Result<Json, ModuleError> {
        let name = &self.args.name;
        for look in 0..self.args.repeat {
            if look > 0 {
                tokio::time::sleep(Duration::from_secs(self.args.delay)).await;
            }
            let Some(found) = ecs::cluster(self.aws, name).await? else {
                return Err(ModuleError::failed(format!("there is no cluster {name}")));
            };
            if found["registeredContainerInstancesCount"].as_i64().unwrap_or_default() > 0 {
                return Ok(found);
            }
            self.control.tell(&format!("waiting until {name} has machines"));
        }
        let text = format!("{name} has no machines after {} looks", self.args.repeat);
        Err(ModuleError::failed(text))
    }
}

fn arn(cluster: &Json) -> &str {
    cluster["clusterArn"].as_str().unwrap_or_default()
}

fn texts(list: &Json) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
}
