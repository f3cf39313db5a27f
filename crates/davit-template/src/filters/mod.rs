//! The filters.

use crate::Function;

/// Every filter by its short name, sorted.
pub const FILTERS: &[(&str, Function)] = &[];
