//! `amazon.aws`: the table. One line per module, by name.

mod autoscaling_group;
mod autoscaling_group_info;
mod aws_caller_info;
mod cloudformation;
mod cloudformation_info;
mod cloudwatch_metric_alarm;
mod cloudwatchevent_rule;
mod cloudwatchlogs_log_group;
mod ec2_ami;
mod ec2_eip;
mod ec2_instance;
mod ec2_instance_info;
mod ec2_key;
mod ec2_launch_template;
mod ec2_security_group;
mod ec2_snapshot;
mod ec2_tag;
mod ec2_vol;
mod ec2_vpc_igw;
mod ec2_vpc_nat_gateway;
mod ec2_vpc_net;
mod ec2_vpc_route_table;
mod ec2_vpc_subnet;
mod elb_application_lb;
mod elb_application_lb_info;
mod iam_group;
mod iam_managed_policy;
mod iam_policy;
mod iam_role;
mod iam_user;
mod kms_key;
mod lambda;
mod lambda_execute;
mod lambda_info;
mod rds_instance;
mod rds_instance_info;
mod rds_instance_snapshot;
mod rds_snapshot_info;
mod rds_subnet_group;
mod route53;
mod route53_zone;
mod s3_bucket;
mod s3_bucket_info;
mod s3_object;
mod s3_object_info;
mod sts_assume_role;

use davit_module::control::Entry;

/// Every module of this collection, by name.
pub const MODULES: &[Entry] = &[
    Entry::of::<autoscaling_group::AutoscalingGroup>(),
    Entry::of::<autoscaling_group_info::AutoscalingGroupInfo>(),
    Entry::of::<aws_caller_info::AwsCallerInfo>(),
    Entry::of::<cloudformation::Cloudformation>(),
    Entry::of::<cloudformation_info::CloudformationInfo>(),
    Entry::of::<cloudwatch_metric_alarm::CloudwatchMetricAlarm>(),
    Entry::of::<cloudwatchevent_rule::CloudwatcheventRule>(),
    Entry::of::<cloudwatchlogs_log_group::CloudwatchlogsLogGroup>(),
    Entry::of::<ec2_ami::Ec2Ami>(),
    Entry::of::<ec2_eip::Ec2Eip>(),
    Entry::of::<ec2_instance::Ec2Instance>(),
    Entry::of::<ec2_instance_info::Ec2InstanceInfo>(),
    Entry::of::<ec2_key::Ec2Key>(),
    Entry::of::<ec2_launch_template::Ec2LaunchTemplate>(),
    Entry::of::<ec2_security_group::Ec2SecurityGroup>(),
    Entry::of::<ec2_snapshot::Ec2Snapshot>(),
    Entry::of::<ec2_tag::Ec2Tag>(),
    Entry::of::<ec2_vol::Ec2Vol>(),
    Entry::of::<ec2_vpc_igw::Ec2VpcIgw>(),
    Entry::of::<ec2_vpc_nat_gateway::Ec2VpcNatGateway>(),
    Entry::of::<ec2_vpc_net::Ec2VpcNet>(),
    Entry::of::<ec2_vpc_route_table::Ec2VpcRouteTable>(),
    Entry::of::<ec2_vpc_subnet::Ec2VpcSubnet>(),
    Entry::of::<elb_application_lb::ElbApplicationLb>(),
    Entry::of::<elb_application_lb_info::ElbApplicationLbInfo>(),
    Entry::of::<iam_group::IamGroup>(),
    Entry::of::<iam_managed_policy::IamManagedPolicy>(),
    Entry::of::<iam_policy::IamPolicy>(),
    Entry::of::<iam_role::IamRole>(),
    Entry::of::<iam_user::IamUser>(),
    Entry::of::<kms_key::KmsKey>(),
    Entry::of::<lambda::Lambda>(),
    Entry::of::<lambda_execute::LambdaExecute>(),
    Entry::of::<lambda_info::LambdaInfo>(),
    Entry::of::<rds_instance::RdsInstance>(),
    Entry::of::<rds_instance_info::RdsInstanceInfo>(),
    Entry::of::<rds_instance_snapshot::RdsInstanceSnapshot>(),
    Entry::of::<rds_snapshot_info::RdsSnapshotInfo>(),
    Entry::of::<rds_subnet_group::RdsSubnetGroup>(),
    Entry::of::<route53::Route53>(),
    Entry::of::<route53_zone::Route53Zone>(),
    Entry::of::<s3_bucket::S3Bucket>(),
    Entry::of::<s3_bucket_info::S3BucketInfo>(),
    Entry::of::<s3_object::S3Object>(),
    Entry::of::<s3_object_info::S3ObjectInfo>(),
    Entry::of::<sts_assume_role::StsAssumeRole>(),
];
