//! Mounted file systems with a device behind them, and how full they are.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use nix::sys::statvfs::statvfs;
use serde_json::{Map, Value, json};

use super::{Gathering, Place};

/// Gathers `mounts`.
pub(crate) fn collect(to: &mut Gathering<'_>) {
    let Some(table) = to.place.read("/proc/self/mounts").or_else(|| to.place.read("/etc/mtab"))
    else {
        return;
    };
    let bound = bound(&to.place.read("/proc/self/mountinfo").unwrap_or_default());
    let uuids = uuids(to.place);
    // A network file system may never answer: each is asked in a thread of its own.
    let (sender, receiver) = mpsc::channel();
    let mut mounts: Vec<Map<String, Value>> = Vec::new();
    for line in table.lines() {
        let mut fields = line.split_whitespace().map(unescape);
        let mut next = || fields.next().unwrap_or_default();
        let (device, mount, fstype, mut options) = (next(), next(), next(), next());
        let (dump, passno) = (next(), next());
        let is_device = device.starts_with('/') || device.contains(":/");
        if !is_device || fstype == "none" {
            continue;
        }
        if bound.contains(&mount) {
            options.push_str(",bind");
        }
        let uuid = uuids.get(&device).map_or("N/A", String::as_str);
        let facts = json!({
            "mount": mount,
            "device": device,
            "fstype": fstype,
            "options": options,
            "dump": dump.parse::<u64>().unwrap_or(0),
            "passno": passno.parse::<u64>().unwrap_or(0),
            "uuid": uuid,
        });
        let Value::Object(facts) = facts else { continue };
        let (sender, index, path) = (sender.clone(), mounts.len(), to.place.real(&mount));
        mounts.push(facts);
        thread::spawn(move || {
            // Nobody listens any more once the time is over.
            let _ = sender.send((index, fullness(&path)));
        });
    }
    drop(sender);
    let deadline = Instant::now() + to.request.timeout;
    let mut waiting = mounts.len();
    while waiting > 0 {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok((index, facts)) = receiver.recv_timeout(left) else { break };
        waiting -= 1;
        if let (Some(mount), Some(facts)) = (mounts.get_mut(index), facts) {
            mount.extend(facts);
        }
    }
    let mounts: Vec<Value> = mounts.into_iter().map(Value::Object).collect();
    to.set("mounts", mounts);
}

/// Sizes and counts of a file system; `None` where it does not say.
fn fullness(path: &PathBuf) -> Option<Map<String, Value>> {
    let stat = statvfs(path).ok()?;
    let (size, total) = (stat.fragment_size(), stat.blocks());
    let (available, inodes) = (stat.blocks_available(), stat.files());
    let facts = json!({
        "size_total": size.saturating_mul(total),
        "size_available": size.saturating_mul(available),
        "block_size": stat.block_size(),
        "block_total": total,
        "block_available": available,
        "block_used": total.saturating_sub(available),
        "inode_total": inodes,
        "inode_available": stat.files_available(),
        "inode_used": inodes.saturating_sub(stat.files_available()),
    });
    match facts {
        Value::Object(facts) => Some(facts),
        _ => None,
    }
}

/// Mount points that show a part of a file system only.
fn bound(mountinfo: &str) -> Vec<String> {
    let line = |line: &str| {
        let mut fields = line.split_whitespace().skip(3);
        let (root, mount) = (fields.next()?, fields.next()?);
        (root != "/").then(|| unescape(mount))
    };
    mountinfo.lines().filter_map(line).collect()
}

/// The ids of file systems, by the device's path.
fn uuids(place: &Place<'_>) -> BTreeMap<String, String> {
    let folder = "/dev/disk/by-uuid";
    let mut uuids: BTreeMap<String, String> = place
        .list(folder)
        .into_iter()
        .filter_map(|uuid| {
            let device = place.link_name(format!("{folder}/{uuid}"))?;
            Some((format!("/dev/{device}"), uuid))
        })
        .collect();
    // Logical volumes are mounted by their names in /dev/mapper, which are links too.
    for name in place.list("/dev/mapper") {
        let device = place.link_name(format!("/dev/mapper/{name}"));
        let uuid = device.and_then(|it| uuids.get(&format!("/dev/{it}")).cloned());
        if let Some(uuid) = uuid {
            uuids.insert(format!("/dev/mapper/{name}"), uuid);
        }
    }
    uuids
}

/// A field of a mount table with its octal escapes (`\040`) resolved.
fn unescape(field: &str) -> String {
    let mut text = Vec::new();
    let mut bytes = field.as_bytes();
    while let Some((first, rest)) = bytes.split_first() {
        let octal = (*first == b'\\')
            .then(|| rest.get(..3))
            .flatten()
            .and_then(|it| std::str::from_utf8(it).ok())
            .and_then(|it| u8::from_str_radix(it, 8).ok());
        match octal {
            Some(byte) => {
                text.push(byte);
                bytes = rest.get(3..).unwrap_or_default();
            }
            None => {
                text.push(*first);
                bytes = rest;
            }
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_in_mount_tables_are_resolved() {
        assert_eq!(unescape("/mnt/sp\\040ace"), "/mnt/sp ace");
        assert_eq!(unescape("a\\"), "a\\");
        assert_eq!(unescape("a\\9"), "a\\9");
    }

    #[test]
    fn bind_mounts_show_a_part_of_a_file_system() {
        let text = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:1 /usr/share /mnt/a rw - ext4 x rw\n";
        assert_eq!(bound(text), ["/mnt/a"]);
    }
}
