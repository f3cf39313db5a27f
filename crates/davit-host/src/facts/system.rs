//! Small facts that one file or one call tells: names, keys, users, the clock.

use std::time::UNIX_EPOCH;

use davit_module::names::User;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use nix::sys::sysinfo::sysinfo;
use nix::unistd::{getegid, geteuid, getgid, getuid};
use serde_json::{Map, Value, json};

use super::{Facts, Gathering, release};
use crate::sys::clock;

/// `cmdline` and `proc_cmdline`: the kernel's, with the last and with every value of a name.
pub(crate) fn cmdline(to: &mut Gathering<'_>) {
    let Some(text) = to.place.read("/proc/cmdline") else { return };
    let mut last = Map::new();
    let mut every: Map<String, Value> = Map::new();
    for word in text.split_whitespace() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Value::from(value)),
            None => (word, Value::Bool(true)),
        };
        last.insert(name.to_owned(), value.clone());
        match every.get_mut(name) {
            None => {
                every.insert(name.to_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    to.set("cmdline", last);
    to.set("proc_cmdline", every);
}

/// `date_time`.
pub(crate) fn date_time(to: &mut Gathering<'_>) {
    let Ok(stamp) = Timestamp::try_from(to.place.now()) else { return };
    let zone = clock::zone(to.place.variable("TZ"));
    let local = stamp.to_zoned(zone.clone());
    let utc = stamp.to_zoned(TimeZone::UTC);
    let format = |pattern: &str| local.strftime(pattern).to_string();
    let micros = format!("{:06}", local.subsec_nanosecond() / 1000);
    let since = to.place.now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let second = utc.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let facts = json!({
        "date": format("%Y-%m-%d"),
        "day": format("%d"),
        "epoch": since.as_secs().to_string(),
        "epoch_int": since.as_secs().to_string(),
        "hour": format("%H"),
        "iso8601": format!("{second}Z"),
        "iso8601_basic": format!("{}{micros}", format("%Y%m%dT%H%M%S")),
        "iso8601_basic_short": format("%Y%m%dT%H%M%S"),
        "iso8601_micro": format!("{second}.{micros}Z"),
        "minute": format("%M"),
        "month": format("%m"),
        "second": format("%S"),
        "time": format("%H:%M:%S"),
        "tz": zone.to_offset_info(stamp).abbreviation(),
        "tz_dst": summer_name(&zone, stamp),
        "tz_offset": format("%z"),
        "weekday": format("%A"),
        "weekday_number": format("%w"),
        "weeknumber": format("%W"),
        "year": format("%Y"),
    });
    to.set("date_time", facts);
}

/// The zone's name in summer; its only name where it has no summer.
fn summer_name(zone: &TimeZone, now: Timestamp) -> String {
    (0..12i64)
        .filter_map(|months| now.checked_sub((months * 30 * 24).hours()).ok())
        .map(|it| zone.to_offset_info(it))
        .find(|it| it.dst().is_dst())
        .unwrap_or_else(|| zone.to_offset_info(now))
        .abbreviation()
        .to_owned()
}

/// `dns`, by `/etc/resolv.conf`.
pub(crate) fn dns(to: &mut Gathering<'_>) {
    let mut dns = Map::new();
    for line in to.place.read("/etc/resolv.conf").unwrap_or_default().lines() {
        if line.starts_with(['#', ';']) {
            continue;
        }
        let mut words = line.split_whitespace();
        let Some(key) = words.next() else { continue };
        match key {
            "nameserver" => {
                let servers = dns.entry("nameservers").or_insert_with(|| json!([]));
                if let Value::Array(servers) = servers {
                    servers.extend(words.map(Value::from));
                }
            }
            "domain" => {
                if let Some(domain) = words.next() {
                    dns.insert("domain".to_owned(), domain.into());
                }
            }
            "search" | "sortlist" => {
                dns.insert(key.to_owned(), words.map(Value::from).collect());
            }
            "options" => {
                let option = |word: &str| match word.split_once(':') {
                    Some((name, value)) => (name.to_owned(), Value::from(value)),
                    None => (word.to_owned(), Value::Bool(true)),
                };
                let options: Map<String, Value> = words.map(option).collect();
                dns.insert("options".to_owned(), options.into());
            }
            _ => {}
        }
    }
    to.set("dns", dns);
}

/// `env`.
pub(crate) fn env(to: &mut Gathering<'_>) {
    let env: Facts = to
        .place
        .environment()
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    to.set("env", env);
}

/// `fibre_channel_wwn`: the names of the host's ports.
pub(crate) fn fibre_channel(to: &mut Gathering<'_>) {
    let ports: Vec<Value> = to
        .place
        .list("/sys/class/fc_host")
        .iter()
        .filter_map(|it| to.place.read_trimmed(format!("/sys/class/fc_host/{it}/port_name")))
        .map(|it| it.strip_prefix("0x").unwrap_or(&it).into())
        .collect();
    to.set("fibre_channel_wwn", ports);
}

/// `iscsi_iqn`: the initiator's name.
pub(crate) fn iscsi(to: &mut Gathering<'_>) {
    let text = to.place.read("/etc/iscsi/initiatorname.iscsi").unwrap_or_default();
    let name = text.lines().find_map(|it| it.strip_prefix("InitiatorName=")).unwrap_or_default();
    to.set("iscsi_iqn", name.trim());
}

/// `hostnqn`: the host's name for `NVMe` over fabrics.
pub(crate) fn nvme(to: &mut Gathering<'_>) {
    let text = to.place.read("/etc/nvme/hostnqn").unwrap_or_default();
    let name = text.lines().map(str::trim).find(|it| it.starts_with("nqn.")).unwrap_or_default();
    to.set("hostnqn", name);
}

/// `loadavg`.
pub(crate) fn loadavg(to: &mut Gathering<'_>) {
    let Ok(info) = sysinfo() else { return };
    let (one, five, fifteen) = info.load_average();
    to.set("loadavg", json!({ "1m": one, "5m": five, "15m": fifteen }));
}

/// `lsb`: what `lsb_release -a` would print from `os-release`, or the LSB's own file.
pub(crate) fn lsb(to: &mut Gathering<'_>) {
    let os = release::parse(
        &to.place
            .read("/etc/os-release")
            .or_else(|| to.place.read("/usr/lib/os-release"))
            .unwrap_or_default(),
    );
    let lsb = release::parse(&to.place.read("/etc/lsb-release").unwrap_or_default());
    let mut facts = Map::new();
    let mut set = |name: &str, value: String| {
        facts.insert(name.to_owned(), value.into());
    };
    if to.place.program("lsb_release").is_some() {
        let get = |name: &str| {
            os.get(name).filter(|it| !it.is_empty()).map_or("n/a", String::as_str).to_owned()
        };
        set("id", distributor(&get("ID"), &get("NAME")));
        set("description", get("PRETTY_NAME"));
        set("release", get("VERSION_ID"));
        set("codename", get("VERSION_CODENAME").to_lowercase());
    } else {
        let names = [
            ("id", "DISTRIB_ID"),
            ("release", "DISTRIB_RELEASE"),
            ("description", "DISTRIB_DESCRIPTION"),
            ("codename", "DISTRIB_CODENAME"),
        ];
        for (name, key) in names {
            if let Some(value) = lsb.get(key) {
                set(name, value.clone());
            }
        }
    }
    if let Some(release) = facts.get("release").and_then(Value::as_str) {
        let major = release.split('.').next().unwrap_or_default();
        let major = if release == "n/a" { release } else { major }.to_owned();
        facts.insert("major_release".to_owned(), major.into());
    }
    to.set("lsb", facts);
}

/// The name of a distribution in the LSB's way: its id, written as it writes its own name.
fn distributor(id: &str, name: &str) -> String {
    if id == "n/a" || id.eq_ignore_ascii_case(name) {
        return if id == "n/a" { id } else { name }.to_owned();
    }
    let mut chars = id.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + &chars.as_str().to_lowercase()
    })
}

/// `ssh_host_key_*`: the public keys of the SSH server.
pub(crate) fn ssh_host_keys(to: &mut Gathering<'_>) {
    for folder in ["/etc/ssh", "/etc/openssh", "/etc"] {
        let mut found = false;
        for kind in ["dsa", "rsa", "ecdsa", "ed25519"] {
            let file = format!("{folder}/ssh_host_{kind}_key.pub");
            let Some(text) = to.place.read_trimmed(file) else { continue };
            let mut words = text.split_whitespace();
            if let (Some(key_type), Some(key)) = (words.next(), words.next()) {
                found = true;
                to.set(&format!("ssh_host_key_{kind}_public"), key);
                to.set(&format!("ssh_host_key_{kind}_public_keytype"), key_type);
            }
        }
        if found {
            return;
        }
    }
}

/// `user_*`, and the real and effective ids.
pub(crate) fn user(to: &mut Gathering<'_>) {
    let named = ["LOGNAME", "USER", "LNAME", "USERNAME"]
        .iter()
        .filter_map(|it| to.place.variable(it))
        .find(|it| !it.is_empty())
        .and_then(User::named);
    let user = named.or_else(|| User::numbered(getuid().as_raw()));
    if let Some(user) = user {
        to.set("user_id", user.name.as_str());
        to.set("user_uid", user.uid);
        to.set("user_gid", user.gid);
        to.set("user_gecos", user.gecos.as_str());
        to.set("user_dir", user.dir.to_string_lossy());
        to.set("user_shell", user.shell.as_str());
    }
    to.set("real_user_id", getuid().as_raw());
    to.set("effective_user_id", geteuid().as_raw());
    to.set("real_group_id", getgid().as_raw());
    to.set("effective_group_id", getegid().as_raw());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summer_names_are_found_in_any_season() {
        let winter: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        let zone = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
        assert_eq!(summer_name(&zone, winter), "EDT");
        assert_eq!(summer_name(&TimeZone::UTC, winter), "UTC");
    }

    #[test]
    fn distributors_are_written_as_they_write_themselves() {
        assert_eq!(distributor("debian", "Debian GNU/Linux"), "Debian");
        assert_eq!(distributor("almalinux", "AlmaLinux"), "AlmaLinux");
        assert_eq!(distributor("n/a", "x"), "n/a");
    }
}
