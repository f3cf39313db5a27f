//! Answers are read as botocore reads them.
