//! The tests.

use crate::Function;

/// Every test by its short name, sorted.
pub const TESTS: &[(&str, Function)] = &[];
