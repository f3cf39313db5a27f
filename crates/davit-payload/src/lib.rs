//! The agent for managed hosts.
