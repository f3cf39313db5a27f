//! XML as a tree: elements with their texts, in the order of the document. Knows names without their
//! namespaces, and no shapes.

use std::borrow::Cow;

use quick_xml::{
    Error, Reader, XmlVersion,
    errors::{IllFormedError, SyntaxError},
    events::{BytesRef, BytesStart, Event, attributes::Attribute},
};

use super::unreadable::Defect;

/// How deep elements may lie in each other.
const DEEPEST: usize = 256;

/// No element.
const NONE: u32 = u32::MAX;

/// A document that was read as a whole.
#[derive(Debug)]
pub(super) struct Document<'a> {
    elements: Vec<Element<'a>>,
}

#[derive(Debug)]
struct Element<'a> {
    /// Without its prefix.
    name: &'a str,
    /// The prefix, if there is one.
    prefixed: bool,
    /// What stands before the first element in it.
    text: Cow<'a, str>,
    /// The tag between `<` and `>`, and where its attributes begin.
    tag: &'a str,
    first: u32,
    next: u32,
}

/// An element of a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'d> {
    document: &'d Document<'d>,
    place: u32,
}

impl<'d> Node<'d> {
    fn element(self) -> &'d Element<'d> {
        &self.document.elements[self.place as usize]
    }

    /// Its name without a prefix.
    pub(super) fn name(self) -> &'d str {
        self.element().name
    }

    /// Whether its name is this one and has no prefix.
    pub(super) fn is_plain(self, name: &str) -> bool {
        let element = self.element();
        !element.prefixed && element.name == name
    }

    /// What stands in it before the first element.
    pub(super) fn text(self) -> &'d str {
        &self.element().text
    }

    /// The elements in it.
    pub(super) fn children(self) -> impl Iterator<Item = Self> {
        self.from(self.element().first)
    }

    /// The first element of a name in it.
    pub(super) fn child(self, name: &str) -> Option<Self> {
        self.children().find(|it| it.name() == name)
    }

    /// The elements behind it in the same element.
    pub(super) fn following(self) -> impl Iterator<Item = Self> {
        self.from(self.element().next)
    }

    fn from(self, first: u32) -> impl Iterator<Item = Self> {
        let document = self.document;
        let node = move |place: u32| (place != NONE).then_some(Node { document, place });
        std::iter::successors(node(first), move |it| node(it.element().next))
    }

    /// An attribute. One with a prefix is found under any that its namespace may have been given.
    pub(super) fn attribute(self, name: &str) -> Option<String> {
        let (prefixed, local) = match name.split_once(':') {
            Some((_, local)) => (true, local),
            None => (false, name),
        };
        let tag = self.element().tag;
        let start = BytesStart::from_content(tag, name_length(tag));
        let found = start.attributes().flatten().find(|it| {
            let prefix = it.key.prefix();
            !is_namespace(it)
                && prefix.is_some() == prefixed
                && it.key.local_name().into_inner() == local
        })?;
        found.normalized_value(XmlVersion::Explicit1_0).ok().map(Cow::into_owned)
    }
}

fn is_namespace(attribute: &Attribute<'_>) -> bool {
    attribute.key.as_namespace_binding().is_some()
}

fn name_length(tag: &str) -> usize {
    tag.find([' ', '\t', '\r', '\n']).unwrap_or(tag.len())
}

impl<'a> Document<'a> {
    /// Reads a document.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Defect> {
        let text = std::str::from_utf8(body)
            .map_err(|error| Defect::malformed(error.valid_up_to(), "no UTF-8"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some(at) = text.bytes().position(|it| it < b' ' && !b"\t\r\n".contains(&it)) {
            return Err(Defect::malformed(at, "a character that XML does not have"));
        }
        let mut builder = Builder::new(text);
        builder.run()?;
        Ok(Self { elements: builder.elements })
    }

    /// A document of one element that has nothing in it.
    pub(super) fn empty() -> Self {
        let mut builder = Builder::new("");
        builder.add("");
        Self { elements: builder.elements }
    }

    /// The outermost element.
    pub(super) fn root(&self) -> Node<'_> {
        Node { document: self, place: 0 }
    }
}

struct Builder<'a> {
    text: &'a str,
    elements: Vec<Element<'a>>,
    /// The elements that are open, each with the last one in it.
    open: Vec<(u32, u32)>,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, elements: Vec::with_capacity(text.len() / 40 + 1), open: Vec::new() }
    }

    fn run(&mut self) -> Result<(), Defect> {
        let mut reader = Reader::from_str(self.text);
        loop {
            let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            let event = reader.read_event().map_err(|error| defect(at, &error))?;
            match event {
                Event::Start(start) => {
                    let place = self.start(at, &start)?;
                    if self.open.len() == DEEPEST {
                        return Err(Defect::malformed(at, "elements too deep in each other"));
                    }
                    self.open.push((place, NONE));
                }
                Event::Empty(start) => {
                    self.start(at, &start)?;
                }
                Event::End(_) => drop(self.open.pop()),
                Event::Text(text) => {
                    if text.contains("]]>") {
                        return Err(Defect::malformed(at, "the end of a section that is not open"));
                    }
                    self.add_text(at, text.xml10_content())?;
                }
                Event::CData(text) => self.add_text(at, text.xml10_content())?,
                Event::GeneralRef(reference) => {
                    let text = resolve(&reference)
                        .ok_or_else(|| Defect::malformed(at, "an entity that is not known"))?;
                    self.add_text(at, text)?;
                }
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => {}
                Event::Eof => break,
            }
        }
        if self.elements.is_empty() || !self.open.is_empty() {
            return Err(Defect::Truncated);
        }
        Ok(())
    }

    /// Adds the element whose tag begins at a place.
    fn start(&mut self, at: usize, start: &BytesStart<'_>) -> Result<u32, Defect> {
        if self.open.is_empty() && !self.elements.is_empty() {
            return Err(Defect::malformed(at, "something behind the document's end"));
        }
        if start.name().into_inner().is_empty() {
            return Err(Defect::malformed(at, "an element without a name"));
        }
        if !start.attributes_raw().trim().is_empty() {
            for attribute in start.attributes() {
                let attribute = attribute
                    .map_err(|_| Defect::malformed(at, "an attribute that is not well-formed"))?;
                if attribute.value.contains('<') {
                    return Err(Defect::malformed(at, "an attribute that is not well-formed"));
                }
            }
        }
        let tag = self.text.get(at + 1..).and_then(|it| it.get(..start.len()));
        Ok(self.add(tag.unwrap_or_default()))
    }

    /// Adds an element where the reader is.
    fn add(&mut self, tag: &'a str) -> u32 {
        let place = u32::try_from(self.elements.len()).unwrap_or(NONE);
        let name = &tag[..name_length(tag)];
        let (prefixed, name) = match name.split_once(':') {
            Some((_, local)) => (true, local),
            None => (false, name),
        };
        let text = Cow::Borrowed("");
        self.elements.push(Element { name, prefixed, text, tag, first: NONE, next: NONE });
        if let Some((parent, last)) = self.open.last_mut() {
            if *last == NONE {
                self.elements[*parent as usize].first = place;
            } else {
                self.elements[*last as usize].next = place;
            }
            *last = place;
        }
        place
    }

    fn add_text(&mut self, at: usize, text: Cow<'a, str>) -> Result<(), Defect> {
        match self.open.last() {
            // What follows an element is nobody's.
            Some((place, NONE)) => {
                let known = &mut self.elements[*place as usize].text;
                if known.is_empty() {
                    *known = text;
                } else {
                    known.to_mut().push_str(&text);
                }
            }
            None if !text.trim().is_empty() => {
                return Err(Defect::malformed(at, "text that is in no element"));
            }
            _ => {}
        }
        Ok(())
    }
}

/// The text that a reference stands for. Entities that a document defines are not looked at: no
/// service has any.
fn resolve<'a>(reference: &BytesRef<'_>) -> Option<Cow<'a, str>> {
    let text = match &**reference {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "apos" => "'",
        "quot" => "\"",
        _ => {
            let one = reference.resolve_char_ref().ok().flatten()?;
            let allowed = matches!(one, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
            return allowed.then(|| Cow::Owned(one.to_string()));
        }
    };
    Some(Cow::Borrowed(text))
}

fn defect(at: usize, error: &Error) -> Defect {
    match error {
        Error::Syntax(SyntaxError::InvalidBangMarkup) => Defect::malformed(at, "no markup"),
        Error::Syntax(_) => Defect::Truncated,
        Error::IllFormed(
            IllFormedError::MismatchedEndTag { .. } | IllFormedError::UnmatchedEndTag(_),
        ) => Defect::malformed(at, "the end of an element that is not open"),
        Error::IllFormed(IllFormedError::UnclosedReference) => {
            Defect::malformed(at, "an ampersand on its own")
        }
        _ => Defect::malformed(at, "not well-formed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(xml: &str) -> Result<String, Defect> {
        Ok(Document::read(xml.as_bytes())?.root().text().to_owned())
    }

    #[test]
    fn texts_are_those_of_an_element_tree() {
        for (xml, expected) in [
            ("<a>foo<!-- c -->bar</a>", "foobar"),
            ("<a>foo<?pi x?>bar</a>", "foobar"),
            ("<a>x<![CDATA[<b>\r\n]]>y\r\nz\rq&#13;</a>", "x<b>\ny\nz\nq\r"),
            ("\u{feff}<?xml version=\"1.0\"?>\n<a> x </a >\n", " x "),
            ("<a>x<b/>y<c/>z</a>", "x"),
            ("<a>&#x1F600;&amp;&lt;</a>", "\u{1f600}&<"),
            ("<!DOCTYPE a><n:a xmlns:n='u'\n/>", ""),
        ] {
            assert_eq!(text(xml), Ok(expected.to_owned()), "{xml}");
        }
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for xml in [
            "<a/>x",
            "<a/><b/>",
            "x<a/>",
            "<a>&foo;</a>",
            "<a>\u{1}</a>",
            "<a b='1' b='2'/>",
            "<a>]]></a>",
            "<a>&#0;</a>",
            "<a>&#1;</a>",
            "<a b=1/>",
            "<a>a & b</a>",
            "<a></b>",
            "</a>",
            "<a b='<'/>",
            "plain",
        ] {
            assert!(matches!(text(xml), Err(Defect::Malformed { .. })), "{xml}: {:?}", text(xml));
        }
        for xml in ["", " ", "<a", "<a>", "<a><b></b>", "<a b='", "<a><![CDATA[x", "<!-- x"] {
            assert_eq!(text(xml), Err(Defect::Truncated), "{xml}");
        }
        assert!(matches!(text(&"<a>".repeat(100_000)), Err(Defect::Malformed { .. })));
    }

    #[test]
    fn elements_and_attributes_are_found() {
        let xml = "<r xmlns:xsi='u' xsi:type='a&amp;b' type='c'><a>1</a><n:b>2</n:b><a>3</a></r>";
        let document = Document::read(xml.as_bytes()).expect("well-formed");
        let root = document.root();
        let names: Vec<_> = root.children().map(|it| (it.name(), it.text())).collect();
        assert_eq!(names, [("a", "1"), ("b", "2"), ("a", "3")]);
        assert_eq!(root.attribute("xsi:type").as_deref(), Some("a&b"));
        assert_eq!(root.attribute("type").as_deref(), Some("c"));
        assert_eq!(root.attribute("xmlns:xsi"), None);
    }
}
