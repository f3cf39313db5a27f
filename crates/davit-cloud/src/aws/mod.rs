//! What modules for AWS share: who calls, filters, tags, policies, names of results. All of it is
//! worked out without a call.

pub mod filters;
pub mod login;
pub mod names;
pub mod policy;
pub mod tags;
