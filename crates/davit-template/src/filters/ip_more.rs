//! Subnets, arithmetic on addresses, membership, and hardware addresses.
//!
//! What an address is: see [`ip`](super::ip).

use davit_value::{Value, ValueError};

use super::ip::Net;
use crate::Call;
use crate::call::{index_of, items_of};

type Answer = Result<Value, ValueError>;

fn refuse(text: impl Into<String>) -> ValueError {
    ValueError::Value(text.into())
}

fn net(value: &Value) -> Result<Net, ValueError> {
    Net::parse(value).ok_or_else(|| {
        refuse(format!("You must pass a valid IP address; {} is invalid", value.to_str()))
    })
}

fn number(value: &Value) -> Result<i128, ValueError> {
    match value {
        Value::Str(text) => super::math::parse_int(text, 10).ok_or_else(|| {
            refuse(format!("invalid literal for int() with base 10: {}", value.repr()))
        }),
        other => index_of(other),
    }
}

pub(super) fn ipmath(call: &Call<'_>) -> Answer {
    let bound = call.bind("ipmath", &["value", "amount"], 2)?;
    let start = net(&bound.value(0))?;
    let amount = bound.value(1);
    let Ok(amount) = index_of(&amount) else {
        return Err(refuse(format!(
            "You must pass an integer for arithmetic; {} is not a valid integer",
            amount.to_str()
        )));
    };
    let moved = if amount < 0 {
        start.ip.checked_sub(amount.unsigned_abs())
    } else {
        start.ip.checked_add(amount.unsigned_abs())
    };
    let most = if start.v6 { u128::MAX } else { u128::from(u32::MAX) };
    moved
        .filter(|ip| *ip <= most)
        .map(|ip| start.text_of(ip).into())
        .ok_or_else(|| refuse("result outside valid IP address boundary!"))
}

pub(super) fn ipsubnet(call: &Call<'_>) -> Answer {
    let bound = call.bind("ipsubnet", &["value", "query", "index"], 1)?;
    let input = bound.value(0);
    let Some(found) = Net::parse(&input) else { return Ok(Value::Bool(false)) };
    let query = bound.value(1);
    let text = query.to_str();
    if query.is_null() || text.is_empty() {
        return Ok(if found.written {
            found.with_prefix(found.network()).into()
        } else {
            found.with_prefix(found.ip).into()
        });
    }
    if let Some(prefix) = super::math::parse_int(&text, 10) {
        return by_prefix(&found, prefix, bound.some(2).map(number).transpose()?);
    }
    // A network as the query: which of its subnets of this size this is, from one.
    let Some(within) = Net::parse(&query) else {
        return Err(refuse(format!(
            "You must pass a valid subnet or IP address; {text} is invalid"
        )));
    };
    if !within.holds(&found) {
        return Err(refuse(format!(
            "{} is not in the subnet {}",
            found.with_prefix(found.network()),
            within.with_prefix(within.network())
        )));
    }
    let step = found.host_mask().saturating_add(1);
    let rank = (found.network() - within.network()) / step + 1;
    Ok(rank.to_string().into())
}

fn by_prefix(found: &Net, prefix: i128, index: Option<i128>) -> Answer {
    let Some(prefix) = u32::try_from(prefix).ok().filter(|prefix| *prefix <= found.width()) else {
        return Ok(Value::Bool(false));
    };
    let inner = Net { prefix, written: true, ..*found };
    if found.written && prefix >= found.prefix {
        let spread = prefix - found.prefix;
        let count = 1_u128.checked_shl(spread).unwrap_or(u128::MAX);
        let Some(index) = index else { return Ok(count.to_string().into()) };
        let at = if index < 0 {
            count.checked_sub(index.unsigned_abs())
        } else {
            Some(index.unsigned_abs())
        };
        return Ok(match at.filter(|at| *at < count) {
            Some(at) => {
                inner.with_prefix(found.network() + at * inner.host_mask().saturating_add(1)).into()
            }
            None => Value::Bool(false),
        });
    }
    // From an address upwards: the networks that hold it.
    let Some(index) = index else { return Ok(inner.with_prefix(inner.network()).into()) };
    let first = i128::from(prefix);
    let bits = if index < 0 { i128::from(found.prefix) + index } else { first + index };
    match u32::try_from(bits).ok().filter(|bits| *bits <= found.prefix) {
        Some(bits) => {
            let outer = Net { prefix: bits, written: true, ..*found };
            Ok(outer.with_prefix(outer.network()).into())
        }
        None => Ok(Value::Bool(false)),
    }
}

pub(super) fn nthhost(call: &Call<'_>) -> Answer {
    let bound = call.bind("nthhost", &["value", "query"], 1)?;
    let Some(found) = Net::parse(&bound.value(0)) else { return Ok(Value::Bool(false)) };
    let Ok(index) = number(&bound.value(1)) else { return Ok(Value::Bool(false)) };
    let at = if index < 0 {
        found.last().checked_sub(index.unsigned_abs() - 1)
    } else {
        found.network().checked_add(index.unsigned_abs())
    };
    Ok(match at.filter(|ip| found.network() <= *ip && *ip <= found.last()) {
        Some(ip) => found.text_of(ip).into(),
        None => Value::Bool(false),
    })
}

fn neighbour(call: &Call<'_>, name: &'static str, forward: bool) -> Answer {
    let bound = call.bind(name, &["value", "offset"], 1)?;
    let Some(found) = Net::parse(&bound.value(0)) else { return Ok(Value::Bool(false)) };
    let offset = bound.some(1).map_or(Ok(1), number)?.unsigned_abs();
    let (first, last) = found.usable();
    let ip = if forward { found.ip.checked_add(offset) } else { found.ip.checked_sub(offset) };
    Ok(match ip.filter(|ip| first <= *ip && *ip <= last && found.size() > 1) {
        Some(ip) => found.text_of(ip).into(),
        None => Value::Bool(false),
    })
}

pub(super) fn next_nth_usable(call: &Call<'_>) -> Answer {
    neighbour(call, "next_nth_usable", true)
}

pub(super) fn previous_nth_usable(call: &Call<'_>) -> Answer {
    neighbour(call, "previous_nth_usable", false)
}

fn two(call: &Call<'_>, name: &'static str) -> Result<Option<(Net, Net)>, ValueError> {
    let bound = call.bind(name, &["value", "test"], 2)?;
    Ok(Net::parse(&bound.value(0)).zip(Net::parse(&bound.value(1))))
}

pub(super) fn network_in_network(call: &Call<'_>) -> Answer {
    Ok(two(call, "network_in_network")?
        .is_some_and(|(a, b)| a.v6 == b.v6 && a.network() <= b.network() && b.last() <= a.last())
        .into())
}

pub(super) fn network_in_usable(call: &Call<'_>) -> Answer {
    Ok(two(call, "network_in_usable")?
        .is_some_and(|(a, b)| {
            let (first, last) = a.usable();
            a.v6 == b.v6 && first <= b.network() && b.last() <= last
        })
        .into())
}

pub(super) fn reduce_on_network(call: &Call<'_>) -> Answer {
    let bound = call.bind("reduce_on_network", &["value", "network"], 2)?;
    let network = net(&bound.value(1))?;
    let kept = items_of(&bound.value(0))?.into_iter().filter(|item| {
        Net::parse(item).is_some_and(|it| {
            it.v6 == network.v6 && network.network() <= it.network() && it.last() <= network.last()
        })
    });
    Ok(Value::list(kept.collect()))
}

/// The fewest networks that cover two neighbouring bounds.
fn cover(first: u128, last: u128, v6: bool, out: &mut Vec<Net>) {
    let width = if v6 { 128 } else { 32 };
    let mut at = first;
    loop {
        let mut bits = at.trailing_zeros().min(width);
        while bits > 0
            && at
                .checked_add((1_u128.checked_shl(bits).unwrap_or(0)).wrapping_sub(1))
                .is_none_or(|end| end > last)
        {
            bits -= 1;
        }
        out.push(Net { v6, ip: at, prefix: width - bits, written: true });
        let end = at | if bits == 128 { u128::MAX } else { (1 << bits) - 1 };
        if end >= last {
            return;
        }
        at = end + 1;
    }
}

pub(super) fn cidr_merge(call: &Call<'_>) -> Answer {
    let bound = call.bind("cidr_merge", &["value", "action"], 1)?;
    let input = bound.value(0);
    if !matches!(input, Value::List(_) | Value::Tuple(_)) {
        return Err(refuse("cidr_merge: expected iterable, got ".to_owned() + &input.to_str()));
    }
    let mut nets = items_of(&input)?.iter().map(net).collect::<Result<Vec<_>, _>>()?;
    nets.sort_by_key(|net| (net.v6, net.network(), net.prefix));
    match bound.text_or(1, "merge").as_str() {
        "merge" => {
            let mut ranges: Vec<(bool, u128, u128)> = Vec::new();
            for net in nets {
                match ranges.last_mut() {
                    Some((v6, _, last))
                        if *v6 == net.v6 && net.network() <= last.saturating_add(1) =>
                    {
                        *last = (*last).max(net.last());
                    }
                    _ => ranges.push((net.v6, net.network(), net.last())),
                }
            }
            let mut out = Vec::new();
            for (v6, first, last) in ranges {
                cover(first, last, v6, &mut out);
            }
            Ok(Value::list(out.iter().map(|net| net.with_prefix(net.ip).into()).collect()))
        }
        "span" => {
            let (Some(first), Some(last)) = (nets.first(), nets.iter().map(Net::last).max()) else {
                return Ok(Value::Null);
            };
            let same = (first.network() ^ last).leading_zeros() - (128 - first.width());
            let span = Net { prefix: same, written: true, ..*first };
            Ok(span.with_prefix(span.network()).into())
        }
        other => Err(refuse(format!("cidr_merge: invalid action '{other}'"))),
    }
}

pub(super) fn usable_range(call: &Call<'_>) -> Answer {
    let bound = call.bind("usable_range", &["ip"], 1)?;
    let input = bound.value(0);
    let found = Net::parse(&input).ok_or_else(|| {
        refuse(format!("{} does not appear to be an IPv4 or IPv6 network", input.repr()))
    })?;
    if found.ip != found.network() {
        return Err(refuse(format!("{} has host bits set", input.to_str())));
    }
    let count = found.size();
    if count > 1 << 20 {
        return Err(refuse("the range is too large"));
    }
    let addresses = (0..count).map(|at| Value::from(found.text_of(found.network() + at))).collect();
    let map: davit_value::Map = [
        ("usable_ips", Value::list(addresses)),
        ("number_of_ips", Value::Int(i128::try_from(count).unwrap_or(0))),
    ]
    .into_iter()
    .collect();
    Ok(map.into())
}

pub(super) fn slaac(call: &Call<'_>) -> Answer {
    let bound = call.bind("slaac", &["value", "query"], 1)?;
    let Some(found) = Net::parse(&bound.value(0)).filter(|found| found.v6) else {
        return Ok(Value::Bool(false));
    };
    let Some(mac) = mac_bytes(&bound.text(1)) else { return Ok(Value::Bool(false)) };
    let word = [mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]]
        .iter()
        .fold(0_u128, |word, byte| word << 8 | u128::from(*byte));
    Ok(found.text_of(found.network() | word).into())
}

/// The six bytes of a hardware address in any of its spellings.
fn mac_bytes(text: &str) -> Option<[u8; 6]> {
    let separators = [':', '-', '.'];
    let parts: Vec<&str> = text.split(separators).collect();
    let digits: String = match parts.len() {
        6 => parts.iter().map(|part| format!("{part:0>2}")).collect(),
        3 => parts.iter().map(|part| format!("{part:0>4}")).collect(),
        2 => parts.iter().map(|part| format!("{part:0>6}")).collect(),
        1 => text.to_owned(),
        _ => return None,
    };
    if digits.len() != 12 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut out = [0; 6];
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(out)
}

fn mac_text(mac: [u8; 6], query: &str) -> Option<Value> {
    let bytes = |glue: &str, upper: bool| {
        let text = mac.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(glue);
        if upper { text.to_uppercase() } else { text }
    };
    let word = |a: u8, b: u8| format!("{a:02x}{b:02x}");
    let words = [word(mac[0], mac[1]), word(mac[2], mac[3]), word(mac[4], mac[5])];
    Some(match query {
        "" | "unix" | "linux" => {
            if query == "unix" {
                mac.iter().map(|byte| format!("{byte:x}")).collect::<Vec<_>>().join(":").into()
            } else {
                bytes(":", false).into()
            }
        }
        "win" | "eui48" => bytes("-", true).into(),
        "cisco" => words.join(".").into(),
        "postgresql" | "pgsql" | "psql" => {
            format!("{}:{}", bytes("", false).get(..6)?, bytes("", false).get(6..)?).into()
        }
        "bare" => bytes("", true).into(),
        "bool" => true.into(),
        "int" => mac.iter().fold(0_i128, |number, byte| number << 8 | i128::from(*byte)).into(),
        _ => return None,
    })
}

pub(super) fn hwaddr(call: &Call<'_>) -> Answer {
    let bound = call.bind("hwaddr", &["value", "query", "alias"], 1)?;
    let query = bound.text(1);
    let input = bound.value(0);
    let text = match &input {
        Value::Int(int) => format!("{int:012x}"),
        other => other.to_str(),
    };
    let Some(mac) = mac_bytes(text.trim()) else {
        if query.is_empty() {
            return Ok(Value::Null);
        }
        if query == "bool" {
            return Ok(Value::Bool(false));
        }
        return Err(refuse(format!("hwaddr: not a hardware address: {text}")));
    };
    if query.is_empty() {
        return Ok(input);
    }
    mac_text(mac, &query).ok_or_else(|| refuse(format!("hwaddr: unknown filter type: {query}")))
}

pub(super) fn macaddr(call: &Call<'_>) -> Answer {
    hwaddr(call)
}
