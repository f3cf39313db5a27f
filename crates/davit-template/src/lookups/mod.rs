//! The lookups.

use crate::Function;

/// Every lookup by its short name, sorted.
pub const LOOKUPS: &[(&str, Function)] = &[];
