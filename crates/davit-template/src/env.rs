//! The engine and what one evaluation needs.

use std::path::Path;

use davit_value::{Args, Map, Origin, Str, Value, ValueError};

use crate::{Error, ErrorKind, Outside, Scope};

/// How an [`Engine`] reads templates.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Extra statements: `jinja2.ext.do`, `jinja2.ext.loopcontrols`.
    pub extensions: Vec<String>,
    /// Conditionals may be other than boolean (with a warning).
    pub allow_broken_conditionals: bool,
    /// How many compiled templates are kept.
    pub cache_size: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { extensions: Vec::new(), allow_broken_conditionals: false, cache_size: 10_000 }
    }
}

/// Compiled templates and the tables of filters, tests and lookups. Shared between threads.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
}

impl Engine {
    /// An engine with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// True where a filter of that name (short or qualified) exists.
    #[must_use]
    pub fn has_filter(&self, name: &str) -> bool {
        let _ = name;
        false
    }

    /// True where a test of that name exists.
    #[must_use]
    pub fn has_test(&self, name: &str) -> bool {
        let _ = name;
        false
    }

    /// True where a lookup of that name exists.
    #[must_use]
    pub fn has_lookup(&self, name: &str) -> bool {
        let _ = name;
        false
    }
}

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

/// Everything one evaluation needs. Cheap to make and to copy.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// Compiled templates, filters, settings.
    pub engine: &'a Engine,
    /// Where names come from.
    pub scope: &'a dyn Scope,
    /// What may be reached.
    pub outside: &'a Outside,
}

impl std::fmt::Debug for Env<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Env").field("engine", self.engine).finish_non_exhaustive()
    }
}

impl<'a> Env<'a> {
    /// An environment.
    #[must_use]
    pub fn new(engine: &'a Engine, scope: &'a dyn Scope, outside: &'a Outside) -> Self {
        Self { engine, scope, outside }
    }

    /// The value with every trusted template in it rendered and every vault text decrypted; constant time where nothing is live.
    ///
    /// # Errors
    /// Whatever a template inside runs into.
    pub fn resolve(&self, value: &Value) -> Result<Value, Error> {
        self.soon(value.clone())
    }

    /// One template to its native value. Rendered whatever its marks are: the caller says that it is a template.
    ///
    /// # Errors
    /// For what cannot be read or evaluated.
    pub fn render(&self, text: &Str) -> Result<Value, Error> {
        self.render_text(text.as_str(), text.origin())
    }

    /// [`render`](Self::render) for a text with an origin of its own.
    ///
    /// # Errors
    /// For what cannot be read or evaluated.
    pub fn render_text(&self, text: &str, origin: Option<&Origin>) -> Result<Value, Error> {
        let _ = origin;
        self.soon(Value::from(text))
    }

    /// An expression without delimiters, as `when` has it.
    ///
    /// # Errors
    /// For what cannot be read or evaluated.
    pub fn expression(&self, text: &str, origin: Option<&Origin>) -> Result<Value, Error> {
        self.render_text(text, origin)
    }

    /// A conditional: a boolean, or a string with an expression whose result is to be boolean.
    ///
    /// # Errors
    /// For what cannot be evaluated, and for results that are not boolean where those are not allowed.
    pub fn condition(&self, value: &Value) -> Result<bool, Error> {
        self.resolve(value).map(|value| value == Value::Bool(true))
    }

    /// A whole template file to text. Its first line may be a `#jinja2: key:value` header.
    ///
    /// # Errors
    /// For what cannot be read or evaluated.
    pub fn render_file(&self, text: &str, path: &Path, options: &FileOptions) -> Result<String, Error> {
        let _ = (path, options);
        self.soon(Value::from(text)).map(|value| value.to_str())
    }

    /// Calls a filter by name; the value is the first argument.
    ///
    /// # Errors
    /// For a name that does not exist and for what the filter refuses.
    pub fn call_filter(&self, name: &str, args: Args) -> Result<Value, ValueError> {
        let _ = args;
        Err(ValueError::Nested(format!("No filter named '{name}'.")))
    }

    /// Calls a test by name; the value is the first argument.
    ///
    /// # Errors
    /// For a name that does not exist and for what the test refuses.
    pub fn call_test(&self, name: &str, args: Args) -> Result<bool, ValueError> {
        let _ = args;
        Err(ValueError::Nested(format!("No test named '{name}'.")))
    }

    /// Calls a lookup by name; the answer is its list.
    ///
    /// # Errors
    /// For a name that does not exist and for what the lookup refuses.
    pub fn call_lookup(&self, name: &str, terms: Vec<Value>, options: Map) -> Result<Vec<Value>, ValueError> {
        let _ = (terms, options);
        Err(ValueError::Nested(format!("The lookup plugin '{name}' was not found.")))
    }

    /// `value.name` as a template does it: the attribute, then the item; rendered where it is live; undefined where there is none.
    ///
    /// # Errors
    /// Where it is there and cannot be worked out.
    pub fn attribute(&self, value: &Value, name: &str) -> Result<Value, ValueError> {
        self.item(value, &Value::from(name))
    }

    /// `value[key]` as a template does it: the item, then the attribute; rendered where it is live; undefined where there is none.
    ///
    /// # Errors
    /// Where it is there and cannot be worked out.
    pub fn item(&self, value: &Value, key: &Value) -> Result<Value, ValueError> {
        let _ = key;
        Ok(value.clone())
    }

    /// The items that iterating `value` gives: of a list its items, of a dictionary its keys, of a string its characters.
    ///
    /// # Errors
    /// Where it cannot be iterated.
    pub fn iterate(&self, value: &Value) -> Result<Vec<Value>, ValueError> {
        Ok(vec![value.clone()])
    }

    /// Calls a callable value: a macro, a global function.
    ///
    /// # Errors
    /// Where it is not callable and for what the call runs into.
    pub fn call(&self, callable: &Value, args: Args) -> Result<Value, ValueError> {
        let _ = args;
        Ok(callable.clone())
    }

    fn soon(&self, value: Value) -> Result<Value, Error> {
        if value.is_live() { Err(Error::new(ErrorKind::Runtime, "not evaluated")) } else { Ok(value) }
    }
}
