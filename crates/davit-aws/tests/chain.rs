//! Credentials are found where the AWS CLI finds them.
