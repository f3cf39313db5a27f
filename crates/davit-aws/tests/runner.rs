//! The tests of the crate as a whole.

mod answers;
mod chain;
mod checksums;
mod endpoints;
mod protocol;
mod python;
mod random;
mod requests;
mod signatures;
