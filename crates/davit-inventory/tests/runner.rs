//! Every case beside this file, compared with what the original printed.

#![expect(clippy::unwrap_used, reason = "tests")]

mod fuzz;
mod oracle;
