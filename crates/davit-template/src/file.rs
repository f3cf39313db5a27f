//! How whole template files are read, and the `#jinja2:` header that says otherwise.

use crate::lexer::Syntax;

/// How a whole file is rendered. The defaults are the template module's.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// The newline after a block tag goes (default true).
    pub trim_blocks: bool,
    /// White space before a block tag goes (default false).
    pub lstrip_blocks: bool,
    /// What ends lines in the output (default `\n`).
    pub newline_sequence: String,
    /// The newline at the end of the file stays (default true).
    pub keep_trailing_newline: bool,
    /// `{%`
    pub block_start_string: String,
    /// `%}`
    pub block_end_string: String,
    /// `{{`
    pub variable_start_string: String,
    /// `}}`
    pub variable_end_string: String,
    /// `{#`
    pub comment_start_string: String,
    /// `#}`
    pub comment_end_string: String,
    /// Statements may be lines with this prefix.
    pub line_statement_prefix: Option<String>,
    /// Comments may start with this prefix.
    pub line_comment_prefix: Option<String>,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            trim_blocks: true,
            lstrip_blocks: false,
            newline_sequence: "\n".into(),
            keep_trailing_newline: true,
            block_start_string: "{%".into(),
            block_end_string: "%}".into(),
            variable_start_string: "{{".into(),
            variable_end_string: "}}".into(),
            comment_start_string: "{#".into(),
            comment_end_string: "#}".into(),
            line_statement_prefix: None,
            line_comment_prefix: None,
        }
    }
}

const HEADER: &str = "#jinja2:";

impl FileOptions {
    /// True where something in `text` may be a tag; other files are taken as they are, line ends and all.
    pub(crate) fn may_be_template(&self, text: &str) -> bool {
        let starts =
            [&self.block_start_string, &self.variable_start_string, &self.comment_start_string];
        let prefixes = [&self.line_statement_prefix, &self.line_comment_prefix];
        text.starts_with(HEADER)
            || starts
                .into_iter()
                .chain(prefixes.into_iter().flatten())
                .any(|it| text.contains(it.as_str()))
    }

    /// The syntax for a file, its text without the header, and how many lines the header has.
    pub(crate) fn syntax<'a>(&self, text: &'a str) -> Result<(Syntax, &'a str, u32), String> {
        let mut options = self.clone();
        let mut body = text;
        let mut skipped = 0;
        if let Some(rest) = text.strip_prefix(HEADER) {
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            body = after;
            skipped = 1;
            for pair in line.split(',') {
                let (key, value) = pair.split_once(':').ok_or_else(|| {
                    format!("failed to parse jinja2 override '{}'. Did you use something different from colon as key-value separator?", pair.trim())
                })?;
                options.set(key.trim(), value.trim())?;
            }
        }
        let ends = [
            (&options.block_start_string, "block_start_string"),
            (&options.block_end_string, "block_end_string"),
            (&options.variable_start_string, "variable_start_string"),
            (&options.variable_end_string, "variable_end_string"),
            (&options.comment_start_string, "comment_start_string"),
            (&options.comment_end_string, "comment_end_string"),
        ];
        if let Some((_, name)) = ends.iter().find(|(delimiter, _)| delimiter.is_empty()) {
            return Err(format!("{name} must not be empty"));
        }
        let starts = [
            &options.block_start_string,
            &options.variable_start_string,
            &options.comment_start_string,
        ];
        if starts[0] == starts[1] || starts[0] == starts[2] || starts[1] == starts[2] {
            return Err("block, variable and comment start strings must be different".into());
        }
        let syntax = Syntax {
            block: (options.block_start_string, options.block_end_string),
            variable: (options.variable_start_string, options.variable_end_string),
            comment: (options.comment_start_string, options.comment_end_string),
            line_statement: options.line_statement_prefix.filter(|prefix| !prefix.is_empty()),
            line_comment: options.line_comment_prefix.filter(|prefix| !prefix.is_empty()),
            trim_blocks: options.trim_blocks,
            lstrip_blocks: options.lstrip_blocks,
            // The newline is taken off and put back, so that a file with one expression still has a native value.
            keep_trailing_newline: false,
            drops_newline: !options.keep_trailing_newline,
            newline: options.newline_sequence,
            escapes: true,
        };
        Ok((syntax, body, skipped))
    }

    /// Sets one option by its name, its value as in Python.
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let text = || {
            let bare = value
                .strip_prefix('\'')
                .and_then(|it| it.strip_suffix('\''))
                .or_else(|| value.strip_prefix('"').and_then(|it| it.strip_suffix('"')))
                .unwrap_or(value);
            bare.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t")
        };
        let bool = || match value.trim_matches(['\'', '"']).to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(true),
            "false" | "no" | "off" | "0" => Ok(false),
            other => Err(format!("'{other}' is not a boolean, for the jinja2 override '{key}'")),
        };
        match key {
            "trim_blocks" => self.trim_blocks = bool()?,
            "lstrip_blocks" => self.lstrip_blocks = bool()?,
            // Newlines at the end are kept whatever a header says.
            "keep_trailing_newline" => {
                bool()?;
            }
            "newline_sequence" => self.newline_sequence = text(),
            "block_start_string" => self.block_start_string = text(),
            "block_end_string" => self.block_end_string = text(),
            "variable_start_string" => self.variable_start_string = text(),
            "variable_end_string" => self.variable_end_string = text(),
            "comment_start_string" => self.comment_start_string = text(),
            "comment_end_string" => self.comment_end_string = text(),
            "line_statement_prefix" => self.line_statement_prefix = Some(text()),
            "line_comment_prefix" => self.line_comment_prefix = Some(text()),
            other => return Err(format!("unknown jinja2 override '{other}'")),
        }
        Ok(())
    }
}
