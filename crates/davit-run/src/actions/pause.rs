//! `ansible.builtin.pause`: waits for a time or for a person.

use std::time::Duration;

use davit_event::Level;
use davit_module::Rules;
use davit_value::{Map, Value};
use schemars::JsonSchema;

use super::{flag, text};
use crate::action::{Action, Outcome, Running};
use crate::context::TaskContext;

/// Waits for some time, or until somebody presses Enter.
///
/// ```yaml
/// - ansible.builtin.pause:
///     prompt: Check the balancer, then press Enter
/// ```
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the arguments are described here and read by name")]
struct Args {
    /// How many minutes to wait.
    minutes: Option<i64>,
    /// How many seconds to wait.
    seconds: Option<i64>,
    /// What to ask. What is typed is the result's `user_input`.
    prompt: Option<String>,
    /// Show what is typed.
    #[schemars(extend("default" = true))]
    echo: Option<bool>,
}

pub(super) const ACTION: Action = Action {
    name: "ansible.builtin.pause",
    schema: || schemars::schema_for!(Args),
    rules: Rules { mutually_exclusive: &[&["minutes", "seconds"]], ..Rules::NONE },
    free_form: None,
    open: false,
    raw: false,
    inline: false,
    run: |context, args| Box::pin(run(context, args)) as Running<'_>,
};

async fn run(context: &TaskContext, args: Map) -> Outcome {
    let seconds = match (number(&args, "minutes"), number(&args, "seconds")) {
        (Err(outcome), _) | (_, Err(outcome)) => return outcome,
        (Ok(Some(minutes)), _) => Some(minutes * 60.0),
        (_, Ok(seconds)) => seconds,
    };
    let echo = flag(&args, "echo", true);
    let prompt = text(&args, "prompt");
    let title = match &prompt {
        Some(text) => format!("[{}]\n{text}:", name(context)),
        None => format!("[{}]\nPress enter to continue, Ctrl+C to interrupt:", name(context)),
    };
    let began = std::time::Instant::now();
    let start = moment();
    let mut said = String::new();
    match seconds {
        Some(seconds) => {
            let seconds = seconds.clamp(1.0, 1e9);
            let text = format!("Pausing for {} seconds", seconds.trunc());
            context.world.message(Level::Info, &text, None, None);
            if prompt.is_some() {
                context.world.message(Level::Info, &title, None, None);
            }
            let end = began + Duration::from_secs_f64(seconds);
            while std::time::Instant::now() < end && !context.world.is_stopping() {
                let left = end.saturating_duration_since(std::time::Instant::now());
                tokio::time::sleep(left.min(Duration::from_millis(200))).await;
            }
        }
        None => {
            let ask = std::sync::Arc::clone(&context.world.prompt);
            let answer = tokio::task::spawn_blocking(move || ask.ask(&title, !echo)).await;
            match answer {
                Ok(Some(answer)) => said = answer,
                Ok(None) | Err(_) => context
                    .world
                    .warn("Not waiting for response to prompt as stdin is not interactive"),
            }
        }
    }
    let took = began.elapsed();
    let (word, span) = match number(&args, "minutes") {
        Ok(Some(_)) => ("minutes", took.as_secs_f64() / 60.0),
        _ => ("seconds", took.as_secs_f64()),
    };
    let span = (span * 100.0).round() / 100.0;
    Outcome::changed(false)
        .with("rc", 0)
        .with("stderr", "")
        .with("stdout", format!("Paused for {} {word}", Value::Float(span).to_str()))
        .with("start", start)
        .with("stop", moment())
        .with("delta", took.as_secs())
        .with("echo", echo)
        .with("user_input", said)
}

fn number(args: &Map, name: &str) -> Result<Option<f64>, Outcome> {
    match args.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_number().or_else(|| value.as_str()?.trim().parse().ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(Outcome::failed(format!(
                "non-integer value given for prompt duration:\ninvalid literal for int() with base 10: {}",
                value.repr()
            ))),
        },
    }
}

fn name(context: &TaskContext) -> String {
    context.task.name().map_or_else(|| "pause".into(), Value::to_str)
}

/// Now, as Python prints it.
fn moment() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
}
