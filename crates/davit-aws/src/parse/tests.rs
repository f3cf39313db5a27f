//! What the comparison with botocore does not show: what people read, and what botocore has no answer to.
