//! Holds what an operation is given against its model, before anything is sent.
