//! What a module is: its arguments, the gate, its errors, the table of modules.
