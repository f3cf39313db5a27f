//! botocore, asked for what it would do. It is in an environment that `cargo xtask setup` makes.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::Value;

/// A script in botocore's environment that answers each line of JSON with one.
pub(crate) struct Python {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Python {
    /// Starts the script of a name in `tests/python/`.
    pub(crate) fn start(script: &str) -> Self {
        let home = PathBuf::from(env::var_os("HOME").expect("a home"));
        let python = home.join(".cache/davit/aws/bin/python3");
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/python");
        let mut child = Command::new(&python)
            .arg(folder.join(script))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error} (cargo xtask setup makes it)", python.display())
            });
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, input, output }
    }

    /// Asks one question and waits for the answer.
    pub(crate) fn ask(&mut self, question: &Value) -> Value {
        let input = self.input.as_mut().expect("until the end");
        writeln!(input, "{question}").expect("the script listens");
        input.flush().expect("the script listens");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the script answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
