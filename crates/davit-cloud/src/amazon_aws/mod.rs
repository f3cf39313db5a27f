//! `amazon.aws`: the table. One line per module, by name.

mod autoscaling_group;
mod autoscaling_group_info;
mod ec2_instance;
mod ec2_instance_info;
mod ec2_snapshot;
mod ec2_vol;

use davit_module::control::Entry;

/// Every module of this collection, by name.
pub const MODULES: &[Entry] = &[
    Entry::of::<autoscaling_group::AutoscalingGroup>(),
    Entry::of::<autoscaling_group_info::AutoscalingGroupInfo>(),
    Entry::of::<ec2_instance::Ec2Instance>(),
    Entry::of::<ec2_instance_info::Ec2InstanceInfo>(),
    Entry::of::<ec2_snapshot::Ec2Snapshot>(),
    Entry::of::<ec2_vol::Ec2Vol>(),
];
