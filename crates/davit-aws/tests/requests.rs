//! Requests are what botocore makes of the same input.
