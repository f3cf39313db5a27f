//! The partitions of AWS and the regions that are in them: `aws`, `aws-cn`, `aws-us-gov` ... Knows no
//! service, and refuses no region for not being listed, since new ones appear.

use std::sync::OnceLock;

use crate::model::{Store, Tree};

/// A part of AWS with its own accounts and names.
#[derive(Debug)]
pub struct Partition {
    /// `aws-us-gov`.
    pub name: &'static str,
    /// The regions that were known when the models were made, sorted; with what stands for the whole
    /// partition: `aws-us-gov-global`.
    pub regions: Vec<&'static str>,
    /// What its hosts' names end with: `amazonaws.com`.
    pub dns_suffix: &'static str,
    /// What the names of hosts that have IPv6 too end with: `api.aws`.
    pub dual_stack_dns_suffix: &'static str,
    /// The region that answers for what has none: `us-east-1`.
    pub implicit_global_region: &'static str,
    /// It has endpoints for FIPS 140.
    pub supports_fips: bool,
    /// It has endpoints with IPv6.
    pub supports_dual_stack: bool,
    pattern: Pattern,
}

impl Partition {
    /// Whether a region is one of its own, by its list or by its pattern.
    #[must_use]
    pub fn has(&self, region: &str) -> bool {
        self.lists(region) || self.pattern.matches(region)
    }

    fn lists(&self, region: &str) -> bool {
        self.regions.binary_search(&region).is_ok()
    }

    fn read(tree: &Tree) -> Option<Self> {
        let outputs = tree.get("outputs")?;
        let name = tree.text("id")?;
        let regions = tree.get("regions").map(Tree::entries).unwrap_or_default();
        let mut regions: Vec<&'static str> = regions.iter().map(|(name, _)| *name).collect();
        regions.sort_unstable();
        Some(Self {
            name,
            regions,
            dns_suffix: outputs.text("dnsSuffix")?,
            dual_stack_dns_suffix: outputs.text("dualStackDnsSuffix")?,
            implicit_global_region: outputs.text("implicitGlobalRegion").unwrap_or_default(),
            supports_fips: outputs.flag("supportsFIPS"),
            supports_dual_stack: outputs.flag("supportsDualStack"),
            pattern: tree.text("regionRegex").and_then(Pattern::read).unwrap_or_default(),
        })
    }
}

/// All partitions; `aws` is the first.
///
/// # Panics
///
/// Never: the partitions were built in, and a test reads them.
#[must_use]
pub fn partitions() -> &'static [Partition] {
    static PARTITIONS: OnceLock<Vec<Partition>> = OnceLock::new();
    PARTITIONS.get_or_init(|| {
        let listed = Store::partitions().get("partitions").map(Tree::items).unwrap_or_default();
        let read: Vec<Partition> = listed.iter().filter_map(Partition::read).collect();
        assert!(!read.is_empty(), "partitions were built in");
        read
    })
}

/// The partition of a region: the one that lists it or whose pattern it matches; `aws` for any other.
#[must_use]
pub fn partition_of(region: &str) -> &'static Partition {
    let all = partitions();
    all.iter().find(|it| it.has(region)).unwrap_or(&all[0])
}

/// The regions of a partition, sorted, without what stands for the partition as a whole; none if there
/// is no such partition.
#[must_use]
pub fn regions(partition: &str) -> Vec<&'static str> {
    let found = partitions().iter().find(|it| it.name == partition);
    let regions = found.map(|it| it.regions.as_slice()).unwrap_or_default();
    regions.iter().copied().filter(|it| !it.ends_with("-global")).collect()
}

/// Whether a region could be one: at most 63 letters, digits and hyphens, with no hyphen at either end,
/// and not all digits.
#[must_use]
pub fn is_valid_region(region: &str) -> bool {
    let bytes = region.as_bytes();
    bytes.len() <= 63
        && bytes.iter().all(|it| it.is_ascii_alphanumeric() || *it == b'-')
        && !region.starts_with('-')
        && !region.ends_with('-')
        && (bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit))
}

/// The region that was probably meant, where one is not listed and a listed one is written almost so.
/// For hints: a region that is not listed may be a new one.
#[must_use]
pub fn nearest_region(region: &str) -> Option<&'static str> {
    if partitions().iter().any(|it| it.lists(region)) {
        return None;
    }
    let all = partitions().iter().flat_map(|it| it.regions.iter().copied());
    let near = all.filter(|it| !it.ends_with("-global"));
    let written = region.to_ascii_lowercase().replace(['_', ' '], "-");
    near.map(|it| (strsim::damerau_levenshtein(&written, it), it))
        .filter(|(distance, _)| *distance <= 2)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it)
}

/// The regular expressions that `partitions.json` has: text, choices of text, `\w+` and `\d+`.
#[derive(Debug, Default)]
struct Pattern(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Choice(Vec<&'static str>),
    Word,
    Digits,
}

impl Pattern {
    /// Nothing if there is more in it than is known here.
    fn read(pattern: &'static str) -> Option<Self> {
        let mut rest = pattern.strip_prefix('^')?.strip_suffix('$')?;
        let mut parts = Vec::new();
        while let Some(next) = rest.chars().next() {
            if let Some(choice) = rest.strip_prefix('(') {
                let (choices, behind) = choice.split_once(')')?;
                parts.push(Part::Choice(choices.split('|').collect()));
                rest = behind;
            } else if let Some(behind) = rest.strip_prefix(r"\w+") {
                parts.push(Part::Word);
                rest = behind;
            } else if let Some(behind) = rest.strip_prefix(r"\d+") {
                parts.push(Part::Digits);
                rest = behind;
            } else if let Some(behind) = rest.strip_prefix(r"\-") {
                parts.push(Part::Text("-".to_owned()));
                rest = behind;
            } else if next.is_ascii_alphanumeric() || next == '-' {
                parts.push(Part::Text(next.to_string()));
                rest = &rest[1..];
            } else {
                return None;
            }
        }
        Some(Self(parts))
    }

    fn matches(&self, text: &str) -> bool {
        !self.0.is_empty() && text.len() <= 63 && rest_matches(&self.0, text)
    }
}

fn rest_matches(parts: &[Part], text: &str) -> bool {
    let Some((part, parts)) = parts.split_first() else { return text.is_empty() };
    let many = |is: fn(char) -> bool| {
        let ends = text.char_indices().take_while(|(_, it)| is(*it));
        ends.map(|(at, it)| at + it.len_utf8()).any(|end| rest_matches(parts, &text[end..]))
    };
    let behind = |known: &str| text.strip_prefix(known).is_some_and(|it| rest_matches(parts, it));
    match part {
        Part::Text(known) => behind(known),
        Part::Choice(choices) => choices.iter().any(|it| behind(it)),
        Part::Word => many(|it| it.is_alphanumeric() || it == '_'),
        Part::Digits => many(|it| it.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_is_read_and_has_a_pattern_that_is_understood() {
        assert!(partitions().len() >= 8);
        for partition in partitions() {
            assert!(!partition.pattern.0.is_empty(), "{}", partition.name);
            for region in regions(partition.name) {
                assert!(partition.pattern.matches(region), "{region}");
                assert_eq!(partition_of(region).name, partition.name, "{region}");
            }
        }
    }

    #[test]
    fn regions_that_are_not_listed_are_told_by_their_pattern() {
        for (region, name) in [
            ("eu-west-99", "aws"),
            ("cn-south-7", "aws-cn"),
            ("us-gov-north-1", "aws-us-gov"),
            ("us-isob-north-12", "aws-iso-b"),
            ("us-east-", "aws"),
            ("mars-east-1", "aws"),
            ("aws-cn-global", "aws-cn"),
            ("", "aws"),
        ] {
            assert_eq!(partition_of(region).name, name, "{region}");
        }
    }

    #[test]
    fn the_region_that_was_meant_is_found() {
        for (region, meant) in [
            ("us-esat-1", Some("us-east-1")),
            ("eu_central_1", Some("eu-central-1")),
            ("eu-central-1", None),
            ("frankfurt", None),
        ] {
            assert_eq!(nearest_region(region), meant, "{region}");
        }
    }

    #[test]
    fn regions_are_labels_of_hosts() {
        for region in ["us-east-1", "x", "a1", ""] {
            assert!(is_valid_region(region), "{region}");
        }
        for region in ["-x", "x-", "12", "a.b", "a_b", "é", "evil.com/", &"a".repeat(64)] {
            assert!(!is_valid_region(region), "{region}");
        }
    }
}
