//! `amazon.aws.ec2_vpc_subnet`: subnets of networks.

use std::time::Duration;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::aws::args::yes;
use crate::aws::cidr;
use crate::aws::ec2::{self, Ec2, State, text};
use crate::aws::login::Login;
use crate::aws::tags::TagArgs;

/// Keep a subnet of a virtual private cloud.
///
/// It is found by its VPC and its range. What it is in, a zone or an Outpost, cannot be changed later.
///
/// ```yaml
/// - name: Where the load balancers are
///   amazon.aws.ec2_vpc_subnet:
///     vpc_id: "{{ vpc.vpc.id }}"
///     cidr: 10.0.1.0/24
///     az: eu-west-1a
///     map_public: true
///     tags: {Name: staging-public-a}
///   register: subnet
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Give instances an IPv6 address. Needs `ipv6_cidr`.
    #[serde(default)]
    assign_instances_ipv6: bool,
    /// The availability zone.
    #[serde(default)]
    az: Option<String>,
    /// Its IPv4 range.
    cidr: String,
    /// Its IPv6 range, of 64 bits and within that of the VPC. Without it the subnet has none.
    #[serde(default)]
    ipv6_cidr: String,
    /// Give instances a public IPv4 address.
    #[serde(default)]
    map_public: bool,
    /// The ARN of the Outpost that it is in. Needs `az`.
    #[serde(default)]
    outpost_arn: String,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// The id of the VPC.
    vpc_id: String,
    /// Wait until what was changed has come about.
    #[serde(default = "yes")]
    wait: bool,
    /// For how many seconds to wait at most.
    #[serde(default = "five_minutes")]
    wait_timeout: u64,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

const fn five_minutes() -> u64 {
    300
}

/// The operation that lists them, and where its answer has them.
const LIST: (&str, &str) = ("DescribeSubnets", "Subnets");

/// `amazon.aws.ec2_vpc_subnet`.
pub(crate) struct Ec2VpcSubnet;

impl Module for Ec2VpcSubnet {
    const NAME: &'static str = "amazon.aws.ec2_vpc_subnet";
    const RULES: Rules = Rules::NONE;
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        if args.assign_instances_ipv6 && args.ipv6_cidr.is_empty() {
            return Err(ModuleError::failed("assign_instances_ipv6 needs ipv6_cidr"));
        }
        if !args.outpost_arn.is_empty() && args.az.is_none() {
            return Err(ModuleError::failed("outpost_arn needs az"));
        }
        let ec2 = Ec2::new(control, &args.login)?;
        let outcome = keep(&ec2, &args).await;
        ec2.close(outcome)
    }
}

async fn keep(ec2: &Ec2<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let range = cidr::canonical(&args.cidr);
    let params = ec2::by(&json!({"vpc-id": args.vpc_id, "cidr-block": range}));
    let found = ec2.list(LIST.0, LIST.1, params).await?.into_iter().next();
    if args.state == State::Absent {
        if let Some(subnet) = &found {
            delete(ec2, args, subnet).await?;
        }
        return Ok(Outcome::new());
    }
    let subnet = match found {
        Some(subnet) => subnet,
        None => match create(ec2, args).await? {
            Some(subnet) => subnet,
            None => return Ok(Outcome::new().with("subnet", predicted(args))),
        },
    };
    let id = text(&subnet, "SubnetId");
    if let Some(zone) = &args.az
        && text(&subnet, "AvailabilityZone") != zone
    {
        let is = text(&subnet, "AvailabilityZone");
        ec2.control().warn(format!("{id} is in {is} and cannot be brought to {zone}"));
    }
    let current = ec2::tags(&subnet);
    let tags = ec2.tag(id, &current, &args.tags.change(&current)).await?;
    set(ec2, &subnet, "MapPublicIpOnLaunch", args.map_public).await?;
    ipv6(ec2, args, &subnet).await?;
    let settled = |it: &Value| {
        let blocks = it.get("Ipv6CidrBlockAssociationSet").map(Value::items).unwrap_or_default();
        let is_moving = |it: &Value| matches!(state_of(it), "associating" | "disassociating");
        !args.wait || !blocks.iter().any(is_moving)
    };
    let params = json!({"SubnetIds": [id]});
    let mut subnet = shown(&ec2.until(LIST, params, patience(args), settled).await?);
    subnet["tags"] = json!(tags);
    Ok(Outcome::new().with("subnet", subnet))
}

fn patience(args: &Args) -> Duration {
    Duration::from_secs(args.wait_timeout)
}

async fn delete(ec2: &Ec2<'_>, args: &Args, subnet: &Value) -> Result<(), ModuleError> {
    let id = text(subnet, "SubnetId");
    let edit = Edit::new("delete the subnet", id).from(shown(subnet));
    if ec2.change(edit, "DeleteSubnet", json!({"SubnetId": id})).await?.is_some() && args.wait {
        ec2.gone(LIST, json!({"SubnetIds": [id]}), patience(args)).await?;
    }
    Ok(())
}

/// Makes it, with all of its tags. Nothing comes back in check mode.
async fn create(ec2: &Ec2<'_>, args: &Args) -> Result<Option<Value>, ModuleError> {
    let mut params = json!({"VpcId": args.vpc_id, "CidrBlock": cidr::canonical(&args.cidr)});
    let optional = [
        ("AvailabilityZone", args.az.as_deref().unwrap_or_default()),
        ("Ipv6CidrBlock", &args.ipv6_cidr),
        ("OutpostArn", &args.outpost_arn),
    ];
    for (name, value) in optional.iter().filter(|(_, value)| !value.is_empty()) {
        params[*name] = json!(value);
    }
    let tags = args.tags.tags.clone().unwrap_or_default();
    let params = ec2::with_tags(params, "subnet", &tags);
    let edit = Edit::new("create the subnet", &args.cidr).to(predicted(args));
    let Some((id, _)) = ec2.create(edit, "CreateSubnet", params, &["Subnet", "SubnetId"]).await?
    else {
        return Ok(None);
    };
    let is_ready = |it: &Value| !args.wait || text(it, "State") == "available";
    ec2.until(LIST, json!({"SubnetIds": [id]}), patience(args), is_ready).await.map(Some)
}

/// Turns an attribute on or off.
async fn set(ec2: &Ec2<'_>, subnet: &Value, attribute: &str, on: bool) -> Result<(), ModuleError> {
    let is = subnet.get(attribute).and_then(Value::as_bool).unwrap_or(false);
    if is != on {
        let id = text(subnet, "SubnetId");
        let edit = Edit::new(format!("set {attribute}"), id).from(is).to(on);
        let params = json!({"SubnetId": id, (attribute): {"Value": on}});
        ec2.change(edit, "ModifySubnetAttribute", params).await?;
    }
    Ok(())
}

/// Brings it to the IPv6 range that is asked for.
async fn ipv6(ec2: &Ec2<'_>, args: &Args, subnet: &Value) -> Result<(), ModuleError> {
    let id = text(subnet, "SubnetId");
    let there = block(subnet);
    let wanted = cidr::canonical(&args.ipv6_cidr);
    let is_same = there.map(|(range, _)| cidr::canonical(range)).unwrap_or_default() == wanted;
    // Instances get addresses only while there are some.
    if !args.assign_instances_ipv6 {
        set(ec2, subnet, "AssignIpv6AddressOnCreation", false).await?;
    }
    if !is_same {
        if let Some((range, association)) = there {
            let edit = Edit::new("remove the IPv6 range", id).from(range);
            let params = json!({"AssociationId": association});
            let made = ec2.change(edit, "DisassociateSubnetCidrBlock", params).await?;
            if made.is_some() && !wanted.is_empty() {
                let params = json!({"SubnetIds": [id]});
                ec2.until(LIST, params, patience(args), |it| block(it).is_none()).await?;
            }
        }
        if !wanted.is_empty() {
            let edit = Edit::new("add an IPv6 range", id).to(&wanted);
            let params = json!({"SubnetId": id, "Ipv6CidrBlock": wanted});
            let made = ec2.change(edit, "AssociateSubnetCidrBlock", params).await?;
            if made.is_some() && args.assign_instances_ipv6 {
                let is_there = |it: &Value| block(it).is_some();
                ec2.until(LIST, json!({"SubnetIds": [id]}), patience(args), is_there).await?;
            }
        }
    }
    if args.assign_instances_ipv6 {
        set(ec2, subnet, "AssignIpv6AddressOnCreation", true).await?;
    }
    Ok(())
}

/// The IPv6 range that it has or is getting, and the id of what joins it to the subnet.
fn block(subnet: &Value) -> Option<(&str, &str)> {
    let blocks = subnet.get("Ipv6CidrBlockAssociationSet")?.items();
    let is_gone = |it: &Value| {
        matches!(state_of(it), "disassociating" | "disassociated" | "failing" | "failed")
    };
    let found = blocks.iter().find(|it| !is_gone(it))?;
    Some((text(found, "Ipv6CidrBlock"), text(found, "AssociationId")))
}

fn state_of(association: &Value) -> &str {
    association.get("Ipv6CidrBlockState").map(|it| text(it, "State")).unwrap_or_default()
}

fn predicted(args: &Args) -> Json {
    json!({
        "availability_zone": args.az,
        "cidr_block": args.cidr,
        "ipv6_cidr_block": args.ipv6_cidr,
        "map_public_ip_on_launch": args.map_public,
        "assign_ipv6_address_on_creation": args.assign_instances_ipv6,
        "tags": args.tags.tags.clone().unwrap_or_default(),
        "vpc_id": args.vpc_id,
    })
}

fn shown(subnet: &Value) -> Json {
    let mut shown = ec2::shown(subnet);
    let (range, association) = block(subnet).unwrap_or_default();
    shown["ipv6_cidr_block"] = json!(range);
    shown["ipv6_association_id"] = json!(association);
    ec2::as_id(&mut shown, "subnet_id");
    shown
}
