//! Capabilities, FIPS mode, AppArmor, SELinux, and whether this is a chroot.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::sys::statfs::{BTRFS_SUPER_MAGIC, XFS_SUPER_MAGIC, statfs};
use serde_json::json;

use super::{Gathering, release};

/// The capabilities' names, by their numbers.
#[rustfmt::skip]
const CAPABILITIES: [&str; 41] = [
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid",
    "setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw",
    "ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct",
    "sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod",
    "lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog",
    "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore",
];

/// `apparmor`.
pub(crate) fn apparmor(to: &mut Gathering<'_>) {
    let on = to.place.exists("/sys/kernel/security/apparmor");
    to.set("apparmor", json!({ "status": if on { "enabled" } else { "disabled" } }));
}

/// `fips`.
pub(crate) fn fips(to: &mut Gathering<'_>) {
    let on = to.place.read_trimmed("/proc/sys/crypto/fips_enabled").as_deref() == Some("1");
    to.set("fips", on);
}

/// `selinux`.
pub(crate) fn selinux(to: &mut Gathering<'_>) {
    to.set("selinux_python_present", true);
    let Some(enforce) = to.place.read_trimmed("/sys/fs/selinux/enforce") else {
        to.set("selinux", json!({ "status": "disabled" }));
        return;
    };
    let word = |on: bool| if on { "enforcing" } else { "permissive" };
    let config = release::parse(&to.place.read("/etc/selinux/config").unwrap_or_default());
    let get = |name: &str| config.get(name).map_or("unknown", String::as_str).to_owned();
    let version = to.place.read_trimmed("/sys/fs/selinux/policyvers");
    let version: Option<u64> = version.and_then(|it| it.parse().ok());
    let facts = json!({
        "status": "enabled",
        "policyvers": version.map_or_else(|| json!("unknown"), |it| json!(it)),
        "config_mode": get("SELINUX"),
        "mode": word(enforce == "1"),
        "type": get("SELINUXTYPE"),
    });
    to.set("selinux", facts);
}

/// `is_chroot`: the root folder is not that of the first process, or does not look like one.
pub(crate) fn chroot(to: &mut Gathering<'_>) {
    let own = fs::metadata(to.place.real("/"));
    let first = fs::metadata(to.place.real("/proc/1/root/."));
    let is_chroot = match (own, first) {
        _ if to.place.variable("debian_chroot").is_some() => true,
        (Ok(own), Ok(first)) => (own.ino(), own.dev()) != (first.ino(), first.dev()),
        (Ok(own), Err(_)) => {
            let kind = statfs(&to.place.real("/")).map(|it| it.filesystem_type());
            let usual = match kind {
                Ok(BTRFS_SUPER_MAGIC) => 256,
                Ok(XFS_SUPER_MAGIC) => 128,
                _ => 2,
            };
            own.ino() != usual
        }
        (Err(_), _) => false,
    };
    to.set("is_chroot", is_chroot);
}

/// `system_capabilities`, as `capsh --print` words them: on a host without it, not known.
pub(crate) fn capabilities(to: &mut Gathering<'_>) {
    let status = to.place.read("/proc/self/status").filter(|_| to.place.program("capsh").is_some());
    let Some(text) = status.and_then(|it| capability_text(&it)) else {
        to.set("system_capabilities_enforced", "N/A");
        to.set("system_capabilities", "N/A");
        return;
    };
    if text == "=ep" {
        to.set("system_capabilities_enforced", "False");
        to.set("system_capabilities", json!([]));
        return;
    }
    // Playbooks know the words after the first `=`, odd as that is.
    let after = text.split('=').nth(1).unwrap_or_default();
    let words: Vec<&str> = after.split(',').map(str::trim).collect();
    to.set("system_capabilities_enforced", "True");
    to.set("system_capabilities", json!(words));
}

/// The process's capabilities as text: the flags that most have, then those that differ.
fn capability_text(status: &str) -> Option<String> {
    let mask = |name: &str| {
        let line = status.lines().find_map(|it| it.strip_prefix(name))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    let (effective, permitted, inherited) = (mask("CapEff:")?, mask("CapPrm:")?, mask("CapInh:")?);
    let bounding = mask("CapBnd:").unwrap_or(u64::MAX);
    let known = CAPABILITIES.len().min(64 - (bounding | permitted).leading_zeros() as usize);
    let mut by_flags: BTreeMap<u8, Vec<&str>> = BTreeMap::new();
    for (index, name) in CAPABILITIES.iter().enumerate().take(known) {
        let has = |mask: u64, flag: u8| if mask >> index & 1 == 1 { flag } else { 0 };
        let flags = has(effective, 1) | has(inherited, 2) | has(permitted, 4);
        by_flags.entry(flags).or_default().push(name);
    }
    let base = by_flags.iter().max_by_key(|(flags, names)| (names.len(), *flags));
    let base = base.map_or(0, |(flags, _)| *flags);
    let mut text = if base == 0 { String::new() } else { format!("={}", flag_letters(base)) };
    for (flags, names) in by_flags.iter().rev().filter(|(flags, _)| **flags != base) {
        if !text.is_empty() {
            text.push(' ');
        }
        let names: Vec<String> = names.iter().map(|it| format!("cap_{it}")).collect();
        text.push_str(&names.join(","));
        let (added, removed) = (flags & !base, base & !flags);
        if base == 0 {
            text.push_str(&format!("={}", flag_letters(*flags)));
        } else {
            if removed != 0 {
                text.push_str(&format!("-{}", flag_letters(removed)));
            }
            if added != 0 {
                text.push_str(&format!("+{}", flag_letters(added)));
            }
        }
    }
    Some(if text.is_empty() { "=".to_owned() } else { text })
}

fn flag_letters(flags: u8) -> String {
    [(1, 'e'), (2, 'i'), (4, 'p')]
        .iter()
        .filter(|(flag, _)| flags & flag != 0)
        .map(|(_, letter)| *letter)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_worded_as_capsh_does() {
        let check = |inherited: u64, held: u64, expect: &str| {
            let status = format!(
                "CapInh:\t{inherited:016x}\nCapPrm:\t{held:016x}\nCapEff:\t{held:016x}\nCapBnd:\t000001ffffffffff\n"
            );
            assert_eq!(capability_text(&status).unwrap(), expect);
        };
        check(0, 0x1ff_ffff_ffff, "=ep");
        check(0, 0x1ff_feff_ffff, "=ep cap_sys_resource-ep");
        check(0, 0, "=");
        check(0, 0b10_0001, "cap_chown,cap_kill=ep");
    }
}
