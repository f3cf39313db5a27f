//! What modules for AWS share: who calls, filters, tags, policies, names of results. All but the
//! client is worked out without a call.

pub mod autoscaling;
pub mod client;
pub mod ec2;
pub mod filters;
pub mod instance_settings;
pub mod instances;
pub mod launch;
pub mod login;
pub mod names;
pub mod policy;
pub mod tags;
