//! Signatures are those of botocore.
