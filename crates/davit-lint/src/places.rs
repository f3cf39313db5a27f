//! Where keys and values are written: values remember their place, keys do not.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use davit_playbook::Loader;
use davit_value::Origin;
use davit_yaml::{Kind, Node, Place, Style};

/// A key of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) value: Place,
}

/// The places of one file.
#[derive(Debug, Default)]
pub(crate) struct Source {
    lines: Vec<String>,
    mappings: HashMap<Place, Vec<Key>>,
    sequences: HashMap<Place, Vec<Place>>,
    scalars: HashMap<Place, (Style, Place)>,
}

/// The places of every file that was asked about.
pub(crate) struct Sources<'l> {
    loader: &'l Loader,
    files: RefCell<HashMap<Arc<str>, Rc<Source>>>,
}

impl Source {
    fn read(text: &str, file: &Arc<str>) -> Self {
        let mut out = Self { lines: text.lines().map(str::to_owned).collect(), ..Self::default() };
        if let Ok(Some(node)) = davit_yaml::parse(text, file) {
            out.index(&node);
        }
        out
    }

    fn index(&mut self, node: &Node) {
        match &node.kind {
            Kind::Scalar { style, .. } => {
                self.scalars.insert(node.place, (*style, node.end));
            }
            Kind::Sequence(items) => {
                self.sequences.insert(node.place, items.iter().map(|it| it.place).collect());
                items.iter().for_each(|it| self.index(it));
            }
            Kind::Mapping(entries) => {
                let keys = entries.iter().filter_map(|(key, value)| {
                    let name = key.as_text()?.to_owned();
                    Some(Key { name, place: key.place, value: value.place })
                });
                let keys = keys.collect();
                self.mappings.insert(node.place, keys);
                for (key, value) in entries {
                    self.index(key);
                    self.index(value);
                }
            }
        }
    }

    fn line(&self, number: u32) -> &str {
        let at = usize::try_from(number).unwrap_or(0);
        at.checked_sub(1).and_then(|at| self.lines.get(at)).map_or("", String::as_str)
    }

    /// The first `word` at or after `from`, up to the line `last`.
    fn find(&self, word: &str, from: Place, last: u32) -> Option<Place> {
        if word.is_empty() {
            return None;
        }
        let is_part = |it: char| it.is_alphanumeric() || it == '_';
        for number in from.line..=last.max(from.line) {
            let line = self.line(number);
            let skip = if number == from.line { from.column.saturating_sub(1) } else { 0 };
            let start = line
                .char_indices()
                .nth(usize::try_from(skip).unwrap_or(0))
                .map_or(line.len(), |(at, _)| at);
            for (at, _) in line.get(start..).unwrap_or_default().match_indices(word) {
                let at = start + at;
                let before = line.get(..at).and_then(|it| it.chars().next_back());
                let after = line.get(at + word.len()..).and_then(|it| it.chars().next());
                let inner = word.chars().next().is_some_and(is_part) && before.is_some_and(is_part);
                let longer =
                    word.chars().next_back().is_some_and(is_part) && after.is_some_and(is_part);
                if !inner && !longer {
                    let column = line.get(..at).map_or(0, |it| it.chars().count()) + 1;
                    return Some(Place {
                        line: number,
                        column: u32::try_from(column).unwrap_or(u32::MAX),
                    });
                }
            }
            if number - from.line > 500 {
                break;
            }
        }
        None
    }
}

impl<'l> Sources<'l> {
    pub(crate) fn new(loader: &'l Loader) -> Self {
        Self { loader, files: RefCell::default() }
    }

    fn get(&self, file: &Arc<str>) -> Rc<Source> {
        if let Some(found) = self.files.borrow().get(file) {
            return Rc::clone(found);
        }
        let text = self.loader.text(std::path::Path::new(&**file)).unwrap_or_default();
        let source = Rc::new(Source::read(&text, file));
        self.files.borrow_mut().insert(Arc::clone(file), Rc::clone(&source));
        source
    }

    /// The keys of the mapping that begins at `at`.
    pub(crate) fn keys(&self, at: &Origin) -> Vec<Key> {
        self.get(&at.file).mappings.get(&place(at)).cloned().unwrap_or_default()
    }

    /// The key `name` of the mapping at `at`; of doubles the last.
    pub(crate) fn key(&self, at: &Origin, name: &str) -> Option<Key> {
        let source = self.get(&at.file);
        source.mappings.get(&place(at))?.iter().rev().find(|it| it.name == name).cloned()
    }

    /// The places of the items of the sequence at `at`.
    pub(crate) fn items(&self, at: &Origin) -> Vec<Origin> {
        let source = self.get(&at.file);
        let items = source.sequences.get(&place(at)).cloned().unwrap_or_default();
        items.into_iter().map(|it| moved(at, it)).collect()
    }

    /// The first `word` after `at`, within the scalar there; `at` where there is none.
    pub(crate) fn word(&self, at: &Origin, word: &str) -> Origin {
        self.find(at, word).unwrap_or_else(|| at.clone())
    }

    /// The first `word` after `at`, within the scalar there.
    pub(crate) fn find(&self, at: &Origin, word: &str) -> Option<Origin> {
        let source = self.get(&at.file);
        let last = source.scalars.get(&place(at)).map_or(at.line, |(_, end)| end.line);
        source.find(word, place(at), last).map(|found| moved(at, found))
    }

    /// Where `line` and `column` of a text that is written at `at` are in its file; `word` stands there.
    pub(crate) fn within(&self, at: &Origin, line: u32, column: u32, word: &str) -> Origin {
        let source = self.get(&at.file);
        let Some((style, end)) = source.scalars.get(&place(at)) else { return at.clone() };
        let shift = |by: u32| at.column.saturating_add(by).saturating_add(column).saturating_sub(1);
        let guess = match style {
            Style::Plain => Place { line: at.line.saturating_add(line) - 1, column: shift(0) },
            Style::SingleQuoted | Style::DoubleQuoted => {
                Place { line: at.line.saturating_add(line) - 1, column: shift(1) }
            }
            Style::Literal | Style::Folded => {
                let number = at.line.saturating_add(line);
                let first = source.line(at.line.saturating_add(1));
                let indent = first.len() - first.trim_start().len();
                let indent = u32::try_from(indent).unwrap_or(0);
                Place { line: number, column: indent.saturating_add(column) }
            }
        };
        let there = |it: Place| {
            let skip = usize::try_from(it.column.saturating_sub(1)).unwrap_or(0);
            let line = source.line(it.line);
            line.char_indices()
                .nth(skip)
                .and_then(|(at, _)| line.get(at..))
                .is_some_and(|it| it.starts_with(word))
        };
        let inside = guess.line <= end.line && (word.is_empty() || there(guess));
        if inside {
            return moved(at, guess);
        }
        source.find(word, place(at), end.line).map_or_else(|| at.clone(), |found| moved(at, found))
    }
}

fn place(at: &Origin) -> Place {
    Place { line: at.line, column: at.column }
}

/// Another place in the same file.
pub(crate) fn moved(at: &Origin, to: Place) -> Origin {
    Origin { file: Arc::clone(&at.file), line: to.line, column: to.column }
}
