//! `davit aws`: any operation of any service of AWS, with the AWS CLI's command line.

mod call;
mod configure;
mod globals;
mod logs;
mod own;
mod s3;
pub(in crate::cli) mod session;
mod sso;
mod tokens;

use davit_aws::Error;
use davit_aws::command::{self, ArgumentError, Inputs, Invocation};

use crate::report::{Report, exit, print};

/// Call services of AWS, with the AWS CLI's command line.
#[derive(Clone, Debug, clap::Args)]
#[command(
    disable_help_flag = true,
    after_help = "\
Examples:
  davit aws ec2 describe-instances --filters Name=tag:Name,Values=web
  davit aws s3 sync site s3://bucket/site --delete
  davit aws ec2 wait instance-running --instance-ids i-0123456789abcdef0
  davit aws logs tail /aws/lambda/shop --follow
  davit aws ecr get-login-password | docker login --username AWS --password-stdin REGISTRY
  davit aws configure
  davit aws help
  davit aws help ec2 run-instances"
)]
pub(crate) struct Args {
    /// A service, an operation and what it is given.
    #[arg(value_name = "WORD", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
    /// What completes the last of these words, for shells.
    #[arg(long = "complete-words", hide = true)]
    complete: bool,
}

/// The exit codes of the AWS CLI's version 2.
mod codes {
    /// The command line makes no sense.
    pub(super) const USAGE: u8 = 252;
    /// Settings make no sense, or there are no credentials.
    pub(super) const CONFIGURATION: u8 = 253;
    /// The service says no.
    pub(super) const SERVICE: u8 = 254;
    /// Anything else.
    pub(super) const GENERAL: u8 = 255;
    /// Ctrl-C.
    pub(super) const INTERRUPTED: u8 = 130;
}

/// Calls it.
pub(crate) fn run(args: &Args) -> Result<u8, Report> {
    let mut words: Vec<String> = args.words.clone();
    if args.complete {
        return complete(&words);
    }
    let asks_for_help = words.iter().any(|it| it == "--help" || it == "-h");
    words.retain(|it| it != "--help" && it != "-h");
    if let Some((own, rest)) = own::find(&words) {
        return (own.run)(&rest, asks_for_help);
    }
    if asks_for_help || words.first().is_some_and(|it| it == "help") {
        return help(&words);
    }
    let store = session::store();
    let inputs = Inputs { read: &call::read, yaml: &call::yaml };
    match command::parse(&store, &words, inputs) {
        Ok(Invocation::Help(topic)) => help(&topic),
        Ok(Invocation::Call(parsed)) => call::run(*parsed),
        Err(error) => Err(usage(&error)),
    }
}

fn help(words: &[String]) -> Result<u8, Report> {
    let words: Vec<String> = words.iter().filter(|it| *it != "help").cloned().collect();
    if let Some((own, rest)) = own::find(&words) {
        return (own.run)(&rest, true);
    }
    let store = session::store();
    let text = command::help(&store, &words).map_err(|error| usage(&error))?;
    let own = own::listed(&words);
    // In front of the long list, where there is one.
    let heading = ["\nSERVICES\n", "\nOPERATIONS\n"].iter().find_map(|it| text.find(it));
    let (front, rest) = text.split_at(heading.map_or(text.len(), |it| it + 1));
    print(&format!("{front}{own}{rest}"))?;
    Ok(exit::OK)
}

/// Prints what the last word may become, a line each, with what it is behind a tab.
fn complete(words: &[String]) -> Result<u8, Report> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (mut found, whole) = own::complete(&words);
    if !whole {
        found.extend(command::complete(&session::store(), &words));
    }
    let lines: String = found.iter().map(|it| format!("{}\t{}\n", it.text, it.about)).collect();
    print(&lines)?;
    Ok(exit::OK)
}

fn usage(error: &ArgumentError) -> Report {
    let report = Report::of(error).code(codes::USAGE);
    match error.topic() {
        Some("") => report.hint("davit aws help"),
        Some(topic) => report.hint(format!("davit aws help {topic}")),
        None => report,
    }
}

/// An error of the client, as a person reads it.
pub(in crate::cli) fn report(error: &Error) -> Report {
    let code = match error {
        Error::Service(_) => codes::SERVICE,
        Error::Credentials(_) | Error::Settings(_) => codes::CONFIGURATION,
        Error::Endpoint(_) => codes::CONFIGURATION,
        Error::Invalid(_)
        | Error::Refused(_)
        | Error::Serialize(_)
        | Error::UnknownService { .. }
        | Error::UnknownOperation { .. }
        | Error::UnknownWaiter { .. } => codes::USAGE,
        _ => codes::GENERAL,
    };
    let report = Report::new(error.chain()).code(code);
    match (error, error.code()) {
        (Error::Endpoint(davit_aws::endpoint::EndpointError::MissingRegion { .. }), _) => {
            report.hint("give --region, set AWS_REGION, or put `region` into the profile")
        }
        (_, Some("ExpiredToken" | "ExpiredTokenException" | "RequestExpired")) => report
            .hint("the credentials have ended: get new ones, or see whether this clock is right"),
        (_, Some("UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException")) => {
            report.hint("davit aws sts get-caller-identity says who is calling")
        }
        _ => report,
    }
}
