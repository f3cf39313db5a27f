//! What may stand next on a command line that is being written. Knows no shell.

use super::{
    globals::{GLOBALS, GlobalOption},
    names,
    syntax::{is_complex, type_name},
    table::{Argument, Command, Takes},
};
use crate::model::{Kind, Service, ShapeId, Store};

/// Something that may stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The word.
    pub text: String,
    /// A few words about it; may be empty.
    pub about: String,
}

impl Candidate {
    fn new(text: impl Into<String>, about: impl Into<String>) -> Self {
        Self { text: text.into(), about: about.into() }
    }
}

/// What may stand for the last of the words behind `davit aws`, which is empty or a beginning.
#[must_use]
pub fn complete(store: &Store, words: &[&str]) -> Vec<Candidate> {
    let Some((last, before)) = words.split_last() else { return Vec::new() };
    let mut candidates = candidates(store, before, last);
    candidates.retain(|it| it.text.starts_with(last));
    candidates
}

fn candidates(store: &Store, before: &[&str], last: &str) -> Vec<Candidate> {
    let named = named(before);
    let command = match named.as_slice() {
        [service, "wait", waiter, ..] => Command::find(store, service, "wait", Some(waiter)).ok(),
        [_, "wait"] => None,
        [service, operation, ..] => Command::find(store, service, operation, None).ok(),
        _ => None,
    };
    let arguments = command.as_ref().map(Command::arguments).unwrap_or_default();
    if let Some(option) = before.last().and_then(|it| global(it))
        && option.takes == Takes::One
    {
        return option.choices.iter().map(|it| Candidate::new(*it, "")).collect();
    }
    if last.starts_with('-') {
        return options(command.as_ref(), &arguments, before);
    }
    if let Some(command) = &command {
        return values(command, &arguments, before, last);
    }
    match named.as_slice() {
        [] => services(store),
        [service] => operations(store, service),
        [service, "wait"] => match names::find_service(store, service) {
            Ok(Some(service)) => {
                let names = names::waiter_commands(service);
                names.into_iter().map(|it| Candidate::new(it, "")).collect()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn global(word: &str) -> Option<&'static GlobalOption> {
    let name = word.strip_prefix("--")?;
    GLOBALS.iter().find(|it| it.name == name)
}

/// The words that name what is called: those that are no options and stand behind none.
fn named<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut named = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if let Some(option) = global(word) {
            if option.takes == Takes::One {
                words.next();
            }
        } else if word.starts_with('-') {
            break;
        } else {
            named.push(*word);
        }
    }
    named
}

fn services(store: &Store) -> Vec<Candidate> {
    let about = |command: &str| {
        let listed = Store::bundled().find(|it| names::service_command(it.name) == command);
        listed.map_or("", |it| it.full_name)
    };
    let services = names::service_commands(store).into_iter().map(|it| {
        let about = about(&it);
        Candidate::new(it, about)
    });
    services.chain([Candidate::new("help", "what there is")]).collect()
}

fn operations(store: &Store, service: &str) -> Vec<Candidate> {
    let Ok(Some(service)) = names::find_service(store, service) else { return Vec::new() };
    let mut all: Vec<Candidate> = names::operation_commands(service)
        .into_iter()
        .map(|(name, _)| Candidate::new(name, ""))
        .collect();
    if !names::waiter_commands(service).is_empty() {
        all.push(Candidate::new("wait", "until something is so"));
    }
    all.push(Candidate::new("help", "what there is"));
    all
}

fn options(command: Option<&Command>, arguments: &[Argument], before: &[&str]) -> Vec<Candidate> {
    let of_operation = arguments
        .iter()
        .filter(|it| !it.hidden && it.takes != Takes::Place)
        .map(|it| Candidate::new(it.written(), about(command, it)));
    let global = GLOBALS.iter().map(|it| Candidate::new(it.written(), it.about));
    of_operation.chain(global).filter(|it| !before.contains(&it.text.as_str())).collect()
}

fn about(command: Option<&Command>, argument: &Argument) -> String {
    let kind = match (command, argument.shape()) {
        (Some(command), Some(shape)) => type_name(&command.service.shape(shape).kind),
        _ => "",
    };
    if argument.required { format!("{kind}, required") } else { kind.to_owned() }
}

/// What may stand behind the last option.
fn values(
    command: &Command,
    arguments: &[Argument],
    before: &[&str],
    last: &str,
) -> Vec<Candidate> {
    let option = before.iter().enumerate().rev().find(|(_, it)| it.starts_with("--"));
    let Some((place, name)) = option else { return Vec::new() };
    let Some(argument) = arguments.iter().find(|it| it.written() == **name) else {
        return Vec::new();
    };
    let words = before.len() - place - 1;
    let more = matches!(argument.takes, Takes::Many | Takes::Several) || words == 0;
    if !more || argument.takes == Takes::Nothing {
        return Vec::new();
    }
    if argument.name == "generate-cli-skeleton" {
        return ["input", "output"].map(|it| Candidate::new(it, "")).into();
    }
    argument.shape().map_or_else(Vec::new, |it| of_shape(command.service, it, last))
}

/// Choices, or the names of members that a structure in shorthand may go on with.
fn of_shape(service: &'static Service, shape: ShapeId, last: &str) -> Vec<Candidate> {
    match &service.shape(shape).kind {
        Kind::String { choices, .. } => choices.iter().map(|it| Candidate::new(*it, "")).collect(),
        Kind::List { member, .. }
            if !matches!(service.shape(member.shape).kind, Kind::List { .. }) =>
        {
            of_shape(service, member.shape, last)
        }
        Kind::Structure(structure) => {
            let (head, key) =
                last.rsplit_once(',').map_or(("", last), |(head, key)| (&last[..=head.len()], key));
            if let Some((name, _)) = key.split_once('=') {
                let Some(member) = structure.member(name) else { return Vec::new() };
                if is_complex(service, member.shape) {
                    return Vec::new();
                }
                let values = of_shape(service, member.shape, "");
                let whole = |it: Candidate| Candidate::new(format!("{head}{name}={}", it.text), "");
                return values.into_iter().map(whole).collect();
            }
            let known = |name: &str| head.split(',').any(|it| it.split('=').next() == Some(name));
            structure
                .members
                .iter()
                .filter(|it| !known(it.name))
                .map(|it| {
                    let kind = type_name(&service.shape(it.shape).kind);
                    Candidate::new(format!("{head}{}=", it.name), kind)
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_completed() {
        let store = Store::default();
        let texts = |words: &[&str]| -> Vec<String> {
            complete(&store, words).into_iter().map(|it| it.text).collect()
        };
        for (words, wanted) in [
            (&["secretsm"][..], &["secretsmanager"][..]),
            (&["--region", "x", "ec2", "run-ins"], &["run-instances"]),
            (&["ec2", "wait", "instance-r"], &["instance-running"]),
            (&["ec2", "wa"], &["wait"]),
            (&["--output", "t"], &["text", "table"]),
            (&["ec2", "run-instances", "--associate"], &["--associate-public-ip-address"]),
            (&["ec2", "run-instances", "--instance-type", "t2.m"], &["t2.micro", "t2.medium"]),
            (&["ec2", "run-instances", "--placement", "Ten"], &["Tenancy="]),
            (
                &["ec2", "run-instances", "--placement", "GroupName=a,Tenancy=de"],
                &["GroupName=a,Tenancy=default", "GroupName=a,Tenancy=dedicated"],
            ),
            (&["nothing", ""], &[]),
        ] {
            assert_eq!(texts(words), wanted, "{words:?}");
        }
        assert!(texts(&["s3api", "list-b"]).contains(&"list-buckets".to_owned()));
        let given = texts(&["ec2", "run-instances", "--image-id", "ami-1", "--im"]);
        assert_eq!(given, Vec::<String>::new());
    }
}
