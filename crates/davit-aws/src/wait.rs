//! Waiters: what is called and what is waited for. Does no IO.
