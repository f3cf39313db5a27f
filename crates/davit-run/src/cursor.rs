//! Where one host stands in a play: the next task, and what a failure does to it.
//!
//! A cursor is a stack of frames, one for each block that the host is inside of. It knows nothing
//! of how tasks run; strategies ask it for the [`next`](Cursor::next) task and tell it what came
//! of it.
//!
//! **Invariant:** the [`Place`] of a task orders the tasks of a play as the user reads them, the
//! included ones where they were included. Lock-step strategies run the least place of all hosts.

use std::sync::Arc;

use crate::tree::{Block, Node, Task};

/// Where a task stands in its play: section and index of every block around it, outermost first.
pub(crate) type Place = Vec<u32>;

/// A part of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Section {
    Tasks,
    Rescue,
    Always,
}

#[derive(Clone, Debug)]
struct Frame {
    block: Arc<Block>,
    section: Section,
    index: usize,
    /// A failure that the enclosing block learns of when this one ends.
    failed: bool,
}

/// What a failure led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// A `rescue` section takes over.
    Rescued,
    /// `always` sections may still run; then the host is out.
    Fatal,
}

/// One host's position in the blocks of a play.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    frames: Vec<Frame>,
    failed: bool,
    /// The last task failed, rescued or not: what `any_errors_fatal` looks at.
    failed_now: bool,
}

impl Cursor {
    /// Before the first task of `root`.
    pub(crate) fn new(root: Arc<Block>) -> Self {
        let frame = Frame { block: root, section: Section::Tasks, index: 0, failed: false };
        Self { frames: vec![frame], failed: false, failed_now: false }
    }

    /// The next task and its place; `None` at the end of the play.
    pub(crate) fn next(&mut self) -> Option<(Place, Arc<Task>)> {
        loop {
            let frame = self.frames.last_mut()?;
            match frame.block.section(frame.section).get(frame.index) {
                Some(Node::Task(task)) => {
                    let task = Arc::clone(task);
                    return Some((self.place(), task));
                }
                Some(Node::Block(block)) => {
                    let block = Arc::clone(block);
                    frame.index += 1;
                    self.enter(block);
                }
                None => self.leave_section(),
            }
        }
    }

    /// Moves past the task that [`next`](Self::next) returned.
    pub(crate) fn advance(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.index += 1;
        }
    }

    /// Runs `block` before whatever would have come next: what an include does.
    pub(crate) fn enter(&mut self, block: Arc<Block>) {
        self.frames.push(Frame { block, section: Section::Tasks, index: 0, failed: false });
    }

    /// The task that was just passed failed.
    pub(crate) fn fail(&mut self) -> Failed {
        let rescued = self
            .frames
            .iter()
            .any(|it| it.section == Section::Tasks && !it.block.rescue.is_empty());
        self.fail_top();
        self.failed_now = true;
        if rescued { Failed::Rescued } else { Failed::Fatal }
    }

    /// Takes the innermost block to its `rescue` or `always` section, or out of it.
    fn fail_top(&mut self) {
        while let Some(frame) = self.frames.last_mut() {
            if frame.section == Section::Tasks && !frame.block.rescue.is_empty() {
                frame.section = Section::Rescue;
                frame.index = 0;
                return;
            }
            if frame.section != Section::Always && !frame.block.always.is_empty() {
                frame.section = Section::Always;
                frame.index = 0;
                frame.failed = true;
                return;
            }
            self.frames.pop();
        }
        self.failed = true;
    }

    /// True once a failure was not rescued.
    pub(crate) fn is_failed(&self) -> bool {
        self.failed
    }

    /// Stands where `ahead` does, with the first `keep` tasks of the play still to run.
    pub(crate) fn jump(&mut self, keep: usize, ahead: Self) {
        let mut first = Vec::with_capacity(keep);
        for _ in 0..keep {
            let Some((_, task)) = self.next() else { break };
            first.push(Node::Task(task));
            self.advance();
        }
        *self = ahead;
        if !first.is_empty() {
            self.enter(Arc::new(Block { tasks: first, ..Block::default() }));
        }
    }

    /// True where the last task failed.
    pub(crate) fn has_failed_now(&self) -> bool {
        self.failed_now
    }

    /// The failure of the last task has been looked at.
    pub(crate) fn clear_failed_now(&mut self) {
        self.failed_now = false;
    }

    /// Nothing is left to run.
    pub(crate) fn is_out(&self) -> bool {
        self.frames.is_empty()
    }

    /// How many blocks the host is inside of.
    pub(crate) fn depth(&self) -> usize {
        self.frames.len()
    }

    /// Leaves blocks that are done, down to `depth`; true where a task is left above it.
    pub(crate) fn finish_above(&mut self, depth: usize) -> bool {
        while self.frames.len() > depth {
            let Some(frame) = self.frames.last_mut() else { return false };
            match frame.block.section(frame.section).get(frame.index) {
                Some(Node::Task(_)) => return true,
                Some(Node::Block(block)) => {
                    let block = Arc::clone(block);
                    frame.index += 1;
                    self.enter(block);
                }
                None => self.leave_section(),
            }
        }
        false
    }

    /// Ends the play for this host at once, with no `always` section.
    pub(crate) fn end(&mut self) {
        self.frames.clear();
    }

    /// Leaves every block up to and including the ones for which `inside` holds.
    pub(crate) fn leave_while(&mut self, inside: impl Fn(&Block) -> bool) {
        let Some(first) = self.frames.iter().position(|frame| inside(&frame.block)) else { return };
        self.frames.truncate(first);
    }

    fn leave_section(&mut self) {
        let Some(frame) = self.frames.last_mut() else { return };
        match frame.section {
            Section::Tasks | Section::Rescue => {
                frame.section = Section::Always;
                frame.index = 0;
            }
            Section::Always => {
                let failed = frame.failed;
                self.frames.pop();
                if failed {
                    self.fail_top();
                }
            }
        }
    }

    fn place(&self) -> Place {
        let last = self.frames.len().saturating_sub(1);
        let mut place = Place::with_capacity(self.frames.len() * 2);
        for (at, frame) in self.frames.iter().enumerate() {
            // A frame around another has already moved past the block it is inside of.
            let index = if at == last { frame.index } else { frame.index.saturating_sub(1) };
            place.push(frame.section as u32);
            place.push(frame.block.ordinal(frame.section, index));
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use davit_value::Origin;

    use super::*;
    use crate::tree::{Meta, Parent, Work, implicit};

    /// A task with a name.
    fn task(name: &str) -> Node {
        let origin = Origin { file: "site.yml".into(), line: 1, column: 1 };
        let mut written = implicit("debug", origin);
        written.name = name.into();
        let work = Work::Meta(Meta::Written);
        let parent = Arc::new(Parent::default());
        Node::Task(Arc::new(Task::new(Arc::new(written), work, "debug", &parent)))
    }

    fn tasks(names: &str) -> Vec<Node> {
        names.split_whitespace().map(task).collect()
    }

    fn block(tasks: Vec<Node>, rescue: &str, always: &str) -> Node {
        let (rescue, always) = (self::tasks(rescue), self::tasks(always));
        Node::Block(Arc::new(Block { tasks, rescue, always, ..Block::default() }))
    }

    /// Runs to the end; tasks whose names begin with `x` fail. What ran, and whether it failed.
    fn run(root: Vec<Node>) -> (String, bool) {
        let mut cursor = Cursor::new(Arc::new(Block { tasks: root, ..Block::default() }));
        let mut ran = Vec::new();
        let mut last = None;
        while let Some((place, task)) = cursor.next() {
            assert!(last.is_none_or(|last| last < place), "places go forward");
            last = Some(place);
            cursor.advance();
            let name = task.name().map(davit_value::Value::to_str).unwrap_or_default();
            if name.starts_with('x') {
                cursor.fail();
            }
            ran.push(name);
        }
        (ran.join(" "), cursor.is_failed())
    }

    #[test]
    fn a_failure_without_rescue_runs_what_is_always_run_and_ends() {
        let inner = block(tasks("a x b"), "", "c");
        let mut root = vec![block(vec![inner, task("d")], "", "e")];
        root.extend(tasks("f"));
        assert_eq!(run(root), ("a x c e".into(), true));
    }

    #[test]
    fn the_nearest_rescue_takes_over() {
        let inner = block(tasks("a x b"), "", "c");
        let mut root = vec![block(vec![inner, task("d")], "r", "e")];
        root.extend(tasks("f"));
        assert_eq!(run(root), ("a x c r e f".into(), false));
    }

    #[test]
    fn failures_in_rescue_and_always_are_final() {
        let root = vec![block(tasks("x"), "r x2 s", "e"), task("f")];
        assert_eq!(run(root), ("x r x2 e".into(), true));
        let root = vec![block(tasks("a"), "r", "x e"), task("f")];
        assert_eq!(run(root), ("a x".into(), true));
    }

    #[test]
    fn included_tasks_run_before_the_rest() {
        let mut cursor = Cursor::new(Arc::new(Block { tasks: tasks("a b"), ..Block::default() }));
        let (first, _) = cursor.next().unwrap();
        cursor.advance();
        cursor.enter(Arc::new(Block { tasks: tasks("i"), ..Block::default() }));
        let (included, task) = cursor.next().unwrap();
        assert_eq!(task.name().unwrap().to_str(), "i");
        cursor.advance();
        let (second, _) = cursor.next().unwrap();
        assert!(first < included && included < second);
    }
}
