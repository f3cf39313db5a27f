//! Answers as tables with tables in them. Knows nothing of other formats.

use std::collections::BTreeSet;

use super::{Look, is_scalar, plain, width::columns};
use crate::value::{Map, Value};

pub(super) fn render(value: &Value, look: Look<'_>) -> String {
    let mut sections = Vec::new();
    build(&mut sections, Some(look.title), value, 0);
    if sections.is_empty() {
        return String::new();
    }
    let mut width = width_of_all(&sections);
    if width > look.width {
        sections.iter_mut().for_each(Section::turn);
        width = width_of_all(&sections);
    }
    let mut out = "-".repeat(width);
    out.push('\n');
    for section in &sections {
        Writer { out: &mut out, section, width, colour: look.colour }.write();
    }
    out
}

/// A part of the table with its own columns.
#[derive(Default)]
struct Section {
    title: String,
    headers: Vec<String>,
    rows: Vec<Vec<String>>,
    indent: usize,
    /// How wide each column's widest text is.
    widths: Vec<usize>,
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) => true,
        Value::Float(number) => *number == 0.0,
        Value::String(text) => text.is_empty(),
        Value::Blob(bytes) => bytes.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(map) => map.is_empty(),
        Value::Bool(true) | Value::Int(_) | Value::Timestamp(_) => false,
    }
}

fn build(sections: &mut Vec<Section>, title: Option<&str>, value: &Value, indent: usize) {
    if is_empty(value) {
        return;
    }
    if let Some(title) = title {
        sections.push(Section { title: title.to_owned(), indent, ..Section::default() });
    }
    match value {
        Value::List(items) if matches!(items.first(), Some(Value::Map(_))) => {
            build_maps(sections, title.unwrap_or_default(), items, indent);
        }
        Value::List(items) => {
            for item in items {
                match item {
                    Value::List(row) if row.iter().all(is_scalar) => {
                        add_row(sections, row.iter().map(plain).collect());
                    }
                    Value::Map(map) => add_row(sections, map.keys().cloned().collect()),
                    Value::List(_) => build(sections, None, item, 0),
                    scalar => add_row(sections, vec![plain(scalar)]),
                }
            }
        }
        Value::Map(map) => build_map(sections, map, indent),
        _ => {}
    }
}

fn add_row(sections: &mut [Section], row: Vec<String>) {
    if let Some(section) = sections.last_mut() {
        section.add_row(row);
    }
}

/// Names of scalars and of others, each sorted.
fn names<'a>(maps: impl Iterator<Item = &'a Map>) -> (BTreeSet<&'a str>, BTreeSet<&'a str>) {
    let mut scalars = BTreeSet::new();
    let mut others = BTreeSet::new();
    for (name, value) in maps.flatten() {
        if is_scalar(value) {
            scalars.insert(name.as_str())
        } else {
            others.insert(name.as_str())
        };
    }
    (scalars, others)
}

fn build_map(sections: &mut Vec<Section>, map: &Map, indent: usize) {
    let (scalars, others) = names(std::iter::once(map));
    let mut cells = scalars.iter().map(|name| plain(&map[*name]));
    if scalars.len() == 1 {
        let row = scalars.iter().map(|it| (*it).to_owned()).chain(cells).collect();
        add_row(sections, row);
    } else if !scalars.is_empty()
        && let Some(section) = sections.last_mut()
    {
        section.add_headers(&scalars);
        section.add_row(cells.by_ref().collect());
    }
    for name in others {
        build(sections, Some(name), &map[name], indent + 1);
    }
}

fn build_maps(sections: &mut Vec<Section>, title: &str, items: &[Value], indent: usize) {
    let maps = || items.iter().filter_map(Value::as_map);
    let (scalars, others) = names(maps());
    if let Some(section) = sections.last_mut() {
        section.add_headers(&scalars);
    }
    for (place, map) in maps().enumerate() {
        if place > 0 && !others.is_empty() {
            let mut section = Section { title: title.to_owned(), indent, ..Section::default() };
            section.add_headers(&scalars);
            sections.push(section);
        }
        let cell = |name: &&str| map.get(*name).map_or_else(String::new, plain);
        add_row(sections, scalars.iter().map(cell).collect());
        for name in &others {
            if let Some(value) = map.get(*name) {
                build(sections, Some(name), value, indent + 1);
            }
        }
    }
}

fn width_of_all(sections: &[Section]) -> usize {
    sections.iter().map(Section::width).max().unwrap_or(0)
}

impl Section {
    fn add_headers(&mut self, headers: &BTreeSet<&str>) {
        self.headers = headers.iter().map(|it| (*it).to_owned()).collect();
        let headers = self.headers.clone();
        self.widen(&headers);
    }

    fn add_row(&mut self, row: Vec<String>) {
        self.widen(&row);
        self.rows.push(row);
    }

    fn widen(&mut self, row: &[String]) {
        self.widths.resize(self.widths.len().max(row.len()), 0);
        for (width, cell) in self.widths.iter_mut().zip(row) {
            *width = columns(cell).max(*width);
        }
    }

    fn width(&self) -> usize {
        let row: usize = self.widths.iter().map(|it| it + 4).sum();
        columns(&self.title).max(row) + 2 + 2 * self.indent
    }

    /// Puts the only row under its headers beside them.
    fn turn(&mut self) {
        let [row] = self.rows.as_slice() else { return };
        if self.headers.is_empty() {
            return;
        }
        let rows: Vec<Vec<String>> = self
            .headers
            .iter()
            .zip(row)
            .map(|(header, cell)| vec![header.clone(), cell.clone()])
            .collect();
        let title = std::mem::take(&mut self.title);
        *self = Self { title, indent: self.indent, ..Self::default() };
        rows.into_iter().for_each(|it| self.add_row(it));
    }

    /// The widths of the columns, stretched to fill a width.
    fn stretched(&self, width: usize) -> Vec<usize> {
        let padded: Vec<usize> = self.widths.iter().map(|it| it + 4).collect();
        let sum: usize = padded.iter().sum();
        if sum == 0 {
            return padded;
        }
        #[expect(clippy::cast_precision_loss, reason = "no table is so wide")]
        let scale = width as f64 / sum as f64;
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "no table is so wide"
        )]
        let mut scaled: Vec<usize> =
            padded.iter().map(|it| (scale * *it as f64).round_ties_even() as usize).collect();
        let count = scaled.len();
        let mut place = 0;
        while scaled.iter().sum::<usize>() > width {
            scaled[place % count] = scaled[place % count].saturating_sub(1);
            place += 1;
        }
        while scaled.iter().sum::<usize>() < width {
            scaled[count - 1 - place % count] += 1;
            place += 1;
        }
        scaled
    }
}

struct Writer<'a> {
    out: &'a mut String,
    section: &'a Section,
    width: usize,
    colour: bool,
}

impl Writer<'_> {
    fn write(&mut self) {
        let section = self.section;
        let width = self.width - (section.indent * 2).min(self.width);
        if !section.title.is_empty() {
            let title = centred(&section.title, width, "|");
            self.line(&title);
            if section.headers.is_empty() && section.rows.is_empty() {
                self.line(&format!("+{}+", "-".repeat(width.saturating_sub(2))));
            }
        }
        let widths = section.stretched(width);
        if !section.headers.is_empty() {
            self.rule(&widths);
            let cells = section.headers.iter().zip(&widths).enumerate();
            let line: String =
                cells.map(|(place, (it, width))| centred(it, *width, edge(place))).collect();
            self.line(&line);
        }
        if section.rows.is_empty() || widths.is_empty() {
            return;
        }
        self.rule(&widths);
        for row in &section.rows {
            let cells = row.iter().zip(&widths).enumerate();
            let line: String =
                cells.map(|(place, (it, width))| self.cell(it, *width, edge(place))).collect();
            self.line(&line);
        }
        self.rule(&widths);
    }

    /// A line with the edges of the tables around this one.
    fn line(&mut self, text: &str) {
        let bar = if self.colour { "\x1b[2m\x1b[33m|\x1b[0m" } else { "|" };
        let edge = bar.repeat(self.section.indent);
        self.out.push_str(&edge);
        self.out.push_str(text);
        self.out.push_str(&edge);
        self.out.push('\n');
    }

    fn rule(&mut self, widths: &[usize]) {
        let mut line = String::from("+");
        for (place, width) in widths.iter().enumerate() {
            line.push_str(&"-".repeat(width.saturating_sub(if place == 0 { 2 } else { 1 })));
            line.push('+');
        }
        self.line(&line);
    }

    fn cell(&self, text: &str, width: usize, left: &str) -> String {
        let taken = columns(text) + left.len() + 1;
        let before = if taken + 2 <= width { 2 } else { 0 };
        let after = width.saturating_sub(taken + before);
        let shown =
            if self.colour { format!("\x1b[1m\x1b[34m{text}\x1b[0m") } else { text.to_owned() };
        format!("{left}{}{shown}{}|", " ".repeat(before), " ".repeat(after))
    }
}

/// The left edge of a cell.
const fn edge(place: usize) -> &'static str {
    if place == 0 { "|" } else { "" }
}

fn centred(text: &str, width: usize, left: &str) -> String {
    let size = columns(text);
    // May be below zero, and counts so for the right side: texts that do not fit stand out there.
    let before = (width / 2).checked_signed_diff(size / 2).unwrap_or(0) - 1;
    let spaces = |count: isize| " ".repeat(usize::try_from(count).unwrap_or(0));
    let taken = isize::try_from(left.len() + size + 1).unwrap_or(isize::MAX);
    let after = isize::try_from(width).unwrap_or(isize::MAX) - taken.saturating_add(before);
    format!("{left}{}{text}{}|", spaces(before), spaces(after))
}
