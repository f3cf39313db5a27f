//! `community.aws`: the table. One line per module, by name.

mod dynamodb_table;
mod elb_target_group;
mod secretsmanager_secret;
mod ssm_parameter;

use davit_module::control::Entry;

/// Every module of this collection, by name.
pub const MODULES: &[Entry] = &[
    Entry::of::<dynamodb_table::DynamodbTable>(),
    Entry::of::<elb_target_group::ElbTargetGroup>(),
    Entry::of::<secretsmanager_secret::SecretsmanagerSecret>(),
    Entry::of::<ssm_parameter::SsmParameter>(),
];
