//! `amazon.aws.ec2_vpc_nat_gateway`: the way out for subnets that nobody reaches.

use std::time::Duration;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Requirement, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::aws::ec2::{self, Ec2, State, text};
use crate::aws::login::Login;
use crate::aws::tags::{TagArgs, Tags};

/// Keep a NAT gateway.
///
/// It is found by its subnet and its address. Without an address, each run makes a new one with a new address,
/// unless `if_exist_do_not_create` is on.
///
/// ```yaml
/// - name: The private subnets reach the internet
///   amazon.aws.ec2_vpc_nat_gateway:
///     subnet_id: "{{ subnet_ids['public-a'] }}"
///     if_exist_do_not_create: true
///     wait: true
///   register: nat
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The allocation of its address. Without it and `eip_address`, an address is allocated.
    #[serde(default)]
    allocation_id: Option<String>,
    /// A text by which EC2 knows the same order again.
    #[serde(default)]
    client_token: Option<String>,
    /// Whether it leads to the internet, or only to other networks of one's own: without an address then.
    #[serde(default)]
    connectivity_type: Connectivity,
    /// Allocate an address where there is no `eip_address`; otherwise that is an error.
    #[serde(default)]
    default_create: bool,
    /// Its address.
    #[serde(default)]
    eip_address: Option<String>,
    /// Any NAT gateway of the subnet will do.
    #[serde(default)]
    if_exist_do_not_create: bool,
    /// The id of the one to delete.
    #[serde(default)]
    nat_gateway_id: Option<String>,
    /// With `state: absent`: release its addresses once it is deleted, which is waited for.
    #[serde(default)]
    release_eip: bool,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// The subnet that it is in.
    #[serde(default)]
    subnet_id: Option<String>,
    /// Wait until it is available or deleted.
    #[serde(default)]
    wait: bool,
    /// For how many seconds to wait at most.
    #[serde(default = "patience")]
    wait_timeout: u64,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// Where a gateway leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Connectivity {
    #[default]
    Public,
    Private,
}

const fn patience() -> u64 {
    320
}

/// The operation that lists them, and where its answer has them.
const LIST: (&str, &str) = ("DescribeNatGateways", "NatGateways");

/// `amazon.aws.ec2_vpc_nat_gateway`.
pub(crate) struct Ec2VpcNatGateway;

impl Module for Ec2VpcNatGateway {
    const NAME: &'static str = "amazon.aws.ec2_vpc_nat_gateway";
    const RULES: Rules = Rules {
        mutually_exclusive: &[&["allocation_id", "eip_address"]],
        required_if: &[
            Requirement { key: "state", value: "present", needs: &["subnet_id"], any: false },
            Requirement { key: "state", value: "absent", needs: &["nat_gateway_id"], any: false },
        ],
        ..Rules::NONE
    };
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let ec2 = Ec2::new(control, &args.login)?;
        let outcome = match args.state {
            State::Present => keep(&ec2, &args).await,
            State::Absent => delete(&ec2, &args).await,
        };
        ec2.close(outcome)
    }
}

async fn keep(ec2: &Ec2<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let allocation = allocation(ec2, args).await?;
    let subnet = args.subnet_id.as_deref().unwrap_or_default();
    let params = json!({"Filter": [
        {"Name": "subnet-id", "Values": [subnet]},
        {"Name": "state", "Values": ["pending", "available"]},
    ]});
    let there = ec2.list(LIST.0, LIST.1, params).await?;
    let is_meant = |it: &Value| {
        args.if_exist_do_not_create || allocation.iter().any(|id| allocations(it).contains(&&**id))
    };
    let gateway = match there.into_iter().find(is_meant) {
        Some(gateway) => gateway,
        None => match create(ec2, args, subnet, allocation).await? {
            Some(gateway) => gateway,
            None => return Ok(Outcome::new().with("subnet_id", subnet)),
        },
    };
    let id = text(&gateway, "NatGatewayId");
    let current = ec2::tags(&gateway);
    let tags = ec2.tag(id, &current, &args.tags.change(&current)).await?;
    let mut gateway = gateway.clone();
    if args.wait && text(&gateway, "State") == "pending" && !ec2.control().is_check() {
        let params = json!({"NatGatewayIds": [id]});
        let time = Duration::from_secs(args.wait_timeout);
        ec2.wait("nat_gateway_available", params.clone(), time).await?;
        gateway = ec2.seen(LIST.0, LIST.1, params).await?;
    }
    Ok(outcome(&gateway, Some(tags)))
}

/// The allocation that is asked for, if one is.
async fn allocation(ec2: &Ec2<'_>, args: &Args) -> Result<Option<String>, ModuleError> {
    let Some(ip) = &args.eip_address else { return Ok(args.allocation_id.clone()) };
    let found = ec2.list("DescribeAddresses", "Addresses", json!({"PublicIps": [ip]})).await?;
    match found.first() {
        Some(address) => Ok(Some(text(address, "AllocationId").to_owned())),
        None if args.default_create => Ok(None),
        None => Err(ModuleError::failed(format!("there is no address {ip}"))),
    }
}

/// Makes it, with all of its tags. Nothing comes back in check mode.
async fn create(
    ec2: &Ec2<'_>,
    args: &Args,
    subnet: &str,
    allocation: Option<String>,
) -> Result<Option<Value>, ModuleError> {
    let mut params = json!({"SubnetId": subnet, "ConnectivityType": args.connectivity_type});
    if args.connectivity_type == Connectivity::Public {
        let id = match allocation {
            Some(id) => Some(id),
            None => {
                let edit = Edit::new("allocate an address", "new");
                let params = json!({"Domain": "vpc"});
                let made = ec2.create(edit, "AllocateAddress", params, &["AllocationId"]).await?;
                made.map(|(id, _)| id)
            }
        };
        params["AllocationId"] = json!(id);
    }
    if let Some(token) = &args.client_token {
        params["ClientToken"] = json!(token);
    }
    let tags = args.tags.tags.clone().unwrap_or_default();
    let params = ec2::with_tags(params, "natgateway", &tags);
    let edit = Edit::new("create the NAT gateway", subnet).to(json!({"tags": tags}));
    let id = &["NatGateway", "NatGatewayId"];
    let Some((id, _)) = ec2.create(edit, "CreateNatGateway", params, id).await? else {
        return Ok(None);
    };
    ec2.seen(LIST.0, LIST.1, json!({"NatGatewayIds": [id]})).await.map(Some)
}

async fn delete(ec2: &Ec2<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let params = json!({"NatGatewayIds": [args.nat_gateway_id]});
    let Some(gateway) = ec2.list(LIST.0, LIST.1, params.clone()).await?.pop() else {
        return Ok(Outcome::new());
    };
    let id = text(&gateway, "NatGatewayId");
    let is_deleted = text(&gateway, "State") == "deleted";
    if !is_deleted && text(&gateway, "State") != "deleting" {
        let edit = Edit::new("delete the NAT gateway", id).from(ec2::shown(&gateway));
        ec2.change(edit, "DeleteNatGateway", json!({"NatGatewayId": id})).await?;
    }
    if !is_deleted && (args.wait || args.release_eip) && !ec2.control().is_check() {
        let time = Duration::from_secs(args.wait_timeout);
        ec2.wait("nat_gateway_deleted", params.clone(), time).await?;
    }
    if args.release_eip {
        for allocation in allocations(&gateway) {
            let params = json!({"AllocationIds": [allocation]});
            let address = ec2.list("DescribeAddresses", "Addresses", params).await?.pop();
            // Somebody else may have it by now.
            let is_free =
                |it: &Value| text(it, "AssociationId").is_empty() || has_interface(&gateway, it);
            if address.as_ref().is_some_and(is_free) {
                let edit = Edit::new("release the address", allocation);
                ec2.change(edit, "ReleaseAddress", json!({"AllocationId": allocation})).await?;
            }
        }
    }
    let last = ec2.list(LIST.0, LIST.1, params).await?.pop();
    Ok(outcome(&last.unwrap_or(gateway), None))
}

/// The allocations of its addresses.
fn allocations(gateway: &Value) -> Vec<&str> {
    let addresses = gateway.get("NatGatewayAddresses").map(Value::items).unwrap_or_default();
    let ids = addresses.iter().map(|it| text(it, "AllocationId"));
    ids.filter(|it| !it.is_empty()).collect()
}

/// The address is associated with the gateway's own interface.
fn has_interface(gateway: &Value, address: &Value) -> bool {
    let addresses = gateway.get("NatGatewayAddresses").map(Value::items).unwrap_or_default();
    let interface = text(address, "NetworkInterfaceId");
    addresses.iter().any(|it| text(it, "NetworkInterfaceId") == interface)
}

fn outcome(gateway: &Value, tags: Option<Tags>) -> Outcome {
    let outcome = Outcome::new().with_all(ec2::shown(gateway));
    match tags {
        Some(tags) => outcome.with("tags", tags),
        None => outcome,
    }
}
