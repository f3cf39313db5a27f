//! Pieces of arguments that many modules for AWS have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::args::{State, yes};

/// On or off, in the words of AWS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// On.
    Enabled,
    /// Off.
    #[default]
    Disabled,
}
