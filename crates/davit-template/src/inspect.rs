//! What a template uses, without evaluating it: for the check before a run.

use std::collections::BTreeSet;
use std::sync::Arc;

use davit_value::Value;

use crate::ast::{Arguments, Body, Expr, ExprKind, Macro, Named, Node, Target};
use crate::eval::{Unit, place_in};
use crate::{Engine, Error, globals};

/// A parsed template or expression.
#[derive(Clone, Debug)]
pub struct Template {
    unit: Unit,
}

/// A name that a template takes from its scope, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameUse {
    /// The name.
    pub name: String,
    /// Line in the template's text, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// It may be undefined here: `default`, `is defined` or an `if` about it stands in the way.
    pub guarded: bool,
}

/// A call of a lookup by a constant name.
#[derive(Clone, Debug, PartialEq)]
pub struct LookupUse {
    /// The lookup, and where its name stands.
    pub lookup: NameUse,
    /// The named arguments, and where their names stand; the value of one that is a constant.
    pub named: Vec<(NameUse, Option<Value>)>,
}

impl Engine {
    /// Parses a template with the delimiters that values have.
    ///
    /// # Errors
    /// For a template that cannot be read, placed in its text.
    pub fn parse_template(&self, text: &str) -> Result<Template, Error> {
        self.inline(text).map(|unit| Template { unit })
    }

    /// Parses an expression without delimiters.
    ///
    /// # Errors
    /// For an expression that cannot be read, placed in its text.
    pub fn parse_expression(&self, text: &str) -> Result<Template, Error> {
        self.bare_expression(text).map(|unit| Template { unit })
    }

    /// Parses the text of a template file.
    ///
    /// # Errors
    /// For a template that cannot be read, placed in its text.
    pub fn parse_file(&self, text: &str, options: &crate::FileOptions) -> Result<Template, Error> {
        let (syntax, body, skipped) = options
            .syntax(text)
            .map_err(|message| Error::new(crate::ErrorKind::Syntax, message))?;
        let tree = self
            .compile(body, &Arc::new(syntax), false)
            .map_err(|error| error.further_down(skipped))?;
        Ok(Template { unit: Unit::bare(tree) })
    }
}

impl Template {
    /// The names it takes from its scope, in order of appearance. Global functions are not among them.
    #[must_use]
    pub fn free_variables(&self) -> Vec<NameUse> {
        self.walk().free
    }

    /// The filters it uses, with their places.
    #[must_use]
    pub fn filters_used(&self) -> Vec<NameUse> {
        self.walk().filters
    }

    /// The tests it uses, with their places.
    #[must_use]
    pub fn tests_used(&self) -> Vec<NameUse> {
        self.walk().tests
    }

    /// The lookups it uses by constant names, with their places.
    #[must_use]
    pub fn lookups_used(&self) -> Vec<NameUse> {
        self.lookup_calls().into_iter().map(|it| it.lookup).collect()
    }

    /// The same with their named arguments.
    #[must_use]
    pub fn lookup_calls(&self) -> Vec<LookupUse> {
        self.walk().lookups
    }

    /// True where a template is one expression, whose value it then has.
    #[must_use]
    pub fn is_one_expression(&self) -> bool {
        matches!(self.unit.tree.body.as_slice(), [Node::Print(_)])
    }

    fn walk(&self) -> Walk<'_> {
        let mut walk = Walk::of(&self.unit.tree.text);
        walk.scopes.push(BTreeSet::new());
        // Macros and sets at the top level are known everywhere in the template.
        walk.body(&self.unit.tree.body);
        walk
    }
}

#[derive(Default)]
struct Walk<'a> {
    text: &'a str,
    /// Where the lines begin: places are asked for too often to count from the beginning.
    lines: Vec<usize>,
    scopes: Vec<BTreeSet<String>>,
    guarded: Vec<String>,
    /// Everything is guarded in here: the value of `default`.
    lenient: usize,
    free: Vec<NameUse>,
    filters: Vec<NameUse>,
    tests: Vec<NameUse>,
    lookups: Vec<LookupUse>,
}

impl<'a> Walk<'a> {
    fn of(text: &'a str) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect();
        Self { text, lines, ..Self::default() }
    }

    fn place(&self, name: &str, at: u32, guarded: bool) -> NameUse {
        let offset = (at as usize).min(self.text.len());
        let above = self.lines.partition_point(|start| *start <= offset).saturating_sub(1);
        let start = self.lines.get(above).copied().unwrap_or(0);
        let rest = self.text.get(start..).unwrap_or_default();
        let (_, column) = place_in(rest, u32::try_from(offset - start).unwrap_or(u32::MAX));
        let line = u32::try_from(above + 1).unwrap_or(u32::MAX);
        NameUse { name: name.to_owned(), line, column, guarded }
    }

    fn declare(&mut self, name: &str) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.to_owned());
        }
    }

    fn target(&mut self, target: &Target) {
        match target {
            Target::Name(name) => self.declare(name),
            Target::Tuple(targets) => targets.iter().for_each(|target| self.target(target)),
            Target::Member(..) => {}
        }
    }

    fn scoped(&mut self, work: impl FnOnce(&mut Self)) {
        self.scopes.push(BTreeSet::new());
        work(self);
        self.scopes.pop();
    }

    /// Runs `work` where the names that `test` makes sure of are guarded.
    fn guarding(&mut self, test: &Expr, work: impl FnOnce(&mut Self)) {
        let before = self.guarded.len();
        names_tested(test, &mut self.guarded);
        work(self);
        self.guarded.truncate(before);
    }

    fn body(&mut self, body: &Body) {
        for node in body {
            self.node(node);
        }
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Text(_) | Node::Break | Node::Continue => {}
            Node::Print(expr) | Node::Do(expr) | Node::Extends(expr) => self.expr(expr),
            Node::For(statement) => {
                self.expr(&statement.source);
                self.scoped(|walk| {
                    walk.target(&statement.target);
                    walk.declare("loop");
                    if let Some(filter) = &statement.filter {
                        walk.expr(filter);
                    }
                    walk.body(&statement.body);
                });
                self.scoped(|walk| walk.body(&statement.otherwise));
            }
            Node::If(branches, otherwise) => {
                let before = self.guarded.len();
                for (test, body) in branches {
                    self.expr(test);
                    self.guarding(test, |walk| walk.body(body));
                    // What a test asked about is known about in the branches after it too.
                    names_tested(test, &mut self.guarded);
                }
                self.body(otherwise);
                self.guarded.truncate(before);
            }
            Node::Set(target, expr) => {
                self.expr(expr);
                self.target(target);
            }
            Node::SetBlock(target, filters, body) => {
                self.scoped(|walk| walk.body(body));
                self.named_row(filters);
                self.target(target);
            }
            Node::Macro(body) => {
                self.declare(&body.name);
                self.macro_body(body);
            }
            Node::CallBlock(call, body) => {
                self.expr(call);
                self.macro_body(body);
            }
            Node::FilterBlock(filters, body) => {
                self.scoped(|walk| walk.body(body));
                self.named_row(filters);
            }
            Node::Include(include) => self.expr(&include.name),
            Node::Import(import) => {
                self.expr(&import.name);
                self.declare(&import.alias);
            }
            Node::FromImport(import) => {
                self.expr(&import.name);
                import.names.iter().for_each(|(_, alias)| self.declare(alias));
            }
            Node::Block(block, _) => self.scoped(|walk| walk.body(&block.body)),
            Node::With(assignments, body) => {
                assignments.iter().for_each(|(_, expr)| self.expr(expr));
                self.scoped(|walk| {
                    assignments.iter().for_each(|(target, _)| walk.target(target));
                    walk.body(body);
                });
            }
            Node::Scoped(body) => self.scoped(|walk| walk.body(body)),
        }
    }

    fn macro_body(&mut self, body: &Macro) {
        self.scoped(|walk| {
            for (name, default) in &body.parameters {
                if let Some(default) = default {
                    walk.expr(default);
                }
                walk.declare(name);
            }
            ["varargs", "kwargs", "caller"].into_iter().for_each(|name| walk.declare(name));
            walk.body(&body.body);
        });
    }

    fn named_row(&mut self, filters: &[Named]) {
        for filter in filters {
            self.filters.push(self.place(&filter.name, filter.at, false));
            self.arguments(&filter.arguments);
        }
    }

    fn arguments(&mut self, arguments: &Arguments) {
        arguments.positional.iter().for_each(|expr| self.expr(expr));
        arguments.named.iter().for_each(|(_, expr)| self.expr(expr));
        arguments.star.iter().chain(&arguments.double_star).for_each(|expr| self.expr(expr));
    }

    fn leniently(&mut self, lenient: bool, expr: &Expr) {
        self.lenient += usize::from(lenient);
        self.expr(expr);
        self.lenient -= usize::from(lenient);
    }

    fn expr(&mut self, expr: &Expr) {
        stacker::maybe_grow(crate::limits::RED_ZONE, crate::limits::STACK, || self.any_expr(expr));
    }

    fn name(&mut self, name: &str, at: u32) {
        let known = self.scopes.iter().any(|scope| scope.contains(name))
            || globals::is_global(name)
            || matches!(name, "self" | "super" | "loop");
        if !known {
            let guarded = self.lenient > 0 || self.guarded.iter().any(|it| it == name);
            let found = self.place(name, at, guarded);
            self.free.push(found);
        }
    }

    /// Notes a lookup with a constant name.
    fn lookup(&mut self, callee: &Expr, arguments: &Arguments) {
        let (ExprKind::Name(name), Some(first)) = (&callee.kind, arguments.positional.first())
        else {
            return;
        };
        if let (ExprKind::Const(value), "lookup" | "query" | "q") = (&first.kind, &**name)
            && let Some(lookup) = value.as_str()
        {
            let lookup = self.place(lookup, first.at, false);
            let named = arguments.named.iter().map(|(name, value)| {
                // Only the value has a place: the name is the last before it.
                let before = self.text.get(..value.at as usize).unwrap_or_default();
                let at = before.rfind(&**name).and_then(|it| u32::try_from(it).ok());
                (self.place(name, at.unwrap_or(value.at), false), constant(value))
            });
            let named = named.collect();
            self.lookups.push(LookupUse { lookup, named });
        }
    }

    fn any_expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Const(_) => {}
            ExprKind::Name(name) => self.name(name, expr.at),
            ExprKind::List(items) | ExprKind::Tuple(items) | ExprKind::Concat(items) => {
                items.iter().for_each(|item| self.expr(item));
            }
            ExprKind::And(items) | ExprKind::Or(items) => {
                let before = self.guarded.len();
                for item in items {
                    self.expr(item);
                    names_tested(item, &mut self.guarded);
                }
                self.guarded.truncate(before);
            }
            ExprKind::Dict(entries) => entries.iter().for_each(|(key, value)| {
                self.expr(key);
                self.expr(value);
            }),
            ExprKind::Attribute(inner, _) => self.expr(inner),
            ExprKind::Not(inner) | ExprKind::Negative(inner) | ExprKind::Positive(inner) => {
                self.expr(inner);
            }
            ExprKind::Item(inner, key) => {
                self.expr(inner);
                self.expr(key);
            }
            ExprKind::Slice(inner, parts) => {
                self.expr(inner);
                parts.iter().flatten().for_each(|part| self.expr(part));
            }
            ExprKind::Call(callee, arguments) => {
                self.lookup(callee, arguments);
                self.expr(callee);
                self.arguments(arguments);
            }
            ExprKind::Filter(inner, filter) => {
                let short = filter.name.rsplit('.').next().unwrap_or_default();
                self.leniently(matches!(short, "default" | "d" | "type_debug"), inner);
                self.filters.push(self.place(&filter.name, filter.at, false));
                self.arguments(&filter.arguments);
            }
            ExprKind::Test(inner, test) => {
                let short = test.name.rsplit('.').next().unwrap_or_default();
                self.leniently(matches!(short, "defined" | "undefined"), inner);
                self.tests.push(self.place(&test.name, test.at, false));
                self.arguments(&test.arguments);
            }
            ExprKind::Binary(_, left, right) => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Compare(left, rest) => {
                self.expr(left);
                rest.iter().for_each(|(_, right)| self.expr(right));
            }
            ExprKind::If(condition) => {
                self.expr(&condition.test);
                self.guarding(&condition.test, |walk| {
                    walk.expr(&condition.then);
                    if let Some(otherwise) = &condition.otherwise {
                        walk.expr(otherwise);
                    }
                });
            }
        }
    }
}

/// The value of an expression that is written out.
fn constant(expr: &Expr) -> Option<Value> {
    match &expr.kind {
        ExprKind::Const(value) => Some(value.clone()),
        ExprKind::List(items) => {
            let items: Option<Vec<Value>> = items
                .iter()
                .map(|it| match &it.kind {
                    ExprKind::Const(value) => Some(value.clone()),
                    _ => None,
                })
                .collect();
            items.map(Value::list)
        }
        _ => None,
    }
}

/// The names that an expression asks about with `is defined` or `is undefined`.
fn names_tested(expr: &Expr, names: &mut Vec<String>) {
    match &expr.kind {
        ExprKind::Test(inner, test) => {
            let short = test.name.rsplit('.').next().unwrap_or_default();
            if matches!(short, "defined" | "undefined") {
                root_of(inner, names);
            }
        }
        ExprKind::Filter(inner, filter) if matches!(&*filter.name, "default" | "d") => {
            root_of(inner, names);
        }
        ExprKind::Filter(inner, _) | ExprKind::Not(inner) => names_tested(inner, names),
        ExprKind::And(items) | ExprKind::Or(items) => {
            items.iter().for_each(|item| names_tested(item, names));
        }
        ExprKind::Compare(left, rest) => {
            names_tested(left, names);
            rest.iter().for_each(|(_, right)| names_tested(right, names));
            // `'name' in vars` and the like.
            if let (ExprKind::Const(value), Some(name)) = (&left.kind, rest.first())
                && let (Some(text), ExprKind::Name(container)) = (value.as_str(), &name.1.kind)
                && matches!(&**container, "vars" | "hostvars")
            {
                names.push(text.to_owned());
            }
        }
        _ => {}
    }
}

fn root_of(expr: &Expr, names: &mut Vec<String>) {
    match &expr.kind {
        ExprKind::Name(name) => names.push(name.to_string()),
        ExprKind::Attribute(inner, _) | ExprKind::Item(inner, _) | ExprKind::Filter(inner, _) => {
            root_of(inner, names);
        }
        _ => {}
    }
}
