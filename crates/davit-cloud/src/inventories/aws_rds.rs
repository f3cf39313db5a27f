//! `amazon.aws.aws_rds`: databases and clusters of RDS as hosts.

use std::collections::BTreeMap;

use davit_module::ModuleError;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::ask::{Region, everywhere, listed};
use super::data::{packed, tags};
use super::options::AwsOptions;
use super::{Evaluate, Fetching, FoundHost, Inventory};
use crate::aws::filters;
use crate::aws::names;
use crate::aws::parts::items;
use crate::reader::Reader;

/// Hosts are instances and clusters of RDS, and their variables what RDS says of them.
///
/// The name of the file ends with `aws_rds.yml` or `aws_rds.yaml`. Regions are asked at the same time.
///
/// ```yaml
/// plugin: amazon.aws.aws_rds
/// regions: [eu-west-1]
/// include_clusters: true
/// keyed_groups:
///   - {key: engine, prefix: rds}
/// ```
#[derive(Deserialize, JsonSchema)]
pub(super) struct AwsRds {
    #[serde(flatten)]
    aws: AwsOptions,
    /// What instances are to be like: filters of `DescribeDBInstances` by name, each with a value or a list
    /// of them. `db-cluster-id` counts for clusters, too.
    #[serde(default)]
    filters: Map<String, Json>,
    /// Clusters are hosts, too.
    #[serde(default)]
    include_clusters: bool,
    /// The states that instances and clusters may have; `all` lets any through.
    #[serde(default = "usual_statuses")]
    statuses: Vec<String>,
}

fn usual_statuses() -> Vec<String> {
    ["creating", "available"].map(str::to_owned).into()
}

/// What there is in RDS: how it is listed, and where its name and state are.
struct Sort {
    operation: &'static str,
    list: &'static str,
    name: &'static str,
    status: &'static str,
}

const INSTANCES: Sort = Sort {
    operation: "DescribeDBInstances",
    list: "DBInstances",
    name: "DBInstanceIdentifier",
    status: "DBInstanceStatus",
};

const CLUSTERS: Sort = Sort {
    operation: "DescribeDBClusters",
    list: "DBClusters",
    name: "DBClusterIdentifier",
    status: "Status",
};

impl Inventory for AwsRds {
    fn cache_key(&self, reader: &Reader) -> String {
        let asked = json!({
            "regions": self.aws.regions,
            "filters": self.filters,
            "clusters": self.include_clusters,
            "role": self.aws.assume_role_arn,
        });
        format!("{asked}\n{}", self.aws.wanted().cache_key(reader))
    }

    fn fetch<'a>(&'a self, reader: &'a Reader) -> Fetching<'a> {
        Box::pin(self.ask(reader))
    }

    fn hosts(&self, fetched: &Json, _: &Evaluate<'_>) -> Result<Vec<FoundHost>, ModuleError> {
        let any = self.statuses.iter().any(|it| it == "all");
        let mut hosts = Vec::new();
        for (key, sort) in [("instances", &INSTANCES), ("clusters", &CLUSTERS)] {
            let found = fetched.get(key).and_then(Json::as_array);
            for one in found.map(Vec::as_slice).unwrap_or_default() {
                let status = one[sort.status].as_str().unwrap_or_default();
                if any || self.statuses.iter().any(|it| it == status) {
                    let name = one[sort.name].as_str().unwrap_or_default().to_owned();
                    hosts.push(FoundHost { names: vec![name], vars: self.vars(one) });
                }
            }
        }
        Ok(hosts)
    }
}

impl AwsRds {
    async fn ask(&self, reader: &Reader) -> Result<Json, ModuleError> {
        let strict = self.aws.strict_permissions;
        let of_instances = self.filters.clone();
        let mut of_clusters = self.filters.clone();
        of_clusters.retain(|name, _| name == "db-cluster-id");
        let clusters = self.include_clusters.then_some(of_clusters);
        let answers = everywhere(self.aws.wanted().clients(reader).await?, |region| {
            let (of_instances, of_clusters) = (of_instances.clone(), clusters.clone());
            async move {
                let instances = described(&region, &INSTANCES, &of_instances, strict).await?;
                let clusters = match &of_clusters {
                    Some(filters) => described(&region, &CLUSTERS, filters, strict).await?,
                    None => Vec::new(),
                };
                Ok((instances, clusters))
            }
        });
        let (instances, clusters): (Vec<_>, Vec<_>) = answers.await?.into_iter().unzip();
        Ok(json!({"instances": by_name(instances), "clusters": by_name(clusters)}))
    }

    /// The variables of an instance or a cluster.
    fn vars(&self, one: &Json) -> davit_value::Map {
        let tags = tags(one.get("TagList"));
        let mut vars = names::snake_all(one.clone(), &[]);
        vars["tags"] = Json::Object(tags);
        self.aws.named(&vars)
    }
}

/// In the order of their names, and of regions where several have one name.
fn by_name(found: Vec<Vec<(String, Json)>>) -> Vec<Json> {
    let mut all: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for (name, one) in found.into_iter().flatten() {
        all.entry(name).or_default().push(one);
    }
    all.into_values().flatten().collect()
}

async fn described(
    region: &Region,
    sort: &Sort,
    wanted: &Map<String, Json>,
    strict: bool,
) -> Result<Vec<(String, Json)>, ModuleError> {
    let params = json!({"Filters": filters::list(wanted).to_json()});
    let answer = listed(region, ("rds", sort.operation), params, strict).await?;
    let found = items(&answer, sort.list).iter().map(|one| {
        let mut one = packed(one);
        one["Region"] = json!(region.name);
        (one[sort.name].as_str().unwrap_or_default().to_owned(), one)
    });
    Ok(found.collect())
}
