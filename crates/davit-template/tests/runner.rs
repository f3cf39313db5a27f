//! The tests that go through the public face: against what the original gave, and against any input at all.

mod expressions;
mod fuzz;
mod oracle;
