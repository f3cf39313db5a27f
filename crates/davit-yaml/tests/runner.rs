//! Everything this crate is tested with from outside: what PyYAML reads and writes, and any text.

mod fuzz;
mod same;
