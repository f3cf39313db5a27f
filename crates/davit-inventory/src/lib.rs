//! Inventories: hosts, groups, variables, patterns.
