//! When to try again, and how long to wait before it. Reads no clock.
