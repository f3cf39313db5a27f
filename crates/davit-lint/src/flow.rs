//! Tasks that never run.

use davit_playbook::{Item, Task, TaskKind};
use davit_value::{Origin, Value};

use crate::Lint;

/// Warns of what in these lists, one after the other, is behind something that ends the play.
/// `ignored` says that failures do not end anything.
pub(crate) fn check(lint: &Lint<'_>, lists: &[&[Item]], ignored: bool) {
    let mut ended = None;
    for items in lists {
        ended = list(lint, items, ended, ignored, 0);
    }
}

/// One list; gives what ended the play in it, if anything did.
fn list(
    lint: &Lint<'_>,
    items: &[Item],
    before: Option<String>,
    ignored: bool,
    depth: usize,
) -> Option<String> {
    let mut ended = before;
    let mut told = false;
    for item in items {
        if let Some(why) = &ended {
            if !told && !is_meta(item) {
                told = true;
                lint.odd(
                    "unreachable-task",
                    item.origin(),
                    format!("this never runs: {why} comes before it"),
                    None,
                );
            }
            continue;
        }
        match item {
            Item::Task(task) => {
                never(lint, task.keywords.get("when"), &task.origin);
                ended = ends(task, ignored);
            }
            Item::Block(block) => {
                never(lint, block.keywords.get("when"), &block.origin);
                if depth > 50 {
                    continue;
                }
                let ignored = ignored || block.keywords.contains("ignore_errors");
                let open = ["when", "tags", "ignore_errors"]
                    .iter()
                    .any(|name| block.keywords.contains(name));
                let inner = list(lint, &block.block, None, ignored, depth + 1);
                list(lint, &block.rescue, None, ignored, depth + 1);
                list(lint, &block.always, None, ignored, depth + 1);
                ended = inner.filter(|it| !open && (it.starts_with("'meta") || !block.has_rescue));
            }
        }
    }
    ended
}

fn is_meta(item: &Item) -> bool {
    matches!(item, Item::Task(task) if task.kind == TaskKind::Meta)
}

/// What ends the play for every host, said in words.
fn ends(task: &Task, ignored: bool) -> Option<String> {
    let open = ["when", "tags", "ignore_errors", "failed_when", "run_once", "delegate_to"];
    if open.iter().any(|name| task.keywords.contains(name))
        || task.loop_.is_some()
        || task.is_handler
    {
        return None;
    }
    match (task.kind, task.short_action()) {
        (TaskKind::Meta, _) => {
            let what = task.raw_params.as_deref()?.trim();
            matches!(what, "end_play" | "end_host" | "end_batch").then(|| format!("'meta: {what}'"))
        }
        (TaskKind::Action, "fail") if !ignored => {
            Some(format!("'fail' in line {}", task.origin.line))
        }
        _ => None,
    }
}

/// Warns of a condition that is written as false.
fn never(lint: &Lint<'_>, when: Option<&Value>, at: &Origin) {
    let is_false = |value: &Value| match value {
        Value::Bool(bool) => !bool,
        Value::Str(text) => matches!(text.trim(), "false" | "False"),
        _ => false,
    };
    let never = match when {
        Some(Value::List(items)) => items.iter().any(is_false),
        Some(value) => is_false(value),
        None => false,
    };
    if never {
        lint.odd("unreachable-task", at, "this never runs: its condition is false", None);
    }
}
