//! Arguments of filters, tests and lookups: bound to names as Python binds them, read by type.
//!
//! Knows nothing about any particular filter. The error texts are those of CPython's calls.

use std::collections::BTreeMap;

use davit_value::{Args, Map, Str, Value, ValueError};

use crate::Env;

/// A filter, a test or a lookup.
pub type Function = fn(&Call<'_>) -> Result<Value, ValueError>;

/// One call of a filter, a test or a lookup. The input is the first positional argument.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// Where it is called.
    pub env: &'a Env<'a>,
    /// With what.
    pub args: Args,
}

/// What Python calls the function, and which parameters it has.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// The name in error messages.
    pub name: &'static str,
    /// Parameters in order, the filter's input first.
    pub params: &'static [&'static str],
    /// How many of them have no default.
    pub required: usize,
    /// Parameters in front that a template cannot see (the environment); they count in messages.
    pub hidden: usize,
}

/// Bound arguments, by parameter.
#[derive(Clone, Debug)]
pub struct Bound {
    values: Vec<Option<Value>>,
}

/// The text of Python's list of names: `'a'`, `'a' and 'b'`, `'a', 'b', and 'c'`.
fn name_list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [rest @ .., last] => format!("{}, and {last}", rest.join(", ")),
    }
}

impl Signature {
    fn bind(&self, positional: &[Value], named: &Map) -> Result<Bound, ValueError> {
        let name = self.name;
        let mut values: Vec<Option<Value>> = vec![None; self.params.len()];
        for (slot, value) in values.iter_mut().zip(positional) {
            *slot = Some(value.clone());
        }
        for (key, value) in named {
            let key = key.to_text();
            let Some(at) = self.params.iter().position(|param| *param == key) else {
                return Err(ValueError::Type(format!(
                    "{name}() got an unexpected keyword argument '{key}'"
                )));
            };
            if values[at].is_some() {
                return Err(ValueError::Type(format!(
                    "{name}() got multiple values for argument '{key}'"
                )));
            }
            values[at] = Some(value.clone());
        }
        if positional.len() > self.params.len() {
            return Err(self.too_many(positional.len()));
        }
        let missing: Vec<&str> = self
            .params
            .iter()
            .zip(&values)
            .take(self.required)
            .filter(|(_, value)| value.is_none())
            .map(|(param, _)| *param)
            .collect();
        if !missing.is_empty() {
            let count = missing.len();
            let plural = if count == 1 { "" } else { "s" };
            return Err(ValueError::Type(format!(
                "{name}() missing {count} required positional argument{plural}: {}",
                name_list(&missing)
            )));
        }
        Ok(Bound { values })
    }

    fn too_many(&self, given: usize) -> ValueError {
        let name = self.name;
        let most = self.params.len() + self.hidden;
        let least = self.required + self.hidden;
        let given = given + self.hidden;
        let verb = if given == 1 { "was" } else { "were" };
        ValueError::Type(if least == most {
            let plural = if most == 1 { "" } else { "s" };
            format!("{name}() takes {most} positional argument{plural} but {given} {verb} given")
        } else {
            format!(
                "{name}() takes from {least} to {most} positional arguments but {given} {verb} given"
            )
        })
    }
}

impl Call<'_> {
    /// Binds the arguments to `params`, the first `required` of which must be there; everything
    /// inside them is rendered, and an undefined one is an error.
    ///
    /// # Errors
    /// Python's `TypeError` for missing, doubled and unexpected arguments.
    pub fn bind(
        &self,
        name: &'static str,
        params: &'static [&'static str],
        required: usize,
    ) -> Result<Bound, ValueError> {
        self.bind_as(Signature { name, params, required, hidden: 0 }, true)
    }

    /// As [`bind`](Self::bind) for a function that also takes the environment.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_env(
        &self,
        name: &'static str,
        params: &'static [&'static str],
        required: usize,
    ) -> Result<Bound, ValueError> {
        self.bind_as(Signature { name, params, required, hidden: 1 }, true)
    }

    /// As [`bind`](Self::bind), but what lists and dictionaries hold is left as it is.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_lazy(
        &self,
        name: &'static str,
        params: &'static [&'static str],
        required: usize,
    ) -> Result<Bound, ValueError> {
        self.bind_as(Signature { name, params, required, hidden: 0 }, false)
    }

    /// Binds by a whole signature.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_as(&self, signature: Signature, deep: bool) -> Result<Bound, ValueError> {
        let mut bound = signature.bind(&self.args.positional, &self.args.named)?;
        for value in bound.values.iter_mut().flatten() {
            *value = if deep { self.deep(value)? } else { self.shallow(value)? };
        }
        Ok(bound)
    }

    /// Binds and leaves undefined values be: for `default`, `mandatory` and tests.
    ///
    /// # Errors
    /// As [`bind`](Self::bind), without the complaint about undefined values.
    pub fn bind_any(
        &self,
        name: &'static str,
        params: &'static [&'static str],
        required: usize,
    ) -> Result<Bound, ValueError> {
        let signature = Signature { name, params, required, hidden: 0 };
        let mut bound = signature.bind(&self.args.positional, &self.args.named)?;
        for value in bound.values.iter_mut().flatten() {
            if value.as_text().is_some_and(Str::is_live) {
                *value = self.env.resolve(value)?;
            }
        }
        Ok(bound)
    }

    /// The value itself rendered, its members left.
    ///
    /// # Errors
    /// For an undefined value, and where it cannot be rendered.
    pub fn shallow(&self, value: &Value) -> Result<Value, ValueError> {
        let value = match value {
            Value::Str(text) if text.is_live() => self.env.resolve(value)?,
            other => other.clone(),
        };
        match &value {
            Value::Undefined(what) => Err(ValueError::Undefined(what.clone())),
            _ => Ok(value),
        }
    }

    /// The value with everything inside it rendered.
    ///
    /// # Errors
    /// As [`shallow`](Self::shallow).
    pub fn deep(&self, value: &Value) -> Result<Value, ValueError> {
        match value {
            Value::Undefined(what) => Err(ValueError::Undefined(what.clone())),
            value if value.is_live() => {
                let value = self.env.resolve(value)?;
                match &value {
                    Value::Undefined(what) => Err(ValueError::Undefined(what.clone())),
                    _ => Ok(value),
                }
            }
            value => Ok(value.clone()),
        }
    }

    /// The items of anything that Python can iterate, each rendered itself.
    ///
    /// # Errors
    /// `'int' object is not iterable`, and where an item cannot be rendered.
    pub fn items(&self, value: &Value) -> Result<Vec<Value>, ValueError> {
        let items = items_of(value)?;
        if !value.is_live() {
            return Ok(items);
        }
        items
            .iter()
            .map(|item| match item {
                Value::Str(text) if text.is_live() => Ok(self.env.resolve(item)?),
                other => Ok(other.clone()),
            })
            .collect()
    }

    /// The items of a value, undefined meaning none, as Jinja2's own sequences take it.
    ///
    /// # Errors
    /// As [`items`](Self::items).
    pub fn input(&self) -> Result<Value, ValueError> {
        match self.args.positional.first() {
            Some(value) => self.shallow(value),
            None => Err(ValueError::Type("missing 1 required positional argument".into())),
        }
    }

    /// Named arguments by their text, for functions that take any.
    #[must_use]
    pub fn named(&self) -> BTreeMap<String, Value> {
        self.args.named.iter().map(|(key, value)| (key.to_text(), value.clone())).collect()
    }
}

/// The items of anything that Python can iterate: characters, items, keys.
///
/// # Errors
/// `'int' object is not iterable`, and for undefined values.
pub(crate) fn items_of(value: &Value) -> Result<Vec<Value>, ValueError> {
    match value {
        Value::List(list) | Value::Tuple(list) => Ok(list.to_vec()),
        Value::Str(text) => Ok(text.chars().map(|char| Value::from(char.to_string())).collect()),
        Value::Map(map) => Ok(map.keys().map(davit_value::Key::to_value).collect()),
        Value::Undefined(what) => Err(ValueError::Undefined(what.clone())),
        Value::Object(object) => {
            if let Some(items) = object.items()? {
                return Ok(items);
            }
            match object.keys() {
                Some(keys) => Ok(keys.iter().map(davit_value::Key::to_value).collect()),
                None => Err(not_iterable(value)),
            }
        }
        other => Err(not_iterable(other)),
    }
}

fn not_iterable(value: &Value) -> ValueError {
    ValueError::Type(format!("'{}' object is not iterable", value.type_name()))
}

/// Python's `int(...)` of an argument that must be one already.
///
/// # Errors
/// `'str' object cannot be interpreted as an integer`.
pub(crate) fn index_of(value: &Value) -> Result<i128, ValueError> {
    match value {
        Value::Int(int) => Ok(*int),
        Value::Bool(bool) => Ok(i128::from(*bool)),
        other => Err(ValueError::Type(format!(
            "'{}' object cannot be interpreted as an integer",
            other.type_name()
        ))),
    }
}

/// Python's `AttributeError`.
#[must_use]
pub(crate) fn no_attribute(value: &Value, name: &str) -> ValueError {
    ValueError::Type(format!("'{}' object has no attribute '{name}'", value.type_name()))
}

impl Bound {
    /// The argument at `at`, `None` where it was not given.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&Value> {
        self.values.get(at)?.as_ref()
    }

    /// The argument at `at`; Python's `None` where it was not given.
    #[must_use]
    pub fn value(&self, at: usize) -> Value {
        self.get(at).cloned().unwrap_or_default()
    }

    /// The argument where it was given and is not `None`.
    #[must_use]
    pub fn some(&self, at: usize) -> Option<&Value> {
        self.get(at).filter(|value| !value.is_null())
    }

    /// The argument as text, by Python's `str`.
    #[must_use]
    pub fn text(&self, at: usize) -> String {
        self.get(at).map(Value::to_str).unwrap_or_default()
    }

    /// The argument as text, or `default`.
    #[must_use]
    pub fn text_or(&self, at: usize, default: &str) -> String {
        self.get(at).map_or_else(|| default.to_owned(), Value::to_str)
    }

    /// An integer, or `default`.
    ///
    /// # Errors
    /// `TypeError` for what is no integer.
    pub fn int(&self, at: usize, default: i128) -> Result<i128, ValueError> {
        self.get(at).map_or(Ok(default), index_of)
    }

    /// Python's truth of the argument, or `default`.
    ///
    /// # Errors
    /// For an undefined value.
    pub fn truth(&self, at: usize, default: bool) -> Result<bool, ValueError> {
        self.get(at).map_or(Ok(default), Value::truthy)
    }
}

#[cfg(test)]
mod tests {
    use super::{Signature, name_list};
    use davit_value::{Map, Value};

    const CENTER: Signature =
        Signature { name: "do_center", params: &["value", "width"], required: 1, hidden: 0 };
    const REPLACE: Signature = Signature {
        name: "do_replace",
        params: &["s", "old", "new", "count"],
        required: 3,
        hidden: 1,
    };

    #[test]
    fn errors_read_as_pythons() {
        let check = |signature: &Signature, count: usize, named: &[&str], expect: &str| {
            let positional = vec![Value::Int(1); count];
            let named: Map = named.iter().map(|name| (*name, Value::Null)).collect();
            assert_eq!(signature.bind(&positional, &named).unwrap_err().to_string(), expect);
        };
        check(
            &CENTER,
            3,
            &[],
            "do_center() takes from 1 to 2 positional arguments but 3 were given",
        );
        check(&CENTER, 2, &["width"], "do_center() got multiple values for argument 'width'");
        check(&CENTER, 1, &["x"], "do_center() got an unexpected keyword argument 'x'");
        check(
            &REPLACE,
            1,
            &[],
            "do_replace() missing 2 required positional arguments: 'old' and 'new'",
        );
        check(
            &REPLACE,
            6,
            &[],
            "do_replace() takes from 4 to 5 positional arguments but 7 were given",
        );
        assert_eq!(name_list(&["a", "b", "c"]), "'a', 'b', and 'c'");
    }
}
