//! What manages packages and services on the host.

use serde_json::json;

use super::Gathering;

/// Package managers other than those of the Red Hat family, by the program that shows them.
const PACKAGE_MANAGERS: [(&str, &str); 26] = [
    ("/usr/bin/apt-get", "apt"),
    ("/usr/bin/zypper", "zypper"),
    ("/usr/sbin/urpmi", "urpmi"),
    ("/usr/bin/pacman", "pacman"),
    ("/bin/opkg", "opkg"),
    ("/usr/pkg/bin/pkgin", "pkgin"),
    ("/opt/local/bin/pkgin", "pkgin"),
    ("/opt/tools/bin/pkgin", "pkgin"),
    ("/opt/local/bin/port", "macports"),
    ("/usr/local/bin/brew", "homebrew"),
    ("/opt/homebrew/bin/brew", "homebrew"),
    ("/sbin/apk", "apk"),
    ("/usr/sbin/pkg", "pkgng"),
    ("/usr/sbin/swlist", "swdepot"),
    ("/usr/bin/emerge", "portage"),
    ("/usr/sbin/pkgadd", "svr4pkg"),
    ("/usr/bin/pkg", "pkg5"),
    ("/usr/bin/xbps-install", "xbps"),
    ("/usr/local/sbin/pkg", "pkgng"),
    ("/usr/bin/swupd", "swupd"),
    ("/usr/sbin/sorcery", "sorcery"),
    ("/usr/bin/installp", "installp"),
    ("/QOpenSys/pkgs/bin/yum", "yum"),
    ("/usr/bin/dnf", "dnf"),
    ("/usr/bin/dnf5", "dnf5"),
    ("/usr/bin/yum", "yum"),
];

/// `pkg_mgr`.
pub(crate) fn pkg_mgr(to: &mut Gathering<'_>) {
    let there = |path: &str| to.place.exists(path);
    let name = match to.text("os_family") {
        "RedHat" => red_hat_manager(to),
        "Altlinux" if there("/usr/bin/apt-get") => "apt_rpm",
        _ => PACKAGE_MANAGERS
            .iter()
            .find(|(path, _)| there(path))
            .map_or("unknown", |(_, name)| name),
    };
    to.set("pkg_mgr", name);
}

/// dnf where the release has it, whatever else is installed beside it.
fn red_hat_manager(to: &Gathering<'_>) -> &'static str {
    let there = |path: &str| to.place.exists(path);
    if there("/run/ostree-booted") {
        return "atomic_container";
    }
    let major: u64 = to.text("distribution_major_version").parse().unwrap_or(0);
    let distribution = to.text("distribution");
    let (has_dnf5, has_yum) = (there("/usr/bin/dnf5"), there("/usr/bin/yum"));
    // dnf may be there under its versioned name only.
    let has_dnf = there("/usr/bin/dnf-3") || there("/usr/bin/microdnf") || there("/usr/bin/dnf");
    match distribution {
        "Fedora" if major >= 41 && has_dnf5 => "dnf5",
        "Fedora" if major >= 23 && has_dnf => "dnf",
        "Amazon" if major >= 2022 && has_dnf => "dnf",
        "Fedora" | "Amazon" if has_yum => "yum",
        "TencentOS" if major >= 3 && has_dnf => "dnf",
        _ if (major == 0 || major >= 8) && has_dnf => "dnf",
        _ if has_yum => "yum",
        _ if has_dnf5 => "dnf5",
        _ if has_dnf => "dnf",
        _ => "unknown",
    }
}

/// `service_mgr`: the first process's name where it is one, and else what is there to be found.
pub(crate) fn service_mgr(to: &mut Gathering<'_>) {
    let first = to.place.read_trimmed("/proc/1/comm").unwrap_or_default();
    let first = first.rsplit('/').next().unwrap_or_default();
    let name = match first {
        "procd" => "openwrt_init".to_owned(),
        "runit-init" => "runit".to_owned(),
        "svscan" => "svc".to_owned(),
        "openrc-init" => "openrc".to_owned(),
        // An unnamed or ambiguous process, or a shell that a container was started with.
        "" | "init" => by_traces(to).to_owned(),
        shell if shell.ends_with("sh") => by_traces(to).to_owned(),
        other => other.to_owned(),
    };
    to.set("service_mgr", name);
}

fn by_traces(to: &Gathering<'_>) -> &'static str {
    let place = to.place;
    if systemd_runs(to) {
        "systemd"
    } else if place.program("initctl").is_some() && place.exists("/etc/init/") {
        "upstart"
    } else if place.exists("/sbin/openrc") {
        "openrc"
    } else if place.program("systemctl").is_some()
        && place.link_name("/sbin/init").is_some_and(|it| it == "systemd")
    {
        "systemd"
    } else if place.exists("/etc/init.d/") {
        "sysvinit"
    } else {
        "service"
    }
}

fn systemd_runs(to: &Gathering<'_>) -> bool {
    to.place.program("systemctl").is_some()
        && ["/run/systemd/system/", "/dev/.run/systemd/", "/dev/.systemd/"]
            .iter()
            .any(|it| to.place.exists(it))
}

/// `systemd`: the version and features of a systemd that runs the host.
pub(crate) fn systemd(to: &mut Gathering<'_>) {
    if !systemd_runs(to) {
        return;
    }
    let Some(text) = to.place.output(&["systemctl", "--version"]) else { return };
    let mut lines = text.lines();
    let version = lines.next().and_then(|it| it.split_whitespace().nth(1)).unwrap_or_default();
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    let Ok(version) = digits.parse::<u64>() else { return };
    let features = lines.next().unwrap_or_default();
    to.set("systemd", json!({ "features": features, "version": version }));
}
