//! One configuration file as it stands: sections, properties, continuation lines. Knows neither what
//! sections mean nor that there are two files.
//!
//! The rules are those of the AWS SDKs. Python's `configparser`, which botocore uses, is followed
//! where those rules say nothing: sections and properties may be indented, and an indented comment is
//! a comment. It differs where they say otherwise: a colon does not define a property, a comment may
//! stand behind a value with a space before it, sections of the same name are merged.

use std::path::PathBuf;

use indexmap::IndexMap;

use super::profiles::Property;

/// What the rules call white space.
pub(super) const SPACE: &[char] = &[' ', '\t'];
const COMMENT: &[char] = &['#', ';'];

/// A section with its name as it stands between the brackets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RawSection {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) properties: IndexMap<String, Property>,
}

/// A line that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {problem}", path.display())]
pub struct ParseError {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from one.
    pub line: usize,
    /// What is wrong with it.
    pub problem: ParseProblem,
}

/// What is wrong with a line of a configuration file, in the words of the AWS SDKs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseProblem {
    /// `[profile foo`
    #[error("Profile definition must end with ']': close the bracket, as in [profile dev]")]
    OpenBracket,
    /// Something stands in front of the first section.
    #[error("Expected a profile definition: a line such as [default] must come first")]
    NoSection,
    /// `key value`
    #[error("Expected an '=' sign defining a property: write it as NAME = VALUE")]
    NoEquals,
    /// `= value`
    #[error("Property did not have a name: write one in front of the '='")]
    NoName,
    /// An indented line that belongs to no property.
    #[error(
        "Expected a property definition, found continuation: write it as NAME = VALUE, not indented"
    )]
    NoProperty,
    /// The same as `NoEquals`, in an indented block.
    #[error(
        "Expected an '=' sign defining a sub-property: indented lines below `name =` are written as NAME = VALUE"
    )]
    NoSubEquals,
    /// The same as `NoName`, in an indented block.
    #[error("Sub-property did not have a name: write one in front of the '='")]
    NoSubName,
    /// The bytes are no text.
    #[error("not UTF-8: save the file as UTF-8")]
    NotText,
}

/// Reads a file's text: its sections in order, those of the same spelling merged.
pub(super) fn parse(text: &str) -> Result<Vec<RawSection>, (usize, ParseProblem)> {
    let mut parser = Parser::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        parser.line(number + 1, line).map_err(|problem| (number + 1, problem))?;
    }
    Ok(parser.sections.into_values().collect())
}

#[derive(Default)]
struct Parser {
    sections: IndexMap<String, RawSection>,
    /// The section that is read.
    section: Option<usize>,
    /// The property that is read.
    property: Option<Open>,
}

/// A property that may go on in the next line.
struct Open {
    index: usize,
    indent: usize,
    /// Nothing stands behind its `=`: what follows are sub-properties.
    nested: bool,
}

impl Parser {
    fn line(&mut self, number: usize, line: &str) -> Result<(), ParseProblem> {
        let content = line.trim_matches(SPACE);
        if content.is_empty() || content.starts_with(COMMENT) {
            return Ok(());
        }
        let indent = line.len() - line.trim_start_matches(SPACE).len();
        if let Some(open) = self.property.as_ref().filter(|it| indent > it.indent) {
            let (index, nested) = (open.index, open.nested);
            return self.go_on(index, nested, content);
        }
        if content.starts_with('[') {
            return self.begin(number, content);
        }
        let section = self.section.ok_or(ParseProblem::NoSection)?;
        let (name, value) = property(content).map_err(|problem| match problem {
            ParseProblem::NoEquals if indent > 0 => ParseProblem::NoProperty,
            other => other,
        })?;
        let property = Property { value: value.to_owned(), line: number };
        let properties = &mut self.sections[section].properties;
        let (index, _) = properties.insert_full(name.to_ascii_lowercase(), property);
        self.property = Some(Open { index, indent, nested: value.is_empty() });
        Ok(())
    }

    fn begin(&mut self, number: usize, content: &str) -> Result<(), ParseProblem> {
        let content = content.split(COMMENT).next().unwrap_or_default().trim_matches(SPACE);
        let name = content
            .strip_prefix('[')
            .and_then(|it| it.strip_suffix(']'))
            .ok_or(ParseProblem::OpenBracket)?
            .trim_matches(SPACE);
        let entry = self.sections.entry(name.to_owned());
        let index = entry.index();
        entry.or_insert_with(|| RawSection {
            name: name.to_owned(),
            line: number,
            properties: IndexMap::new(),
        });
        self.section = Some(index);
        self.property = None;
        Ok(())
    }

    fn go_on(&mut self, index: usize, nested: bool, content: &str) -> Result<(), ParseProblem> {
        if nested {
            property(content).map_err(|problem| match problem {
                ParseProblem::NoName => ParseProblem::NoSubName,
                _ => ParseProblem::NoSubEquals,
            })?;
        }
        let section = self.section.expect("a property is in a section");
        let value = &mut self.sections[section].properties[index].value;
        value.push('\n');
        value.push_str(content);
        Ok(())
    }
}

/// `name = value # comment`.
pub(super) fn property(line: &str) -> Result<(&str, &str), ParseProblem> {
    let (name, value) = without_comment(line).split_once('=').ok_or(ParseProblem::NoEquals)?;
    let name = name.trim_matches(SPACE);
    if name.is_empty() { Err(ParseProblem::NoName) } else { Ok((name, value.trim_matches(SPACE))) }
}

/// A comment has white space in front of it.
fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    for (at, letter) in line.char_indices() {
        if COMMENT.contains(&letter) && SPACE.contains(&before) {
            return &line[..at];
        }
        before = letter;
    }
    line
}
