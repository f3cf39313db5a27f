//! The facts of many hosts.

use std::time::Duration;

use super::field::{Field, ORIGINAL, Side, compare, table};
use crate::Outcome;

/// A play that asks for facts and shows one.
pub(super) fn facts(quick: bool) -> Outcome {
    let (hosts, rounds) = if quick { (10, 2) } else { (50, 3) };
    println!("\nfacts: the facts of {hosts} hosts");
    let field = Field::open(hosts, Duration::ZERO, true)?;
    field.play("- hosts: web\n  tasks:\n    - debug: {var: ansible_facts.distribution}\n")?;
    // The first contact is measured elsewhere: here the agent is there already.
    field.measured(&mut field.run())?;
    let mut sides = [
        Side::new("ssh host true", rounds, || field.floor()),
        Side::new("davit", rounds, || field.measured(&mut field.run())),
        Side::new(ORIGINAL, 1, || field.measured(&mut field.original()?)),
    ];
    let compared = compare(&mut sides);
    table(&sides, |side| side.peak_mib().map_or(String::new(), |it| format!("{it:>6} MiB")));
    drop(sides);
    field.hang_up();
    compared
}
