//! `pipe` and `lines`: what a program prints.
//!
//! Programs run through a shell, with the environment and the folder of [`Outside`](crate::Outside).

use std::process::{Command, Output, Stdio};

use davit_value::{Value, ValueError};

use super::parameters::terms;
use crate::Call;

type Answer = Result<Value, ValueError>;

fn run(call: &Call<'_>, lookup: &str, command: &str) -> Result<String, ValueError> {
    let outside = call.env.outside;
    let output: Output = Command::new("/bin/sh")
        .arg("-c")
        .arg(command)
        .env_clear()
        .envs(outside.environment.iter())
        .current_dir(if outside.folder.as_os_str().is_empty() {
            std::path::Path::new(".")
        } else {
            &outside.folder
        })
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| {
            ValueError::Value(format!("lookup_plugin.{lookup}({command}) failed: {error}"))
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    use std::os::unix::process::ExitStatusExt;
    let code = output.status.code().unwrap_or_else(|| -output.status.signal().unwrap_or(0));
    Err(ValueError::Value(format!("lookup_plugin.{lookup}({command}) returned {code}")))
}

pub(super) fn pipe(call: &Call<'_>) -> Answer {
    let terms = terms(call)?;
    let found = terms.iter().map(|term| Ok(run(call, "pipe", &term.to_str())?.trim_end().into()));
    found.collect::<Result<Vec<Value>, ValueError>>().map(Value::list)
}

pub(super) fn lines(call: &Call<'_>) -> Answer {
    let mut out = Vec::new();
    for term in terms(call)? {
        let text = run(call, "lines", &term.to_str())?;
        out.extend(
            crate::filters::text::split_lines(&text)
                .into_iter()
                .map(|line| Value::from(line.trim_end())),
        );
    }
    Ok(Value::list(out))
}
