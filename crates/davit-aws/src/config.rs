//! The configuration files of the AWS CLI. Reads no environment: paths are handed in.
