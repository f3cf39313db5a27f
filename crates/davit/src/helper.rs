//! What davit does when a program that it has started calls it: ssh that has a question, and jobs
//! that go on by themselves. Not for people.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use davit_event::Reply;
use davit_module::control::Lent;
use davit_module::{Call, ModuleError, Session};

/// The first argument of a job's process; the second is the path of what it is to do.
pub(crate) const JOB: &str = "__job";

/// Does it, where this is such a call.
pub(crate) fn called(args: &[OsString]) -> Option<ExitCode> {
    if let [_, name, spool] = args
        && name == JOB
    {
        let done =
            davit_host::job::run(Path::new(spool), &[davit_host::builtin::MODULES], Some(control));
        return Some(if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let socket = std::env::var_os(davit_reach::ASKPASS_SOCKET)?;
    let session = std::env::var(davit_reach::ASKPASS_SESSION).ok()?;
    let prompt = args.get(1).map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    let hint = std::env::var("SSH_ASKPASS_PROMPT").unwrap_or_default();
    let Some(answer) = davit_reach::askpass(Path::new(&socket), &session, &hint, &prompt) else {
        return Some(ExitCode::FAILURE);
    };
    let written = writeln!(std::io::stdout(), "{answer}");
    Some(if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs a module that talks to an API.
fn control(module: &str, session: &Session, call: Call) -> Option<Reply> {
    let entry = davit_cloud::TABLES.iter().flat_map(|it| it.iter()).find(|it| it.name == module)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return Some(ModuleError::failed(error.to_string()).into_reply()),
    };
    let environment = session.options().environment.iter().cloned().collect();
    let lent = Lent { environment: Arc::new(environment), ..Lent::default() };
    Some(runtime.block_on(entry.call(&entry.spec(), call, lent)))
}
