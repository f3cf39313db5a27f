//! `ansible.builtin.debug`: prints a message or a variable.

use davit_module::Rules;
use davit_template::ErrorKind;
use davit_value::{Map, Value};
use schemars::JsonSchema;

use super::render;
use crate::action::{Action, Outcome, Running};
use crate::context::TaskContext;

/// Prints a message or a variable while the playbook runs.
///
/// ```yaml
/// - name: Show what was found
///   ansible.builtin.debug:
///     var: found.stdout_lines
/// ```
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the arguments are described here and read by name")]
struct Args {
    /// What to print. `Hello world!` where neither this nor `var` is given.
    #[schemars(extend("x-type" = "raw"))]
    msg: Option<serde_json::Value>,
    /// A variable, or an expression, to print with its name. Not together with `msg`.
    #[schemars(extend("x-type" = "raw"))]
    var: Option<serde_json::Value>,
    /// Print only with this many `-v`.
    #[schemars(default)]
    verbosity: i64,
}

pub(super) const ACTION: Action = Action {
    name: "ansible.builtin.debug",
    schema: || schemars::schema_for!(Args),
    rules: Rules { mutually_exclusive: &[&["msg", "var"]], ..Rules::NONE },
    free_form: None,
    open: false,
    raw: true,
    inline: true,
    run: |context, args| {
        let outcome = run(context, &args).unwrap_or_else(|failure| failure);
        Box::pin(async move { outcome }) as Running<'_>
    },
};

fn run(context: &TaskContext, args: &Map) -> Result<Outcome, Outcome> {
    let level = match args.get("verbosity") {
        Some(value) => render(context, "verbosity", value)?,
        None => Value::Int(0),
    };
    let level = level.as_number().or_else(|| level.as_str()?.trim().parse().ok()).unwrap_or(0.0);
    if level > f64::from(context.world.settings.verbosity) {
        return Ok(Outcome::changed(false)
            .with("skipped", true)
            .with("skipped_reason", "Verbosity threshold not met."));
    }
    let outcome = match (args.get("var"), args.get("msg")) {
        (Some(var), _) => {
            let name = render(context, "var", var)?;
            let (key, value) = variable(context, &name, var)?;
            Outcome::changed(false).with(&key, value)
        }
        (None, Some(msg)) => match render(context, "msg", msg)? {
            msg if crate::scope::is_omit(&msg) => {
                Outcome::changed(false).with("msg", "Hello world!")
            }
            msg => Outcome::changed(false).with("msg", msg),
        },
        (None, None) => Outcome::changed(false).with("msg", "Hello world!"),
    };
    Ok(outcome.with("_ansible_verbose_always", true))
}

/// What to show for `var`, and under which key.
fn variable(
    context: &TaskContext,
    name: &Value,
    written: &Value,
) -> Result<(String, Value), Outcome> {
    let Value::Str(expression) = name else {
        return Err(Outcome::failed(format!(
            "argument 'var' is of type {} and we were unable to convert to _check_type_str_no_conversion: '{}' is not a string and conversion is not allowed",
            name.type_name(),
            name.to_str()
        )));
    };
    if written.is_live() && !expression.is_trusted() {
        // What a template made is data, and no expression; a text that it only handed on is what the user wrote.
        return Err(Outcome::failed(
            "Task failed: Error while resolving `var` expression: Encountered untrusted template or expression.",
        ));
    }
    match context.env().expression(expression, written.origin()) {
        Ok(Value::Undefined(what)) => {
            Ok((expression.to_string(), format!("<< error 1 - {} >>", what.message).into()))
        }
        Ok(value) => Ok((expression.to_string(), value)),
        Err(error) if error.kind() == ErrorKind::Undefined => {
            Ok((expression.to_string(), format!("<< error 1 - {error} >>").into()))
        }
        Err(error) => {
            let near = written.origin().or(Some(context.origin()));
            Err(crate::failure::task_failed(
                context.origin(),
                vec![crate::failure::template_cause("", &error, near)],
            ))
        }
    }
}
