//! The program on the managed host.
