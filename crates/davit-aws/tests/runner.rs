//! The tests of the crate as a whole.

mod answers;
mod chain;
mod commands;
mod endpoints;
mod python;
mod requests;
mod signatures;
