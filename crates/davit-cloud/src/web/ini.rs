//! Files with sections of `NAME = VALUE`, as the tools of clouds write them. Does no IO.

/// A line that says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A section begins.
    Section(&'a str),
    /// A value of the section that began last.
    Value(&'a str, &'a str),
}

/// The lines that say something. Lines that begin with `#` or `;` do not.
pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.lines().map(str::trim).filter_map(|line| {
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            return Some(Line::Section(name.trim()));
        }
        let (name, value) =
            line.split_once(['=', ':']).filter(|_| !line.starts_with(['#', ';']))?;
        Some(Line::Value(name.trim(), value.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_sections_or_values() {
        let text = "# a = b\n[ one ]\nx=y=z # c\n ;d=e\nf\nG : h\n[two]\n";
        let expect = [
            Line::Section("one"),
            Line::Value("x", "y=z # c"),
            Line::Value("G", "h"),
            Line::Section("two"),
        ];
        assert_eq!(lines(text).collect::<Vec<_>>(), expect);
    }
}
