//! A command line as what is to be called with what. Does no IO: files are read by who asks.

mod assemble;
mod line;

use self::{
    assemble::Assembly,
    line::{Found, Line, no_value, set_global},
};
use super::{
    Skeleton,
    error::ArgumentError,
    globals::Globals,
    table::{Command, Gives, Takes},
    unpack::Inputs,
};
use crate::{model::Store, value::Map};

/// What a command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// Help, with the words that say for what.
    Help(Vec<String>),
    /// A call.
    Call(Box<Parsed>),
}

/// A call.
#[derive(Debug)]
pub struct Parsed {
    /// What is called.
    pub command: Command,
    /// What holds for all operations.
    pub globals: Globals,
    /// What it is called with.
    pub params: Map,
    /// A parameter that is a file's content, which is not read here.
    pub body: Option<BodyFile>,
    /// Where the answer's body goes: see `Command::stream_member`.
    pub outfile: Option<String>,
    /// Parts of the answer that go to files.
    pub saves: Vec<Save>,
    /// How pages are fetched.
    pub paging: Paging,
    /// Nothing is called: a skeleton is shown.
    pub skeleton: Option<Skeleton>,
}

/// A parameter that is a file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyFile {
    /// The parameter.
    pub member: &'static str,
    /// The file.
    pub path: String,
}

/// A part of the answer that goes to a file that only its owner may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Save {
    /// The path of names to the part.
    pub part: Vec<&'static str>,
    /// The file.
    pub path: String,
    /// Paths of parts that are not shown then.
    pub conceals: Vec<Vec<&'static str>>,
}

/// How pages are fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paging {
    /// One after the other; otherwise only the one that the parameters ask for.
    pub all: bool,
    /// What an earlier call gave to go on from.
    pub starting_token: Option<String>,
    /// How many there are on a page.
    pub page_size: Option<u64>,
    /// How many are shown in all.
    pub max_items: Option<u64>,
}

/// Reads the words behind `davit aws`.
///
/// # Errors
///
/// When they name nothing that there is, or values are not what arguments take.
pub fn parse(
    store: &Store,
    words: &[String],
    inputs: Inputs<'_>,
) -> Result<Invocation, ArgumentError> {
    let mut globals = Globals::default();
    let mut named: Vec<&str> = Vec::new();
    let mut rest = words;
    while named.len() < if named.get(1) == Some(&"wait") { 3 } else { 2 } {
        let topic = named.first().copied().unwrap_or_default().to_owned();
        let Some((word, behind)) = rest.split_first() else {
            let what = match named.len() {
                0 => "a service",
                1 => "an operation",
                _ => "a waiter",
            };
            return Err(ArgumentError::Nothing { what, topic });
        };
        rest = behind;
        if word == "help" {
            let about = named.iter().map(|it| (*it).to_owned()).chain(rest.iter().cloned());
            return Ok(Invocation::Help(about.collect()));
        }
        if word.starts_with('-') && word.len() > 1 {
            rest = take_global(&mut globals, word, behind, &topic)?;
        } else {
            named.push(word);
        }
    }
    let command = Command::find(store, named[0], named[1], named.get(2).copied())?;
    command.parse(rest, globals, inputs)
}

/// Takes a global option that stands before the operation.
fn take_global<'a>(
    globals: &mut Globals,
    word: &str,
    behind: &'a [String],
    topic: &str,
) -> Result<&'a [String], ArgumentError> {
    let line = Line { arguments: &[], topic };
    let Some((Found::Global(option), explicit)) = line.option(word)? else {
        return Err(line.unknown(word));
    };
    let (value, rest) = match (option.takes, explicit, behind) {
        (Takes::Nothing, None, _) => (String::new(), behind),
        (_, Some(value), _) => (value, behind),
        (_, None, [value, rest @ ..]) => (value.clone(), rest),
        (_, None, []) => return Err(no_value(option.written(), option.wanted(), topic)),
    };
    set_global(globals, option, &value, topic)?;
    Ok(rest)
}

impl Command {
    /// Reads the words behind the operation. Global options may stand among them.
    ///
    /// # Errors
    ///
    /// When values are not what arguments take, or some are missing.
    pub fn parse(
        self,
        words: &[String],
        mut globals: Globals,
        inputs: Inputs<'_>,
    ) -> Result<Invocation, ArgumentError> {
        let topic = self.topic();
        let help = || topic.split(' ').map(str::to_owned).collect();
        if words == ["help"] {
            return Ok(Invocation::Help(help()));
        }
        let arguments = self.arguments();
        let line = Line { arguments: &arguments, topic: &topic };
        let mut said = self.read(&line, words, &mut globals)?;
        let mut outfile = None;
        if arguments.iter().any(|it| matches!(it.gives, Gives::Outfile)) && !said.alone.is_empty() {
            outfile = Some(said.alone.remove(0));
        }
        if said.alone == ["help"] {
            return Ok(Invocation::Help(help()));
        }
        if !said.alone.is_empty() {
            return Err(ArgumentError::Words { words: said.alone, topic });
        }
        let parsed = Parsed {
            command: self,
            globals,
            params: Map::new(),
            body: None,
            outfile,
            saves: Vec::new(),
            paging: Paging::default(),
            skeleton: None,
        };
        Assembly { arguments: &arguments, said: &said, inputs, parsed, json: None }.assemble()
    }
}
