//! What the arguments that the model does not have do to the parameters. Knows no names of arguments
//! but for those it refuses.

use serde_json::json;

use super::Refusal;
use crate::value::{Map, Value};

type Applied = Result<(), String>;

/// The map under a name, which is put there if it is not.
fn map<'a>(params: &'a mut Map, name: &str) -> &'a mut Map {
    let value = params.entry(name.to_owned()).or_default();
    if !matches!(value, Value::Map(_)) {
        *value = Value::Map(Map::new());
    }
    match value {
        Value::Map(map) => map,
        _ => unreachable!("a map was put there"),
    }
}

/// The first map of the list under a name, which is put there if it is not.
fn first<'a>(params: &'a mut Map, name: &str, start: Map) -> &'a mut Map {
    let value = params.entry(name.to_owned()).or_default();
    if !matches!(value, Value::List(items) if matches!(items.first(), Some(Value::Map(_)))) {
        *value = Value::List(vec![Value::Map(start)]);
    }
    match value {
        Value::List(items) => match &mut items[0] {
            Value::Map(map) => map,
            _ => unreachable!("a map was put there"),
        },
        _ => unreachable!("a list was put there"),
    }
}

fn put(map: &mut Map, name: &str, value: impl Into<Value>) {
    map.insert(name.to_owned(), value.into());
}

fn entries<const N: usize>(entries: [(&str, Value); N]) -> Map {
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn word(words: &[String]) -> &str {
    words.first().map_or("", String::as_str)
}

fn whole(text: &str) -> Result<i64, String> {
    text.trim().parse().map_err(|_| format!("{text:?} is no whole number"))
}

fn number(text: &str) -> Result<f64, String> {
    text.trim().parse().map_err(|_| format!("{text:?} is no number"))
}

fn yes(text: &str) -> bool {
    !text.eq_ignore_ascii_case("false")
}

pub(super) fn count(params: &mut Map, words: &[String]) -> Applied {
    let (least, most) = word(words).split_once(':').unwrap_or((word(words), word(words)));
    put(params, "MinCount", whole(least)?);
    put(params, "MaxCount", whole(most)?);
    Ok(())
}

fn interface(params: &mut Map) -> &mut Map {
    first(params, "NetworkInterfaces", entries([("DeviceIndex", Value::Int(0))]))
}

pub(super) fn secondary_addresses(params: &mut Map, words: &[String]) -> Applied {
    let addresses: Value = words
        .iter()
        .map(|it| entries([("PrivateIpAddress", it.as_str().into()), ("Primary", false.into())]))
        .collect();
    if !words.is_empty() {
        put(interface(params), "PrivateIpAddresses", addresses);
    }
    Ok(())
}

pub(super) fn secondary_address_count(params: &mut Map, words: &[String]) -> Applied {
    let count = whole(word(words))?;
    if count != 0 {
        put(interface(params), "SecondaryPrivateIpAddressCount", count);
    }
    Ok(())
}

pub(super) fn public_address(params: &mut Map, _: &[String]) -> Applied {
    put(interface(params), "AssociatePublicIpAddress", true);
    Ok(())
}

pub(super) fn no_public_address(params: &mut Map, _: &[String]) -> Applied {
    put(interface(params), "AssociatePublicIpAddress", false);
    Ok(())
}

/// Moves what must stand in the interface where there is one, and sets how many where nothing is said.
#[expect(clippy::unnecessary_wraps, reason = "others refuse")]
pub(super) fn run_instances(params: &mut Map) -> Result<(), Refusal> {
    const SIMPLE: [&str; 3] =
        ["PrivateIpAddresses", "SecondaryPrivateIpAddressCount", "AssociatePublicIpAddress"];
    const MOVED: [(&str, &str); 5] = [
        ("SubnetId", "SubnetId"),
        ("SecurityGroupIds", "Groups"),
        ("Ipv6AddressCount", "Ipv6AddressCount"),
        ("Ipv6Addresses", "Ipv6Addresses"),
        ("EnablePrimaryIpv6", "PrimaryIpv6"),
    ];
    let simple = params
        .get("NetworkInterfaces")
        .and_then(|it| it.items().first())
        .is_some_and(|it| SIMPLE.iter().any(|name| it.get(name).is_some()));
    if simple {
        for (from, to) in MOVED {
            if let Some(value) = params.shift_remove(from) {
                put(interface(params), to, value);
            }
        }
        if let Some(address) = params.shift_remove("PrivateIpAddress") {
            let address = entries([("PrivateIpAddress", address), ("Primary", true.into())]);
            put(interface(params), "PrivateIpAddresses", Value::List(vec![address.into()]));
        }
    }
    for name in ["MaxCount", "MinCount"] {
        params.entry(name.to_owned()).or_insert(Value::Int(1));
    }
    Ok(())
}

fn rule(params: &mut Map) -> &mut Map {
    first(params, "IpPermissions", Map::new())
}

fn rule_pair(params: &mut Map) -> &mut Map {
    first(rule(params), "UserIdGroupPairs", Map::new())
}

pub(super) fn rule_protocol(params: &mut Map, words: &[String]) -> Applied {
    let protocol = match word(words) {
        "all" => "-1",
        name @ ("tcp" | "udp" | "icmp" | "icmpv6") => name,
        number if whole(number).is_ok_and(|it| (-1..=255).contains(&it)) => number,
        other => return Err(format!("{other:?} is no protocol")),
    };
    put(rule(params), "IpProtocol", protocol);
    Ok(())
}

pub(super) fn rule_port(params: &mut Map, words: &[String]) -> Applied {
    let (from, to) = match word(words) {
        "-1" | "all" => ("-1", "-1"),
        port => port.split_once('-').unwrap_or((port, port)),
    };
    let (from, to) = (whole(from)?, whole(to)?);
    put(rule(params), "FromPort", from);
    put(rule(params), "ToPort", to);
    Ok(())
}

pub(super) fn rule_cidr(params: &mut Map, words: &[String]) -> Applied {
    let range = entries([("CidrIp", word(words).into())]);
    put(rule(params), "IpRanges", Value::List(vec![range.into()]));
    Ok(())
}

pub(super) fn rule_group(params: &mut Map, words: &[String]) -> Applied {
    let name = if word(words).starts_with("sg-") { "GroupId" } else { "GroupName" };
    put(rule_pair(params), name, word(words));
    Ok(())
}

pub(super) fn rule_group_owner(params: &mut Map, words: &[String]) -> Applied {
    put(rule_pair(params), "UserId", word(words));
    Ok(())
}

/// EC2 takes protocols by their numbers here.
#[expect(clippy::unnecessary_wraps, reason = "others refuse")]
pub(super) fn protocol_number(params: &mut Map) -> Result<(), Refusal> {
    let number = match params.get("Protocol").and_then(Value::as_str) {
        Some("tcp") => "6",
        Some("udp") => "17",
        Some("icmp") => "1",
        Some("all") => "-1",
        _ => return Ok(()),
    };
    put(params, "Protocol", number);
    Ok(())
}

fn metric(params: &mut Map) -> &mut Map {
    first(params, "MetricData", Map::new())
}

pub(super) fn metric_name(params: &mut Map, words: &[String]) -> Applied {
    put(metric(params), "MetricName", word(words));
    Ok(())
}

pub(super) fn metric_time(params: &mut Map, words: &[String]) -> Applied {
    put(metric(params), "Timestamp", word(words));
    Ok(())
}

pub(super) fn metric_unit(params: &mut Map, words: &[String]) -> Applied {
    put(metric(params), "Unit", word(words));
    Ok(())
}

pub(super) fn metric_value(params: &mut Map, words: &[String]) -> Applied {
    let value = Value::Float(number(word(words))?);
    put(metric(params), "Value", value);
    Ok(())
}

pub(super) fn metric_resolution(params: &mut Map, words: &[String]) -> Applied {
    let seconds = whole(word(words))?;
    put(metric(params), "StorageResolution", seconds);
    Ok(())
}

pub(super) fn metric_dimensions(params: &mut Map, words: &[String]) -> Applied {
    let dimensions: Vec<Value> = pairs(word(words))?
        .into_iter()
        .map(|(name, value)| entries([("Name", name.into()), ("Value", value.into())]).into())
        .collect();
    put(metric(params), "Dimensions", Value::List(dimensions));
    Ok(())
}

pub(super) fn metric_set(params: &mut Map, words: &[String]) -> Applied {
    let mut set = Map::new();
    for (name, value) in pairs(word(words))? {
        set.insert(name, Value::Float(number(&value)?));
    }
    put(metric(params), "StatisticValues", set);
    Ok(())
}

/// `name=value,name=value`, values in quotes or with a backslash before a comma.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(it) = chars.next() {
        let part = parts.last_mut().expect("never empty");
        match (it, quote) {
            ('\\', _) => part.extend(chars.next()),
            (it, Some(open)) if it == open => quote = None,
            ('"' | '\'', None) => quote = Some(it),
            (',', None) => parts.push(String::new()),
            _ => part.push(it),
        }
    }
    let pair = |part: String| match part.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(format!("{part:?} is no name=value")),
    };
    parts.into_iter().map(pair).collect()
}

fn mail(params: &mut Map, name: &str, words: &[String]) {
    put(map(params, "Destination"), name, words.iter().map(String::as_str).collect::<Value>());
}

pub(super) fn mail_to(params: &mut Map, words: &[String]) -> Applied {
    mail(params, "ToAddresses", words);
    Ok(())
}

pub(super) fn mail_cc(params: &mut Map, words: &[String]) -> Applied {
    mail(params, "CcAddresses", words);
    Ok(())
}

pub(super) fn mail_bcc(params: &mut Map, words: &[String]) -> Applied {
    mail(params, "BccAddresses", words);
    Ok(())
}

fn message(params: &mut Map) -> &mut Map {
    let message = map(params, "Message");
    for part in ["Subject", "Body"] {
        map(message, part);
    }
    message
}

pub(super) fn mail_subject(params: &mut Map, words: &[String]) -> Applied {
    put(message(params), "Subject", entries([("Data", word(words).into())]));
    Ok(())
}

pub(super) fn mail_text(params: &mut Map, words: &[String]) -> Applied {
    put(map(message(params), "Body"), "Text", entries([("Data", word(words).into())]));
    Ok(())
}

pub(super) fn mail_html(params: &mut Map, words: &[String]) -> Applied {
    put(map(message(params), "Body"), "Html", entries([("Data", word(words).into())]));
    Ok(())
}

pub(super) fn code_is_zip(params: &mut Map) -> Result<(), Refusal> {
    is_zip(params.get("Code").and_then(|it| it.get("ZipFile")))
}

pub(super) fn content_is_zip(params: &mut Map) -> Result<(), Refusal> {
    is_zip(params.get("Content").and_then(|it| it.get("ZipFile")))
}

pub(super) fn function_is_zip(params: &mut Map) -> Result<(), Refusal> {
    is_zip(params.get("ZipFile"))
}

/// A zip file has a mark near its end, before a comment of 64 KiB at most.
fn is_zip(value: Option<&Value>) -> Result<(), Refusal> {
    const MARK: &[u8] = b"PK\x05\x06";
    let bytes: &[u8] = match value {
        None => return Ok(()),
        Some(Value::Blob(bytes)) => bytes,
        Some(Value::String(text)) => text.as_bytes(),
        Some(_) => &[],
    };
    let tail = &bytes[bytes.len().saturating_sub(22 + 65_535)..];
    if tail.windows(MARK.len()).any(|it| it == MARK) {
        return Ok(());
    }
    let reason = "it is no zip file; is fileb:// missing before its path?".to_owned();
    Err(Refusal { argument: "--zip-file", reason })
}

#[expect(clippy::unnecessary_wraps, reason = "others refuse")]
pub(super) fn revision_type(params: &mut Map) -> Result<(), Refusal> {
    let revision = params.get("revision");
    let has = |name: &str| revision.is_some_and(|it| it.get(name).is_some());
    let kind = match (has("revisionType"), has("s3Location"), has("gitHubLocation")) {
        (false, true, _) => "S3",
        (false, false, true) => "GitHub",
        _ => return Ok(()),
    };
    put(map(params, "revision"), "revisionType", kind);
    Ok(())
}

/// A reference that no call had before.
fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", uuid::Uuid::new_v4().simple())
}

pub(super) fn invalidation_paths(params: &mut Map, words: &[String]) -> Applied {
    let batch = json!({
        "CallerReference": unique("cli"),
        "Paths": {"Quantity": words.len(), "Items": words},
    });
    put(params, "InvalidationBatch", batch);
    Ok(())
}

fn distribution(params: &mut Map) -> &mut Map {
    if !params.contains_key("DistributionConfig") {
        let config = json!({
            "CallerReference": unique("cli"),
            "Origins": {"Quantity": 0, "Items": []},
            "DefaultCacheBehavior": {
                "TargetOriginId": "placeholder",
                "ForwardedValues": {"QueryString": false, "Cookies": {"Forward": "none"}},
                "TrustedSigners": {"Enabled": false, "Quantity": 0},
                "ViewerProtocolPolicy": "allow-all",
                "MinTTL": 0,
            },
            "Enabled": true,
            "Comment": "",
        });
        put(params, "DistributionConfig", config);
    }
    map(params, "DistributionConfig")
}

pub(super) fn origin_domain(params: &mut Map, words: &[String]) -> Applied {
    let domain = word(words);
    let id = unique(domain);
    let mut origin = json!({"Id": id, "DomainName": domain, "OriginPath": ""});
    if domain.ends_with(".s3.amazonaws.com") {
        origin["S3OriginConfig"] = json!({"OriginAccessIdentity": ""});
    } else {
        origin["CustomOriginConfig"] =
            json!({"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"});
    }
    let config = distribution(params);
    put(config, "Origins", json!({"Quantity": 1, "Items": [origin]}));
    put(map(config, "DefaultCacheBehavior"), "TargetOriginId", id);
    Ok(())
}

pub(super) fn root_object(params: &mut Map, words: &[String]) -> Applied {
    put(distribution(params), "DefaultRootObject", word(words));
    Ok(())
}

/// Sets an option of an index field, among the options of the field's type.
fn index(params: &mut Map, name: &str, value: impl Into<Value>) -> Applied {
    let field = map(params, "IndexField");
    let Some(kind) = field.get("IndexFieldType").and_then(Value::as_str) else {
        return Err("--type must be given besides".to_owned());
    };
    let options: String = kind.split('-').map(capital).collect();
    let options = if options == "Latlon" { "LatLon" } else { &options };
    put(map(field, &format!("{options}Options")), name, value);
    Ok(())
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |it| it.to_uppercase().chain(chars).collect())
}

pub(super) fn index_default(params: &mut Map, words: &[String]) -> Applied {
    let kind = params.get("IndexField").and_then(|it| it.get("IndexFieldType"));
    let value = match kind.and_then(Value::as_str) {
        Some("int" | "int-array") => Value::Int(whole(word(words))?),
        Some("double" | "double-array") => Value::Float(number(word(words))?),
        _ => word(words).into(),
    };
    index(params, "DefaultValue", value)
}

pub(super) fn index_facet(params: &mut Map, words: &[String]) -> Applied {
    index(params, "FacetEnabled", yes(word(words)))
}

pub(super) fn index_search(params: &mut Map, words: &[String]) -> Applied {
    index(params, "SearchEnabled", yes(word(words)))
}

pub(super) fn index_return(params: &mut Map, words: &[String]) -> Applied {
    index(params, "ReturnEnabled", yes(word(words)))
}

pub(super) fn index_sort(params: &mut Map, words: &[String]) -> Applied {
    index(params, "SortEnabled", yes(word(words)))
}

pub(super) fn index_highlight(params: &mut Map, words: &[String]) -> Applied {
    index(params, "HighlightEnabled", yes(word(words)))
}

pub(super) fn index_source(params: &mut Map, words: &[String]) -> Applied {
    index(params, "SourceField", word(words))
}

pub(super) fn index_scheme(params: &mut Map, words: &[String]) -> Applied {
    index(params, "AnalysisScheme", word(words))
}

pub(super) fn emr_tags(params: &mut Map, words: &[String]) -> Applied {
    let tag = |word: &String| -> Value {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        entries([("Key", key.into()), ("Value", value.into())]).into()
    };
    put(params, "Tags", Value::List(words.iter().map(tag).collect()));
    Ok(())
}

fn clusters(params: &mut Map, states: &[&str]) -> Applied {
    if params.contains_key("ClusterStates") {
        return Err(
            "only one of --cluster-states, --active, --terminated and --failed is given".to_owned()
        );
    }
    put(params, "ClusterStates", states.iter().copied().collect::<Value>());
    Ok(())
}

pub(super) fn cluster_states(params: &mut Map, words: &[String]) -> Applied {
    clusters(params, &words.iter().map(String::as_str).collect::<Vec<_>>())
}

pub(super) fn active_clusters(params: &mut Map, _: &[String]) -> Applied {
    clusters(params, &["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING"])
}

pub(super) fn terminated_clusters(params: &mut Map, _: &[String]) -> Applied {
    clusters(params, &["TERMINATED"])
}

pub(super) fn failed_clusters(params: &mut Map, _: &[String]) -> Applied {
    clusters(params, &["TERMINATED_WITH_ERRORS"])
}
