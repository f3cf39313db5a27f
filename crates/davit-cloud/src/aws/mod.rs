//! What modules for AWS share: who calls, filters, tags, policies, names of results. All but the
//! client is worked out without a call.

pub mod bucket;
pub mod client;
pub mod filters;
pub mod iam;
pub mod login;
pub mod names;
pub mod object;
pub mod patience;
pub mod policy;
pub mod s3;
pub mod tags;
