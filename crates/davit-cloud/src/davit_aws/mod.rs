//! `davit.aws`: the table. One line per module, by name.

mod call;
mod cloudwatch_dashboard;

use davit_module::control::Entry;

/// Every module of this collection, by name.
pub const MODULES: &[Entry] =
    &[Entry::of::<call::AwsCall>(), Entry::of::<cloudwatch_dashboard::CloudwatchDashboard>()];
