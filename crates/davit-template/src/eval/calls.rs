//! Calls: methods, macros, blocks, loops, global functions.

use std::sync::Arc;

use davit_value::{Args, Map, Str, Value, ValueError};

use super::{Eval, Frame};
use crate::ast::{Arguments, Expr, ExprKind, Macro};
use crate::globals::{self, Global};
use crate::methods::{self, Bound};
use crate::objects::{BlockReference, Loop, MacroObject, as_object};
use crate::{Error, access};

impl Eval<'_> {
    pub(super) fn call(
        &mut self,
        callee: &Expr,
        arguments: &Arguments,
        at: u32,
    ) -> Result<Value, Error> {
        if let ExprKind::Attribute(object, method) = &callee.kind
            && methods::changes_its_object(method)
            && let Some(result) = self.change_in_place(object, method, arguments, at)?
        {
            return Ok(result);
        }
        let callee = self.eval(callee)?;
        let mut args = self.arguments(arguments, None, at)?;
        if as_object::<Global>(&callee).is_some_and(Global::renders_constants) {
            self.render_constants(arguments, &mut args);
        }
        self.call_value(&callee, args, at)
    }

    /// Templates written as constants among the arguments of a lookup are templates.
    fn render_constants(&self, arguments: &Arguments, args: &mut Args) {
        let trusted = |expr: &Expr, value: &mut Value| {
            if let (ExprKind::Const(_), Value::Str(text)) = (&expr.kind, &*value) {
                *value = Value::Str(Str::trusted(text.shared(), self.unit.origin.clone()));
            }
        };
        for (expr, value) in arguments.positional.iter().zip(&mut args.positional) {
            trusted(expr, value);
        }
        for (name, expr) in &arguments.named {
            if let Some(mut value) = args.named.get(name).cloned() {
                trusted(expr, &mut value);
                args.named.insert(Arc::clone(name), value);
            }
        }
    }

    /// Calls `callee`. What is undefined stays undefined when called.
    pub(super) fn call_value(
        &mut self,
        callee: &Value,
        args: Args,
        at: u32,
    ) -> Result<Value, Error> {
        let Value::Object(object) = callee else {
            return match callee {
                Value::Undefined(_) => Ok(callee.clone()),
                other => {
                    let message = format!("'{}' object is not callable", other.type_name());
                    Err(self.fail(ValueError::Type(message), at))
                }
            };
        };
        if let Some(callee) = as_object::<MacroObject>(callee) {
            return self.call_macro(callee, args, at);
        }
        if let Some(block) = as_object::<BlockReference>(callee) {
            return self.call_block(&Arc::clone(&block.name), block.level, None, at);
        }
        if let Some(of) = as_object::<Loop>(callee) {
            let Some(statement) = of.recursive.clone() else {
                let message = "The loop must have the 'recursive' marker to be called recursively.";
                return Err(self.fail(ValueError::Type(message.into()), at));
            };
            let depth = of.depth + 1;
            let items = args.positional.first().cloned().unwrap_or_default();
            let items = access::iterate(&items).map_err(|error| self.fail(error, at))?;
            return crate::limits::deeper(|| {
                self.capture(|eval| eval.run_loop(&statement, items, depth).map(drop))
            });
        }
        if let Some(bound) = as_object::<Bound>(callee) {
            let args = match self.plain_args(args, at)? {
                Ok(args) => args,
                Err(undefined) => return Ok(undefined),
            };
            return self.call_method(&bound.value.clone(), &bound.name, &args, at);
        }
        if let Some(global) = as_object::<Global>(callee) {
            let args = match if global.takes_live() { Ok(args) } else { self.plain_args(args, at)? }
            {
                Ok(args) => args,
                Err(undefined) => return Ok(undefined),
            };
            return match globals::call(*global, self.env, args) {
                Ok(value) => Ok(value),
                // So that `default` can still come after.
                Err(error) => match error.what_is_undefined() {
                    Some(what) => Ok(self.noted(Value::Undefined(Arc::clone(what)), at)),
                    None => Err(self.fail(error, at)),
                },
            };
        }
        let args = match self.plain_args(args, at)? {
            Ok(args) => args,
            Err(undefined) => return Ok(undefined),
        };
        let value = object.call(args).map_err(|error| self.fail(error, at))?;
        access::touch(self.env, value).map_err(|error| self.fail(error, at))
    }

    fn call_method(
        &mut self,
        value: &Value,
        name: &str,
        args: &Args,
        at: u32,
    ) -> Result<Value, Error> {
        let env = self.env;
        let lookup = |value: &Value, name: &str, is_attribute: bool| {
            let key = match name.parse::<i128>() {
                Ok(index) if !is_attribute => Value::Int(index),
                _ => Value::from(name),
            };
            let found = if is_attribute {
                access::attribute(env, value, name)
            } else {
                access::item(env, value, &key)
            };
            found.and_then(|found| access::plain(env, &found)).map_err(ValueError::from)
        };
        let result = match name {
            // One item is asked for, not all that there would be.
            "get" if matches!(value, Value::Object(_)) => {
                let key = args.positional.first().or_else(|| args.named.get("key"));
                let found = access::item(env, value, key.unwrap_or(&Value::Null))
                    .map_err(|error| self.fail(error, at))?;
                let default = args.positional.get(1).or_else(|| args.named.get("default"));
                let alone = matches!(value, Value::Object(object) if object.missing(key.unwrap_or(&Value::Null)).is_some());
                Ok(match found {
                    Value::Undefined(_) if !alone => default.cloned().unwrap_or_default(),
                    found => found,
                })
            }
            // What these give of a container is rendered when it is touched.
            "format" | "format_map" | "get" | "keys" | "copy" => {
                methods::call(value, name, args, &lookup)
            }
            // These render every value of a dictionary, so one that is undefined shows.
            "items" | "values" => {
                let value = self.plain(value, at)?;
                if let Some(what) = value
                    .as_map()
                    .and_then(|map| map.values().find_map(super::expression::undefined_inside))
                {
                    return Ok(self.noted(Value::Undefined(what), at));
                }
                methods::call(&value, name, args, &lookup)
            }
            _ => {
                let value = self.plain(value, at)?;
                methods::call(&value, name, args, &lookup)
            }
        };
        match result {
            Ok(value) => access::touch(env, value).map_err(|error| self.fail(error, at)),
            Err(ValueError::Undefined(what)) => Ok(self.noted(Value::Undefined(what), at)),
            Err(error) => Err(self.fail(error, at)),
        }
    }

    /// Arguments with everything inside rendered; or the first that is undefined, which the call then answers with.
    pub(super) fn plain_args(&self, mut args: Args, at: u32) -> Result<Result<Args, Value>, Error> {
        for value in &mut args.positional {
            *value = self.plain(value, at)?;
        }
        if args.named.is_live() {
            let mut named = Map::new();
            for (name, value) in &args.named {
                named.insert(name.clone(), self.plain(value, at)?);
            }
            args.named = named;
        }
        let undefined = args
            .positional
            .iter()
            .chain(args.named.values())
            .find(|value| value.is_undefined())
            .cloned();
        Ok(undefined.map_or(Ok(args), Err))
    }

    fn call_macro(&mut self, callee: &MacroObject, args: Args, at: u32) -> Result<Value, Error> {
        let body = Arc::clone(&callee.body);
        let frame = self.macro_arguments(&body, args, at)?;
        let mut captured = callee.captured.clone();
        if self.bound_in(&captured, callee, &body.name) {
            captured.push((
                Arc::clone(&body.name),
                Value::Object(Arc::new(MacroObject {
                    body: Arc::clone(&body),
                    unit: callee.unit.clone(),
                    root: Arc::clone(&callee.root),
                    captured: callee.captured.clone(),
                })),
            ));
        }
        let frames = vec![captured, Vec::new()];
        self.elsewhere(callee.unit.clone(), Arc::clone(&callee.root), frames, |eval| {
            for (name, value, default) in frame {
                let value = match (value, default) {
                    (Some(value), _) => value,
                    (None, Some(place)) => match body.parameters.get(place) {
                        Some((_, Some(default))) => eval.eval(default)?,
                        _ => {
                            Value::undefined_because(format!("parameter '{name}' was not provided"))
                        }
                    },
                    (None, None) => Value::undefined_because("No caller defined"),
                };
                if let Some(frame) = eval.frames.last_mut() {
                    frame.push((name, value));
                }
            }
            eval.capture(|eval| eval.exec(&body.body).map(drop))
        })
    }

    /// True where a macro that was defined among local names does not see itself.
    fn bound_in(&self, captured: &Frame, callee: &MacroObject, name: &Arc<str>) -> bool {
        !captured.is_empty()
            && !captured.iter().any(|(it, _)| it == name)
            && !crate::objects::locked(&callee.root.names).contains_key(name)
    }

    /// What each name of a macro is bound to: a value, or the place of the parameter whose default is to be evaluated.
    #[expect(clippy::type_complexity, reason = "used once, right above")]
    fn macro_arguments(
        &self,
        body: &Macro,
        args: Args,
        at: u32,
    ) -> Result<Vec<(Arc<str>, Option<Value>, Option<usize>)>, Error> {
        let refuse = |message: String| self.fail(ValueError::Type(message), at);
        let mut named = args.named;
        let mut positional = args.positional.into_iter();
        let mut out = Vec::with_capacity(body.parameters.len() + 3);
        for (place, (name, _)) in body.parameters.iter().enumerate() {
            let value = match positional.next() {
                Some(value) => Some(value),
                None => named.remove(name),
            };
            out.push((Arc::clone(name), value, Some(place)));
        }
        let rest: Vec<Value> = positional.collect();
        if body.takes_caller {
            out.push(("caller".into(), named.remove("caller"), None));
        }
        if body.takes_kwargs {
            out.push(("kwargs".into(), Some(std::mem::take(&mut named).into()), None));
        } else if let Some(name) = named.keys().next() {
            let name = name.to_text();
            if name == "caller" {
                return Err(refuse(format!(
                    "macro '{}' was invoked with two values for the special caller argument. This is most likely a bug.",
                    body.name
                )));
            }
            return Err(refuse(format!(
                "macro '{}' takes no keyword argument '{name}'",
                body.name
            )));
        }
        if body.takes_varargs {
            out.push(("varargs".into(), Some(Value::tuple(rest)), None));
        } else if !rest.is_empty() {
            return Err(refuse(format!(
                "macro '{}' takes not more than {} argument(s)",
                body.name,
                body.parameters.len()
            )));
        }
        Ok(out)
    }

    /// Renders one version of a block. What it sees of local names is decided where it stands, not by the version: `around`
    /// where that is `scoped`, else what the block sees from which it is called, as with `super()`.
    pub(super) fn call_block(
        &mut self,
        name: &Arc<str>,
        level: usize,
        around: Option<Frame>,
        at: u32,
    ) -> Result<Value, Error> {
        let Some((unit, block)) =
            self.blocks.get(name).and_then(|versions| versions.get(level)).cloned()
        else {
            return Err(self.fail(
                Error::undefined(&Arc::new(davit_value::Undefined {
                    message: format!("there is no parent block called '{name}'."),
                    name: Some(name.to_string()),
                })),
                at,
            ));
        };
        let around = around.unwrap_or_else(|| self.around_block.clone());
        let frames =
            if around.is_empty() { vec![Vec::new()] } else { vec![around.clone(), Vec::new()] };
        let outer_around = std::mem::replace(&mut self.around_block, around);
        let outer = self.block.replace((Arc::clone(name), level));
        let root = Arc::clone(&self.root);
        let result = self.elsewhere(unit, root, frames, |eval| {
            eval.capture(|eval| eval.exec(&block.body).map(drop))
        });
        self.block = outer;
        self.around_block = outer_around;
        result
    }
}
