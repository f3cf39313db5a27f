//! The words of a command line as options and what stands behind them. Does not know what they mean.
//!
//! Source: Python's `argparse`, for what is an option and what is a value.

use super::super::{
    error::{ArgumentError, Wanted},
    globals::{GLOBALS, GlobalOption, Globals},
    names, syntax,
    table::{Argument, Command, Gives, Takes},
};

/// The options that a command line may have.
pub(super) struct Line<'a> {
    pub(super) arguments: &'a [Argument],
    pub(super) topic: &'a str,
}

/// Which option a word is.
#[derive(Clone, Copy)]
pub(super) enum Found {
    /// The place among the arguments.
    Argument(usize),
    Global(&'static GlobalOption),
}

impl Line<'_> {
    /// The option that a word is, and what stands behind its `=`.
    pub(super) fn option(
        &self,
        word: &str,
    ) -> Result<Option<(Found, Option<String>)>, ArgumentError> {
        let Some(name) = word.strip_prefix("--") else { return Ok(None) };
        if let Some(found) = self.exact(name) {
            return Ok(Some((found, None)));
        }
        let (name, explicit) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (name, None),
        };
        if let Some(found) = self.exact(name) {
            return Ok(Some((found, explicit)));
        }
        Ok(self.beginning(name)?.map(|found| (found, explicit)))
    }

    fn exact(&self, name: &str) -> Option<Found> {
        let place = self.named().find(|(_, known)| *known == name).map(|(place, _)| place);
        let global = || GLOBALS.iter().find(|it| it.name == name).map(Found::Global);
        place.map(Found::Argument).or_else(global)
    }

    fn named(&self) -> impl Iterator<Item = (usize, &str)> {
        let named = |it: &(usize, &Argument)| it.1.takes != Takes::Place;
        self.arguments.iter().enumerate().filter(named).map(|(at, it)| (at, it.name.as_str()))
    }

    /// The only option that begins so.
    fn beginning(&self, name: &str) -> Result<Option<Found>, ArgumentError> {
        let arguments = self.named().map(|(at, known)| (Found::Argument(at), known));
        let globals = GLOBALS.iter().map(|it| (Found::Global(it), it.name));
        let fits: Vec<(Found, &str)> = arguments
            .chain(globals)
            .filter(|(_, known)| !name.is_empty() && known.starts_with(name))
            .collect();
        match fits.as_slice() {
            [] => Ok(None),
            [(found, _)] => Ok(Some(*found)),
            many => Err(ArgumentError::Ambiguous {
                name: format!("--{name}"),
                choices: many.iter().map(|(_, known)| format!("--{known}")).collect(),
                topic: self.topic.to_owned(),
            }),
        }
    }

    /// Whether a word is a value where an option could stand.
    fn is_value(&self, word: &str) -> Result<bool, ArgumentError> {
        let number = || {
            let digits = word[1..].replacen('.', "", 1);
            !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit())
        };
        Ok(!word.starts_with('-')
            || word == "-"
            || (self.option(word)?.is_none() && (number() || word.contains(' '))))
    }

    pub(super) fn unknown(&self, word: &str) -> ArgumentError {
        let name = word.split('=').next().unwrap_or(word);
        let plain = name.trim_start_matches('-');
        let arguments = self.arguments.iter().filter(|it| !it.hidden).map(|it| it.name.as_str());
        let known = arguments.chain(GLOBALS.iter().map(|it| it.name));
        let nearest = names::nearest(plain, known);
        ArgumentError::UnknownArgument {
            name: name.to_owned(),
            nearest: nearest.into_iter().map(|it| format!("--{it}")).collect(),
            topic: self.topic.to_owned(),
        }
    }
}

/// What a command line says, before it is known what it means.
pub(super) struct Said {
    /// Places of arguments with what stood behind them, in the order of the command line.
    pub(super) given: Vec<(usize, Vec<String>)>,
    /// Words that stood alone.
    pub(super) alone: Vec<String>,
}

impl Said {
    pub(super) fn last(&self, place: usize) -> Option<&Vec<String>> {
        self.given.iter().rev().find(|(at, _)| *at == place).map(|(_, words)| words)
    }

    pub(super) fn has(&self, arguments: &[Argument], name: &str) -> bool {
        self.given.iter().any(|(at, _)| arguments[*at].name == name)
    }
}

impl Command {
    pub(super) fn read(
        &self,
        line: &Line<'_>,
        words: &[String],
        globals: &mut Globals,
    ) -> Result<Said, ArgumentError> {
        let mut said = Said { given: Vec::new(), alone: Vec::new() };
        let mut at = 0;
        while let Some(word) = words.get(at) {
            at += 1;
            if word == "--" {
                said.alone.extend_from_slice(&words[at..]);
                break;
            }
            if line.is_value(word)? {
                said.alone.push(word.clone());
                continue;
            }
            let Some((found, explicit)) = line.option(word)? else {
                return Err(line.unknown(word));
            };
            let takes = match found {
                Found::Argument(place) => line.arguments[place].takes,
                Found::Global(option) => option.takes,
            };
            let most = match takes {
                Takes::Nothing | Takes::Place => 0,
                Takes::One | Takes::Maybe => 1,
                Takes::Many | Takes::Several => usize::MAX,
            };
            let mut values: Vec<String> = explicit.into_iter().collect();
            let open = values.is_empty();
            while open && values.len() < most {
                match words.get(at) {
                    Some(next) if next != "--" && line.is_value(next)? => {
                        values.push(next.clone());
                        at += 1;
                    }
                    // What stands behind two dashes is no option, whatever it looks like.
                    Some(next) if next == "--" && takes == Takes::One && at + 1 < words.len() => {
                        values.push(words[at + 1].clone());
                        at += 2;
                    }
                    _ => break,
                }
            }
            match found {
                Found::Argument(place) => {
                    self.check_words(&line.arguments[place], &values)?;
                    said.given.push((place, values));
                }
                Found::Global(option) => match (option.takes, values.as_slice()) {
                    (Takes::Nothing, []) => set_global(globals, option, "", line.topic)?,
                    (Takes::One, [value]) => set_global(globals, option, value, line.topic)?,
                    _ => return Err(no_value(option.written(), option.wanted(), line.topic)),
                },
            }
        }
        Ok(said)
    }

    /// Whether as many words stand behind an argument as it takes.
    fn check_words(&self, argument: &Argument, words: &[String]) -> Result<(), ArgumentError> {
        let fits = match argument.takes {
            Takes::Nothing => words.is_empty(),
            Takes::One => words.len() == 1,
            Takes::Several => !words.is_empty(),
            Takes::Maybe | Takes::Many | Takes::Place => true,
        };
        let topic = self.topic();
        match (fits, argument.takes) {
            (true, _) => Ok(()),
            (false, Takes::Nothing) => Err(ArgumentError::Value {
                argument: argument.written(),
                wanted: self.wanted(argument),
                reason: format!("{:?} stands behind it", words.join(" ")),
                topic,
            }),
            (false, _) => Err(no_value(argument.written(), self.wanted(argument), &topic)),
        }
    }

    /// What an argument takes.
    #[must_use]
    pub fn wanted(&self, argument: &Argument) -> Wanted {
        let plain = |kind: &str| Wanted { kind: kind.to_owned(), example: None };
        match &argument.gives {
            Gives::Member(member) | Gives::Nested(_, member) => {
                syntax::wanted(self.service, member)
            }
            Gives::Flag(..) | Gives::Wrapped(..) => plain("no value"),
            Gives::Extra(extra) => plain(extra.kind),
            Gives::StartingToken(_) => plain("the NextToken that an earlier call gave"),
            Gives::PageSize(_) | Gives::MaxItems(_) => plain("a whole number"),
            Gives::InputJson => plain("all parameters as a JSON object (file://path for a file)"),
            Gives::InputYaml => plain("all parameters as YAML (file://path for a file)"),
            Gives::Skeleton => plain("input or output"),
            Gives::Outfile => plain("the path of a file"),
        }
    }
}

pub(super) fn set_global(
    globals: &mut Globals,
    option: &GlobalOption,
    value: &str,
    topic: &str,
) -> Result<(), ArgumentError> {
    option.set(globals, value).map_err(|reason| ArgumentError::Value {
        argument: option.written(),
        wanted: option.wanted(),
        reason,
        topic: topic.to_owned(),
    })
}

pub(super) fn no_value(argument: String, wanted: Wanted, topic: &str) -> ArgumentError {
    ArgumentError::NoValue { argument, wanted, topic: topic.to_owned() }
}
