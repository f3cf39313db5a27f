//! What templates are made of. Trees only: no behaviour.

use std::collections::BTreeSet;
use std::sync::Arc;

use davit_value::Value;

use crate::lexer::Syntax;

/// An expression and where it starts, in bytes of the template's text.
#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) at: u32,
}

/// What an expression is.
#[derive(Debug)]
pub(crate) enum ExprKind {
    Const(Value),
    Name(Arc<str>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Attribute(Box<Expr>, Arc<str>),
    Item(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, Box<[Option<Expr>; 3]>),
    Call(Box<Expr>, Box<Arguments>),
    Filter(Box<Expr>, Box<Named>),
    Test(Box<Expr>, Box<Named>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    Concat(Vec<Expr>),
    If(Box<Condition>),
}

/// `then if test else otherwise`.
#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) test: Expr,
    pub(crate) then: Expr,
    pub(crate) otherwise: Option<Expr>,
}

/// Arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
}

/// What stands between two operands of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

/// Arguments as written.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) positional: Vec<Expr>,
    pub(crate) named: Vec<(Arc<str>, Expr)>,
    pub(crate) star: Option<Expr>,
    pub(crate) double_star: Option<Expr>,
}

/// A filter or a test by name, with its arguments.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) name: Arc<str>,
    pub(crate) arguments: Arguments,
    pub(crate) at: u32,
}

/// Statements in a row.
pub(crate) type Body = Vec<Node>;

/// A statement or a piece of output.
#[derive(Debug)]
pub(crate) enum Node {
    Text(Arc<str>),
    Print(Expr),
    For(Arc<For>),
    If(Vec<(Expr, Body)>, Body),
    Set(Target, Expr),
    SetBlock(Target, Vec<Named>, Body),
    Macro(Arc<Macro>),
    CallBlock(Expr, Arc<Macro>),
    FilterBlock(Vec<Named>, Body),
    Include(Box<Include>),
    Import(Box<Import>),
    FromImport(Box<FromImport>),
    Block(Arc<Block>, u32),
    Extends(Expr),
    With(Vec<(Target, Expr)>, Body),
    /// A body in a scope of its own (`autoescape`, which changes nothing here).
    Scoped(Body),
    Do(Expr),
    Break,
    Continue,
}

/// What is assigned to.
#[derive(Debug)]
pub(crate) enum Target {
    Name(Arc<str>),
    Tuple(Vec<Self>),
    Member(Arc<str>, Arc<str>, u32),
}

/// `for target in source if filter` ...
#[derive(Debug)]
pub(crate) struct For {
    pub(crate) target: Target,
    pub(crate) source: Expr,
    pub(crate) filter: Option<Expr>,
    pub(crate) recursive: bool,
    pub(crate) body: Body,
    pub(crate) otherwise: Body,
}

/// A macro, or the body of a `call` block.
#[derive(Debug)]
pub(crate) struct Macro {
    pub(crate) name: Arc<str>,
    pub(crate) parameters: Vec<(Arc<str>, Option<Expr>)>,
    pub(crate) body: Body,
    pub(crate) takes_varargs: bool,
    pub(crate) takes_kwargs: bool,
    pub(crate) takes_caller: bool,
}

/// A named block of an inheritable template.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) name: Arc<str>,
    pub(crate) body: Body,
    pub(crate) scoped: bool,
    pub(crate) required: bool,
}

/// `include`.
#[derive(Debug)]
pub(crate) struct Include {
    pub(crate) name: Expr,
    pub(crate) ignore_missing: bool,
    pub(crate) with_context: bool,
}

/// `import ... as ...`.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) name: Expr,
    pub(crate) alias: Arc<str>,
    pub(crate) with_context: bool,
}

/// `from ... import ...`.
#[derive(Debug)]
pub(crate) struct FromImport {
    pub(crate) name: Expr,
    pub(crate) names: Vec<(Arc<str>, Arc<str>)>,
    pub(crate) with_context: bool,
}

/// A parsed template.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The text that places in the tree refer to.
    pub(crate) text: Arc<str>,
    pub(crate) body: Body,
    pub(crate) blocks: Vec<Arc<Block>>,
    /// Names whose lists or dictionaries are changed in place somewhere: `name.append(...)`.
    pub(crate) mutated: BTreeSet<Arc<str>>,
    /// How many newlines the text ended with. One of them, and what tags take away, is not in the tree.
    pub(crate) newlines: usize,
    /// A bare expression and not a template.
    pub(crate) is_expression: bool,
    pub(crate) syntax: Arc<Syntax>,
}
