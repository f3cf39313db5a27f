//! Runs a module's case files: the same three checks for every module.
