//! What modules for AWS share: who calls, filters, tags, policies, names of results, stacks.

pub mod autoscaling;
pub mod bucket;
pub mod change_sets;
pub mod cidr;
pub mod client;
pub mod ec2;
pub mod ecs;
pub mod ecs_updates;
pub mod filters;
pub mod iam;
pub mod instance_settings;
pub mod instances;
pub mod launch;
pub mod local_files;
pub mod login;
pub mod names;
pub mod object;
pub mod parts;
pub mod patience;
pub mod permissions;
pub mod policy;
pub mod s3;
pub mod shapes;
pub mod stacks;
pub mod tags;
