//! The processors, by `/proc/cpuinfo`.

use std::collections::BTreeMap;

use super::Gathering;

/// Names of lines that the list of processors holds.
const LISTED: [&str; 6] = ["model name", "Processor", "vendor_id", "cpu", "Vendor", "processor"];

/// What `/proc/cpuinfo` says.
#[derive(Debug, Default, PartialEq)]
struct Processors {
    list: Vec<String>,
    flags: Vec<String>,
    /// Processors that the kernel runs programs on.
    logical: u64,
    /// Cores and siblings of each socket, by its number.
    sockets: BTreeMap<String, (u64, u64)>,
}

/// Gathers the processors' facts.
pub(crate) fn collect(to: &mut Gathering<'_>) {
    let Some(text) = to.place.read("/proc/cpuinfo") else { return };
    let processors = parse(&text);
    let usable = usable(&to.place.read("/proc/self/status").unwrap_or_default());
    to.set("processor", processors.list);
    if !processors.flags.is_empty() {
        to.set("flags", processors.flags);
    }
    let (count, cores, threads) = match processors.sockets.values().next() {
        Some((cores, siblings)) => {
            let cores = (*cores).max(1);
            (processors.sockets.len() as u64, cores, (siblings / cores).max(1))
        }
        None => (processors.logical, 1, 1),
    };
    to.set("processor_count", count);
    to.set("processor_cores", cores);
    to.set("processor_threads_per_core", threads);
    to.set("processor_vcpus", count * cores * threads);
    to.set("processor_nproc", usable.unwrap_or(processors.logical));
}

fn parse(text: &str) -> Processors {
    let mut found = Processors::default();
    let (mut socket, mut cores, mut siblings) = (None, 1, 1);
    for line in text.lines().chain([""]) {
        let (name, value) = match line.split_once(':') {
            Some((name, value)) => (name.trim(), value.trim()),
            None => ("", ""),
        };
        // On s390 the number stands in the name: `processor 0: version = ...`.
        let numbered = name.strip_prefix("processor ").is_some_and(|it| it.parse::<u64>().is_ok());
        if LISTED.contains(&name) || numbered {
            found.list.push(value.to_owned());
        }
        match name {
            // An old ARM kernel writes the model into a line `Processor`.
            "processor" if value.parse::<u64>().is_ok() => found.logical += 1,
            _ if numbered => found.logical += 1,
            "flags" | "features" => {
                found.flags = value.split_whitespace().map(str::to_owned).collect();
            }
            "physical id" => socket = Some(value.to_owned()),
            "cpu cores" => cores = value.parse().unwrap_or(1),
            "siblings" => siblings = value.parse().unwrap_or(1),
            "" => {
                if let Some(socket) = socket.take() {
                    found.sockets.insert(socket, (cores, siblings));
                }
            }
            _ => {}
        }
    }
    found
}

/// How many processors this process may use.
fn usable(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|it| it.strip_prefix("Cpus_allowed:"))?.trim();
    let words = mask.split(',').map(|it| u64::from_str_radix(it, 16).ok().map(u64::count_ones));
    words.map(|it| it.map(u64::from)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_cores_and_threads_are_told_apart() {
        let one = |index: u8, socket: u8| {
            format!(
                "processor\t: {index}\nvendor_id\t: G\nmodel name\t: X\nphysical id\t: {socket}\nsiblings\t: 4\ncpu cores\t: 2\nflags\t: fpu vmx\n\n"
            )
        };
        let found = parse(&format!("{}{}", one(0, 0), one(1, 1)));
        assert_eq!(found.list, ["0", "G", "X", "1", "G", "X"]);
        assert_eq!(found.flags, ["fpu", "vmx"]);
        assert_eq!(found.sockets.len(), 2);
        assert_eq!(found.sockets["0"], (2, 4));
    }

    #[test]
    fn machines_without_sockets_count_processors() {
        let found = parse("processor\t: 0\nFeatures\t: fp\n\nprocessor\t: 1\nHardware\t: B\n");
        assert_eq!((found.logical, found.sockets.len()), (2, 0));
        assert_eq!(found.list, ["0", "1"]);
    }

    #[test]
    fn usable_processors_are_counted() {
        assert_eq!(usable("Cpus_allowed:\t3\n"), Some(2));
        assert_eq!(usable("Cpus_allowed:\tff,00000001\n"), Some(9));
        assert_eq!(usable(""), None);
    }
}
