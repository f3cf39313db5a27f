//! Expressions to values.

use std::cmp::Ordering;
use std::sync::Arc;

use davit_value::{Map, Str, Value, ValueError};

use super::Eval;
use crate::ast::{Arguments, Comparison, Condition, Expr, ExprKind, Named, Operator};
use crate::env::Kind;
use crate::objects::{Nothing, SelfReference, as_object};
use crate::{Error, access, limits, ops};

/// Filters that look at their value themselves: they get it undefined or with members that have not been rendered.
const LAZY_FILTERS: &[&str] =
    &["count", "d", "default", "first", "last", "length", "mandatory", "type_debug"];

/// Tests that do.
const LAZY_TESTS: &[&str] = &[
    "boolean",
    "defined",
    "false",
    "float",
    "integer",
    "iterable",
    "mapping",
    "none",
    "number",
    "sequence",
    "string",
    "true",
    "undefined",
];

/// Filters that take every member of their value, so that one that is undefined shows.
const TAKE_EVERY_MEMBER: &[&str] = &[
    "dict2items",
    "dictsort",
    "flatten",
    "items",
    "string",
    "to_json",
    "to_nice_json",
    "to_nice_yaml",
    "to_yaml",
    "urlencode",
    "xmlattr",
];

/// Those of them that look at members only, and not at what is inside these.
const TAKE_MEMBERS: &[&str] = &["dict2items", "dictsort", "items"];

/// The short name of a plugin of ansible.builtin.
fn short(name: &str) -> &str {
    name.strip_prefix("ansible.builtin.")
        .or_else(|| name.strip_prefix("ansible.legacy."))
        .unwrap_or(name)
}

impl Eval<'_> {
    /// The value of an expression: touched, so never a live string; possibly undefined; possibly a live container.
    pub(super) fn eval(&mut self, expr: &Expr) -> Result<Value, Error> {
        match &expr.kind {
            ExprKind::Const(value) => self.constant(value),
            ExprKind::Name(name) => self.name(name, expr.at),
            _ => stacker::maybe_grow(limits::RED_ZONE, limits::STACK, || self.compound(expr)),
        }
    }

    /// Strings in conditionals may hold templates; elsewhere they stand for themselves.
    fn constant(&self, value: &Value) -> Result<Value, Error> {
        match value {
            Value::Str(text) if self.unit.renders_constants && text.contains("{{") => {
                access::touch(
                    self.env,
                    Value::Str(Str::trusted(text.shared(), self.unit.origin.clone())),
                )
            }
            value => Ok(value.clone()),
        }
    }

    fn compound(&mut self, expr: &Expr) -> Result<Value, Error> {
        let at = expr.at;
        match &expr.kind {
            ExprKind::Const(value) => self.constant(value),
            ExprKind::Name(name) => self.name(name, at),
            ExprKind::List(items) => Ok(Value::list(self.eval_all(items)?)),
            ExprKind::Tuple(items) => Ok(Value::tuple(self.eval_all(items)?)),
            ExprKind::Dict(entries) => self.dict(entries, at),
            ExprKind::Attribute(inner, name) => {
                let value = self.eval(inner)?;
                let found = access::attribute(self.env, &value, name)
                    .map_err(|error| self.fail(error, at))?;
                Ok(self.noted(found, at))
            }
            ExprKind::Item(inner, key) => {
                let value = self.eval(inner)?;
                let key = self.eval(key)?;
                let found =
                    access::item(self.env, &value, &key).map_err(|error| self.fail(error, at))?;
                Ok(self.noted(found, at))
            }
            ExprKind::Slice(inner, parts) => {
                let value = self.eval(inner)?;
                let mut numbers = [None, None, None];
                for (number, part) in numbers.iter_mut().zip(parts.iter()) {
                    if let Some(part) = part {
                        *number = Some(self.eval(part)?);
                    }
                }
                ops::slice(&value, &numbers).map_err(|error| self.fail(error, at))
            }
            ExprKind::Call(callee, arguments) => self.call(callee, arguments, at),
            ExprKind::Filter(inner, filter) => {
                let value = self.eval(inner)?;
                self.apply_filter(value, filter)
            }
            ExprKind::Test(inner, test) => {
                let value = self.eval(inner)?;
                self.apply_named(value, test, Kind::Test)
            }
            ExprKind::Not(inner) => {
                let value = self.eval(inner)?;
                Ok(Value::Bool(!self.truthy(&value, inner.at)?))
            }
            ExprKind::Negative(inner) => {
                let value = self.eval(inner)?;
                ops::negative(&value).map_err(|error| self.fail(error, at))
            }
            ExprKind::Positive(inner) => {
                let value = self.eval(inner)?;
                ops::positive(&value).map_err(|error| self.fail(error, at))
            }
            ExprKind::Binary(operator, left, right) => self.binary(*operator, left, right, at),
            ExprKind::And(parts) => self.first_that_is(parts, false),
            ExprKind::Or(parts) => self.first_that_is(parts, true),
            ExprKind::Compare(left, rest) => self.compare(left, rest),
            ExprKind::Concat(parts) => self.concatenated(parts),
            ExprKind::If(condition) => self.conditional(condition, at),
        }
    }

    fn eval_all(&mut self, items: &[Expr]) -> Result<Vec<Value>, Error> {
        items.iter().map(|item| self.eval(item)).collect()
    }

    /// A name, wherever it comes from; undefined where nothing has it.
    pub(super) fn name(&self, name: &Arc<str>, at: u32) -> Result<Value, Error> {
        if let Some(value) = self.bound(name) {
            return access::touch(self.env, value).map_err(|error| self.fail(error, at));
        }
        if self.root.sees_scope
            && let Some(value) = self.env.scope.get(name)
        {
            return access::touch(self.env, value).map_err(|error| self.fail(error, at));
        }
        if &**name == "self" {
            let blocks = self.blocks.keys().cloned().collect();
            return Ok(Value::Object(Arc::new(SelfReference { blocks })));
        }
        if let ("super", Some((block, level))) = (&**name, &self.block) {
            let reference =
                crate::objects::BlockReference { name: Arc::clone(block), level: level + 1 };
            return Ok(Value::Object(Arc::new(reference)));
        }
        if let Some(global) = crate::globals::get(name) {
            return Ok(global);
        }
        Ok(self.noted(Value::undefined(name), at))
    }

    /// `value`, with a note of where it came up where it is undefined: the place that an error about it names.
    pub(super) fn noted(&self, value: Value, at: u32) -> Value {
        if let Value::Undefined(what) = &value {
            let mut noted = self.noted.borrow_mut();
            if !noted.as_ref().is_some_and(|(it, _)| Arc::ptr_eq(it, what)) {
                *noted = Some((Arc::clone(what), at));
            }
        }
        value
    }

    fn dict(&mut self, entries: &[(Expr, Expr)], at: u32) -> Result<Value, Error> {
        let mut out = Map::new();
        for (key, value) in entries {
            let key = self.eval(key)?;
            let key = self.plain(&key, at)?;
            let key = ops::hashed(&key).map_err(|error| self.fail(error, at))?;
            let value = self.eval(value)?;
            out.insert(key, value);
        }
        Ok(out.into())
    }

    /// The value with everything inside rendered, undefined members kept.
    pub(super) fn plain(&self, value: &Value, at: u32) -> Result<Value, Error> {
        if value.is_live() {
            access::plain(self.env, value).map_err(|error| self.fail(error, at))
        } else {
            Ok(value.clone())
        }
    }

    pub(super) fn truthy(&self, value: &Value, at: u32) -> Result<bool, Error> {
        value.truthy().map_err(|error| self.fail(error, at))
    }

    /// `and` stops at what is false, `or` at what is true.
    fn first_that_is(&mut self, parts: &[Expr], wanted: bool) -> Result<Value, Error> {
        let mut last = Value::Null;
        for (place, part) in parts.iter().enumerate() {
            last = self.eval(part)?;
            if place + 1 < parts.len() && self.truthy(&last, part.at)? == wanted {
                break;
            }
        }
        Ok(last)
    }

    fn binary(
        &mut self,
        operator: Operator,
        left: &Expr,
        right: &Expr,
        at: u32,
    ) -> Result<Value, Error> {
        let a = self.eval(left)?;
        let b = self.eval(right)?;
        let both_lists = matches!(
            (&a, &b),
            (Value::List(_), Value::List(_)) | (Value::Tuple(_), Value::Tuple(_))
        );
        if operator == Operator::Add && both_lists {
            return ops::binary(operator, &a, &b).map_err(|error| self.fail(error, at));
        }
        let a = self.plain(&a, left.at)?;
        let b = self.plain(&b, right.at)?;
        for (value, place) in [(&a, left.at), (&b, right.at)] {
            if let Value::Undefined(what) = value {
                return Err(self.fail(Error::undefined(what), place));
            }
        }
        ops::binary(operator, &a, &b).map_err(|error| self.fail(error, at))
    }

    fn compare(&mut self, left: &Expr, rest: &[(Comparison, Expr)]) -> Result<Value, Error> {
        let mut at = left.at;
        let mut a = self.eval(left)?;
        for (comparison, right) in rest {
            let b = self.eval(right)?;
            for (value, place) in [(&a, at), (&b, right.at)] {
                if let Value::Undefined(what) = value {
                    return Err(self.fail(Error::undefined(what), place));
                }
            }
            if !self.compares(*comparison, &a, &b, right.at)? {
                return Ok(Value::Bool(false));
            }
            a = b;
            at = right.at;
        }
        Ok(Value::Bool(true))
    }

    fn compares(
        &self,
        comparison: Comparison,
        a: &Value,
        b: &Value,
        at: u32,
    ) -> Result<bool, Error> {
        let lengths_differ = match (a, b) {
            (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
                a.len() != b.len()
            }
            (Value::Map(a), Value::Map(b)) => a.len() != b.len(),
            _ => false,
        };
        match comparison {
            Comparison::Equal if lengths_differ => return Ok(false),
            Comparison::NotEqual if lengths_differ => return Ok(true),
            Comparison::In | Comparison::NotIn => {
                let found = self.contains(b, a, at)?;
                return Ok(found == (comparison == Comparison::In));
            }
            _ => {}
        }
        let (a, b) = (self.plain(a, at)?, self.plain(b, at)?);
        let ordered = |operator: &str, accepts: fn(Ordering) -> bool| {
            let nan =
                [&a, &b].iter().any(|value| matches!(value, Value::Float(float) if float.is_nan()));
            a.compare(&b, operator)
                .map(|ordering| !nan && accepts(ordering))
                .map_err(|error| self.fail(error, at))
        };
        match comparison {
            Comparison::Equal | Comparison::NotEqual => {
                for value in [&a, &b] {
                    if let Some(what) = undefined_inside(value) {
                        return Err(self.fail(ValueError::Undefined(what), at));
                    }
                }
                Ok((a == b) == (comparison == Comparison::Equal))
            }
            Comparison::Less => ordered("<", Ordering::is_lt),
            Comparison::LessOrEqual => ordered("<=", Ordering::is_le),
            Comparison::Greater => ordered(">", Ordering::is_gt),
            _ => ordered(">=", Ordering::is_ge),
        }
    }

    /// `value in container`, looking at no more members than it takes.
    fn contains(&self, container: &Value, value: &Value, at: u32) -> Result<bool, Error> {
        let value = self.plain(value, at)?;
        let result = match container {
            Value::List(list) | Value::Tuple(list) if container.is_live() => {
                for item in list.iter() {
                    let item = self.plain(item, at)?;
                    if let Value::Undefined(what) = &item {
                        return Err(self.fail(Error::undefined(what), at));
                    }
                    if item == value {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            container => ops::contains(container, &value),
        };
        result.map_err(|error| self.fail(error, at))
    }

    fn concatenated(&mut self, parts: &[Expr]) -> Result<Value, Error> {
        let mut text = String::new();
        for part in parts {
            let value = self.eval(part)?;
            let value = self.plain(&value, part.at)?;
            match &value {
                Value::Str(piece) => text.push_str(piece),
                Value::Undefined(what) => return Err(self.fail(Error::undefined(what), part.at)),
                Value::Object(_) if as_object::<Nothing>(&value).is_some() => {}
                other => match undefined_inside(other) {
                    Some(what) => return Err(self.fail(ValueError::Undefined(what), part.at)),
                    None => text.push_str(&other.to_str()),
                },
            }
        }
        Ok(Value::from(text))
    }

    fn conditional(&mut self, condition: &Condition, at: u32) -> Result<Value, Error> {
        let test = self.eval(&condition.test)?;
        if self.truthy(&test, condition.test.at)? {
            return self.eval(&condition.then);
        }
        match &condition.otherwise {
            Some(otherwise) => self.eval(otherwise),
            None => {
                let (line, _) = super::place_in(&self.unit.tree.text, at);
                Ok(Value::Object(Arc::new(Nothing { line })))
            }
        }
    }

    /// Applies filters one after another.
    pub(super) fn apply_filters(
        &mut self,
        mut value: Value,
        filters: &[Named],
    ) -> Result<Value, Error> {
        for filter in filters {
            value = self.apply_filter(value, filter)?;
        }
        Ok(value)
    }

    fn apply_filter(&mut self, value: Value, filter: &Named) -> Result<Value, Error> {
        // The two that every playbook uses, without the way round by the table.
        if let ("default" | "d", [fallback], true) =
            (&*filter.name, filter.arguments.positional.as_slice(), is_plain(&filter.arguments))
            && as_object::<Nothing>(&value).is_none()
        {
            return if value.is_undefined() { self.eval(fallback) } else { Ok(value) };
        }
        self.apply_named(value, filter, Kind::Filter)
    }

    fn apply_named(&mut self, value: Value, named: &Named, kind: Kind) -> Result<Value, Error> {
        let at = named.at;
        let name = short(&named.name);
        if named.arguments.positional.is_empty()
            && is_plain(&named.arguments)
            && let Some(result) = self.at_once(&value, name, kind)
        {
            return result.map_err(|error| self.fail(error, at));
        }
        let Some(function) = self.env.engine.find(kind, &named.name) else {
            return Err(self.fail(self.env.engine.no_such(kind, &named.name), at));
        };
        let lazy = match kind {
            Kind::Filter => LAZY_FILTERS.contains(&name),
            _ => LAZY_TESTS.contains(&name),
        };
        // What an `if` without `else` gives is an empty text to whoever does not ask.
        let nothing = !lazy && as_object::<Nothing>(&value).is_some();
        let value = if nothing { Value::from("") } else { value };
        let mut args = self.arguments(&named.arguments, Some(value), at)?;
        for (place, value) in args.positional.iter_mut().enumerate() {
            if lazy && place == 0 {
                continue;
            }
            *value = self.plain(value, at)?;
            let what = match value {
                Value::Undefined(what) => Some(Arc::clone(what)),
                Value::Map(_) | Value::List(_)
                    if place == 0 && TAKE_EVERY_MEMBER.contains(&name) =>
                {
                    match value {
                        // What stands deeper is not looked at.
                        Value::Map(map) if TAKE_MEMBERS.contains(&name) => {
                            map.values().find_map(|value| match value {
                                Value::Undefined(what) => Some(Arc::clone(what)),
                                _ => None,
                            })
                        }
                        value => undefined_inside(value),
                    }
                }
                _ => None,
            };
            // Who is given what is undefined answers with it, so that `default` can still come after.
            if let Some(what) = what {
                return Ok(Value::Undefined(what));
            }
        }
        if args.named.is_live()
            && let Value::Map(map) = self.plain(&args.named.clone().into(), at)?
        {
            args.named = (*map).clone();
        }
        if let Some(undefined) = args.named.values().find(|value| value.is_undefined()) {
            return Ok(undefined.clone());
        }
        let result = limits::deeper(|| function(&crate::Call { env: self.env, args }));
        match result {
            Ok(value) => access::touch(self.env, value).map_err(|error| self.fail(error, at)),
            Err(ValueError::Undefined(what)) => Ok(self.noted(Value::Undefined(what), at)),
            Err(error) => Err(self.fail(crate::env::plugin_failed(kind, &named.name, error), at)),
        }
    }

    /// What needs no more than a look at the value: no rendering of its members, no way round by the table.
    fn at_once(&self, value: &Value, name: &str, kind: Kind) -> Option<Result<Value, Error>> {
        let is_undefined = || value.is_undefined() || as_object::<Nothing>(value).is_some();
        let list = match value {
            Value::List(list) | Value::Tuple(list) => list.as_slice(),
            _ => &[],
        };
        match (kind, name) {
            (Kind::Test, "defined") => Some(Ok(Value::Bool(!is_undefined()))),
            (Kind::Test, "undefined") => Some(Ok(Value::Bool(is_undefined()))),
            (Kind::Filter, "first") => {
                list.first().map(|item| access::touch(self.env, item.clone()))
            }
            (Kind::Filter, "last") => list.last().map(|item| access::touch(self.env, item.clone())),
            (Kind::Filter, "length" | "count") if !list.is_empty() => {
                Some(Ok(Value::from(list.len())))
            }
            _ => None,
        }
    }

    /// The arguments of a call, evaluated; not yet rendered inside.
    pub(super) fn arguments(
        &mut self,
        arguments: &Arguments,
        first: Option<Value>,
        at: u32,
    ) -> Result<davit_value::Args, Error> {
        let mut out = davit_value::Args::default();
        out.positional.reserve(arguments.positional.len() + usize::from(first.is_some()));
        out.positional.extend(first);
        for argument in &arguments.positional {
            out.positional.push(self.eval(argument)?);
        }
        for (name, argument) in &arguments.named {
            out.named.insert(Arc::clone(name), self.eval(argument)?);
        }
        if let Some(star) = &arguments.star {
            let value = self.eval(star)?;
            out.positional.extend(access::iterate(&value).map_err(|error| self.fail(error, at))?);
        }
        if let Some(star) = &arguments.double_star {
            let value = self.eval(star)?;
            match &value {
                Value::Map(map) => out.named.extend(map),
                Value::Undefined(what) => return Err(self.fail(Error::undefined(what), at)),
                other => match other.clone().settle().map_err(|error| self.fail(error, at))? {
                    Value::Map(map) => out.named.extend(&map),
                    other => {
                        let message = format!(
                            "argument after ** must be a mapping, not {}",
                            other.type_name()
                        );
                        return Err(self.fail(ValueError::Type(message), at));
                    }
                },
            }
        }
        Ok(out)
    }
}

/// True for arguments by place only.
fn is_plain(arguments: &Arguments) -> bool {
    arguments.named.is_empty() && arguments.star.is_none() && arguments.double_star.is_none()
}

/// The first undefined member of a container.
pub(super) fn undefined_inside(value: &Value) -> Option<Arc<davit_value::Undefined>> {
    match value {
        Value::Undefined(what) => Some(Arc::clone(what)),
        Value::List(list) | Value::Tuple(list) => list.iter().find_map(undefined_inside),
        Value::Map(map) => map.values().find_map(undefined_inside),
        _ => None,
    }
}
