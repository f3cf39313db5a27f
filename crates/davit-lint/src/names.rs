//! Names of variables and hosts: is there anything that could define them?

use std::collections::HashSet;
use std::path::Path;

use davit_value::Value;

use crate::finding::{did_you_mean, nearest};
use crate::templates::Uses;
use crate::walk::{Walked, constant};
use crate::{Finding, Lint, Severity};

/// Variables that are always there; so is everything that begins with `ansible_`.
const MAGIC: &[&str] = &[
    "environment",
    "group_names",
    "groups",
    "hostvars",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "item",
    "module_setup",
    "omit",
    "play_hosts",
    "playbook_dir",
    "role_name",
    "role_names",
    "role_path",
    "role_uuid",
    "vars",
    "gather_subset",
    "packages",
    "services",
    "loop",
    "self",
    "caller",
    "varargs",
    "kwargs",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
];

/// Says which variables nothing defines, where everything that could define them is known.
pub(crate) fn undefined(lint: &Lint<'_>, walked: &Walked, uses: &Uses) {
    let mut names = walked.names.clone();
    let known = inventory(lint, walked, &mut names);
    if walked.open || !known {
        return;
    }
    names.extend(lint.context.extra_vars.keys().map(davit_value::Key::to_text));
    for used in &uses.bare {
        let name = used.name.as_str();
        let fine = names.contains(name)
            || uses.guarded.contains(name)
            || name.starts_with("ansible_")
            || name.starts_with("facter_")
            || MAGIC.contains(&name);
        if fine {
            continue;
        }
        let near = nearest(name, names.iter().map(String::as_str));
        // A name that is nearly another's is a slip; any other may come from the command line.
        let certain = near.is_some() && !used.conditional;
        let severity = if certain { Severity::Error } else { Severity::Warning };
        let message = format!("nothing defines the variable '{name}'");
        lint.add(
            Finding::new("undefined-variable", severity, &used.at, message)
                .with_help(did_you_mean(near)),
        );
    }
}

/// Adds the names that the inventory defines; false where there may be more.
fn inventory(lint: &Lint<'_>, walked: &Walked, names: &mut HashSet<String>) -> bool {
    if let Some(inventory) = lint.context.inventory {
        let beside = Some(walked.folder.as_path());
        for host in inventory.hosts() {
            let Ok(vars) = inventory.host_vars(host.name(), beside) else { return false };
            names.extend(vars.keys().map(davit_value::Key::to_text));
        }
        for group in inventory.groups() {
            let Ok(vars) = inventory.group_vars(group.name(), beside) else { return false };
            names.extend(vars.keys().map(davit_value::Key::to_text));
        }
    } else if !walked.plays.iter().all(|play| is_local(&play.hosts)) {
        return false;
    }
    // Variables beside the playbook count for hosts that no inventory names, too.
    ["group_vars", "host_vars"]
        .iter()
        .all(|folder| beside(lint, &walked.folder.join(folder), names, 0))
}

fn is_local(hosts: &Value) -> bool {
    match hosts {
        Value::List(items) => items.iter().all(is_local),
        other => matches!(constant(other), Some("localhost" | "127.0.0.1" | "::1")),
    }
}

/// Adds the names in every file below `folder`; false where one cannot be read.
fn beside(lint: &Lint<'_>, folder: &Path, names: &mut HashSet<String>, depth: usize) -> bool {
    let Ok(read) = std::fs::read_dir(folder) else { return true };
    let mut good = true;
    for path in read.filter_map(Result::ok).map(|it| it.path()) {
        let hidden = path.file_name().is_none_or(|it| it.to_string_lossy().starts_with('.'));
        if hidden || depth > 20 {
            continue;
        }
        if path.is_dir() {
            good &= beside(lint, &path, names, depth + 1);
            continue;
        }
        match lint.context.loader.vars_file(&path) {
            Ok(vars) => names.extend(vars.keys().map(davit_value::Key::to_text)),
            Err(error) => {
                let at =
                    davit_value::Origin { file: path.to_string_lossy().into(), line: 1, column: 1 };
                lint.unread(&error, &at);
                good = false;
            }
        }
    }
    good
}

/// Says which hosts of plays the inventory does not know.
pub(crate) fn check(lint: &Lint<'_>, walked: &Walked) {
    let Some(inventory) = lint.context.inventory.filter(|_| !walked.new_hosts) else { return };
    for play in &walked.plays {
        let hosts: Vec<&Value> = match &play.hosts {
            Value::List(items) => items.iter().collect(),
            other => vec![other],
        };
        for value in hosts {
            let Some(text) = constant(value) else { continue };
            for name in text.split([',', ':']).map(str::trim) {
                let plain =
                    name.chars().all(|it| it.is_alphanumeric() || matches!(it, '_' | '-' | '.'));
                let local = matches!(name, "all" | "ungrouped" | "localhost" | "127.0.0.1" | "");
                if !plain
                    || local
                    || inventory.host(name).is_some()
                    || inventory.group(name).is_some()
                {
                    continue;
                }
                let hosts: Vec<String> =
                    inventory.hosts().map(|it| it.name().to_string()).collect();
                let groups: Vec<String> =
                    inventory.groups().map(|it| it.name().to_owned()).collect();
                let near = nearest(name, hosts.iter().chain(&groups).map(String::as_str));
                let at = lint.sources.word(value.origin().unwrap_or(&play.hosts_origin), name);
                let message = format!("the inventory has no host or group '{name}'");
                lint.odd("unknown-host", &at, message, did_you_mean(near));
            }
        }
    }
}
