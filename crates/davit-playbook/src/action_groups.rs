//! Groups of actions, for which `module_defaults` may have `group/NAME`.
//!
//! The groups of a collection stand in its `meta/runtime.yml`. Those without a collection are the
//! original's own and cover whole collections. It does not know which modules there are.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use davit_value::{Map, Value};
use davit_yaml::Convert;

/// The groups without a collection, and whose modules are in them: names that begin so.
const BUILTIN: &[(&str, &[&str])] = &[
    ("acme", &["community.crypto.acme_"]),
    ("aws", &["amazon.aws.", "community.aws."]),
    ("azure", &["azure.azcollection."]),
    ("cpm", &["wti.remote.cpm_"]),
    ("docker", &["community.docker."]),
    ("gcp", &["google.cloud."]),
    ("k8s", &["kubernetes.core."]),
    ("os", &["openstack.cloud."]),
    ("ovirt", &["ovirt.ovirt."]),
    ("testgroup", &["ansible.builtin.ping"]),
    ("testlegacy", &[]),
    ("vmware", &["community.vmware."]),
];

/// Groups of collections that are known where the collection's own files are not there.
const OF_COLLECTIONS: &[(&str, &[&str])] = &[
    ("amazon.aws.aws", &["amazon.aws."]),
    ("community.aws.aws", &["amazon.aws.", "community.aws."]),
    ("community.docker.docker", &["community.docker."]),
    ("kubernetes.core.k8s", &["kubernetes.core."]),
];

/// A collection's groups, by name.
type Groups = HashMap<String, Arc<ActionGroup>>;

/// The actions of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionGroup {
    names: BTreeSet<String>,
    prefixes: Vec<&'static str>,
}

impl ActionGroup {
    /// Whether the action of that full name is in it.
    #[must_use]
    pub fn contains(&self, action: &str) -> bool {
        self.names.contains(action) || self.prefixes.iter().any(|it| action.starts_with(it))
    }
}

/// The groups that there are. Each collection's are read once.
#[derive(Default)]
pub struct ActionGroups {
    folders: Vec<PathBuf>,
    known: Mutex<HashMap<String, Arc<Groups>>>,
}

impl fmt::Debug for ActionGroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActionGroups").field("folders", &self.folders).finish_non_exhaustive()
    }
}

impl ActionGroups {
    /// Those of the collections in `folders` (which hold `ansible_collections`), and the original's own.
    #[must_use]
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders, known: Mutex::default() }
    }

    /// The group that `module_defaults` calls `group/NAME`.
    ///
    /// # Errors
    /// The whole name, where there is no such group.
    pub fn find(&self, name: &str) -> Result<Arc<ActionGroup>, String> {
        let parts: Vec<&str> = name.split('.').collect();
        let [namespace, collection, ..] = parts[..] else { return builtin(name) };
        if parts.len() < 3 || (namespace, collection) == ("ansible", "builtin") {
            return builtin(name.strip_prefix("ansible.builtin.").unwrap_or(name));
        }
        let whole = format!("{namespace}.{collection}");
        let groups = self.of_collection(&whole);
        let own = groups.get(&parts[2..].join(".")).cloned();
        own.or_else(|| known(OF_COLLECTIONS, name)).ok_or_else(|| name.to_owned())
    }

    fn of_collection(&self, collection: &str) -> Arc<Groups> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(groups) = known.get(collection) {
            return Arc::clone(groups);
        }
        let groups = Arc::new(self.read(collection));
        known.insert(collection.to_owned(), Arc::clone(&groups));
        groups
    }

    /// A file that is not there or not as it should be has no groups.
    fn read(&self, collection: &str) -> Groups {
        let inner = collection.replace('.', "/");
        let paths = self
            .folders
            .iter()
            .map(|folder| folder.join("ansible_collections").join(&inner).join("meta/runtime.yml"));
        let Some(text) = paths.filter_map(|path| std::fs::read_to_string(path).ok()).next() else {
            return Groups::new();
        };
        let file: Arc<str> = Arc::from("");
        let node = davit_yaml::parse(&text, &file).ok().flatten();
        let value = node.and_then(|node| Convert::default().value(&node, &file, &text).ok());
        let Some(Value::Map(written)) =
            value.as_ref().and_then(Value::as_map).and_then(|it| it.get("action_groups"))
        else {
            return Groups::new();
        };
        written
            .keys()
            .filter_map(|key| key.as_str())
            .map(|group| {
                let mut names = BTreeSet::new();
                gather(collection, written, group, &mut BTreeSet::new(), &mut names);
                (group.to_owned(), Arc::new(ActionGroup { names, prefixes: Vec::new() }))
            })
            .collect()
    }
}

fn builtin(name: &str) -> Result<Arc<ActionGroup>, String> {
    known(BUILTIN, name).ok_or_else(|| format!("ansible.builtin.{name}"))
}

fn known(table: &[(&str, &[&'static str])], name: &str) -> Option<Arc<ActionGroup>> {
    let (_, prefixes) = table.iter().find(|(known, _)| *known == name)?;
    Some(Arc::new(ActionGroup { names: BTreeSet::new(), prefixes: prefixes.to_vec() }))
}

/// Adds the actions of a group, and of those that it extends, to `names`.
fn gather(
    collection: &str,
    written: &Map,
    group: &str,
    seen: &mut BTreeSet<String>,
    names: &mut BTreeSet<String>,
) {
    let Some(Value::List(items)) = written.get(group) else { return };
    if !seen.insert(group.to_owned()) {
        return;
    }
    for item in items.iter() {
        if let Some(name) = item.as_str() {
            let name = name.replace("ansible.legacy.", "ansible.builtin.");
            names.insert(if name.contains('.') { name } else { format!("{collection}.{name}") });
        }
        let extended = item.as_map().and_then(|it| it.get("metadata")).and_then(Value::as_map);
        let extended = match extended.and_then(|it| it.get("extend_group")) {
            Some(Value::List(groups)) => groups.to_vec(),
            Some(group) => vec![group.clone()],
            None => Vec::new(),
        };
        for group in extended.iter().filter_map(Value::as_str) {
            let own = group.strip_prefix(collection).and_then(|it| it.strip_prefix('.'));
            gather(collection, written, own.unwrap_or(group), seen, names);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtin_groups_cover_collections() {
        let groups = ActionGroups::default();
        for (name, action, expect) in [
            ("aws", "amazon.aws.ec2_instance", true),
            ("ansible.builtin.aws", "community.aws.sns", true),
            ("aws", "ansible.builtin.ping", false),
            ("k8s", "kubernetes.core.k8s", true),
            ("amazon.aws.aws", "amazon.aws.ec2_instance", true),
            ("amazon.aws.aws", "community.aws.sns", false),
        ] {
            assert_eq!(groups.find(name).unwrap().contains(action), expect, "{name} {action}");
        }
        for (name, whole) in [
            ("nosuch", "ansible.builtin.nosuch"),
            ("", "ansible.builtin."),
            ("a.b", "ansible.builtin.a.b"),
            ("a.b.c", "a.b.c"),
            ("ansible.builtin.nosuch", "ansible.builtin.nosuch"),
        ] {
            assert_eq!(groups.find(name), Err(whole.to_owned()));
        }
    }

    #[test]
    fn collections_have_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let meta = folder.path().join("ansible_collections/my/coll/meta");
        std::fs::create_dir_all(&meta).unwrap();
        let text = "action_groups:\n  one:\n  - ansible.builtin.ping\n  - own\n  - metadata:\n      extend_group: [two]\n\
                    \x20 two:\n  - ansible.legacy.debug\n  - metadata: {extend_group: my.coll.one}\n  odd: 3\n";
        std::fs::write(meta.join("runtime.yml"), text).unwrap();
        let groups = ActionGroups::new(vec![folder.path().to_owned()]);
        let one = groups.find("my.coll.one").unwrap();
        for name in ["ansible.builtin.ping", "ansible.builtin.debug", "my.coll.own"] {
            assert!(one.contains(name), "{name}");
        }
        assert!(!one.contains("own"));
        assert_eq!(groups.find("my.coll.two").unwrap(), one);
        assert!(groups.find("my.coll.three").is_err());
        assert!(groups.find("my.other.one").is_err());
    }
}
