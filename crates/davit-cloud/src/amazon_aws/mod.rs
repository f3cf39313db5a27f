//! `amazon.aws`: the table. One line per module, by name.

mod autoscaling_group_info;
mod ec2_instance;
mod ec2_instance_info;

use davit_module::control::Entry;

/// Every module of this collection, by name.
pub const MODULES: &[Entry] = &[
    Entry::of::<autoscaling_group_info::AutoscalingGroupInfo>(),
    Entry::of::<ec2_instance::Ec2Instance>(),
    Entry::of::<ec2_instance_info::Ec2InstanceInfo>(),
];
