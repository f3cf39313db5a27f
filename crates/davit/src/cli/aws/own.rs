//! The commands of `davit aws` that are no operations of a model: a table of them, and what completes them.

use clap::{CommandFactory, Parser};
use davit_aws::command::{Candidate, GLOBALS, Takes};

use super::{codes, configure, logs, s3, sso, tokens};
use crate::report::{Report, exit, print};

/// A command of its own.
pub(super) struct Own {
    /// The words that name it.
    words: &'static [&'static str],
    /// What it does, in a few words.
    about: &'static str,
    /// Its options and commands.
    definition: fn() -> clap::Command,
    /// Does what the words behind its name say, or shows its help.
    pub(super) run: fn(&[String], bool) -> Result<u8, Report>,
}

static COMMANDS: &[Own] = &[
    Own {
        words: &["configure"],
        about: "profiles, keys and settings",
        definition: configure::definition,
        run: configure::run,
    },
    Own {
        words: &["ecr", "get-login-password"],
        about: "a password for docker login",
        definition: tokens::password_definition,
        run: tokens::password,
    },
    Own {
        words: &["eks", "get-token"],
        about: "a token for kubectl",
        definition: tokens::token_definition,
        run: tokens::token,
    },
    Own {
        words: &["logs", "tail"],
        about: "the events of a log group, and those that come",
        definition: logs::definition,
        run: logs::run,
    },
    Own {
        words: &["sso", "login"],
        about: "sign in to IAM Identity Center",
        definition: sso::login_definition,
        run: sso::login,
    },
    Own {
        words: &["sso", "logout"],
        about: "end all sessions of IAM Identity Center",
        definition: sso::logout_definition,
        run: sso::logout,
    },
    Own { words: &["s3"], about: "objects and folders", definition: s3::definition, run: s3::run },
];

/// The command that words name, with the words behind its name. Options may stand in front of it.
pub(super) fn find(words: &[String]) -> Option<(&'static Own, Vec<String>)> {
    let at = options_ahead(words);
    COMMANDS.iter().find_map(|own| {
        let (name, behind) = words[at..].split_at_checked(own.words.len())?;
        let rest = words[..at].iter().chain(behind).cloned().collect();
        (name == own.words).then_some((own, rest))
    })
}

/// How many words in front are options and their values.
fn options_ahead(words: &[String]) -> usize {
    let mut at = 0;
    while let Some(name) = words.get(at).and_then(|it| it.strip_prefix("--")) {
        let is_flag = GLOBALS.iter().any(|it| it.name == name && it.takes == Takes::Nothing);
        at += if is_flag || name.contains('=') { 1 } else { 2 };
    }
    at.min(words.len())
}

/// The commands below these words, a line each; nothing where there are none.
pub(super) fn listed(words: &[String]) -> String {
    let below = |it: &&Own| {
        it.words.len() > words.len() && it.words.iter().zip(words).all(|(own, word)| own == word)
    };
    let found: Vec<&Own> = COMMANDS.iter().filter(below).collect();
    if found.is_empty() {
        return String::new();
    }
    let lines = found.iter().map(|it| format!("  {:<35}  {}\n", it.words.join(" "), it.about));
    format!("COMMANDS that are no operations\n{}\n", lines.collect::<String>())
}

/// What may stand for the last word, of what is here; and whether nothing else may.
pub(super) fn complete(words: &[&str]) -> (Vec<Candidate>, bool) {
    let Some((last, before)) = words.split_last() else { return (Vec::new(), false) };
    let mut whole = false;
    let mut found = Vec::new();
    for own in COMMANDS {
        if let Some(rest) = before.strip_prefix(own.words) {
            whole = true;
            found.extend(of_definition(&(own.definition)(), rest, last));
        } else if let Some(next) = own.words.strip_prefix(before).and_then(|it| it.first()) {
            let about = if own.words.len() == before.len() + 1 { own.about } else { "" };
            found.push(Candidate { text: (*next).to_owned(), about: about.to_owned() });
        }
    }
    found.retain(|it| it.text.starts_with(last));
    // The services of these have commands of the models, too, and are named there.
    found.retain(|it| !(before.is_empty() && it.about.is_empty()));
    (found, whole)
}

fn of_definition(command: &clap::Command, before: &[&str], last: &str) -> Vec<Candidate> {
    let inner = before.first().and_then(|it| command.find_subcommand(it));
    let about = |text: Option<&clap::builder::StyledStr>| {
        text.map(ToString::to_string).unwrap_or_default().trim_end_matches('.').to_owned()
    };
    if last.starts_with('-') {
        let of_inner = inner.into_iter().flat_map(clap::Command::get_arguments);
        let of = of_inner.chain(command.get_arguments());
        let mut found: Vec<Candidate> = of
            .filter_map(|it| {
                let text = format!("--{}", it.get_long()?);
                Some(Candidate { text, about: about(it.get_help()) })
            })
            .collect();
        found.dedup();
        return found;
    }
    if !before.is_empty() {
        return Vec::new();
    }
    let commands = command.get_subcommands();
    commands
        .map(|it| Candidate { text: it.get_name().to_owned(), about: about(it.get_about()) })
        .collect()
}

/// Reads the words behind a command's name, or shows its help: then there is nothing but an exit code.
pub(super) fn parse<T: Parser + CommandFactory>(
    words: &[String],
    asks_for_help: bool,
) -> Result<Result<T, u8>, Report> {
    let mut command = T::command();
    if asks_for_help {
        let found = words.first().and_then(|it| command.find_subcommand_mut(it));
        let text = match found {
            Some(command) => command.render_long_help(),
            None => command.render_long_help(),
        };
        print(&text.to_string())?;
        return Ok(Err(exit::OK));
    }
    let line = std::iter::once(command.get_name().to_owned()).chain(words.iter().cloned());
    Ok(T::try_parse_from(line).map_err(|error| {
        // Who does not read the reason still gets the exit code.
        let _ = error.print();
        if error.use_stderr() { codes::USAGE } else { exit::OK }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_well_formed() {
        for own in COMMANDS {
            (own.definition)().debug_assert();
        }
    }

    #[test]
    fn commands_are_found_behind_options() {
        let found = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            find(&words).map(|(own, rest)| (own.words.join(" "), rest.join(" ")))
        };
        for (line, name, rest) in [
            ("s3 ls s3://b", "s3", "ls s3://b"),
            ("ecr get-login-password --region x", "ecr get-login-password", "--region x"),
            ("--region x ecr get-login-password", "ecr get-login-password", "--region x"),
            ("configure list", "configure", "list"),
            ("--endpoint-url http://h s3 ls", "s3", "--endpoint-url http://h ls"),
            ("--no-sign-request --region=x s3 ls", "s3", "--no-sign-request --region=x ls"),
        ] {
            assert_eq!(found(line), Some((name.to_owned(), rest.to_owned())), "{line}");
        }
        assert_eq!(found("ecr describe-repositories"), None);
        assert_eq!(found("s3api list-buckets"), None);
        assert_eq!(found("--profile s3 ec2 describe-vpcs"), None);
        assert_eq!(found("--profile"), None);
    }

    #[test]
    fn commands_are_listed_below_what_they_belong_to() {
        let listed =
            |words: &[&str]| listed(&words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
        assert_eq!(listed(&[]).lines().count(), COMMANDS.len() + 2);
        assert!(
            listed(&["ecr"]).contains("ecr get-login-password")
                && !listed(&["ecr"]).contains("eks")
        );
        assert_eq!(listed(&["ec2"]), "");
    }

    #[test]
    fn words_are_completed() {
        let texts = |words: &[&str]| -> Vec<String> {
            complete(words).0.into_iter().map(|it| it.text).collect()
        };
        assert_eq!(texts(&["con"]), ["configure"]);
        assert_eq!(texts(&["s3"]), ["s3"]);
        assert_eq!(texts(&["s3", "p"]), ["presign"]);
        assert_eq!(texts(&["s3", "sync", "--del"]), ["--delete"]);
        assert_eq!(texts(&["ecr", "get-login"]), ["get-login-password"]);
        assert_eq!(texts(&["logs", "tail", "--fo"]), ["--follow", "--format"]);
        assert_eq!(texts(&["configure", "list"]), ["list", "list-profiles"]);
        assert_eq!(texts(&["ec"]), Vec::<String>::new());
    }
}
