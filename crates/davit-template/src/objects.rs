//! Values with behaviour that templates make: ranges, namespaces, `loop`, macros, modules.
//!
//! What needs an evaluator to be called (macros, blocks, recursive loops, global functions) only says here what it is; the evaluator does it.

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use davit_value::{Args, Map, Object, Value, ValueError};

use crate::ast::{For, Macro};
use crate::eval::Unit;
use crate::methods::Bound;
use crate::ops;

/// Locks; a panic elsewhere does not matter to plain data.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The object of type `T` behind `value`.
pub(crate) fn as_object<T: 'static>(value: &Value) -> Option<&T> {
    match value {
        Value::Object(object) => object.as_any().downcast_ref(),
        _ => None,
    }
}

/// Python's `range`.
#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) start: i128,
    pub(crate) stop: i128,
    pub(crate) step: i128,
}

impl Range {
    pub(crate) fn length(&self) -> usize {
        let span = if self.step > 0 {
            self.stop.saturating_sub(self.start)
        } else {
            self.start.saturating_sub(self.stop)
        };
        if span <= 0 {
            return 0;
        }
        let step = self.step.unsigned_abs();
        usize::try_from(span.unsigned_abs().div_ceil(step)).unwrap_or(usize::MAX)
    }

    fn at(&self, place: usize) -> Value {
        Value::Int(self.start + self.step * i128::try_from(place).unwrap_or(0))
    }
}

impl Object for Range {
    fn type_name(&self) -> &'static str {
        "range"
    }

    fn get_attr(&self, name: &str) -> Result<Option<Value>, ValueError> {
        Ok(match name {
            "start" => Some(Value::Int(self.start)),
            "stop" => Some(Value::Int(self.stop)),
            "step" => Some(Value::Int(self.step)),
            _ => None,
        })
    }

    fn get_item(&self, key: &Value) -> Result<Option<Value>, ValueError> {
        Ok(key
            .as_int()
            .and_then(|index| ops::place(index, self.length()))
            .map(|place| self.at(place)))
    }

    fn items(&self) -> Result<Option<Vec<Value>>, ValueError> {
        Ok(Some((0..self.length()).map(|place| self.at(place)).collect()))
    }

    fn repr(&self) -> String {
        match self.step {
            1 => format!("range({}, {})", self.start, self.stop),
            step => format!("range({}, {}, {step})", self.start, self.stop),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What `'a' if false` gives: not an error until it is stored.
#[derive(Debug)]
pub(crate) struct Nothing {
    pub(crate) line: u32,
}

impl Nothing {
    pub(crate) fn message(&self) -> String {
        format!(
            "the inline if-expression on line {} evaluated to false and no else section was defined.",
            self.line
        )
    }
}

impl Object for Nothing {
    fn type_name(&self) -> &'static str {
        "Undefined"
    }

    fn items(&self) -> Result<Option<Vec<Value>>, ValueError> {
        Ok(Some(Vec::new()))
    }

    fn repr(&self) -> String {
        "Undefined".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `namespace(...)`: an object whose attributes can be set.
#[derive(Debug, Default)]
pub(crate) struct Namespace(pub(crate) Mutex<Map>);

impl Object for Namespace {
    fn type_name(&self) -> &'static str {
        "Namespace"
    }

    fn get_attr(&self, name: &str) -> Result<Option<Value>, ValueError> {
        Ok(locked(&self.0).get(name).cloned())
    }

    fn repr(&self) -> String {
        // It may be a member of itself, and prints only once then.
        match self.0.try_lock() {
            Ok(names) => format!("<Namespace {}>", Value::from(names.clone()).repr()),
            Err(_) => "<Namespace ...>".into(),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A list or a dictionary that several names stand for, so that a change through one shows through all.
#[derive(Debug)]
pub(crate) struct Shared(pub(crate) Mutex<Value>);

impl Shared {
    pub(crate) fn wrap(value: Value) -> Value {
        Value::Object(Arc::new(Self(Mutex::new(value))))
    }
}

impl Object for Shared {
    fn type_name(&self) -> &'static str {
        self.0.try_lock().map_or("list", |value| value.type_name())
    }

    fn is_live(&self) -> bool {
        true
    }

    fn repr(&self) -> String {
        // Its own repr must not be reached through itself.
        match self.0.try_lock() {
            Ok(value) => value.repr(),
            Err(_) => "...".into(),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `loop`, for one run of a `for` statement.
#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) items: Arc<Vec<Value>>,
    pub(crate) place: AtomicUsize,
    pub(crate) depth: usize,
    /// The statement, where it may be called again.
    pub(crate) recursive: Option<Arc<For>>,
    pub(crate) last: Mutex<Option<Vec<Value>>>,
}

impl Loop {
    fn index(&self) -> usize {
        self.place.load(Ordering::Relaxed)
    }
}

impl Object for Loop {
    fn type_name(&self) -> &'static str {
        "LoopContext"
    }

    fn get_attr(&self, name: &str) -> Result<Option<Value>, ValueError> {
        let (index, length) = (self.index(), self.items.len());
        let neighbour = |place: Option<usize>, which: &str| {
            place
                .and_then(|place| self.items.get(place).cloned())
                .unwrap_or_else(|| Value::undefined_because(format!("there is no {which} item")))
        };
        Ok(Some(match name {
            "index" => Value::from(index + 1),
            "index0" => Value::from(index),
            "revindex" => Value::from(length.saturating_sub(index)),
            "revindex0" => Value::from(length.saturating_sub(index + 1)),
            "first" => Value::Bool(index == 0),
            "last" => Value::Bool(index + 1 >= length),
            "length" => Value::from(length),
            "depth" => Value::from(self.depth + 1),
            "depth0" => Value::from(self.depth),
            "previtem" => neighbour(index.checked_sub(1), "previous"),
            "nextitem" => neighbour(Some(index + 1), "next"),
            _ => return Ok(None),
        }))
    }

    fn repr(&self) -> String {
        format!("<LoopContext {}/{}>", self.index() + 1, self.items.len())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `loop.cycle` and `loop.changed`.
#[derive(Debug)]
pub(crate) struct LoopMethod {
    pub(crate) of: Arc<dyn Object>,
    pub(crate) changed: bool,
}

impl Object for LoopMethod {
    fn type_name(&self) -> &'static str {
        "method"
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn call(&self, args: Args) -> Result<Value, ValueError> {
        let Some(of) = self.of.as_any().downcast_ref::<Loop>() else { return Ok(Value::Null) };
        if self.changed {
            let mut last = locked(&of.last);
            let changed = last.as_ref() != Some(&args.positional);
            *last = Some(args.positional);
            return Ok(Value::Bool(changed));
        }
        if args.positional.is_empty() {
            return Err(ValueError::Type("no items for cycling given".into()));
        }
        Ok(args.positional[of.index() % args.positional.len()].clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Names that a template has set at its top level; macros defined there see later changes too.
#[derive(Debug, Default)]
pub(crate) struct Root {
    pub(crate) names: Mutex<HashMap<Arc<str>, Value>>,
    /// Names from the scope are visible.
    pub(crate) sees_scope: bool,
}

/// A macro with what it sees.
#[derive(Debug)]
pub(crate) struct MacroObject {
    pub(crate) body: Arc<Macro>,
    pub(crate) unit: Unit,
    pub(crate) root: Arc<Root>,
    /// The local names around the definition.
    pub(crate) captured: Vec<(Arc<str>, Value)>,
}

impl Object for MacroObject {
    fn type_name(&self) -> &'static str {
        "Macro"
    }

    fn get_attr(&self, name: &str) -> Result<Option<Value>, ValueError> {
        let body = &self.body;
        Ok(match name {
            "name" => Some(Value::from(&*body.name)),
            "arguments" => Some(Value::tuple(
                body.parameters.iter().map(|(name, _)| Value::from(&**name)).collect(),
            )),
            "catch_kwargs" => Some(Value::Bool(body.takes_kwargs)),
            "catch_varargs" => Some(Value::Bool(body.takes_varargs)),
            "caller" => Some(Value::Bool(body.takes_caller)),
            _ => None,
        })
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn repr(&self) -> String {
        format!("<Macro {}>", Value::from(&*self.body.name).repr())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A block of a template, to be called: `super()`, `self.name()`.
#[derive(Debug)]
pub(crate) struct BlockReference {
    pub(crate) name: Arc<str>,
    pub(crate) level: usize,
}

impl Object for BlockReference {
    fn type_name(&self) -> &'static str {
        "BlockReference"
    }

    fn get_attr(&self, name: &str) -> Result<Option<Value>, ValueError> {
        Ok((name == "super").then(|| {
            Value::Object(Arc::new(Self { name: Arc::clone(&self.name), level: self.level + 1 }))
        }))
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `self`.
#[derive(Debug)]
pub(crate) struct SelfReference {
    pub(crate) blocks: Vec<Arc<str>>,
}

impl Object for SelfReference {
    fn type_name(&self) -> &'static str {
        "TemplateReference"
    }

    fn get_attr(&self, name: &str) -> Result<Option<Value>, ValueError> {
        let found = self.blocks.iter().find(|block| &***block == name);
        Ok(found.map(|name| {
            Value::Object(Arc::new(BlockReference { name: Arc::clone(name), level: 0 }))
        }))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// An imported template: what it sets at its top level, and its output.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) names: HashMap<Arc<str>, Value>,
    pub(crate) output: String,
}

impl Object for Module {
    fn type_name(&self) -> &'static str {
        "TemplateModule"
    }

    fn get_attr(&self, name: &str) -> Result<Option<Value>, ValueError> {
        Ok(self.names.get(name).cloned())
    }

    fn repr(&self) -> String {
        self.output.clone()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `cycler(...)`.
#[derive(Debug)]
pub(crate) struct Cycler {
    pub(crate) items: Vec<Value>,
    pub(crate) place: Arc<AtomicUsize>,
}

/// `cycler.next` and `cycler.reset`.
#[derive(Debug)]
struct CyclerMethod {
    items: Vec<Value>,
    place: Arc<AtomicUsize>,
    resets: bool,
}

impl Object for Cycler {
    fn type_name(&self) -> &'static str {
        "Cycler"
    }

    fn get_attr(&self, name: &str) -> Result<Option<Value>, ValueError> {
        Ok(match name {
            "current" => self
                .items
                .get(self.place.load(Ordering::Relaxed) % self.items.len().max(1))
                .cloned(),
            "next" | "reset" => Some(Value::Object(Arc::new(CyclerMethod {
                items: self.items.clone(),
                place: Arc::clone(&self.place),
                resets: name == "reset",
            }))),
            _ => None,
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Object for CyclerMethod {
    fn type_name(&self) -> &'static str {
        "method"
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn call(&self, _args: Args) -> Result<Value, ValueError> {
        if self.resets {
            self.place.store(0, Ordering::Relaxed);
            return Ok(Value::Null);
        }
        let place = self.place.fetch_add(1, Ordering::Relaxed);
        Ok(self.items.get(place % self.items.len().max(1)).cloned().unwrap_or_default())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `joiner(...)`.
#[derive(Debug)]
pub(crate) struct Joiner {
    pub(crate) separator: Value,
    pub(crate) used: AtomicUsize,
}

impl Object for Joiner {
    fn type_name(&self) -> &'static str {
        "Joiner"
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn call(&self, _args: Args) -> Result<Value, ValueError> {
        let first = self.used.fetch_add(1, Ordering::Relaxed) == 0;
        Ok(if first { Value::from("") } else { self.separator.clone() })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// True for objects that exist only while a template runs and cannot be its result.
pub(crate) fn is_transient(object: &dyn Object) -> bool {
    let any = object.as_any();
    any.is::<Range>()
        || any.is::<Nothing>()
        || any.is::<Namespace>()
        || any.is::<Loop>()
        || any.is::<LoopMethod>()
        || any.is::<BlockReference>()
        || any.is::<SelfReference>()
        || any.is::<Module>()
        || any.is::<MacroObject>()
        || any.is::<Cycler>()
        || any.is::<CyclerMethod>()
        || any.is::<Joiner>()
        || any.is::<Bound>()
        || any.is::<crate::delta::Delta>()
        || any.is::<crate::globals::Global>()
}
