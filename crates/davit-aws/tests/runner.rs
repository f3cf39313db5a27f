//! The tests of the crate as a whole.

mod answers;
mod chain;
mod checksums;
mod client;
mod commands;
mod discovery;
mod endpoints;
mod faults;
mod moto;
mod protocol;
mod python;
mod random;
mod requests;
mod signatures;
mod stub;
mod suites;
mod transfer;
