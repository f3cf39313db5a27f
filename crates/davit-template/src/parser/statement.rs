//! Statements.

use std::sync::Arc;

use davit_value::Value;

use super::{Parsed, Parser, quoted};
use crate::ast::{
    Block, Body, Expr, ExprKind, For, FromImport, Import, Include, Macro, Named, Node, Target,
};
use crate::lexer::{Failure, Kind};

impl Parser {
    /// Output and statements up to one of the tags in `ends`, whose name is left to be read.
    pub(super) fn body(&mut self, ends: &'static [&'static str]) -> Parsed<Body> {
        if !ends.is_empty() {
            self.end_stack.push(ends);
        }
        let mut body = Vec::new();
        loop {
            match self.peek().clone() {
                Kind::Data(text) => {
                    self.place += 1;
                    body.push(Node::Text(text));
                }
                Kind::VariableBegin => {
                    self.place += 1;
                    body.push(Node::Print(self.tuple(true, &[], false)?));
                    if *self.peek() != Kind::VariableEnd {
                        return self.unexpected("end of print statement");
                    }
                    self.place += 1;
                }
                Kind::BlockBegin => {
                    self.place += 1;
                    if let Kind::Name(name) = self.peek()
                        && ends.contains(&&**name)
                    {
                        break;
                    }
                    if let Some(node) = self.deeper(Self::statement)? {
                        body.push(node);
                    }
                    self.expect_block_end()?;
                }
                Kind::End if ends.is_empty() => break,
                Kind::End => return self.nesting_error(None),
                kind => return self.fail(format!("unexpected {}", quoted(kind.describe()))),
            }
        }
        if !ends.is_empty() {
            self.end_stack.pop();
        }
        Ok(body)
    }

    /// A tag that fits nowhere, or the end of the text inside one.
    fn nesting_error<T>(&self, name: Option<&str>) -> Parsed<T> {
        let mut message = match name {
            None => "Unexpected end of template.".to_owned(),
            Some(name) => format!("Encountered unknown tag {}.", quoted(name)),
        };
        if let Some(ends) = self.end_stack.last() {
            let looking =
                ends.iter().map(|end| format!("'{end}'")).collect::<Vec<_>>().join(" or ");
            let misplaced =
                name.is_some_and(|name| self.end_stack.iter().any(|ends| ends.contains(&name)));
            if misplaced {
                message.push_str(&format!(
                    " You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for {looking}."
                ));
            } else {
                message.push_str(&format!(" Jinja was looking for the following tags: {looking}."));
            }
        }
        if let Some(tag) = self.tag_stack.last() {
            message.push_str(&format!(" The innermost block that needs to be closed is '{tag}'."));
        }
        self.fail(message)
    }

    fn statement(&mut self) -> Parsed<Option<Node>> {
        let Kind::Name(name) = self.peek().clone() else {
            return self.fail("tag name expected");
        };
        let Some(tag) = TAGS.iter().find(|(tag, _)| **tag == *name) else {
            return match &*name {
                "do" if self.extensions.do_statement => {
                    self.place += 1;
                    Ok(Some(Node::Do(self.tuple(true, &[], false)?)))
                }
                "break" if self.extensions.loop_controls => {
                    self.place += 1;
                    Ok(Some(Node::Break))
                }
                "continue" if self.extensions.loop_controls => {
                    self.place += 1;
                    Ok(Some(Node::Continue))
                }
                _ => self.nesting_error(Some(&name)),
            };
        };
        self.place += 1;
        self.tag_stack.push(tag.0);
        let node = (tag.1)(self)?;
        self.tag_stack.pop();
        Ok(node)
    }

    /// The body of a statement: the end of its tag, then everything to `ends`; the name that ended it is left.
    fn block_body(&mut self, ends: &'static [&'static str]) -> Parsed<Body> {
        self.skip_op(":");
        self.expect_block_end()?;
        if ends.is_empty() {
            return Ok(Vec::new());
        }
        self.body(ends)
    }

    /// [`block_body`](Self::block_body) whose end is one tag, which is read too.
    fn whole_body(&mut self, ends: &'static [&'static str]) -> Parsed<Body> {
        let body = self.block_body(ends)?;
        self.place += 1;
        Ok(body)
    }

    fn parse_for(&mut self) -> Parsed<Option<Node>> {
        let target = self.target_tuple(&["in"])?;
        self.expect_keyword("in")?;
        let source = self.tuple(false, &["recursive"], false)?;
        let filter = if self.skip_name("if") { Some(self.expression()?) } else { None };
        let recursive = self.skip_name("recursive");
        let body = self.block_body(&["endfor", "else"])?;
        let otherwise =
            if self.skip_name("else") { self.block_body(&["endfor"])? } else { Vec::new() };
        self.place += 1;
        Ok(Some(Node::For(Arc::new(For { target, source, filter, recursive, body, otherwise }))))
    }

    fn parse_if(&mut self) -> Parsed<Option<Node>> {
        let mut branches = Vec::new();
        loop {
            let test = self.tuple(false, &[], false)?;
            branches.push((test, self.block_body(&["elif", "else", "endif"])?));
            if !self.skip_name("elif") {
                break;
            }
        }
        let otherwise =
            if self.skip_name("else") { self.block_body(&["endif"])? } else { Vec::new() };
        self.place += 1;
        Ok(Some(Node::If(branches, otherwise)))
    }

    fn parse_set(&mut self) -> Parsed<Option<Node>> {
        let target = self.target_tuple(&[])?;
        if self.skip_op("=") {
            return Ok(Some(Node::Set(target, self.tuple(true, &[], false)?)));
        }
        let filters = self.filter_row()?;
        let body = self.whole_body(&["endset"])?;
        Ok(Some(Node::SetBlock(target, filters, body)))
    }

    /// Filters one after another, each behind a bar.
    fn filter_row(&mut self) -> Parsed<Vec<Named>> {
        let mut filters = Vec::new();
        while self.skip_op("|") {
            filters.push(self.named()?);
        }
        Ok(filters)
    }

    fn parse_filter(&mut self) -> Parsed<Option<Node>> {
        let mut filters = vec![self.named()?];
        filters.extend(self.filter_row()?);
        let body = self.whole_body(&["endfilter"])?;
        Ok(Some(Node::FilterBlock(filters, body)))
    }

    fn parse_with(&mut self) -> Parsed<Option<Node>> {
        let mut assignments = Vec::new();
        while *self.peek() != Kind::BlockEnd {
            if !assignments.is_empty() {
                self.expect_op(",")?;
            }
            let target = self.single_target()?;
            self.expect_op("=")?;
            assignments.push((target, self.expression()?));
        }
        Ok(Some(Node::With(assignments, self.whole_body(&["endwith"])?)))
    }

    fn parse_autoescape(&mut self) -> Parsed<Option<Node>> {
        self.expression()?;
        Ok(Some(Node::Scoped(self.whole_body(&["endautoescape"])?)))
    }

    fn parse_print(&mut self) -> Parsed<Option<Node>> {
        Ok(Some(Node::Print(self.tuple(true, &[], false)?)))
    }

    fn parse_block(&mut self) -> Parsed<Option<Node>> {
        let at = self.at();
        let name = self.expect_name()?;
        let scoped = self.skip_name("scoped");
        let required = self.skip_name("required");
        if self.is_op("-") {
            return self.fail("Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.");
        }
        if self.blocks.iter().any(|block| block.name == name) {
            return Err(Failure::new(format!("block '{name}' defined twice"), at));
        }
        let body = self.whole_body(&["endblock"])?;
        if required
            && !body.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
        {
            return self.fail("Required blocks can only contain comments or whitespace");
        }
        self.skip_name(&name);
        let block = Arc::new(Block { name, body, scoped, required });
        self.blocks.push(Arc::clone(&block));
        Ok(Some(Node::Block(block, at)))
    }

    fn parse_extends(&mut self) -> Parsed<Option<Node>> {
        Ok(Some(Node::Extends(self.expression()?)))
    }

    /// `with context` or `without context`, or the default.
    fn context(&mut self, default: bool) -> bool {
        for (word, with) in [("with", true), ("without", false)] {
            let context = matches!(self.peek_second(), Kind::Name(next) if &**next == "context");
            if self.is_name(word) && context {
                self.place += 2;
                return with;
            }
        }
        default
    }

    fn parse_include(&mut self) -> Parsed<Option<Node>> {
        let name = self.expression()?;
        let missing = matches!(self.peek_second(), Kind::Name(next) if &**next == "missing");
        let ignore_missing = self.is_name("ignore") && missing;
        if ignore_missing {
            self.place += 2;
        }
        let with_context = self.context(true);
        Ok(Some(Node::Include(Box::new(Include { name, ignore_missing, with_context }))))
    }

    fn parse_import(&mut self) -> Parsed<Option<Node>> {
        let name = self.expression()?;
        self.expect_keyword("as")?;
        let alias = self.target_name()?;
        let with_context = self.context(false);
        Ok(Some(Node::Import(Box::new(Import { name, alias, with_context }))))
    }

    fn parse_from(&mut self) -> Parsed<Option<Node>> {
        let name = self.expression()?;
        self.expect_keyword("import")?;
        let mut names = Vec::new();
        let mut with_context = false;
        loop {
            if !names.is_empty() && !self.skip_op(",") {
                break;
            }
            if matches!(self.peek(), Kind::Name(_)) {
                let next_is_context =
                    matches!(self.peek_second(), Kind::Name(next) if &**next == "context");
                if next_is_context && (self.is_name("with") || self.is_name("without")) {
                    with_context = self.context(false);
                    break;
                }
                let exported = self.target_name()?;
                if exported.starts_with('_') {
                    return self.fail("names starting with an underline can not be imported");
                }
                let alias =
                    if self.skip_name("as") { self.target_name()? } else { Arc::clone(&exported) };
                names.push((exported, alias));
                let next_is_context =
                    matches!(self.peek_second(), Kind::Name(next) if &**next == "context");
                if next_is_context && (self.is_name("with") || self.is_name("without")) {
                    with_context = self.context(false);
                    break;
                }
            } else {
                self.expect_name()?;
            }
        }
        Ok(Some(Node::FromImport(Box::new(FromImport { name, names, with_context }))))
    }

    fn signature(&mut self) -> Parsed<Vec<(Arc<str>, Option<Expr>)>> {
        self.expect_op("(")?;
        let mut parameters: Vec<(Arc<str>, Option<Expr>)> = Vec::new();
        while !self.is_op(")") {
            if !parameters.is_empty() {
                self.expect_op(",")?;
            }
            let name = self.target_name()?;
            let default = if self.skip_op("=") {
                Some(self.expression()?)
            } else if parameters.iter().any(|(_, default)| default.is_some()) {
                return self.fail("non-default argument follows default argument");
            } else {
                None
            };
            parameters.push((name, default));
        }
        self.expect_op(")")?;
        Ok(parameters)
    }

    fn macro_of(
        &mut self,
        name: Arc<str>,
        parameters: Vec<(Arc<str>, Option<Expr>)>,
        ends: &'static [&'static str],
    ) -> Parsed<Arc<Macro>> {
        let before = self.specials;
        let body = self.whole_body(ends)?;
        let takes = |at: usize, word: &str| {
            self.specials[at] > before[at] && !parameters.iter().any(|(name, _)| &**name == word)
        };
        let (takes_varargs, takes_kwargs, takes_caller) =
            (takes(0, "varargs"), takes(1, "kwargs"), takes(2, "caller"));
        Ok(Arc::new(Macro { name, parameters, body, takes_varargs, takes_kwargs, takes_caller }))
    }

    fn parse_macro(&mut self) -> Parsed<Option<Node>> {
        let name = self.target_name()?;
        let parameters = self.signature()?;
        Ok(Some(Node::Macro(self.macro_of(name, parameters, &["endmacro"])?)))
    }

    fn parse_call(&mut self) -> Parsed<Option<Node>> {
        let parameters = if self.is_op("(") { self.signature()? } else { Vec::new() };
        let call = self.expression()?;
        if !matches!(call.kind, ExprKind::Call(..)) {
            return Err(Failure::new("expected call", call.at));
        }
        let body = self.macro_of("caller".into(), parameters, &["endcall"])?;
        Ok(Some(Node::CallBlock(call, body)))
    }

    fn misplaced_raw(&mut self) -> Parsed<Option<Node>> {
        self.place -= 1;
        self.tag_stack.pop();
        self.nesting_error(Some("raw"))
    }

    /// A name that may be assigned to.
    fn target_name(&mut self) -> Parsed<Arc<str>> {
        let name = self.expect_name()?;
        if matches!(&*name, "true" | "false" | "none" | "True" | "False" | "None") {
            self.place -= 1;
            return self.fail("can't assign to 'const'");
        }
        Ok(name)
    }

    fn single_target(&mut self) -> Parsed<Target> {
        let node = self.deeper(Self::primary)?;
        self.target_of(node)
    }

    /// A target of an assignment, possibly a tuple without parentheses, possibly a member of a namespace.
    fn target_tuple(&mut self, ends: &[&str]) -> Parsed<Target> {
        if let (Kind::Name(name), Kind::Op(".")) = (self.peek().clone(), self.peek_second()) {
            let at = self.at();
            self.place += 2;
            let member = self.expect_name()?;
            return Ok(Target::Member(name, member, at));
        }
        let at = self.at();
        let mut items = Vec::new();
        let mut is_tuple = false;
        loop {
            if !items.is_empty() {
                self.expect_op(",")?;
            }
            let ended = match self.peek() {
                Kind::VariableEnd | Kind::BlockEnd | Kind::Op(")") => true,
                Kind::Name(name) => ends.contains(&&**name),
                _ => false,
            };
            if ended {
                break;
            }
            let item = self.deeper(Self::primary)?;
            items.push(item);
            if self.is_op(",") {
                is_tuple = true;
            } else {
                break;
            }
        }
        if is_tuple {
            return Ok(Target::Tuple(
                items.into_iter().map(|item| self.target_of(item)).collect::<Parsed<_>>()?,
            ));
        }
        match items.pop() {
            Some(only) => self.target_of(only),
            None => Err(Failure::new(
                format!("Expected an expression, got {}", quoted(self.peek().describe())),
                at,
            )),
        }
    }

    fn target_of(&self, node: Expr) -> Parsed<Target> {
        let kind = match node.kind {
            ExprKind::Name(name) => return Ok(Target::Name(name)),
            ExprKind::Tuple(items) => {
                return Ok(Target::Tuple(
                    items.into_iter().map(|item| self.target_of(item)).collect::<Parsed<_>>()?,
                ));
            }
            ExprKind::Const(
                Value::Bool(_) | Value::Null | Value::Str(_) | Value::Int(_) | Value::Float(_),
            ) => "const",
            ExprKind::List(_) => "list",
            ExprKind::Dict(_) => "dict",
            _ => "expression",
        };
        Err(Failure::new(format!("can't assign to '{kind}'"), node.at))
    }
}

/// How one statement is read once its name is.
type Statement = fn(&mut Parser) -> Parsed<Option<Node>>;

/// Every statement of Jinja2 by name.
const TAGS: &[(&str, Statement)] = &[
    ("autoescape", Parser::parse_autoescape),
    ("block", Parser::parse_block),
    ("call", Parser::parse_call),
    ("extends", Parser::parse_extends),
    ("filter", Parser::parse_filter),
    ("for", Parser::parse_for),
    ("from", Parser::parse_from),
    ("if", Parser::parse_if),
    ("import", Parser::parse_import),
    ("include", Parser::parse_include),
    ("macro", Parser::parse_macro),
    ("print", Parser::parse_print),
    ("raw", Parser::misplaced_raw),
    ("set", Parser::parse_set),
    ("with", Parser::parse_with),
];
