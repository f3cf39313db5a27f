//! `--tags` and `--skip-tags` against the tags of a task.

/// What was asked for.
pub(crate) struct Tags<'a> {
    pub(crate) only: &'a [String],
    pub(crate) skip: &'a [String],
}

impl Tags<'_> {
    /// Whether a task with these tags, those around it included, is to run.
    pub(crate) fn allow(&self, tags: &[String]) -> bool {
        let has = |list: &[String], word: &str| list.iter().any(|it| it == word);
        let untagged = ["untagged".to_owned()];
        let tags: &[String] = if tags.is_empty() { &untagged } else { tags };
        let shared = |list: &[String]| tags.iter().any(|tag| has(list, tag));
        let is_tagged = tags != untagged;
        let only = self.only;
        let mut run = only.is_empty();
        if !run {
            run = has(tags, "always")
                || (has(only, "all") && !has(tags, "never"))
                || shared(only)
                || (has(only, "tagged") && is_tagged && !has(tags, "never"));
        }
        if run && !self.skip.is_empty() {
            let skip = self.skip;
            let skipped = if has(skip, "all") {
                !has(tags, "always") || has(skip, "always")
            } else {
                shared(skip) || (has(skip, "tagged") && is_tagged)
            };
            run = !skipped;
        }
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(only: &str, skip: &str, tags: &str) -> bool {
        let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        Tags { only: &list(only), skip: &list(skip) }.allow(&list(tags))
    }

    #[test]
    fn tags_choose_tasks() {
        for (only, skip, tags, run) in [
            ("all", "", "", true),
            ("all", "", "never", false),
            ("all", "", "never x", false),
            ("x", "", "never x", true),
            ("x", "", "", false),
            ("x", "", "always", true),
            ("tagged", "", "", false),
            ("tagged", "", "x", true),
            ("untagged", "", "", true),
            ("untagged", "", "x", false),
            ("all", "x", "x", false),
            ("all", "always", "always", false),
            ("all", "tagged", "x", false),
            ("all", "untagged", "", false),
        ] {
            assert_eq!(check(only, skip, tags), run, "{only} / {skip} / {tags}");
        }
    }
}
