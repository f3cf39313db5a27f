//! `davit aws ecr get-login-password` and `davit aws eks get-token`: what docker and kubectl log in with.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use clap::{CommandFactory as _, Parser};
use davit_aws::Client;
use davit_aws::client::Call;
use davit_aws::command::{Format, render};
use davit_aws::credentials::Credentials;
use davit_aws::query::Query;
use davit_aws::value::{Map, Value};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::globals::Globals;
use super::{call, codes, own, report, session};
use crate::report::{Report, exit, print, say};

/// Print a password for `docker login --username AWS --password-stdin`, good for twelve hours.
#[derive(Debug, Parser)]
#[command(
    name = "davit aws ecr get-login-password",
    bin_name = "davit aws ecr get-login-password",
    after_help = "\
Examples:
  davit aws ecr get-login-password --region eu-west-1 |
    docker login --username AWS --password-stdin 123456789012.dkr.ecr.eu-west-1.amazonaws.com"
)]
struct Password {
    #[command(flatten)]
    globals: Globals,
}

pub(super) fn password_definition() -> clap::Command {
    Password::command()
}

/// Prints the password.
pub(super) fn password(words: &[String], asks_for_help: bool) -> Result<u8, Report> {
    let said = match own::parse::<Password>(words, asks_for_help)? {
        Ok(said) => said,
        Err(code) => return Ok(code),
    };
    let session = session::make(&said.globals.said())?;
    session::until_done(async {
        let answer = session.client.call("ecr", "GetAuthorizationToken", Map::new()).await;
        let answer = answer.map_err(|error| report(&error))?;
        let token = answer.get("authorizationData").and_then(|it| it.items().first());
        let token = token.and_then(|it| it.get("authorizationToken")).and_then(Value::as_str);
        let plain = token.and_then(|it| STANDARD.decode(it).ok());
        let plain = plain.and_then(|it| String::from_utf8(it).ok());
        let Some((_, password)) = plain.as_deref().and_then(|it| it.split_once(':')) else {
            // What came is a secret, or next to one: it is not shown.
            let text = "ecr.GetAuthorizationToken gave no token that can be read";
            return Err(Report::new(text).code(codes::GENERAL));
        };
        print(&format!("{password}\n"))?;
        Ok(exit::OK)
    })
}

/// Print a token for a cluster of EKS, as kubectl asks for one.
#[derive(Debug, Parser)]
#[command(
    name = "davit aws eks get-token",
    bin_name = "davit aws eks get-token",
    after_help = "\
Examples:
  davit aws eks get-token --cluster-name shop
  davit aws eks get-token --cluster-name shop --query status.token --output text"
)]
struct Token {
    /// The cluster.
    #[arg(long, required_unless_present = "cluster_id", conflicts_with = "cluster_id")]
    cluster_name: Option<String>,
    /// The id of a cluster on an Outpost.
    #[arg(long)]
    cluster_id: Option<String>,
    /// A role to assume first.
    #[arg(long)]
    role_arn: Option<String>,
    /// `json`, `text`, `table` or `yaml`.
    #[arg(long)]
    output: Option<String>,
    /// An expression of JMESPath: only what it finds.
    #[arg(long)]
    query: Option<String>,
    #[command(flatten)]
    globals: Globals,
}

pub(super) fn token_definition() -> clap::Command {
    Token::command()
}

/// For how many seconds the address in the token is good by itself. Clusters take it for 15 minutes.
const ADDRESS: Duration = Duration::from_secs(60);

/// When clients ask for the next one.
const TOKEN: SignedDuration = SignedDuration::from_mins(14);

/// The header that ties a token to its cluster.
const CLUSTER: &str = "x-k8s-aws-id";

/// Prints the token.
pub(super) fn token(words: &[String], asks_for_help: bool) -> Result<u8, Report> {
    let said = match own::parse::<Token>(words, asks_for_help)? {
        Ok(said) => said,
        Err(code) => return Ok(code),
    };
    let wrong = |text: String| Report::new(text).code(codes::USAGE);
    let format = match said.output.as_deref() {
        Some(name) => {
            let format = Format::of(name);
            Some(format.ok_or_else(|| wrong(format!("{name:?} is no way to show an answer")))?)
        }
        None => None,
    };
    let query = match said.query.as_deref().map(Query::read).transpose() {
        Ok(query) => query,
        Err(error) => return Err(Report::of(&error).code(codes::USAGE)),
    };
    let cluster = said.cluster_id.or(said.cluster_name).unwrap_or_default();
    let session = session::make(&said.globals.said())?;
    let credential = session::until(async {
        let client = match &said.role_arn {
            Some(role) => in_role(&session.client, role).await?,
            None => session.client.clone(),
        };
        credential(&client, &cluster).await
    })?;
    let shown = match &query {
        Some(query) => {
            query.search(&credential).map_err(|error| Report::of(&error).code(codes::USAGE))?
        }
        None => credential,
    };
    let configured = session.settings.cli.output.and_then(Format::of);
    let format = format.or(configured).unwrap_or_default();
    // The AWS CLI has an empty line behind it.
    print(&format!("{}\n", render(&shown, format, call::look("get-token", None))))?;
    Ok(exit::OK)
}

/// The same client in a role.
async fn in_role(client: &Client, role: &str) -> Result<Client, Report> {
    let params = Map::from_iter([
        ("RoleArn".to_owned(), role.into()),
        ("RoleSessionName".to_owned(), "EKSGetTokenAuth".into()),
    ]);
    let answer = client.call("sts", "AssumeRole", params).await.map_err(|it| report(&it))?;
    let keys = answer.get("Credentials");
    let text =
        |name: &str| keys.and_then(|it| it.get(name)).and_then(Value::as_str).map(str::to_owned);
    let (Some(id), Some(secret)) = (text("AccessKeyId"), text("SecretAccessKey")) else {
        let text = "sts.AssumeRole gave no keys";
        return Err(Report::new(text).code(codes::GENERAL));
    };
    let credentials = Credentials {
        access_key_id: id,
        secret_access_key: secret,
        session_token: text("SessionToken"),
        expires: None,
        account_id: None,
        source: format!("the role {role}"),
    };
    Ok(client.with_credentials(Some(Arc::new(credentials))))
}

/// What kubectl takes.
async fn credential(client: &Client, cluster: &str) -> Result<Value, Report> {
    let call = Call::new("sts", "GetCallerIdentity", Map::new());
    let signed = client.presign_with(call, ADDRESS, |request| {
        "GET".clone_into(&mut request.method);
        request.headers.set(CLUSTER, cluster);
    });
    let url = signed.await.map_err(|error| report(&error))?;
    let token = format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(url));
    let now = client.options().now;
    let expires = now().checked_add(TOKEN).unwrap_or(Timestamp::MAX);
    Ok(Value::from(json!({
        "kind": "ExecCredential",
        "apiVersion": version(std::env::var("KUBERNETES_EXEC_INFO").ok().as_deref()),
        "spec": {},
        "status": {
            "expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "token": token,
        },
    })))
}

const V1: &str = "client.authentication.k8s.io/v1";
const BETA: &str = "client.authentication.k8s.io/v1beta1";
const ALPHA: &str = "client.authentication.k8s.io/v1alpha1";

/// The version that the caller speaks, by what it says in `KUBERNETES_EXEC_INFO`.
fn version(info: Option<&str>) -> &'static str {
    let Some(info) = info.filter(|it| !it.is_empty()) else { return BETA };
    let read: Result<serde_json::Value, _> = serde_json::from_str(info);
    let asked = read.as_ref().ok().and_then(|it| it.get("apiVersion")).and_then(|it| it.as_str());
    match asked {
        Some(V1) => V1,
        Some(BETA) => BETA,
        Some(ALPHA) => {
            say(&format!("the kubeconfig asks for {ALPHA}, which is no longer in use"));
            ALPHA
        }
        _ => {
            say(&format!("KUBERNETES_EXEC_INFO names no version that is known here: it is {BETA}"));
            BETA
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_that_are_asked_for() {
        let asked =
            |version: &str| format!(r#"{{"kind": "ExecCredential", "apiVersion": "{version}"}}"#);
        for (info, expect) in [
            (None, BETA),
            (Some(String::new()), BETA),
            (Some("{".to_owned()), BETA),
            (Some("[]".to_owned()), BETA),
            (Some(asked("other/v2")), BETA),
            (Some(asked(V1)), V1),
            (Some(asked(ALPHA)), ALPHA),
        ] {
            assert_eq!(version(info.as_deref()), expect, "{info:?}");
        }
    }
}
