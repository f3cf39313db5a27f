//! What one evaluation needs, and the ways in.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use davit_value::{Args, Map, Origin, Str, Undefined, Value, ValueError};

pub(crate) use crate::engine::Kind;
use crate::engine::nearest;
use crate::eval::{Eval, Unit};
use crate::lexer::Syntax;
use crate::objects::locked;
use crate::{
    Call, Engine, Error, ErrorKind, FileOptions, Function, Outside, Scope, access, limits,
};

/// What one evaluation remembers: rendered variables, and what the last missing member was missing from.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// By the address of the text, which is kept so that the address stays taken.
    rendered: HashMap<usize, (Str, Value)>,
    missing: Option<(Arc<Undefined>, Value)>,
}

/// What is said of a conditional that no file of the user's has.
const UNTRUSTED: &str = "Encountered untrusted template or expression.";

/// Everything one evaluation needs. Cheap to make and to copy.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// Compiled templates, filters, settings.
    pub engine: &'a Engine,
    /// Where names come from.
    pub scope: &'a dyn Scope,
    /// What may be reached.
    pub outside: &'a Outside,
    memory: Option<&'a Mutex<Memory>>,
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
        Self { engine, scope, outside, memory: None }
    }

    /// The same with another scope, which has a memory of its own.
    #[must_use]
    pub fn with_scope<'b>(&self, scope: &'b dyn Scope) -> Env<'b>
    where
        'a: 'b,
    {
        Env { engine: self.engine, scope, outside: self.outside, memory: None }
    }

    /// Runs `work` with something to remember variables in, so that each is rendered once.
    fn remembering<T>(&self, work: impl FnOnce(&Env<'_>) -> T) -> T {
        if self.memory.is_some() {
            return work(self);
        }
        let memory = Mutex::new(Memory::default());
        work(&Env { memory: Some(&memory), ..*self })
    }

    /// The value with every trusted template in it rendered and every vault text decrypted; constant time where nothing is live.
    ///
    /// # Errors
    /// Whatever a template inside runs into.
    pub fn resolve(&self, value: &Value) -> Result<Value, Error> {
        match value {
            Value::Undefined(what) => Err(self.with_nearest(Error::undefined(what))),
            value if !value.is_live() => Ok(value.clone()),
            Value::Str(text) if !text.is_vault() => self.render(text),
            value => self.remembering(|env| {
                access::finish(env, value.clone()).map_err(|error| env.with_nearest(error))
            }),
        }
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
        if !text.contains("{{") && !text.contains("{%") && !text.contains("{#") {
            return Ok(Value::from(text));
        }
        let unit = self.unit(text, origin)?;
        self.run_defined(unit)
    }

    fn run_defined(&self, unit: Unit) -> Result<Value, Error> {
        self.remembering(|env| limits::deeper(|| Eval::new(env, unit).run_defined()))
    }

    fn unit(&self, text: &str, origin: Option<&Origin>) -> Result<Unit, Error> {
        match self.engine.inline(text) {
            Ok(unit) => Ok(Unit { origin: origin.cloned(), ..unit }),
            Err(error) => Err(error.written_at(
                origin,
                text.trim_end_matches('\n').contains('\n') || text.ends_with('\n'),
            )),
        }
    }

    /// An expression without delimiters, as `when` has it.
    ///
    /// # Errors
    /// For what cannot be read or evaluated.
    pub fn expression(&self, text: &str, origin: Option<&Origin>) -> Result<Value, Error> {
        self.evaluate(text, origin, false)
    }

    fn evaluate(
        &self,
        text: &str,
        origin: Option<&Origin>,
        renders_constants: bool,
    ) -> Result<Value, Error> {
        let unit = match self.engine.bare_expression(text) {
            Ok(unit) => Unit { origin: origin.cloned(), renders_constants, ..unit },
            Err(error) => return Err(error.written_at(origin, text.contains('\n'))),
        };
        self.run_defined(unit)
    }

    /// A conditional: a boolean, or a trusted string with an expression whose result is to be boolean.
    ///
    /// # Errors
    /// For what cannot be evaluated, and for results that are not boolean where those are not allowed.
    pub fn condition(&self, value: &Value) -> Result<bool, Error> {
        let broken = self.engine.settings().allow_broken_conditionals;
        let text = match value {
            Value::Bool(bool) => return Ok(*bool),
            Value::Str(text) => text,
            Value::Null => return Ok(true),
            other if broken => return Ok(self.resolve(other)?.truthy()?),
            _ => {
                return Err(Error::new(
                    ErrorKind::Conditional,
                    "Conditional expressions must be strings.",
                ));
            }
        };
        let result =
            self.remembering(|env| env.conditional_value(text)).map_err(Error::in_conditional)?;
        if let Value::Bool(bool) = result {
            return Ok(bool);
        }
        let truth = result.truthy()?;
        let origin = match &result {
            Value::Null => None,
            value => value.origin().or(text.origin()),
        };
        let origin = origin.map_or_else(|| "<unknown>".to_owned(), ToString::to_string);
        let message = format!(
            "Conditional result ({}) was derived from value of type '{}' at '{origin}'. Conditionals must have a boolean result.",
            if truth { "True" } else { "False" },
            result.type_name(),
        );
        if broken {
            self.outside.warn(&message);
            return Ok(truth);
        }
        Err(Error::new(ErrorKind::Conditional, message).written_at(text.origin(), false))
    }

    /// The value of a conditional's text. A text that is a template altogether is rendered first.
    fn conditional_value(&self, text: &Str) -> Result<Value, Error> {
        let refused = |message: &str| {
            Error::new(ErrorKind::Conditional, message).written_at(text.origin(), false)
        };
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(refused("Empty conditional expressions are not allowed."));
        }
        if !text.is_trusted() {
            return Err(refused(UNTRUSTED));
        }
        if trimmed.starts_with("{{") && trimmed.ends_with("}}") {
            let value = self.render(text)?;
            return match &value {
                Value::Str(inner) if !inner.is_trusted() => Err(refused(UNTRUSTED)),
                Value::Str(inner) => self.evaluate(inner, text.origin(), true),
                _ => Ok(value),
            };
        }
        self.evaluate(text, text.origin(), true)
    }

    /// A whole template file to text. Its first line may be a `#jinja2: key:value` header.
    ///
    /// # Errors
    /// For what cannot be read or evaluated.
    pub fn render_file(
        &self,
        text: &str,
        path: &Path,
        options: &FileOptions,
    ) -> Result<String, Error> {
        let value = self.render_file_value(text, path, options)?;
        let mut out = String::new();
        access::write_text(&value, &mut out);
        Ok(out)
    }

    /// [`render_file`](Self::render_file) to a native value, as the `template` lookup gives it.
    ///
    /// # Errors
    /// For what cannot be read or evaluated.
    pub fn render_file_value(
        &self,
        text: &str,
        path: &Path,
        options: &FileOptions,
    ) -> Result<Value, Error> {
        let file: Arc<str> = path.to_string_lossy().into();
        if !options.may_be_template(text) {
            return Ok(Value::from(text));
        }
        let (syntax, body, skipped) = options.syntax(text).map_err(|message| {
            Error::new(ErrorKind::Syntax, message).at(
                Some(&file),
                1,
                None,
                text.lines().next().unwrap_or_default(),
            )
        })?;
        let tree = self
            .engine
            .compile(body, &Arc::new(syntax), false)
            .map_err(|error| error.in_file(&file, skipped))?;
        let folder = path.parent().map(|folder| Arc::new(folder.to_path_buf()));
        self.run_defined(Unit { file: Some(Arc::clone(&file)), folder, ..Unit::bare(tree) })
            .map_err(
                |error| {
                    if error.file() == Some(&*file) { error.further_down(skipped) } else { error }
                },
            )
    }

    /// Calls a filter by name; the value is the first argument.
    ///
    /// # Errors
    /// For a name that does not exist and for what the filter refuses.
    pub fn call_filter(&self, name: &str, args: Args) -> Result<Value, ValueError> {
        self.call_named(Kind::Filter, name, args)
    }

    /// Calls a test by name; the value is the first argument.
    ///
    /// # Errors
    /// For a name that does not exist and for what the test refuses.
    pub fn call_test(&self, name: &str, args: Args) -> Result<bool, ValueError> {
        self.call_named(Kind::Test, name, args)?.truthy()
    }

    /// Calls a lookup by name; the answer is its list.
    ///
    /// # Errors
    /// For a name that does not exist and for what the lookup refuses.
    pub fn call_lookup(
        &self,
        name: &str,
        terms: Vec<Value>,
        options: Map,
    ) -> Result<Vec<Value>, ValueError> {
        self.call_lookup_plainly(name, terms, options).map_err(ValueError::from)
    }

    pub(crate) fn call_lookup_plainly(
        &self,
        name: &str,
        terms: Vec<Value>,
        options: Map,
    ) -> Result<Vec<Value>, Error> {
        let args = Args { positional: terms, named: options };
        let function = self.engine.find(Kind::Lookup, name);
        if function.is_none() && !self.engine.is_outside(name) {
            return Err(self.engine.no_such(Kind::Lookup, name));
        }
        let value = self
            .remembering(|env| {
                let call = Call { env, args };
                limits::deeper(|| match function {
                    Some(function) => function(&call),
                    None => crate::lookups::ask_outside(name, &call),
                })
            })
            .map_err(|error| plugin_failed(Kind::Lookup, name, error))?;
        match value {
            Value::List(list) | Value::Tuple(list) => Ok(list.to_vec()),
            other => Ok(vec![other]),
        }
    }

    fn call_named(&self, kind: Kind, name: &str, args: Args) -> Result<Value, ValueError> {
        let Some(function): Option<Function> = self.engine.find(kind, name) else {
            return Err(ValueError::Nested(self.engine.no_such(kind, name).message().to_owned()));
        };
        self.remembering(|env| limits::deeper(|| function(&Call { env, args })))
            .map_err(|error| ValueError::from(plugin_failed(kind, name, error)))
    }

    /// `value.name` as a template does it: the attribute, then the item; rendered where it is live; undefined where there is none.
    ///
    /// # Errors
    /// Where it is there and cannot be worked out.
    pub fn attribute(&self, value: &Value, name: &str) -> Result<Value, ValueError> {
        Ok(self
            .remembering(|env| access::attribute(env, &access::touch(env, value.clone())?, name))?)
    }

    /// `value[key]` as a template does it: the item, then the attribute; rendered where it is live; undefined where there is none.
    ///
    /// # Errors
    /// Where it is there and cannot be worked out.
    pub fn item(&self, value: &Value, key: &Value) -> Result<Value, ValueError> {
        Ok(self.remembering(|env| access::item(env, &access::touch(env, value.clone())?, key))?)
    }

    /// The items that iterating `value` gives: of a list its items, of a dictionary its keys, of a string its characters; rendered.
    ///
    /// # Errors
    /// Where it cannot be iterated.
    pub fn iterate(&self, value: &Value) -> Result<Vec<Value>, ValueError> {
        self.remembering(|env| {
            let value = access::touch(env, value.clone())?;
            access::iterate(&value)?
                .into_iter()
                .map(|item| Ok(access::plain(env, &item)?))
                .collect()
        })
    }

    /// The value of a variable, rendered; undefined where there is none.
    ///
    /// # Errors
    /// Where it is there and cannot be rendered.
    pub fn variable(&self, name: &str) -> Result<Value, ValueError> {
        match self.scope.get(name) {
            Some(value) => Ok(self.remembering(|env| access::plain(env, &value))?),
            None => Ok(Value::undefined(name)),
        }
    }

    /// Calls a callable value: a macro, a global function.
    ///
    /// # Errors
    /// Where it is not callable and for what the call runs into.
    pub fn call(&self, callable: &Value, args: Args) -> Result<Value, ValueError> {
        let unit = self.engine.inline("").map_err(ValueError::from)?;
        self.remembering(|env| {
            limits::deeper(|| Eval::new(env, unit).call_from_outside(callable, args))
        })
    }

    /// A live string rendered or decrypted. It may be undefined, and a container in it may still be live.
    pub(crate) fn live(&self, text: &Str) -> Result<Value, Error> {
        let address = text.as_str().as_ptr() as usize;
        if let Some(memory) = self.memory
            && let Some((_, value)) = locked(memory).rendered.get(&address)
        {
            return Ok(value.clone());
        }
        let value = if text.is_vault() { self.decrypt(text)? } else { self.live_template(text)? };
        if let Some(memory) = self.memory {
            locked(memory).rendered.insert(address, (text.clone(), value.clone()));
        }
        Ok(value)
    }

    fn live_template(&self, text: &Str) -> Result<Value, Error> {
        let unit = self.unit(text, text.origin())?;
        self.remembering(|env| limits::deeper(|| Eval::new(env, unit).run()))
    }

    fn decrypt(&self, text: &Str) -> Result<Value, Error> {
        let failed = |message: String| {
            Error::new(ErrorKind::Vault, message).written_at(text.origin(), false)
        };
        let Some(vault) = &self.outside.vault else {
            return Err(failed("Attempting to decrypt but no vault secrets found.".into()));
        };
        let clear = vault.decrypt(text).map_err(failed)?;
        self.outside.secret(&clear);
        Ok(Value::from(clear))
    }

    /// Notes what a missing member was missing from.
    pub(crate) fn remember_missing(&self, what: &Arc<Undefined>, value: &Value) {
        if let Some(memory) = self.memory {
            locked(memory).missing = Some((Arc::clone(what), value.clone()));
        }
    }

    /// The same error with the nearest name that there is, where it is about a name.
    pub(crate) fn with_nearest(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::Undefined || error.nearest().is_some() {
            return error;
        }
        let (Some(what), Some(name)) =
            (error.what_is_undefined().cloned(), error.name().map(str::to_owned))
        else {
            return error;
        };
        let missing = self.memory.and_then(|memory| locked(memory).missing.clone());
        if let Some((_, from)) = missing.filter(|(it, _)| Arc::ptr_eq(it, &what)) {
            let keys: Vec<String> = match &from {
                Value::Map(map) => {
                    map.keys().filter_map(|key| key.as_str().map(str::to_owned)).collect()
                }
                Value::Object(object) => object
                    .keys()
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|key| key.as_str().map(str::to_owned))
                    .collect(),
                _ => Vec::new(),
            };
            return error.about(&name, nearest(&name, keys.iter().map(String::as_str)));
        }
        if what.message == format!("'{name}' is undefined") {
            let names = self.scope.names();
            return error.about(&name, nearest(&name, names.iter().map(String::as_str)));
        }
        error
    }

    /// The folders in which templates are looked for, in order.
    fn template_folders(&self, from: &Unit) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        let mut add = |folder: PathBuf| {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        };
        if let Some(folder) = &from.folder {
            add(folder.as_ref().clone());
        }
        for folder in &self.outside.search_path {
            add(folder.join("templates"));
            add(folder.clone());
        }
        if self.outside.search_path.is_empty() && !self.outside.folder.as_os_str().is_empty() {
            add(self.outside.folder.clone());
        }
        folders
    }

    /// The template file `name`, for an `include` and the like; `None` where there is none.
    pub(crate) fn load(&self, name: &str, from: &Unit) -> Result<Option<Unit>, Error> {
        let path = if Path::new(name).is_absolute() {
            Some(PathBuf::from(name)).filter(|path| path.is_file())
        } else {
            self.template_folders(from)
                .into_iter()
                .map(|folder| folder.join(name))
                .find(|path| path.is_file())
        };
        let Some(path) = path else { return Ok(None) };
        let bytes = std::fs::read(&path).map_err(|error| {
            Error::new(ErrorKind::Runtime, format!("could not read '{}': {error}", path.display()))
        })?;
        let text = String::from_utf8_lossy(&bytes);
        let base = &from.tree.syntax;
        let syntax =
            Arc::new(Syntax { escapes: true, keep_trailing_newline: false, ..(**base).clone() });
        let file: Arc<str> = path.to_string_lossy().into();
        let tree =
            self.engine.compile(&text, &syntax, false).map_err(|error| error.in_file(&file, 0))?;
        let folder = path.parent().map(|folder| Arc::new(folder.to_path_buf()));
        Ok(Some(Unit { file: Some(file), folder, ..Unit::bare(tree) }))
    }

    /// What to say about a template file that is not there.
    pub(crate) fn not_found(&self, name: &str, from: &Unit) -> String {
        let folders: Vec<String> = self
            .template_folders(from)
            .iter()
            .map(|folder| format!("'{}'", folder.display()))
            .collect();
        format!("'{name}' not found in search path: {}", folders.join(", "))
    }
}

/// The error of a filter, a test or a lookup in 2.19's words. Undefined values and plugins inside plugins speak for themselves.
pub(crate) fn plugin_failed(kind: Kind, name: &str, error: ValueError) -> Error {
    let message = match &error {
        ValueError::Undefined(_) => return error.into(),
        // A template that is looked up fails as a template.
        ValueError::Nested(message)
            if kind == Kind::Lookup
                && (message.starts_with("Syntax error in template")
                    || message.starts_with("Error rendering template")) =>
        {
            return error.into();
        }
        ValueError::Nested(message)
            if message.starts_with("The filter plugin '")
                || message.starts_with("The test plugin '")
                || message.starts_with("The lookup plugin '") =>
        {
            return error.into();
        }
        other => other.to_string(),
    };
    let message = match kind {
        Kind::Lookup => format!("The lookup plugin '{name}' failed: {message}"),
        _ => {
            let word = if kind == Kind::Filter { "filter" } else { "test" };
            let prefix = if name.contains('.') { "" } else { "ansible.builtin." };
            format!("The {word} plugin '{prefix}{name}' failed: {message}")
        }
    };
    Error::new(ErrorKind::Plugin, message)
}
