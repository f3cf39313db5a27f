//! The names that Route 53 has for the addresses of instances.

use std::collections::{BTreeMap, BTreeSet};

use davit_module::ModuleError;
use serde_json::{Value as Json, json};

use super::ask::{Region, listed};
use crate::aws::client::Aws;
use crate::aws::parts::{items, list, text};

/// Records that lead to an instance.
const KINDS: [&str; 3] = ["A", "AAAA", "CNAME"];

/// Names by what they lead to, of all zones but some.
///
/// # Errors
/// What Route 53 says.
pub(super) async fn fetch(
    aws: Aws,
    excluded: &[String],
    strict: bool,
) -> Result<Json, ModuleError> {
    let region = Region { name: "of Route 53".to_owned(), aws };
    let zones = listed(&region, ("route53", "ListHostedZones"), json!({}), strict).await?;
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for zone in items(&zones, "HostedZones") {
        let is_excluded = excluded.iter().any(|it| bare(it) == bare(text(zone, "Name")));
        if is_excluded {
            continue;
        }
        let params = json!({"HostedZoneId": text(zone, "Id")});
        let records =
            listed(&region, ("route53", "ListResourceRecordSets"), params, strict).await?;
        let records = items(&records, "ResourceRecordSets").iter();
        for record in records.filter(|it| KINDS.contains(&text(it, "Type"))) {
            for value in list(record, "ResourceRecords") {
                let name = bare(text(record, "Name")).to_owned();
                names.entry(bare(text(value, "Value")).to_owned()).or_default().insert(name);
            }
        }
    }
    Ok(json!(names))
}

/// The names of an instance among those that were fetched; with `endings`, only those that end so.
pub(super) fn names(instance: &Json, fetched: &Json, endings: &[String]) -> Vec<String> {
    let addresses = ["PublicDnsName", "PublicIpAddress", "PrivateDnsName", "PrivateIpAddress"];
    let found: BTreeSet<&str> = addresses
        .iter()
        .filter_map(|it| fetched.get(instance.get(*it)?.as_str()?)?.as_array())
        .flatten()
        .filter_map(Json::as_str)
        .filter(|name| endings.is_empty() || endings.iter().any(|it| name.ends_with(bare(it))))
        .collect();
    found.into_iter().map(str::to_owned).collect()
}

/// Without the dot of the root.
fn bare(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_any_address() {
        let fetched =
            json!({"1.2.3.4": ["www.a.org", "b.net"], "ip-1.internal": ["c.a.org"], "": ["x"]});
        let instance = json!({"PublicIpAddress": "1.2.3.4", "PrivateDnsName": "ip-1.internal"});
        assert_eq!(names(&instance, &fetched, &[]), ["b.net", "c.a.org", "www.a.org"]);
        assert_eq!(names(&instance, &fetched, &[".a.org.".to_owned()]), ["c.a.org", "www.a.org"]);
        assert!(names(&instance, &Json::Null, &[]).is_empty());
    }
}
