//! Credentials are found where the AWS CLI finds them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod instances;
mod oracle;
mod parser;
mod settings;
mod sources;
mod world;

use std::cell::Cell;

/// Numbers that look random and are the same in each run.
struct Dice(Cell<u64>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    /// A number below another.
    fn below(&self, most: usize) -> usize {
        let mut state = self.0.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0.set(state);
        usize::try_from((state >> 32) % most as u64).unwrap()
    }

    /// Whether one of a hundred such numbers is among the first.
    fn hits(&self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T: ?Sized>(&self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}
