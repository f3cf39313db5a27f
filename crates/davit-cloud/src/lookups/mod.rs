//! Lookups: what templates ask an API. One file per lookup, one line per lookup in the table.
//!
//! A lookup is a struct of options, whose doc comments are the manual, and a future. It only reads.
//! Whoever calls it knows how to wait for a future from a template; nothing here does.

mod aws_account_attribute;
mod aws_service_ip_ranges;
pub mod check;
mod secretsmanager_secret;
mod ssm_parameter;
mod trouble;

use std::future::Future;
use std::pin::Pin;

use davit_module::{ModuleError, Reply, Spec};
use davit_value::Value;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use self::check::checked;
use crate::reader::Reader;

/// Something that a template can ask an API by `lookup(NAME, ...)`.
pub trait Lookup {
    /// The full name: `namespace.collection.lookup`.
    const NAME: &'static str;

    /// Names that it had once and is still known by, as they are written.
    const FORMER_NAMES: &'static [&'static str] = &[];

    /// The named arguments. Its doc comments are the manual.
    type Options: DeserializeOwned + JsonSchema + Send;

    /// The list that the lookup gives.
    ///
    /// # Errors
    /// Where there is nothing to give, or it could not be asked for.
    fn look_up(
        reader: &Reader,
        terms: Vec<String>,
        options: Self::Options,
    ) -> impl Future<Output = Result<Vec<Value>, ModuleError>> + Send;
}

/// What [`Lookup::look_up`] gives, without its type.
type Running<'a> = Pin<Box<dyn Future<Output = Result<Vec<Value>, ModuleError>> + Send + 'a>>;

/// A line of the table: a [`Lookup`] without its type.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// [`Lookup::NAME`].
    pub name: &'static str,
    /// [`Lookup::FORMER_NAMES`].
    pub former_names: &'static [&'static str],
    spec: fn(&str) -> Spec,
    run: for<'a> fn(&'a Reader, Vec<String>, Reply) -> Running<'a>,
}

/// Every lookup, by name.
pub const LOOKUPS: &[Entry] = &[
    Entry::of::<aws_account_attribute::AwsAccountAttribute>(),
    Entry::of::<aws_service_ip_ranges::AwsServiceIpRanges>(),
    Entry::of::<secretsmanager_secret::SecretsmanagerSecret>(),
    Entry::of::<ssm_parameter::SsmParameter>(),
];

/// The lookup that has this name, or had it once.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    LOOKUPS.iter().find(|it| it.names().any(|known| known == name))
}

/// Every name of every lookup.
#[must_use]
pub fn names() -> Vec<&'static str> {
    LOOKUPS.iter().flat_map(Entry::names).collect()
}

impl Entry {
    /// The line for `L`.
    #[must_use]
    pub const fn of<L: Lookup>() -> Self {
        Self {
            name: L::NAME,
            former_names: L::FORMER_NAMES,
            spec: Spec::of::<L::Options>,
            run: run::<L>,
        }
    }

    /// Its name and those that it had.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.former_names.iter().copied())
    }

    /// What options it takes.
    #[must_use]
    pub fn spec(&self) -> Spec {
        (self.spec)(self.name.rsplit('.').next().unwrap_or(self.name))
    }

    /// Checks the options and looks up.
    ///
    /// # Errors
    /// For options that do not fit, and what the lookup says.
    pub async fn call(
        &self,
        reader: &Reader,
        terms: &[Value],
        options: Reply,
    ) -> Result<Vec<Value>, ModuleError> {
        let options = checked(&self.spec(), options);
        let options = options.map_err(|it| ModuleError::failed(it.message))?;
        (self.run)(reader, terms.iter().map(term).collect::<Result<_, _>>()?, options).await
    }
}

fn run<L: Lookup>(reader: &Reader, terms: Vec<String>, options: Reply) -> Running<'_> {
    Box::pin(async move { L::look_up(reader, terms, Spec::read(options)?).await })
}

/// What is looked up has a name, and a list of names is not one.
fn term(value: &Value) -> Result<String, ModuleError> {
    match value {
        Value::Str(_) | Value::Int(_) | Value::Float(_) => Ok(value.to_str()),
        other => Err(ModuleError::failed(format!(
            "a name is a text, not a value of type '{}': {}",
            other.type_name(),
            other.repr()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_table_is_sorted_and_no_name_is_there_twice() {
        assert!(LOOKUPS.windows(2).all(|it| it[0].name < it[1].name));
        let (mut all, count) = (names(), names().len());
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert_eq!(find("aws_ssm").unwrap().name, "amazon.aws.ssm_parameter");
        assert!(find("ssm_parameter").is_none());
    }

    #[test]
    fn options_that_are_none_are_told_with_the_nearest() {
        let spec = find("aws_secret").unwrap().spec();
        let check = |options: serde_json::Value| {
            let options = options.as_object().unwrap().clone();
            checked(&spec, options).map_err(|it| it.message)
        };
        let error = check(json!({"on_mising": "skip"})).unwrap_err();
        assert_eq!(error, "there is no option 'on_mising'; did you mean 'on_missing'?");
        let error = check(json!({"on_missing": "never"})).unwrap_err();
        assert!(error.contains("must be one of: error, skip, warn, got: never"), "{error}");
        let fits = check(json!({"aws_region": "eu-west-1", "nested": "yes"})).unwrap();
        assert_eq!((&fits["region"], &fits["nested"]), (&json!("eu-west-1"), &json!(true)));
    }

    #[test]
    fn every_lookup_has_a_manual() {
        for entry in LOOKUPS {
            let spec = entry.spec();
            assert!(!spec.about.is_empty(), "{}", entry.name);
            for option in &spec.options {
                assert!(!option.about.is_empty(), "{}: {}", entry.name, option.name);
            }
        }
    }
}
