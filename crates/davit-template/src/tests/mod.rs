//! Every test, by name. Each gives a boolean.

use crate::Function;

/// Names and tests, sorted by name.
pub const TESTS: &[(&str, Function)] = &[];
