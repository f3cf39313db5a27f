//! Whole playbooks and roles are loaded.
