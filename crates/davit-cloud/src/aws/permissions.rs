//! Rules of security groups: those of a task and those of EC2 in one shape, each with one protocol, one range of
//! ports and one peer, and what has to be done to get from the ones to the others.

use std::collections::BTreeMap;

use davit_aws::value::Value;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::cidr;

/// Rules that a task asks for: for each of `ports` and each peer one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Rule {
    /// IPv4 ranges.
    #[serde(default)]
    pub cidr_ip: Option<Vec<String>>,
    /// IPv6 ranges.
    #[serde(default)]
    pub cidr_ipv6: Option<Vec<String>>,
    /// The first port, or the type of ICMP; -1 is any. Comes with `to_port`.
    #[serde(default)]
    pub from_port: Option<i64>,
    /// The description of the groups of `group_name` that are not there: they are made with it.
    #[serde(default)]
    pub group_desc: Option<String>,
    /// Ids of security groups; of another account as `account/id/name`.
    #[serde(default)]
    pub group_id: Option<Vec<String>>,
    /// Names of security groups; the name of the group itself may be among them.
    #[serde(default)]
    pub group_name: Option<Vec<String>>,
    /// The code of ICMP; -1 is any.
    #[serde(default)]
    pub icmp_code: Option<i64>,
    /// The type of ICMP; -1 is any.
    #[serde(default)]
    pub icmp_type: Option<i64>,
    /// Ids of prefix lists.
    #[serde(default)]
    pub ip_prefix: Option<Vec<String>>,
    /// Ports, or ranges of them as `8000-8099`.
    #[serde(default)]
    pub ports: Option<Vec<String>>,
    /// The protocol: `tcp`, `udp`, `icmp`, `icmpv6`, another by its number, or `all`. Only these four have ports.
    #[serde(default = "tcp")]
    pub proto: String,
    /// What the rule is for.
    #[serde(default)]
    pub rule_desc: Option<String>,
    /// The last port, or the code of ICMP; -1 is any. Comes with `from_port`.
    #[serde(default)]
    pub to_port: Option<i64>,
}

fn tcp() -> String {
    "tcp".to_owned()
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, another number, or `-1` for all.
    protocol: String,
    /// The first and the last port.
    ports: Option<(i64, i64)>,
    peer: Peer,
}

/// Where traffic comes from or goes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Peer {
    V4(String),
    V6(String),
    Prefix(String),
    Group(String),
}

/// What belongs to a rule and does not make it another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    description: String,
    account: Option<String>,
}

/// Rules, each once.
pub type Permissions = BTreeMap<Permission, Details>;

impl Rule {
    /// The rules that this one stands for. `groups` has the ids of groups by name.
    ///
    /// # Errors
    /// In words, where it contradicts itself or says too little.
    pub fn permissions(&self, groups: &BTreeMap<String, String>) -> Result<Permissions, String> {
        let protocol = protocol(&self.proto);
        let names = |it: &Option<Vec<String>>| it.clone().unwrap_or_default();
        let mut peers = Vec::new();
        peers.extend(names(&self.cidr_ip).iter().map(|it| (Peer::V4(cidr::canonical(it)), None)));
        peers.extend(names(&self.cidr_ipv6).iter().map(|it| (Peer::V6(cidr::canonical(it)), None)));
        peers.extend(names(&self.ip_prefix).into_iter().map(|it| (Peer::Prefix(it), None)));
        peers.extend(names(&self.group_id).iter().map(|it| group(it)));
        for name in names(&self.group_name) {
            let id = groups.get(&name).ok_or_else(|| format!("there is no group {name:?}"))?;
            peers.push((Peer::Group(id.clone()), None));
        }
        if peers.is_empty() {
            return Err(
                "one of these is needed: group_id, group_name, cidr_ip, cidr_ipv6, ip_prefix"
                    .to_owned(),
            );
        }
        let mut permissions = Permissions::new();
        for ports in self.ranges(&protocol)? {
            for (peer, account) in &peers {
                let description = self.rule_desc.clone().unwrap_or_default();
                let details = Details { description, account: account.clone() };
                let (protocol, peer) = (protocol.clone(), peer.clone());
                permissions.insert(Permission { protocol, ports, peer }, details);
            }
        }
        Ok(permissions)
    }

    fn ranges(&self, protocol: &str) -> Result<Vec<Option<(i64, i64)>>, String> {
        let icmp = (self.icmp_type, self.icmp_code);
        let ports = (self.from_port, self.to_port);
        let said = [self.ports.is_some(), ports != (None, None), icmp != (None, None)];
        if said.iter().filter(|it| **it).count() > 1 {
            return Err(
                "ports, from_port and to_port, icmp_type and icmp_code exclude one another"
                    .to_owned(),
            );
        }
        let is_icmp = matches!(protocol, "icmp" | "icmpv6");
        if said[2] && !is_icmp {
            return Err("icmp_type and icmp_code need the proto icmp or icmpv6".to_owned());
        }
        if !matches!(protocol, "tcp" | "udp" | "icmp" | "icmpv6") {
            return Ok(vec![None]);
        }
        if let Some(listed) = &self.ports {
            return listed.iter().map(|it| range(it).map(Some)).collect();
        }
        match (ports, icmp) {
            ((Some(from), Some(to)), _) if is_icmp => Ok(vec![Some((from, to))]),
            ((Some(-1), Some(_)) | (Some(_), Some(-1)), _) => Ok(vec![Some(ALL_PORTS)]),
            ((Some(from), Some(to)), _) => Ok(vec![Some((from, to))]),
            ((None, None), (kind, code)) if is_icmp => {
                Ok(vec![Some((kind.unwrap_or(-1), code.unwrap_or(-1)))])
            }
            ((None, None), _) => Err(format!("{protocol} needs ports, or from_port and to_port")),
            _ => Err("from_port and to_port go together".to_owned()),
        }
    }
}

/// What `tcp` and `udp` have for any port.
const ALL_PORTS: (i64, i64) = (0, 65535);

fn protocol(name: &str) -> String {
    match name.to_lowercase().as_str() {
        "all" | "any" | "-1" => "-1",
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        "58" => "icmpv6",
        other => other,
    }
    .to_owned()
}

/// `80` or `8000-8099`.
fn range(text: &str) -> Result<(i64, i64), String> {
    let parsed = match text.split_once('-') {
        Some(("", _)) | None => text.trim().parse().map(|it: i64| (it, it)),
        Some((from, to)) => {
            from.trim().parse().and_then(|from: i64| Ok((from, to.trim().parse()?)))
        }
    };
    match parsed {
        Ok((-1, _)) => Ok(ALL_PORTS),
        Ok((from, to)) => Ok((from.min(to), from.max(to))),
        Err(_) => Err(format!("{text:?} is no port and no range of ports")),
    }
}

/// `sg-1`, or `account/sg-1/name`.
fn group(text: &str) -> (Peer, Option<String>) {
    let mut parts = text.splitn(3, '/');
    match (parts.next(), parts.next()) {
        (Some(account), Some(id)) => (Peer::Group(id.to_owned()), Some(account.to_owned())),
        _ => (Peer::Group(text.to_owned()), None),
    }
}

/// The rules that EC2 lists.
#[must_use]
pub fn listed(items: &[Value]) -> Permissions {
    let mut permissions = Permissions::new();
    for item in items {
        let text = |it: &Value, name: &str| {
            it.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let protocol = protocol(&text(item, "IpProtocol"));
        let number = |name: &str| item.get(name).and_then(Value::as_int);
        let ports = match &*protocol {
            "tcp" | "udp" => Some((
                number("FromPort").unwrap_or(ALL_PORTS.0),
                number("ToPort").unwrap_or(ALL_PORTS.1),
            )),
            "icmp" | "icmpv6" => {
                Some((number("FromPort").unwrap_or(-1), number("ToPort").unwrap_or(-1)))
            }
            _ => None,
        };
        for (list, name) in KINDS {
            for it in item.get(list).map(Value::items).unwrap_or_default() {
                let id = text(it, name);
                let peer = match list {
                    "IpRanges" => Peer::V4(cidr::canonical(&id)),
                    "Ipv6Ranges" => Peer::V6(cidr::canonical(&id)),
                    "PrefixListIds" => Peer::Prefix(id),
                    _ => Peer::Group(id),
                };
                let account = it.get("UserId").and_then(Value::as_str).map(str::to_owned);
                let details = Details { description: text(it, "Description"), account };
                permissions.insert(Permission { protocol: protocol.clone(), ports, peer }, details);
            }
        }
    }
    permissions
}

/// The kinds of peers: where they are listed, and what names one.
const KINDS: [(&str, &str); 4] = [
    ("IpRanges", "CidrIp"),
    ("Ipv6Ranges", "CidrIpv6"),
    ("PrefixListIds", "PrefixListId"),
    ("UserIdGroupPairs", "GroupId"),
];

/// Rules as operations take them.
#[must_use]
pub fn params(permissions: &Permissions) -> Json {
    let one = |(permission, details): (&Permission, &Details)| {
        let (kind, id) = match &permission.peer {
            Peer::V4(range) => (KINDS[0], range),
            Peer::V6(range) => (KINDS[1], range),
            Peer::Prefix(id) => (KINDS[2], id),
            Peer::Group(id) => (KINDS[3], id),
        };
        let mut peer = json!({(kind.1): id});
        if !details.description.is_empty() {
            peer["Description"] = json!(details.description);
        }
        if let (Peer::Group(_), Some(account)) = (&permission.peer, &details.account) {
            peer["UserId"] = json!(account);
        }
        let mut rule = json!({"IpProtocol": permission.protocol, (kind.0): [peer]});
        if let Some((from, to)) = permission.ports {
            rule["FromPort"] = json!(from);
            rule["ToPort"] = json!(to);
        }
        rule
    };
    permissions.iter().map(one).collect()
}

/// What has to be done.
#[derive(Debug, Default, PartialEq)]
pub struct Difference {
    /// To be added.
    pub added: Permissions,
    /// To be described otherwise.
    pub described: Permissions,
    /// To be removed.
    pub removed: Permissions,
}

impl Difference {
    /// From what is there to what is wanted. With `purge`, what is not wanted goes.
    #[must_use]
    pub fn between(there: &Permissions, wanted: &Permissions, purge: bool) -> Self {
        let mut difference = Self::default();
        for (permission, details) in wanted {
            match there.get(permission) {
                None => difference.added.insert(permission.clone(), details.clone()),
                Some(is) if is.description != details.description => {
                    difference.described.insert(permission.clone(), details.clone())
                }
                Some(_) => None,
            };
        }
        let strange = there.iter().filter(|(it, _)| purge && !wanted.contains_key(*it));
        difference.removed = strange.map(|(it, is)| (it.clone(), is.clone())).collect();
        difference
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(rule: Json) -> Result<Json, String> {
        let rule: Rule = serde_json::from_value(rule).unwrap();
        let groups = BTreeMap::from([("g".to_owned(), "sg-1".to_owned())]);
        rule.permissions(&groups).map(|it| params(&it))
    }

    #[test]
    fn each_port_and_peer_is_a_rule() {
        let given = rules(json!({
            "ports": ["80", "90-85"], "cidr_ip": ["10.0.0.5/8"], "group_name": ["g"], "rule_desc": "x",
        }));
        let peers = |from: i64, to: i64| {
            let rule = |list: &str, peer: Json| json!({"IpProtocol": "tcp", "FromPort": from, "ToPort": to, (list): [peer]});
            [
                rule("IpRanges", json!({"CidrIp": "10.0.0.0/8", "Description": "x"})),
                rule("UserIdGroupPairs", json!({"GroupId": "sg-1", "Description": "x"})),
            ]
        };
        let expect: Vec<Json> = peers(80, 80).into_iter().chain(peers(85, 90)).collect();
        assert_eq!(given.unwrap(), json!(expect));
    }

    #[test]
    fn protocols_and_their_ports() {
        for (rule, expect) in [
            (json!({"proto": "all", "from_port": 1, "to_port": 2}), json!(["-1", null, null])),
            (json!({"proto": "50"}), json!(["50", null, null])),
            (json!({"proto": "17", "ports": ["53"]}), json!(["udp", 53, 53])),
            (json!({"from_port": -1, "to_port": -1}), json!(["tcp", 0, 65535])),
            (json!({"proto": "icmp"}), json!(["icmp", -1, -1])),
            (json!({"proto": "icmp", "icmp_type": 8}), json!(["icmp", 8, -1])),
            (json!({"proto": "ICMP", "from_port": 3, "to_port": 1}), json!(["icmp", 3, 1])),
        ] {
            let mut rule = rule;
            rule["cidr_ipv6"] = json!(["::/0"]);
            let given = rules(rule).unwrap();
            let given = json!([given[0]["IpProtocol"], given[0]["FromPort"], given[0]["ToPort"]]);
            assert_eq!(given, expect);
        }
    }

    #[test]
    fn contradictions_are_told() {
        for (rule, expect) in [
            (json!({"ports": ["1"], "from_port": 1, "cidr_ip": ["::/0"]}), "exclude one another"),
            (json!({"icmp_type": 1, "cidr_ip": ["a"]}), "need the proto icmp"),
            (json!({"ports": ["1"]}), "one of these is needed"),
            (json!({"cidr_ip": ["a"]}), "tcp needs ports"),
            (json!({"from_port": 1, "cidr_ip": ["a"]}), "go together"),
            (json!({"ports": ["x"], "cidr_ip": ["a"]}), "\"x\" is no port"),
            (json!({"ports": ["1"], "group_name": ["h"]}), "there is no group \"h\""),
        ] {
            let told = rules(rule).unwrap_err();
            assert!(told.contains(expect), "{told}");
        }
    }

    #[test]
    fn what_was_asked_for_is_found_again() {
        let rule = json!({
            "ports": ["22"], "cidr_ip": ["10.0.0.0/8"], "cidr_ipv6": ["::/0"], "ip_prefix": ["pl-1"],
            "group_id": ["123456789012/sg-2/name"],
        });
        let rule: Rule = serde_json::from_value(rule).unwrap();
        let wanted = rule.permissions(&BTreeMap::new()).unwrap();
        let items: Value = params(&wanted).into();
        assert_eq!(listed(items.items()), wanted);
        assert_eq!(Difference::between(&wanted, &wanted, true), Difference::default());
        let difference = Difference::between(&wanted, &Permissions::new(), true);
        assert_eq!(difference.removed.len(), 4);
        assert_eq!(Difference::between(&wanted, &Permissions::new(), false), Difference::default());
    }
}
