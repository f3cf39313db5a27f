//! Compiled templates and the tables of filters, tests and lookups.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use davit_yaml::Duplicates;

use crate::ast::Tree;
use crate::eval::Unit;
use crate::lexer::Syntax;
use crate::parser::{self, Extensions};
use crate::{Error, ErrorKind, Function, filters, lookups, tests};

/// How an [`Engine`] reads templates.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Extra statements: `jinja2.ext.do`, `jinja2.ext.loopcontrols`.
    pub extensions: Vec<String>,
    /// Conditionals may be other than boolean (with a warning).
    pub allow_broken_conditionals: bool,
    /// What `from_yaml` does with a mapping that has a key twice.
    pub duplicates: Duplicates,
    /// Names of lookups that are not this crate's own: [`Outside::lookups`](crate::Outside::lookups)
    /// answers them.
    pub lookups: Vec<&'static str>,
    /// How many compiled templates are kept.
    pub cache_size: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            extensions: Vec::new(),
            allow_broken_conditionals: false,
            duplicates: Duplicates::default(),
            lookups: Vec::new(),
            cache_size: 20_000,
        }
    }
}

/// What a name in a template may be the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Filter,
    Test,
    Lookup,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Test => "test",
            Self::Lookup => "lookup",
        }
    }
}

/// Collections whose plugins go by their short names here.
const COLLECTIONS: &[&str] = &[
    "ansible.builtin.",
    "ansible.legacy.",
    "ansible.netcommon.",
    "ansible.posix.",
    "ansible.utils.",
    "community.general.",
];

/// One way of reading templates, and what has been read that way.
type Shelf = HashMap<Arc<str>, Arc<Tree>>;

/// Compiled templates and the tables of filters, tests and lookups. Shared between threads.
pub struct Engine {
    settings: Settings,
    extensions: Extensions,
    inline: Arc<Syntax>,
    expressions: Arc<Syntax>,
    compiled: RwLock<HashMap<(Arc<Syntax>, bool), Shelf>>,
    tables: [HashMap<&'static str, Function>; 3],
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let has = |name: &str| {
            settings
                .extensions
                .iter()
                .any(|it| it == name || it.strip_prefix("jinja2.ext.") == Some(name))
        };
        let extensions = Extensions { do_statement: has("do"), loop_controls: has("loopcontrols") };
        Self {
            extensions,
            settings,
            inline: Arc::new(Syntax { trim_blocks: true, ..Syntax::default() }),
            expressions: Arc::new(Syntax { escapes: true, ..Syntax::default() }),
            compiled: RwLock::default(),
            tables: [
                filters::FILTERS.iter().copied().collect(),
                tests::TESTS.iter().copied().collect(),
                lookups::LOOKUPS.iter().copied().collect(),
            ],
        }
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// True where a filter of that name (short or qualified) exists.
    #[must_use]
    pub fn has_filter(&self, name: &str) -> bool {
        self.find(Kind::Filter, name).is_some()
    }

    /// True where a test of that name exists.
    #[must_use]
    pub fn has_test(&self, name: &str) -> bool {
        self.find(Kind::Test, name).is_some()
    }

    /// True where a lookup of that name exists.
    #[must_use]
    pub fn has_lookup(&self, name: &str) -> bool {
        self.find(Kind::Lookup, name).is_some() || self.is_outside(name)
    }

    /// True where a lookup of that name is answered from outside.
    pub(crate) fn is_outside(&self, name: &str) -> bool {
        self.settings.lookups.contains(&name)
    }

    /// The names of every filter, sorted.
    #[must_use]
    pub fn filters(&self) -> Vec<&'static str> {
        self.names(Kind::Filter)
    }

    /// The names of every test, sorted.
    #[must_use]
    pub fn tests(&self) -> Vec<&'static str> {
        self.names(Kind::Test)
    }

    /// The names of every lookup, sorted.
    #[must_use]
    pub fn lookups(&self) -> Vec<&'static str> {
        self.names(Kind::Lookup)
    }

    fn names(&self, kind: Kind) -> Vec<&'static str> {
        let mut names: Vec<&str> = self.table(kind).keys().copied().collect();
        if kind == Kind::Lookup {
            names.extend(&self.settings.lookups);
        }
        names.sort_unstable();
        names
    }

    fn table(&self, kind: Kind) -> &HashMap<&'static str, Function> {
        &self.tables[kind as usize]
    }

    /// The function behind a name.
    pub(crate) fn find(&self, kind: Kind, name: &str) -> Option<Function> {
        let table = self.table(kind);
        if let Some(function) = table.get(name) {
            return Some(*function);
        }
        COLLECTIONS.iter().find_map(|collection| table.get(name.strip_prefix(collection)?).copied())
    }

    /// The error for a name that nothing has, with the nearest that there is.
    pub(crate) fn no_such(&self, kind: Kind, name: &str) -> Error {
        let nearest = nearest(name, self.names(kind).into_iter());
        let error = match kind {
            Kind::Lookup => {
                Error::new(ErrorKind::Plugin, format!("The lookup plugin '{name}' was not found."))
            }
            _ => Error::new(ErrorKind::Syntax, format!("No {} named '{name}'.", kind.word())),
        };
        error.about(name, nearest)
    }

    /// A template inside a value, parsed.
    pub(crate) fn inline(&self, text: &str) -> Result<Unit, Error> {
        self.compile(text, &self.inline, false).map(Unit::bare)
    }

    /// An expression without delimiters, parsed.
    pub(crate) fn bare_expression(&self, text: &str) -> Result<Unit, Error> {
        self.compile(text, &self.expressions, true).map(Unit::bare)
    }

    /// Parses, or finds what was parsed before.
    pub(crate) fn compile(
        &self,
        text: &str,
        syntax: &Arc<Syntax>,
        is_expression: bool,
    ) -> Result<Arc<Tree>, Error> {
        let key = (Arc::clone(syntax), is_expression);
        let known = self.compiled.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(tree) = known.get(&key).and_then(|shelf| shelf.get(text)) {
            return Ok(Arc::clone(tree));
        }
        drop(known);
        let tree = Arc::new(self.parse(text, syntax, is_expression)?);
        let mut known = self.compiled.write().unwrap_or_else(PoisonError::into_inner);
        if known.values().map(HashMap::len).sum::<usize>() >= self.settings.cache_size {
            known.clear();
        }
        known.entry(key).or_default().insert(text.into(), Arc::clone(&tree));
        Ok(tree)
    }

    fn parse(&self, text: &str, syntax: &Arc<Syntax>, is_expression: bool) -> Result<Tree, Error> {
        let (failure, normal) = if is_expression {
            match parser::expression(text, syntax, self.extensions) {
                Ok(tree) => return Ok(tree),
                Err(failure) => (failure, Arc::from(text)),
            }
        } else {
            match parser::template(text, syntax, self.extensions) {
                Ok(tree) => return Ok(tree),
                Err((failure, normal)) => (failure, normal),
            }
        };
        let at = failure.at;
        let error = failure.into_error();
        let error = if is_expression {
            error.in_expression(text.contains("{{") || text.contains("{%"))
        } else {
            error
        };
        Err(Unplaced { error, text: normal, at }.into_error())
    }
}

/// A syntax error before it is known where its template was written.
struct Unplaced {
    error: Error,
    text: Arc<str>,
    at: u32,
}

impl Unplaced {
    fn into_error(self) -> Error {
        let (line, column) = crate::eval::place_in(&self.text, self.at);
        let expression = self
            .text
            .lines()
            .nth(line.saturating_sub(1) as usize)
            .unwrap_or_default()
            .trim()
            .to_owned();
        self.error.at(None, line, Some(column), &expression)
    }
}

/// The name nearest to `name` that a person may have meant.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut best: Option<(f64, &str)> = None;
    for candidate in names {
        if candidate == name {
            continue;
        }
        let score = strsim::jaro_winkler(name, candidate);
        if score >= 0.8 && best.is_none_or(|(best, _)| score > best) {
            best = Some((score, candidate));
        }
    }
    let (_, candidate) = best?;
    // Near by letters, not only by their beginning.
    (strsim::damerau_levenshtein(name, candidate) <= 1 + name.chars().count() / 3)
        .then(|| candidate.to_owned())
}
