//! Addresses and networks: `ipaddr` and its kin of the collection ansible.utils.
//!
//! An address with a prefix keeps both, as `192.0.2.1/24`; the queries tell them apart by whether
//! the address is the network's own. Subnets and arithmetic are in [`ip_more`](super::ip_more).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use davit_value::{Value, ValueError};

use crate::Call;

type Answer = Result<Value, ValueError>;

/// An address and the network around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    /// IPv6.
    pub v6: bool,
    /// The address as a number.
    pub ip: u128,
    /// How many bits name the network.
    pub prefix: u32,
    /// A prefix was written.
    pub written: bool,
}

impl Net {
    /// Reads `192.0.2.1`, `192.0.2.1/24`, `192.0.2.1/255.255.255.0`, `2001:db8::/32`, or a number.
    #[must_use]
    pub fn parse(value: &Value) -> Option<Self> {
        match value {
            Value::Int(int) => {
                let ip = u128::try_from(*int).ok()?;
                let v6 = ip > u128::from(u32::MAX);
                Some(Self { v6, ip, prefix: if v6 { 128 } else { 32 }, written: false })
            }
            Value::Str(text) => Self::parse_text(text.trim()),
            _ => None,
        }
    }

    fn parse_text(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        if !address.is_empty()
            && address.bytes().all(|byte| byte.is_ascii_digit())
            && prefix.is_none()
        {
            return Self::parse(&Value::Int(address.parse().ok()?));
        }
        let ip: IpAddr = address.parse().ok()?;
        let (v6, number) = match ip {
            IpAddr::V4(ip) => (false, u128::from(u32::from(ip))),
            IpAddr::V6(ip) => (true, u128::from(ip)),
        };
        let most = if v6 { 128 } else { 32 };
        let bits = match prefix {
            None => most,
            Some(text) => match text.parse::<u32>() {
                Ok(bits) if bits <= most => bits,
                Ok(_) => return None,
                Err(_) => mask_bits(text)?,
            },
        };
        Some(Self { v6, ip: number, prefix: bits, written: prefix.is_some() })
    }

    /// 32 or 128.
    #[must_use]
    pub fn width(&self) -> u32 {
        if self.v6 { 128 } else { 32 }
    }

    /// The bits of the network set.
    #[must_use]
    pub fn mask(&self) -> u128 {
        let all = if self.v6 { u128::MAX } else { u128::from(u32::MAX) };
        all & !self.host_mask()
    }

    /// The bits of hosts set.
    #[must_use]
    pub fn host_mask(&self) -> u128 {
        let bits = self.width() - self.prefix;
        if bits == 128 { u128::MAX } else { (1 << bits) - 1 }
    }

    /// The first address.
    #[must_use]
    pub fn network(&self) -> u128 {
        self.ip & self.mask()
    }

    /// The last address.
    #[must_use]
    pub fn last(&self) -> u128 {
        self.ip | self.host_mask()
    }

    /// How many addresses; the largest number where there are more.
    #[must_use]
    pub fn size(&self) -> u128 {
        self.host_mask().saturating_add(1)
    }

    /// True where `other` is wholly inside.
    #[must_use]
    pub fn holds(&self, other: &Self) -> bool {
        self.v6 == other.v6
            && self.prefix <= other.prefix
            && other.ip & self.mask() == self.network()
    }

    /// A number as an address of this version.
    #[must_use]
    pub fn text_of(&self, ip: u128) -> String {
        if self.v6 {
            Ipv6Addr::from(ip).to_string()
        } else {
            Ipv4Addr::from(u32::try_from(ip & u128::from(u32::MAX)).unwrap_or(0)).to_string()
        }
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> String {
        self.text_of(self.ip)
    }

    /// An address of this network with the prefix.
    #[must_use]
    pub fn with_prefix(&self, ip: u128) -> String {
        format!("{}/{}", self.text_of(ip), self.prefix)
    }

    /// First and last address for hosts.
    #[must_use]
    pub fn usable(&self) -> (u128, u128) {
        if self.size() <= 2 {
            (self.network(), self.last())
        } else {
            (self.network() + 1, self.last() - 1)
        }
    }

    /// As it was written.
    #[must_use]
    pub fn shown(&self) -> String {
        if self.written { self.with_prefix(self.ip) } else { self.address() }
    }
}

/// The bits of a written mask such as `255.255.255.0`, or of a wildcard such as `0.0.0.255`.
fn mask_bits(text: &str) -> Option<u32> {
    let mask = u32::from(text.parse::<Ipv4Addr>().ok()?);
    if mask.leading_ones() + mask.trailing_zeros() >= 32 {
        return Some(mask.leading_ones());
    }
    (mask.leading_zeros() + mask.trailing_ones() >= 32).then(|| mask.leading_zeros())
}

fn in_any(net: &Net, networks: &[&str]) -> bool {
    networks
        .iter()
        .filter_map(|text| Net::parse_text(text))
        .any(|network| network.v6 == net.v6 && net.ip & network.mask() == network.network())
}

fn is_private(net: &Net) -> bool {
    in_any(
        net,
        &[
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "192.0.2.0/24",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "fc00::/7",
            "fec0::/10",
        ],
    )
}

fn is_multicast(net: &Net) -> bool {
    in_any(net, &["224.0.0.0/4", "ff00::/8"])
}

fn is_special(net: &Net) -> bool {
    in_any(
        net,
        &[
            "127.0.0.0/8",
            "169.254.0.0/16",
            "::1/128",
            "fe80::/10",
            "240.0.0.0/4",
            "0.0.0.0/8",
            "::/8",
            "192.0.2.0/24",
            "198.51.100.0/24",
            "203.0.113.0/24",
        ],
    )
}

fn reverse(net: &Net) -> String {
    if net.v6 {
        let digits: Vec<String> =
            format!("{:032x}", net.ip).chars().rev().map(String::from).collect();
        return format!("{}.ip6.arpa.", digits.join("."));
    }
    let address = net.address();
    let mut parts: Vec<&str> = address.split('.').collect();
    parts.reverse();
    format!("{}.in-addr.arpa.", parts.join("."))
}

/// The other end of a link of two.
fn peer(net: &Net) -> Result<Value, ValueError> {
    match net.size() {
        2 => Ok(net.text_of(net.ip ^ 1).into()),
        4 => {
            if net.ip == net.network() {
                return Err(ValueError::Value("Network address of /30 has no peer".into()));
            }
            if net.ip == net.last() {
                return Err(ValueError::Value("Broadcast address of /30 has no peer".into()));
            }
            Ok(net.text_of(net.ip ^ 3).into())
        }
        _ => Err(ValueError::Value("Not a point-to-point network".into())),
    }
}

fn six_to_four(net: &Net) -> Value {
    if net.v6 {
        return if net.ip >> 112 == 0x2002 { net.shown().into() } else { Value::Bool(false) };
    }
    if is_private(net) || is_special(net) || is_multicast(net) {
        return Value::Bool(false);
    }
    let upper = net.ip >> 16;
    format!("2002:{upper:04x}:{:04x}::1/48", net.ip & 0xffff).into()
}

/// One query on one address. `Null` where it has no answer, `false` where the value is not of the kind asked for.
#[expect(clippy::too_many_lines, reason = "a table: a line or two a query")]
fn query(net: &Net, query: &str) -> Result<Option<Value>, ValueError> {
    let when = |yes: bool, text: String| Ok(Some(if yes { text.into() } else { Value::Null }));
    let only = |yes: bool| Ok(Some(if yes { net.shown().into() } else { Value::Null }));
    let (size, own) = (net.size(), net.ip == net.network());
    if size == 1 && query.ends_with("_usable") && query != "size_usable" {
        return Err(ValueError::Value("Not a network address".into()));
    }
    let host = size > 1 && !own;
    match query {
        "" => Ok(Some(net.shown().into())),
        "bool" => Ok(Some(true.into())),
        "address" | "ip" => when(size == 1 || !own || size == 2, net.address()),
        "address/prefix" | "ip/prefix" | "gateway" | "gw" | "host/prefix" | "hostnet"
        | "router" => when(host || size == 2, net.with_prefix(net.ip)),
        "host" => match size {
            1 => when(true, net.with_prefix(net.ip)),
            _ => when(host, net.with_prefix(net.ip)),
        },
        "net" => when(size > 1 && own, net.with_prefix(net.ip)),
        "network" | "network_id" => Ok(Some(net.text_of(net.network()).into())),
        "network/prefix" => when(size > 1, net.with_prefix(net.network())),
        "subnet" => Ok(Some(net.with_prefix(net.network()).into())),
        "cidr" => Ok(Some(net.with_prefix(net.ip).into())),
        "netmask" => Ok(Some(net.text_of(net.mask()).into())),
        "hostmask" | "wildcard" => Ok(Some(net.text_of(net.host_mask()).into())),
        "broadcast" => when(size > 2, net.text_of(net.last())),
        "prefix" => Ok(Some(i128::from(net.prefix).into())),
        "size" => Ok(Some(i128::try_from(size).unwrap_or(i128::MAX).into())),
        "size_usable" => {
            let usable = if size <= 2 { size } else { size - 2 };
            Ok(Some(i128::try_from(usable).unwrap_or(i128::MAX).into()))
        }
        "first_usable" => when(size > 1, net.text_of(net.usable().0)),
        "last_usable" => when(size > 1, net.text_of(net.usable().1)),
        "range_usable" => when(
            size > 1,
            format!("{}-{}", net.text_of(net.usable().0), net.text_of(net.usable().1)),
        ),
        "next_usable" => {
            let (first, last) = net.usable();
            let next = net.ip.saturating_add(1).max(first);
            when(size > 1 && next <= last, net.text_of(next))
        }
        "previous_usable" => {
            let (first, last) = net.usable();
            let previous = net.ip.saturating_sub(1).min(last);
            when(size > 1 && previous >= first, net.text_of(previous))
        }
        "ip_netmask" => when(host, format!("{} {}", net.address(), net.text_of(net.mask()))),
        "network_netmask" => {
            when(size > 1, format!("{} {}", net.text_of(net.network()), net.text_of(net.mask())))
        }
        "ip_wildcard" => when(host, format!("{} {}", net.address(), net.text_of(net.host_mask()))),
        "network_wildcard" => when(
            size > 1,
            format!("{} {}", net.text_of(net.network()), net.text_of(net.host_mask())),
        ),
        "int" => {
            let number = i128::try_from(net.ip).unwrap_or(i128::MAX);
            Ok(Some(if net.written {
                format!("{number}/{}", net.prefix).into()
            } else {
                number.into()
            }))
        }
        "type" => Ok(Some(if size > 1 && own { "network" } else { "address" }.into())),
        "version" => Ok(Some(Value::Int(if net.v6 { 6 } else { 4 }))),
        "v4" | "ipv4" => {
            if net.v6 && net.ip >> 32 == 0xffff {
                return Ok(Some(
                    Net {
                        v6: false,
                        ip: net.ip & u128::from(u32::MAX),
                        prefix: 32,
                        written: net.written,
                    }
                    .shown()
                    .into(),
                ));
            }
            only(!net.v6)
        }
        "v6" | "ipv6" => {
            if net.v6 {
                only(true)
            } else {
                Ok(Some(format!("::ffff:{}/{}", net.address(), net.prefix + 96).into()))
            }
        }
        "private" => only(is_private(net)),
        "public" => only(!is_private(net) && !is_special(net) && !is_multicast(net)),
        "unicast" => only(!is_multicast(net)),
        "multicast" => only(is_multicast(net)),
        "loopback" | "lo" => only(in_any(net, &["127.0.0.0/8", "::1/128"])),
        "link-local" => only(in_any(net, &["169.254.0.0/16", "fe80::/10"])),
        "reserved" => only(in_any(net, &["240.0.0.0/4", "ff00::/12", "::/8", "100::/8"])),
        "revdns" => Ok(Some(reverse(net).into())),
        "wrap" => Ok(Some(wrapped(net).into())),
        "peer" => peer(net).map(Some),
        "6to4" => Ok(Some(six_to_four(net))),
        other => positioned(net, other),
    }
}

/// A number picks an address of the network; an address or a network asks whether it holds this one.
fn positioned(net: &Net, text: &str) -> Result<Option<Value>, ValueError> {
    if let Ok(index) = text.parse::<i128>() {
        if net.size() == 1 {
            return Ok(Some(false.into()));
        }
        let offset = index.unsigned_abs();
        let found = if index < 0 {
            net.last().checked_sub(offset - 1)
        } else {
            net.network().checked_add(offset)
        };
        return Ok(found
            .filter(|ip| net.network() <= *ip && *ip <= net.last())
            .map(|ip| net.with_prefix(ip).into()));
    }
    match Net::parse_text(text) {
        Some(within) => Ok(Some(if within.holds(net) { net.shown().into() } else { Value::Null })),
        None => Err(ValueError::Value(format!("unknown filter type: {text}"))),
    }
}

fn wrapped(net: &Net) -> String {
    if !net.v6 {
        return net.shown();
    }
    if net.written {
        format!("[{}]/{}", net.address(), net.prefix)
    } else {
        format!("[{}]", net.address())
    }
}

/// One value, or each of a list with what has no answer left out.
pub(super) fn each(value: &Value, one: &dyn Fn(&Value) -> Answer) -> Answer {
    let Some(list) = value.as_list() else { return one(value) };
    let mut out = Vec::new();
    for item in list {
        let found = one(item)?;
        if found.truthy()? {
            out.push(found);
        }
    }
    Ok(Value::list(out))
}

fn answer(value: &Value, text: &str, version: Option<bool>) -> Answer {
    each(value, &|item| {
        let Some(net) = Net::parse(item) else {
            return Ok(Value::Bool(false));
        };
        let converts = matches!(text, "v4" | "ipv4" | "v6" | "ipv6");
        if version.is_some_and(|v6| v6 != net.v6) && !converts {
            return Ok(Value::Bool(false));
        }
        // A number that is an address already is shown as one.
        Ok(query(&net, text)?.unwrap_or(Value::Bool(false)))
    })
}

fn filter(call: &Call<'_>, name: &'static str, version: Option<bool>) -> Answer {
    let bound = call.bind(name, &["value", "query", "version", "alias"], 1)?;
    let version = match bound.some(2).map(Value::to_str).as_deref() {
        Some("4") => Some(false),
        Some("6") => Some(true),
        _ => version,
    };
    answer(&bound.value(0), &bound.text(1), version)
}

pub(super) fn ipaddr(call: &Call<'_>) -> Answer {
    filter(call, "ipaddr", None)
}

pub(super) fn ipv4(call: &Call<'_>) -> Answer {
    filter(call, "ipv4", Some(false))
}

pub(super) fn ipv6(call: &Call<'_>) -> Answer {
    filter(call, "ipv6", Some(true))
}

pub(super) fn ipwrap(call: &Call<'_>) -> Answer {
    let bound = call.bind("ipwrap", &["value", "query"], 1)?;
    let input = bound.value(0);
    let one = |item: &Value| match Net::parse(item) {
        Some(net) => wrapped(&net).into(),
        None => item.clone(),
    };
    Ok(match input.as_list() {
        Some(list) => Value::list(list.iter().map(one).collect()),
        None => one(&input),
    })
}
