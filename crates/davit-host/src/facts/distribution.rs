//! Which distribution runs: its name, version, release name and family, by its release files.

use std::collections::BTreeMap;

use super::release::{in_parentheses, parse, version_in};
use super::{Gathering, Place};

/// What was found. A field that is `None` was not told and becomes `NA` or is left out.
#[derive(Debug, Default)]
struct Found {
    name: String,
    version: Option<String>,
    major: Option<String>,
    minor: Option<String>,
    release: Option<String>,
    path: &'static str,
    variety: &'static str,
    /// The file held what makes it this distribution.
    parsed: bool,
    /// The word that the file was searched for.
    searched: Option<&'static str>,
}

/// `os-release`, and what comes with it.
struct Clues<'a> {
    place: &'a Place<'a>,
    values: BTreeMap<String, String>,
}

impl Clues<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|it| !it.is_empty())
    }

    fn name(&self) -> &str {
        self.get("NAME").unwrap_or_default()
    }

    fn id(&self) -> &str {
        self.get("ID").unwrap_or_default()
    }

    fn version(&self) -> Option<String> {
        self.get("VERSION_ID").map(str::to_owned)
    }

    fn codename(&self) -> Option<String> {
        self.get("VERSION_CODENAME")
            .map(str::to_owned)
            .or_else(|| self.get("VERSION").and_then(in_parentheses).map(str::to_owned))
    }
}

/// The families, by the names of their members.
#[rustfmt::skip]
const FAMILIES: &[(&str, &[&str])] = &[
    ("RedHat", &["RedHat", "RHEL", "Fedora", "CentOS", "Scientific", "SLC", "Ascendos", "CloudLinux", "PSBM", "OracleLinux", "OVS", "OEL", "Amazon", "Amzn", "Virtuozzo", "XenServer", "Alibaba", "EulerOS", "openEuler", "AlmaLinux", "Rocky", "TencentOS", "EuroLinux", "Kylin Linux Advanced Server", "MIRACLE"]),
    ("Debian", &["Debian", "Ubuntu", "Raspbian", "Neon", "KDE neon", "Linux Mint", "SteamOS", "Devuan", "Kali", "Cumulus Linux", "Pop!_OS", "Parrot", "Pardus GNU/Linux", "Uos", "Deepin", "OSMC"]),
    ("Suse", &["SuSE", "SLES", "SLED", "openSUSE", "openSUSE Tumbleweed", "SLES_SAP", "SUSE_LINUX", "openSUSE Leap", "openSUSE MicroOS", "SL-Micro", "ALP-Dolomite"]),
    ("Archlinux", &["Archlinux", "Antergos", "Manjaro"]),
    ("Mandrake", &["Mandrake", "Mandriva"]),
    ("Slackware", &["Slackware"]),
    ("Altlinux", &["Altlinux"]),
    ("Gentoo", &["Gentoo", "Funtoo"]),
    ("Alpine", &["Alpine"]),
    ("ClearLinux", &["Clear Linux OS", "Clear Linux Mix", "ClearLinux"]),
];

/// Gathers the distribution's facts.
pub(crate) fn collect(to: &mut Gathering<'_>) {
    let found = find(to.place);
    let family = FAMILIES
        .iter()
        .find(|(_, members)| members.contains(&found.name.as_str()))
        .map_or(found.name.as_str(), |(family, _)| family)
        .to_owned();
    let unknown = || "n/a".to_owned();
    let version = found.version.unwrap_or_else(unknown);
    let major = found
        .major
        .unwrap_or_else(|| version.split('.').next().map_or_else(unknown, str::to_owned));
    to.set("distribution", found.name);
    to.set("distribution_release", found.release.unwrap_or_else(unknown));
    to.set("distribution_version", version);
    to.set("distribution_major_version", major);
    if !found.path.is_empty() {
        to.set("distribution_file_path", found.path);
        to.set("distribution_file_variety", found.variety);
    }
    if found.parsed {
        to.set("distribution_file_parsed", true);
    }
    if let Some(word) = found.searched {
        to.set("distribution_file_search_string", word);
    }
    if let Some(minor) = found.minor {
        to.set("distribution_minor_version", minor);
    }
    to.set("os_family", family);
}

/// The rules, most telling file first; the first that applies is the answer.
const RULES: &[fn(&Clues<'_>) -> Option<Found>] = &[
    altlinux,
    oracle,
    slackware,
    centos_stream,
    red_hat,
    alpine,
    arch,
    openwrt,
    amazon,
    suse,
    debian,
    flatcar,
    clear_linux,
    by_name,
];

fn find(place: &Place<'_>) -> Found {
    let text = place.read("/etc/os-release").or_else(|| place.read("/usr/lib/os-release"));
    let clues = Clues { place, values: parse(&text.unwrap_or_default()) };
    RULES
        .iter()
        .find_map(|rule| rule(&clues))
        .unwrap_or_else(|| Found { name: "Linux".to_owned(), ..Found::default() })
}

fn altlinux(clues: &Clues<'_>) -> Option<Found> {
    let text = clues.place.read_trimmed("/etc/altlinux-release")?;
    text.contains("ALT").then(|| Found {
        name: "Altlinux".to_owned(),
        version: clues.version().or_else(|| version_in(&text).map(str::to_owned)),
        release: clues.get("VERSION_CODENAME").map(str::to_owned),
        path: "/etc/altlinux-release",
        variety: "Altlinux",
        parsed: true,
        searched: Some("ALT"),
        ..Found::default()
    })
}

fn oracle(clues: &Clues<'_>) -> Option<Found> {
    let text = clues.place.read_trimmed("/etc/oracle-release")?;
    text.contains("Oracle Linux").then(|| Found {
        name: "OracleLinux".to_owned(),
        version: version_in(&text).map(str::to_owned),
        release: clues.codename(),
        path: "/etc/oracle-release",
        variety: "OracleLinux",
        parsed: true,
        searched: Some("Oracle Linux"),
        ..Found::default()
    })
}

fn slackware(clues: &Clues<'_>) -> Option<Found> {
    let text = clues.place.read_trimmed("/etc/slackware-version")?;
    text.contains("Slackware").then(|| Found {
        name: "Slackware".to_owned(),
        version: version_in(&text).map(str::to_owned),
        path: "/etc/slackware-version",
        variety: "Slackware",
        parsed: true,
        ..Found::default()
    })
}

fn centos_stream(clues: &Clues<'_>) -> Option<Found> {
    let text = clues.place.read_trimmed("/etc/centos-release")?;
    text.contains("CentOS Stream").then(|| Found {
        name: "CentOS".to_owned(),
        version: version_in(&text).map(str::to_owned),
        release: Some("Stream".to_owned()),
        path: "/etc/centos-release",
        variety: "CentOS",
        parsed: true,
        ..Found::default()
    })
}

fn red_hat(clues: &Clues<'_>) -> Option<Found> {
    let text = clues.place.read_trimmed("/etc/redhat-release")?;
    let is_red_hat = text.starts_with("Red Hat");
    let name = if is_red_hat { "RedHat" } else { text.split_whitespace().next()? };
    // A release file without an os-release file tells only the name.
    let told = !clues.values.is_empty();
    let version = told.then(|| version_in(&text).map(str::to_owned)).flatten();
    let version = version.map(|it| it.splitn(3, '.').take(2).collect::<Vec<_>>().join("."));
    let codename = clues.get("VERSION_CODENAME").or_else(|| in_parentheses(&text));
    let release = match clues.values.get("VERSION_CODENAME") {
        Some(empty) if empty.is_empty() => Some(String::new()),
        _ => codename.map(str::to_owned).filter(|_| told),
    };
    Some(Found {
        name: name.to_owned(),
        version,
        release,
        path: "/etc/redhat-release",
        variety: "RedHat",
        parsed: true,
        searched: is_red_hat.then_some("Red Hat"),
        ..Found::default()
    })
}

fn alpine(clues: &Clues<'_>) -> Option<Found> {
    let text = clues.place.read_trimmed("/etc/alpine-release")?;
    Some(Found {
        name: "Alpine".to_owned(),
        version: Some(text),
        path: "/etc/alpine-release",
        variety: "Alpine",
        parsed: true,
        ..Found::default()
    })
}

fn arch(clues: &Clues<'_>) -> Option<Found> {
    clues.place.exists("/etc/arch-release").then(|| Found {
        name: "Archlinux".to_owned(),
        version: clues.version(),
        release: clues.codename(),
        path: "/etc/arch-release",
        variety: "Archlinux",
        ..Found::default()
    })
}

fn openwrt(clues: &Clues<'_>) -> Option<Found> {
    let values = parse(&clues.place.read("/etc/openwrt_release")?);
    values.get("DISTRIB_ID").is_some_and(|it| it.contains("OpenWrt")).then(|| Found {
        name: "OpenWrt".to_owned(),
        version: values.get("DISTRIB_RELEASE").cloned(),
        release: clues.get("VERSION_CODENAME").map(str::to_owned),
        path: "/etc/openwrt_release",
        variety: "OpenWrt",
        parsed: true,
        ..Found::default()
    })
}

fn amazon(clues: &Clues<'_>) -> Option<Found> {
    if !clues.name().contains("Amazon") {
        return None;
    }
    let version = clues.version().unwrap_or_else(|| "NA".to_owned());
    let (major, minor) = match version.split_once('.') {
        Some((major, minor)) => (major.to_owned(), minor.to_owned()),
        None => (version.clone(), "NA".to_owned()),
    };
    Some(Found {
        name: "Amazon".to_owned(),
        version: Some(version),
        major: Some(major),
        minor: Some(minor),
        path: "/etc/os-release",
        variety: "Amazon",
        parsed: true,
        ..Found::default()
    })
}

fn suse(clues: &Clues<'_>) -> Option<Found> {
    let id = clues.id();
    let like = clues.get("ID_LIKE").unwrap_or_default();
    let text = clues.values.values().any(|it| it.to_lowercase().contains("suse"));
    if !text || !(id.contains("suse") || id.starts_with("sl") || like.contains("suse")) {
        return None;
    }
    let version = clues.version();
    let after_dot = |it: &String| it.split_once('.').map(|(_, minor)| minor.to_owned());
    let is_sap = clues
        .place
        .link("/etc/products.d/baseproduct")
        .is_some_and(|it| it.to_string_lossy().ends_with("SLES_SAP.prod"));
    Some(Found {
        name: if is_sap { "SLES_SAP".to_owned() } else { clues.name().to_owned() },
        release: Some(version.as_ref().and_then(after_dot).unwrap_or_default()),
        version,
        path: "/etc/os-release",
        variety: "SUSE",
        parsed: true,
        ..Found::default()
    })
}

/// Names that the relatives of Debian go by, by a word in `os-release` and the name that results.
const DEBIANS: [(&str, &str); 12] = [
    ("SteamOS", "SteamOS"),
    ("Kali", "Kali"),
    ("Parrot", "Parrot"),
    ("Devuan", "Devuan"),
    ("Cumulus", "Cumulus Linux"),
    ("Linux Mint", "Linux Mint"),
    ("OSMC", "OSMC"),
    ("Pardus", "Pardus GNU/Linux"),
    ("UnionTech", "Uos"),
    ("uos", "Uos"),
    ("Deepin", "Deepin"),
    ("Ubuntu", "Ubuntu"),
];

fn debian(clues: &Clues<'_>) -> Option<Found> {
    let name = DEBIANS
        .iter()
        .find(|(word, _)| clues.name().contains(word))
        .map(|(_, name)| *name)
        .or_else(|| {
            let debian = ["Debian", "Raspbian"].iter().any(|it| clues.name().contains(it));
            debian.then_some("Debian")
        })?;
    let mut found = Found {
        name: name.to_owned(),
        version: clues.version(),
        release: clues.codename(),
        path: "/etc/os-release",
        variety: "Debian",
        parsed: true,
        ..Found::default()
    };
    if name == "Debian" {
        // os-release has the major version only; the point release stands in its own file.
        let point = clues.place.read_trimmed("/etc/debian_version");
        let (raspbian, full) = (clues.name().contains("Raspbian"), point.as_deref());
        let full = full.and_then(|it| it.split_once('.').map(|(major, minor)| (it, major, minor)));
        if let Some((full, major, minor)) = full.filter(|_| found.version.is_some()) {
            found.major = Some(major.to_owned());
            found.minor = Some(minor.to_owned());
            if !raspbian {
                found.version = Some(full.to_owned());
            }
        }
    }
    Some(found)
}

fn flatcar(clues: &Clues<'_>) -> Option<Found> {
    let name = ["Flatcar", "CoreOS"].iter().find(|it| clues.name().contains(*it))?;
    let is_flatcar = *name == "Flatcar";
    let named = if is_flatcar { "Flatcar" } else { "Coreos" };
    Some(Found {
        name: named.to_owned(),
        version: clues.version(),
        release: clues.get("GROUP").map(str::to_owned),
        path: "/etc/os-release",
        variety: named,
        parsed: true,
        ..Found::default()
    })
}

fn clear_linux(clues: &Clues<'_>) -> Option<Found> {
    clues.name().starts_with("Clear Linux").then(|| Found {
        name: clues.name().to_owned(),
        version: clues.version(),
        release: Some(clues.id().to_owned()),
        path: "/usr/lib/os-release",
        variety: "ClearLinux",
        parsed: true,
        ..Found::default()
    })
}

/// Any other: by the name that it gives itself.
fn by_name(clues: &Clues<'_>) -> Option<Found> {
    let name = clues.get("NAME")?;
    Some(Found {
        name: name.to_owned(),
        version: clues.version(),
        release: clues.get("VERSION_CODENAME").map(str::to_owned),
        path: "/etc/os-release",
        variety: "NA",
        parsed: true,
        ..Found::default()
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::SystemTime;

    use super::super::{Place, Request, gather};

    /// Name, version, major version, release and family, for files given as path and text.
    fn check(files: &[(&str, &str)], expect: [&str; 5]) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc")).unwrap();
        for (path, text) in files {
            fs::write(root.path().join("etc").join(path), text).unwrap();
        }
        let place = Place::at(root.path(), Vec::new(), SystemTime::UNIX_EPOCH);
        let subsets = ["!all", "!min", "distribution"].map(str::to_owned).to_vec();
        let facts = gather(&place, &Request { subsets, ..Request::default() }).unwrap().facts;
        let get = |name: &str| facts[name].as_str().unwrap().to_owned();
        let got = [
            get("ansible_distribution"),
            get("ansible_distribution_version"),
            get("ansible_distribution_major_version"),
            get("ansible_distribution_release"),
            get("ansible_os_family"),
        ];
        assert_eq!(got, expect);
    }

    #[test]
    fn debian_and_its_relatives() {
        let debian = "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";
        check(
            &[("os-release", debian), ("debian_version", "12.11\n")],
            ["Debian", "12.11", "12", "bookworm", "Debian"],
        );
        let ubuntu = "NAME=\"Ubuntu\"\nVERSION_ID=\"22.04\"\nVERSION_CODENAME=jammy\n";
        check(
            &[("os-release", ubuntu), ("debian_version", "bookworm/sid\n")],
            ["Ubuntu", "22.04", "22", "jammy", "Debian"],
        );
        let sid = "NAME=\"Debian GNU/Linux\"\nVERSION_CODENAME=trixie\n";
        check(
            &[("os-release", sid), ("debian_version", "trixie/sid\n")],
            ["Debian", "n/a", "n/a", "trixie", "Debian"],
        );
        let pop = "NAME=\"Pop!_OS\"\nVERSION_ID=\"22.04\"\nVERSION_CODENAME=jammy\n";
        check(&[("os-release", pop)], ["Pop!_OS", "22.04", "22", "jammy", "Debian"]);
    }

    #[test]
    fn red_hat_and_its_relatives() {
        let os = "NAME=x\nVERSION_ID=9.3\n";
        check(
            &[("os-release", os), ("redhat-release", "Rocky Linux release 9.3 (Blue Onyx)\n")],
            ["Rocky", "9.3", "9", "Blue Onyx", "RedHat"],
        );
        check(
            &[
                ("os-release", os),
                ("redhat-release", "Red Hat Enterprise Linux release 9.2 (Plow)\n"),
            ],
            ["RedHat", "9.2", "9", "Plow", "RedHat"],
        );
        check(
            &[("os-release", os), ("redhat-release", "CentOS Linux release 7.9.2009 (Core)\n")],
            ["CentOS", "7.9", "7", "Core", "RedHat"],
        );
        check(
            &[("os-release", os), ("centos-release", "CentOS Stream release 9\n")],
            ["CentOS", "9", "9", "Stream", "RedHat"],
        );
        let amazon = "NAME=\"Amazon Linux\"\nVERSION_ID=\"2023\"\nID_LIKE=\"fedora\"\n";
        check(&[("os-release", amazon)], ["Amazon", "2023", "2023", "n/a", "RedHat"]);
    }

    #[test]
    fn others() {
        check(
            &[("os-release", "NAME=\"Alpine Linux\"\nID=alpine\n"), ("alpine-release", "3.19.1\n")],
            ["Alpine", "3.19.1", "3", "n/a", "Alpine"],
        );
        check(
            &[("os-release", "NAME=\"Arch Linux\"\nID=arch\n"), ("arch-release", "")],
            ["Archlinux", "n/a", "n/a", "n/a", "Archlinux"],
        );
        let leap = "NAME=\"openSUSE Leap\"\nVERSION_ID=\"15.5\"\nID=opensuse-leap\n";
        check(&[("os-release", leap)], ["openSUSE Leap", "15.5", "15", "5", "Suse"]);
        check(&[("os-release", "NAME=Void\nID=void\n")], ["Void", "n/a", "n/a", "n/a", "Void"]);
        check(&[], ["Linux", "n/a", "n/a", "n/a", "Linux"]);
    }
}
