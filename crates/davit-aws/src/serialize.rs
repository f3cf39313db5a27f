//! Makes requests out of what an operation takes. Does no IO.
