//! Statements.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use davit_value::{Value, ValueError};

use super::{Eval, Flow, Unit};
use crate::ast::{Body, Expr, ExprKind, For, FromImport, Import, Include, Macro, Node, Target};
use crate::objects::{Loop, MacroObject, Module, Namespace, Root, as_object, locked};
use crate::{Error, ErrorKind, access};

impl Eval<'_> {
    pub(super) fn exec(&mut self, body: &Body) -> Result<Flow, Error> {
        for node in body {
            let flow = self.exec_node(node)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn exec_node(&mut self, node: &Node) -> Result<Flow, Error> {
        match node {
            Node::Text(text) => self.out.push(Value::from(davit_value::Str::new(Arc::clone(text)))),
            Node::Print(expr) => self.print(expr)?,
            Node::For(statement) => return self.exec_for(statement),
            Node::If(branches, otherwise) => {
                for (test, body) in branches {
                    let value = self.eval(test)?;
                    if self.truthy(&value, test.at)? {
                        return self.deep_exec(body);
                    }
                }
                return self.deep_exec(otherwise);
            }
            Node::Set(target, expr) => {
                let value = self.set_value(target, expr)?;
                self.assign(target, value, expr.at)?;
            }
            Node::SetBlock(target, filters, body) => {
                let value = self.capture_scoped(body)?;
                let value = self.apply_filters(value, filters)?;
                self.assign(target, value, 0)?;
            }
            Node::Macro(body) => {
                let value = self.macro_object(body);
                self.bind(&body.name, value);
            }
            Node::CallBlock(call, body) => self.call_block_statement(call, body)?,
            Node::FilterBlock(filters, body) => {
                let value = self.capture_scoped(body)?;
                let value = self.apply_filters(value, filters)?;
                self.out.push(value);
            }
            Node::Include(include) => self.include(include)?,
            Node::Import(import) => self.import(import)?,
            Node::FromImport(import) => self.import_names(import)?,
            Node::Block(block, at) => {
                if self.parent.is_none() {
                    if block.required
                        && self.blocks.get(&block.name).is_none_or(|versions| versions.len() < 2)
                    {
                        let message = format!("Required block '{}' not found", block.name);
                        return Err(self.fail(Error::new(ErrorKind::Runtime, message), *at));
                    }
                    let around = block.scoped.then(|| self.locals());
                    let value = self.call_block(&block.name, 0, around, *at)?;
                    self.out.push(value);
                }
            }
            Node::Extends(name) => {
                let value = self.eval(name)?;
                if self.parent.is_some() {
                    return Err(self
                        .fail(Error::new(ErrorKind::Runtime, "extended multiple times"), name.at));
                }
                self.parent = Some(self.load(&value, name.at)?);
            }
            Node::With(assignments, body) => return self.with(assignments, body),
            Node::Scoped(body) => {
                self.frames.push(Vec::new());
                let flow = self.deep_exec(body);
                self.frames.pop();
                return flow;
            }
            Node::Do(expr) => {
                self.eval(expr)?;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn deep_exec(&mut self, body: &Body) -> Result<Flow, Error> {
        stacker::maybe_grow(crate::limits::RED_ZONE, crate::limits::STACK, || self.exec(body))
    }

    fn print(&mut self, expr: &Expr) -> Result<(), Error> {
        let value = self.eval(expr)?;
        if let Value::Undefined(what) = &value {
            if self.undefined_at.is_none() {
                self.undefined_at = Some((self.unit.clone(), self.noted_at(what, expr.at)));
            }
            self.out.push(value);
            return Ok(());
        }
        let value =
            access::printable(self.env, value).map_err(|error| self.fail(error, expr.at))?;
        self.out.push(value);
        Ok(())
    }

    fn capture_scoped(&mut self, body: &Body) -> Result<Value, Error> {
        self.frames.push(Vec::new());
        let value = self.capture(|eval| eval.deep_exec(body).map(drop));
        self.frames.pop();
        value
    }

    fn set_value(&mut self, target: &Target, expr: &Expr) -> Result<Value, Error> {
        if let Target::Name(name) = target
            && self.unit.tree.mutated.contains(name)
            && let Some(shared) = self.share(expr)?
        {
            return Ok(shared);
        }
        self.eval(expr)
    }

    fn assign(&mut self, target: &Target, value: Value, at: u32) -> Result<(), Error> {
        match target {
            Target::Name(name) => self.bind(name, value),
            Target::Tuple(targets) => {
                let value = access::touch(self.env, value).map_err(|error| self.fail(error, at))?;
                let items =
                    self.unpack(&value, targets.len()).map_err(|error| self.fail(error, at))?;
                for (target, item) in targets.iter().zip(items) {
                    self.assign(target, item, at)?;
                }
            }
            Target::Member(name, member, at) => {
                let object = self.name(name, *at)?;
                match as_object::<Namespace>(&object) {
                    Some(namespace) => {
                        let value = access::touch(self.env, value)
                            .map_err(|error| self.fail(error, *at))?;
                        locked(&namespace.0).insert(Arc::clone(member), value);
                    }
                    None => {
                        let message = "cannot assign attribute on non-namespace object";
                        return Err(self.fail(Error::new(ErrorKind::Runtime, message), *at));
                    }
                }
            }
        }
        Ok(())
    }

    fn unpack(&self, value: &Value, wanted: usize) -> Result<Vec<Value>, ValueError> {
        let items = access::iterate(value).map_err(|error| match (error, value) {
            (undefined @ ValueError::Undefined(_), _) => undefined,
            (_, value) => {
                ValueError::Type(format!("cannot unpack non-iterable {} object", value.type_name()))
            }
        })?;
        match items.len() {
            length if length == wanted => Ok(items),
            length if length < wanted => Err(ValueError::Value(format!(
                "not enough values to unpack (expected {wanted}, got {length})"
            ))),
            _ => Err(ValueError::Value(format!("too many values to unpack (expected {wanted})"))),
        }
    }

    fn with(&mut self, assignments: &[(Target, Expr)], body: &Body) -> Result<Flow, Error> {
        let mut values = Vec::with_capacity(assignments.len());
        for (_, expr) in assignments {
            values.push(self.eval(expr)?);
        }
        self.frames.push(Vec::new());
        let mut result = Ok(Flow::On);
        for ((target, expr), value) in assignments.iter().zip(values) {
            if let Err(error) = self.assign(target, value, expr.at) {
                result = Err(error);
                break;
            }
        }
        if result.is_ok() {
            result = self.deep_exec(body);
        }
        self.frames.pop();
        result
    }

    fn exec_for(&mut self, statement: &Arc<For>) -> Result<Flow, Error> {
        if target_is_in(&statement.target, &self.unit.tree.mutated) {
            self.share_members(&statement.source)?;
        }
        let source = self.eval(&statement.source)?;
        let items =
            access::iterate(&source).map_err(|error| self.fail(error, statement.source.at))?;
        self.run_loop(statement, items, 0)?;
        Ok(Flow::On)
    }

    /// Runs the body of a loop once for each item; says whether there was any.
    pub(super) fn run_loop(
        &mut self,
        statement: &Arc<For>,
        items: Vec<Value>,
        depth: usize,
    ) -> Result<bool, Error> {
        let items = self.filtered(statement, items)?;
        if items.is_empty() {
            self.frames.push(Vec::new());
            let result = self.deep_exec(&statement.otherwise);
            self.frames.pop();
            return result.map(|_| false);
        }
        let items = Arc::new(items);
        let state = Arc::new(Loop {
            items: Arc::clone(&items),
            place: AtomicUsize::new(0),
            depth,
            recursive: statement.recursive.then(|| Arc::clone(statement)),
            last: Mutex::new(None),
        });
        let name: Arc<str> = "loop".into();
        self.frames.push(Vec::new());
        let mut result = Ok(true);
        for (place, item) in items.iter().enumerate() {
            state.place.store(place, Ordering::Relaxed);
            if let Some(frame) = self.frames.last_mut() {
                frame.clear();
                frame.push((
                    Arc::clone(&name),
                    Value::Object(Arc::clone(&state) as Arc<dyn davit_value::Object>),
                ));
            }
            let flow = self
                .assign(&statement.target, item.clone(), statement.source.at)
                .and_then(|()| self.deep_exec(&statement.body));
            match flow {
                Ok(Flow::Break) => break,
                Ok(Flow::On | Flow::Continue) => {}
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        self.frames.pop();
        result
    }

    fn filtered(&mut self, statement: &For, items: Vec<Value>) -> Result<Vec<Value>, Error> {
        let Some(filter) = &statement.filter else { return Ok(items) };
        let mut kept = Vec::new();
        self.frames.push(Vec::new());
        let mut failure = None;
        for item in items {
            let keeps = self
                .assign(&statement.target, item.clone(), statement.source.at)
                .and_then(|()| self.eval(filter))
                .and_then(|value| self.truthy(&value, filter.at));
            match keeps {
                Ok(true) => kept.push(item),
                Ok(false) => {}
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        self.frames.pop();
        failure.map_or(Ok(kept), Err)
    }

    fn macro_object(&self, body: &Arc<Macro>) -> Value {
        Value::Object(Arc::new(MacroObject {
            body: Arc::clone(body),
            unit: self.unit.clone(),
            root: Arc::clone(&self.root),
            captured: self.locals(),
        }))
    }

    fn call_block_statement(&mut self, call: &Expr, body: &Arc<Macro>) -> Result<(), Error> {
        let ExprKind::Call(callee, arguments) = &call.kind else { return Ok(()) };
        let callee = self.eval(callee)?;
        let mut args = self.arguments(arguments, None, call.at)?;
        args.named.insert("caller", self.macro_object(body));
        let value = self.call_value(&callee, args, call.at)?;
        if value.is_undefined() && self.undefined_at.is_none() {
            self.undefined_at = Some((self.unit.clone(), call.at));
        }
        self.out.push(value);
        Ok(())
    }

    /// The template that a name stands for: a text, or the first of a list that there is.
    fn load(&self, name: &Value, at: u32) -> Result<Unit, Error> {
        let names: Vec<Value> = match name {
            Value::List(list) | Value::Tuple(list) => list.to_vec(),
            other => vec![other.clone()],
        };
        let is_list = !matches!(name, Value::Str(_));
        let mut last = None;
        for name in &names {
            let name = self.plain(name, at)?;
            let Value::Str(text) = &name else {
                return Err(match name {
                    Value::Undefined(what) => self.fail(Error::undefined(&what), at),
                    other => self.fail(
                        ValueError::Type(format!(
                            "expected a template name, got {}",
                            other.type_name()
                        )),
                        at,
                    ),
                });
            };
            match self.env.load(text, &self.unit) {
                Ok(Some(unit)) => return Ok(unit),
                Ok(None) => last = Some(text.to_string()),
                Err(error) => return Err(self.fail(error, at)),
            }
        }
        let message = match (is_list, last) {
            (false, Some(name)) => self.env.not_found(&name, &self.unit),
            _ => {
                let names: Vec<String> = names.iter().map(Value::to_str).collect();
                if names.is_empty() {
                    "Tried to select from an empty list of templates.".to_owned()
                } else {
                    format!("none of the templates given were found: {}", names.join(", "))
                }
            }
        };
        Err(self.fail(Error::not_found(message), at))
    }

    fn include(&mut self, include: &Include) -> Result<(), Error> {
        let name = self.eval(&include.name)?;
        let unit = match self.load(&name, include.name.at) {
            Err(error) if include.ignore_missing && error.is_not_found() => return Ok(()),
            other => other?,
        };
        let root = self.new_root(include.with_context);
        let value = self.with_own_blocks(|eval| {
            eval.elsewhere(unit, root, Vec::new(), |eval| {
                let outer = std::mem::take(&mut eval.out);
                let value = eval.run_root();
                eval.out = outer;
                value
            })
        })?;
        self.out.push(value);
        Ok(())
    }

    /// The top-level names of another template: those visible here, or none.
    fn new_root(&self, with_context: bool) -> Arc<Root> {
        let mut names = HashMap::new();
        if with_context {
            names.clone_from(&locked(&self.root.names));
            names.extend(self.locals().into_iter().filter(|(name, _)| &**name != "loop"));
        }
        Arc::new(Root { names: Mutex::new(names), sees_scope: with_context })
    }

    fn module(&mut self, name: &Expr, with_context: bool) -> Result<Value, Error> {
        let value = self.eval(name)?;
        let unit = self.load(&value, name.at)?;
        let root = self.new_root(with_context);
        let inherited: Vec<Arc<str>> = locked(&root.names).keys().cloned().collect();
        let kept = Arc::clone(&root);
        let output = self.with_own_blocks(|eval| {
            eval.elsewhere(unit, root, Vec::new(), |eval| {
                let outer = std::mem::take(&mut eval.out);
                let value = eval.run_root();
                eval.out = outer;
                value
            })
        })?;
        let names = locked(&kept.names)
            .iter()
            .filter(|(name, _)| !name.starts_with('_') && !inherited.contains(name))
            .map(|(name, value)| (Arc::clone(name), value.clone()))
            .collect();
        let mut text = String::new();
        access::write_text(&output, &mut text);
        Ok(Value::Object(Arc::new(Module { names, output: text })))
    }

    fn import(&mut self, import: &Import) -> Result<(), Error> {
        let module = self.module(&import.name, import.with_context)?;
        self.bind(&import.alias, module);
        Ok(())
    }

    fn import_names(&mut self, import: &FromImport) -> Result<(), Error> {
        let module = self.module(&import.name, import.with_context)?;
        let (line, _) = super::place_in(&self.unit.tree.text, import.name.at);
        for (name, alias) in &import.names {
            let found =
                as_object::<Module>(&module).and_then(|module| module.names.get(name).cloned());
            let value = match found {
                Some(value) => value,
                None => {
                    let template = self.eval(&import.name)?.repr();
                    Value::undefined_because(format!(
                        "the template {template} (imported on line {line}) does not export the requested name {}",
                        Value::from(&**name).repr()
                    ))
                }
            };
            self.bind(alias, value);
        }
        Ok(())
    }
}

/// True where a name of the target is one of `names`.
fn target_is_in(target: &Target, names: &std::collections::BTreeSet<Arc<str>>) -> bool {
    match target {
        Target::Name(name) => names.contains(name),
        Target::Tuple(targets) => targets.iter().any(|target| target_is_in(target, names)),
        Target::Member(..) => false,
    }
}
