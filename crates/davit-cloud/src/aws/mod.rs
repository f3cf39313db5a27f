//! What modules for AWS share: who calls, filters, tags, policies, names of results, stacks.

pub mod bucket;
pub mod change_sets;
pub mod client;
pub mod filters;
pub mod iam;
pub mod login;
pub mod names;
pub mod object;
pub mod patience;
pub mod policy;
pub mod s3;
pub mod stacks;
pub mod tags;
