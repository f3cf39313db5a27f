//! `amazon.aws.route53`: records of DNS at Route 53.
//!
//! It knows nothing of what the values of a type look like: that is left to Route 53.

use std::time::Duration;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Requirement, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::aws::client::{Aws, failure};
use crate::aws::login::Login;
use crate::aws::names::snake_all;
use crate::aws::parts::text;
use crate::aws::patience::says;
use crate::aws::records::{self, Zone};
use crate::aws::zones::{self, Which};

/// Keep records of DNS at Route 53, or read them.
///
/// A record that is there with other values is left alone and the task fails, unless `overwrite` is set.
///
/// ```yaml
/// - amazon.aws.route53:
///     state: present
///     zone: example.com
///     record: www.example.com
///     type: A
///     ttl: 300
///     value: [192.0.2.1, 192.0.2.2]
///     overwrite: true
///     wait: true
/// - name: The load balancer, by an alias
///   amazon.aws.route53:
///     state: present
///     zone: example.com
///     record: example.com
///     type: A
///     alias: true
///     alias_hosted_zone_id: "{{ balancer.canonical_hosted_zone_id }}"
///     value: "{{ balancer.dns_name }}"
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    // Ahead of `region`, which is not where to call here: of two arguments of a name, the later one counts.
    #[serde(flatten)]
    login: Login,
    /// What is to come of the record.
    #[schemars(extend("x-aliases" = ["command"]))]
    state: State,
    /// The record's name, with that of the zone.
    record: String,
    /// The record's type.
    #[serde(rename = "type")]
    #[schemars(extend("x-choices" = KINDS))]
    kind: String,
    /// The zone's name.
    #[serde(default)]
    zone: Option<String>,
    /// The zone's id.
    #[serde(default)]
    hosted_zone_id: Option<String>,
    /// It is the private zone of this name that is meant.
    #[serde(default)]
    private_zone: bool,
    /// It is the private zone of this network that is meant. Goes with `private_zone`.
    #[serde(default)]
    vpc_id: Option<String>,
    /// The values; for an alias the name of what it stands for.
    #[serde(default)]
    value: Option<Vec<String>>,
    /// For how many seconds resolvers may keep it. Cannot be together with `alias`.
    #[serde(default = "one_hour")]
    ttl: i64,
    /// It is an alias of something at AWS.
    #[serde(default)]
    alias: Option<bool>,
    /// The id of the zone of what the alias stands for.
    #[serde(default)]
    alias_hosted_zone_id: Option<String>,
    /// Answer with the alias only while what it stands for is healthy.
    #[serde(default)]
    alias_evaluate_target_health: bool,
    /// Replace a record that is there with other values.
    #[serde(default)]
    overwrite: Option<bool>,
    /// What tells this record from others of the same name and type. Goes with one of `weight`, `region`,
    /// `failover` and `geo_location`.
    #[serde(default)]
    identifier: Option<String>,
    /// The share of questions that this record answers: 0 to 255.
    #[serde(default)]
    weight: Option<i64>,
    /// The region of AWS near to which this record answers.
    #[serde(default)]
    region: Option<String>,
    /// This record answers while the other one is not healthy, or until then.
    #[serde(default)]
    failover: Option<Failover>,
    /// Where questions come from that this record answers.
    #[serde(default)]
    geo_location: Option<GeoLocation>,
    /// The id of the health check that this record depends on.
    #[serde(default)]
    health_check: Option<String>,
    /// Wait until all servers of Route 53 know of a change.
    #[serde(default)]
    wait: bool,
    /// For how many seconds to wait at most.
    #[serde(default = "five_minutes")]
    wait_timeout: u64,
    /// After how many seconds to ask again where Route 53 is still busy with an earlier change.
    #[serde(default = "eight_minutes")]
    retry_interval: u64,
}

/// The types of records that Route 53 has.
const KINDS: &[&str] = &[
    "A", "CNAME", "MX", "AAAA", "TXT", "PTR", "SRV", "SPF", "CAA", "NS", "SOA", "SSHFP", "DS",
    "HTTPS", "NAPTR", "SVCB", "TLSA",
];

const fn one_hour() -> i64 {
    3600
}

const fn five_minutes() -> u64 {
    300
}

const fn eight_minutes() -> u64 {
    500
}

/// What is to come of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It is there.
    Present,
    /// It is not there.
    Absent,
    /// It is read.
    Get,
    /// The older word for `present`.
    Create,
    /// The older word for `absent`.
    Delete,
}

/// Which of two records this is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Failover {
    /// The one that answers while the other one is not healthy.
    Secondary,
    /// The one that answers while it is healthy.
    Primary,
}

/// Where questions come from.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
struct GeoLocation {
    /// The continent's two letters. Cannot be together with the others.
    #[serde(default)]
    #[serde(rename(serialize = "ContinentCode"), skip_serializing_if = "Option::is_none")]
    continent_code: Option<String>,
    /// The country's two letters; `*` = everywhere else.
    #[serde(default)]
    #[serde(rename(serialize = "CountryCode"), skip_serializing_if = "Option::is_none")]
    country_code: Option<String>,
    /// The state's letters, of a country that has them at Route 53.
    #[serde(default)]
    #[serde(rename(serialize = "SubdivisionCode"), skip_serializing_if = "Option::is_none")]
    subdivision_code: Option<String>,
}

/// How Route 53 says that it is busy with an earlier change of the zone.
const BUSY: &[&str] = &["PriorRequestNotComplete"];
/// How often it is asked again then.
const TRIES: u32 = 10;

/// `amazon.aws.route53`.
pub(crate) struct Route53;

impl Module for Route53 {
    const NAME: &'static str = "amazon.aws.route53";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.route53"];
    const RULES: Rules = Rules {
        mutually_exclusive: &[&["failover", "region", "weight"], &["alias", "ttl"]],
        required_together: &[&["alias", "alias_hosted_zone_id"]],
        required_one_of: &[&["zone", "hosted_zone_id"]],
        required_if: &[needs_value("present"), needs_value("create")],
        required_by: &[
            ("failover", &["identifier"]),
            ("geo_location", &["identifier"]),
            ("region", &["identifier"]),
            ("weight", &["identifier"]),
        ],
    };
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        args.check()?;
        let aws = Aws::new(control, &args.login)?;
        let zone = args.zone(&aws).await?;
        let task = Task { control, aws: &aws, args: &args, zone: &zone };
        let found = zones::record_sets(&aws, task.which(&args.record, &args.kind)).await?;
        let outcome = match args.state {
            State::Get => task.get(&found).await?,
            State::Present | State::Create => task.keep(&found).await?,
            State::Absent | State::Delete => task.delete(&found).await?,
        };
        Ok(aws.tell(outcome))
    }
}

const fn needs_value(state: &'static str) -> Requirement {
    Requirement { key: "state", value: state, needs: &["value"], any: false }
}

impl Args {
    fn check(&self) -> Result<(), ModuleError> {
        let is_one_of_many = self.weight.is_some()
            || self.region.is_some()
            || self.failover.is_some()
            || self.geo_location.is_some();
        let is_kept = matches!(self.state, State::Present | State::Create);
        if is_kept && self.identifier.is_some() && !is_one_of_many {
            return Err(ModuleError::failed(
                "identifier goes with one of weight, region, geo_location and failover",
            ));
        }
        if is_kept && self.alias == Some(true) && self.values().len() != 1 {
            return Err(ModuleError::failed("an alias has one value: what it stands for"));
        }
        if is_kept && self.values().is_empty() {
            return Err(ModuleError::failed("value is empty"));
        }
        Ok(())
    }

    /// The values without the spaces of `a, b`.
    fn values(&self) -> Vec<&str> {
        self.value.iter().flatten().map(|it| it.trim()).filter(|it| !it.is_empty()).collect()
    }

    /// The zone that is meant.
    async fn zone(&self, aws: &Aws) -> Result<Zone, ModuleError> {
        let mut found = match (&self.hosted_zone_id, &self.zone) {
            (Some(id), _) => {
                let zone = zones::of_id(aws, id).await?;
                zone.and_then(|it| it.get("HostedZone").cloned()).into_iter().collect()
            }
            (None, name) => {
                let name = name.as_deref().unwrap_or_default();
                zones::of_name(aws, name, self.private_zone).await?
            }
        };
        if let Some(vpc) = self.vpc_id.as_ref().filter(|_| self.private_zone) {
            let mut attached = Vec::new();
            for zone in found {
                let whole = zones::of_id(aws, text(&zone, "Id")).await?;
                let networks = whole.as_ref().map(zones::networks).unwrap_or_default();
                if networks.iter().any(|(_, id)| id == vpc) {
                    attached.push(zone);
                }
            }
            found = attached;
        }
        let said = self.hosted_zone_id.as_ref().or(self.zone.as_ref());
        let said = said.map(String::as_str).unwrap_or_default();
        match &found[..] {
            [] => Err(ModuleError::failed(format!("zone {said} does not exist in Route 53"))),
            [one] => Ok(Zone {
                id: zones::short(text(one, "Id")).to_owned(),
                name: zones::dotted(text(one, "Name")),
            }),
            many => {
                let ids: Vec<_> = many.iter().map(|it| zones::short(text(it, "Id"))).collect();
                let text = format!(
                    "several zones are called {said}: say with hosted_zone_id which of {} is meant",
                    ids.join(", ")
                );
                Err(ModuleError::failed(text).with("zone_ids", ids))
            }
        }
    }

    /// The record set that is wanted.
    fn wanted(&self) -> Json {
        let mut set = json!({"Name": zones::dotted(&self.record), "Type": self.kind});
        let mut put = |name: &str, value: Json| {
            if !value.is_null() {
                set[name] = value;
            }
        };
        put("SetIdentifier", json!(self.identifier));
        put("Weight", json!(self.weight));
        put("Region", json!(self.region));
        put("Failover", json!(self.failover));
        put("GeoLocation", json!(self.geo_location));
        put("HealthCheckId", json!(self.health_check));
        if self.alias == Some(true) {
            let target = json!({
                "HostedZoneId": self.alias_hosted_zone_id,
                "DNSName": self.values().first(),
                "EvaluateTargetHealth": self.alias_evaluate_target_health,
            });
            put("AliasTarget", target);
        } else {
            let record = |it: &&str| json!({"Value": it});
            put("TTL", json!(self.ttl));
            put("ResourceRecords", self.values().iter().map(record).collect());
        }
        set
    }
}

/// One task: what it wants, and what it acts with.
struct Task<'a> {
    control: &'a Control,
    aws: &'a Aws,
    args: &'a Args,
    zone: &'a Zone,
}

impl Task<'_> {
    fn which<'a>(&'a self, name: &'a str, kind: &'a str) -> Which<'a> {
        let identifier = self.args.identifier.as_deref();
        Which { zone: &self.zone.id, name, kind, identifier }
    }

    async fn get(&self, found: &[Value]) -> Result<Outcome, ModuleError> {
        let apex = Which { identifier: None, ..self.which(&self.zone.name, "NS") };
        let servers = zones::record_sets(self.aws, apex).await?;
        let servers: Vec<Json> =
            servers.iter().flat_map(|it| records::values(&it.to_json())).collect();
        // What it is called at AWS too, as results of the original have it.
        let set = found.first().map_or_else(
            || json!({}),
            |it| {
                let mut set = it.to_json();
                self.zone.describe(&mut set);
                set
            },
        );
        let shown = found.iter().map(|it| {
            let set = it.to_json();
            let mut shown = self.zone.shown(&set);
            // Here they are numbers.
            for (name, key) in [("TTL", "ttl"), ("Weight", "weight")] {
                shown[key] = set.get(name).cloned().unwrap_or_default();
            }
            shown
        });
        let shown: Vec<Json> = shown.collect();
        let outcome = Outcome::new().with("nameservers", servers);
        Ok(outcome.with("set", set).with("resource_record_sets", shown))
    }

    async fn keep(&self, found: &[Value]) -> Result<Outcome, ModuleError> {
        let wanted = self.args.wanted();
        let current = self.current(found)?.map(Value::to_json);
        let outcome = Outcome::new().with("resource_record_sets", [self.zone.shown(&wanted)]);
        let action = match &current {
            None => "CREATE",
            Some(current) if records::comparable(current) == records::comparable(&wanted) => {
                // What is there already has this name in results of the original.
                let there = snake_all(current.clone(), &[]);
                return Ok(outcome.with("resource_records_sets", [there]));
            }
            Some(_) if self.args.overwrite == Some(true) => "UPSERT",
            Some(current) => {
                let text = format!(
                    "{} has a record of type {} with other values: overwrite replaces it",
                    self.args.record, self.args.kind
                );
                return Err(ModuleError::failed(text)
                    .with("resource_record_sets", [self.zone.shown(current)]));
            }
        };
        let what = if current.is_some() { "replace the record" } else { "create the record" };
        let id = self.change(what, action, current.as_ref(), &wanted).await?;
        Ok(outcome.with("wait_id", id))
    }

    async fn delete(&self, found: &[Value]) -> Result<Outcome, ModuleError> {
        let Some(current) = self.current(found)?.map(Value::to_json) else {
            return Ok(Outcome::new());
        };
        let mut wanted: Vec<Json> = self.args.values().into_iter().map(Json::from).collect();
        let mut there = records::values(&current);
        if current.get("AliasTarget").is_some() {
            let dotted =
                |it: &mut Json| *it = zones::dotted(it.as_str().unwrap_or_default()).into();
            wanted.iter_mut().for_each(dotted);
            there.iter_mut().for_each(dotted);
        }
        if !wanted.is_empty() && records::sorted(wanted) != records::sorted(there) {
            let text = format!(
                "{} has a record of type {} with other values: it is not deleted",
                self.args.record, self.args.kind
            );
            return Err(
                ModuleError::failed(text).with("resource_record_sets", [self.zone.shown(&current)])
            );
        }
        let id = self.change("delete the record", "DELETE", Some(&current), &current).await?;
        Ok(Outcome::new().with("resource_record_sets", json!([])).with("wait_id", id))
    }

    /// The record set that is meant, of those of its name and type.
    fn current<'a>(&self, found: &'a [Value]) -> Result<Option<&'a Value>, ModuleError> {
        let id = |it: &Value| it.get("SetIdentifier").and_then(Value::as_str).map(str::to_owned);
        let ids: Vec<String> = found.iter().filter_map(id).collect();
        if self.args.identifier.is_none() && !ids.is_empty() {
            let text = format!(
                "{} has several records of type {}: say with identifier which of {} is meant",
                self.args.record,
                self.args.kind,
                ids.join(", ")
            );
            return Err(ModuleError::failed(text).with("identifiers", ids));
        }
        Ok(found.first())
    }

    /// Makes a change, waits for it where the task says so; the change's id, but not in check mode.
    async fn change(
        &self,
        what: &str,
        action: &str,
        before: Option<&Json>,
        set: &Json,
    ) -> Result<Option<String>, ModuleError> {
        let path = format!("{}/{} {}", self.zone.id, self.args.record, self.args.kind);
        let edit = Edit {
            before: before.map(|it| self.zone.shown(it)).unwrap_or_default(),
            after: if action == "DELETE" { Json::Null } else { self.zone.shown(set) },
            ..Edit::new(what, path)
        };
        let params = json!({
            "HostedZoneId": self.zone.id,
            "ChangeBatch": {"Changes": [{"Action": action, "ResourceRecordSet": set}]},
        });
        let changed = self.control.change(edit, async || self.submit(params).await).await?;
        let Some(changed) = changed else { return Ok(None) };
        let id = changed.at(&["ChangeInfo", "Id"]).and_then(Value::as_str).map(str::to_owned);
        if let Some(id) = id.as_ref().filter(|_| self.args.wait) {
            self.control.tell("waiting until all servers know of it");
            let timeout = Duration::from_secs(self.args.wait_timeout);
            let params = json!({"Id": id});
            let waited = self.aws.wait("route53", "resource_record_sets_changed", params, timeout);
            waited.await.map_err(|error| error.with("wait_id", id))?;
        }
        Ok(id)
    }

    async fn submit(&self, params: Json) -> Result<Value, ModuleError> {
        let mut left = TRIES;
        loop {
            let call = self.aws.attempt("route53", "ChangeResourceRecordSets", params.clone());
            match call.await {
                Ok(changed) => return Ok(Value::Map(changed)),
                Err(error) if left > 0 && says(&error, BUSY) => {
                    left -= 1;
                    self.control.tell("waiting until an earlier change of the zone is over");
                    tokio::time::sleep(Duration::from_secs(self.args.retry_interval)).await;
                }
                Err(error) => {
                    return Err(failure(Some(("route53", "ChangeResourceRecordSets")), &error));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use davit_module::control::Entry;

    use super::*;

    #[test]
    fn the_region_is_that_of_the_record() {
        let spec = Entry::of::<Route53>().spec();
        let region = spec.option("region").unwrap();
        assert!(region.aliases.is_empty(), "{region:?}");
        assert!(region.about.contains("this record answers"), "{region:?}");
        let args = json!({"state": "get", "record": "a", "type": "A", "region": "eu-west-1"});
        let args: Args = serde_json::from_value(args).unwrap();
        assert_eq!((args.region.as_deref(), args.login.region), (Some("eu-west-1"), None));
    }
}
