//! Inventory plugins: where an inventory's hosts come from an API. One file per plugin, one line per
//! plugin in the table.
//!
//! A plugin is a struct of options, whose doc comments are the manual, a future that asks, and what
//! makes hosts of the answer, which may have been kept for a while in between. It only reads.
//!
//! **Invariant:** a plugin sees its options and its [`Reader`]: it knows no inventory. How groups are
//! made of variables is the inventory's affair.

mod ask;
mod aws_ec2;
mod aws_rds;
mod data;
mod hostnames;
mod options;
mod route53;
mod ssm;

use std::future::Future;
use std::pin::Pin;

use davit_module::{ModuleError, Reply, Spec};
use davit_value::{Map, Value};
use serde_json::Value as Json;

use crate::lookups::check::{Misfit, checked};
use crate::reader::Reader;

/// The value of an expression over some names.
pub type Evaluate<'e> = dyn Fn(&str, &Map) -> Result<Value, String> + 'e;

/// What [`Inventory::fetch`] gives.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Json, ModuleError>> + Send + 'a>>;

/// A host that was found.
#[derive(Clone, Debug, Default)]
pub struct FoundHost {
    /// Its names: it is there once under each.
    pub names: Vec<String>,
    /// Its variables.
    pub vars: Map,
}

/// A plugin with its options.
pub trait Inventory: Send + Sync {
    /// What decides on the answer of [`Inventory::fetch`], and nothing secret.
    fn cache_key(&self, reader: &Reader) -> String;

    /// Asks the API. The answer can be kept, and hosts be made of it later.
    ///
    /// # Errors
    /// When there is no answer.
    fn fetch<'a>(&'a self, reader: &'a Reader) -> Fetching<'a>;

    /// The hosts in an answer, in their order.
    ///
    /// # Errors
    /// For an option that makes no sense.
    fn hosts(&self, fetched: &Json, evaluate: &Evaluate<'_>)
    -> Result<Vec<FoundHost>, ModuleError>;

    /// Dashes stay as they are in names of groups that are made of variables.
    fn keeps_dashes(&self) -> bool {
        false
    }
}

/// A line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The full name: `namespace.collection.plugin`.
    pub name: &'static str,
    /// How the names of files end that configure it.
    pub file_endings: &'static [&'static str],
    spec: fn(&str) -> Spec,
    open: fn(Reply) -> Result<Box<dyn Inventory>, ModuleError>,
}

/// Every inventory plugin, by name.
pub const INVENTORIES: &[Entry] = &[
    Entry {
        name: "amazon.aws.aws_ec2",
        file_endings: &["aws_ec2.yml", "aws_ec2.yaml"],
        spec: Spec::of::<aws_ec2::AwsEc2>,
        open: |options| Ok(Box::new(Spec::read::<aws_ec2::AwsEc2>(options)?)),
    },
    Entry {
        name: "amazon.aws.aws_rds",
        file_endings: &["aws_rds.yml", "aws_rds.yaml"],
        spec: Spec::of::<aws_rds::AwsRds>,
        open: |options| Ok(Box::new(Spec::read::<aws_rds::AwsRds>(options)?)),
    },
];

impl Entry {
    /// What options it takes.
    #[must_use]
    pub fn spec(&self) -> Spec {
        (self.spec)(self.name.rsplit('.').next().unwrap_or(self.name))
    }

    /// Checks what a file says.
    ///
    /// # Errors
    /// For options that do not fit.
    pub fn open(&self, options: Reply) -> Result<Box<dyn Inventory>, Misfit> {
        let options = checked(&self.spec(), options)?;
        (self.open)(options).map_err(|error| Misfit { option: None, message: error.message() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_plugin_has_a_manual_and_its_place_in_the_table() {
        assert!(INVENTORIES.windows(2).all(|it| it[0].name < it[1].name));
        for entry in INVENTORIES {
            let spec = entry.spec();
            assert!(!spec.about.is_empty(), "{}", entry.name);
            for option in &spec.options {
                assert!(!option.about.is_empty(), "{}: {}", entry.name, option.name);
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_option() {
        let open = |options: Json| {
            let misfit = INVENTORIES[0].open(options.as_object().unwrap().clone()).err().unwrap();
            (misfit.option.unwrap(), misfit.message)
        };
        let (option, message) = open(json!({"plugin": "aws_ec2", "filtres": {}}));
        assert_eq!(option, "filtres");
        assert_eq!(message, "there is no option 'filtres'; did you mean 'filters'?");
        let (option, message) = open(json!({"plugin": "aws_ec2", "strict": "maybe"}));
        assert_eq!(option, "strict");
        assert!(message.contains("'strict' is of type str"), "{message}");
    }
}
