//! `davit audit`: holds what runs in a cloud against rules, and says what breaks them. Each audit is a line of
//! [`AUDITS`] and a file; what they find has one shape, which `findings` writes.

mod aws_s3_encryption;
mod findings;

use clap::{ArgMatches, FromArgMatches, Subcommand, ValueEnum};

use self::findings::Findings;
use crate::report::{Report, exit, print};

/// Hold what runs in a cloud against rules.
#[derive(Clone, Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  davit audit --list
  davit audit aws-s3-encryption
  davit audit aws-s3-encryption --require aws:kms --output sarif > buckets.sarif

Exit codes: 0 everything is as it should be, 1 something is not, 4 what could be seen is as it should be,
but something could not be looked at."
)]
pub(crate) struct Args {
    /// Say which audits there are.
    #[arg(long)]
    list: bool,
    /// How findings are written.
    #[arg(long, value_enum, default_value = "text", global = true)]
    output: Format,
    #[command(subcommand)]
    chosen: Option<Chosen>,
}

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines for people.
    Text,
    /// A JSON document.
    Json,
    /// A SARIF 2.1.0 document, as code hosts show them.
    Sarif,
}

/// What the exit code says.
mod codes {
    /// Something breaks a rule.
    pub(super) const VIOLATIONS: u8 = crate::report::exit::ERROR;
    /// Something could not be looked at.
    pub(super) const UNSEEN: u8 = crate::report::exit::UNREACHABLE;
}

/// An audit that there is.
struct Audit {
    name: &'static str,
    /// A line about it.
    summary: &'static str,
    /// Its options.
    command: fn(clap::Command) -> clap::Command,
    /// Looks; an error is told where it could not even begin to.
    run: fn(&ArgMatches) -> Result<Findings, Report>,
}

/// The audits that there are, by name.
static AUDITS: &[Audit] = &[aws_s3_encryption::AUDIT];

/// One of them, with what it was given.
#[derive(Clone, Debug)]
struct Chosen {
    name: String,
    matches: ArgMatches,
}

impl FromArgMatches for Chosen {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let (name, matches) = matches
            .subcommand()
            .ok_or_else(|| clap::Error::new(clap::error::ErrorKind::MissingSubcommand))?;
        Ok(Self { name: name.to_owned(), matches: matches.clone() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for Chosen {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        let commands = AUDITS.iter().map(|it| {
            let command = (it.command)(clap::Command::new(it.name));
            command.about(it.summary)
        });
        command.subcommands(commands)
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        AUDITS.iter().any(|it| it.name == name)
    }
}

/// Audits; the exit code.
pub(crate) fn run(args: &Args) -> Result<u8, Report> {
    let found = args.chosen.as_ref().and_then(|chosen| {
        AUDITS.iter().find(|it| it.name == chosen.name).map(|it| (it, &chosen.matches))
    });
    let Some((audit, matches)) = found.filter(|_| !args.list) else {
        print(&listed())?;
        return Ok(exit::OK);
    };
    let findings = (audit.run)(matches).map_err(|report| match report.code {
        exit::INTERRUPTED => report,
        _ => report.code(codes::UNSEEN),
    })?;
    print(&match args.output {
        Format::Text => findings.text(),
        Format::Json => format!("{:#}\n", findings.json()),
        Format::Sarif => format!("{:#}\n", findings.sarif(env!("CARGO_PKG_VERSION"))),
    })?;
    Ok(if findings.violated() > 0 {
        codes::VIOLATIONS
    } else if findings.unseen() > 0 {
        codes::UNSEEN
    } else {
        exit::OK
    })
}

fn listed() -> String {
    let width = AUDITS.iter().map(|it| it.name.len()).max().unwrap_or_default();
    AUDITS.iter().map(|it| format!("{:width$}  {}\n", it.name, it.summary)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audits_are_sorted_and_have_examples() {
        assert!(AUDITS.is_sorted_by_key(|it| it.name));
        for audit in AUDITS {
            let command = (audit.command)(clap::Command::new(audit.name));
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{} has no example", audit.name);
        }
    }
}
