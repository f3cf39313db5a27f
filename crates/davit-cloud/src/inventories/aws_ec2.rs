//! `amazon.aws.aws_ec2`: instances of EC2 as hosts.

use std::collections::BTreeMap;

use davit_aws::value::Value as Said;
use davit_module::ModuleError;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::ask::{Region, everywhere, listed};
use super::data::{packed, tags};
use super::hostnames::{Preference, USUAL};
use super::options::AwsOptions;
use super::{Evaluate, Fetching, FoundHost, Inventory, route53, ssm};
use crate::aws::filters;
use crate::aws::names;
use crate::aws::parts::items;
use crate::reader::Reader;

/// Hosts are instances of EC2, and their variables what EC2 says of them.
///
/// The name of the file ends with `aws_ec2.yml` or `aws_ec2.yaml`. Regions are asked at the same time.
///
/// ```yaml
/// plugin: amazon.aws.aws_ec2
/// regions: [eu-west-1, eu-central-1]
/// filters:
///   tag:Environment: [dev, qa]
///   instance-state-name: running
/// hostnames: [tag:Name, private-ip-address]
/// keyed_groups:
///   - {key: tags.Role, prefix: role}
/// compose:
///   ansible_host: private_ip_address
/// ```
#[derive(Deserialize, JsonSchema)]
pub(super) struct AwsEc2 {
    #[serde(flatten)]
    aws: AwsOptions,
    /// What instances are to be like: filters of `DescribeInstances` by name, each with a value or
    /// a list of them. Terminated ones are left out unless `instance-state-name` is among the filters.
    #[serde(default)]
    filters: Map<String, Json>,
    /// More such filters: an instance is there that any of them lets through.
    #[serde(default)]
    include_filters: Vec<Map<String, Json>>,
    /// More such filters: an instance is not there that any of them lets through.
    #[serde(default)]
    exclude_filters: Vec<Map<String, Json>>,
    /// What hosts are named by, the first that gives a name: filters of `DescribeInstances` that are texts, `tag:NAME`,
    /// `tag:NAME=VALUE` for the name `NAME_VALUE`, fixed texts; filters of templates may follow behind `|`. An item may
    /// be a map of `name`, `prefix`, which is written like names, and `separator` (`_`). Instances without any name are
    /// left out. Where nothing is said, this is `dns-name`, then `private-dns-name`.
    #[serde(default)]
    #[schemars(extend("x-elements" = "raw"))]
    hostnames: Vec<Json>,
    /// Hosts are there once under each of their names.
    #[serde(default)]
    allow_duplicated_hosts: bool,
    /// Each tag is a variable of its own, too: `ec2_tag_NAME`.
    #[serde(default)]
    use_contrib_script_compatible_ec2_tag_keys: bool,
    /// Dashes stay as they are in names of groups that are made of variables.
    #[serde(default)]
    use_contrib_script_compatible_sanitization: bool,
    /// Ask the inventory of the Systems Manager, too: what it says of an instance is the variable `ssm_inventory`.
    #[serde(default)]
    use_ssm_inventory: bool,
    /// Names that Route 53 has for the addresses of instances come before `hostnames`.
    #[serde(default)]
    route53_enabled: bool,
    /// Zones of Route 53 that do not count.
    #[serde(default)]
    route53_excluded_zones: Vec<String>,
    /// How names of Route 53 have to end to count: `.example.com`.
    #[serde(default)]
    route53_hostnames: Vec<String>,
}

/// States that count where no filter speaks of them.
const STATES: [&str; 4] = ["running", "pending", "stopping", "stopped"];

impl Inventory for AwsEc2 {
    fn cache_key(&self, reader: &Reader) -> String {
        let asked = json!({
            "regions": self.aws.regions,
            "filters": self.filters,
            "include": self.include_filters,
            "exclude": self.exclude_filters,
            "route53": self.route53_enabled.then_some(&self.route53_excluded_zones),
            "ssm": self.use_ssm_inventory,
            "role": self.aws.assume_role_arn,
        });
        format!("{asked}\n{}", self.aws.wanted().cache_key(reader))
    }

    fn fetch<'a>(&'a self, reader: &'a Reader) -> Fetching<'a> {
        Box::pin(self.ask(reader))
    }

    fn hosts(
        &self,
        fetched: &Json,
        evaluate: &Evaluate<'_>,
    ) -> Result<Vec<FoundHost>, ModuleError> {
        let preferred = if self.hostnames.is_empty() {
            USUAL.iter().map(|it| Preference::of(&json!(it))).collect::<Result<Vec<_>, _>>()?
        } else {
            self.hostnames.iter().map(Preference::of).collect::<Result<_, _>>()?
        };
        let instances = fetched.get("instances").and_then(Json::as_array);
        let mut hosts = Vec::new();
        for instance in instances.map(Vec::as_slice).unwrap_or_default() {
            let mut names = route53::names(instance, &fetched["names"], &self.route53_hostnames);
            for it in &preferred {
                if !self.allow_duplicated_hosts && !names.is_empty() {
                    break;
                }
                names.extend(it.names(instance, evaluate)?);
            }
            if !self.allow_duplicated_hosts {
                names.truncate(1);
            }
            if !names.is_empty() {
                hosts.push(FoundHost { names, vars: self.vars(instance) });
            }
        }
        Ok(hosts)
    }

    fn keeps_dashes(&self) -> bool {
        self.use_contrib_script_compatible_sanitization
    }
}

impl AwsEc2 {
    fn check_filters(&self) -> Result<(), ModuleError> {
        let more = self.include_filters.iter().chain(&self.exclude_filters);
        let mut all = std::iter::once(&self.filters).chain(more).flatten();
        match all.find(|(_, value)| value.is_null()) {
            Some((name, _)) => {
                Err(ModuleError::failed(format!("the filter '{name}' has no value")))
            }
            None => Ok(()),
        }
    }

    async fn ask(&self, reader: &Reader) -> Result<Json, ModuleError> {
        self.check_filters()?;
        let regions = self.aws.wanted().clients(reader).await?;
        let mut queries = Vec::new();
        if self.include_filters.is_empty() || !self.filters.is_empty() {
            queries.push(query(&self.filters));
        }
        queries.extend(self.include_filters.iter().map(query));
        let excluded: Vec<Json> = self.exclude_filters.iter().map(query).collect();
        let (strict, asks_ssm) = (self.aws.strict_permissions, self.use_ssm_inventory);
        let answers = everywhere(regions, |region| {
            let (queries, excluded) = (queries.clone(), excluded.clone());
            async move {
                let mut found = instances(&region, &queries, strict).await?;
                for id in instances(&region, &excluded, strict).await?.keys() {
                    found.remove(id);
                }
                if asks_ssm {
                    ssm::add(&region, &mut found, strict).await?;
                }
                Ok(found)
            }
        });
        // By their ids, so that a host that has the name of another is always the same one.
        let all: BTreeMap<String, Json> = answers.await?.into_iter().flatten().collect();
        let names = if self.route53_enabled {
            let aws = self.aws.wanted().anywhere(reader).await?;
            route53::fetch(aws, &self.route53_excluded_zones, strict).await?
        } else {
            Json::Null
        };
        Ok(json!({"instances": all.into_values().collect::<Vec<_>>(), "names": names}))
    }

    /// The variables of an instance.
    fn vars(&self, instance: &Json) -> davit_value::Map {
        let tags = tags(instance.get("Tags"));
        let mut vars = instance.clone();
        vars["Tags"] = Json::Object(tags.clone());
        let mut vars = names::snake_all(vars, &["Tags"]);
        if self.use_contrib_script_compatible_ec2_tag_keys {
            for (name, value) in tags {
                vars[format!("ec2_tag_{name}")] = value;
            }
        }
        self.aws.named(&vars)
    }
}

/// The parameters of one question.
fn query(written: &Map<String, Json>) -> Json {
    let mut wanted = written.clone();
    wanted.entry("instance-state-name").or_insert_with(|| json!(STATES));
    json!({"Filters": filters::list(&wanted).to_json()})
}

/// The instances of a region that any of the questions finds, by their ids, with what their reservation says.
async fn instances(
    region: &Region,
    queries: &[Json],
    strict: bool,
) -> Result<BTreeMap<String, Json>, ModuleError> {
    let mut found = BTreeMap::new();
    for query in queries {
        let operation = ("ec2", "DescribeInstances");
        let answer = listed(region, operation, query.clone(), strict).await?;
        for reservation in items(&answer, "Reservations") {
            for instance in reservation.get("Instances").map(Said::items).unwrap_or_default() {
                let mut instance = packed(instance);
                for name in ["OwnerId", "RequesterId", "ReservationId"] {
                    let said = reservation.get(name).map_or_else(|| json!(""), packed);
                    instance[name] = said;
                }
                if !instance["Placement"].is_object() {
                    instance["Placement"] = json!({});
                }
                instance["Placement"]["Region"] = json!(region.name);
                let id = instance["InstanceId"].as_str().unwrap_or_default().to_owned();
                found.insert(id, instance);
            }
        }
    }
    Ok(found)
}
