//! The first and the second time that somebody comes to a host: one task, and everything before it.
//!
//! At the first contact davit sends its agent; the original opens the connection that it keeps for a minute and uses
//! at the second. davit keeps none: its second contact is a new log-in.

use std::time::Duration;

use super::field::{Field, ORIGINAL, Side, compare, table};
use crate::Outcome;

/// One, some, and many.
pub(super) fn contact(quick: bool) -> Outcome {
    let (sizes, rounds): (&[usize], _) = if quick { (&[1, 10], 2) } else { (&[1, 10, 50], 5) };
    sizes.iter().try_for_each(|hosts| one(*hosts, rounds))
}

fn one(hosts: usize, rounds: usize) -> Outcome {
    println!("\ncontact: {hosts} host{}, one ping", if hosts == 1 { "" } else { "s" });
    let field = Field::open(hosts, Duration::ZERO, true)?;
    field.play("- hosts: web\n  gather_facts: false\n  tasks:\n    - ping:\n")?;
    let original = || field.measured(&mut field.original()?);
    // The original takes long enough for two rounds to be as good as five.
    let few = rounds.min(2);
    let mut sides = [
        Side::new("ssh host true", rounds, || field.floor()),
        Side::new("davit, first contact", rounds, || {
            field.forget()?;
            field.measured(&mut field.run())
        }),
        Side::new("davit", rounds, || field.measured(&mut field.run())),
        Side::new("ansible, first contact", few, || {
            field.hang_up();
            field.forget()?;
            original()
        }),
        Side::new(ORIGINAL, few, original),
    ];
    let compared = compare(&mut sides);
    table(&sides, |_| String::new());
    drop(sides);
    field.hang_up();
    compared
}
