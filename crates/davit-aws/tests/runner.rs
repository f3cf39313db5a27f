//! The tests of the crate as a whole.

mod answers;
mod chain;
mod endpoints;
mod python;
mod requests;
mod signatures;
