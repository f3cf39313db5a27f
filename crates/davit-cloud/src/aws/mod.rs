//! What modules for AWS share: who calls, filters, tags, policies, names of results, stacks.

pub mod change_sets;
pub mod client;
pub mod filters;
pub mod login;
pub mod names;
pub mod policy;
pub mod stacks;
pub mod tags;
