//! `amazon.aws.ec2_vpc_net`: networks.

use std::time::Duration;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::aws::cidr;
use crate::aws::ec2::{self, Ec2, State, text};
use crate::aws::login::Login;
use crate::aws::tags::{TagArgs, TagChange, Tags};

/// Keep a virtual private cloud.
///
/// One is found by `vpc_id`, or else by `name` and the first range of `cidr_block`.
///
/// ```yaml
/// - name: A network for tests
///   amazon.aws.ec2_vpc_net:
///     name: staging
///     cidr_block: 10.0.0.0/16
///     tags: {Environment: staging}
///   register: vpc
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Its IPv4 ranges. The first is the one that it is made with; further ones are added to it.
    #[serde(default)]
    cidr_block: Option<Vec<String>>,
    /// The set of DHCP options that counts in it.
    #[serde(default)]
    dhcp_opts_id: Option<String>,
    /// Give names to instances with public addresses. A new one does so unless this is off.
    #[serde(default)]
    dns_hostnames: Option<bool>,
    /// Resolve names in it. A new one does so unless this is off.
    #[serde(default)]
    dns_support: Option<bool>,
    /// Have an IPv6 range of Amazon's, or none.
    #[serde(default)]
    ipv6_cidr: Option<bool>,
    /// Make another one though there is one with this name and range.
    #[serde(default)]
    multi_ok: bool,
    /// Its name: the tag `Name`, whatever `tags` says. A new one needs one.
    #[serde(default)]
    name: Option<String>,
    /// Remove the ranges that `cidr_block` does not name.
    #[serde(default)]
    purge_cidrs: bool,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// Whether instances share hardware with those of others. This cannot be changed later.
    #[serde(default)]
    tenancy: Tenancy,
    /// Its id.
    #[serde(default)]
    vpc_id: Option<String>,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// Whom instances share hardware with.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Tenancy {
    #[default]
    Default,
    Dedicated,
}

/// The operation that lists them, and where its answer has them.
const LIST: (&str, &str) = ("DescribeVpcs", "Vpcs");
/// For how long ranges may take to be added or removed.
const PATIENCE: Duration = Duration::from_secs(300);

/// `amazon.aws.ec2_vpc_net`.
pub(crate) struct Ec2VpcNet;

impl Module for Ec2VpcNet {
    const NAME: &'static str = "amazon.aws.ec2_vpc_net";
    const RULES: Rules =
        Rules { required_one_of: &[&["vpc_id", "name"], &["vpc_id", "cidr_block"]], ..Rules::NONE };
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let ec2 = Ec2::new(control, &args.login)?;
        let outcome = keep(&ec2, &args).await;
        ec2.close(outcome)
    }
}

async fn keep(ec2: &Ec2<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let found = find(ec2, args).await?;
    if args.state == State::Absent {
        if let Some(vpc) = &found {
            let id = text(vpc, "VpcId");
            let edit = Edit::new("delete the VPC", id).from(shown(vpc));
            if ec2.change(edit, "DeleteVpc", json!({"VpcId": id})).await?.is_some() {
                ec2.gone(LIST, json!({"VpcIds": [id]}), PATIENCE).await?;
            }
        }
        return Ok(Outcome::new().with("vpc", json!({})));
    }
    let (vpc, is_new) = match found {
        Some(vpc) => (vpc, false),
        None => match create(ec2, args).await? {
            Some(vpc) => (vpc, true),
            None => return Ok(Outcome::new().with("vpc", predicted(args))),
        },
    };
    let id = text(&vpc, "VpcId");
    let current = ec2::tags(&vpc);
    let tags = ec2.tag(id, &current, &tag_change(args, &current)).await?;
    let is_waiting = ranges(ec2, args, &vpc).await?;
    if let Some(wanted) = &args.dhcp_opts_id
        && text(&vpc, "DhcpOptionsId") != wanted
    {
        let edit = Edit::new("set the DHCP options", id).from(text(&vpc, "DhcpOptionsId"));
        let params = json!({"VpcId": id, "DhcpOptionsId": wanted});
        ec2.change(edit.to(wanted), "AssociateDhcpOptions", params).await?;
    }
    names(ec2, args, id, is_new).await?;
    let params = json!({"VpcIds": [id]});
    let settled = |it: &Value| !is_waiting || !is_moving(it);
    let mut vpc = shown(&ec2.until(LIST, params, PATIENCE, settled).await?);
    if let Some(name) = tags.get("Name") {
        vpc["name"] = json!(name);
    }
    vpc["tags"] = json!(tags);
    Ok(Outcome::new().with("vpc", vpc))
}

async fn find(ec2: &Ec2<'_>, args: &Args) -> Result<Option<Value>, ModuleError> {
    let params = match (&args.vpc_id, &args.name, args.cidr_block.as_deref()) {
        (Some(id), ..) => json!({"VpcIds": [id]}),
        (None, Some(name), Some([range, ..])) => {
            ec2::by(&json!({"tag:Name": name, "cidr-block": cidr::canonical(range)}))
        }
        _ => return Err(ModuleError::failed("cidr_block is empty")),
    };
    let mut found = ec2.list(LIST.0, LIST.1, params).await?;
    if args.vpc_id.is_some() {
        return match found.pop() {
            None if args.state == State::Present => {
                let id = args.vpc_id.as_deref().unwrap_or_default();
                Err(ModuleError::failed(format!("there is no VPC {id}")))
            }
            other => Ok(other),
        };
    }
    if args.multi_ok && args.state == State::Present {
        return Ok(None);
    }
    if found.len() > 1 {
        let ids: Vec<&str> = found.iter().map(|it| text(it, "VpcId")).collect();
        return Err(ModuleError::failed(format!(
            "there are {} VPCs with this name and range ({}): say which by vpc_id, or multi_ok to \
             make another one",
            ids.len(),
            ids.join(", ")
        )));
    }
    Ok(found.pop())
}

/// Makes it, with all of its tags. Nothing comes back in check mode.
async fn create(ec2: &Ec2<'_>, args: &Args) -> Result<Option<Value>, ModuleError> {
    let range = args.cidr_block.iter().flatten().next();
    let range = range.ok_or_else(|| ModuleError::failed("a new VPC needs a cidr_block"))?;
    let params = json!({
        "CidrBlock": cidr::canonical(range),
        "InstanceTenancy": args.tenancy,
        "AmazonProvidedIpv6CidrBlock": args.ipv6_cidr.unwrap_or(false),
    });
    let params = ec2::with_tags(params, "vpc", &wanted_tags(args).unwrap_or_default());
    let name = args.name.as_deref().unwrap_or(range);
    let edit = Edit::new("create the VPC", name).to(predicted(args));
    let Some((id, _)) = ec2.create(edit, "CreateVpc", params, &["Vpc", "VpcId"]).await? else {
        return Ok(None);
    };
    let is_available = |it: &Value| text(it, "State") == "available";
    ec2.until(LIST, json!({"VpcIds": [id]}), PATIENCE, is_available).await.map(Some)
}

/// Adds and removes ranges; whether any were.
async fn ranges(ec2: &Ec2<'_>, args: &Args, vpc: &Value) -> Result<bool, ModuleError> {
    let id = text(vpc, "VpcId");
    let there = associations(vpc, "CidrBlockAssociationSet", "CidrBlock");
    let mut is_changed = false;
    if let Some(wanted) = &args.cidr_block {
        let wanted: Vec<String> = wanted.iter().map(|it| cidr::canonical(it)).collect();
        for range in wanted.iter().filter(|it| there.iter().all(|(one, _)| one != it)) {
            let edit = Edit::new("add a range", id).to(range);
            let params = json!({"VpcId": id, "CidrBlock": range});
            is_changed |= ec2.change(edit, "AssociateVpcCidrBlock", params).await?.is_some();
        }
        let first = text(vpc, "CidrBlock");
        let strange =
            |(range, _): &&(&str, &str)| *range != first && !wanted.iter().any(|it| it == range);
        for (range, association) in there.iter().filter(|_| args.purge_cidrs).filter(strange) {
            is_changed |= disassociate(ec2, id, range, association).await?;
        }
    }
    let there = associations(vpc, "Ipv6CidrBlockAssociationSet", "Ipv6CidrBlock");
    match args.ipv6_cidr {
        Some(true) if there.is_empty() => {
            let edit = Edit::new("add an IPv6 range of Amazon's", id);
            let params = json!({"VpcId": id, "AmazonProvidedIpv6CidrBlock": true});
            is_changed |= ec2.change(edit, "AssociateVpcCidrBlock", params).await?.is_some();
        }
        Some(false) => {
            for (range, association) in there {
                is_changed |= disassociate(ec2, id, range, association).await?;
            }
        }
        _ => {}
    }
    Ok(is_changed)
}

async fn disassociate(
    ec2: &Ec2<'_>,
    id: &str,
    range: &str,
    association: &str,
) -> Result<bool, ModuleError> {
    let edit = Edit::new("remove a range", id).from(range);
    let params = json!({"AssociationId": association});
    Ok(ec2.change(edit, "DisassociateVpcCidrBlock", params).await?.is_some())
}

/// The ranges that it has or is getting, each with the id of what joins it to the VPC.
fn associations<'a>(vpc: &'a Value, list: &str, range: &str) -> Vec<(&'a str, &'a str)> {
    let items = vpc.get(list).map(Value::items).unwrap_or_default().iter();
    let is_there = |it: &&Value| matches!(state_of(it), "associated" | "associating");
    items.filter(is_there).map(|it| (text(it, range), text(it, "AssociationId"))).collect()
}

fn state_of(association: &Value) -> &str {
    let state = association.get("CidrBlockState").or_else(|| association.get("Ipv6CidrBlockState"));
    state.map(|it| text(it, "State")).unwrap_or_default()
}

/// A range is on its way in or out.
fn is_moving(vpc: &Value) -> bool {
    ["CidrBlockAssociationSet", "Ipv6CidrBlockAssociationSet"].iter().any(|list| {
        let items = vpc.get(list).map(Value::items).unwrap_or_default();
        items.iter().any(|it| matches!(state_of(it), "associating" | "disassociating"))
    })
}

/// Turns on and off what it does with names.
async fn names(ec2: &Ec2<'_>, args: &Args, id: &str, is_new: bool) -> Result<(), ModuleError> {
    let default = is_new.then_some(true);
    let support = args.dns_support.or(default);
    // Without support there are no names, and EC2 refuses to have it so.
    let hostnames = args.dns_hostnames.or(default.filter(|_| support != Some(false)));
    let mut settings = [("enableDnsSupport", support), ("enableDnsHostnames", hostnames)];
    if support == Some(false) {
        settings.reverse();
    }
    for (attribute, wanted) in settings {
        let Some(wanted) = wanted else { continue };
        let member = format!("E{}", &attribute[1..]);
        let asked = json!({"VpcId": id, "Attribute": attribute});
        let answer = Value::Map(ec2.call("DescribeVpcAttribute", asked).await?);
        let is = answer.at(&[&member, "Value"]).and_then(Value::as_bool);
        if is != Some(wanted) {
            let edit = Edit::new(format!("set {attribute}"), id).from(is).to(wanted);
            let params = json!({"VpcId": id, (member): {"Value": wanted}});
            ec2.change(edit, "ModifyVpcAttribute", params).await?;
        }
    }
    Ok(())
}

/// The tags that are asked for; nothing where the task speaks neither of tags nor of a name.
fn wanted_tags(args: &Args) -> Option<Tags> {
    let name = args.name.iter().map(|it| ("Name".to_owned(), it.clone()));
    match &args.tags.tags {
        Some(tags) => Some(tags.clone().into_iter().chain(name).collect()),
        None => args.name.is_some().then(|| name.collect()),
    }
}

fn tag_change(args: &Args, current: &Tags) -> TagChange {
    let purge = args.tags.purge_tags && args.tags.tags.is_some();
    wanted_tags(args).map(|it| TagChange::between(current, &it, purge)).unwrap_or_default()
}

fn predicted(args: &Args) -> Json {
    json!({
        "cidr_block": args.cidr_block.iter().flatten().next(),
        "instance_tenancy": args.tenancy,
        "name": args.name,
        "tags": wanted_tags(args).unwrap_or_default(),
    })
}

fn shown(vpc: &Value) -> Json {
    let mut shown = ec2::shown(vpc);
    ec2::as_id(&mut shown, "vpc_id");
    shown
}
