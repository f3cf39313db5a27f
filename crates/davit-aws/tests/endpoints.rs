//! Requests go where botocore sends them.
