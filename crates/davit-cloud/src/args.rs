//! Pieces of arguments that modules for any API have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether something is to be there.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is.
    #[default]
    Present,
    /// It is not.
    Absent,
}

/// What is on unless a task says otherwise: `#[serde(default = "yes")]`.
#[must_use]
pub const fn yes() -> bool {
    true
}
