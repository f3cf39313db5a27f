//! Records of Route 53: how results show them, and when two are the same.

use serde_json::{Value as Json, json};

use super::{names, zones};

/// The zone that records are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Its id.
    pub id: String,
    /// Its name, with a dot at the end.
    pub name: String,
}

impl Zone {
    /// A record set as results show it.
    #[must_use]
    pub fn shown(&self, set: &Json) -> Json {
        let mut shown = names::snake_all(set.clone(), &[]);
        if let Some(name) = shown["name"].as_str() {
            shown["name"] = zones::dotted(name).into();
        }
        self.describe(&mut shown);
        shown
    }

    /// Adds what results say of a record set under names of their own. Where they say it in another way under
    /// the name that it has, that counts.
    pub fn describe(&self, shown: &mut Json) {
        let of = |name: &str| {
            let snake = names::snake(name);
            shown.get(name).or_else(|| shown.get(&snake)).cloned().unwrap_or_default()
        };
        let written = |it: Json| if it.is_null() { it } else { it.to_string().into() };
        let values = values(&json!({
            "ResourceRecords": of("ResourceRecords"),
            "AliasTarget": of("AliasTarget"),
        }));
        let texts: Vec<&str> = values.iter().filter_map(Json::as_str).collect();
        let mut more = json!({
            "alias": !of("AliasTarget").is_null(),
            "failover": of("Failover"),
            "health_check": of("HealthCheckId"),
            "hosted_zone_id": self.id,
            "identifier": of("SetIdentifier"),
            "record": zones::dotted(of("Name").as_str().unwrap_or_default()),
            "region": of("Region"),
            "ttl": written(of("TTL")),
            "type": of("Type"),
            "value": texts.join(","),
            "values": values,
            "weight": written(of("Weight")),
            "zone": self.name,
        });
        let target = of("AliasTarget");
        if !target.is_null() {
            let part = |one: &str, other: &str| {
                target.get(one).or_else(|| target.get(other)).cloned().unwrap_or_default()
            };
            more["alias_hosted_zone_id"] = part("HostedZoneId", "hosted_zone_id");
            more["alias_evaluate_target_health"] =
                part("EvaluateTargetHealth", "evaluate_target_health");
        }
        if let (Some(shown), Json::Object(more)) = (shown.as_object_mut(), more) {
            shown.extend(more);
        }
    }
}

/// The values of a record set, under names of AWS or of results.
#[must_use]
pub fn values(set: &Json) -> Vec<Json> {
    let either = |it: &Json, one: &str, other: &str| it.get(one).or_else(|| it.get(other)).cloned();
    if let Some(target) = set.get("AliasTarget").filter(|it| !it.is_null()) {
        return either(target, "DNSName", "dns_name").into_iter().collect();
    }
    let records = set["ResourceRecords"].as_array().into_iter().flatten();
    records.filter_map(|it| either(it, "Value", "value")).collect()
}

/// Values in an order of their own.
#[must_use]
pub fn sorted(mut values: Vec<Json>) -> Vec<Json> {
    values.sort_by_cached_key(Json::to_string);
    values
}

/// A record set so that equal ones are the same, however they are written.
#[must_use]
pub fn comparable(set: &Json) -> Json {
    let mut set = set.clone();
    let values = sorted(values(&set));
    if let Some(map) = set.as_object_mut() {
        map.retain(|_, it| !it.is_null() && it.as_array().is_none_or(|it| !it.is_empty()));
        map.remove("ResourceRecords");
        if !map.contains_key("AliasTarget") {
            map.insert("Values".to_owned(), values.into());
        }
    }
    for place in ["/Name", "/AliasTarget/DNSName"] {
        if let Some(name) = set.pointer_mut(place) {
            *name = zones::dotted(name.as_str().unwrap_or_default()).into();
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_equal_however_they_are_written() {
        let there = json!({
            "Name": r"\052.example.com.", "Type": "A", "TTL": 60,
            "ResourceRecords": [{"Value": "192.0.2.2"}, {"Value": "192.0.2.1"}],
        });
        let mut wanted = json!({
            "Name": "*.Example.com", "Type": "A", "TTL": 60,
            "ResourceRecords": [{"Value": "192.0.2.1"}, {"Value": "192.0.2.2"}],
        });
        assert_eq!(comparable(&there), comparable(&wanted));
        wanted["TTL"] = json!(61);
        assert_ne!(comparable(&there), comparable(&wanted));
        let alias = |name: &str| json!({"Name": "a.", "Type": "A", "ResourceRecords": [], "AliasTarget": {"DNSName": name}});
        assert_eq!(comparable(&alias("LB.aws.com")), comparable(&alias("lb.aws.com.")));
        assert_ne!(comparable(&alias("lb.aws.com")), comparable(&alias("lc.aws.com.")));
    }
}
