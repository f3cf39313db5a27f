//! Calls that are refused for a while after something was made or changed, as AWS is eventually consistent.

use std::time::{Duration, Instant};

use davit_aws::Error;
use davit_aws::value::{Map, Value};
use davit_module::ModuleError;

use super::client::{Aws, failure};

/// How long it is tried.
const LONGEST: Duration = Duration::from_secs(60);
/// The first pause; each one after it is twice as long.
const FIRST: Duration = Duration::from_millis(500);

impl Aws {
    /// Calls an operation, and again for up to a minute while the service says one of these codes.
    ///
    /// # Errors
    /// What the service says in the end, or why it was not asked.
    pub async fn insist(
        &self,
        service: &str,
        operation: &str,
        params: impl Into<Value>,
        codes: &[&str],
    ) -> Result<Map, ModuleError> {
        let params = params.into();
        let began = Instant::now();
        let mut pause = FIRST;
        loop {
            match self.attempt(service, operation, params.clone()).await {
                Ok(values) => return Ok(values),
                Err(error) if began.elapsed() + pause < LONGEST && says(&error, codes) => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(error) => return Err(failure(Some((service, operation)), &error)),
            }
        }
    }
}

/// Whether the service says one of these codes.
#[must_use]
pub fn says(error: &Error, codes: &[&str]) -> bool {
    error.code().is_some_and(|it| codes.contains(&it))
}
