//! Policy documents: whether two of them mean the same to AWS, which gives them back in another
//! shape than it took them in.
//!
//! It does not know whether a document is a good one.

use std::collections::{BTreeMap, BTreeSet};

use davit_module::ModuleError;
use serde_json::{Map, Value};

/// What a document without `Version` is read as.
const OLDEST: &str = "2008-10-17";
/// How many digits the number of an account has.
const ACCOUNT_DIGITS: usize = 12;

/// Whether two policy documents mean the same.
///
/// As AWS reads them: a list with one item is that item, the order and repetition in lists of
/// statements, actions, resources, principals and conditions' values do not count, nor does the
/// case of actions and condition keys; numbers and booleans of conditions are texts, an account is
/// its root user, `*` is `{"AWS": "*"}`, and an empty `Sid` or no `Version` is the usual one.
#[must_use]
pub fn is_same(one: &Value, other: &Value) -> bool {
    Policy::of(one) == Policy::of(other)
}

/// A document from what a task says under `name`.
///
/// # Errors
/// Where it is no JSON.
pub fn document(name: &str, text: &str) -> Result<Value, ModuleError> {
    let wrong = |error| ModuleError::failed(format!("{name} is not JSON: {error}"));
    serde_json::from_str(text).map_err(wrong)
}

/// A document in the one shape of all that mean the same.
#[derive(Debug, PartialEq, Eq)]
enum Policy {
    Document {
        version: String,
        statements: BTreeSet<Statement>,
        rest: Rest,
    },
    /// No document, or one of another language: as it is.
    Other(String),
}

/// Elements by name, each in an order of its own.
type Statement = BTreeMap<String, Element>;
/// Elements that are compared as they are, by name.
type Rest = BTreeMap<String, String>;

/// What stands under a name in a statement.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Element {
    /// `Action`, `Resource` and their opposites.
    Names(BTreeSet<String>),
    /// `Principal` and its opposite: who, by kind.
    Kinds(BTreeMap<String, BTreeSet<String>>),
    /// `Condition`: values by key, by operator.
    Conditions(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>),
    /// Anything else.
    Plain(String),
}

impl Policy {
    fn of(document: &Value) -> Self {
        let Some(map) = document.as_object() else { return Self::Other(sorted(document)) };
        let statements = map.get("Statement").map(items).unwrap_or_default();
        let known = |name: &str| matches!(name, "Version" | "Statement");
        Self::Document {
            version: map.get("Version").and_then(Value::as_str).unwrap_or(OLDEST).to_owned(),
            statements: statements.iter().map(|it| statement(it)).collect(),
            rest: map
                .iter()
                .filter(|(name, _)| !known(name))
                .map(|(name, value)| (name.clone(), sorted(value)))
                .collect(),
        }
    }
}

fn statement(written: &Value) -> Statement {
    let Some(map) = written.as_object() else {
        return Statement::from([(String::new(), Element::Plain(sorted(written)))]);
    };
    let is_said = |(name, value): &(&String, &Value)| !(*name == "Sid" && **value == "");
    map.iter().filter(is_said).map(|(name, value)| (name.clone(), element(name, value))).collect()
}

fn element(name: &str, value: &Value) -> Element {
    match name {
        "Action" | "NotAction" => {
            Element::Names(texts(value).into_iter().map(|it| it.to_lowercase()).collect())
        }
        "Resource" | "NotResource" => Element::Names(texts(value)),
        "Principal" | "NotPrincipal" => Element::Kinds(principals(value)),
        "Condition" => match value.as_object() {
            Some(map) => Element::Conditions(conditions(map)),
            None => Element::Plain(sorted(value)),
        },
        _ => Element::Plain(sorted(value)),
    }
}

fn principals(value: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let Some(map) = value.as_object() else {
        return BTreeMap::from([("AWS".to_owned(), texts(value))]);
    };
    map.iter()
        .map(|(kind, who)| {
            let who = texts(who);
            let who = if kind == "AWS" { who.into_iter().map(account).collect() } else { who };
            (kind.clone(), who)
        })
        .collect()
}

/// AWS writes the root user of an account for the account.
fn account(who: String) -> String {
    let mut parts = who.split(':');
    let is_root = parts.next() == Some("arn")
        && parts.next().is_some_and(|it| it.starts_with("aws"))
        && (parts.next(), parts.next()) == (Some("iam"), Some(""));
    match (is_root, parts.next(), parts.next(), parts.next()) {
        (true, Some(number), Some("root"), None) if is_account(number) => number.to_owned(),
        _ => who,
    }
}

fn is_account(text: &str) -> bool {
    text.len() == ACCOUNT_DIGITS && text.bytes().all(|it| it.is_ascii_digit())
}

fn conditions(map: &Map<String, Value>) -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
    let keys = |value: &Value| match value.as_object() {
        Some(keys) => keys.iter().map(|(key, it)| (key.to_lowercase(), texts(it))).collect(),
        None => BTreeMap::from([(String::new(), texts(value))]),
    };
    map.iter().map(|(operator, value)| (operator.clone(), keys(value))).collect()
}

/// One or many, as many.
fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        other => vec![other],
    }
}

fn texts(value: &Value) -> BTreeSet<String> {
    let text = |it: &Value| it.as_str().map_or_else(|| sorted(it), str::to_owned);
    items(value).into_iter().map(text).collect()
}

/// The value as text, whatever the order of its keys.
fn sorted(value: &Value) -> String {
    let mut value = value.clone();
    value.sort_all_objects();
    value.to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn with(statement: Value) -> Value {
        json!({"Version": "2012-10-17", "Statement": statement})
    }

    #[test]
    fn shapes_that_mean_the_same() {
        let list = json!({"Effect": "Allow", "Action": ["s3:Get*", "s3:Put*"], "Resource": ["*"]});
        for (one, other) in [
            (
                list.clone(),
                json!([{"Resource": "*", "Action": ["s3:put*", "s3:Get*", "s3:Get*"], "Effect": "Allow", "Sid": ""}]),
            ),
            (json!([list, {"Sid": "b"}]), json!([{"Sid": "b"}, list])),
            (json!({"Principal": "*"}), json!({"Principal": {"AWS": "*"}})),
            (
                json!({"Principal": {"AWS": ["123456789012", "x"], "Service": "ec2.amazonaws.com"}}),
                json!({"Principal": {"Service": ["ec2.amazonaws.com"], "AWS": ["x", "arn:aws-cn:iam::123456789012:root"]}}),
            ),
            (
                json!({"Condition": {"Bool": {"aws:SecureTransport": false}, "NumericLessThan": {"s3:max-keys": 10}}}),
                json!({"Condition": {"NumericLessThan": {"s3:max-keys": ["10"]}, "Bool": {"AWS:SecureTransport": "false"}}}),
            ),
        ] {
            assert!(is_same(&with(one.clone()), &with(other.clone())), "{one} {other}");
        }
        assert!(is_same(&json!({"Statement": []}), &json!({"Version": OLDEST, "Statement": []})));
    }

    #[test]
    fn shapes_that_do_not() {
        for (one, other) in [
            (json!({"Effect": "Allow"}), json!({"Effect": "Deny"})),
            (json!({"Resource": "arn:a"}), json!({"Resource": "arn:A"})),
            (json!({"Action": "*"}), json!({"NotAction": "*"})),
            (json!({"Sid": "a"}), json!({"Sid": "b"})),
            (json!({"Principal": {"AWS": "*"}}), json!({"Principal": {"Service": "*"}})),
            (
                json!({"Principal": {"AWS": "123456789012"}}),
                json!({"Principal": {"AWS": "arn:aws:iam::123456789012:user/root"}}),
            ),
            (
                json!({"Condition": {"StringEquals": {"k": "a"}}}),
                json!({"Condition": {"StringLike": {"k": "a"}}}),
            ),
            (
                json!({"Condition": {"StringEquals": {"k": "a"}}}),
                json!({"Condition": {"StringEquals": {"k": "A"}}}),
            ),
        ] {
            assert!(!is_same(&with(one.clone()), &with(other.clone())), "{one} {other}");
        }
        assert!(!is_same(&with(json!([])), &json!({"Statement": []})));
        assert!(!is_same(&json!(null), &json!({})));
        let lifecycle = |days: [u8; 2]| json!({"rules": days, "Statement": []});
        assert!(!is_same(&lifecycle([1, 2]), &lifecycle([2, 1])));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let name = prop::sample::select(vec![
            "Statement",
            "Action",
            "Principal",
            "AWS",
            "Condition",
            "Sid",
            "Version",
            "x",
        ]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u8>().prop_map(Value::from),
            "[a:*]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name.clone(), inner), 0..4).prop_map(|it| {
                    it.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn anything_is_the_same_as_itself_whatever_the_order_of_its_keys(one in any_json()) {
            let mut other = one.clone();
            other.sort_all_objects();
            prop_assert!(is_same(&one, &other));
        }
    }
}
