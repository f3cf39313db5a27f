//! What `module_defaults` gives a task, as far as that is written as it will be. It checks no argument itself.

use davit_module::{Reply, Spec};

use crate::Lint;
use crate::arguments::to_json;
use crate::walk::Seen;

/// The collection of actions whose names say none.
const BUILTIN: &str = "ansible.builtin.";

/// What a task takes from `module_defaults`.
pub(crate) struct Given {
    /// There is nothing that could not be said.
    pub(crate) complete: bool,
    /// Arguments that its module does not have.
    pub(crate) unknown: Vec<String>,
}

/// Adds the arguments that a task takes from `module_defaults`.
pub(crate) fn add(lint: &Lint<'_>, seen: &Seen, spec: &Spec, args: &mut Reply) -> Given {
    let mut told = Given { complete: true, unknown: Vec::new() };
    let mut groups = Reply::new();
    let mut own = Reply::new();
    for written in &seen.place.defaults {
        for entries in written.as_list().unwrap_or(std::slice::from_ref(written)) {
            let Some(entries) = entries.as_map() else {
                told.complete = false;
                continue;
            };
            for (key, value) in entries {
                let (name, given) = (key.to_text(), value.as_map());
                let (Some(is_its), Some(given)) = (applies(lint, seen, spec, &name), given) else {
                    told.complete = false;
                    continue;
                };
                if !is_its {
                    continue;
                }
                let given = given.iter().map(|(key, value)| (key.to_text(), to_json(value, 0)));
                if name.starts_with("group/") {
                    groups.extend(given);
                } else {
                    own = given.collect();
                }
            }
        }
    }
    groups.extend(own);
    for (name, value) in groups {
        let Some(option) = spec.option(&name) else {
            told.unknown.push(name);
            continue;
        };
        let is_given = std::iter::once(&option.name).chain(&option.aliases);
        if !is_given.into_iter().any(|it| args.contains_key(it)) {
            args.insert(name, value);
        }
    }
    told
}

/// Whether defaults for that module or group are meant for the task, where that can be said.
fn applies(lint: &Lint<'_>, seen: &Seen, spec: &Spec, name: &str) -> Option<bool> {
    let action = seen.task.action.as_str();
    let full = if action.contains('.') {
        action.to_owned()
    } else {
        let full = format!("{BUILTIN}{action}");
        // It may be found through `collections`.
        (lint.context.lookup)(&full)?;
        full
    };
    if let Some(group) = name.strip_prefix("group/") {
        let group = lint.context.loader.groups.find(group).ok()?;
        return Some(group.contains(&full));
    }
    if name == full || name == action || format!("{BUILTIN}{name}") == full {
        return Some(true);
    }
    // Modules have former names.
    let named = (lint.context.lookup)(name)?.spec?;
    let names = |spec: &Spec| spec.options.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    (names(&named) != names(spec)).then_some(false)
}
