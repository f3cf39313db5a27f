//! What a service's model calls sensitive in parameters and answers, and what is secret in the JSON that a secret
//! holds. Knows nothing of modules.

use davit_aws::model::{Kind, Member, Service, ShapeId};
use davit_aws::value::{Map, Value};
use serde_json::Value as Json;

/// The types of SSM's parameters that are no secrets, which its model calls sensitive all the same.
const OPEN: [&str; 2] = ["String", "StringList"];

/// Tells of each text in a structure that the model calls sensitive.
pub fn texts(service: &Service, shape: Option<ShapeId>, values: &Map, tell: &dyn Fn(&str)) {
    if let Some(shape) = shape {
        Search { service, tell }.structure(shape, values, false);
    }
}

/// Keys of the secrets that AWS makes for databases, and their other usual names, under which stands who logs in and
/// where: ordinary words, which would be covered in every text that has them.
const OPEN_KEYS: [&str; 13] = [
    "database",
    "dbclusteridentifier",
    "dbinstanceidentifier",
    "dbname",
    "engine",
    "host",
    "hostname",
    "masterarn",
    "port",
    "region",
    "ssl",
    "user",
    "username",
];

/// Whether what stands under a key in the JSON of a secret is none itself. A key that is not known holds one.
#[must_use]
pub fn is_open_key(key: &str) -> bool {
    OPEN_KEYS.iter().any(|it| key.eq_ignore_ascii_case(it))
}

/// Tells of each text in the JSON that a secret holds, but for those under keys that hold none. A password that is
/// also the user's name is told for being the password.
pub fn texts_of_json(held: &Json, tell: &dyn Fn(&str)) {
    match held {
        Json::String(text) if !matches!(text.as_str(), "true" | "false") => tell(text),
        Json::Array(items) => items.iter().for_each(|it| texts_of_json(it, tell)),
        Json::Object(map) => {
            let closed = map.iter().filter(|(key, it)| !(it.is_string() && is_open_key(key)));
            closed.for_each(|(_, it)| texts_of_json(it, tell));
        }
        _ => {}
    }
}

struct Search<'a> {
    service: &'a Service,
    tell: &'a dyn Fn(&str),
}

impl Search<'_> {
    fn structure(&self, shape: ShapeId, values: &Map, hidden: bool) {
        let Some(structure) = self.service.structure(shape) else { return };
        let kind = values.iter().find(|(name, _)| name.as_str() == "Type");
        let kind = kind.and_then(|(_, value)| value.as_str()).unwrap_or_default();
        let is_open = self.service.name == "ssm" && OPEN.contains(&kind);
        for (name, value) in values {
            match structure.member(name) {
                Some(_) if is_open && name.as_str() == "Value" => {}
                Some(member) => self.member(member, value, hidden),
                // A document holds what it likes.
                None if hidden => self.all(value),
                None => {}
            }
        }
    }

    fn member(&self, member: &Member, value: &Value, hidden: bool) {
        let hidden = hidden || member.traits.sensitive;
        match (&self.service.shape(member.shape).kind, value) {
            (Kind::Structure(_), Value::Map(values)) => {
                self.structure(member.shape, values, hidden);
            }
            (Kind::List { member, .. }, Value::List(items)) => {
                items.iter().for_each(|it| self.member(member, it, hidden));
            }
            (Kind::Map { value: member, .. }, Value::Map(values)) => {
                values.iter().for_each(|(_, it)| self.member(member, it, hidden));
            }
            _ if hidden => self.all(value),
            _ => {}
        }
    }

    /// Every text in a value, and bytes as results write them.
    fn all(&self, value: &Value) {
        match value {
            Value::List(items) => items.iter().for_each(|it| self.all(it)),
            Value::Map(values) => values.iter().for_each(|(_, it)| self.all(it)),
            other => {
                if let Json::String(text) = other.to_json() {
                    (self.tell)(&text);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use davit_aws::model::Store;
    use serde_json::json;

    use super::*;

    fn found(
        service: &str,
        operation: &str,
        is_answer: bool,
        values: serde_json::Value,
    ) -> Vec<String> {
        let service = Store::default().service(service).unwrap().unwrap();
        let operation = service.operation(operation).unwrap();
        let shape = if is_answer { operation.output } else { operation.input };
        let told = RefCell::new(Vec::new());
        let values = Value::from(values);
        texts(service, shape, values.as_map().unwrap(), &|it| {
            told.borrow_mut().push(it.to_owned());
        });
        told.into_inner()
    }

    #[test]
    fn what_the_model_calls_sensitive_is_told() {
        let put = json!({"SecretId": "shop", "SecretString": "hush"});
        assert_eq!(found("secretsmanager", "PutSecretValue", false, put), ["hush"]);
        let got = json!({"Name": "shop", "SecretString": "hush", "VersionStages": ["AWSCURRENT"]});
        assert_eq!(found("secretsmanager", "GetSecretValue", true, got), ["hush"]);
        let made = json!({"FunctionName": "f", "Environment": {"Variables": {"KEY": "hush"}}});
        assert_eq!(found("lambda", "CreateFunction", false, made), ["hush"]);
        let made = json!({"StackName": "shop", "TemplateBody": "{}"});
        assert_eq!(found("cloudformation", "CreateStack", false, made), [""; 0]);
    }

    #[test]
    fn ordinary_words_in_a_secret_are_not_told() {
        let told = |held: serde_json::Value| {
            let told = RefCell::new(Vec::new());
            texts_of_json(&held, &|it| told.borrow_mut().push(it.to_owned()));
            told.into_inner()
        };
        let database = json!({
            "username": "admin", "password": "hush", "engine": "postgres", "host": "db.example.com",
            "port": "5432", "dbInstanceIdentifier": "shop", "PIN": "1234", "tls": "true",
        });
        let mut found = told(database);
        found.sort();
        assert_eq!(found, ["1234", "hush"]);
        assert_eq!(told(json!({"username": "admin", "password": "admin"})), ["admin"]);
        // What is not just a word there is told.
        assert_eq!(told(json!({"user": {"token": "hush"}, "host": ["a-key"]})), ["hush", "a-key"]);
        assert_eq!(told(json!(["hush", {"name": "also"}])), ["hush", "also"]);
    }

    #[test]
    fn parameters_of_ssm_are_secret_where_their_type_is() {
        let answer = json!({"Parameters": [
            {"Name": "/host", "Type": "String", "Value": "db.example.com"},
            {"Name": "/key", "Type": "SecureString", "Value": "hush"},
        ]});
        assert_eq!(found("ssm", "GetParametersByPath", true, answer), ["hush"]);
        let put = json!({"Name": "/host", "Type": "String", "Value": "db.example.com"});
        assert_eq!(found("ssm", "PutParameter", false, put), [""; 0]);
    }
}
