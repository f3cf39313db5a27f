//! `ansible.builtin.validate_argument_spec`: checks variables against an argument spec.

use davit_module::{ArgError, Rules, Spec};
use davit_value::{Map, Value};
use schemars::JsonSchema;

use crate::action::{Action, Outcome, Running};
use crate::context::TaskContext;

/// Checks variables against an argument spec, as roles have them in `meta/argument_specs.yml`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the arguments are described here and read by name")]
struct Args {
    /// The options, each with its type, choices, default and whether it is required.
    argument_spec: serde_json::Map<String, serde_json::Value>,
    /// Values by name; variables of the same names stand below them.
    provided_arguments: Option<serde_json::Map<String, serde_json::Value>>,
    /// What the check is for: shown in the result.
    validate_args_context: Option<serde_json::Map<String, serde_json::Value>>,
}

pub(super) const ACTION: Action = Action {
    name: "ansible.builtin.validate_argument_spec",
    schema: || schemars::schema_for!(Args),
    rules: Rules::NONE,
    free_form: None,
    open: true,
    raw: false,
    inline: true,
    run: |context, args| {
        let outcome = run(context, &args);
        Box::pin(async move { outcome }) as Running<'_>
    },
};

fn run(context: &TaskContext, args: &Map) -> Outcome {
    let Some(options) = args.get("argument_spec") else {
        return Outcome::failed(format!(
            "Task failed: \"argument_spec\" arg is required in args: {}",
            Value::from(args.clone()).repr()
        ));
    };
    let Value::Map(options) = options else {
        return Outcome::failed(format!(
            "Task failed: Incorrect type for argument_spec, expected dict and got <class '{}'>",
            options.type_name()
        ));
    };
    let mut provided = match args.get("provided_arguments") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Map(map)) => (**map).clone(),
        Some(other) => {
            return Outcome::failed(format!(
                "Task failed: Incorrect type for provided_arguments, expected dict and got <class '{}'>",
                other.type_name()
            ));
        }
    };
    for key in options.keys().filter_map(davit_value::Key::as_str) {
        if provided.contains(key) {
            continue;
        }
        match context.scope.value(key) {
            Ok(Some(value)) => {
                provided.insert(key, value);
            }
            Ok(None) => {}
            Err(error) => return Outcome::failed(error.to_string()),
        }
    }
    let about = args.get("validate_args_context").cloned().unwrap_or_else(Value::map);
    let spec = Spec::from_options(&Value::Map(options.clone()).to_json());
    match spec.check(&TaskContext::reply_of(&provided)) {
        Ok(_) => Outcome::changed(false)
            .with("msg", "The arg spec validation passed")
            .with("validate_args_context", about),
        Err(errors) => {
            // What is checked here has no module to name.
            let text = |error: &ArgError| {
                let text = error.to_string();
                text.strip_prefix("Unsupported parameters for () module: ")
                    .map_or(text.clone(), str::to_owned)
            };
            let texts: Vec<Value> = errors.iter().map(text).map(Value::from).collect();
            let joined: Vec<String> = texts.iter().map(Value::to_str).collect();
            Outcome::failed(format!("Validation of arguments failed:\n{}", joined.join("\n")))
                .with("argument_errors", Value::list(texts))
                .with("argument_spec_data", Value::Map(options.clone()))
                .with("validate_args_context", about)
        }
    }
}
