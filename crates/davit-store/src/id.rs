//! Names of runs: eight characters, in order of time.
//!
//! Knows no database: that an id is free is for the store to see to.

/// Crockford's digits: none is mistaken for another, and they sort as their values do.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: u32 = 8;
/// 2024-01-01T00:00:00Z: forty bits of milliseconds last until 2058.
const START_MS: u64 = 1_704_067_200_000;

/// The id of a run that starts `at_ms` milliseconds after the Unix epoch.
///
/// ```
/// use davit_store::run_id;
/// assert_eq!(run_id(1_800_000_000_000), "2sb0mq00");
/// assert!(run_id(1_800_000_000_000) < run_id(1_800_000_000_001));
/// ```
#[must_use]
pub fn run_id(at_ms: u64) -> String {
    let number = at_ms.saturating_sub(START_MS);
    (0..LENGTH)
        .rev()
        .map(|place| char::from(DIGITS[(number >> (5 * place) & 31) as usize]))
        .collect()
}
