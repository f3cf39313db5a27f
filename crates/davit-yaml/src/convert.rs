//! Nodes as values: what PyYAML's safe loader builds, with the tags of playbooks.

use std::fmt;
use std::sync::Arc;

use davit_value::{Key, Map, Mark, Origin, Str, Value};

use crate::construct;
use crate::scalar::{Implicit, resolve};
use crate::{Error, Kind, Node, Place, Style, hint, parse, parse_all};

/// What to do with a mapping that has a key twice. The last one counts in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duplicates {
    /// Say so.
    #[default]
    Warn,
    /// Refuse.
    Error,
    /// Nothing.
    Ignore,
}

/// Which strings remember where they were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// Those that could be templates.
    #[default]
    Templates,
    /// All.
    All,
    /// None.
    Nothing,
}

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warned {
    /// A key stands twice in a mapping.
    Duplicate,
    /// A tag is going away.
    Deprecated,
}

/// Something odd that does not stop the reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What it is about.
    pub kind: Warned,
    /// What is odd: `Found duplicate mapping key 'a'.`
    pub message: String,
    /// What follows from it, or what to do.
    pub help: String,
    /// Where.
    pub origin: Origin,
}

/// How nodes become values.
#[derive(Clone, Copy, Default)]
pub struct Convert<'w> {
    /// The user wrote the text: its strings may be rendered as templates.
    pub trusted: bool,
    /// Which strings remember their place.
    pub origins: Origins,
    /// What to do about a key that is there twice.
    pub duplicates: Duplicates,
    /// Where warnings go.
    pub warn: Option<&'w dyn Fn(Warning)>,
}

impl fmt::Debug for Convert<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Convert")
            .field("trusted", &self.trusted)
            .field("origins", &self.origins)
            .field("duplicates", &self.duplicates)
            .finish_non_exhaustive()
    }
}

/// Reads the one document of `text` as a value; null where there is none.
///
/// # Errors
/// Where the text is not YAML, or has something that is not a value.
pub fn load(text: &str, file: &Arc<str>, convert: &Convert<'_>) -> Result<Value, Error> {
    match parse(text, file)? {
        Some(node) => convert.value(&node, file, text),
        None => Ok(Value::Null),
    }
}

/// Reads every document of `text`.
///
/// # Errors
/// As [`load`].
pub fn load_all(text: &str, file: &Arc<str>, convert: &Convert<'_>) -> Result<Vec<Value>, Error> {
    parse_all(text, file)?.iter().map(|node| convert.value(node, file, text)).collect()
}

impl<'w> Convert<'w> {
    /// For a text that the user wrote: every string is trusted and knows its place.
    #[must_use]
    pub fn trusted() -> Self {
        Self { trusted: true, origins: Origins::All, ..Self::default() }
    }

    /// The same, with `warn` for warnings.
    #[must_use]
    pub fn warning(self, warn: &'w dyn Fn(Warning)) -> Self {
        Self { warn: Some(warn), ..self }
    }

    /// The value of `node`, which was read from `text` of `file`.
    ///
    /// # Errors
    /// For an unknown tag, a key that cannot be one, a date that does not exist.
    pub fn value(&self, node: &Node, file: &Arc<str>, text: &str) -> Result<Value, Error> {
        Conversion { convert: self, file, text }.value(node, self.trusted)
    }

    /// The entries of the mapping `node` with what `<<` brings in, as [`value`](Self::value) sees
    /// them: of a key that is there twice, the last. Empty where `node` is no mapping.
    ///
    /// # Errors
    /// Where `<<` stands for something that is no mapping.
    pub fn entries<'n>(
        &self,
        node: &'n Node,
        file: &Arc<str>,
        text: &str,
    ) -> Result<Vec<(&'n Node, &'n Node)>, Error> {
        let Some(entries) = node.as_mapping() else { return Ok(Vec::new()) };
        let conversion = Conversion { convert: self, file, text };
        let mut out: Vec<(&Node, &Node)> = Vec::with_capacity(entries.len());
        for (key, value) in conversion.flatten(entries)? {
            let same = |it: &&mut (&Node, &Node)| {
                it.0.as_text().is_some() && it.0.as_text() == key.as_text()
            };
            match out.iter_mut().find(same) {
                Some(entry) => *entry = (key, value),
                None => out.push((key, value)),
            }
        }
        Ok(out)
    }
}

pub(crate) struct Conversion<'c> {
    convert: &'c Convert<'c>,
    file: &'c Arc<str>,
    text: &'c str,
}

impl Conversion<'_> {
    fn origin(&self, place: Place) -> Origin {
        Origin { file: Arc::clone(self.file), line: place.line, column: place.column }
    }

    /// An error at `place`, explained by the usual mistake where the line shows one.
    pub(crate) fn error(&self, place: Place, problem: impl Into<String>) -> Error {
        let mut error = Error::new(self.file, Some(self.text), Some(place), problem);
        hint::explain(&mut error, self.text);
        error
    }

    /// An error in Python's own words, without the guesses.
    pub(crate) fn refusal(&self, place: Place, problem: impl Into<String>) -> Error {
        Error::new(self.file, Some(self.text), Some(place), problem)
    }

    pub(crate) fn warn(&self, kind: Warned, place: Place, message: String, help: &str) {
        if let Some(warn) = self.convert.warn {
            warn(Warning { kind, message, help: help.to_owned(), origin: self.origin(place) });
        }
    }

    pub(crate) fn value(&self, node: &Node, trusted: bool) -> Result<Value, Error> {
        match node.tag.as_deref() {
            None => self.untagged(node, trusted),
            Some(tag) => construct::tagged(self, node, tag, trusted),
        }
    }

    fn untagged(&self, node: &Node, trusted: bool) -> Result<Value, Error> {
        match &node.kind {
            Kind::Scalar { text, style: Style::Plain } => match resolve(text) {
                Implicit::Str => Ok(self.string(text, node.place, trusted)),
                implicit => construct::implicit(self, node, text, implicit),
            },
            Kind::Scalar { text, .. } => Ok(self.string(text, node.place, trusted)),
            Kind::Sequence(items) => self.sequence(items, trusted),
            Kind::Mapping(entries) => self.mapping(entries, trusted),
        }
    }

    pub(crate) fn string(&self, text: &str, place: Place, trusted: bool) -> Value {
        if !trusted {
            return Value::from(text);
        }
        let wanted = match self.convert.origins {
            Origins::All => true,
            Origins::Templates => text.contains('{'),
            Origins::Nothing => false,
        };
        Value::Str(Str::trusted(text, wanted.then(|| self.origin(place))))
    }

    pub(crate) fn vault(&self, text: &str, place: Place) -> Value {
        let mark =
            Mark { origin: Some(self.origin(place)), trusted: self.convert.trusted, vault: true };
        Value::Str(Str::marked(text, mark))
    }

    pub(crate) fn sequence(&self, items: &[Node], trusted: bool) -> Result<Value, Error> {
        let items: Result<Vec<_>, _> = items.iter().map(|item| self.value(item, trusted)).collect();
        items.map(Value::list)
    }

    pub(crate) fn mapping(&self, entries: &[(Node, Node)], trusted: bool) -> Result<Value, Error> {
        let mut map = Map::new();
        for (key_node, value_node) in self.flatten(entries)? {
            let key = self.key(key_node, trusted)?;
            // The key comes first, as its mistakes are to be reported first.
            let value = self.value(value_node, trusted)?;
            if map.get_key(&key).is_some() {
                self.duplicate(&key, key_node.place)?;
            }
            map.insert(key, value);
        }
        Ok(Value::from(map))
    }

    pub(crate) fn key(&self, node: &Node, trusted: bool) -> Result<Key, Error> {
        if node.tag.is_none() && node.as_text() == Some("=") {
            return Ok(Key::from("="));
        }
        let unhashable =
            || self.error(node.place, "While constructing a mapping found unhashable key.");
        // A collection is none whatever is in it, so its own mistakes do not come first.
        if node.tag.is_none() && node.as_text().is_none() {
            return Err(unhashable());
        }
        Key::from_value(&self.value(node, trusted)?).ok_or_else(unhashable)
    }

    fn duplicate(&self, key: &Key, place: Place) -> Result<(), Error> {
        let message = format!("Found duplicate mapping key {}.", key.to_value().repr());
        match self.convert.duplicates {
            Duplicates::Ignore => Ok(()),
            Duplicates::Error => Err(self.refusal(place, message)),
            Duplicates::Warn => {
                self.warn(Warned::Duplicate, place, message, "Using last defined value only.");
                Ok(())
            }
        }
    }

    /// The entries with what `<<` brings in, which comes first so that own keys win.
    fn flatten<'n>(&self, entries: &'n [(Node, Node)]) -> Result<Vec<(&'n Node, &'n Node)>, Error> {
        let is_merge = |key: &Node| match (&key.tag, &key.kind) {
            (None, Kind::Scalar { text, style: Style::Plain }) => text == "<<",
            (Some(tag), _) => tag == "tag:yaml.org,2002:merge",
            _ => false,
        };
        let mut merged = Vec::new();
        let mut own = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            if !is_merge(key) {
                own.push((key, value));
                continue;
            }
            match &value.kind {
                Kind::Mapping(entries) => merged.extend(self.flatten(entries)?),
                Kind::Sequence(items) => {
                    for item in items.iter().rev() {
                        let Kind::Mapping(entries) = &item.kind else {
                            let what = kind_name(item);
                            return Err(self.error(item.place, format!(
                                "While constructing a mapping expected a mapping for merging, but found {what}."
                            )));
                        };
                        merged.extend(self.flatten(entries)?);
                    }
                }
                Kind::Scalar { .. } => {
                    return Err(self.error(
                        value.place,
                        "While constructing a mapping expected a mapping or list of mappings for merging, but found scalar.",
                    ));
                }
            }
        }
        merged.append(&mut own);
        Ok(merged)
    }
}

/// What PyYAML calls the kind of `node`.
pub(crate) fn kind_name(node: &Node) -> &'static str {
    match node.kind {
        Kind::Scalar { .. } => "scalar",
        Kind::Sequence(_) => "sequence",
        Kind::Mapping(_) => "mapping",
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn read(text: &str) -> String {
        match load(text, &Arc::from("f.yml"), &Convert::trusted()) {
            Ok(value) => value.repr(),
            Err(error) => {
                format!("{} at {:?}", error.problem, error.origin().map(|it| (it.line, it.column)))
            }
        }
    }

    #[test]
    fn values_are_what_pyyaml_reads() {
        for (text, expect) in [
            ("[yes, 0644, 1:30, ~, .5, 'x', 1_0]", "[True, 420, 90, None, 0.5, 'x', 10]"),
            ("{1: a, true: b, null: c, 1.5: d}", "{1: 'b', None: 'c', 1.5: 'd'}"),
            ("a: &x {q: 1}\nb: {<<: *x, r: 2}", "{'a': {'q': 1}, 'b': {'q': 1, 'r': 2}}"),
            ("r: 5\n<<: [{q: 1}, {q: 2, r: 3}]", "{'q': 1, 'r': 5}"),
            (
                "[!!str 12, !!null foo, !!int '12', !!float 3, ! 12, !!bool 'yes']",
                "['12', None, 12, 3.0, 12, True]",
            ),
            ("!!pairs [a: 1, a: 2]", "[('a', 1), ('a', 2)]"),
            ("!!set {a, b}", "['a', 'b']"),
            ("2024-01-31", "datetime.date(2024, 1, 31)"),
            ("!!binary aGVsbG8=", "'hello'"),
            ("", "None"),
            (
                "a: =",
                "Could not determine a constructor for the tag 'tag:yaml.org,2002:value'. at Some((1, 4))",
            ),
            (
                "a: !foo bar",
                "Could not determine a constructor for the tag '!foo'. at Some((1, 4))",
            ),
            ("? [a]\n: b", "While constructing a mapping found unhashable key. at Some((1, 3))"),
            ("a: !!int foo", "invalid literal for int() with base 10: 'foo' at Some((1, 4))"),
            ("a: 2024-13-45", "month must be in 1..12 at Some((1, 4))"),
            ("a: !vault [a]", "The '!vault' tag requires a string value. at Some((1, 4))"),
            ("a: !!str [a]", "Expected a scalar node, but found sequence. at Some((1, 4))"),
            ("a: *nope", "Found undefined alias. at Some((1, 4))"),
            (
                "a: &x 1\nb: &x 2",
                "Found duplicate anchor; first occurrence second occurrence. at Some((2, 4))",
            ),
            ("a: &x [*x]", "Found an alias inside of what it stands for. at Some((1, 8))"),
            (
                "- a\n---\n- b",
                "Expected a single document in the stream but found another document. at Some((2, 1))",
            ),
        ] {
            assert_eq!(read(text), expect, "{text}");
        }
    }

    #[test]
    fn strings_know_where_they_stand_and_whether_they_are_templates() {
        let text = "a: '{{ x }}'\nb: !unsafe {c: ['{{ x }}']}\nc: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  00\n";
        let value = load(text, &Arc::from("f.yml"), &Convert::trusted()).expect("good YAML");
        let template = value.get("a").and_then(Value::as_text).expect("a string");
        assert!(template.is_trusted());
        assert_eq!(template.origin().map(ToString::to_string).as_deref(), Some("f.yml:1:4"));
        assert!(!value.get("b").expect("there").is_live());
        let secret = value.get("c").and_then(Value::as_text).expect("a string");
        assert!(secret.is_vault());
        assert!(secret.starts_with("$ANSIBLE_VAULT;1.1;AES256\n"));
    }

    #[test]
    fn duplicates_are_reported_where_the_second_stands() {
        let seen = RefCell::new(Vec::new());
        let warn =
            |warning: Warning| seen.borrow_mut().push((warning.message, warning.origin.line));
        let value = load("a: 1\na: 2\n", &Arc::from("f"), &Convert::default().warning(&warn))
            .expect("good YAML");
        assert_eq!(value.get("a"), Some(&Value::from(2)));
        assert_eq!(*seen.borrow(), [("Found duplicate mapping key 'a'.".to_owned(), 2)]);
    }

    #[test]
    fn what_expands_without_bound_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for at in 1..12 {
            let uses = vec![format!("*a{}", at - 1); 10].join(", ");
            text.push_str(&format!("a{at}: &a{at} [{uses}]\n"));
        }
        assert!(read(&text).starts_with("Aliases expand to too much."));
        assert!(read(&"[".repeat(100_000)).starts_with("Collections are nested too deeply."));
        assert!(read(&"a: ".repeat(1000)).contains("Colons"));
    }
}
