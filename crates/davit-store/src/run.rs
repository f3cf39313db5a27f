//! A line of `davit runs`.

use davit_event::Counts;
use serde::{Deserialize, Serialize};

/// A run, without its events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its name: later runs have later names.
    pub id: String,
    /// Start, in milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// End, likewise; none while it runs and where it was cut off.
    pub ended_ms: Option<u64>,
    /// Playbooks, as typed.
    pub playbooks: Vec<String>,
    /// The command line.
    pub command: Vec<String>,
    /// The working folder.
    pub folder: String,
    /// It only said what it would do.
    pub check: bool,
    /// How it ended, or that it has not.
    pub status: RunStatus,
    /// Hosts it had to do with.
    pub hosts: u32,
    /// All hosts' counts together.
    pub counts: Counts,
}

/// How a run ended, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It has not ended.
    Running,
    /// Nothing failed.
    Ok,
    /// A host failed or could not be reached.
    Failed,
    /// The user stopped it.
    Interrupted,
    /// Its process went away without a word: killed, or the machine went down.
    CutOff,
}

impl RunStatus {
    /// The word to show.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::CutOff => "cut off",
        }
    }

    /// True where `davit resume` has something to do.
    #[must_use]
    pub fn can_resume(self) -> bool {
        matches!(self, Self::Failed | Self::Interrupted | Self::CutOff)
    }

    /// From the column, where a cut-off run still says `running`.
    pub(crate) fn stored(text: &str) -> Self {
        match text {
            "ok" => Self::Ok,
            "failed" => Self::Failed,
            "interrupted" => Self::Interrupted,
            _ => Self::Running,
        }
    }
}
