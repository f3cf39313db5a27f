//! What lookups do where something is not there, not allowed, or deleted.

use davit_aws::Error;
use davit_module::ModuleError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reader::Reader;

/// What is done where something cannot be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnTrouble {
    /// The lookup fails.
    #[default]
    Error,
    /// It is left out.
    Skip,
    /// It is left out, with a warning.
    Warn,
}

impl OnTrouble {
    /// Fails with a text, or goes on without.
    ///
    /// # Errors
    /// The text, where trouble is an error.
    pub(super) fn settle(self, reader: &Reader, text: &str) -> Result<(), ModuleError> {
        match self {
            Self::Error => return Err(ModuleError::failed(text)),
            Self::Warn => (reader.warn)(&format!("Skipping, {text}")),
            Self::Skip => {}
        }
        Ok(())
    }
}

/// Why something cannot be had, where that is one of the reasons that options speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It is not there.
    Missing,
    /// Who asks may not.
    Denied,
    /// It is about to be deleted.
    Deleted,
}

impl Trouble {
    /// The trouble that a service speaks of.
    #[must_use]
    pub(super) fn of(error: &Error) -> Option<Self> {
        match error.code()? {
            "ResourceNotFoundException" | "ParameterNotFound" => Some(Self::Missing),
            "AccessDeniedException" | "AccessDenied" => Some(Self::Denied),
            "InvalidRequestException" => {
                let said = error.service().map(|it| it.message.as_str()).unwrap_or_default();
                let marks = ["marked for deletion", "marked deleted"];
                marks.iter().any(|it| said.contains(it)).then_some(Self::Deleted)
            }
            _ => None,
        }
    }
}
