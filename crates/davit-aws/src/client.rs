//! Calls operations: builds, signs, sends, tries again, reads.
