//! Which collectors a task asked for, with those that they build on.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/setup_module.html>

use std::collections::BTreeSet;

use super::{
    Gathering, distribution, dmi, local, network, outside, platform, python, security, service,
    system, virtualization,
};

/// A name that is not a subset's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Bad subset '{name}' given to Ansible. gather_subset options allowed: all, {}",
    known_names().join(", ")
)]
pub struct BadSubset {
    /// As it was written.
    pub name: String,
}

/// A part of the facts that is gathered as one.
pub(crate) struct Collector {
    /// The subset's own name.
    pub(crate) name: &'static str,
    /// Names of its facts that stand for the subset too.
    pub(crate) aliases: &'static [&'static str],
    /// Collectors whose facts it reads.
    needs: &'static [&'static str],
    /// It belongs to `min`.
    minimal: bool,
    pub(crate) collect: fn(&mut Gathering<'_>),
}

/// Every collector, in an order in which each comes after what it needs.
#[rustfmt::skip]
const COLLECTORS: &[Collector] = &[
    Collector { name: "platform", aliases: &["system", "kernel", "kernel_version", "machine", "python_version", "architecture", "machine_id"], needs: &[], minimal: true, collect: platform::collect },
    Collector { name: "distribution", aliases: &["distribution_version", "distribution_release", "distribution_major_version", "os_family"], needs: &[], minimal: true, collect: distribution::collect },
    Collector { name: "apparmor", aliases: &[], needs: &[], minimal: true, collect: security::apparmor },
    Collector { name: "caps", aliases: &["system_capabilities", "system_capabilities_enforced"], needs: &[], minimal: true, collect: security::capabilities },
    Collector { name: "chroot", aliases: &["is_chroot"], needs: &[], minimal: false, collect: security::chroot },
    Collector { name: "cmdline", aliases: &[], needs: &[], minimal: true, collect: system::cmdline },
    Collector { name: "date_time", aliases: &[], needs: &[], minimal: true, collect: system::date_time },
    Collector { name: "dns", aliases: &[], needs: &[], minimal: true, collect: system::dns },
    Collector { name: "env", aliases: &[], needs: &[], minimal: true, collect: system::env },
    Collector { name: "facter", aliases: &[], needs: &[], minimal: false, collect: outside::facter },
    Collector { name: "fibre_channel_wwn", aliases: &[], needs: &[], minimal: false, collect: system::fibre_channel },
    Collector { name: "fips", aliases: &[], needs: &[], minimal: true, collect: security::fips },
    Collector { name: "hardware", aliases: &["devices", "mounts", "processor", "processor_cores", "processor_count"], needs: &["platform"], minimal: false, collect: dmi::hardware },
    Collector { name: "iscsi", aliases: &[], needs: &[], minimal: false, collect: system::iscsi },
    Collector { name: "loadavg", aliases: &[], needs: &[], minimal: false, collect: system::loadavg },
    Collector { name: "local", aliases: &[], needs: &[], minimal: true, collect: local::collect },
    Collector { name: "lsb", aliases: &[], needs: &[], minimal: true, collect: system::lsb },
    Collector { name: "network", aliases: &["all_ipv4_addresses", "all_ipv6_addresses", "default_ipv4", "default_ipv6", "interfaces"], needs: &["platform", "distribution"], minimal: false, collect: network::collect },
    Collector { name: "nvme", aliases: &[], needs: &[], minimal: false, collect: system::nvme },
    Collector { name: "ohai", aliases: &[], needs: &[], minimal: false, collect: outside::ohai },
    Collector { name: "pkg_mgr", aliases: &[], needs: &["distribution"], minimal: true, collect: service::pkg_mgr },
    Collector { name: "python", aliases: &[], needs: &[], minimal: true, collect: python::collect },
    Collector { name: "selinux", aliases: &[], needs: &[], minimal: true, collect: security::selinux },
    Collector { name: "service_mgr", aliases: &[], needs: &["platform", "distribution"], minimal: true, collect: service::service_mgr },
    Collector { name: "ssh_pub_keys", aliases: &["ssh_host_key_dsa_public", "ssh_host_key_ecdsa_public", "ssh_host_key_ed25519_public", "ssh_host_key_rsa_public", "ssh_host_pub_keys"], needs: &[], minimal: true, collect: system::ssh_host_keys },
    Collector { name: "systemd", aliases: &[], needs: &[], minimal: false, collect: service::systemd },
    Collector { name: "user", aliases: &["effective_group_ids", "effective_user_id", "real_user_id", "user_dir", "user_gecos", "user_gid", "user_id", "user_shell", "user_uid"], needs: &[], minimal: true, collect: system::user },
    Collector { name: "virtual", aliases: &["virtualization_role", "virtualization_tech_guest", "virtualization_tech_host", "virtualization_type"], needs: &[], minimal: false, collect: virtualization::collect },
];

/// The collectors that `subsets` ask for, in an order in which each finds what it needs.
///
/// # Errors
/// Where a subset has a name that is not known; names after a `!` are not checked.
pub(crate) fn select(subsets: &[String]) -> Result<Vec<&'static Collector>, BadSubset> {
    let mut added: BTreeSet<&str> = BTreeSet::new();
    let mut explicit: BTreeSet<&str> = BTreeSet::new();
    let mut removed: BTreeSet<&str> = BTreeSet::new();
    let all = || COLLECTORS.iter().map(|it| it.name);
    let minimal = || COLLECTORS.iter().filter(|it| it.minimal).map(|it| it.name);
    for subset in subsets.iter().map(|it| it.trim()) {
        match subset {
            "all" => added.extend(all()),
            "min" => added.extend(minimal()),
            "!all" => removed.extend(COLLECTORS.iter().filter(|it| !it.minimal).map(|it| it.name)),
            "!min" => removed.extend(minimal()),
            _ => match (subset.strip_prefix('!'), find(subset)) {
                // Taking away one fact's name leaves the subset that holds it.
                (Some(name), _) => removed.extend(all().filter(|it| *it == name)),
                (None, Some(collector)) => {
                    explicit.insert(collector.name);
                }
                (None, None) => return Err(BadSubset { name: subset.to_owned() }),
            },
        }
    }
    // Asking for nothing in particular is asking for all, unless something was taken away.
    if subsets.is_empty() {
        added.extend(all());
    }
    added.extend(minimal());
    let mut wanted: BTreeSet<&str> = added.difference(&removed).copied().collect();
    wanted.extend(explicit);
    for collector in COLLECTORS.iter().rev() {
        if wanted.contains(collector.name) {
            wanted.extend(collector.needs);
        }
    }
    Ok(COLLECTORS.iter().filter(|it| wanted.contains(it.name)).collect())
}

fn find(name: &str) -> Option<&'static Collector> {
    COLLECTORS.iter().find(|it| it.name == name || it.aliases.contains(&name))
}

fn known_names() -> Vec<&'static str> {
    let names: BTreeSet<&str> =
        COLLECTORS.iter().flat_map(|it| it.aliases.iter().copied().chain([it.name])).collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(subsets: &[&str], there: &[&str], absent: &[&str]) {
        let subsets: Vec<String> = subsets.iter().map(ToString::to_string).collect();
        let names: Vec<&str> = select(&subsets).unwrap().iter().map(|it| it.name).collect();
        for name in there {
            assert!(names.contains(name), "{subsets:?} lacks {name}");
        }
        for name in absent {
            assert!(!names.contains(name), "{subsets:?} has {name}");
        }
    }

    #[test]
    fn subsets_are_added_and_taken_away() {
        check(&[], &["hardware", "network", "fips", "virtual"], &[]);
        check(&["all"], &["hardware", "network", "fips"], &[]);
        check(&["!all"], &["fips", "python"], &["hardware", "network", "virtual"]);
        check(&["!all", "!min"], &[], &["fips", "hardware"]);
        check(&["!all", "!min", "network"], &["network", "platform"], &["fips"]);
        check(&["network"], &["network", "fips"], &["hardware"]);
        check(&["!hardware"], &["fips"], &["hardware", "network"]);
        check(&["all", "!hardware"], &["fips", "network"], &["hardware"]);
        check(&["!hardware", "mounts"], &["hardware"], &[]);
        check(&["!all", "!min", "min"], &[], &["fips"]);
        check(&["all", "!mounts"], &["hardware"], &[]);
        check(&["!nosuch"], &["fips"], &["hardware"]);
    }

    #[test]
    fn a_name_that_is_not_known_is_an_error() {
        let err = select(&["bogus".to_owned()]).map(|it| it.len()).unwrap_err();
        let text = err.to_string();
        assert!(text.starts_with("Bad subset 'bogus' given to Ansible."), "{text}");
        assert!(text.contains("allowed: all, all_ipv4_addresses, all_ipv6_addresses, apparmor"));
        assert!(text.ends_with("virtualization_tech_host, virtualization_type"), "{text}");
    }
}
