//! Evaluation of parsed templates.
//!
//! Values are rendered when they are touched: an attribute, an item or a name that turns out to be a template gives what it renders to, and
//! containers stay as they are until somebody needs all of them. No value of an expression is ever a live string.

mod calls;
mod expression;
mod places;
mod statement;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use davit_value::{Args, Origin, Undefined, Value, ValueError};

use crate::ast::{Block, Node, Tree};
use crate::objects::{Root, locked};
use crate::{Env, Error, access};

/// A template and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    pub(crate) tree: Arc<Tree>,
    pub(crate) origin: Option<Origin>,
    /// The file that the whole template is.
    pub(crate) file: Option<Arc<str>>,
    /// The folder of that file.
    pub(crate) folder: Option<Arc<PathBuf>>,
    /// Its constant strings may hold templates: so it is in conditionals.
    pub(crate) renders_constants: bool,
}

impl Unit {
    /// A template without a place.
    pub(crate) fn bare(tree: Arc<Tree>) -> Self {
        Self { tree, origin: None, file: None, folder: None, renders_constants: false }
    }

    /// `error` with the place `at`, in bytes of the text, where it has none yet.
    pub(crate) fn placed(&self, error: Error, at: u32) -> Error {
        if error.is_placed() {
            return error;
        }
        let error = if self.tree.is_expression { error.in_expression(false) } else { error };
        let place = place_in(&self.tree.text, at);
        let text = &self.tree.text;
        let expression =
            text.lines().nth(place.0.saturating_sub(1) as usize).unwrap_or_default().trim();
        let (file, line, column) = match (&self.file, &self.origin) {
            (Some(file), _) => (Some(file), place.0, Some(place.1)),
            (None, Some(origin)) => {
                // A text of several lines is a block scalar, whose first line follows the one with its `|`.
                let block = text.contains('\n') || self.tree.newlines > 0;
                let line = origin.line.saturating_add(place.0) - u32::from(!block);
                let column = (!block).then(|| origin.column.saturating_add(place.1) - 1);
                (Some(&origin.file), line, column)
            }
            (None, None) => (None, place.0, Some(place.1)),
        };
        error.at(file, line, column, expression)
    }
}

/// The line and the column, from 1, of a byte of `text`.
pub(crate) fn place_in(text: &str, at: u32) -> (u32, u32) {
    let mut at = (at as usize).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before[before.rfind('\n').map_or(0, |at| at + 1)..].chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

/// Local names of one loop, `with` or macro.
type Frame = Vec<(Arc<str>, Value)>;

/// The versions of every block by name, the youngest template's first.
type Blocks = HashMap<Arc<str>, Vec<(Unit, Arc<Block>)>>;

/// Where a statement leaves its loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

/// One evaluation.
pub(crate) struct Eval<'e> {
    env: &'e Env<'e>,
    unit: Unit,
    root: Arc<Root>,
    frames: Vec<Frame>,
    blocks: Blocks,
    /// The block that is being rendered, and which version of it.
    block: Option<(Arc<str>, usize)>,
    /// The local names that this block sees from around it: those where it, or one outside it, is `scoped`.
    around_block: Frame,
    /// The template that this one extends.
    parent: Option<Unit>,
    out: Vec<Value>,
    /// The last undefined value that came up, and where.
    noted: RefCell<Option<(Arc<Undefined>, u32)>>,
    /// Where an undefined value was printed first.
    undefined_at: Option<(Unit, u32)>,
}

impl<'e> Eval<'e> {
    pub(crate) fn new(env: &'e Env<'e>, unit: Unit) -> Self {
        Self {
            env,
            unit,
            root: Arc::new(Root { sees_scope: true, ..Root::default() }),
            frames: Vec::new(),
            blocks: Blocks::new(),
            block: None,
            around_block: Frame::new(),
            parent: None,
            out: Vec::new(),
            noted: RefCell::new(None),
            undefined_at: None,
        }
    }

    /// The native value of the template. It may be undefined and may be a live container; it is never a live string.
    pub(crate) fn run(&mut self) -> Result<Value, Error> {
        let tree = Arc::clone(&self.unit.tree);
        if let [Node::Print(expr)] = tree.body.as_slice() {
            let value = self.eval(expr)?;
            return Ok(with_newline(value, &tree));
        }
        if tree.text.is_empty() {
            return Ok(with_newline(Value::from(""), &tree));
        }
        let value = self.run_root()?;
        Ok(with_newline(value, &tree))
    }

    /// [`run`](Self::run), with an undefined result as the error it is.
    pub(crate) fn run_defined(&mut self) -> Result<Value, Error> {
        let value = self.run()?;
        let at = match self.unit.tree.body.as_slice() {
            [Node::Print(expr)] => expr.at,
            _ => 0,
        };
        let at = match &value {
            Value::Undefined(what) => self.noted_at(what, at),
            _ => at,
        };
        let (unit, at) = self.undefined_at.clone().unwrap_or_else(|| (self.unit.clone(), at));
        access::finish(self.env, value)
            .map_err(|error| unit.placed(self.env.with_nearest(error), at))
    }

    /// The whole template with what it extends.
    fn run_root(&mut self) -> Result<Value, Error> {
        loop {
            let tree = Arc::clone(&self.unit.tree);
            for block in &tree.blocks {
                self.blocks
                    .entry(Arc::clone(&block.name))
                    .or_default()
                    .push((self.unit.clone(), Arc::clone(block)));
            }
            self.exec(&tree.body)?;
            let Some(parent) = self.parent.take() else { break };
            self.out.clear();
            self.unit = parent;
        }
        let out = std::mem::take(&mut self.out);
        Ok(concat(out))
    }

    /// What `body` prints, as its native value.
    fn capture(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<Value, Error> {
        let outer = std::mem::take(&mut self.out);
        let result = run(self);
        let inner = std::mem::replace(&mut self.out, outer);
        result?;
        Ok(concat(inner))
    }

    /// Runs `work` as another template: other names, other blocks.
    fn elsewhere<T>(
        &mut self,
        unit: Unit,
        root: Arc<Root>,
        frames: Vec<Frame>,
        work: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let unit = std::mem::replace(&mut self.unit, unit);
        let root = std::mem::replace(&mut self.root, root);
        let frames = std::mem::replace(&mut self.frames, frames);
        let result = crate::limits::deeper(|| work(self));
        self.unit = unit;
        self.root = root;
        self.frames = frames;
        result
    }

    /// Runs `work` with blocks of its own.
    fn with_own_blocks<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let blocks = std::mem::take(&mut self.blocks);
        let block = self.block.take();
        let parent = self.parent.take();
        let result = work(self);
        self.blocks = blocks;
        self.block = block;
        self.parent = parent;
        result
    }

    fn fail(&self, error: impl Into<Error>, at: u32) -> Error {
        let error = error.into();
        let at = error.what_is_undefined().map_or(at, |what| self.noted_at(what, at));
        self.unit.placed(self.env.with_nearest(error), at)
    }

    /// Where `what` came up, or else `at`.
    fn noted_at(&self, what: &Arc<Undefined>, at: u32) -> u32 {
        match &*self.noted.borrow() {
            Some((it, noted)) if Arc::ptr_eq(it, what) => *noted,
            _ => at,
        }
    }

    /// The local names that are visible here, outer ones first.
    fn locals(&self) -> Frame {
        self.frames.iter().flatten().cloned().collect()
    }

    /// The value that a local or top-level name is bound to, as it stands there.
    fn bound(&self, name: &str) -> Option<Value> {
        for frame in self.frames.iter().rev() {
            if let Some((_, value)) = frame.iter().rev().find(|(it, _)| &**it == name) {
                return Some(value.clone());
            }
        }
        locked(&self.root.names).get(name).cloned()
    }

    fn bind(&mut self, name: &Arc<str>, value: Value) {
        match self.frames.last_mut() {
            Some(frame) => match frame.iter_mut().find(|(it, _)| it == name) {
                Some((_, slot)) => *slot = value,
                None => frame.push((Arc::clone(name), value)),
            },
            None => {
                locked(&self.root.names).insert(Arc::clone(name), value);
            }
        }
    }

    /// Calls a callable value from outside a template.
    pub(crate) fn call_from_outside(
        &mut self,
        callee: &Value,
        args: Args,
    ) -> Result<Value, ValueError> {
        self.call_value(callee, args, 0).map_err(ValueError::from)
    }
}

/// A text ends with as many newlines as its template does: those that are missing are put back.
fn with_newline(value: Value, tree: &Tree) -> Value {
    match value {
        Value::Str(text) if tree.newlines > 0 => {
            let there = text.len() - text.trim_end_matches('\n').len();
            match tree.newlines.checked_sub(there) {
                None | Some(0) => Value::Str(text),
                Some(missing) => {
                    Value::from(format!("{text}{}", tree.syntax.newline.repeat(missing)))
                }
            }
        }
        value => value,
    }
}

/// Joins output as 2.19 does: nothing for `None`; one value stays what it is; several become text.
fn concat(out: Vec<Value>) -> Value {
    if let Some(undefined) = out.iter().find(|value| value.is_undefined()) {
        return undefined.clone();
    }
    let mut values = out.into_iter().filter(|value| !value.is_null());
    let Some(first) = values.next() else { return Value::Null };
    let Some(second) = values.next() else { return first };
    let mut text = String::new();
    for value in [first, second].into_iter().chain(values) {
        access::write_text(&value, &mut text);
    }
    Value::from(text)
}
