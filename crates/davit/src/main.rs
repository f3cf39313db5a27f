//! One program for a DevOps engineer's automation.
fn main() {}
