//! Signatures of requests. Does no IO and reads no clock.
