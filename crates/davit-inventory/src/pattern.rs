//! Host patterns: `web:&dc1:!old*`, `~regex`, `group[0:2]`, limits and `@files`. Knows no sources.

use std::sync::Arc;

use fancy_regex::Regex;
use indexmap::IndexSet;

use crate::address::parse_address;
use crate::error::{Error, Warning};
use crate::model::{Inventory, LOCALHOST};
use crate::options::PatternMismatch;

/// In which order the hosts of a play come: its keyword `order`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As the inventory has them.
    #[default]
    Inventory,
    /// The other way round.
    ReverseInventory,
    /// By name.
    Sorted,
    /// By name, the last first.
    ReverseSorted,
    /// By chance, from this seed.
    Shuffle(u64),
}

impl Order {
    /// The order of that name: `inventory`, `sorted`, `reverse_sorted`, `reverse_inventory`, `shuffle` (with `seed`).
    #[must_use]
    pub fn from_name(name: &str, seed: u64) -> Option<Self> {
        Some(match name {
            "inventory" => Self::Inventory,
            "reverse_inventory" => Self::ReverseInventory,
            "sorted" => Self::Sorted,
            "reverse_sorted" => Self::ReverseSorted,
            "shuffle" => Self::Shuffle(seed),
            _ => return None,
        })
    }

    /// Puts `hosts`, which are in inventory order, into this one.
    pub fn apply(self, hosts: &mut [Arc<str>]) {
        match self {
            Self::Inventory => {}
            Self::ReverseInventory => hosts.reverse(),
            Self::Sorted => hosts.sort_unstable(),
            Self::ReverseSorted => hosts.sort_unstable_by(|a, b| b.cmp(a)),
            Self::Shuffle(seed) => shuffle(hosts, seed),
        }
    }
}

/// Fisher and Yates with a small generator: fair enough for the order of hosts.
fn shuffle(hosts: &mut [Arc<str>], seed: u64) {
    let mut state = seed;
    for at in (1..hosts.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let other = usize::try_from(mixed % (at as u64 + 1)).unwrap_or(0);
        hosts.swap(at, other);
    }
}

impl Inventory {
    /// The hosts that `pattern` selects, in inventory order, but only those that `limit` selects too.
    ///
    /// # Errors
    /// For a regular expression that is none, a limit file that is not there, and, where the options want that, patterns without hosts.
    pub fn match_hosts(
        &self,
        pattern: &str,
        limit: Option<&str>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<Arc<str>>, Error> {
        self.match_patterns(&[pattern], limit, warnings)
    }

    /// As [`match_hosts`](Self::match_hosts) for a list of patterns, as a play's `hosts` may be.
    ///
    /// # Errors
    /// As there.
    pub fn match_patterns(
        &self,
        patterns: &[&str],
        limit: Option<&str>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<Arc<str>>, Error> {
        let split: Vec<String> = patterns.iter().flat_map(|pattern| split(pattern)).collect();
        let mut hosts = self.evaluate(&split, warnings)?;
        if let Some(limit) = limit {
            let allowed = self.limit(limit, warnings)?;
            hosts.retain(|host| allowed.contains(host));
        }
        Ok(hosts
            .into_iter()
            .filter_map(|id| self.hosts.get(id).map(|host| Arc::clone(&host.name)))
            .collect())
    }

    /// The hosts that `pattern` selects as `--list-hosts` has them: a name of this machine stays even where a limit leaves nothing.
    ///
    /// # Errors
    /// As [`match_hosts`](Self::match_hosts).
    pub fn list_hosts(
        &self,
        pattern: &str,
        limit: Option<&str>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<Arc<str>>, Error> {
        let hosts = self.match_hosts(pattern, limit, warnings)?;
        if hosts.is_empty() && LOCALHOST.contains(&pattern) {
            return Ok(vec![pattern.into()]);
        }
        Ok(hosts)
    }

    fn limit(&self, limit: &str, warnings: &mut Vec<Warning>) -> Result<IndexSet<usize>, Error> {
        let mut patterns = Vec::new();
        for pattern in split(limit) {
            let Some(file) = pattern.strip_prefix('@') else {
                patterns.push(pattern);
                continue;
            };
            let text = std::fs::read_to_string(self.options.folder.join(file))
                .map_err(|_| Error::Pattern(format!("Unable to find limit file b'{file}'")))?;
            patterns.extend(
                text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned),
            );
        }
        self.evaluate(&patterns, warnings)
    }

    /// Plain patterns add, then `&` keeps, then `!` removes.
    fn evaluate(
        &self,
        patterns: &[String],
        warnings: &mut Vec<Warning>,
    ) -> Result<IndexSet<usize>, Error> {
        let mut plain: Vec<&str> = Vec::new();
        let (mut both, mut without) = (Vec::new(), Vec::new());
        for pattern in patterns.iter().map(String::as_str).filter(|pattern| !pattern.is_empty()) {
            match pattern.as_bytes().first() {
                Some(b'&') => both.push(pattern),
                Some(b'!') => without.push(pattern),
                _ => plain.push(pattern),
            }
        }
        if plain.is_empty() {
            plain.push("all");
        }
        let mut hosts: IndexSet<usize> = IndexSet::new();
        for pattern in plain {
            match self.host_ids.get(pattern) {
                Some(id) => {
                    hosts.insert(*id);
                }
                None => hosts.extend(self.matching(pattern, warnings)?),
            }
        }
        for pattern in both {
            let found = self.one(pattern, warnings)?;
            hosts.retain(|host| found.contains(host));
        }
        for pattern in without {
            let found = self.one(pattern, warnings)?;
            hosts.retain(|host| !found.contains(host));
        }
        Ok(hosts)
    }

    fn one(&self, pattern: &str, warnings: &mut Vec<Warning>) -> Result<IndexSet<usize>, Error> {
        match self.host_ids.get(pattern) {
            Some(id) => Ok(IndexSet::from([*id])),
            None => self.matching(pattern.get(1..).unwrap_or(""), warnings),
        }
    }

    /// The hosts of one pattern without operator, its subscript applied.
    fn matching(
        &self,
        pattern: &str,
        warnings: &mut Vec<Warning>,
    ) -> Result<IndexSet<usize>, Error> {
        let (name, subscript) = split_subscript(pattern, warnings);
        let hosts = self.enumerate(name, warnings)?;
        let Some(subscript) = subscript else { return Ok(hosts) };
        let hosts: Vec<usize> = hosts.into_iter().collect();
        Ok(match subscript {
            Subscript::At(at) => {
                let at = usize::try_from(at)
                    .ok()
                    .or_else(|| hosts.len().checked_sub(usize::try_from(at.checked_neg()?).ok()?));
                at.and_then(|at| hosts.get(at)).copied().into_iter().collect()
            }
            Subscript::Between(first, last) => {
                let end = last.map_or(hosts.len(), |last| last.saturating_add(1).min(hosts.len()));
                hosts.get(first..end).unwrap_or_default().iter().copied().collect()
            }
        })
    }

    fn enumerate(
        &self,
        pattern: &str,
        warnings: &mut Vec<Warning>,
    ) -> Result<IndexSet<usize>, Error> {
        let matcher = Matcher::new(pattern)?;
        let mut hosts: IndexSet<usize> = IndexSet::new();
        let mut any_group = false;
        match &matcher {
            Matcher::Exact(name) => {
                if let Some(id) = self.group_ids.get(*name) {
                    any_group = true;
                    hosts.extend(self.hosts_of(*id).iter().copied());
                }
            }
            _ => {
                for (name, id) in &self.group_ids {
                    if matcher.is_match(name) {
                        any_group = true;
                        hosts.extend(self.hosts_of(*id).iter().copied());
                    }
                }
            }
        }
        if !any_group || pattern.starts_with('~') || pattern.contains(['.', '?', '*', '[']) {
            match &matcher {
                Matcher::Exact(name) => hosts.extend(self.host_ids.get(*name).copied()),
                _ => hosts.extend(
                    self.host_ids
                        .iter()
                        .filter(|(name, _)| matcher.is_match(name))
                        .map(|(_, id)| *id),
                ),
            }
        }
        if hosts.is_empty() && LOCALHOST.contains(&pattern) {
            hosts.extend(
                self.implicit.iter().find(|(name, _)| &**name == pattern).map(|(_, id)| *id),
            );
        }
        if hosts.is_empty() && !any_group && pattern != "all" {
            let message = format!("Could not match supplied host pattern, ignoring: {pattern}");
            match self.options.pattern_mismatch {
                PatternMismatch::Warning => {
                    let warning = Warning::new(message);
                    if !warnings.contains(&warning) {
                        warnings.push(warning);
                    }
                }
                PatternMismatch::Error => return Err(Error::Pattern(message)),
                PatternMismatch::Ignore => {}
            }
        }
        Ok(hosts)
    }
}

/// Splits a list of patterns at commas; where there is none, at colons that are in no brackets, unless the whole is an address.
fn split(pattern: &str) -> Vec<String> {
    if pattern.contains(',') {
        return pattern
            .split(',')
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty())
            .collect();
    }
    let pattern = pattern.trim();
    if parse_address(pattern, true).is_some() {
        return vec![pattern.to_owned()];
    }
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut rest = pattern;
    while let Some(char) = rest.chars().next() {
        let mut size = char.len_utf8();
        match char {
            '[' => match rest.find(']') {
                Some(end) => {
                    size = end + 1;
                    part.push_str(rest.get(..size).unwrap_or(""));
                }
                // A bracket that nothing closes belongs to nothing.
                None => {
                    parts.extend(Some(std::mem::take(&mut part)).filter(|part| !part.is_empty()));
                }
            },
            ':' | ']' => {
                parts.extend(Some(std::mem::take(&mut part)).filter(|part| !part.is_empty()));
            }
            char if char.is_whitespace() => {
                parts.extend(Some(std::mem::take(&mut part)).filter(|part| !part.is_empty()));
            }
            char => part.push(char),
        }
        rest = rest.get(size..).unwrap_or("");
    }
    parts.extend(Some(part).filter(|part| !part.is_empty()));
    parts
}

enum Subscript {
    At(i64),
    Between(usize, Option<usize>),
}

/// `web[0]`, `web[-1]`, `web[1:3]`, `web[1:]` and the old `web[1-3]`.
fn split_subscript<'p>(
    pattern: &'p str,
    warnings: &mut Vec<Warning>,
) -> (&'p str, Option<Subscript>) {
    let none = (pattern, None);
    if pattern.starts_with('~') {
        return none;
    }
    let Some((name, inside)) = pattern.strip_suffix(']').and_then(|rest| rest.rsplit_once('['))
    else {
        return none;
    };
    if name.is_empty() {
        return none;
    }
    let number = |text: &str| {
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<i64>().unwrap_or(i64::MAX))
    };
    let size = |int: i64| usize::try_from(int).unwrap_or(usize::MAX);
    if let Some(at) = number(inside) {
        return (name, Some(Subscript::At(at)));
    }
    if let Some(at) = inside.strip_prefix('-').and_then(number) {
        return (name, Some(Subscript::At(-at)));
    }
    let Some(at) = inside.find([':', '-']) else { return none };
    let (first, rest) = inside.split_at(at);
    let last = rest.get(1..).unwrap_or("");
    let Some(first) = number(first) else { return none };
    let last = match number(last) {
        Some(last) => Some(size(last)),
        None if last.is_empty() => None,
        None => return none,
    };
    if rest.starts_with('-') {
        warnings.push(Warning::new(
            "Use [x:y] inclusive subscripts instead of [x-y] which has been removed",
        ));
    }
    (name, Some(Subscript::Between(size(first), last)))
}

enum Matcher<'p> {
    Exact(&'p str),
    Wild(Vec<Piece>),
    Regex(Box<Regex>),
}

enum Piece {
    Any,
    One,
    Char(char),
    Set { negated: bool, ranges: Vec<(char, char)> },
}

impl<'p> Matcher<'p> {
    fn new(pattern: &'p str) -> Result<Self, Error> {
        if let Some(expression) = pattern.strip_prefix('~') {
            return Regex::new(&format!("^(?:{expression})"))
                .map(|regex| Self::Regex(Box::new(regex)))
                .map_err(|_| Error::Pattern(format!("Invalid host list pattern: {pattern}")));
        }
        if !pattern.contains(['*', '?', '[']) {
            return Ok(Self::Exact(pattern));
        }
        Ok(Self::Wild(pieces(pattern)))
    }

    fn is_match(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => *exact == name,
            Self::Regex(regex) => regex.is_match(name).unwrap_or(false),
            Self::Wild(pieces) => wild_match(pieces, name),
        }
    }
}

/// A shell pattern as Python's `fnmatch` takes it apart.
fn pieces(pattern: &str) -> Vec<Piece> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(char) = chars.get(at) {
        at += 1;
        match char {
            '*' => out.push(Piece::Any),
            '?' => out.push(Piece::One),
            '[' => {
                let negated = chars.get(at) == Some(&'!');
                let begin = at + usize::from(negated);
                // A bracket right after the opening one is a member.
                let end = chars
                    .iter()
                    .skip(begin + 1)
                    .position(|char| *char == ']')
                    .map(|end| end + begin + 1);
                match end {
                    Some(end) => {
                        out.push(Piece::Set {
                            negated,
                            ranges: ranges(chars.get(begin..end).unwrap_or_default()),
                        });
                        at = end + 1;
                    }
                    None => out.push(Piece::Char('[')),
                }
            }
            char => out.push(Piece::Char(*char)),
        }
    }
    out
}

fn ranges(members: &[char]) -> Vec<(char, char)> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(first) = members.get(at) {
        match (members.get(at + 1), members.get(at + 2)) {
            (Some('-'), Some(last)) => {
                if first <= last {
                    out.push((*first, *last));
                }
                at += 3;
            }
            _ => {
                out.push((*first, *first));
                at += 1;
            }
        }
    }
    out
}

/// Without recursion: only the last `*` is ever gone back to.
fn wild_match(pieces: &[Piece], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut piece, mut at) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while at < name.len() {
        let fits = match (pieces.get(piece), name.get(at)) {
            (Some(Piece::Any), _) => {
                back = Some((piece, at));
                piece += 1;
                continue;
            }
            (Some(Piece::One), Some(_)) => true,
            (Some(Piece::Char(wanted)), Some(char)) => wanted == char,
            (Some(Piece::Set { negated, ranges }), Some(char)) => {
                ranges.iter().any(|(first, last)| (first..=last).contains(&char)) != *negated
            }
            _ => false,
        };
        if fits {
            piece += 1;
            at += 1;
        } else if let Some((star, from)) = back {
            piece = star + 1;
            at = from + 1;
            back = Some((star, from + 1));
        } else {
            return false;
        }
    }
    pieces.iter().skip(piece).all(|piece| matches!(piece, Piece::Any))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_patterns_split() {
        for (pattern, expect) in [
            ("web:db", "web|db"),
            ("a, b ,,c", "a|b|c"),
            ("fe80::1", "fe80::1"),
            ("web[1:2]:!x", "web[1:2]|!x"),
            ("~[", "~"),
            ("[ab", "ab"),
            ("web1:2222", "web1:2222"),
            ("", ""),
            ("web:&dc:!old", "web|&dc|!old"),
        ] {
            assert_eq!(split(pattern).join("|"), expect, "{pattern}");
        }
    }

    #[test]
    fn shell_patterns_match_as_fnmatch_does() {
        for (pattern, name, expect) in [
            ("web*", "web1", true),
            ("*b1", "web1", true),
            ("w?b", "web", true),
            ("db[!1]", "db2", true),
            ("db[!1]", "db1", false),
            ("web[-2:-1]", "web2", true),
            ("web[-2:-1]", "web1", false),
            ("a[", "a[", true),
            ("[]]", "]", true),
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
        ] {
            assert_eq!(wild_match(&pieces(pattern), name), expect, "{pattern} {name}");
        }
    }

    #[test]
    fn orders() {
        let mut hosts: Vec<Arc<str>> = ["b", "a", "c"].into_iter().map(Arc::from).collect();
        Order::ReverseSorted.apply(&mut hosts);
        assert_eq!(hosts.iter().map(|it| &**it).collect::<String>(), "cba");
        Order::Shuffle(7).apply(&mut hosts);
        Order::Sorted.apply(&mut hosts);
        assert_eq!(hosts.iter().map(|it| &**it).collect::<String>(), "abc");
    }
}
