//! The command line of the agent, for nobody but davit and the agent itself.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let mode = args.next().and_then(|it| it.into_string().ok());
    let code = match mode.as_deref() {
        // Proves that the file can be run here.
        Some("--check") => 0,
        Some("--worker") => davit_agent::serve(),
        Some("--job") => args.next().map_or(2, |spool| job(Path::new(&spool))),
        Some("--terminal") => davit_agent::terminal(args),
        Some(_) => 2,
        None => davit_agent::guard(),
    };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// Goes on with a call by itself.
fn job(spool: &Path) -> i32 {
    match davit_host::job::run(spool, &[davit_host::builtin::MODULES], None) {
        Ok(()) => 0,
        // What went wrong stands in the job's result, where there is one.
        Err(_) => 1,
    }
}
