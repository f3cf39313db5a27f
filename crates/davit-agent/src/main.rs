//! The program on the managed host.
fn main() {}
