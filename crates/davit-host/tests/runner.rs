//! What needs processes of its own: jobs, carried out by this program itself, and servers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod http;
mod jobs;
