//! Parameters as the model of an operation has them, out of what people write in YAML: texts that are numbers,
//! numbers that are texts, words whatever their case.
//!
//! It does not check anything: the client does.

use davit_aws::Client;
use davit_aws::model::{Kind, Service, ShapeId};
use davit_module::ModuleError;
use serde_json::Value;

use super::client::{Aws, failure};

/// Parameters of an operation, each as what it is to be. Nulls are left out, and what cannot be what it should is left
/// as it is.
///
/// # Errors
/// Where there is no such operation.
pub fn fitted(
    aws: &Aws,
    service: &str,
    operation: &str,
    params: Value,
) -> Result<Value, ModuleError> {
    let find = || {
        let service = aws.client().service(service)?;
        Ok((service, Client::operation(service, operation)?))
    };
    let (service, operation) = find().map_err(|error| failure(None, &error))?;
    Ok(match operation.input {
        Some(shape) => fit(service, shape, params),
        None => params,
    })
}

/// The same without all that is null, at any depth: what is sent.
#[must_use]
pub fn said(params: Value) -> Value {
    match params {
        Value::Object(map) => {
            let said = map.into_iter().filter(|(_, it)| !it.is_null());
            Value::Object(said.map(|(name, it)| (name, self::said(it))).collect())
        }
        Value::Array(items) => items.into_iter().map(said).collect(),
        other => other,
    }
}

fn fit(service: &Service, shape: ShapeId, value: Value) -> Value {
    match (&service.shape(shape).kind, value) {
        (Kind::Structure(structure), Value::Object(map)) => {
            let said = map.into_iter().filter(|(_, it)| !it.is_null());
            let fitted = said.map(|(name, it)| match structure.member(&name) {
                Some(member) => (name, fit(service, member.shape, it)),
                None => (name, it),
            });
            Value::Object(fitted.collect())
        }
        (Kind::List { member, .. }, Value::Array(items)) => {
            items.into_iter().map(|it| fit(service, member.shape, it)).collect()
        }
        (Kind::Map { value: member, .. }, Value::Object(map)) => {
            let fitted = map.into_iter().map(|(name, it)| (name, fit(service, member.shape, it)));
            Value::Object(fitted.collect())
        }
        (Kind::String { choices, .. }, Value::String(text)) => {
            let same = |it: &&&'static str| it.eq_ignore_ascii_case(&text);
            let choice = choices.iter().find(same).map(|it| (*it).to_owned());
            Value::String(choice.unwrap_or(text))
        }
        (Kind::String { .. }, Value::Bool(yes)) => yes.to_string().into(),
        (Kind::String { .. }, Value::Number(number)) => number.to_string().into(),
        (Kind::Integer(_) | Kind::Long(_), Value::String(text)) => {
            text.trim().parse::<i64>().map_or(Value::String(text), Value::from)
        }
        (Kind::Float(_) | Kind::Double(_), Value::String(text)) => {
            text.trim().parse::<f64>().map_or(Value::String(text), Value::from)
        }
        (Kind::Boolean, Value::String(text)) => match text.to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => true.into(),
            "false" | "no" | "off" | "0" => false.into(),
            _ => Value::String(text),
        },
        (_, value) => value,
    }
}

#[cfg(test)]
mod tests {
    use davit_aws::model::Store;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_what_the_model_has() {
        let service = Store::new(Vec::new()).service("ecs").unwrap().unwrap();
        let shape = service.shape_named("ContainerDefinition").unwrap();
        let given = json!({
            "name": "web", "cpu": "10", "memory": "much", "essential": "yes", "image": null,
            "environment": [{"name": "PORT", "value": 8080}, {"name": "DEBUG", "value": false}],
            "dependsOn": [{"containerName": "db", "condition": "start"}],
            "dockerLabels": {"a": 1}, "unknown": [1],
        });
        let expect = json!({
            "name": "web", "cpu": 10, "memory": "much", "essential": true,
            "environment": [{"name": "PORT", "value": "8080"}, {"name": "DEBUG", "value": "false"}],
            "dependsOn": [{"containerName": "db", "condition": "START"}],
            "dockerLabels": {"a": "1"}, "unknown": [1],
        });
        assert_eq!(fit(service, shape, given), expect);
    }
}
