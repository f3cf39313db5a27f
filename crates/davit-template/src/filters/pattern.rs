//! Python's patterns with the errors of values: a thin face over `davit-pattern`.
//!
//! Knows nothing of the dialect itself.

use davit_pattern::PatternError;
use davit_value::ValueError;
use fancy_regex::Captures;

pub use davit_pattern::Flags;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern(davit_pattern::Pattern);

impl Pattern {
    /// Compiles a Python pattern, or finds it compiled.
    ///
    /// # Errors
    /// What Python's `re.error` says.
    pub fn new(pattern: &str, flags: Flags) -> Result<Self, ValueError> {
        davit_pattern::Pattern::new(pattern, flags).map(Self).map_err(refused)
    }

    /// How many groups, the whole match not counted.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.0.groups()
    }

    /// The number of a named group.
    #[must_use]
    pub fn group_named(&self, name: &str) -> Option<usize> {
        self.0.group_named(name)
    }

    /// The first match at or after the byte `from`.
    ///
    /// # Errors
    /// Where matching takes too long.
    pub fn find_from<'t>(
        &self,
        text: &'t str,
        from: usize,
    ) -> Result<Option<Captures<'t, str>>, ValueError> {
        self.0.find_from(text, from).map_err(refused)
    }

    /// Whether the pattern matches somewhere in `text`.
    ///
    /// # Errors
    /// Where matching takes too long.
    pub fn search(&self, text: &str) -> Result<bool, ValueError> {
        self.0.search(text).map_err(refused)
    }

    /// Every match as Python finds them.
    ///
    /// # Errors
    /// Where matching takes too long.
    pub fn find_all<'t>(
        &self,
        text: &'t str,
        most: Option<usize>,
    ) -> Result<Vec<Captures<'t, str>>, ValueError> {
        self.0.find_all(text, most).map_err(refused)
    }

    /// Python's `re.sub`; also says how many matches were replaced.
    ///
    /// # Errors
    /// For a replacement that Python refuses.
    pub fn replace(
        &self,
        text: &str,
        replacement: &str,
        most: Option<usize>,
    ) -> Result<(String, usize), ValueError> {
        self.0.replace(text, replacement, most).map_err(refused)
    }
}

fn refused(error: PatternError) -> ValueError {
    ValueError::Value(error.to_string())
}
