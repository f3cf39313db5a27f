//! What a task wants of an answer: all of it, or what an expression of JMESPath finds in it.

use davit_aws::query::Query;
use davit_module::ModuleError;
use serde_json::Value;

/// What is wanted of an answer.
#[derive(Debug)]
pub struct Wanted(Option<Query>);

impl Wanted {
    /// What the argument `query` says.
    ///
    /// # Errors
    /// When it is no expression.
    pub fn read(query: Option<&str>) -> Result<Self, ModuleError> {
        query.map(Query::read).transpose().map(Self).map_err(wrong)
    }

    /// Whether there is an expression.
    #[must_use]
    pub const fn is_said(&self) -> bool {
        self.0.is_some()
    }

    /// What is wanted of an answer.
    ///
    /// # Errors
    /// When the expression does not fit it.
    pub fn of(&self, answer: Value) -> Result<Value, ModuleError> {
        let Some(query) = &self.0 else { return Ok(answer) };
        Ok(query.search(&answer.into()).map_err(wrong)?.to_json())
    }
}

fn wrong(error: impl std::fmt::Display) -> ModuleError {
    ModuleError::failed(format!("query: {error}"))
}
