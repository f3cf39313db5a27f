//! davit-reach against real hosts, as whoever starts a run uses it.

mod privileges;
