//! Prints an inventory as `ansible-inventory --list` does: `cargo run --example list -- hosts.yml`.
//!
//! Warnings go to stderr, and so does how long it took to load and to print.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "that is what it is for")]

use std::time::Instant;

use davit_inventory::{Inventory, ListOptions, LoadOptions};

fn main() -> Result<(), davit_inventory::Error> {
    let sources: Vec<String> = std::env::args().skip(1).collect();
    let mut warnings = Vec::new();
    let begin = Instant::now();
    let inventory = Inventory::load(&sources, &LoadOptions::default(), &mut warnings)?;
    let loaded = begin.elapsed();
    let text = inventory.list(&ListOptions::default(), &mut warnings)?;
    let listed = begin.elapsed().saturating_sub(loaded);
    print!("{text}");
    for warning in warnings {
        eprintln!("{}", warning.text());
    }
    eprintln!("loaded in {loaded:?}, listed in {listed:?}");
    Ok(())
}
