//! The part of JMESPath that models use to take parameters out of an operation's input: names, `[*]`,
//! `[]`, lists of several paths, and `keys()`. Knows no rule.

use crate::value::{Map, Value};

/// What a path leads to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reached<'a> {
    Value(&'a Value),
    Text(&'a str),
    List(Vec<Option<Self>>),
}

#[derive(Debug, PartialEq)]
enum Step<'p> {
    Name(&'p str),
    Each,
    Flatten,
    Several(Vec<Vec<Self>>),
    Keys(Vec<Self>),
}

/// How deep paths may lie in each other.
const DEEPEST: usize = 8;

/// What stands at the end of a path; the inner nothing if it leads nowhere, the outer one if it is no path
/// that is known here.
pub(super) fn reach<'a>(path: &str, input: &'a Map) -> Option<Option<Reached<'a>>> {
    let mut parser = Parser { rest: path, depth: 0 };
    let steps = parser.steps()?;
    if !parser.rest.is_empty() {
        return None;
    }
    // The input is no `Value` itself, so its first step is taken here.
    let found = match steps.as_slice() {
        [Step::Name(name), rest @ ..] => {
            let value = input.get(*name).filter(|it| **it != Value::Null);
            walk_from(value.map(Reached::Value), rest)
        }
        [Step::Keys(inner), rest @ ..] => match inner.as_slice() {
            [Step::Name(name), inner @ ..] => {
                let value = input.get(*name).filter(|it| **it != Value::Null);
                walk_from(keys(walk_from(value.map(Reached::Value), inner)), rest)
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(found)
}

/// A `[]` takes what all before it has given, whatever lists that went through.
fn walk_from<'a>(from: Option<Reached<'a>>, steps: &[Step<'_>]) -> Option<Reached<'a>> {
    match steps.iter().rposition(|it| *it == Step::Flatten) {
        Some(at) => {
            let mut flat = Vec::new();
            for item in items(walk_from(from, &steps[..at])?)? {
                match item {
                    Some(Reached::List(inner)) => flat.extend(inner),
                    Some(Reached::Value(Value::List(inner))) => {
                        flat.extend(inner.iter().map(|it| Some(Reached::Value(it))));
                    }
                    other => flat.push(other),
                }
            }
            Some(project(flat, &steps[at + 1..]))
        }
        None => walk(from?, steps),
    }
}

fn walk<'a>(from: Reached<'a>, steps: &[Step<'_>]) -> Option<Reached<'a>> {
    let Some((step, rest)) = steps.split_first() else { return Some(from) };
    match step {
        Step::Name(name) => match from {
            Reached::Value(value) => walk(Reached::Value(value.get(name)?), rest),
            _ => None,
        },
        Step::Each => Some(project(items(from)?, rest)),
        Step::Several(paths) => {
            let several = paths.iter().map(|path| walk_from(Some(from.clone()), path)).collect();
            walk(Reached::List(several), rest)
        }
        Step::Keys(inner) => walk(keys(walk_from(Some(from), inner))?, rest),
        Step::Flatten => None,
    }
}

fn project<'a>(items: Vec<Option<Reached<'a>>>, steps: &[Step<'_>]) -> Reached<'a> {
    let reached = items.into_iter().filter_map(|it| walk(it?, steps));
    Reached::List(reached.filter(|it| *it != Reached::Value(&Value::Null)).map(Some).collect())
}

fn items(from: Reached<'_>) -> Option<Vec<Option<Reached<'_>>>> {
    match from {
        Reached::List(items) => Some(items),
        Reached::Value(Value::List(items)) => {
            Some(items.iter().map(|it| Some(Reached::Value(it))).collect())
        }
        _ => None,
    }
}

fn keys(from: Option<Reached<'_>>) -> Option<Reached<'_>> {
    let Some(Reached::Value(Value::Map(map))) = from else { return None };
    Some(Reached::List(map.keys().map(|it| Some(Reached::Text(it))).collect()))
}

struct Parser<'p> {
    rest: &'p str,
    depth: usize,
}

impl<'p> Parser<'p> {
    fn steps(&mut self) -> Option<Vec<Step<'p>>> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut steps = Vec::new();
        loop {
            if self.take("[*]") {
                steps.push(Step::Each);
            } else if self.take("[]") {
                steps.push(Step::Flatten);
            } else if steps.is_empty() || self.take(".") {
                steps.push(self.step()?);
            } else {
                self.depth -= 1;
                return Some(steps);
            }
        }
    }

    fn step(&mut self) -> Option<Step<'p>> {
        if self.take("[") {
            let mut paths = Vec::new();
            loop {
                paths.push(self.steps()?);
                if self.take("]") {
                    return Some(Step::Several(paths));
                }
                if !self.take(",") {
                    return None;
                }
            }
        }
        self.rest = self.rest.trim_start();
        let end = self
            .rest
            .find(|it: char| !it.is_ascii_alphanumeric() && it != '_')
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        if name == "keys" && self.take("(") {
            let inner = self.steps()?;
            return self.take(")").then_some(Step::Keys(inner));
        }
        (!name.is_empty()).then_some(Step::Name(name))
    }

    fn take(&mut self, what: &str) -> bool {
        let Some(rest) = self.rest.trim_start().strip_prefix(what) else { return false };
        self.rest = rest;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn texts(found: Option<Reached<'_>>) -> Vec<String> {
        match found {
            None => Vec::new(),
            Some(Reached::Text(it)) => vec![it.to_owned()],
            Some(Reached::Value(it)) => match it {
                Value::List(items) => {
                    items.iter().flat_map(|it| texts(Some(Reached::Value(it)))).collect()
                }
                other => vec![other.as_str().unwrap_or(other.kind()).to_owned()],
            },
            Some(Reached::List(items)) => items
                .into_iter()
                .flat_map(|it| if it.is_none() { vec!["-".to_owned()] } else { texts(it) })
                .collect(),
        }
    }

    #[test]
    fn paths_lead_where_jmespath_says() {
        let input = json!({
            "Name": "n",
            "One": {"Two": {"Three": "3"}},
            "Map": {"a": 1, "b": 2},
            "Items": [{"Put": {"T": "p"}}, {"Get": {"T": "g"}}, {"Put": {"T": "q"}, "Get": {"T": "h"}}],
            "Lists": [["x", "y"], ["z"]],
        });
        let Value::Map(input) = Value::from(input) else { unreachable!() };
        for (path, found) in [
            ("Name", "n"),
            ("None", ""),
            ("One.Two.Three", "3"),
            ("One.None.Three", ""),
            ("keys(Map)", "a b"),
            ("keys(None)", ""),
            ("Items[*].Put.T", "p q"),
            ("Items[*].[Put.T, Get.T]", "p - - g q h"),
            ("Items[*].[Put.T, Get.T][]", "p g q h"),
            ("Lists[]", "x y z"),
            ("Lists[*]", "x y z"),
        ] {
            let reached = reach(path, &input).unwrap_or_else(|| panic!("{path}"));
            assert_eq!(texts(reached).join(" "), found, "{path}");
        }
        for path in ["", ".", "a..b", "a[", "keys(", "a[*", "a]", "`1`", "length(a)"] {
            assert!(reach(path, &input).is_none(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_path_or_not(path in "[a-c*\\[\\](),. ]{0,40}|\\PC{0,20}") {
            let input = Value::from(json!({"a": [{"b": {"c": "1"}}, [["x"]]], "b": {"a": "2"}}));
            let _ = reach(&path, input.as_map().expect("a map"));
        }
    }
}
