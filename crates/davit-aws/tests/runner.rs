//! The tests of the crate as a whole.

mod answers;
mod chain;
mod checksums;
mod commands;
mod endpoints;
mod python;
mod random;
mod requests;
mod signatures;
