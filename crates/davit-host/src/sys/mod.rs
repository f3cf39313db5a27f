//! Work that several modules share: shell patterns, clocks, how commands run.

pub(crate) mod clock;
pub(crate) mod glob;
