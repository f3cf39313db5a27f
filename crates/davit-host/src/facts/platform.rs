//! The kernel, the host's names, the architecture and the machine's id.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use nix::sys::utsname::uname;

use super::{Gathering, python};

/// Gathers the platform's facts.
pub(crate) fn collect(to: &mut Gathering<'_>) {
    let Ok(names) = uname() else { return };
    let machine = names.machine().to_string_lossy().into_owned();
    let node = names.nodename().to_string_lossy().into_owned();
    to.set("system", names.sysname().to_string_lossy());
    to.set("kernel", names.release().to_string_lossy());
    to.set("kernel_version", names.version().to_string_lossy());
    to.set("machine", machine.as_str());
    if let Some(version) = python::version(to).map(ToString::to_string) {
        to.set("python_version", version);
    }
    let full = full_name(to, &node);
    let domain = full.split_once('.').map_or("", |(_, domain)| domain).to_owned();
    to.set("fqdn", full);
    to.set("hostname", node.split('.').next().unwrap_or_default());
    to.set("nodename", node);
    to.set("domain", domain);
    let bits = userspace_bits(to);
    to.set("userspace_bits", bits);
    let architecture = match machine.as_str() {
        "i386" | "i486" | "i586" | "i686" => "i386".to_owned(),
        "x86_64" | "amd64" => "x86_64".to_owned(),
        _ => machine.clone(),
    };
    if architecture == "x86_64" || architecture == "i386" {
        to.set("userspace_architecture", if bits == "64" { "x86_64" } else { "i386" });
    }
    to.set("architecture", architecture);
    let id = ["/var/lib/dbus/machine-id", "/etc/machine-id"]
        .iter()
        .find_map(|it| to.place.read(it))
        .and_then(|it| it.lines().next().map(str::to_owned));
    if let Some(id) = id {
        to.set("machine_id", id);
    }
}

/// The name with its domain, by `/etc/hosts` and else by what the resolver says of the name.
///
/// The first name of the host's address that holds a dot wins, as in Python's `getfqdn`.
fn full_name(to: &Gathering<'_>, node: &str) -> String {
    if node.is_empty() {
        return "localhost".to_owned();
    }
    let text = to.place.read("/etc/hosts").unwrap_or_default();
    let hosts = Hosts::parse(&text);
    let addresses = hosts.addresses(node);
    let known = addresses.first().copied().or_else(|| {
        // What the resolver knows of a name that the file does not have.
        davit_module::names::addresses(node, 0).first().map(SocketAddr::ip)
    });
    let Some(address) = known else { return node.to_owned() };
    let names = hosts.names(address);
    names
        .iter()
        .find(|it| it.contains('.'))
        .or_else(|| names.first())
        .map_or_else(|| node.to_owned(), |it| (*it).to_owned())
}

/// `/etc/hosts`: each line's address and names.
struct Hosts<'a>(Vec<(IpAddr, Vec<&'a str>)>);

impl<'a> Hosts<'a> {
    fn parse(text: &'a str) -> Self {
        let line = |line: &'a str| {
            let line = line.split('#').next()?;
            let mut words = line.split_whitespace();
            Some((words.next()?.parse().ok()?, words.collect()))
        };
        Self(text.lines().filter_map(line).collect())
    }

    fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let named = |it: &&(IpAddr, Vec<&str>)| it.1.iter().any(|it| it.eq_ignore_ascii_case(name));
        self.0.iter().filter(named).map(|it| it.0).collect()
    }

    fn names(&self, address: IpAddr) -> Vec<&'a str> {
        // The resolver answers a look-up of either loopback address with the other's names too.
        let same = |it: IpAddr| {
            it == address
                || (it == IpAddr::V4(Ipv4Addr::LOCALHOST)
                    && address == IpAddr::V6(Ipv6Addr::LOCALHOST))
        };
        self.0.iter().find(|it| same(it.0)).map(|it| it.1.clone()).unwrap_or_default()
    }
}

/// `64` or `32`, by the first program that tells: the process with number 1, a shell, ourselves.
fn userspace_bits(to: &Gathering<'_>) -> &'static str {
    let class = ["/bin/sh", "/usr/bin/env", "/proc/self/exe"]
        .iter()
        .find_map(|it| elf_class(&to.place.real(it)));
    match class {
        Some(1) => "32",
        Some(_) => "64",
        None if cfg!(target_pointer_width = "32") => "32",
        None => "64",
    }
}

/// The class byte of an ELF file: 1 = 32 bits, 2 = 64 bits.
fn elf_class(path: &Path) -> Option<u8> {
    let mut head = [0; 5];
    File::open(path).ok()?.read_exact(&mut head).ok()?;
    let [0x7f, b'E', b'L', b'F', class] = head else { return None };
    Some(class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_with_aliases_and_comments() {
        let hosts = Hosts::parse("127.0.0.1 localhost\n# x\n10.0.0.5 box.example.com box # y\n");
        let address: IpAddr = "10.0.0.5".parse().unwrap();
        assert_eq!(hosts.addresses("box"), [address]);
        assert_eq!(hosts.names(address), ["box.example.com", "box"]);
        assert_eq!(hosts.addresses("nosuch"), Vec::<IpAddr>::new());
    }
}
