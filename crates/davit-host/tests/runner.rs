//! What needs a process of its own: jobs, carried out by this program itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod jobs;
