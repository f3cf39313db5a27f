//! `ansible.builtin.setup`: gathers the host's facts.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/setup_module.html>

use std::path::PathBuf;
use std::time::Duration;

use davit_module::{Host, Module, ModuleError, Outcome, Program, Ran};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::facts::{Place, Request, gather};

/// Gathers facts about the host: its system, hardware, network, users and clock.
///
/// Plays do this by themselves at their start unless `gather_facts` says otherwise. Everything is
/// read from the kernel and from files: no program is started, but for `facts.d` scripts, and
/// `facter`, `ohai` and LVM's tools where they are installed. The facts of Python are those of the
/// interpreter in the path; on a host without one they are left out.
///
/// ```yaml
/// - name: Gather only what the network is like
///   ansible.builtin.setup:
///     gather_subset: ["!all", "!min", network]
///
/// - name: Gather all and keep the sizes of memory
///   ansible.builtin.setup:
///     filter: ["ansible_*_mb"]
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Which facts to gather: names of subsets, and with a `!` in front those to leave out. The
    /// subset `min` is gathered too unless `!min` is there.
    #[serde(default = "all")]
    gather_subset: Vec<String>,
    /// Shell patterns: only facts whose names match one of them are told. Empty means no filter.
    #[serde(default)]
    filter: Vec<String>,
    /// The folder of `*.fact` files, which hold JSON or INI, or print it when they are run. They
    /// become `ansible_local`.
    #[serde(default = "facts_folder")]
    #[schemars(extend("x-type" = "path"))]
    fact_path: PathBuf,
    /// How many seconds one part of the gathering may take.
    #[serde(default = "ten")]
    gather_timeout: i64,
}

fn all() -> Vec<String> {
    vec!["all".to_owned()]
}

fn facts_folder() -> PathBuf {
    PathBuf::from("/etc/ansible/facts.d")
}

fn ten() -> i64 {
    10
}

/// `ansible.builtin.setup`.
pub(crate) struct Setup;

impl Module for Setup {
    const NAME: &'static str = "ansible.builtin.setup";
    type Args = Args;
    const FACTS: bool = true;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        let request = Request {
            subsets: args.gather_subset,
            filter: args.filter,
            fact_path: args.fact_path,
            timeout: Duration::from_secs(u64::try_from(args.gather_timeout).unwrap_or(0)),
        };
        let gathered = {
            let runner = |argv: &[&str]| run(host, argv);
            let place = Place::here(host.environment()).with_runner(&runner);
            gather(&place, &request)
        };
        let gathered = gathered.map_err(|err| ModuleError::failed(err.to_string()))?;
        gathered.warnings.into_iter().for_each(|it| host.warn(it));
        Ok(Outcome::new().changed(false).with("ansible_facts", gathered.facts))
    }
}

/// Runs a program that tells facts, in the language that they are told in.
fn run(host: &Host<'_>, argv: &[&str]) -> Option<Ran> {
    let (name, rest) = argv.split_first()?;
    let program = rest.iter().fold(Program::new(*name), |program, word| program.arg(*word));
    host.query(&program.env("LC_ALL", "C").env("LANG", "C")).ok()
}
