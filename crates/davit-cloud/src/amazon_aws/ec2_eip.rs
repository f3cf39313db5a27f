//! `amazon.aws.ec2_eip`: public addresses that stay.

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::aws::ec2::{self, Ec2, State, text};
use crate::aws::login::Login;
use crate::aws::tags::TagArgs;

/// Keep an Elastic IP address, and what it is associated with.
///
/// It is found by `public_ip`, or else by `device_id`. Where there is none, a new one is allocated: without
/// both, by each run, unless `reuse_existing_ip_allowed` finds one that nobody uses. For a device, one that nobody
/// uses and that has all of `tags` was allocated by a run that was cut off: it is taken.
///
/// ```yaml
/// - name: The address of the bastion
///   amazon.aws.ec2_eip:
///     device_id: "{{ bastion.instance_ids.0 }}"
///     in_vpc: true
///     tags: {Name: bastion}
///   register: address
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Take the address away from another device that has it.
    #[serde(default)]
    allow_reassociation: bool,
    /// The id of the instance or network interface that has it.
    #[serde(default)]
    device_id: Option<String>,
    /// The name that the address has in the reverse DNS; an empty text takes it away. A record of that name has to
    /// lead to the address already.
    #[serde(default)]
    domain_name: Option<String>,
    /// The address is for a VPC. Network interfaces need this.
    #[serde(default)]
    in_vpc: bool,
    /// The private address of the device that it is for, where that has several.
    #[serde(default)]
    private_ip_address: Option<String>,
    /// An address that there is.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["ip"]))]
    public_ip: Option<String>,
    /// The pool that a new address is from.
    #[serde(default)]
    public_ipv4_pool: Option<String>,
    /// With `state: absent` and `device_id`: release the address too.
    #[serde(default)]
    release_on_disassociation: bool,
    /// Take an address that nobody uses before a new one is allocated.
    #[serde(default)]
    reuse_existing_ip_allowed: bool,
    /// With `state: absent`, the address is taken from `device_id`; without one, it is released.
    #[serde(default)]
    state: State,
    /// Take only one that has this tag.
    #[serde(default)]
    tag_name: Option<String>,
    /// Take only one whose tag `tag_name` has this value.
    #[serde(default)]
    tag_value: Option<String>,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// The operation that lists them, and where its answer has them.
const LIST: (&str, &str) = ("DescribeAddresses", "Addresses");

/// `amazon.aws.ec2_eip`.
pub(crate) struct Ec2Eip;

impl Module for Ec2Eip {
    const NAME: &'static str = "amazon.aws.ec2_eip";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.ec2_eip"];
    const RULES: Rules = Rules {
        required_by: &[("private_ip_address", &["device_id"]), ("tag_value", &["tag_name"])],
        ..Rules::NONE
    };
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        if args.device_id.as_deref().is_some_and(is_interface) && !args.in_vpc {
            return Err(ModuleError::failed(
                "device_id is a network interface: in_vpc must be true",
            ));
        }
        let ec2 = Ec2::new(control, &args.login)?;
        let outcome = match args.state {
            State::Present => keep(&ec2, &args).await,
            State::Absent => release(&ec2, &args).await,
        };
        ec2.close(outcome)
    }
}

async fn keep(ec2: &Ec2<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let mut found = find(ec2, args).await?;
    if let (None, Some(ip)) = (&found, &args.public_ip) {
        return Err(ModuleError::failed(format!("there is no address {ip}")));
    }
    if found.is_none() {
        found = unused(ec2, args).await?;
    }
    let address = match found {
        Some(address) => address,
        None => match allocate(ec2, args).await? {
            Some(address) => address,
            None => return Ok(Outcome::new()),
        },
    };
    let (id, ip) = (text(&address, "AllocationId"), text(&address, "PublicIp"));
    let current = ec2::tags(&address);
    ec2.tag(id, &current, &args.tags.change(&current)).await?;
    if let Some(device) = &args.device_id {
        associate(ec2, args, &address, device).await?;
    }
    let outcome = Outcome::new().with("allocation_id", id).with("public_ip", ip);
    match &args.domain_name {
        Some(domain) => Ok(outcome
            .with("update_reverse_dns_record_result", name_address(ec2, id, ip, domain).await?)),
        None => Ok(outcome),
    }
}

/// Sets the name that an address has, or takes it away; what became of that, as results show it.
async fn name_address(
    ec2: &Ec2<'_>,
    id: &str,
    ip: &str,
    domain: &str,
) -> Result<Json, ModuleError> {
    let params = json!({"AllocationIds": [id], "Attribute": "domain-name"});
    let found = ec2.list("DescribeAddressesAttribute", "Addresses", params).await?;
    let known = found.first().unwrap_or(&Value::Null);
    let has = name_of(known);
    let wanted = bare(domain);
    if has == wanted {
        return Ok(match text(known, "PtrRecord") {
            "" => json!({}),
            record => json!({"ptr_record": record}),
        });
    }
    let edit = Edit::new("name the address", ip).from(&has).to(&wanted);
    let made = if wanted.is_empty() {
        let params = json!({"AllocationId": id, "Attribute": "domain-name"});
        ec2.change(edit, "ResetAddressAttribute", params).await?
    } else {
        let params = json!({"AllocationId": id, "DomainName": domain});
        ec2.change(edit, "ModifyAddressAttribute", params).await?
    };
    let address = made.and_then(|it| it.get("Address").map(ec2::names_of));
    Ok(address.map_or_else(|| json!({}), |it| json!({"address": it})))
}

/// The name that was given to an address, or is about to be; that by which Amazon calls it does not count.
fn name_of(address: &Value) -> String {
    let said = |name| address.at(&["PtrRecordUpdate", name]).and_then(Value::as_str);
    let record = match said("Status") {
        Some("PENDING") => said("Value").unwrap_or_default(),
        _ => text(address, "PtrRecord"),
    };
    let record = bare(record);
    let is_given = !record.ends_with(".amazonaws.com") && !record.ends_with(".amazonaws.com.cn");
    if is_given { record } else { String::new() }
}

/// A name without the dot of the root; case does not count in it.
fn bare(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

async fn find(ec2: &Ec2<'_>, args: &Args) -> Result<Option<Value>, ModuleError> {
    let params = match (&args.public_ip, &args.device_id) {
        (Some(ip), _) => json!({"PublicIps": [ip]}),
        (None, Some(device)) => {
            let name = if is_interface(device) { "network-interface-id" } else { "instance-id" };
            let mut filters = json!({(name): device});
            if let Some(private) = &args.private_ip_address {
                filters["private-ip-address"] = json!(private);
            }
            ec2::by(&filters)
        }
        (None, None) => return Ok(None),
    };
    Ok(ec2.list(LIST.0, LIST.1, params).await?.into_iter().next())
}

/// One that nobody uses: any where that is allowed, or one that was allocated for this task.
async fn unused(ec2: &Ec2<'_>, args: &Args) -> Result<Option<Value>, ModuleError> {
    let mut filters = json!({"domain": "vpc"});
    let wanted = args.tags.tags.as_ref().filter(|it| !it.is_empty() && args.device_id.is_some());
    match (args.reuse_existing_ip_allowed, &args.tag_name, wanted) {
        (true, Some(name), _) => match &args.tag_value {
            Some(value) => filters[format!("tag:{name}")] = json!(value),
            None => filters["tag-key"] = json!(name),
        },
        (true, None, _) => {}
        (false, _, Some(tags)) => {
            for (name, value) in tags {
                filters[format!("tag:{name}")] = json!(value);
            }
        }
        (false, _, None) => return Ok(None),
    }
    let found = ec2.list(LIST.0, LIST.1, ec2::by(&filters)).await?;
    Ok(found.into_iter().find(|it| association(it).is_none() && device_of(it).is_empty()))
}

/// Allocates one, with all of its tags. Nothing comes back in check mode.
async fn allocate(ec2: &Ec2<'_>, args: &Args) -> Result<Option<Value>, ModuleError> {
    let mut params = json!({"Domain": "vpc"});
    if let Some(pool) = &args.public_ipv4_pool {
        params["PublicIpv4Pool"] = json!(pool);
    }
    let tags = args.tags.tags.clone().unwrap_or_default();
    let params = ec2::with_tags(params, "elastic-ip", &tags);
    let edit = Edit::new("allocate an address", "new").to(json!({"tags": tags}));
    let Some((id, _)) = ec2.create(edit, "AllocateAddress", params, &["AllocationId"]).await?
    else {
        return Ok(None);
    };
    ec2.seen(LIST.0, LIST.1, json!({"AllocationIds": [id]})).await.map(Some)
}

async fn associate(
    ec2: &Ec2<'_>,
    args: &Args,
    address: &Value,
    device: &str,
) -> Result<(), ModuleError> {
    let (id, ip) = (text(address, "AllocationId"), text(address, "PublicIp"));
    let before = device_of(address);
    let is_there = is_device(address, device)
        && args
            .private_ip_address
            .as_deref()
            .is_none_or(|it| it == text(address, "PrivateIpAddress"));
    if is_there {
        return Ok(());
    }
    if !before.is_empty() && !args.allow_reassociation {
        let text =
            format!("{ip} is associated with {before}: allow_reassociation takes it from there");
        return Err(ModuleError::failed(text));
    }
    let member = if is_interface(device) { "NetworkInterfaceId" } else { "InstanceId" };
    let mut params = json!({"AllocationId": id, (member): device});
    // Otherwise EC2 would do so by default.
    params["AllowReassociation"] = json!(args.allow_reassociation);
    if let Some(private) = &args.private_ip_address {
        params["PrivateIpAddress"] = json!(private);
    }
    let from = Some(before).filter(|it| !it.is_empty());
    let edit = Edit::new("associate the address", ip).from(from).to(device);
    ec2.change(edit, "AssociateAddress", params).await?;
    Ok(())
}

async fn release(ec2: &Ec2<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let (mut disassociated, mut released) = (false, false);
    if let Some(address) = find(ec2, args).await? {
        let ip = text(&address, "PublicIp");
        let mut is_free = device_of(&address).is_empty();
        if let (Some(device), Some(id)) = (&args.device_id, association(&address))
            && is_device(&address, device)
        {
            let edit = Edit::new("disassociate the address", ip).from(device);
            ec2.change(edit, "DisassociateAddress", json!({"AssociationId": id})).await?;
            (disassociated, is_free) = (true, true);
        }
        if args.device_id.is_none() || (args.release_on_disassociation && is_free) {
            let edit = Edit::new("release the address", ip).from(ec2::shown(&address));
            let params = json!({"AllocationId": text(&address, "AllocationId")});
            ec2.change(edit, "ReleaseAddress", params).await?;
            released = true;
        }
    }
    Ok(Outcome::new().with("disassociated", disassociated).with("released", released))
}

fn is_interface(device: &str) -> bool {
    device.starts_with("eni-")
}

fn association(address: &Value) -> Option<&str> {
    Some(text(address, "AssociationId")).filter(|it| !it.is_empty())
}

/// The instance that has it, or else the network interface.
fn device_of(address: &Value) -> &str {
    match text(address, "InstanceId") {
        "" => text(address, "NetworkInterfaceId"),
        instance => instance,
    }
}

fn is_device(address: &Value, device: &str) -> bool {
    text(address, "InstanceId") == device || text(address, "NetworkInterfaceId") == device
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_as_soon_as_it_is_asked_for_and_that_of_amazon_does_not() {
        let name = |address: Json| name_of(&address.into());
        let own = json!({"PtrRecord": "ec2-192-0-2-1.eu-west-1.compute.amazonaws.com."});
        assert_eq!(name(own), "");
        assert_eq!(name(json!({})), "");
        assert_eq!(name(json!({"PtrRecord": "Mail.example.com."})), "mail.example.com");
        let update = |status: &str, value: &str| {
            let update = json!({"Status": status, "Value": value});
            name(json!({"PtrRecord": "mail.example.com.", "PtrRecordUpdate": update}))
        };
        assert_eq!(update("PENDING", "web.example.com."), "web.example.com");
        assert_eq!(update("PENDING", ""), "");
        assert_eq!(update("FAILED", "web.example.com."), "mail.example.com");
    }
}
