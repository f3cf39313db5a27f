//! `vars_prompt`: asking for variables before a play.

use std::sync::Arc;

use davit_playbook as written;
use davit_value::{Args, Value};

use crate::error::Error;
use crate::keyword::to_flag;
use crate::world::World;

/// Attempts at answers that have to be given twice alike.
const ATTEMPTS: usize = 3;

/// The value of one prompt.
pub(crate) fn ask(
    world: &Arc<World>,
    prompt: &written::VarsPrompt,
    render: &dyn Fn(&Value) -> Result<Value, Error>,
) -> Result<Value, Error> {
    let default = match &prompt.default {
        Value::Null => None,
        value => Some(render(value)?),
    };
    let text = match &prompt.prompt {
        Value::Null => prompt.name.clone(),
        text => render(text)?.to_str(),
    };
    let private = to_flag(&render(&prompt.private)?).unwrap_or(true);
    let confirm = to_flag(&render(&prompt.confirm)?).unwrap_or(false);
    let question = match &default {
        Some(default) => format!("{text} [{}]: ", default.to_str()),
        None => format!("{text}: "),
    };
    let answer = typed(world, private, confirm, &question);
    let value = match (answer, default) {
        (Some(answer), default) if !answer.is_empty() || default.is_none() => answer,
        (_, Some(default)) => default.to_str(),
        // Nobody was there to answer: Python's word for that, as text.
        (_, None) => return Ok("None".into()),
    };
    if private {
        world.mask.add(&value);
    }
    if !prompt.encrypt.is_null() {
        return encrypt(world, prompt, &value, &render(&prompt.encrypt)?);
    }
    // What somebody types is never a template, unless the prompt says that it may be.
    Ok(value.into())
}

fn typed(world: &Arc<World>, private: bool, confirm: bool, question: &str) -> Option<String> {
    for _ in 0..ATTEMPTS {
        let Some(first) = world.prompt.ask(question, private) else {
            world.warn("Not prompting as we are not in interactive mode");
            return None;
        };
        if !confirm {
            return Some(first);
        }
        let again = world.prompt.ask(&format!("confirm {question}"), private)?;
        if first == again {
            return Some(first);
        }
        world.message(
            davit_event::Level::Info,
            "***** VALUES ENTERED DO NOT MATCH ****",
            None,
            None,
        );
    }
    None
}

fn encrypt(
    world: &Arc<World>,
    prompt: &written::VarsPrompt,
    value: &str,
    scheme: &Value,
) -> Result<Value, Error> {
    let scope = crate::scope::TaskScope::new(world, None, None, None);
    let outside = scope.outside();
    let env = davit_template::Env::new(&world.engine, &scope, &outside);
    let mut args = Args { positional: vec![value.into(), scheme.clone()], ..Args::default() };
    if !prompt.salt.is_null() {
        args.named.insert("salt", prompt.salt.clone());
    } else if !prompt.salt_size.is_null() {
        args.named.insert("salt_size", prompt.salt_size.clone());
    }
    env.call_filter("password_hash", args).map_err(|error| Error::plain(error.to_string()))
}
