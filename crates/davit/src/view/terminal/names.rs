//! Many host names in few columns: `web[1-3,7] db1 and 12 more`.

use std::collections::HashMap;

use crate::view::paint::columns;

/// Numbers of more digits are part of the name.
const DIGITS: usize = 15;

/// Names that differ in one number only.
#[derive(Default)]
struct Series {
    head: String,
    tail: String,
    /// Digits that every number is filled to; none where they have no zeros in front.
    pad: usize,
    numbers: Vec<u64>,
    /// How many hosts have this very name, where there is no number in it.
    plain: usize,
}

/// All of `hosts`, where they fit in `room` columns.
pub(super) fn whole<S: AsRef<str>>(hosts: &[S], room: usize) -> Option<String> {
    let series = series(hosts);
    let shown: Vec<(usize, String)> =
        ranges(&series).into_iter().map(|(at, text, _)| (at, text)).collect();
    // Each takes a column at least: what cannot fit is not put together.
    if shown.len() > room {
        return None;
    }
    Some(render(&series, &shown)).filter(|text| columns(text) <= room)
}

/// `hosts` in at most `room` columns; those that find no place are counted. The first name is
/// always there.
pub(super) fn list<S: AsRef<str>>(hosts: &[S], room: usize) -> String {
    if let Some(whole) = whole(hosts, room) {
        return whole;
    }
    let series = series(hosts);
    let mut shown: Vec<(usize, String)> = Vec::new();
    let mut told = 0;
    for (at, text, hosts_in) in ranges(&series) {
        shown.push((at, text));
        let left = hosts.len().saturating_sub(told + hosts_in);
        let fits = columns(&render(&series, &shown)) + columns(&more(left)) <= room;
        if !fits && shown.len() > 1 {
            shown.pop();
            break;
        }
        told += hosts_in;
    }
    format!("{}{}", render(&series, &shown), more(hosts.len().saturating_sub(told)))
}

/// A list in lines of at most `room` columns, where its names are no longer than that.
pub(super) fn wrap(list: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in list.split_inclusive([' ', ',']) {
        match lines.last_mut() {
            Some(line) if columns(line) + columns(piece.trim_end()) <= room => line.push_str(piece),
            _ => lines.push(piece.to_owned()),
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// All ranges: of which series, as text, of how many hosts.
fn ranges(series: &[Series]) -> Vec<(usize, String, usize)> {
    let of = |(at, it): (usize, &Series)| {
        it.ranges().into_iter().map(move |(text, hosts)| (at, text, hosts)).collect::<Vec<_>>()
    };
    series.iter().enumerate().flat_map(of).collect()
}

fn more(left: usize) -> String {
    if left == 0 { String::new() } else { format!(" and {left} more") }
}

impl Series {
    /// Stretches of numbers that follow one another, and how many hosts each has.
    fn ranges(&self) -> Vec<(String, usize)> {
        if self.plain > 0 {
            return vec![(String::new(), self.plain)];
        }
        let mut numbers = self.numbers.clone();
        numbers.sort_unstable();
        let mut ranges: Vec<(u64, u64, usize)> = Vec::new();
        for number in numbers {
            match ranges.last_mut() {
                Some((_, last, hosts)) if number.saturating_sub(*last) <= 1 => {
                    *last = number;
                    *hosts += 1;
                }
                _ => ranges.push((number, number, 1)),
            }
        }
        let pad = self.pad;
        let text = |(first, last, hosts)| {
            if first == last {
                (format!("{first:0pad$}"), hosts)
            } else {
                (format!("{first:0pad$}-{last:0pad$}"), hosts)
            }
        };
        ranges.into_iter().map(text).collect()
    }
}

fn render(series: &[Series], shown: &[(usize, String)]) -> String {
    let names = shown.chunk_by(|one, other| one.0 == other.0).filter_map(|chunk| {
        let Series { head, tail, .. } = series.get(chunk.first()?.0)?;
        let ranges: Vec<&str> = chunk.iter().map(|(_, text)| text.as_str()).collect();
        let alone = matches!(ranges.as_slice(), [one] if !one.contains('-'));
        let numbers = ranges.join(",");
        Some(if alone {
            format!("{head}{numbers}{tail}")
        } else {
            format!("{head}[{numbers}]{tail}")
        })
    });
    names.collect::<Vec<_>>().join(" ")
}

/// What two hosts have in common to stand together: what is around the number, and how many digits
/// it has where that matters.
type Key<'a> = (&'a str, &'a str);

fn series<S: AsRef<str>>(hosts: &[S]) -> Vec<Series> {
    let mut order: Vec<Key<'_>> = Vec::new();
    let mut found: HashMap<Key<'_>, Vec<Option<&str>>> = HashMap::new();
    for host in hosts {
        let host = host.as_ref();
        let (key, digits) = match split(host) {
            Some((head, digits, tail)) => ((head, tail), Some(digits)),
            None => ((host, ""), None),
        };
        let entry = found.entry(key).or_default();
        if entry.is_empty() {
            order.push(key);
        }
        entry.push(digits);
    }
    let mut series = Vec::new();
    for key in order {
        let Some(entries) = found.get(&key) else { continue };
        let (head, tail) = (key.0.to_owned(), key.1.to_owned());
        let plain = entries.iter().filter(|it| it.is_none()).count();
        if plain > 0 {
            series.push(Series {
                head: head.clone(),
                tail: tail.clone(),
                plain,
                ..Series::default()
            });
        }
        let digits: Vec<&str> = entries.iter().flatten().copied().collect();
        for (pad, numbers) in padded(&digits) {
            series.push(Series { head: head.clone(), tail: tail.clone(), pad, numbers, plain: 0 });
        }
    }
    series
}

/// Numbers by the digits that they are filled to.
fn padded(digits: &[&str]) -> Vec<(usize, Vec<u64>)> {
    let filled = digits.iter().any(|it| it.len() > 1 && it.starts_with('0'));
    let mut groups: Vec<(usize, Vec<u64>)> = Vec::new();
    for text in digits {
        let Ok(number) = text.parse() else { continue };
        let pad = if filled { text.len() } else { 0 };
        match groups.iter_mut().find(|(it, _)| *it == pad) {
            Some((_, numbers)) => numbers.push(number),
            None => groups.push((pad, vec![number])),
        }
    }
    groups
}

/// The number in a name that counts hosts: the last one before the first dot, or the last one of an
/// address.
fn split(host: &str) -> Option<(&str, &str, &str)> {
    // Who ran it for whom is no name.
    if host.contains(' ') {
        return None;
    }
    let is_address = host.bytes().all(|it| it.is_ascii_digit() || it == b'.' || it == b':');
    let label = if is_address { host } else { host.split('.').next()? };
    let end = label.rfind(|it: char| it.is_ascii_digit())? + 1;
    let start = label[..end]
        .rfind(|it: char| !it.is_ascii_digit())
        .map_or(0, |at| at + label[at..].chars().next().map_or(1, char::len_utf8));
    (end - start <= DIGITS).then(|| (&host[..start], &host[start..end], &host[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hosts: &str, room: usize, expect: &str) {
        let hosts: Vec<&str> = hosts.split(' ').collect();
        assert_eq!(list(&hosts, room), expect);
    }

    #[test]
    fn numbers_that_follow_one_another_are_a_range() {
        check("web1", 80, "web1");
        check("web1 web2 web3 web7 db1", 80, "web[1-3,7] db1");
        check("web3 web1 web2", 80, "web[1-3]");
        check("web08 web09 web10 web11", 80, "web[08-11]");
        check("web8 web9 web10", 80, "web[8-10]");
        check("n01 n1 n2", 80, "n01 n[1-2]");
        check("web1.example.com web2.example.com", 80, "web[1-2].example.com");
        check("10.0.0.7 10.0.0.8", 80, "10.0.0.[7-8]");
        check("alpha beta", 80, "alpha beta");
        check("knoten-ä1 knoten-ä2", 80, "knoten-ä[1-2]");
        check("1 2 4", 80, "[1-2,4]");
        check("h99999999999999999999 h2", 80, "h99999999999999999999 h2");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        check("a b c d e f g h i", 16, "a b c and 6 more");
        check("web1 web3 web5 web7 web9 web11 web13 web15 web17", 22, "web[1,3,5] and 6 more");
        check("a-very-long-name b", 5, "a-very-long-name and 1 more");
    }

    #[test]
    fn a_long_list_has_several_lines() {
        assert_eq!(wrap("web[1,3,5] db1 db2", 10), ["web[1,3,5]", "db1 db2"]);
        assert_eq!(wrap("web[1,3,5] db1", 8), ["web[1,3,", "5] db1"]);
    }

    #[test]
    fn delegated_hosts_stand_for_themselves() {
        let hosts = ["web1 -> db1", "web2 -> db1"];
        assert_eq!(list(&hosts, 80), "web1 -> db1 web2 -> db1");
    }
}
