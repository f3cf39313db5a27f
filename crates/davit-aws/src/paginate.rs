//! Answers that come in pages. Does no IO.
