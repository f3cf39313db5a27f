//! The tests of the check: broken playbooks with what is to be found in them, and right ones without.

mod broken;
mod ground;
mod random;
mod right;
mod schema;
