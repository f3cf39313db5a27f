//! Work that several modules share: shell patterns, clocks, how commands run, archives, walks, HTTP.

pub(crate) mod archive;
pub(crate) mod clock;
pub(crate) mod command;
pub(crate) mod connections;
pub(crate) mod glob;
pub(crate) mod http;
pub(crate) mod program;
pub(crate) mod tar_options;
pub(crate) mod text;
pub(crate) mod unpack;
pub(crate) mod walk;
