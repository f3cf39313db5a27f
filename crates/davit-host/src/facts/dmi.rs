//! The hardware subset: processors, memory, devices and mounts, and what the firmware says.

use super::{Gathering, devices, lvm, memory, mounts, processor};

/// Facts by the kernel's name for the firmware's field.
const FIELDS: [(&str, &str); 18] = [
    ("bios_date", "bios_date"),
    ("bios_vendor", "bios_vendor"),
    ("bios_version", "bios_version"),
    ("board_asset_tag", "board_asset_tag"),
    ("board_name", "board_name"),
    ("board_serial", "board_serial"),
    ("board_vendor", "board_vendor"),
    ("board_version", "board_version"),
    ("chassis_asset_tag", "chassis_asset_tag"),
    ("chassis_serial", "chassis_serial"),
    ("chassis_vendor", "chassis_vendor"),
    ("chassis_version", "chassis_version"),
    ("form_factor", "chassis_type"),
    ("product_name", "product_name"),
    ("product_serial", "product_serial"),
    ("product_uuid", "product_uuid"),
    ("product_version", "product_version"),
    ("system_vendor", "sys_vendor"),
];

/// What a chassis is, by the number that the SMBIOS specification gives it (table 17).
const FORMS: [&str; 37] = [
    "Unknown",
    "Other",
    "Unknown",
    "Desktop",
    "Low Profile Desktop",
    "Pizza Box",
    "Mini Tower",
    "Tower",
    "Portable",
    "Laptop",
    "Notebook",
    "Hand Held",
    "Docking Station",
    "All In One",
    "Sub Notebook",
    "Space-saving",
    "Lunch Box",
    "Main Server Chassis",
    "Expansion Chassis",
    "Sub Chassis",
    "Bus Expansion Chassis",
    "Peripheral Chassis",
    "RAID Chassis",
    "Rack Mount Chassis",
    "Sealed-case PC",
    "Multi-system",
    "CompactPCI",
    "AdvancedTCA",
    "Blade",
    "Blade Enclosure",
    "Tablet",
    "Convertible",
    "Detachable",
    "IoT Gateway",
    "Embedded PC",
    "Mini PC",
    "Stick PC",
];

/// Gathers all of the hardware subset.
pub(crate) fn hardware(to: &mut Gathering<'_>) {
    processor::collect(to);
    memory::collect(to);
    firmware(to);
    devices::collect(to);
    uptime(to);
    lvm::collect(to);
    mounts::collect(to);
}

/// What the firmware says of the machine; `NA` where it does not say.
fn firmware(to: &mut Gathering<'_>) {
    for (fact, field) in FIELDS {
        let value = to.place.read(format!("/sys/devices/virtual/dmi/id/{field}"));
        let value = value.map(|it| it.trim().to_owned());
        let value = match value {
            Some(value) if field == "chassis_type" => match value.parse::<usize>() {
                Ok(number) => FORMS
                    .get(number)
                    .map_or_else(|| format!("unknown ({number})"), |it| (*it).to_owned()),
                Err(_) => format!("unknown ({value})"),
            },
            Some(value) => value,
            None => "NA".to_owned(),
        };
        to.set(fact, value);
    }
}

fn uptime(to: &mut Gathering<'_>) {
    let text = to.place.read("/proc/uptime").unwrap_or_default();
    if let Some(seconds) = text.split('.').next().and_then(|it| it.parse::<u64>().ok()) {
        to.set("uptime_seconds", seconds);
    }
}
