//! Expressions.

use std::sync::Arc;

use davit_value::Value;

use super::{MAX_CHAIN, Parsed, Parser, quoted};
use crate::ast::{Arguments, Comparison, Condition, Expr, ExprKind, Named, Operator};
use crate::lexer::Kind;
use crate::methods;

fn expr(kind: ExprKind, at: u32) -> Expr {
    Expr { kind, at }
}

impl Parser {
    /// One expression, with its `if` and `else`.
    pub(super) fn expression(&mut self) -> Parsed<Expr> {
        self.deeper(Self::conditional)
    }

    fn conditional(&mut self) -> Parsed<Expr> {
        let mut left = self.or()?;
        let mut count = 0;
        while self.is_name("if") {
            let at = left.at;
            self.place += 1;
            let test = self.or()?;
            let otherwise = if self.skip_name("else") { Some(self.expression()?) } else { None };
            left = expr(ExprKind::If(Box::new(Condition { test, then: left, otherwise })), at);
            count += 1;
            if count > 100 {
                return self.fail("the template is nested too deeply");
            }
        }
        Ok(left)
    }

    pub(super) fn or(&mut self) -> Parsed<Expr> {
        let at = self.at();
        let mut parts = vec![self.and()?];
        while self.skip_name("or") {
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { expr(ExprKind::Or(parts), at) })
    }

    fn and(&mut self) -> Parsed<Expr> {
        let at = self.at();
        let mut parts = vec![self.not()?];
        while self.skip_name("and") {
            parts.push(self.not()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { expr(ExprKind::And(parts), at) })
    }

    fn not(&mut self) -> Parsed<Expr> {
        if self.is_name("not") {
            let at = self.at();
            self.place += 1;
            let inner = self.deeper(Self::not)?;
            return Ok(expr(ExprKind::Not(Box::new(inner)), at));
        }
        self.compare()
    }

    fn compare(&mut self) -> Parsed<Expr> {
        let at = self.at();
        let left = self.sum()?;
        let mut rest = Vec::new();
        loop {
            let comparison = match self.peek() {
                Kind::Op("==") => Comparison::Equal,
                Kind::Op("!=") => Comparison::NotEqual,
                Kind::Op("<") => Comparison::Less,
                Kind::Op("<=") => Comparison::LessOrEqual,
                Kind::Op(">") => Comparison::Greater,
                Kind::Op(">=") => Comparison::GreaterOrEqual,
                Kind::Name(name) if &**name == "in" => Comparison::In,
                Kind::Name(name)
                    if &**name == "not"
                        && matches!(self.peek_second(), Kind::Name(next) if &**next == "in") =>
                {
                    self.place += 1;
                    Comparison::NotIn
                }
                _ => break,
            };
            self.place += 1;
            rest.push((comparison, self.sum()?));
        }
        Ok(if rest.is_empty() { left } else { expr(ExprKind::Compare(Box::new(left), rest), at) })
    }

    fn chain(
        &mut self,
        operators: &[(&str, Operator)],
        operand: fn(&mut Self) -> Parsed<Expr>,
    ) -> Parsed<Expr> {
        let at = self.at();
        let mut left = operand(self)?;
        let mut count = 0;
        while let Some((_, operator)) = operators.iter().find(|(op, _)| self.is_op(op)) {
            self.place += 1;
            let right = operand(self)?;
            left = expr(ExprKind::Binary(*operator, Box::new(left), Box::new(right)), at);
            count += 1;
            if count > MAX_CHAIN {
                return self.fail("the expression is too long");
            }
        }
        Ok(left)
    }

    fn sum(&mut self) -> Parsed<Expr> {
        self.chain(&[("+", Operator::Add), ("-", Operator::Subtract)], Self::concat)
    }

    fn concat(&mut self) -> Parsed<Expr> {
        let at = self.at();
        let mut parts = vec![self.product()?];
        while self.skip_op("~") {
            parts.push(self.product()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { expr(ExprKind::Concat(parts), at) })
    }

    fn product(&mut self) -> Parsed<Expr> {
        self.chain(
            &[
                ("*", Operator::Multiply),
                ("/", Operator::Divide),
                ("//", Operator::FloorDivide),
                ("%", Operator::Modulo),
            ],
            Self::power,
        )
    }

    fn power(&mut self) -> Parsed<Expr> {
        self.chain(&[("**", Operator::Power)], |parser| parser.unary(true))
    }

    fn unary(&mut self, with_filters: bool) -> Parsed<Expr> {
        let at = self.at();
        let node = if self.skip_op("-") {
            let inner = self.deeper(|parser| parser.unary(false))?;
            expr(ExprKind::Negative(Box::new(inner)), at)
        } else if self.skip_op("+") {
            let inner = self.deeper(|parser| parser.unary(false))?;
            expr(ExprKind::Positive(Box::new(inner)), at)
        } else {
            self.primary()?
        };
        let node = self.postfix(node)?;
        if with_filters { self.filters(node) } else { Ok(node) }
    }

    pub(super) fn primary(&mut self) -> Parsed<Expr> {
        let at = self.at();
        let kind = match self.peek().clone() {
            Kind::Name(name) => {
                self.place += 1;
                match &*name {
                    "true" | "True" => ExprKind::Const(Value::Bool(true)),
                    "false" | "False" => ExprKind::Const(Value::Bool(false)),
                    "none" | "None" => ExprKind::Const(Value::Null),
                    _ => {
                        for (at, special) in ["varargs", "kwargs", "caller"].iter().enumerate() {
                            self.specials[at] += usize::from(&*name == *special);
                        }
                        ExprKind::Name(name)
                    }
                }
            }
            Kind::Str(first) => {
                self.place += 1;
                let mut text = first;
                if matches!(self.peek(), Kind::Str(_)) {
                    let mut joined = text.to_string();
                    while let Kind::Str(next) = self.peek() {
                        joined.push_str(next);
                        self.place += 1;
                    }
                    text = joined.into();
                }
                ExprKind::Const(Value::Str(davit_value::Str::new(text)))
            }
            Kind::Int(int) => {
                self.place += 1;
                ExprKind::Const(Value::Int(int))
            }
            Kind::Float(float) => {
                self.place += 1;
                ExprKind::Const(Value::Float(float))
            }
            Kind::Op("(") => {
                self.place += 1;
                let mut inner = self.tuple(true, &[], true)?;
                self.expect_op(")")?;
                inner.at = at;
                return Ok(inner);
            }
            Kind::Op("[") => self.list()?,
            Kind::Op("{") => self.dict()?,
            kind => return self.fail(format!("unexpected {}", quoted(kind.describe()))),
        };
        Ok(expr(kind, at))
    }

    /// A tuple without its parentheses, or the one expression where there is no comma.
    pub(super) fn tuple(
        &mut self,
        with_condition: bool,
        ends: &[&str],
        explicit: bool,
    ) -> Parsed<Expr> {
        let at = self.at();
        let mut items = Vec::new();
        let mut is_tuple = false;
        loop {
            if !items.is_empty() {
                self.expect_op(",")?;
            }
            if self.is_tuple_end(ends) {
                break;
            }
            items.push(if with_condition { self.expression()? } else { self.deeper(Self::or)? });
            if self.is_op(",") {
                is_tuple = true;
            } else {
                break;
            }
        }
        if !is_tuple {
            if let Some(only) = items.pop() {
                return Ok(only);
            }
            if !explicit {
                return self.fail(format!(
                    "Expected an expression, got {}",
                    quoted(self.peek().describe())
                ));
            }
        }
        Ok(expr(ExprKind::Tuple(items), at))
    }

    fn is_tuple_end(&self, ends: &[&str]) -> bool {
        match self.peek() {
            Kind::VariableEnd | Kind::BlockEnd | Kind::Op(")") => true,
            Kind::Name(name) => ends.contains(&&**name),
            _ => false,
        }
    }

    fn list(&mut self) -> Parsed<ExprKind> {
        self.expect_op("[")?;
        let mut items = Vec::new();
        while !self.is_op("]") {
            if !items.is_empty() {
                self.expect_op(",")?;
            }
            if self.is_op("]") {
                break;
            }
            items.push(self.expression()?);
        }
        self.expect_op("]")?;
        Ok(ExprKind::List(items))
    }

    fn dict(&mut self) -> Parsed<ExprKind> {
        self.expect_op("{")?;
        let mut entries = Vec::new();
        while !self.is_op("}") {
            if !entries.is_empty() {
                self.expect_op(",")?;
            }
            if self.is_op("}") {
                break;
            }
            let key = self.expression()?;
            self.expect_op(":")?;
            entries.push((key, self.expression()?));
        }
        self.expect_op("}")?;
        Ok(ExprKind::Dict(entries))
    }

    pub(super) fn postfix(&mut self, mut node: Expr) -> Parsed<Expr> {
        let mut count = 0;
        loop {
            node = match self.peek() {
                Kind::Op("." | "[") => self.subscript(node)?,
                Kind::Op("(") => self.call(node)?,
                _ => return Ok(node),
            };
            count += 1;
            if count > MAX_CHAIN {
                return self.fail("the expression is too long");
            }
        }
    }

    fn filters(&mut self, mut node: Expr) -> Parsed<Expr> {
        let mut count = 0;
        loop {
            node = match self.peek() {
                Kind::Op("|") => {
                    self.place += 1;
                    let filter = self.named()?;
                    let at = node.at;
                    expr(ExprKind::Filter(Box::new(node), Box::new(filter)), at)
                }
                Kind::Name(name) if &**name == "is" => self.test(node)?,
                Kind::Op("(") => self.call(node)?,
                _ => return Ok(node),
            };
            count += 1;
            if count > MAX_CHAIN {
                return self.fail("the expression is too long");
            }
        }
    }

    /// The name of a filter or a test, with its dots.
    fn dotted_name(&mut self) -> Parsed<Arc<str>> {
        let first = self.expect_name()?;
        if !self.is_op(".") {
            return Ok(first);
        }
        let mut name = first.to_string();
        while self.skip_op(".") {
            name.push('.');
            name.push_str(&self.expect_name()?);
        }
        Ok(name.into())
    }

    /// A filter after its bar.
    pub(super) fn named(&mut self) -> Parsed<Named> {
        let at = self.at();
        let name = self.dotted_name()?;
        let arguments = if self.is_op("(") { self.arguments()? } else { Arguments::default() };
        Ok(Named { name, arguments, at })
    }

    fn test(&mut self, node: Expr) -> Parsed<Expr> {
        self.place += 1;
        let negated = self.skip_name("not");
        let at = self.at();
        let name = self.dotted_name()?;
        let mut arguments = Arguments::default();
        if self.is_op("(") {
            arguments = self.arguments()?;
        } else if match self.peek() {
            Kind::Name(name) => !matches!(&**name, "else" | "or" | "and"),
            Kind::Str(_) | Kind::Int(_) | Kind::Float(_) | Kind::Op("(" | "[" | "{") => true,
            _ => false,
        } {
            if self.is_name("is") {
                return self.fail("You cannot chain multiple tests with is");
            }
            let argument = self.deeper(|parser| {
                let argument = parser.primary()?;
                parser.postfix(argument)
            })?;
            arguments.positional.push(argument);
        }
        let place = node.at;
        let test =
            expr(ExprKind::Test(Box::new(node), Box::new(Named { name, arguments, at })), place);
        Ok(if negated { expr(ExprKind::Not(Box::new(test)), place) } else { test })
    }

    fn subscript(&mut self, node: Expr) -> Parsed<Expr> {
        let at = node.at;
        if self.skip_op(".") {
            return match self.next() {
                Kind::Name(name) => Ok(expr(ExprKind::Attribute(Box::new(node), name), at)),
                Kind::Int(int) => {
                    let index = expr(ExprKind::Const(Value::Int(int)), at);
                    Ok(expr(ExprKind::Item(Box::new(node), Box::new(index)), at))
                }
                _ => {
                    self.place -= 1;
                    self.fail("expected name or number")
                }
            };
        }
        self.expect_op("[")?;
        let start = self.at();
        let mut parts = Vec::new();
        while !self.is_op("]") {
            if !parts.is_empty() {
                self.expect_op(",")?;
                if self.is_op("]") {
                    break;
                }
            }
            parts.push(self.index()?);
        }
        self.expect_op("]")?;
        if parts.len() == 1 {
            return Ok(match parts.remove(0) {
                Index::One(index) => expr(ExprKind::Item(Box::new(node), Box::new(index)), at),
                Index::Slice(slice) => expr(ExprKind::Slice(Box::new(node), slice), at),
            });
        }
        let mut items = Vec::new();
        for part in parts {
            match part {
                Index::One(index) => items.push(index),
                Index::Slice(_) => return self.fail("slices cannot be parts of a tuple"),
            }
        }
        let index = expr(ExprKind::Tuple(items), start);
        Ok(expr(ExprKind::Item(Box::new(node), Box::new(index)), at))
    }

    fn index(&mut self) -> Parsed<Index> {
        let mut parts: [Option<Expr>; 3] = [None, None, None];
        if !self.is_op(":") {
            let first = self.expression()?;
            if !self.is_op(":") {
                return Ok(Index::One(first));
            }
            parts[0] = Some(first);
        }
        self.expect_op(":")?;
        if !self.is_op(":") && !self.is_op("]") && !self.is_op(",") {
            parts[1] = Some(self.expression()?);
        }
        if self.skip_op(":") && !self.is_op("]") && !self.is_op(",") {
            parts[2] = Some(self.expression()?);
        }
        Ok(Index::Slice(Box::new(parts)))
    }

    fn call(&mut self, node: Expr) -> Parsed<Expr> {
        let arguments = self.arguments()?;
        if let ExprKind::Attribute(inner, method) = &node.kind
            && methods::changes_its_object(method)
            && let Some(name) = root_name(inner)
        {
            self.mutated.insert(name);
        }
        let at = node.at;
        Ok(expr(ExprKind::Call(Box::new(node), Box::new(arguments)), at))
    }

    pub(super) fn arguments(&mut self) -> Parsed<Arguments> {
        let start = self.at();
        self.expect_op("(")?;
        let invalid = || {
            Err(crate::lexer::Failure::new("invalid syntax for function call expression", start))
        };
        let mut out = Arguments::default();
        let mut first = true;
        while !self.is_op(")") {
            if !first {
                self.expect_op(",")?;
                if self.is_op(")") {
                    break;
                }
            }
            first = false;
            if self.skip_op("*") {
                if out.star.is_some() || out.double_star.is_some() {
                    return invalid();
                }
                out.star = Some(self.expression()?);
            } else if self.skip_op("**") {
                if out.double_star.is_some() {
                    return invalid();
                }
                out.double_star = Some(self.expression()?);
            } else if let (Kind::Name(name), Kind::Op("=")) =
                (self.peek().clone(), self.peek_second())
            {
                if out.double_star.is_some() {
                    return invalid();
                }
                self.place += 2;
                let value = self.expression()?;
                out.named.push((name, value));
            } else {
                if out.star.is_some() || out.double_star.is_some() || !out.named.is_empty() {
                    return invalid();
                }
                out.positional.push(self.expression()?);
            }
        }
        self.expect_op(")")?;
        Ok(out)
    }
}

/// What stands between brackets.
enum Index {
    One(Expr),
    Slice(Box<[Option<Expr>; 3]>),
}

/// The name that a chain of members starts from.
fn root_name(mut node: &Expr) -> Option<Arc<str>> {
    loop {
        match &node.kind {
            ExprKind::Name(name) => return Some(Arc::clone(name)),
            ExprKind::Attribute(inner, _) | ExprKind::Item(inner, _) | ExprKind::Call(inner, _) => {
                node = inner;
            }
            _ => return None,
        }
    }
}
