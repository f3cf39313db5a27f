//! Tokens to trees. The shape of the grammar and the wording of its errors are Jinja2's.
//!
//! It knows no filter and no variable: what a name means is found out when it is used.

mod expression;
mod statement;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ast::{Block, Node, Tree};
use crate::lexer::{self, Failure, Kind, Syntax, Token};

/// How deep expressions and statements may be nested. Trees are walked by recursion, on a stack that grows.
const MAX_DEPTH: usize = 400;
/// How many operators may follow one another in a row.
const MAX_CHAIN: usize = 2_000;

/// Which statements there are besides Jinja2's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Extensions {
    pub(crate) do_statement: bool,
    pub(crate) loop_controls: bool,
}

pub(crate) struct Parser {
    tokens: Vec<Token>,
    place: usize,
    depth: usize,
    extensions: Extensions,
    blocks: Vec<Arc<Block>>,
    mutated: BTreeSet<Arc<str>>,
    /// The tags that are open, and what would close each of them.
    tag_stack: Vec<&'static str>,
    end_stack: Vec<&'static [&'static str]>,
    /// How often `varargs`, `kwargs` and `caller` have been read.
    specials: [usize; 3],
}

type Parsed<T> = Result<T, Failure>;

/// Parses a template.
pub(crate) fn template(
    text: &str,
    syntax: &Arc<Syntax>,
    extensions: Extensions,
) -> Result<Tree, (Failure, Arc<str>)> {
    let normal = lexer::normalize(text, syntax);
    let newlines = match syntax.keep_trailing_newline || syntax.drops_newline {
        true => 0,
        false => text.len() - text.trim_end_matches('\n').len(),
    };
    let normal: Arc<str> = Arc::from(normal.as_ref());
    let parse = || {
        let mut parser = Parser::new(lexer::template_tokens(&normal, syntax)?, extensions);
        let body = parser.body(&[])?;
        Ok((body, parser))
    };
    match parse() {
        Ok((body, parser)) => Ok(Tree {
            body,
            blocks: parser.blocks,
            mutated: parser.mutated,
            newlines,
            is_expression: false,
            syntax: Arc::clone(syntax),
            text: normal,
        }),
        Err(failure) => Err((failure, normal)),
    }
}

/// Parses a bare expression, as conditionals have it.
pub(crate) fn expression(
    text: &str,
    syntax: &Arc<Syntax>,
    extensions: Extensions,
) -> Result<Tree, Failure> {
    let mut parser = Parser::new(lexer::expression_tokens(text, syntax)?, extensions);
    let expr = parser.expression()?;
    if *parser.peek() != Kind::End {
        return Err(Failure::new("chunk after expression", parser.at()));
    }
    Ok(Tree {
        text: text.into(),
        body: vec![Node::Print(expr)],
        blocks: Vec::new(),
        mutated: parser.mutated,
        newlines: 0,
        is_expression: true,
        syntax: Arc::clone(syntax),
    })
}

impl Parser {
    fn new(tokens: Vec<Token>, extensions: Extensions) -> Self {
        Self {
            tokens,
            place: 0,
            depth: 0,
            extensions,
            blocks: Vec::new(),
            mutated: BTreeSet::new(),
            tag_stack: Vec::new(),
            end_stack: Vec::new(),
            specials: [0; 3],
        }
    }

    fn peek(&self) -> &Kind {
        self.tokens.get(self.place).map_or(&Kind::End, |token| &token.kind)
    }

    fn peek_second(&self) -> &Kind {
        self.tokens.get(self.place + 1).map_or(&Kind::End, |token| &token.kind)
    }

    fn at(&self) -> u32 {
        self.tokens.get(self.place).or(self.tokens.last()).map_or(0, |token| token.at)
    }

    fn next(&mut self) -> Kind {
        let kind = self.tokens.get(self.place).map_or(Kind::End, |token| token.kind.clone());
        self.place += 1;
        kind
    }

    fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err(Failure::new(message, self.at()))
    }

    fn is_op(&self, op: &str) -> bool {
        matches!(self.peek(), Kind::Op(it) if *it == op)
    }

    fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Kind::Name(it) if &**it == name)
    }

    fn skip_op(&mut self, op: &str) -> bool {
        let is = self.is_op(op);
        self.place += usize::from(is);
        is
    }

    fn skip_name(&mut self, name: &str) -> bool {
        let is = self.is_name(name);
        self.place += usize::from(is);
        is
    }

    fn unexpected<T>(&self, wanted: &str) -> Parsed<T> {
        match self.peek() {
            Kind::End => self.fail(format!("unexpected end of template, expected '{wanted}'.")),
            kind => {
                self.fail(format!("expected token '{wanted}', got {}", quoted(kind.describe())))
            }
        }
    }

    fn expect_op(&mut self, op: &str) -> Parsed<()> {
        if self.skip_op(op) { Ok(()) } else { self.unexpected(op) }
    }

    fn expect_keyword(&mut self, name: &str) -> Parsed<()> {
        if self.skip_name(name) { Ok(()) } else { self.unexpected(name) }
    }

    fn expect_name(&mut self) -> Parsed<Arc<str>> {
        match self.peek() {
            Kind::Name(name) => {
                let name = Arc::clone(name);
                self.place += 1;
                Ok(name)
            }
            _ => self.unexpected("name"),
        }
    }

    fn expect_block_end(&mut self) -> Parsed<()> {
        if *self.peek() == Kind::BlockEnd {
            self.place += 1;
            return Ok(());
        }
        self.unexpected("end of statement block")
    }

    /// Runs `parse` one level deeper, on a stack that grows where it has to.
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return self.fail("the template is nested too deeply");
        }
        self.depth += 1;
        let result =
            stacker::maybe_grow(crate::limits::RED_ZONE, crate::limits::STACK, || parse(self));
        self.depth -= 1;
        result
    }
}

/// A text as Python's `repr` quotes it, near enough for token names.
fn quoted(text: &str) -> String {
    davit_value::Value::from(text).repr()
}
