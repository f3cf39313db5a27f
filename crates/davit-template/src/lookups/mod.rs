//! Every lookup, by name. Each gives a list.

use crate::Function;

/// Names and lookups, sorted by name.
pub const LOOKUPS: &[(&str, Function)] = &[];
