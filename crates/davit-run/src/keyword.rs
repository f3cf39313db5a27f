//! Keywords of tasks, rendered and brought to the type they are to have.

use davit_template::{Env, Outside};
use davit_value::{Map, Origin, Value};

use crate::action::Outcome;
use crate::failure::{cause, task_failed, template_cause};
use crate::scope::{TaskScope, is_omit};
use crate::tree::Task;

/// Reads the keywords of one task in one scope.
pub(crate) struct Keyword<'a> {
    pub(crate) task: &'a Task,
    pub(crate) scope: &'a TaskScope,
    pub(crate) outside: &'a Outside,
}

impl Keyword<'_> {
    fn env(&self) -> Env<'_> {
        Env::new(&self.scope.world.engine, self.scope, self.outside)
    }

    /// The keyword's value, rendered; `None` where nobody wrote one, or where it is `omit`.
    pub(crate) fn value(&self, name: &str) -> Result<Option<Value>, Outcome> {
        let Some((value, origin)) = self.task.keyword(name) else { return Ok(None) };
        if !value.is_live() {
            return Ok((!value.is_null()).then(|| value.clone()));
        }
        match self.env().resolve(value) {
            Ok(value) if is_omit(&value) || value.is_null() => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                // The original does not name this one keyword.
                let lead = match name {
                    "delegate_to" => String::new(),
                    _ => format!("Error processing keyword '{name}': "),
                };
                let near = value.origin().or(origin);
                Err(task_failed(self.task.origin(), vec![template_cause(&lead, &error, near)]))
            }
        }
    }

    /// A boolean.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Outcome> {
        let Some(value) = self.value(name)? else { return Ok(None) };
        match to_flag(&value) {
            Some(flag) => Ok(Some(flag)),
            None => Err(self.wrong(name, &value, "bool")),
        }
    }

    /// A number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>, Outcome> {
        let Some(value) = self.value(name)? else { return Ok(None) };
        let number = match &value {
            Value::Str(text) => text.trim().parse::<f64>().ok(),
            other => other.as_number(),
        };
        match number {
            Some(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(self.wrong(name, &value, "int")),
        }
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Outcome> {
        Ok(self.value(name)?.map(|value| value.to_str()))
    }

    /// `environment`: all of them, the nearest last.
    pub(crate) fn environment(&self) -> Result<Vec<(String, String)>, Outcome> {
        let mut all = Map::new();
        for (value, origin) in self.task.keywords("environment") {
            self.add_environment(value, origin, &mut all)?;
        }
        Ok(all.iter().map(|(key, value)| (key.to_text(), value.to_str())).collect())
    }

    fn add_environment(
        &self,
        value: &Value,
        origin: &Origin,
        all: &mut Map,
    ) -> Result<(), Outcome> {
        let rendered = self.env().resolve(value).map_err(|error| {
            let lead = "Error processing keyword 'environment': ";
            task_failed(self.task.origin(), vec![template_cause(lead, &error, Some(origin))])
        })?;
        match rendered {
            Value::Null => {}
            Value::Map(map) => {
                for (key, value) in map.iter().filter(|(_, value)| !is_omit(value)) {
                    all.insert(key.clone(), value.clone());
                }
            }
            Value::List(list) => {
                for item in list.iter() {
                    self.add_environment(item, origin, all)?;
                }
            }
            other => {
                let text = format!(
                    "environment must be a dictionary, received {} ({})",
                    other.to_str(),
                    other.type_name()
                );
                return Err(task_failed(self.task.origin(), vec![cause(text, Some(origin))]));
            }
        }
        Ok(())
    }

    fn wrong(&self, name: &str, value: &Value, kind: &str) -> Outcome {
        let text = format!(
            "Error processing keyword '{name}': The value {} could not be converted to '{kind}'.",
            value.repr()
        );
        let origin = self.task.keyword(name).and_then(|(_, origin)| origin.cloned());
        task_failed(self.task.origin(), vec![cause(text, origin.as_ref())])
    }
}

/// What counts as a boolean where one is asked for.
#[must_use]
pub fn to_flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Int(0) => Some(false),
        Value::Int(1) => Some(true),
        Value::Float(number) if *number == 0.0 || *number == 1.0 => Some(*number == 1.0),
        Value::Str(text) => match text.trim().to_lowercase().as_str() {
            "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => Some(true),
            "n" | "no" | "off" | "0" | "false" | "f" | "0.0" | "" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_come_in_many_words() {
        for (value, flag) in [
            (Value::from("Yes"), Some(true)),
            (Value::from("off"), Some(false)),
            (Value::from(1), Some(true)),
            (Value::from(2), None),
            (Value::from("maybe"), None),
        ] {
            assert_eq!(to_flag(&value), flag, "{value:?}");
        }
    }
}
