//! Work that several modules share: shell patterns, clocks, how commands run.

pub(crate) mod clock;
pub(crate) mod command;
pub(crate) mod glob;
pub(crate) mod text;
