//! The text as a tree of nodes: structure, tags and places, nothing resolved.
//!
//! Aliases are expanded here; how much may come out of that is bounded.

use std::collections::HashMap;
use std::sync::Arc;

use libyaml_safer::{Encoding, Event, EventData, Parser, ScalarStyle};

use crate::Error;
use crate::error::line_of;
use crate::hint;
use crate::quiet::quietly;

/// How deep collections may nest.
const MAX_DEPTH: usize = 200;

/// How many nodes may come from aliases, over what the text itself has.
const MAX_ALIASED: usize = 200_000;

/// A place in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// A piece of the text: a scalar, a sequence or a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// Where it ends.
    pub end: Place,
    /// The tag as resolved by `%TAG`: `!vault`, `tag:yaml.org,2002:str`. None where none is written.
    pub tag: Option<String>,
    /// What it holds.
    pub kind: Kind,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Text.
    Scalar {
        /// The text, unescaped and unfolded.
        text: String,
        /// How it is written.
        style: Style,
    },
    /// Items in order.
    Sequence(Vec<Node>),
    /// Keys and values in the order written, `<<` and duplicates included.
    Mapping(Vec<(Node, Node)>),
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: may mean something else than text.
    Plain,
    /// In `'` quotes.
    SingleQuoted,
    /// In `"` quotes.
    DoubleQuoted,
    /// After `|`.
    Literal,
    /// After `>`.
    Folded,
}

impl Node {
    /// The text, where this is a scalar.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The items, where this is a sequence.
    #[must_use]
    pub fn as_sequence(&self) -> Option<&[Self]> {
        match &self.kind {
            Kind::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, where this is a mapping.
    #[must_use]
    pub fn as_mapping(&self) -> Option<&[(Self, Self)]> {
        match &self.kind {
            Kind::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of the last entry whose key is the scalar `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, value)| value)
    }

    /// The last entry whose key is the scalar `key`.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&(Self, Self)> {
        self.as_mapping()?.iter().rev().find(|(it, _)| it.as_text() == Some(key))
    }

    /// How many nodes there are in it, itself included, and how deep it is.
    fn measure(&self) -> (usize, usize) {
        let of = |(size, depth): (usize, usize), it: &Self| {
            let (more, deep) = it.measure();
            (size + more, depth.max(deep + 1))
        };
        match &self.kind {
            Kind::Scalar { .. } => (1, 0),
            Kind::Sequence(items) => items.iter().fold((1, 0), of),
            Kind::Mapping(entries) => {
                entries.iter().fold((1, 0), |sum, (key, value)| of(of(sum, key), value))
            }
        }
    }
}

/// Reads every document of `text`. A document without content is a null scalar.
///
/// # Errors
/// Where the text is not YAML, nests too deeply, or expands to too much.
pub fn parse_all(text: &str, file: &Arc<str>) -> Result<Vec<Node>, Error> {
    guarded(text, file, false)
}

/// Reads the one document of `text`; `None` where there is none.
///
/// # Errors
/// As [`parse_all`], and where there is a second document.
pub fn parse(text: &str, file: &Arc<str>) -> Result<Option<Node>, Error> {
    guarded(text, file, true).map(|mut documents| documents.pop())
}

fn guarded(text: &str, file: &Arc<str>, single: bool) -> Result<Vec<Node>, Error> {
    if let Some(error) = hint::unreadable(text, file) {
        return Err(error);
    }
    // The reader beneath has corners that panic; no text may take the program down.
    let read = |text: &str, end| {
        let mut composer = Composer::new(text, file, end);
        quietly(|| composer.documents(single)).unwrap_or_else(|| {
            let place = hint::odd_tag(text, composer.reached);
            let problem = "While scanning a tag found something unexpected.";
            Err(Error::new(file, Some(text), place, problem))
        })
    };
    // It does so where a text ends without a line break in a block scalar or after a backslash.
    if text.ends_with(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) || text.is_empty() {
        return read(text, None);
    }
    let end = end_of(text);
    read(&format!("{text}\n"), Some(end)).map_err(|mut error| {
        // An open quote is missed where the text ends.
        if error.problem.ends_with("unexpected end of stream.")
            && error.place.is_some_and(|place| place > end)
        {
            error.place = Some(end);
            error.line_text = line_of(text, end.line);
        }
        error
    })
}

/// The place after the last character of `text`.
fn end_of(text: &str) -> Place {
    let last = text.rsplit('\n').next().unwrap_or_default();
    let small = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
    Place { line: small(text.matches('\n').count() + 1), column: small(last.chars().count() + 1) }
}

struct Composer<'t> {
    text: &'t str,
    file: &'t Arc<str>,
    anchors: HashMap<String, (Place, Option<Node>)>,
    aliased: usize,
    /// Where the text really ends, where a line break was put after it.
    end: Option<Place>,
    /// Where the last event began.
    reached: Place,
}

/// The events of one text.
struct Events<'r, 'b>(Parser<&'b mut &'r [u8]>);

impl<'t> Composer<'t> {
    fn new(text: &'t str, file: &'t Arc<str>, end: Option<Place>) -> Self {
        Self { text, file, anchors: HashMap::new(), aliased: 0, end, reached: Place::default() }
    }

    /// Takes the line break that was put after the text out of a block scalar that reaches it.
    fn trim_end(&self, value: &mut String, style: Style, end: Place) {
        let Some(last) = self.end.filter(|last| end.line > last.line) else { return };
        if !matches!(style, Style::Literal | Style::Folded) || !value.ends_with('\n') {
            return;
        }
        let line = line_of(self.text, last.line).unwrap_or_default();
        // A last line of blanks is none: it is only there where all line breaks are kept.
        if !line.trim_matches(' ').is_empty() || value.ends_with("\n\n") {
            value.pop();
        }
    }

    fn documents(&mut self, single: bool) -> Result<Vec<Node>, Error> {
        let mut input = self.text.strip_prefix('\u{feff}').unwrap_or(self.text).as_bytes();
        let reader = &mut input;
        let mut parser = Parser::new();
        parser.set_encoding(Encoding::Utf8);
        parser.set_input_string(reader);
        let mut events = Events(parser);
        let mut documents: Vec<Node> = Vec::new();
        loop {
            let event = self.next(&mut events)?;
            match event.data {
                EventData::StreamEnd => return Ok(documents),
                EventData::DocumentStart { .. } => {
                    if let (true, Some(first)) = (single, documents.first()) {
                        let mut error = self.error(
                            place_of(&event.start_mark),
                            "Expected a single document in the stream but found another document.",
                        );
                        error.context =
                            Some(("expected a single document in the stream".into(), first.place));
                        return Err(error);
                    }
                    self.anchors.clear();
                    let first = self.next(&mut events)?;
                    documents.push(self.node(first, &mut events, 0)?);
                }
                _ => {}
            }
        }
    }

    fn next(&mut self, events: &mut Events<'_, '_>) -> Result<Event, Error> {
        let event = events.0.parse();
        let event = event.map_err(|error| hint::syntax_error(self.text, self.file, &error))?;
        self.reached = place_of(&event.start_mark);
        Ok(event)
    }

    fn error(&self, place: Place, problem: impl Into<String>) -> Error {
        Error::new(self.file, Some(self.text), Some(place), problem)
    }

    fn node(
        &mut self,
        event: Event,
        events: &mut Events<'_, '_>,
        depth: usize,
    ) -> Result<Node, Error> {
        let place = place_of(&event.start_mark);
        if depth > MAX_DEPTH {
            return Err(self.error(place, "Collections are nested too deeply."));
        }
        let anchor = match &event.data {
            EventData::Alias { anchor } => return self.alias(anchor, place, depth),
            EventData::Scalar { anchor, .. }
            | EventData::SequenceStart { anchor, .. }
            | EventData::MappingStart { anchor, .. } => anchor.clone(),
            _ => return Err(self.error(place, "The document ended early.")),
        };
        if let Some(anchor) = &anchor {
            self.declare(anchor, place)?;
        }
        let node = self.content(event, events, depth)?;
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, (place, Some(node.clone())));
        }
        Ok(node)
    }

    fn content(
        &mut self,
        event: Event,
        events: &mut Events<'_, '_>,
        depth: usize,
    ) -> Result<Node, Error> {
        let place = place_of(&event.start_mark);
        let end = place_of(&event.end_mark);
        let (tag, kind, end) = match event.data {
            EventData::Scalar { tag, mut value, style, .. } => {
                let style = style_of(style);
                self.trim_end(&mut value, style, end);
                (tag, Kind::Scalar { text: value, style }, end)
            }
            EventData::SequenceStart { tag, .. } => {
                let mut items = Vec::new();
                let end = loop {
                    let event = self.next(events)?;
                    if matches!(event.data, EventData::SequenceEnd) {
                        break place_of(&event.end_mark);
                    }
                    items.push(self.node(event, events, depth + 1)?);
                };
                (tag, Kind::Sequence(items), end)
            }
            EventData::MappingStart { tag, .. } => {
                let mut entries = Vec::new();
                let end = loop {
                    let event = self.next(events)?;
                    if matches!(event.data, EventData::MappingEnd) {
                        break place_of(&event.end_mark);
                    }
                    let key = self.node(event, events, depth + 1)?;
                    let event = self.next(events)?;
                    entries.push((key, self.node(event, events, depth + 1)?));
                };
                (tag, Kind::Mapping(entries), end)
            }
            _ => return Err(self.error(place, "The document ended early.")),
        };
        Ok(Node { place, end, tag: tag.filter(|tag| tag != "!"), kind })
    }

    /// Notes that `anchor` begins here, so that a use inside itself is recognised.
    fn declare(&mut self, anchor: &str, place: Place) -> Result<(), Error> {
        match self.anchors.insert(anchor.to_owned(), (place, None)) {
            Some((first, _)) => {
                let mut error = self
                    .error(place, "Found duplicate anchor; first occurrence second occurrence.");
                error.context = Some(("found duplicate anchor; first occurrence".into(), first));
                Err(error)
            }
            None => Ok(()),
        }
    }

    fn alias(&mut self, anchor: &str, place: Place, depth: usize) -> Result<Node, Error> {
        let node = match self.anchors.get(anchor) {
            Some((_, Some(node))) => node,
            Some((_, None)) => {
                return Err(self.error(place, "Found an alias inside of what it stands for."));
            }
            None => return Err(self.error(place, "Found undefined alias.")),
        };
        let (size, deep) = node.measure();
        self.aliased = self.aliased.saturating_add(size);
        if self.aliased > MAX_ALIASED || depth + deep > MAX_DEPTH {
            return Err(self.error(place, "Aliases expand to too much."));
        }
        Ok(node.clone())
    }
}

/// Places of the reader count from 0.
pub(crate) fn place_of(mark: &libyaml_safer::Mark) -> Place {
    let from_one = |at: u64| u32::try_from(at.saturating_add(1)).unwrap_or(u32::MAX);
    Place { line: from_one(mark.line), column: from_one(mark.column) }
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
        _ => Style::Plain,
    }
}
