//! Every case beside this file, compared with what the original printed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod fuzz;
mod oracle;
mod plugins;
mod run_time;
