//! The tests of the check.
