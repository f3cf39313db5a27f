//! Checking arguments: other names, defaults, types, choices and rules, in the original's order.

use davit_event::Reply;
use serde_json::{Map, Value, json};

use super::coerce::{Environment, coerce};
use super::{ArgError, ArgType, Deprecation, Opt, Spec, python};

/// How deep options may nest.
const DEPTH: usize = 32;

/// Arguments that fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked {
    /// By their own names, coerced, with defaults; what is not given is null.
    pub args: Reply,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// What goes away: maps with `msg`, and `version` or `date`.
    pub deprecations: Vec<Value>,
}

impl Spec {
    /// The arguments coerced, by their own names, with defaults; what is not given is null.
    ///
    /// Paths keep `$NAME`: see [`Self::check_with`].
    ///
    /// # Errors
    /// All that does not fit, what the original would tell first.
    pub fn check(&self, args: &Reply) -> Result<Reply, Vec<ArgError>> {
        self.check_with(args, &|_| None).map(|it| it.args)
    }

    /// [`Self::check`], with the environment that paths speak of.
    ///
    /// # Errors
    /// All that does not fit, what the original would tell first.
    pub fn check_with(&self, args: &Reply, env: Environment<'_>) -> Result<Checked, Vec<ArgError>> {
        self.check_named(&self.module, args, env)
    }

    /// [`Self::check_with`], with the name by which the user called the module.
    ///
    /// # Errors
    /// All that does not fit, what the original would tell first.
    pub fn check_named(
        &self,
        module: &str,
        args: &Reply,
        env: Environment<'_>,
    ) -> Result<Checked, Vec<ArgError>> {
        let mut checker = Checker::new(module, env, &|_| false);
        let args = checker.level(self, args, &[]);
        checker.errors.append(&mut checker.unsupported);
        if checker.errors.is_empty() {
            Ok(Checked { args, warnings: checker.warnings, deprecations: checker.deprecations })
        } else {
            Err(checker.errors)
        }
    }

    /// What can be said of arguments in which `is_unknown` values will only be known at run time.
    pub fn check_static(&self, args: &Reply, is_unknown: &dyn Fn(&Value) -> bool) -> Vec<ArgError> {
        let mut checker = Checker::new(&self.module, &|_| None, is_unknown);
        checker.level(self, args, &[]);
        checker.errors.append(&mut checker.unsupported);
        checker.errors
    }

    /// The values of no-log arguments, as texts: what a result must not show.
    #[must_use]
    pub fn secrets(&self, args: &Reply) -> Vec<String> {
        let mut found = Vec::new();
        self.collect_secrets(args, &mut found);
        found
    }

    fn collect_secrets(&self, args: &Reply, found: &mut Vec<String>) {
        for option in &self.options {
            let names = std::iter::once(&option.name).chain(&option.aliases);
            for value in names.filter_map(|name| args.get(name)) {
                if option.no_log {
                    texts_in(value, found);
                } else if let Some(beneath) = &option.options {
                    match value {
                        Value::Object(map) => beneath.collect_secrets(map, found),
                        Value::Array(items) => {
                            let maps = items.iter().filter_map(Value::as_object);
                            maps.for_each(|it| beneath.collect_secrets(it, found));
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

fn texts_in(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.is_empty() => found.push(text.clone()),
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|it| texts_in(it, found)),
        Value::Object(map) => map.values().for_each(|it| texts_in(it, found)),
        _ => {}
    }
}

struct Checker<'a> {
    module: &'a str,
    env: Environment<'a>,
    is_unknown: &'a dyn Fn(&Value) -> bool,
    errors: Vec<ArgError>,
    unsupported: Vec<ArgError>,
    warnings: Vec<String>,
    deprecations: Vec<Value>,
}

impl<'a> Checker<'a> {
    fn new(module: &'a str, env: Environment<'a>, is_unknown: &'a dyn Fn(&Value) -> bool) -> Self {
        Self {
            module,
            env,
            is_unknown,
            errors: Vec::new(),
            unsupported: Vec::new(),
            warnings: Vec::new(),
            deprecations: Vec::new(),
        }
    }

    /// One level of options: the top, or those beneath an argument at `at`.
    fn level(&mut self, spec: &Spec, given: &Reply, at: &[String]) -> Reply {
        let mut args = given.clone();
        self.aliases(spec, &mut args);
        self.names(spec, &args, at);
        self.exclusive(spec, &args, at);
        self.required(spec, &args, at);
        for option in &spec.options {
            if let Some(default) = &option.default {
                args.entry(option.name.clone()).or_insert_with(|| default.clone());
            }
        }
        for option in &spec.options {
            if let Some(value) = args.get(&option.name)
                && let Some(value) = self.typed(option, value, at)
            {
                args.insert(option.name.clone(), value);
            }
        }
        for option in &spec.options {
            self.choice(option, &mut args, at);
        }
        self.dependencies(spec, &args, at);
        for option in &spec.options {
            args.entry(option.name.clone()).or_insert(Value::Null);
        }
        for option in &spec.options {
            self.beneath(option, &mut args, at);
        }
        args
    }

    fn aliases(&mut self, spec: &Spec, args: &mut Reply) {
        for option in &spec.options {
            for alias in &option.aliases {
                let Some(value) = args.get(alias).cloned() else { continue };
                if args.contains_key(&option.name) {
                    let said =
                        format!("Both option {} and its alias {alias} are set.", option.name);
                    // The first alias that is set fills the option; only a rival is worth a word.
                    self.warnings.push(said);
                }
                args.insert(option.name.clone(), value);
                let gone = option.deprecated_aliases.iter().find(|(name, _)| name == alias);
                if let Some((_, when)) = gone {
                    let said = format!("Alias '{alias}' is deprecated.");
                    self.deprecated(&said, when);
                }
            }
            if let Some(when) = &option.removed
                && args.contains_key(&option.name)
            {
                self.deprecated(&format!("Param '{}' is deprecated.", option.name), when);
            }
        }
    }

    fn deprecated(&mut self, said: &str, when: &Deprecation) {
        let mut entry = Map::new();
        let text = format!("{said} See the module docs for more information");
        entry.insert("msg".to_owned(), text.into());
        let facts = [
            ("version", &when.version),
            ("date", &when.date),
            ("collection_name", &when.collection),
        ];
        for (key, value) in facts {
            if let Some(value) = value {
                entry.insert(key.to_owned(), value.as_str().into());
            }
        }
        if let Some(collection) = &when.collection {
            entry.insert(
                "deprecator".to_owned(),
                json!({"resolved_name": collection, "type": null}),
            );
        }
        self.deprecations.push(Value::Object(entry));
    }

    fn names(&mut self, spec: &Spec, args: &Reply, at: &[String]) {
        let mut names: Vec<String> = args
            .keys()
            .filter(|it| spec.option(it).is_none())
            .map(|it| at.iter().chain([it]).cloned().collect::<Vec<_>>().join("."))
            .collect();
        if names.is_empty() {
            return;
        }
        names.sort();
        let mut supported: Vec<String> = spec.options.iter().map(|it| it.name.clone()).collect();
        supported.sort();
        let mut aliases: Vec<String> =
            spec.options.iter().flat_map(|it| it.aliases.iter().cloned()).collect();
        aliases.sort();
        let module = self.module.to_owned();
        self.unsupported.push(ArgError::Unsupported { module, names, supported, aliases });
    }

    fn exclusive(&mut self, spec: &Spec, args: &Reply, at: &[String]) {
        let broken = |group: &&Vec<String>| self.certain(args, group) > 1;
        let groups: Vec<Vec<String>> =
            spec.rules.mutually_exclusive.iter().filter(broken).cloned().collect();
        if !groups.is_empty() {
            self.errors.push(ArgError::Exclusive { groups_: groups, at: at.to_vec() });
        }
    }

    fn required(&mut self, spec: &Spec, args: &Reply, at: &[String]) {
        let missing = |it: &&Opt| it.required && !args.contains_key(&it.name);
        let mut names: Vec<String> =
            spec.options.iter().filter(missing).map(|it| it.name.clone()).collect();
        if !names.is_empty() {
            names.sort();
            self.errors.push(ArgError::Missing { names, at: at.to_vec() });
        }
    }

    /// The value as the option's type; `None` where it stays as it is.
    fn typed(&mut self, option: &Opt, value: &Value, at: &[String]) -> Option<Value> {
        if (value.is_null() && !option.required && option.default.is_none())
            || (self.is_unknown)(value)
        {
            return None;
        }
        let value = match coerce(value, option.arg_type, self.env) {
            Ok(value) => value,
            Err(why) => {
                self.errors.push(type_error(option, value, (false, why), at));
                return None;
            }
        };
        let (Some(wanted), Value::Array(items)) = (option.elements, &value) else {
            return Some(value);
        };
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            if (self.is_unknown)(item) {
                out.push(item.clone());
                continue;
            }
            match coerce(item, wanted, self.env) {
                Ok(item) => out.push(item),
                Err(why) => {
                    self.errors.push(type_error(option, item, (true, why), at));
                    return None;
                }
            }
        }
        Some(Value::Array(out))
    }

    fn choice(&mut self, option: &Opt, args: &mut Reply, at: &[String]) {
        let Some(value) = args.get(&option.name) else { return };
        if option.choices.is_empty() || value.is_null() || (self.is_unknown)(value) {
            return;
        }
        let known = |it: &Value| option.choices.contains(it) || (self.is_unknown)(it);
        let (got, list) = match value {
            Value::Array(items) => {
                let strange: Vec<String> =
                    items.iter().filter(|it| !known(it)).map(python::text).collect();
                if strange.is_empty() {
                    return;
                }
                (strange.join(", "), true)
            }
            value if known(value) => return,
            value => {
                if let Some(meant) = boolean_word(value, &option.choices) {
                    args.insert(option.name.clone(), meant);
                    return;
                }
                (python::text(value), false)
            }
        };
        self.errors.push(ArgError::Choice {
            key: option.name.clone(),
            choices: option.choices.iter().map(python::text).collect(),
            got,
            list,
            at: at.to_vec(),
        });
    }

    /// How many of them are given for sure: what is not known yet may turn out to be `omit`.
    fn certain(&self, args: &Reply, group: &[String]) -> usize {
        let known = |it: &&String| args.get(*it).is_some_and(|it| !(self.is_unknown)(it));
        group.iter().filter(known).count()
    }

    fn dependencies(&mut self, spec: &Spec, args: &Reply, at: &[String]) {
        let at = at.to_vec();
        for group in &spec.rules.required_together {
            if self.certain(args, group) > 0 && count(args, group) < group.len() {
                self.errors.push(ArgError::Together { names: group.clone(), at: at.clone() });
            }
        }
        for group in &spec.rules.required_one_of {
            if count(args, group) == 0 {
                self.errors.push(ArgError::OneOf { names: group.clone(), at: at.clone() });
            }
        }
        for rule in &spec.rules.required_if {
            let Some(value) = args.get(&rule.key).filter(|it| **it == rule.value) else { continue };
            let missing: Vec<String> =
                rule.needs.iter().filter(|it| !args.contains_key(*it)).cloned().collect();
            let enough =
                if rule.any { missing.len() < rule.needs.len() } else { missing.is_empty() };
            if !enough {
                self.errors.push(ArgError::If {
                    key: rule.key.clone(),
                    value: python::text(value),
                    any: rule.any,
                    missing,
                    at: at.clone(),
                });
            }
        }
        for (key, needs) in &spec.rules.required_by {
            if args.get(key).is_none_or(|it| it.is_null() || (self.is_unknown)(it)) {
                continue;
            }
            let absent = |it: &&String| args.get(*it).is_none_or(Value::is_null);
            let missing: Vec<String> = needs.iter().filter(absent).cloned().collect();
            if !missing.is_empty() {
                self.errors.push(ArgError::By { key: key.clone(), missing, at: at.clone() });
            }
        }
    }

    /// The options beneath an argument.
    fn beneath(&mut self, option: &Opt, args: &mut Reply, at: &[String]) {
        let Some(spec) = &option.options else { return };
        if at.len() >= DEPTH {
            return;
        }
        let mut place = at.to_vec();
        place.push(option.name.clone());
        let value = args.get(&option.name).cloned().unwrap_or(Value::Null);
        let checked = match value {
            Value::Null if option.apply_defaults => {
                Value::Object(self.level(spec, &Reply::new(), &place))
            }
            Value::Object(map) => Value::Object(self.level(spec, &map, &place)),
            Value::Array(items) => {
                let items = items.into_iter().map(|item| match item {
                    Value::Object(map) => Value::Object(self.level(spec, &map, &place)),
                    other if (self.is_unknown)(&other) => other,
                    other => match coerce(&other, ArgType::Dict, self.env) {
                        Ok(Value::Object(map)) => Value::Object(self.level(spec, &map, &place)),
                        _ => {
                            let key = option.name.clone();
                            self.errors.push(ArgError::NotDict { key, at: at.to_vec() });
                            other
                        }
                    },
                });
                Value::Array(items.collect())
            }
            other => other,
        };
        args.insert(option.name.clone(), checked);
    }
}

/// A value, or an item of a list, that cannot be made what the option is.
fn type_error(
    option: &Opt,
    value: &Value,
    (element, why): (bool, String),
    at: &[String],
) -> ArgError {
    let wanted = if element { option.elements.unwrap_or_default() } else { option.arg_type };
    ArgError::Type {
        key: option.name.clone(),
        got: python::type_name(value),
        wanted: wanted.name(),
        element,
        why,
        at: at.to_vec(),
    }
}

/// How many of a group are given.
fn count(args: &Reply, group: &[String]) -> usize {
    group.iter().filter(|it| args.contains_key(*it)).count()
}

/// The one choice that a YAML boolean was meant to be: `yes` read as true.
fn boolean_word(value: &Value, choices: &[Value]) -> Option<Value> {
    let words: &[&str] = match value.as_str()? {
        "True" => &["y", "yes", "on", "1", "true", "t"],
        "False" => &["n", "no", "off", "0", "false", "f"],
        _ => return None,
    };
    let mut meant = choices.iter().filter(|it| it.as_str().is_some_and(|it| words.contains(&it)));
    let first = meant.next()?;
    if meant.next().is_some() { None } else { Some(first.clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A spec with one of each, checked against the original.
    fn spec() -> Spec {
        let options = json!({
            "s": {}, "i": {"type": "int"}, "b": {"type": "bool"}, "l": {"type": "list"},
            "d": {"type": "dict"}, "p": {"type": "path"},
            "li": {"type": "list", "elements": "int"},
            "ls": {"type": "list", "elements": "str", "choices": ["a", "b"]},
            "ld": {"type": "list", "elements": "dict", "options": {
                "x": {"type": "int", "required": true}, "y": {"default": "q"},
                "cc": {"choices": ["m", "n"]}, "t1": {}, "t2": {},
            }, "required_together": [["t1", "t2"]]},
            "sd": {"type": "dict", "options": {
                "x": {"type": "int", "required": true, "aliases": ["xx"]},
                "sub": {"type": "dict", "options": {"k": {"type": "list", "elements": "int"}}},
            }},
            "sad": {"type": "dict", "apply_defaults": true,
                    "options": {"q": {"default": 3, "type": "int"}}},
            "ci": {"type": "int", "choices": [1, 2]},
            "cb": {"choices": ["yes", "no", "maybe"]},
            "al": {"aliases": ["bl"]}, "nl": {"no_log": true},
            "m1": {"default": "x"}, "m2": {}, "t1": {}, "t2": {}, "st": {}, "n1": {}, "n2": {},
            "by1": {}, "by2": {},
        });
        let rules = json!({
            "mutually_exclusive": [["m1", "m2"]],
            "required_together": [["t1", "t2"]],
            "required_if": [["st", "a", ["n1", "n2"]], ["st", "b", ["n1", "n2"], true]],
            "required_by": {"by1": "by2"},
        });
        Spec::from_written("argt", &options, &rules)
    }

    fn args(value: Value) -> Reply {
        match value {
            Value::Object(map) => map,
            _ => Reply::new(),
        }
    }

    #[test]
    fn what_does_not_fit_is_told_as_in_the_original() {
        let check = |given: Value, expect: &str| {
            let errors = spec().check(&args(given.clone())).unwrap_err();
            assert_eq!(errors[0].to_string(), expect, "{given}");
        };
        check(
            json!({"i": "x"}),
            "argument 'i' is of type str and we were unable to convert to int: \"'x'\" cannot be \
             converted to an int",
        );
        check(
            json!({"li": "1,b"}),
            "Elements value for option 'li' is of type str and we were unable to convert to int: \
             \"'b'\" cannot be converted to an int",
        );
        check(
            json!({"ls": ["a", "c", "d"]}),
            "value of ls must be one or more of: a, b. Got no match for: c, d",
        );
        check(json!({"ci": 3}), "value of ci must be one of: 1, 2, got: 3");
        check(json!({"ld": [{"y": "a"}]}), "missing required arguments: x found in ld");
        check(
            json!({"ld": [{"x": 1, "foo": 2}]}),
            "Unsupported parameters for (argt) module: ld.foo. Supported parameters include: cc, \
             t1, t2, x, y.",
        );
        check(
            json!({"ld": [{"x": "q"}]}),
            "argument 'x' is of type str found in 'ld'. and we were unable to convert to int: \
             \"'q'\" cannot be converted to an int",
        );
        check(
            json!({"ld": [{"x": 1, "cc": "z"}]}),
            "value of cc must be one of: m, n, got: z found in ld",
        );
        check(
            json!({"ld": [{"x": 1, "t1": "z"}]}),
            "parameters are required together: t1, t2 found in ld",
        );
        check(
            json!({"sd": {"xx": 1, "q": 2}}),
            "Unsupported parameters for (argt) module: sd.q. Supported parameters include: sub, x \
             (xx).",
        );
        check(
            json!({"sd": {"x": 1, "sub": {"k": ["a"], "zz": 1}}}),
            "Elements value for option 'k' found in 'sd -> sub' is of type str and we were unable \
             to convert to int: \"'a'\" cannot be converted to an int",
        );
        check(json!({"m1": 1, "m2": null}), "parameters are mutually exclusive: m1|m2");
        check(json!({"t1": "a"}), "parameters are required together: t1, t2");
        check(json!({"st": "a", "n1": 1}), "st is a but all of the following are missing: n2");
        check(json!({"st": "b"}), "st is b but any of the following are missing: n1, n2");
        check(json!({"by1": "b", "by2": null}), "missing parameter(s) required by 'by1': by2");
        check(json!({"zork": 1, "t1": "a"}), "parameters are required together: t1, t2");
    }

    #[test]
    fn what_fits_is_coerced_and_filled_in() {
        let check = |given: Value, key: &str, expect: Value| {
            let checked = spec().check(&args(given.clone())).unwrap();
            assert_eq!(checked[key], expect, "{given}");
        };
        check(json!({"m2": "z"}), "m1", json!("x"));
        check(json!({"cb": true}), "cb", json!("yes"));
        check(json!({"ci": "2"}), "ci", json!(2));
        check(json!({"bl": 3}), "al", json!("3"));
        check(json!({}), "sad", json!({"q": 3}));
        check(json!({}), "i", json!(null));
        check(
            json!({"ld": "x=1"}),
            "ld",
            json!([{"x": 1, "y": "q", "cc": null, "t1": null, "t2": null}]),
        );
        check(json!({"l": true}), "l", json!(["True"]));
        let both = spec().check_with(&args(json!({"al": 1, "bl": 2})), &|_| None).unwrap();
        assert_eq!(both.warnings, ["Both option al and its alias bl are set."]);
    }

    #[test]
    fn what_is_not_known_yet_is_left_alone() {
        let unknown = |it: &Value| it.as_str().is_some_and(|it| it.contains("{{"));
        let check = |given: Value, expect: usize| {
            assert_eq!(
                spec().check_static(&args(given.clone()), &unknown).len(),
                expect,
                "{given}"
            );
        };
        check(json!({"i": "{{ x }}", "ci": "{{ y }}", "li": ["{{ z }}", 1]}), 0);
        check(json!({"i": "{{ x }}", "zork": "{{ y }}"}), 1);
        check(json!({"sd": "{{ x }}", "ld": ["{{ x }}"]}), 0);
        // It may be `omit`.
        check(json!({"m1": "{{ x }}", "m2": "b"}), 0);
        check(json!({"m1": "a", "m2": "b"}), 1);
        check(json!({"t1": "{{ x }}", "ld": [{"x": 1, "t2": "{{ x }}"}]}), 0);
        check(json!({"t1": "a", "t2": "{{ x }}"}), 0);
        check(json!({"t1": "a"}), 1);
        check(json!({"ld": [{"x": 1, "t2": "a"}]}), 1);
        check(json!({"by1": "{{ x }}"}), 0);
        check(json!({"by1": "a"}), 1);
    }

    #[test]
    fn nothing_given_makes_it_panic() {
        let deep = (0..100).fold(json!(1), |it, _| json!({"sub": it}));
        for value in [json!(null), json!([]), json!({}), json!("a=b=c, {"), json!(1e300), deep] {
            for option in &spec().options {
                let mut given = Reply::new();
                given.insert(option.name.clone(), value.clone());
                let _ = spec().check(&given);
            }
        }
    }
}
