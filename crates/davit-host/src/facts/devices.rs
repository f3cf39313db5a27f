//! Block devices and their partitions, by `/sys/block`, and the links that name them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Gathering, Place};

/// The size of a sector where the kernel does not say.
const SECTOR: u64 = 512;

/// Names of devices, by the device's name.
type Links = BTreeMap<String, Vec<String>>;

/// The links that lead to devices.
struct Named {
    ids: Links,
    uuids: Links,
    labels: Links,
    masters: Links,
}

/// Gathers the devices' facts.
pub(crate) fn collect(to: &mut Gathering<'_>) {
    let place = to.place;
    let names = place.list("/sys/block");
    let mut masters = Links::new();
    for name in &names {
        for slave in place.list(format!("/sys/block/{name}/slaves")) {
            masters.entry(slave).or_default().push(name.clone());
        }
    }
    let named = Named {
        ids: links(place, "id"),
        uuids: links(place, "uuid"),
        labels: links(place, "label"),
        masters,
    };
    let pci = pci_names(to, &names);
    let devices: Map<String, Value> =
        names.iter().map(|name| (name.clone(), device(place, name, &named, &pci))).collect();
    to.set("devices", devices);
    to.set(
        "device_links",
        json!({
            "ids": named.ids,
            "labels": named.labels,
            "masters": named.masters,
            "uuids": named.uuids,
        }),
    );
}

/// The links in `/dev/disk/by-KIND`, by the device where they point.
fn links(place: &Place<'_>, kind: &str) -> Links {
    let folder = format!("/dev/disk/by-{kind}");
    let mut links = Links::new();
    for name in place.list(&folder) {
        if let Some(device) = place.link_name(format!("{folder}/{name}")) {
            links.entry(device).or_default().push(name);
        }
    }
    links
}

/// What stands behind a device's PCI address, by that address, where `lspci` is there to say.
fn pci_names(to: &Gathering<'_>, names: &[String]) -> BTreeMap<String, String> {
    let any = names.iter().any(|it| pci_address(to.place, it).is_some());
    let program = to.place.program("lspci").filter(|_| any);
    let text = program.and_then(|_| to.place.output(&["lspci", "-D"])).unwrap_or_default();
    let line = |line: &str| line.split_once(' ').map(|(at, name)| (at.to_owned(), name.to_owned()));
    text.lines().filter_map(line).collect()
}

/// The last PCI address in the path of a device, such as `0000:00:1f.2`.
fn pci_address(place: &Place<'_>, name: &str) -> Option<String> {
    let target = place.link(format!("/sys/block/{name}"))?;
    let is_address = |it: &&str| {
        it.len() == 12
            && it.bytes().enumerate().all(|(index, byte)| match index {
                4 | 7 => byte == b':',
                10 => byte == b'.',
                _ => byte.is_ascii_hexdigit(),
            })
    };
    target.to_string_lossy().split('/').rfind(is_address).map(str::to_owned)
}

fn device(place: &Place<'_>, name: &str, named: &Named, pci: &BTreeMap<String, String>) -> Value {
    let folder = format!("/sys/block/{name}");
    let get = |file: &str| place.read_trimmed(format!("{folder}/{file}"));
    let mut facts = Map::new();
    let mut set = |name: &str, value: Value| facts.insert(name.to_owned(), value);
    let target = place.link(&folder).unwrap_or_default();
    // A device that a driver makes up counts as virtual, and so does any with a plain link.
    let is_virtual = target.components().count() > 0;
    set("virtual", i32::from(is_virtual).into());
    set("links", links_of(name, named));
    for (fact, file) in [
        ("vendor", "device/vendor"),
        ("model", "device/model"),
        ("sas_address", "device/sas_address"),
        ("sas_device_handle", "device/sas_device_handle"),
    ] {
        set(fact, get(file).map_or(Value::Null, Value::from));
    }
    // A device's world-wide name is one of its links.
    let mut ids = named.ids.get(name).into_iter().flatten();
    if let Some(wwn) = ids.find_map(|it| it.strip_prefix("wwn-")) {
        set("wwn", wwn.into());
    }
    for (fact, file) in [
        ("removable", "removable"),
        ("support_discard", "queue/discard_granularity"),
        ("rotational", "queue/rotational"),
    ] {
        if let Some(value) = get(file) {
            set(fact, value.into());
        }
    }
    set("partitions", partitions(place, name, named));
    let scheduler = get("queue/scheduler").unwrap_or_default();
    let mode = scheduler.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    set("scheduler_mode", mode.map_or("", |(mode, _)| mode).into());
    let sectors: u64 = get("size").and_then(|it| it.parse().ok()).unwrap_or(0);
    let sector = get("queue/logical_block_size").unwrap_or_else(|| SECTOR.to_string());
    set("sectors", sectors.into());
    set("sectorsize", sector.into());
    set("size", human_size(sectors.saturating_mul(SECTOR)).into());
    let host = pci_address(place, name).and_then(|it| pci.get(&it).cloned());
    set("host", host.unwrap_or_default().into());
    set("holders", holders(place, &folder));
    facts.into()
}

fn links_of(name: &str, named: &Named) -> Value {
    let of = |links: &Links| links.get(name).cloned().unwrap_or_default();
    json!({
        "ids": of(&named.ids),
        "labels": of(&named.labels),
        "masters": of(&named.masters),
        "uuids": of(&named.uuids),
    })
}

fn partitions(place: &Place<'_>, device: &str, named: &Named) -> Value {
    let mut partitions = Map::new();
    let folder = format!("/sys/block/{device}");
    for name in place.list(&folder).iter().filter(|it| it.starts_with(device)) {
        let part = format!("{folder}/{name}");
        let get = |file: &str| place.read_trimmed(format!("{part}/{file}"));
        let Some(start) = get("start") else { continue };
        let sectors: u64 = get("size").and_then(|it| it.parse().ok()).unwrap_or(0);
        let sector = get("queue/logical_block_size")
            .or_else(|| get("queue/hw_sector_size"))
            .and_then(|it| it.parse().ok())
            .unwrap_or(SECTOR);
        let uuid = named.uuids.get(name).and_then(|it| it.first());
        let facts = json!({
            "links": links_of(name, named),
            "start": start,
            "sectors": sectors,
            "sectorsize": sector,
            "size": human_size(sectors.saturating_mul(SECTOR)),
            "uuid": uuid,
            "holders": holders(place, &part),
        });
        partitions.insert(name.clone(), facts);
    }
    partitions.into()
}

/// What is built on a device; device-mapper devices by the name that users gave them.
fn holders(place: &Place<'_>, folder: &str) -> Value {
    place
        .list(format!("{folder}/holders"))
        .iter()
        .map(|it| {
            let name = place.read_trimmed(format!("/sys/block/{it}/dm/name"));
            name.filter(|_| it.starts_with("dm-")).unwrap_or_else(|| it.clone())
        })
        .map(Value::from)
        .collect()
}

/// Bytes as people read them: `256.00 GB`, in steps of 1024.
fn human_size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 8] = [
        ("YB", 80),
        ("ZB", 70),
        ("EB", 60),
        ("PB", 50),
        ("TB", 40),
        ("GB", 30),
        ("MB", 20),
        ("KB", 10),
    ];
    let unit = UNITS.iter().find(|(_, bits)| u128::from(bytes) >= 1 << bits);
    let Some((unit, bits)) = unit else { return format!("{bytes}.00 Bytes") };
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let value = bytes as f64 / (1u128 << bits) as f64;
    format!("{value:.2} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_steps_of_1024() {
        let check = |bytes: u64, expect: &str| assert_eq!(human_size(bytes), expect);
        check(0, "0.00 Bytes");
        check(1023, "1023.00 Bytes");
        check(64 << 20, "64.00 MB");
        check(256 << 30, "256.00 GB");
        check(u64::MAX, "16.00 EB");
    }
}
