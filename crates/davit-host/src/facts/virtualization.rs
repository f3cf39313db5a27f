//! Whether this is a virtual machine or a container, or runs some itself.
//!
//! The first technique that shows itself names the type; all that do are listed.

use serde_json::json;

use super::{Gathering, Place};

/// What was found. Lists keep the order of discovery.
#[derive(Default)]
struct Found {
    guest: Vec<&'static str>,
    host: Vec<&'static str>,
    kind: Option<(&'static str, &'static str)>,
}

impl Found {
    /// This runs inside of `kind`, which may be listed under several names.
    fn inside(&mut self, kind: &'static str, techniques: &[&'static str]) {
        for technique in techniques {
            if !self.guest.contains(technique) {
                self.guest.push(technique);
            }
        }
        self.kind.get_or_insert((kind, "guest"));
    }

    fn runs(&mut self, kind: &'static str) {
        if !self.host.contains(&kind) {
            self.host.push(kind);
        }
        self.kind.get_or_insert((kind, "host"));
    }
}

/// Product names that mean KVM.
const KVM_PRODUCTS: [&str; 7] =
    ["KVM", "KVM Server", "Bochs", "AHV", "CloudStack KVM Hypervisor", "Droplet", "RHEL"];

/// Vendors of machines that mean KVM.
const KVM_VENDORS: [&str; 6] =
    ["QEMU", "Amazon EC2", "DigitalOcean", "Google", "Scaleway", "Nutanix"];

/// Gathers the virtualization's facts.
pub(crate) fn collect(to: &mut Gathering<'_>) {
    let mut found = Found::default();
    containers(to.place, &mut found);
    machines(to.place, &mut found);
    hosts(to.place, &mut found);
    let (kind, role) = found.kind.unwrap_or(("NA", "NA"));
    to.set("virtualization_type", kind);
    to.set("virtualization_role", role);
    to.set("virtualization_tech_guest", json!(found.guest));
    to.set("virtualization_tech_host", json!(found.host));
}

fn containers(place: &Place<'_>, found: &mut Found) {
    let cgroup = place.read("/proc/1/cgroup").unwrap_or_default();
    let environment = place.read("/proc/1/environ").unwrap_or_default();
    // The first process names its container in its environment.
    let named = environment.split('\0').find_map(|it| it.strip_prefix("container="));
    let in_cgroup = |word: &str| cgroup.lines().any(|it| it.contains(word));
    if in_cgroup("/docker/")
        || in_cgroup("/docker-")
        || place.exists("/.dockerenv")
        || place.exists("/.dockerinit")
    {
        found.inside("docker", &["docker", "container"]);
    }
    if in_cgroup("/lxc/") || named == Some("lxc") {
        found.inside("lxc", &["lxc", "container"]);
    }
    if in_cgroup("/system.slice/containerd.service") {
        found.inside("containerd", &["containerd", "container"]);
    }
    if named == Some("podman") || place.exists("/run/.containerenv") {
        found.inside("podman", &["podman", "container"]);
    }
    let systemd = place.read_trimmed("/run/systemd/container");
    if named == Some("systemd-nspawn") || systemd.as_deref() == Some("systemd-nspawn") {
        found.inside("systemd-nspawn", &["systemd-nspawn", "container"]);
    } else if named.is_some_and(|it| !["lxc", "podman"].contains(&it)) {
        found.inside("container", &["container"]);
    }
    if place.exists("/proc/vz") && !place.exists("/proc/lve") {
        if place.exists("/proc/bc") {
            found.runs("openvz");
        } else {
            found.inside("openvz", &["openvz"]);
        }
    }
}

fn machines(place: &Place<'_>, found: &mut Found) {
    if place.exists("/proc/xen") {
        let domain = place.read("/proc/xen/capabilities").unwrap_or_default();
        if domain.contains("control_d") {
            found.runs("xen");
        } else {
            found.inside("xen", &["xen"]);
        }
    }
    let dmi = |field: &str| {
        place.read_trimmed(format!("/sys/devices/virtual/dmi/id/{field}")).unwrap_or_default()
    };
    let (product, bios) = (dmi("product_name"), dmi("bios_vendor"));
    let (vendor, family) = (dmi("sys_vendor"), dmi("product_family"));
    if product.starts_with("Standard PC") && vendor == "QEMU"
        || KVM_PRODUCTS.contains(&product.as_str())
        || KVM_VENDORS.contains(&vendor.as_str())
        || product == "Google Compute Engine"
    {
        found.inside("kvm", &["kvm"]);
    }
    if vendor == "KubeVirt" {
        found.inside("KubeVirt", &["KubeVirt"]);
    }
    if ["RHEV Hypervisor", "oVirt Node", "oVirt"].contains(&product.as_str()) {
        found.inside("RHEV", &["RHEV"]);
    }
    if product == "VMware Virtual Platform" || product.starts_with("VMware") {
        found.inside("VMware", &["VMware"]);
    }
    if ["OpenStack Compute", "OpenStack Nova"].contains(&product.as_str()) {
        found.inside("openstack", &["openstack"]);
    }
    if bios == "Xen" {
        found.inside("xen", &["xen"]);
    }
    if bios == "innotek GmbH" || product == "VirtualBox" {
        found.inside("virtualbox", &["virtualbox"]);
    }
    if bios == "Amazon EC2" {
        found.inside("kvm", &["kvm"]);
    }
    if bios == "BHYVE" {
        found.inside("bhyve", &["bhyve"]);
    }
    if vendor == "Microsoft Corporation" && product == "Virtual Machine" {
        found.inside("VirtualPC", &["VirtualPC"]);
    }
    if vendor == "Parallels Software International Inc." {
        found.inside("parallels", &["parallels"]);
    }
    if vendor == "OpenStack Foundation" {
        found.inside("openstack", &["openstack"]);
    }
    if product == "RHV" || family == "RHV" {
        found.inside("RHEV", &["RHEV"]);
    }
    kernel_clues(place, found);
}

/// What the kernel itself says: of the processor, of a hypervisor, of a mainframe.
fn kernel_clues(place: &Place<'_>, found: &mut Found) {
    let processor = place.read("/proc/cpuinfo").unwrap_or_default();
    let model =
        |word: &str| processor.lines().any(|it| it.starts_with("model name") && it.contains(word));
    if model("QEMU Virtual CPU") {
        found.inside("kvm", &["kvm"]);
    }
    if processor.lines().any(|it| it.starts_with("vendor_id") && it.contains("User Mode Linux")) {
        found.inside("uml", &["uml"]);
    }
    if processor.lines().any(|it| it.starts_with("vendor_id") && it.contains("PowerVM Lx86")) {
        found.inside("powervm_lx86", &["powervm_lx86"]);
    }
    if place.read_trimmed("/sys/hypervisor/type").as_deref() == Some("xen") {
        found.inside("xen", &["xen"]);
    }
    if let Some(system) = place.read("/proc/sysinfo") {
        let guest = system.lines().any(|it| it.contains("Control Program") && it.contains("KVM"));
        if guest {
            found.inside("kvm", &["kvm"]);
        }
    }
    let status = place.read("/proc/self/status").unwrap_or_default();
    let vserver = status.lines().find_map(|it| it.strip_prefix("VxID:")).map(str::trim);
    match vserver {
        Some("0") => found.runs("linux_vserver"),
        Some(_) => found.inside("linux_vserver", &["linux_vserver"]),
        None => {}
    }
}

fn hosts(place: &Place<'_>, found: &mut Found) {
    let modules = place.read("/proc/modules").unwrap_or_default();
    let loaded = |name: &str| modules.lines().any(|it| it.split(' ').next() == Some(name));
    if loaded("kvm") && (place.exists("/usr/bin/vdsm") || place.exists("/etc/vdsm")) {
        found.runs("RHEV");
    }
    if loaded("kvm") || place.exists("/dev/kvm") {
        found.runs("kvm");
    }
    if loaded("vboxdrv") {
        found.runs("virtualbox");
    }
    if loaded("virtio") && found.kind.is_none() {
        found.inside("kvm", &["kvm"]);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::SystemTime;

    use super::*;

    fn check(files: &[(&str, &str)], kind: (&str, &str), guest: &[&str]) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let place = Place::at(root.path(), Vec::new(), SystemTime::UNIX_EPOCH);
        let mut found = Found::default();
        containers(&place, &mut found);
        machines(&place, &mut found);
        hosts(&place, &mut found);
        assert_eq!(found.kind.unwrap_or(("NA", "NA")), kind);
        assert_eq!(found.guest, guest);
    }

    #[test]
    fn machines_and_containers_are_told_by_their_traces() {
        let dmi = "sys/devices/virtual/dmi/id";
        check(&[], ("NA", "NA"), &[]);
        check(&[(".dockerenv", "")], ("docker", "guest"), &["docker", "container"]);
        check(
            &[("proc/1/environ", "A=b\0container=lxc\0")],
            ("lxc", "guest"),
            &["lxc", "container"],
        );
        check(&[(&format!("{dmi}/product_name"), "KVM\n")], ("kvm", "guest"), &["kvm"]);
        check(&[(&format!("{dmi}/sys_vendor"), "Amazon EC2\n")], ("kvm", "guest"), &["kvm"]);
        check(
            &[(&format!("{dmi}/product_name"), "VMware Virtual Platform\n")],
            ("VMware", "guest"),
            &["VMware"],
        );
        check(&[("dev/kvm", "")], ("kvm", "host"), &[]);
    }
}
