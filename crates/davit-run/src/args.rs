//! A task's arguments: defaults for its module, free form, templates, `omit`.

use davit_module::{ArgError, Spec};
use davit_playbook as written;
use davit_value::{Key, Map, Value};

use crate::action::Outcome;
use crate::context::TaskContext;
use crate::execute::Job;
use crate::failure::{cause, task_failed, template_cause};
use crate::scope::{is_omit, without_omit};
use crate::tree::Work;

/// The arguments as the action is to see them.
pub(crate) fn finalize(job: &Job, context: &TaskContext) -> Result<Map, Outcome> {
    let written = written_args(job, context)?;
    if matches!(&job.task.work, Work::Action(action) if action.raw) {
        return Ok(written);
    }
    let mut args = Map::new();
    for (key, value) in &written {
        let key = &rendered_key(job, context, key)?;
        if !value.is_live() {
            args.insert(key.clone(), value.clone());
            continue;
        }
        match context.env().resolve(value) {
            Ok(value) => {
                args.insert(key.clone(), value);
            }
            Err(error) => return Err(unfinished(job, &key.to_text(), value, &error)),
        }
    }
    Ok(clean(args))
}

/// `set_fact` may have templates for names.
fn rendered_key(job: &Job, context: &TaskContext, key: &Key) -> Result<Key, Outcome> {
    match key.as_str() {
        Some(text) if text.contains("{{") && &*job.task.full_name == "ansible.builtin.set_fact" => {
            let origin = Some(&job.task.written.action_origin);
            match context.env().render_text(text, origin) {
                Ok(name) => Ok(Key::from(name.to_str())),
                Err(error) => Err(unfinished(job, text, &Value::Null, &error)),
            }
        }
        _ => Ok(key.clone()),
    }
}

fn unfinished(job: &Job, key: &str, value: &Value, error: &davit_template::Error) -> Outcome {
    let task = &job.task;
    let lead = format!("Error while resolving value for '{key}': ");
    task_failed(
        task.origin(),
        vec![
            cause(
                format!("Finalization of task args for '{}' failed", task.full_name),
                Some(&task.written.action_origin),
            ),
            template_cause(&lead, error, value.origin().or(Some(&task.written.action_origin))),
        ],
    )
}

/// Actions without a free form that judge themselves of a text without a key.
const READS_RAW_PARAMS: &[&str] =
    &["ansible.builtin.add_host", "ansible.builtin.group_by", "ansible.builtin.set_fact"];

/// Defaults for the module, then what the task says; not rendered.
fn written_args(job: &Job, context: &TaskContext) -> Result<Map, Outcome> {
    let mut args = module_defaults(job, context)?;
    let task = &job.task.written;
    if let Some(text) = &task.raw_params {
        let name = match &job.task.work {
            Work::Module(entry) => entry.free_form,
            Work::Action(action) => action.free_form,
            Work::Control(entry) => entry.free_form,
            _ => None,
        };
        if name.is_none() && !READS_RAW_PARAMS.contains(&&*job.task.full_name) {
            let text = format!("Action '{}' does not support raw params.", job.task.full_name);
            return Err(task_failed(
                job.task.origin(),
                vec![cause(text, Some(&task.action_origin))],
            ));
        }
        args.insert(name.unwrap_or("_raw_params"), Value::Str(text.clone()));
    }
    if let Some(value) = task.args.get("_variable_params") {
        args.extend(&variable_args(job, context, value)?);
    }
    for (key, value) in task.args.iter().filter(|(key, _)| key.as_str() != Some("_variable_params"))
    {
        args.insert(key.clone(), value.clone());
    }
    Ok(args)
}

/// `module: "{{ dictionary }}"`: all arguments from one expression.
fn variable_args(job: &Job, context: &TaskContext, value: &Value) -> Result<Map, Outcome> {
    match context.env().resolve(value) {
        Ok(Value::Map(map)) => Ok((*map).clone()),
        Ok(other) if is_omit(&other) => Ok(Map::new()),
        Ok(other) => {
            // A text from a template is a free form.
            let text = davit_value::Str::new(other.to_str());
            match written::free_form(&job.task.full_name, &text) {
                Ok(parts) if other.as_str().is_some() && parts.raw.is_none() => Ok(parts.args),
                _ => Err(task_failed(
                    job.task.origin(),
                    vec![cause(
                        format!(
                            "The value of the task arguments must be a dictionary, not '{}'",
                            other.type_name()
                        ),
                        Some(&job.task.written.action_origin),
                    )],
                )),
            }
        }
        Err(error) => Err(unfinished(job, "_variable_params", value, &error)),
    }
}

/// The nearest defaults for the module itself, on top of those for groups that it is in.
fn module_defaults(job: &Job, context: &TaskContext) -> Result<Map, Outcome> {
    let mut own = Map::new();
    let mut groups = Map::new();
    for (value, origin) in job.task.keywords("module_defaults") {
        let list = match value {
            Value::List(list) => list.to_vec(),
            other => vec![other.clone()],
        };
        for defaults in list {
            let rendered = context.env().resolve(&defaults).map_err(|error| {
                let lead = "Error processing keyword 'module_defaults': ";
                task_failed(job.task.origin(), vec![template_cause(lead, &error, Some(origin))])
            })?;
            let Some(map) = rendered.as_map() else { continue };
            for (key, value) in map {
                let Some(name) = key.as_str() else { continue };
                let Some(nearer) = value.as_map() else { continue };
                if name.starts_with("group/") {
                    groups.insert(name, nearer.clone().into());
                } else if job.world.tables.full_name(name) == *job.task.full_name {
                    own = nearer.clone();
                }
            }
        }
    }
    let mut found = Map::new();
    for (name, defaults) in &groups {
        let name = name.as_str().and_then(|it| it.strip_prefix("group/")).unwrap_or_default();
        let group = job.world.loader.groups.find(name);
        if group.is_ok_and(|it| it.contains(&job.task.full_name))
            && let Some(defaults) = defaults.as_map()
        {
            found.extend(defaults);
        }
    }
    found.extend(&own);
    Ok(found)
}

/// Rendered arguments never hold `omit`.
fn clean(args: Map) -> Map {
    args.into_iter()
        .filter(|(_, value)| !is_omit(value))
        .map(|(key, value)| (key, without_omit(value)))
        .collect()
}

/// Checks the arguments of an action.
pub(crate) fn check(spec: &Spec, args: Map) -> Result<Map, Outcome> {
    let reply = TaskContext::reply_of(&args);
    match spec.check(&reply) {
        Ok(checked) => {
            let mut result = Map::new();
            for (key, value) in &checked {
                if value.is_null() && !args.contains(key) {
                    continue;
                }
                // A value that the check left alone keeps what JSON cannot say.
                let kept = args.get(key).filter(|it| it.to_json() == *value).cloned();
                result.insert(key.as_str(), kept.unwrap_or_else(|| Value::from_json(value)));
            }
            Ok(result)
        }
        Err(errors) => {
            Err(Outcome::failed(errors.first().map(ArgError::to_string).unwrap_or_default()))
        }
    }
}
