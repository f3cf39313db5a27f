//! Facts: what a Linux host says about itself, as a map with the keys that playbooks know.
//!
//! ```text
//! subset.rs   which collectors a task asked for        place.rs    the host that is looked at
//! platform.rs distribution.rs release.rs python.rs service.rs      who runs here
//! system.rs security.rs   small facts, a few lines each
//! processor.rs memory.rs dmi.rs devices.rs mounts.rs lvm.rs        the hardware subset
//! network.rs netlink.rs                                virtualization.rs local.rs outside.rs
//! ```
//!
//! Everything comes from `/proc`, `/sys`, `/etc` and the kernel's route socket. A program is
//! started only where nothing else knows: `facts.d` scripts, `facter` and `ohai`, LVM's tools,
//! and `systemctl --version`. In particular Python is never started: its version is read out of
//! the interpreter's own file, and without an interpreter its facts are left out.
//!
//! Nothing here changes the host, so nothing goes through the gate.

mod devices;
mod distribution;
mod dmi;
mod local;
mod lvm;
mod memory;
mod mounts;
mod netlink;
mod network;
mod outside;
mod place;
mod platform;
mod processor;
mod python;
mod release;
mod security;
mod service;
mod subset;
mod system;
mod virtualization;

use std::cell::OnceCell;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

pub use self::place::Place;
pub use self::subset::BadSubset;

/// Facts by name, without the `ansible_` in front.
pub(crate) type Facts = Map<String, Value>;

/// What to gather.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names of subsets, with `!` in front of those to leave out; empty = `all`.
    pub subsets: Vec<String>,
    /// Patterns of which a fact's name must match one; empty = no filter.
    pub filter: Vec<String>,
    /// The folder of `*.fact` files.
    pub fact_path: PathBuf,
    /// How long one slow part may take, such as a network file system that does not answer.
    pub timeout: Duration,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            subsets: Vec::new(),
            filter: Vec::new(),
            fact_path: PathBuf::from("/etc/ansible/facts.d"),
            timeout: Duration::from_secs(10),
        }
    }
}

/// What was gathered.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// By full name: most start with `ansible_`.
    pub facts: Map<String, Value>,
    /// What could not be gathered.
    pub warnings: Vec<String>,
}

/// Gathers the facts of `place` that `request` asks for.
///
/// # Errors
/// Where a subset has a name that is not known.
pub fn gather(place: &Place<'_>, request: &Request) -> Result<Gathered, BadSubset> {
    let collectors = subset::select(&request.subsets)?;
    let mut gathering = Gathering {
        place,
        request,
        facts: Facts::new(),
        outside: Map::new(),
        python: OnceCell::new(),
        warnings: Vec::new(),
    };
    for collector in collectors {
        (collector.collect)(&mut gathering);
    }
    let Gathering { facts, outside, warnings, .. } = gathering;
    let mut all: Map<String, Value> =
        facts.into_iter().map(|(name, value)| (format!("ansible_{name}"), value)).collect();
    all.extend(outside);
    let asked = if request.subsets.is_empty() {
        vec![Value::from("all")]
    } else {
        request.subsets.iter().map(|it| Value::from(it.trim())).collect()
    };
    all.insert("gather_subset".to_owned(), Value::Array(asked));
    all.insert("module_setup".to_owned(), Value::Bool(true));
    if !request.filter.iter().all(|it| it.is_empty()) {
        all.retain(|name, _| request.filter.iter().any(|it| passes(it, name)));
    }
    Ok(Gathered { facts: all, warnings })
}

/// Whether a fact's name, with or without its `ansible_`, matches a pattern.
fn passes(pattern: &str, name: &str) -> bool {
    pattern.is_empty()
        || pattern == "*"
        || crate::sys::glob::matches(pattern, name)
        || name.strip_prefix("ansible_").is_some_and(|it| crate::sys::glob::matches(pattern, it))
}

/// A gathering under way.
pub(crate) struct Gathering<'a> {
    place: &'a Place<'a>,
    request: &'a Request,
    /// Without `ansible_` in front.
    facts: Facts,
    /// Facts whose names are not ours, such as `facter_os`.
    outside: Map<String, Value>,
    /// The interpreter, looked for once.
    python: OnceCell<Option<python::Version>>,
    warnings: Vec<String>,
}

impl Gathering<'_> {
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.to_owned(), value.into());
    }

    /// A fact that is a text; empty where it is not known.
    fn text(&self, name: &str) -> &str {
        self.facts.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(subsets: &[&str], filter: &[&str]) -> Vec<String> {
        let request = Request {
            subsets: subsets.iter().map(ToString::to_string).collect(),
            filter: filter.iter().map(ToString::to_string).collect(),
            ..Request::default()
        };
        let place = Place::here(vec![("PATH".into(), "/usr/bin:/bin".into())]);
        gather(&place, &request).unwrap().facts.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn the_smallest_gathering_tells_only_what_was_asked() {
        assert_eq!(names(&["!all", "!min"], &[]), ["gather_subset", "module_setup"]);
    }

    #[test]
    fn a_filter_matches_with_and_without_the_prefix() {
        assert_eq!(names(&["!all"], &["ansible_fip*"]), ["ansible_fips"]);
        assert_eq!(names(&["!all"], &["fips"]), ["ansible_fips"]);
        assert_eq!(names(&["!all"], &["nosuch"]), Vec::<String>::new());
    }

    #[test]
    fn all_has_what_playbooks_lean_on() {
        let names = names(&[], &[]);
        for name in [
            "ansible_distribution",
            "ansible_os_family",
            "ansible_hostname",
            "ansible_interfaces",
            "ansible_processor_vcpus",
            "ansible_memtotal_mb",
            "ansible_mounts",
            "ansible_devices",
            "ansible_date_time",
            "ansible_virtualization_type",
            "ansible_pkg_mgr",
            "ansible_service_mgr",
        ] {
            assert!(names.iter().any(|it| it == name), "{name}");
        }
    }
}
