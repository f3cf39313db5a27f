//! Words of the command line as values of their shapes: plain, in JSON, in shorthand, from files. Does
//! no IO: files are read by who asks.
//!
//! Source: the AWS CLI's processing of arguments.

use std::io;

use base64::Engine as _;
use bytes::Bytes;
use serde_json::Value as Json;

use super::{
    error::{ArgumentError, Wanted},
    globals::BinaryFormat,
    shorthand::{self, Short},
    syntax,
    table::Command,
};
use crate::{
    model::{Kind, Member, ShapeId},
    value::{Map, Value},
};

/// What arguments are read with besides the command line.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// Reads a file by its path as it was written, `~/key.pem`, behind `file://` or `fileb://`.
    pub read: &'a dyn Fn(&str) -> io::Result<Vec<u8>>,
    /// Makes JSON of YAML.
    pub yaml: &'a dyn Fn(&str) -> Result<Json, String>,
}

/// An argument whose words are looked at.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) command: &'a Command,
    /// Its name without the dashes.
    pub(super) argument: &'a str,
    pub(super) inputs: Inputs<'a>,
}

/// What stood behind an argument, its files read.
pub(super) enum Input {
    Text(String),
    Bytes(Vec<u8>),
    Words(Vec<String>),
}

impl Input {
    /// The words, a file being one.
    pub(super) fn words(self) -> Vec<String> {
        match self {
            Self::Text(text) => vec![text],
            Self::Bytes(bytes) => vec![String::from_utf8_lossy(&bytes).into_owned()],
            Self::Words(words) => words,
        }
    }
}

impl Place<'_> {
    fn written(&self) -> String {
        format!("--{}", self.argument)
    }

    /// What is wrong with the value.
    pub(super) fn wrong(&self, wanted: Wanted, reason: impl Into<String>) -> ArgumentError {
        ArgumentError::Value {
            argument: self.written(),
            wanted,
            reason: reason.into(),
            topic: self.command.topic(),
        }
    }

    /// A file that a word names with `file://` or `fileb://`; nothing if it names none.
    fn file(&self, word: &str) -> Result<Option<Short>, String> {
        let read = |path: &str| (self.inputs.read)(path).map_err(|error| error.to_string());
        if let Some(path) = word.strip_prefix("fileb://") {
            return read(path).map(|it| Some(Short::Bytes(it)));
        }
        let Some(path) = word.strip_prefix("file://") else { return Ok(None) };
        match String::from_utf8(read(path)?) {
            Ok(text) => Ok(Some(Short::Text(text.replace("\r\n", "\n").replace('\r', "\n")))),
            Err(_) => Err("it is no text; fileb:// is for other files".to_owned()),
        }
    }

    /// The words with a file in place of a single one that names it.
    pub(super) fn input(&self, mut words: Vec<String>, many: bool) -> Result<Input, ArgumentError> {
        if let [word] = words.as_slice() {
            let file = self.file(word).map_err(|reason| ArgumentError::File {
                argument: self.written(),
                path: word.clone(),
                reason,
            })?;
            match file {
                Some(Short::Text(text)) => return Ok(Input::Text(text)),
                Some(Short::Bytes(bytes)) => return Ok(Input::Bytes(bytes)),
                _ => {}
            }
        }
        Ok(if many { Input::Words(words) } else { Input::Text(words.pop().unwrap_or_default()) })
    }

    /// The value of a member.
    pub(super) fn value(&self, member: &Member, input: Input) -> Result<Value, ArgumentError> {
        let service = self.command.service;
        let wrong = |reason: String| self.wrong(syntax::wanted(service, member), reason);
        let input = match (input, &service.shape(member.shape).kind) {
            (Input::Bytes(bytes), Kind::Blob { .. }) => return Ok(Value::Blob(bytes.into())),
            (Input::Bytes(bytes), Kind::List { member, .. })
                if matches!(service.shape(member.shape).kind, Kind::Blob { .. }) =>
            {
                return Ok(Value::List(vec![Value::Blob(bytes.into())]));
            }
            (Input::Bytes(bytes), _) => Input::Text(
                String::from_utf8(bytes).map_err(|_| wrong("the file is no text".to_owned()))?,
            ),
            (input, _) => input,
        };
        if syntax::is_document(service, member) {
            return json(&input.words().join(" ")).map_err(wrong);
        }
        match &service.shape(member.shape).kind {
            Kind::List { member: item, .. } => {
                self.list(member.shape, item, &input.words()).map_err(wrong)
            }
            _ => self.single(member, &input.words().join(" ")).map_err(wrong),
        }
    }

    fn list(&self, list: ShapeId, item: &Member, words: &[String]) -> Result<Value, String> {
        let service = self.command.service;
        if let [word] = words
            && word.trim_start().starts_with('[')
        {
            return json(word);
        }
        let is_json = |word: &String| word.trim_start().starts_with('{');
        if let Some(name) = syntax::plain_list(service, &self.command.name, self.argument, list)
            && !words.first().is_some_and(is_json)
        {
            let wrap = |word: &String| Map::from_iter([(name.to_owned(), word.as_str().into())]);
            return Ok(words.iter().map(wrap).collect());
        }
        words.iter().map(|word| self.item(item, word)).collect::<Result<_, _>>().map(Value::List)
    }

    fn item(&self, item: &Member, word: &str) -> Result<Value, String> {
        let service = self.command.service;
        let nested = matches!(service.shape(item.shape).kind, Kind::List { .. });
        if nested && !word.trim_start().starts_with('[') {
            let short = self.shorthand(item.shape, word)?;
            return self.convert(short, item.shape, "");
        }
        self.single(item, word)
    }

    /// A value that is one word.
    fn single(&self, member: &Member, word: &str) -> Result<Value, String> {
        let service = self.command.service;
        if syntax::is_document(service, member) {
            return json(word);
        }
        if !syntax::is_complex(service, member.shape) {
            return scalar(&service.shape(member.shape).kind, word);
        }
        if word.trim_start().starts_with(['{', '[']) {
            return json(word);
        }
        if syntax::is_value(service, member.shape) && !word.contains('=') {
            return Ok(Map::from_iter([("Value".to_owned(), word.into())]).into());
        }
        let short = self.shorthand(member.shape, word)?;
        self.convert(short, member.shape, "")
    }

    fn shorthand(&self, shape: ShapeId, word: &str) -> Result<Short, String> {
        if syntax::holds_documents(self.command.service, shape) {
            return Err(format!("{word:?} is no JSON"));
        }
        shorthand::read(word, &|text| self.file(text)).map_err(|error| error.to_string())
    }

    /// What shorthand means for a shape. Members that the shape does not have are left as they are: they
    /// are refused with all others when the parameters are looked at as a whole.
    fn convert(&self, short: Short, shape: ShapeId, path: &str) -> Result<Value, String> {
        let service = self.command.service;
        let within = |name: &str| {
            if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
        };
        Ok(match (&service.shape(shape).kind, short) {
            (Kind::Structure(structure), _) if structure.document => {
                return Err(format!("{path} is any JSON: the whole argument must be JSON"));
            }
            (Kind::Structure(structure), Short::Map(entries)) => {
                let mut map = Map::new();
                for (name, short) in entries {
                    let value = match structure.member(&name) {
                        Some(member) => self.convert(short, member.shape, &within(&name))?,
                        None => untyped(short),
                    };
                    map.insert(name, value);
                }
                Value::Map(map)
            }
            (Kind::Map { value, .. }, Short::Map(entries)) => {
                let mut map = Map::new();
                for (name, short) in entries {
                    let value = self.convert(short, value.shape, &within(&name))?;
                    map.insert(name, value);
                }
                Value::Map(map)
            }
            (Kind::List { member, .. }, Short::List(items)) => {
                let item = |it| self.convert(it, member.shape, path);
                Value::List(items.into_iter().map(item).collect::<Result<_, _>>()?)
            }
            (Kind::List { member, .. }, one) => {
                Value::List(vec![self.convert(one, member.shape, path)?])
            }
            (Kind::Structure(_) | Kind::Map { .. }, other) => untyped(other),
            (kind, Short::Text(text)) => {
                scalar(kind, &text).map_err(|reason| format!("{path}: {reason}"))?
            }
            (_, other) => untyped(other),
        })
    }
}

/// JSON as it stands.
pub(super) fn json(text: &str) -> Result<Value, String> {
    match serde_json::from_str::<Json>(text) {
        Ok(json) => Ok(json.into()),
        Err(error) => Err(format!("it is no JSON: {error}")),
    }
}

fn untyped(short: Short) -> Value {
    match short {
        Short::Text(text) => text.into(),
        Short::Bytes(bytes) => Value::Blob(bytes.into()),
        Short::List(items) => items.into_iter().map(untyped).collect(),
        Short::Map(entries) => {
            Value::Map(entries.into_iter().map(|(name, it)| (name, untyped(it))).collect())
        }
    }
}

/// A word as a value that is neither a structure nor a list nor a map.
fn scalar(kind: &Kind, word: &str) -> Result<Value, String> {
    let trimmed = word.trim();
    match kind {
        Kind::Integer(_) | Kind::Long(_) => match trimmed.parse() {
            Ok(number) => Ok(Value::Int(number)),
            Err(_) => Err(format!("{word:?} is no whole number")),
        },
        Kind::Float(_) | Kind::Double(_) => match trimmed.parse() {
            Ok(number) => Ok(Value::Float(number)),
            Err(_) => Err(format!("{word:?} is no number")),
        },
        Kind::Boolean => match trimmed.to_ascii_lowercase().as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(format!("{word:?} is neither true nor false")),
        },
        _ => Ok(word.into()),
    }
}

/// Makes bytes of the text that stands where bytes belong. What is wrong is said with its path.
pub(super) fn blobs(
    command: &Command,
    value: &mut Value,
    shape: ShapeId,
    format: BinaryFormat,
) -> Result<(), String> {
    match (&command.service.shape(shape).kind, value) {
        (Kind::Structure(structure), Value::Map(map)) => {
            for member in &structure.members {
                if let Some(value) = map.get_mut(member.name) {
                    blobs(command, value, member.shape, format)
                        .map_err(|reason| format!("{}: {reason}", member.name))?;
                }
            }
        }
        (Kind::Map { value: inner, .. }, Value::Map(map)) => {
            for (name, value) in map {
                blobs(command, value, inner.shape, format)
                    .map_err(|reason| format!("{name}: {reason}"))?;
            }
        }
        (Kind::List { member, .. }, Value::List(items)) => {
            for item in items {
                blobs(command, item, member.shape, format)?;
            }
        }
        (Kind::Blob { .. }, value @ Value::String(_)) => {
            let Value::String(text) = std::mem::take(value) else { return Ok(()) };
            *value = Value::Blob(match format {
                BinaryFormat::Raw => Bytes::from(text),
                BinaryFormat::Base64 => base64::engine::general_purpose::STANDARD
                    .decode(text.split_ascii_whitespace().collect::<String>())
                    .map_err(|error| format!("it is no base64: {error}"))?
                    .into(),
            });
        }
        _ => {}
    }
    Ok(())
}
