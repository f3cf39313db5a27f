//! What modules for AWS share: who calls, tags, policies. All of it is worked out without a call.

pub mod login;
pub mod policy;
pub mod tags;
