//! Interfaces, addresses and the way out, by `/sys/class/net` and the route socket.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value, json};

use super::netlink::{self, Address};
use super::{Facts, Gathering, Place};

/// Addresses far away, by which the way out is found. Nothing is sent to them.
const FAR_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8));
const FAR_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2404, 0x6800, 0x400a, 0x800, 0, 0, 0, 0x1012));

/// The bit of an interface's flags that says it takes every packet.
const PROMISCUOUS: u32 = 0x100;

/// What was found so far.
struct Found {
    interfaces: Facts,
    names: BTreeMap<u32, String>,
    default_v4: Facts,
    default_v6: Facts,
    all_v4: Vec<String>,
    all_v6: Vec<String>,
}

/// Gathers the network's facts.
pub(crate) fn collect(to: &mut Gathering<'_>) {
    let mut interfaces: Vec<(u32, String)> = to
        .place
        .list("/sys/class/net")
        .into_iter()
        // The kernel keeps files of its own beside the interfaces, such as `bonding_masters`.
        .filter(|it| to.place.is_dir(format!("/sys/class/net/{it}")))
        .map(|name| (index(to.place, &name).unwrap_or(u32::MAX), name))
        .collect();
    interfaces.sort();
    let mut found = Found {
        interfaces: Facts::new(),
        names: interfaces.iter().cloned().collect(),
        default_v4: Facts::new(),
        default_v6: Facts::new(),
        all_v4: Vec::new(),
        all_v6: Vec::new(),
    };
    for (_, name) in &interfaces {
        found.interfaces.insert(name.clone(), interface(to.place, name).into());
    }
    found.default_v4 = way_out(FAR_V4, &found.names);
    found.default_v6 = way_out(FAR_V6, &found.names);
    let mut addresses = netlink::addresses().unwrap_or_default();
    addresses.sort_by_key(|it| (it.index, it.secondary));
    for address in &addresses {
        match address.ip {
            IpAddr::V4(ip) => add_v4(&mut found, address, ip),
            IpAddr::V6(ip) => add_v6(&mut found, address, ip),
        }
    }
    to.set("interfaces", found.interfaces.keys().cloned().collect::<Vec<_>>());
    for (name, facts) in found.interfaces {
        to.set(&name.replace('-', "_"), facts);
    }
    to.set("default_ipv4", found.default_v4);
    to.set("default_ipv6", found.default_v6);
    to.set("all_ipv4_addresses", found.all_v4);
    to.set("all_ipv6_addresses", found.all_v6);
    let reachable = json!({ "ipv4": netlink::local(FAR_V4), "ipv6": netlink::local(FAR_V6) });
    to.set("locally_reachable_ips", reachable);
}

fn index(place: &Place<'_>, name: &str) -> Option<u32> {
    place.read_trimmed(format!("/sys/class/net/{name}/ifindex"))?.parse().ok()
}

/// What the kernel says of an interface by itself.
fn interface(place: &Place<'_>, name: &str) -> Facts {
    let folder = format!("/sys/class/net/{name}");
    let get = |file: &str| place.read_trimmed(format!("{folder}/{file}"));
    let mut facts = Facts::new();
    let mut set = |name: &str, value: Value| facts.insert(name.to_owned(), value);
    set("device", name.into());
    if let Some(address) = get("address").filter(|it| it != "00:00:00:00:00:00") {
        set("macaddress", address.into());
    }
    if let Some(mtu) = get("mtu").and_then(|it| it.parse::<u64>().ok()) {
        set("mtu", mtu.into());
    }
    if let Some(state) = get("operstate") {
        set("active", (state != "down").into());
    }
    if let Some(module) = place.link_name(format!("{folder}/device/driver/module")) {
        set("module", module.into());
    }
    let kind = get("type").and_then(|it| it.parse::<u32>().ok());
    let kind = match kind {
        Some(1) => "ether",
        Some(32) => "infiniband",
        Some(512) => "ppp",
        Some(772) => "loopback",
        Some(65534) => "tunnel",
        _ => "unknown",
    };
    set("type", kind.into());
    if place.is_dir(format!("{folder}/bridge")) {
        set("type", "bridge".into());
        set("interfaces", place.list(format!("{folder}/brif")).into());
        if let Some(id) = get("bridge/bridge_id") {
            set("id", id.into());
        }
        if let Some(state) = get("bridge/stp_state") {
            set("stp", (state == "1").into());
        }
    }
    if place.is_dir(format!("{folder}/bonding")) {
        set("type", "bonding".into());
        add_bond(&get, &mut set);
    }
    if let Some(address) = get("bonding_slave/perm_hwaddr") {
        set("perm_macaddress", address.into());
    }
    if let Some(device) = place.link_name(format!("{folder}/device")) {
        set("pciid", device.into());
    }
    if let Some(speed) = get("speed").and_then(|it| it.parse::<i64>().ok()) {
        set("speed", speed.into());
    }
    let flags =
        get("flags").and_then(|it| u32::from_str_radix(it.trim_start_matches("0x"), 16).ok());
    if let Some(flags) = flags {
        set("promisc", (flags & PROMISCUOUS != 0).into());
    }
    facts
}

fn add_bond(
    get: &impl Fn(&str) -> Option<String>,
    set: &mut impl FnMut(&str, Value) -> Option<Value>,
) {
    let slaves = get("bonding/slaves").unwrap_or_default();
    set("slaves", slaves.split_whitespace().map(Value::from).collect());
    // These files hold the word and its number.
    let word =
        |file: &str| get(file).and_then(|it| it.split_whitespace().next().map(str::to_owned));
    for name in ["mode", "miimon", "lacp_rate"] {
        if let Some(value) = word(&format!("bonding/{name}")) {
            set(name, value.into());
        }
    }
    if let Some(primary) = get("bonding/primary") {
        set("primary", primary.into());
        let active = get("bonding/all_slaves_active");
        set("all_slaves_active", (active.as_deref() == Some("1")).into());
    }
}

/// Where packets to a far address would leave.
fn way_out(far: IpAddr, names: &BTreeMap<u32, String>) -> Facts {
    let mut facts = Facts::new();
    let Some(route) = netlink::route(far) else { return facts };
    if let Some(gateway) = route.gateway {
        facts.insert("gateway".to_owned(), gateway.to_string().into());
    }
    if let Some(name) = route.interface.and_then(|it| names.get(&it)) {
        facts.insert("interface".to_owned(), name.as_str().into());
    }
    if let Some(source) = route.source {
        facts.insert("address".to_owned(), source.to_string().into());
    }
    facts
}

fn add_v4(found: &mut Found, address: &Address, ip: Ipv4Addr) {
    let Some(device) = found.names.get(&address.index).cloned() else { return };
    let label = address.label.clone().unwrap_or_else(|| device.clone());
    let mask = u32::MAX.checked_shl(32 - u32::from(address.prefix.min(32))).unwrap_or(0);
    let broadcast = address.broadcast.map(|it| it.to_string()).unwrap_or_default();
    let facts = json!({
        "address": ip.to_string(),
        "broadcast": broadcast,
        "netmask": Ipv4Addr::from_bits(mask).to_string(),
        "network": Ipv4Addr::from_bits(ip.to_bits() & mask).to_string(),
        "prefix": address.prefix.to_string(),
    });
    let alias = label.replace(':', "_");
    let named = facts_of(found, &alias);
    if !address.secondary && !named.contains_key("ipv4") {
        named.insert("ipv4".to_owned(), facts.clone());
    } else {
        append(named, "ipv4_secondaries", facts.clone());
    }
    if address.secondary && label != device {
        append(facts_of(found, &device), "ipv4_secondaries", facts.clone());
    }
    if is_default(&found.default_v4, &ip.to_string()) {
        complete(&mut found.default_v4, &facts);
        found.default_v4.insert("alias".to_owned(), label.into());
        if let Some(Value::Object(interface)) = found.interfaces.get(&device) {
            complete_link(&mut found.default_v4, interface);
        }
    }
    if !ip.is_loopback() {
        found.all_v4.push(ip.to_string());
    }
}

fn add_v6(found: &mut Found, address: &Address, ip: Ipv6Addr) {
    let Some(device) = found.names.get(&address.index).cloned() else { return };
    let scope = match address.scope {
        0 => "global",
        200 => "site",
        253 => "link",
        254 => "host",
        _ => "nowhere",
    };
    let facts = json!({
        "address": ip.to_string(),
        "prefix": address.prefix.to_string(),
        "scope": scope,
    });
    append(facts_of(found, &device), "ipv6", facts.clone());
    if is_default(&found.default_v6, &ip.to_string()) {
        complete(&mut found.default_v6, &facts);
        if let Some(Value::Object(interface)) = found.interfaces.get(&device) {
            complete_link(&mut found.default_v6, interface);
        }
    }
    if !ip.is_loopback() {
        found.all_v6.push(ip.to_string());
    }
}

fn facts_of<'a>(found: &'a mut Found, name: &str) -> &'a mut Facts {
    let entry = found.interfaces.entry(name).or_insert_with(|| Map::new().into());
    if !entry.is_object() {
        *entry = Map::new().into();
    }
    entry.as_object_mut().expect("it was made one just now")
}

fn append(facts: &mut Facts, name: &str, value: Value) {
    match facts.get_mut(name) {
        Some(Value::Array(values)) => values.push(value),
        _ => {
            facts.insert(name.to_owned(), Value::Array(vec![value]));
        }
    }
}

fn is_default(facts: &Facts, address: &str) -> bool {
    facts.get("address").and_then(Value::as_str) == Some(address)
}

fn complete(facts: &mut Facts, from: &Value) {
    if let Value::Object(from) = from {
        facts.extend(from.clone());
    }
}

/// Adds what the default route's facts tell of its interface.
fn complete_link(facts: &mut Facts, interface: &Facts) {
    for name in ["macaddress", "mtu", "type"] {
        let value = interface.get(name).cloned();
        let value =
            value.unwrap_or_else(|| if name == "type" { "unknown".into() } else { Value::Null });
        facts.insert(name.to_owned(), value);
    }
}
