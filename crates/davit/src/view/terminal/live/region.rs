//! Lines at the bottom of a terminal that are drawn anew, and the control sequences for that.
//!
//! The cursor rests at the end of the last line. No line fills the width: it would wrap, and could
//! not be taken away again. Only what is different is sent.

use unicode_width::UnicodeWidthChar;

use crate::view::paint::{columns, paint};

/// A line of at most so many columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::view::terminal) struct Line {
    text: String,
    columns: usize,
}

/// Puts a line together, piece by piece.
pub(in crate::view::terminal) struct Writer {
    line: Line,
    room: usize,
    cut: char,
    is_full: bool,
    colour: bool,
}

impl Writer {
    pub(in crate::view::terminal) fn new(room: usize, cut: char, colour: bool) -> Self {
        Self { line: Line::default(), room, cut, is_full: false, colour }
    }

    /// Columns that are left.
    pub(in crate::view::terminal) fn room(&self) -> usize {
        if self.is_full { 0 } else { self.room.saturating_sub(self.line.columns) }
    }

    /// Adds text, as much of it as fits.
    pub(in crate::view::terminal) fn put(&mut self, text: &str, code: Option<&str>) {
        if self.is_full || text.is_empty() {
            return;
        }
        let room = self.room();
        let wide = columns(text);
        let (kept, wide) = if wide <= room { (text.to_owned(), wide) } else { self.shorten(text) };
        match code.filter(|code| self.colour && !code.is_empty()) {
            Some(code) => self.line.text.push_str(&paint(&kept, code)),
            None => self.line.text.push_str(&kept),
        }
        self.line.columns += wide;
    }

    fn shorten(&mut self, text: &str) -> (String, usize) {
        let room = self.room();
        self.is_full = true;
        let (mut kept, mut taken) = (String::new(), 0);
        for char in text.chars() {
            let wide = char.width().unwrap_or(0);
            if taken + wide >= room {
                break;
            }
            taken += wide;
            kept.push(char);
        }
        if room > 0 {
            kept.push(self.cut);
            taken += 1;
        }
        (kept, taken)
    }

    pub(in crate::view::terminal) fn done(self) -> Line {
        self.line
    }
}

/// What is drawn now.
#[derive(Default)]
pub(in crate::view::terminal) struct Region {
    lines: Vec<Line>,
    /// The width of the terminal when it was drawn.
    width: usize,
}

impl Region {
    /// Nothing is known of the screen any more: what comes next is drawn below.
    pub(in crate::view::terminal) fn forget(&mut self) {
        self.lines.clear();
    }

    /// Takes all lines away; the cursor is where the first one began.
    pub(in crate::view::terminal) fn wipe(&mut self, width: usize) -> String {
        if self.lines.is_empty() {
            return String::new();
        }
        // A terminal that has become narrower has broken lines into several.
        let width = width.max(1);
        let rows: usize = self.lines.iter().map(|line| line.columns.div_ceil(width).max(1)).sum();
        self.lines.clear();
        format!("{}\r\u{1b}[J", up(rows - 1))
    }

    /// Draws `lines` in place of what is there.
    pub(in crate::view::terminal) fn draw(&mut self, lines: Vec<Line>, width: usize) -> String {
        let fits = self.lines.len() <= lines.len() && self.width == width;
        if self.lines.is_empty() || !fits {
            let mut out = self.wipe(width);
            let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
            out.push_str(&texts.join("\n"));
            (self.lines, self.width) = (lines, width);
            return out;
        }
        let out = self.difference(&lines);
        self.lines = lines;
        out
    }

    /// What makes of the lines that are drawn those that are to be, which are no fewer.
    fn difference(&self, lines: &[Line]) -> String {
        if self.lines == lines {
            return String::new();
        }
        let last = self.lines.len() - 1;
        let mut out = String::new();
        let mut row = last;
        for (place, (old, new)) in self.lines.iter().zip(lines).enumerate() {
            if old == new {
                continue;
            }
            out.push_str(&if place <= row { up(row - place) } else { down(place - row) });
            row = place;
            out.push('\r');
            out.push_str(&new.text);
            out.push_str("\u{1b}[K");
        }
        out.push_str(&down(last - row));
        // What the terminal has echoed behind the last line, such as ^C, goes too.
        out.push('\r');
        match lines.get(last).map_or(0, |line| line.columns) {
            0 => {}
            columns => out.push_str(&format!("\u{1b}[{columns}C")),
        }
        out.push_str("\u{1b}[K");
        for line in lines.iter().skip(last + 1) {
            out.push('\n');
            out.push_str(&line.text);
        }
        out
    }
}

fn up(rows: usize) -> String {
    if rows == 0 { String::new() } else { format!("\u{1b}[{rows}A") }
}

fn down(rows: usize) -> String {
    if rows == 0 { String::new() } else { format!("\u{1b}[{rows}B") }
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use super::*;

    fn size(number: u16) -> NonZero<u16> {
        NonZero::new(number).unwrap()
    }

    fn line(text: &str, room: usize) -> Line {
        let mut writer = Writer::new(room, '>', true);
        writer.put(text, None);
        writer.done()
    }

    fn lines(texts: &[&str]) -> Vec<Line> {
        texts.iter().map(|text| line(text, 20)).collect()
    }

    #[test]
    fn a_line_ends_where_the_room_ends() {
        let mut writer = Writer::new(6, '>', true);
        writer.put("ab", Some("0;31"));
        writer.put("cdefgh", None);
        writer.put("more", None);
        let line = writer.done();
        assert_eq!((line.text.as_str(), line.columns), ("\u{1b}[0;31mab\u{1b}[0mcde>", 6));
        assert_eq!(self::line("日本語", 6).columns, 6);
        assert_eq!(self::line("日本語", 5).text, "日本>");
    }

    #[test]
    fn the_screen_shows_what_was_drawn_last() {
        let mut parser = vt100::Parser::new(size(8), size(20), 0);
        let mut region = Region::default();
        let mut screen = |sent: &str| {
            parser.process(sent.replace('\n', "\r\n").as_bytes());
            parser.screen().contents()
        };
        screen("result\n");
        let steps: &[&[&str]] = &[
            &["one", "two", "three"],
            &["one", "TWO", "three"],
            &["ONE", "TWO", "3"],
            &["ONE", "TWO", "3", "four"],
            &["", "x", "", ""],
            &["last"],
            &[],
        ];
        for step in steps {
            let sent = region.draw(lines(step), 20);
            let expect = format!("result\n{}", step.join("\n"));
            assert_eq!(screen(&sent).trim_end(), expect.trim_end());
            // What is typed meanwhile does not stay.
            if !step.is_empty() {
                screen("^C");
            }
        }
    }

    #[test]
    fn only_what_is_different_is_sent() {
        let mut region = Region::default();
        region.draw(lines(&["one", "two", "three"]), 20);
        assert_eq!(region.draw(lines(&["one", "two", "three"]), 20), "");
        let sent = region.draw(lines(&["one", "2", "three"]), 20);
        assert!(sent.contains('2') && !sent.contains("one") && !sent.contains("three"), "{sent:?}");
    }

    #[test]
    fn lines_that_a_narrower_terminal_broke_are_taken_away_too() {
        let mut region = Region::default();
        region.draw(lines(&["a line of nineteen.", "two"]), 20);
        assert_eq!(region.wipe(10), "\u{1b}[2A\r\u{1b}[J");
    }
}
