//! Command lines that make no sense, said as the original's programs say it: its callers look for these words.
//!
//! It knows no program's options: what they are called is read from their definitions.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

/// The whole message for a program called by a name of the original; nothing for davit's own name, and
/// where help or a version was asked for.
pub(super) fn text(program: &str, args: &[OsString], error: &clap::Error) -> Option<String> {
    let mut command = super::of_link(program)?;
    let message = message(&command, args, error)?;
    let usage = command.render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned();
    Some(format!("usage: {usage}\n{program}: error: {message}\n"))
}

fn message(command: &Command, args: &[OsString], error: &clap::Error) -> Option<String> {
    let one = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let named = |kind| names(command, &one(kind).unwrap_or_default());
    Some(match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return None,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            "the following arguments are required: action".to_owned()
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = one(ContextKind::InvalidArg).unwrap_or_default();
            let missing = missing.replace(['<', '>', '.'], "").to_lowercase();
            format!("the following arguments are required: {missing}")
        }
        ErrorKind::UnknownArgument => unknown(command, &one(ContextKind::InvalidArg)?),
        ErrorKind::InvalidSubcommand => choice(
            "action",
            &one(ContextKind::InvalidSubcommand)?,
            &command.get_subcommands().map(Command::get_name).collect::<Vec<_>>(),
        )
        // The original's spelling.
        .replace("'encrypt-string'", "'encrypt_string'"),
        ErrorKind::ArgumentConflict => {
            let (one, other) = (named(ContextKind::InvalidArg), named(ContextKind::PriorArg));
            let (first, last) =
                if place(args, &one) < place(args, &other) { (one, other) } else { (other, one) };
            format!("argument {last}: not allowed with argument {first}")
        }
        ErrorKind::InvalidValue => {
            let value = one(ContextKind::InvalidValue).unwrap_or_default();
            let valid = one(ContextKind::ValidValue).unwrap_or_default();
            let name = named(ContextKind::InvalidArg);
            match (value.is_empty(), valid.is_empty()) {
                (true, _) => format!("argument {name}: expected one argument"),
                (_, true) => format!("argument {name}: invalid value: '{value}'"),
                _ => choice(&name, &value, &valid.split(", ").collect::<Vec<_>>()),
            }
        }
        ErrorKind::ValueValidation => {
            let value = one(ContextKind::InvalidValue).unwrap_or_default();
            // What a check of ours says stands for itself.
            match std::error::Error::source(error).map(ToString::to_string) {
                Some(own) if own.starts_with("The ") => own,
                _ => {
                    format!("argument {}: invalid value: '{value}'", named(ContextKind::InvalidArg))
                }
            }
        }
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("argument {}: expected one argument", named(ContextKind::InvalidArg))
        }
        _ => error.to_string().lines().next()?.trim_start_matches("error: ").to_owned(),
    })
}

fn choice(name: &str, given: &str, valid: &[&str]) -> String {
    let valid: Vec<String> = valid.iter().map(|it| format!("'{it}'")).collect();
    format!("argument {name}: invalid choice: '{given}' (choose from {})", valid.join(", "))
}

/// An option that is not there, or that is short for several.
fn unknown(command: &Command, given: &str) -> String {
    let alike: Vec<String> = match given.strip_prefix("--").filter(|it| !it.is_empty()) {
        Some(start) => arguments(command)
            .filter_map(Arg::get_long)
            .filter(|long| long.starts_with(start))
            .map(|long| format!("--{long}"))
            .collect(),
        None => Vec::new(),
    };
    if alike.len() > 1 {
        return format!("ambiguous option: {given} could match {}", alike.join(", "));
    }
    format!("unrecognized arguments: {given}")
}

/// All names of the option that clap writes `--forks <NUMBER>`: `-f/--forks`.
fn names(command: &Command, written: &str) -> String {
    let first = written.split([' ', '=']).next().unwrap_or_default();
    let long = first.trim_start_matches('-');
    let known = arguments(command).find(|arg| {
        arg.get_long() == Some(long) || arg.get_short().is_some_and(|it| it.to_string() == long)
    });
    let Some(arg) = known else { return first.to_owned() };
    let mut names: Vec<String> = arg.get_short().map(|it| format!("-{it}")).into_iter().collect();
    names.extend(arg.get_long().map(|it| format!("--{it}")));
    names.extend(arg.get_all_aliases().into_iter().flatten().map(|it| format!("--{it}")));
    names.join("/")
}

/// Where on the command line the option with these names stands.
fn place(args: &[OsString], names: &str) -> Option<usize> {
    args.iter().position(|arg| {
        let arg = arg.to_string_lossy();
        let given = arg.split('=').next().unwrap_or_default();
        given.len() > 1 && names.split('/').any(|name| name == given)
    })
}

/// The options of a program, and of what it can do.
fn arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    let below = command.get_subcommands().flat_map(Command::get_arguments);
    command.get_arguments().chain(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expect: &str) {
        let args: Vec<OsString> = line.split(' ').map(Into::into).collect();
        let Err(error) = super::super::parse(&args) else { panic!("'{line}' is understood") };
        let program = line.split(' ').next().unwrap_or_default();
        let text = text(program, &args, &error).unwrap();
        assert!(text.starts_with(&format!("usage: {program} ")), "{text}");
        assert_eq!(text.lines().last(), Some(format!("{program}: error: {expect}").as_str()));
    }

    #[test]
    fn mistakes_are_worded_as_the_original_words_them() {
        check("ansible-playbook", "the following arguments are required: playbook");
        check("ansible", "the following arguments are required: pattern");
        check("ansible-vault", "the following arguments are required: action");
        check("ansible-playbook --nonsense x.yml", "unrecognized arguments: --nonsense");
        check("ansible a b", "unrecognized arguments: b");
        check(
            "ansible-playbook x.yml --sy --li a",
            "ambiguous option: --li could match --limit, --list-hosts, --list-tasks, --list-tags",
        );
        check("ansible-playbook x.yml -f 0", "The number of processes (--forks) must be >= 1");
        check("ansible-playbook x.yml -f x", "argument -f/--forks: invalid value: 'x'");
        check("ansible-playbook x.yml -e", "argument -e/--extra-vars: expected one argument");
        check(
            "ansible-playbook x.yml -k --conn-pass-file x",
            "argument --connection-password-file/--conn-pass-file: not allowed with argument -k/--ask-pass",
        );
        check(
            "ansible-vault nonsense",
            "argument action: invalid choice: 'nonsense' (choose from 'create', 'decrypt', 'edit', 'view', 'encrypt', 'encrypt_string', 'rekey')",
        );
    }

    #[test]
    fn davit_itself_and_help_are_left_alone() {
        for (program, word) in [("davit", "nonsense"), ("ansible", "--help")] {
            let args = [program.into(), word.into()];
            let error = super::super::parse(&args).err().unwrap();
            assert_eq!(text(program, &args, &error), None);
        }
    }
}
