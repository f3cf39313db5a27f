//! `community.aws`: the table. One line per module, by name.

mod dynamodb_table;
mod ecs_cluster;
mod ecs_ecr;
mod ecs_service;
mod ecs_service_info;
mod ecs_taskdefinition;
mod ecs_taskdefinition_info;
mod elb_target_group;
mod s3_sync;
mod secretsmanager_secret;
mod sns_topic;
mod sqs_queue;
mod ssm_parameter;

use davit_module::control::Entry;

/// Every module of this collection, by name.
pub const MODULES: &[Entry] = &[
    Entry::of::<dynamodb_table::DynamodbTable>(),
    Entry::of::<ecs_cluster::EcsCluster>(),
    Entry::of::<ecs_ecr::EcsEcr>(),
    Entry::of::<ecs_service::EcsService>(),
    Entry::of::<ecs_service_info::EcsServiceInfo>(),
    Entry::of::<ecs_taskdefinition::EcsTaskdefinition>(),
    Entry::of::<ecs_taskdefinition_info::EcsTaskdefinitionInfo>(),
    Entry::of::<elb_target_group::ElbTargetGroup>(),
    Entry::of::<s3_sync::S3Sync>(),
    Entry::of::<secretsmanager_secret::SecretsmanagerSecret>(),
    Entry::of::<sns_topic::SnsTopic>(),
    Entry::of::<sqs_queue::SqsQueue>(),
    Entry::of::<ssm_parameter::SsmParameter>(),
];
