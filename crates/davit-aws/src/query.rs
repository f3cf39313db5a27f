//! JMESPath over values: what paginators, waiters and people ask of an answer. Expressions are read by
//! the `jmespath` crate; they are evaluated here, since members keep their order and a large answer is not copied.
//!
//! Source: <https://jmespath.org/specification.html>.

mod functions;
mod literals;

use std::{borrow::Cow, cmp::Ordering};

use jmespath::ast::{Ast, Comparator};

use crate::value::{Map, Value};

/// An expression that was read.
///
/// ```
/// use davit_aws::{query::Query, value::Value};
///
/// let pages: Value = serde_json::json!({"Items": [{"Id": "a"}, {"Id": "b"}]}).into();
/// let ids = Query::read("Items[].Id")?.search(&pages)?;
/// assert_eq!(ids.to_json(), serde_json::json!(["a", "b"]));
/// # Ok::<(), davit_aws::query::QueryError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Query {
    text: String,
    ast: Ast,
}

/// Why an expression gives nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// It is no JMESPath.
    #[error("{expression:?} is not an expression of JMESPath (at character {offset}): {reason}")]
    Syntax {
        /// The expression.
        expression: String,
        /// Where it stops making sense, from 0.
        offset: usize,
        /// What is wrong there.
        reason: String,
    },
    /// There is no such function.
    #[error("JMESPath has no function {name}()")]
    Function {
        /// The name.
        name: String,
    },
    /// A function got what it cannot work with.
    #[error("{function}() takes {wanted}, not {given}")]
    Argument {
        /// The function.
        function: String,
        /// What it takes.
        wanted: &'static str,
        /// What it got.
        given: String,
    },
    /// A function got more or less than it takes.
    #[error("{function}() does not take {given} arguments")]
    Arity {
        /// The function.
        function: String,
        /// How many it got.
        given: usize,
    },
    /// A slice whose step is nothing.
    #[error("the step of a slice cannot be 0")]
    Step,
    /// The expression is nested too deeply.
    #[error("the expression is nested too deeply")]
    Depth,
}

type Found<'a> = Result<Cow<'a, Value>, QueryError>;

/// How deep expressions may lie in each other.
const DEEPEST: usize = 200;

impl Query {
    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// When it is no JMESPath.
    pub fn read(expression: &str) -> Result<Self, QueryError> {
        if is_too_deep(expression) {
            return Err(QueryError::Depth);
        }
        let ast = jmespath::parse(&literals::with_quotes(expression)).map_err(|error| {
            QueryError::Syntax {
                expression: expression.to_owned(),
                offset: error.offset,
                reason: match error.reason {
                    jmespath::ErrorReason::Parse(reason) => reason,
                    jmespath::ErrorReason::Runtime(reason) => reason.to_string(),
                },
            }
        })?;
        Ok(Self { text: expression.to_owned(), ast })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it gives for a value; null where nothing is there.
    ///
    /// # Errors
    ///
    /// When a function is not there or gets what it cannot work with.
    pub fn search(&self, value: &Value) -> Result<Value, QueryError> {
        Ok(self.find(value)?.into_owned())
    }

    /// The same, without a copy where what it gives is a part of the value.
    ///
    /// # Errors
    ///
    /// As for `search`.
    pub fn find<'a>(&self, value: &'a Value) -> Result<Cow<'a, Value>, QueryError> {
        evaluate(&self.ast, value, 0)
    }
}

const NULL: &Value = &Value::Null;

/// How many brackets may be open at once.
const MOST_OPEN: usize = 64;
/// How often the reader may go into itself for other reasons than brackets.
const MOST_NESTED: usize = 500;
/// How many operators there may be at all: each makes what was read one deeper.
const MOST_OPERATORS: usize = 4096;

/// Whether the reader, which goes into itself without a bound, would go too deep.
fn is_too_deep(expression: &str) -> bool {
    let (mut open, mut nested, mut operators) = (0_usize, 0, 0);
    let mut letters = expression.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' | '\'' | '`' => {
                // What is quoted is one thing, whatever is in it.
                while let Some(quoted) = letters.next() {
                    match quoted {
                        '\\' => drop(letters.next()),
                        _ if quoted == letter => break,
                        _ => {}
                    }
                }
            }
            '(' | '[' | '{' => open += 1,
            ')' | '}' => open = open.saturating_sub(1),
            ']' => {
                open = open.saturating_sub(1);
                nested += 1;
            }
            '!' | '&' | '*' => nested += 1,
            '.' | '|' | '<' | '>' | '=' => operators += 1,
            _ => {}
        }
        if open > MOST_OPEN || nested > MOST_NESTED || operators + nested > MOST_OPERATORS {
            return true;
        }
    }
    false
}

fn evaluate<'a>(ast: &Ast, value: &'a Value, depth: usize) -> Found<'a> {
    if depth > DEEPEST {
        return Err(QueryError::Depth);
    }
    let depth = depth + 1;
    match ast {
        Ast::Identity { .. } => Ok(Cow::Borrowed(value)),
        Ast::Field { name, .. } => Ok(Cow::Borrowed(value.get(name).unwrap_or(NULL))),
        Ast::Index { idx, .. } => Ok(Cow::Borrowed(index(value, *idx))),
        Ast::Literal { value, .. } => Ok(Cow::Owned(literal(value))),
        Ast::Subexpr { lhs, rhs, .. } => {
            let left = evaluate(lhs, value, depth)?;
            if matches!(*left, Value::Null) {
                return Ok(left);
            }
            then(left, |left| evaluate(rhs, left, depth))
        }
        Ast::Or { lhs, rhs, .. } => {
            let left = evaluate(lhs, value, depth)?;
            if is_true(&left) { Ok(left) } else { evaluate(rhs, value, depth) }
        }
        Ast::And { lhs, rhs, .. } => {
            let left = evaluate(lhs, value, depth)?;
            if is_true(&left) { evaluate(rhs, value, depth) } else { Ok(left) }
        }
        Ast::Not { node, .. } => {
            Ok(Cow::Owned(Value::Bool(!is_true(&*evaluate(node, value, depth)?))))
        }
        Ast::Condition { predicate, then, .. } => {
            if is_true(&*evaluate(predicate, value, depth)?) {
                evaluate(then, value, depth)
            } else {
                Ok(Cow::Borrowed(NULL))
            }
        }
        Ast::Comparison { comparator, lhs, rhs, .. } => {
            let left = evaluate(lhs, value, depth)?;
            let right = evaluate(rhs, value, depth)?;
            Ok(Cow::Owned(compare(comparator, &left, &right)))
        }
        Ast::Flatten { node, .. } => {
            Ok(Cow::Owned(flatten(evaluate(node, value, depth)?.into_owned())))
        }
        Ast::Projection { lhs, rhs, .. } => {
            project(&*evaluate(lhs, value, depth)?, rhs, depth).map(Cow::Owned)
        }
        Ast::ObjectValues { node, .. } => Ok(match &*evaluate(node, value, depth)? {
            Value::Map(map) => Cow::Owned(Value::List(map.values().cloned().collect())),
            _ => Cow::Borrowed(NULL),
        }),
        Ast::MultiList { elements, .. } => {
            let one = |element: &Ast| evaluate(element, value, depth).map(Cow::into_owned);
            if matches!(value, Value::Null) {
                return Ok(Cow::Borrowed(NULL));
            }
            Ok(Cow::Owned(Value::List(elements.iter().map(one).collect::<Result<_, _>>()?)))
        }
        Ast::MultiHash { elements, .. } => {
            if matches!(value, Value::Null) {
                return Ok(Cow::Borrowed(NULL));
            }
            let mut map = Map::new();
            for element in elements {
                let one = evaluate(&element.value, value, depth)?.into_owned();
                map.insert(element.key.clone(), one);
            }
            Ok(Cow::Owned(Value::Map(map)))
        }
        Ast::Slice { start, stop, step, .. } => slice(value, *start, *stop, *step).map(Cow::Owned),
        Ast::Expref { .. } => Ok(Cow::Borrowed(NULL)),
        Ast::Function { name, args, .. } => {
            functions::call(name, args, value, depth).map(Cow::Owned)
        }
    }
}

/// What an expression gives for each value of a list, where it gives something.
fn project(list: &Value, rhs: &Ast, depth: usize) -> Result<Value, QueryError> {
    let Value::List(items) = list else { return Ok(Value::Null) };
    let mut projected = Vec::with_capacity(items.len());
    for item in items {
        let one = evaluate(rhs, item, depth)?;
        if !matches!(*one, Value::Null) {
            projected.push(one.into_owned());
        }
    }
    Ok(Value::List(projected))
}

/// Goes on with what was found, whether it is a part of the value or was made up.
fn then<'a>(
    found: Cow<'a, Value>,
    go_on: impl for<'b> FnOnce(&'b Value) -> Found<'b>,
) -> Found<'a> {
    match found {
        Cow::Borrowed(value) => go_on(value),
        Cow::Owned(value) => Ok(Cow::Owned(go_on(&value)?.into_owned())),
    }
}

fn index(value: &Value, place: i32) -> &Value {
    let items = value.items();
    let distance = usize::try_from(place.unsigned_abs()).unwrap_or(usize::MAX);
    let place = if place < 0 { items.len().checked_sub(distance) } else { Some(distance) };
    place.and_then(|it| items.get(it)).unwrap_or(NULL)
}

fn literal(variable: &jmespath::Variable) -> Value {
    use jmespath::Variable;
    match variable {
        Variable::Null | Variable::Expref(_) => Value::Null,
        Variable::String(text) => Value::String(text.clone()),
        Variable::Bool(it) => Value::Bool(*it),
        Variable::Number(it) => serde_json::Value::Number(it.clone()).into(),
        Variable::Array(items) => Value::List(items.iter().map(|it| literal(it)).collect()),
        Variable::Object(map) => {
            Value::Map(map.iter().map(|(key, it)| (key.clone(), literal(it))).collect())
        }
    }
}

/// Whether a value counts as true: everything but null, false and what is empty.
#[must_use]
pub fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(it) => *it,
        Value::String(it) => !it.is_empty(),
        Value::List(it) => !it.is_empty(),
        Value::Map(it) => !it.is_empty(),
        Value::Int(_) | Value::Float(_) | Value::Blob(_) | Value::Timestamp(_) => true,
    }
}

#[expect(clippy::cast_precision_loss, reason = "JMESPath's numbers are those of JSON")]
pub(super) const fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(it) => Some(*it as f64),
        Value::Float(it) => Some(*it),
        _ => None,
    }
}

fn compare(comparator: &Comparator, left: &Value, right: &Value) -> Value {
    let equal = || match (number(left), number(right)) {
        #[expect(clippy::float_cmp, reason = "equality is what was asked for")]
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    };
    let ordered = |fits: fn(Ordering) -> bool| {
        // Times are text in JSON, and text has no order in JMESPath but there.
        let order = match (left, right) {
            (Value::Timestamp(left), Value::Timestamp(right)) => Some(left.cmp(right)),
            (Value::Timestamp(left), Value::String(right)) => {
                crate::time::parse(right).map(|right| left.cmp(&right))
            }
            (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
            _ => number(left).zip(number(right)).and_then(|(left, right)| left.partial_cmp(&right)),
        };
        order.map_or(Value::Null, |it| Value::Bool(fits(it)))
    };
    match comparator {
        Comparator::Equal => Value::Bool(equal()),
        Comparator::NotEqual => Value::Bool(!equal()),
        Comparator::LessThan => ordered(Ordering::is_lt),
        Comparator::LessThanEqual => ordered(Ordering::is_le),
        Comparator::GreaterThan => ordered(Ordering::is_gt),
        Comparator::GreaterThanEqual => ordered(Ordering::is_ge),
    }
}

fn flatten(value: Value) -> Value {
    let Value::List(items) = value else { return Value::Null };
    let mut flat = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Value::List(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    Value::List(flat)
}

fn slice(
    value: &Value,
    start: Option<i32>,
    stop: Option<i32>,
    step: i32,
) -> Result<Value, QueryError> {
    if step == 0 {
        return Err(QueryError::Step);
    }
    let Value::List(items) = value else { return Ok(Value::Null) };
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let step = i64::from(step);
    let (lowest, highest) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let bound = |given: Option<i32>, default: i64| {
        given.map_or(default, |it| {
            let it = i64::from(it);
            (if it < 0 { it + length } else { it }).clamp(lowest, highest)
        })
    };
    let (first, last) = if step > 0 { (0, length) } else { (length - 1, -1) };
    let (mut at, stop) = (bound(start, first), bound(stop, last));
    let mut taken = Vec::new();
    while if step > 0 { at < stop } else { at > stop } {
        if let Some(item) = usize::try_from(at).ok().and_then(|it| items.get(it)) {
            taken.push(item.clone());
        }
        at += step;
    }
    Ok(Value::List(taken))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn search(expression: &str, value: Json) -> Json {
        let found = Query::read(expression).and_then(|it| it.search(&value.into()));
        found.map_or_else(|error| json!({"error": error.to_string()}), |it| it.to_json())
    }

    #[test]
    fn expressions_find_what_they_ask_for() {
        let value = json!({
            "a": {"b": [1, 2, 3, 4], "z": null, "y": "text"},
            "list": [{"n": "x", "v": 2}, {"n": "y", "v": 1}, {"v": 3}],
            "nested": [[1], [2, [3]]],
        });
        for (expression, expected) in [
            ("a.b[0]", json!(1)),
            ("a.b[-1]", json!(4)),
            ("a.b[9]", json!(null)),
            ("a.b[1:3]", json!([2, 3])),
            ("a.b[::-1]", json!([4, 3, 2, 1])),
            ("a.nothing.more", json!(null)),
            ("list[].n", json!(["x", "y"])),
            ("list[*].[n, v]", json!([["x", 2], ["y", 1], [null, 3]])),
            ("list[?v > `1`].v", json!([2, 3])),
            ("list[?n == 'y'] | [0].v", json!(1)),
            ("nested[]", json!([1, 2, [3]])),
            ("list[?n == `y`].v", json!([1])),
            (
                "list[?n == `y` || n == ` x` || n == `\"y\"`].[v, `2`, 'b`']",
                json!([[2, 2, "b`"], [1, 2, "b`"]]),
            ),
            ("[`a b`, `a\\`b`, `é`, ``, '`x`']", json!(["a b", "a`b", "é", "", "`x`"])),
            ("a.z || a.y", json!("text")),
            ("a.z && a.y", json!(null)),
            ("!(a.z)", json!(true)),
            ("a.*", json!([[1, 2, 3, 4], "text"])),
            ("{first: a.b[0], y: a.y}", json!({"first": 1, "y": "text"})),
            ("sort_by(list, &v)[].v", json!([1, 2, 3])),
            ("max_by(list, &v).v", json!(3)),
            ("length(a.b) == `4`", json!(true)),
            ("join(',', ['p', 'q'])", json!("p,q")),
            ("map(&v, list)", json!([2, 1, 3])),
            ("keys(a)", json!(["b", "z", "y"])),
            ("to_string(a.b)", json!("[1,2,3,4]")),
            ("to_number('12')", json!(12)),
            ("sum(a.b)", json!(10.0)),
            ("avg(a.b)", json!(2.5)),
            ("contains(a.y, 'ex')", json!(true)),
            ("not_null(a.z, a.nothing, a.y)", json!("text")),
            ("type(a.b)", json!("array")),
            ("reverse('abc')", json!("cba")),
            ("merge({a: `1`}, {b: `2`})", json!({"a": 1, "b": 2})),
            ("starts_with(a.y, 'te') && ends_with(a.y, 'xt')", json!(true)),
        ] {
            assert_eq!(search(expression, value.clone()), expected, "{expression}");
        }
    }

    #[test]
    fn what_lies_too_deep_is_refused() {
        for part in ["(", "!", "a.", "[", "[0]", "a||", "&", "{a:", "a|", "a[]", "a[?", "*.", "[*]"]
        {
            let text = search(&part.repeat(50_000), json!({"a": [1]}))["error"].to_string();
            assert!(text.contains("nested too deeply"), "{part}: {text}");
        }
        let brackets = "[".repeat(1_000);
        assert_eq!(search(&format!("'{brackets}'"), json!({})), json!(brackets));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (expression, part) in [
            ("a.[", "is not an expression of JMESPath"),
            ("[`a\"b`]", "Unable to parse literal JSON"),
            ("[`a", "Unclosed"),
            ("nope(a)", "has no function nope()"),
            ("length(`1`)", "takes"),
            ("a[::0]", "0"),
            ("join(a)", "does not take 1 arguments"),
        ] {
            let text = search(expression, json!({"a": [1]}))["error"].to_string();
            assert!(text.contains(part), "{expression}: {text}");
        }
    }
}
