//! `amazon.aws.lambda_execute`: calls a function of Lambda.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/amazon/aws/lambda_execute_module.html>

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use davit_aws::value::{Map, Value};
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::aws::args::yes;
use crate::aws::client::{Aws, failure};
use crate::aws::login::Login;
use crate::aws::patience::says;
use crate::aws::shapes::said;

/// Call a function of Lambda.
///
/// `result` has the `status`, what the function returned as `output`, and with `tail_log` its `logs`. A function
/// that fails fails the task. What a function does is taken for a change, and it is not called in check mode.
///
/// ```yaml
/// - amazon.aws.lambda_execute:
///     name: cleaner
///     payload: {depth: 2}
///   register: cleaned
/// - ansible.builtin.debug:
///     msg: "{{ cleaned.result.output }}"
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Only see whether it may be called.
    #[serde(default)]
    dry_run: bool,
    /// The function's ARN, for one of another account.
    #[serde(default)]
    function_arn: Option<String>,
    /// The function's name.
    #[serde(default)]
    name: Option<String>,
    /// What it is given.
    #[serde(default)]
    payload: serde_json::Map<String, Json>,
    /// Tell the last 4 KB of what it logged. Only with `wait`.
    #[serde(default)]
    tail_log: bool,
    /// A version or alias. Without it, the latest.
    #[serde(default)]
    version_qualifier: Option<String>,
    /// Wait for what it returns.
    #[serde(default = "yes")]
    wait: bool,
    #[serde(flatten)]
    login: Login,
}

/// For so long a function that was just made or changed is waited for.
const READY: Duration = Duration::from_secs(300);

/// No function runs longer: a quarter of an hour, and what it takes to start.
const LONGEST: Duration = Duration::from_secs(960);

/// What is said of a function that cannot be called yet.
const NOT_READY: &[&str] = &["ResourceConflictException", "ResourceNotReadyException"];

/// `amazon.aws.lambda_execute`.
pub(crate) struct LambdaExecute;

impl Module for LambdaExecute {
    const NAME: &'static str = "amazon.aws.lambda_execute";
    const FORMER_NAMES: &'static [&'static str] =
        &["community.aws.execute_lambda", "community.aws.lambda_execute"];
    const RULES: Rules = Rules {
        mutually_exclusive: &[&["name", "function_arn"]],
        required_one_of: &[&["name", "function_arn"]],
        ..Rules::NONE
    };
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        if args.tail_log && !args.wait {
            return Err(ModuleError::failed(
                "tail_log needs wait: true, as nothing is told otherwise",
            ));
        }
        let aws = Aws::new(control, &patient(&args.login))?;
        let name = args.function_arn.as_deref().or(args.name.as_deref()).unwrap_or_default();
        let kind = match (args.dry_run, args.wait) {
            (true, _) => "DryRun",
            (false, true) => "RequestResponse",
            (false, false) => "Event",
        };
        let params = said(json!({
            "FunctionName": name,
            "InvocationType": kind,
            "LogType": if args.tail_log { "Tail" } else { "None" },
            "Payload": Json::Object(args.payload.clone()).to_string(),
            "Qualifier": args.version_qualifier,
        }));
        let path =
            if name.starts_with("arn:") { name.to_owned() } else { format!("lambda:{name}") };
        let what = if args.dry_run { "see whether it may be called" } else { "call the function" };
        let act = async || invoke(control, &aws, name, params).await;
        let Some(answer) = control.change(Edit::new(what, path), act).await? else {
            return Ok(aws.tell(Outcome::new()));
        };
        let result = told(&answer, args.tail_log)?;
        match answer.get("FunctionError").and_then(Value::as_str) {
            Some(kind) => Err(failed(name, kind, &result)),
            None => Ok(aws.tell(Outcome::new().with("result", result))),
        }
    }
}

/// The caller who waits for as long as functions may run: one that gave up earlier would call it again.
fn patient(login: &Login) -> Login {
    let mut login = login.clone();
    let config = login.aws_config.get_or_insert_default();
    config.entry("read_timeout").or_insert_with(|| LONGEST.as_secs().into());
    login
}

/// Calls it, once it can be called.
async fn invoke(
    control: &Control,
    aws: &Aws,
    name: &str,
    params: Json,
) -> Result<Map, ModuleError> {
    let of = ("lambda", "Invoke");
    match aws.attempt(of.0, of.1, params.clone()).await {
        Ok(answer) => return Ok(answer),
        Err(error) if says(&error, NOT_READY) => {}
        Err(error) => return Err(failure(Some(of), &error)),
    }
    control.tell(&format!("waiting until {name} can be called"));
    aws.wait("lambda", "function_active_v2", json!({"FunctionName": name}), READY).await?;
    aws.wait("lambda", "function_updated_v2", json!({"FunctionName": name}), READY).await?;
    aws.call(of.0, of.1, params).await
}

/// What came of the call.
fn told(answer: &Map, tail_log: bool) -> Result<Json, ModuleError> {
    let payload = answer.get("Payload").map(Value::to_json).unwrap_or_default();
    let payload = payload.as_str().unwrap_or_default();
    // Functions may return what is no JSON.
    let output: Json = serde_json::from_str(payload).unwrap_or_else(|_| payload.into());
    let status = answer.get("StatusCode").and_then(Value::as_int);
    let mut result = json!({"status": status, "output": output, "logs": ""});
    if tail_log && let Some(log) = answer.get("LogResult").and_then(Value::as_str) {
        let log = STANDARD.decode(log);
        let log =
            log.map_err(|error| ModuleError::failed(format!("the log cannot be read: {error}")))?;
        // Four kilobytes may begin within a letter.
        result["logs"] = String::from_utf8_lossy(&log).into();
    }
    Ok(result)
}

/// The function was called, and failed.
fn failed(name: &str, kind: &str, result: &Json) -> ModuleError {
    let output = &result["output"];
    let of = |key: &str| output[key].as_str().unwrap_or_default();
    let told = match (of("errorType"), of("errorMessage")) {
        ("", "") => kind.to_owned(),
        ("", message) => message.to_owned(),
        (kind, message) => format!("{kind}: {message}"),
    };
    ModuleError::failed(format!("the function {name} failed: {told}")).with("result", result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_waited_for_unless_the_task_says_for_how_long() {
        let waits = |login: Json| {
            let login: Login = serde_json::from_value(login).unwrap();
            patient(&login).aws_config.unwrap()["read_timeout"].clone()
        };
        assert_eq!(waits(json!({})), 960);
        assert_eq!(waits(json!({"aws_config": {"connect_timeout": 1}})), 960);
        assert_eq!(waits(json!({"aws_config": {"read_timeout": 5}})), 5);
    }
}
