//! Drives the library with JSON: reads one request a line, writes one answer a line, so that the test
//! suites of the AWS SDKs can be run through it. The page of the crate says what requests there are. Knows no
//! suite.

mod ask;
mod calls;
mod configuration;
mod endpoints;
mod models;
mod recording;
mod sessions;
mod signatures;
mod streams;
mod wire;

use std::{
    io::{self, BufRead, Write},
    panic::{AssertUnwindSafe, catch_unwind},
};

use serde_json::{Value as Json, json};

use self::{
    ask::{Answer, Asked, Refusal},
    models::Models,
};

/// What answers one kind of request.
type Command = fn(Asked<'_>, &mut Models) -> Answer;

/// What can be asked, sorted.
const COMMANDS: &[(&str, Command)] = &[
    ("call", sessions::call),
    ("checksum", streams::checksum),
    ("credentials", sessions::credentials),
    ("endpoint", endpoints::endpoint),
    ("event_stream", streams::event_stream),
    ("jmespath", calls::jmespath),
    ("paginate", calls::paginate),
    ("parse", wire::parse),
    ("presign", sessions::presign),
    ("profile", configuration::profile),
    ("profile_files", configuration::profile_files),
    ("retry", calls::retry),
    ("role_chain", configuration::role_chain),
    ("serialize", wire::serialize),
    ("settings", configuration::settings),
    ("sign", signatures::sign),
    ("token", sessions::token),
    ("validate", wire::validate),
    ("wait", calls::wait),
];

fn main() -> io::Result<()> {
    let mut models = Models::default();
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().split(b'\n') {
        let line = line?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = answer(&line, &mut models);
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

fn answer(line: &[u8], models: &mut Models) -> Json {
    let request: Json = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => return Refusal::new("request", format!("no JSON: {error}")).into_json(),
    };
    // A suite goes on, whatever one of its cases does.
    let answer = catch_unwind(AssertUnwindSafe(|| run(&request, models)))
        .unwrap_or_else(|_| Err(Refusal::new("bug", "the library panicked")));
    let mut answer = answer.unwrap_or_else(Refusal::into_json);
    if let (Some(id), Json::Object(answer)) = (request.get("id"), &mut answer) {
        answer.insert("id".to_owned(), id.clone());
    }
    answer
}

fn run(request: &Json, models: &mut Models) -> Answer {
    let asked = Asked(request);
    let name = asked.need_text("command")?;
    let known = COMMANDS.iter().find(|(known, _)| *known == name);
    let Some((_, command)) = known else {
        let names: Vec<&str> = COMMANDS.iter().map(|(name, _)| *name).collect();
        let refusal = Refusal::new("request", format!("there is no command {name:?}"));
        return Err(refusal.with("commands", json!(names)));
    };
    command(asked, models)
}
