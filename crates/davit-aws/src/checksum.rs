//! Checksums of bodies. Does no IO.
