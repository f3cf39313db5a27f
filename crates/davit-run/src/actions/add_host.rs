//! `ansible.builtin.add_host`: adds a host to the inventory of this run.

use davit_module::Rules;
use davit_value::{Map, Value};
use schemars::JsonSchema;

use crate::action::{Action, Outcome, Running};
use crate::context::TaskContext;
use crate::state::read;

/// Adds a host, and groups, to the inventory of this run.
///
/// ```yaml
/// - ansible.builtin.add_host:
///     name: "{{ new.address }}"
///     groups: [web, fresh]
///     ansible_user: admin
/// ```
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the arguments are described here and read by name")]
struct Args {
    /// The host's name; `name:port` sets its port.
    #[schemars(extend("x-aliases" = ["host", "hostname"]))]
    name: String,
    /// The groups it joins; made where they are not there.
    #[schemars(extend("x-aliases" = ["group", "groupname"]))]
    groups: Option<Vec<String>>,
}

pub(super) const ACTION: Action = Action {
    name: "ansible.builtin.add_host",
    schema: || schemars::schema_for!(Args),
    rules: Rules::NONE,
    free_form: None,
    open: true,
    raw: false,
    inline: true,
    run: |context, args| {
        let outcome = run(context, &args);
        Box::pin(async move { outcome }) as Running<'_>
    },
};

fn run(context: &TaskContext, args: &Map) -> Outcome {
    let first = |names: &[&str]| {
        names.iter().find_map(|name| args.get(name)).filter(|it| !it.is_null()).cloned()
    };
    if args.contains("_raw_params") {
        return Outcome::failed(
            "Invalid raw parameters passed, requires a dictionary/mapping got a  <class 'ansible.module_utils._internal._datatag._AnsibleTaggedStr'>",
        );
    }
    let Some(name) = first(&["name", "hostname", "host"]).map(|it| it.to_str()) else {
        return Outcome::failed("name, host or hostname needs to be provided");
    };
    if name.is_empty() {
        return Outcome::failed("name, host or hostname needs to be provided");
    }
    let (name, port) = split_port(&name);
    let groups: Vec<String> = match first(&["groups", "groupname", "group"]) {
        None => Vec::new(),
        Some(Value::List(list)) => list.iter().map(Value::to_str).collect(),
        Some(Value::Str(text)) => text.split(',').map(|it| it.trim().to_owned()).collect(),
        Some(_) => {
            return Outcome::failed("Groups must be specified as a list.");
        }
    };
    let mut vars = Map::new();
    for (key, value) in args {
        let known = ["name", "hostname", "host", "groups", "groupname"];
        if !key.as_str().is_some_and(|it| known.contains(&it)) {
            vars.insert(key.clone(), value.clone());
        }
    }
    if let Some(port) = port {
        vars.insert("ansible_ssh_port", port.into());
    }
    let groups_value = Value::list(groups.iter().map(|it| it.as_str().into()).collect());
    let mut new = Map::new();
    new.insert("host_name", name.as_str().into());
    new.insert("groups", groups_value);
    new.insert("host_vars", vars.clone().into());
    Outcome::changed(is_new(context, &name, &groups, &vars)).with("add_host", new)
}

/// True where the inventory does not know all of it yet.
fn is_new(context: &TaskContext, name: &str, groups: &[String], vars: &Map) -> bool {
    let inventory = read(&context.world.inventory);
    let Some(host) = inventory.host(name) else { return true };
    let member = inventory.groups_of(name);
    groups.iter().any(|group| !member.iter().any(|it| **it == **group))
        || vars.iter().any(|(key, value)| host.vars().get_key(key) != Some(value))
}

/// `name:22`, but not an IPv6 address.
fn split_port(name: &str) -> (String, Option<i64>) {
    match name.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && !host.is_empty() => match port.parse() {
            Ok(port) => (host.to_owned(), Some(port)),
            Err(_) => (name.to_owned(), None),
        },
        _ => (name.to_owned(), None),
    }
}
