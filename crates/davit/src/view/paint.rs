//! Colours, and text on its way to the two outputs.
//!
//! A view fills a [`Screen`] while it renders one event; what has been gathered is then written at
//! once, so that a pipe sees whole events.

use std::collections::HashSet;
use std::io;

use unicode_width::UnicodeWidthChar;

use crate::view::{Outputs, Settings};

/// The colours of the original, by what they are for; each is the inside of an escape sequence.
#[derive(Clone, Debug)]
pub(crate) struct Palette {
    pub(crate) ok: String,
    pub(crate) changed: String,
    pub(crate) skip: String,
    pub(crate) included: String,
    pub(crate) error: String,
    pub(crate) unreachable: String,
    pub(crate) warn: String,
    pub(crate) deprecate: String,
    pub(crate) verbose: String,
    pub(crate) debug: String,
    pub(crate) diff_add: String,
    pub(crate) diff_remove: String,
    pub(crate) diff_lines: String,
}

impl Default for Palette {
    fn default() -> Self {
        let code = |name| colour_code(name).unwrap_or_default();
        Self {
            ok: code("green"),
            changed: code("yellow"),
            skip: code("cyan"),
            included: code("cyan"),
            error: code("red"),
            unreachable: code("bright red"),
            warn: code("bright purple"),
            deprecate: code("purple"),
            verbose: code("blue"),
            debug: code("dark gray"),
            diff_add: code("green"),
            diff_remove: code("red"),
            diff_lines: code("cyan"),
        }
    }
}

/// The code of a colour as `ansible.cfg` names it: `bright red`, `color123`, `rgb255`, `gray12`.
pub(crate) fn colour_code(name: &str) -> Option<String> {
    let code = match name {
        "black" => "0;30",
        "bright gray" => "0;37",
        "blue" => "0;34",
        "white" => "1;37",
        "green" => "0;32",
        "bright blue" => "1;34",
        "cyan" => "0;36",
        "bright green" => "1;32",
        "red" => "0;31",
        "bright cyan" => "1;36",
        "purple" | "magenta" => "0;35",
        "bright red" => "1;31",
        "yellow" => "0;33",
        "bright purple" | "bright magenta" => "1;35",
        "dark gray" => "1;30",
        "bright yellow" => "1;33",
        "normal" => "0",
        _ => return extended(name),
    };
    Some(code.to_owned())
}

fn extended(name: &str) -> Option<String> {
    let number = if let Some(number) = name.strip_prefix("color") {
        number.parse::<u8>().ok()?
    } else if let Some(level) = name.strip_prefix("gray") {
        level.parse::<u8>().ok()?.checked_add(232)?
    } else {
        let digits: Vec<u32> =
            name.strip_prefix("rgb")?.chars().map_while(|c| c.to_digit(6)).collect();
        let [red, green, blue] = digits.as_slice() else { return None };
        u8::try_from(16 + 36 * red + 6 * green + blue).ok()?
    };
    Some(format!("38;5;{number}"))
}

/// `text` in a colour, line by line.
pub(crate) fn paint(text: &str, code: &str) -> String {
    let mut painted = String::with_capacity(text.len() + 16);
    for (place, line) in text.split('\n').enumerate() {
        if place > 0 {
            painted.push('\n');
        }
        painted.push_str("\u{1b}[");
        painted.push_str(code);
        painted.push('m');
        painted.push_str(line);
        painted.push_str("\u{1b}[0m");
    }
    painted
}

/// The columns that `text` takes on a terminal; control characters take none.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(|char| char.width().unwrap_or(0)).sum()
}

/// Which output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Out,
    Err,
}

/// The two outputs, and what is to be written to them next.
pub(crate) struct Screen {
    to: Outputs,
    waiting: Vec<(To, String)>,
    colour: bool,
    colour_err: bool,
    said: HashSet<String>,
}

impl Screen {
    pub(crate) fn new(settings: &Settings, to: Outputs) -> Self {
        Self {
            to,
            waiting: Vec::new(),
            colour: settings.colour,
            colour_err: settings.colour_err,
            said: HashSet::new(),
        }
    }

    /// Adds text as it is.
    pub(crate) fn put(&mut self, to: To, text: &str) {
        match self.waiting.last_mut() {
            Some((last, waiting)) if *last == to => waiting.push_str(text),
            _ => self.waiting.push((to, text.to_owned())),
        }
    }

    /// Adds a line, in a colour where there is one; a line end that `text` has is not doubled.
    pub(crate) fn line(&mut self, to: To, text: &str, code: Option<&str>) {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let colour = match to {
            To::Out => self.colour,
            To::Err => self.colour_err,
        };
        match code.filter(|_| colour) {
            Some(code) => self.put(to, &paint(text, code)),
            None => self.put(to, text),
        }
        self.put(to, "\n");
    }

    /// As [`line`](Self::line), unless the very same was said before.
    pub(crate) fn line_once(&mut self, to: To, text: &str, code: Option<&str>) {
        if self.said.insert(text.to_owned()) {
            self.line(to, text, code);
        }
    }

    /// True where standard output takes colours.
    pub(crate) fn colour(&self) -> bool {
        self.colour
    }

    /// True where nothing was gathered.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Puts text on standard output before and after what was gathered.
    pub(crate) fn surround(&mut self, before: &str, after: &str) {
        if !before.is_empty() {
            self.waiting.insert(0, (To::Out, before.to_owned()));
        }
        if !after.is_empty() {
            self.put(To::Out, after);
        }
    }

    /// Writes what was gathered.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        for (to, text) in self.waiting.drain(..) {
            let writer = match to {
                To::Out => &mut self.to.out,
                To::Err => &mut self.to.err,
            };
            writer.write_all(text.as_bytes())?;
            writer.flush()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_have_the_original_names() {
        assert_eq!(colour_code("bright red").as_deref(), Some("1;31"));
        assert_eq!(colour_code("color200").as_deref(), Some("38;5;200"));
        assert_eq!(colour_code("rgb500").as_deref(), Some("38;5;196"));
        assert_eq!(colour_code("gray0").as_deref(), Some("38;5;232"));
        assert_eq!(colour_code("ultraviolet"), None);
    }

    #[test]
    fn every_line_is_painted() {
        assert_eq!(paint("a\n", "0;31"), "\u{1b}[0;31ma\u{1b}[0m\n\u{1b}[0;31m\u{1b}[0m");
    }
}
