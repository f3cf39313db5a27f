//! Lists of tasks and blocks.

use std::sync::Arc;

use davit_value::{Map, Origin, Value};
use davit_yaml::{Kind, Node};

use crate::context::Context;
use crate::keyword::{Keywords, Owner};
use crate::task::task;
use crate::{Error, Task};

/// An entry of a list of tasks.
#[derive(Clone, Debug)]
pub enum Item {
    /// A task.
    Task(Arc<Task>),
    /// A block of tasks.
    Block(Arc<Block>),
}

/// `block`, `rescue` and `always` with what holds for all of them.
#[derive(Clone, Debug)]
pub struct Block {
    /// Where it begins.
    pub origin: Origin,
    /// Its `name`, not rendered; null where there is none.
    pub name: Value,
    /// What is run.
    pub block: Vec<Item>,
    /// What is run when that failed.
    pub rescue: Vec<Item>,
    /// What is run in any case.
    pub always: Vec<Item>,
    /// `rescue` is written, even if it is empty.
    pub has_rescue: bool,
    /// `always` is written, even if it is empty.
    pub has_always: bool,
    /// `vars`.
    pub vars: Map,
    /// Every other keyword.
    pub keywords: Keywords,
}

impl Item {
    /// Where it begins.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        match self {
            Self::Task(task) => &task.origin,
            Self::Block(block) => &block.origin,
        }
    }

    /// Calls `see` with every task in it, in the order written.
    pub fn each_task(&self, see: &mut impl FnMut(&Arc<Task>)) {
        match self {
            Self::Task(task) => see(task),
            Self::Block(block) => {
                for item in block.block.iter().chain(&block.rescue).chain(&block.always) {
                    item.each_task(see);
                }
            }
        }
    }
}

/// Reads the sequence `node` as tasks and blocks; `section` names it in messages, `owner` is where
/// mistakes about the whole are reported.
pub(crate) fn items(
    at: &Context<'_>,
    node: &Node,
    section: &str,
    owner: &Node,
    handlers: bool,
) -> Result<Vec<Item>, Error> {
    let value = at.value(node)?;
    match &node.kind {
        Kind::Sequence(nodes) => entries(at, nodes, handlers),
        _ if value.is_null() => Ok(Vec::new()),
        _ => Err(at.invalid(
            owner,
            format!(
                "A malformed block was encountered while loading {section}: {} should be a list or None but is <class '{}'>",
                value.to_str(),
                value.type_name()
            ),
        )),
    }
}

pub(crate) fn entries(
    at: &Context<'_>,
    nodes: &[Node],
    handlers: bool,
) -> Result<Vec<Item>, Error> {
    let mut out = Vec::with_capacity(nodes.len());
    for node in nodes {
        match item(at, node, handlers) {
            Ok(item) => out.extend(item),
            Err(error) => at.forgive(error)?,
        }
    }
    Ok(out)
}

fn item(at: &Context<'_>, node: &Node, handlers: bool) -> Result<Option<Item>, Error> {
    let Kind::Mapping(_) = &node.kind else {
        let value = at.value(node)?;
        if value.is_null() {
            return Ok(None);
        }
        let list = Value::list(vec![value]).repr();
        return Err(at.invalid(
            node,
            format!(
                "A malformed block was encountered while loading a block: The ds ({list}) should be a dict but was a <class 'list'>"
            ),
        ));
    };
    let is_block = ["block", "rescue", "always"].iter().any(|name| node.get(name).is_some());
    Ok(Some(if is_block {
        Item::Block(Arc::new(block(at, node, handlers)?))
    } else {
        Item::Task(Arc::new(task(at, node, handlers)?))
    }))
}

fn block(at: &Context<'_>, node: &Node, handlers: bool) -> Result<Block, Error> {
    let entries = at.entries(node, Owner::Block.name())?;
    let has = |name: &str| entries.iter().any(|entry| entry.key == name);
    if !has("block") {
        let section = if has("rescue") { "rescue" } else { "always" };
        return Err(at.invalid(node, format!("'{section}' keyword cannot be used without 'block'")));
    }
    let mut out = Block {
        origin: at.origin(node.place),
        name: Value::Null,
        block: Vec::new(),
        rescue: Vec::new(),
        always: Vec::new(),
        has_rescue: has("rescue"),
        has_always: has("always"),
        vars: Map::new(),
        keywords: Keywords::default(),
    };
    // Unknown keys first: a misspelt section would otherwise show as its tasks' mistakes.
    for entry in &entries {
        match entry.key {
            "block" | "rescue" | "always" => {}
            "name" => out.name = at.keyword(entry, Owner::Block, node)?.value,
            "vars" => out.vars = at.vars(entry.value, Owner::Block)?,
            _ => at.take(&mut out.keywords, entry, Owner::Block, node)?,
        }
    }
    for entry in &entries {
        let section = match entry.key {
            "block" => &mut out.block,
            "rescue" => &mut out.rescue,
            "always" => &mut out.always,
            _ => continue,
        };
        *section = self::section(at, entry.value, entry.key, node, handlers)?;
    }
    Ok(out)
}

fn section(
    at: &Context<'_>,
    node: &Node,
    name: &str,
    owner: &Node,
    handlers: bool,
) -> Result<Vec<Item>, Error> {
    if let Kind::Sequence(nodes) = &node.kind {
        return entries(at, nodes, handlers);
    }
    let value = at.value(node)?;
    let what = if name == "block" { "a block" } else { name };
    Err(at.invalid(
        owner,
        format!(
            "A malformed block was encountered while loading {what}: The ds ({}) should be a list but was a <class '{}'>",
            value.to_str(),
            value.type_name()
        ),
    ))
}
