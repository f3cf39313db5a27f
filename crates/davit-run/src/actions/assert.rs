//! `ansible.builtin.assert`: fails where an expression does not hold.

use davit_module::Rules;
use davit_value::{Map, Value};
use schemars::JsonSchema;

use super::render;
use crate::action::{Action, Outcome, Running};
use crate::context::TaskContext;
use crate::failure::{task_failed, template_cause};

/// Fails where one of the expressions does not hold.
///
/// ```yaml
/// - ansible.builtin.assert:
///     that:
///       - port | int > 1024
///       - name is match('web')
///     fail_msg: The port is reserved
/// ```
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the arguments are described here and read by name")]
struct Args {
    /// Expressions as `when` takes them: one, or a list of which each has to hold.
    #[schemars(extend("x-type" = "raw"))]
    that: serde_json::Value,
    /// The message where one does not hold.
    #[schemars(extend("x-type" = "raw", "x-aliases" = ["msg"]))]
    fail_msg: Option<serde_json::Value>,
    /// The message where all hold.
    #[schemars(extend("x-type" = "raw"))]
    success_msg: Option<serde_json::Value>,
    /// Say less.
    #[schemars(default)]
    quiet: bool,
}

pub(super) const ACTION: Action = Action {
    name: "ansible.builtin.assert",
    schema: || schemars::schema_for!(Args),
    rules: Rules::NONE,
    free_form: None,
    open: true,
    raw: true,
    inline: true,
    run: |context, args| {
        let outcome = run(context, &args).unwrap_or_else(|failure| failure);
        Box::pin(async move { outcome }) as Running<'_>
    },
};

fn run(context: &TaskContext, args: &Map) -> Result<Outcome, Outcome> {
    let that =
        args.get("that").ok_or_else(|| Outcome::failed("missing required arguments: that"))?;
    for key in args.keys().filter_map(davit_value::Key::as_str) {
        if !matches!(key, "that" | "fail_msg" | "msg" | "success_msg" | "quiet") {
            return Err(Outcome::failed(format!(
                "Unsupported parameters for (ansible.builtin.assert) module: {key}. Supported parameters include: fail_msg, quiet, success_msg, that (msg)."
            )));
        }
    }
    let fail_msg = message(context, args, "fail_msg")?.or(message(context, args, "msg")?);
    let success_msg = message(context, args, "success_msg")?;
    let quiet = match args.get("quiet") {
        Some(value) => crate::keyword::to_flag(&render(context, "quiet", value)?).unwrap_or(false),
        None => false,
    };
    for condition in conditions(context, that)? {
        let holds = context.env().condition(&condition).map_err(|error| {
            let near = condition.origin().or(that.origin()).or(Some(context.origin()));
            task_failed(context.origin(), vec![template_cause("", &error, near)])
        })?;
        if !holds {
            let mut outcome = Outcome::changed(false)
                .with("failed", true)
                .with("evaluated_to", false)
                .with("assertion", unmarked(&condition))
                .with("msg", fail_msg.unwrap_or_else(|| "Assertion failed".into()));
            if !quiet {
                outcome.result.insert("_ansible_verbose_always", true.into());
            }
            return Ok(outcome);
        }
    }
    let mut outcome = Outcome::changed(false)
        .with("msg", success_msg.unwrap_or_else(|| "All assertions passed".into()));
    if !quiet {
        outcome.result.insert("_ansible_verbose_always", true.into());
    }
    Ok(outcome)
}

/// The expressions: `that` may be a template that gives a list of them.
fn conditions(context: &TaskContext, that: &Value) -> Result<Vec<Value>, Outcome> {
    let list = match that {
        Value::List(list) => list.to_vec(),
        Value::Str(_) if that.is_live() => match condition(context, that)? {
            Value::List(list) => list.to_vec(),
            other => vec![other],
        },
        other => vec![other.clone()],
    };
    list.into_iter()
        .map(|it| match &it {
            Value::Str(_) if it.is_live() => condition(context, &it),
            _ => Ok(it),
        })
        .collect()
}

/// An expression that is a template for one.
fn condition(context: &TaskContext, value: &Value) -> Result<Value, Outcome> {
    context.env().resolve(value).map(crate::scope::without_omit).map_err(|error| {
        let near = value.origin().or(Some(context.origin()));
        let lead = "Error while evaluating conditional: ";
        task_failed(context.origin(), vec![template_cause(lead, &error, near)])
    })
}

fn unmarked(condition: &Value) -> Value {
    match condition {
        Value::Str(text) => Value::Str(text.unmarked()),
        other => other.clone(),
    }
}

fn message(context: &TaskContext, args: &Map, name: &str) -> Result<Option<Value>, Outcome> {
    let Some(value) = args.get(name) else { return Ok(None) };
    match render(context, name, value)? {
        Value::Null => Ok(None),
        text @ Value::Str(_) => Ok(Some(text)),
        Value::List(list) if list.iter().all(|it| it.as_str().is_some()) => {
            Ok(Some(Value::List(list)))
        }
        other => Err(Outcome::failed(format!(
            "argument '{name}' is of type {} and we were unable to convert to str_or_list_of_str: a string or list of strings is required",
            other.type_name()
        ))),
    }
}
