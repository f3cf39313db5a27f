//! Actions and conditions of the rules of load balancers: as a task writes them, as operations take them, and when
//! two are the same.
//!
//! It calls nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

/// Numbers of actions; all other plain values are texts or booleans.
const NUMBERS: &[&str] = &["DurationSeconds", "Order", "SessionTimeout", "Weight"];
/// Booleans of actions.
const SWITCHES: &[&str] = &["Enabled", "UseExistingClientSecret"];
/// What operations fill in where a task says nothing.
const REDIRECT: &[(&str, &str)] = &[
    ("Host", "#{host}"),
    ("Path", "/#{path}"),
    ("Port", "#{port}"),
    ("Protocol", "#{protocol}"),
    ("Query", "#{query}"),
];
/// The same of actions that ask who somebody is.
const LOGIN: &[(&str, &str)] = &[
    ("OnUnauthenticatedRequest", "authenticate"),
    ("Scope", "openid"),
    ("SessionCookieName", "AWSELBAuthSessionCookie"),
];
/// So many seconds a login is good for where a task does not say.
const SESSION: i64 = 604_800;

/// Collects the names of target groups of something that a task wrote, and what is secret in it.
pub fn collect(said: &Json, groups: &mut BTreeSet<String>, secrets: &mut BTreeSet<String>) {
    match said {
        Json::Array(items) => items.iter().for_each(|it| collect(it, groups, secrets)),
        Json::Object(map) => {
            for (name, value) in map {
                match (name.as_str(), value.as_str()) {
                    ("TargetGroupName", Some(name)) => drop(groups.insert(name.to_owned())),
                    ("ClientSecret", Some(secret)) => drop(secrets.insert(secret.to_owned())),
                    _ => collect(value, groups, secrets),
                }
            }
        }
        _ => {}
    }
}

/// Something that a task wrote as operations take it: target groups by their ARNs, values of the right types, and
/// nothing that is null.
#[must_use]
pub fn request(said: &Json, groups: &BTreeMap<String, String>) -> Json {
    match said {
        Json::Array(items) => items.iter().map(|it| request(it, groups)).collect(),
        Json::Object(map) => {
            let filled = map.iter().filter(|(_, value)| !value.is_null());
            let entry = |(name, value): (&String, &Json)| {
                let arn = value.as_str().and_then(|it| groups.get(it));
                match (name.as_str(), arn) {
                    ("TargetGroupName", Some(arn)) => ("TargetGroupArn".to_owned(), json!(arn)),
                    _ => (name.clone(), typed(name, request(value, groups))),
                }
            };
            Json::Object(filled.map(entry).collect())
        }
        other => other.clone(),
    }
}

/// A plain value of the type that its name asks for; YAML and templates have others at times.
fn typed(name: &str, value: Json) -> Json {
    match &value {
        Json::String(text) if NUMBERS.contains(&name) => {
            text.trim().parse::<i64>().map_or(value, Json::from)
        }
        Json::String(text) if SWITCHES.contains(&name) => match text.to_lowercase().as_str() {
            "true" | "yes" => true.into(),
            "false" | "no" => false.into(),
            _ => value,
        },
        Json::Number(number) if !NUMBERS.contains(&name) => number.to_string().into(),
        Json::Array(items) if name == "Values" => {
            let text = |it: &Json| if it.is_number() { it.to_string().into() } else { it.clone() };
            items.iter().map(text).collect()
        }
        _ => value,
    }
}

/// Actions in their order, so that equal ones are the same, however they are written. What is secret is not in it.
#[must_use]
pub fn plain_actions(actions: &Json) -> Vec<Json> {
    let actions = actions.as_array().map(Vec::as_slice).unwrap_or_default();
    let place = |(at, it): (i64, &Json)| (it["Order"].as_i64().unwrap_or(at), plain_action(it));
    let mut placed: Vec<(i64, Json)> = (1..).zip(actions).map(place).collect();
    placed.sort_by_key(|it| it.0);
    placed.into_iter().map(|it| it.1).collect()
}

fn plain_action(action: &Json) -> Json {
    let mut action = filled(action);
    let Some(map) = action.as_object_mut() else { return action };
    map.remove("Order");
    if let Some(arn) = map.remove("TargetGroupArn")
        && !map.contains_key("ForwardConfig")
    {
        let config = json!({"TargetGroups": [{"TargetGroupArn": arn}]});
        map.insert("ForwardConfig".to_owned(), config);
    }
    if let Some(config) = part(map, "ForwardConfig") {
        let groups = config.get_mut("TargetGroups").and_then(Json::as_array_mut);
        for group in groups.into_iter().flatten().filter_map(Json::as_object_mut) {
            group.entry("Weight").or_insert_with(|| 1.into());
        }
        sort(config.get_mut("TargetGroups"));
        let sticks = config.get("TargetGroupStickinessConfig");
        if sticks.is_none_or(|it| it["Enabled"] != true) {
            config.remove("TargetGroupStickinessConfig");
        }
    }
    if let Some(config) = part(map, "RedirectConfig") {
        fill(config, REDIRECT);
    }
    if let Some(config) = part(map, "FixedResponseConfig") {
        fill(config, &[("ContentType", "text/plain")]);
    }
    for name in ["AuthenticateCognitoConfig", "AuthenticateOidcConfig"] {
        if let Some(config) = part(map, name) {
            config.remove("ClientSecret");
            config.remove("UseExistingClientSecret");
            fill(config, LOGIN);
            config.entry("SessionTimeout").or_insert_with(|| SESSION.into());
        }
    }
    action
}

/// Conditions in an order of their own, so that equal ones are the same, however they are written.
#[must_use]
pub fn plain_conditions(conditions: &Json) -> Vec<Json> {
    let conditions = conditions.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut plain: Vec<Json> = conditions.iter().map(plain_condition).collect();
    plain.sort_by_cached_key(Json::to_string);
    plain
}

/// Operations give values of hosts and paths twice: in the condition, and in what is configured of it.
fn plain_condition(condition: &Json) -> Json {
    let field = condition["Field"].as_str().unwrap_or_default();
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|it| it.to_ascii_uppercase())
            .into_iter()
            .chain(letters)
            .collect::<String>()
    };
    let config = format!("{}Config", field.split('-').map(capital).collect::<String>());
    let mut config = filled(&condition[config.as_str()]);
    if !config.is_object() {
        config = json!({});
    }
    if let Some(map) = config.as_object_mut() {
        for name in ["Values", "RegexValues"] {
            let values = filled(&condition[name]);
            if values.as_array().is_some_and(|it| !it.is_empty()) {
                map.insert(name.to_owned(), values);
            }
            sort(map.get_mut(name));
        }
        if let Some(Json::String(name)) = map.get_mut("HttpHeaderName") {
            name.make_ascii_lowercase();
        }
    }
    json!({"Field": field, "Config": config})
}

/// The value without what is null or empty.
fn filled(value: &Json) -> Json {
    match value {
        Json::Object(map) => {
            let filled = map.iter().map(|(name, it)| (name.clone(), filled(it)));
            let is_empty = |it: &Json| match it {
                Json::Null => true,
                Json::String(text) => text.is_empty(),
                Json::Array(items) => items.is_empty(),
                Json::Object(map) => map.is_empty(),
                _ => false,
            };
            Json::Object(filled.filter(|(_, it)| !is_empty(it)).collect())
        }
        Json::Array(items) => items.iter().map(filled).collect(),
        other => other.clone(),
    }
}

fn part<'a>(map: &'a mut Map<String, Json>, name: &str) -> Option<&'a mut Map<String, Json>> {
    map.get_mut(name)?.as_object_mut()
}

fn fill(map: &mut Map<String, Json>, defaults: &[(&str, &str)]) {
    for (name, value) in defaults {
        map.entry(*name).or_insert_with(|| (*value).into());
    }
}

fn sort(list: Option<&mut Json>) {
    if let Some(Json::Array(items)) = list {
        items.sort_by_cached_key(Json::to_string);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_the_same_however_they_are_written() {
        let written = json!([{"Type": "forward", "TargetGroupArn": "arn:a"}]);
        let told = json!([{
            "Type": "forward", "TargetGroupArn": "arn:a", "Order": 1,
            "ForwardConfig": {
                "TargetGroups": [{"TargetGroupArn": "arn:a", "Weight": 1}],
                "TargetGroupStickinessConfig": {"Enabled": false},
            },
        }]);
        assert_eq!(plain_actions(&written), plain_actions(&told));
        let written = json!([{"Type": "redirect", "RedirectConfig": {"Port": "443", "StatusCode": "HTTP_301"}}]);
        let told = json!([{"Type": "redirect", "RedirectConfig": {
            "Protocol": "#{protocol}", "Port": "443", "Host": "#{host}", "Path": "/#{path}",
            "Query": "#{query}", "StatusCode": "HTTP_301",
        }}]);
        assert_eq!(plain_actions(&written), plain_actions(&told));
        assert_ne!(plain_actions(&written), plain_actions(&json!([{"Type": "redirect"}])));
    }

    #[test]
    fn actions_are_in_the_order_that_they_have() {
        let one = json!({"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": {"ClientSecret": "s3"}});
        let two = json!({"Type": "fixed-response", "Order": 2});
        let actions = plain_actions(&json!([two, one]));
        assert_eq!(actions[0]["Type"], "authenticate-oidc");
        assert_eq!(actions[0]["AuthenticateOidcConfig"]["Scope"], "openid");
        assert!(!json!(actions).to_string().contains("s3"));
    }

    #[test]
    fn conditions_are_the_same_however_they_are_written() {
        let written = json!([
            {"Field": "path-pattern", "Values": ["/b", "/a"]},
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Team", "Values": ["a"]}},
        ]);
        let told = json!([
            {"Field": "http-header", "Values": [], "HttpHeaderConfig": {"HttpHeaderName": "x-team", "Values": ["a"]}},
            {"Field": "path-pattern", "Values": ["/a", "/b"], "PathPatternConfig": {"Values": ["/a", "/b"]}},
        ]);
        assert_eq!(plain_conditions(&written), plain_conditions(&told));
    }

    #[test]
    fn values_have_the_types_that_operations_take() {
        let said = json!([{
            "Type": "forward", "Order": "1", "TargetGroupArn": null,
            "ForwardConfig": {"TargetGroups": [{"TargetGroupName": "web", "Weight": "2"}]},
            "FixedResponseConfig": {"StatusCode": 200},
        }]);
        let groups = BTreeMap::from([("web".to_owned(), "arn:web".to_owned())]);
        let expect = json!([{
            "Type": "forward", "Order": 1,
            "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "arn:web", "Weight": 2}]},
            "FixedResponseConfig": {"StatusCode": "200"},
        }]);
        assert_eq!(request(&said, &groups), expect);
        let (mut names, mut secrets) = (BTreeSet::new(), BTreeSet::new());
        collect(&said, &mut names, &mut secrets);
        assert_eq!(
            (names.into_iter().collect::<Vec<_>>(), secrets.len()),
            (vec!["web".to_owned()], 0)
        );
    }

    #[test]
    fn what_makes_no_sense_is_left_for_the_service_to_say() {
        for odd in [
            json!(null),
            json!(1),
            json!([1, "a", []]),
            json!([{"ForwardConfig": 1, "RedirectConfig": []}]),
        ] {
            let _ = (plain_actions(&odd), plain_conditions(&odd), request(&odd, &BTreeMap::new()));
        }
    }
}
