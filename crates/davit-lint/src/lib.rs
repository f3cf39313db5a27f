//! The static check: what is wrong before it runs.
