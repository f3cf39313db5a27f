//! Values as YAML, byte for byte as `yaml.dump` writes them with the C emitter.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use davit_value::{Key, Value, ValueError};
use libyaml_safer::{
    BOOL_TAG, Emitter, Encoding, Event, FLOAT_TAG, INT_TAG, MAP_TAG, MappingStyle, NULL_TAG,
    SEQ_TAG, STR_TAG, ScalarStyle, SequenceStyle, TIMESTAMP_TAG,
};

use crate::quiet::quietly;
use crate::scalar::{Implicit, resolve};

/// How deep values may nest.
const MAX_DEPTH: usize = 400;

/// Whether collections are written as `{a: 1}` or on lines of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowStyle {
    /// Braces for collections of scalars only.
    #[default]
    Auto,
    /// Always lines.
    Never,
    /// Always braces.
    Always,
}

/// How to write, with the names of `yaml.dump`'s arguments.
#[derive(Clone, Debug)]
pub struct DumpOptions {
    /// Columns of a level; from 2 to 9, else 2.
    pub indent: i32,
    /// Where long lines are folded; negative for never.
    pub width: i32,
    /// Keys of dictionaries in order.
    pub sort_keys: bool,
    /// Braces or lines.
    pub default_flow_style: FlowStyle,
    /// Every scalar in this style: `'`, `"`, `|` or `>`.
    pub default_style: Option<char>,
    /// Texts of several lines as blocks (`|`), where they can be.
    pub block_lines: bool,
    /// Letters beyond ASCII as they are.
    pub allow_unicode: bool,
    /// `---` before the document.
    pub explicit_start: bool,
    /// `...` after the document.
    pub explicit_end: bool,
    /// Tags on everything, double quotes, no folding.
    pub canonical: bool,
    /// A collection that is there again (the very same) as `*id001`.
    pub aliases: bool,
}

impl Default for DumpOptions {
    fn default() -> Self {
        Self {
            indent: 2,
            width: 80,
            sort_keys: true,
            default_flow_style: FlowStyle::Auto,
            default_style: None,
            block_lines: false,
            allow_unicode: true,
            explicit_start: false,
            explicit_end: false,
            canonical: false,
            aliases: false,
        }
    }
}

/// Why a value could not be written.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DumpError {
    /// Something in it could not be worked out.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// It has no form in YAML.
    #[error("cannot represent an object: {0}")]
    Unrepresentable(String),
    /// The emitter gave up.
    #[error("{0}")]
    Emitter(String),
}

/// Writes `value` as a document.
///
/// # Errors
/// Where something in it is undefined or has no form in YAML.
pub fn dump(value: &Value, options: &DumpOptions) -> Result<String, DumpError> {
    dump_all(std::slice::from_ref(value), options)
}

/// Writes every one of `values` as a document of one stream.
///
/// # Errors
/// As [`dump`].
pub fn dump_all(values: &[Value], options: &DumpOptions) -> Result<String, DumpError> {
    let mut out = Vec::new();
    // The emitter beneath has corners that panic; no value may take the program down.
    quietly(|| write(values, options, &mut out))
        .unwrap_or_else(|| Err(DumpError::Emitter("the value cannot be written as YAML".into())))?;
    let text = String::from_utf8(out).map_err(|error| DumpError::Emitter(error.to_string()))?;
    Ok(if text.contains(STAND_IN) { without_stand_ins(&text) } else { text })
}

/// Stands for the backslash of an escape that the emitter beneath does not write by itself; with
/// [`ITSELF`] after it, for itself.
const STAND_IN: char = '\u{f8fe}';
const ITSELF: char = 'S';

/// Letters beyond the first 65536 are always escaped: `\U0001F600`. `None` where nothing is to be done.
fn escape_rare(text: &str, unicode: bool) -> Option<Rare> {
    let is_rare = |char| unicode && char > '\u{ffff}';
    let any = text.chars().any(is_rare);
    if !any && !text.contains(STAND_IN) {
        return None;
    }
    let mut out = String::with_capacity(text.len() * 2);
    for char in text.chars() {
        match char {
            STAND_IN => out.extend([STAND_IN, ITSELF]),
            char if is_rare(char) => {
                let _ = write!(out, "{STAND_IN}U{:08X}", char as u32);
            }
            char => out.push(char),
        }
    }
    Some(Rare { text: out, escaped: any })
}

/// A text with stand-ins.
struct Rare {
    text: String,
    /// It has escapes, which only double quotes may hold.
    escaped: bool,
}

fn without_stand_ins(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            STAND_IN if chars.next_if_eq(&ITSELF).is_some() => out.push(STAND_IN),
            STAND_IN => out.push('\\'),
            char => out.push(char),
        }
    }
    out
}

fn write(values: &[Value], options: &DumpOptions, out: &mut Vec<u8>) -> Result<(), DumpError> {
    let mut emitter = Emitter::new();
    emitter.set_output_string(out);
    emitter.set_canonical(options.canonical);
    emitter.set_indent(options.indent);
    emitter.set_width(options.width);
    emitter.set_unicode(options.allow_unicode);
    let mut writer = Writer { emitter, options, seen: HashMap::new(), names: 0 };
    writer.emit(Event::stream_start(Encoding::Utf8))?;
    for value in values {
        writer.seen.clear();
        writer.names = 0;
        if options.aliases {
            writer.count(value, 0);
        }
        writer.emit(Event::document_start(None, &[], !options.explicit_start))?;
        writer.value(value, 0)?;
        writer.emit(Event::document_end(!options.explicit_end))?;
    }
    writer.emit(Event::stream_end())
}

struct Writer<'w> {
    emitter: Emitter<'w>,
    options: &'w DumpOptions,
    /// Collections by address: how often they are there, and the anchor once it is written.
    seen: HashMap<usize, (usize, Option<String>)>,
    names: usize,
}

/// What stands for a collection that may be there more than once.
fn address(value: &Value) -> Option<usize> {
    match value {
        Value::List(list) | Value::Tuple(list) => Some(Arc::as_ptr(list).addr()),
        Value::Map(map) => Some(Arc::as_ptr(map).addr()),
        _ => None,
    }
}

impl Writer<'_> {
    fn emit(&mut self, event: Event) -> Result<(), DumpError> {
        self.emitter.emit(event).map_err(|error| DumpError::Emitter(error.to_string()))
    }

    fn count(&mut self, value: &Value, depth: usize) {
        let Some(address) = address(value) else { return };
        let entry = self.seen.entry(address).or_default();
        entry.0 += 1;
        if entry.0 > 1 || depth > MAX_DEPTH {
            return;
        }
        match value {
            Value::List(list) | Value::Tuple(list) => {
                list.iter().for_each(|it| self.count(it, depth + 1));
            }
            Value::Map(map) => map.values().for_each(|it| self.count(it, depth + 1)),
            _ => {}
        }
    }

    /// The anchor for a collection that comes again; an alias is written for one that came before.
    fn anchor(&mut self, value: &Value) -> Result<(Option<String>, bool), DumpError> {
        if !self.options.aliases {
            return Ok((None, false));
        }
        let Some(entry) = address(value).and_then(|address| self.seen.get_mut(&address)) else {
            return Ok((None, false));
        };
        match entry {
            (0 | 1, _) => Ok((None, false)),
            (_, Some(name)) => {
                let event = Event::alias(name);
                self.emit(event)?;
                Ok((None, true))
            }
            (_, name) => {
                self.names += 1;
                *name = Some(format!("id{:03}", self.names));
                Ok((name.clone(), false))
            }
        }
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<(), DumpError> {
        if depth > MAX_DEPTH {
            return Err(DumpError::Emitter("the value is nested too deeply".into()));
        }
        let (anchor, written) = self.anchor(value)?;
        if written {
            return Ok(());
        }
        match value {
            Value::Undefined(what) => Err(ValueError::Undefined(Arc::clone(what)).into()),
            Value::Str(text) if text.is_vault() => {
                self.tagged(text, "!vault", ScalarStyle::Literal)
            }
            Value::Str(text) => self.scalar(text, STR_TAG, Implicit::Str),
            Value::Null => self.scalar("null", NULL_TAG, Implicit::Null),
            Value::Bool(bool) => {
                self.scalar(if *bool { "true" } else { "false" }, BOOL_TAG, Implicit::Bool)
            }
            Value::Int(int) => self.scalar(&int.to_string(), INT_TAG, Implicit::Int),
            Value::Float(float) => self.scalar(&float_text(*float), FLOAT_TAG, Implicit::Float),
            Value::Date(_) | Value::DateTime(..) => {
                self.scalar(&value.to_str(), TIMESTAMP_TAG, Implicit::Timestamp)
            }
            Value::List(list) | Value::Tuple(list) => self.list(list, anchor.as_deref(), depth),
            Value::Map(map) => self.map(map, anchor.as_deref(), depth),
            Value::Object(object) => match value.clone().settle()? {
                Value::Object(_) => Err(DumpError::Unrepresentable(object.repr())),
                settled => self.value(&settled, depth),
            },
        }
    }

    fn scalar(&mut self, text: &str, tag: &str, implicit: Implicit) -> Result<(), DumpError> {
        let style = match self.options.default_style {
            Some('\'') => ScalarStyle::SingleQuoted,
            Some('"') => ScalarStyle::DoubleQuoted,
            Some('|') => ScalarStyle::Literal,
            Some('>') => ScalarStyle::Folded,
            _ if self.options.block_lines && implicit == Implicit::Str && text.contains('\n') => {
                ScalarStyle::Literal
            }
            _ => ScalarStyle::Plain,
        };
        let plain = resolve(text) == implicit;
        let quoted = implicit == Implicit::Str;
        if let Some(rare) = escape_rare(text, self.options.allow_unicode) {
            let (plain, style) =
                if rare.escaped { (false, ScalarStyle::DoubleQuoted) } else { (plain, style) };
            return self.emit(Event::scalar(None, Some(tag), &rare.text, plain, quoted, style));
        }
        self.emit(Event::scalar(None, Some(tag), text, plain, quoted, style))
    }

    fn tagged(&mut self, text: &str, tag: &str, style: ScalarStyle) -> Result<(), DumpError> {
        self.emit(Event::scalar(None, Some(tag), text, false, false, style))
    }

    /// True where a collection of `items` is to be written with brackets.
    fn flow<'v>(&self, mut items: impl Iterator<Item = &'v Value>) -> bool {
        match self.options.default_flow_style {
            FlowStyle::Always => true,
            FlowStyle::Never => false,
            FlowStyle::Auto => {
                self.options.default_style.is_none()
                    && items.all(|item| match item {
                        Value::List(_) | Value::Tuple(_) | Value::Map(_) | Value::Object(_) => {
                            false
                        }
                        // A ciphertext is written as a block, which has a style of its own.
                        Value::Str(text) => !text.is_vault(),
                        _ => true,
                    })
            }
        }
    }

    fn list(
        &mut self,
        items: &[Value],
        anchor: Option<&str>,
        depth: usize,
    ) -> Result<(), DumpError> {
        let style =
            if self.flow(items.iter()) { SequenceStyle::Flow } else { SequenceStyle::Block };
        self.emit(Event::sequence_start(anchor, Some(SEQ_TAG), true, style))?;
        for item in items {
            self.value(item, depth + 1)?;
        }
        self.emit(Event::sequence_end())
    }

    fn map(
        &mut self,
        map: &davit_value::Map,
        anchor: Option<&str>,
        depth: usize,
    ) -> Result<(), DumpError> {
        let keys: Vec<Value> = map.keys().map(Key::to_value).collect();
        let style = if self.flow(map.values().chain(&keys)) {
            MappingStyle::Flow
        } else {
            MappingStyle::Block
        };
        let mut entries: Vec<(Value, &Value)> = keys.into_iter().zip(map.values()).collect();
        let sortable = entries.windows(2).all(|pair| match pair {
            [(a, _), (b, _)] => a.compare(b, "<").is_ok(),
            _ => true,
        });
        if self.options.sort_keys && sortable {
            entries
                .sort_by(|(a, _), (b, _)| a.compare(b, "<").unwrap_or(std::cmp::Ordering::Equal));
        }
        self.emit(Event::mapping_start(anchor, Some(MAP_TAG), true, style))?;
        for (key, value) in entries {
            self.value(&key, depth + 1)?;
            self.value(value, depth + 1)?;
        }
        self.emit(Event::mapping_end())
    }
}

/// Python's digits, with the point that YAML 1.1 wants.
fn float_text(float: f64) -> String {
    if float.is_nan() {
        return ".nan".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { ".inf".into() } else { "-.inf".into() };
    }
    let text = Value::Float(float).repr();
    if text.contains('.') { text } else { text.replacen('e', ".0e", 1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Convert, load};

    fn nice() -> DumpOptions {
        DumpOptions { indent: 4, default_flow_style: FlowStyle::Never, ..DumpOptions::default() }
    }

    fn check(text: &str, options: &DumpOptions, expect: &str) {
        let value = load(text, &Arc::from("f"), &Convert::default()).expect("good YAML");
        assert_eq!(dump(&value, options).expect("can be written"), expect);
    }

    #[test]
    fn collections_are_written_as_the_original_writes_them() {
        let text = r#"{"a": "multi\nline\n", "b": "x: y", "c": "", "d": "yes", "e": "1", "f": null, "g": [], "h": {}, "i": [[1,[2]],{"a":1}]}"#;
        check(
            text,
            &nice(),
            "a: 'multi\n\n    line\n\n    '\nb: 'x: y'\nc: ''\nd: 'yes'\ne: '1'\nf: null\ng: []\nh: {}\ni:\n-   - 1\n    -   - 2\n-   a: 1\n",
        );
        check(
            text,
            &DumpOptions::default(),
            "a: 'multi\n\n  line\n\n  '\nb: 'x: y'\nc: ''\nd: 'yes'\ne: '1'\nf: null\ng: []\nh: {}\ni:\n- - 1\n  - [2]\n- {a: 1}\n",
        );
    }

    #[test]
    fn scalars_are_quoted_where_they_would_read_as_something_else() {
        let plain = DumpOptions::default();
        check("'é☃ unicode'", &plain, "é☃ unicode\n");
        check("1.0e+20", &plain, "1.0e+20\n");
        check("'{{ foo }}'", &plain, "'{{ foo }}'\n");
        check(
            "[2024-01-31, 2024-01-31 10:20:30]",
            &plain,
            "[2024-01-31, ! '2024-01-31 10:20:30']\n",
        );
        check("{b: 2, a: 3}", &DumpOptions { sort_keys: false, ..plain.clone() }, "{b: 2, a: 3}\n");
        check(
            "{b: 2, a: 3}",
            &DumpOptions { explicit_start: true, explicit_end: true, ..nice() },
            "---\na: 3\nb: 2\n...\n",
        );
        check("'\u{f8fe} \u{1f600} S\u{f8fe}S'", &plain, "\"\u{f8fe} \\U0001F600 S\u{f8fe}S\"\n");
        check("'\u{f8fe}U'", &plain, "\u{f8fe}U\n");
        let long = "a".repeat(130);
        check(&format!("{{? {long} : 3}}"), &nice(), &format!("? {long}\n: 3\n"));
    }
}
