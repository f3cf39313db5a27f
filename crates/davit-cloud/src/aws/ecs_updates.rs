//! What has to be updated of a service of the Elastic Container Service so that it is what a task asks for.
//!
//! It asks nobody: both sides are handed in, by the names that the operations have.

use std::collections::BTreeSet;

use davit_module::ModuleError;
use serde_json::{Map, Value, json};

use super::ecs::{Strategy, plain};

/// What goes where the task says nothing of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Purge {
    /// Constraints of placement.
    pub constraints: bool,
    /// The strategy of placement.
    pub strategy: bool,
}

/// Refuses what cannot be changed of a service that is there.
///
/// # Errors
/// Where the task asks for something else.
pub fn check_fixed(wanted: &Value, found: &Value) -> Result<(), ModuleError> {
    let refuse = |what: &str, now: &Value| {
        let text = format!("the {what} of a service that is there cannot be changed");
        Err(ModuleError::failed(text).with("now", now))
    };
    let controller = |it: &Value| {
        let kind = it["deploymentController"]["type"].as_str().unwrap_or("ECS");
        kind.to_owned()
    };
    let is_said = |name: &str| !wanted[name].is_null();
    if is_said("deploymentController") && controller(wanted) != controller(found) {
        return refuse("deployment controller", &found["deploymentController"]);
    }
    for (name, what, usual) in [
        ("schedulingStrategy", "scheduling strategy", "REPLICA"),
        ("launchType", "launch type", "EC2"),
    ] {
        if is_said(name) && wanted[name] != found[name].as_str().unwrap_or(usual) {
            return refuse(what, &found[name]);
        }
    }
    let balancers = "loadBalancers";
    let is_same = || texts(&plain(&wanted[balancers])) == texts(&plain(&found[balancers]));
    if is_said(balancers) && controller(found) != "CODE_DEPLOY" && !is_same() {
        return refuse("load balancers", &found[balancers]);
    }
    Ok(())
}

/// The parameters of an update; none where nothing differs.
#[must_use]
pub fn between(wanted: &Value, found: &Value, purge: Purge) -> Map<String, Value> {
    let mut update = Map::new();
    let usual = [
        ("desiredCount", json!(0)),
        ("taskDefinition", json!("")),
        ("enableExecuteCommand", json!(false)),
        ("healthCheckGracePeriodSeconds", json!(0)),
        ("platformVersion", json!("")),
        ("propagateTags", json!("NONE")),
    ];
    for (name, usual) in usual {
        let now = if found[name].is_null() { &usual } else { &found[name] };
        if !wanted[name].is_null() && wanted[name] != *now {
            update.insert(name.to_owned(), wanted[name].clone());
        }
    }
    let deployment = "deploymentConfiguration";
    if !wanted[deployment].is_null() && !holds(&found[deployment], &wanted[deployment]) {
        update.insert(deployment.to_owned(), merged(&found[deployment], &wanted[deployment]));
    }
    let strategy = "capacityProviderStrategy";
    let read = |it: &Value| Strategy::list(&it[strategy]);
    if !wanted[strategy].is_null() && !Strategy::is_same(&read(wanted), &read(found)) {
        update.insert(strategy.to_owned(), wanted[strategy].clone());
    }
    for (name, purge) in [
        ("placementConstraints", purge.constraints),
        ("placementStrategy", purge.strategy),
        ("serviceRegistries", false),
    ] {
        let (old, new) = (lower(&plain(&found[name])), lower(&plain(&wanted[name])));
        let is_none = |it: &Value| it.as_array().is_none_or(Vec::is_empty);
        if is_none(&new) && purge && !is_none(&old) {
            update.insert(name.to_owned(), json!([]));
        } else if !is_none(&new) && old != new {
            update.insert(name.to_owned(), wanted[name].clone());
        }
    }
    let network = "networkConfiguration";
    let inside = |it: &Value| it[network]["awsvpcConfiguration"].clone();
    let (old, new) = (inside(found), inside(wanted));
    if !new.is_null() && !is_same_network(&new, &old) {
        update.insert(network.to_owned(), json!({"awsvpcConfiguration": merged(&old, &new)}));
    }
    update
}

fn is_same_network(wanted: &Value, found: &Value) -> bool {
    let is_list =
        |name: &str| wanted[name].is_null() || texts(&wanted[name]) == texts(&found[name]);
    let public = &wanted["assignPublicIp"];
    let now = found["assignPublicIp"].as_str().unwrap_or("DISABLED");
    is_list("subnets") && is_list("securityGroups") && (public.is_null() || *public == now)
}

/// Whether a value has all that another one says.
fn holds(found: &Value, wanted: &Value) -> bool {
    match wanted.as_object() {
        Some(wanted) => wanted.iter().all(|(name, it)| holds(&found[name], it)),
        None => found == wanted,
    }
}

/// What is there, with what is wanted in its place.
fn merged(found: &Value, wanted: &Value) -> Value {
    let (Some(found), Some(wanted)) = (found.as_object(), wanted.as_object()) else {
        return wanted.clone();
    };
    let mut all = found.clone();
    for (name, value) in wanted {
        let now = found.get(name).unwrap_or(&Value::Null);
        all.insert(name.clone(), merged(now, value));
    }
    all.into()
}

/// The items of a list, whatever their order.
fn texts(list: &Value) -> BTreeSet<String> {
    let text = |it: &Value| {
        let mut it = it.clone();
        it.sort_all_objects();
        it.to_string()
    };
    list.as_array().into_iter().flatten().map(text).collect()
}

/// AWS gives some words back in another case than it took them in.
fn lower(value: &Value) -> Value {
    match value {
        Value::String(text) => text.to_lowercase().into(),
        Value::Array(items) => items.iter().map(lower).collect(),
        Value::Object(map) => {
            map.iter().map(|(name, it)| (name.clone(), lower(it))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> Value {
        json!({
            "desiredCount": 2, "taskDefinition": "arn:web:1", "launchType": "FARGATE", "propagateTags": "NONE",
            "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100,
                "deploymentCircuitBreaker": {"enable": false, "rollback": false}},
            "placementStrategy": [{"type": "binpack", "field": "MEMORY"}],
            "placementConstraints": [], "loadBalancers": [],
            "networkConfiguration": {"awsvpcConfiguration":
                {"subnets": ["b", "a"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}},
        })
    }

    #[test]
    fn what_is_so_already_is_not_updated() {
        let none = Purge::default();
        let same = json!({
            "desiredCount": 2, "taskDefinition": "arn:web:1", "propagateTags": "NONE", "enableExecuteCommand": false,
            "deploymentConfiguration": {"maximumPercent": 200, "deploymentCircuitBreaker": {"enable": false}},
            "placementStrategy": [{"type": "binpack", "field": "memory"}],
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["a", "b"]}},
        });
        assert_eq!(between(&same, &service(), none), Map::new());
        assert_eq!(between(&json!({}), &service(), none), Map::new());
    }

    #[test]
    fn what_differs_is_updated_and_keeps_what_is_not_spoken_of() {
        let wanted = json!({
            "desiredCount": 3,
            "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true}},
            "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
            "networkConfiguration": {"awsvpcConfiguration": {"assignPublicIp": "ENABLED"}},
        });
        let update = between(&wanted, &service(), Purge { constraints: true, strategy: true });
        let expect = json!({
            "desiredCount": 3,
            "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100,
                "deploymentCircuitBreaker": {"enable": true, "rollback": false}},
            "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
            "placementStrategy": [],
            "networkConfiguration": {"awsvpcConfiguration":
                {"subnets": ["b", "a"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"}},
        });
        assert_eq!(Value::from(update), expect);
    }

    #[test]
    fn some_things_stay_for_good() {
        for wrong in [
            json!({"launchType": "EC2"}),
            json!({"schedulingStrategy": "DAEMON"}),
            json!({"deploymentController": {"type": "EXTERNAL"}}),
            json!({"loadBalancers": [{"containerName": "web", "containerPort": 80}]}),
        ] {
            assert!(check_fixed(&wrong, &service()).is_err(), "{wrong}");
        }
        let same = json!({"launchType": "FARGATE", "deploymentController": {"type": "ECS"}});
        assert!(check_fixed(&same, &service()).is_ok());
    }
}
