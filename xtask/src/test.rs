//! Everything that has to hold before a change goes in.

use std::fs;

use crate::{Outcome, process, reference, setup, target, tidy};

/// Sets up, then checks, builds and tests the whole workspace.
pub(crate) fn test() -> Outcome {
    setup::setup()?;
    tidy::tidy()?;
    process::cargo(&["fmt", "--all", "--", "--check"])?;
    let lint = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    process::cargo(&lint)?;
    process::cargo(&["build", "--workspace", "--locked"])?;
    reference::check()?;
    // nextest starts every test in a process of its own and shows them as they end; a machine
    // without it runs the same tests.
    let tested = if process::has_cargo("nextest") {
        process::cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"])
    } else {
        process::cargo(&[
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--locked",
            "--no-fail-fast",
        ])
    };
    oracle();
    tested?;
    process::cargo(&["test", "--workspace", "--doc", "--locked"])
}

/// Adds up what the topics of the oracle left behind.
fn oracle() {
    let mut sums = [0_u32; 2];
    for entry in fs::read_dir(target().join("tmp/oracle")).into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        for (sum, number) in sums.iter_mut().zip(text.split_whitespace()) {
            *sum += number.parse().unwrap_or(0);
        }
    }
    let [agree, differ] = sums;
    println!("oracle: {agree} cases agree with ansible-core, {differ} differ");
}
