//! No text makes the loader panic or hang.
