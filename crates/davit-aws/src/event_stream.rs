//! Frames of event streams: reading and writing them. Does no IO.
