//! What modules for AWS share: who calls, filters, tags, policies, names of results. All but the
//! client is worked out without a call.

pub mod cidr;
pub mod client;
pub mod ec2;
pub mod filters;
pub mod login;
pub mod names;
pub mod permissions;
pub mod policy;
pub mod tags;
