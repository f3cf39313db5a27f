//! The command line of AWS: `SERVICE OPERATION --param value ...`, with the names, the syntax and the
//! output of the AWS CLI's version 1. Does no IO and calls nothing: it says what is to be called, and
//! how an answer looks.
//!
//! ```
//! use std::io;
//!
//! use davit_aws::{command::{self, Inputs, Invocation}, model::Store};
//!
//! let store = Store::default();
//! let words = ["ec2", "describe-instances", "--filters", "Name=tag:Name,Values=web,db"];
//! let words: Vec<String> = words.map(str::to_owned).into();
//! let inputs = Inputs {
//!     read: &|_| Err(io::Error::from(io::ErrorKind::NotFound)),
//!     yaml: &|_| Err("there is none here".to_owned()),
//! };
//! let Invocation::Call(call) = command::parse(&store, &words, inputs)? else { unreachable!() };
//! assert_eq!(call.command.operation.name, "DescribeInstances");
//! assert_eq!(
//!     call.params["Filters"].to_json(),
//!     serde_json::json!([{"Name": "tag:Name", "Values": ["web", "db"]}]),
//! );
//! # Ok::<(), command::ArgumentError>(())
//! ```
//!
//! What the AWS CLI has besides the operations of the models is not here: its own commands (`s3 cp`,
//! `configure`, `cloudformation deploy`, `ecr get-login-password`, `eks get-token`, `emr create-cluster`,
//! `logs tail` ...). Operations for which it has a command of its own instead (`emr run-job-flow`,
//! `rds modify-option-group`) are here as they are. These arguments are not:
//!
//! - `ec2 bundle-instance`: `--bucket`, `--prefix`, `--owner-akid`, `--owner-sak`, `--policy`
//! - `ec2 get-password-data`: `--priv-launch-key`
//! - `cloudfront update-distribution`: `--default-root-object`, which needs a call before
//! - `datapipeline put-pipeline-definition` and `activate-pipeline`: `--pipeline-definition`,
//!   `--parameter-values`, `--parameter-values-uri`; `--parameter-objects` is the service's own
//!
//! It differs in these:
//!
//! - A single file for a list is one of its values, or all of them in JSON.
//! - Addresses (`http://`, `https://`) are values and not fetched, as in version 2.
//! - Numbers and booleans in shorthand for lists with one value become numbers and booleans.
//! - Booleans in lists are `true` or `false` and nothing else.
//! - `--cli-input-yaml`, `--cli-binary-format` and `--output yaml` are there, as in version 2.

mod complete;
mod custom;
mod error;
mod globals;
mod help;
mod names;
mod parse;
mod renames;
mod render;
mod shorthand;
mod syntax;
mod table;
mod unpack;

pub use self::{
    complete::{Candidate, complete},
    error::{ArgumentError, Wanted},
    globals::{BinaryFormat, GLOBALS, GlobalOption, Globals},
    help::help,
    names::{
        command_name, find_operation, find_service, find_waiter, nearest, operation_commands,
        operation_name, service_command, service_commands, waiter_commands,
    },
    parse::{BodyFile, Invocation, Paging, Parsed, Save, parse},
    render::{Format, Look, render},
    syntax::{shorthand, skeleton},
    table::{Argument, Command, Takes},
    unpack::Inputs,
};

/// What `--generate-cli-skeleton` asks for: see `skeleton`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skeleton {
    /// Parameters, in JSON that `--cli-input-json` takes.
    Input,
    /// An answer, shown as answers are.
    Output,
}
