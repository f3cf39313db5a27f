//! `amazon.aws.ec2_vpc_route_table`: route tables of networks.

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Requirement, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::aws::args::yes;
use crate::aws::cidr;
use crate::aws::ec2::{self, Ec2, State, text};
use crate::aws::login::Login;
use crate::aws::tags::TagArgs;

/// Keep a route table of a virtual private cloud.
///
/// ```yaml
/// - name: Whoever is in the public subnets reaches the internet
///   amazon.aws.ec2_vpc_route_table:
///     vpc_id: "{{ vpc.vpc.id }}"
///     tags: {Name: staging-public}
///     routes:
///       - {dest: 0.0.0.0/0, gateway_id: "{{ igw.gateway_id }}"}
///     subnets: [staging-public-a, staging-public-b]
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The gateway whose incoming traffic it is for. An empty text or `None` takes it from its gateway.
    #[serde(default)]
    gateway_id: Option<String>,
    /// How it is found: by all of `tags`, or by `route_table_id`. By `tag` without any tags, each run makes a
    /// new one; more than one with these tags are an error.
    #[serde(default)]
    lookup: Lookup,
    /// The ids of virtual private gateways whose routes it takes over. Others that it takes routes from stay.
    #[serde(default)]
    propagating_vgw_ids: Vec<String>,
    /// Remove the routes that `routes` does not name, but not those to the network itself, of endpoints, and
    /// those that are propagated.
    #[serde(default = "yes")]
    purge_routes: bool,
    /// Take it from the subnets that `subnets` does not name, where there is such a list.
    #[serde(default = "yes")]
    purge_subnets: bool,
    /// Its id.
    #[serde(default)]
    route_table_id: Option<String>,
    /// Its routes.
    #[serde(default)]
    routes: Option<Vec<Route>>,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// The subnets that it is for, each by its id, its range or its name.
    #[serde(default)]
    subnets: Option<Vec<String>>,
    /// The id of the VPC.
    #[serde(default)]
    vpc_id: Option<String>,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// How a table is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Lookup {
    #[default]
    Tag,
    Id,
}

/// Where traffic to some addresses goes: to exactly one of what is named here.
#[derive(Debug, Deserialize, JsonSchema)]
struct Route {
    /// The addresses: a range of IPv4 or IPv6, or the id of a prefix list.
    dest: String,
    /// A carrier gateway.
    #[serde(default)]
    carrier_gateway_id: Option<String>,
    /// The ARN of a core network.
    #[serde(default)]
    core_network_arn: Option<String>,
    /// An egress-only internet gateway.
    #[serde(default)]
    egress_only_internet_gateway_id: Option<String>,
    /// An internet gateway or a virtual private gateway; `igw` is the internet gateway of the VPC. The ids of
    /// NAT gateways, egress-only gateways and endpoints may stand here too.
    #[serde(default)]
    gateway_id: Option<String>,
    /// An instance.
    #[serde(default)]
    instance_id: Option<String>,
    /// A local gateway.
    #[serde(default)]
    local_gateway_id: Option<String>,
    /// A NAT gateway.
    #[serde(default)]
    nat_gateway_id: Option<String>,
    /// A network interface.
    #[serde(default)]
    network_interface_id: Option<String>,
    /// A transit gateway.
    #[serde(default)]
    transit_gateway_id: Option<String>,
    /// An endpoint of a Gateway Load Balancer.
    #[serde(default)]
    vpc_endpoint_id: Option<String>,
    /// A peering connection.
    #[serde(default)]
    vpc_peering_connection_id: Option<String>,
}

/// The operation that lists them, and where its answer has them.
const LIST: (&str, &str) = ("DescribeRouteTables", "RouteTables");

/// `amazon.aws.ec2_vpc_route_table`.
pub(crate) struct Ec2VpcRouteTable;

impl Module for Ec2VpcRouteTable {
    const NAME: &'static str = "amazon.aws.ec2_vpc_route_table";
    const RULES: Rules = Rules {
        required_if: &[
            Requirement { key: "lookup", value: "id", needs: &["route_table_id"], any: false },
            Requirement { key: "lookup", value: "tag", needs: &["vpc_id"], any: false },
            Requirement { key: "state", value: "present", needs: &["vpc_id"], any: false },
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
    let vpc = args.vpc_id.as_deref().unwrap_or_default();
    let found = find(ec2, args).await?;
    if let (None, Lookup::Id) = (&found, args.lookup) {
        let id = args.route_table_id.as_deref().unwrap_or_default();
        return Err(ModuleError::failed(format!("there is no route table {id}")));
    }
    // All that is named has to be there before anything is changed.
    let is_prediction = found.is_none() && ec2.control().is_check();
    let (mut routes, mut subnets) = (Vec::new(), None);
    if !is_prediction {
        routes = wanted_routes(ec2, args, vpc).await?;
        if let Some(named) = &args.subnets {
            subnets = Some(subnet_ids(ec2, vpc, named).await?);
        }
    }
    let table = match found {
        Some(table) => table,
        None => match create(ec2, args, vpc).await? {
            Some(table) => table,
            None => {
                let tags = args.tags.tags.clone().unwrap_or_default();
                let predicted = json!({"vpc_id": vpc, "tags": tags});
                return Ok(Outcome::new().with("route_table", predicted));
            }
        },
    };
    let id = text(&table, "RouteTableId");
    let current = ec2::tags(&table);
    let tags = ec2.tag(id, &current, &args.tags.change(&current)).await?;
    route(ec2, args, &table, &routes).await?;
    propagate(ec2, args, &table).await?;
    for subnet in subnets.iter().flatten() {
        associate(ec2, &table, "SubnetId", subnet).await?;
    }
    if let Some(wanted) = subnets.filter(|_| args.purge_subnets) {
        let is_strange = |it: &&Value| {
            let subnet = text(it, "SubnetId");
            !subnet.is_empty() && !wanted.iter().any(|it| it == subnet)
        };
        for association in associations(&table).filter(is_strange) {
            disassociate(ec2, association).await?;
        }
    }
    match args.gateway_id.as_deref() {
        None => {}
        Some("" | "None") => {
            let is_gateway = |it: &&Value| !text(it, "GatewayId").is_empty();
            for association in associations(&table).filter(is_gateway) {
                disassociate(ec2, association).await?;
            }
        }
        Some(gateway) => {
            associate(ec2, &table, "GatewayId", gateway).await?;
        }
    }
    let table = ec2.seen(LIST.0, LIST.1, json!({"RouteTableIds": [id]})).await?;
    let mut shown = ec2::shown(&table);
    shown["id"] = json!(id);
    shown["tags"] = json!(tags);
    Ok(Outcome::new().with("route_table", shown))
}

async fn delete(ec2: &Ec2<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let Some(table) = find(ec2, args).await? else { return Ok(Outcome::new()) };
    for association in associations(&table) {
        disassociate(ec2, association).await?;
    }
    let id = text(&table, "RouteTableId");
    let edit = Edit::new("delete the route table", id).from(ec2::shown(&table));
    ec2.change(edit, "DeleteRouteTable", json!({"RouteTableId": id})).await?;
    Ok(Outcome::new())
}

async fn find(ec2: &Ec2<'_>, args: &Args) -> Result<Option<Value>, ModuleError> {
    if args.lookup == Lookup::Id {
        let params = json!({"RouteTableIds": [args.route_table_id]});
        return Ok(ec2.list(LIST.0, LIST.1, params).await?.pop());
    }
    let Some(tags) = args.tags.tags.as_ref().filter(|it| !it.is_empty()) else { return Ok(None) };
    let mut filters: serde_json::Map<String, Json> =
        tags.iter().map(|(name, value)| (format!("tag:{name}"), json!(value))).collect();
    filters.insert("vpc-id".to_owned(), json!(args.vpc_id));
    let mut found = ec2.list(LIST.0, LIST.1, ec2::by(&Json::Object(filters))).await?;
    if found.len() > 1 {
        let ids: Vec<&str> = found.iter().map(|it| text(it, "RouteTableId")).collect();
        return Err(ModuleError::failed(format!(
            "there are {} route tables with these tags ({}): say which by route_table_id and lookup: id",
            ids.len(),
            ids.join(", ")
        )));
    }
    Ok(found.pop())
}

/// Makes it, with all of its tags. Nothing comes back in check mode.
async fn create(ec2: &Ec2<'_>, args: &Args, vpc: &str) -> Result<Option<Value>, ModuleError> {
    let tags = args.tags.tags.clone().unwrap_or_default();
    let params = ec2::with_tags(json!({"VpcId": vpc}), "route-table", &tags);
    let edit = Edit::new("create the route table", vpc).to(json!({"vpc_id": vpc, "tags": tags}));
    let id = &["RouteTable", "RouteTableId"];
    let Some((id, _)) = ec2.create(edit, "CreateRouteTable", params, id).await? else {
        return Ok(None);
    };
    ec2.seen(LIST.0, LIST.1, json!({"RouteTableIds": [id]})).await.map(Some)
}

/// A route as EC2 takes it: the destination and the target, each with its parameter.
type Wanted = ((&'static str, String), (&'static str, String));

async fn wanted_routes(ec2: &Ec2<'_>, args: &Args, vpc: &str) -> Result<Vec<Wanted>, ModuleError> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for route in args.routes.iter().flatten() {
        let dest = cidr::canonical(&route.dest);
        let mut target = route.target()?;
        if target == ("GatewayId", "igw".to_owned()) {
            let params = ec2::by(&json!({"attachment.vpc-id": vpc}));
            let found = ec2.list("DescribeInternetGateways", "InternetGateways", params).await?;
            let text = || format!("routes: {vpc} has no internet gateway");
            let gateway = found.first().ok_or_else(|| ModuleError::failed(text()))?;
            target.1 = text_of(gateway, "InternetGatewayId");
        }
        if wanted.iter().any(|((_, it), _)| *it == dest) {
            return Err(ModuleError::failed(format!("routes: {dest} is there twice")));
        }
        let kind = if dest.starts_with("pl-") {
            "DestinationPrefixListId"
        } else if cidr::is_v6(&dest) {
            "DestinationIpv6CidrBlock"
        } else {
            "DestinationCidrBlock"
        };
        wanted.push(((kind, dest), target));
    }
    Ok(wanted)
}

impl Route {
    /// The target: the parameter, and its value.
    fn target(&self) -> Result<(&'static str, String), ModuleError> {
        let gateway = match self.gateway_id.as_deref().unwrap_or_default() {
            it if it.starts_with("nat-") => "NatGatewayId",
            it if it.starts_with("eigw-") => "EgressOnlyInternetGatewayId",
            it if it.starts_with("vpce-") => "VpcEndpointId",
            _ => "GatewayId",
        };
        let named = [
            ("CarrierGatewayId", &self.carrier_gateway_id),
            ("CoreNetworkArn", &self.core_network_arn),
            ("EgressOnlyInternetGatewayId", &self.egress_only_internet_gateway_id),
            (gateway, &self.gateway_id),
            ("InstanceId", &self.instance_id),
            ("LocalGatewayId", &self.local_gateway_id),
            ("NatGatewayId", &self.nat_gateway_id),
            ("NetworkInterfaceId", &self.network_interface_id),
            ("TransitGatewayId", &self.transit_gateway_id),
            ("VpcEndpointId", &self.vpc_endpoint_id),
            ("VpcPeeringConnectionId", &self.vpc_peering_connection_id),
        ];
        let mut named = named.into_iter().filter_map(|(name, id)| Some((name, id.clone()?)));
        match (named.next(), named.next()) {
            (Some(target), None) => Ok(target),
            _ => {
                let text = format!("routes: {} needs exactly one target", self.dest);
                Err(ModuleError::failed(text))
            }
        }
    }
}

/// Adds, replaces and removes routes.
async fn route(
    ec2: &Ec2<'_>,
    args: &Args,
    table: &Value,
    wanted: &[Wanted],
) -> Result<(), ModuleError> {
    let id = text(table, "RouteTableId");
    let there = table.get("Routes").map(Value::items).unwrap_or_default();
    for ((kind, dest), (target, to)) in wanted {
        let path = format!("{id} {dest}");
        let params = json!({"RouteTableId": id, (*kind): dest, (*target): to});
        let found = there.iter().find(|it| destination(it).1 == *dest);
        match found {
            // Endpoints are listed as gateways.
            Some(it) if text(it, target) == to || text(it, "GatewayId") == to => {}
            Some(it) => {
                let edit = Edit::new("replace the route", path).from(ec2::names_of(it)).to(to);
                ec2.change(edit, "ReplaceRoute", params).await?;
            }
            None => {
                let edit = Edit::new("add a route", path).to(to);
                ec2.change(edit, "CreateRoute", params).await?;
            }
        }
    }
    for strange in there.iter().filter(|it| args.purge_routes && is_removable(it)) {
        let (kind, dest) = destination(strange);
        if wanted.iter().all(|((_, it), _)| *it != dest) {
            let edit = Edit::new("remove the route", format!("{id} {dest}"));
            let params = json!({"RouteTableId": id, (kind): text(strange, kind)});
            ec2.change(edit.from(ec2::names_of(strange)), "DeleteRoute", params).await?;
        }
    }
    Ok(())
}

/// Has gateways tell the table their routes.
async fn propagate(ec2: &Ec2<'_>, args: &Args, table: &Value) -> Result<(), ModuleError> {
    let id = text(table, "RouteTableId");
    let there = table.get("PropagatingVgws").map(Value::items).unwrap_or_default();
    let there: Vec<&str> = there.iter().map(|it| text(it, "GatewayId")).collect();
    for gateway in args.propagating_vgw_ids.iter().filter(|it| !there.contains(&it.as_str())) {
        let edit = Edit::new(format!("take over the routes of {gateway}"), id);
        let params = json!({"RouteTableId": id, "GatewayId": gateway});
        ec2.change(edit.from(&there).to(gateway), "EnableVgwRoutePropagation", params).await?;
    }
    Ok(())
}

/// Where a route leads to, with its parameter.
fn destination(route: &Value) -> (&'static str, String) {
    let kinds = ["DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId"];
    let kind = kinds.into_iter().find(|it| !text(route, it).is_empty()).unwrap_or(kinds[0]);
    (kind, cidr::canonical(text(route, kind)))
}

/// Somebody made this route, and not by making an endpoint.
fn is_removable(route: &Value) -> bool {
    let is_endpoint = !text(route, "DestinationPrefixListId").is_empty()
        && text(route, "GatewayId").starts_with("vpce-");
    text(route, "Origin") == "CreateRoute" && !is_endpoint
}

/// The ids of subnets that are named by id, range or name.
async fn subnet_ids(
    ec2: &Ec2<'_>,
    vpc: &str,
    named: &[String],
) -> Result<Vec<String>, ModuleError> {
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let there = ec2.list("DescribeSubnets", "Subnets", ec2::by(&json!({"vpc-id": vpc}))).await?;
    let mut ids = Vec::new();
    for name in named {
        let range = cidr::canonical(name);
        let is_meant = |it: &&Value| {
            text(it, "SubnetId") == name
                || text(it, "CidrBlock") == range
                || has_range6(it, &range)
                || ec2::tags(it).get("Name") == Some(name)
        };
        let mut found = there.iter().filter(is_meant).map(|it| text_of(it, "SubnetId")).peekable();
        if found.peek().is_none() {
            return Err(ModuleError::failed(format!("subnets: {vpc} has no subnet {name:?}")));
        }
        ids.extend(found);
    }
    ids.sort();
    ids.dedup();
    Ok(ids)
}

fn has_range6(subnet: &Value, range: &str) -> bool {
    let blocks = subnet.get("Ipv6CidrBlockAssociationSet").map(Value::items).unwrap_or_default();
    blocks.iter().any(|it| cidr::canonical(text(it, "Ipv6CidrBlock")) == range)
}

/// What the table is for, besides all that no other table is for.
fn associations(table: &Value) -> impl Iterator<Item = &Value> {
    let all = table.get("Associations").map(Value::items).unwrap_or_default().iter();
    all.filter(|it| {
        let state = it.at(&["AssociationState", "State"]).and_then(Value::as_str);
        let is_main = it.get("Main").and_then(Value::as_bool).unwrap_or(false);
        !is_main && !matches!(state, Some("disassociating" | "disassociated" | "failed"))
    })
}

/// Makes it the table of a subnet or gateway, whichever table that had before.
async fn associate(
    ec2: &Ec2<'_>,
    table: &Value,
    member: &'static str,
    wanted: &str,
) -> Result<(), ModuleError> {
    let id = text(table, "RouteTableId");
    if associations(table).any(|it| text(it, member) == wanted) {
        return Ok(());
    }
    let others =
        ec2.list(LIST.0, LIST.1, ec2::by(&json!({"vpc-id": text(table, "VpcId")}))).await?;
    let before = others.iter().flat_map(associations).find(|it| text(it, member) == wanted);
    match before {
        Some(before) => {
            let edit = Edit::new(format!("associate {wanted}"), id);
            let edit = edit.from(text(before, "RouteTableId")).to(id);
            let association = text(before, "RouteTableAssociationId");
            let params = json!({"AssociationId": association, "RouteTableId": id});
            ec2.change(edit, "ReplaceRouteTableAssociation", params).await?;
        }
        None => {
            let edit = Edit::new(format!("associate {wanted}"), id).to(id);
            let params = json!({"RouteTableId": id, (member): wanted});
            ec2.change(edit, "AssociateRouteTable", params).await?;
        }
    }
    Ok(())
}

async fn disassociate(ec2: &Ec2<'_>, association: &Value) -> Result<(), ModuleError> {
    let of = match text(association, "SubnetId") {
        "" => text(association, "GatewayId"),
        subnet => subnet,
    };
    let edit = Edit::new("remove the association", text(association, "RouteTableId")).from(of);
    let id = text(association, "RouteTableAssociationId");
    ec2.change(edit, "DisassociateRouteTable", json!({"AssociationId": id})).await?;
    Ok(())
}

fn text_of(item: &Value, name: &str) -> String {
    text(item, name).to_owned()
}
