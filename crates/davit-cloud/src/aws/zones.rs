//! Zones of Route 53 and the records in them: how they are found.
//!
//! It changes nothing, and does not know what records should be.

use davit_aws::value::{Map, Value};
use davit_module::ModuleError;
use serde_json::json;

use super::client::Aws;
use super::parts::{items, text};

/// How Route 53 says that there is no such zone.
pub const MISSING: &[&str] = &["NoSuchHostedZone"];

/// A name as Route 53 and DNS compare it: small letters, a dot at the end, and no escapes.
///
/// Route 53 writes characters that are neither letters, digits, `-` nor `_` with a backslash and three octal
/// digits: `\052.example.com.` is `*.example.com`.
#[must_use]
pub fn dotted(name: &str) -> String {
    let mut plain = String::with_capacity(name.len() + 1);
    let mut rest = name;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let digits = rest.get(at + 1..at + 4);
        let digits = digits.filter(|it| it.bytes().all(|it| (b'0'..b'8').contains(&it)));
        match digits.and_then(|it| u8::from_str_radix(it, 8).ok()).filter(u8::is_ascii) {
            Some(letter) => {
                plain.push(letter.into());
                rest = &rest[at + 4..];
            }
            None => {
                plain.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    plain.push_str(rest);
    if !plain.ends_with('.') {
        plain.push('.');
    }
    plain.make_ascii_lowercase();
    plain
}

/// The id alone, of one with its kind in front: `/hostedzone/Z1`.
#[must_use]
pub fn short(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// Whether a zone that was listed is a private one.
#[must_use]
pub fn is_private(zone: &Value) -> bool {
    zone.at(&["Config", "PrivateZone"]).and_then(Value::as_bool).unwrap_or_default()
}

/// All zones of a name: public ones, or private ones.
///
/// # Errors
/// What Route 53 says.
pub async fn of_name(aws: &Aws, name: &str, private: bool) -> Result<Vec<Value>, ModuleError> {
    let name = dotted(name);
    let mut found = Vec::new();
    // They come in an order that begins with this name.
    let mut params = json!({"DNSName": name});
    loop {
        let page = aws.call("route53", "ListHostedZonesByName", params).await?;
        let zones = items(&page, "HostedZones").iter();
        let is_meant = |it: &&Value| dotted(text(it, "Name")) == name && is_private(it) == private;
        found.extend(zones.filter(is_meant).cloned());
        let page = Value::Map(page);
        let is_more = page.get("IsTruncated").and_then(Value::as_bool).unwrap_or_default();
        if !is_more || dotted(text(&page, "NextDNSName")) != name {
            return Ok(found);
        }
        let next = text(&page, "NextHostedZoneId");
        params = json!({"DNSName": text(&page, "NextDNSName"), "HostedZoneId": next});
    }
}

/// A zone with all that is known of it, by its id.
///
/// # Errors
/// What Route 53 says, but for that there is none.
pub async fn of_id(aws: &Aws, id: &str) -> Result<Option<Value>, ModuleError> {
    let found = aws.find("route53", "GetHostedZone", json!({"Id": id}), MISSING).await?;
    Ok(found.map(Value::Map))
}

/// The networks of a private zone, of what [`of_id`] gave: region and id.
#[must_use]
pub fn networks(zone: &Value) -> Vec<(String, String)> {
    let vpcs = zone.get("VPCs").map(Value::items).unwrap_or_default().iter();
    vpcs.map(|it| (text(it, "VPCRegion").to_owned(), text(it, "VPCId").to_owned())).collect()
}

/// Which records are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which<'a> {
    /// The zone's id.
    pub zone: &'a str,
    /// Their name.
    pub name: &'a str,
    /// Their type: `AAAA`.
    pub kind: &'a str,
    /// What tells the one that is meant from others of the same name and type.
    pub identifier: Option<&'a str>,
}

/// The record sets that are meant: all of the name and type, or the one with the identifier.
///
/// # Errors
/// What Route 53 says.
pub async fn record_sets(aws: &Aws, which: Which<'_>) -> Result<Vec<Value>, ModuleError> {
    let name = dotted(which.name);
    let is_alike = |it: &str, kind: &str| dotted(it) == name && kind == which.kind;
    let mut found = Vec::new();
    let mut from = json!({
        "HostedZoneId": which.zone,
        "StartRecordName": which.name,
        "StartRecordType": which.kind,
        "StartRecordIdentifier": which.identifier,
    });
    loop {
        let page = aws.call("route53", "ListResourceRecordSets", from).await?;
        let sets = items(&page, "ResourceRecordSets").iter();
        let is_meant = |it: &&Value| {
            is_alike(text(it, "Name"), text(it, "Type"))
                && which.identifier.is_none_or(|id| text(it, "SetIdentifier") == id)
        };
        found.extend(sets.filter(is_meant).cloned());
        let page = Value::Map(page);
        if !is_alike(text(&page, "NextRecordName"), text(&page, "NextRecordType")) {
            return Ok(found);
        }
        from = next(which.zone, &page);
    }
}

/// What asks for the page behind this one.
fn next(zone: &str, page: &Value) -> serde_json::Value {
    let mut params = Map::from_iter([("HostedZoneId".to_owned(), zone.into())]);
    for part in ["Name", "Type", "Identifier"] {
        if let Some(value) = page.get(&format!("NextRecord{part}")) {
            params.insert(format!("StartRecord{part}"), value.clone());
        }
    }
    Value::Map(params).to_json()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_compared_as_dns_does() {
        for (name, expect) in [
            ("Example.COM", "example.com."),
            (r"\052.example.com.", "*.example.com."),
            (r"0\05725.2.0.192.in-addr.arpa", "0/25.2.0.192.in-addr.arpa."),
            (r"a\", r"a\."),
            (r"a\999\05", r"a\999\05."),
            (r"\377é\05é", r"\377é\05é."),
            ("", "."),
        ] {
            assert_eq!(dotted(name), expect, "{name}");
        }
    }

    #[test]
    fn ids_are_told_without_their_kind() {
        assert_eq!(short("/hostedzone/Z1"), "Z1");
        assert_eq!(short("Z1"), "Z1");
    }

    proptest! {
        #[test]
        fn any_name_can_be_compared(name in r"(\\|[0-9]|\PC)*") {
            prop_assert!(dotted(&name).ends_with('.'));
        }
    }
}
