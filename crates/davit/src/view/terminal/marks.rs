//! States of hosts as marks, words and colours, for terminals with and without Unicode.
//!
//! A state is told by its shape; its colour only repeats it. No mark is of a width that terminals
//! disagree about.

use davit_event::Status;

use crate::view::Palette;

/// What a host is at, from the one to be seen first to the one to be seen last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mood {
    Failed,
    Unreachable,
    Running,
    Connecting,
    Waiting,
    Changed,
    Skipped,
    Ok,
}

impl Mood {
    /// In the order to count them.
    pub(super) const ALL: [Self; 8] = [
        Self::Ok,
        Self::Changed,
        Self::Skipped,
        Self::Failed,
        Self::Unreachable,
        Self::Running,
        Self::Connecting,
        Self::Waiting,
    ];

    pub(super) fn of(status: Status) -> Self {
        match status {
            Status::Ok => Self::Ok,
            Status::Changed => Self::Changed,
            Status::Skipped => Self::Skipped,
            Status::Failed => Self::Failed,
            Status::Unreachable => Self::Unreachable,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
            Self::Running => "running",
            Self::Connecting => "connecting",
            Self::Waiting => "waiting",
            Self::Changed => "changed",
            Self::Skipped => "skipped",
            Self::Ok => "ok",
        }
    }

    pub(super) fn colour(self, palette: &Palette) -> &str {
        match self {
            Self::Failed => &palette.error,
            Self::Unreachable => &palette.unreachable,
            Self::Running => &palette.verbose,
            Self::Connecting => &palette.deprecate,
            Self::Waiting => &palette.debug,
            Self::Changed => &palette.changed,
            Self::Skipped => &palette.skip,
            Self::Ok => &palette.ok,
        }
    }
}

/// The signs that a terminal can show.
#[derive(Debug)]
pub(super) struct Signs {
    /// Between the parts of a line.
    pub(super) between: &'static str,
    /// Where something has been cut off; one column.
    pub(super) cut: char,
    spin: &'static [char],
    marks: fn(Mood) -> char,
}

static UNICODE: Signs = Signs {
    between: " · ",
    cut: '…',
    spin: &['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'],
    marks: |mood| match mood {
        Mood::Failed => '✗',
        Mood::Unreachable => '!',
        Mood::Running => '▸',
        Mood::Connecting => '◌',
        Mood::Waiting => '.',
        Mood::Changed => '~',
        Mood::Skipped => '-',
        Mood::Ok => '✓',
    },
};

static ASCII: Signs = Signs {
    between: " - ",
    cut: '>',
    spin: &['|', '/', '-', '\\'],
    marks: |mood| match mood {
        Mood::Failed => 'F',
        Mood::Unreachable => '!',
        Mood::Running => 'r',
        Mood::Connecting => 'c',
        Mood::Waiting => '.',
        Mood::Changed => '~',
        Mood::Skipped => '-',
        Mood::Ok => 'o',
    },
};

impl Signs {
    pub(super) fn new(unicode: bool) -> &'static Self {
        if unicode { &UNICODE } else { &ASCII }
    }

    pub(super) fn mark(&self, mood: Mood) -> char {
        (self.marks)(mood)
    }

    /// What shows that something goes on.
    pub(super) fn spinner(&self, frame: usize) -> char {
        self.spin.get(frame % self.spin.len().max(1)).copied().unwrap_or(' ')
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_state_has_a_shape_of_its_own() {
        for signs in [&UNICODE, &ASCII] {
            let marks: HashSet<char> = Mood::ALL.iter().map(|mood| signs.mark(*mood)).collect();
            assert_eq!(marks.len(), Mood::ALL.len());
        }
        assert!(Mood::ALL.iter().all(|mood| ASCII.mark(*mood).is_ascii()));
    }
}
