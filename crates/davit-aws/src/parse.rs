//! Reads answers: what an operation gives, and errors. Does no IO.
