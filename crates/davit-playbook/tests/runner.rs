//! Everything this crate is tested with from outside: broken files and what is said about them.

mod broken;
mod fuzz;
mod whole;
