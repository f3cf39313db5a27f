//! `amazon.aws.route53_zone`: zones of Route 53.
//!
//! It knows nothing of the records in them.

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::aws::client::Aws;
use crate::aws::ec2::State;
use crate::aws::login::Login;
use crate::aws::names;
use crate::aws::parts::text;
use crate::aws::tags::{Shape, TagArgs, Tags};
use crate::aws::zones;

/// Keep a zone of DNS at Route 53: a public one, or with networks a private one.
///
/// A public zone is found by its name, a private one by its name and networks: the one with just these, or else
/// one with any of them, whose networks are then brought to what is asked for.
///
/// ```yaml
/// - amazon.aws.route53_zone:
///     zone: shop.example.com
///     comment: what customers see
///     tags: {Owner: web}
///   register: public
/// - amazon.aws.route53_zone:
///     zone: internal.example.com
///     vpcs: [{id: "{{ vpc.vpc.id }}", region: eu-west-1}]
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The zone's name: `example.com`.
    zone: String,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// What is said of it.
    #[serde(default)]
    comment: String,
    /// The network of a private zone.
    #[serde(default)]
    vpc_id: Option<String>,
    /// The region of that network.
    #[serde(default)]
    vpc_region: Option<String>,
    /// The networks of a private zone.
    #[serde(default)]
    vpcs: Option<Vec<Network>>,
    /// The zone's id, where several have the name; `all` deletes all of them.
    #[serde(default)]
    hosted_zone_id: Option<String>,
    /// The set of name servers that a new public zone takes.
    #[serde(default)]
    delegation_set_id: Option<String>,
    /// Sign the answers of a public zone. The zone needs a key for it.
    #[serde(default)]
    dnssec: bool,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// A network of a private zone.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
struct Network {
    /// Its id: `vpc-1`.
    id: String,
    /// Its region.
    region: String,
}

/// `amazon.aws.route53_zone`.
pub(crate) struct Route53Zone;

impl Module for Route53Zone {
    const NAME: &'static str = "amazon.aws.route53_zone";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.route53_zone"];
    const RULES: Rules = Rules {
        mutually_exclusive: &[
            &["vpcs", "vpc_id"],
            &["vpcs", "vpc_region"],
            &["delegation_set_id", "vpcs"],
            &["delegation_set_id", "vpc_id"],
        ],
        required_together: &[&["vpc_id", "vpc_region"]],
        ..Rules::NONE
    };
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let task = Task { control, aws: &aws, args: &args, wanted: args.networks() };
        let outcome = match args.state {
            State::Present => {
                // The original says it all twice.
                let outcome = task.keep().await?;
                let again: serde_json::Map<String, Json> = KEYS
                    .iter()
                    .filter_map(|it| Some(((*it).to_owned(), outcome.get(it)?.clone())))
                    .collect();
                outcome.with("result", again)
            }
            State::Absent => task.delete().await?,
        };
        Ok(aws.tell(outcome))
    }
}

/// What results say of a zone.
const KEYS: &[&str] = &[
    "name",
    "comment",
    "private_zone",
    "vpc_id",
    "vpc_region",
    "vpcs",
    "tags",
    "delegation_set_id",
    "zone_id",
    "dnssec",
];

impl Args {
    /// The networks as zones have them: region and id. None = the zone is public.
    fn networks(&self) -> Vec<(String, String)> {
        let one = self.vpc_region.clone().zip(self.vpc_id.clone());
        let many = self.vpcs.iter().flatten().map(|it| (it.region.clone(), it.id.clone()));
        let mut all: Vec<_> = one.into_iter().chain(many).collect();
        all.sort();
        all.dedup();
        all
    }
}

/// One task: what it wants, and what it acts with.
struct Task<'a> {
    control: &'a Control,
    aws: &'a Aws,
    args: &'a Args,
    wanted: Vec<(String, String)>,
}

impl Task<'_> {
    async fn keep(&self) -> Result<Outcome, ModuleError> {
        let found = self.one(self.found().await?)?;
        let zone = match found {
            Some(zone) => zone,
            None => match self.create().await? {
                Some(zone) => zone,
                None => return Ok(self.predicted()),
            },
        };
        let id = zones::short(zone.at(&["HostedZone", "Id"]).and_then(Value::as_str).unwrap_or(""));
        self.keep_comment(id, &zone).await?;
        if !self.wanted.is_empty() {
            self.keep_networks(id, &zones::networks(&zone)).await?;
        }
        let tags = self.keep_tags(id).await?;
        let mut outcome = self.predicted().with("zone_id", id).with("tags", tags);
        if self.wanted.is_empty() {
            let set = zone.at(&["DelegationSet", "Id"]).and_then(Value::as_str).map(zones::short);
            outcome.set("delegation_set_id", set);
            outcome.set("dnssec", self.keep_signing(id).await?);
        }
        Ok(outcome)
    }

    /// What is known of the zone from what is asked for.
    fn predicted(&self) -> Outcome {
        let vpc = |(region, id): &(String, String)| json!({"id": id, "region": region});
        let vpcs =
            (!self.wanted.is_empty()).then(|| self.wanted.iter().map(vpc).collect::<Vec<_>>());
        let first = self.wanted.first();
        Outcome::new()
            .with("name", zones::dotted(&self.args.zone))
            .with("comment", &self.args.comment)
            .with("private_zone", !self.wanted.is_empty())
            .with("vpc_id", first.map(|(_, id)| id))
            .with("vpc_region", first.map(|(region, _)| region))
            .with("vpcs", vpcs)
            .with("tags", self.args.tags.tags.clone().unwrap_or_default())
            .with("delegation_set_id", &self.args.delegation_set_id)
    }

    async fn delete(&self) -> Result<Outcome, ModuleError> {
        let found = if self.args.hosted_zone_id.as_deref() == Some("all") {
            let is_private = !self.wanted.is_empty();
            zones::of_name(self.aws, &self.args.zone, is_private).await?
        } else {
            let found = self.one(self.found().await?)?;
            found.and_then(|it| it.get("HostedZone").cloned()).into_iter().collect()
        };
        for zone in found {
            let id = zones::short(text(&zone, "Id"));
            let edit = Edit::new("delete the zone", id).from(names::snake_all(zone.to_json(), &[]));
            let params = json!({"Id": id});
            let act =
                async || self.aws.find("route53", "DeleteHostedZone", params, zones::MISSING).await;
            self.control.change(edit, act).await?;
        }
        Ok(Outcome::new())
    }

    /// The zones that may be meant.
    async fn found(&self) -> Result<Vec<Value>, ModuleError> {
        let is_private = !self.wanted.is_empty();
        let listed = zones::of_name(self.aws, &self.args.zone, is_private).await?;
        let is_meant = |it: &&Value| match self.args.hosted_zone_id.as_deref() {
            None | Some("all") => true,
            Some(id) => zones::short(text(it, "Id")) == zones::short(id),
        };
        let mut found = Vec::new();
        for zone in listed.iter().filter(is_meant) {
            found.extend(zones::of_id(self.aws, text(zone, "Id")).await?);
        }
        if !is_private || self.args.hosted_zone_id.is_some() {
            return Ok(found);
        }
        let networks = |it: &Value| {
            let mut all = zones::networks(it);
            all.sort();
            all
        };
        if let Some(same) = found.iter().position(|it| networks(it) == self.wanted) {
            return Ok(vec![found.swap_remove(same)]);
        }
        found.retain(|it| networks(it).iter().any(|it| self.wanted.contains(it)));
        Ok(found)
    }

    /// The zone that is meant, of those that may be.
    fn one(&self, mut found: Vec<Value>) -> Result<Option<Value>, ModuleError> {
        if found.len() > 1 {
            let id = |it: &Value| {
                it.at(&["HostedZone", "Id"])
                    .and_then(Value::as_str)
                    .map(zones::short)
                    .map(str::to_owned)
            };
            let ids: Vec<String> = found.iter().filter_map(id).collect();
            let text = format!(
                "several zones are called {}: say with hosted_zone_id which of {} is meant",
                self.args.zone,
                ids.join(", ")
            );
            return Err(ModuleError::failed(text).with("zone_ids", ids));
        }
        Ok(found.pop())
    }

    /// Makes it with its first network. Nothing comes back in check mode.
    async fn create(&self) -> Result<Option<Value>, ModuleError> {
        let vpc = self.wanted.first().map(|(region, id)| json!({"VPCId": id, "VPCRegion": region}));
        let params = json!({
            "Name": self.args.zone,
            "CallerReference": format!("{}-{}", self.args.zone, uuid::Uuid::new_v4()),
            "HostedZoneConfig": {"Comment": self.args.comment, "PrivateZone": vpc.is_some()},
            "VPC": vpc,
            "DelegationSetId": self.args.delegation_set_id,
        });
        let edit = Edit::new("create the zone", zones::dotted(&self.args.zone)).to(json!({
            "comment": self.args.comment,
            "private_zone": vpc.is_some(),
        }));
        let act =
            async || self.aws.call("route53", "CreateHostedZone", params).await.map(Value::Map);
        let id = |made: &Value| {
            made.at(&["HostedZone", "Id"]).and_then(Value::as_str).map(str::to_owned)
        };
        let Some(mut made) = self.control.create(edit, act, id).await? else { return Ok(None) };
        // The answer has one network, and under another name.
        if let (Value::Map(made), Some((region, id))) = (&mut made, self.wanted.first()) {
            let vpc = json!([{"VPCId": id, "VPCRegion": region}]);
            made.insert("VPCs".to_owned(), vpc.into());
        }
        Ok(Some(made))
    }

    async fn keep_comment(&self, id: &str, zone: &Value) -> Result<(), ModuleError> {
        let now = zone.at(&["HostedZone", "Config", "Comment"]).and_then(Value::as_str);
        let (now, wanted) = (now.unwrap_or_default(), &self.args.comment);
        if now == wanted {
            return Ok(());
        }
        let edit = Edit::new("set the comment", id)
            .from(json!({"comment": now}))
            .to(json!({"comment": wanted}));
        self.change(edit, "UpdateHostedZoneComment", json!({"Id": id, "Comment": wanted})).await
    }

    async fn keep_networks(&self, id: &str, now: &[(String, String)]) -> Result<(), ModuleError> {
        let params = |(region, vpc): &(String, String)| json!({"HostedZoneId": id, "VPC": {"VPCId": vpc, "VPCRegion": region}});
        // A private zone cannot be without a network: new ones come first.
        for network in self.wanted.iter().filter(|it| !now.contains(it)) {
            let edit = Edit::new("add a network", id).to(json!({"vpc_id": network.1}));
            self.change(edit, "AssociateVPCWithHostedZone", params(network)).await?;
        }
        for network in now.iter().filter(|it| !self.wanted.contains(it)) {
            let edit = Edit::new("take a network out", id).from(json!({"vpc_id": network.1}));
            self.change(edit, "DisassociateVPCFromHostedZone", params(network)).await?;
        }
        Ok(())
    }

    async fn keep_tags(&self, id: &str) -> Result<Tags, ModuleError> {
        let whose = json!({"ResourceType": "hostedzone", "ResourceId": id});
        let found = self.aws.call("route53", "ListTagsForResource", whose.clone()).await?;
        let found = Value::Map(found);
        let found = found.at(&["ResourceTagSet", "Tags"]);
        let current = found.map(|it| Shape::USUAL.tags(it)).unwrap_or_default();
        let change = self.args.tags.change(&current);
        if change.is_empty() {
            return Ok(current);
        }
        let after = change.applied(&current);
        let mut params = whose;
        if !change.set.is_empty() {
            params["AddTags"] = Shape::USUAL.list(&change.set).to_json();
        }
        if !change.remove.is_empty() {
            params["RemoveTagKeys"] = json!(change.remove);
        }
        let edit = Edit::new("change the tags", id)
            .from(json!({"tags": current}))
            .to(json!({"tags": after}));
        self.change(edit, "ChangeTagsForResource", params).await?;
        Ok(after)
    }

    /// Turns signing on or off; how that stands afterwards, as results show it.
    async fn keep_signing(&self, id: &str) -> Result<Json, ModuleError> {
        let params = json!({"HostedZoneId": id});
        let shown = async || {
            let said = self.aws.call("route53", "GetDNSSEC", params.clone()).await?;
            let mut said = names::snake_all(Value::Map(said).to_json(), &[]);
            let keys = said.as_object_mut().and_then(|it| it.remove("key_signing_keys"));
            said["key_signing_key"] = keys.unwrap_or_else(|| json!([]));
            Ok::<_, ModuleError>(said)
        };
        let now = shown().await?;
        let signs = now["status"]["serve_signature"] == "SIGNING";
        if signs == self.args.dnssec {
            return Ok(now);
        }
        let (what, operation) = match self.args.dnssec {
            true => ("sign answers", "EnableHostedZoneDNSSEC"),
            false => ("no longer sign answers", "DisableHostedZoneDNSSEC"),
        };
        let edit = Edit::new(what, id)
            .from(json!({"dnssec": signs}))
            .to(json!({"dnssec": self.args.dnssec}));
        self.change(edit, operation, params.clone()).await?;
        shown().await
    }

    async fn change(&self, edit: Edit, operation: &str, params: Json) -> Result<(), ModuleError> {
        let act = async || self.aws.call("route53", operation, params).await;
        self.control.change(edit, act).await.map(drop)
    }
}
