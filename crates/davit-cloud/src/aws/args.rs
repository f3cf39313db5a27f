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

/// The order in which messages come out of a queue or a topic.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageOrder {
    /// About any, and some more than once.
    #[default]
    Standard,
    /// That of sending, and each once.
    Fifo,
}

impl MessageOrder {
    /// A name of such a queue or topic, which has to end with `.fifo` where the order counts.
    #[must_use]
    pub fn named(self, name: &str) -> String {
        let ends = name.ends_with(".fifo") || self == Self::Standard;
        if ends { name.to_owned() } else { format!("{name}.fifo") }
    }
}
