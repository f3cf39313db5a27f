//! The project's own chores: `cargo xtask setup|test|gen|tidy|ci|quickstart|bench`.
//!
//! CI runs exactly what a person runs: `.ci/run` is `cargo xtask ci`, which is `cargo xtask test`
//! followed by `cargo xtask quickstart`. Nothing here is part of the product.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for people at a terminal")]

mod bench;
mod licences;
mod models;
mod process;
mod quickstart;
mod reference;
mod setup;
mod test;
mod tidy;

use std::{env, path::PathBuf, process::ExitCode};

const HELP: &str = "\
usage: cargo xtask COMMAND

  setup        install what the tests need: ansible-core 2.19 in its own environment and, as root
               on Debian, servers and containers that the tests start for themselves
  test         setup, formatting, lints, build, all tests, tidy
  gen          write docs/reference from what the program knows of itself; with `aws-models` the
               models of AWS's services and with `gcp-apis` the APIs of Google from the packages that
               have them
  tidy         rules about files that no compiler checks
  quickstart   build davit and run examples/quickstart: check, for real, and once more
  ci           what .ci/run does: test, then quickstart
  bench        davit and its peers side by side, over ssh and here; `--quick` for smaller numbers,
               `--no-build` for the release build that is there, names of
               benchmarks to run only those
";

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let outcome = match command.as_str() {
        "setup" => setup::setup(),
        "test" => test::test(),
        "gen" if rest == ["aws-models"] => models::write(),
        "gen" if rest == ["gcp-apis"] => models::write_google(),
        "gen" => reference::write(),
        "tidy" => tidy::tidy(),
        "quickstart" => quickstart::quickstart(),
        "ci" => test::test().and_then(|()| quickstart::quickstart()),
        "bench" => bench::bench(&rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(format!("no command {other:?}\n\n{HELP}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a chore gives: nothing, or what went wrong.
type Outcome = Result<(), String>;

/// The root of the workspace that `cargo xtask` was called in: checkouts that share a target folder share this program.
fn root() -> PathBuf {
    let folder =
        env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(folder).parent().expect("xtask has a parent").to_owned()
}

/// Where what the tests need is kept between runs.
fn cache() -> Result<PathBuf, String> {
    let home = env::var_os("HOME").ok_or("HOME is not set")?;
    Ok(PathBuf::from(home).join(".cache/davit"))
}

/// Where cargo builds, as it was told or by default.
fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
