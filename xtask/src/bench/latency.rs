//! A host that is far away: what a play costs in round trips.
//!
//! Every packet is held back for 25 ms in each direction, those of the connection's beginning included. The same play
//! on a host that is near takes out what is not waiting, and what is left, by 50 ms, is the number of round trips.

use std::{fs, time::Duration};

use super::{
    field::{Field, ORIGINAL, Side, compare, table},
    fleet, inputs,
};
use crate::Outcome;

/// In each direction.
const DELAY: Duration = Duration::from_millis(25);
/// Groups of five tasks.
const GROUPS: usize = 4;

/// The same play near and far.
pub(super) fn latency(quick: bool) -> Outcome {
    let rounds = if quick { 2 } else { 5 };
    println!("\nlatency: 1 host x {} tasks, {} ms there and back", GROUPS * 5, trip() * 1e3);
    let near = place(Duration::ZERO, rounds)?;
    let far = place(DELAY, rounds)?;
    for ((name, near), (_, far)) in near.iter().zip(&far) {
        if let (Some(near), Some(far)) = (near, far) {
            println!("  {name:<26}{:>9.1} round trips of waiting", (far - near) / trip());
        }
    }
    Ok(())
}

fn trip() -> f64 {
    DELAY.as_secs_f64() * 2.0
}

/// Names with their best times.
type Times = Vec<(&'static str, Option<f64>)>;

fn place(delay: Duration, rounds: usize) -> Result<Times, String> {
    println!("  {}:", if delay.is_zero() { "near" } else { "far" });
    let field = Field::open(1, delay, true)?;
    inputs::write(&field, GROUPS)?;
    let out = field.ground.path("out");
    let fresh = || drop(fs::remove_dir_all(&out));
    let done = |measured| fleet::check(&out, 1, GROUPS).map(|()| measured);
    let original = || {
        fresh();
        field.measured(&mut field.original()?).and_then(done)
    };
    let davit = || {
        fresh();
        field.measured(&mut field.run()).and_then(done)
    };
    let few = rounds.min(2);
    const NAMES: [&str; 5] =
        ["ssh host true", "davit, first contact", "davit", "ansible, first contact", ORIGINAL];
    let mut sides = [
        Side::new(NAMES[0], rounds, || field.floor()),
        Side::new(NAMES[1], rounds, || {
            field.forget()?;
            davit()
        }),
        Side::new(NAMES[2], rounds, davit),
        Side::new(NAMES[3], few, || {
            field.hang_up();
            field.forget()?;
            original()
        }),
        Side::new(NAMES[4], few, original),
    ];
    let compared = compare(&mut sides);
    table(&sides, |side| {
        side.seconds().map_or(String::new(), |it| match delay.is_zero() {
            true => String::new(),
            false => format!("{:>8.1} x {} ms", it / trip(), trip() * 1e3),
        })
    });
    let times = NAMES.into_iter().zip(sides.iter().map(Side::seconds)).collect();
    drop(sides);
    field.hang_up();
    compared.map(|()| times)
}
