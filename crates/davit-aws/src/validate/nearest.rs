//! The name that somebody probably meant.

/// The one of these that is nearest to a name, if any is near: the same but for case, underscores and
/// hyphens, or with a few letters changed.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = fold(name);
    let most = 1 + wanted.chars().count() / 4;
    known
        .into_iter()
        .map(|it| (strsim::damerau_levenshtein(&wanted, &fold(it)), it))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= most)
        .map(|(_, it)| it)
}

/// `instance_ids` and `InstanceIds` are the same here. Only so much is looked at as a name can be long.
fn fold(name: &str) -> String {
    let letters = name.chars().filter(|it| !matches!(it, '_' | '-')).take(64);
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["InstanceIds", "Filters", "MaxResults"];
        for (name, expect) in [
            ("instance_ids", Some("InstanceIds")),
            ("instance-ids", Some("InstanceIds")),
            ("Filter", Some("Filters")),
            ("MaxResult", Some("MaxResults")),
            ("MxaResults", Some("MaxResults")),
            ("Owner", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), expect, "{name}");
        }
        assert_eq!(nearest("x", []), None);
    }
}
