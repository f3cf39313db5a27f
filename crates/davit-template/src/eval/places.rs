//! Changing lists and dictionaries where they are: `name.member.append(...)`.
//!
//! Values are immutable and shared; Python's are not. So a call of a method that changes its object finds the place the object is bound at
//! and changes it there, and names that are made to stand for the same object (`set b = a`, items of a loop) share it where something changes it.

use davit_value::{Key, Value, ValueError};

use super::Eval;
use crate::ast::{Arguments, Expr, ExprKind};
use crate::methods;
use crate::objects::{Namespace, Shared, as_object, locked};
use crate::{Env, Error, access, ops};

/// A name and the members to follow from it.
struct Place {
    name: std::sync::Arc<str>,
    steps: Vec<Value>,
}

/// What the object at a place has to be for a change to be made.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    /// A list or a dictionary with this method.
    Method(&'a str),
    /// A list or a dictionary that is to be shared; where it is already, it stays as it is.
    Sharing,
    /// A list whose members are to be shared.
    Members,
}

/// What is done at a place.
type Change<'a> = &'a mut dyn FnMut(&mut Value) -> Result<Value, ValueError>;

impl Eval<'_> {
    /// Calls a method that changes its object, where the object is at a place; `None` where it is not or has no such method.
    pub(super) fn change_in_place(
        &mut self,
        object: &Expr,
        method: &str,
        arguments: &Arguments,
        at: u32,
    ) -> Result<Option<Value>, Error> {
        let Some(place) = self.place(object)? else { return Ok(None) };
        let args = self.arguments(arguments, None, at)?;
        let args = match self.plain_args(args, at)? {
            Ok(args) => args,
            Err(undefined) => return Ok(Some(undefined)),
        };
        let result = self.change(
            &place,
            &mut |value| methods::change(value, method, &args),
            Wanted::Method(method),
            at,
        )?;
        match result {
            Some(value) => {
                access::touch(self.env, value).map(Some).map_err(|error| self.fail(error, at))
            }
            None => Ok(None),
        }
    }

    /// The place an expression stands for, where it is a chain of members that starts at a name.
    fn place(&mut self, expr: &Expr) -> Result<Option<Place>, Error> {
        Ok(match &expr.kind {
            ExprKind::Name(name) => {
                Some(Place { name: std::sync::Arc::clone(name), steps: Vec::new() })
            }
            ExprKind::Attribute(inner, name) => match self.place(inner)? {
                Some(mut place) => {
                    place.steps.push(access::text(name));
                    Some(place)
                }
                None => None,
            },
            ExprKind::Item(inner, key) => match self.place(inner)? {
                Some(mut place) => {
                    place.steps.push(self.eval(key)?);
                    Some(place)
                }
                None => None,
            },
            ExprKind::Call(callee, arguments) => match &callee.kind {
                ExprKind::Attribute(inner, method) if matches!(&**method, "setdefault" | "get") => {
                    let Some(mut place) = self.place(inner)? else { return Ok(None) };
                    let Some(key) = arguments.positional.first() else { return Ok(None) };
                    let key = self.eval(key)?;
                    if &**method == "setdefault" {
                        self.change_in_place(inner, method, arguments, expr.at)?;
                    }
                    place.steps.push(key);
                    Some(place)
                }
                _ => None,
            },
            _ => None,
        })
    }

    /// Applies `change` at `place`; `None` where nothing changeable is there.
    fn change(
        &mut self,
        place: &Place,
        change: Change<'_>,
        wanted: Wanted<'_>,
        at: u32,
    ) -> Result<Option<Value>, Error> {
        let env = self.env;
        let local = self
            .frames
            .iter_mut()
            .rev()
            .find_map(|frame| frame.iter_mut().rev().find(|(name, _)| *name == place.name));
        let result = match local {
            Some((_, value)) => edit(env, value, &place.steps, change, wanted),
            None => {
                let mut names = locked(&self.root.names);
                if !names.contains_key(&place.name) {
                    let found =
                        if self.root.sees_scope { self.env.scope.get(&place.name) } else { None };
                    let Some(value) = found else { return Ok(None) };
                    names.insert(std::sync::Arc::clone(&place.name), value);
                }
                match names.get_mut(&place.name) {
                    Some(value) => edit(env, value, &place.steps, change, wanted),
                    None => Ok(None),
                }
            }
        };
        result.map_err(|error| self.fail(error, at))
    }

    /// The value of `expr`, shared with the place it is at where it is a list or a dictionary.
    pub(super) fn share(&mut self, expr: &Expr) -> Result<Option<Value>, Error> {
        let Some(place) = self.place(expr)? else { return Ok(None) };
        self.change(
            &place,
            &mut |value| {
                *value = Shared::wrap(value.clone());
                Ok(value.clone())
            },
            Wanted::Sharing,
            expr.at,
        )
    }

    /// Makes the members of the list or the dictionary at `expr` shared, so that a loop's variable stands for them.
    pub(super) fn share_members(&mut self, expr: &Expr) -> Result<(), Error> {
        let Some(place) = self.place(expr)? else { return Ok(()) };
        let share = |value: &mut Value| {
            if matches!(value, Value::List(_) | Value::Map(_)) {
                *value = Shared::wrap(value.clone());
            }
        };
        self.change(
            &place,
            &mut |value| {
                if let Value::List(list) = value {
                    let list = std::sync::Arc::make_mut(list);
                    for at in 0..list.len() {
                        list.modify(at, share);
                    }
                }
                Ok(Value::Null)
            },
            Wanted::Members,
            expr.at,
        )?;
        Ok(())
    }
}

/// Follows `steps` from `value` and applies `change` there.
fn edit(
    env: &Env<'_>,
    value: &mut Value,
    steps: &[Value],
    change: Change<'_>,
    wanted: Wanted<'_>,
) -> Result<Option<Value>, Error> {
    if matches!(value, Value::Str(text) if text.is_live()) {
        *value = access::touch(env, value.clone())?;
    }
    if let Some(shared) = as_object::<Shared>(value) {
        if steps.is_empty() && matches!(wanted, Wanted::Sharing) {
            return Ok(Some(value.clone()));
        }
        let Ok(mut inner) = shared.0.try_lock() else { return Ok(None) };
        return edit(env, &mut inner, steps, change, wanted);
    }
    let Some((step, rest)) = steps.split_first() else {
        let fits = match wanted {
            Wanted::Method(method) => {
                matches!(value, Value::List(_) | Value::Map(_)) && methods::has(value, method)
            }
            Wanted::Sharing => matches!(value, Value::List(_) | Value::Map(_)),
            Wanted::Members => matches!(value, Value::List(_)),
        };
        return if fits { Ok(Some(change(value)?)) } else { Ok(None) };
    };
    if let (Some(namespace), Value::Str(name)) = (as_object::<Namespace>(value), step) {
        let key = Key::from(&**name);
        let Ok(mut names) = namespace.0.try_lock() else { return Ok(None) };
        return names
            .modify(&key, |value| edit(env, value, rest, change, wanted))
            .unwrap_or(Ok(None));
    }
    match value {
        Value::List(list) => {
            let Some(at) = step.as_int().and_then(|index| ops::place(index, list.len())) else {
                return Ok(None);
            };
            std::sync::Arc::make_mut(list)
                .modify(at, |value| edit(env, value, rest, change, wanted))
                .unwrap_or(Ok(None))
        }
        Value::Map(map) => {
            let Some(key) = Key::from_value(step) else { return Ok(None) };
            std::sync::Arc::make_mut(map)
                .modify(&key, |value| edit(env, value, rest, change, wanted))
                .unwrap_or(Ok(None))
        }
        _ => Ok(None),
    }
}
