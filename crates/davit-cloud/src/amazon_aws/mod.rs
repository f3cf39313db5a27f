//! `amazon.aws`: the table. One line per module, by name.

mod cloudformation;
mod cloudformation_info;
mod cloudwatch_metric_alarm;
mod cloudwatchevent_rule;
mod cloudwatchlogs_log_group;
mod lambda;
mod lambda_info;

use davit_module::control::Entry;

/// Every module of this collection, by name.
pub const MODULES: &[Entry] = &[
    Entry::of::<cloudformation::Cloudformation>(),
    Entry::of::<cloudformation_info::CloudformationInfo>(),
    Entry::of::<cloudwatch_metric_alarm::CloudwatchMetricAlarm>(),
    Entry::of::<cloudwatchevent_rule::CloudwatcheventRule>(),
    Entry::of::<cloudwatchlogs_log_group::CloudwatchlogsLogGroup>(),
    Entry::of::<lambda::Lambda>(),
    Entry::of::<lambda_info::LambdaInfo>(),
];
