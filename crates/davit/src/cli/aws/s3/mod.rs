//! `davit aws s3`: objects and folders, with the AWS CLI's commands.

mod change;
mod how;
mod list;
mod meter;
mod plan;
mod work;

use std::cell::OnceCell;
use std::time::Duration;

use clap::{CommandFactory as _, Parser, Subcommand};
use davit_aws::client::Call;
use davit_aws::transfer::Object;
use davit_aws::value::Map;

use super::globals::Globals;
use super::{codes, own, report, session};
use crate::report::{Report, exit, print};

/// Objects and buckets of S3.
#[derive(Debug, Parser)]
#[command(
    name = "davit aws s3",
    bin_name = "davit aws s3",
    arg_required_else_help = true,
    after_help = "\
Examples:
  davit aws s3 ls s3://bucket/folder/
  davit aws s3 cp backup.tar s3://bucket/
  davit aws s3 sync site s3://bucket/site --delete --exclude '*.tmp'
  davit aws s3 presign s3://bucket/report.pdf --expires-in 600"
)]
struct S3 {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    globals: Globals,
    #[command(flatten)]
    unused: Unused,
}

/// What every command of the AWS CLI takes and none of these has a use for.
#[derive(Debug, clap::Args)]
struct Unused {
    #[arg(long, global = true, hide = true)]
    output: Option<String>,
    #[arg(long, global = true, hide = true)]
    query: Option<String>,
    #[arg(long, global = true, hide = true)]
    color: Option<String>,
    #[arg(long, global = true, hide = true)]
    cli_binary_format: Option<String>,
    #[arg(long, global = true, hide = true)]
    no_paginate: bool,
    #[arg(long, global = true, hide = true)]
    no_cli_pager: bool,
    #[arg(long, global = true, hide = true)]
    no_cli_auto_prompt: bool,
    #[arg(long, global = true, hide = true)]
    debug: bool,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
enum Command {
    /// List buckets, or what is in one.
    Ls(list::Args),
    /// Copy files and objects.
    Cp(Copy),
    /// Copy files and objects, and remove what was copied.
    Mv(Copy),
    /// Make a folder what another is: copy what is missing or differs.
    Sync(Sync),
    /// Remove objects.
    Rm(change::Remove),
    /// Make a bucket.
    Mb {
        /// `s3://BUCKET`.
        bucket: String,
        /// A tag, by its key and its value.
        #[arg(long, num_args = 2, value_names = ["KEY", "VALUE"])]
        tags: Vec<String>,
    },
    /// Remove a bucket.
    Rb {
        /// `s3://BUCKET`.
        bucket: String,
        /// Remove all objects first.
        #[arg(long)]
        force: bool,
    },
    /// Print an address by which anyone may fetch an object for a while.
    Presign {
        /// `s3://BUCKET/KEY`.
        object: String,
        /// For how many seconds: a week at most.
        #[arg(long, default_value_t = 3600)]
        expires_in: u64,
    },
}

/// What is copied from where to where.
#[derive(Clone, Debug, clap::Args)]
struct Copy {
    /// A file, a folder, `-` for standard input, or `s3://BUCKET/KEY`.
    from: String,
    /// A file, a folder, `-` for standard output, or `s3://BUCKET/KEY`.
    to: String,
    /// All that is below.
    #[arg(long)]
    recursive: bool,
    /// How much will come from standard input: parts are large enough for it.
    #[arg(long, value_name = "BYTES")]
    expected_size: Option<u64>,
    #[command(flatten)]
    how: how::How,
}

/// What is to be like what.
#[derive(Clone, Debug, clap::Args)]
struct Sync {
    /// A folder, or `s3://BUCKET/PREFIX`.
    from: String,
    /// A folder, or `s3://BUCKET/PREFIX`.
    to: String,
    /// Remove what is there and not at the source.
    #[arg(long)]
    delete: bool,
    /// What is as long counts as the same.
    #[arg(long)]
    size_only: bool,
    /// Fetch what is as long where its time is not the same, not only where it is newer.
    #[arg(long)]
    exact_timestamps: bool,
    #[command(flatten)]
    how: how::How,
}

/// Its options and commands.
pub(super) fn definition() -> clap::Command {
    S3::command()
}

/// Does what the words behind `s3` say.
pub(super) fn run(words: &[String], asks_for_help: bool) -> Result<u8, Report> {
    let said = match own::parse::<S3>(words, asks_for_help)? {
        Ok(said) => said,
        Err(code) => return Ok(code),
    };
    let filters = plan::filters(words);
    let session = session::make(&said.globals.said())?;
    let begun = OnceCell::new();
    let at = work::Context { session: &session, filters: &filters, begun: &begun };
    let work = async {
        match said.command {
            Command::Ls(args) => list::run(&session.client, &args).await,
            Command::Cp(args) => work::copy(&at, &args, false).await,
            Command::Mv(args) => work::copy(&at, &args, true).await,
            Command::Sync(args) => work::sync(&at, &args).await,
            Command::Rm(args) => change::remove(&session.client, &args, &filters).await,
            Command::Mb { bucket, tags } => change::make_bucket(&session, &bucket, &tags).await,
            Command::Rb { bucket, force } => {
                change::remove_bucket(&session.client, &bucket, force).await
            }
            Command::Presign { object, expires_in } => {
                presign(&session.client, &object, expires_in).await
            }
        }
    };
    let undo = async {
        if let Some(transfer) = begun.get() {
            transfer.take_back().await;
        }
    };
    session::until_done_or(work, undo)
}

/// An error of the client that ends a command. The AWS CLI's exit code for what S3 refuses is 1 here.
fn fatal(error: &davit_aws::Error) -> Report {
    let report = report(error);
    match report.code {
        codes::SERVICE | codes::GENERAL => report.code(exit::ERROR),
        _ => report,
    }
}

async fn presign(client: &davit_aws::Client, object: &str, seconds: u64) -> Result<u8, Report> {
    let with_scheme =
        if object.starts_with("s3://") { object.to_owned() } else { format!("s3://{object}") };
    let object = object_of(&with_scheme)?;
    let mut params = Map::new();
    params.insert("Bucket".to_owned(), object.bucket.into());
    params.insert("Key".to_owned(), object.key.into());
    let call = Call::new("s3", "GetObject", params);
    let url = client.presign(call, Duration::from_secs(seconds)).await;
    print(&format!("{}\n", url.map_err(|error| report(&error))?))?;
    Ok(exit::OK)
}

/// A bucket and what is behind it: `s3://BUCKET/KEY`, also with the ARN of an access point.
fn place(text: &str) -> Option<(String, String)> {
    let rest = text.strip_prefix("s3://")?;
    if rest.starts_with("arn:") {
        // The name of an access point is behind the first slash, and belongs to it.
        let mut slashes = rest.match_indices('/').map(|(at, _)| at);
        let first = slashes.next().unwrap_or(rest.len());
        let end = if rest[..first].ends_with("accesspoint") { slashes.next() } else { Some(first) };
        let end = end.unwrap_or(rest.len());
        return Some((rest[..end].to_owned(), rest[end..].trim_start_matches('/').to_owned()));
    }
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    Some((bucket.to_owned(), key.to_owned()))
}

fn place_or(text: &str) -> Result<(String, String), Report> {
    let found = place(text).filter(|(bucket, _)| !bucket.is_empty());
    found.ok_or_else(|| {
        Report::new(format!("{text:?} is no place in S3: write s3://BUCKET or s3://BUCKET/KEY"))
            .code(codes::USAGE)
    })
}

fn object_of(text: &str) -> Result<Object, Report> {
    let (bucket, key) = place_or(text)?;
    if key.is_empty() {
        let text = format!("{text:?} names a bucket and no object: write s3://BUCKET/KEY");
        return Err(Report::new(text).code(codes::USAGE));
    }
    Ok(Object::new(&bucket, &key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        S3::command().debug_assert();
    }

    #[test]
    fn places_are_taken_apart() {
        let point = "arn:aws:s3:eu-west-1:123456789012:accesspoint/name";
        for (text, bucket, key) in [
            ("s3://b", "b", ""),
            ("s3://b/", "b", ""),
            ("s3://b/a/c d", "b", "a/c d"),
            (&format!("s3://{point}"), point, ""),
            (&format!("s3://{point}/k/l"), point, "k/l"),
        ] {
            assert_eq!(place(text), Some((bucket.to_owned(), key.to_owned())), "{text}");
        }
        assert_eq!(place("/tmp/a"), None);
    }
}
