//! `ansible.builtin.wait_for_connection`: waits until modules can run on the host.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use davit_event::Reply;
use davit_module::Rules;
use davit_run::{Action, Outcome, Running, TaskContext};
use davit_value::Map;
use schemars::JsonSchema;

use crate::failure::{action_failed, message};
use crate::options::seconds;

/// Waits until the host can be connected to and modules run there.
///
/// ```yaml
/// - name: Wait for a new machine
///   ansible.builtin.wait_for_connection:
///     delay: 5
///     timeout: 300
/// ```
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the arguments are described here and read by name")]
struct Args {
    /// How long one attempt to connect may take, in seconds.
    #[schemars(extend("default" = 5))]
    connect_timeout: Option<i64>,
    /// How long to wait before the first attempt, in seconds.
    #[schemars(extend("default" = 0))]
    delay: Option<i64>,
    /// How long to wait between attempts, in seconds.
    #[schemars(extend("default" = 1))]
    sleep: Option<i64>,
    /// How long to wait in all, in seconds.
    #[schemars(extend("default" = 600))]
    timeout: Option<i64>,
}

pub(crate) const ACTION: Action = Action {
    name: "ansible.builtin.wait_for_connection",
    schema: || schemars::schema_for!(Args),
    rules: Rules::NONE,
    free_form: None,
    open: false,
    raw: false,
    inline: false,
    run: |context, args| {
        Box::pin(async move { run(context, args).await.unwrap_or_else(|it| it) }) as Running<'_>
    },
};

async fn run(context: &TaskContext, args: Map) -> Result<Outcome, Outcome> {
    if context.check {
        return Ok(Outcome::changed(false).with("skipped", true));
    }
    let began = Instant::now();
    let limit = seconds(&args, "timeout", 600);
    let sleep = seconds(&args, "sleep", 1);
    let connect = seconds(&args, "connect_timeout", 5);
    // What is wrong with the connection's own settings does not get better by waiting.
    context.connection()?;
    if !context.pause(seconds(&args, "delay", 0)).await {
        return Err(stopped());
    }
    loop {
        let left = limit.saturating_sub(began.elapsed());
        let why = match answers(context, connect, left).await {
            Ok(()) => {
                let elapsed = began.elapsed().as_secs();
                return Ok(Outcome::changed(false).with("elapsed", elapsed));
            }
            Err(why) => why,
        };
        if began.elapsed() + sleep >= limit {
            let outcome =
                action_failed(context, format!("timed out waiting for ping module test: {why}"));
            return Err(outcome.with("elapsed", began.elapsed().as_secs()));
        }
        if !context.pause(sleep).await {
            return Err(stopped());
        }
    }
}

/// What is said of a task that the user no longer wants.
pub(crate) fn stopped() -> Outcome {
    Outcome::failed("stopped before it was done")
}

/// Connects anew and runs a module; why not, where that does not work.
async fn answers(context: &TaskContext, connect: Duration, left: Duration) -> Result<(), String> {
    context.reset().await;
    if !context.connection().is_ok_and(|it| it.is_local()) {
        // A shell alone first: sending what modules need may take longer than connecting.
        match tokio::time::timeout(connect.max(Duration::from_secs(1)), context.raw("exit 0")).await
        {
            Ok(Ok(ran)) if ran.code == 0 => {}
            Ok(Ok(ran)) => return Err(format!("the host's shell ended with {}", ran.code)),
            Ok(Err(outcome)) => return Err(reason(&outcome)),
            Err(_) => return Err("timed out while connecting".to_owned()),
        }
    }
    let ping = context.call_module("ansible.legacy.ping", Reply::new(), BTreeMap::new());
    let patience = left.max(connect).max(Duration::from_secs(1));
    match tokio::time::timeout(patience, ping).await {
        Ok(outcome) if outcome.unreachable || outcome.is_failed() => Err(reason(&outcome)),
        Ok(_) => Ok(()),
        Err(_) => Err("the ping module did not answer in time".to_owned()),
    }
}

/// A failure's message alone.
pub(crate) fn reason(outcome: &Outcome) -> String {
    let said = message(outcome);
    said.strip_prefix("Task failed: ").map_or_else(|| said.clone(), str::to_owned)
}
