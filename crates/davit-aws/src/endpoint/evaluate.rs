//! Looks through the rules of a service with the parameters of a call. Knows not where those come from.

use std::{borrow::Cow, rc::Rc};

use super::{
    functions::{is_valid_host_label, is_virtual_hostable, parse_arn, parse_url, split, substring},
    partition::partition_of,
    rules::{
        Call, Expression, Function, Outcome, Piece, Property, Rule, Rules, SchemeRule, Target,
    },
    scope::{Held, Step, Text},
};
use crate::{
    http::encode,
    model::Tree,
    value::{Map, Value},
};

/// What a rule said.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) url: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) schemes: Vec<AuthScheme>,
    pub(super) properties: Map,
}

/// A way to sign that an endpoint takes. What is not set is the service's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthScheme {
    /// `sigv4`, `sigv4a`, `sigv4-s3express`.
    pub name: String,
    /// The service that is signed for.
    pub signing_name: Option<String>,
    /// The region that is signed for.
    pub signing_region: Option<String>,
    /// The regions that are signed for, for `sigv4a`.
    pub signing_region_set: Option<Vec<String>>,
    /// The path is signed as it is, not encoded once more.
    pub disable_double_encoding: Option<bool>,
}

/// Why the rules led nowhere.
#[derive(Debug)]
pub(super) enum Fault {
    /// A rule says that it cannot be.
    Rejected(String),
    /// The rules do something that cannot be done.
    Broken(&'static str),
    /// No rule says anything.
    Nothing,
}

type Result<T> = std::result::Result<T, Fault>;

/// What the first rule that applies says. `parameters` has one value for each of them.
pub(super) fn evaluate(rules: &Rules, mut parameters: Vec<Held<'_>>) -> Result<Found> {
    parameters.resize(rules.variables, Held::Unset);
    let mut scope = Scope { held: parameters, assigned: Vec::new() };
    scope.rules(&rules.rules)?.map(|it| *it).ok_or(Fault::Nothing)
}

struct Scope<'a> {
    held: Vec<Held<'a>>,
    /// The variables that conditions have set, in order.
    assigned: Vec<usize>,
}

impl<'a> Scope<'a> {
    fn rules(&mut self, rules: &[Rule]) -> Result<Option<Box<Found>>> {
        let before = self.assigned.len();
        for rule in rules {
            if let Some(found) = self.rule(rule)? {
                return Ok(Some(found));
            }
            for variable in self.assigned.drain(before..) {
                self.held[variable] = Held::Unset;
            }
        }
        Ok(None)
    }

    fn rule(&mut self, rule: &Rule) -> Result<Option<Box<Found>>> {
        for condition in &rule.conditions {
            if !self.holds(condition)? {
                return Ok(None);
            }
        }
        match &rule.outcome {
            Outcome::Rules(rules) => self.rules(rules),
            Outcome::Endpoint(target) => self.target(target).map(|it| Some(Box::new(it))),
            Outcome::Error(error) => Err(Fault::Rejected(self.text(error)?.into_owned())),
        }
    }

    /// Whether a condition holds. Most compare a variable, which is not copied for that.
    fn holds(&mut self, condition: &Call) -> Result<bool> {
        let holds = match (&condition.function, condition.arguments.as_slice()) {
            (Function::IsSet, [Expression::Variable(it)]) => !matches!(self.held[*it], Held::Unset),
            (Function::BooleanEquals, [left, right]) => self.bool(left)? == self.bool(right)?,
            _ => return Ok(self.call(condition)?.holds()),
        };
        if condition.assign.is_some() {
            self.assign(condition, Held::Bool(holds))?;
        }
        Ok(holds)
    }

    fn call(&mut self, call: &Call) -> Result<Held<'a>> {
        let value = self.function(call)?;
        if call.assign.is_some() {
            self.assign(call, value.clone())?;
        }
        Ok(value)
    }

    fn assign(&mut self, call: &Call, value: Held<'a>) -> Result<()> {
        let Some(variable) = call.assign else { return Ok(()) };
        if !matches!(self.held[variable], Held::Unset) {
            return Err(Fault::Broken("a variable is set twice"));
        }
        self.held[variable] = value;
        self.assigned.push(variable);
        Ok(())
    }

    fn function(&mut self, call: &Call) -> Result<Held<'a>> {
        let arguments = call.arguments.as_slice();
        Ok(match (&call.function, arguments) {
            (Function::IsSet, [it]) => Held::Bool(!matches!(self.value(it)?, Held::Unset)),
            (Function::Not, [it]) => Held::Bool(!self.value(it)?.is_true()),
            (Function::BooleanEquals, [left, right]) => {
                Held::Bool(self.bool(left)? == self.bool(right)?)
            }
            (Function::StringEquals, [left, right]) => {
                Held::Bool(self.text(left)? == self.text(right)?)
            }
            (Function::GetAttr(steps), [from]) => follow(self.value(from)?, steps)?,
            (Function::Partition, [region]) => {
                let region = self.optional(region)?.unwrap_or_default();
                Held::Partition(partition_of(&region))
            }
            (Function::ParseArn, [text]) => {
                let arn = self.optional(text)?.as_ref().and_then(parse_arn);
                arn.map_or(Held::Unset, |it| Held::Arn(Rc::new(it)))
            }
            (Function::ParseUrl, [text]) => {
                let url = self.optional(text)?.as_ref().and_then(parse_url);
                url.map_or(Held::Unset, |it| Held::Url(Rc::new(it)))
            }
            (Function::UriEncode, [text]) => {
                let encoded = self.optional(text)?.map(|it| encode(&it));
                encoded.map_or(Held::Unset, |it| Held::Text(Cow::Owned(it)))
            }
            (Function::IsValidHostLabel, [text, subdomains]) => {
                let text = self.optional(text)?;
                let subdomains = self.bool(subdomains)?;
                Held::Bool(text.is_some_and(|it| is_valid_host_label(&it, subdomains)))
            }
            (Function::IsVirtualHostable, [text, subdomains]) => {
                let text = self.optional(text)?;
                let subdomains = self.bool(subdomains)?;
                Held::Bool(text.is_some_and(|it| is_virtual_hostable(&it, subdomains)))
            }
            (Function::Substring, [text, start, stop, reverse]) => {
                let text = self.text(text)?;
                let (start, stop) = (self.int(start)?, self.int(stop)?);
                let part = substring(&text, start, stop, self.bool(reverse)?);
                part.map_or(Held::Unset, Held::Text)
            }
            (Function::Split, [text, delimiter, limit]) => {
                let (text, delimiter) = (self.text(text)?, self.text(delimiter)?);
                split(&text, &delimiter, self.int(limit)?).map_or(Held::Unset, Held::List)
            }
            (Function::IfThenElse, [condition, yes, no]) => {
                let chosen = if self.bool(condition)? { yes } else { no };
                self.value(chosen)?
            }
            (Function::Coalesce, arguments) => {
                for it in arguments {
                    let value = self.value(it)?;
                    if !matches!(value, Held::Unset) {
                        return Ok(value);
                    }
                }
                Held::Unset
            }
            _ => return Err(Fault::Broken("a function has too few or too many arguments")),
        })
    }

    fn value(&mut self, expression: &Expression) -> Result<Held<'a>> {
        Ok(match expression {
            Expression::Bool(it) => Held::Bool(*it),
            Expression::Int(it) => Held::Int(*it),
            Expression::Text(it) => Held::Text(Cow::Borrowed(it)),
            Expression::Variable(it) => self.held[*it].clone(),
            Expression::Template(pieces) => Held::Text(Cow::Owned(self.template(pieces)?)),
            Expression::Call(call) => self.call(call)?,
        })
    }

    fn template(&self, pieces: &[Piece]) -> Result<String> {
        let mut text = String::with_capacity(64);
        for piece in pieces {
            match piece {
                Piece::Text(it) => text.push_str(it),
                Piece::Variable(variable, steps) => {
                    match follow(self.held[*variable].clone(), steps)? {
                        Held::Text(it) => text.push_str(&it),
                        _ => return Err(Fault::Broken("a template has something that is no text")),
                    }
                }
            }
        }
        Ok(text)
    }

    fn text(&mut self, expression: &Expression) -> Result<Text<'a>> {
        self.optional(expression)?.ok_or(Fault::Broken("a text that is needed is not set"))
    }

    fn optional(&mut self, expression: &Expression) -> Result<Option<Text<'a>>> {
        match self.value(expression)? {
            Held::Text(it) => Ok(Some(it)),
            Held::Unset => Ok(None),
            _ => Err(Fault::Broken("there is something else where a text is needed")),
        }
    }

    fn bool(&mut self, expression: &Expression) -> Result<bool> {
        let held = match expression {
            Expression::Bool(it) => return Ok(*it),
            Expression::Variable(it) => &self.held[*it],
            _ => &self.value(expression)?,
        };
        match held {
            Held::Bool(it) => Ok(*it),
            _ => Err(Fault::Broken("there is something else where a boolean is needed")),
        }
    }

    fn int(&mut self, expression: &Expression) -> Result<i64> {
        match self.value(expression)? {
            Held::Int(it) => Ok(it),
            _ => Err(Fault::Broken("there is something else where a number is needed")),
        }
    }

    fn target(&mut self, target: &Target) -> Result<Found> {
        let url = self.text(&target.url)?.into_owned();
        let mut headers = Vec::new();
        for (name, values) in &target.headers {
            for value in values {
                headers.push((*name, self.text(value)?.into_owned()));
            }
        }
        let schemes = target.schemes.iter().map(|it| self.scheme(it)).collect::<Result<_>>()?;
        let properties = target
            .properties
            .iter()
            .map(|(name, it)| Ok(((*name).to_owned(), self.property(it)?)))
            .collect::<Result<_>>()?;
        Ok(Found { url, headers, schemes, properties })
    }

    fn scheme(&mut self, rule: &SchemeRule) -> Result<AuthScheme> {
        let mut text = |it: &Option<Expression>| {
            it.as_ref().map(|it| self.text(it).map(Cow::into_owned)).transpose()
        };
        let signing_name = text(&rule.signing_name)?;
        let signing_region = text(&rule.signing_region)?;
        let set = rule.signing_region_set.as_ref();
        let mut owned = |it: &Expression| self.text(it).map(Cow::into_owned);
        Ok(AuthScheme {
            name: owned(&rule.name)?,
            signing_name,
            signing_region,
            signing_region_set: set.map(|it| it.iter().map(owned).collect()).transpose()?,
            disable_double_encoding: rule.disable_double_encoding,
        })
    }

    fn property(&mut self, property: &Property) -> Result<Value> {
        Ok(match property {
            Property::Plain(Tree::Bool(it)) => Value::Bool(*it),
            Property::Plain(Tree::Int(it)) => Value::Int(*it),
            Property::Plain(Tree::Float(it)) => Value::Float(*it),
            Property::Plain(_) => Value::Null,
            Property::Text(it) => Value::String(self.text(it)?.into_owned()),
            Property::List(items) => {
                Value::List(items.iter().map(|it| self.property(it)).collect::<Result<_>>()?)
            }
            Property::Map(entries) => {
                let one =
                    |(name, it): &(&str, Property)| Ok(((*name).to_owned(), self.property(it)?));
                Value::Map(entries.iter().map(one).collect::<Result<_>>()?)
            }
        })
    }
}

fn follow<'a>(mut value: Held<'a>, steps: &[Step]) -> Result<Held<'a>> {
    for step in steps {
        value =
            value.step(*step).ok_or(Fault::Broken("they look for something where it is not"))?;
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Rules as a model's tree.
    fn tree(json: &serde_json::Value) -> Tree {
        match json {
            serde_json::Value::Null => Tree::Null,
            serde_json::Value::Bool(it) => Tree::Bool(*it),
            serde_json::Value::Number(it) => Tree::Int(it.as_i64().unwrap()),
            serde_json::Value::String(it) => Tree::Str(it.clone().leak()),
            serde_json::Value::Array(items) => Tree::List(items.iter().map(tree).collect()),
            serde_json::Value::Object(entries) => Tree::Map(
                entries.iter().map(|(key, it)| (&*key.clone().leak(), tree(it))).collect(),
            ),
        }
    }

    /// Where the rules lead with one parameter, `It`.
    fn led(conditions: &serde_json::Value, url: &str, it: Held<'_>) -> String {
        let rules = json!({
            "version": "1.0",
            "parameters": {"It": {"type": "String"}},
            "rules": [
                {"conditions": conditions, "type": "endpoint", "endpoint": {"url": url}},
                {"conditions": [], "type": "error", "error": "no {{rule}}"},
            ],
        });
        match Rules::read(&tree(&rules)).map(|rules| evaluate(&rules, vec![it])) {
            Ok(Ok(found)) => found.url,
            Ok(Err(Fault::Rejected(text))) => text,
            Ok(Err(Fault::Broken(text))) => format!("broken: {text}"),
            Ok(Err(Fault::Nothing)) => "nothing".to_owned(),
            Err(text) => format!("unreadable: {text}"),
        }
    }

    #[test]
    fn newer_functions_are_known() {
        let it = json!({"ref": "It"});
        let text = Held::Text(Cow::Borrowed("a--b"));
        let split = json!([{"fn": "split", "argv": [it, "--", 0], "assign": "parts"},
            {"fn": "getAttr", "argv": [{"ref": "parts"}, "[1]"], "assign": "second"}]);
        assert_eq!(led(&split, "{second}", text.clone()), "b");
        let choose = json!([{"fn": "ite", "argv": [{"fn": "isSet", "argv": [it]}, "yes", "no"],
            "assign": "said"}]);
        assert_eq!(led(&choose, "{said}", text), "yes");
        assert_eq!(led(&choose, "{said}", Held::Unset), "no");
        let first = json!([{"fn": "coalesce", "argv": [it, "else"], "assign": "said"}]);
        assert_eq!(led(&first, "{said}", Held::Unset), "else");
    }

    #[test]
    fn what_a_failed_rule_has_set_is_forgotten() {
        let conditions = json!([{"fn": "aws.partition", "argv": ["us-east-1"], "assign": "p"},
            {"fn": "isSet", "argv": [{"ref": "It"}]}]);
        assert_eq!(led(&conditions, "{p#name}", Held::Unset), "no {rule}");
        assert_eq!(led(&conditions, "{p#name}", Held::Text("x".into())), "aws");
    }

    #[test]
    fn rules_that_are_wrong_are_told() {
        let none = Held::Unset;
        let call =
            |name: &str, arguments: serde_json::Value| json!([{"fn": name, "argv": arguments}]);
        for (conditions, url, told) in [
            (call("nope", json!([])), "x", "unreadable: they call the unknown function \"nope\""),
            (call("isSet", json!([1, 2])), "x", "unreadable: isSet is called with 2 arguments"),
            (json!([{}]), "x", "unreadable: a condition calls no function"),
            (json!([]), "{x", "unreadable: the braces of \"{x\" do not match"),
            (json!([]), "x}", "unreadable: the braces of \"x}\" do not match"),
            (json!([]), "{x}", "broken: a template has something that is no text"),
            (
                call("stringEquals", json!([{"ref": "It"}, "x"])),
                "x",
                "broken: a text that is needed is not set",
            ),
            (
                call("getAttr", json!([{"ref": "It"}, "a"])),
                "x",
                "broken: they look for something where it is not",
            ),
        ] {
            assert_eq!(led(&conditions, url, none.clone()), told);
        }
        let mut deep = json!({"conditions": [], "type": "tree", "rules": []});
        for _ in 0..100 {
            deep = json!({"conditions": [], "type": "tree", "rules": [deep]});
        }
        let rules = json!({"parameters": {}, "rules": [deep]});
        assert!(Rules::read(&tree(&rules)).is_err());
    }
}
